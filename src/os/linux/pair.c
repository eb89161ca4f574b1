/* A pair's processes and memory on Linux (os/pair.h). */
#include "os/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/table.h"
#include "os/linux/signals.h"
#include "os/spawn.h"

#ifndef PR_SET_TIMERSLACK
#define PR_SET_TIMERSLACK 29
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

/* Some of these can be raised back only with privilege; then they stay as the client had them. */
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
static void raise_files(uint64_t *ret_soft, uint64_t *ret_raised) {
    struct rlimit limit;
    *ret_soft = *ret_raised = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        *ret_soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        *ret_raised = setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : *ret_soft;
    }
}

/* The session and the descriptors are new since pri_spawn_pair(). */
bool pri_pair_shed(uint64_t *ret_files_soft, uint64_t *ret_files) {
    /* Whatever the client ignored (nohup: SIGHUP, Python: SIGPIPE) or blocked. */
    pri_signals_reset();
    /* A service may have a higher limit, and a log that is longer than we may write. */
    signal(SIGXFSZ, SIG_IGN);
    shed_priority();
    raise_files(ret_files_soft, ret_files);
    umask(022);
    prctl(PR_SET_NAME, "procref-keeper", 0, 0, 0);
    return chdir("/") == 0;
}

void pri_pair_adopt_orphans(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* The layout that set_robust_list(2) wants; the libcs' own lists are not used in the keeper. */
static struct {
    struct list {
        struct list *next;
    } list;
    long futex_offset;
    struct list *pending;
    struct list entry;
} robust;

void pri_pair_sign_life(_Atomic uint32_t *word) {
    robust.list.next = &robust.entry;
    robust.entry.next = &robust.list;
    robust.futex_offset = (long)((uintptr_t)word - (uintptr_t)&robust.entry);
    robust.pending = NULL;
    atomic_store(word, (uint32_t)syscall(SYS_gettid));
    syscall(SYS_set_robust_list, &robust, offsetof(__typeof__(robust), entry));
}

bool pri_pair_inherit(procref_waitable *ret_listener, const void **ret_config, size_t *ret_size) {
    int listens = 0;
    socklen_t size = sizeof listens;
    struct stat status;
    if (getsockopt(PRI_FD_LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens ||
        fstat(PRI_FD_CONFIG, &status) < 0 || status.st_size <= 0) {
        return false;
    }
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, PRI_FD_CONFIG, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    close(PRI_FD_CONFIG);
    fcntl(PRI_FD_LISTENER, F_SETFD, FD_CLOEXEC);
    *ret_listener = PRI_FD_LISTENER;
    *ret_config = memory;
    *ret_size = (size_t)status.st_size;
    return true;
}

void *pri_pair_share(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

/* A sealed memory file: a file that a client could truncate would kill the others with SIGBUS
 * (memfd_create(2)). */
struct pri_record *pri_record_make(procref_waitable *ret_page) {
    struct pri_record *record;
    int fd = memfd_create("procref-record", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0) {
        fd = memfd_create("procref-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0) {
        return NULL;
    }
    /*
     * A client that runs with its stdout closed may get the page as descriptor 1, and print into it
     * before it is mapped and closed. All share this one offset: at the end of a file that cannot
     * grow, write(2) fails.
     */
    if (ftruncate(fd, sizeof *record) < 0 || lseek(fd, 0, SEEK_END) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        goto close_fd;
    }
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (record == MAP_FAILED) {
        goto close_fd;
    }
    record->magic = PRI_RECORD_MAGIC;
    record->layout = PRI_RECORD_LAYOUT;
    *ret_page = fd;
    return record;

close_fd:
    close(fd);
    return NULL;
}

int pri_pipe_open(procref_waitable ret[2]) {
    return pipe2(ret, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : PROCREF_E_LIMIT;
}

int pri_pipe_take(procref_waitable pipe) {
    char byte;
    ssize_t got;
    do {
        got = read(pipe, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? PROCREF_E_AGAIN : (int)got;
}

int32_t pri_pair_fork(void) {
    return fork();
}

uint32_t pri_pair_wait(int *ret_status) {
    for (;;) {
        pid_t pid = waitpid(-1, ret_status, 0);
        if (pid > 0) {
            return (uint32_t)pid;
        }
        if (errno == ECHILD) {
            return 0;
        }
    }
}
