/*
 * The port contract for the raw counter: references and a lock under a name, counted by the kernel
 * alone, without any process of procref.
 *
 * A system must give: each row of core/raw_table.h is executed atomically, all of its conditions
 * and changes or none; a change marked undo is taken back when the process that made it ends in any
 * way. At any time at most one set of a name is live, though anybody may come, go or be killed
 * between any two steps, and others may sit on the places where the name is looked for. No step
 * ever waits for another process: who finds something half done finishes or discards it. Other
 * users can neither see into the counter nor change it. On Linux this is one System V semaphore set
 * for each counter in use; its removal is not atomic with the look whether somebody holds it, hence
 * the row retire.
 *
 * A system without such an object gives a name that the kernel counts the holders of (a Mach port's
 * send rights, handles of a named semaphore), or answers that it is UNSUPPORTED.
 *
 * The counter may be removed by others at any time: every operation can say PRI_GONE.
 */
#ifndef PRI_OS_RAW_H
#define PRI_OS_RAW_H

#include "core/ident.h"
#include "core/raw_table.h"
#include "os/counter.h"

struct pri_raw {
    int32_t id; /* private to the system; -1: none */
    int32_t os; /* of the last failure */
};
#define PRI_RAW_NONE                                                                               \
    { .id = -1 }

/* How this system counts, for people: a static string. */
const char *pri_raw_mechanism(void);

/* The identity of a raw counter: never that of a service, whatever its name and folder. */
void pri_raw_ident(struct pri_ident *ident, uint32_t user, const char *name);

/*
 * The live counter of this name. 0, NOT_FOUND, CONFLICT (another layout version uses the name),
 * UNSUPPORTED (no counters here), PLATFORM. Changes nothing.
 */
int pri_raw_find(const struct pri_ident *ident, struct pri_raw *ret_raw, procref_error *err);

/*
 * The same, and makes it where there is none. LIMIT names the kernel's limit, PERMISSION the owner
 * of squatted keys. UNSUPPORTED also: the kernel does not undo what the dead did.
 */
int pri_raw_make(const struct pri_ident *ident, struct pri_raw *ret_raw, procref_error *err);

/* Executes one row: PRI_OK, PRI_NO, PRI_GONE or a negative PROCREF_E_…. Never waits. */
int pri_raw_step(struct pri_raw *raw, const struct pri_ident *ident, enum pri_raw_transition row);

/* The references, if this is the live counter of the name still; -1 if it is not, -2 if the system
 * refuses to tell. */
int pri_raw_count(struct pri_raw *raw, const struct pri_ident *ident);

/* Removes it if nobody holds it or has its lock: PRI_OK, and *raw is none; else as of step. */
int pri_raw_retire(struct pri_raw *raw, const struct pri_ident *ident);

/* Removes what there is of this name and held by nobody, unless one who lives is making it. */
void pri_raw_sweep(const struct pri_ident *ident);

/* Another process should get on: after a step that lost a race several times. */
void pri_raw_yield(void);

/* What the failure of step (a negative result) means, as an error. kind: what to call a refusal
 * that has no code of its own. Returns the code. */
int pri_raw_explain(const struct pri_raw *raw, int code, int kind, const char *name,
                    procref_error *err);

#endif
