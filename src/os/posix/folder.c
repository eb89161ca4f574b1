/* Folders, the environment and small writes on POSIX systems (os/folder.h). */
#include "os/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"

_Static_assert(PRI_PATH_SIZE >= PATH_MAX, "realpath writes up to PATH_MAX bytes");

const char *pri_environment(const char *name) {
    return secure_getenv(name);
}

uint32_t pri_own_user(void) {
    return (uint32_t)geteuid();
}

uint32_t pri_own_pid(void) {
    return (uint32_t)getpid();
}

int pri_folder_make(const char *path) {
    struct stat status;
    if (mkdir(path, 0700) < 0) {
        return -1;
    }
    /* The umask may have taken rights of our own. It is the whole process's, and not to be changed
     * by a library. */
    if (lstat(path, &status) == 0 && (status.st_mode & 0700) == 0700) {
        return 0;
    }
    return fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW);
}

static int unreachable(procref_error *err, int os, const char *op, const char *path) {
    const char *what = strcmp(op, "mkdir") == 0 ? "create" : "reach", *slash = strrchr(path, '/');
    if (os != EACCES || slash == NULL || slash == path) {
        return pri_fail(err, PROCREF_E_IO, os, op, "cannot %s the folder '%s'", what, path);
    }
    return pri_fail(err, PROCREF_E_IO, os, op,
                    "cannot %s the folder '%s': see the mode of '%.*s' (chmod u+rwx)", what, path,
                    (int)(slash - path), path);
}

int pri_folder_claim(const char *base_dir, char *ret_path, procref_error *err) {
    char path[PRI_PATH_SIZE];
    struct stat status;

    char *found = realpath(base_dir, path);
    if (found == NULL && errno == ENOENT) {
        if (pri_folder_make(base_dir) < 0 && errno != EEXIST) {
            int os = errno;
            return unreachable(err, os, "mkdir", base_dir);
        }
        found = realpath(base_dir, path);
    }
    if (found == NULL) {
        int os = errno;
        return unreachable(err, os, "realpath", base_dir);
    }
    if (lstat(path, &status) < 0) {
        int os = errno;
        return pri_fail(err, PROCREF_E_IO, os, "lstat", "cannot look at the folder '%s'", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return pri_fail(err, PROCREF_E_IO, ENOTDIR, "lstat", "the folder '%s' cannot be used",
                        path);
    }
    if (status.st_uid != geteuid()) {
        return pri_fail(
            err, PROCREF_E_PERMISSION, 0, "lstat",
            "the folder '%s' belongs to user %u, not to user %u: choose one of your own", path,
            (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return pri_fail(err, PROCREF_E_PERMISSION, 0, "lstat",
                        "the folder '%s' can be written by other users (mode %04o): chmod go-w it",
                        path, (unsigned)(status.st_mode & 07777));
    }
    memcpy(ret_path, path, strlen(path) + 1);
    return 0;
}

int pri_folder_absolute(const char *path, char *ret_path, procref_error *err) {
    size_t length = 0;
    if (path[0] != '/' && path[0] != '$') {
        if (getcwd(ret_path, PRI_PATH_SIZE - 1) == NULL) {
            int os = errno;
            return pri_fail(err, PROCREF_E_IO, os, "getcwd", "working_dir '%s' is relative", path);
        }
        length = strlen(ret_path);
        ret_path[length++] = '/';
    }
    if (path[0] == '\0' || length + strlen(path) >= PRI_PATH_SIZE) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "working_dir is empty or too long");
    }
    memcpy(ret_path + length, path, strlen(path) + 1);
    return 0;
}

/* XDG_RUNTIME_DIR is believed only if it is ours alone, as its specification demands of it. */
static bool is_ours(const char *path) {
    struct stat status;
    return path != NULL && path[0] == '/' && stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

void pri_folder_default(char *ret_path) {
    const char *runtime = pri_environment("XDG_RUNTIME_DIR");
    char path[64];
    if (runtime != NULL && strlen(runtime) < PRI_PATH_SIZE - 16 && is_ours(runtime)) {
        pri_format(ret_path, PRI_PATH_SIZE, "%s/procref", runtime);
        return;
    }
    pri_format(path, sizeof path, "/run/user/%u", (unsigned)geteuid());
    if (is_ours(path)) {
        pri_format(ret_path, PRI_PATH_SIZE, "%s/procref", path);
    } else {
        pri_format(ret_path, PRI_PATH_SIZE, "/tmp/procref-%u", (unsigned)geteuid());
    }
}

ptrdiff_t pri_read_text(const char *path, char *to, size_t size) {
    size_t length = 0;
    ssize_t part = 0;
    /* A pipe that somebody put there must not keep us waiting for who writes to it. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    to[0] = '\0';
    if (fd < 0) {
        return -1;
    }
    do {
        part = read(fd, to + length, size - 1 - length);
        length += part > 0 ? (size_t)part : 0;
    } while ((part > 0 && length < size - 1) || (part < 0 && errno == EINTR));
    close(fd);
    to[length] = '\0';
    return part < 0 ? -1 : (ptrdiff_t)length;
}

void pri_append_line(const char *path, const char *line, size_t length) {
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd >= 0) {
        ssize_t written = write(fd, line, length);
        (void)written;
        close(fd);
    }
}

#ifdef PRI_CRASH_POINTS
bool pri_claim_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

void pri_kill_self(void) {
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}
#endif
