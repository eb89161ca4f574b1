/*
 * The port contract for noticing a fork without a system call: a number that is another one in a
 * forked child. Linux: a page that the kernel wipes in the child (madvise(2), MADV_WIPEONFORK).
 * Systems without fork: a constant.
 */
#ifndef PRI_OS_FORK_H
#define PRI_OS_FORK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Private: where the number stands, wiped to 0 in a forked child; NULL at first, or where there is
 * no such page. */
extern _Atomic(_Atomic uint32_t *) pri_fork_mark;
uint32_t pri_fork_new_epoch(void);

/* Never 0; the same for all threads of a process; different in each forked child. */
static inline uint32_t pri_fork_epoch(void) {
    _Atomic uint32_t *page = atomic_load_explicit(&pri_fork_mark, memory_order_acquire);
    uint32_t epoch = page != NULL ? atomic_load_explicit(page, memory_order_acquire) : 0;
    return epoch != 0 ? epoch : pri_fork_new_epoch();
}

#endif
