/* Decisions by seed (splitmix64: good enough, and short), time, and waiting for a descriptor. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/torture/torture.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static uint64_t next(struct dice *dice) {
    uint64_t z = (dice->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t roll(struct dice *dice, uint32_t sides) {
    return sides == 0 ? 0 : (uint32_t)((next(dice) >> 32) % sides);
}

bool chance(struct dice *dice, uint32_t percent) {
    return roll(dice, 100) < percent;
}

struct dice dice_of(uint64_t seed, uint64_t a, uint64_t b) {
    struct dice dice = {seed};
    dice.state ^= next(&dice) + a * UINT64_C(0xd1342543de82ef95);
    dice.state ^= next(&dice) + b * UINT64_C(0x2545f4914f6cdd1d);
    return dice;
}

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t now_ms(void) {
    return now_ns() / 1000000;
}

int hold_process(pid_t pid) {
    return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

bool readable_within(int fd, int64_t ms) {
    int64_t until = now_ms() + ms;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            return true;
        }
        if ((n == 0 || errno != EINTR) && left <= 0) {
            return false;
        }
    }
}
