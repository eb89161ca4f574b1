/*
 * The standby: the keeper's parent, which only waits and reaps. When its keeper is killed it forks the next, which finds in
 * the page what was going on. A keeper whose standby was killed becomes the standby in the same way.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/poller.h"

/* Keepers that end without having been asked to, one after the other: a mistake of ours, not a murderer. */
enum { DEATHS_MOST = 64, DEATHS_WITHIN_MS = 2000 };

static void run_keeper(struct pri_pair *pair) {
    pri_trace_begin("keeper");
    PRI_TRACE("begins, standby %u", (unsigned)pair->standby);
    int result = pri_keeper_run(pair);
    if (result != PRI_LOOP_HANDED_OVER) {
        _exit(result);
    }
}

/* Returns in the standby with the keeper's pid; a keeper that was handed over to returns here as the next standby. */
static pid_t fork_keeper(struct pri_pair *pair) {
    for (;;) {
        pair->standby = (uint32_t)getpid();
        pid_t keeper = fork();
        if (keeper != 0) {
            return keeper;
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* fork does not pass it on */
        run_keeper(pair);
        pri_trace_begin("standby");
        PRI_TRACE("a keeper becomes the standby");
    }
}

void pri_standby_run(struct pri_pair *pair) {
    int64_t first_ns = pri_clock_ns();
    int deaths = 0;
    pid_t keeper = fork_keeper(pair);
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (keeper < 0 || (pid < 0 && errno == ECHILD)) {
            _exit(PRI_LOOP_CANNOT_SERVE); /* no process for a keeper: the next acquire finds the remains */
        }
        if (pid == keeper && WIFEXITED(status) &&
            (WEXITSTATUS(status) == PRI_LOOP_RETIRED || WEXITSTATUS(status) == PRI_LOOP_CANNOT_SERVE)) {
            _exit(WEXITSTATUS(status));
        }
        if (pid == keeper) {
            PRI_TRACE("the keeper %d ended with status %d: forks the next", (int)pid, status);
            if (pri_clock_ns() - first_ns > DEATHS_WITHIN_MS * PRI_MS) {
                first_ns = pri_clock_ns();
                deaths = 0;
            }
            if (++deaths > DEATHS_MOST) {
                _exit(PRI_LOOP_CANNOT_SERVE);
            }
            pair->page->scattered = true;
            keeper = fork_keeper(pair);
        } else if (pid > 0 && (uint32_t)pid == pair->page->main.pid) {
            atomic_store(&pair->page->reaped_status, status);
            atomic_store(&pair->page->reaped_pid, (uint32_t)pid);
            pri_nudge(pair->nudge);
        }
    }
}
