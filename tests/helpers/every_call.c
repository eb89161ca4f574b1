/*
 * A client whose calls of the system can be made to fail: the linker's --wrap leads every one that
 * the library makes through this file (CMakeLists.txt has the list).
 *
 *   open NAME key=value…   arg… base_dir ready: what the lives below are about        -> ok
 *   life KIND N            KIND is command or callbacks: opens, acquires, nests, waits by event
 *                          loop, cancels, counts, releases, closes; the Nth call fails
 *     -> lived call= (what failed; "" if the life makes fewer than N) step= (of the life) wrong=
 *        (what must not be; "" if nothing) descriptors= (that it lost) count= (still held) ms=
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/speak.h"
#include "support/words.h"

enum { LINE_SIZE = 32768, WORDS_MAX = 256, ARGS_MAX = 48, LONG_MS = 20000 };

extern char **environ;

/* ---- the calls ---- */

static struct {
    long number, fails_at; /* 0: none fails */
    const char *failed, *step, *failed_in;
} calls;

/* Some of these run in a child that shares our memory: nothing may be instrumented. */
#define PLAIN __attribute__((no_sanitize("address"), no_sanitize("undefined")))

PLAIN static bool fails(const char *name, int os) {
    if (calls.fails_at == 0 || ++calls.number != calls.fails_at) {
        return false;
    }
    calls.failed = name;
    calls.failed_in = calls.step;
    errno = os;
    return true;
}

/* Each with an error that the system may give. */
#define WRAP(type, name, parameters, arguments, failure, os)                                       \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    PLAIN type __wrap_##name parameters {                                                          \
        return fails(#name, (os)) ? (failure) : __real_##name arguments;                           \
    }

WRAP(void *, malloc, (size_t size), (size), NULL, ENOMEM)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
WRAP(char *, realpath, (const char *path, char *to), (path, to), NULL, ENOMEM)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -1, EIO)
WRAP(int, fstat, (int fd, struct stat *to), (fd, to), -1, ENOMEM)
WRAP(int, stat, (const char *path, struct stat *to), (path, to), -1, ENOMEM)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, EMFILE)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, ENOMEM)
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, ENOMEM)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), -1, ENOMEM)
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size), -1, ENOBUFS)
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), -1, ENOBUFS)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1,
     ENOBUFS)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1,
     ENOMEM)
WRAP(int, poll, (struct pollfd * all, nfds_t count, int ms), (all, count, ms), -1, EINTR)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags), -1, EINTR)
WRAP(void *, mmap, (void *at, size_t size, int access, int flags, int fd, off_t offset),
     (at, size, access, flags, fd, offset), MAP_FAILED, ENOMEM)
WRAP(int, dup2, (int from, int to), (from, to), -1, EMFILE)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), -1, EMFILE)
WRAP(int, epoll_create1, (int flags), (flags), -1, EMFILE)
WRAP(int, epoll_ctl, (int poller, int operation, int fd, struct epoll_event *event),
     (poller, operation, fd, event), -1, ENOSPC)
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags), -1, EMFILE)
WRAP(int, semget, (key_t key, int count, int flags), (key, count, flags), -1, ENOMEM)
WRAP(int, semtimedop,
     (int id, struct sembuf *operations, size_t count, const struct timespec *timeout),
     (id, operations, count, timeout), -1, EINTR)

/* What gives back needs no memory and does not wait: it cannot fail while the set is there. */
int __real_semop(int id, struct sembuf *operations, size_t count);
int __wrap_semop(int id, struct sembuf *operations, size_t count);
PLAIN int __wrap_semop(int id, struct sembuf *operations, size_t count) {
    return operations[count - 1].sem_op > 0 && fails("semop", ENOMEM)
               ? -1
               : __real_semop(id, operations, count);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
PLAIN int __wrap_open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
PLAIN int __wrap_fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long value = va_arg(arguments, long);
    va_end(arguments);
    return fails("fcntl", EMFILE) ? -1 : __real_fcntl(fd, command, value);
}

int __real_semctl(int id, int number, int command, ...);
int __wrap_semctl(int id, int number, int command, ...);
PLAIN int __wrap_semctl(int id, int number, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *value = va_arg(arguments, void *);
    va_end(arguments);
    return fails("semctl", ENOMEM) ? -1 : __real_semctl(id, number, command, value);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
PLAIN long __wrap_syscall(long number, ...) {
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    return fails("syscall", EMFILE) ? -1
                                    : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __real_clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
int __wrap_clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
PLAIN int __wrap_clone(int (*run)(void *), void *stack, int flags, void *argument, ...) {
    return fails("clone", EAGAIN) ? -1 : __real_clone(run, stack, flags, argument);
}

/* ---- what is judged ---- */

static char wrong[512];

static void blame(const char *format, ...) {
    va_list arguments;
    if (wrong[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(wrong, sizeof wrong, format, arguments);
        va_end(arguments);
    }
}

/* Either it worked, or it says why in a way that somebody can act on. */
static bool worked(int code, const procref_error *error) {
    if (code == 0) {
        return true;
    }
    if (code > 0 || strcmp(procref_code_name(code), "UNKNOWN") == 0) {
        blame("%s: %d is no code", calls.step, code);
    } else if (code == PROCREF_E_AGAIN || code == PROCREF_E_TIMEOUT || code == PROCREF_E_OTHER) {
        blame("%s: %s %s", calls.step, procref_code_name(code), error->message);
    } else if (error->code != code || error->message[0] == '\0') {
        blame("%s: %s, but the error says %s '%s'", calls.step, procref_code_name(code),
              procref_code_name(error->code), error->message);
    }
    return false;
}

/* ---- a life ---- */

static struct { char *name, *base_dir, *ready, *argv[ARGS_MAX + 1]; } given;

static int first(procref_info *info, void *user_data, procref_error *err) {
    pid_t pid;
    (void)user_data;
    if (posix_spawn(&pid, given.argv[0], NULL, NULL, given.argv, environ) != 0) {
        return procref_error_set(err, PROCREF_E_SERVICE_START, "posix_spawn failed");
    }
    int code = procref_info_set_pid(info, (uint32_t)pid);
    code = code == 0 ? procref_info_set_metadata(info, "key", "value") : code;
    if (code < 0) { /* what was not named is nobody else's */
        kill(pid, SIGKILL);
        __real_waitpid(pid, NULL, 0); /* the next callback's may begin as soon as this returns */
        return procref_error_set(err, code, "the callback gives up: %s", procref_code_name(code));
    }
    return 0;
}

static int last(const procref_info *info, void *user_data, procref_error *err) {
    (void)info;
    (void)user_data;
    (void)err;
    return 0;
}

static bool healthy(const procref_info *info, void *user_data) {
    (void)user_data;
    return procref_info_is_alive(info) ||
           calls.number >= calls.fails_at; /* or it could not be seen */
}

static procref_service_config config_of(bool callbacks) {
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = given.name;
    config.base_dir = given.base_dir;
    if (callbacks) {
        config.on_first_acquire = first;
        config.on_last_release = last;
        config.on_health_check = healthy;
    } else {
        config.command = (const char *const *)(const void *)given.argv;
        config.ready = given.ready;
    }
    return config;
}

static procref_handle *acquire(procref_service *s, const char *step) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *h = NULL;
    calls.step = step;
    return worked(procref_service_acquire(s, LONG_MS, &h, &error), &error) ? h : NULL;
}

static procref_pending *begin(procref_service *s, const char *step) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_pending *p = NULL;
    calls.step = step;
    return worked(procref_service_acquire_start(s, LONG_MS, &p, &error), &error) ? p : NULL;
}

static procref_handle *finish(procref_pending *p, const char *step) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *h = NULL;
    int code = p != NULL ? PROCREF_E_AGAIN : 0;
    calls.step = step;
    for (int times = 0; code == PROCREF_E_AGAIN; times++) {
        struct pollfd ready = {procref_pending_ready(p), POLLIN, 0};
        if (__real_poll(&ready, 1, LONG_MS + 1000) != 1 || times > 50) {
            blame("%s: %s", step, times > 50 ? "it spins" : "it is not readable at its deadline");
            procref_pending_cancel(p);
            return NULL;
        }
        code = procref_pending_finish(p, &h, &error);
    }
    worked(code, &error);
    return h;
}

static void release(procref_handle *h, const char *step) {
    procref_error error = PROCREF_ERROR_INIT;
    calls.step = step;
    worked(procref_handle_release(h, &error), &error);
}

static void live(bool callbacks) {
    procref_service_config config = config_of(callbacks);
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *s = NULL;
    uint32_t count;
    calls.step = "open";
    if (!worked(procref_service_open(&config, &s, &error), &error)) {
        return;
    }
    procref_handle *h[4];
    h[0] = acquire(s, "acquire");
    h[1] = acquire(s, "nested");
    procref_pending *one = begin(s, "start nested"), *two = begin(s, "start another");
    calls.step = "cancel nested";
    procref_pending_cancel(two); /* before the other: it may be the one that is told to start */
    h[2] = finish(one, "finish nested");
    calls.step = "gone";
    if (h[0] != NULL) {
        procref_handle_gone(h[0]);
    }
    calls.step = "count";
    worked(procref_service_count(s, &count, &error), &error);
    release(h[0], "release");
    release(h[1], "release again");
    release(h[2], "release the last");
    one = begin(s, "start cold"), two = begin(s, "start beside it");
    calls.step = "cancel";
    procref_pending_cancel(two);
    h[3] = finish(one, "finish cold");
    calls.step = "release and wait";
    error = (procref_error)PROCREF_ERROR_INIT;
    worked(procref_handle_release_wait(h[3], LONG_MS, &error), &error);
    calls.step = "close";
    procref_service_close(s);
}

/* ---- what is left of it ---- */

static long descriptors(void) {
    long count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static uint32_t still_held(void) {
    procref_service_config config = config_of(false);
    procref_service *s;
    uint32_t count = 0;
    if (procref_service_open(&config, &s, NULL) == 0) {
        procref_service_count(s, &count, NULL);
        procref_service_close(s);
    }
    return count;
}

static void do_life(char **words) {
    char why[2048], step[128];
    wrong[0] = '\0';
    calls.number = 0;
    calls.failed = "";
    calls.failed_in = "";
    long before = descriptors();
    int64_t began = now_ms();
    calls.fails_at = strtol(words[2], NULL, 10);
    live(strcmp(words[1], "callbacks") == 0);
    calls.fails_at = 0;
    int64_t ms = now_ms() - began;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    words_encode(why, sizeof why, wrong);
    words_encode(step, sizeof step, calls.failed_in);
    printf("lived call=%s step=%s wrong=%s descriptors=%ld count=%u ms=%lld\n", calls.failed, step,
           why, descriptors() - before, still_held(), (long long)ms);
}

static char *copy_of(const char *text) {
    return text != NULL ? strdup(text) : NULL;
}

static void do_open(char **words, size_t count) {
    size_t args = 0;
    given.name = copy_of(words[1]);
    given.base_dir = copy_of(words_value(words, count, "base_dir"));
    given.ready = copy_of(words_value(words, count, "ready"));
    for (size_t i = 2; i < count && args < ARGS_MAX; i++) {
        if (strncmp(words[i], "arg=", 4) == 0) {
            given.argv[args++] = copy_of(words[i] + 4);
        }
    }
    printf("ok\n");
}

int main(void) {
    static char line[LINE_SIZE];
    static char *words[WORDS_MAX + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready pid=%d\n", (int)getpid());
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count == 1 && strcmp(words[0], "quit") == 0) {
            return 0;
        }
        if (strcmp(words[0], "open") == 0) {
            do_open(words, count);
        } else {
            do_life(words);
        }
    }
    _exit(0);
}
