/*
 * The keeper's working state, shared by the files of src/keeper. machine.c decides, loop.c
 * performs; clients.c speaks with clients, run.c starts and ends the service, standby.c watches
 * over the keeper.
 */
#ifndef PRI_KEEPER_H
#define PRI_KEEPER_H

#include "core/config.h"
#include "core/record.h"
#include "core/wire.h"
#include "keeper/files.h"
#include "keeper/machine.h"
#include "keeper/readiness.h"
#include "keeper/start.h"
#include "os/counter.h"
#include "os/launch.h"
#include "os/tree.h"
#include "os/waiter.h"

/* Of a plan: how the life of a service went wrong first; $SERVICE_RESULT of systemd.exec(5). */
enum pri_result {
    PRI_RESULT_SUCCESS,
    PRI_RESULT_EXIT_CODE,
    PRI_RESULT_SIGNAL,
    PRI_RESULT_CORE_DUMP,
    PRI_RESULT_TIMEOUT,
    PRI_RESULT_PROTOCOL
};

/*
 * What the two of a pair know, in memory that only they map. The fields are written before the
 * phase that makes them true, and the phase before the row that makes it visible, so a successor
 * can trust them; `gen` covers the gap.
 */
struct pri_page {
    _Atomic uint32_t phase; /* enum pri_phase */
    _Atomic uint32_t generation;
    struct pri_process main; /* the service's first process */
    uint16_t port;
    bool scattered; /* a member of the pair died since the service was started */
    uint64_t parts[PRI_PART_COUNT];
    struct pri_process
        old; /* callbacks: what on_recover will be told of; pid 0 may be a service too */
    uint16_t old_port;
    bool recovers;           /* … if there is something */
    bool stop_due, post_due; /* with a plan: ExecStop=, ExecStopPost= are to be run when it ends */
    enum pri_result result;
    struct pri_process step;   /* … the one that was started last */
    char notify[PRI_NOTIFY_SIZE - 16]; /* where the service says how it is; "": it does not */
    struct pri_process holder; /* of the services that it requires */
    bool holder_holds;         /* … and it said that it does */
    int64_t since_ms, log_start, appended_start;
    int64_t up_ms;               /* wall clock: when this generation came up */
    uint32_t ups;                /* how often one did, in this pair's life */
    _Atomic uint32_t reaped_pid; /* the standby reaped the service: with this status */
    _Atomic int reaped_status;
    procref_error error; /* with the phase "gave up": why */
};

struct pri_pair {
    const struct pri_config *config;
    const char *environment, *environment_end; /* the starter's, strings one after the other */
    struct pri_page *page;
    struct pri_record *record;
    procref_waitable record_page, listener, nudge; /* nudge: the standby reaped somebody */
    procref_waitable life[2]; /* a pipe, for what holds what the service requires */
    uint32_t standby;                              /* 0: dead, or not there yet */
    uint64_t files_soft; /* the starter's limit of open files, for the service */
    uint64_t files;      /* … and ours */
    char token[32];      /* "PROCREF_TOKEN=…" */
};

enum pri_client_state {
    CLIENT_NEW,
    CLIENT_ASKING,
    CLIENT_TOLD,
    CLIENT_AWAITS_STOP,
    CLIENT_ELECTED, /* runs on_first_acquire or on_recover */
    CLIENT_CLOSES,  /* asked whether it is the last */
    CLIENT_STOPS,   /* the command: wants it stopped */
    CLIENT_WATCHES, /* the command: waits for our end */
    CLIENT_GONE,    /* hung up, freed at the end of the round */
    CLIENT_STATES,
};

struct pri_client {
    struct pri_client *next;
    procref_waitable link;
    procref_waitable watch; /* of its process, once it matters whether it lives; -1 */
    struct pri_process process;
    uint64_t parts[PRI_PART_COUNT];
    int32_t slot;
    int64_t until_ns; /* by then it must have asked */
    enum pri_client_state state;
    uint32_t generation; /* of which it said that it is unhealthy */
    bool share, unhealthy, recovers, waited, forces, starts_none;
};

struct pri_old_holder {
    procref_waitable watch;
    int32_t slot;
};

enum pri_end_stage {
    PRI_END_NONE,
    PRI_END_STOP, /* ExecStop= */
    PRI_END_MAIN,
    PRI_END_REST,
    PRI_END_KILL,
    PRI_END_POST /* ExecStopPost= */
};

/* A list of a plan that is being carried out. */
struct pri_steps {
    enum pri_step_list list;
    uint32_t next; /* index */
    const struct pri_plan_step *step;
    struct pri_launched control; /* the process of `step` */
    bool running;
    bool tidies; /* a step failed: only what procref itself had added is done yet */
};

struct pri_keeper {
    struct pri_pair *pair;
    struct pri_machine machine;
    struct pri_counter counter;
    struct pri_waiter *waiter;
    struct pri_process standby;
    procref_waitable poller, children, waiter_ready, standby_watch;
    procref_error error; /* the kept error, for all who ask */
    bool finished;       /* leave the loop */
    bool handed_over;    /* … and become the standby */

    /* events that wait for their turn */
    enum pri_event queue[PRI_EVENT_COUNT + 1];
    int queued;

    /* clients.c, slots.c */
    struct pri_client *clients;
    uint32_t clients_in[CLIENT_STATES]; /* how many of them */
    uint64_t links;                     /* how many are connected */
    int asked_in;                       /* how many since this feed began (loop.c) */
    bool accept_paused;
    struct pri_old_holder *old;
    uint32_t old_count, old_callers, slots_limit, slots_refused, slot_cursor;

    /* run.c */
    int dir;
    struct pri_log log;
    bool log_open;
    struct pri_launched launched;
    struct pri_readiness readiness;
    procref_waitable readiness_polled, main_watch, end_watch, log_polled;
    struct pri_start start; /* argv, envp and what else of the start is needed until it is ready */
    uint16_t port;
    int port_tries;
    bool status_known, launch_failed;
    bool readiness_done, readiness_tidy;
    int status;
    enum pri_end_stage end_stage;
    struct pri_process
        *roots; /* callbacks: what was found below the service's process, while we end it */
    int roots_count;
    struct pri_process *asked; /* what got the stop signal together with the first process */
    int asked_count;

    /* steps.c, forking.c: with a plan */
    struct pri_steps steps;
    procref_waitable holder_told, holder_watch, pid_file_watch;
    bool holder_lost, forked, awaits_pid_file;

    /* deadlines, PRI_NEVER if not set */
    int64_t start_ns, end_ns, linger_ns, back_off_ns, status_ns, up_since_ns;
    int64_t retry_ns, look_ns, accept_ns; /* something was short: look again */
    enum pri_register awaited, retry_register;
};

/* Tags of what the poller watches; anything above is a struct pri_client, its lowest bit set for
 * its process. */
enum pri_tag {
    PRI_TAG_LISTENER,
    PRI_TAG_CHILDREN,
    PRI_TAG_NUDGE,
    PRI_TAG_WAITER,
    PRI_TAG_STANDBY,
    PRI_TAG_REPORT,
    PRI_TAG_READINESS,
    PRI_TAG_MAIN,
    PRI_TAG_END,
    PRI_TAG_LOG,
    PRI_TAG_HELD,
    PRI_TAG_HOLDER,
    PRI_TAG_PID_FILE,
    PRI_TAG_OLD, /* + index * PRI_TAG_STEP */
    PRI_TAG_STEP = 16,
    PRI_TAG_OLD_END = PRI_TAG_STEP * 40000,
};

/* loop.c: runs until the service is retired (0), the pair must go (111), or it handed over (1). */
enum { PRI_LOOP_RETIRED = 0, PRI_LOOP_HANDED_OVER = 1, PRI_LOOP_CANNOT_SERVE = 111 };
int pri_keeper_run(struct pri_pair *pair);
void pri_keeper_push(struct pri_keeper *k, enum pri_event event);

/* rows.c: one row of the table each */
void pri_row_begin(struct pri_keeper *k);
void pri_row_refound(struct pri_keeper *k);
void pri_row_adopt(struct pri_keeper *k);
void pri_row_publish(struct pri_keeper *k);
void pri_row_withdraw(struct pri_keeper *k);
void pri_row_drain(struct pri_keeper *k);
void pri_row_close(struct pri_keeper *k);
void pri_row_hand_over(struct pri_keeper *k);
void pri_row_await_zero(struct pri_keeper *k, enum pri_register reg);

/* standby.c: forks keepers and waits for them; never returns. own_child: a keeper that runs
 * already, 0: fork one. */
_Noreturn void pri_standby_run(struct pri_pair *pair);

/* clients.c */
/* Asks in so many: some, as there is more to hear of; or all, which is as many as a queue has
 * places for (who begins again as fast as we accept must not keep us). */
enum { PRI_ACCEPT_SOME = 64, PRI_ACCEPT_QUEUE = 4096 };
void pri_clients_accept(struct pri_keeper *k, int most);
void pri_clients_event(struct pri_keeper *k, struct pri_client *client, bool process);
void pri_clients_sweep(struct pri_keeper *k); /* frees those who hung up */
void pri_clients_watch_told(struct pri_keeper *k);
int64_t pri_clients_deadline(const struct pri_keeper *k);
void pri_clients_expire(struct pri_keeper *k);
void pri_clients_resume(struct pri_keeper *k);
void pri_clients_close_all(struct pri_keeper *k);
bool pri_clients_forced(const struct pri_keeper *k);
uint32_t pri_clients_unhealthy(const struct pri_keeper *k, bool *ret_recovers);

/* answers.c: to all whom it concerns */
void pri_answer_up(struct pri_keeper *k);
void pri_answer_failed(struct pri_keeper *k);
void pri_answer_stays(struct pri_keeper *k);
void pri_answer_again(struct pri_keeper *k); /* the three answers to who wants to close */
void pri_answer_close(struct pri_keeper *k);
void pri_answer_detach(struct pri_keeper *k);
void pri_answer_stop(struct pri_keeper *k, enum pri_tell tell); /* to who asked to stop */
void pri_answer_elect(struct pri_keeper *k);

/* slots.c */
void pri_slots_find_old(struct pri_keeper *k);  /* who holds or runs a callback in a removed set */
void pri_slots_count_old(struct pri_keeper *k); /* the same, and pushes OLD_GONE */
void pri_slots_old_event(struct pri_keeper *k, uint32_t index);

/* status.c: all that the keeper knows, for people */
void pri_status_fill(const struct pri_keeper *k, struct pri_status *ret_status);

/* run.c */
void pri_run_open_files(struct pri_keeper *k);
void pri_run_launch(struct pri_keeper *k);
void pri_run_report(struct pri_keeper *k);
void pri_run_readiness(struct pri_keeper *k);
int64_t pri_run_readiness_ns(const struct pri_keeper *k);
void pri_run_resume_notify(struct pri_keeper *k);
void pri_run_hear(struct pri_keeper *k); /* what it says of itself; before an end is looked at */
void pri_run_watch_main(struct pri_keeper *k);
void pri_run_leave_start(struct pri_keeper *k);
void pri_run_forget_start(struct pri_keeper *k); /* and what a service that notifies speaks to */
int64_t pri_run_start_end_ns(const struct pri_keeper *k); /* when it is given up, as things stand */
void pri_run_record_election(struct pri_keeper *k);
void pri_run_keep_old(struct pri_keeper *k);
void pri_run_started(struct pri_keeper *k, const struct pri_process *process);
void pri_run_named(struct pri_keeper *k, const struct pri_process *process);
bool pri_run_is_alive(const struct pri_keeper *k);
void pri_run_tidy(struct pri_keeper *k);
void pri_run_start_timeout(struct pri_keeper *k);
void pri_run_arm_start(struct pri_keeper *k);
void pri_run_limit_start(struct pri_keeper *k); /* who asked for it may have been the last */
void pri_run_hint(const struct pri_keeper *k, const char *phase);
struct pri_tree pri_run_tree(const struct pri_keeper *k);
void pri_run_unwatch_main(struct pri_keeper *k);
void pri_run_launch_main(
    struct pri_keeper *k); /* with a plan: when the steps before it are through */
void pri_run_start_done(struct pri_keeper *k); /* … and when those after it are */
void pri_run_start_failed(struct pri_keeper *k, const procref_error *error);

/* port.c */
void pri_port_choose(struct pri_keeper *k);
bool pri_port_was_lost(const struct pri_keeper *k);

/* outcome.c */
void pri_outcome_ended(struct pri_keeper *k);
void pri_outcome_status(struct pri_keeper *k);
void pri_outcome_reap(struct pri_keeper *k);
void pri_outcome_lost(struct pri_keeper *k, const procref_error *error);
enum pri_ended { PRI_ENDED_DAEMON, PRI_ENDED_COMMAND };
bool pri_outcome_is_clean(const struct pri_keeper *k, int status, enum pri_ended what);
bool pri_outcome_restarts(const struct pri_keeper *k, uint32_t how);
void pri_outcome_note(struct pri_keeper *k, enum pri_result result); /* the first one counts */
void pri_outcome_note_end(struct pri_keeper *k, int status, enum pri_ended what);
void pri_outcome_say(struct pri_keeper *k, const procref_error *error);
void pri_outcome_describe(bool known, int status, char *to, size_t size);
/* NULL: its last words are in the log, or nowhere. */
const char *pri_outcome_file(const struct pri_keeper *k);
void pri_outcome_keep(struct pri_keeper *k, const procref_error *error); /* for all who ask */

/* end.c */
void pri_run_end_tree(struct pri_keeper *k);
void pri_run_end_step(struct pri_keeper *k, bool timed_out);
void pri_run_find_roots(struct pri_keeper *k);
void pri_end_arm(struct pri_keeper *k);
void pri_end_stopped(struct pri_keeper *k);
void pri_end_posted(struct pri_keeper *k);

/* steps.c */
void pri_steps_run(struct pri_keeper *k, enum pri_step_list list);
void pri_steps_reaped(struct pri_keeper *k, uint32_t pid, int status);
void pri_steps_forget(struct pri_keeper *k);
void pri_steps_kill(struct pri_keeper *k);
void pri_steps_timed_out(struct pri_keeper *k);
void pri_steps_explain_timeout(const struct pri_keeper *k, const char *which, int64_t ms,
                               procref_error *err);
void pri_steps_kill_left(struct pri_keeper *k); /* also a predecessor's */
void pri_holder_need(struct pri_keeper *k);     /* a start: then its steps */
void pri_holder_take_over(struct pri_keeper *k);
void pri_holder_told(struct pri_keeper *k);
void pri_holder_ended(struct pri_keeper *k);
void pri_holder_dismiss(const struct pri_keeper *k);

/* forking.c */
bool pri_forking_awaits(const struct pri_keeper *k);
bool pri_forking_parent_ended(
    struct pri_keeper *k); /* true: the service is another process, or will be known */
void pri_pid_file_changed(struct pri_keeper *k);
void pri_pid_file_orphaned(struct pri_keeper *k);
void pri_pid_file_forget(struct pri_keeper *k);
void pri_pid_file_remove(struct pri_keeper *k);

#endif
