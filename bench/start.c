/*
 * Cold starts: open + acquire in a fresh process until the service is ready, over the same service
 * started by hand with posix_spawn and the same readiness check. Rounds alternate; the overhead is
 * the median of the differences.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 201 };

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        die("no free port: %s", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

static bool accepts(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return yes;
}

/* The keeper's loop: it asks at once, then after 1, 2, 4 … 20 ms. */
static void await_port(uint16_t port) {
    for (int delay_ms = 1; !accepts(port); delay_ms = delay_ms * 2 > 20 ? 20 : delay_ms * 2) {
        poll(NULL, 0, delay_ms);
    }
}

static void by_hand(int line, void *data) {
    const struct world *world = data;
    extern char **environ;
    char number[8];
    char *argv[] = {(char *)(uintptr_t)world->service_path, (char *)(uintptr_t)world->fifo_path,
                    NULL, NULL};
    pid_t pid;
    int64_t begin = now_ns();
    uint16_t port = world->config.ready != NULL ? free_port() : 0;
    if (port != 0) {
        snprintf(number, sizeof number, "%u", port);
        argv[2] = number;
    }
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (error != 0) {
        die("posix_spawn: %s", strerror(error));
    }
    if (port != 0) {
        await_port(port);
    }
    int64_t took = now_ns() - begin;
    (void)!write(line, &took, sizeof took);
    (void)hear(line);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static void by_procref(int line, void *data) {
    int64_t begin = now_ns();
    procref_handle *handle = must_acquire(must_open(data));
    int64_t took = now_ns() - begin;
    (void)!write(line, &took, sizeof took);
    (void)hear(line);
    procref_handle_release_wait(handle, 10000, NULL);
}

static double start_once(struct world *world, void (*how)(int line, void *data)) {
    int64_t took = 0;
    struct tiding tiding;
    struct child child = child_start(how, world);
    if (read(child.line, &took, sizeof took) != sizeof took || !world_hear(world, &tiding, 5000) ||
        tiding.what != 'b') {
        die("a start fails");
    }
    child_tell(&child, 'e');
    if (!world_hear(world, &tiding, 5000) || tiding.what != 's') {
        die("a stop fails");
    }
    child_end(&child);
    return (double)took / 1e6;
}

static void starts(const char *ready, const char *what_procref, const char *what_hand,
                   const char *what_overhead, double goal) {
    static double procref[ROUNDS], hand[ROUNDS], overhead[ROUNDS];
    struct world world;
    world_begin(&world, ready);
    for (int round = -1; round < ROUNDS; round++) {
        double ms[2];
        for (int turn = 0; turn < 2; turn++) {
            int kind = (round + 1 + turn) % 2;
            ms[kind] = start_once(&world, kind == 0 ? by_procref : by_hand);
        }
        if (round >= 0) {
            procref[round] = ms[0];
            hand[round] = ms[1];
            overhead[round] = ms[0] - ms[1];
        }
    }
    report(what_overhead, "ms", overhead, ROUNDS, goal,
           "fresh processes on both sides; each round both, in alternating order");
    report(what_procref, "ms", procref, ROUNDS, NO_GOAL, "open + acquire until it is up");
    report(what_hand, "ms", hand, ROUNDS, NO_GOAL,
           ready != NULL ? "free port, posix_spawn, connect until it accepts" : "posix_spawn");
    world_end(&world);
}

void bench_start(void) {
    starts("tcp", "cold start, ready=\"tcp\"", "by hand, the same readiness check",
           "start overhead, ready=\"tcp\"", 1.0);
    starts(NULL, "cold start, no readiness check", "by hand, no readiness check",
           "start overhead, no readiness check", NO_GOAL);
}
