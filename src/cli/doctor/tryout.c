/* doctor: the whole thing once. A client acquires a service and is killed; how long until the
 * service is gone? */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/sets.h"
#include "os/rendezvous.h"

enum { START_MS = 5000, STOP_MS = 5000, PAIR_MOST = 8 };

struct word {
    int code;
    uint32_t pid;
    char message[512];
};

static const char what[] = "a killed client's service";

/* The only client: acquires, tells, and waits to be killed. */
static _Noreturn void client(const char *folder, const char *name, int to) {
    static const char *const command[] = {"sleep", "1000", NULL};
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    procref_service *service = NULL;
    procref_handle *handle = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    struct word word = {0};
    config.name = name;
    config.base_dir = folder;
    config.command = command;
    word.code = procref_service_open(&config, &service, &error);
    if (word.code == 0) {
        word.code = procref_service_acquire(service, START_MS, &handle, &error);
    }
    if (word.code == 0) {
        word.pid = procref_handle_pid(handle);
    } else {
        snprintf(word.message, sizeof word.message, "%s", error.message);
    }
    ssize_t written = write(to, &word, sizeof word);
    while (written > 0 && word.code == 0) {
        pause();
    }
    _exit(0);
}

static bool hear(int from, struct word *ret) {
    struct pollfd event = {from, POLLIN, 0};
    int64_t deadline_ns = pri_deadline(START_MS + 2000);
    while (poll(&event, 1, pri_deadline_poll_ms(deadline_ns)) < 0 && errno == EINTR) {
    }
    return event.revents != 0 && read(from, ret, sizeof *ret) == (ssize_t)sizeof *ret;
}

static bool await_end(procref_waitable watch, int64_t deadline_ns) {
    struct pollfd event = {watch, POLLIN, 0};
    while (poll(&event, 1, pri_deadline_poll_ms(deadline_ns)) < 0 && errno == EINTR) {
    }
    return event.revents != 0;
}

/* Keeper and standby, and what else is of this service. */
static int watch_pair(uint64_t hash, procref_waitable watches[PAIR_MOST]) {
    struct doctor_marked *list;
    size_t count = doctor_scan(&list);
    int n = 0;
    for (size_t i = 0; i < count && n < PAIR_MOST; i++) {
        if (list[i].hash == hash && (watches[n] = pri_process_watch(&list[i].process)) >= 0) {
            n++;
        }
    }
    free(list);
    return n;
}

/* After a failure: waits a little for the keepers to end as they do, then leaves nothing. */
static void clear_away(const struct pri_ident *ident) {
    struct pri_counter counter;
    procref_waitable pair[PAIR_MOST];
    struct doctor_marked *list;
    int64_t deadline_ns = pri_deadline(5000);
    int n = watch_pair(ident->hash, pair);
    for (int i = 0; i < n; i++) {
        await_end(pair[i], deadline_ns);
        pri_link_close(pair[i]);
    }
    bool found = n > 0;
    for (int round = 0; round < 3; round++) {
        size_t count = doctor_scan(&list);
        for (size_t i = 0; i < count; i++) {
            if (list[i].hash != ident->hash) {
                continue;
            }
            found = true;
            if (!pri_process_signal(&list[i].process, SIGKILL) &&
                pri_process_alive(&list[i].process)) {
                kill((pid_t)list[i].process.pid, SIGKILL); /* no pidfd here, as told above */
            }
        }
        free(list);
    }
    if (found && pri_counter_find(ident, &counter, NULL) == 0) {
        pri_counter_remove(&counter);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at) {
    (void)status, (void)type, (void)at;
    return remove(path);
}

static void measure(pid_t child, const struct pri_ident *ident, uint32_t pid) {
    struct pri_process service;
    struct pri_counter counter;
    procref_waitable pair[PAIR_MOST], watch = -1;
    int status, n = watch_pair(ident->hash, pair);
    if (!pri_process_identify(pid, &service) || (watch = pri_process_watch(&service)) < 0) {
        doctor_say(DOCTOR_FAIL, what, "cannot be watched (pid %u); see pidfd above", (unsigned)pid);
        kill(child, SIGKILL);
    } else {
        int64_t killed_ns = pri_clock_ns(), deadline_ns = pri_deadline(STOP_MS);
        kill(child, SIGKILL);
        bool gone = await_end(watch, deadline_ns);
        double ms = (double)(pri_clock_ns() - killed_ns) / 1e6;
        for (int i = 0; i < n; i++) {
            gone = gone && await_end(pair[i], deadline_ns);
        }
        if (!gone) {
            doctor_say(DOCTOR_FAIL, what,
                       "was not gone %d s after the kill of its only client; run it with "
                       "PROCREF_TRACE=FILE and report that file",
                       STOP_MS / 1000);
        } else if (pri_counter_find(ident, &counter, NULL) == 0) {
            doctor_say(DOCTOR_FAIL, what, "left its semaphore set %d; ipcrm -s %d, and report it",
                       counter.id, counter.id);
        } else {
            doctor_say(DOCTOR_OK, what, "was stopped %.1f ms after kill -9, nothing is left", ms);
        }
        pri_link_close(watch);
    }
    doctor_await(child, pri_deadline(1000), &status);
    for (int i = 0; i < n; i++) {
        pri_link_close(pair[i]);
    }
}

static void try_in(const char *folder, const char *name) {
    struct word word = {0};
    struct pri_ident ident;
    char scope[PRI_PATH_SIZE];
    int pipes[2], status;
    if (realpath(folder, scope) == NULL || pipe2(pipes, O_CLOEXEC) < 0) {
        doctor_say(DOCTOR_FAIL, what, "cannot be tried: %s", strerror(errno));
        return;
    }
    pri_ident_make(&ident, pri_own_user(), scope, name);
    pid_t child = doctor_fork();
    if (child == 0) {
        client(folder, name, pipes[1]);
    }
    close(pipes[1]);
    if (child < 0) {
        doctor_say(DOCTOR_FAIL, what, "cannot be tried: fork: %s; see ulimit -u", strerror(errno));
    } else if (!hear(pipes[0], &word)) {
        doctor_say(DOCTOR_FAIL, what,
                   "no service could be had within %d s, and nobody said why; run it with "
                   "PROCREF_TRACE=FILE and report that file",
                   START_MS / 1000);
        doctor_await(child, 0, &status);
    } else if (word.code < 0) {
        doctor_say(DOCTOR_FAIL, what,
                   "no service could be had: %s; if no FAIL above explains it, run it with "
                   "PROCREF_TRACE=FILE and report that file",
                   word.message);
        doctor_await(child, pri_deadline(1000), &status);
    } else {
        measure(child, &ident, word.pid);
    }
    close(pipes[0]);
    clear_away(&ident);
}

void doctor_tryout(void) {
    const char *tmp = getenv("TMPDIR");
    char folder[PRI_PATH_SIZE], name[64];
    snprintf(folder, sizeof folder, "%s/procref-doctor-XXXXXX", tmp != NULL ? tmp : "/tmp");
    snprintf(name, sizeof name, "doctor-%d", (int)getpid());
    if (!doctor_known->sets_work) { /* a keeper would leave one */
        doctor_say(DOCTOR_FAIL, what, "was not tried; see semaphores with undo above");
        return;
    }
    if (mkdtemp(folder) == NULL) {
        doctor_say(DOCTOR_WARN, what, "was not tried, %s cannot be made (%s); set TMPDIR", folder,
                   strerror(errno));
        return;
    }
    try_in(folder, name);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
