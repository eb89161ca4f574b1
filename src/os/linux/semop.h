/*
 * semop(2) without libc's function, which would be one more that returns after the system call
 * (core/hot.h): on x86-64 it was the step from 1.13 to 1.10 of a bare pair's time. It does what
 * libc's does, errno included, and neither is a point of cancellation. Elsewhere it is libc's;
 * under a sanitizer too, which does not see what an asm statement reads.
 */
#ifndef PRI_LINUX_SEMOP_H
#define PRI_LINUX_SEMOP_H

#include <errno.h>
#include <stddef.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "core/hot.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define PRI_SANITIZED
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define PRI_SANITIZED
#endif
#endif

static inline PRI_HOT int pri_semop(int id, struct sembuf *ops, size_t n) {
#if !defined __x86_64__ || defined __ILP32__ || defined PRI_SANITIZED
    return semop(id, ops, n);
#else
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_semop), "D"((long)id), "S"(ops), "d"(n)
                     : "rcx", "r11", "memory");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return 0;
#endif
}

#endif
