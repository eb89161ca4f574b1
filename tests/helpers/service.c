/*
 * The service that the tests share. It proves with an exclusive lock that it is alone, writes down
 * what happens to it, and answers its pid to whoever connects.
 *
 * Files, all appended to:  --lock F  --violations F  --events F ("NANOSECONDS PID EVENT DETAIL")
 * Listening:               --port N  --unix PATH
 * Readiness:               --notify  --notify-by-child  --ready-line TEXT  --ready-file PATH
 * --start-delay-ms N (before any of these) Failing to start:        --print TEXT  --print-lines N
 * --fail EXIT  --die SIGNAL  --fail-times N (only so many starts fail)  --fail-after-bind Ending by
 * itself:        SIGUSR1: exit 0, SIGUSR2: exit 3; --live-ms N --exit STATUS Being stopped:
 * --ignore-term  --stop-delay-ms N; each signal that asks to stop is an event Others: --child F (a
 * daemonised grandchild that ignores SIGTERM and locks F; --child-bare: with an empty environment)
 * --other NAME DIR (is itself a client of that service)  --tell-environment (each variable is an
 * event)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"

static struct {
    const char *lock, *violations, *events, *unix_path, *print, *ready_line, *ready_file, *child;
    const char *other_name, *other_dir;
    long port, start_delay_ms, stop_delay_ms, live_ms, print_lines, fail, die, fail_times,
        exit_status;
    bool notify, notify_by_child, fail_after_bind, ignore_term, child_bare, tell_environment;
} options = {.fail = -1, .fail_times = -1};

extern char **environ;

/* One line in one write, so that lines of several processes do not mix. */
static void append(const char *path, const char *format, ...) {
    char line[1024];
    struct timespec t;
    va_list arguments;
    if (path == NULL) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    int length = snprintf(line, sizeof line, "%lld %d ",
                          (long long)t.tv_sec * 1000000000 + t.tv_nsec, (int)getpid());
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) {
        ssize_t n = write(fd, line, (size_t)length);
        (void)n;
        close(fd);
    }
}

static void parse(int argc, char **argv) {
    const struct {
        const char *name;
        const char **text;
        long *number;
        bool *flag;
    } known[] = {
        {"--lock", &options.lock, NULL, NULL},
        {"--violations", &options.violations, NULL, NULL},
        {"--events", &options.events, NULL, NULL},
        {"--unix", &options.unix_path, NULL, NULL},
        {"--print", &options.print, NULL, NULL},
        {"--ready-line", &options.ready_line, NULL, NULL},
        {"--ready-file", &options.ready_file, NULL, NULL},
        {"--child", &options.child, NULL, NULL},
        {"--port", NULL, &options.port, NULL},
        {"--start-delay-ms", NULL, &options.start_delay_ms, NULL},
        {"--stop-delay-ms", NULL, &options.stop_delay_ms, NULL},
        {"--live-ms", NULL, &options.live_ms, NULL},
        {"--exit", NULL, &options.exit_status, NULL},
        {"--print-lines", NULL, &options.print_lines, NULL},
        {"--fail", NULL, &options.fail, NULL},
        {"--die", NULL, &options.die, NULL},
        {"--fail-times", NULL, &options.fail_times, NULL},
        {"--notify", NULL, NULL, &options.notify},
        {"--notify-by-child", NULL, NULL, &options.notify_by_child},
        {"--fail-after-bind", NULL, NULL, &options.fail_after_bind},
        {"--ignore-term", NULL, NULL, &options.ignore_term},
        {"--child-bare", NULL, NULL, &options.child_bare},
        {"--tell-environment", NULL, NULL, &options.tell_environment},
    };
    for (int i = 1; i < argc; i++) {
        bool found = false;
        if (strcmp(argv[i], "--other") == 0 && i + 2 < argc) {
            options.other_name = argv[++i];
            options.other_dir = argv[++i];
            found = true;
        }
        for (size_t k = 0; k < sizeof known / sizeof known[0] && !found; k++) {
            if (strcmp(argv[i], known[k].name) != 0) {
                continue;
            }
            found = true;
            if (known[k].flag != NULL) {
                *known[k].flag = true;
            } else if (++i < argc && known[k].text != NULL) {
                *known[k].text = argv[i];
            } else if (i < argc) {
                *known[k].number = strtol(argv[i], NULL, 10);
            }
        }
        if (!found) {
            fprintf(stderr, "service: unknown argument %s\n", argv[i]);
            exit(64);
        }
    }
}

/* Held until this process ends; two services at once is what must never be. */
static void prove_to_be_alone(void) {
    if (options.lock == NULL) {
        return;
    }
    int fd = open(options.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        append(options.violations, "not alone: %s", strerror(errno));
    }
}

/* How many starts are on record, this one included. */
static long starts(void) {
    char line[1024];
    long count = 0;
    FILE *file = options.events != NULL ? fopen(options.events, "re") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, " start") != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static void port_is_taken(void) {
    fprintf(stderr, "cannot listen on port %ld: %s\n", options.port, strerror(errno));
    append(options.events, "bind-failed %ld", options.port);
    exit(98);
}

/* Before it counts as started and before its delay: till then its picked port is anybody's, and the
 * tests beside this one pick, too. */
static int bind_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        port_is_taken();
    }
    return fd;
}

static int listen_unix(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", options.unix_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(options.unix_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) {
        fprintf(stderr, "cannot listen on %s: %s\n", options.unix_path, strerror(errno));
        exit(98);
    }
    return fd;
}

static void notify(const char *text) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL) {
        append(options.events, "no-notify-socket");
        return;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0) {
        append(options.events, "notify-failed %s", strerror(errno));
    }
    close(fd);
}

/* sd_notify_barrier(3): returns when the receiver has read all that was sent before, so that it can
 * still see who we are. */
static void notify_barrier(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static char text[] = "BARRIER=1";
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    int ends[2];
    if (path == NULL || pipe(ends) < 0) {
        return;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    struct iovec part = {text, sizeof text - 1};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen =
                                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)),
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    memset(&control, 0, sizeof control);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &ends[1], sizeof(int));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendmsg(fd, &message, MSG_NOSIGNAL);
    close(ends[1]);
    struct pollfd closed = {.fd = ends[0]};
    poll(&closed, 1, 10000);
    close(ends[0]);
    close(fd);
}

/* A daemon: another session, no parent, deaf to SIGTERM, gone only by SIGKILL. */
static void daemonise_child(char *self) {
    pid_t child = fork();
    if (child != 0) {
        waitpid(child, NULL, 0);
        return;
    }
    setsid();
    if (fork() != 0) {
        _exit(0);
    }
    static char word[] = "--be-child";
    char *argv[] = {self, word, (char *)(uintptr_t)options.child, NULL};
    char *none[] = {NULL};
    execve("/proc/self/exe", argv, options.child_bare ? none : environ);
    _exit(1);
}

static _Noreturn void be_child(const char *file) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    flock(fd, LOCK_EX | LOCK_NB);
    dprintf(fd, "%d\n", (int)getpid());
    for (;;) {
        pause();
    }
}

static void print_output(void) {
    for (long i = 1; i <= options.print_lines; i++) {
        printf("line %ld of the service's output\n", i);
    }
    if (options.print != NULL) {
        printf("%s\n", options.print);
    }
    fflush(stdout);
}

static void maybe_fail(void) {
    bool now = options.fail_times < 0 || starts() <= options.fail_times;
    if (now && options.die > 0) {
        append(options.events, "die %ld", options.die);
        signal((int)options.die, SIG_DFL);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        raise((int)options.die);
    }
    if (now && options.fail >= 0) {
        append(options.events, "exit %ld", options.fail);
        exit((int)options.fail);
    }
}

static void hold_other(void) {
    char self[4096] = "";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    (void)length;
    const char *const command[] = {self, NULL};
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = options.other_name;
    config.base_dir = options.other_dir;
    config.command = command;
    config.share = true;
    procref_service *other;
    procref_handle *handle;
    procref_error error = PROCREF_ERROR_INIT;
    if (procref_service_open(&config, &other, &error) < 0 ||
        procref_service_acquire(other, 20000, &handle, &error) < 0) {
        append(options.events, "other-failed %s", error.message);
        return;
    }
    append(options.events, "other %u", procref_handle_pid(handle));
}

static void announce_ready(void) {
    if (options.notify) {
        notify("STATUS=half\n");
        notify("READY=1\nSTATUS=all\n");
    }
    if (options.notify_by_child) {
        pid_t child = fork();
        if (child == 0) {
            notify("READY=1\n");
            notify_barrier();
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    if (options.ready_line != NULL) {
        printf("%s\n", options.ready_line);
        fflush(stdout);
    }
    if (options.ready_file != NULL) {
        close(open(options.ready_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    append(options.events, "ready");
}

static int timer(long ms) {
    struct itimerspec when = {.it_value = {ms / 1000, ms % 1000 * 1000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, 0, &when, NULL);
    return fd;
}

static void answer(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd >= 0) {
        send(fd, text, (size_t)length, MSG_NOSIGNAL);
        close(fd);
    }
}

static void leave(int status) {
    append(options.events, "exit %d", status);
    exit(status);
}

/* Reads one signal; returns a timer that rings when a delayed stop is over, or -1. */
static int obey_signal(int signals) {
    struct signalfd_siginfo s;
    if (read(signals, &s, sizeof s) != sizeof s) {
        return -1;
    }
    if (s.ssi_signo == SIGCHLD) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        return -1;
    }
    if (s.ssi_signo == SIGUSR1) {
        leave(0);
    }
    if (s.ssi_signo == SIGUSR2) {
        leave(3);
    }
    append(options.events, "stop-signal %u", s.ssi_signo);
    if (options.ignore_term) {
        return -1;
    }
    if (options.stop_delay_ms > 0) {
        return timer(options.stop_delay_ms);
    }
    leave(0);
    return -1;
}

static int block_signals(sigset_t *ret_before) {
    static const int heard[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++) {
        sigaddset(&set, heard[i]);
    }
    sigprocmask(SIG_BLOCK, &set, ret_before);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* What the service was given, for the tests that look whether a client shines through. */
static void tell_surroundings(const sigset_t *blocked) {
    char dir[4096];
    int descriptors = 0, ignored = 0, masked = 0;
    for (int fd = 3; fd < 1024; fd++) {
        descriptors += fcntl(fd, F_GETFD) >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        ignored += sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
        masked += sigismember(blocked, number) == 1;
    }
    mode_t mask = umask(0);
    umask(mask);
    append(options.events, "descriptors %d", descriptors);
    append(options.events, "ignored %d", ignored);
    append(options.events, "masked %d", masked);
    append(options.events, "umask %03o", (unsigned)mask);
    append(options.events, "nice %d", getpriority(PRIO_PROCESS, 0));
    append(options.events, "cwd %s", getcwd(dir, sizeof dir) != NULL ? dir : "?");
    append(options.events, "leads-session %d", getsid(0) == getpid());
    for (char **e = environ; options.tell_environment && *e != NULL; e++) {
        append(options.events, "environment %s", *e);
    }
}

static void serve(struct pollfd *fds, int tcp, bool started, char *self) {
    for (;;) {
        if (poll(fds, 5, -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            int stop = obey_signal(fds[0].fd);
            if (stop >= 0) {
                fds[3].fd = stop;
            }
        }
        if (fds[3].revents != 0) {
            leave(0);
        }
        if (fds[4].revents != 0) {
            leave((int)options.exit_status);
        }
        if (fds[1].revents != 0 && !started) {
            close(fds[1].fd);
            fds[1].fd = tcp;
            if (tcp >= 0 && listen(tcp, 512) < 0) {
                port_is_taken(); /* by another who has bound it, too (SO_REUSEADDR) */
            }
            fds[2].fd = options.unix_path != NULL ? listen_unix() : -1;
            if (options.fail_after_bind) {
                leave(5);
            }
            print_output();
            maybe_fail();
            if (options.child != NULL) {
                daemonise_child(self);
            }
            if (options.other_name != NULL) {
                hold_other();
            }
            announce_ready();
            started = true;
            fds[4].fd = options.live_ms > 0 ? timer(options.live_ms) : -1;
            continue;
        }
        for (int i = 1; i <= 2; i++) {
            if (started && fds[i].revents != 0) {
                answer(fds[i].fd);
            }
        }
    }
}

/* LeakSanitizer traces the process when it ends, and hangs when the SIGCONT that follows SIGTERM
 * comes then: a service that is to be stopped is not looked at. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--be-child") == 0) {
        be_child(argv[2]);
    }
    struct pollfd fds[5];
    sigset_t blocked;
    for (int i = 0; i < 5; i++) {
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    }
    fds[0].fd = block_signals(&blocked);
    parse(argc, argv);
    prove_to_be_alone();
    int tcp = options.port > 0 ? bind_tcp() : -1;
    append(options.events, "start %ld", options.port);
    tell_surroundings(&blocked);
    fds[1].fd = timer(options.start_delay_ms > 0 ? options.start_delay_ms : 0);
    if (options.start_delay_ms <= 0) {
        /* A timer of 0 is disarmed: one nanosecond is "now". */
        struct itimerspec now = {.it_value = {0, 1}};
        timerfd_settime(fds[1].fd, 0, &now, NULL);
    }
    serve(fds, tcp, false, argv[0]);
    return 0;
}
