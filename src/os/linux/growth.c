/* os/growth.h by inotify(7) and memfd_create(2). */
#include "os/growth.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/fail.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* The way to a file that may have no name any more. */
static void own_path(int fd, char path[32]) {
    pri_format(path, 32, "/proc/self/fd/%d", fd);
}

procref_waitable pri_growth_open(void) {
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

void pri_growth_close(procref_waitable growth) {
    if (growth >= 0) {
        close(growth);
    }
}

bool pri_growth_arm(procref_waitable growth, int file) {
    char path[32];
    own_path(file, path);
    return growth >= 0 && inotify_add_watch(growth, path, IN_MODIFY | IN_ONESHOT) >= 0;
}

bool pri_growth_take(procref_waitable growth) {
    char events[128];
    ssize_t length;
    bool readable = false;
    while (growth >= 0 &&
           ((length = read(growth, events, sizeof events)) > 0 || (length < 0 && errno == EINTR))) {
        readable = true;
    }
    return readable;
}

int pri_growth_unnamed(void) {
    char path[32];
    int fd = memfd_create("procref-log", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) { /* before Linux 6.3 */
        fd = memfd_create("procref-log", MFD_CLOEXEC);
    }
    if (fd < 0) {
        return -1;
    }
    /* Since Linux 6.14 the first descriptor of a memfd tells inotify nothing; one opened by path
     * does. */
    own_path(fd, path);
    int again = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (again >= 0) {
        close(fd);
        return again;
    }
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}
