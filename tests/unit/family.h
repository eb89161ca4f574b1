/* The helper program "family" and its processes, as the unit tests see them; and a scratch
 * directory. */
#ifndef TEST_FAMILY_H
#define TEST_FAMILY_H

#include "support/check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAMILY_PATIENCE_MS = 20000 };

struct family {
    pid_t pid;
    int hold; /* the family lives while this is open */
    int says;
};

/* words: mode and what; extra: one more entry of the environment, or NULL. */
static inline void family_start(struct family *f, const char *mode, const char *what,
                                const char *what_else, const char *extra) {
    int in[2], out[2];
    must(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe2");
    f->pid = fork();
    must(f->pid >= 0, "fork");
    if (f->pid == 0) {
        char entry[512];
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        if (extra != NULL) {
            snprintf(entry, sizeof entry, "%s", extra);
            putenv(entry);
        }
        execl(TEST_HELPERS "/family", "family", mode, what, what_else, (char *)NULL);
        _exit(126);
    }
    close(in[0]);
    close(out[1]);
    f->hold = in[1];
    f->says = out[0];
}

/* The next number that one of them says; fails the test if none comes. */
static inline unsigned family_says(const struct family *f) {
    struct pollfd poll_for = {.fd = f->says, .events = POLLIN};
    unsigned number = 0;
    char byte = 0;
    while (byte != '\n') {
        if (poll(&poll_for, 1, FAMILY_PATIENCE_MS) != 1 || read(f->says, &byte, 1) != 1) {
            fail_msg("a process of the family does not stand");
        }
        number = byte == '\n' ? number : number * 10 + (unsigned)(byte - '0');
    }
    return number;
}

/* Reaps one child, which must end soon; CTest's time limit is the deadline. */
static inline int family_reap(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        must(errno == EINTR, "waitpid");
    }
    return status;
}

/* Lets them all end and reaps those that are, or have become, children of the test. */
static inline void family_end(struct family *f) {
    char byte;
    close(f->hold);
    while (read(f->says, &byte, 1) > 0) { /* ends when the last of them has */
    }
    close(f->says);
    while (waitpid(-1, NULL, 0) > 0) {
    }
}

static inline bool readable_within(int fd, int timeout_ms) {
    struct pollfd poll_for = {.fd = fd, .events = POLLIN};
    return poll(&poll_for, 1, timeout_ms) == 1 && (poll_for.revents & POLLIN) != 0;
}

static inline void scratch_make(char path[64]) {
    snprintf(path, 64, "/tmp/procref-unit-XXXXXX");
    must(mkdtemp(path) != NULL, "mkdtemp");
}

static inline void scratch_remove(const char *path) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    must(system(command) == 0, "rm");
}

#endif
