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

enum { ANSWER_MS = 500, AGAIN_MS = 10 };

static int connect_tcp(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)}, own;
    socklen_t size = sizeof own;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    /* A port that nobody listens on may be the one that this very connection got: it meets itself.
     */
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0 || own.sin_port == address.sin_port) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_unix(pid_t pid) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.80s/sock/%d", board_dir, (int)pid);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The pid that answers at the port or at the instance's own socket; 0: nobody. */
static pid_t ask_once(uint16_t port, pid_t pid) {
    char text[32] = "";
    ssize_t length = -1;
    struct linger reset = {1, 0};
    int fd = port != 0 ? connect_tcp(port) : connect_unix(pid);
    if (fd < 0) {
        return 0;
    }
    if (readable_within(fd, ANSWER_MS)) {
        length = recv(fd, text, sizeof text - 1, 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    return length > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

bool excused(const struct held *held) {
    uint32_t massacres = atomic_load(&board->arena[held->arena].massacres);
    return held->both % 2 == 1 || massacres != held->both ||
           victim_is(held->arena, (pid_t)held->pid);
}

static bool is_gone(const struct held *held) {
    return held->gone >= 0 && readable_within(held->gone, 0);
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
        violate("ended", (int)held->arena,
                "service %u ended while it was held, and nobody had attacked it",
                (unsigned)held->pid);
        return true;
    }
    if (answered != 0 && !excused(held)) {
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
    violate("ended", (int)held->arena,
            "service %u ended while it was held, and nobody had attacked it", (unsigned)held->pid);
}
