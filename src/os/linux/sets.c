/* What the semaphore sets of services and of raw counters have in common; see sets.h. */
#include "os/linux/sets.h"

#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "os/folder.h"

enum { STAT_ANY = 20, SETS_MOST = 32768 };

/* ---- Rows ------------------------------------------------------------------------------------ */

static short undo_flag(bool undo) {
    return undo && !pri_fault("noundo") ? SEM_UNDO : 0;
}

static int value_of(int16_t value, uint32_t g) {
    return value == PRI_VALUE_G ? (int)g : value == PRI_VALUE_MINUS_G ? -(int)g : value;
}

static int emit(struct sembuf *ops, int n, unsigned short sem, int op, int flags) {
    ops[n] = (struct sembuf){sem, (short)op, (short)(flags | IPC_NOWAIT)};
    return n + 1;
}

/* "= v" becomes "- v, wait for 0, + v": the kernel applies all operations of one semop or none
 * (semop(2), "atomically"). */
static int emit_equals(struct sembuf *ops, int n, unsigned short sem, int value) {
    if (value != 0) {
        n = emit(ops, n, sem, -value, 0);
    }
    n = emit(ops, n, sem, 0, 0);
    return value != 0 ? emit(ops, n, sem, value, 0) : n;
}

/* The id is not one semaphore but version and fingerprint. */
static int emit_id(struct sembuf *ops, int n, const struct pri_set_kind *kind, bool condition,
                   int value, const struct pri_ident *ident) {
    uint16_t parts[PRI_ID_PARTS] = {0};
    bool ours = value == PRI_VALUE_FINGERPRINT;
    if (ours) {
        pri_ident_parts(ident, parts);
    }
    for (int i = -1; i < PRI_ID_PARTS; i++) {
        int part = i >= 0 ? parts[i] : ours ? kind->version : 0;
        unsigned short sem = (unsigned short)(i >= 0 ? PRI_SET_ID + i : PRI_SET_VERSION);
        n = condition ? emit_equals(ops, n, sem, part) : emit(ops, n, sem, part, 0);
    }
    return n;
}

int pri_set_compile(const struct pri_set_kind *kind, const struct pri_row *row, uint32_t g,
                    const struct pri_ident *ident, struct sembuf *ops) {
    int n = 0;
    for (int i = 0; i < row->conditions_count; i++) {
        const struct pri_condition *c = &row->conditions[i];
        int value = value_of(c->value, g);
        if (c->reg == PRI_SET_REGISTER_ID) {
            n = emit_id(ops, n, kind, true, c->value, ident);
        } else if (c->relation == PRI_EQUALS) {
            n = emit_equals(ops, n, kind->sems[c->reg], value);
        } else if (value != 0) { /* ">= v" becomes "- v, + v" */
            n = emit(ops, n, kind->sems[c->reg], -value, 0);
            n = emit(ops, n, kind->sems[c->reg], value, 0);
        }
    }
    for (int i = 0; i < row->changes_count; i++) {
        const struct pri_change *c = &row->changes[i];
        if (c->reg == PRI_SET_REGISTER_ID) {
            n = emit_id(ops, n, kind, false, c->delta, ident);
        } else {
            n = emit(ops, n, kind->sems[c->reg], value_of(c->delta, g), undo_flag(c->undo));
        }
    }
    return n;
}

int pri_set_outcome(int os) {
    switch (os) {
    case EAGAIN: return PRI_NO;
    case EIDRM:
    case EACCES: /* its id was given to a set of another user, */
    case EFBIG:  /* or to one of another program */
    case EINVAL: return PRI_GONE;
    case E2BIG:
    case ERANGE:
    case ENOSPC: return PROCREF_E_LIMIT;
    case ENOMEM: return PROCREF_E_NO_MEMORY;
    case EPERM: /* what seccomp filters answer */
    case ENOTSUP:
    case ENOSYS: return PROCREF_E_UNSUPPORTED;
    default: return PROCREF_E_PLATFORM;
    }
}

const char *pri_set_told(int result) {
    return result == PRI_OK     ? "ok"
           : result == PRI_NO   ? "no"
           : result == PRI_GONE ? "gone"
                                : "fails";
}

/* ---- Keys, and whose a set is ---------------------------------------------------------------- */

key_t pri_set_key(const struct pri_ident *ident, int probe) {
    uint32_t key = ((uint32_t)(ident->hash >> 32) ^ (uint32_t)ident->hash) & 0x7fffffff;
    key = (key + (uint32_t)probe) & 0x7fffffff;
    return key != IPC_PRIVATE ? (key_t)key : 0x70726f63;
}

static enum pri_set_found unreadable(int os) {
    return os == EIDRM || os == EINVAL ? PRI_SET_NOTHING
           : os == EACCES              ? PRI_SET_FOREIGN
                                       : PRI_SET_REFUSED;
}

/* Its creator can give it any owner, so both must be us; and nobody else may touch it. */
enum pri_set_found pri_set_classify(int id, const struct pri_set_kind *kind,
                                    const struct pri_ident *ident,
                                    unsigned short values[PRI_SET_COUNT_MOST]) {
    uint16_t parts[PRI_ID_PARTS];
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
        unsigned short *array;
    } argument = {.buf = &status};

    if (semctl(id, 0, IPC_STAT, argument) < 0) {
        return unreadable(errno);
    }
    if (status.sem_perm.uid != ident->user || status.sem_perm.cuid != ident->user ||
        (status.sem_perm.mode & 0777) != PRI_SET_MODE || status.sem_nsems < PRI_SET_REFS ||
        status.sem_nsems > PRI_SET_COUNT_MOST) {
        return PRI_SET_FOREIGN;
    }
    argument.array = values;
    if (semctl(id, 0, GETALL, argument) < 0) {
        return unreadable(errno);
    }
    pri_ident_parts(ident, parts);
    bool zero = status.sem_nsems == kind->count, same = true;
    for (unsigned long i = 0; i < status.sem_nsems; i++) {
        zero = zero && values[i] == 0;
    }
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        same = same && values[PRI_SET_ID + i] == parts[i];
    }
    if (zero) {
        return PRI_SET_UNOPENED;
    }
    if (!same) {
        return PRI_SET_FOREIGN;
    }
    return values[PRI_SET_VERSION] == kind->version && status.sem_nsems == kind->count
               ? PRI_SET_OURS
               : PRI_SET_OTHER_VERSION;
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

/* ---- Errors ---------------------------------------------------------------------------------- */

/* The kernel's limits, for messages: SEMMSL SEMMNS SEMOPM SEMMNI (proc_sys_kernel(5)). */
static void limits(char *to, size_t size) {
    if (pri_read_text("/proc/sys/kernel/sem", to, size) <= 0) {
        pri_format(to, size, "unknown");
    }
    for (char *at = to; *at != '\0'; at++) {
        *at = *at == '\n' ? '\0' : *at == '\t' ? ' ' : *at;
    }
}

int pri_set_explain_get(int os, const char *name, procref_error *err) {
    char sem[96];
    switch (os) {
    case ENOSPC:
        limits(sem, sizeof sem);
        const char *sets = strrchr(sem, ' ');
        return pri_fail(err, PROCREF_E_LIMIT, os, "semget",
                        "no semaphore set for '%s': kernel.sem allows %s sets (SEMMNI, its last "
                        "number) of so many semaphores in all (SEMMNS, its second), and all are "
                        "used; see ipcs -s, or raise sysctl kernel.sem (\"%s\")",
                        name, sets != NULL ? sets + 1 : "no more", sem);
    case EINVAL: /* only who makes one gets this: a set of ours has more semaphores than SEMMSL */
        limits(sem, sizeof sem);
        return pri_fail(err, PROCREF_E_LIMIT, os, "semget",
                        "no semaphore set for '%s': it has more semaphores than the first number "
                        "of sysctl kernel.sem allows (SEMMSL; \"%s\")",
                        name, sem);
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

int pri_set_explain_version(int id, const struct pri_set_kind *kind, const char *name,
                            procref_error *err) {
    return pri_fail(err, PROCREF_E_CONFLICT, 0, "semget",
                    "'%s' is run by another version of procref (its set %d has another layout "
                    "than %d): use one version, or wait until it has ended",
                    name, id, (int)kind->version);
}

int pri_set_explain_taken(const struct pri_ident *ident, procref_error *err) {
    return pri_fail(
        err, PROCREF_E_PERMISSION, 0, "semget",
        "all %d keys of '%s' are in use by others, the first by user %u: ask them to remove "
        "their semaphore sets (ipcs -s), or use another name",
        (int)PRI_PROBES, ident->name, owner_of(pri_set_key(ident, 0)));
}
