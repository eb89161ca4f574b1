/* The port contract for a deadline that can be waited for together with other waitables (timerfd, a
 * kqueue timer, a waitable timer). */
#ifndef PRI_OS_ALARM_H
#define PRI_OS_ALARM_H

#include <stdint.h>

#include "procref/procref.h"

/* Close-on-exec; closed with pri_link_close(). 0 or LIMIT, NO_MEMORY. */
int pri_alarm_open(procref_waitable *ret_alarm);

/* Readable from that time on (os/clock.h), at once if it has passed, never for PRI_NEVER. */
void pri_alarm_set(procref_waitable alarm, int64_t deadline_ns);

#endif
