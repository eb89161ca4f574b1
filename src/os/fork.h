/*
 * The port contract for noticing a fork without a system call: a number that is another one in a forked child.
 * Linux: a page that the kernel wipes in the child (madvise(2), MADV_WIPEONFORK). Systems without fork: a constant.
 */
#ifndef PRI_OS_FORK_H
#define PRI_OS_FORK_H

#include <stdint.h>

/* Never 0; the same for all threads of a process; different in each forked child. */
uint32_t pri_fork_epoch(void);

#endif
