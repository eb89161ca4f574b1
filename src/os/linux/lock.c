/* A lock that a forked child makes anew (os/lock.h). Its waiters sleep by futex(2). */
#include "os/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64 /* of 32-bit systems that never had another */
#endif

/* Leaves errno alone, as the mutexes of libc do. */
static void futex(struct pri_lock *lock, int operation, uint32_t value) {
    int saved = errno;
    syscall(SYS_futex, &lock->state, operation, value, NULL);
    errno = saved;
}

void pri_lock_wait(struct pri_lock *lock) {
    while (atomic_exchange_explicit(&lock->state, PRI_LOCK_AWAITED, memory_order_acquire) !=
           PRI_LOCK_FREE) {
        futex(lock, FUTEX_WAIT_PRIVATE, PRI_LOCK_AWAITED);
    }
}

/* Whoever took the lock meanwhile may have freed it: the kernel then wakes nobody, or somebody who
 * looks again. */
void pri_lock_wake(struct pri_lock *lock) {
    futex(lock, FUTEX_WAKE_PRIVATE, 1);
}

bool pri_lock_make(struct pri_lock *lock, uint32_t now) {
    uint32_t before = atomic_load(&lock->maker);
    if (before != now && atomic_compare_exchange_strong(&lock->maker, &before, now)) {
        atomic_store(&lock->state, PRI_LOCK_TAKEN);
        atomic_store_explicit(&lock->epoch, now, memory_order_release);
        return true;
    }
    while (atomic_load_explicit(&lock->epoch, memory_order_acquire) != now) {
        sched_yield(); /* for the few instructions above, once in a forked child with several
                          threads */
    }
    return pri_lock_take(lock);
}
