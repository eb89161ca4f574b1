/* Deadlines as descriptors on Linux: timerfd_create(2). */
#include "os/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

#include "os/clock.h"
#include "os/linux/descriptor.h"

int pri_alarm_open(procref_waitable *ret_alarm) {
    int fd = pri_descriptor_above_standard(
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (fd < 0) {
        return errno == ENOMEM ? PROCREF_E_NO_MEMORY : PROCREF_E_LIMIT;
    }
    *ret_alarm = fd;
    return 0;
}

void pri_alarm_set(procref_waitable alarm, int64_t deadline_ns) {
    struct itimerspec when = {{0, 0}, {0, 0}}; /* all zero: never */
    if (deadline_ns != PRI_NEVER) {
        deadline_ns = deadline_ns > 0 ? deadline_ns : 1;
        when.it_value.tv_sec = (time_t)(deadline_ns / (1000 * PRI_MS));
        when.it_value.tv_nsec = (long)(deadline_ns % (1000 * PRI_MS));
    }
    timerfd_settime(alarm, TFD_TIMER_ABSTIME, &when, NULL);
}
