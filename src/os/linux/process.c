/*
 * Processes on Linux (os/process.h): the start time in /proc/PID/stat tells a pid's owner from its
 * next one, a pidfd holds the owner while it is signalled or watched. No libc wraps the pidfd calls
 * everywhere yet.
 */
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/linux/procfs.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { FIELD_PARENT = 4, FIELD_THREADS = 20, FIELD_START = 22 }; /* proc_pid_stat(5) */

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

/*
 * A pidfd of that very process: -1 with errno ESRCH if it is dead. The process was there before the
 * pidfd was opened; if it is still there afterwards, nobody else can have had the pid in between.
 */
static int open_pidfd(const struct pri_process *process) {
    if (process->pid == 0 || process->pid > INT32_MAX) {
        errno = ESRCH;
        return -1;
    }
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)process->pid, 0);
    if (fd < 0) {
        /* EINVAL, and ENOENT of newer kernels: the pid is now a mere thread's. */
        errno = errno == EINVAL || errno == ENOENT ? ESRCH : errno;
        return -1;
    }
    if (!pri_process_alive(process)) {
        close(fd);
        errno = ESRCH;
        return -1;
    }
    return fd; /* the kernel makes pidfds close-on-exec */
}

procref_waitable pri_process_watch(const struct pri_process *process) {
    int fd = open_pidfd(process);
    if (fd < 0 && errno == ESRCH) {
        return eventfd(1,
                       EFD_CLOEXEC); /* readable at once and for ever, as a dead process's pidfd */
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
