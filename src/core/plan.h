/*
 * What a service file says beyond a command: the steps before, around and after the service's own
 * process, and how each process is to be run. src/cli/unit makes one from a systemd unit; it is
 * carried to the keeper in the configuration's block (config.h), and src/keeper/steps.c carries it
 * out. A service of the C API has none.
 */
#ifndef PRI_PLAN_H
#define PRI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "procref/procref.h"

/* The lists of commands, in the order in which a life goes through them. */
enum pri_step_list {
    PRI_STEPS_START_PRE,
    PRI_STEPS_START, /* the service's own; several with PRI_TYPE_ONESHOT only */
    PRI_STEPS_START_POST,
    PRI_STEPS_STOP,
    PRI_STEPS_STOP_POST,
    PRI_STEPS_COUNT
};

enum {
    PRI_STEP_IGNORE = 1,  /* "-": its failure counts as success */
    PRI_STEP_LITERAL = 2, /* ":": variables are not replaced */
    PRI_STEP_OURS = 4,    /* not of the file: run in "/", for it may make the working directory,
                             and without Environment=, of which PATH is the service's */
};

struct pri_step {
    uint32_t list, flags;
    const char *program;     /* what is executed: an absolute path, or a name looked up in PATH */
    const char *const *argv; /* NULL-terminated; $VAR and ${VAR} are replaced when it is run, by the
                                rules of systemd.service(5) */
};

enum pri_plan_type {
    PRI_TYPE_SIMPLE, /* simple, exec, notify (with ready "notify"): the first process is the service
                      */
    PRI_TYPE_FORKING, /* the first process ends when the service, its child, is up */
    PRI_TYPE_ONESHOT, /* with RemainAfterExit=yes: no process stays, the service is up once all have
                         succeeded */
};

enum pri_kill_mode {
    PRI_KILL_GROUP,   /* control-group: the signal goes to all at once */
    PRI_KILL_MIXED,   /* to the main process, SIGKILL to what it leaves */
    PRI_KILL_PROCESS, /* to the main process only; what it leaves stays alive */
};

/* When an ended process is started again (Restart=), by how it ended. */
enum {
    PRI_RESTART_CLEAN = 1,   /* exit status 0, or one of SuccessExitStatus= */
    PRI_RESTART_UNCLEAN = 2, /* another exit status */
    PRI_RESTART_SIGNAL = 4,  /* killed by a signal */
    PRI_RESTART_TIMEOUT = 8, /* it was not up in time */
};

/* Sets of ways to end, each a bit. */
struct pri_ends {
    uint64_t codes[4], signals;
};
enum {
    PRI_ENDS_SUCCESS, /* what is a clean end beside exit status 0 and HUP, INT, TERM, PIPE */
    PRI_ENDS_PREVENT, /* after which it is not started again, whatever restarts says … */
    PRI_ENDS_FORCE,   /* … and after which it is; who is in both is not */
    PRI_ENDS_SETS,
};

struct pri_plan_limit {
    int32_t resource; /* RLIMIT_… */
    uint32_t unused;
    uint64_t soft, hard; /* PRI_LIMIT_INFINITY */
};
#define PRI_LIMIT_INFINITY UINT64_MAX

struct pri_plan {
    const struct pri_step *steps; /* in the order of their lists */
    size_t step_count;
    const struct pri_plan_limit *limits;
    size_t limit_count;
    const char *pid_file;       /* PRI_TYPE_FORKING; NULL: the one process that is left */
    const char *output, *error; /* NULL: the log; else "null", or "file:", "append:" or "truncate:"
                                   and an absolute path; error NULL: as output, "log": the log */
    const char *const
        *holder;              /* NULL, or a command that holds what this service requires: started
                                 first, ended last; it writes one byte to descriptor 3 when it holds */
    const char *const *unset; /* NULL, or names of variables to be left out (UnsetEnvironment=) */
    enum pri_plan_type type;
    enum pri_kill_mode kill_mode;
    bool wants_port;     /* a free port is picked when none is given */
    bool never_kill;     /* SendSIGKILL=no */
    bool sigpipe;        /* IgnoreSIGPIPE=no: writing to a broken pipe ends a process */
    bool restarts_given; /* restarts is what Restart= says; else the config's restart counts */
    uint32_t restarts;   /* PRI_RESTART_… */
    int32_t umask;       /* -1: 022 */
    int32_t nice;        /* 0: as it is */
    int64_t restart_ms;  /* pause before a restart; -1: the keeper's own back-off */
    int32_t start_burst; /* so many starts … */
    int64_t start_interval_ms; /* … within this time are the limit; 0: none */
    struct pri_ends ends[PRI_ENDS_SETS];
};

/* ---- In a configuration's block ----------------------------------------------------------------
 */

/* Strings one after the other; at is an offset from the plan's begin. */
struct pri_list {
    uint32_t at, count;
};

struct pri_plan_step {
    uint32_t list, flags, program;
    struct pri_list argv;
};

struct pri_plan_block {
    uint32_t size, compared; /* the bytes up to here make two plans differ */
    uint32_t type, kill_mode;
    uint32_t wants_port, never_kill, sigpipe, restarts_given, restarts;
    int32_t umask, nice, start_burst;
    uint32_t limits, limit_count, steps, step_count;
    uint32_t pid_file, output, error; /* 0: NULL */
    struct pri_list unset, holder;
    int64_t restart_ms, start_interval_ms;
    struct pri_ends ends[PRI_ENDS_SETS];
};

/* The plan as bytes at base, which is aligned for 8; with NULL it only counts them. */
size_t pri_plan_write(void *base, const struct pri_plan *plan);

/* Whether size bytes hold a plan that can be used. */
bool pri_plan_valid(const struct pri_plan_block *plan, size_t size);

/* The same for plans that start and run the same. */
uint64_t pri_plan_hash(const struct pri_plan_block *plan);

const char *pri_plan_text(const struct pri_plan_block *plan, uint32_t offset); /* NULL for 0 */
const struct pri_plan_step *pri_plan_step(const struct pri_plan_block *plan, uint32_t index);
const struct pri_plan_limit *pri_plan_limits(const struct pri_plan_block *plan);
/* The list's first step; NULL if it has none, or without a plan. */
const struct pri_plan_step *pri_plan_first(const struct pri_plan_block *plan,
                                           enum pri_step_list list);
bool pri_plan_has(const struct pri_plan_block *plan, enum pri_step_list list);

/* ---- For who has one ----------------------------------------------------------------------------
 */

/* procref_service_open() of a service that is run by a plan (or NULL). config->command is the
 * plan's first PRI_STEPS_START; a relative working_dir, ready and the rest mean what they mean
 * without a plan. */
int pri_service_open_plan(const procref_service_config *config, const struct pri_plan *plan,
                          procref_service **ret_service, procref_error *err);

#endif
