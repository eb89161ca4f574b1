/*
 * Up to 1,000 clients race a cold start: each is a process of its own that waits at a gate, then
 * opens and acquires. The service tells of its own starts. All hold until the last one is in.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 1000, ROUNDS = 9 };

static const int crowds[] = {1, 3, 10, 30, 100, 300, CLIENTS};
enum { CROWDS = sizeof crowds / sizeof crowds[0] };

struct arrival {
    int code;
    uint32_t pid;
    int64_t when_ns;
};

struct gate {
    const struct world *world;
    int go[2], in[2]; /* pipes: end of file opens the gate; arrivals come in */
    int leave[2];
};

static void race(int line, void *data) {
    const struct gate *gate = data;
    procref_service *service = must_open(gate->world);
    procref_handle *handle = NULL;
    struct arrival arrival = {0};
    char byte;
    close(gate->go[1]);
    close(gate->leave[1]);
    tell(line, 'r');
    (void)!read(gate->go[0], &byte, 1);
    arrival.code = procref_service_acquire(service, 30000, &handle, NULL);
    arrival.when_ns = now_ns();
    arrival.pid = handle != NULL ? procref_handle_pid(handle) : 0;
    (void)!write(gate->in[1], &arrival, sizeof arrival);
    (void)!read(gate->leave[0], &byte, 1);
    if (handle != NULL) {
        procref_handle_release(handle, NULL);
    }
}

static void one_round(struct world *world, int clients, double *ret_spread_ms, double *ret_last_ms,
                      int *starts, int *failures, int *strangers) {
    static struct child children[CLIENTS];
    struct gate gate = {.world = world};
    struct tiding tiding;
    if (pipe2(gate.go, O_CLOEXEC) < 0 || pipe2(gate.in, O_CLOEXEC) < 0 ||
        pipe2(gate.leave, O_CLOEXEC) < 0) {
        die("pipe: %s", strerror(errno));
    }
    for (int i = 0; i < clients; i++) {
        children[i] = child_start(race, &gate);
        if (child_hear(&children[i]) != 'r') {
            die("client %d is not ready", i);
        }
    }
    int64_t opened = now_ns(), first = INT64_MAX, last = 0;
    uint32_t pid = 0;
    close(gate.go[1]);
    for (int i = 0; i < clients; i++) {
        struct arrival arrival;
        if (read(gate.in[0], &arrival, sizeof arrival) != sizeof arrival) {
            die("an arrival is lost");
        }
        pid = pid == 0 ? arrival.pid : pid;
        *failures += arrival.code < 0;
        *strangers += arrival.code == 0 && arrival.pid != pid;
        first = arrival.when_ns < first ? arrival.when_ns : first;
        last = arrival.when_ns > last ? arrival.when_ns : last;
    }
    close(gate.leave[1]);
    for (int i = 0; i < clients; i++) {
        child_end(&children[i]);
    }
    while (world_hear(world, &tiding, 5000)) { /* up to the stop signal of the last start */
        *starts += tiding.what == 'b';
        if (tiding.what == 's') {
            break;
        }
    }
    close(gate.go[0]);
    close(gate.in[0]);
    close(gate.in[1]);
    close(gate.leave[0]);
    *ret_spread_ms = (double)(last - first) / 1e6;
    *ret_last_ms = (double)(last - opened) / 1e6;
}

void bench_herd(void) {
    static double spread_ms[CROWDS][ROUNDS], last_ms[CROWDS][ROUNDS];
    int starts[CROWDS] = {0}, failures = 0, strangers = 0;
    char note[200];
    struct world world;
    world_begin(&world, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CROWDS; i++) {
            one_round(&world, crowds[i], &spread_ms[i][round], &last_ms[i][round], &starts[i],
                      &failures, &strangers);
        }
    }
    snprintf(note, sizeof note, "%d starts in %d rounds; %d clients were given another process",
             starts[CROWDS - 1], ROUNDS, strangers);
    report_one("1,000 clients race a cold start: starts a round", "",
               (double)starts[CROWDS - 1] / ROUNDS, 1, note);
    report_one("clients race a cold start: failures", "", failures, 0,
               "in all rounds, of 1 to 1,000 clients");
    report("1,000 clients race a cold start: last in after the first", "ms", spread_ms[CROWDS - 1],
           ROUNDS, 50, "1,000 processes on the cores that there are");
    report("1,000 clients race a cold start: last in after the gate", "ms", last_ms[CROWDS - 1],
           ROUNDS, NO_GOAL, "");
    for (int i = 0; i < CROWDS; i++) {
        plot("herd", "last in after the gate", crowds[i]);
        report("herd", "ms", last_ms[i], ROUNDS, NO_GOAL, "");
        if (crowds[i] > 1) {
            plot("herd", "last in after the first", crowds[i]);
            report("herd", "ms", spread_ms[i], ROUNDS, NO_GOAL, "");
        }
    }
    world_end(&world);
}
