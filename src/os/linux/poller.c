/* Waiting for many things at once on Linux: epoll, signalfd for children, eventfd for a nudge. */
#include "os/poller.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/linux/descriptor.h"

static int code_of(int os) {
    return os == ENOMEM ? PROCREF_E_NO_MEMORY : PROCREF_E_LIMIT;
}

int pri_poller_open(procref_waitable *ret_poller) {
    int poller = pri_descriptor_above_standard(epoll_create1(EPOLL_CLOEXEC));
    if (poller < 0) {
        return code_of(errno);
    }
    *ret_poller = poller;
    return 0;
}

int pri_poller_add(procref_waitable poller, procref_waitable waitable, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(poller, EPOLL_CTL_ADD, waitable, &event) == 0 ? 0 : code_of(errno);
}

void pri_poller_remove(procref_waitable poller, procref_waitable waitable) {
    struct epoll_event event = {0};
    epoll_ctl(poller, EPOLL_CTL_DEL, waitable, &event);
}

int pri_poller_wait(procref_waitable poller, int64_t deadline_ns,
                    uint64_t ret_tags[PRI_POLLER_EVENTS]) {
    struct epoll_event events[PRI_POLLER_EVENTS];
    int count = epoll_wait(poller, events, PRI_POLLER_EVENTS, pri_deadline_poll_ms(deadline_ns));
    for (int i = 0; i < count; i++) {
        ret_tags[i] = events[i].data.u64;
    }
    return count > 0 ? count : 0;
}

int pri_children_open(procref_waitable *ret_children) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set,
                NULL); /* before any thread is made, so none takes the signal away */
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return code_of(errno);
    }
    *ret_children = fd;
    return 0;
}

void pri_children_drain(procref_waitable children) {
    struct signalfd_siginfo info;
    while (read(children, &info, sizeof info) > 0) {
    }
}

void pri_children_close(procref_waitable children) {
    sigset_t set;
    close(children);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

uint32_t pri_children_ended(void) {
    siginfo_t info = {0}; /* the pid stays 0 when no child has ended */
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? (uint32_t)info.si_pid : 0;
}

int pri_children_reap(uint32_t pid) {
    int status = 0;
    waitpid((pid_t)pid, &status, 0);
    return status;
}

int pri_nudge_open(procref_waitable *ret_nudge) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return code_of(errno);
    }
    *ret_nudge = fd;
    return 0;
}

void pri_nudge(procref_waitable nudge) {
    uint64_t one = 1;
    ssize_t written = write(nudge, &one, sizeof one);
    (void)written;
}

void pri_nudge_drain(procref_waitable nudge) {
    uint64_t count;
    ssize_t got = read(nudge, &count, sizeof count);
    (void)got;
}
