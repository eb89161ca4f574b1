/* Time on POSIX systems (os/clock.h). */
#include "os/clock.h"

#include <limits.h>
#include <time.h>

/* CLOCK_MONOTONIC stands still while the machine sleeps: no deadline passes overnight. */
int64_t pri_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * (1000 * PRI_MS) + now.tv_nsec;
}

int64_t pri_deadline(int64_t timeout_ms) {
    int64_t now = pri_clock_ns();
    if (timeout_ms < 0 || timeout_ms > (PRI_NEVER - now) / PRI_MS) {
        return PRI_NEVER;
    }
    return now + timeout_ms * PRI_MS;
}

int pri_deadline_poll_ms(int64_t deadline_ns) {
    if (deadline_ns == PRI_NEVER) {
        return -1;
    }
    int64_t now = pri_clock_ns();
    if (deadline_ns <= now) {
        return 0;
    }
    /* Rounded up: rounded down, poll would return early and the caller spin through the last
     * millisecond. */
    int64_t left = deadline_ns - now;
    int64_t ms = left / PRI_MS + (left % PRI_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int64_t pri_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / PRI_MS;
}
