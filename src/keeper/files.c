/* The keeper's directory and the hint in it (keeper/files.h). The log is in log.c. */
#include "keeper/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/hash.h"
#include "os/folder.h"

enum {
    FILE_NAME_MAX = 255, /* NAME_MAX of every file system we know, in bytes */
    HINT_SIZE = 512,     /* the longest hint has less than 400 bytes */
    BOOT_SIZE = 40,
};

int pri_directory_open(const char *path, procref_error *err) {
    struct stat status;
    if (pri_folder_make(path) < 0 && errno != EEXIST) {
        int os = errno;
        return pri_fail(err, os == EACCES || os == EPERM ? PROCREF_E_PERMISSION : PROCREF_E_IO, os,
                        "mkdir", "cannot create the directory '%s'", path);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int os = errno;
        return pri_fail(err, os == EACCES ? PROCREF_E_PERMISSION : PROCREF_E_IO, os, "open",
                        "cannot open the directory '%s'", path);
    }
    int code = 0;
    if (fstat(fd, &status) < 0) {
        int os = errno;
        code = pri_fail(err, PROCREF_E_IO, os, "fstat", "cannot look at the directory '%s'", path);
    } else if (status.st_uid != geteuid()) {
        code = pri_fail(err, PROCREF_E_PERMISSION, 0, "fstat",
                        "the directory '%s' belongs to user %u, not to user %u", path,
                        (unsigned)status.st_uid, (unsigned)geteuid());
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        code =
            pri_fail(err, PROCREF_E_PERMISSION, 0, "fstat",
                     "the directory '%s' can be written by other users (mode %04o): chmod go-w it",
                     path, (unsigned)(status.st_mode & 07777));
    }
    if (code < 0) {
        close(fd);
        return code;
    }
    return fd;
}

void pri_file_name(const char *name, const char *suffix, char *to) {
    size_t length = strlen(name), room = FILE_NAME_MAX - strlen(suffix);
    if (length <= room) {
        memcpy(to, name, length);
    } else {
        /* pri_format cuts between characters; the hash keeps apart what the cut makes equal. */
        pri_format(to, room - 17 + 1, "%s", name);
        length = strlen(to);
        pri_format(to + length, 18, "~%016" PRIx64, pri_hash(0, name, strlen(name)));
        length += 17;
    }
    memcpy(to + length, suffix, strlen(suffix) + 1);
}

/* ---- The hint -------------------------------------------------------------------------------- */

static const char *const phases[] = {"starting", "up", "stopping"};
#define PHASE_COUNT (sizeof phases / sizeof phases[0])

/* Of this boot, without its line's end. */
static bool read_boot(char boot[BOOT_SIZE]) {
    if (pri_read_text("/proc/sys/kernel/random/boot_id", boot, BOOT_SIZE) <= 0) {
        return false;
    }
    boot[strcspn(boot, "\n")] = '\0';
    return boot[0] != '\0';
}

static bool is_phase(const char *phase) {
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (strcmp(phase, phases[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool pri_file_is_ours(const struct stat *status) {
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink == 1 &&
           (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The sum at the end shows that nothing is missing or was changed. */
static bool print_hint(char text[HINT_SIZE], const struct pri_hint *hint) {
    char boot[BOOT_SIZE];
    if (!read_boot(boot) || memchr(hint->phase, '\0', sizeof hint->phase) == NULL ||
        !is_phase(hint->phase) || hint->since_ms < 0) {
        return false;
    }
    int length = snprintf(text, HINT_SIZE,
                          "procref 2\nboot %s\nkey %" PRIu64 "\nphase %s\ngeneration %" PRIu32
                          "\npid %" PRIu32 "\nstart %" PRIu64 "\nport %u\nparts",
                          boot, hint->key, hint->phase, hint->generation, hint->process.pid,
                          hint->process.start, (unsigned)hint->port);
    for (int i = 0; i < PRI_PART_COUNT && length > 0 && length < HINT_SIZE; i++) {
        length +=
            snprintf(text + length, (size_t)(HINT_SIZE - length), " %" PRIu64, hint->parts[i]);
    }
    if (length > 0 && length < HINT_SIZE) {
        length +=
            snprintf(text + length, (size_t)(HINT_SIZE - length),
                     "\nmetadata %" PRIu64 "\nsince %" PRId64 "\n", hint->metadata, hint->since_ms);
    }
    if (length <= 0 || length >= HINT_SIZE) {
        return false;
    }
    int sum = snprintf(text + length, (size_t)(HINT_SIZE - length), "sum %" PRIu64 "\n",
                       pri_hash(0, text, (size_t)length));
    return sum > 0 && sum < HINT_SIZE - length;
}

/* A hint that is there already and is ours alone is written over: a rename each time costs a start
 * 0.2 ms. */
static int open_for_writing(int dir, const char *file, off_t size_most) {
    const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    struct stat status;
    int fd = openat(dir, file, flags);
    if (fd >= 0 &&
        (fstat(fd, &status) < 0 || !pri_file_is_ours(&status) || status.st_size > size_most)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        unlinkat(dir, file, 0); /* a link, a pipe, rubbish: it goes, what it named stays */
        fd = openat(dir, file, flags | O_CREAT | O_EXCL, 0600);
    }
    return fd;
}

bool pri_hint_write(int dir, const char *name, const struct pri_hint *hint) {
    char text[HINT_SIZE], file[FILE_NAME_MAX + 1];

    if (!print_hint(text, hint)) {
        return false;
    }
    size_t length = strlen(text);
    memset(text + length, '\n',
           sizeof text - length); /* always as long: nothing of the old one stays */
    pri_file_name(name, ".hint", file);
    int fd = open_for_writing(dir, file, HINT_SIZE);
    if (fd < 0) {
        return false;
    }
    bool done = write(fd, text, sizeof text) == (ssize_t)sizeof text;
    done = close(fd) == 0 &&
           done; /* a network file system may notice only now that the disk is full */
    if (!done) {
        unlinkat(dir, file, 0);
    }
    return done;
}

/* Takes word off the front of *text. */
static bool take(const char **text, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0) {
        return false;
    }
    *text += length;
    return true;
}

/* Takes a decimal number of at most max off the front of *text, in the one form in which it would
 * be printed. */
static bool take_number(const char **text, uint64_t max, uint64_t *ret_number) {
    const char *at = *text;
    uint64_t number = 0;
    if (*at < '0' || *at > '9' || (at[0] == '0' && at[1] >= '0' && at[1] <= '9')) {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (max - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *text = at;
    *ret_number = number;
    return true;
}

static bool take_phase(const char **text, char phase[12]) {
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (take(text, phases[i])) {
            memcpy(phase, phases[i], strlen(phases[i]) + 1);
            return true;
        }
    }
    return false;
}

/* Lines that a later version may have added. What they say is not needed; the sum covers them. */
static void take_unknown(const char **text) {
    while (**text >= 'a' && **text <= 'z' && strncmp(*text, "sum ", 4) != 0) {
        *text += strcspn(*text, "\n");
        *text += **text == '\n';
    }
}

static bool parse_hint(const char *text, struct pri_hint *ret) {
    const char *begin = text;
    char boot[BOOT_SIZE];
    uint64_t generation, pid, port, since, sum;
    bool good = read_boot(boot) && take(&text, "procref 2\nboot ") && take(&text, boot) &&
                take(&text, "\nkey ") && take_number(&text, UINT64_MAX, &ret->key) &&
                take(&text, "\nphase ") && take_phase(&text, ret->phase) &&
                take(&text, "\ngeneration ") && take_number(&text, UINT32_MAX, &generation) &&
                take(&text, "\npid ") && take_number(&text, INT32_MAX, &pid) &&
                take(&text, "\nstart ") && take_number(&text, UINT64_MAX, &ret->process.start) &&
                take(&text, "\nport ") && take_number(&text, UINT16_MAX, &port) &&
                take(&text, "\nparts");
    for (size_t i = 0; good && i < sizeof ret->parts / sizeof ret->parts[0]; i++) {
        good = take(&text, " ") && take_number(&text, UINT64_MAX, &ret->parts[i]);
    }
    good = good && take(&text, "\nmetadata ") && take_number(&text, UINT64_MAX, &ret->metadata) &&
           take(&text, "\nsince ") && take_number(&text, INT64_MAX, &since) && take(&text, "\n");
    if (good) {
        take_unknown(&text);
    }
    size_t length = (size_t)(text - begin);
    good = good && take(&text, "sum ") && take_number(&text, UINT64_MAX, &sum) &&
           text[strspn(text, "\n")] == '\0' && sum == pri_hash(0, begin, length);
    if (good) {
        ret->generation = (uint32_t)generation;
        ret->process.pid = (uint32_t)pid;
        ret->port = (uint16_t)port;
        ret->since_ms = (int64_t)since;
    }
    return good;
}

bool pri_hint_read(int dir, const char *name, struct pri_hint *ret_hint) {
    char text[HINT_SIZE + 1], file[FILE_NAME_MAX + 1];
    struct pri_hint hint = {0};
    struct stat status;
    ssize_t part;
    size_t length = 0;

    pri_file_name(name, ".hint", file);
    /* Without O_NONBLOCK a FIFO under that name would hold us until somebody writes to it. */
    int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) < 0 || !pri_file_is_ours(&status) || status.st_size != HINT_SIZE) {
        close(fd);
        return false;
    }
    do {
        part = read(fd, text + length, sizeof text - 1 - length);
        length += part > 0 ? (size_t)part : 0;
    } while ((part > 0 && length < sizeof text - 1) || (part < 0 && errno == EINTR));
    close(fd);
    text[length] = '\0';
    if (part < 0 || strlen(text) != length || !parse_hint(text, &hint)) {
        return false;
    }
    *ret_hint = hint;
    return true;
}

bool pri_hint_exists(int dir, const char *name) {
    char file[256];
    struct stat status;
    pri_file_name(name, ".hint", file);
    return fstatat(dir, file, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void pri_hint_remove(int dir, const char *name) {
    char file[FILE_NAME_MAX + 1];
    pri_file_name(name, ".hint", file);
    unlinkat(dir, file, 0);
}

/* ---- Metadata -------------------------------------------------------------------------------- */

static uint64_t metadata_hash(const char *bytes, size_t size) {
    uint64_t hash = pri_hash(0, bytes, size);
    return hash != 0 ? hash : 1;
}

uint64_t pri_metadata_write(int dir, const char *name, const char *bytes, size_t size) {
    char file[FILE_NAME_MAX + 1];
    pri_file_name(name, ".info", file);
    int fd = open_for_writing(dir, file, PROCREF_METADATA_MAX);
    if (fd < 0) {
        return 0;
    }
    bool done = write(fd, bytes, size) == (ssize_t)size && ftruncate(fd, (off_t)size) == 0;
    done = close(fd) == 0 && done;
    if (!done) {
        unlinkat(dir, file, 0);
    }
    return done ? metadata_hash(bytes, size) : 0;
}

size_t pri_metadata_read(int dir, const char *name, uint64_t hash, char *to, size_t room) {
    char file[FILE_NAME_MAX + 1];
    struct stat status;
    pri_file_name(name, ".info", file);
    int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return 0;
    }
    ssize_t size = 0;
    if (fstat(fd, &status) == 0 && pri_file_is_ours(&status) && status.st_size <= (off_t)room) {
        size = read(fd, to, room);
    }
    close(fd);
    return size > 0 && metadata_hash(to, (size_t)size) == hash ? (size_t)size : 0;
}

void pri_metadata_remove(int dir, const char *name) {
    char file[FILE_NAME_MAX + 1];
    pri_file_name(name, ".info", file);
    unlinkat(dir, file, 0);
}
