/*
 * The port contract for turning "this register is 0" into a waitable for the loop. Linux: a thread
 * of the keeper that sleeps in semop(2) and writes to an eventfd. Windows: WaitForMultipleObjects
 * has it already; macOS: the no-senders notification.
 */
#ifndef PRI_OS_WAITER_H
#define PRI_OS_WAITER_H

#include "os/counter.h"

struct pri_waiter;

/* NULL without memory or descriptors. */
struct pri_waiter *pri_waiter_open(procref_waitable *ret_waitable);

/* Begins to wait, unless it waits already. LIMIT: no thread. */
int pri_waiter_arm(struct pri_waiter *waiter, const struct pri_counter *counter,
                   enum pri_register reg);

/*
 * When the waitable is readable: PRI_OK (it was 0), PRI_GONE (the counter was removed); else
 * PRI_NO. It waits no more then. *ret_stamp is that of the counter it waited on.
 */
int pri_waiter_result(struct pri_waiter *waiter, uint32_t *ret_stamp);

/* Ends the wait and the thread; afterwards this process has one thread again. */
void pri_waiter_close(struct pri_waiter *waiter);

#endif
