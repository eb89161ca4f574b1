/*
 * The keeper's second thread: asleep in semop(2) until a register is 0. The clients' operations do
 * not get slower by it: the kernel looks at a sleeper of one operation only when its semaphore
 * changes (ipc/sem.c, update_queue).
 */
#include "os/waiter.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/poller.h"

enum { WAKE_SIGNAL = SIGURG, STACK_SIZE = 16 * 1024 };

struct pri_waiter {
    procref_waitable waitable;
    pthread_t thread;
    bool started;
    _Atomic bool busy, stop;
    _Atomic int result;
    sem_t wanted;
    struct pri_counter counter;
    enum pri_register reg;
};

/* Interrupts the wait; see pri_counter_interrupt(). */
static void on_wake(int signal) {
    (void)signal;
    pri_counter_interrupt();
}

static void *wait_in_turn(void *argument) {
    struct pri_waiter *waiter = argument;
    for (;;) {
        while (sem_wait(&waiter->wanted) < 0) {
        }
        int result = PRI_NO;
        while (!atomic_load(&waiter->stop) && result == PRI_NO) {
            result = pri_counter_await_zero(&waiter->counter, waiter->reg, &waiter->stop);
        }
        if (atomic_load(&waiter->stop)) {
            return NULL;
        }
        atomic_store(&waiter->result, result);
        pri_nudge(waiter->waitable);
    }
}

struct pri_waiter *pri_waiter_open(procref_waitable *ret_waitable) {
    struct pri_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) {
        return NULL;
    }
    if (pri_nudge_open(&waiter->waitable) < 0) {
        free(waiter);
        return NULL;
    }
    sem_init(&waiter->wanted, 0, 0);
    *ret_waitable = waiter->waitable;
    return waiter;
}

static int start(struct pri_waiter *waiter) {
    struct sigaction action = {.sa_handler =
                                   on_wake}; /* no SA_RESTART; semop is never restarted anyway */
    pthread_attr_t attributes;
    sigaction(WAKE_SIGNAL, &action, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes,
                              STACK_SIZE); /* refused where it is too small: the default */
    int failed = pthread_create(&waiter->thread, &attributes, wait_in_turn, waiter);
    pthread_attr_destroy(&attributes);
    waiter->started = failed == 0;
    return failed != 0 ? PROCREF_E_LIMIT : 0;
}

int pri_waiter_arm(struct pri_waiter *waiter, const struct pri_counter *counter,
                   enum pri_register reg) {
    if (atomic_load(&waiter->busy)) {
        return 0;
    }
    if (!waiter->started && start(waiter) < 0) {
        return PROCREF_E_LIMIT;
    }
    waiter->counter = *counter;
    waiter->reg = reg;
    atomic_store(&waiter->result, PRI_NO);
    atomic_store(&waiter->busy, true);
    sem_post(&waiter->wanted);
    return 0;
}

int pri_waiter_result(struct pri_waiter *waiter, uint32_t *ret_stamp) {
    pri_nudge_drain(waiter->waitable);
    *ret_stamp = pri_counter_stamp(&waiter->counter);
    int result = atomic_load(&waiter->result);
    if (result != PRI_NO) {
        atomic_store(&waiter->busy, false);
        atomic_store(&waiter->result, PRI_NO);
    }
    return result;
}

void pri_waiter_close(struct pri_waiter *waiter) {
    if (waiter->started) {
        atomic_store(&waiter->stop, true);
        sem_post(&waiter->wanted);
        pthread_kill(waiter->thread, WAKE_SIGNAL);
        pthread_join(waiter->thread, NULL);
        signal(WAKE_SIGNAL, SIG_DFL);
    }
    close(waiter->waitable);
    sem_destroy(&waiter->wanted);
    free(waiter);
}
