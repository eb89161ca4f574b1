/*
 * What the hot path is made of (`procref-bench parts`; not among the README's figures): the gate's
 * operations, who sleeps on the set and who holds, and the functions between the caller and
 * semop(2). Private sets and no library, so that each part can be had alone.
 *
 * What it showed on an AMD EPYC (Zen 3, a guest, Linux 6.18): the gate's three extra operations
 * cost 3 to 5 %, in any order and with any sleeper. Each function that returns after the system
 * call costs 10 ns, and the first of them, which the bare pair has too, 150; calls that begin and
 * end before the next system call cost next to nothing. That fits a return predictor which does not
 * survive the kernel; other processors were not tried. So the hot path needs few frames around its
 * system call.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCKS = 201, PAIRS = 1000, SEMS = 11, REFS = 5, READY = 6, G = 3, MANY = 4 };
enum { U = SEM_UNDO | IPC_NOWAIT, N = IPC_NOWAIT };

#define NOT_INLINED __attribute__((noinline, noclone))

/* ---- How semop is called --------------------------------------------------------------------- */

typedef int (*caller)(int set, struct sembuf *ops, size_t count);

/* The empty asm keeps each frame: no tail call. */
#define FRAME(name, inner)                                                                         \
    static NOT_INLINED int name(int set, struct sembuf *ops, size_t count) {                       \
        int result = inner(set, ops, count);                                                       \
        __asm__ volatile("" : "+r"(result));                                                       \
        return result;                                                                             \
    }
FRAME(frames_1, semop)
FRAME(frames_2, frames_1)
FRAME(frames_3, frames_2)
FRAME(frames_4, frames_3)
FRAME(frames_5, frames_4)
FRAME(frames_6, frames_5)
FRAME(frames_7, frames_6)
FRAME(frames_8, frames_7)

/* ---- What is compared ------------------------------------------------------------------------ */

static struct part {
    const char *what;
    struct sembuf up[MANY], down[MANY];
    int up_count, down_count;
    bool holder, sleeper; /* another process holds; one waits for refs = 0, as the keeper does */
    caller call;
    bool inlined;
    int set;
} parts[] = {
    {"bare pair, one semaphore", {{0, 1, U}}, {{0, -1, U}}, 1, 1},
    {"bare pair, in our set", {{REFS, 1, U}}, {{REFS, -1, U}}, 1, 1},
    {"bare pair, in our set, holder and sleeper",
     {{REFS, 1, U}},
     {{REFS, -1, U}},
     1,
     1,
     true,
     true},
    {"gate of four, nobody else",
     {{READY, -G, N}, {READY, 0, N}, {READY, G, N}, {REFS, 1, U}},
     {{REFS, -1, U}},
     4,
     1},
    {"gate of four, holder",
     {{READY, -G, N}, {READY, 0, N}, {READY, G, N}, {REFS, 1, U}},
     {{REFS, -1, U}},
     4,
     1,
     true},
    {"gate of four, holder and sleeper (attach, detach)",
     {{READY, -G, N}, {READY, 0, N}, {READY, G, N}, {REFS, 1, U}},
     {{REFS, -1, U}},
     4,
     1,
     true,
     true},
    {"the same, refs first",
     {{REFS, 1, U}, {READY, -G, N}, {READY, 0, N}, {READY, G, N}},
     {{REFS, -1, U}},
     4,
     1,
     true,
     true},
    {"the same, detach of two operations",
     {{READY, -G, N}, {READY, 0, N}, {READY, G, N}, {REFS, 1, U}},
     {{REFS, -1, U}, {0, 0, N}},
     4,
     2,
     true,
     true},
    {"gate of two (a register that is 0 while up)",
     {{0, 0, N}, {REFS, 1, U}},
     {{REFS, -1, U}},
     2,
     1,
     true,
     true},
    {"bare pair through 1 function", {{0, 1, U}}, {{0, -1, U}}, 1, 1, .call = frames_1},
    {"bare pair through 2 functions", {{0, 1, U}}, {{0, -1, U}}, 1, 1, .call = frames_2},
    {"bare pair through 4 functions", {{0, 1, U}}, {{0, -1, U}}, 1, 1, .call = frames_4},
    {"bare pair through 6 functions", {{0, 1, U}}, {{0, -1, U}}, 1, 1, .call = frames_6},
    {"bare pair through 8 functions", {{0, 1, U}}, {{0, -1, U}}, 1, 1, .call = frames_8},
#ifdef __x86_64__
    {"bare pair, system call in line, nothing returns",
     {{0, 1, U}},
     {{0, -1, U}},
     1,
     1,
     .inlined = true},
#endif
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static inline __attribute__((always_inline)) long in_line(int set, struct sembuf *ops,
                                                          size_t count) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(SYS_semop), "D"(set), "S"(ops), "d"(count)
                     : "rcx", "r11", "memory");
    return result;
#else
    return semop(set, ops, count);
#endif
}

static void failed(const struct part *part) {
    die("%s: %s", part->what, strerror(errno));
}

/* Three loops, so that none pays for a pointer that the others need. */
static void run(struct part *part) {
    int set = part->set;
    size_t up = (size_t)part->up_count, down = (size_t)part->down_count;
    if (part->inlined) {
        for (int i = 0; i < PAIRS; i++) {
            if (in_line(set, part->up, up) < 0 || in_line(set, part->down, down) < 0) {
                failed(part);
            }
        }
    } else if (part->call != NULL) {
        caller call = part->call;
        for (int i = 0; i < PAIRS; i++) {
            if (call(set, part->up, up) < 0 || call(set, part->down, down) < 0) {
                failed(part);
            }
        }
    } else {
        for (int i = 0; i < PAIRS; i++) {
            if (semop(set, part->up, up) < 0 || semop(set, part->down, down) < 0) {
                failed(part);
            }
        }
    }
}

static void hold_unit(int line, void *data) {
    const struct part *part = data;
    struct sembuf one = {REFS, 1, U};
    tell(line, semop(part->set, &one, 1) == 0 ? 'h' : 0);
    (void)hear(line);
}

static void sleep_on_refs(int line, void *data) {
    const struct part *part = data;
    struct sembuf zero = {REFS, 0, 0};
    tell(line, 's');
    (void)semop(part->set, &zero, 1); /* until the set is removed */
}

void bench_parts(void) {
    static double ns[PARTS][BLOCKS], ratio[BLOCKS];
    struct child holders[PARTS], sleepers[PARTS];
    for (int i = 0; i < PARTS; i++) {
        struct sembuf up = {READY, G, 0};
        parts[i].set = semget(IPC_PRIVATE, i == 0 ? 1 : SEMS, 0600);
        if (parts[i].set < 0 || (i > 0 && semop(parts[i].set, &up, 1) < 0)) {
            failed(&parts[i]);
        }
        if (parts[i].holder) {
            holders[i] = child_start(hold_unit, &parts[i]);
            (void)child_hear(&holders[i]);
        }
        if (parts[i].sleeper) {
            sleepers[i] = child_start(sleep_on_refs, &parts[i]);
            (void)child_hear(&sleepers[i]);
        }
    }
    usleep(50000); /* the sleepers are in semop(2) by then; nothing tells */
    for (int block = -1; block < BLOCKS; block++) {
        for (int turn = 0; turn < PARTS; turn++) {
            int i = (block + 1 + turn) % PARTS;
            int64_t begin = now_ns();
            run(&parts[i]);
            if (block >= 0) {
                ns[i][block] = (double)(now_ns() - begin) / PAIRS;
            }
        }
    }
    for (int i = 0; i < PARTS; i++) {
        char note[64];
        for (int block = 0; block < BLOCKS; block++) {
            ratio[block] = ns[i][block] / ns[0][block];
        }
        double least = ns[i][0];
        for (int block = 1; block < BLOCKS; block++) {
            least = ns[i][block] < least ? ns[i][block] : least;
        }
        snprintf(note, sizeof note, "the fastest block: %.0f ns a pair", least);
        report(parts[i].what, "x", ratio, BLOCKS, NO_GOAL, note);
        semctl(parts[i].set, 0, IPC_RMID);
        if (parts[i].holder) {
            child_end(&holders[i]);
        }
        if (parts[i].sleeper) {
            child_end(&sleepers[i]);
        }
    }
}
