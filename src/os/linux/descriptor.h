/* Descriptors in somebody else's process; private to Linux. */
#ifndef PRI_OS_LINUX_DESCRIPTOR_H
#define PRI_OS_LINUX_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * In a program that runs with 0, 1 or 2 closed the kernel gives us one of these, and what the
 * program prints would go into our socket. Takes a new descriptor, gives another one for the same
 * file; -1 and errno as fcntl(2), or if fd is -1 already.
 */
static inline int pri_descriptor_above_standard(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) {
        return fd;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int saved = errno;
    close(fd);
    errno = saved;
    return moved;
}

#endif
