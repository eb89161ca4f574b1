/*
 * For the code that runs in a child which shares its parent's memory but not its descriptors
 * (spawn.c). ThreadSanitizer keeps its table of descriptors in that memory and would take what the
 * child opens and closes for the parent's doing, so with it these calls go to the kernel past its
 * interceptors when a child makes them. When the parent makes them, in the same code, they must be
 * seen: of a descriptor whose end it missed it takes the next of that number for a race.
 * Without ThreadSanitizer this is nothing. Include it after the system's headers.
 */
#ifndef PRI_OS_LINUX_UNSEEN_H
#define PRI_OS_LINUX_UNSEEN_H

#if defined __has_feature
#if __has_feature(thread_sanitizer)
#define PRI_UNSEEN 1
#endif
#endif
#if defined __SANITIZE_THREAD__
#define PRI_UNSEEN 1
#endif

#ifdef PRI_UNSEEN
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* It takes clone() for a fork(), after which it forgets all other threads and stops following the
 * one that is left: in the parent too if the memory is shared (compiler-rt,
 * tsan_interceptors_posix.cpp). This is glibc's other name for it. */
int __clone(int (*run)(void *), void *stack, int flags, void *argument, ...);

/* The process in whose memory and thread this is, set before a clone (the child shares both) and
 * for as long as a child may run. 0: no child does. */
__attribute__((weak)) _Thread_local long pri_unseen_parent;

#define PRI_IS_SEEN (pri_unseen_parent == 0 || pri_unseen_parent == syscall(SYS_getpid))
#define PRI_CALL(seen, ...) (PRI_IS_SEEN ? (seen) : (int)syscall(__VA_ARGS__))
#define PRI_CALL_SIZE(seen, ...) (PRI_IS_SEEN ? (seen) : syscall(__VA_ARGS__))

#define clone __clone
#define open(path, flags) PRI_CALL((open)(path, flags), SYS_openat, AT_FDCWD, path, flags)
#define close(fd) PRI_CALL((close)(fd), SYS_close, fd)
#define dup(fd) PRI_CALL((dup)(fd), SYS_dup, fd)
#define dup2(from, to) PRI_CALL((dup2)(from, to), SYS_dup3, from, to, 0)
#define dup3(from, to, flags) PRI_CALL((dup3)(from, to, flags), SYS_dup3, from, to, flags)
#define write(fd, bytes, size) PRI_CALL_SIZE((write)(fd, bytes, size), SYS_write, fd, bytes, size)
#define writev(fd, parts, count)                                                                   \
    PRI_CALL_SIZE((writev)(fd, parts, count), SYS_writev, fd, parts, count)
#define socket(family, type, protocol)                                                             \
    PRI_CALL((socket)(family, type, protocol), SYS_socket, family, type, protocol)
#define bind(fd, address, size) PRI_CALL((bind)(fd, address, size), SYS_bind, fd, address, size)
#define listen(fd, queue) PRI_CALL((listen)(fd, queue), SYS_listen, fd, queue)
#define connect(fd, address, size)                                                                 \
    PRI_CALL((connect)(fd, address, size), SYS_connect, fd, address, size)
#define send(fd, bytes, size, flags)                                                               \
    PRI_CALL_SIZE((send)(fd, bytes, size, flags), SYS_sendto, fd, bytes, size, flags, NULL, 0)
#define recv(fd, bytes, size, flags)                                                               \
    PRI_CALL_SIZE((recv)(fd, bytes, size, flags), SYS_recvfrom, fd, bytes, size, flags, NULL, NULL)

#define PRI_UNSEEN_BEGIN() ((void)(pri_unseen_parent = syscall(SYS_getpid)))
#define PRI_UNSEEN_END() ((void)(pri_unseen_parent = 0))
#else
#define PRI_UNSEEN_BEGIN() ((void)0)
#define PRI_UNSEEN_END() ((void)0)
#endif

#endif
