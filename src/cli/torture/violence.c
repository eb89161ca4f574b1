/* The blows. Who is struck is decided by the dice; only processes of this run are, each looked at
 * again while a pidfd holds it (signal_seen). */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cli/torture/judge.h"

enum {
    TRIES = 4,
    BLOW_EVERY_MS = 50,
    PAIR_LOOK_MS = 50,
    STOP_MS = 300,        /* most are short … */
    LONG_STOP_MS = 1500,  /* … one in ten is not */
    SINGLE_PAUSE_MS = 700 /* until a pair has surely come to itself */
};

static struct sight sight;

/* ---- SIGSTOP ---- */

static void stop(struct judge *j, const struct seen *who) {
    int64_t ms = chance(&j->dice, 10) ? roll(&j->dice, LONG_STOP_MS) : roll(&j->dice, STOP_MS);
    if (j->stops_count < STOPS_MOST && signal_seen(who, SIGSTOP)) {
        int64_t rested = now_ms() + ms + STOP_MS; /* we may be late ourselves */
        struct arena_board *a = &board->arena[who->arena];
        if (who->kind == SEEN_KEEPER && atomic_load(&a->rested_ms) < rested) {
            atomic_store(&a->rested_ms, rested);
        }
        j->stops[j->stops_count].who = *who;
        j->stops[j->stops_count++].until_ms = now_ms() + ms;
    }
}

void continue_stopped(struct judge *j, int64_t arena) {
    int64_t now = now_ms();
    for (int i = 0; i < j->stops_count;) {
        if (arena == j->stops[i].who.arena || (arena < 0 && now >= j->stops[i].until_ms)) {
            signal_seen(&j->stops[i].who, SIGCONT);
            j->stops[i] = j->stops[--j->stops_count];
        } else {
            i++;
        }
    }
}

/* ---- whom ---- */

static struct seen *pick(struct judge *j, uint32_t arena, enum seen_kind kind) {
    int count = seen_in(&sight, arena, kind);
    int nth = (int)roll(&j->dice, (uint32_t)count);
    for (int i = 0; i < sight.count; i++) {
        struct seen *seen = &sight.list[i];
        if (seen->arena == arena && seen->kind == kind && nth-- == 0 && seen->verified) {
            return seen;
        }
    }
    return NULL;
}

/* Exactly two, one the other's parent, both awake. */
static bool pair(uint32_t arena, struct seen *ret_keeper, struct seen *ret_standby) {
    struct seen *found[2];
    int count = 0;
    for (int i = 0; i < sight.count; i++) {
        if (sight.list[i].arena == arena && sight.list[i].kind == SEEN_KEEPER) {
            if (count == 2 || sight.list[i].state == 'T' || !sight.list[i].verified) {
                return false;
            }
            found[count++] = &sight.list[i];
        }
    }
    if (count != 2 || (found[0]->parent != found[1]->pid && found[1]->parent != found[0]->pid)) {
        return false;
    }
    int child = found[0]->parent == found[1]->pid ? 0 : 1;
    *ret_keeper = *found[child];
    *ret_standby = *found[1 - child];
    return true;
}

/* Whether they are a pair at rest: the same two in two looks. A service's child between fork and
 * exec looks like a keeper, too. */
static bool pair_at_rest(struct judge *j, uint32_t arena, struct seen *keeper,
                         struct seen *standby) {
    struct seen keeper_before, standby_before;
    if (now_ms() - j->arenas[arena].keeper_killed_ms < SINGLE_PAUSE_MS ||
        !pair(arena, &keeper_before, &standby_before)) {
        return false;
    }
    poll(NULL, 0, 15);
    see(&sight);
    return pair(arena, keeper, standby) && keeper->pid == keeper_before.pid &&
           standby->pid == standby_before.pid;
}

static void await_end(const struct seen *who) {
    int fd = hold_process(who->pid);
    if (fd >= 0) {
        readable_within(fd, 2000);
        close(fd);
    }
}

/* ---- blows ---- */

static bool kill_client(struct judge *j, uint32_t arena) {
    struct seen *who = pick(j, arena, SEEN_CLIENT);
    if (who == NULL) {
        return false;
    }
    if (who->parent != getpid()) { /* perhaps the child of a callback, that is to be the service */
        atomic_fetch_add(&board->arena[arena].attacked, 1);
        victim_add(arena, who->pid);
    }
    return signal_seen(who, SIGKILL);
}

static bool kill_service(struct judge *j, uint32_t arena) {
    struct seen *who = pick(j, arena, SEEN_SERVICE);
    if (who == NULL) {
        return false;
    }
    atomic_fetch_add(&board->arena[arena].attacked, 1);
    victim_add(arena, who->pid);
    return signal_seen(who, SIGKILL);
}

static bool stop_some(struct judge *j, uint32_t arena, enum seen_kind kind) {
    struct seen *who = pick(j, arena, kind);
    if (who != NULL) {
        stop(j, who);
    }
    return who != NULL;
}

/* One of a pair at rest: promises hold, and nobody may notice. */
static bool kill_single(struct judge *j, uint32_t arena, bool the_keeper) {
    struct seen keeper, standby;
    if (!pair_at_rest(j, arena, &keeper, &standby)) {
        return false;
    }
    j->arenas[arena].keeper_killed_ms = now_ms();
    j->arenas[arena].survivor = the_keeper ? standby : keeper;
    j->arenas[arena].whole_by_ms = now_ms() + board->whole_ms;
    return signal_seen(the_keeper ? &keeper : &standby, SIGKILL);
}

static const struct seen *find(const struct seen *who) {
    for (int i = 0; i < sight.count; i++) {
        if (sight.list[i].pid == who->pid && sight.list[i].start == who->start) {
            return &sight.list[i];
        }
    }
    return NULL;
}

/* One that stays alone is found in no other way: what it does it does well. Meanwhile nobody
 * strikes there. */
bool awaits_a_pair(struct judge *j, uint32_t arena) {
    struct arena *a = &j->arenas[arena];
    struct seen keeper, standby;
    if (a->whole_by_ms == 0) {
        return false;
    }
    if (now_ms() < a->blow_ms) { /* not at every tick: a look at all of /proc takes a while */
        return true;
    }
    a->blow_ms = now_ms() + PAIR_LOOK_MS;
    see(&sight);
    if (find(&a->survivor) == NULL || pair(arena, &keeper, &standby)) {
        a->whole_by_ms = 0;
    } else if (now_ms() >= a->whole_by_ms) {
        violate("alone", (int)arena, "keeper %d is alone, %lld ms after its other was killed",
                (int)a->survivor.pid, (long long)board->whole_ms);
        a->whole_by_ms = 0;
    }
    return a->whole_by_ms != 0;
}

/* Planted: it cannot do anything about it. */
void leave_alone(struct judge *j, uint32_t arena) {
    see(&sight);
    if (j->arenas[arena].whole_by_ms == 0 && kill_single(j, arena, false)) {
        signal_seen(&j->arenas[arena].survivor, SIGSTOP);
    }
}

static void massacre_begins(struct judge *j, uint32_t arena) {
    j->arenas[arena].needs_repair = true;
    j->arenas[arena].keeper_killed_ms = now_ms();
    atomic_fetch_add(&board->arena[arena].attacked, 1);
    atomic_fetch_add(&board->arena[arena].massacres, 1);
}

static void massacre_ends(uint32_t arena) {
    atomic_fetch_add(&board->arena[arena].massacres, 1);
}

static bool kill_any_keeper(struct judge *j, uint32_t arena) {
    struct seen *who = pick(j, arena, SEEN_KEEPER);
    if (who == NULL) {
        return false;
    }
    massacre_begins(j, arena);
    bool done = signal_seen(who, SIGKILL);
    await_end(who);
    massacre_ends(arena);
    return done;
}

/* All of some kinds, so that none of them can act upon the others' end: stopped first. */
static void kill_all(uint32_t arena, const bool kinds[3]) {
    for (int round = 0; round < 4; round++) {
        int found = 0;
        see(&sight);
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < sight.count; i++) {
                struct seen *who = &sight.list[i];
                if (who->arena != arena || !kinds[who->kind]) {
                    continue;
                }
                if (pass == 0 && who->kind != SEEN_KEEPER) {
                    victim_add(arena, who->pid);
                }
                bool met = signal_seen(who, pass == 0 ? SIGSTOP : SIGKILL);
                found += met;
                if (pass == 1 && !met) {
                    signal_seen(who, SIGCONT); /* it has become another, by exec */
                }
            }
        }
        for (int i = 0; i < sight.count; i++) {
            if (sight.list[i].arena == arena && kinds[sight.list[i].kind]) {
                await_end(&sight.list[i]);
            }
        }
        if (found == 0) {
            return;
        }
    }
}

bool kill_pair(struct judge *j, uint32_t arena) {
    massacre_begins(j, arena);
    kill_all(arena, (const bool[3]){[SEEN_KEEPER] = true});
    massacre_ends(arena);
    return true;
}

void massacre(struct judge *j, uint32_t arena) {
    massacre_begins(j, arena);
    kill_all(
        arena,
        (const bool[3]){
            [SEEN_CLIENT] = true, [SEEN_KEEPER] = true, [SEEN_SERVICE] = chance(&j->dice, 50)});
    massacre_ends(arena);
}

/* ---- which ---- */

/*
 * A service is known by its keepers, by the set and by its hint; who takes all three away at once
 * leaves nothing that knows of it. So where both keepers may be killed a round takes away sets or
 * files, not both.
 */
static bool takes_files(const struct judge *j, uint32_t arena) {
    return j->arenas[arena].cruelty != CRUELTY_ALL || j->arenas[arena].round % 2 == 0;
}

static bool takes_sets(const struct judge *j, uint32_t arena) {
    return j->arenas[arena].cruelty != CRUELTY_ALL || j->arenas[arena].round % 2 == 1;
}

static bool deal(struct judge *j, uint32_t arena, enum blow blow) {
    bool all = j->arenas[arena].cruelty == CRUELTY_ALL;
    switch (blow) {
    case BLOW_KILL_CLIENT: return kill_client(j, arena);
    case BLOW_STOP_CLIENT: return stop_some(j, arena, SEEN_CLIENT);
    case BLOW_KILL_KEEPER:
    case BLOW_KILL_STANDBY:
        return all && chance(&j->dice, 50) ? kill_any_keeper(j, arena)
                                           : kill_single(j, arena, blow == BLOW_KILL_KEEPER);
    case BLOW_STOP_KEEPER: return stop_some(j, arena, SEEN_KEEPER);
    case BLOW_KILL_SERVICE: return kill_service(j, arena);
    case BLOW_STOP_SERVICE: return stop_some(j, arena, SEEN_SERVICE);
    case BLOW_KILL_PAIR: return all && kill_pair(j, arena);
    case BLOW_MASSACRE:
        if (all) {
            massacre(j, arena);
        }
        return all;
    case BLOW_FILL_QUEUE: return stop_some(j, arena, SEEN_KEEPER) && fill_queue(arena);
    case BLOW_REMOVE_SET:
        atomic_fetch_add(&board->arena[arena].removed, takes_sets(j, arena));
        return takes_sets(j, arena) && remove_set(arena);
    case BLOW_DELETE_FILE:
    case BLOW_SPOIL_FILE:
        if (!takes_files(j, arena) || !spoil_file(j, arena, blow == BLOW_DELETE_FILE)) {
            return false;
        }
        /* Only a pair that has no other's page to go by reads what was spoiled. */
        j->blows[BLOW_KILL_PAIR] += all && chance(&j->dice, 50) && kill_pair(j, arena);
        return true;
    case BLOW_LOAD: return load_cores(j);
    default: return false;
    }
}

static enum blow choose(struct judge *j) {
    static const uint32_t weights[BLOW_COUNT] = {
        [BLOW_KILL_CLIENT] = 30,  [BLOW_STOP_CLIENT] = 12, [BLOW_KILL_KEEPER] = 12,
        [BLOW_KILL_STANDBY] = 12, [BLOW_STOP_KEEPER] = 8,  [BLOW_KILL_SERVICE] = 6,
        [BLOW_STOP_SERVICE] = 5,  [BLOW_KILL_PAIR] = 3,    [BLOW_MASSACRE] = 2,
        [BLOW_REMOVE_SET] = 4,    [BLOW_DELETE_FILE] = 4,  [BLOW_SPOIL_FILE] = 6,
        [BLOW_FILL_QUEUE] = 3,    [BLOW_LOAD] = 2,
    };
    uint32_t sum = 0, blow = 0;
    for (uint32_t i = 0; i < BLOW_COUNT; i++) {
        sum += weights[i];
    }
    for (uint32_t n = roll(&j->dice, sum); n >= weights[blow]; blow++) {
        n -= weights[blow];
    }
    return (enum blow)blow;
}

void strike(struct judge *j, uint32_t arena) {
    static const char *const words[] = {
#define BLOW_WORD(name, text) #name,
        BLOWS(BLOW_WORD)
#undef BLOW_WORD
    };
    struct arena *a = &j->arenas[arena];
    enum blow tries[TRIES]; /* not every blow finds somebody */
    int dealt = 0;
    j->dice = dice_of(board->seed, 3000 + arena, ((uint64_t)a->round << 32) + ++a->strikes);
    a->blow_ms = now_ms() + roll(&j->dice, 2 * BLOW_EVERY_MS);
    for (int i = 0; i < TRIES; i++) {
        tries[i] = choose(j);
    }
    if (a->cruelty == CRUELTY_NONE) {
        return;
    }
    see(&sight);
    while (dealt < TRIES && !deal(j, arena, tries[dealt])) {
        dealt++;
    }
    if (dealt < TRIES) {
        j->blows[tries[dealt]]++;
    }
    note("%u %u %u: %s %s %s %s: %s\n", (unsigned)arena, (unsigned)a->round, (unsigned)a->strikes,
         words[tries[0]], words[tries[1]], words[tries[2]], words[tries[3]],
         dealt < TRIES ? words[tries[dealt]] : "none");
}
