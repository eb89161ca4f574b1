/*
 * Carrying out a service file's plan (core/plan.h): its lists of commands, one process after the
 * other, each awaited; and the process that holds what the service requires. When which list is due
 * is said by run.c (a start) and end.c (an end).
 *
 * Until a step is told to go it ends by itself when its keeper dies. Then it is on record, because
 * until it execs it looks like a keeper, and not like one of the service's tree, which a successor
 * ends before it begins a list again.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/pair.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { STEP_DIES_MS = 1000, HOLDER_ENDS_MS = 1000, PROCESSES_MOST = 64 };

static const char *const list_names[PRI_STEPS_COUNT] = {
    "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost"};

static const struct pri_plan_block *plan_of(const struct pri_keeper *k) {
    return pri_config_plan(k->pair->config);
}

static const char *program_of(const struct pri_keeper *k, const struct pri_plan_step *step) {
    return pri_plan_text(plan_of(k), step->program);
}

static int launch_step(struct pri_keeper *k, struct pri_start_of what, procref_waitable told,
                       struct pri_launched *ret, procref_error *err) {
    struct pri_start s;
    if (!pri_start_make(k, what, &s)) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "mmap", "no memory to start a process of '%s'",
                        k->pair->config->ident.name);
    }
    bool ours = what.holder || (what.step->flags & PRI_STEP_OURS) != 0;
    struct pri_launch launch = {.program = what.holder ? s.argv[0] : s.program,
                                .argv = s.argv,
                                .envp = s.envp,
                                .dir = ours ? "/" : s.dir,
                                .output = k->log.fd,
                                .files_soft = k->pair->files_soft,
                                .plan = what.holder ? NULL : plan_of(k),
                                .told = told,
                                .life = what.holder ? k->pair->life[0] : 0};
    int code = s.argv[0] != NULL
                   ? pri_launch_prepare(&launch, ret, err)
                   : pri_fail(err, PROCREF_E_SERVICE_START, 0, "",
                              "'%s' has a command that is empty once its variables are "
                              "replaced",
                              k->pair->config->ident.name);
    pri_start_forget(&s); /* the child has its copy */
    return code;
}

/* ---- One list after the other ---------------------------------------------------------------- */

static void forget_control(struct pri_keeper *k) {
    pri_launch_forget(&k->steps.control);
    memset(&k->steps.control, 0, sizeof k->steps.control);
    k->steps.running = false;
}

static void done(struct pri_keeper *k) {
    PRI_TRACE("%s: done", list_names[k->steps.list]);
    switch (k->steps.list) {
    case PRI_STEPS_START_PRE: pri_run_launch_main(k); break;
    case PRI_STEPS_START: pri_run_readiness(k); break;
    case PRI_STEPS_START_POST: pri_run_start_done(k); break;
    case PRI_STEPS_STOP: pri_end_stopped(k); break;
    case PRI_STEPS_STOP_POST: pri_end_posted(k); break;
    case PRI_STEPS_COUNT: break;
    }
}

static const struct pri_plan_step *next_step(struct pri_keeper *k) {
    const struct pri_plan_block *plan = plan_of(k);
    for (; k->steps.next < plan->step_count; k->steps.next++) {
        const struct pri_plan_step *step = pri_plan_step(plan, k->steps.next);
        if (step->list == (uint32_t)k->steps.list &&
            (!k->steps.tidies || (step->flags & PRI_STEP_OURS) != 0)) {
            k->steps.next++;
            return step;
        }
    }
    return NULL;
}

static void go_on(struct pri_keeper *k);

/* What follows in a list that is for starting is not run, nor in one that is for stopping; only
 * there the end goes on all the same, with the folders that are to go. */
static void failed(struct pri_keeper *k, enum pri_result result, const procref_error *error) {
    if (k->steps.list == PRI_STEPS_STOP || k->steps.list == PRI_STEPS_STOP_POST) {
        pri_outcome_note(k, result);
        pri_outcome_say(k, error);
        k->steps.tidies = true;
        go_on(k);
    } else {
        pri_run_start_failed(k, error);
    }
}

/* TimeoutStartSec= and TimeoutStopSec= are for each of them. */
static void arm(struct pri_keeper *k, enum pri_step_list list) {
    if (list == PRI_STEPS_STOP || list == PRI_STEPS_STOP_POST) {
        pri_end_arm(k);
    } else {
        pri_run_arm_start(k);
    }
}

static void go_on(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_plan_step *step;
    while ((step = next_step(k)) != NULL) {
        k->steps.step = step;
        int code =
            launch_step(k, (struct pri_start_of){.step = step}, -1, &k->steps.control, &error);
        if (code == 0) {
            k->pair->page->step = k->steps.control.process;
            PRI_CRASH_POINT("plan: a step is prepared");
            k->steps.running = true;
            arm(k, k->steps.list);
            pri_launch_go(&k->steps.control);
            PRI_CRASH_POINT("plan: a step runs");
            PRI_TRACE("%s: '%s' as %u", list_names[step->list], program_of(k, step),
                      (unsigned)k->steps.control.process.pid);
            return;
        }
        if ((step->flags & PRI_STEP_IGNORE) == 0) {
            failed(k, PRI_RESULT_EXIT_CODE, &error);
            return;
        }
    }
    done(k);
}

void pri_steps_run(struct pri_keeper *k, enum pri_step_list list) {
    forget_control(k);
    k->steps.list = list;
    k->steps.next = 0;
    k->steps.tidies = false;
    if (list == PRI_STEPS_START_PRE) {
        k->pair->page->post_due = true; /* ExecStopPost= is for whatever has begun */
    }
    go_on(k);
}

static int explain(const struct pri_keeper *k, const struct pri_plan_step *step, int code,
                   const char *how, procref_error *err) {
    return pri_fail(err, code, 0, "", "%s= of '%s' failed: '%s': %s", list_names[step->list],
                    k->pair->config->ident.name, program_of(k, step), how);
}

/* A child ended: the step that runs? */
void pri_steps_reaped(struct pri_keeper *k, uint32_t pid, int status) {
    procref_error error = PROCREF_ERROR_INIT;
    if (!k->steps.running || pid != k->steps.control.process.pid) {
        return;
    }
    const struct pri_plan_step *step = k->steps.step;
    int code = pri_launch_result(&k->steps.control, program_of(k, step), &error);
    forget_control(k);
    PRI_CRASH_POINT("plan: a step has ended");
    if (k->steps.list == PRI_STEPS_START) { /* without a process that stays, it is the main one */
        k->status_known = true;
        k->status = status;
    }
    if (code == 0 || code == PROCREF_E_AGAIN) {
        char how[96];
        pri_outcome_describe(true, status, how, sizeof how);
        code = pri_outcome_is_clean(k, status, PRI_ENDED_COMMAND)
                   ? 0
                   : explain(k, step, PROCREF_E_SERVICE_START, how, &error);
    }
    if (code < 0 && (step->flags & PRI_STEP_IGNORE) == 0) {
        pri_outcome_note_end(k, status, PRI_ENDED_COMMAND);
        failed(k, PRI_RESULT_EXIT_CODE, &error);
    } else {
        go_on(k);
    }
}

/* The list is over, whatever of it still runs. */
void pri_steps_forget(struct pri_keeper *k) {
    forget_control(k);
}

void pri_steps_kill(struct pri_keeper *k) {
    if (k->steps.running) {
        pri_process_signal(&k->steps.control.process, SIGKILL);
    }
    forget_control(k);
}

void pri_steps_explain_timeout(const struct pri_keeper *k, const char *which, int64_t ms,
                               procref_error *err) {
    char how[96];
    pri_format(how, sizeof how, "it did not end within the %s timeout of %lld ms", which,
               (long long)ms);
    explain(k, k->steps.step, PROCREF_E_TIMEOUT, how, err);
}

/* Of a list that is for stopping; a `-` does not excuse it, as in systemd. */
void pri_steps_timed_out(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    pri_steps_explain_timeout(k, "stop", k->pair->config->stop_timeout_ms, &error);
    pri_steps_kill(k);
    failed(k, PRI_RESULT_TIMEOUT, &error);
}

/* A predecessor's with all that it had started, because its list may begin again at once. What ours
 * leaves ends with the service, as KillMode= says. */
static int kill_step(const struct pri_keeper *k, struct pri_process *ret_list) {
    struct pri_tree tree = {.main = k->pair->page->step};
    if (k->steps.running) {
        *ret_list = tree.main;
        return pri_process_signal(&tree.main, SIGKILL);
    }
    int count = tree.main.pid != 0 ? pri_tree_list(&tree, ret_list, PROCESSES_MOST) : 0;
    if (count > 0) {
        pri_tree_signal(&tree, SIGKILL, NULL);
    }
    return count;
}

/* Before another begins, this one has ended; what the kernel keeps longer than a second cannot be
 * waited for here. */
void pri_steps_kill_left(struct pri_keeper *k) {
    struct pri_process left[PROCESSES_MOST];
    int64_t until_ns = pri_deadline(STEP_DIES_MS);
    int count = kill_step(k, left);
    for (int i = 0; i < count; i++) {
        PRI_TRACE("SIGKILL to %u, of a step", (unsigned)left[i].pid);
        procref_waitable ended = pri_process_watch(&left[i]);
        pri_link_wait(ended, until_ns);
        pri_link_close(ended);
    }
    pri_steps_forget(k);
}

/* ---- What the service requires --------------------------------------------------------------- */

static void close_told(struct pri_keeper *k) {
    if (k->holder_told >= 0) {
        pri_poller_remove(k->poller, k->holder_told);
        pri_link_close(k->holder_told);
        k->holder_told = -1;
    }
}

static void unwatch_holder(struct pri_keeper *k) {
    if (k->holder_watch >= 0) {
        pri_poller_remove(k->poller, k->holder_watch);
        pri_link_close(k->holder_watch);
        k->holder_watch = -1;
    }
}

/* Its end is an event: what the service requires may go then. */
static void watch_holder(struct pri_keeper *k) {
    unwatch_holder(k);
    k->holder_watch = pri_process_watch(&k->pair->page->holder);
    if (k->holder_watch < 0 || pri_poller_add(k->poller, k->holder_watch, PRI_TAG_HOLDER) < 0) {
        pri_holder_ended(k);
    }
}

/* A start fails by it; what is up already cannot go on. */
static void holder_failed(struct pri_keeper *k, const procref_error *error) {
    if (k->machine.state == PRI_S_STARTING) {
        pri_run_start_failed(k, error);
    } else {
        k->holder_lost = true;
        pri_outcome_lost(k, error);
    }
}

/* It is marked as a keeper's (os/tree.h), so it is not of the service's tree; it ends by itself
 * when the pair has ended, which is after the service. Not its parent tells it that: when keeper
 * and standby were killed one after the other, that is neither of their successors. */
static void start_holder(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_launched launched = {.go = -1, .report = -1};
    procref_waitable told[2];
    close_told(k);
    if (pri_pipe_open(told) < 0) {
        pri_fail(&error, PROCREF_E_LIMIT, 0, "pipe", "no descriptors to start what '%s' requires",
                 k->pair->config->ident.name);
        holder_failed(k, &error);
        return;
    }
    int code = launch_step(k, (struct pri_start_of){.holder = true}, told[1], &launched, &error);
    pri_link_close(told[1]);
    if (code < 0) {
        pri_link_close(told[0]);
        holder_failed(k, &error);
        return;
    }
    k->pair->page->holder_holds = false;
    k->pair->page->holder = launched.process;
    k->holder_told = told[0];
    k->holder_lost = false;
    PRI_CRASH_POINT("plan: what holds the required is recorded");
    pri_launch_go(&launched);
    pri_launch_forget(&launched);
    pri_poller_add(k->poller, k->holder_told, PRI_TAG_HELD);
    watch_holder(k);
    PRI_TRACE("what it requires is held by %u", (unsigned)k->pair->page->holder.pid);
}

static bool needs_holder(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = plan_of(k);
    return plan != NULL && plan->holder.count > 0;
}

/* One that has told nothing when its keeper was killed tells nobody any more: it is replaced. */
static bool is_held(const struct pri_keeper *k) {
    return k->pair->page->holder_holds && pri_process_alive(&k->pair->page->holder);
}

void pri_holder_need(struct pri_keeper *k) {
    if (!needs_holder(k)) {
        pri_steps_run(k, PRI_STEPS_START_PRE);
        return;
    }
    if (k->holder_told >= 0) {
        return; /* of a start that was given up: it will tell */
    }
    if (is_held(k) && !k->holder_lost) {
        if (k->holder_watch < 0) {
            watch_holder(k);
        }
        if (!k->holder_lost) {
            pri_steps_run(k, PRI_STEPS_START_PRE);
        }
        return;
    }
    pri_process_signal(&k->pair->page->holder, SIGKILL);
    start_holder(k);
}

void pri_holder_take_over(struct pri_keeper *k) {
    if (!needs_holder(k)) {
        return;
    }
    if (is_held(k)) {
        watch_holder(k);
    } else {
        start_holder(k);
    }
}

static void not_had(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    pri_fail(&error, PROCREF_E_SERVICE_START, 0, "", "what '%s' requires could not be had",
             k->pair->config->ident.name);
    pri_run_start_failed(k, &error);
}

/* One byte: it holds. */
void pri_holder_told(struct pri_keeper *k) {
    int got = pri_pipe_take(k->holder_told);
    if (got < 0) {
        return;
    }
    close_told(k);
    k->pair->page->holder_holds = got > 0;
    PRI_CRASH_POINT("plan: the required is held");
    if (k->machine.state != PRI_S_STARTING) {
        return; /* taken over while it was up, or the start was given up; its end tells the rest */
    }
    if (got > 0) {
        pri_steps_run(k, PRI_STEPS_START_PRE);
    } else {
        not_had(k);
    }
}

void pri_holder_ended(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    bool held = k->holder_told >= 0 ? pri_pipe_take(k->holder_told) > 0 : page->holder_holds;
    enum pri_state state = k->machine.state;
    unwatch_holder(k);
    close_told(k);
    page->holder_holds = held;
    k->holder_lost = true;
    if (state == PRI_S_STARTING && !held) {
        if (!k->launch_failed) { /* the end of its pipe has said so */
            not_had(k);
        }
    } else if (state == PRI_S_UP || state == PRI_S_LINGERING || state == PRI_S_STARTING ||
               state == PRI_S_PUBLISHING || state == PRI_S_RESUMING) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_SERVICE_START, 0, "",
                 "'%s' is no longer sure of what it requires: the process that held it was killed",
                 k->pair->config->ident.name);
        pri_outcome_lost(k, &error);
    }
}

/* The service is gone, and its name not free yet: who comes next must find what was required let go
 * of, in case it wants that in another way. It would end by itself a moment later. */
void pri_holder_dismiss(const struct pri_keeper *k) {
    const struct pri_process *holder = &k->pair->page->holder;
    if (!needs_holder(k) || holder->pid == 0) {
        return;
    }
    procref_waitable ended = pri_process_watch(holder);
    if (ended >= 0 && pri_process_signal(holder, SIGTERM)) {
        pri_link_wait(ended, pri_deadline(HOLDER_ENDS_MS));
    }
    pri_link_close(ended);
}
