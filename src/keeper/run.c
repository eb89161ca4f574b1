/* Starting, watching and ending the service's processes. When to do which is decided in machine.c.
 */
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

static void pick_port(struct pri_keeper *k) {
    k->port = k->pair->config->port;
    if (k->port == 0 && wants_port(k->pair->config)) {
        k->port = pri_port_pick();
    }
}

/* The service ended before it was ready: because somebody else took the port that we had picked? */
static bool port_was_lost(const struct pri_keeper *k) {
    return port_is_picked(k) && k->port_tries + 1 < PORT_TRIES && pri_port_is_taken(k->port);
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void keep_error(struct pri_keeper *k, const procref_error *error) {
    pri_fail_copy(&k->error, error);
    if (k->log_open && error->detail[0] == '\0') {
        size_t length = pri_log_tail(&k->log, k->error.detail, sizeof k->error.detail);
        k->error.detail[length] = '\0';
    }
    PRI_TRACE("error kept: %s", k->error.message);
}

static void stop_polling_readiness(struct pri_keeper *k) {
    if (k->readiness_polled >= 0) {
        pri_poller_remove(k->poller, k->readiness_polled);
        k->readiness_polled = -1;
    }
}

/* All that only the start needed. */
void pri_run_forget_start(struct pri_keeper *k) {
    stop_polling_readiness(k);
    pri_readiness_stop(&k->readiness);
    if (k->launched.report >= 0) {
        pri_poller_remove(k->poller, k->launched.report);
    }
    pri_launch_forget(&k->launched);
    pri_start_forget(k);
    k->start_ns = PRI_NEVER;
}

static void unwatch_main(struct pri_keeper *k) {
    if (k->main_watch >= 0) {
        pri_poller_remove(k->poller, k->main_watch);
        pri_link_close(k->main_watch);
        k->main_watch = -1;
    }
}

/* Its end is an event from now on. Dead already: the event comes at once. */
void pri_run_watch_main(struct pri_keeper *k) {
    unwatch_main(k);
    if (k->pair->page->main.pid == 0) {
        return; /* a service without a process */
    }
    k->main_watch = pri_process_watch(&k->pair->page->main);
    if (k->main_watch < 0 || pri_poller_add(k->poller, k->main_watch, PRI_TAG_MAIN) < 0) {
        pri_keeper_push(k, PRI_E_DIED);
    }
}

/* On record first, in the page and then the hint; only then does it run. */
static void record_start(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    page->main = k->launched.process;
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

static void launch_failed(struct pri_keeper *k, const procref_error *error) {
    k->launch_failed = true;
    keep_error(k, error);
    pri_keeper_push(k, PRI_E_LAUNCH_FAILED);
}

void pri_run_launch(struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_start s;
    char notify[PRI_NOTIFY_SIZE - 16] = "", log[64];

    pri_run_forget_start(k);
    unwatch_main(k);
    k->pair->page->main = (struct pri_process){0};
    k->status_known = k->launch_failed = false;
    pri_run_open_files(k);
    pri_log_mark(&k->log);
    pick_port(k);
    if (!pri_start_make(k, &s)) {
        pri_fail(&error, PROCREF_E_NO_MEMORY, 0, "mmap", "no memory to start '%s'", name_of(k));
        launch_failed(k, &error);
        return;
    }
    pri_format(log, sizeof log, "/proc/self/fd/%d", k->log.fd);
    if (pri_readiness_start(&k->readiness, s.ready, k->port, log, k->log.start, s.envp, s.dir,
                            notify, &error) < 0) {
        launch_failed(k, &error);
        return;
    }
    if (notify[0] != '\0') {
        size_t count = 0;
        while (s.envp[count] != NULL) {
            count++;
        }
        pri_format(s.notify, PRI_NOTIFY_SIZE, "NOTIFY_SOCKET=%s", notify);
        s.envp[count] = s.notify;
    }
    struct pri_launch launch = {.argv = s.argv,
                                .envp = s.envp,
                                .dir = s.dir,
                                .output = k->log.fd,
                                .files_soft = k->pair->files_soft};
    if (pri_launch_prepare(&launch, &k->launched, &error) < 0) {
        launch_failed(k, &error);
        return;
    }
    PRI_CRASH_POINT("forked, not recorded");
    record_start(k);
    PRI_CRASH_POINT("recorded, not told to go");
    pri_run_watch_main(k);
    pri_launch_go(&k->launched);
    PRI_CRASH_POINT("told to go");
    PRI_TRACE("launches '%s' as %u, port %u, generation %u", name_of(k),
              (unsigned)k->launched.process.pid, (unsigned)k->port,
              (unsigned)k->machine.generation);
    pri_poller_add(k->poller, k->launched.report, PRI_TAG_REPORT);
    k->start_ns = pri_deadline(config->start_timeout_ms);
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
        launch_failed(k, &error);
        return;
    }
    pri_run_readiness(k);
}

/* ---- Callbacks: started by a client ---------------------------------------------------------- */

/* False as soon as its process has ended, though the event may not have come yet. */
bool pri_run_is_alive(const struct pri_keeper *k) {
    if (k->pair->page->main.pid == 0 && pri_config_has_callbacks(k->pair->config)) {
        return true;
    }
    return k->main_watch >= 0 && !pri_link_wait(k->main_watch, 0);
}

/* A client is about to be told to start it. What it is to recover stays on record until it names
 * another. */
void pri_run_record_election(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    if (!page->recovers || !pri_process_alive(&page->main)) {
        unwatch_main(k);
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

/* One step of the readiness machine, and what it wants to be woken by next. */
void pri_run_readiness(struct pri_keeper *k) {
    bool starting = k->machine.state == PRI_S_STARTING;
    if (k->launched.report >= 0 || (!starting && k->readiness_polled < 0)) {
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
    if (ready && starting && pri_process_alive(&tree.main)) {
        k->port_tries = 0;
        k->start_ns = PRI_NEVER;
        pri_start_forget(k);
        k->readiness_done = true;
        pri_keeper_push(k, PRI_E_READY);
    }
}

/*
 * After all have been told: what the readiness check had open is closed, which for a watched log
 * takes the kernel 10 ms. With "notify" it stays: later notifications find a reader, as
 * systemd-notify expects.
 */
void pri_run_tidy(struct pri_keeper *k) {
    if (k->readiness_done) {
        k->readiness_done = false;
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
    pri_keeper_push(k, PRI_E_START_TIMEOUT);
}

/* ---- The service ends by itself -------------------------------------------------------------- */

void pri_run_reap(struct pri_keeper *k) {
    uint32_t pid;
    int status;
    pri_children_drain(k->children);
    while (pri_children_reap(&pid, &status)) {
        PRI_TRACE("reaps %u, status %d", (unsigned)pid, status);
        pri_readiness_reaped(&k->readiness, pid, status);
        if (pid == k->pair->page->main.pid && !k->status_known) {
            k->status_known = true;
            k->status = status;
        }
    }
    const struct pri_page *page = k->pair->page;
    if (!k->status_known && page->main.pid != 0 &&
        atomic_load(&page->reaped_pid) == page->main.pid) {
        k->status_known = true;
        k->status = atomic_load(&page->reaped_status);
    }
}

static void describe_end(const struct pri_keeper *k, char *to, size_t size) {
    if (!k->status_known) {
        pri_format(to, size, "it is gone");
    } else if (WIFEXITED(k->status)) {
        pri_format(to, size, "it exited with status %d", WEXITSTATUS(k->status));
    } else {
        pri_format(to, size, "it was killed by signal %d (%s)", WTERMSIG(k->status),
                   strsignal(WTERMSIG(k->status)));
    }
}

static void main_died(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    char how[96];
    const struct pri_config *config = k->pair->config;
    bool starting = k->machine.state == PRI_S_STARTING || k->machine.state == PRI_S_ELECTED;
    k->status_ns = PRI_NEVER;
    if (k->launched.report >= 0) {
        pri_run_report(k); /* that it could not be run says more than its exit status */
    }
    if (k->launch_failed) {
        return;
    }
    describe_end(k, how, sizeof how);
    PRI_TRACE("the service ended: %s", how);
    pri_fail(&error, PROCREF_E_SERVICE_START, 0, "", "'%s' ended %s: %s", name_of(k),
             starting ? "before it was ready" : "while it was held", how);
    keep_error(k, &error);
    bool success = k->status_known && WIFEXITED(k->status) && WEXITSTATUS(k->status) == 0;
    k->machine.restart =
        !pri_config_has_callbacks(config) &&
        (config->restart == PROCREF_RESTART_ALWAYS ||
         (config->restart == PROCREF_RESTART_ON_FAILURE && (!success || starting)));
    if (starting && port_was_lost(k)) {
        PRI_TRACE("port %u was taken by somebody else", (unsigned)k->port);
        k->port_tries++;
        pri_keeper_push(k, PRI_E_PORT_LOST);
    } else {
        pri_keeper_push(k, PRI_E_DIED);
    }
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
    unwatch_main(k);
    pri_run_reap(k);
    if (k->end_stage != PRI_END_NONE) {
        pri_run_end_step(k, false);
        return;
    }
    k->status_ns = pri_deadline(STATUS_WAIT_MS);
    pri_run_status(k);
}

/* ---- We end it ------------------------------------------------------------------------------- */

static void unwatch_end(struct pri_keeper *k) {
    if (k->end_watch >= 0) {
        pri_poller_remove(k->poller, k->end_watch);
        pri_link_close(k->end_watch);
        k->end_watch = -1;
    }
}

static void signal_main(struct pri_keeper *k, int signal) {
    const struct pri_process *main = &k->pair->page->main;
    if (pri_process_signal(main, signal)) {
        PRI_TRACE("signal %d to %u", signal, (unsigned)main->pid);
        pri_process_signal(main, SIGCONT); /* a stopped process would not see it */
    }
}

/*
 * A client's process is not below us: when it ends, its children go to somebody else. So they are
 * looked for while it lives, again and again, and those that were found are remembered.
 */
void pri_run_find_roots(struct pri_keeper *k) {
    enum { ROOTS_MOST = 1024 };
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

static void forget_roots(struct pri_keeper *k) {
    free(k->roots);
    k->roots = NULL;
    k->roots_count = 0;
}

/* The first process is asked first, so that it can end its own; what it leaves is asked next; then
 * comes SIGKILL. */
void pri_run_end_tree(struct pri_keeper *k) {
    const struct pri_config *config = k->pair->config;
    pri_run_forget_start(k);
    k->status_ns = PRI_NEVER;
    bool scattered = k->pair->page->scattered && !pri_config_has_callbacks(config);
    if (k->pair->page->main.pid == 0 && !scattered && k->roots == NULL &&
        !(has_old(k->pair->page) && pri_process_alive(&k->pair->page->old))) {
        pri_keeper_push(k, PRI_E_TREE_GONE); /* nothing has run yet */
        return;
    }
    k->end_ns = pri_deadline(config->stop_timeout_ms);
    k->end_stage = PRI_END_MAIN;
    pri_run_find_roots(k);
    if (pri_process_alive(&k->pair->page->main)) {
        if (k->main_watch < 0) {
            pri_run_watch_main(k);
        }
        signal_main(k, config->stop_signal);
        PRI_CRASH_POINT("asked to stop");
    }
    pri_run_end_step(k, false);
}

static void await_one(struct pri_keeper *k, const struct pri_process *one) {
    unwatch_end(k);
    k->end_watch = pri_process_watch(one);
    if (k->end_watch < 0 || pri_poller_add(k->poller, k->end_watch, PRI_TAG_END) < 0) {
        k->look_ns = pri_deadline(STATUS_WAIT_MS); /* no descriptor to be told by */
    }
}

void pri_run_end_step(struct pri_keeper *k, bool timed_out) {
    struct pri_process one = {0};
    int signal = 0;

    if (k->end_stage == PRI_END_NONE) {
        return;
    }
    pri_run_find_roots(k);
    struct pri_tree tree = pri_run_tree(k);
    if (timed_out) {
        PRI_TRACE("it did not end in time: SIGKILL");
        k->end_stage = PRI_END_KILL;
        k->end_ns = PRI_NEVER;
    } else if (k->end_stage == PRI_END_MAIN) {
        if (pri_process_alive(&tree.main)) {
            return; /* its watch wakes us */
        }
        k->end_stage = PRI_END_REST;
        signal = k->pair->config->stop_signal;
    }
    if (k->end_stage == PRI_END_KILL) {
        signal = SIGKILL;
    }
    int left = pri_tree_signal(&tree, PRI_TREE_ALL, signal, &one);
    PRI_TRACE("signal %d to the tree: %d left", signal, left);
    if (left > 0) {
        await_one(k, &one);
        return;
    }
    unwatch_end(k);
    unwatch_main(k);
    pri_run_reap(k);
    forget_roots(k);
    k->end_stage = PRI_END_NONE;
    k->end_ns = PRI_NEVER;
    pri_keeper_push(k, PRI_E_TREE_GONE);
}
