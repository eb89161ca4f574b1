/* procref hold: references of this process, until it is told to stop or another process ends. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/acquire.h"
#include "cli/commands.h"
#include "os/process.h"

enum { HOLD_MOST = 64, NO_NUMBER = -1 };

struct wanted {
    struct cli_target_options target;
    struct cli_acquire_options how;
    int64_t pid, ready_fd;
    const char *purpose; /* seen in the arguments: nothing else is done with it */
};

/*
 * Stop signals become readable instead of deadly. One that is ignored (nohup(1), a job in a
 * script's background) stays so. -1: no descriptor is left.
 */
static int hear_signals(void) {
    static const int stops[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t heard;
    sigemptyset(&heard);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        struct sigaction action;
        if (sigaction(stops[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(&heard, stops[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &heard, NULL);
    return signalfd(-1, &heard, SFD_CLOEXEC);
}

static int watch_process(int64_t pid, procref_waitable *ret_gone) {
    *ret_gone = -1;
    if (pid == NO_NUMBER) {
        return -1;
    }
    int code =
        pid > 0 && pid <= INT_MAX ? pri_process_hold((uint32_t)pid, ret_gone) : PROCREF_E_NOT_FOUND;
    if (code == PROCREF_E_NOT_FOUND) {
        cli_say("no process has the pid %lld", (long long)pid);
        return CLI_FAILED;
    }
    if (code < 0) {
        cli_say("the process %lld cannot be watched: %s", (long long)pid, procref_code_text(code));
        return CLI_FAILED;
    }
    return -1;
}

/* Given before anything is started, so that a wrong number costs nothing. */
static int check_ready_fd(int64_t fd) {
    if (fd == NO_NUMBER) {
        return -1;
    }
    if (fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0) {
        cli_say("--ready-fd is %lld, which is not open", (long long)fd);
        return CLI_USAGE;
    }
    fcntl((int)fd, F_SETFD, FD_CLOEXEC); /* its end of file is a word, too */
    return -1;
}

static int say_ready(int64_t fd) {
    if (fd == NO_NUMBER) {
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    ssize_t n = write((int)fd, "\n", 1);
    int os = errno;
    close((int)fd);
    if (n != 1) {
        cli_say("nobody hears on descriptor %lld: %s", (long long)fd, strerror(os));
        return CLI_FAILED;
    }
    return -1;
}

/* What holds for a keeper (keeper/steps.c) has the end of a pipe as its stdin: the other is open as
 * long as one of the keeper's pair lives. */
static void wait_for_the_end(int signals, int gone) {
    const char *mark = getenv("PROCREF_KEEPER");
    bool for_keeper = mark != NULL && strcmp(mark, "holder") == 0;
    struct pollfd fds[3] = {{.fd = signals, .events = POLLIN},
                            {.fd = gone, .events = POLLIN},
                            {.fd = for_keeper ? STDIN_FILENO : -1, .events = POLLIN}};
    while (poll(fds, 3, -1) < 0) { /* EINTR */
    }
}

/* Each in turn, then the wait, then back in reverse. */
static int hold_all(struct wanted *w, const char *const *names, int count) {
    procref_handle *handles[HOLD_MOST];
    int held = 0, status, signals = -1;
    procref_waitable gone = -1;
    status = check_ready_fd(w->ready_fd);
    status = status < 0 ? watch_process(w->pid, &gone) : status;
    for (; status < 0 && held < count; held++) {
        struct cli_target target;
        w->target.name = names[held];
        status = cli_target_find(&w->target, TARGET_STARTED, &target);
        status = status < 0 ? cli_acquire_configure(&w->how, &target) : status;
        status = status < 0 ? cli_acquire(&target, &w->how, &handles[held]) : status;
        if (status >= 0) {
            break;
        }
    }
    if (status < 0) {
        signals = hear_signals();
        status = say_ready(w->ready_fd);
    }
    if (status < 0 && signals < 0) {
        cli_say("no descriptor is left: raise RLIMIT_NOFILE (ulimit -n)");
        status = CLI_FAILED;
    }
    if (status < 0) {
        wait_for_the_end(signals, gone);
        status = CLI_OK;
    }
    while (held > 0) {
        procref_handle_release(handles[--held], NULL);
    }
    return status;
}

int cli_hold(const struct cli_command *command, int argc, char **argv) {
    struct wanted w = {.how = CLI_ACQUIRE_OPTIONS_INIT, .pid = NO_NUMBER, .ready_fd = NO_NUMBER};
    const struct cli_option options[] = {
        {"pid", 'p', CLI_NUMBER, "PID", "until this process ends", &w.pid},
        {"for", 0, CLI_TEXT, "TEXT", "what it is for, as ps and status will show", &w.purpose},
        {"ready-fd", 0, CLI_NUMBER, "N", "write a line to descriptor N once it holds", &w.ready_fd},
        CLI_TARGET_OPTIONS(w.target),
        CLI_ACQUIRE_OPTIONS(w.target, w.how),
        {0}};
    const char *names[HOLD_MOST] = {NULL};
    char **after;
    int count;
    int status = cli_parse(command, options, argc, argv, &count, &after);
    if (status >= 0) {
        return status;
    }
    if (after != NULL) {
        cli_say("hold runs no command: 'procref run … -- COMMAND' does");
        return CLI_USAGE;
    }
    if (count > HOLD_MOST || (count > 1 && w.target.command != NULL) ||
        (w.target.file != NULL && count > cli_target_names(&w.target))) {
        cli_say(w.target.file != NULL
                    ? "too many names beside -f: a name with a slash is a file, too"
                    : "too many names: see %s --help",
                cli_name);
        return CLI_USAGE;
    }
    for (int i = 0; i < count; i++) {
        names[i] = argv[1 + i];
    }
    return hold_all(&w, names, count > 0 ? count : 1);
}
