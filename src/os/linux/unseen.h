/*
 * For the code that runs in a child which shares its parent's memory but not its descriptors
 * (spawn.c). ThreadSanitizer keeps its table of descriptors in that memory and would take what the
 * child opens and closes for the parent's doing, so with it these calls go to the kernel past its
 * interceptors. Without it this is nothing. Include it after the system's headers.
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

#define clone __clone
#define open(path, flags) syscall(SYS_openat, AT_FDCWD, (path), (flags))
#define close(fd) syscall(SYS_close, (fd))
#define dup(fd) syscall(SYS_dup, (fd))
#define dup2(from, to) syscall(SYS_dup3, (from), (to), 0)
#define dup3(from, to, flags) syscall(SYS_dup3, (from), (to), (flags))
#define write(fd, bytes, size) syscall(SYS_write, (fd), (bytes), (size))
#define writev(fd, parts, count) syscall(SYS_writev, (fd), (parts), (count))
#define socket(family, type, protocol) syscall(SYS_socket, (family), (type), (protocol))
#define bind(fd, address, size) syscall(SYS_bind, (fd), (address), (size))
#define listen(fd, queue) syscall(SYS_listen, (fd), (queue))
#define connect(fd, address, size) syscall(SYS_connect, (fd), (address), (size))
#define send(fd, bytes, size, flags) syscall(SYS_sendto, (fd), (bytes), (size), (flags), NULL, 0)
#define recv(fd, bytes, size, flags)                                                               \
    syscall(SYS_recvfrom, (fd), (bytes), (size), (flags), NULL, NULL)
#endif

#endif
