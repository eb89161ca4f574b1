/*
 * The raw counter on Linux: semaphore sets of their own (sets.h), made, used and removed by clients
 * alone.
 *
 * Why there is never more than one live set of a name
 *
 * A name has PRI_PROBES keys, because strangers may sit on some. Strangers' sets come and go, so
 * two clients may make sets of one name on two keys: A on the second key while a stranger has the
 * first, B on the first when it is free again. IPC_EXCL decides nothing there. So a set is not used
 * when it is made but when it is confirmed, and a maker does three things in this order: it claims
 * the set (row open: the fingerprint is in it), it looks at all keys, and it confirms the set (row
 * confirm: phase 0 becomes 1) only if that look saw no other claimed or live set. If the look saw
 *   - a live one: that is the counter, and the maker's own set is retired;
 *   - a claimed one on a lower key: that one is taken up instead, and looked around for anew;
 *   - a claimed one on a higher key: that one is retired first, or was held by then. Retired it
 *     is not live, and never will be: phase only rises.
 * Suppose two sets X and Y were live at once, X confirmed by p and Y by q. Each of the two claims
 * came before its confirmer's look. If p's look at Y's key came after Y's claim, then p saw Y, and
 * either retired it before X was confirmed or did not confirm X. So p's look at Y's key came before
 * Y's claim, hence X was claimed before Y was. By the same reasoning Y was claimed before X was: a
 * contradiction. Nothing here rests on who made a set: anybody may take the steps
 * for a maker that was killed or sleeps, since each step is one semop on the set itself, and phase
 * only rises. A stranger's set on a key says nothing in either direction, and a set that is not
 * opened yet (all zero) is not claimed: its opener looks afterwards.
 *
 * Why a set is not removed under a holder
 *
 * IPC_RMID asks for no condition. So it is only called right after the row retire succeeded: refs
 * and lock are 0 and phase is neither claimed nor live from then on, so neither can rise again.
 * Between the two calls lies no promise that the number still means this set: the kernel uses a
 * number again after 65,536 other sets (ipc/util.h, the sequence number). One that sleeps exactly
 * there for so long, and wakes when exactly that number has come round, removes another set of its
 * own user; System V has no call that could exclude it. Everywhere else the rows ask for the
 * fingerprint.
 *
 * Who is killed on the way leaves a set that is unopened, claimed, live without holders, or dead;
 * the next one who acquires opens, confirms, uses or removes it, the next one who closes removes
 * it.
 */
#include "os/raw.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/linux/sets.h"
#include "os/linux/unseen.h" /* for the child that tries */
#include "os/process.h"

/* The layout, after version and fingerprint. The count differs from that of a service's set, so a
 * set of either kind that is not opened yet is never taken for one of the other. */
enum { SEM_LOCK = PRI_SET_REFS + 1, SEM_PHASE, SEM_TRIAL, SEM_COUNT };

enum {
    OPS_MOST = 24,
    ROUNDS_MOST = 1000, /* each lost one means that somebody else got on */
    ROUNDS_EAGER = 8,
    TRIALS_MOST = 8,
    TRIAL_MS = 1000,
    STACK_SIZE = 32 * 1024,
    REFERENCES_MOST = 32767
};

static const unsigned short sems[PRI_RAW_REGISTER_COUNT] = {
    [PRI_RAW_ID] = PRI_SET_VERSION, [PRI_RAW_REFS] = PRI_SET_REFS, [PRI_RAW_LOCK] = SEM_LOCK,
    [PRI_RAW_PHASE] = SEM_PHASE,    [PRI_RAW_TRIAL] = SEM_TRIAL,
};
static const struct pri_set_kind kind = {SEM_COUNT, PRI_RAW_LAYOUT_VERSION, sems};
_Static_assert((int)PRI_RAW_ID == (int)PRI_SET_REGISTER_ID, "the id is the first register");

const char *pri_raw_mechanism(void) {
    return "sysv-semaphore";
}

void pri_raw_ident(struct pri_ident *ident, uint32_t user, const char *name) {
    pri_ident_make(ident, user, "counter", name); /* a service's scope is "" or begins with '/' */
}

void pri_raw_yield(void) {
    sched_yield();
}

/* ---- Rows ------------------------------------------------------------------------------------ */

int pri_raw_step(struct pri_raw *raw, const struct pri_ident *ident, enum pri_raw_transition row) {
    struct sembuf ops[OPS_MOST];
    if (raw->id < 0) {
        return PRI_GONE;
    }
    int n = pri_set_compile(&kind, &pri_raw_table[row], 0, ident, ops);
    int result = pri_set_execute(raw->id, ops, n, &raw->os);
    PRI_TRACE("counter '%s': %s on set %d: %s", ident->name, pri_raw_table[row].name, raw->id,
              pri_set_told(result));
    return result;
}

int pri_raw_explain(const struct pri_raw *raw, int code, int otherwise, const char *name,
                    procref_error *err) {
    switch (code) {
    case PROCREF_E_LIMIT:
        return raw->os == E2BIG
                   ? pri_fail(err, code, raw->os, "semop",
                              "the counter '%s' needs up to %d operations at once, and the third "
                              "number of sysctl kernel.sem allows less (SEMOPM)",
                              name, (int)OPS_MOST)
               : raw->os == ENOSPC
                   ? pri_fail(err, code, raw->os, "semop",
                              "the kernel has no more undo entries for the counter '%s' (SEMMNU)",
                              name)
                   : pri_fail(err, code, raw->os, "semop",
                              "%d references to the counter '%s' are held, the most that a "
                              "semaphore counts (SEMVMX)",
                              (int)REFERENCES_MOST, name);
    case PROCREF_E_UNSUPPORTED:
        return pri_fail(
            err, code, raw->os, "semop",
            "this kernel or sandbox refuses semaphores with undo, which procref counts with");
    case PROCREF_E_NO_MEMORY:
        return pri_fail(err, code, raw->os, "semop",
                        "the kernel has no memory to count for the counter '%s'", name);
    default:
        return pri_fail(err, otherwise, raw->os, "semop", "the counter '%s' cannot be changed",
                        name);
    }
}

int pri_raw_retire(struct pri_raw *raw, const struct pri_ident *ident) {
    int result = pri_raw_step(raw, ident, PRI_RAW_RETIRE);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("raw: retired, not removed");
        semctl(raw->id, 0, IPC_RMID);
        raw->id = -1;
    }
    return result;
}

/* ---- Looking --------------------------------------------------------------------------------- */

enum state { NOTHING, FOREIGN, REFUSED, OTHER_VERSION, UNOPENED, CLAIMED, LIVE, DEAD };

static enum state state_of(int id, const struct pri_ident *ident, int *ret_refs) {
    unsigned short values[PRI_SET_COUNT_MOST];
    switch (pri_set_classify(id, &kind, ident, values)) {
    case PRI_SET_NOTHING: return NOTHING;
    case PRI_SET_FOREIGN: return FOREIGN;
    case PRI_SET_REFUSED: return REFUSED;
    case PRI_SET_OTHER_VERSION: return OTHER_VERSION;
    case PRI_SET_UNOPENED: return UNOPENED;
    case PRI_SET_OURS: break;
    }
    *ret_refs = values[PRI_SET_REFS];
    return values[SEM_PHASE] == PRI_RAW_CLAIMED ? CLAIMED
           : values[SEM_PHASE] == PRI_RAW_LIVE  ? LIVE
                                                : DEAD;
}

/* One key: what is there, and its set. 0, or a failure that has nothing to do with this key. */
static int look(const struct pri_ident *ident, int probe, enum state *ret_state, int *ret_id,
                procref_error *err) {
    int refs;
    *ret_state = NOTHING;
    int id = semget(pri_set_key(ident, probe), 0, 0);
    if (id < 0) {
        int os = errno;
        if (os != ENOENT && os != EACCES && os != EIDRM) {
            return pri_set_explain_get(os, ident->name, err);
        }
        *ret_state = os == EACCES ? FOREIGN : NOTHING;
        return 0;
    }
    *ret_id = id;
    *ret_state = state_of(id, ident, &refs);
    if (*ret_state == REFUSED) {
        int os = errno;
        return pri_fail(err, PROCREF_E_PLATFORM, os, "semctl",
                        "whether a semaphore set is the counter '%s' cannot be seen", ident->name);
    }
    return *ret_state == OTHER_VERSION ? pri_set_explain_version(id, &kind, ident->name, err) : 0;
}

int pri_raw_find(const struct pri_ident *ident, struct pri_raw *ret_raw, procref_error *err) {
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        enum state state;
        int id = -1;
        int code = look(ident, probe, &state, &id, err);
        if (code < 0) {
            return code;
        }
        if (state == LIVE) {
            *ret_raw = (struct pri_raw){.id = id};
            return 0;
        }
    }
    return pri_fail(err, PROCREF_E_NOT_FOUND, 0, "semget", "there is no counter '%s'", ident->name);
}

int pri_raw_count(struct pri_raw *raw, const struct pri_ident *ident) {
    int refs = 0;
    if (raw->id < 0) {
        return -1;
    }
    enum state state = state_of(raw->id, ident, &refs);
    return state == LIVE ? refs : state == REFUSED ? -2 : -1;
}

/*
 * Whether its maker lives: who did the last operation on `lock` (GETPID, semctl(2)). The pid can be
 * somebody else's by now, or be hidden in another namespace (0): then the set stays for the next
 * maker. Only for tidiness; a maker whose set was taken away makes another.
 */
static bool is_being_made(int id) {
    int pid = semctl(id, SEM_LOCK, GETPID);
    return pid == 0 || (pid > 0 && pri_process_runs((uint32_t)pid));
}

void pri_raw_sweep(const struct pri_ident *ident) {
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        enum state state;
        struct pri_raw raw = PRI_RAW_NONE;
        if (look(ident, probe, &state, &raw.id, NULL) < 0) {
            continue;
        }
        if (state == UNOPENED) { /* retired only by who opened it: its maker may be about to */
            state = pri_raw_step(&raw, ident, PRI_RAW_OPEN) == PRI_OK ? DEAD : NOTHING;
        }
        if (state == LIVE || state == DEAD || (state == CLAIMED && !is_being_made(raw.id))) {
            pri_raw_retire(&raw, ident);
        }
    }
}

/* ---- Does the kernel undo? ------------------------------------------------------------------- */

static _Atomic bool undo_works; /* found out once in a process */

struct trial {
    struct sembuf ops[OPS_MOST];
    int id, n, os;
};

/* Shares our memory, but neither our undo nor our stack guard. */
#if defined __clang__ || defined __GNUC__
__attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))
#endif
static int
try_it(void *argument) {
    struct trial *trial = argument;
    trial->os = semop(trial->id, trial->ops, (size_t)trial->n) < 0 ? errno : 0;
    _exit(0);
}

/* A child without an exit signal: the caller's wait(2) does not see it, nor is SIGCHLD sent. */
static int run_child(struct trial *trial, int *ret_status) {
    sigset_t all, before;
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        return -1;
    }
    sigfillset(&all); /* no handler of the caller runs in the child */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = clone(try_it, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, trial);
    pid_t ended;
    do {
        ended = child > 0 ? waitpid(child, ret_status, __WALL) : -1;
    } while (ended < 0 && child > 0 && errno == EINTR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_SIZE);
    return child;
}

/*
 * A child changes `trial` and dies; undone, it is 0 again. Children of others may be in there too,
 * but without undo it would never be 0 again. PRI_OK, PRI_GONE, or a negative code.
 */
static int try_undo(const struct pri_raw *raw, const struct pri_ident *ident, procref_error *err) {
    struct trial trial = {.id = raw->id};
    struct sembuf undone = {SEM_TRIAL, 0, 0};
    int status = 0, tries = 0, result, os;
    if (atomic_load(&undo_works)) {
        return PRI_OK;
    }
    trial.n = pri_set_compile(&kind, &pri_raw_table[PRI_RAW_TRY_UNDO], 0, ident, trial.ops);
    do { /* one that was killed proves nothing */
        if (run_child(&trial, &status) < 0) {
            os = errno;
            return pri_fail(err, PROCREF_E_LIMIT, os, "clone",
                            "no process to try whether the kernel undoes semaphores: see ulimit "
                            "-u");
        }
    } while (!WIFEXITED(status) && ++tries < TRIALS_MOST);
    result = !WIFEXITED(status) ? PROCREF_E_UNSUPPORTED
             : trial.os != 0    ? pri_set_outcome(trial.os)
                                : PRI_OK;
    PRI_TRACE("counter '%s': trial on set %d: %s", ident->name, raw->id, pri_set_told(result));
    if (result != PRI_OK) {
        struct pri_raw failed = {.id = raw->id, .os = trial.os};
        return result < 0 ? pri_raw_explain(&failed, result, PROCREF_E_PLATFORM, ident->name, err)
                          : PRI_GONE; /* PRI_NO: the number means another set by now */
    }
    PRI_CRASH_POINT("raw: tried whether the kernel undoes");
    for (int64_t until = pri_deadline(TRIAL_MS);;) {
        int64_t left = until - pri_clock_ns();
        struct timespec patience = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        if (left > 0 && semtimedop(raw->id, &undone, 1, &patience) == 0) {
            atomic_store(&undo_works, true);
            return PRI_OK;
        }
        os = left > 0 ? errno : EAGAIN;
        if (os == EAGAIN) {
            return pri_fail(err, PROCREF_E_UNSUPPORTED, 0, "semop",
                            "this kernel or sandbox does not undo the semaphore operations of the "
                            "dead (SEM_UNDO), which procref counts with");
        }
        if (os != EINTR) {
            return PRI_GONE;
        }
    }
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* What a look at all keys saw. */
struct survey {
    int live, claimed;  /* sets; the claimed one on the lowest key; -1: none */
    int unopened, room; /* keys: with a set that is not opened, with none; -1: none */
    bool alone;         /* no other claimed set is left beside `claimed` */
};

static int survey(const struct pri_ident *ident, struct survey *ret, procref_error *err) {
    struct survey s = {.live = -1, .claimed = -1, .unopened = -1, .room = -1, .alone = true};
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        enum state state;
        struct pri_raw raw = PRI_RAW_NONE;
        int code = look(ident, probe, &state, &raw.id, err);
        if (code < 0) {
            return code;
        }
        if (state == LIVE && s.live < 0) {
            s.live = raw.id;
        } else if (state == CLAIMED && s.claimed < 0) {
            s.claimed = raw.id;
        } else if (state == UNOPENED && s.unopened < 0) {
            s.unopened = probe;
        } else if (state == NOTHING && s.room < 0) {
            s.room = probe;
        } else if (state == DEAD) { /* somebody died before he could remove it */
            pri_raw_retire(&raw, ident);
            s.room = s.room < 0 ? probe : s.room; /* claim() sees whether it is */
        } else if (state == CLAIMED) {            /* the lower key wins */
            int result = pri_raw_retire(&raw, ident);
            s.alone = s.alone && (result == PRI_OK || result == PRI_GONE);
        }
    }
    if (s.live >= 0 && s.claimed >= 0) {
        struct pri_raw spare = {.id = s.claimed};
        pri_raw_retire(&spare, ident);
    }
    *ret = s;
    return 0;
}

/* With so low a limit nobody can do more to the set, so it is not live and never will be. */
static void give_up_on(const struct pri_raw *raw) {
    if (raw->os == E2BIG) {
        semctl(raw->id, 0, IPC_RMID);
    }
}

/* Claims a set: one that a killed maker left unopened, or a new one. *ret_id is its number, and
 * untouched if somebody was faster. */
static int claim(const struct pri_ident *ident, const struct survey *s, int *ret_id,
                 procref_error *err) {
    struct pri_raw raw = PRI_RAW_NONE;
    int refs;
    if (s->unopened < 0 && s->room < 0) {
        return pri_set_explain_taken(ident, err);
    }
    if (s->unopened >= 0) {
        raw.id = semget(pri_set_key(ident, s->unopened), 0, 0);
        if (raw.id >= 0 && state_of(raw.id, ident, &refs) != UNOPENED) {
            return 0;
        }
    } else {
        raw.id =
            semget(pri_set_key(ident, s->room), SEM_COUNT, IPC_CREAT | IPC_EXCL | PRI_SET_MODE);
    }
    if (raw.id < 0) {
        int os = errno;
        return os == EEXIST || os == ENOENT || os == EIDRM || os == EACCES
                   ? 0
                   : pri_set_explain_get(os, ident->name, err);
    }
    PRI_CRASH_POINT("raw: set made, not opened");
    int result = pri_raw_step(&raw, ident, PRI_RAW_OPEN);
    if (result < 0) {
        give_up_on(&raw);
        return pri_raw_explain(&raw, result, PROCREF_E_PLATFORM, ident->name, err);
    }
    PRI_CRASH_POINT("raw: set claimed");
    if (result == PRI_OK) {
        *ret_id = raw.id;
    }
    return 0;
}

/* candidate was claimed before a look at all keys, which saw nothing else. */
static int confirm(struct pri_raw *candidate, const struct pri_ident *ident, procref_error *err) {
    int result = try_undo(candidate, ident, err);
    if (result < 0) {
        if (pri_raw_retire(candidate, ident) < 0) {
            give_up_on(candidate);
        }
        return result;
    }
    if (result == PRI_OK) {
        result = pri_raw_step(candidate, ident, PRI_RAW_CONFIRM);
        PRI_CRASH_POINT("raw: set confirmed, not used");
    }
    if (result < 0) {
        give_up_on(candidate);
        return pri_raw_explain(candidate, result, PROCREF_E_PLATFORM, ident->name, err);
    }
    return result;
}

int pri_raw_make(const struct pri_ident *ident, struct pri_raw *ret_raw, procref_error *err) {
    struct pri_raw candidate = PRI_RAW_NONE; /* seen as claimed before this round began */
    for (int round = 0; round < ROUNDS_MOST; round++) {
        struct survey s;
        int code = survey(ident, &s, err);
        if (code < 0) {
            return code;
        }
        if (s.live >= 0) {
            *ret_raw = (struct pri_raw){.id = s.live};
            return 0;
        }
        if (s.claimed >= 0 && s.claimed == candidate.id && s.alone) {
            code = confirm(&candidate, ident, err);
            if (code <= PRI_OK) {
                *ret_raw = code == PRI_OK ? candidate : *ret_raw;
                return code;
            }
            candidate.id = -1;
        } else if (s.claimed >= 0) {
            candidate.id = s.claimed;
        } else {
            candidate.id = -1;
            code = claim(ident, &s, &candidate.id, err);
            if (code < 0) {
                return code;
            }
        }
        if (round >= ROUNDS_EAGER) {
            sched_yield();
        }
    }
    return pri_fail(err, PROCREF_E_PLATFORM, 0, "semget",
                    "the counter '%s' was removed and made anew by others all the time",
                    ident->name);
}
