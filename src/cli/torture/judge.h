/*
 * procref torture: the judge, who starts everything, strikes, looks around and tells the verdict.
 * What the other processes share with it is in torture.h.
 */
#ifndef TORTURE_JUDGE_H
#define TORTURE_JUDGE_H

#include "cli/torture/torture.h"

/* ---- see.c: what a bystander sees ------------------------------------------------------------
 */

enum seen_kind { SEEN_CLIENT, SEEN_SERVICE, SEEN_KEEPER };
struct seen {
    pid_t pid, parent;
    uint64_t start;
    char state;
    enum seen_kind kind;
    uint32_t arena;
    bool verified; /* its environment has our mark: it may be a victim */
};
enum { SEEN_MOST = 2048 };
struct sight {
    struct seen list[SEEN_MOST];
    int count;
};
/* All live processes of this run. */
void see(struct sight *sight);
int seen_in(const struct sight *sight, uint32_t arena, enum seen_kind kind);
/* Signals that very process, by a pidfd. */
bool signal_seen(const struct seen *seen, int number);
bool was_struck(pid_t pid); /* whether we sent this child of ours SIGKILL; asked once */

struct arena_names {
    struct pri_ident ident;
    char name[64], socket[64];
};
extern struct arena_names arena_names[ARENAS_MOST];
void names_make(uint32_t arena);
int see_set(uint32_t arena);     /* the id of a set of this arena's; -1: none */
bool see_socket(uint32_t arena); /* whether its socket's name is taken */
/* A file of the service's that is no log, its name; false: none. ARENAS_MOST: of no service. */
bool see_file(uint32_t arena, char *to, size_t size);
bool see_lock(uint32_t arena); /* whether some service holds its lock */
void see_locks_of(int locked); /* a file beside them that this process has locked */

/* ---- the judge --------------------------------------------------------------------------------
 */

struct options {
    int64_t seconds_ms, seed, clients, services;
    bool keep, trace;
    const char *plant;
};

enum blow {
#define BLOWS(X)                                                                                   \
    X(KILL_CLIENT, "clients killed")                                                               \
    X(STOP_CLIENT, "clients stopped")                                                              \
    X(KILL_KEEPER, "keepers killed")                                                               \
    X(KILL_STANDBY, "standbys killed")                                                             \
    X(STOP_KEEPER, "keepers or standbys stopped")                                                  \
    X(KILL_SERVICE, "services killed")                                                             \
    X(STOP_SERVICE, "services stopped")                                                            \
    X(KILL_PAIR, "both keepers at once")                                                           \
    X(MASSACRE, "everybody at once")                                                               \
    X(FILL_QUEUE, "keepers' queues filled")                                                        \
    X(REMOVE_SET, "semaphore sets removed")                                                        \
    X(DELETE_FILE, "files deleted")                                                                \
    X(SPOIL_FILE, "files cut, scrambled or forged")                                                \
    X(LOAD, "times both cores loaded")
#define BLOW_ENUM(name, text) BLOW_##name,
    BLOWS(BLOW_ENUM)
#undef BLOW_ENUM
        BLOW_COUNT
};

enum phase { PHASE_REST, PHASE_RUN, PHASE_END, PHASE_REPAIR, PHASE_SETTLE };
enum cruelty { CRUELTY_NONE, CRUELTY_SINGLE, CRUELTY_ALL };

struct arena {
    enum phase phase;
    enum cruelty cruelty;
    uint32_t round;
    struct dice dice; /* of this round: what it is like */
    uint32_t strikes; /* in this round: each has dice of its own, so that whom it met, and whether
                         it met anybody, does not change the next */
    int64_t until_ms, blow_ms;
    pid_t clients[CLIENTS_MOST];
    int clients_most;
    uint32_t clients_started;
    pid_t repair;
    bool needs_repair; /* both keepers may have died */
    bool end_by_killing, end_massacring, strike_the_stop;
    bool planted; /* done already */
    int64_t keeper_killed_ms;
    struct seen survivor; /* of a pair; must be one of two again by then, unless 0 */
    int64_t whole_by_ms;
    int64_t gone_ms; /* when the last client was seen to have gone */
};

enum { STOPS_MOST = 256, SPINS_MOST = 8 };
struct judge {
    struct options options;
    struct dice dice; /* of this strike */
    struct arena arenas[ARENAS_MOST];
    uint32_t arenas_count;
    struct {
        struct seen who;
        int64_t until_ms;
    } stops[STOPS_MOST];
    int stops_count;
    struct {
        pid_t pid;
    } spins[SPINS_MOST];
    uint64_t blows[BLOW_COUNT];
    uint64_t rounds, violations, settles;
    int64_t began_ms, ends_ms, slowest_settle_ms;
    off_t violations_read;
    int evidence;
    bool over; /* no new rounds */
    bool full; /* the disk: who cannot write down what he must know is not to be judged */
    int board; /* locked: while we or the janitor live this run is nobody else's to clear away */
    pid_t bystander;
    int janitor_pipe;
    pid_t janitor;
};

/* violence.c */
bool awaits_a_pair(struct judge *j, uint32_t arena);
void leave_alone(struct judge *j, uint32_t arena);
void strike(struct judge *j, uint32_t arena); /* and says when the next one comes */
void massacre(struct judge *j, uint32_t arena);
bool kill_pair(struct judge *j, uint32_t arena);
void continue_stopped(struct judge *j, int64_t arena); /* -1: those whose time has come */

/* spoil.c: what is no process */
bool remove_set(uint32_t arena);
bool fill_queue(uint32_t arena);
bool spoil_file(struct judge *j, uint32_t arena, bool whole); /* whole: it is deleted */
bool load_cores(struct judge *j);
void spins_reap(struct judge *j, pid_t pid);

/* rounds.c */
void arena_step(struct judge *j, uint32_t arena);
bool arena_child_ended(struct judge *j, pid_t pid, int status);
pid_t start_role(const char *role, const char *more);

/* bystander.c: one who has nothing to do with it all, and whom nobody may strike */
void bystander_start(struct judge *j);
bool bystander_ended(struct judge *j, pid_t pid, int status);
void bystander_dismiss(struct judge *j);

/* plant.c: makes a witness see what never should be */
bool plant_known(const char *plant);
bool plant_needs_clients(const struct judge *j);
void plant_beginning(struct judge *j, uint32_t arena);
void plant_running(struct judge *j, uint32_t arena);
void plant_settling(struct judge *j, uint32_t arena);

/* hang.c */
void look_for_hangs(struct judge *j);
bool some_call_lasts(uint32_t arena, int64_t ms); /* for longer than that by now */

/* report.c */
void report_progress(struct judge *j);
void note(const char *format, ...) __attribute__((format(printf, 1, 2))); /* to "decisions" */
void read_violations(struct judge *j);
int report_verdict(struct judge *j, bool interrupted);

/* cleanup.c */
void clear_dead_runs(const char *tmp); /* whose judge and janitor both were killed */
void janitor_start(struct judge *j);
void janitor_dismiss(struct judge *j);
void sweep(void); /* kills all of this run, removes its sets */
void remove_folder(const char *dir);

int judge_run(const struct options *options);

#endif
