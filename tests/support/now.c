/* The time, on both sides of the pipes (speak.h). */
#include <time.h>

#include "support/speak.h"

int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
