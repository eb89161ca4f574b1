/*
 * The port contract for the counter: registers that many processes change by the rows of
 * core/table.h.
 *
 * A system must give: each row is executed atomically, all of its conditions and changes or none; a
 * change marked undo is taken back when the process that made it ends in any way, before the
 * process's connections (rendezvous.h) are seen to close; the keeper can wait for "a register is
 * 0". On Linux this is one System V semaphore set and semop(2) with SEM_UNDO. A system without such
 * an object can keep the registers in the keeper: a client's row is then a message to the keeper,
 * executed there, and undo is what the keeper does at the dead-name notification of the client's
 * Mach port, or when the client's handle of the named job is gone. Then `ready` is 0 as soon as
 * nobody can answer.
 *
 * The counter may be removed by others at any time: every operation can say PRI_GONE.
 */
#ifndef PRI_OS_COUNTER_H
#define PRI_OS_COUNTER_H

#include "core/ident.h"
#include "core/table.h"

enum pri_outcome {
    PRI_OK = 0,
    PRI_NO = 1,   /* a condition does not hold now; nothing was changed */
    PRI_GONE = 2, /* the counter was removed: look its name up again */
    /* or a negative PROCREF_E_…; pri_counter_explain() fills the error */
};

struct pri_counter {
    int32_t id; /* private to the system; -1: none */
    int32_t os; /* of the last failure */
    uint32_t attach_generation;
    struct {
        uint16_t num;
        int16_t op, flags;
    } attach[4], detach[1]; /* these rows, ready to execute: the hot path builds nothing */
};
#define PRI_COUNTER_NONE                                                                           \
    { .id = -1 }

/*
 * Looks through the service's whole range of keys. 0, NOT_FOUND, CONFLICT (another layout version
 * runs this service), UNSUPPORTED (no counters here), PERMISSION, PLATFORM.
 */
int pri_counter_find(const struct pri_ident *ident, struct pri_counter *ret_counter,
                     procref_error *err);

/*
 * The same, and makes and opens it where there is none; *ret_new tells. Only who holds the barrier
 * may call it. LIMIT names the kernel's limit, PERMISSION the owner of squatted keys.
 */
int pri_counter_create(const struct pri_ident *ident, struct pri_counter *ret_counter,
                       bool *ret_new, procref_error *err);

/* Executes one row. g is used where the row names a generation. Never waits. */
int pri_counter_step(struct pri_counter *counter, enum pri_transition row, uint32_t g);

/* What the failure of step (a negative result) means, as an error. Returns code. */
int pri_counter_explain(const struct pri_counter *counter, int code, const char *name,
                        procref_error *err);

/*
 * Waits until the register is 0: PRI_OK, PRI_GONE, or PRI_NO if it was interrupted or *stop was set
 * before. Another thread interrupts it by setting *stop and then sending this thread a signal whose
 * handler calls pri_counter_interrupt().
 */
int pri_counter_await_zero(const struct pri_counter *counter, enum pri_register reg,
                           const _Atomic bool *stop);
void pri_counter_interrupt(void);

/*
 * Tries on a counter that nothing has begun on (row probe, by a child that dies) whether undo works
 * here: 0, UNSUPPORTED, or LIMIT (there is no process to try it with).
 */
int pri_counter_probe_undo(struct pri_counter *counter);

/* Reads a register (not ID): its value, or -1 if the counter is gone, -2 if it cannot be read. */
int pri_counter_read(const struct pri_counter *counter, enum pri_register reg);

/*
 * Who changed or awaited the register last: this process's own pid after pri_counter_sign() found
 * it 0, until somebody else comes. (semctl(2), GETPID: set by each successful operation, a wait for
 * zero included.)
 */
void pri_counter_sign(const struct pri_counter *counter, enum pri_register reg);
uint32_t pri_counter_last_user(const struct pri_counter *counter, enum pri_register reg);

/* Never 0; differs between a removed counter and the one that took its place. */
uint32_t pri_counter_stamp(const struct pri_counter *counter);

/* Processes for which it differs cannot share a counter (Linux: IPC namespaces). 0: not known. */
uint32_t pri_counter_space(void);

/* Removes it: the row "retire". Only after drain, with refs = 0. */
void pri_counter_remove(struct pri_counter *counter);

#endif
