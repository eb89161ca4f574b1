/*
 * procref-keeper: what a pair does before it is one. It lets go of everything of the client that
 * spawned it, maps the configuration and makes the pages that keeper and standby share.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/table.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/folder.h"
#include "os/poller.h"
#include "os/spawn.h"

#ifndef PR_SET_TIMERSLACK
#define PR_SET_TIMERSLACK 29
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

enum { USAGE = 100 };

/* Signals: everything default and nothing blocked, whatever the client ignored (nohup: SIGHUP, Python: SIGPIPE). */
static void shed_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &action, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Priorities can be raised back only with privilege; then they stay as the client had them. */
static void shed_priority(void) {
    cpu_set_t all;
    struct sched_param normal = {0};
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    if (sched_getscheduler(0) != SCHED_OTHER) {
        sched_setscheduler(0, SCHED_OTHER, &normal);
    }
    setpriority(PRIO_PROCESS, 0, 0);
    prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t written = write(fd, "0", 1);
        (void)written;
        close(fd);
    }
}

/* Thousands of clients may wait at once, each a descriptor; the service gets the old limit back. */
static void raise_files(struct pri_pair *pair) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        pair->files_soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool map_config(struct pri_pair *pair) {
    struct stat status;
    if (fstat(PRI_FD_CONFIG, &status) < 0 || status.st_size <= 0) {
        return false;
    }
    size_t size = (size_t)status.st_size;
    const char *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, PRI_FD_CONFIG, 0);
    close(PRI_FD_CONFIG);
    if (memory == MAP_FAILED || !pri_config_valid(memory, size)) {
        return false;
    }
    pair->config = (const void *)memory;
    pair->environment = memory + pair->config->size;
    pair->environment_end = memory + size;
    return size == pair->config->size || memory[size - 1] == '\0';
}

/* The record page: sealed, so that no client can make it shorter under the others. */
static bool make_record(struct pri_pair *pair) {
    int fd = memfd_create("procref-record", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) {
        fd = memfd_create("procref-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0 || ftruncate(fd, sizeof *pair->record) < 0) {
        return false;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    void *memory = mmap(NULL, sizeof *pair->record, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    pair->record = memory;
    pair->record->magic = PRI_RECORD_MAGIC;
    pair->record->layout = PRI_LAYOUT_VERSION;
    pair->record_page = fd;
    return true;
}

static bool make_page(struct pri_pair *pair) {
    void *memory = mmap(NULL, sizeof *pair->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    pair->page = memory;
    return true;
}

static bool is_listener(void) {
    int listens = 0;
    socklen_t size = sizeof listens;
    return getsockopt(PRI_FD_LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

int main(int argc, char **argv) {
    static struct pri_pair pair;
    static const char usage[] = "procref-keeper " PROCREF_VERSION
                                ": started by libprocref, one pair for each running service; not by hand.\n";
    if (argc != 2 || argv[1][0] == '-' || !is_listener() || !map_config(&pair)) {
        ssize_t written = write(STDERR_FILENO, usage, sizeof usage - 1);
        (void)written;
        return USAGE;
    }
    pri_trace_begin("standby");
    PRI_TRACE("begins for '%s'", pair.config->ident.name);
    shed_signals();
    shed_priority();
    raise_files(&pair);
    umask(022);
    if (chdir("/") < 0) {
        return PRI_LOOP_CANNOT_SERVE;
    }
    prctl(PR_SET_NAME, "procref-keeper", 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pair.listener = PRI_FD_LISTENER;
    fcntl(pair.listener, F_SETFD, FD_CLOEXEC);
    pri_format(pair.token, sizeof pair.token, "PROCREF_TOKEN=%016llx",
               (unsigned long long)pair.config->ident.hash);
    if (!make_page(&pair) || !make_record(&pair) || pri_nudge_open(&pair.nudge) < 0) {
        return PRI_LOOP_CANNOT_SERVE;
    }
    PRI_CRASH_POINT("pair begins");
    pri_standby_run(&pair);
}
