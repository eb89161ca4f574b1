/* Starting and watching the service's processes; end.c ends them. When to do which is decided in
 * machine.c. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "keeper/start.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/port.h"
#include "os/ready.h"
#include "os/rendezvous.h"

enum { UNWANTED_START_MS = 30000 };

static const char *name_of(const struct pri_keeper *k) {
    return k->pair->config->ident.name;
}

/* What on_recover was to replace may still run, beside what it has named since. */
static bool has_old(const struct pri_page *page) {
    return page->recovers && page->old.pid != 0;
}

struct pri_tree pri_run_tree(const struct pri_keeper *k) {
    const struct pri_page *page = k->pair->page;
    if (pri_config_has_callbacks(k->pair->config)) {
        /* A client's descendants: neither below us nor marked by us. */
        return (struct pri_tree){.keeper = (uint32_t)getpid(),
                                 .standby = k->pair->standby,
                                 .main = page->main,
                                 .roots = k->roots != NULL ? k->roots : &page->old,
                                 .roots_count = k->roots != NULL ? k->roots_count : has_old(page)};
    }
    return (struct pri_tree){.keeper = (uint32_t)getpid(),
                             .standby = k->pair->standby,
                             .main = k->pair->page->main,
                             .token = k->pair->token,
                             .scattered = k->pair->page->scattered};
}

void pri_run_hint(const struct pri_keeper *k, const char *phase) {
    const struct pri_page *page = k->pair->page;
    struct pri_hint hint = {.key = k->pair->config->ident.hash,
                            .generation = k->machine.generation,
                            .process = page->main,
                            .port = page->port,
                            .since_ms = page->since_ms};
    pri_format(hint.phase, sizeof hint.phase, "%s", phase);
    memcpy(hint.parts, page->parts, sizeof hint.parts);
    const struct pri_record *record = k->pair->record;
    if (k->dir >= 0 && strcmp(phase, "up") == 0 && record->metadata_size > 0 &&
        record->metadata_size <= sizeof record->metadata &&
        atomic_load(&record->metadata_generation) == k->machine.generation) {
        hint.metadata =
            pri_metadata_write(k->dir, name_of(k), record->metadata, record->metadata_size);
        if (hint.metadata == 0) {
            return; /* a full disk: a hint that says "up" would promise what cannot be told */
        }
    }
    if (k->dir >= 0) {
        pri_hint_write(k->dir, name_of(k), &hint);
    }
}

/* The folder and the log in it; made anew if somebody took them away. Without them we do without.
 */
void pri_run_open_files(struct pri_keeper *k) {
    if (k->dir >= 0) {
        close(k->dir);
    }
    if (k->log_open) {
        if (k->log_polled >= 0) {
            pri_poller_remove(k->poller, k->log_polled);
        }
        pri_log_close(&k->log);
    }
    int dir = pri_directory_open(pri_config_text(k->pair->config, k->pair->config->dir), NULL);
    k->dir = dir >= 0 ? dir : -1;
    if (pri_config_has_callbacks(k->pair->config)) {
        return; /* its output goes where its starter's goes */
    }
    pri_log_open(&k->log, k->dir, name_of(k));
    k->log_open = true;
    k->log_polled = k->log.grew;
    if (k->log_polled >= 0 && pri_poller_add(k->poller, k->log_polled, PRI_TAG_LOG) < 0) {
        k->log_polled = -1;
    }
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void stop_polling_readiness(struct pri_keeper *k) {
    if (k->readiness_polled >= 0) {
        pri_poller_remove(k->poller, k->readiness_polled);
        k->readiness_polled = -1;
    }
}

/* All that only the start needed. Who notifies goes on to do so until it has ended. */
void pri_run_leave_start(struct pri_keeper *k) {
    if (k->readiness.kind != PRI_READY_NOTIFY) {
        stop_polling_readiness(k);
        pri_readiness_stop(&k->readiness);
    }
    if (k->launched.report >= 0) {
        pri_poller_remove(k->poller, k->launched.report);
    }
    pri_launch_forget(&k->launched);
    pri_start_forget(&k->start);
    pri_steps_forget(k);
    pri_pid_file_forget(k);
    k->start_ns = PRI_NEVER;
}

void pri_run_forget_start(struct pri_keeper *k) {
    pri_run_leave_start(k);
    stop_polling_readiness(k);
    pri_readiness_stop(&k->readiness);
}

void pri_run_unwatch_main(struct pri_keeper *k) {
    if (k->main_watch >= 0) {
        pri_poller_remove(k->poller, k->main_watch);
        pri_link_close(k->main_watch);
        k->main_watch = -1;
    }
}

/* Its end is an event from now on. Dead already: the event comes at once. */
void pri_run_watch_main(struct pri_keeper *k) {
    pri_run_unwatch_main(k);
    if (k->pair->page->main.pid == 0) {
        return; /* a service without a process */
    }
    k->main_watch = pri_process_watch(&k->pair->page->main);
    if (k->main_watch < 0 || pri_poller_add(k->poller, k->main_watch, PRI_TAG_MAIN) < 0) {
        pri_keeper_push(k, PRI_E_DIED);
    }
}

/* On record first, in the page and then the hint; only then does it run. */
static void record_start(struct pri_keeper *k, struct pri_process process) {
    struct pri_page *page = k->pair->page;
    page->main = process;
    page->port = k->port;
    page->scattered = k->pair->standby == 0;
    page->since_ms = pri_wall_ms();
    page->log_start = k->log.start;
    memcpy(page->parts, k->pair->config->parts, sizeof page->parts);
    atomic_store(&page->reaped_pid, 0);
    atomic_store(&page->generation, k->machine.generation);
    atomic_store(&page->phase, PRI_PHASE_STARTING);
    PRI_CRASH_POINT("recorded in the page, not in the hint");
    pri_run_hint(k, "starting");
}

void pri_run_start_failed(struct pri_keeper *k, const procref_error *error) {
    k->launch_failed = true;
    pri_outcome_note(k, PRI_RESULT_EXIT_CODE);
    k->machine.restart = pri_outcome_restarts(k, PRI_RESTART_UNCLEAN);
    pri_outcome_keep(k, error);
    pri_keeper_push(k, PRI_E_LAUNCH_FAILED);
}

/* With a plan other processes come first, and a successor must know that something had begun. */
static void begin_plan(struct pri_keeper *k) {
    k->pair->page->stop_due = false;
    record_start(k, (struct pri_process){0});
    pri_holder_need(k);
}

void pri_run_launch(struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    pri_run_forget_start(k);
    pri_run_unwatch_main(k);
    k->pair->page->main = (struct pri_process){0};
    k->pair->page->result = PRI_RESULT_SUCCESS;
    k->status_known = k->launch_failed = k->readiness_done = k->forked = false;
    k->start_ns = PRI_NEVER;
    pri_run_limit_start(k); /* who wanted it may have gone already */
    pri_run_open_files(k);
    pri_log_mark(&k->log);
    const char *file = pri_outcome_file(k);
    k->pair->page->appended_start = file != NULL ? pri_log_file_length(file) : 0;
    pri_port_choose(k);
    if (pri_config_plan(config) != NULL) {
        begin_plan(k);
    } else {
        pri_run_launch_main(k);
    }
}

/* The arguments, environment and readiness check of a start. */
static int prepare_start(struct pri_keeper *k, procref_error *err) {
    struct pri_start *s = &k->start;
    char log[64], *notify = k->pair->page->notify;
    notify[0] = '\0';
    struct pri_start_of what = {
        .step = pri_plan_first(pri_config_plan(k->pair->config), PRI_STEPS_START)};
    if (!pri_start_make(k, what, s)) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "mmap", "no memory to start '%s'", name_of(k));
    }
    pri_format(log, sizeof log, "/proc/self/fd/%d", k->log.fd);
    int code = pri_readiness_start(&k->readiness, s->ready, k->port, log, k->log.start, s->envp,
                                   s->dir, notify, err);
    if (code == 0 && notify[0] != '\0') {
        size_t count = 0;
        while (s->envp[count] != NULL) {
            count++;
        }
        pri_format(s->notify, PRI_NOTIFY_SIZE, "NOTIFY_SOCKET=%s", notify);
        s->envp[count] = s->notify;
    }
    return code;
}

/* The start timeout is for each command of a plan, and not for what is required: that has its own.
 * Without one, the limit of a start that nobody waits for stays. */
void pri_run_arm_start(struct pri_keeper *k) {
    if (k->pair->config->start_timeout_ms >= 0) {
        k->start_ns = pri_deadline(k->pair->config->start_timeout_ms);
    }
}

/* The service's own process, when all that comes before it is done. */
void pri_run_launch_main(struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    procref_error error = PROCREF_ERROR_INIT;
    pri_run_arm_start(k);
    if (prepare_start(k, &error) < 0) {
        pri_run_start_failed(k, &error);
        return;
    }
    if (pri_config_has_no_process(config)) {
        pri_steps_run(k, PRI_STEPS_START);
        return;
    }
    struct pri_launch launch = {.program = k->start.program,
                                .argv = k->start.argv,
                                .envp = k->start.envp,
                                .dir = k->start.dir,
                                .output = k->log.fd,
                                .files_soft = k->pair->files_soft,
                                .plan = pri_config_plan(config),
                                .told = -1};
    if (k->start.program == NULL) {
        pri_fail(&error, PROCREF_E_SERVICE_START, 0, "", "the command of '%s' is empty",
                 name_of(k));
        pri_run_start_failed(k, &error);
        return;
    }
    if (pri_launch_prepare(&launch, &k->launched, &error) < 0) {
        pri_run_start_failed(k, &error);
        return;
    }
    PRI_CRASH_POINT("forked, not recorded");
    record_start(k, k->launched.process);
    PRI_CRASH_POINT("recorded, not told to go");
    pri_run_watch_main(k);
    pri_launch_go(&k->launched);
    PRI_CRASH_POINT("told to go");
    PRI_TRACE("launches '%s' as %u, port %u, generation %u", name_of(k),
              (unsigned)k->launched.process.pid, (unsigned)k->port,
              (unsigned)k->machine.generation);
    pri_poller_add(k->poller, k->launched.report, PRI_TAG_REPORT);
}

/* The program runs, or could not be run. */
void pri_run_report(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_config *config = k->pair->config;
    procref_waitable report = k->launched.report;
    int code = pri_launch_result(&k->launched, pri_config_text(config, config->command), &error);
    if (code == PROCREF_E_AGAIN) {
        return;
    }
    pri_poller_remove(k->poller, report);
    if (code < 0) {
        k->status_known = true; /* it is about to exit with it, unless we are quicker to end it */
        k->status = k->launched.status;
        char why[sizeof error.message];
        memcpy(why, error.message, sizeof why);
        pri_format(error.message, sizeof error.message, "'%s' did not start: %s",
                   config->ident.name, why);
        pri_run_start_failed(k, &error);
        return;
    }
    pri_run_readiness(k);
}

/* ---- Callbacks: started by a client ---------------------------------------------------------- */

/* False as soon as its process has ended, though the event may not have come yet. */
bool pri_run_is_alive(const struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    if (k->pair->page->main.pid == 0 &&
        (pri_config_has_callbacks(config) || pri_config_has_no_process(config))) {
        return !k->holder_lost;
    }
    return k->main_watch >= 0 && !k->holder_lost && !pri_link_wait(k->main_watch, 0);
}

/* A client is about to be told to start it. What it is to recover stays on record until it names
 * another. */
void pri_run_record_election(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    if (!page->recovers || !pri_process_alive(&page->main)) {
        pri_run_unwatch_main(k);
        page->main = (struct pri_process){0};
    }
    page->port = 0;
    page->since_ms = pri_wall_ms();
    atomic_store(&page->generation, k->machine.generation);
    atomic_store(&page->phase, PRI_PHASE_STARTING);
    pri_run_open_files(k);
    pri_run_hint(k, "starting");
}

void pri_run_named(struct pri_keeper *k, const struct pri_process *process) {
    struct pri_page *page = k->pair->page;
    k->status_known = false;
    k->forked = true;                   /* for whom that matters: the service is known */
    atomic_store(&page->reaped_pid, 0); /* of another process, which may have had this pid */
    page->main = *process;
    PRI_CRASH_POINT("named in the page, not in the hint");
    pri_run_hint(k, atomic_load(&page->phase) == PRI_PHASE_UP ? "up" : "starting");
    pri_run_watch_main(k);
    PRI_TRACE("the service is %u", (unsigned)process->pid);
}

static bool is_main(const struct pri_keeper *k, const struct pri_process *process) {
    const struct pri_process *main = &k->pair->page->main;
    return process->pid == main->pid && process->start == main->start;
}

/* The callback returned 0, with this process. One that has ended is not taken for running. */
void pri_run_started(struct pri_keeper *k, const struct pri_process *process) {
    if (!is_main(k, process)) {
        pri_run_named(k, process); /* on_recover named none: it is the old one */
    }
    if (k->main_watch >= 0 && !pri_run_is_alive(k)) {
        pri_outcome_ended(k);
    }
}

void pri_run_keep_old(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    pri_run_find_roots(k);
    page->old = page->main;
    page->old_port = page->port;
    page->recovers = true;
}

/* Before there is anything that could be ready; or it has been, and other steps are under way. */
static bool awaits_steps(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    return plan != NULL && k->machine.state == PRI_S_STARTING &&
           (k->launch_failed || k->steps.running || k->start.envp == NULL || k->holder_told >= 0 ||
            pri_forking_awaits(k));
}

/* When the readiness check wants its next step. Before there is anything to check, never: what ends
 * that wait is an event. */
int64_t pri_run_readiness_ns(const struct pri_keeper *k) {
    bool waits = k->machine.state != PRI_S_STARTING || k->launched.report >= 0 || awaits_steps(k);
    return waits ? PRI_NEVER : k->readiness.next_ns;
}

static void extend(int64_t *deadline_ns, int64_t until_ns) {
    *deadline_ns = *deadline_ns < until_ns ? until_ns : *deadline_ns;
}

/*
 * Acts on what the service said of itself, by the rules of systemd: MAINPID= counts until it ends
 * or is ended, EXTEND_TIMEOUT_USEC= for the limit that runs, and never makes it shorter. A limit
 * that is not set is PRI_NEVER and stays so.
 */
static void take_said(struct pri_keeper *k) {
    struct pri_process main = k->readiness.main;
    int64_t extended_ns = k->readiness.extended_ns;
    k->readiness.main = (struct pri_process){0};
    k->readiness.extended_ns = 0;
    bool lives = k->main_watch >= 0 && !k->status_known && k->end_stage == PRI_END_NONE;
    if (main.pid != 0 && lives && !is_main(k, &main)) {
        pri_run_named(k, &main);
    }
    extend(&k->start_ns, extended_ns);
    extend(&k->end_ns, extended_ns);
}

void pri_run_hear(struct pri_keeper *k) {
    struct pri_tree tree = pri_run_tree(k);
    pri_readiness_hear(&k->readiness, &tree);
    take_said(k);
}

/* Of a service that a predecessor started: it goes on to notify. */
void pri_run_resume_notify(struct pri_keeper *k) {
    const char *name = k->pair->page->notify;
    if (name[0] != '\0' && pri_readiness_resume(&k->readiness, name) &&
        pri_poller_add(k->poller, k->readiness.waitable, PRI_TAG_READINESS) == 0) {
        k->readiness_polled = k->readiness.waitable;
    }
}

/* One step of the readiness machine, and what it wants to be woken by next. */
void pri_run_readiness(struct pri_keeper *k) {
    bool starting = k->machine.state == PRI_S_STARTING;
    if (k->launched.report >= 0 || (!starting && k->readiness_polled < 0) || awaits_steps(k)) {
        pri_run_hear(k); /* what is not taken would wake us again and again */
        return;
    }
    struct pri_tree tree = pri_run_tree(k);
    bool ready = pri_readiness_step(&k->readiness, &tree) == PRI_READINESS_READY;
    take_said(k);
    if (k->readiness.waitable != k->readiness_polled) {
        stop_polling_readiness(k);
        if (k->readiness.waitable >= 0 &&
            pri_poller_add(k->poller, k->readiness.waitable, PRI_TAG_READINESS) == 0) {
            k->readiness_polled = k->readiness.waitable;
        }
    }
    /* A dead one's end is on the way: what answered was not the service, or is no more. */
    bool runs =
        pri_process_alive(&k->pair->page->main) || pri_config_has_no_process(k->pair->config);
    if (ready && starting && runs && !k->readiness_done) {
        k->port_tries = 0;
        k->readiness_done = k->readiness_tidy = true;
        if (pri_config_plan(k->pair->config) != NULL) {
            pri_steps_run(k, PRI_STEPS_START_POST);
        } else {
            pri_run_start_done(k);
        }
    }
}

void pri_run_start_done(struct pri_keeper *k) {
    k->start_ns = PRI_NEVER;
    pri_start_forget(&k->start);
    k->pair->page->stop_due = true;
    PRI_CRASH_POINT("started, not published");
    pri_keeper_push(k, PRI_E_READY);
}

/*
 * After all have been told: what the readiness check had open is closed, which for a watched log
 * takes the kernel 10 ms. With "notify" it stays: later notifications find a reader, as
 * systemd-notify expects.
 */
void pri_run_tidy(struct pri_keeper *k) {
    if (k->readiness_tidy) {
        k->readiness_tidy = false;
        if (k->readiness.kind != PRI_READY_NOTIFY) {
            stop_polling_readiness(k);
            pri_readiness_stop(&k->readiness);
        }
    }
}

/* What the service requires has start timeouts of its own. */
static bool is_limited(const struct pri_keeper *k) {
    return k->pair->config->start_timeout_ms >= 0 && k->holder_told < 0;
}

/*
 * Without a start timeout a service that never gets ready would stay for ever when nobody waits for
 * it any more: the set is not looked after before it is up.
 */
void pri_run_limit_start(struct pri_keeper *k) {
    if (k->machine.state == PRI_S_STARTING && (k->start_ns == PRI_NEVER || !is_limited(k))) {
        k->start_ns = pri_deadline(pri_fault("hurry") ? 100 : UNWANTED_START_MS);
    }
}

static bool is_awaited(const struct pri_keeper *k) {
    return k->clients_in[CLIENT_ASKING] > 0 || k->clients_in[CLIENT_NEW] > 0 || k->old_count > 0 ||
           pri_counter_read(&k->counter, PRI_REG_REFS) > 0;
}

int64_t pri_run_start_end_ns(const struct pri_keeper *k) {
    return is_limited(k) || !is_awaited(k) ? k->start_ns : PRI_NEVER;
}

static void explain_start_timeout(const struct pri_keeper *k, procref_error *err) {
    const struct pri_config *config = k->pair->config;
    const char *ready = pri_config_text(config, config->ready);
    if (!is_limited(k)) {
        pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                 "the start of '%s' was given up: nobody waits for it", name_of(k));
    } else if (k->steps.running) {
        pri_steps_explain_timeout(k, "start", config->start_timeout_ms, err);
    } else {
        pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                 "'%s' was not ready (%s) within its start timeout of %lld ms", name_of(k),
                 ready != NULL ? ready : "running", (long long)config->start_timeout_ms);
    }
}

void pri_run_start_timeout(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    k->start_ns = PRI_NEVER;
    if (!is_limited(k) && is_awaited(k)) {
        pri_run_limit_start(k); /* nobody tells us when a holder goes, before it is up */
        return;
    }
    explain_start_timeout(k, &error);
    pri_outcome_keep(k, &error);
    pri_outcome_note(k, PRI_RESULT_TIMEOUT);
    k->machine.restart = pri_outcome_restarts(k, PRI_RESTART_TIMEOUT);
    pri_keeper_push(k, PRI_E_START_TIMEOUT);
}
