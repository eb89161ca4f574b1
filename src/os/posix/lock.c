/* A mutex that a forked child makes anew (os/lock.h). */
#include "os/lock.h"

#include <sched.h>

bool pri_lock_make(struct pri_lock *lock, uint32_t now) {
    uint32_t before = atomic_load(&lock->maker);
    if (before != now && atomic_compare_exchange_strong(&lock->maker, &before, now)) {
        pthread_mutex_init(&lock->mutex, NULL);
        pthread_mutex_lock(&lock->mutex);
        atomic_store_explicit(&lock->epoch, now, memory_order_release);
        return true;
    }
    while (atomic_load_explicit(&lock->epoch, memory_order_acquire) != now) {
        sched_yield(); /* for the few instructions above, once in a forked child with several
                          threads */
    }
    pthread_mutex_lock(&lock->mutex);
    return false;
}
