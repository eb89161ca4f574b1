/* How the service's processes ended, whether that is a failure, and what is said of it. */
#include <string.h>
#include <sys/wait.h>

#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { STATUS_WAIT_MS = 200 };

static const char *appends_to(const struct pri_plan_block *plan, uint32_t where) {
    const char *text = pri_plan_text(plan, where);
    return text != NULL && strncmp(text, "append:", 7) == 0 ? text + 7 : NULL;
}

/* The file in which the service's last words are, if that is not the log; NULL. Of one that is
 * written over nobody knows where they are. */
const char *pri_outcome_file(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (plan == NULL) {
        return NULL;
    }
    const char *errors = appends_to(plan, plan->error);
    return errors != NULL     ? errors
           : plan->error != 0 ? NULL /* the log, or what has no last lines */
                              : appends_to(plan, plan->output);
}

void pri_outcome_keep(struct pri_keeper *k, const procref_error *error) {
    const char *file = pri_outcome_file(k);
    pri_fail_copy(&k->error, error);
    size_t told = strlen(error->detail);
    if (told == 0 && file != NULL) {
        told = pri_log_file_tail(file, k->pair->page->appended_start, k->error.detail,
                                 sizeof k->error.detail);
    }
    if (told == 0 && k->log_open) {
        pri_log_tail(&k->log, k->error.detail, sizeof k->error.detail);
    }
    PRI_TRACE("error kept: %s", k->error.message);
}

static bool uses_log(const struct pri_plan_block *plan) {
    return plan == NULL || plan->output == 0 ||
           (plan->error != 0 && strcmp(pri_plan_text(plan, plan->error), "log") == 0);
}

/* What went wrong in the end, when nobody waits to be told any more. */
void pri_outcome_say(struct pri_keeper *k, const procref_error *error) {
    PRI_TRACE("%s", error->message);
    if (k->log_open && uses_log(pri_config_plan(k->pair->config))) {
        pri_log_say(&k->log, error->message);
    }
}

void pri_outcome_note(struct pri_keeper *k, enum pri_result result) {
    struct pri_page *page = k->pair->page;
    page->result = page->result == PRI_RESULT_SUCCESS ? result : page->result;
}

/* Asked to or not: also who ends uncleanly when it is stopped has failed. */
void pri_outcome_note_end(struct pri_keeper *k, int status, enum pri_ended what) {
    if (!pri_outcome_is_clean(k, status, what)) {
        pri_outcome_note(k, WIFEXITED(status)   ? PRI_RESULT_EXIT_CODE
                            : WCOREDUMP(status) ? PRI_RESULT_CORE_DUMP
                                                : PRI_RESULT_SIGNAL);
    }
}

/* Of the service's own process, of which a `-` in the service file says that it cannot fail. */
static bool main_ended_well(const struct pri_keeper *k, int status) {
    const struct pri_plan_step *step =
        pri_plan_first(pri_config_plan(k->pair->config), PRI_STEPS_START);
    return (step != NULL && (step->flags & PRI_STEP_IGNORE) != 0) ||
           pri_outcome_is_clean(k, status, PRI_ENDED_DAEMON);
}

static void know_status(struct pri_keeper *k, int status) {
    k->status_known = true;
    k->status = status;
    if (!main_ended_well(k, status)) {
        pri_outcome_note_end(k, status, PRI_ENDED_DAEMON);
    }
}

void pri_outcome_reap(struct pri_keeper *k) {
    uint32_t pid;
    pri_children_drain(k->children);
    while ((pid = pri_children_ended()) != 0) {
        pri_run_hear(k); /* what it said is believed until it is reaped */
        int status = pri_children_reap(pid);
        PRI_TRACE("reaps %u, status %d", (unsigned)pid, status);
        pri_readiness_reaped(&k->readiness, pid, status);
        pri_steps_reaped(k, pid, status);
        if (pid == k->pair->page->main.pid && !k->status_known) {
            know_status(k, status);
        }
    }
    const struct pri_page *page = k->pair->page;
    if (!k->status_known && page->main.pid != 0 &&
        atomic_load(&page->reaped_pid) == page->main.pid) {
        know_status(k, atomic_load(&page->reaped_status));
    }
}

void pri_outcome_describe(bool known, int status, char *to, size_t size) {
    if (!known) {
        pri_format(to, size, "it is gone");
    } else if (WIFEXITED(status)) {
        pri_format(to, size, "it exited with status %d", WEXITSTATUS(status));
    } else {
        pri_format(to, size, "it was killed by signal %d (%s)", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
    }
}

static bool is_among(const struct pri_plan_block *plan, int set, int status) {
    const struct pri_ends *ends = &plan->ends[set];
    unsigned number = (unsigned)(WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return ((WIFEXITED(status) ? ends->codes[number / 64] : ends->signals) >> (number % 64) & 1) !=
           0;
}

/* By systemd.service(5), SuccessExitStatus=: four signals count as a clean end of what is to run
 * for long, but not of a command that has something to finish. */
bool pri_outcome_is_clean(const struct pri_keeper *k, int status, enum pri_ended what) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (plan != NULL && is_among(plan, PRI_ENDS_SUCCESS, status)) {
        return true;
    }
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status) == 0;
    }
    int signal = WTERMSIG(status);
    return plan != NULL && what == PRI_ENDED_DAEMON &&
           (signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGPIPE);
}

/* how: one of PRI_RESTART_…, which a plan may name; else the configuration's policy counts. How the
 * main process ended comes first, as in systemd. */
bool pri_outcome_restarts(const struct pri_keeper *k, uint32_t how) {
    const struct pri_config *config = k->pair->config;
    const struct pri_plan_block *plan = pri_config_plan(config);
    if (pri_config_has_callbacks(config)) {
        return false;
    }
    if (plan != NULL && k->status_known && is_among(plan, PRI_ENDS_PREVENT, k->status)) {
        return false;
    }
    if (plan != NULL && k->status_known && is_among(plan, PRI_ENDS_FORCE, k->status)) {
        return true;
    }
    if (plan != NULL && plan->restarts_given) {
        return (plan->restarts & how) != 0;
    }
    return config->restart == PROCREF_RESTART_ALWAYS ||
           (config->restart == PROCREF_RESTART_ON_FAILURE && how != PRI_RESTART_CLEAN);
}

static uint32_t how_it_ended(const struct pri_keeper *k, bool clean) {
    return clean                                       ? PRI_RESTART_CLEAN
           : k->status_known && WIFSIGNALED(k->status) ? PRI_RESTART_SIGNAL
                                                       : PRI_RESTART_UNCLEAN;
}

static void main_died(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    char how[96];
    bool starting = k->machine.state == PRI_S_STARTING || k->machine.state == PRI_S_ELECTED;
    bool clean = k->status_known && main_ended_well(k, k->status);
    k->status_ns = PRI_NEVER;
    if (k->launched.report >= 0) {
        pri_run_report(k); /* that it could not be run says more than its exit status */
    }
    if (k->launch_failed) {
        return;
    }
    pri_outcome_describe(k->status_known, k->status, how, sizeof how);
    PRI_TRACE("the service ended: %s", how);
    if (starting && clean && pri_forking_parent_ended(k)) {
        return;
    }
    if (starting && clean) {
        pri_outcome_note(k, PRI_RESULT_PROTOCOL);
    }
    pri_fail(&error, PROCREF_E_SERVICE_START, 0, "", "'%s' ended %s: %s",
             k->pair->config->ident.name, starting ? "before it was ready" : "while it was held",
             how);
    pri_outcome_keep(k, &error);
    if (!clean) {
        k->pair->page->stop_due = false; /* ExecStop= is for what runs or ended well */
    }
    if (starting && pri_forking_awaits(k)) {
        k->status_known = false; /* it was not the main process, whose status that would be */
    }
    k->machine.restart = pri_outcome_restarts(k, how_it_ended(k, clean && !starting));
    if (starting && pri_port_was_lost(k)) {
        PRI_TRACE("port %u was taken by somebody else", (unsigned)k->port);
        k->port_tries++;
        pri_keeper_push(k, PRI_E_PORT_LOST);
    } else {
        pri_keeper_push(k, PRI_E_DIED);
    }
}

/* It runs, but cannot go on. */
void pri_outcome_lost(struct pri_keeper *k, const procref_error *error) {
    pri_outcome_keep(k, error);
    k->machine.restart = true;
    pri_keeper_push(k, PRI_E_DIED);
}

/* Its status is ours if it is our child; else the standby reaps it and nudges us. */
void pri_outcome_status(struct pri_keeper *k) {
    if (k->status_ns == PRI_NEVER) {
        return;
    }
    pri_outcome_reap(k);
    bool nobody_tells = k->pair->standby == 0 || pri_config_has_callbacks(k->pair->config);
    if (k->status_known || nobody_tells || pri_clock_ns() >= k->status_ns) {
        main_died(k);
    }
}

static bool main_has_ended(const struct pri_keeper *k) {
    return k->main_watch >= 0 && pri_link_wait(k->main_watch, 0);
}

/*
 * The first process ended: because we end the tree, or by itself; then its status says how. A
 * client may have named another in the same batch of events, or the service itself before that:
 * then the end was its predecessor's.
 */
void pri_outcome_ended(struct pri_keeper *k) {
    if (!main_has_ended(k)) {
        return;
    }
    pri_run_hear(k);
    if (!main_has_ended(k)) {
        return;
    }
    bool ending = k->end_stage != PRI_END_NONE; /* the last step of that may be reaped here, too */
    pri_run_unwatch_main(k);
    pri_outcome_reap(k);
    if (ending) {
        pri_run_end_step(k, false);
        return;
    }
    k->status_ns = pri_deadline(STATUS_WAIT_MS);
    pri_outcome_status(k);
}
