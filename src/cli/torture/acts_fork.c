/* What a client does with fork and exec: a child holds nothing of its parent's, a reference
 * survives exec. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { CHILD_MS = 60, KEEP_MS = 400, HOLDER_MS = 300 };

/* Until a child has ended; nobody reaps it, since SIGCHLD is ignored. */
static void await_child(pid_t pid) {
    int fd = hold_process(pid);
    if (fd >= 0) {
        readable_within(fd, 2 * board->acquire_ms);
        close(fd);
    }
}

static void child_begins(struct worker *w) {
    holds_reset();
    w->slot = slot_take(w->arena);
}

/* The parent's handle cannot be released by the child; the child can have a reference of its own.
 */
static int be_a_child(struct worker *w, const struct held *parents) {
    struct held own;
    child_begins(w);
    int code = procref_handle_release(parents->handle, NULL);
    if (code != PROCREF_E_FORKED) {
        violate("error", (int)w->arena, "a child's release of its parent's handle gave %s",
                procref_code_name(code));
    }
    if (take(w, &own, board->acquire_ms)) {
        tally(TALLY_FORKED);
        reach(&own);
        watch_held(&own, roll(&w->dice, CHILD_MS));
        if (chance(&w->dice, 60)) {
            give(w, &own, false);
        } else {
            tally(TALLY_DROPPED);
        }
    }
    slot_leave(w->slot);
    return 0;
}

void act_fork(struct worker *w) {
    struct held held;
    if (!take(w, &held, board->acquire_ms)) {
        return;
    }
    struct slot *slot = w->slot;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(be_a_child(w, &held));
    }
    w->slot = slot;
    if (pid > 0 && chance(&w->dice, 70)) {
        await_child(pid);
    }
    watch_held(&held, 0);
    give(w, &held, false);
}

/* A child that does nothing but have a copy of all descriptors; it may outlive this process. */
void act_keep(struct worker *w) {
    struct held held;
    uint32_t ms = roll(&w->dice, KEEP_MS);
    if (!take(w, &held, board->acquire_ms)) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        poll(NULL, 0, (int)ms);
        _exit(0);
    }
    tally(TALLY_KEPT);
    watch_held(&held, roll(&w->dice, CHILD_MS));
    give(w, &held, chance(&w->dice, 30));
}

/* This very process becomes the role holder, which knows nothing but what its argv says. */
static void become_holder(struct worker *w, const struct held *held, uint32_t ms) {
    struct role_words words;
    char more[160];
    snprintf(more, sizeof more, "arena=%u round=%u pid=%u port=%u both=%u ms=%u",
             (unsigned)w->arena, (unsigned)w->round, (unsigned)held->pid, (unsigned)held->port,
             (unsigned)held->both, (unsigned)ms);
    role_words(&words, "holder", more);
    execv(board_self, (char *const *)(uintptr_t)words.argv);
    violate("error", (int)w->arena, "exec: %s", strerror(errno));
    _exit(1);
}

void act_child_exec(struct worker *w) {
    uint32_t ms = roll(&w->dice, HOLDER_MS);
    bool wait = chance(&w->dice, 50);
    pid_t pid = fork();
    if (pid == 0) {
        struct held held;
        child_begins(w);
        if (take(w, &held, board->acquire_ms)) {
            become_holder(w, &held, ms);
        }
        slot_leave(w->slot);
        _exit(0);
    }
    if (pid > 0 && wait) {
        await_child(pid);
    }
}

void act_exec(struct worker *w) {
    struct held held;
    if (take(w, &held, board->acquire_ms)) {
        become_holder(w, &held, roll(&w->dice, HOLDER_MS));
    }
}

int torture_holder(const struct role *role) {
    int judge = hold_process((pid_t)board->judge);
    struct held held = {.arena = (uint32_t)role->arena,
                        .round = (uint32_t)role->round,
                        .pid = (uint32_t)role->pid,
                        .port = (uint16_t)role->port,
                        .both = (uint32_t)role->both,
                        .gone = hold_process((pid_t)role->pid)};
    slots_forget(getpid());
    tally(TALLY_EXECED);
    if (judge < 0) {
        return 0;
    }
    if (held.gone < 0) {
        if (!excused(&held)) {
            violate("ended", (int)held.arena,
                    "service %u ended while it was held across exec, and nobody had attacked it",
                    (unsigned)held.pid);
        }
        return 0;
    }
    if (reach(&held)) {
        watch_held(&held, role->ms);
    }
    return 0;
}
