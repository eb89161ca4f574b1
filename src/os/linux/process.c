/*
 * Processes on Linux (os/process.h): the start time in /proc/PID/stat tells a pid's owner from its
 * next one, a pidfd holds the owner while it is signalled or watched. No libc wraps the pidfd calls
 * everywhere yet.
 */
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/linux/descriptor.h"
#include "os/linux/procfs.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* proc_pid_stat(5) */
enum { FIELD_PARENT = 4, FIELD_FLAGS = 9, FIELD_THREADS = 20, FIELD_START = 22 };
enum { EXITING = 0x4, KERNELS = 0x200000 }; /* PF_EXITING, PF_KTHREAD: linux/sched.h */

bool pri_proc_stat(uint32_t pid, struct pri_proc_stat *ret_stat) {
    char path[32], text[512]; /* the first 22 fields take at most 460 bytes */
    struct pri_proc_stat stat = {0};

    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
    if (pri_read_text(path, text, sizeof text) <= 0) {
        return false;
    }
    /* The program's name comes second, in parentheses, and may itself contain ") Z 1". */
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == '\0') {
        return false;
    }
    stat.state = at[2];
    at += 3;
    for (int field = FIELD_PARENT; field <= FIELD_START; field++) {
        char *end;
        long long value = strtoll(at, &end, 10);
        if (end == at) {
            return false;
        }
        at = end;
        if (field == FIELD_PARENT) {
            stat.parent = (uint32_t)value;
        } else if (field == FIELD_FLAGS) {
            stat.exiting = ((unsigned long long)value & EXITING) != 0;
            stat.is_kernels = ((unsigned long long)value & KERNELS) != 0;
        } else if (field == FIELD_THREADS) {
            stat.threads = (uint64_t)value;
        } else if (field == FIELD_START) {
            stat.start = (uint64_t)value;
        }
    }
    *ret_stat = stat;
    return true;
}

bool pri_proc_stat_alive(const struct pri_proc_stat *stat) {
    /* A process whose first thread has ended shows as a zombie while its other threads run on. */
    return stat->state != 'X' && !(stat->state == 'Z' && stat->threads <= 1);
}

struct pri_process pri_process_self(void) {
    struct pri_process self = {.pid = (uint32_t)getpid()};
    struct pri_proc_stat stat;
    if (pri_proc_stat(self.pid, &stat)) {
        self.start = stat.start;
    }
    return self;
}

bool pri_process_identify(uint32_t pid, struct pri_process *ret_process) {
    struct pri_proc_stat stat;
    if (pid == 0 || !pri_proc_stat(pid, &stat) || !pri_proc_stat_alive(&stat)) {
        return false;
    }
    *ret_process = (struct pri_process){.pid = pid, .start = stat.start};
    return true;
}

bool pri_process_alive(const struct pri_process *process) {
    struct pri_process now;
    return pri_process_identify(process->pid, &now) && now.start == process->start;
}

/* pidfd_open(2), which needs no right over the process: -1 with errno ESRCH if the pid is nobody's
 * or a mere thread's. A zombie has one too. */
static int open_pid(uint32_t pid) {
    if (pid == 0 || pid > INT32_MAX) {
        errno = ESRCH;
        return -1;
    }
    int fd = pri_descriptor_above_standard((int)syscall(SYS_pidfd_open, (pid_t)pid, 0));
    if (fd < 0 && (errno == EINVAL || errno == ENOENT)) {
        errno = ESRCH; /* EINVAL, and ENOENT of newer kernels: a thread that leads no process */
    }
    return fd; /* the kernel makes pidfds close-on-exec */
}

/*
 * A pidfd of that very process: -1 with errno ESRCH if it is dead. The process was there before the
 * pidfd was opened; if it is still there afterwards, nobody else can have had the pid in between.
 */
static int open_pidfd(const struct pri_process *process) {
    int fd = open_pid(process->pid);
    if (fd >= 0 && !pri_process_alive(process)) {
        close(fd);
        errno = ESRCH;
        return -1;
    }
    return fd;
}

procref_waitable pri_process_watch(const struct pri_process *process) {
    int fd = open_pidfd(process);
    if (fd < 0 && errno == ESRCH) {
        /* Readable at once and for ever, as a dead process's pidfd. */
        return pri_descriptor_above_standard(eventfd(1, EFD_CLOEXEC));
    }
    return fd;
}

bool pri_process_signal(const struct pri_process *process, int signal) {
    int fd = open_pidfd(process);
    if (fd < 0) {
        return false;
    }
    long result = syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    close(fd);
    return result == 0;
}

/* pidfd_open(2): readable once all its threads have ended, a zombie's at once. */
static bool has_ended(int fd) {
    struct pollfd event = {fd, POLLIN, 0};
    int ready;
    do {
        ready = poll(&event, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/*
 * Where no pidfd can be had: /proc, which may hide the processes of others (proc(5), hidepid) and
 * needs a descriptor too; then the process that the thread `pid` leads, be it a zombie's.
 */
static bool runs_without_pidfd(uint32_t pid) {
    struct pri_proc_stat stat;
    if (syscall(SYS_tgkill, (pid_t)pid, (pid_t)pid, 0) < 0 && errno != EPERM) {
        return false;
    }
    return !pri_proc_stat(pid, &stat) || pri_proc_stat_alive(&stat);
}

bool pri_process_runs(uint32_t pid) {
    int fd = open_pid(pid);
    if (fd < 0) {
        return errno != ESRCH && runs_without_pidfd(pid);
    }
    bool runs = !has_ended(fd);
    close(fd);
    return runs;
}

int pri_process_hold(uint32_t pid, procref_waitable *ret_held) {
    int fd = open_pid(pid);
    if (fd < 0) {
        switch (errno) {
        case ESRCH: return PROCREF_E_NOT_FOUND;
        case EMFILE:
        case ENFILE: return PROCREF_E_LIMIT;
        case ENOMEM: return PROCREF_E_NO_MEMORY;
        case ENOSYS:
        case EPERM: return PROCREF_E_UNSUPPORTED; /* a kernel before 5.3, or a sandbox's filter */
        default: return PROCREF_E_PLATFORM;
        }
    }
    if (has_ended(fd)) {
        close(fd);
        return PROCREF_E_NOT_FOUND;
    }
    *ret_held = fd;
    return 0;
}

static int signal_held(int fd, int signal) {
    if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0) {
        return 0;
    }
    return errno == ESRCH   ? PROCREF_E_NOT_FOUND
           : errno == EPERM ? PROCREF_E_PERMISSION
                            : PROCREF_E_PLATFORM;
}

int pri_process_held_end(procref_waitable held, enum pri_process_end how) {
    if (how == PRI_END_FORCED) {
        return signal_held(held, SIGKILL);
    }
    int code = signal_held(held, SIGTERM);
    if (code == 0) {
        signal_held(held, SIGCONT); /* never alone: kill(2) lets any process of the session do it */
    }
    return code;
}
