/* Helper programs and other processes: start, talk, signal, await. */
#include "support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/check.h"

extern char **environ;

void await_tick(int64_t until_ms, const char *what, const char *file, int line) {
    if (now_ms() >= until_ms) {
        fail_msg("%s:%d: waited %d ms in vain for: %s", file, line, PATIENCE_MS, what);
    }
    poll(NULL, 0, LOOK_AGAIN_MS);
}

/* Polls one descriptor for reading; true if it became readable. */
static bool readable_within(int fd, int64_t timeout_ms) {
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            return true;
        }
        if ((n == 0 || errno != EINTR) && left <= 0) {
            return false;
        }
    }
}

/* The environment with the strings of extra in place of those of the same name. The array is the
 * caller's to free. */
static char **environment_with(const char *const *extra) {
    size_t count = 0, more = 0;
    while (environ[count] != NULL) {
        count++;
    }
    while (extra != NULL && extra[more] != NULL) {
        more++;
    }
    char **result = calloc(count + more + 1, sizeof *result);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        size_t length = strcspn(environ[i], "=") + 1;
        for (size_t j = 0; j < more; j++) {
            replaced = replaced || strncmp(environ[i], extra[j], length) == 0;
        }
        if (!replaced) {
            result[n++] = environ[i];
        }
    }
    for (size_t j = 0; j < more; j++) {
        result[n++] = (char *)(uintptr_t)extra[j];
    }
    return result;
}

void program_start(struct program *p, const char *const *argv, const char *const *extra) {
    memset(p, 0, sizeof *p);
    int in[2], out[2];
    must(pipe2(in, O_CLOEXEC) == 0, "pipe2");
    must(pipe2(out, O_CLOEXEC) == 0, "pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char **environment = environment_with(extra);
    int error =
        posix_spawn(&p->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environment);
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (error != 0) {
        fail_msg("cannot start %s: %s", argv[0], strerror(error));
    }
    p->in = in[1];
    p->out = out[0];
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    must(p->pidfd >= 0, "pidfd_open");
}

void program_send(struct program *p, const char *format, ...) {
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && (size_t)length < sizeof line - 1);
    line[length] = '\n';
    /* A helper that was killed leaves a broken pipe; the read that follows tells the story. */
    ssize_t written = write(p->in, line, (size_t)length + 1);
    (void)written;
}

char *program_read_within(struct program *p, int64_t timeout_ms) {
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        char *end = memchr(p->buffer, '\n', p->have);
        if (end != NULL) {
            size_t length = (size_t)(end - p->buffer);
            memcpy(p->line, p->buffer, length);
            p->line[length] = '\0';
            p->have -= length + 1;
            memmove(p->buffer, end + 1, p->have);
            return p->line;
        }
        int64_t left = until - now_ms();
        if (!readable_within(p->out, left > 0 ? left : 0)) {
            return NULL;
        }
        ssize_t n = read(p->out, p->buffer + p->have, sizeof p->buffer - p->have);
        if (n <= 0) {
            return NULL;
        }
        p->have += (size_t)n;
    }
}

char *program_read(struct program *p) {
    char *line = program_read_within(p, PATIENCE_MS);
    if (line == NULL) {
        fail_msg("helper %d said nothing within %d ms, or ended", (int)p->pid, PATIENCE_MS);
    }
    return line;
}

void program_signal(struct program *p, int signal) {
    if (!p->ended) {
        syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0);
    }
}

int program_await_end(struct program *p) {
    if (!p->ended) {
        if (!readable_within(p->pidfd, PATIENCE_MS)) {
            fail_msg("helper %d did not end within %d ms", (int)p->pid, PATIENCE_MS);
        }
        must(waitpid(p->pid, &p->status, 0) == p->pid, "waitpid");
        p->ended = true;
    }
    return p->status;
}

void program_kill(struct program *p) {
    program_signal(p, SIGKILL);
    program_await_end(p);
}

void program_close(struct program *p) {
    close(p->in);
    close(p->out);
    close(p->pidfd);
}

struct watched watch(pid_t pid) {
    return (struct watched){.pid = pid, .fd = (int)syscall(SYS_pidfd_open, pid, 0)};
}

bool watched_ends_within(const struct watched *p, int64_t timeout_ms) {
    return p->fd < 0 || readable_within(p->fd, timeout_ms);
}

bool watched_ended(const struct watched *p) {
    return watched_ends_within(p, 0);
}

void watched_await_end(struct watched *p) {
    if (!watched_ends_within(p, PATIENCE_MS)) {
        fail_msg("process %d still runs after %d ms", (int)p->pid, PATIENCE_MS);
    }
    watched_close(p);
}

void watched_signal(const struct watched *p, int signal) {
    if (p->fd >= 0) {
        syscall(SYS_pidfd_send_signal, p->fd, signal, NULL, 0);
    }
}

void watched_close(struct watched *p) {
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
}

void kill_and_await(pid_t pid) {
    struct watched p = watch(pid);
    watched_signal(&p, SIGKILL);
    watched_await_end(&p);
}
