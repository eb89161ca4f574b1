/* The port contract for time: a clock that nobody can set, counting while the machine runs. */
#ifndef PRI_OS_CLOCK_H
#define PRI_OS_CLOCK_H

#include <stdint.h>

#define PRI_NEVER INT64_MAX
#define PRI_MS INT64_C(1000000) /* nanoseconds */

int64_t pri_clock_ns(void);

/* The time timeout_ms from now; -1 (and what would overflow) is PRI_NEVER. */
int64_t pri_deadline(int64_t timeout_ms);

/* What poll(2) wants: milliseconds until the deadline, rounded up, -1 for PRI_NEVER. */
int pri_deadline_poll_ms(int64_t deadline_ns);

/* Wall clock in milliseconds since 1970, for files that people read. */
int64_t pri_wall_ms(void);

#endif
