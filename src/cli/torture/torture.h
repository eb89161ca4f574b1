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
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

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

int64_t now_ns(void);
int64_t now_ms(void);
int hold_process(pid_t pid); /* a pidfd, or -1: no such process */
bool readable_within(int fd, int64_t ms);
ssize_t read_whole(const char *path, char *to, size_t size); /* see.c; -1: it cannot be opened */

/* ---- board.c ----------------------------------------------------------------------------------
 */

/* What the report counts. */
#define TALLIES(X)                                                                                 \
    X(ACQUIRED, "acquires")                                                                        \
    X(RELEASED, "releases")                                                                        \
    X(NESTED, "nested")                                                                            \
    X(THREADED, "by a further thread")                                                             \
    X(ASYNC, "asynchronous")                                                                       \
    X(CANCELLED, "cancelled")                                                                      \
    X(FORKED, "by a forked child")                                                                 \
    X(KEPT, "copied by a fork")                                                                    \
    X(EXECED, "carried through exec")                                                              \
    X(DROPPED, "dropped by exit")                                                                  \
    X(CHECKED, "answers")                                                                          \
    X(EXCUSED, "breaks after a blow")                                                              \
    X(STARTED, "services")                                                                         \
    X(CALLED, "by callbacks")                                                                      \
    X(FAILING, "that failed on purpose")                                                           \
    X(FAILED, "failed starts told")                                                                \
    X(ANOTHER, "of another configuration")                                                         \
    X(CONFLICTS, "conflicts told")
enum {
#define TALLY_ENUM(name, text) TALLY_##name,
    TALLIES(TALLY_ENUM)
#undef TALLY_ENUM
        TALLY_COUNT
};

struct arena_board {
    _Atomic uint32_t round;    /* clients of another round end */
    _Atomic uint32_t attacked; /* blows to services in this round */
    _Atomic uint32_t starts;   /* of services in this round */
    _Atomic uint32_t failed;   /* those of them that failed on purpose */
    _Atomic uint32_t removed;  /* sets that were taken away in this round */
    _Atomic uint32_t released; /* the service for which on_last_release ran last */
    /* Odd while, and changed after, keeper and standby were killed so that neither could replace
     * the other: then the next pair may have to end the service. Even again once both are dead: the
     * kernel has withdrawn `ready` by then, so who attaches later attaches to the next pair. */
    _Atomic uint32_t massacres;
    _Atomic uint32_t deaf;  /* planted: services do not answer */
    _Atomic uint32_t mute;  /* planted: a client pretends to hang */
    _Atomic uint32_t mistaken; /* planted: clients want another configuration than they said */
    _Atomic uint32_t hasty; /* planted: services say that they are ready, and then begin to be */
    /* The processes of services that were attacked, or end by themselves: written before that. */
    _Atomic uint32_t victims_count;
    _Atomic uint32_t victims[VICTIMS];
    _Atomic int64_t victims_ms[VICTIMS];
    _Atomic int64_t rested_ms; /* when the last keeper that was stopped went on, or will */
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
    IN_CLOSE,
    IN_REST /* has released all, and lives on */
};

struct board {
    uint64_t seed;
    uint32_t arenas, judge;
    char run[32]; /* begins the services' names */
    int64_t acquire_ms, margin_ms, reach_ms, settle_ms, whole_ms;
    _Atomic uint32_t over;       /* everybody is being killed, and nobody is to be surprised */
    _Atomic uint32_t kept;       /* the folder is to stay */
    _Atomic uint64_t violations; /* told, whether or not the disk had room for their lines */
    _Atomic uint64_t tallies[TALLY_COUNT];
    struct arena_board arena[ARENAS_MOST];
    struct slot slots[SLOTS];
};
extern struct board *board;
extern char board_dir[PATH_ROOM], board_self[4096];

int board_make(const char *dir); /* its descriptor, or -1 */
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
bool slots_rest(pid_t pid); /* whether that process is IN_REST */

void victim_add(uint32_t arena, pid_t pid);
bool victim_is(uint32_t arena, pid_t pid);
/* Since when its keepers, awake again by then, could have known of its end; INT64_MAX: it has none.
 */
int64_t victim_known_ms(uint32_t arena, pid_t pid);

/* ---- terms.c: what the service of an arena is like in a round, known to all by the seed --------
 */

enum torture_kind { KIND_TCP, KIND_NOTIFY, KIND_RUNNING, KIND_CALLBACKS, KIND_CALLBACKS_STOP };

struct terms {
    enum torture_kind kind;
    int64_t linger_ms, stop_timeout_ms, start_delay_ms, stop_delay_ms;
    bool child;     /* a daemonised child, which must end with it */
    bool stubborn;  /* deaf to SIGTERM */
    bool another;   /* some clients want it with another command: one kind excludes the other */
    uint32_t fails; /* so many starts in a hundred, on purpose: all who wait must be told */
    bool gentle;    /* nobody is struck, nobody ends without a release: then on_last_release runs
                       once for each service */
};
struct terms terms_of(uint32_t arena, uint32_t round);
bool terms_call_back(const struct terms *terms);
bool terms_ready(const struct terms *terms); /* whether it is ready when it can be had */
void terms_name(uint32_t arena, char *to, size_t size);
/* The socket at which this very instance answers, and nobody else: an abstract one, since a file
 * needs a disk with room. */
socklen_t terms_socket(pid_t pid, struct sockaddr_un *to);
int terms_open(uint32_t arena, uint32_t round, bool another, procref_service **ret_service,
               procref_error *err);

/* ---- roles ------------------------------------------------------------------------------------
 */

/* procref torture --role ROLE --dir DIR KEY=NUMBER… */
struct role {
    long arena, round, number, port, ready_fd, pid, both, ms;
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
    uint32_t arena, round, pid, both;
    uint16_t port;
    int gone; /* readable once it is gone */
};
/* Connects to the service's socket until it answers with its pid; false if that is over (the
 * service is gone and may be) or it was told as a violation. */
bool reach(const struct held *held);
/* Whether an acquire that began then was given a service whose end was known for long. */
void look_whether_it_lives(const struct held *held, int64_t begun_ms);
/* Whether its command is that of the configuration which was asked for. */
void look_whether_it_is_wanted(const struct held *held, bool another);
/* Holds it for a while, and watches whether it goes. */
void watch_held(const struct held *held, int64_t ms);
/* Whether this service may have ended while held: it was attacked, or both its keepers were. */
bool excused(const struct held *held);

/* ---- acts.c, acts_fork.c: what clients do -----------------------------------------------------
 */

/*
 * AddressSanitizer (gcc 12's) does not lock its allocator around fork(2): if another thread is in
 * it then, a child that allocates waits for that thread, which it has not, for ever.
 */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define FORKS_AMONG_THREADS false
#endif
#endif
#if defined __SANITIZE_ADDRESS__
#define FORKS_AMONG_THREADS false
#endif
#ifndef FORKS_AMONG_THREADS
#define FORKS_AMONG_THREADS true
#endif

struct worker {
    uint32_t arena, round, number, thread; /* number: of the client in its round */
    struct dice dice;                      /* of the act that it is in */
    bool another;                          /* which of the two configurations it wants */
    bool may_fork;                         /* a child that allocates */
    struct slot *slot;
    procref_service *service;
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

#endif
