/*
 * A client process whose own functions start and stop PostgreSQL (a callback service), led by lines
 * as client.c is. Commands:
 *   open NAME base_dir=… data=FOLDER events=FILE                      -> ok | error …
 *   acquire MS      -> held handle=0 pid= port= gen= ms=  |  error code= os= op= ms= message=
 * detail= release         -> ok | error … count           -> count n= metadata KEY    -> metadata
 * message=VALUE spawn ARG…      -> child pid=        a child that is left running quit gives
 * everything back and ends; the end of stdin ends it and gives nothing back and what surroundings.h
 * knows.
 *
 * PostgreSQL is forked and executed, not started by `pg_ctl start`: so its pid is known, and named
 * to procref, before it runs. Its log is beside its data.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/surroundings.h"
#include "support/speak.h"
#include "support/words.h"

enum { LINE_SIZE = 8192, WORDS_MAX = 64, START_MS = 20000, STOP_MS = 10000, LOOK_AGAIN_MS = 10 };

extern char **environ;
static char data[1024], events[1024];
static procref_service *service;
static procref_handle *handle;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* In one write, so that lines of many processes do not mix. */
static void note(const char *what) {
    char line[256];
    int length =
        snprintf(line, sizeof line, "%lld %d %s\n", (long long)now_ns(), (int)getpid(), what);
    int fd = open(events, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ssize_t n = write(fd, line, (size_t)length);
    (void)n;
    close(fd);
}

/* ---- PostgreSQL ---- */

/* One that is free now. */
static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    return bound ? ntohs(address.sin_port) : 0;
}

static void become_postgres(const char *port) {
    char log[1100];
    snprintf(log, sizeof log, "%s/../postgres.log", data);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    prctl(PR_SET_PDEATHSIG, 0);
    setsid(); /* the terminal's signals are for clients */
    execlp("postgres", "postgres", "-D", data, "-h", "127.0.0.1", "-k", data, "-F", "-p", port,
           (char *)NULL);
    _exit(127);
}

/*
 * Forks PostgreSQL and names it. The child waits for a byte before it becomes PostgreSQL: if this
 * process is killed first, the child reads the end of file and ends, so none can exist that procref
 * does not know.
 */
static int launch(procref_info *info, const char *port, pid_t *ret_pid) {
    int go[2];
    if (pipe2(go, O_CLOEXEC) < 0) {
        return PROCREF_E_PLATFORM;
    }
    *ret_pid = fork();
    if (*ret_pid == 0) {
        char byte;
        close(go[1]);
        if (read(go[0], &byte, 1) != 1) {
            _exit(0);
        }
        become_postgres(port);
    }
    close(go[0]);
    int code = *ret_pid < 0 ? PROCREF_E_PLATFORM : procref_info_set_pid(info, (uint32_t)*ret_pid);
    if (code == 0 && write(go[1], "g", 1) != 1) {
        code = PROCREF_E_PLATFORM;
    }
    close(go[1]);
    if (code < 0 && *ret_pid > 0) {
        waitpid(*ret_pid, NULL, 0); /* it has read the end of file, or was ended by the keeper */
    }
    return code;
}

/* PostgreSQL listens before it serves, so this asks as its own clients do. */
static bool serves(const char *port) {
    char name[] = "pg_isready", quiet[] = "-q", host_is[] = "-h", host[] = "127.0.0.1",
         port_is[] = "-p", number[8];
    char *argv[] = {name, quiet, host_is, host, port_is, number, NULL};
    int status = -1;
    pid_t child;
    snprintf(number, sizeof number, "%s", port);
    return posix_spawnp(&child, name, NULL, NULL, argv, environ) == 0 &&
           waitpid(child, &status, 0) == child && status == 0;
}

/* Whether the process behind the pidfd ends within the time. */
static bool ends_within(int pidfd, int64_t timeout_ms) {
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        if (poll(&p, 1, left > 0 ? (int)left : 0) > 0) {
            return true;
        }
        if (left <= 0) {
            return false;
        }
    }
}

static int on_first_acquire(procref_info *info, void *user_data, procref_error *err) {
    char port_text[8], url[128];
    uint16_t port = free_port();
    pid_t pid;
    (void)user_data;
    note("on_first_acquire");
    snprintf(port_text, sizeof port_text, "%u", port);
    int code = launch(info, port_text, &pid);
    if (code < 0) {
        return procref_error_set(err, code, "PostgreSQL could not be launched");
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t until = now_ms() + START_MS;
    while (!serves(port_text)) {
        /* Nothing announces it: look again, unless it ends. */
        if (ends_within(pidfd, LOOK_AGAIN_MS) || now_ms() > until) {
            close(pidfd);
            return procref_error_set(err, PROCREF_E_SERVICE_START,
                                     "PostgreSQL ended, or served nobody within %d ms", START_MS);
        }
    }
    close(pidfd);
    snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%u/postgres", port);
    code = procref_info_set_port(info, port);
    return code < 0 ? code : procref_info_set_metadata(info, "url", url);
}

/* Whoever releases last: not the one who started it, as a rule. */
static int on_last_release(const procref_info *info, void *user_data, procref_error *err) {
    pid_t pid = (pid_t)procref_info_pid(info);
    (void)user_data;
    note("on_last_release");
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 || !procref_info_is_alive(info)) {
        close(pidfd);
        return 0; /* it has ended by itself */
    }
    syscall(SYS_pidfd_send_signal, pidfd, SIGINT, NULL, 0); /* fast shutdown */
    bool ended = ends_within(pidfd, STOP_MS);
    close(pidfd);
    waitpid(pid, NULL, WNOHANG); /* if it is this process's child */
    return ended ? 0
                 : procref_error_set(err, PROCREF_E_RELEASE, "PostgreSQL did not end in %d ms",
                                     STOP_MS);
}

static void do_open(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    const char *folder = words_value(words, count, "data"),
               *file = words_value(words, count, "events");
    snprintf(data, sizeof data, "%s", folder != NULL ? folder : "");
    snprintf(events, sizeof events, "%s", file != NULL ? file : "");
    config.name = words[1];
    config.base_dir = words_value(words, count, "base_dir");
    config.on_first_acquire = on_first_acquire;
    config.on_last_release = on_last_release;
    config.fingerprint = data;
    config.stop_signal = SIGINT; /* for the keeper, when nobody is left to release */
    int code = procref_service_open(&config, &service, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say("ok");
    }
}

static void do_acquire(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    int code = procref_service_acquire(service, count > 1 ? strtoll(words[1], NULL, 10) : -1,
                                       &handle, &error);
    if (code < 0) {
        say_error(&error, code, began);
        return;
    }
    say("held handle=0 pid=%u port=%u gen=%llu ms=%lld", procref_handle_pid(handle),
        procref_handle_port(handle),
        (unsigned long long)procref_info_generation(procref_handle_info(handle)),
        (long long)(now_ms() - began));
}

static void do_release(void) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    int code = procref_handle_release(handle, &error);
    handle = NULL;
    if (code < 0) {
        say_error(&error, code, began);
    } else {
        say("ok ms=%lld", (long long)(now_ms() - began));
    }
}

static void do_count(void) {
    procref_error error = PROCREF_ERROR_INIT;
    uint32_t count = 0;
    int code = procref_service_count(service, &count, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say("count n=%u", count);
    }
}

static void do_metadata(const char *key) {
    char encoded[2048] = "";
    const char *value = procref_info_get_metadata(procref_handle_info(handle), key);
    words_encode(encoded, sizeof encoded, value != NULL ? value : "");
    say("metadata message=%s", encoded);
}

static void do_spawn(char **words, size_t count) {
    pid_t child = 0;
    words[count] = NULL;
    int error = posix_spawnp(&child, words[1], NULL, NULL, words + 1, environ);
    say("child pid=%d error=%d", (int)child, error);
}

static void obey(char **words, size_t count) {
    int known;
    const char *verb = words[0];
    if (strcmp(verb, "open") == 0 && count > 1) {
        do_open(words, count);
    } else if (strcmp(verb, "acquire") == 0) {
        do_acquire(words, count);
    } else if (strcmp(verb, "release") == 0) {
        do_release();
    } else if (strcmp(verb, "count") == 0) {
        do_count();
    } else if (strcmp(verb, "metadata") == 0 && count > 1) {
        do_metadata(words[1]);
    } else if (strcmp(verb, "spawn") == 0 && count > 1) {
        do_spawn(words, count);
    } else {
        const char *failed = surroundings_change(words, count, &known);
        if (!known) {
            say("error code=UNKNOWN_VERB message=%s", verb);
        } else if (failed != NULL) {
            say("error code=SURROUNDINGS os=%d op=%s", errno, failed);
        } else {
            say("ok");
        }
    }
}

int main(void) {
    static char line[LINE_SIZE];
    static char *words[WORDS_MAX + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say("ready pid=%d", (int)getpid());
    while (hear(line, sizeof line)) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count == 1 && strcmp(words[0], "quit") == 0) {
            procref_handle_release(handle, NULL);
            procref_service_close(service);
            return 0;
        }
        if (count > 0) {
            obey(words, count);
        }
    }
    _exit(0);
}
