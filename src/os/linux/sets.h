/*
 * Semaphore sets of procref on Linux, whatever they count: where their keys are, whose a set is,
 * how a row of a table becomes one semop(2), and what the kernel's errors mean. The two kinds are
 * the sets of services (counter.c) and of raw counters (raw.c).
 *
 * Version and fingerprint come first in every set of every kind and version, so that each can tell
 * the others.
 */
#ifndef PRI_LINUX_SETS_H
#define PRI_LINUX_SETS_H

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "core/hot.h"
#include "core/ident.h"
#include "core/table.h"
#include "os/counter.h"
#include "os/linux/semop.h"

enum {
    PRI_SET_VERSION = 0,
    PRI_SET_ID = 1, /* PRI_ID_PARTS of them */
    PRI_SET_REFS = PRI_SET_ID + PRI_ID_PARTS,
    PRI_SET_COUNT_MOST = 64, /* a set with more is not ours, in no version */
    PRI_SET_MODE = 0600,
    PRI_SET_REGISTER_ID = 0, /* of every table: it stands for version and fingerprint together */
};

struct pri_set_kind {
    unsigned short count;       /* how many semaphores; differs between the kinds */
    unsigned short version;     /* of the layout */
    const unsigned short *sems; /* where each register of the table stands */
};

/* The operations of a row, all without waiting; returns how many. ident may be NULL if the row does
 * not name the id. */
int pri_set_compile(const struct pri_set_kind *kind, const struct pri_row *row, uint32_t g,
                    const struct pri_ident *ident, struct sembuf *ops);

/* What the failure of semop(2) means: an enum pri_outcome or a negative PROCREF_E_…. */
int pri_set_outcome(int os);

static inline PRI_HOT int pri_set_execute(int id, struct sembuf *ops, int n, int32_t *ret_os) {
    if (pri_semop(id, ops, (size_t)n) == 0) {
        return PRI_OK;
    }
    *ret_os = errno;
    return pri_set_outcome(*ret_os);
}

/* "ok", "no", "gone" or "fails", for the trace. */
const char *pri_set_told(int result);

/* The nth key that a set of this name may have, 0 <= probe < PRI_PROBES. */
key_t pri_set_key(const struct pri_ident *ident, int probe);

enum pri_set_found {
    PRI_SET_OURS,     /* of this name and layout */
    PRI_SET_UNOPENED, /* all zero: made by this user for a set of this kind, and nobody's yet */
    PRI_SET_OTHER_VERSION, /* of this name, in another layout */
    PRI_SET_FOREIGN,
    PRI_SET_REFUSED, /* the kernel or a sandbox does not let us look; errno tells */
    PRI_SET_NOTHING, /* it was removed meanwhile */
};

/* What is this set? values are filled for OURS: all registers at one instant. */
enum pri_set_found pri_set_classify(int id, const struct pri_set_kind *kind,
                                    const struct pri_ident *ident,
                                    unsigned short values[PRI_SET_COUNT_MOST]);

/* Errors of semget(2): LIMIT names the limit. */
int pri_set_explain_get(int os, const char *name, procref_error *err);

/* CONFLICT: another layout; PERMISSION: every key is a stranger's, whom the message names. */
int pri_set_explain_version(int id, const struct pri_set_kind *kind, const char *name,
                            procref_error *err);
int pri_set_explain_taken(const struct pri_ident *ident, procref_error *err);

#endif
