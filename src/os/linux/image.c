/* The keeper's program as bytes in the library, so that a statically linked client needs nothing
 * installed; and the way to the one that was installed with the shared library. */
#include "os/spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

__asm__(".pushsection .rodata.pri_keeper_image, \"a\"\n"
        ".globl pri_keeper_image\n"
        ".hidden pri_keeper_image\n"
        ".balign 16\n"
        "pri_keeper_image:\n"
        ".incbin \"" PRI_KEEPER_IMAGE "\"\n"
        ".globl pri_keeper_image_end\n"
        ".hidden pri_keeper_image_end\n"
        "pri_keeper_image_end:\n"
        ".byte 0\n"
        ".popsection\n");

#ifdef PRI_KEEPER_BESIDE /* the shared library: it knows its keeper by the way from its own folder */

/* Called in a child that shares its parent's memory: nothing of it may be instrumented. */
#define IN_CHILD                                                                                   \
    __attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))

IN_CHILD static uintptr_t number(const char **at) {
    uintptr_t value = 0;
    for (;; ++*at) {
        char digit = **at;
        if (digit >= '0' && digit <= '9') {
            value = value * 16 + (uintptr_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            value = value * 16 + (uintptr_t)(digit - 'a' + 10);
        } else {
            return value;
        }
    }
}

/* "START-END rwxp OFFSET DEVICE INODE    PATH", proc_pid_maps(5): is this the mapping of the image? */
IN_CHILD static bool is_image(const char *line) {
    uintptr_t start = number(&line);
    uintptr_t end = *line++ == '-' ? number(&line) : 0;
    uintptr_t image = (uintptr_t)pri_keeper_image;
    return start <= image && image < end;
}

IN_CHILD bool pri_keeper_beside(char *ret_path, size_t size) {
    char line[PATH_MAX + 128], part[1024];
    size_t length = 0;
    bool found = false;
    ssize_t got;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps < 0) {
        return false;
    }
    while (!found && (got = read(maps, part, sizeof part)) > 0) {
        for (ssize_t i = 0; i < got && !found; i++) {
            if (part[i] != '\n') {
                line[length] = part[i];
                length += length < sizeof line - 1;
                continue;
            }
            line[length] = '\0';
            length = 0;
            found = is_image(line);
        }
    }
    close(maps);
    const char *path = found ? strchr(line, '/') : NULL;
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (slash == NULL || (size_t)(slash + 1 - path) + sizeof PRI_KEEPER_BESIDE > size) {
        return false;
    }
    memcpy(ret_path, path, (size_t)(slash + 1 - path));
    memcpy(ret_path + (slash + 1 - path), PRI_KEEPER_BESIDE, sizeof PRI_KEEPER_BESIDE);
    return true;
}
#else
bool pri_keeper_beside(char *ret_path, size_t size) {
    (void)ret_path, (void)size;
    return false;
}
#endif
