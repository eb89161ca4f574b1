/* The raw counter: acquire and release beside a bare pair of semop calls. */
#include "bench.h"

#include <stdio.h>
#include <unistd.h>

enum { BLOCKS = 101, PAIRS = 500 };

struct counters {
    procref_counter *counter;
    int set;
};

static void raw_pairs(struct counters *c) {
    for (int i = 0; i < PAIRS; i++) {
        if (procref_counter_acquire(c->counter, NULL, NULL) < 0 ||
            procref_counter_release(c->counter, NULL, NULL) < 0) {
            die("the raw counter fails");
        }
    }
}

/* Medians of interleaved blocks. */
static void compare(struct counters *c, const char *what, const char *over, const char *note) {
    static double raw[BLOCKS], bare[BLOCKS], ratio[BLOCKS];
    for (int block = -1; block < BLOCKS; block++) { /* block -1 warms up */
        int64_t begin = now_ns();
        raw_pairs(c);
        int64_t middle = now_ns();
        bare_pairs(c->set, PAIRS);
        if (block >= 0) {
            raw[block] = (double)(middle - begin) / PAIRS;
            bare[block] = (double)(now_ns() - middle) / PAIRS;
            ratio[block] = raw[block] / bare[block];
        }
    }
    report(what, "ns", raw, BLOCKS, NO_GOAL, note);
    report(over, "x", ratio, BLOCKS, NO_GOAL, "");
}

void bench_raw(void) {
    struct counters c = {.set = bare_begin()};
    procref_counter *other;
    char name[64];
    snprintf(name, sizeof name, "bench-raw-%d", (int)getpid());
    if (procref_counter_open(name, &c.counter, NULL) < 0 ||
        procref_counter_open(name, &other, NULL) < 0 ||
        procref_counter_acquire(other, NULL, NULL) < 0) {
        die("the raw counter cannot be opened");
    }
    compare(&c, "raw counter: acquire + release, others hold it",
            "raw counter over a bare semop pair, others hold it",
            "one system call each, which asks for the fingerprint too");
    procref_counter_close(other);
    compare(&c, "raw counter: acquire + release by the only one",
            "raw counter over a bare semop pair, the only one",
            "each acquire makes a semaphore set, each release removes it");
    procref_counter_close(c.counter);
    bare_end(c.set);
}
