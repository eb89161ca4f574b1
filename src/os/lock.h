/*
 * The port contract for a lock between the threads of one process that survives fork: a child that
 * was forked while another thread held the lock finds it free, and is told once that what the lock
 * guards is its parent's. A system gives a way to sleep until a word changes, and to wake a
 * sleeper.
 *
 * It is no mutex of libc, because two of those are a third of a nested acquire and release: in
 * line, each taking and giving costs 7 to 10 ns less. The states are those of U. Drepper, "Futexes
 * are tricky", mutex2, which glibc's plain mutex has too.
 */
#ifndef PRI_OS_LOCK_H
#define PRI_OS_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/fork.h"

enum { PRI_LOCK_FREE, PRI_LOCK_TAKEN, PRI_LOCK_AWAITED /* taken, and somebody may sleep */ };

struct pri_lock {
    _Atomic uint32_t state;
    _Atomic uint32_t epoch; /* of the process that it works in; 0: not made yet, a static lock */
    _Atomic uint32_t maker; /* the epoch in which some thread makes it anew right now */
};

/* Private: the first taker of a process, or one who waits for it. */
bool pri_lock_make(struct pri_lock *lock, uint32_t now);

/* Private: takes it, sleeping while it is not free; wakes one who sleeps. */
void pri_lock_wait(struct pri_lock *lock);
void pri_lock_wake(struct pri_lock *lock);

/* True: this is the first taker in this process. It must put in order what the lock guards. */
static inline bool pri_lock_take(struct pri_lock *lock) {
    uint32_t now = pri_fork_epoch();
    if (atomic_load_explicit(&lock->epoch, memory_order_acquire) != now) {
        return pri_lock_make(lock, now);
    }
    uint32_t expected = PRI_LOCK_FREE;
    if (!atomic_compare_exchange_strong_explicit(&lock->state, &expected, PRI_LOCK_TAKEN,
                                                 memory_order_acquire, memory_order_relaxed)) {
        pri_lock_wait(lock);
    }
    return false;
}

static inline void pri_lock_give(struct pri_lock *lock) {
    if (atomic_exchange_explicit(&lock->state, PRI_LOCK_FREE, memory_order_release) ==
        PRI_LOCK_AWAITED) {
        pri_lock_wake(lock);
    }
}

#endif
