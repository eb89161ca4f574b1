/*
 * The log: the service's output in a file of bounded length (keeper/files.h). The service writes to
 * it directly, so it loses nothing when the keeper dies; the keeper only looks at the length now
 * and then.
 */
#include "keeper/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"
#include "os/clock.h"
#include "os/growth.h"

#define PAUSE_FIRST_NS (100 * PRI_MS)
#define PAUSE_LAST_NS (60000 * PRI_MS)

static int64_t length_of(const struct pri_log *log) {
    struct stat status;
    return fstat(log->fd, &status) == 0 ? (int64_t)status.st_size : 0;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Looked at before it is opened, for opening a FIFO or a device has effects, and afterwards. */
static int open_file(int dir, const char *name) {
    int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    struct stat status;
    int fd;

    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!pri_file_is_ours(&status)) {
            return -1;
        }
        fd = openat(dir, name, flags);
    } else {
        fd = openat(dir, name, flags | O_CREAT | O_EXCL, 0600);
    }
    if (fd >= 0 && (fstat(fd, &status) < 0 || !pri_file_is_ours(&status))) {
        close(fd);
        return -1;
    }
    if (fd >= 0) {
        fcntl(fd, F_SETFL, O_APPEND); /* the service need not see O_NONBLOCK on its output */
    }
    return fd;
}

void pri_log_open(struct pri_log *log, int dir, const char *name) {
    *log = (struct pri_log){.fd = -1, .grew = -1, .dir = dir, .next_ns = PRI_NEVER};
    log->pause_ns = PAUSE_FIRST_NS;
    if (dir >= 0) {
        pri_file_name(name, "", log->name);
        char file[sizeof log->name];
        pri_file_name(name, ".log", file);
        log->fd = open_file(dir, file);
    }
    if (log->fd < 0) {
        log->dir = -1;
        log->fd = pri_growth_unnamed();
    }
    if (log->fd < 0) {
        return;
    }
    pri_log_mark(log);
    log->grew = pri_growth_open();
    if (!pri_growth_arm(log->grew, log->fd)) {
        pri_growth_close(log->grew);
        log->grew = -1;
        log->next_ns = pri_clock_ns() + log->pause_ns;
    }
}

void pri_log_close(struct pri_log *log) {
    if (log->fd >= 0) {
        close(log->fd);
    }
    pri_growth_close(log->grew);
    log->fd = log->grew = -1;
    log->next_ns = PRI_NEVER;
}

/* ---- Cutting --------------------------------------------------------------------------------- */

/* The first line's beginning at or after from, if it is near. */
static int64_t next_line(int fd, int64_t from) {
    char bytes[512];
    ssize_t length = pread(fd, bytes, sizeof bytes, from);
    const char *end = length > 0 ? memchr(bytes, '\n', (size_t)length) : NULL;
    return end == NULL ? from : from + (end - bytes) + 1;
}

/* Copies the log from there on to NAME.log.1; what does not succeed leaves no file. */
static void keep_end(const struct pri_log *log, int64_t from) {
    char fresh[256], final[256], bytes[16384];
    ssize_t part;

    pri_file_name(log->name, ".log.new", fresh);
    pri_file_name(log->name, ".log.1", final);
    unlinkat(log->dir, fresh, 0); /* of a keeper that was killed here */
    int to = openat(log->dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        return;
    }
    /* A service that writes faster than we copy must not keep us here. */
    int64_t end = from + PRI_LOG_LIMIT;
    do {
        part = pread(log->fd, bytes, sizeof bytes, from);
        part = part > 0 ? write(to, bytes, (size_t)part) : part;
        from += part > 0 ? part : 0;
    } while ((part > 0 && from < end) || (part < 0 && errno == EINTR));
    bool good = close(to) == 0 && part >= 0;
    if (!good || renameat(log->dir, fresh, log->dir, final) < 0) {
        unlinkat(log->dir, fresh, 0);
    }
}

/* Whoever appends goes on at the new end, the beginning. Returns the length that is left. */
static int64_t cut(struct pri_log *log) {
    int64_t length = length_of(log);
    if (length <= PRI_LOG_LIMIT) {
        return length;
    }
    if (log->dir >= 0) {
        keep_end(log, next_line(log->fd, length - PRI_LOG_LIMIT / 2));
    }
    if (ftruncate(log->fd, 0) == 0) {
        log->start = 0;
    }
    return length_of(log);
}

void pri_log_mark(struct pri_log *log) {
    if (log->fd >= 0) {
        log->start = log->seen = cut(log);
    }
}

void pri_log_trim(struct pri_log *log) {
    if (log->fd < 0) {
        return;
    }
    bool woken = pri_growth_take(log->grew);
    int64_t now = pri_clock_ns();
    if (log->next_ns == PRI_NEVER ? !woken : now < log->next_ns) {
        return;
    }
    bool quiet = !woken && length_of(log) == log->seen;
    log->seen = cut(log);
    if (log->grew < 0) {
        log->pause_ns = !quiet                              ? PAUSE_FIRST_NS
                        : 2 * log->pause_ns < PAUSE_LAST_NS ? 2 * log->pause_ns
                                                            : PAUSE_LAST_NS;
        log->next_ns = now + log->pause_ns;
        return;
    }
    /* Quiet since the last look: sleep until it is written to. What is written while the watch is
     * being armed is seen by comparing again. */
    if (quiet && pri_growth_arm(log->grew, log->fd) && length_of(log) == log->seen) {
        log->next_ns = PRI_NEVER;
    } else {
        log->next_ns = now + PAUSE_FIRST_NS;
    }
}

void pri_log_say(const struct pri_log *log, const char *message) {
    char line[sizeof((procref_error *)0)->message + 16], last;
    if (log->fd < 0) {
        return;
    }
    bool in_line = pread(log->fd, &last, 1, length_of(log) - 1) == 1 && last != '\n';
    pri_format(line, sizeof line, "%sprocref: %s\n", in_line ? "\n" : "", message);
    ssize_t written = write(log->fd, line, strlen(line));
    (void)written; /* a full disk: nobody is left to be told */
}

/* ---- Its end, for people --------------------------------------------------------------------- */

/* The length of the valid UTF-8 character at text, of which left bytes are there; else 0. */
static size_t character(const unsigned char *text, size_t left) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (length < 2) {
        bool control = text[0] < 0x20 && text[0] != '\n' && text[0] != '\t';
        return length == 1 && !control && text[0] != 0x7f ? 1 : 0;
    }
    uint32_t code = text[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (i >= left || (text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3fU);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    bool control = code < 0xa0; /* 0x80 to 0x9f steer some terminals */
    return code >= smallest[length] && code <= 0x10ffff && !surrogate && !control ? length : 0;
}

size_t pri_log_tail(const struct pri_log *log, char *to, size_t size) {
    int64_t end = log->fd >= 0 ? length_of(log) : 0;
    int64_t start = end < log->start ? 0 : log->start;
    size_t got = 0, kept = 0;
    ssize_t part;

    if (size == 0) {
        return 0;
    }
    /* The byte before the window tells whether the window begins with a line. */
    bool cut_in = end - start > (int64_t)(size - 1);
    int64_t from = cut_in ? end - (int64_t)(size - 1) - 1 : start;
    if (cut_in) {
        char last;
        cut_in = pread(log->fd, &last, 1, from) == 1 && last != '\n';
        from++;
    }
    while (got < size - 1) {
        part = log->fd >= 0 ? pread(log->fd, to + got, size - 1 - got, from + (int64_t)got) : 0;
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            break;
        }
        got += (size_t)part;
    }
    const char *line = cut_in ? memchr(to, '\n', got) : NULL;
    size_t at = line != NULL && (size_t)(line + 1 - to) < got ? (size_t)(line + 1 - to) : 0;
    while (at < got) { /* what is written is never longer than what was read */
        size_t length = character((const unsigned char *)to + at, got - at);
        if (length == 0) {
            bool line_end = to[at] == '\r' && at + 1 < got && to[at + 1] == '\n';
            if (!line_end) {
                to[kept++] = '?';
            }
            at++;
            continue;
        }
        memmove(to + kept, to + at, length);
        kept += length;
        at += length;
    }
    to[kept] = '\0';
    return kept;
}

int64_t pri_log_file_length(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
}

size_t pri_log_file_tail(const char *path, int64_t start, char *to, size_t size) {
    struct pri_log file = {.fd = -1, .start = start};
    if (pri_log_file_length(path) > 0) { /* not a FIFO: opening one lets its writer go on */
        file.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    size_t length = pri_log_tail(&file, to, size);
    if (file.fd >= 0) {
        close(file.fd);
    }
    return length;
}
