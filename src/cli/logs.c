/* procref logs: what a service wrote to its output; it stands in NAME.log, what was cut off before
 * in NAME.log.1 (keeper/files.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/look.h"

enum { KNOWN_SIZE = 512 };

struct follower {
    char path[4400], before[4400]; /* NAME.log, NAME.log.1 */
    char file[256];
    const char *dir;
    int fd;
    off_t at;               /* printed up to here */
    char known[KNOWN_SIZE]; /* the last bytes that were printed */
    size_t known_size;
};

struct text {
    char *bytes;
    size_t size;
};

static int open_log(const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Adds what fd has from *at on. */
static void read_from(int fd, off_t *at, struct text *text) {
    char part[65536];
    ssize_t got;
    while (fd >= 0 && (got = pread(fd, part, sizeof part, *at)) > 0) {
        char *more = realloc(text->bytes, text->size + (size_t)got);
        if (more == NULL) {
            return;
        }
        memcpy(more + text->size, part, (size_t)got);
        text->bytes = more;
        text->size += (size_t)got;
        *at += got;
    }
}

static bool print(const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            cli_say("cannot write to the standard output: %s", strerror(errno));
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* Where the last `lines` lines begin. */
static size_t last_lines(const struct text *text, int64_t lines) {
    size_t at = text->size;
    if (at > 0 && text->bytes[at - 1] == '\n') {
        at--; /* the end of the last line, not the beginning of another */
    }
    while (at > 0) {
        if (text->bytes[at - 1] == '\n' && --lines == 0) {
            return at;
        }
        at--;
    }
    return lines > 0 ? 0 : text->size;
}

static void remember(struct follower *f, const struct text *text) {
    size_t fresh = text->size < KNOWN_SIZE ? text->size : KNOWN_SIZE;
    size_t kept = f->known_size < KNOWN_SIZE - fresh ? f->known_size : KNOWN_SIZE - fresh;
    if (fresh > 0) {
        memmove(f->known, f->known + f->known_size - kept, kept);
        memcpy(f->known + kept, text->bytes + text->size - fresh, fresh);
        f->known_size = kept + fresh;
    }
}

/* ---- Following ------------------------------------------------------------------------------- */

/*
 * The keeper has cut the log: its end was copied to NAME.log.1 and it begins anew. What came
 * between our last look and the cut stands there, after what we know.
 */
static void read_cut_off(const struct follower *f, struct text *text) {
    struct text before = {0};
    off_t at = 0;
    int fd = open_log(f->before);
    read_from(fd, &at, &before);
    if (fd >= 0) {
        close(fd);
    }
    size_t last = before.size + 1;
    for (size_t i = before.size; f->known_size > 0 && i >= f->known_size && last > before.size;
         i--) {
        if (memcmp(before.bytes + i - f->known_size, f->known, f->known_size) == 0) {
            last = i;
        }
    }
    if (last < before.size) {
        text->bytes = malloc(before.size - last);
        if (text->bytes != NULL) {
            text->size = before.size - last;
            memcpy(text->bytes, before.bytes + last, text->size);
        }
    }
    free(before.bytes);
}

/* Shorter than what was printed of it, or not what was printed: it may have grown long again. */
static bool was_cut(const struct follower *f) {
    char there[KNOWN_SIZE];
    size_t size = (off_t)f->known_size < f->at ? f->known_size : (size_t)f->at;
    if (f->fd < 0 || size == 0) {
        return false;
    }
    return pread(f->fd, there, size, f->at - (off_t)size) != (ssize_t)size ||
           memcmp(there, f->known + f->known_size - size, size) != 0;
}

static bool was_replaced(const struct follower *f) {
    struct stat ours, there;
    return f->fd < 0 || (lstat(f->path, &there) == 0 && fstat(f->fd, &ours) == 0 &&
                         (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev));
}

/* Prints what is new. */
static bool step(struct follower *f) {
    struct text text = {0};
    if (was_cut(f)) {
        read_cut_off(f, &text);
        f->at = 0;
    }
    read_from(f->fd, &f->at, &text);
    if (was_replaced(f)) {
        int fd = open_log(f->path);
        if (fd >= 0) {
            if (f->fd >= 0) {
                close(f->fd);
            }
            f->fd = fd;
            f->at = 0;
            read_from(f->fd, &f->at, &text);
        }
    }
    bool printed = print(text.bytes, text.size);
    remember(f, &text);
    free(text.bytes);
    return printed;
}

/* False: the folder is gone. */
static bool drain_events(int watch, const char *file, bool *ret_ours) {
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length = read(watch, events, sizeof events);
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const void *)(events + at);
        if ((event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_UNMOUNT)) != 0) {
            return false;
        }
        if ((event->mask & IN_Q_OVERFLOW) != 0 ||
            (event->len > 0 && strcmp(event->name, file) == 0)) {
            *ret_ours = true;
        }
        at += (ssize_t)(sizeof *event + event->len);
    }
    return true;
}

static int follow(struct follower *f, int watch) {
    for (;;) {
        /* Of the output only its end is waited for: a pipe whose reader has gone. */
        struct pollfd polled[2] = {{watch, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
        bool ours = false;
        if (poll(polled, 2, -1) < 0 && errno != EINTR) {
            cli_say("poll: %s", strerror(errno));
            return CLI_FAILED;
        }
        if ((polled[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
            return CLI_OK;
        }
        if ((polled[0].revents & POLLIN) != 0 && !drain_events(watch, f->file, &ours)) {
            cli_say("the folder of the log is gone: %s", f->dir);
            return CLI_FAILED;
        }
        if (ours && !step(f)) {
            return CLI_FAILED;
        }
    }
}

/* Before the first look, so that nothing is missed. A folder that is not there yet is made, as the
 * keeper would: to wait for it without that one would have to watch all that are above it. */
static int watch_folder(const char *dir) {
    procref_error error = PROCREF_ERROR_INIT;
    int folder = pri_directory_open(dir, &error);
    if (folder < 0) {
        cli_say_error(NULL, &error);
        return -1;
    }
    close(folder);
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 ||
        inotify_add_watch(watch, dir,
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
        int os = errno;
        cli_say(os == EMFILE || os == ENOSPC
                    ? "cannot watch %s: %s: see fs.inotify.max_user_instances (sysctl)"
                    : "cannot watch %s: %s",
                dir, strerror(os));
        if (watch >= 0) {
            close(watch);
        }
        return -1;
    }
    return watch;
}

/* ---- The command ----------------------------------------------------------------------------- */

static int show(struct follower *f, bool follows, int64_t lines) {
    int watch = follows ? watch_folder(f->dir) : -1;
    if (follows && watch < 0) {
        return CLI_NO;
    }
    struct text text = {0};
    off_t at = 0;
    int before = open_log(f->before);
    f->fd = open_log(f->path);
    if (before < 0 && f->fd < 0) {
        cli_say(follows ? "no log yet: waiting for %s" : "no log: %s is not there", f->path);
        if (!follows) {
            return CLI_NO;
        }
    }
    read_from(before, &at, &text);
    read_from(f->fd, &f->at, &text);
    if (before >= 0) {
        close(before);
    }
    size_t from = lines >= 0 ? last_lines(&text, lines) : 0;
    int status = text.size == 0 || print(text.bytes + from, text.size - from) ? CLI_OK : CLI_FAILED;
    remember(f, &text);
    free(text.bytes);
    if (status == CLI_OK && follows) {
        status = follow(f, watch);
    }
    return status;
}

int cli_logs(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    bool follows = false;
    int64_t lines = -1;
    const struct cli_option options[] = {
        {"follow", 'f', CLI_FLAG, NULL, "go on with what is written from now on", &follows},
        {"lines", 'n', CLI_NUMBER, "LINES", "only the last LINES", &lines},
        {"file", 0, CLI_TEXT, "FILE", "the service file", &wanted.file},
        {"scope", 0, CLI_TEXT, "user|DIR", "share beyond the service file's folder", &wanted.scope},
        {"base-dir", 0, CLI_TEXT, "DIR", "the folder of log and hints", &wanted.base_dir},
        {0}};
    struct cli_target target;
    int status = look_parse(command, options, &wanted, argc, argv, &target);
    if (status >= 0) {
        return status;
    }
    struct follower f = {.fd = -1, .dir = target.dir};
    char last[256];
    pri_file_name(target.ident.name, ".log", f.file);
    pri_file_name(target.ident.name, ".log.1", last);
    snprintf(f.path, sizeof f.path, "%s/%s", target.dir, f.file);
    snprintf(f.before, sizeof f.before, "%s/%s", target.dir, last);
    status = show(&f, follows, lines);
    if (status == CLI_NO) {
        look_suggest(&target);
    }
    cli_target_free(&target);
    return status;
}
