/*
 * What the files of src/cli/unit share while one unit is read: memory, findings, where we are, and
 * the settings as they were assigned. load.c reads the files and puts the result together; keys.c
 * says which key is handled by which function.
 */
#ifndef UNIT_LOADER_H
#define UNIT_LOADER_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "cli/unit.h"

/* ---- arena.c: memory that lives as long as the unit --------------------------------------------
 */

struct unit_arena;
struct unit_arena *unit_arena_new(void);
struct unit_arena *unit_arena_free(struct unit_arena *arena);
void *unit_arena_get(struct unit_arena *arena, size_t size); /* zeroed; NULL: out of memory */

/* A list of strings, always ended by NULL. */
struct texts {
    const char **list;
    size_t count, room;
};

/* ---- the state ---------------------------------------------------------------------------------
 */

struct step_vector {
    struct pri_step *list;
    size_t count, room;
};

enum directory_kind { DIR_RUNTIME, DIR_STATE, DIR_CACHE, DIR_LOGS, DIR_CONFIGURATION, DIR_KINDS };

enum { UNIT_DIRECTORY_MODE = 0755 }; /* of which nothing says another */

struct env_file {
    const char *path, *from; /* from: the unit or drop-in that names it */
    int line;
    bool optional;
};

enum service_type {
    TYPE_NONE, /* not given */
    TYPE_SIMPLE,
    TYPE_EXEC,
    TYPE_FORKING,
    TYPE_ONESHOT,
    TYPE_NOTIFY,
    TYPE_IDLE,
};

enum output_kind {
    OUTPUT_NONE, /* not given */
    OUTPUT_INHERIT,
    OUTPUT_LOG,
    OUTPUT_OTHER, /* what the plan's text says */
};

/* The settings, in the order in which they were assigned; scalars with the last one. */
struct settings {
    enum service_type type;
    int type_line, remain_line;
    const char *type_file, *remain_file;
    bool remain_after_exit, preserve_runtime;
    struct step_vector steps[PRI_STEPS_COUNT];
    struct texts environment, file_environment, directory_environment, unset, exports, requires;
    struct unit_place *required_at;
    size_t required_room;
    struct unit_place start_at, nice_at, ready_at, bus_name_at;
    bool start_unread; /* an ExecStart= that is an error already */
    struct env_file *env_files;
    size_t env_file_count;
    struct texts directories[DIR_KINDS]; /* relative */
    unsigned directory_modes[DIR_KINDS];
    const char *working_dir; /* "~" is replaced */
    bool working_dir_optional;
    enum output_kind output, error;
    const char *output_text, *error_text;
    bool start_timeout_given;
    bool limit_given[16];
    struct pri_plan_limit limits[16];
    const char *health, *ready;
    bool port_given, port_auto;
};

struct unit_key;

struct loader {
    jmp_buf out_of_memory;
    struct unit *unit;
    struct unit_arena *arena;
    const struct unit_options *options;
    size_t finding_room;
    int unknown_keys;
    const char *file; /* where we are */
    int line;
    const struct unit_key *key;  /* the assignment that is handled; or NULL */
    const char *fragment;        /* %y */
    const char *specifiers[128]; /* what they stand for, by letter, once looked up */
    struct settings set;
};

/* All end in unit_load() when memory is short. */
void *unit_get(struct loader *l, size_t size);
char *unit_copy(struct loader *l, const char *text, size_t length);
char *unit_text(struct loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *unit_grow(struct loader *l, void *list, size_t count, size_t *room, size_t size);
void texts_add(struct loader *l, struct texts *texts, const char *text);

/* ---- findings.c --------------------------------------------------------------------------------
 */

/* At the current file and line. A refused key that is on the list of --ignore becomes UNIT_IGNORED.
 */
void unit_find(struct loader *l, enum unit_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "Key= is 'value': " and what was expected. */
void unit_bad(struct loader *l, const char *value, const char *expected);
bool unit_key_ignored(const struct loader *l, const char *key);
struct unit_place unit_here(const struct loader *l);
/* Goes back to where a key was assigned, for what only the whole unit shows. */
void unit_go_to(struct loader *l, const struct unit_place *at, const char *section,
                const char *key);

/* ---- file.c ------------------------------------------------------------------------------------
 */

/* A regular file that nobody else may write. *ret_text: with a zero byte behind it, the arena's;
 * its message (no file name) is NULL, or says why it was not read. */
const char *unit_read_file(struct loader *l, const char *path, const char **ret_text,
                           size_t *ret_length);

/* ---- syntax.c: systemd.syntax(7) ---------------------------------------------------------------
 */

typedef void unit_assignment(struct loader *l, const char *section, const char *key,
                             const char *value);
void unit_parse_text(struct loader *l, const char *text, size_t length, unit_assignment *assign);

/* ---- words.c -----------------------------------------------------------------------------------
 */

enum { WORD_NONE, WORD_FOUND, WORD_UNBALANCED };
/*
 * The next word of *at, without quotes and escapes, in `to`, which has room for what is left of
 * *at. *odd is set if an escape is unknown, and kept. Afterwards *at is at the next word, or the
 * end.
 */
int unit_word(const char **at, char *to, bool *odd);
/* All words of a value, with specifiers replaced; false: a finding says why not. */
bool unit_words(struct loader *l, const char *value, struct texts *to);

/* ---- specifiers.c ------------------------------------------------------------------------------
 */

/* NULL: a finding says why not. */
const char *unit_specify(struct loader *l, const char *text);
const char *unit_directory_root(struct loader *l, enum directory_kind kind);
const char *unit_home(struct loader *l);

/* ---- paths.c -----------------------------------------------------------------------------------
 */

bool unit_leads_up(const char *path); /* has a ".." in it */
/* "/usr//bin/./x/" is "/usr/bin/x". */
const char *unit_simplify(struct loader *l, const char *path);
/* With specifiers replaced and simplified; a relative one is below `below`, or, with NULL, an
 * error. NULL: a finding says why not. */
const char *unit_path(struct loader *l, const char *text, const char *below);

/* ---- values.c: as systemd's parsers of the same values -----------------------------------------
 */

bool unit_boolean(const char *text, bool *ret);
bool unit_number(const char *text, uint64_t *ret);
bool unit_mode(const char *text, unsigned *ret);
bool unit_nice(const char *text, int32_t *ret);
bool unit_signal(const char *text, int *ret);
bool unit_exit_status(const char *text, int *ret);
bool unit_size(const char *text, uint64_t *ret);
bool unit_limit(int resource, const char *text, uint64_t *ret_soft, uint64_t *ret_hard);
bool unit_env_name(const char *text, size_t length);
bool unit_env_valid(const char *assignment);

/* ---- keys.c ------------------------------------------------------------------------------------
 */

typedef void unit_key_parser(struct loader *l, const char *value);
/* What a later assignment does to those before it. */
enum unit_kind {
    UNIT_LAST,  /* the last one counts; an empty one is none: systemd leaves it out */
    UNIT_VALUE, /* the last one counts; an empty one is the default */
    UNIT_LIST,  /* they add up; an empty one takes all back */
    UNIT_MORE,  /* they add up, and nothing takes them back */
    UNIT_EACH,  /* they add up; an empty one asks for something, too */
};
struct unit_key {
    const char *section, *name;
    enum unit_level level; /* how a key that is not carried out is told */
    enum unit_kind kind;
    unit_key_parser *parse; /* NULL: not carried out */
    const char *nothing;    /* words that ask for nothing, and take back what was asked for */
    const char *reason;     /* why it is not carried out */
    int which;              /* for parsers of several keys */
};
const struct unit_key *unit_key_named(const char *section, const char *name);
void unit_assign(struct loader *l, const char *section, const char *name, const char *value);

/* ---- parsers of keys ---------------------------------------------------------------------------
 */

unit_key_parser unit_parse_exec;        /* exec.c; which: enum pri_step_list */
unit_key_parser unit_parse_environment; /* environment.c */
unit_key_parser unit_parse_environment_file;
unit_key_parser unit_parse_unset_environment;
unit_key_parser unit_parse_directory; /* directories.c; which: enum directory_kind */
unit_key_parser unit_parse_directory_mode;
unit_key_parser unit_parse_preserve;
unit_key_parser unit_parse_working_directory;
unit_key_parser unit_parse_type; /* service.c */
unit_key_parser unit_parse_bus_name;
unit_key_parser unit_parse_remain;
unit_key_parser unit_parse_pid_file;
unit_key_parser unit_parse_restart;
unit_key_parser unit_parse_restart_sec;
unit_key_parser unit_parse_timeout; /* which: 1 start, 2 stop, 3 both */
unit_key_parser unit_parse_start_interval;
unit_key_parser unit_parse_start_burst;
unit_key_parser unit_parse_ends;
unit_key_parser unit_parse_kill_mode; /* process.c */
unit_key_parser unit_parse_kill_signal;
unit_key_parser unit_parse_other_signal; /* which: the default */
unit_key_parser unit_parse_send_sigkill;
unit_key_parser unit_parse_ignore_sigpipe;
unit_key_parser unit_parse_send_sighup;
unit_key_parser unit_parse_umask;
unit_key_parser unit_parse_nice;
unit_key_parser unit_parse_limit; /* which: RLIMIT_… */
unit_key_parser unit_parse_input;
unit_key_parser unit_parse_output; /* which: 0 output, 1 error */
unit_key_parser unit_parse_user;   /* which: 0 user, 1 group */
unit_key_parser unit_parse_ready;  /* extension.c */
unit_key_parser unit_parse_port;
unit_key_parser unit_parse_linger;
unit_key_parser unit_parse_export;
unit_key_parser unit_parse_requires;
unit_key_parser unit_parse_health;

/* ---- putting it together -----------------------------------------------------------------------
 */

void unit_read_env_files(struct loader *l);  /* environment.c */
void unit_add_directories(struct loader *l); /* directories.c */
struct pri_step *unit_add_step(struct loader *l, enum pri_step_list list, uint32_t flags,
                               const char *program, const char *const *argv); /* exec.c */
void unit_finish(struct loader *l);                                           /* finish.c */
/* envfile.c: the syntax of EnvironmentFile=; *line: of the last assignment, for its finding. */
void unit_parse_env_text(struct loader *l, const char *text, size_t length,
                         void (*push)(struct loader *l, const char *key, const char *value));

#endif
