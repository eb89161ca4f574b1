/*
 * The raw counter's transition table: the same kind of data as core/table.h, for sets of another
 * kind. Each row is executed as one atomic operation, nothing else changes such a set, and the
 * checker explores what procref-table prints of it.
 *
 * Nobody coordinates here: no keeper, no barrier. So a set is made in steps that any process can
 * take for one that died: claimed (open), found to be undone by the kernel (trial), made live
 * (confirm), and marked as dead (retire) before it is removed. Who meets a set in a state that
 * somebody left behind goes on from there.
 */
#ifndef PRI_RAW_TABLE_H
#define PRI_RAW_TABLE_H

#include "core/table.h"

#define PRI_RAW_LAYOUT_VERSION 1

/* X(enumerator, name, what it holds). The id is the first, as in core/table.h. */
#define PRI_RAW_REGISTERS(X)                                                                       \
    X(ID, "id", "0, or the fingerprint of the full name and the layout's version")                 \
    X(REFS, "refs", "number of references")                                                        \
    X(LOCK, "lock", "0 or 1: somebody has the lock")                                               \
    X(PHASE, "phase", "0 claimed, 1 live, more: dead, to be removed; never goes back")             \
    X(TRIAL, "trial", "children that try whether the kernel undoes")

enum pri_raw_register {
#define PRI_RAW_REGISTER_ENUM(name, text, holds) PRI_RAW_##name,
    PRI_RAW_REGISTERS(PRI_RAW_REGISTER_ENUM)
#undef PRI_RAW_REGISTER_ENUM
        PRI_RAW_REGISTER_COUNT,
};

enum { PRI_RAW_CLAIMED = 0, PRI_RAW_LIVE = 1 };

enum pri_raw_transition {
    PRI_RAW_OPEN,
    PRI_RAW_TRY_UNDO,
    PRI_RAW_CONFIRM,
    PRI_RAW_FIRST,
    PRI_RAW_ANOTHER,
    PRI_RAW_NOT_LAST,
    PRI_RAW_LAST,
    PRI_RAW_TAKE_LOCK,
    PRI_RAW_LOCKED,
    PRI_RAW_UNLOCK,
    PRI_RAW_RETIRE,
    PRI_RAW_TRANSITION_COUNT,
};

extern const struct pri_row pri_raw_table[PRI_RAW_TRANSITION_COUNT];
extern const char *const pri_raw_register_names[PRI_RAW_REGISTER_COUNT];

#endif
