/* What a client's thread does: acquires of all kinds, in one process. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { NESTED_MOST = 4, HOLD_MS = 25, EDGE_NS = 400000 };

/* ---- the number of massacres under which this process's reference began ---- */

static struct {
    pthread_mutex_t lock;
    uint32_t count, massacres;
} holds = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint32_t holds_enter(uint32_t arena) {
    pthread_mutex_lock(&holds.lock);
    if (holds.count++ == 0) {
        holds.massacres = atomic_load(&board->arena[arena].massacres);
    }
    uint32_t massacres = holds.massacres;
    pthread_mutex_unlock(&holds.lock);
    return massacres;
}

void holds_leave(void) {
    pthread_mutex_lock(&holds.lock);
    holds.count--;
    pthread_mutex_unlock(&holds.lock);
}

/* In a forked child, which holds nothing; another thread may have had the lock. */
void holds_reset(void) {
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    holds.lock = fresh;
    holds.count = 0;
}

/* ---- one reference ---- */

bool worker_goes_on(const struct worker *w) {
    return atomic_load(&board->arena[w->arena].round) == w->round;
}

void judge_error(struct worker *w, const char *what, int code, const procref_error *error,
                 int64_t timeout_ms) {
    const struct arena_board *a = &board->arena[w->arena];
    bool failed_start = code == PROCREF_E_SERVICE_START || code == PROCREF_E_SERVICE_RECOVERY ||
                        code == PROCREF_E_SERVICE_UNHEALTHY;
    if (code == PROCREF_E_TIMEOUT && timeout_ms == 0) {
        return; /* it is not running, and was not to be started */
    }
    if (failed_start && (atomic_load(&a->attacked) > 0 || atomic_load(&a->failed) > 0)) {
        tally(TALLY_FAILED);
        poll(NULL, 0, (int)roll(&w->dice, 20));
        return;
    }
    if (code == PROCREF_E_CONFLICT && terms_of(w->arena, w->round).another) {
        tally(TALLY_CONFLICTS);
        poll(NULL, 0, (int)roll(&w->dice, 20));
        return;
    }
    violate(code == PROCREF_E_TIMEOUT ? "hang" : "error", (int)w->arena, "%s: %s: %s [%s]", what,
            procref_code_name(code), error->message, error->detail);
    poll(NULL, 0, 100);
}

/* An acquire succeeded. */
void got(struct worker *w, struct held *held, procref_handle *handle) {
    held->handle = handle;
    held->arena = w->arena;
    held->round = w->round;
    held->pid = procref_handle_pid(handle);
    held->port = procref_handle_port(handle);
    held->gone = procref_handle_gone(handle);
    tally(TALLY_ACQUIRED);
    if (w->thread > 0) {
        tally(TALLY_THREADED);
    }
    if (w->another) {
        tally(TALLY_ANOTHER);
    }
    look_whether_it_is_wanted(held, w->another);
    if (held->pid == 0 || held->gone < 0) {
        violate("error", (int)w->arena, "a handle without a process: pid %u, descriptor %d",
                (unsigned)held->pid, held->gone);
    }
}

bool take(struct worker *w, struct held *held, int64_t timeout_ms) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *handle = NULL;
    int64_t begun_ms = now_ms();
    held->both = holds_enter(w->arena);
    slot_begin(w->slot, IN_ACQUIRE, timeout_ms + board->margin_ms);
    int code = procref_service_acquire(w->service, timeout_ms, &handle, &error);
    slot_end(w->slot);
    if (code < 0) {
        holds_leave();
        judge_error(w, "acquire", code, &error, timeout_ms);
        return false;
    }
    got(w, held, handle);
    look_whether_it_lives(held, begun_ms);
    return true;
}

void give(struct worker *w, struct held *held, bool wait) {
    procref_error error = PROCREF_ERROR_INIT;
    slot_begin(w->slot, wait ? IN_RELEASE_WAIT : IN_RELEASE, board->acquire_ms + board->margin_ms);
    int code = wait ? procref_handle_release_wait(held->handle, board->acquire_ms, &error)
                    : procref_handle_release(held->handle, &error);
    slot_end(w->slot);
    holds_leave();
    if (code < 0) {
        judge_error(w, wait ? "release_wait" : "release", code, &error, -1);
    } else {
        tally(TALLY_RELEASED);
    }
}

/* ---- acts ---- */

static void hold(struct worker *w, const struct held *held) {
    if (chance(&w->dice, 50)) {
        reach(held);
    }
    if (chance(&w->dice, 60)) {
        watch_held(held, roll(&w->dice, HOLD_MS));
    }
}

static void act_plain(struct worker *w) {
    struct held held;
    int64_t timeout_ms = chance(&w->dice, 4) ? 0 : board->acquire_ms;
    if (take(w, &held, timeout_ms)) {
        hold(w, &held);
        give(w, &held, chance(&w->dice, 8));
    }
}

/* Several at once, given back in another order. */
static void act_nested(struct worker *w) {
    struct held held[NESTED_MOST];
    uint32_t most = 2 + roll(&w->dice, NESTED_MOST - 1), count = 0;
    while (count < most && take(w, &held[count], board->acquire_ms)) {
        count++;
        tally(TALLY_NESTED);
        hold(w, &held[count - 1]);
    }
    uint32_t first = roll(&w->dice, count);
    for (uint32_t i = 0; i < count; i++) {
        struct held *one = &held[(first + i) % count];
        watch_held(one, 0);
        give(w, one, chance(&w->dice, 5));
    }
}

/* Many, fast. Back at once after a release that may have been the last: the keeper, on its way to
 * stop the service, must see that. */
static void act_burst(struct worker *w) {
    struct held held;
    for (int i = 1; i <= 20 && take(w, &held, board->acquire_ms); i++) {
        if (i % 4 == 0) {
            watch_held(&held, 1 + roll(&w->dice, 6));
        }
        give(w, &held, false);
    }
}

/* Back just when the keeper, woken by what may have been the last release, looks and decides. */
static void act_edge(struct worker *w) {
    struct held held;
    for (int i = 0; i < 10 && take(w, &held, board->acquire_ms); i++) {
        watch_held(&held, i % 2 == 0 ? 0 : 2);
        give(w, &held, false);
        for (int64_t until = now_ns() + (int64_t)roll(&w->dice, EDGE_NS); now_ns() < until;) {
        }
    }
}

static void act_async(struct worker *w) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_pending *pending = NULL;
    procref_handle *handle = NULL;
    struct held held = {.both = holds_enter(w->arena)};
    int64_t cancel_at = INT64_MAX;
    if (chance(&w->dice, 30)) { /* mostly at once: an attach takes no time */
        cancel_at = now_ms() + (chance(&w->dice, 50) ? 0 : roll(&w->dice, 30));
    }
    slot_begin(w->slot, IN_ASYNC, board->acquire_ms + board->margin_ms);
    int code = procref_service_acquire_start(w->service, board->acquire_ms, &pending, &error);
    while (code == 0) {
        int64_t left = cancel_at == INT64_MAX ? 1000 : cancel_at - now_ms();
        readable_within(procref_pending_ready(pending), left > 0 ? left : 0);
        if (now_ms() >= cancel_at) {
            slot_begin(w->slot, IN_CANCEL, board->acquire_ms + board->margin_ms);
            procref_pending_cancel(pending);
            tally(TALLY_CANCELLED);
            break;
        }
        code = procref_pending_finish(pending, &handle, &error);
        if (code == PROCREF_E_AGAIN) {
            code = 0;
        } else {
            break;
        }
    }
    slot_end(w->slot);
    if (handle == NULL) {
        holds_leave();
        if (code < 0) {
            judge_error(w, "asynchronous acquire", code, &error, board->acquire_ms);
        }
        return;
    }
    tally(TALLY_ASYNC);
    got(w, &held, handle);
    hold(w, &held);
    give(w, &held, false);
}

/* Another object of the same service, for a while, perhaps of its other configuration. */
static void act_reopen(struct worker *w) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *before = w->service, *second;
    bool wanted = w->another;
    bool another = terms_of(w->arena, w->round).another && chance(&w->dice, 50);
    int code = terms_open(w->arena, w->round, another, &second, &error);
    if (code < 0) {
        judge_error(w, "open", code, &error, -1);
        return;
    }
    w->service = second;
    w->another = another;
    act_plain(w);
    w->service = before;
    w->another = wanted;
    procref_service_close(second);
}

void act(struct worker *w) {
    static void (*const acts[])(struct worker *) = {
        act_plain,      act_plain, act_plain, act_plain,  act_nested, act_nested,
        act_burst,      act_async, act_async, act_reopen, act_fork,   act_fork,
        act_child_exec, act_keep,  act_edge,  act_edge,
    };
    static void (*const gentle[])(struct worker *) = {act_plain, act_nested, act_burst, act_edge,
                                                      act_reopen};
    uint32_t which = roll(&w->dice, sizeof acts / sizeof acts[0]);
    bool forks = acts[which] == act_fork || acts[which] == act_child_exec;
    if (terms_of(w->arena, w->round).gentle) {
        gentle[which % (sizeof gentle / sizeof gentle[0])](w);
    } else if (chance(&w->dice, 1)) {
        act_exec(w);
    } else if (forks && !w->may_fork) {
        act_plain(w);
    } else {
        acts[which](w);
    }
    if (chance(&w->dice, 30)) {
        poll(NULL, 0, (int)roll(&w->dice, 20));
    }
}
