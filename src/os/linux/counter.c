/*
 * The counter on Linux: a System V semaphore set, each row of the table one semop(2). Undo is
 * SEM_UNDO: the kernel keeps what a process changed and takes it back at its exit (ipc/sem.c,
 * exit_sem).
 */
#include "os/counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "os/folder.h"

/*
 * The layout. Version and fingerprint come first in every version, so that each can tell the
 * others. The set is never written with SETVAL or SETALL, which would wipe everybody's undo; new
 * sets are all zero.
 */
enum {
    SEM_VERSION = 0,
    SEM_ID = 1, /* PRI_ID_PARTS of them */
    SEM_REFS = SEM_ID + PRI_ID_PARTS,
    SEM_READY,
    SEM_GEN,
    SEM_KEEPER,
    SEM_CALL,
    SEM_COUNT,
    SEM_COUNT_MOST = 64, /* a set with more is not ours, in no version */
};

enum {
    OPS_MOST = 12,
    PROBES_MOST = 8,
    STAT_ANY = 20,
    SETS_MOST = 32768,
    MODE_OURS = 0600,
    GENERATIONS_MOST = 32767
};

static unsigned short sem_of(enum pri_register reg) {
    static const unsigned short sems[PRI_REGISTER_COUNT] = {
        [PRI_REG_ID] = SEM_VERSION, [PRI_REG_REFS] = SEM_REFS, [PRI_REG_KEEPER] = SEM_KEEPER,
        [PRI_REG_CALL] = SEM_CALL,  [PRI_REG_GEN] = SEM_GEN,   [PRI_REG_READY] = SEM_READY,
    };
    return sems[reg];
}

static short undo_flag(bool undo) {
#ifdef PRI_CRASH_POINTS
    static int fault = -1;
    if (fault < 0) {
        const char *wanted = getenv("PROCREF_FAULT");
        fault = wanted != NULL && strcmp(wanted, "noundo") == 0;
    }
    undo = undo && !fault;
#endif
    return undo ? SEM_UNDO : 0;
}

static int value_of(int16_t value, uint32_t g) {
    return value == PRI_VALUE_G ? (int)g : value == PRI_VALUE_MINUS_G ? -(int)g : value;
}

/* Appends one operation, for the id one for each of its semaphores. */
static int emit(struct sembuf *ops, int n, enum pri_register reg, int op, int flags,
                const struct pri_ident *ident) {
    if (reg != PRI_REG_ID) {
        ops[n++] = (struct sembuf){sem_of(reg), (short)op, (short)(flags | IPC_NOWAIT)};
        return n;
    }
    uint16_t parts[PRI_ID_PARTS];
    pri_ident_parts(ident, parts);
    bool add = op == PRI_VALUE_FINGERPRINT;
    ops[n++] = (struct sembuf){SEM_VERSION, add ? PRI_LAYOUT_VERSION : 0, IPC_NOWAIT};
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        ops[n++] =
            (struct sembuf){(unsigned short)(SEM_ID + i), (short)(add ? parts[i] : 0), IPC_NOWAIT};
    }
    return n;
}

/*
 * "= v" becomes "- v, wait for 0, + v" and ">= v" becomes "- v, + v", all without waiting: the
 * kernel applies all operations of one semop or none (semop(2), "atomically").
 */
static int compile(const struct pri_row *row, uint32_t g, const struct pri_ident *ident,
                   struct sembuf *ops) {
    int n = 0;
    for (int i = 0; i < row->conditions_count; i++) {
        const struct pri_condition *c = &row->conditions[i];
        int value = value_of(c->value, g);
        if (value != 0) {
            n = emit(ops, n, c->reg, -value, 0, ident);
        }
        if (c->relation == PRI_EQUALS) {
            n = emit(ops, n, c->reg, 0, 0, ident);
        }
        if (value != 0) {
            n = emit(ops, n, c->reg, value, 0, ident);
        }
    }
    for (int i = 0; i < row->changes_count; i++) {
        const struct pri_change *c = &row->changes[i];
        n = emit(ops, n, c->reg, value_of(c->delta, g), undo_flag(c->undo), ident);
    }
    return n;
}

static int outcome(int os) {
    switch (os) {
    case EAGAIN: return PRI_NO;
    case EIDRM:
    case EACCES: /* its id was given to a set of another user, */
    case EFBIG:  /* or to one of another program */
    case EINVAL: return PRI_GONE;
    case ERANGE:
    case ENOSPC: return PROCREF_E_LIMIT;
    case ENOMEM: return PROCREF_E_NO_MEMORY;
    case EPERM: /* what seccomp filters answer */
    case ENOTSUP:
    case ENOSYS: return PROCREF_E_UNSUPPORTED;
    default: return PROCREF_E_PLATFORM;
    }
}

static int execute(struct pri_counter *counter, struct sembuf *ops, int n) {
    if (semop(counter->id, ops, (size_t)n) == 0) {
        return PRI_OK;
    }
    counter->os = errno;
    return outcome(counter->os);
}

static const char *told(int result) {
    return result == PRI_OK     ? "ok"
           : result == PRI_NO   ? "no"
           : result == PRI_GONE ? "gone"
                                : "fails";
}

_Static_assert(sizeof(((struct pri_counter *)0)->attach[0]) == sizeof(struct sembuf), "a sembuf");

/* Rows of the hot path are made once: attach for a generation, detach at the first look. */
static void prepare(struct pri_counter *counter) {
    struct sembuf ops[OPS_MOST];
    compile(&pri_table[PRI_DETACH], 0, NULL, ops);
    memcpy(counter->detach, ops, sizeof counter->detach);
}

static int attach(struct pri_counter *counter, uint32_t g) {
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

int pri_counter_step(struct pri_counter *counter, enum pri_transition row, uint32_t g) {
    int result;
    if (counter->id < 0) {
        return PRI_GONE;
    }
    if (row == PRI_ATTACH) {
        result = attach(counter, g);
    } else if (row == PRI_DETACH) {
        struct sembuf ops[sizeof counter->detach / sizeof counter->detach[0]];
        memcpy(ops, counter->detach, sizeof ops);
        result = execute(counter, ops, sizeof ops / sizeof ops[0]);
    } else {
        struct sembuf ops[OPS_MOST];
        int n = compile(&pri_table[row], g, NULL, ops);
        result = execute(counter, ops, n);
    }
    PRI_TRACE("%s(%u) on set %d: %s", pri_table[row].name, (unsigned)g, counter->id, told(result));
    return result;
}

/* The kernel's limits, for messages: SEMMSL SEMMNS SEMOPM SEMMNI (proc_sys_kernel(5)). */
static void limits(char *to, size_t size) {
    if (pri_read_text("/proc/sys/kernel/sem", to, size) <= 0) {
        pri_format(to, size, "unknown");
    }
    for (char *at = to; *at != '\0'; at++) {
        *at = *at == '\n' ? '\0' : *at == '\t' ? ' ' : *at;
    }
}

static int explain_find(int os, const char *name, procref_error *err) {
    char sem[96];
    switch (os) {
    case ENOSPC:
        limits(sem, sizeof sem);
        const char *sets = strrchr(sem, ' ');
        return pri_fail(
            err, PROCREF_E_LIMIT, os, "semget",
            "no semaphore set for '%s': kernel.sem allows %s sets and all are used; see "
            "ipcs -s, or raise the last number of sysctl kernel.sem (\"%s\")",
            name, sets != NULL ? sets + 1 : "no more", sem);
    case ENOMEM:
        return pri_fail(err, PROCREF_E_NO_MEMORY, os, "semget", "no semaphore set for '%s'", name);
    case ENOSYS:
    case EPERM:
        return pri_fail(
            err, PROCREF_E_UNSUPPORTED, os, "semget",
            "this kernel or sandbox refuses System V semaphores, which procref counts with");
    default:
        return pri_fail(err, PROCREF_E_PLATFORM, os, "semget", "no semaphore set for '%s'", name);
    }
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

static key_t key_of(const struct pri_ident *ident, int probe) {
    uint32_t key = ((uint32_t)(ident->hash >> 32) ^ (uint32_t)ident->hash) & 0x7fffffff;
    key = (key + (uint32_t)probe) & 0x7fffffff;
    return key != IPC_PRIVATE ? (key_t)key : 0x70726f63;
}

enum found { FOUND_OURS, FOUND_UNOPENED, FOUND_OTHER_VERSION, FOUND_FOREIGN, FOUND_NOTHING };

/* What is this set? Its creator can give it any owner, so both must be us; and nobody else may
 * touch it. */
static enum found classify(int id, const struct pri_ident *ident) {
    unsigned short values[SEM_COUNT_MOST];
    uint16_t parts[PRI_ID_PARTS];
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
        unsigned short *array;
    } argument = {.buf = &status};

    if (semctl(id, 0, IPC_STAT, argument) < 0) {
        return errno == EIDRM || errno == EINVAL ? FOUND_NOTHING : FOUND_FOREIGN;
    }
    if (status.sem_perm.uid != ident->user || status.sem_perm.cuid != ident->user ||
        (status.sem_perm.mode & 0777) != MODE_OURS || status.sem_nsems < SEM_REFS ||
        status.sem_nsems > SEM_COUNT_MOST) {
        return FOUND_FOREIGN;
    }
    argument.array = values;
    if (semctl(id, 0, GETALL, argument) < 0) {
        return errno == EIDRM || errno == EINVAL ? FOUND_NOTHING : FOUND_FOREIGN;
    }
    pri_ident_parts(ident, parts);
    bool zero = status.sem_nsems == SEM_COUNT, same = true;
    for (unsigned long i = 0; i < status.sem_nsems; i++) {
        zero = zero && values[i] == 0;
    }
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        same = same && values[SEM_ID + i] == parts[i];
    }
    if (zero) {
        return FOUND_UNOPENED;
    }
    if (!same) {
        return FOUND_FOREIGN;
    }
    return values[SEM_VERSION] == PRI_LAYOUT_VERSION && status.sem_nsems == SEM_COUNT
               ? FOUND_OURS
               : FOUND_OTHER_VERSION;
}

int pri_counter_find(const struct pri_ident *ident, struct pri_counter *ret_counter,
                     procref_error *err) {
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        int id = semget(key_of(ident, probe), 0, 0);
        if (id < 0) {
            int os = errno;
            if (os != ENOENT && os != EACCES && os != EIDRM) {
                return explain_find(os, ident->name, err);
            }
            continue;
        }
        enum found found = classify(id, ident);
        if (found == FOUND_OURS) {
            *ret_counter = (struct pri_counter){.id = id};
            prepare(ret_counter);
            return 0;
        }
        if (found == FOUND_OTHER_VERSION) {
            return pri_fail(
                err, PROCREF_E_CONFLICT, 0, "semget",
                "'%s' is run by another version of procref (its set %d has another layout "
                "than %d): use one version, or wait until it has ended",
                ident->name, id, PRI_LAYOUT_VERSION);
        }
    }
    return pri_fail(err, PROCREF_E_NOT_FOUND, 0, "semget", "'%s' has no counter", ident->name);
}

/* Who owns the set on a key; anybody may ask since Linux 4.17 (semctl(2), SEM_STAT_ANY, which wants
 * an index). */
static unsigned owner_of(key_t key) {
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
    } argument = {.buf = &status};
    int id = semget(key, 0, 0);
    return id >= 0 && semctl(id % SETS_MOST, 0, STAT_ANY, argument) >= 0
               ? (unsigned)status.sem_perm.uid
               : (unsigned)-1;
}

static int open_set(int id, const struct pri_ident *ident, struct pri_counter *ret_counter,
                    procref_error *err) {
    struct sembuf ops[OPS_MOST];
    struct pri_counter counter = {.id = id};
    PRI_CRASH_POINT("set made, not opened");
    int n = compile(&pri_table[PRI_OPEN], 0, ident, ops);
    int result = execute(&counter, ops, n);
    PRI_TRACE("open on set %d: %s", id, told(result));
    if (result == PRI_OK) {
        prepare(&counter);
        *ret_counter = counter;
        return 0;
    }
    if (result < 0) {
        semctl(id, 0, IPC_RMID);
        return pri_counter_explain(&counter, result, ident->name, err);
    }
    return pri_fail(err, PROCREF_E_PLATFORM, counter.os, "semop",
                    "the new counter of '%s' was taken away at once", ident->name);
}

int pri_counter_create(const struct pri_ident *ident, struct pri_counter *ret_counter,
                       bool *ret_new, procref_error *err) {
    int code = pri_counter_find(ident, ret_counter, err);
    if (code == 0) {
        *ret_new = false;
    }
    if (code != PROCREF_E_NOT_FOUND) {
        return code;
    }
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        key_t key = key_of(ident, probe);
        int id = semget(key, SEM_COUNT, IPC_CREAT | IPC_EXCL | MODE_OURS);
        if (id < 0 && errno == EEXIST) {
            /* A creator that was killed between semget and open left it: all zero, and ours. */
            id = semget(key, 0, 0);
            if (id < 0 || classify(id, ident) != FOUND_UNOPENED) {
                continue;
            }
        }
        if (id < 0) {
            int os = errno;
            return explain_find(os, ident->name, err);
        }
        code = open_set(id, ident, ret_counter, err);
        if (code == 0) {
            *ret_new = true;
        }
        return code;
    }
    return pri_fail(
        err, PROCREF_E_PERMISSION, 0, "semget",
        "all %d keys of '%s' are in use by others, the first by user %u: ask them to remove "
        "their semaphore sets (ipcs -s), or use another name",
        (int)PRI_PROBES, ident->name, owner_of(key_of(ident, 0)));
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
    struct timespec patience = {.tv_sec = 1};
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
    do {
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

void pri_counter_remove(struct pri_counter *counter) {
    if (counter->id >= 0) {
        PRI_TRACE("retire: set %d is removed", counter->id);
        semctl(counter->id, 0, IPC_RMID);
        counter->id = -1;
    }
}
