/*
 * The standby: the keeper's parent, which only waits and reaps. When its keeper is killed it forks
 * the next, which finds in the page what was going on. A keeper whose standby was killed becomes
 * the standby in the same way.
 */
#include <stdlib.h>
#include <sys/wait.h>

#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/pair.h"
#include "os/poller.h"
#include "os/rendezvous.h"

/* Keepers that end without having been asked to, one after the other: a mistake of ours, not a
 * murderer. */
enum { DEATHS_MOST = 64, DEATHS_WITHIN_MS = 2000 };

static void run_keeper(struct pri_pair *pair) {
    pri_trace_begin("keeper");
    PRI_TRACE("begins, standby %u", (unsigned)pair->standby);
    int result = pri_keeper_run(pair);
    if (result != PRI_LOOP_HANDED_OVER) {
        _Exit(result);
    }
}

/* Returns in the standby with the keeper's pid; a keeper that was handed over to returns here as
 * the next standby. */
static int32_t fork_keeper(struct pri_pair *pair) {
    for (;;) {
        pair->standby = pri_own_pid();
        int32_t keeper = pri_pair_fork();
        for (int64_t ms = 10; keeper < 0; ms = ms < 1000 ? 2 * ms : ms) {
            PRI_TRACE("no process for a keeper");
            pri_link_wait(-1, pri_deadline(ms)); /* nothing announces that there is room again */
            keeper = pri_pair_fork();
        }
        if (keeper != 0) {
            return keeper;
        }
        pri_pair_adopt_orphans();
        pri_pair_sign_life(&pair->record->keeper);
        run_keeper(pair);
        atomic_store(&pair->record->keeper, 0); /* no longer this process */
        pri_pair_sign_life(&pair->record->standby);
        pri_trace_begin("standby");
        PRI_TRACE("a keeper becomes the standby");
    }
}

void pri_standby_run(struct pri_pair *pair) {
    int64_t first_ns = pri_clock_ns();
    int deaths = 0;
    int32_t keeper = fork_keeper(pair);
    for (;;) {
        int status;
        uint32_t pid = pri_pair_wait(&status);
        if (pid == 0) {
            _Exit(PRI_LOOP_CANNOT_SERVE); /* no child, not even the keeper: cannot be */
        }
        if ((int32_t)pid == keeper && WIFEXITED(status) &&
            (WEXITSTATUS(status) == PRI_LOOP_RETIRED ||
             WEXITSTATUS(status) == PRI_LOOP_CANNOT_SERVE)) {
            _Exit(WEXITSTATUS(status));
        }
        if ((int32_t)pid == keeper) {
            PRI_TRACE("the keeper %d ended with status %d: forks the next", (int)pid, status);
            if (pri_clock_ns() - first_ns > DEATHS_WITHIN_MS * PRI_MS) {
                first_ns = pri_clock_ns();
                deaths = 0;
            }
            if (++deaths > DEATHS_MOST) {
                _Exit(PRI_LOOP_CANNOT_SERVE);
            }
            pair->page->scattered = true;
            keeper = fork_keeper(pair);
        } else if (pid == pair->page->main.pid) {
            atomic_store(&pair->page->reaped_status, status);
            atomic_store(&pair->page->reaped_pid, pid);
            pri_nudge(pair->nudge);
        }
    }
}
