/* Starting and watching the service's processes; end.c ends them. When to do which is decided in
 * machine.c. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

enum { PORT_TRIES = 5, STATUS_WAIT_MS = 200, UNWANTED_START_MS = 30000 };

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

void pri_run_hint(struct pri_keeper *k, const char *phase) {
    const struct pri_page *page = k->pair->page;
    struct pri_hint hint = {.key = k->pair->config->ident.hash,
                            .generation = k->machine.generation,
                            .process = page->main,
                            .port = page->port,
                            .since_ms = page->since_ms};
    pri_format(hint.phase, sizeof hint.phase, "%s", phase);
    memcpy(hint.parts, page->parts, sizeof hint.parts);
    const struct pri_record *record = k->pair->record;
    if (k->dir >= 0 && pri_config_has_callbacks(k->pair->config) && record->metadata_size > 0 &&
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

/* ---- Ports ----------------------------------------------------------------------------------- */

static bool wants_port(const struct pri_config *config) {
    const struct pri_plan_block *plan = pri_config_plan(config);
    if (plan != NULL) {
        return plan->wants_port;
    }
    const char *ready = pri_config_text(config, config->ready);
    if (ready != NULL && (strcmp(ready, "tcp") == 0 || strstr(ready, "${PORT}") != NULL)) {
        return true;
    }
    const char *text = pri_config_text(config, config->command);
    for (uint32_t i = 0; i < config->command_count; i++, text = pri_config_next(text)) {
        if (strstr(text, "${PORT}") != NULL) {
            return true;
        }
    }
    text = pri_config_text(config, config->environment);
    for (uint32_t i = 0; i < config->environment_count; i++, text = pri_config_next(text)) {
        if (strstr(text, "${PORT}") != NULL) {
            return true;
        }
    }
    return false;
}

static bool port_is_picked(const struct pri_keeper *k) {
    return k->pair->config->port == 0 && k->port != 0;
}

/* One that is started anew keeps its port while that is free: its holders have it in their
 * environment. */
static bool port_stays(const struct pri_keeper *k) {
    const struct pri_page *page = k->pair->page;
    return page->port != 0 && k->port_tries == 0 &&
           memcmp(page->parts, k->pair->config->parts, sizeof page->parts) == 0 &&
           !pri_port_is_taken(page->port);
}

static void pick_port(struct pri_keeper *k) {
    k->port = k->pair->config->port;
    if (k->port == 0 && wants_port(k->pair->config)) {
        k->port = port_stays(k) ? k->pair->page->port : pri_port_pick();
    }
}

/* The service ended before it was ready: because somebody else took the port that we had picked? */
static bool port_was_lost(const struct pri_keeper *k) {
    return port_is_picked(k) && k->port_tries + 1 < PORT_TRIES && pri_port_is_taken(k->port);
}

/* ---- Start ----------------------------------------------------------------------------------- */

static const char *appends_to(const struct pri_plan_block *plan, uint32_t where) {
    const char *text = pri_plan_text(plan, where);
    return text != NULL && strncmp(text, "append:", 7) == 0 ? text + 7 : NULL;
}

/* The file in which the service's last words are, if that is not the log; NULL. Of one that is
 * written over nobody knows where they are. */
static const char *appended_file(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (plan == NULL) {
        return NULL;
    }
    const char *errors = appends_to(plan, plan->error);
    return errors != NULL     ? errors
           : plan->error != 0 ? NULL /* the log, or what has no last lines */
                              : appends_to(plan, plan->output);
}

static void keep_error(struct pri_keeper *k, const procref_error *error) {
    const char *file = appended_file(k);
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
void pri_run_say(struct pri_keeper *k, const procref_error *error) {
    PRI_TRACE("%s", error->message);
    if (k->log_open && uses_log(pri_config_plan(k->pair->config))) {
        pri_log_say(&k->log, error->message);
    }
}

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
    pri_run_note(k, PRI_RESULT_EXIT_CODE);
    k->machine.restart = pri_run_restarts(k, PRI_RESTART_UNCLEAN);
    keep_error(k, error);
    pri_keeper_push(k, PRI_E_LAUNCH_FAILED);
}

/* With a plan other processes come first, and a successor must know that something had begun. */
static void begin_plan(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    page->post_due = true;
    page->stop_due = false;
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
    k->start_ns = pri_deadline(config->start_timeout_ms);
    pri_run_open_files(k);
    pri_log_mark(&k->log);
    const char *file = appended_file(k);
    k->pair->page->appended_start = file != NULL ? pri_log_file_length(file) : 0;
    pick_port(k);
    if (pri_config_plan(config) != NULL) {
        begin_plan(k);
    } else {
        pri_run_launch_main(k);
    }
}

static const struct pri_plan_step *main_step(const struct pri_plan_block *plan) {
    for (uint32_t i = 0; plan != NULL && i < plan->step_count; i++) {
        if (pri_plan_step(plan, i)->list == PRI_STEPS_START) {
            return pri_plan_step(plan, i);
        }
    }
    return NULL;
}

/* The arguments, environment and readiness check of a start. */
static int prepare_start(struct pri_keeper *k, procref_error *err) {
    struct pri_start *s = &k->start;
    char notify[PRI_NOTIFY_SIZE - 16] = "", log[64];
    struct pri_start_of what = {.step = main_step(pri_config_plan(k->pair->config))};
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

/* The service's own process, when all that comes before it is done. */
void pri_run_launch_main(struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    procref_error error = PROCREF_ERROR_INIT;
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
    k->pair->page->main = *process;
    pri_run_hint(k, "starting");
    pri_run_watch_main(k);
    PRI_TRACE("the service is %u", (unsigned)process->pid);
}

/* The callback returned 0, with this process. One that has ended is not taken for running. */
void pri_run_started(struct pri_keeper *k, const struct pri_process *process) {
    const struct pri_process *main = &k->pair->page->main;
    if (process->pid != main->pid || process->start != main->start) {
        pri_run_named(k, process); /* on_recover named none: it is the old one */
    }
    if (k->main_watch >= 0 && !pri_run_is_alive(k)) {
        pri_run_main_ended(k);
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
            (plan->type == PRI_TYPE_FORKING && !k->forked));
}

/* When the readiness check wants its next step. Before there is anything to check, never: what ends
 * that wait is an event. */
int64_t pri_run_readiness_ns(const struct pri_keeper *k) {
    bool waits = k->machine.state != PRI_S_STARTING || k->launched.report >= 0 || awaits_steps(k);
    return waits ? PRI_NEVER : k->readiness.next_ns;
}

/* One step of the readiness machine, and what it wants to be woken by next. */
void pri_run_readiness(struct pri_keeper *k) {
    bool starting = k->machine.state == PRI_S_STARTING;
    if (k->launched.report >= 0 || (!starting && k->readiness_polled < 0) || awaits_steps(k)) {
        return;
    }
    struct pri_tree tree = pri_run_tree(k);
    bool ready = pri_readiness_step(&k->readiness, &tree) == PRI_READINESS_READY;
    if (k->readiness.waitable != k->readiness_polled) {
        stop_polling_readiness(k);
        if (k->readiness.waitable >= 0 &&
            pri_poller_add(k->poller, k->readiness.waitable, PRI_TAG_READINESS) == 0) {
            k->readiness_polled = k->readiness.waitable;
        }
    }
    /* A dead one's end is on the way: what answered was not the service, or is no more. */
    bool runs = pri_process_alive(&tree.main) || pri_config_has_no_process(k->pair->config);
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

/*
 * Without a start timeout a service that never gets ready would stay for ever when nobody waits for
 * it any more: nobody holds it, so no count reaches zero.
 */
void pri_run_limit_start(struct pri_keeper *k) {
    if (k->machine.state == PRI_S_STARTING && k->start_ns == PRI_NEVER) {
        k->start_ns = pri_deadline(pri_fault("hurry") ? 100 : UNWANTED_START_MS);
    }
}

static bool is_awaited(const struct pri_keeper *k) {
    return pri_clients_count(k, CLIENT_ASKING) > 0 || pri_clients_count(k, CLIENT_NEW) > 0 ||
           pri_counter_read(&k->counter, PRI_REG_REFS) > 0;
}

void pri_run_start_timeout(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_config *config = k->pair->config;
    const char *ready = pri_config_text(config, config->ready);
    k->start_ns = PRI_NEVER;
    if (config->start_timeout_ms < 0 && is_awaited(k)) {
        return; /* somebody came since */
    }
    pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
             "'%s' was not ready (%s) within its start timeout of %lld ms", name_of(k),
             ready != NULL ? ready : "running", (long long)config->start_timeout_ms);
    keep_error(k, &error);
    pri_run_note(k, PRI_RESULT_TIMEOUT);
    k->machine.restart = pri_run_restarts(k, PRI_RESTART_TIMEOUT);
    pri_keeper_push(k, PRI_E_START_TIMEOUT);
}

/* ---- The service ends by itself -------------------------------------------------------------- */

void pri_run_note(struct pri_keeper *k, enum pri_result result) {
    struct pri_page *page = k->pair->page;
    page->result = page->result == PRI_RESULT_SUCCESS ? result : page->result;
}

/* Asked to or not: also who ends uncleanly when it is stopped has failed. */
void pri_run_note_end(struct pri_keeper *k, int status) {
    if (!pri_run_is_clean(k, status)) {
        pri_run_note(k, WIFEXITED(status)   ? PRI_RESULT_EXIT_CODE
                        : WCOREDUMP(status) ? PRI_RESULT_CORE_DUMP
                                            : PRI_RESULT_SIGNAL);
    }
}

/* Of the service's own process, of which a `-` in the service file says that it cannot fail. */
static bool main_ended_well(const struct pri_keeper *k, int status) {
    const struct pri_plan_step *step = main_step(pri_config_plan(k->pair->config));
    return (step != NULL && (step->flags & PRI_STEP_IGNORE) != 0) || pri_run_is_clean(k, status);
}

static void know_status(struct pri_keeper *k, int status) {
    k->status_known = true;
    k->status = status;
    if (!main_ended_well(k, status)) {
        pri_run_note_end(k, status);
    }
}

void pri_run_reap(struct pri_keeper *k) {
    uint32_t pid;
    int status;
    pri_children_drain(k->children);
    while (pri_children_reap(&pid, &status)) {
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

void pri_run_describe_end(bool known, int status, char *to, size_t size) {
    if (!known) {
        pri_format(to, size, "it is gone");
    } else if (WIFEXITED(status)) {
        pri_format(to, size, "it exited with status %d", WEXITSTATUS(status));
    } else {
        pri_format(to, size, "it was killed by signal %d (%s)", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
    }
}

/* By systemd.service(5), SuccessExitStatus=: four signals count as a clean end of a service's
 * process. */
bool pri_run_is_clean(const struct pri_keeper *k, int status) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (WIFEXITED(status)) {
        unsigned code = (unsigned)WEXITSTATUS(status);
        return code == 0 ||
               (plan != NULL && (plan->success_codes[code / 64] >> (code % 64) & 1) != 0);
    }
    if (plan == NULL) {
        return false;
    }
    int signal = WTERMSIG(status);
    return (plan->success_signals >> (signal & 63) & 1) != 0 || signal == SIGHUP ||
           signal == SIGINT || signal == SIGTERM || signal == SIGPIPE;
}

/* how: one of PRI_RESTART_…, which a plan may name; else the configuration's policy counts. */
bool pri_run_restarts(const struct pri_keeper *k, uint32_t how) {
    const struct pri_config *config = k->pair->config;
    const struct pri_plan_block *plan = pri_config_plan(config);
    if (pri_config_has_callbacks(config)) {
        return false;
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
    pri_run_describe_end(k->status_known, k->status, how, sizeof how);
    PRI_TRACE("the service ended: %s", how);
    if (starting && clean && pri_forking_parent_ended(k)) {
        return;
    }
    pri_fail(&error, PROCREF_E_SERVICE_START, 0, "", "'%s' ended %s: %s", name_of(k),
             starting ? "before it was ready" : "while it was held", how);
    keep_error(k, &error);
    if (!clean) {
        k->pair->page->stop_due = false; /* ExecStop= is for what runs or ended well */
    }
    k->machine.restart = pri_run_restarts(k, how_it_ended(k, clean && !starting));
    if (starting && port_was_lost(k)) {
        PRI_TRACE("port %u was taken by somebody else", (unsigned)k->port);
        k->port_tries++;
        pri_keeper_push(k, PRI_E_PORT_LOST);
    } else {
        pri_keeper_push(k, PRI_E_DIED);
    }
}

/* It runs, but cannot go on. */
void pri_run_lost(struct pri_keeper *k, const procref_error *error) {
    keep_error(k, error);
    k->machine.restart = true;
    pri_keeper_push(k, PRI_E_DIED);
}

/* Its status is ours if it is our child; else the standby reaps it and nudges us. */
void pri_run_status(struct pri_keeper *k) {
    if (k->status_ns == PRI_NEVER) {
        return;
    }
    pri_run_reap(k);
    bool nobody_tells = k->pair->standby == 0 || pri_config_has_callbacks(k->pair->config);
    if (k->status_known || nobody_tells || pri_clock_ns() >= k->status_ns) {
        main_died(k);
    }
}

/*
 * The first process ended: because we end the tree, or by itself; then its status says how. A
 * client may have named another in the same batch of events: then the end was its predecessor's.
 */
void pri_run_main_ended(struct pri_keeper *k) {
    if (k->main_watch < 0 || !pri_link_wait(k->main_watch, 0)) {
        return;
    }
    bool ending = k->end_stage != PRI_END_NONE; /* the last step of that may be reaped here, too */
    pri_run_unwatch_main(k);
    pri_run_reap(k);
    if (ending) {
        pri_run_end_step(k, false);
        return;
    }
    k->status_ns = pri_deadline(STATUS_WAIT_MS);
    pri_run_status(k);
}
