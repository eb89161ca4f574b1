/* Health= (health.h): a command for sh -c, which has ten seconds. */
#include "cli/health.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/exports.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/rendezvous.h"

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

/* Its wait status. TIMEOUT, or why it cannot be watched: it was killed then. */
static int await(pid_t pid, int *ret_status) {
    procref_waitable held;
    int code = pri_process_hold((uint32_t)pid, &held);
    if (code == 0) {
        code = pri_link_wait(held, pri_deadline(HEALTH_MS)) ? 0 : PROCREF_E_TIMEOUT;
        pri_link_close(held);
    } else if (code == PROCREF_E_NOT_FOUND) {
        code = 0; /* ended already: a zombie of ours */
    }
    if (code < 0) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* it may not have its group yet */
    }
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR) {
    }
    return code;
}

/* As await(). */
static int ask(const struct cli_target *target, const procref_info *info, int *ret_status) {
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
    int code = pid > 0 ? await(pid, ret_status) : PROCREF_E_LIMIT;
    sigaction(SIGCHLD, &before, NULL);
    return code;
}

bool health_check(const procref_info *info, void *user_data) {
    const struct cli_target *target = user_data;
    const char *name = target->config.name, *command = target->unit->health;
    int status = 0;
    int code = ask(target, info, &status);
    if (code == PROCREF_E_TIMEOUT) {
        cli_say("the health check of %s did not end within %d s: %s", name, HEALTH_MS / 1000,
                command);
    } else if (code < 0) {
        cli_say("the health check of %s cannot be carried out (%s): %s", name,
                procref_code_text(code), command);
    } else if (status != 0) {
        cli_say("%s is not healthy (%s %d): %s", name, WIFEXITED(status) ? "exit status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), command);
    }
    return code == 0 && status == 0;
}
