/* os/arrival.h by inotify(7), which watches what exists: the nearest folder above the file that
 * does. */
#include "os/arrival.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/fail.h"
#include "os/folder.h"
#include "os/linux/descriptor.h"

#define CHANGES (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR)

/* The length of the path that is watched now; 0: none. The folders above it that were watched
 * before stay so: it may be removed. */
static size_t watch_nearest(int fd, const char *path) {
    char folder[PRI_PATH_SIZE];
    pri_format(folder, sizeof folder, "%s", path);
    for (char *slash; (slash = strrchr(folder, '/')) != NULL;) {
        slash[slash == folder] = '\0';
        if (inotify_add_watch(fd, folder, CHANGES) >= 0) {
            return strlen(folder);
        }
        *slash = '\0';
    }
    return 0;
}

/* A folder that was made between the failed look at it and the watch on the one above is found by
 * the next look. */
static void watch_way(int fd, const char *path) {
    size_t reached = 0, length;
    while ((length = watch_nearest(fd, path)) > reached) {
        reached = length;
    }
}

procref_waitable pri_arrival_watch(const char *path) {
    int fd = pri_descriptor_above_standard(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (fd >= 0) {
        watch_way(fd, path);
    }
    return fd;
}

void pri_arrival_follow(procref_waitable arrival, const char *path) {
    char events[1024];
    while (read(arrival, events, sizeof events) > 0) {
    }
    watch_way(arrival, path);
}

void pri_arrival_close(procref_waitable arrival) {
    close(arrival);
}
