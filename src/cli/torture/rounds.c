/*
 * The rounds of an arena: clients come and go while blows are dealt; then all of them go; then, by
 * the last witness, nothing of the service may be left. Where both keepers may have been killed at
 * once, one more acquire comes in between: that is what is promised.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/torture/judge.h"

enum { ROUND_MS = 3000, PATIENCE_MS = 1000, NO_ROUND = 0 };

static struct sight sight;

pid_t start_role(const char *role, const char *more) {
    struct role_words words;
    role_words(&words, role, more);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0); /* the terminal's Ctrl-C is for the judge, not a blow that nobody dealt */
        execv(board_self, (char *const *)(uintptr_t)words.argv);
        _exit(127);
    }
    return pid;
}

static void start_client(struct judge *j, uint32_t arena, int at) {
    struct arena *a = &j->arenas[arena];
    char more[128];
    snprintf(more, sizeof more, "arena=%u round=%u number=%u", (unsigned)arena, (unsigned)a->round,
             (unsigned)++a->clients_started);
    a->clients[at] = start_role("client", more);
    a->clients[at] = a->clients[at] > 0 ? a->clients[at] : 0;
}

static void note_round(const struct judge *j, uint32_t arena, int64_t length_ms) {
    static const char *const kinds[] = {"tcp", "notify", "running", "callbacks",
                                        "callbacks and stop"};
    static const char *const cruelties[] = {"no blows", "one of a pair at a time", "all blows"};
    const struct arena *a = &j->arenas[arena];
    struct terms t = terms_of(arena, a->round);
    note("%u %u: %s, linger %lld ms, start %lld ms%s%s%s, %s, %d clients for %lld "
         "ms, then %s\n",
         (unsigned)arena, (unsigned)a->round, kinds[t.kind], (long long)t.linger_ms,
         (long long)t.start_delay_ms, t.child ? ", child" : "",
         t.stubborn ? ", deaf to SIGTERM" : "",
         t.fails == 100 ? ", fails"
         : t.fails > 0  ? ", fails at times"
                        : "",
         cruelties[a->cruelty], a->clients_most, (long long)length_ms,
         a->end_by_killing ? "killed" : "left");
}

static void begin_round(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    struct arena_board *b = &board->arena[arena];
    a->round++;
    a->dice = dice_of(board->seed, 2000 + arena, a->round);
    uint32_t cruelty = roll(&a->dice, 100);
    j->rounds++;
    a->cruelty = cruelty < 10 ? CRUELTY_NONE : cruelty < 60 ? CRUELTY_SINGLE : CRUELTY_ALL;
    /* One alone is often the last, many seldom. */
    a->clients_most =
        chance(&a->dice, 25) ? 1 : 1 + (int)roll(&a->dice, (uint32_t)j->options.clients);
    a->end_by_killing = chance(&a->dice, 50);
    a->end_massacring = chance(&a->dice, 30);
    a->strike_the_stop = chance(&a->dice, 50);
    a->needs_repair = false;
    a->clients_started = a->strikes = 0;
    a->whole_by_ms = 0;
    int64_t length_ms = 300 + roll(&a->dice, ROUND_MS);
    a->until_ms = now_ms() + length_ms;
    if (j->options.plant != NULL || terms_of(arena, a->round).gentle) {
        a->cruelty = CRUELTY_NONE;
        a->end_by_killing = false;
    }
    if (j->options.plant != NULL) {
        a->clients_most = (int)j->options.clients;
        a->until_ms = now_ms() + (plant_needs_clients(j) ? 15000 : 1500);
    }
    note_round(j, arena, length_ms);
    atomic_store(&b->attacked, 0);
    atomic_store(&b->starts, 0);
    atomic_store(&b->failed, 0);
    atomic_store(&b->removed, 0);
    atomic_store(&b->rested_ms, 0);
    atomic_store(&b->released, 0);
    plant_beginning(j, arena);
    atomic_store(&b->victims_count, 0); /* all are dead, and their pids free for others */
    atomic_store(&b->round, a->round);
    a->phase = PHASE_RUN;
}

static void end_round(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    atomic_store(&board->arena[arena].round, NO_ROUND);
    continue_stopped(j, arena);
    a->phase = PHASE_END;
    a->until_ms = now_ms() + board->acquire_ms + 2 * board->margin_ms;
    /* Who waits for long may hang, which none sees who kills him. */
    bool killing = a->end_by_killing && !some_call_lasts(arena, PATIENCE_MS);
    if (killing && a->cruelty == CRUELTY_ALL && a->end_massacring) {
        j->dice = dice_of(board->seed, 3000 + arena, (uint64_t)a->round << 32);
        massacre(j, arena);
        j->blows[BLOW_MASSACRE]++;
    } else if (killing && a->cruelty != CRUELTY_NONE) {
        see(&sight);
        for (int i = 0; i < sight.count; i++) {
            if (sight.list[i].arena == arena && sight.list[i].kind == SEEN_CLIENT) {
                j->blows[BLOW_KILL_CLIENT] += signal_seen(&sight.list[i], SIGKILL);
            }
        }
    }
}

static bool clients_gone(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    for (int i = 0; i < CLIENTS_MOST; i++) {
        if (a->clients[i] != 0 && !slots_rest(a->clients[i])) {
            return false;
        }
    }
    see(&sight);
    for (int i = 0; i < sight.count; i++) {
        const struct seen *seen = &sight.list[i];
        if (seen->arena == arena && seen->kind == SEEN_CLIENT && !slots_rest(seen->pid)) {
            return false;
        }
    }
    return true;
}

static void await_clients(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    char more[64];
    if (clients_gone(j, arena)) {
        a->gone_ms = now_ms();
        if (a->strike_the_stop && a->cruelty == CRUELTY_ALL) {
            j->blows[BLOW_KILL_PAIR] += kill_pair(j, arena); /* in the midst of it, perhaps */
        }
        if (a->needs_repair) {
            snprintf(more, sizeof more, "arena=%u round=%u", (unsigned)arena, (unsigned)a->round);
            a->repair = start_role("repair", more);
            a->phase = PHASE_REPAIR;
        } else {
            a->phase = PHASE_SETTLE;
            a->planted = false;
        }
        return;
    }
    if (now_ms() >= a->until_ms) {
        violate("hang", (int)arena, "clients do not end");
        a->until_ms = now_ms() + board->margin_ms;
        for (int i = 0; i < sight.count; i++) {
            if (sight.list[i].arena == arena && sight.list[i].kind == SEEN_CLIENT) {
                signal_seen(&sight.list[i], SIGKILL);
            }
        }
    }
}

/* What is left of the service; "" if nothing is. */
static void remains(uint32_t arena, char *to, size_t size) {
    char file[300];
    int length = 0, set = see_set(arena);
    to[0] = '\0';
    see(&sight);
    for (int i = 0; i < sight.count && length < (int)size - 64; i++) {
        if (sight.list[i].arena == arena && !slots_rest(sight.list[i].pid)) {
            static const char *const words[] = {"client", "service", "keeper"};
            length +=
                snprintf(to + length, size - (size_t)length, "%s %d (%c), ",
                         words[sight.list[i].kind], (int)sight.list[i].pid, sight.list[i].state);
        }
    }
    if (set >= 0) {
        length += snprintf(to + length, size - (size_t)length, "semaphore set %d, ", set);
    }
    if (see_socket(arena)) {
        length += snprintf(to + length, size - (size_t)length, "socket, ");
    }
    if (see_lock(arena)) {
        length += snprintf(to + length, size - (size_t)length, "lock, ");
    }
    if (length < (int)size - 300 && see_file(arena, file, sizeof file)) {
        length += snprintf(to + length, size - (size_t)length, "file %.200s, ", file);
    }
    if (length < (int)size - 300 && see_file(ARENAS_MOST, file, sizeof file)) {
        length += snprintf(to + length, size - (size_t)length, "file %.200s of no service's name, ",
                           file);
    }
    if (length >= 2) {
        to[length - 2] = '\0';
    }
}

static void clear(uint32_t arena) {
    int id = see_set(arena);
    for (int i = 0; i < sight.count; i++) {
        if (sight.list[i].arena == arena) {
            signal_seen(&sight.list[i], SIGKILL);
        }
    }
    if (id >= 0) {
        semctl(id, 0, IPC_RMID);
    }
}

static void settle(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    char left[600];
    remains(arena, left, sizeof left);
    if (!a->planted && left[0] == '\0' && j->options.plant != NULL) {
        a->planted = true;
        plant_settling(j, arena);
        remains(arena, left, sizeof left);
    }
    int64_t took = now_ms() - a->gone_ms;
    if (left[0] == '\0') {
        int64_t linger = terms_of(arena, a->round).linger_ms;
        took = took > linger ? took - linger : 0;
        j->slowest_settle_ms = took > j->slowest_settle_ms ? took : j->slowest_settle_ms;
        j->settles++;
        a->phase = PHASE_REST;
    } else if (took > board->settle_ms) {
        violate("left", (int)arena, "%lld ms after the last client: %s", (long long)took, left);
        read_violations(j);
        clear(arena); /* so that one failure is not two */
        a->phase = PHASE_REST;
    }
}

static void fill(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    for (int i = 0; i < a->clients_most; i++) {
        if (a->clients[i] == 0) {
            start_client(j, arena, i);
        }
    }
    if (!a->planted) {
        plant_running(j, arena);
    }
}

void arena_step(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    switch (a->phase) {
    case PHASE_REST:
        if (!j->over) {
            begin_round(j, arena);
        }
        break;
    case PHASE_RUN:
        fill(j, arena);
        if (awaits_a_pair(j, arena)) {
            break;
        }
        if (now_ms() >= a->until_ms || j->over) {
            end_round(j, arena);
            break;
        }
        if (now_ms() >= a->blow_ms) {
            strike(j, arena);
        }
        break;
    case PHASE_END: await_clients(j, arena); break;
    case PHASE_REPAIR:
        if (a->repair <= 0) {
            a->phase = PHASE_SETTLE;
            a->gone_ms = now_ms();
            a->planted = false;
        }
        break;
    case PHASE_SETTLE: settle(j, arena); break;
    }
}

bool arena_child_ended(struct judge *j, pid_t pid, int status) {
    for (uint32_t i = 0; i < j->arenas_count; i++) {
        struct arena *a = &j->arenas[i];
        bool ours = pid == a->repair;
        if (ours) {
            a->repair = 0;
        }
        for (int k = 0; k < CLIENTS_MOST; k++) {
            if (a->clients[k] == pid) {
                a->clients[k] = 0;
                ours = true;
            }
        }
        if (!ours) {
            continue;
        }
        slots_forget(pid);
        bool struck = was_struck(pid);
        if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL) {
            violate("crash", (int)i, "client %d ended with wait status 0x%x", (int)pid,
                    (unsigned)status);
        } else if (WIFSIGNALED(status) && !struck) {
            violate("wrong", (int)i,
                    "client %d was killed, and not by us (by procref, or for want of memory: "
                    "dmesg tells)",
                    (int)pid);
        }
        return true;
    }
    return false;
}
