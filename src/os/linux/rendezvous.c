/* The rendezvous on Linux: abstract sequential-packet sockets (unix(7)). */
#include "os/rendezvous.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/unseen.h" /* before descriptor.h: a part of this runs in spawn.c's child */
#include "os/linux/descriptor.h"
#include "os/linux/diag.h"

/* Thousands of clients may wait for one start; the kernel cuts it to net.core.somaxconn. */
enum { BACKLOG = 4096, PLACE_WAIT_MS = 250, ACCEPTS_MOST = 64 };

/* "\0procref/UID/HASH/PROBE": no layout version in it, so that all versions meet. */
static socklen_t address_of(const struct pri_ident *ident, int probe, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    char *text = address->sun_path + 1;
    pri_format(text, sizeof address->sun_path - 1, "procref/%u/%016llx/%d", (unsigned)ident->user,
               (unsigned long long)ident->hash, probe);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
}

/* Whoever listens: the kernel notes the credentials of listen() (unix(7), SO_PEERCRED). -1:
 * unknown. */
static uint32_t peer_user(int link) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (uint32_t)peer.uid
                                                                        : UINT32_MAX;
}

static bool peer_is_ours(int link) {
    return peer_user(link) == geteuid();
}

static int new_socket(int flags) {
    return pri_descriptor_above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
}

int pri_rendezvous_socket(procref_waitable *ret_link, procref_error *err) {
    int link = new_socket(SOCK_NONBLOCK);
    if (link < 0) {
        int os = errno;
        bool limit = os == EMFILE || os == ENFILE;
        return pri_fail(err,
                        limit                           ? PROCREF_E_LIMIT
                        : os == ENOMEM || os == ENOBUFS ? PROCREF_E_NO_MEMORY
                                                        : PROCREF_E_PLATFORM,
                        os, "socket",
                        limit ? "no descriptor is left to reach the keeper: raise RLIMIT_NOFILE "
                                "(ulimit -n) or close some"
                              : "no socket to reach the keeper");
    }
    *ret_link = link;
    return 0;
}

/* FULL: one of ours listens, and its queue is full; or nobody says whose that is. */
enum tried { TRIED_OURS, TRIED_FOREIGN, TRIED_NOBODY, TRIED_FULL };

/* How long a connect waits for a place in a full queue; all zero would be for ever. */
static void set_patience(int link, int64_t until_ns) {
    int64_t us = (until_ns - pri_clock_ns()) / 1000;
    us = us > 0 ? us : 1;
    struct timeval patience = {us / 1000000, us % 1000000};
    setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    fcntl(link, F_SETFL, 0);
}

/* until_ns 0: does not wait. link may be used again after any result but OURS and FOREIGN.
 * *ret_owner, if not NULL: whose FOREIGN is. */
static enum tried try_connect(int link, const struct pri_ident *ident, int probe, int64_t until_ns,
                              uint32_t *ret_owner) {
    struct sockaddr_un address;
    socklen_t size = address_of(ident, probe, &address);
    uint32_t owner = geteuid();
    int result;
    do {
        if (until_ns != 0) {
            set_patience(link, until_ns);
        }
        result = connect(link, (struct sockaddr *)&address, size);
    } while (result < 0 && errno == EINTR && pri_clock_ns() < until_ns);
    if (result == 0) {
        owner = peer_user(link);
    } else if (errno == EAGAIN ||
               errno == EINTR) { /* a squatter's full queue is no reason to wait */
        int64_t user = pri_diag_unix_owner(SOCK_SEQPACKET, address.sun_path,
                                           size - offsetof(struct sockaddr_un, sun_path));
        owner = user >= 0 ? (uint32_t)user : owner;
    } else {
        return TRIED_NOBODY;
    }
    if (owner != geteuid()) {
        if (ret_owner != NULL) {
            *ret_owner = owner;
        }
        return TRIED_FOREIGN;
    }
    return result == 0 ? TRIED_OURS : TRIED_FULL;
}

/* Looks through the whole range without waiting: 0; AGAIN: on *ret_full is a full queue of ours;
 * NOT_FOUND; LIMIT. */
static int look_through(const struct pri_ident *ident, procref_waitable *ret_link, int *ret_full,
                        procref_error *err) {
    int link = -1, code;
    *ret_full = -1;
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        if (link < 0 && (code = pri_rendezvous_socket(&link, err)) < 0) {
            return code;
        }
        enum tried tried = try_connect(link, ident, probe, 0, NULL);
        if (tried == TRIED_OURS) {
            *ret_link = link;
            return 0;
        }
        if (tried == TRIED_FULL && *ret_full < 0) {
            *ret_full = probe;
        }
        if (tried == TRIED_FOREIGN) {
            close(link);
            link = -1;
        }
    }
    pri_link_close(link);
    if (*ret_full >= 0) {
        return pri_fail(err, PROCREF_E_AGAIN, EAGAIN, "connect",
                        "the queue of those who want to reach the keeper of '%s' is full",
                        ident->name);
    }
    return pri_fail(err, PROCREF_E_NOT_FOUND, 0, "connect", "'%s' is not running", ident->name);
}

/*
 * The kernel wakes who waits for a place in a queue. But it wakes one for each place, and none if
 * that one dies of a signal first; it looks the name up again, which may be a stranger's by then;
 * and of a long time it may sleep an eighth too long. So each wait is a short one.
 */
int pri_rendezvous_connect(const struct pri_ident *ident, int64_t deadline_ns,
                           procref_waitable *ret_link, procref_error *err) {
    for (;;) {
        procref_waitable link = -1;
        int full;
        int code = look_through(ident, ret_link, &full, err);
        if (code != PROCREF_E_AGAIN || pri_clock_ns() >= deadline_ns) {
            return code;
        }
        int64_t until_ns = pri_deadline(PLACE_WAIT_MS);
        until_ns = until_ns < deadline_ns ? until_ns : deadline_ns;
        code = pri_rendezvous_socket(&link, err);
        if (code < 0) {
            return code;
        }
        if (try_connect(link, ident, full, until_ns, NULL) == TRIED_OURS) {
            *ret_link = link;
            return 0;
        }
        close(link);
    }
}

/* Whether one of ours listens on another name of the range: CONFLICT; 0; LIMIT: no descriptor to
 * look. */
static int look_for_another(const struct pri_ident *ident, int but) {
    int link = -1, code = 0;
    for (int probe = 0; probe < PRI_PROBES && code == 0; probe++) {
        if (probe == but) {
            continue;
        }
        if (link < 0 && (link = new_socket(SOCK_NONBLOCK)) < 0) {
            return PROCREF_E_LIMIT;
        }
        enum tried tried = try_connect(link, ident, probe, 0, NULL);
        code = tried == TRIED_OURS || tried == TRIED_FULL ? PROCREF_E_CONFLICT : 0;
        if (tried == TRIED_FOREIGN) {
            close(link);
            link = -1;
        }
    }
    if (link >= 0) {
        close(link);
    }
    return code;
}

/*
 * Each taker listens first and looks through the other names after, and gives up if one of ours
 * listens there. So of two takers on two names the later listener sees the earlier: never do both
 * go on.
 */
int pri_rendezvous_bind(const struct pri_ident *ident, procref_waitable *ret_listener, int *ret_os,
                        const char **ret_op, uint32_t *ret_owner) {
    *ret_owner = UINT32_MAX;
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        struct sockaddr_un address;
        socklen_t size = address_of(ident, probe, &address);
        int on = 1, listener = new_socket(SOCK_NONBLOCK);
        if (listener < 0) {
            *ret_os = errno;
            *ret_op = "socket";
            return PROCREF_E_LIMIT;
        }
        /* Accepted sockets inherit it, so each packet carries its sender's pid from the first. */
        setsockopt(listener, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
        if (bind(listener, (struct sockaddr *)&address, size) == 0) {
            if (listen(listener, BACKLOG) < 0) {
                *ret_os = errno;
                *ret_op = "listen";
                close(listener);
                return PROCREF_E_PLATFORM;
            }
            int code = look_for_another(ident, probe);
            if (code < 0) {
                *ret_os = errno; /* of LIMIT */
                *ret_op = "socket";
                close(listener);
                return code;
            }
            *ret_listener = listener;
            return 0;
        }
        int os = errno;
        close(listener);
        if (os != EADDRINUSE) {
            *ret_os = os;
            *ret_op = "bind";
            return os == ENOMEM || os == ENOBUFS ? PROCREF_E_NO_MEMORY : PROCREF_E_PLATFORM;
        }
        int link = new_socket(SOCK_NONBLOCK);
        if (link < 0) {
            *ret_os = errno;
            *ret_op = "socket";
            return PROCREF_E_LIMIT;
        }
        uint32_t owner = UINT32_MAX;
        enum tried tried = try_connect(link, ident, probe, 0, &owner);
        close(link);
        if (*ret_owner == UINT32_MAX) {
            *ret_owner = owner;
        }
        if (tried == TRIED_OURS || tried == TRIED_FULL) {
            return PROCREF_E_CONFLICT;
        }
    }
    *ret_os = EADDRINUSE;
    *ret_op = "bind";
    return PROCREF_E_PERMISSION;
}

int pri_rendezvous_join(procref_waitable link, procref_waitable listener) {
    struct sockaddr_un address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(link, (struct sockaddr *)&address, size) < 0) {
        return PROCREF_E_PLATFORM;
    }
    return 0;
}

/* Strangers who come faster than we hang up on them must not keep us here. */
int pri_rendezvous_accept(procref_waitable listener, procref_waitable *ret_link) {
    for (int tries = 0; tries < ACCEPTS_MOST; tries++) {
        int link = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (link < 0) {
            int os = errno;
            if (os == EINTR || os == ECONNABORTED) {
                continue;
            }
            return os == EAGAIN ? PROCREF_E_AGAIN : PROCREF_E_LIMIT;
        }
        if (peer_is_ours(link)) {
            *ret_link = link;
            return 0;
        }
        close(link);
    }
    return PROCREF_E_AGAIN;
}

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
};

int pri_link_send(procref_waitable link, const void *packet, size_t size, procref_waitable page) {
    char *bytes;
    memcpy(&bytes, &packet, sizeof bytes); /* struct iovec has no const */
    struct iovec part = {bytes, size};
    union control control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (page >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof page);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof page);
        memcpy(CMSG_DATA(head), &page, sizeof page);
    }
    ssize_t sent;
    do {
        sent = sendmsg(link, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size ? 0 : PROCREF_E_PLATFORM;
}

ptrdiff_t pri_link_receive(procref_waitable link, void *packet, size_t size, uint32_t *ret_pid,
                           procref_waitable *ret_page) {
    struct iovec part = {packet, size};
    union control control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got;
    bool reset = false;
    do { /* one that closes without having read all resets us once, though its answer may be in our
            queue */
        got = recvmsg(link, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && (errno == EINTR || (errno == ECONNRESET && !reset && (reset = true))));
    if (got < 0) {
        return errno == EAGAIN ? PROCREF_E_AGAIN : 0;
    }
    *ret_pid = 0;
    *ret_page = -1;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL;
         head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(head), sizeof sender);
            /* Who it is was seen at accept (SO_PEERCRED, the effective user); this has the real
             * one. */
            *ret_pid = (uint32_t)sender.pid;
        } else if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
                if (*ret_page < 0) {
                    *ret_page = fd;
                } else {
                    close(fd);
                }
            }
        }
    }
    if (got == 0 && *ret_page >= 0) { /* an empty packet is no packet */
        close(*ret_page);
        *ret_page = -1;
    }
    return got;
}

bool pri_link_wait(procref_waitable link, int64_t deadline_ns) {
    for (;;) {
        struct pollfd event = {link, POLLIN, 0};
        int ready = poll(&event, 1, pri_deadline_poll_ms(deadline_ns));
        if (ready > 0) {
            return true;
        }
        if (pri_clock_ns() >= deadline_ns) { /* also when signals come faster than poll returns */
            return false;
        }
    }
}

void pri_link_hang_up(procref_waitable link) {
    shutdown(link, SHUT_RDWR);
    close(link);
}

void pri_link_close(procref_waitable link) {
    if (link >= 0) {
        close(link);
    }
}
