/* A mutex that a forked child makes anew (os/lock.h). */
#include "os/lock.h"

#include <sched.h>

#include "os/fork.h"

bool pri_lock_take(struct pri_lock *lock) {
    uint32_t now = pri_fork_epoch();
    if (atomic_load_explicit(&lock->epoch, memory_order_acquire) == now) {
        pthread_mutex_lock(&lock->mutex);
        return false;
    }
    uint32_t before = atomic_load(&lock->maker);
    if (before != now && atomic_compare_exchange_strong(&lock->maker, &before, now)) {
        pthread_mutex_init(&lock->mutex, NULL);
        pthread_mutex_lock(&lock->mutex);
        atomic_store_explicit(&lock->epoch, now, memory_order_release);
        return true;
    }
    while (atomic_load_explicit(&lock->epoch, memory_order_acquire) != now) {
        sched_yield(); /* for the few instructions above, once in a forked child with several threads */
    }
    pthread_mutex_lock(&lock->mutex);
    return false;
}

void pri_lock_give(struct pri_lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}
