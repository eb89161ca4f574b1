/*
 * The port contract for a lock between the threads of one process that survives fork: a child that
 * was forked while another thread held the lock finds it free, and is told once that what the lock
 * guards is its parent's.
 */
#ifndef PRI_OS_LOCK_H
#define PRI_OS_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/fork.h"

struct pri_lock {
    pthread_mutex_t mutex;
    _Atomic uint32_t epoch; /* of the process that it works in; 0: not made yet, a static lock */
    _Atomic uint32_t maker; /* the epoch in which some thread makes it anew right now */
};

/* Private: the first taker of a process, or one who waits for it. */
bool pri_lock_make(struct pri_lock *lock, uint32_t now);

/* True: this is the first taker in this process. It must put in order what the lock guards. */
static inline bool pri_lock_take(struct pri_lock *lock) {
    uint32_t now = pri_fork_epoch();
    if (atomic_load_explicit(&lock->epoch, memory_order_acquire) != now) {
        return pri_lock_make(lock, now);
    }
    pthread_mutex_lock(&lock->mutex);
    return false;
}

static inline void pri_lock_give(struct pri_lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}

#endif
