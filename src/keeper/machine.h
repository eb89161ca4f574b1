/*
 * What the keeper decides: one pure function (state, event) -> (state, actions). Nothing here acts,
 * waits or asks the system; loop.c performs the actions and brings back what came of them as
 * events.
 */
#ifndef PRI_MACHINE_H
#define PRI_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* X(enumerator, text) */
#define PRI_STATES(X)                                                                              \
    X(RESUMING, "resuming")   /* a new keeper: adopt what the page or the hint says is up */       \
    X(BEGINNING, "beginning") /* waits until no callback runs, to begin */                         \
    X(ENDING, "ending")       /* ends what remains of an earlier start or stop */                  \
    X(STARTING, "starting")   /* the service was launched and is not ready */                      \
    X(ELECTING, "electing")   /* callbacks: it is down, and held; waits for who can start it */    \
    X(ELECTED, "elected")     /* callbacks: a client was told to start or recover it */            \
    X(RELAUNCHING, "relaunching") /* what a lost race or a lost starter left is ended first */     \
    X(FAILING, "failing")         /* a start failed: ends what it left */                          \
    X(PUBLISHING, "publishing")                                                                    \
    X(UP, "up")                                                                                    \
    X(LINGERING, "lingering")       /* up, nobody holds it, kept a little */                       \
    X(DRAINING, "draining")         /* the row is being executed */                                \
    X(WITHDRAWING, "withdrawing")   /* the row is being executed */                                \
    X(HANDING_OVER, "handing over") /* the row is being executed */                                \
    X(DYING, "dying")               /* it died while up: ends what is left of its tree */          \
    X(WAITING, "waiting")           /* for its next start, the back-off */                         \
    X(GAVE_UP, "gave up")           /* it died and is not started again; the error is kept */      \
    X(REFUSING, "refusing") /* nothing runs; whoever still comes gets the error, then it ends */   \
    X(EXHAUSTED,                                                                                   \
      "exhausted") /* out of generations: only the end of all references renews the set */         \
    X(REFOUNDING, "refounding")                                                                    \
    X(ORPHANED,                                                                                    \
      "orphaned") /* the set was removed and no new one can be had: only old holders count */      \
    X(CLOSING, "closing") /* callbacks: the row is being executed */                               \
    X(CLOSED, "closed")   /* callbacks: the last client runs on_last_release, then detaches */     \
    X(STOPPING, "stopping")                                                                        \
    X(ENDED, "ended")

enum pri_state {
#define PRI_STATE_ENUM(name, text) PRI_S_##name,
    PRI_STATES(PRI_STATE_ENUM)
#undef PRI_STATE_ENUM
        PRI_STATE_COUNT,
};

#define PRI_EVENTS(X)                                                                              \
    X(RESUME, "resume")                                                                            \
    X(DONE, "ok")                     /* the row that was executed: its conditions held */         \
    X(REFUSED, "no")                  /* … they did not */                                       \
    X(GONE, "gone")                   /* … the set was removed; also told by the wait */         \
    X(BROKEN, "broken")               /* … the system refused; the error is kept */              \
    X(ZERO, "zero")                   /* the register that was waited for became 0 */              \
    X(LAUNCH_FAILED, "launch failed") /* also: the elected client's callback failed */             \
    X(READY, "ready")                                                                              \
    X(DIED, "died") /* the service's first process ended */                                        \
    X(START_TIMEOUT, "start timeout")                                                              \
    X(PORT_LOST, "port lost") /* it ended before it was ready, and somebody else has its port */   \
    X(TREE_GONE, "tree gone") /* what was being ended has ended */                                 \
    X(ASKED, "asked")         /* a client wants the service */                                     \
    X(HUNG_UP,                                                                                     \
      "hung up") /* one that was told "up" has attached or gone, or one that came wants nothing */ \
    X(OLD_GONE, "old holders gone")                                                                \
    X(LINGERED, "lingered")                                                                        \
    X(LINGER_TOUCHED, "linger touched") /* somebody came and went during the linger */             \
    X(BACKED_OFF, "backed off")                                                                    \
    X(STARTED, "started")           /* the elected client's callback returned 0 */                 \
    X(STARTER_LOST, "starter lost") /* the elected client died or went */                          \
    X(UNHEALTHY, "unhealthy")       /* a holder's on_health_check said no */                       \
    X(CLOSE_ASKED, "close asked")   /* a client seems to be the last, and has on_last_release */   \
    X(STOP_ASKED, "stop asked")     /* the command wants it stopped */                             \
    X(STANDBY_DIED, "standby died")

enum pri_event {
#define PRI_EVENT_ENUM(name, text) PRI_E_##name,
    PRI_EVENTS(PRI_EVENT_ENUM)
#undef PRI_EVENT_ENUM
        PRI_EVENT_COUNT,
};

#define PRI_ACTIONS(X)                                                                             \
    X(ADOPT, "adopt")                   /* the row; then DONE, REFUSED or GONE */                  \
    X(BEGIN, "begin")                   /* makes or finds the set, the row; … or BROKEN */       \
    X(REFOUND, "refound")               /* the same */                                             \
    X(PUBLISH, "publish")               /* the row */                                              \
    X(WITHDRAW, "withdraw")             /* the row; and the record page says "not up" */           \
    X(DRAIN, "drain")                   /* the row */                                              \
    X(CLOSE, "close")                   /* the row */                                              \
    X(HAND_OVER, "hand over")           /* the row; DONE: this process becomes the standby */      \
    X(AWAIT_REFS, "await refs")         /* wait for refs = 0; then ZERO or GONE */                 \
    X(AWAIT_CALL, "await call")         /* wait for call = 0 */                                    \
    X(LAUNCH, "launch")                 /* start the service and the wait for it to be ready */    \
    X(ELECT, "elect")                   /* tell one who asks to start it, or to recover it */      \
    X(KEEP_OLD, "keep old")             /* what was up is what on_recover will be told of */       \
    X(RECORD_UP, "record up")           /* page and hint say "up" */                               \
    X(RECORD_GAVE_UP, "record gave up") /* the page says so, and why */                            \
    X(RECORD_STOPPING, "record stopping")                                                          \
    X(END_TREE, "end tree")             /* polite signal, deadline, kill; then TREE_GONE */        \
    X(TELL_UP, "tell up")               /* to all who ask */                                       \
    X(TELL_FAILED, "tell failed")       /* to all who ask, the kept error */                       \
    X(TELL_EXHAUSTED, "tell exhausted") /* to all who ask */                                       \
    X(TELL_STAYS, "tell stays")         /* to all who wait for a stop: it does not come */         \
    X(TELL_CLOSE, "tell close")         /* to the one who asked: run on_last_release */            \
    X(TELL_AGAIN, "tell again")         /* to who asked to close: others hold it now */            \
    X(TELL_DETACH, "tell detach")       /* to who asked to close: just detach */                   \
    X(TELL_HELD, "tell held")           /* to who asked to stop: not while it is held */           \
    X(TELL_STOPPED, "tell stopped")     /* to who asked to stop: nothing runs any more */          \
    X(KEEP_STOPPED, "keep stopped")     /* the kept error is that somebody stopped it */           \
    X(ARM_LINGER, "arm linger")                                                                    \
    X(ARM_BACK_OFF, "arm back-off")                                                                \
    X(COUNT_OLD, "count old") /* find and watch the holders of removed sets */                     \
    X(RETIRE, "retire")       /* remove the hint and the set, exit */                              \
    X(LEAVE, "leave")         /* exit without touching the set: it is another keeper's */

enum pri_action {
#define PRI_ACTION_ENUM(name, text) PRI_A_##name,
    PRI_ACTIONS(PRI_ACTION_ENUM)
#undef PRI_ACTION_ENUM
        PRI_ACTION_COUNT,
};

/* The phase that page and hint carry from keeper to keeper. */
enum pri_phase {
    PRI_PHASE_FRESH,
    PRI_PHASE_STARTING,
    PRI_PHASE_UP,
    PRI_PHASE_STOPPING,
    PRI_PHASE_GAVE_UP
};

/* The last generation is never started: what runs can then always be withdrawn or drained, which
 * adds one. */
enum { PRI_RESTARTS_MOST = 5, PRI_GENERATION_LAST = 32767 };

struct pri_machine {
    enum pri_state state;
    uint32_t generation; /* of the service that runs or is being started */
    enum pri_phase phase;
    bool phase_from_hint; /* the page was fresh: the phase is only what the hint says */
    bool start_wanted;    /* after the remains are ended: start anew even if refs is 0 */
    bool lone;            /* the standby died: hand over when up */
    bool leave;           /* when REFUSING ends: the set is not ours to remove */
    bool stopped;         /* the command had it ended: what is held is not started again */
    bool zero;            /* refs was 0 when last heard of */
    uint32_t failures;    /* deaths and failed starts in a row */
    /* facts, filled in by the loop before each call */
    uint32_t asking;      /* clients that wait for an answer */
    uint32_t coming;      /* clients that are connected, and have not said yet what they want */
    uint32_t told;        /* clients that were told "up" and have neither attached nor gone */
    uint32_t old_holders; /* of a removed set, alive */
    uint32_t old_callers; /* who run a callback that they entered on a removed set */
    uint32_t unhealthy;   /* of those who ask: holders who say that what is up does not work */
    bool forced;          /* of those who ask to stop it: one means even while it is held */
    bool callbacks;       /* clients start it */
    bool recovers;       /* who says "unhealthy" has on_recover, which deals with the old process */
    int32_t refs;        /* -1: no set */
    int32_t gen, keeper; /* registers, -1: no set; read in RESUMING and BEGINNING only */
    bool alive;          /* the service's first process runs */
    bool long_up;        /* it had been up so long that earlier failures do not count */
    uint32_t restarts_most; /* so many failures in a row are the end of it */
    bool restart;           /* the policy says to start it again */
    bool linger;
};

enum { PRI_ACTIONS_MOST = 6 };
struct pri_actions {
    int count;
    enum pri_action list[PRI_ACTIONS_MOST];
};

/* The one function. It changes nothing but *machine. */
struct pri_actions pri_keeper_next(struct pri_machine *machine, enum pri_event event);

const char *pri_state_name(enum pri_state state);
const char *pri_event_name(enum pri_event event);
const char *pri_action_name(enum pri_action action);

#endif
