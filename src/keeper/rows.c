/*
 * The keeper's rows of the transition table: each executes one, with what must be true on the pages
 * before it and after it, and reports the outcome as the machine's next event.
 */
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { LOOK_AGAIN_MS = 200 };

static const struct pri_ident *ident_of(const struct pri_keeper *k) {
    return &k->pair->config->ident;
}

static void keep_counter_error(struct pri_keeper *k, int code) {
    pri_counter_explain(&k->counter, code, ident_of(k)->name, &k->error);
}

/* The outcome of a row becomes the next event, before anything else is looked at. */
static void report(struct pri_keeper *k, int result) {
    if (result < 0) {
        keep_counter_error(k, result);
    }
    memmove(k->queue + 1, k->queue, sizeof k->queue - sizeof k->queue[0]);
    k->queued += k->queued < (int)(sizeof k->queue / sizeof k->queue[0]);
    k->queue[0] = result == PRI_OK     ? PRI_E_DONE
                  : result == PRI_NO   ? PRI_E_REFUSED
                  : result == PRI_GONE ? PRI_E_GONE
                                       : PRI_E_BROKEN;
}

static void report_broken(struct pri_keeper *k) {
    PRI_TRACE("broken: %s", k->error.message);
    report(k, PRI_NO);
    k->queue[0] = PRI_E_BROKEN;
}

/* probe: find out whether undo works, on a set that nothing has begun on. */
static bool make_set(struct pri_keeper *k, bool probe) {
    procref_error error = PROCREF_ERROR_INIT; /* that there was no set yet is none to keep */
    bool fresh = false;
    if (pri_counter_create(ident_of(k), &k->counter, &fresh, &error) < 0) {
        pri_fail_copy(&k->error, &error);
        return false;
    }
    PRI_CRASH_POINT("set opened, not begun");
    if (fresh && k->pair->page->main.pid == 0 && !k->pair->page->post_due) {
        k->pair->page->scattered =
            false; /* nothing had begun: no remains to look for in all of /proc */
    }
    int code = probe && pri_counter_read(&k->counter, PRI_REG_GEN) == 0
                   ? pri_counter_probe_undo(&k->counter)
                   : 0;
    if (code == 0) {
        return true;
    }
    pri_counter_remove(&k->counter);
    pri_fail(&k->error, code, 0, code == PROCREF_E_LIMIT ? "fork" : "semop",
             code == PROCREF_E_LIMIT
                 ? "no process to try whether the kernel undoes semaphores: see ulimit -u"
                 : "this kernel or sandbox does not undo the semaphore operations of the dead "
                   "(SEM_UNDO), "
                   "which procref counts with");
    return false;
}

/* On a new set `call` says nothing of who entered on the removed one. */
static bool runs_old_callback(struct pri_keeper *k) {
    if (!pri_config_has_callbacks(k->pair->config) ||
        pri_counter_read(&k->counter, PRI_REG_GEN) != 0) {
        return false;
    }
    pri_slots_find_old(k);
    return k->old_callers > 0;
}

/* What the hint says is up will be ended. Its generation may come again, in a set that is made
 * anew: another pair, should it find the hint as it is, would adopt what was told to stop. */
static void take_back_hint(struct pri_keeper *k) {
    if (k->machine.phase == PRI_PHASE_FRESH ||
        pri_counter_read(&k->counter, PRI_REG_KEEPER) > 0) { /* of another network namespace */
        return;
    }
    if (k->dir < 0) {
        int dir = pri_directory_open(pri_config_text(k->pair->config, k->pair->config->dir), NULL);
        k->dir = dir >= 0 ? dir : -1;
    }
    pri_run_hint(k, "stopping");
}

void pri_row_begin(struct pri_keeper *k) {
    if (!make_set(k, true)) {
        report_broken(k);
        return;
    }
    take_back_hint(k);
    atomic_store(&k->pair->record->ready, 0);
    if (runs_old_callback(k)) {
        report(k, PRI_NO);
        return;
    }
    int result = pri_counter_step(&k->counter, PRI_BEGIN, 0);
    if (result == PROCREF_E_LIMIT && pri_counter_read(&k->counter, PRI_REG_REFS) == 0 &&
        pri_counter_read(&k->counter, PRI_REG_READY) == 0) {
        /* Out of generations and nobody holds; nor can anybody come while nothing is ready: a new
         * set. */
        pri_counter_remove(&k->counter);
        result = make_set(k, false) ? pri_counter_step(&k->counter, PRI_BEGIN, 0) : PRI_GONE;
    }
    if (result == PRI_OK) {
        PRI_CRASH_POINT("begun");
        k->machine.generation = (uint32_t)pri_counter_read(&k->counter, PRI_REG_GEN);
    } else if (result == PRI_NO && pri_counter_read(&k->counter, PRI_REG_KEEPER) > 0) {
        pri_fail(&k->error, PROCREF_E_PLATFORM, 0, "semop",
                 "'%s' has a keeper that cannot be reached from here: it is in another network "
                 "namespace",
                 ident_of(k)->name);
    }
    report(k, result);
}

void pri_row_refound(struct pri_keeper *k) {
    if (!make_set(k, false)) {
        report_broken(k);
        return;
    }
    PRI_CRASH_POINT("new set, not refounded");
    if (runs_old_callback(k)) {
        report(k, PRI_NO);
        return;
    }
    report(k, pri_counter_step(&k->counter, PRI_REFOUND, k->machine.generation));
}

void pri_row_adopt(struct pri_keeper *k) {
    procref_error error = PROCREF_ERROR_INIT;
    if (pri_counter_find(ident_of(k), &k->counter, &error) < 0) {
        report(k, PRI_GONE);
        return;
    }
    int result = pri_counter_step(&k->counter, PRI_ADOPT, k->machine.generation);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("adopted, not published");
        atomic_store(&k->pair->page->generation, k->machine.generation);
        atomic_store(&k->pair->page->phase,
                     PRI_PHASE_UP); /* it may have been the hint that said so */
    }
    report(k, result);
}

void pri_row_publish(struct pri_keeper *k) {
    struct pri_record *record = k->pair->record;
    int result = pri_counter_step(&k->counter, PRI_PUBLISH, k->machine.generation);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("published");
        atomic_store(&record->ready, k->machine.generation);
        k->up_since_ns = pri_clock_ns();
    }
    report(k, result);
}

void pri_row_withdraw(struct pri_keeper *k) {
    atomic_store(&k->pair->record->ready, 0);
    int result = pri_counter_step(&k->counter, PRI_WITHDRAW, k->machine.generation);
    PRI_CRASH_POINT("withdrawn");
    if (k->machine.alive && k->machine.unhealthy > 0) {
        pri_fail(&k->error, PROCREF_E_SERVICE_UNHEALTHY, 0, "", "the health check of '%s' failed",
                 ident_of(k)->name);
    }
    report(k, result);
}

void pri_row_drain(struct pri_keeper *k) {
    PRI_CRASH_POINT("about to drain");
    int result = pri_counter_step(&k->counter, PRI_DRAIN, k->machine.generation);
    if (pri_fault("slow drain")) { /* somebody comes before the machine knows of it */
        pri_link_wait(k->pair->listener, pri_deadline(1000));
    }
    if (result == PRI_OK) {
        PRI_CRASH_POINT("drained, not recorded");
        atomic_store(&k->pair->record->ready, 0);
    }
    report(k, result);
}

void pri_row_close(struct pri_keeper *k) {
    PRI_CRASH_POINT("about to close");
    int result = pri_counter_step(&k->counter, PRI_CLOSE, k->machine.generation);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("closed, not recorded");
        atomic_store(&k->pair->record->ready, 0);
    }
    report(k, result);
}

void pri_row_hand_over(struct pri_keeper *k) {
    int ready =
        pri_counter_read(&k->counter, PRI_REG_READY); /* 0 after it was given up: ready stays 0 */
    int result =
        ready < 0 ? PRI_GONE : pri_counter_step(&k->counter, PRI_HAND_OVER, (uint32_t)ready);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("handed over");
        k->finished = k->handed_over = true;
    }
    report(k, result);
}

void pri_row_await_zero(struct pri_keeper *k, enum pri_register reg) {
    k->awaited = reg;
    if (k->waiter == NULL) {
        k->waiter = pri_waiter_open(&k->waiter_ready);
        if (k->waiter != NULL) {
            pri_poller_add(k->poller, k->waiter_ready, PRI_TAG_WAITER);
        }
    }
    if (k->waiter == NULL || pri_waiter_arm(k->waiter, &k->counter, reg) < 0) {
        k->retry_ns = pri_deadline(LOOK_AGAIN_MS); /* no thread or descriptor to wait with */
        k->retry_register = reg;
    }
}
