/*
 * The second witness: a service that is held answers on its socket, with the pid that procref gave.
 * If it does not, or ends, somebody must have attacked it: the judge writes that down before the
 * blow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { ANSWER_MS = 500, AGAIN_MS = 10, DYING_MS = 500, KNOWN_MS = 1000 };

/* Beside a pid: what came of asking. */
enum { NOBODY = 0, REFUSED = -1, STOPPING = -2 };

/* REFUSED or NOBODY; descriptors are positive, since 0 is never closed here. */
static int failed(int fd) {
    int os = errno;
    close(fd);
    return os == ECONNREFUSED ? REFUSED : NOBODY;
}

static int connect_tcp(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)}, own;
    socklen_t size = sizeof own;
    struct timeval patience = {.tv_sec = 1}; /* a full queue drops who comes, and tells nobody */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        return failed(fd);
    }
    /* A port that nobody listens on may be the one that this very connection got: it meets itself.
     */
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0 || own.sin_port == address.sin_port) {
        errno = ECONNREFUSED;
        return failed(fd);
    }
    return fd;
}

static int connect_unix(pid_t pid) {
    struct sockaddr_un address;
    socklen_t size = terms_socket(pid, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return connect(fd, (struct sockaddr *)&address, size) < 0 ? failed(fd) : fd;
}

/* The pid that answers at the port or at the instance's own socket, or NOBODY, or REFUSED, or
 * STOPPING. */
static pid_t ask_once(uint16_t port, pid_t pid) {
    char text[32] = "";
    ssize_t length = -1;
    struct linger reset = {1, 0};
    int fd = port != 0 ? connect_tcp(port) : connect_unix(pid);
    if (fd <= 0) {
        return fd;
    }
    if (readable_within(fd, ANSWER_MS)) {
        length = recv(fd, text, sizeof text - 1, 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    long answered = length > 0 ? strtol(text, NULL, 10) : NOBODY;
    return answered < 0 ? STOPPING : (pid_t)answered;
}

bool excused(const struct held *held) {
    uint32_t massacres = atomic_load(&board->arena[held->arena].massacres);
    return held->both % 2 == 1 || massacres != held->both ||
           victim_is(held->arena, (pid_t)held->pid);
}

static void tell_ended(const struct held *held) {
    violate("ended", (int)held->arena,
            "service %u ended while it was held, and nobody had attacked it", (unsigned)held->pid);
}

static bool is_gone(const struct held *held) {
    return held->gone >= 0 && readable_within(held->gone, 0);
}

/*
 * Who is ready listens until it dies, also while it is stopped. One that dies just now closes its
 * socket a little before its end can be seen; that is the business of the other witness.
 */
static bool refuses_too_early(const struct held *held) {
    struct terms terms = terms_of(held->arena, held->round);
    return terms_ready(&terms) && !excused(held) && held->gone >= 0 &&
           !readable_within(held->gone, DYING_MS) && !excused(held);
}

/* What the answer, or its absence, means. True: no more to be asked. */
static bool conclude(const struct held *held, pid_t answered, int64_t until, bool *ret_well) {
    bool gone = is_gone(held); /* looked at first: the judge writes before it strikes */
    if (answered == (pid_t)held->pid) {
        tally(TALLY_CHECKED);
        *ret_well = true;
        return true;
    }
    if (excused(held) && gone) {
        tally(TALLY_EXCUSED);
        return true;
    }
    if (gone) {
        tell_ended(held);
        return true;
    }
    if (answered == STOPPING && !excused(held)) {
        violate("ended", (int)held->arena, "service %u was told to stop, and is held",
                (unsigned)held->pid);
        return true;
    }
    if (answered == REFUSED && refuses_too_early(held)) {
        violate("unready", (int)held->arena,
                "service %u was handed out as ready, and nobody listens there",
                (unsigned)held->pid);
        return true;
    }
    if (answered > 0 && !excused(held)) {
        violate("unreachable", (int)held->arena,
                "%d answers in the place of service %u, which is held", (int)answered,
                (unsigned)held->pid);
        return true;
    }
    if (now_ms() >= until) {
        violate("unreachable", (int)held->arena,
                "service %u does not answer for %lld ms, though it is held%s", (unsigned)held->pid,
                (long long)board->reach_ms,
                excused(held) ? " (it was attacked, but is not gone)" : "");
        return true;
    }
    return false;
}

/* A little longer than any keeper needs to see it, but for one that is stopped. */
void look_whether_it_lives(const struct held *held, int64_t begun_ms) {
    int64_t known_ms = victim_known_ms(held->arena, (pid_t)held->pid);
    if (known_ms < begun_ms - KNOWN_MS && is_gone(held)) {
        violate("dead", (int)held->arena, "service %u was handed out %lld ms after its end",
                (unsigned)held->pid, (long long)(begun_ms - known_ms));
    }
}

void look_whether_it_is_wanted(const struct held *held, bool another) {
    static const char word[] = "another=1"; /* with its zero byte: argv's last */
    char path[32], line[1024];
    bool mistaken = atomic_load(&board->arena[held->arena].mistaken) != 0;
    if (!mistaken && !terms_of(held->arena, held->round).another) {
        return;
    }
    snprintf(path, sizeof path, "/proc/%u/cmdline", (unsigned)held->pid);
    ssize_t length = read_whole(path, line, sizeof line);
    if (length <= 0) {
        return; /* it is gone: the business of the other witnesses */
    }
    bool has = length > (ssize_t)sizeof word &&
               memcmp(line + length - sizeof word, word, sizeof word) == 0;
    if (has != (another != mistaken)) {
        violate("another", (int)held->arena, "service %u was handed out %s", (unsigned)held->pid,
                has ? "to who wants it without another=1" : "to who wants it with another=1");
    }
}

bool reach(const struct held *held) {
    int64_t until = now_ms() + board->reach_ms;
    bool well = false;
    while (!conclude(held, ask_once(held->port, (pid_t)held->pid), until, &well)) {
        /* It is stopped for a while, or (without readiness) not listening yet. */
        if (held->gone >= 0) {
            readable_within(held->gone, AGAIN_MS);
        } else {
            poll(NULL, 0, AGAIN_MS);
        }
    }
    return well;
}

void watch_held(const struct held *held, int64_t ms) {
    if (held->gone < 0) {
        poll(NULL, 0, (int)ms);
        return;
    }
    if (!readable_within(held->gone, ms)) {
        return;
    }
    if (excused(held)) {
        tally(TALLY_EXCUSED);
        return;
    }
    tell_ended(held);
}
