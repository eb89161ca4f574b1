/*
 * Starting the service's process on Linux (os/launch.h): a forked child that sheds what it has of
 * the keeper, waits for one byte and execs. What goes wrong there comes back through a pipe that a
 * successful exec closes.
 *
 * The keeper may have a second thread, so until it execs the child makes system calls only.
 */
#include "os/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fail.h"
#include "os/linux/procfs.h"
#include "os/linux/signals.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* What failed in the child, as it comes through the report pipe; small enough to be written at
 * once. */
struct report {
    int32_t os;
    enum step { STEP_SHED, STEP_DIR, STEP_OUTPUT, STEP_LIMIT, STEP_NICE, STEP_RUN } step;
    char path[200]; /* the end of the working directory or file, if that was it */
};

enum {
    TOLD = 3,
    GO = 4,
    REPORT = 5,
    FIRST_FREE = 6
}; /* the child's descriptors after 0, 1 and 2 */

/* ---- In the child ---------------------------------------------------------------------------- */

static void close_from(unsigned first) {
    struct rlimit limit;
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        return;
    }
    /* Before Linux 5.9, or in a sandbox that does not know the call. */
    rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
    for (rlim_t fd = first; fd < end && fd < INT_MAX; fd++) {
        close((int)fd);
    }
}

/* Only 0, 1, 2, TOLD, GO and REPORT stay open. All are first moved above, for any of them may have
 * the number of another. */
static bool shed_descriptors(int *go, int *report, int life, int output, int told,
                             bool *ret_input) {
    int input = life > 0 ? life : open("/dev/null", O_RDWR);
    *ret_input = input >= 0;
    if (input < 0 || (input > 0 && dup2(input, STDIN_FILENO) < 0)) {
        return false;
    }
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 || dup2(*go, GO) < 0 ||
        dup3(*report, REPORT, O_CLOEXEC) < 0) {
        return false;
    }
    if (told < 0) {
        close(TOLD);
    } else if (dup2(told, TOLD) < 0) {
        return false;
    }
    *go = GO;
    *report = REPORT;
    close_from(FIRST_FREE);
    return true;
}

/* execvp(3) looks at this program's PATH, not at envp's, and differs between libcs. Returns only on
 * failure. */
static int run(const char *program, char *const *argv, char *const *envp) {
    const char *path = "/usr/local/bin:/usr/bin:/bin"; /* when the environment has none */
    size_t name_length = strlen(program);
    char file[PATH_MAX];
    int os = ENOENT;

    if (strchr(program, '/') != NULL || name_length == 0) {
        execve(program, argv, envp);
        return errno;
    }
    for (char *const *entry = envp; *entry != NULL; entry++) {
        if (strncmp(*entry, "PATH=", 5) == 0) {
            path = *entry + 5;
            break;
        }
    }
    for (;;) {
        size_t length = strcspn(path, ":");
        if (length + name_length + 2 <= sizeof file) {
            memcpy(file, path, length);
            file[length] = '/';
            /* An empty part of PATH is the working directory: "name" itself, not "/name". */
            size_t at = length == 0 ? 0 : length + 1;
            memcpy(file + at, program, name_length + 1);
            execve(file, argv, envp);
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
                return errno;
            }
            os = errno == EACCES ? EACCES : os; /* remembered: it says more than "not found" */
        }
        if (path[length] == '\0') {
            return os;
        }
        path += length + 1;
    }
}

/* As systemd has them, by systemd.exec(5), "Process Exit Codes". */
static const int statuses[] = {[STEP_SHED] = 202,  [STEP_DIR] = 200,  [STEP_OUTPUT] = 209,
                               [STEP_LIMIT] = 205, [STEP_NICE] = 201, [STEP_RUN] = 203};

_Noreturn static void give_up(int report_to, struct report *report, enum step step) {
    report->step = step;
    ssize_t length = write(report_to, report, sizeof *report);
    (void)length; /* nobody may be left to read it */
    _exit(statuses[step]);
}

/* The keeper raised its own, to have many clients; users of select(2) rely on the old one. */
static void restore_files_limit(uint64_t soft) {
    struct rlimit limit;
    if (soft != 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 && soft <= limit.rlim_max) {
        limit.rlim_cur = (rlim_t)soft;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void name_path(struct report *report, const char *path) {
    size_t size = strlen(path) + 1;
    size_t cut = size > sizeof report->path ? size - sizeof report->path : 0;
    memcpy(report->path, path + cut, size - cut);
}

/* "null", "file:PATH", "append:PATH" or "truncate:PATH", as systemd.exec(5) opens them. */
static bool redirect(int to, const char *where, struct report *report) {
    static const struct {
        const char *prefix;
        int flags;
    } kinds[] = {{"file:", 0}, {"append:", O_APPEND}, {"truncate:", O_TRUNC}};
    const char *path = "/dev/null";
    int flags = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(where, kinds[i].prefix, length) == 0) {
            path = where + length;
            flags = kinds[i].flags;
        }
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | flags, 0666);
    if (fd < 0 || dup2(fd, to) < 0) {
        report->os = errno;
        name_path(report, path);
        return false;
    }
    close(fd);
    return true;
}

/* A limit above what is allowed becomes the highest that is, as systemd does. */
static bool set_limit(const struct pri_plan_limit *limit) {
    struct rlimit now,
        wanted = {
            .rlim_cur = limit->soft == PRI_LIMIT_INFINITY ? RLIM_INFINITY : (rlim_t)limit->soft,
            .rlim_max = limit->hard == PRI_LIMIT_INFINITY ? RLIM_INFINITY : (rlim_t)limit->hard};
    if (setrlimit(limit->resource, &wanted) == 0) {
        return true;
    }
    if (errno != EPERM || getrlimit(limit->resource, &now) < 0) {
        return false;
    }
    wanted.rlim_max = wanted.rlim_max < now.rlim_max ? wanted.rlim_max : now.rlim_max;
    wanted.rlim_cur = wanted.rlim_cur < wanted.rlim_max ? wanted.rlim_cur : wanted.rlim_max;
    return setrlimit(limit->resource, &wanted) == 0;
}

/* What a service file says of every process. */
static void apply(const struct pri_plan_block *plan, int report_to, struct report *report) {
    const char *output = pri_plan_text(plan, plan->output),
               *error = pri_plan_text(plan, plan->error);
    if (!plan->sigpipe) {
        signal(SIGPIPE, SIG_IGN); /* which exec keeps */
    }
    if (plan->umask >= 0) {
        umask((mode_t)plan->umask);
    }
    if (plan->nice != 0 && setpriority(PRIO_PROCESS, 0, plan->nice) < 0) {
        report->os = errno;
        give_up(report_to, report, STEP_NICE);
    }
    for (uint32_t i = 0; i < plan->limit_count; i++) {
        if (!set_limit(&pri_plan_limits(plan)[i])) {
            report->os = errno;
            give_up(report_to, report, STEP_LIMIT);
        }
    }
    /* One file is opened once: two descriptors would write over each other. */
    bool same = output != NULL && (error == NULL || strcmp(output, error) == 0);
    bool error_is_log = error != NULL && strcmp(error, "log") == 0; /* where it goes already */
    if ((output != NULL && !redirect(STDOUT_FILENO, output, report)) ||
        (error != NULL && !same && !error_is_log && !redirect(STDERR_FILENO, error, report))) {
        give_up(report_to, report, STEP_OUTPUT);
    }
    if (same) {
        dup2(STDOUT_FILENO, STDERR_FILENO);
    }
}

_Noreturn static void child(const struct pri_launch *launch, int go, int report_to) {
    struct report report = {0};
    ssize_t length;
    bool input;
    char byte;

    setsid();
    pri_signals_reset();
    if (!shed_descriptors(&go, &report_to, launch->life, launch->output, launch->told, &input)) {
        report.os = errno;
        name_path(&report, input ? "" : "/dev/null");
        give_up(report_to, &report, STEP_SHED);
    }
    if (chdir(launch->dir) < 0) {
        report.os = errno;
        name_path(&report, launch->dir);
        give_up(report_to, &report, STEP_DIR);
    }
    do {
        length = read(go, &byte, 1);
    } while (length < 0 && errno == EINTR);
    if (length != 1) {
        _exit(111); /* the keeper died, or does not want us: nothing has happened */
    }
    close(go);
    restore_files_limit(launch->files_soft);
    if (launch->plan != NULL) {
        apply(launch->plan, report_to, &report);
    }
    report.os = run(launch->program, launch->argv, launch->envp);
    give_up(report_to, &report, STEP_RUN);
}

/* ---- In the keeper --------------------------------------------------------------------------- */

static void close_one(procref_waitable *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int fail(int os, const char *op, procref_error *err) {
    switch (os) {
    case ENOMEM: return pri_fail(err, PROCREF_E_NO_MEMORY, os, op, "no memory to start a process");
    case EMFILE:
    case ENFILE:
        return pri_fail(err, PROCREF_E_LIMIT, os, op,
                        "no descriptors to start a process; see 'ulimit -n' and fs.file-max");
    case EAGAIN:
        return pri_fail(
            err, PROCREF_E_LIMIT, os, op,
            "no more processes; see 'ulimit -u', kernel.pid_max and the cgroup's pids.max");
    default: return pri_fail(err, PROCREF_E_PLATFORM, os, op, "cannot start a process");
    }
}

/* No descriptor of a pair may be 0 to FIRST_FREE - 1: the child puts others there. */
static bool move_up(int pair[2]) {
    for (int i = 0; i < 2; i++) {
        if (pair[i] < FIRST_FREE) {
            int moved = fcntl(pair[i], F_DUPFD_CLOEXEC, FIRST_FREE);
            if (moved < 0) {
                return false;
            }
            close(pair[i]);
            pair[i] = moved;
        }
    }
    return true;
}

int pri_launch_prepare(const struct pri_launch *launch, struct pri_launched *ret,
                       procref_error *err) {
    struct pri_launch moved = *launch;
    struct pri_proc_stat stat;
    int go[2] = {-1, -1}, report[2] = {-1, -1};
    sigset_t all, before;
    pid_t pid;
    int code = 0;

    moved.output = moved.told = -1;
    moved.life = 0;
    /* A socket, because writing to a child that was killed must not raise SIGPIPE in the keeper. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) < 0) {
        int os = errno;
        code = fail(os, "socketpair", err);
        goto done;
    }
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0) {
        int os = errno;
        code = fail(os, "pipe2", err);
        goto done;
    }
    moved.output = fcntl(launch->output, F_DUPFD_CLOEXEC, FIRST_FREE);
    moved.told = launch->told >= 0 ? fcntl(launch->told, F_DUPFD_CLOEXEC, FIRST_FREE) : -1;
    moved.life = launch->life > 0 ? fcntl(launch->life, F_DUPFD_CLOEXEC, FIRST_FREE) : 0;
    if (moved.output < 0 || (launch->told >= 0 && moved.told < 0) || moved.life < 0 ||
        !move_up(go) || !move_up(report)) {
        int os = errno;
        code = fail(os, "fcntl", err);
        goto done;
    }
    /* No handler of the keeper's may run in the child. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        child(&moved, go[1], report[1]);
    }
    int os = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        code = fail(os, "fork", err);
        goto done;
    }
    /* Killed already or not, it stays in /proc until the keeper's loop reaps it. */
    if (!pri_proc_stat((uint32_t)pid, &stat)) {
        os = errno;
        /* It ends itself: nobody tells it to go. */
        code = pri_fail(err, PROCREF_E_PLATFORM, os, "/proc",
                        "/proc cannot be read (is it mounted?), and by it one process is told from "
                        "another");
        goto done;
    }
    *ret = (struct pri_launched){
        .process = {.pid = (uint32_t)pid, .start = stat.start}, .go = go[0], .report = report[0]};
    go[0] = report[0] = -1;

done:
    if (moved.life > 0) {
        close_one(&moved.life);
    }
    close_one(&moved.told);
    close_one(&moved.output);
    close_one(&report[1]);
    close_one(&report[0]);
    close_one(&go[1]);
    close_one(&go[0]);
    return code;
}

void pri_launch_go(struct pri_launched *launched) {
    ssize_t length;
    do {
        length = send(launched->go, "", 1, MSG_NOSIGNAL);
    } while (length < 0 && errno == EINTR);
    close_one(&launched->go);
}

int pri_launch_result(struct pri_launched *launched, const char *name, procref_error *err) {
    struct report report;
    ssize_t length;

    do {
        length = read(launched->report, &report, sizeof report);
    } while (length < 0 && errno == EINTR);
    if (length < 0 && errno == EAGAIN) {
        return PROCREF_E_AGAIN;
    }
    close_one(&launched->report);
    if (length != sizeof report) {
        return 0; /* closed by exec, or by a death before it, which shows as the process's end */
    }
    launched->status = statuses[report.step] << 8;
    switch (report.step) {
    case STEP_DIR:
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "chdir",
                        "cannot enter working directory '%s'", report.path);
    case STEP_OUTPUT:
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "open",
                        "cannot write the output of '%s' to '%s'", name, report.path);
    case STEP_LIMIT:
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "setrlimit",
                        "cannot set a limit (Limit…=) of '%s'", name);
    case STEP_NICE:
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "setpriority",
                        "cannot set the priority (Nice=) of '%s'", name);
    case STEP_RUN:
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "execve", "cannot run '%s'", name);
    default:
        if (report.path[0] != '\0') {
            return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "open",
                            "cannot open '%s', which is the standard input of '%s'", report.path,
                            name);
        }
        return pri_fail(err, PROCREF_E_SERVICE_START, report.os, "dup2",
                        "cannot prepare the descriptors of '%s'", name);
    }
}

void pri_launch_forget(struct pri_launched *launched) {
    if (launched->process.pid == 0) {
        return; /* a zeroed struct: descriptor 0 is not ours */
    }
    close_one(&launched->go);
    close_one(&launched->report);
}
