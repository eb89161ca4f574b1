/* What Linux tells of a process in /proc/PID/stat; private to process.c, tree.c and launch.c. */
#ifndef PRI_OS_LINUX_PROCFS_H
#define PRI_OS_LINUX_PROCFS_H

#include "os/process.h"

struct pri_proc_stat {
    char state;      /* 'R', 'S', 'Z' … */
    bool is_kernels; /* a thread of the kernel */
    bool exiting;    /* it is in exit(2), or has been; of the first thread alone, as state is */
    uint32_t parent; /* the pid of the parent process, whichever of its threads forked */
    uint64_t threads;
    uint64_t start; /* clock ticks after boot; a parent's is never larger than its child's */
};

/* Reads it, of a zombie too. False if there is no such process (or a sandbox hides it). */
bool pri_proc_stat(uint32_t pid, struct pri_proc_stat *ret_stat);

/* Whether anything of it can still run. */
bool pri_proc_stat_alive(const struct pri_proc_stat *stat);

#endif
