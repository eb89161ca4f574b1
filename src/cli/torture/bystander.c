/*
 * The bystander: a process of this user's that is no client, no keeper, no service. Forged hints
 * name it (spoil.c). Whoever takes a pid for a process ends it, and the judge, its parent, sees
 * that.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/torture/judge.h"

void bystander_start(struct judge *j) {
    pid_t judge = getpid();
    j->bystander = fork();
    if (j->bystander == 0) {
        const int usual[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGPIPE};
        for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
            signal(usual[i], SIG_DFL);
        }
        setsid();
        close(j->board);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == judge) {
            pause();
        }
        _exit(0);
    }
}

bool bystander_ended(struct judge *j, pid_t pid, int status) {
    if (pid != j->bystander) {
        return false;
    }
    violate("wrong", 0, "process %d, which has nothing to do with any service, was ended: 0x%x",
            (int)pid, (unsigned)status);
    bystander_start(j);
    return true;
}

void bystander_dismiss(struct judge *j) {
    if (j->bystander > 0) { /* not reaped yet: it is still this one's pid */
        kill(j->bystander, SIGKILL);
        waitpid(j->bystander, NULL, 0);
    }
}
