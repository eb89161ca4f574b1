/*
 * The counter on Linux: a System V semaphore set, each row of the table one semop(2). Undo is
 * SEM_UNDO: the kernel keeps what a process changed and takes it back at its exit (ipc/sem.c,
 * exit_sem).
 */
#include "os/counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/hot.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/linux/sets.h"

/*
 * The layout, after version and fingerprint (sets.h). The set is never written with SETVAL or
 * SETALL, which would wipe everybody's undo; new sets are all zero.
 */
enum { SEM_READY = PRI_SET_REFS + 1, SEM_GEN, SEM_KEEPER, SEM_CALL, SEM_COUNT };

enum { OPS_MOST = 12, PROBES_MOST = 8, UNDO_MS = 1000, GENERATIONS_MOST = 32767, TRIES_MOST = 16 };

static const unsigned short sems[PRI_REGISTER_COUNT] = {
    [PRI_REG_ID] = PRI_SET_VERSION, [PRI_REG_REFS] = PRI_SET_REFS, [PRI_REG_KEEPER] = SEM_KEEPER,
    [PRI_REG_CALL] = SEM_CALL,      [PRI_REG_GEN] = SEM_GEN,       [PRI_REG_READY] = SEM_READY,
};
static const struct pri_set_kind kind = {SEM_COUNT, PRI_LAYOUT_VERSION, sems};
_Static_assert((int)PRI_REG_ID == (int)PRI_SET_REGISTER_ID, "the id is the first register");

static unsigned short sem_of(enum pri_register reg) {
    return sems[reg];
}

static int compile(const struct pri_row *row, uint32_t g, const struct pri_ident *ident,
                   struct sembuf *ops) {
    return pri_set_compile(&kind, row, g, ident, ops);
}

static PRI_HOT int execute(struct pri_counter *counter, struct sembuf *ops, int n) {
    return pri_set_execute(counter->id, ops, n, &counter->os);
}

_Static_assert(sizeof(((struct pri_counter *)0)->attach[0]) == sizeof(struct sembuf), "a sembuf");

/* Rows of the hot path are made once: attach for a generation, detach at the first look. */
static void prepare(struct pri_counter *counter) {
    struct sembuf ops[OPS_MOST];
    compile(&pri_table[PRI_DETACH], 0, NULL, ops);
    memcpy(counter->detach, ops, sizeof counter->detach);
}

static PRI_HOT int execute_attach(struct pri_counter *counter, uint32_t g) {
    struct sembuf ops[OPS_MOST];
    if (g == 0) {
        return PRI_NO; /* attach(0) would succeed exactly when nothing is up */
    }
    if (counter->attach_generation != g) {
        int n = compile(&pri_table[PRI_ATTACH], g, NULL, ops);
        if (n != sizeof counter->attach / sizeof counter->attach[0]) {
            counter->os = 0;
            return PROCREF_E_PLATFORM;
        }
        memcpy(counter->attach, ops, sizeof counter->attach);
        counter->attach_generation = g;
    }
    memcpy(ops, counter->attach, sizeof counter->attach);
    return execute(counter, ops, sizeof counter->attach / sizeof counter->attach[0]);
}

PRI_HOT int pri_counter_step(struct pri_counter *counter, enum pri_transition row, uint32_t g) {
    int result;
    if (counter->id < 0) {
        return PRI_GONE;
    }
    if (row == PRI_ATTACH) {
        result = execute_attach(counter, g);
    } else if (row == PRI_DETACH) {
        struct sembuf ops[sizeof counter->detach / sizeof counter->detach[0]];
        memcpy(ops, counter->detach, sizeof ops);
        result = execute(counter, ops, sizeof ops / sizeof ops[0]);
    } else {
        struct sembuf ops[OPS_MOST];
        int n = compile(&pri_table[row], g, NULL, ops);
        result = execute(counter, ops, n);
    }
    PRI_TRACE("%s(%u) on set %d: %s", pri_table[row].name, (unsigned)g, counter->id,
              pri_set_told(result));
    return result;
}

int pri_counter_explain(const struct pri_counter *counter, int code, const char *name,
                        procref_error *err) {
    switch (code) {
    case PROCREF_E_LIMIT:
        if (counter->os == ENOSPC) {
            return pri_fail(err, code, counter->os, "semop",
                            "the kernel has no more undo entries for '%s' (SEMMNU)", name);
        }
        return pri_fail(err, code, counter->os, "semop",
                        "'%s' has reached the limit of a semaphore: %d references or generations",
                        name, (int)GENERATIONS_MOST);
    case PROCREF_E_UNSUPPORTED:
        return pri_fail(
            err, code, counter->os, "semop",
            "this kernel or sandbox refuses semaphores with undo, which procref counts with");
    default:
        return pri_fail(err, code, counter->os, "semop", "the counter of '%s' cannot be changed",
                        name);
    }
}

/* ---- Finding and making ---------------------------------------------------------------------- */

static enum pri_set_found classify(int id, const struct pri_ident *ident) {
    unsigned short values[PRI_SET_COUNT_MOST];
    return pri_set_classify(id, &kind, ident, values);
}

int pri_counter_find(const struct pri_ident *ident, struct pri_counter *ret_counter,
                     procref_error *err) {
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        int id = semget(pri_set_key(ident, probe), 0, 0);
        if (id < 0) {
            int os = errno;
            if (os != ENOENT && os != EACCES && os != EIDRM) {
                return pri_set_explain_get(os, ident->name, err);
            }
            continue;
        }
        enum pri_set_found found = classify(id, ident);
        if (found == PRI_SET_OURS) {
            *ret_counter = (struct pri_counter){.id = id};
            prepare(ret_counter);
            return 0;
        }
        if (found == PRI_SET_OTHER_VERSION) {
            return pri_set_explain_version(id, &kind, ident->name, err);
        }
    }
    return pri_fail(err, PROCREF_E_NOT_FOUND, 0, "semget", "'%s' has no counter", ident->name);
}

/* PROCREF_FAULT=takeset: somebody removes the first set that is made, at once. */
static void take_away(int id) {
    static bool taken;
    if (pri_fault("takeset") && !taken) {
        taken = true;
        semctl(id, 0, IPC_RMID);
    }
}

/* PRI_GONE: somebody has removed it meanwhile. */
static int open_set(int id, const struct pri_ident *ident, struct pri_counter *ret_counter,
                    procref_error *err) {
    struct sembuf ops[OPS_MOST];
    struct pri_counter counter = {.id = id};
    PRI_CRASH_POINT("set made, not opened");
    take_away(id);
    int n = compile(&pri_table[PRI_OPEN], 0, ident, ops);
    int result = execute(&counter, ops, n);
    PRI_TRACE("open on set %d: %s", id, pri_set_told(result));
    if (result == PRI_OK) {
        prepare(&counter);
        *ret_counter = counter;
        return 0;
    }
    if (result < 0) {
        semctl(id, 0, IPC_RMID);
        return pri_counter_explain(&counter, result, ident->name, err);
    }
    return PRI_GONE;
}

static int find_or_make(const struct pri_ident *ident, struct pri_counter *ret_counter,
                        bool *ret_new, procref_error *err) {
    int code = pri_counter_find(ident, ret_counter, err);
    if (code == 0) {
        *ret_new = false;
    }
    if (code != PROCREF_E_NOT_FOUND) {
        return code;
    }
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        key_t key = pri_set_key(ident, probe);
        int id = semget(key, SEM_COUNT, IPC_CREAT | IPC_EXCL | PRI_SET_MODE);
        if (id < 0 && errno == EEXIST) {
            /* A creator that was killed between semget and open left it: all zero, and ours. */
            id = semget(key, 0, 0);
            if (id < 0 || classify(id, ident) != PRI_SET_UNOPENED) {
                continue;
            }
        }
        if (id < 0) {
            int os = errno;
            return pri_set_explain_get(os, ident->name, err);
        }
        code = open_set(id, ident, ret_counter, err);
        if (code == 0) {
            *ret_new = true;
        }
        return code;
    }
    return pri_set_explain_taken(ident, err);
}

int pri_counter_create(const struct pri_ident *ident, struct pri_counter *ret_counter,
                       bool *ret_new, procref_error *err) {
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        int code = find_or_make(ident, ret_counter, ret_new, err);
        if (code != PRI_GONE) {
            return code;
        }
    }
    return pri_fail(err, PROCREF_E_PLATFORM, 0, "semop",
                    "each new counter of '%s' was taken away at once", ident->name);
}

/*
 * A signal that comes just before semop(2) would be lost, and the thread would sleep on. So the
 * handler makes the operation one that does not wait: the kernel reads it only at the call.
 */
static _Thread_local struct sembuf *volatile awaited;

int pri_counter_await_zero(const struct pri_counter *counter, enum pri_register reg,
                           const _Atomic bool *stop) {
    struct sembuf op = {sem_of(reg), 0, 0};
    int result = PRI_NO;
    awaited = &op;
    atomic_signal_fence(memory_order_seq_cst);
    if (!atomic_load(stop)) {
        if (semop(counter->id, &op, 1) == 0) {
            result = PRI_OK;
        } else if (errno != EINTR && errno != EAGAIN) {
            result = PRI_GONE;
        }
    }
    awaited = NULL;
    return result;
}

void pri_counter_interrupt(void) {
    struct sembuf *op = awaited;
    if (op != NULL) {
        op->sem_flg |= IPC_NOWAIT;
    }
}

/* Undo is kept by process, not by memory: a child of vfork has its own, and costs a third of
 * fork's. */
static pid_t start_probe(struct pri_counter *counter) {
    pid_t child = vfork();
    if (child == 0) {
        _exit(pri_counter_step(counter, PRI_PROBE, 0) < 0);
    }
    return child;
}

/* A child that was killed proves nothing; nor does a change of another keeper's child that is not
 * dead yet. */
int pri_counter_probe_undo(struct pri_counter *counter) {
    struct sembuf undone = {SEM_CALL, 0, 0};
    int status = 0, tries = 0, result;
    do {
        pid_t child = start_probe(counter);
        if (child < 0) {
            return PROCREF_E_LIMIT;
        }
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    } while (!WIFEXITED(status) && ++tries < PROBES_MOST);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return PROCREF_E_UNSUPPORTED;
    }
    int64_t until_ns = pri_deadline(UNDO_MS);
    do { /* each stop and continue interrupts it (signal(7)) */
        int64_t left_ns = until_ns - pri_clock_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        struct timespec patience = {left_ns / (1000 * PRI_MS), left_ns % (1000 * PRI_MS)};
        result = semtimedop(counter->id, &undone, 1, &patience);
    } while (result < 0 && errno == EINTR);
    return result < 0 && errno == EAGAIN ? PROCREF_E_UNSUPPORTED : 0;
}

int pri_counter_read(const struct pri_counter *counter, enum pri_register reg) {
    int value = counter->id >= 0 ? semctl(counter->id, sem_of(reg), GETVAL) : -1;
    if (value < 0 && counter->id >= 0 && errno != EIDRM && errno != EINVAL) {
        return -2;
    }
    return value;
}

void pri_counter_sign(const struct pri_counter *counter, enum pri_register reg) {
    struct sembuf op = {sem_of(reg), 0, IPC_NOWAIT};
    semop(counter->id, &op, 1);
}

uint32_t pri_counter_last_user(const struct pri_counter *counter, enum pri_register reg) {
    int pid = semctl(counter->id, sem_of(reg), GETPID);
    return pid > 0 ? (uint32_t)pid : 0;
}

uint32_t pri_counter_stamp(const struct pri_counter *counter) {
    return (uint32_t)counter->id + 1; /* the kernel's ids carry a sequence number (ipc/util.c) */
}

uint32_t pri_counter_space(void) {
    struct stat space; /* its number has 32 bits (fs/nsfs.c) */
    return stat("/proc/self/ns/ipc", &space) == 0 ? (uint32_t)space.st_ino : 0;
}

void pri_counter_remove(struct pri_counter *counter) {
    if (counter->id >= 0) {
        PRI_TRACE("retire: set %d is removed", counter->id);
        semctl(counter->id, 0, IPC_RMID);
        counter->id = -1;
    }
}
