/* procref doctor: tries on this very system what each promise needs. The probes are in doctor/. */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "os/clock.h"

struct doctor_known *doctor_known;
static bool quiet;

void doctor_say(enum doctor_level level, const char *what, const char *format, ...) {
    static const char *const words[] = {"ok", "warn", "FAIL"};
    char text[2048];
    va_list args;
    doctor_known->told[level]++;
    if (quiet && level == DOCTOR_OK) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%-4s  %s: %s\n", words[level], what, text);
    fflush(stdout);
}

pid_t doctor_fork(void) {
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(0);
        }
    }
    return child;
}

/* By SIGCHLD, which is blocked: a pidfd is one of the things that may be missing. */
static bool reaped(pid_t child, int64_t deadline_ns, int *ret_status) {
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    for (;;) {
        pid_t pid = waitpid(child, ret_status, WNOHANG);
        if (pid == child || (pid < 0 && errno != EINTR)) {
            return pid == child;
        }
        int64_t left = deadline_ns - pri_clock_ns();
        if (left <= 0) {
            return false;
        }
        struct timespec patience = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        sigtimedwait(&ended, NULL, &patience);
    }
}

bool doctor_await(pid_t child, int64_t deadline_ns, int *ret_status) {
    if (reaped(child, deadline_ns, ret_status)) {
        return true;
    }
    kill(child, SIGKILL);
    reaped(child, pri_deadline(1000), ret_status);
    return false;
}

enum { PROBE_MS = 60000 };

/* What a sandbox may answer by a signal (SECCOMP_RET_KILL), which is that child's end, not ours. */
struct probe {
    void (*run)(void);
    const char *what, *calls;
};

static void block_sigchld(void) {
    sigset_t ended;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
}

static void try_in_child(const struct probe *probe) {
    int status = 0;
    pid_t child = doctor_fork();
    if (child <= 0) {
        block_sigchld();
        probe->run();
    }
    if (child == 0) {
        _exit(0);
    }
    bool ended = child < 0 || doctor_await(child, pri_deadline(PROBE_MS), &status);
    if (!ended) {
        doctor_say(DOCTOR_FAIL, probe->what,
                   "still tried after %d s, and given up; report what strace -f shows of it",
                   PROBE_MS / 1000);
    } else if (WIFSIGNALED(status)) {
        doctor_say(DOCTOR_FAIL, probe->what,
                   "killed by signal %d (%s) while it was tried; use a sandbox whose filter allows "
                   "%s",
                   WTERMSIG(status), strsignal(WTERMSIG(status)), probe->calls);
    }
}

static int verdict(void) {
    const int *told = doctor_known->told;
    if (told[DOCTOR_FAIL] > 0) {
        printf("verdict: %d of what procref promises or needs is missing here, see FAIL above\n",
               told[DOCTOR_FAIL]);
        return CLI_NO;
    }
    if (told[DOCTOR_WARN] > 0) {
        printf("verdict: procref works here; %d thing%s to know, see warn above\n",
               told[DOCTOR_WARN], told[DOCTOR_WARN] == 1 ? "" : "s");
    } else {
        printf("verdict: procref works here\n");
    }
    return CLI_OK;
}

static const char *const *wanted;
static bool cleaning;

static void leftovers(void) {
    doctor_leftovers(wanted, cleaning);
}

int cli_doctor(const struct cli_command *command, int argc, char **argv) {
    struct cli_texts folders = {0};
    bool clean = false;
    const struct cli_option options[] = {
        {"clean", 0, CLI_FLAG, NULL, "remove what killed services left and nobody uses", &clean},
        {"base-dir", 0, CLI_TEXTS, "DIR", "look for leftovers in DIR, too", &folders},
        {"quiet", 'q', CLI_FLAG, NULL, "only warnings and failures", &quiet},
        {0}};
    const char *more[sizeof folders.list / sizeof folders.list[0] + 1] = {NULL};
    int operands;
    static const struct probe probes[] = {
        {doctor_undo, "semaphores with undo", "semget, semop and semctl"},
        {doctor_limits, "semaphore limits", "reading /proc"},
        {doctor_pidfd, "pidfd", "pidfd_open and pidfd_send_signal"},
        {doctor_keeper, "keeper", "memfd_create and execveat"},
        {doctor_namespaces, "namespaces", "sequential-packet Unix sockets"},
        {doctor_logout, "logout", "reading /run"},
        {doctor_folder, "runtime folder", "writing files"},
        {doctor_orphans, "orphans", "prctl and fork"},
        {doctor_procfs, "/proc", "reading /proc"},
        {doctor_tryout, "a killed client's service", "what is named above"}};
    int status = cli_parse(command, options, argc, argv, &operands, NULL);
    if (status >= 0) {
        return status;
    }
    if (operands > 0) {
        cli_say("'%s' is too much: see procref doctor --help", argv[1]);
        return CLI_USAGE;
    }
    memcpy(more, folders.list, (size_t)folders.count * sizeof more[0]);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would reap our children for us */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* beyond ulimit -f a write is to fail, not to end us */
    block_sigchld();
    doctor_known =
        mmap(NULL, sizeof *doctor_known, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (doctor_known == MAP_FAILED) {
        cli_say("no memory: %s", strerror(errno));
        return CLI_FAILED;
    }
    doctor_resources(); /* here: it makes room for the others */
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        try_in_child(&probes[i]);
    }
    wanted = more;
    cleaning = clean;
    try_in_child(&(struct probe){leftovers, "leftovers", "semctl"});
    return verdict();
}
