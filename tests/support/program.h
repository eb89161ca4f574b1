/*
 * A helper program at the other end of two pipes, and processes in general, as a test sees them.
 *
 * Every wait has a deadline of PATIENCE_MS, far beyond what anything here takes; it fails the test.
 */
#ifndef TEST_PROGRAM_H
#define TEST_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/speak.h"

enum { PATIENCE_MS = 30000, LINE_MAX_BYTES = 32768 };

struct program {
    pid_t pid;
    int pidfd;  /* readable once it has ended */
    int in;     /* its stdin */
    int out;    /* its stdout */
    bool ended; /* reaped; status is set */
    int status; /* as waitpid(2) */
    size_t have;
    char buffer[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
};

/* Starts argv[0] with two pipes and the environment of this process; extra ("K=V", may be NULL)
 * goes on top. */
void program_start(struct program *p, const char *const *argv, const char *const *extra);

void program_send(struct program *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line without its end, valid until the next read. Fails the test at the deadline and at the
 * end of file. */
char *program_read(struct program *p);

/* The same, but NULL at the end of file and when timeout_ms pass. */
char *program_read_within(struct program *p, int64_t timeout_ms);

void program_signal(struct program *p, int signal);

/* Waits for its end and reaps it; returns the wait status. */
int program_await_end(struct program *p);

/* SIGKILL, then await_end. */
void program_kill(struct program *p);

/* Closes the pipes and the pidfd; the process must have ended. */
void program_close(struct program *p);

/* ---- any process ---- */

/* A process held by descriptor, so that a recycled pid cannot fool the test. */
struct watched {
    pid_t pid;
    int fd; /* -1: it was dead already */
};

struct watched watch(pid_t pid);
bool watched_ended(const struct watched *p);
/* False if it has not ended within timeout_ms. */
bool watched_ends_within(const struct watched *p, int64_t timeout_ms);
/* Fails the test if it does not end. Closes p. */
void watched_await_end(struct watched *p);
void watched_signal(const struct watched *p, int signal);
void watched_close(struct watched *p);

/* SIGKILL to a pid that is known to be alive, by descriptor; waits for its end. */
void kill_and_await(pid_t pid);

/* ---- time (now_ms: speak.h) ---- */

/*
 * Re-checks a condition that the kernel announces in no way, a few milliseconds apart, until it
 * holds; fails the test when it does not hold within PATIENCE_MS.
 */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t await_until_ = now_ms() + PATIENCE_MS;                                             \
        while (!(condition)) {                                                                     \
            await_tick(await_until_, #condition, __FILE__, __LINE__);                              \
        }                                                                                          \
    } while (0)
void await_tick(int64_t until_ms, const char *what, const char *file, int line);

/* How many milliseconds lie between two looks at something that the kernel does not announce. */
enum { LOOK_AGAIN_MS = 4 };

#endif
