/*
 * procref torture: what its processes share.
 *
 * The judge (judge.c) starts clients, which are this very program in a hidden role (client.c), and
 * clients start services, which are another role of it (service.c). Each service has an arena; an
 * arena goes through rounds: clients come and go while the judge deals blows (violence.c), then all
 * clients go, and nothing may be left. Everybody maps one file, the board: counters, orders,
 * heartbeats, and who was attacked.
 *
 * Witnesses tell what is wrong, by means that are not procref's: a lock that a service holds
 * (service.c), an answer on its socket (reach.c), heartbeats on the board (hang.c), /proc and what
 * ipcs(1) reads (see.c). They write to one file, the judge reads it.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ident.h"
#include "procref/procref.h"

enum { ARENAS_MOST = 16, CLIENTS_MOST = 64, SLOTS = 4096, VICTIMS = 4096, PATH_ROOM = 256 };

/* ---- dice.c: decisions by seed, times, small things -------------------------------------------
 */

struct dice {
    uint64_t state;
};
uint32_t roll(struct dice *dice, uint32_t sides); /* 0 … sides - 1 */
bool chance(struct dice *dice, uint32_t percent);
struct dice dice_of(uint64_t seed, uint64_t a, uint64_t b);

int64_t now_ms(void);
int hold_process(pid_t pid); /* a pidfd, or -1: no such process */
bool readable_within(int fd, int64_t ms);

/* ---- board.c ----------------------------------------------------------------------------------
 */

/* What the report counts. */
#define TALLIES(X)                                                                                 \
    X(ACQUIRED, "acquires")                                                                        \
    X(NESTED, "nested")                                                                            \
    X(ASYNC, "asynchronous")                                                                       \
    X(CANCELLED, "cancelled")                                                                      \
    X(FORKED, "by a forked child")                                                                 \
    X(KEPT, "copied by a fork")                                                                    \
    X(EXECED, "carried through exec")                                                              \
    X(DROPPED, "dropped by exit")                                                                  \
    X(CHECKED, "answers")                                                                          \
    X(EXCUSED, "breaks after a blow")                                                              \
    X(FAILED, "failed starts after a blow")                                                        \
    X(STARTED, "services")                                                                         \
    X(CALLED, "by callbacks")
enum {
#define TALLY_ENUM(name, text) TALLY_##name,
    TALLIES(TALLY_ENUM)
#undef TALLY_ENUM
        TALLY_COUNT
};

struct arena_board {
    _Atomic uint32_t round;    /* clients of another round end */
    _Atomic uint32_t attacked; /* blows to services in this round */
    /* Odd while, and changed after, keeper and standby were killed so that neither could replace
     * the other: then the next pair may have to end the service. Even again once both are dead: the
     * kernel has withdrawn `ready` by then, so who attaches later attaches to the next pair. */
    _Atomic uint32_t massacres;
    _Atomic uint32_t deaf; /* planted: services do not answer */
    _Atomic uint32_t mute; /* planted: a client pretends to hang */
    /* The processes of services that were attacked, written before the blow. */
    _Atomic uint32_t victims_count;
    _Atomic uint32_t victims[VICTIMS];
};

struct slot { /* the heartbeat of one thread */
    _Atomic int32_t pid;
    _Atomic int64_t limit_ms; /* what it is in must have ended by then; 0: it is in nothing */
    _Atomic uint32_t arena, what;
};
enum {
    IN_NOTHING,
    IN_ACQUIRE,
    IN_RELEASE,
    IN_RELEASE_WAIT,
    IN_ASYNC,
    IN_CANCEL,
    IN_OPEN,
    IN_CLOSE
};

struct board {
    uint64_t seed;
    uint32_t arenas, judge;
    char run[32]; /* begins the services' names */
    int64_t acquire_ms, margin_ms, reach_ms, settle_ms;
    _Atomic uint64_t tallies[TALLY_COUNT];
    struct arena_board arena[ARENAS_MOST];
    struct slot slots[SLOTS];
};
extern struct board *board;
extern char board_dir[PATH_ROOM], board_self[4096];

bool board_make(const char *dir);
bool board_map(const char *dir);
const char *board_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tally(int what);

/* Appends to the file of violations. witness is one word. */
void violate(const char *witness, int arena, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct slot *slot_take(uint32_t arena);
void slot_leave(struct slot *slot);
void slot_begin(struct slot *slot, int what, int64_t limit_ms);
void slot_end(struct slot *slot);
const char *slot_word(uint32_t what);
/* Frees the heartbeats of a process that is another program now, or dead. */
void slots_forget(pid_t pid);

void victim_add(uint32_t arena, pid_t pid);
bool victim_is(uint32_t arena, pid_t pid);

/* ---- terms.c: what the service of an arena is like in a round, known to all by the seed --------
 */

enum torture_kind { KIND_TCP, KIND_NOTIFY, KIND_RUNNING, KIND_CALLBACKS, KIND_CALLBACKS_STOP };

struct terms {
    enum torture_kind kind;
    int64_t linger_ms, stop_timeout_ms, start_delay_ms;
    bool child;    /* a daemonised child, which must end with it */
    bool stubborn; /* deaf to SIGTERM */
};
struct terms terms_of(uint32_t arena, uint32_t round);
bool terms_call_back(const struct terms *terms);
void terms_name(uint32_t arena, char *to, size_t size);
int terms_open(uint32_t arena, uint32_t round, procref_service **ret_service, procref_error *err);

/* ---- roles ------------------------------------------------------------------------------------
 */

/* procref torture --role ROLE --dir DIR KEY=NUMBER… */
struct role {
    long arena, round, number, port, ready_fd, pid, both, ms, planted;
};
int torture_client(const struct role *role);
int torture_repair(const struct role *role);
int torture_holder(const struct role *role);
int torture_service(const struct role *role);
enum { ROLE_WORDS = 16, ROLE_WORD = 64 };
/* argv of a role, in the caller's room; more is "key=number key=number". */
struct role_words {
    char text[ROLE_WORDS][ROLE_WORD];
    char dir[PATH_ROOM];
    const char *argv[ROLE_WORDS + 1];
};
void role_words(struct role_words *words, const char *role, const char *more);

/* callbacks.c */
void callbacks_fill(procref_service_config *config, uint32_t arena, uint32_t round);

/* ---- reach.c: a service that is held must answer ----------------------------------------------
 */

struct held {
    procref_handle *handle; /* NULL in the role holder */
    uint32_t arena, pid, both;
    uint16_t port;
    int gone; /* readable once it is gone */
};
/* Connects to the service's socket until it answers with its pid; false if that is over (the
 * service is gone and may be) or it was told as a violation. */
bool reach(const struct held *held);
/* Holds it for a while, and watches whether it goes. */
void watch_held(const struct held *held, int64_t ms);
/* Whether this service may have ended while held: it was attacked, or both its keepers were. */
bool excused(const struct held *held);
/* The pid that answers at the port or at the instance's own socket; 0: nobody. */
pid_t ask_once(uint32_t arena, uint16_t port, pid_t pid);

/* ---- acts.c, acts_fork.c: what clients do -----------------------------------------------------
 */

struct worker {
    uint32_t arena, round;
    struct dice dice;
    struct slot *slot;
    procref_service *service;
    struct terms terms;
};
bool worker_goes_on(const struct worker *w);
/* Every kernel reference of a process begins under one number of massacres: nested holds have it
 * too. */
bool take(struct worker *w, struct held *held, int64_t timeout_ms);
void got(struct worker *w, struct held *held, procref_handle *handle);
void give(struct worker *w, struct held *held, bool wait);
uint32_t holds_enter(uint32_t arena);
void holds_leave(void);
void holds_reset(void);
/* Whether an error may be: told as a violation unless. */
void judge_error(struct worker *w, const char *what, int code, const procref_error *error,
                 int64_t timeout_ms);
void act(struct worker *w);
void act_fork(struct worker *w);
void act_keep(struct worker *w);
void act_child_exec(struct worker *w);
void act_exec(struct worker *w);

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

struct arena_names {
    struct pri_ident ident;
    char name[64], socket[64];
};
extern struct arena_names arena_names[ARENAS_MOST];
void names_make(uint32_t arena);
int see_set(uint32_t arena);     /* the id of a set of this arena's; -1: none */
bool see_socket(uint32_t arena); /* whether its socket's name is taken */
/* A file of the service's that is no log, its name; false: none. */
bool see_file(uint32_t arena, char *to, size_t size);
bool see_lock(uint32_t arena); /* whether some service holds its lock */

/* ---- the judge --------------------------------------------------------------------------------
 */

struct options {
    int64_t seconds_ms, seed, clients, services;
    bool keep, trace, quiet;
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
    X(REMOVE_SET, "semaphore sets removed")                                                        \
    X(SPOIL_FILE, "files deleted or spoiled")                                                      \
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
    int64_t until_ms;
    pid_t clients[CLIENTS_MOST];
    int clients_most;
    uint32_t clients_started;
    pid_t repair;
    bool needs_repair; /* both keepers may have died */
    bool end_by_killing;
    bool planted; /* done already */
    int64_t keeper_killed_ms;
    int64_t gone_ms; /* when the last client was seen to have gone */
};

enum { STOPS_MOST = 256, SPINS_MOST = 8 };
struct judge {
    struct options options;
    struct dice dice;
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
    int janitor_pipe;
    pid_t janitor;
};

/* violence.c */
void strike(struct judge *j, uint32_t arena);
void massacre(struct judge *j, uint32_t arena);
void continue_stopped(struct judge *j, int64_t arena); /* -1: those whose time has come */
void spins_reap(struct judge *j, pid_t pid);

/* rounds.c */
void arena_step(struct judge *j, uint32_t arena);
bool arena_child_ended(struct judge *j, pid_t pid, int status);
pid_t start_role(const char *role, const char *more);

/* plant.c: makes a witness see what never should be */
bool plant_known(const char *plant);
void plant_running(struct judge *j, uint32_t arena);
void plant_settling(struct judge *j, uint32_t arena);

/* hang.c */
void look_for_hangs(struct judge *j);

/* report.c */
void report_progress(struct judge *j);
void read_violations(struct judge *j);
int report_verdict(struct judge *j, bool interrupted);

/* cleanup.c */
void janitor_start(struct judge *j);
void janitor_dismiss(struct judge *j);
void sweep(void); /* kills all of this run, removes its sets */
void remove_folder(const char *dir);

int judge_run(const struct options *options);

#endif
