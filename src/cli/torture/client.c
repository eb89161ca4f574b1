/* The role client: up to three threads that act until their round is over. And the role repair:
 * what the next acquire after a massacre promises. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { THREADS_MOST = 3, STAY_MS = 30000 };

/* Each act has dice of its own, so that how one went does not change the next. */
static struct dice act_dice(const struct worker *w, uint32_t act) {
    return dice_of(board->seed, ((uint64_t)w->arena << 32) + w->round,
                   ((uint64_t)w->number << 32) + w->thread * 10000000 + act);
}

static void *work(void *argument) {
    struct worker *w = argument;
    w->slot = slot_take(w->arena);
    for (uint32_t count = 1; worker_goes_on(w); count++) {
        w->dice = act_dice(w, count);
        bool drops = roll(&w->dice, 400) == 0 && !terms_of(w->arena, w->round).gentle;
        if (atomic_load(&board->arena[w->arena].mute) != 0) { /* planted */
            slot_begin(w->slot, IN_ACQUIRE, board->acquire_ms + board->margin_ms);
            for (;;) {
                pause();
            }
        }
        act(w);
        if (drops) {
            struct held held;
            if (take(w, &held, board->acquire_ms)) {
                tally(TALLY_DROPPED);
                _exit(0); /* nobody gives it back but the kernel */
            }
        }
    }
    slot_leave(w->slot);
    return NULL;
}

/* Ends with the judge; false if that is gone already. */
static bool begin(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return getppid() == (pid_t)board->judge;
}

static bool prepare(struct worker *w, const struct role *role, uint32_t thread) {
    procref_error error = PROCREF_ERROR_INIT;
    *w = (struct worker){.arena = (uint32_t)role->arena,
                         .round = (uint32_t)role->round,
                         .number = (uint32_t)role->number,
                         .thread = thread};
    w->dice = act_dice(w, 0);
    w->another = terms_of(w->arena, w->round).another && chance(&w->dice, 40);
    if (terms_open(w->arena, w->round, w->another, &w->service, &error) < 0) {
        violate("error", (int)role->arena, "open: %s", error.message);
        return false;
    }
    return true;
}

/* Some live on until the next round: their releases, not their end, must have stopped the service.
 */
static void stay(const struct worker *w) {
    struct dice dice = act_dice(w, 0);
    if (chance(&dice, 40)) {
        struct slot *slot = slot_take(w->arena);
        slot_begin(slot, IN_REST, STAY_MS);
        slot_end(slot);
        for (int64_t until = now_ms() + STAY_MS;
             now_ms() < until && atomic_load(&board->arena[w->arena].round) == 0;) {
            poll(NULL, 0, 5);
        }
        slot_leave(slot);
    }
}

int torture_client(const struct role *role) {
    static struct worker workers[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    uint32_t count = 1, started = 0;
    if (!begin()) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!prepare(&workers[i], role, i)) {
            return 1;
        }
        if (i == 0 && chance(&workers[0].dice, 40)) {
            count += roll(&workers[0].dice, THREADS_MOST);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        workers[i].may_fork = count == 1 || FORKS_AMONG_THREADS;
    }
    for (uint32_t i = 1; i < count; i++) {
        started += pthread_create(&threads[i], NULL, work, &workers[i]) == 0;
    }
    work(&workers[0]);
    for (uint32_t i = 1; i < started + 1; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        procref_service_close(workers[i].service);
    }
    stay(&workers[0]);
    return 0;
}

int torture_repair(const struct role *role) {
    struct worker w;
    struct held held;
    if (!begin() || !prepare(&w, role, THREADS_MOST)) {
        return 1;
    }
    w.slot = slot_take(w.arena);
    /* A start may fail because the one before it was struck: not twice. */
    for (int i = 0; i < 3; i++) {
        if (take(&w, &held, board->acquire_ms)) {
            reach(&held);
            give(&w, &held, true);
            break;
        }
    }
    slot_leave(w.slot);
    procref_service_close(w.service);
    return 0;
}
