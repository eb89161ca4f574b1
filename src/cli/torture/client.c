/* The role client: up to three threads that act until their round is over. And the role repair:
 * what the next acquire after a massacre promises. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { THREADS_MOST = 3 };

static void *work(void *argument) {
    struct worker *w = argument;
    w->slot = slot_take(w->arena);
    while (worker_goes_on(w)) {
        if (atomic_load(&board->arena[w->arena].mute) != 0) { /* planted */
            slot_begin(w->slot, IN_ACQUIRE, board->acquire_ms + board->margin_ms);
            for (;;) {
                pause();
            }
        }
        act(w);
        if (roll(&w->dice, 400) == 0) {
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

static bool prepare(struct worker *w, const struct role *role, uint64_t number) {
    procref_error error = PROCREF_ERROR_INIT;
    *w = (struct worker){.arena = (uint32_t)role->arena,
                         .round = (uint32_t)role->round,
                         .dice = dice_of(board->seed, (uint64_t)role->number, number)};
    if (terms_open(w->arena, w->round, &w->service, &error) < 0) {
        violate("error", (int)role->arena, "open: %s", error.message);
        return false;
    }
    return true;
}

int torture_client(const struct role *role) {
    static struct worker workers[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    struct dice dice = dice_of(board->seed, (uint64_t)role->number, 7);
    uint32_t count = 1 + (chance(&dice, 40) ? roll(&dice, THREADS_MOST) : 0), started = 0;
    if (!begin()) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!prepare(&workers[i], role, i)) {
            return 1;
        }
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
    return 0;
}

int torture_repair(const struct role *role) {
    struct worker w;
    struct held held;
    if (!begin() || !prepare(&w, role, 3)) {
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
