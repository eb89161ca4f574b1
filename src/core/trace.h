/*
 * PROCREF_TRACE=FILE: every transition, message and phase of clients, keeper and standby, one line
 * each: monotonic nanoseconds, pid, role, text. Off by default: then a line costs the test of one
 * variable. The file is opened for each line, so that no descriptor of ours lives in somebody
 * else's process.
 */
#ifndef PRI_TRACE_H
#define PRI_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "procref/procref.h"

extern _Atomic bool pri_tracing;

/* Reads the environment once; role ("client", "keeper", "standby") stands in each line. */
void pri_trace_begin(const char *role);
void pri_trace_line(const char *format, ...) PROCREF_PRINTF(1, 2);

#define PRI_TRACE(...)                                                                             \
    do {                                                                                           \
        if (atomic_load_explicit(&pri_tracing, memory_order_relaxed)) {                            \
            pri_trace_line(__VA_ARGS__);                                                           \
        }                                                                                          \
    } while (0)

#endif
