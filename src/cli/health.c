/* Health= (health.h): a command for sh -c, which has ten seconds. */
#include "cli/health.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/exports.h"
#include "os/clock.h"
#include "os/process.h"

enum { HEALTH_MS = 10000 };

static _Noreturn void be_check(const char *command) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would end it after its ten seconds */
    setpgid(0, 0); /* so that all of it can be ended; what it says on stderr is seen */
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(CLI_NOT_FOUND);
}

/* Its wait status; -1: it took too long, or could not be watched. */
static int await(pid_t pid) {
    int status = -1;
    procref_waitable ended;
    int64_t deadline_ns = pri_deadline(HEALTH_MS), left_ns;
    bool in_time = pri_process_hold((uint32_t)pid, &ended) == 0;
    if (in_time) {
        struct pollfd polled = {.fd = ended, .events = POLLIN};
        int n;
        do {
            left_ns = deadline_ns - pri_clock_ns();
            n = poll(&polled, 1, left_ns > 0 ? (int)(left_ns / PRI_MS) + 1 : 0);
        } while (n < 0 && errno == EINTR);
        in_time = n > 0;
        close(ended);
    }
    if (!in_time) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* it may not have its group yet */
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return in_time ? status : -1;
}

/* What it says; 0: it works. */
static int ask(const struct cli_target *target, const procref_info *info) {
    /* Who ignores SIGCHLD cannot wait; the command gets it as it was. */
    struct sigaction before, normal = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &normal, &before);
    pid_t pid = fork();
    if (pid == 0) {
        if (!cli_exports_set(target, info)) {
            _exit(CLI_FAILED);
        }
        be_check(target->unit->health);
    }
    int status = pid > 0 ? await(pid) : -1;
    sigaction(SIGCHLD, &before, NULL);
    return status;
}

bool health_check(const procref_info *info, void *user_data) {
    const struct cli_target *target = user_data;
    int status = ask(target, info);
    if (status == -1) {
        cli_say("the health check of %s did not end within %d s: %s", target->config.name,
                HEALTH_MS / 1000, target->unit->health);
    } else if (status != 0) {
        cli_say("%s is not healthy (%s %d): %s", target->config.name,
                WIFEXITED(status) ? "exit status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), target->unit->health);
    }
    return status == 0;
}
