/* The hot path: acquire and release while the service is up, beside what one would use instead. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { BLOCKS = 301, PAIRS = 1000, NESTED_PAIRS = 20000, FRESH = 301 };

struct peers {
    procref_service *service;
    int set, file;
    char path[PATH_MAX];
};

/*
 * Calls the library itself, as bare_pairs() calls semop(2) itself: on processors whose return
 * predictor does not survive a system call, each function between costs 10 ns (parts.c).
 */
static void procref_pairs(struct peers *peers) {
    static procref_error error = PROCREF_ERROR_INIT;
    for (int i = 0; i < PAIRS; i++) {
        procref_handle *handle;
        if (procref_service_acquire(peers->service, 30000, &handle, &error) < 0 ||
            procref_handle_release(handle, &error) < 0) {
            die("acquire or release: %s", error.message);
        }
    }
}

static void semop_pairs(struct peers *peers) {
    bare_pairs(peers->set, PAIRS);
}

static void flock_pairs(struct peers *peers) {
    for (int i = 0; i < PAIRS; i++) {
        if (flock(peers->file, LOCK_EX) < 0 || flock(peers->file, LOCK_UN) < 0) {
            die("flock fails");
        }
    }
}

static void open_flock_pairs(struct peers *peers) {
    for (int i = 0; i < PAIRS; i++) {
        int fd = open(peers->path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || close(fd) < 0) {
            die("open, flock, close fails");
        }
    }
}

static const struct {
    const char *what;
    void (*run)(struct peers *peers);
} kinds[] = {
    {"acquire + release, the process holds none", procref_pairs},
    {"bare semop +1/-1 with undo", semop_pairs},
    {"flock(2) lock + unlock", flock_pairs},
    {"open + flock + close", open_flock_pairs},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Every block runs all kinds once, beginning with another one each time. */
static void compare(struct peers *peers) {
    static double ns[KINDS][BLOCKS], ratio[BLOCKS];
    for (int block = -1; block < BLOCKS; block++) { /* block -1 warms up */
        for (int turn = 0; turn < KINDS; turn++) {
            int kind = (block + 1 + turn) % KINDS;
            int64_t begin = now_ns();
            kinds[kind].run(peers);
            if (block >= 0) {
                ns[kind][block] = (double)(now_ns() - begin) / PAIRS;
            }
        }
    }
    for (int block = 0; block < BLOCKS; block++) {
        ratio[block] = ns[0][block] / ns[1][block];
    }
    report("acquire + release over a bare semop pair", "x", ratio, BLOCKS, 1.10,
           "another process holds the service; blocks of 1,000 pairs, interleaved");
    for (int kind = 0; kind < KINDS; kind++) {
        report(kinds[kind].what, "ns", ns[kind], BLOCKS, NO_GOAL, "");
    }
}

static void nested(procref_service *service) {
    static double ns[BLOCKS];
    procref_handle *outer = must_acquire(service);
    for (int block = -1; block < BLOCKS; block++) {
        int64_t begin = now_ns();
        for (int i = 0; i < NESTED_PAIRS; i++) {
            must_release(must_acquire(service));
        }
        if (block >= 0) {
            ns[block] = (double)(now_ns() - begin) / NESTED_PAIRS;
        }
    }
    must_release(outer);
    report("nested acquire + release", "ns", ns, BLOCKS, 50,
           "the process holds the service already; both results are checked");
}

static void first_acquire(struct world *world) {
    static double us[FRESH];
    for (int i = 0; i < FRESH; i++) {
        us[i] = fresh_acquire_ns(world) / 1e3;
    }
    report("open + first acquire of a fresh process, service up", "us", us, FRESH, NO_GOAL,
           "through the keeper's socket, with the mapping of its record page");
}

void bench_hot(void) {
    struct world world;
    world_begin(&world, NULL);
    struct child holder = holder_start(&world);
    first_acquire(&world); /* before this process has used procref: its children are fresh */

    struct peers peers = {.service = must_open(&world), .set = bare_begin()};
    snprintf(peers.path, sizeof peers.path, "%s/lock", world.folder);
    peers.file = open(peers.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    compare(&peers);
    nested(peers.service);

    close(peers.file);
    bare_end(peers.set);
    procref_service_close(peers.service);
    child_end(&holder);
    world_end(&world);
}
