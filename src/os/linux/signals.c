/*
 * Resetting signals. sigaction(2) of both libcs refuses signals 32 and 33, which they use themselves; but a program that was
 * started by glibc's posix_spawn may have them ignored, and would pass that on to the service for ever.
 */
#include "os/linux/signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIGNALS = 64, KERNEL_SET_SIZE = 8 };

void pri_signals_reset(void) {
    /* The kernel's structure (handler, flags, restorer, mask) all zero: SIG_DFL. */
    static const uint64_t kernel_default[8];
    sigset_t none;
    for (int number = 1; number <= SIGNALS; number++) {
        syscall(SYS_rt_sigaction, number, kernel_default, NULL, KERNEL_SET_SIZE);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
