/*
 * Ending the service, in stages: ExecStop=, the first process, the rest, SIGKILL, ExecStopPost=.
 * Each, and each command, has the stop timeout for itself. A service without a plan begins with its
 * first process, and ends there.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { LOOK_AGAIN_MS = 200, ROOTS_MOST = 1024, ASKED_MOST = 32768 };

static const struct pri_plan_block *plan_of(const struct pri_keeper *k) {
    return pri_config_plan(k->pair->config);
}

static enum pri_kill_mode kill_mode(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = plan_of(k);
    return plan != NULL ? (enum pri_kill_mode)plan->kill_mode : PRI_KILL_GROUP;
}

/* SendSIGKILL=no: what does not end in its time is left alone. */
static bool never_kills(const struct pri_keeper *k) {
    return plan_of(k) != NULL && plan_of(k)->never_kill;
}

static int64_t deadline(const struct pri_keeper *k) {
    return pri_deadline(k->pair->config->stop_timeout_ms);
}

void pri_end_arm(struct pri_keeper *k) {
    k->end_ns = deadline(k);
}

static void unwatch_end(struct pri_keeper *k) {
    if (k->end_watch >= 0) {
        pri_poller_remove(k->poller, k->end_watch);
        pri_link_close(k->end_watch);
        k->end_watch = -1;
    }
}

/*
 * A client's process is not below us: when it ends, its children go to somebody else. So they are
 * looked for while it lives, again and again, and those that were found are remembered.
 */
void pri_run_find_roots(struct pri_keeper *k) {
    if (!pri_config_has_callbacks(k->pair->config)) {
        return;
    }
    struct pri_process *found = calloc(ROOTS_MOST, sizeof *found);
    if (found != NULL) {
        struct pri_tree tree = pri_run_tree(k);
        int count = pri_tree_list(&tree, found, ROOTS_MOST);
        free(k->roots);
        k->roots = found;
        k->roots_count = count;
    }
}

static void forget_processes(struct pri_keeper *k) {
    free(k->roots);
    k->roots = NULL;
    k->roots_count = 0;
    free(k->asked);
    k->asked = NULL;
    k->asked_count = 0;
}

static void ask(const struct pri_keeper *k, const struct pri_process *process) {
    int signal = k->pair->config->stop_signal;
    if (pri_process_signal(process, signal)) {
        PRI_TRACE("signal %d to %u", signal, (unsigned)process->pid);
        pri_process_signal(process, SIGCONT); /* a stopped process would not see it */
    }
}

/* Each of them once: to some, a second signal means to give up in disorder. Whoever is not in the
 * list, because it was forked meanwhile or there is no memory, is asked when the first process has
 * ended. */
static void ask_all(struct pri_keeper *k) {
    struct pri_tree tree = pri_run_tree(k);
    /* Memory that is not touched costs nothing. */
    struct pri_process *list = calloc(ASKED_MOST, sizeof *list);
    int count = list != NULL ? pri_tree_list(&tree, list, ASKED_MOST) : 0;
    if (count == 0) {
        ask(k, &tree.main);
    }
    for (int i = 0; i < count; i++) {
        ask(k, &list[i]); /* the first process first */
    }
    free(k->asked);
    k->asked = list;
    k->asked_count = count;
}

/* The first process is asked first, so that it can end its own; what it leaves is asked next; then
 * comes SIGKILL. With a plan, KillMode= says whether all are asked at once. */
static void end_processes(struct pri_keeper *k) {
    const struct pri_plan_block *plan = plan_of(k);
    k->end_ns = deadline(k);
    k->end_stage = PRI_END_MAIN;
    pri_run_find_roots(k);
    if (kill_mode(k) == PRI_KILL_PROCESS) {
        pri_steps_kill(k);
    }
    pri_steps_forget(k);
    if (pri_process_alive(&k->pair->page->main)) {
        if (k->main_watch < 0) {
            pri_run_watch_main(k);
        }
        if (plan != NULL && kill_mode(k) == PRI_KILL_GROUP) {
            ask_all(k);
        } else {
            ask(k, &k->pair->page->main);
        }
        PRI_CRASH_POINT("asked to stop");
    }
    pri_run_end_step(k, false);
}

static bool nothing_has_run(const struct pri_keeper *k) {
    const struct pri_page *page = k->pair->page;
    bool callbacks = pri_config_has_callbacks(k->pair->config);
    bool old = page->recovers && page->old.pid != 0 && pri_process_alive(&page->old);
    bool steps = plan_of(k) != NULL && (page->stop_due || page->post_due);
    return page->main.pid == 0 && !(page->scattered && !callbacks) && k->roots == NULL && !old &&
           !steps;
}

void pri_run_end_tree(struct pri_keeper *k) {
    pri_steps_kill_left(k); /* of a start that is given up */
    pri_run_leave_start(k);
    k->status_ns = PRI_NEVER;
    if (nothing_has_run(k)) {
        pri_keeper_push(k, PRI_E_TREE_GONE);
        return;
    }
    if (plan_of(k) != NULL && !k->log_open) { /* its start was a predecessor's */
        pri_run_open_files(k);
        k->port = k->pair->page->port;
    }
    if (plan_of(k) != NULL && k->pair->page->stop_due) {
        k->end_stage = PRI_END_STOP;
        k->end_ns = deadline(k);
        pri_steps_run(k, PRI_STEPS_STOP);
        return;
    }
    end_processes(k);
}

/* ExecStop= is through. */
void pri_end_stopped(struct pri_keeper *k) {
    PRI_CRASH_POINT("plan: stopped, not recorded");
    k->pair->page->stop_due = false;
    end_processes(k);
}

static void finish(struct pri_keeper *k) {
    unwatch_end(k);
    pri_run_unwatch_main(k);
    pri_outcome_reap(k);
    forget_processes(k);
    pri_run_forget_start(k);
    k->end_ns = PRI_NEVER;
    if (plan_of(k) != NULL && k->pair->page->post_due) {
        k->end_stage = PRI_END_POST;
        k->end_ns = deadline(k);
        pri_steps_run(k, PRI_STEPS_STOP_POST);
        return;
    }
    k->end_stage = PRI_END_NONE;
    pri_keeper_push(k, PRI_E_TREE_GONE);
}

/* ExecStopPost= is through, and what it left is not to stay. */
void pri_end_posted(struct pri_keeper *k) {
    pri_pid_file_remove(k); /* before it is recorded: a successor removes it, too */
    PRI_CRASH_POINT("plan: posted, not recorded");
    k->pair->page->post_due = false;
    k->end_stage = PRI_END_KILL;
    k->end_ns = PRI_NEVER;
    if (kill_mode(k) == PRI_KILL_PROCESS || never_kills(k)) {
        finish(k);
    } else {
        pri_run_end_step(k, false);
    }
}

static void await_one(struct pri_keeper *k, const struct pri_process *one) {
    unwatch_end(k);
    k->end_watch = pri_process_watch(one);
    if (k->end_watch < 0 || pri_poller_add(k->poller, k->end_watch, PRI_TAG_END) < 0) {
        k->look_ns = pri_deadline(LOOK_AGAIN_MS); /* no descriptor to be told by */
    }
}

static void processes_timed_out(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    pri_outcome_note(k, PRI_RESULT_TIMEOUT);
    pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
             "'%s' did not end within its stop timeout of %lld ms: it is %s",
             k->pair->config->ident.name, (long long)k->pair->config->stop_timeout_ms,
             never_kills(k) ? "left alone" : "killed");
    pri_outcome_say(k, &error);
}

/* Nothing is started beside it, so who waits for that is told where it can be found out. */
static void say_refusal(struct pri_keeper *k, const struct pri_process *one) {
    procref_error error = PROCREF_ERROR_INIT;
    if (pri_process_signal(one, 0) || !pri_process_alive(one)) {
        return;
    }
    pri_fail(&error, PROCREF_E_PERMISSION, 0, "",
             "'%s' has not ended before its process %u has, which takes no signal of ours (does it "
             "run as another user?): end it",
             k->pair->config->ident.name, (unsigned)one->pid);
    pri_outcome_say(k, &error);
}

void pri_run_end_step(struct pri_keeper *k, bool timed_out) {
    struct pri_process one = {0};
    int signal = 0;

    if (k->end_stage == PRI_END_STOP || k->end_stage == PRI_END_POST) {
        if (timed_out) {
            pri_steps_timed_out(k);
        }
        return; /* the end of a step goes on */
    }
    if (k->end_stage == PRI_END_NONE) {
        return;
    }
    pri_run_find_roots(k);
    struct pri_tree tree = pri_run_tree(k);
    if (timed_out) {
        processes_timed_out(k);
    }
    if (timed_out && never_kills(k)) {
        finish(k);
        return;
    }
    if (timed_out) {
        k->end_stage = PRI_END_KILL;
        k->end_ns = PRI_NEVER;
    } else if (k->end_stage == PRI_END_MAIN) {
        if (pri_process_alive(&tree.main)) {
            return; /* its watch wakes us */
        }
        bool kills = kill_mode(k) == PRI_KILL_MIXED && !never_kills(k);
        k->end_stage = kills ? PRI_END_KILL : PRI_END_REST;
        signal = k->pair->config->stop_signal;
    }
    if (kill_mode(k) == PRI_KILL_PROCESS) {
        if (pri_process_alive(&tree.main)) {
            pri_process_signal(&tree.main, SIGKILL); /* only after its time; its watch wakes us */
            return;
        }
        finish(k); /* the rest is left alone, as was asked for */
        return;
    }
    if (k->end_stage == PRI_END_KILL) {
        signal = SIGKILL;
    }
    tree.asked = k->asked;
    tree.asked_count = k->asked_count;
    int left = pri_tree_signal(&tree, signal, &one);
    PRI_TRACE("signal %d to the tree: %d left", signal, left);
    if (left > 0) {
        if (signal == SIGKILL) {
            say_refusal(k, &one);
        }
        await_one(k, &one);
        return;
    }
    finish(k);
}
