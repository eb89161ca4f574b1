/* Reading a file that decides what is executed: nobody else may be able to write it. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/unit/loader.h"

enum { FILE_MOST = 8 * 1024 * 1024 };

static const char *owner_name(struct loader *l, uid_t uid) {
    struct passwd *user = getpwuid(uid);
    return user != NULL ? unit_copy(l, user->pw_name, strlen(user->pw_name))
                        : unit_text(l, "uid %u", (unsigned)uid);
}

static const char *check(struct loader *l, const struct stat *st) {
    unsigned mode = st->st_mode & 07777;
    if (S_ISDIR(st->st_mode)) {
        return "is a directory, not a file";
    }
    if (!S_ISREG(st->st_mode)) {
        return "is no regular file";
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return unit_text(l, "belongs to %s (mode %04o): use a file of your own, or of root",
                         owner_name(l, st->st_uid), mode);
    }
    if ((mode & 0002) != 0) {
        return unit_text(l, "can be written by everybody (owner %s, mode %04o): chmod o-w it",
                         owner_name(l, st->st_uid), mode);
    }
    if (st->st_size > FILE_MOST) {
        return "is larger than 8 MiB";
    }
    return NULL;
}

static const char *read_all(struct loader *l, int fd, const struct stat *st, const char **ret_text,
                            size_t *ret_length) {
    size_t size = (size_t)st->st_size, used = 0;
    char *text = unit_get(l, size + 1);
    while (used < size) {
        ssize_t got = read(fd, text + used, size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return unit_text(l, "cannot be read: %s", strerror(errno));
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    *ret_text = text;
    *ret_length = used;
    return NULL;
}

const char *unit_read_file(struct loader *l, const char *path, const char **ret_text,
                           size_t *ret_length) {
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return check(l, &st); /* opening a device may already do something */
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return unit_text(l, "cannot be opened: %s", strerror(errno));
    }
    const char *why = fstat(fd, &st) < 0 ? strerror(errno) : check(l, &st);
    if (why == NULL) {
        why = read_all(l, fd, &st, ret_text, ret_length);
    }
    close(fd);
    return why;
}
