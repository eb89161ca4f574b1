/*
 * The raw counter: what an object holds, and which rows of core/raw_table.h its functions execute.
 * How a counter is found, made and removed is the system's affair (os/raw.h).
 */
#include <stdlib.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "os/fork.h"
#include "os/folder.h"
#include "os/lock.h"
#include "os/raw.h"

/* Somebody else got on each time one was lost, so this is far beyond what races cost. */
enum { TRIES_MOST = 10000, TRIES_EAGER = 8 };

struct procref_counter {
    struct pri_ident ident;
    uint32_t epoch;       /* of the process that opened it */
    struct pri_lock lock; /* guards all below */
    struct pri_raw raw;   /* the counter as last known; never let go of while something is held */
    uint32_t held;        /* references in raw */
    uint32_t lost;        /* references that went away when somebody removed the counter */
    bool locked;          /* this object has the lock of raw, */
    bool lock_lost;       /* or had the lock of a counter that was removed */
};

int procref_counter_open(const char *name, procref_counter **ret_counter, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_raw any;
    int code = pri_name_check("counter", name, err);
    if (code < 0) {
        return code;
    }
    procref_counter *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for a counter");
    }
    pri_trace_begin("client");
    pri_raw_ident(&c->ident, pri_own_user(), name);
    c->epoch = pri_fork_epoch();
    c->raw = (struct pri_raw)PRI_RAW_NONE;
    /* Whether this system has such counters at all shows when one is looked for. */
    code = pri_raw_find(&c->ident, &any, &error);
    if (code < 0 && code != PROCREF_E_NOT_FOUND && code != PROCREF_E_CONFLICT) {
        error.code = code = code == PROCREF_E_PLATFORM ? PROCREF_E_COUNTER_INIT : code;
        pri_fail_copy(err, &error);
        free(c);
        return code;
    }
    *ret_counter = c;
    return 0;
}

/* 0 with the object's lock taken; FORKED in a child. */
static int enter(procref_counter *c, procref_error *err) {
    if (c->epoch != pri_fork_epoch()) {
        return pri_fail(err, PROCREF_E_FORKED, 0, "",
                        "this object of the counter '%s' belongs to the process that forked this "
                        "one: open another",
                        c->ident.name);
    }
    pri_lock_take(&c->lock);
    return 0;
}

static void leave(procref_counter *c) {
    pri_lock_give(&c->lock);
}

/* The counter was removed under us: what it held for this object is gone. */
static void lose(procref_counter *c) {
    c->lost += c->held;
    c->held = 0;
    c->lock_lost = c->lock_lost || c->locked;
    c->locked = false;
    c->raw.id = -1;
}

/* Is it another process's user by now? Then nothing that the kernel says of the counter counts. */
static int check_user(const procref_counter *c, procref_error *err) {
    if (pri_own_user() == c->ident.user) {
        return 0;
    }
    return pri_fail(err, PROCREF_E_PERMISSION, 0, "",
                    "this process opened the counter '%s' as user %u and is user %u now: open it "
                    "again",
                    c->ident.name, (unsigned)c->ident.user, (unsigned)pri_own_user());
}

/* A refusal by the kernel is called by the name of what was asked for. */
static int called(int code, int kind, const procref_error *error, procref_error *err) {
    procref_error renamed = *error;
    renamed.code = code == PROCREF_E_PLATFORM ? kind : code;
    pri_fail_copy(err, &renamed);
    return renamed.code;
}

/* A counter to execute rows on. */
static int have(procref_counter *c, int kind, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT;
    int code = c->raw.id >= 0 ? 0 : check_user(c, &error);
    if (code == 0 && c->raw.id < 0) {
        code = pri_raw_make(&c->ident, &c->raw, &error);
    }
    return code < 0 ? called(code, kind, &error, err) : 0;
}

/* No row could be executed. PRI_OK: try again, races were lost; PRI_GONE: the counter is not there
 * any more; or a negative code. */
static int examine(procref_counter *c, int result) {
    if (result == PRI_NO) {
        result = pri_raw_count(&c->raw, &c->ident);
        result = result >= 0 ? PRI_OK : result == -1 ? PRI_GONE : PROCREF_E_PLATFORM;
    }
    return result;
}

static int always_lost(const procref_counter *c, int kind, procref_error *err) {
    return pri_fail(err, kind, 0, "semop", "others were faster at the counter '%s' all the time",
                    c->ident.name);
}

/*
 * Executes `one` or, if that says no, `other`, on the counter or, if it was removed, on the next
 * one. *ret_row is the one that succeeded. While a set is live one of the two can be executed at
 * any instant; that both said no means that the world changed in between.
 */
static int either(procref_counter *c, enum pri_raw_transition one, enum pri_raw_transition other,
                  int kind, enum pri_raw_transition *ret_row, procref_error *err) {
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        int code = have(c, kind, err);
        if (code < 0) {
            return code;
        }
        *ret_row = one;
        int result = pri_raw_step(&c->raw, &c->ident, one);
        if (result == PRI_NO) {
            *ret_row = other;
            result = pri_raw_step(&c->raw, &c->ident, other);
        }
        if (result == PRI_OK) {
            return 0;
        }
        result = examine(c, result);
        if (result == PRI_GONE && (code = check_user(c, err)) < 0) {
            return code;
        }
        if (result < 0) {
            return pri_raw_explain(&c->raw, result, kind, c->ident.name, err);
        }
        if (result == PRI_GONE) {
            lose(c);
        }
        if (tries >= TRIES_EAGER) {
            pri_raw_yield();
        }
    }
    return always_lost(c, kind, err);
}

/* A snapshot for the caller, never below what is certain. */
static uint32_t snapshot(procref_counter *c, uint32_t least) {
    int count = pri_raw_count(&c->raw, &c->ident);
    return count > (int)least ? (uint32_t)count : least;
}

/* After this object gave back, or got nothing: if nobody holds anything any more the counter goes.
 */
static void tidy(procref_counter *c) {
    if (c->held == 0 && !c->locked) {
        PRI_CRASH_POINT("raw: given back, not retired");
        pri_raw_retire(&c->raw, &c->ident);
    }
}

int procref_counter_acquire(procref_counter *c, uint32_t *ret_count, procref_error *err) {
    enum pri_raw_transition row;
    int code = enter(c, err);
    if (code < 0) {
        return code;
    }
    /* A counter that is known from last time was left to somebody who held it. */
    bool others = c->raw.id >= 0;
    code = others ? either(c, PRI_RAW_ANOTHER, PRI_RAW_FIRST, PROCREF_E_ACQUIRE, &row, err)
                  : either(c, PRI_RAW_FIRST, PRI_RAW_ANOTHER, PROCREF_E_ACQUIRE, &row, err);
    if (code == 0) {
        PRI_CRASH_POINT("raw: counted");
        c->held++;
        if (ret_count != NULL) {
            *ret_count = row == PRI_RAW_FIRST ? 1 : snapshot(c, 2);
        }
    } else {
        tidy(c);
    }
    leave(c);
    return code;
}

static int removed(const procref_counter *c, int kind, procref_error *err) {
    return pri_fail(err, kind, 0, "semop",
                    "the counter '%s' was removed by somebody (ipcrm) while it was held",
                    c->ident.name);
}

/* c->held > 0. It is one less afterwards, whatever happens. */
static int give_back(procref_counter *c, bool *ret_last, procref_error *err) {
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        int result = pri_raw_step(&c->raw, &c->ident, PRI_RAW_NOT_LAST);
        *ret_last = false;
        if (result == PRI_NO) {
            result = pri_raw_step(&c->raw, &c->ident, PRI_RAW_LAST);
            *ret_last = result == PRI_OK;
        }
        if (result == PRI_OK) {
            c->held--;
            return 0;
        }
        result = result == PRI_NO && pri_raw_count(&c->raw, &c->ident) == 0 ? PRI_GONE
                                                                            : examine(c, result);
        if (result == PRI_GONE && pri_own_user() == c->ident.user) {
            lose(c);
            c->lost--;
            return removed(c, PROCREF_E_RELEASE, err);
        }
        if (result != PRI_OK) {
            c->held--;
            return pri_fail(err, PROCREF_E_RELEASE, c->raw.os, "semop",
                            "the kernel keeps the reference to the counter '%s' until this process "
                            "ends",
                            c->ident.name);
        }
        if (tries >= TRIES_EAGER) {
            pri_raw_yield();
        }
    }
    c->held--;
    return always_lost(c, PROCREF_E_RELEASE, err);
}

int procref_counter_release(procref_counter *c, uint32_t *ret_count, procref_error *err) {
    bool last;
    int code = enter(c, err);
    if (code < 0) {
        return code;
    }
    if (c->lost > 0) { /* these first: who holds the counter of today keeps it */
        c->lost--;
        code = removed(c, PROCREF_E_RELEASE, err);
    } else if (c->held == 0) {
        code = pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "this object holds no reference to the counter '%s'", c->ident.name);
    } else {
        code = give_back(c, &last, err);
        if (code == 0 && ret_count != NULL) {
            *ret_count = last ? 0 : snapshot(c, 1);
        }
        if (code == 0 && last) {
            tidy(c);
        }
    }
    leave(c);
    return code;
}

int procref_counter_count(procref_counter *c, uint32_t *ret_count, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_raw raw; /* nothing of the object is used that may change: a forked child may ask */
    int code = check_user(c, &error);
    if (code < 0) {
        return called(PROCREF_E_PLATFORM, PROCREF_E_COUNT, &error, err);
    }
    code = pri_raw_find(&c->ident, &raw, &error);
    int count = code == 0 ? pri_raw_count(&raw, &c->ident) : -1;
    if (code < 0 && code != PROCREF_E_NOT_FOUND) {
        return called(code, PROCREF_E_COUNT, &error, err);
    }
    if (count < -1) {
        return pri_fail(err, PROCREF_E_COUNT, 0, "semctl",
                        "the references of the counter '%s' cannot be counted", c->ident.name);
    }
    *ret_count = count > 0 ? (uint32_t)count : 0;
    return 0;
}

int procref_counter_try_lock(procref_counter *c, bool *ret_locked, procref_error *err) {
    enum pri_raw_transition row = PRI_RAW_LOCKED;
    int code = enter(c, err);
    if (code < 0) {
        return code;
    }
    if (!c->locked && !c->lock_lost) {
        code = either(c, PRI_RAW_TAKE_LOCK, PRI_RAW_LOCKED, PROCREF_E_LOCK, &row, err);
    }
    if (code == 0) {
        PRI_CRASH_POINT("raw: locked, or not");
        c->locked = c->locked || row == PRI_RAW_TAKE_LOCK;
        *ret_locked = row == PRI_RAW_TAKE_LOCK;
    } else {
        tidy(c);
    }
    leave(c);
    return code;
}

/* c->locked. It is not afterwards, whatever happens. */
static int give_lock_back(procref_counter *c, procref_error *err) {
    int result = pri_raw_step(&c->raw, &c->ident, PRI_RAW_UNLOCK);
    bool gone = result == PRI_NO || (result == PRI_GONE && pri_own_user() == c->ident.user);
    if (gone) {
        lose(c);
        c->lock_lost = false;
        return removed(c, PROCREF_E_LOCK, err);
    }
    c->locked = false;
    if (result != PRI_OK) {
        return pri_fail(err, PROCREF_E_LOCK, c->raw.os, "semop",
                        "the kernel keeps the lock of the counter '%s' until this process ends",
                        c->ident.name);
    }
    tidy(c);
    return 0;
}

int procref_counter_unlock(procref_counter *c, procref_error *err) {
    int code = enter(c, err);
    if (code < 0) {
        return code;
    }
    if (c->lock_lost) {
        c->lock_lost = false;
        code = removed(c, PROCREF_E_LOCK, err);
    } else if (!c->locked) {
        code = pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "this object does not hold the lock of the counter '%s'", c->ident.name);
    } else {
        code = give_lock_back(c, err);
    }
    leave(c);
    return code;
}

const char *procref_counter_mechanism(const procref_counter *c) {
    (void)c;
    return pri_raw_mechanism();
}

procref_counter *procref_counter_close(procref_counter *c) {
    bool last;
    if (c == NULL) {
        return NULL;
    }
    if (enter(c, NULL) == 0) {
        while (c->held > 0) {
            give_back(c, &last, NULL);
        }
        if (c->locked) {
            give_lock_back(c, NULL);
        }
        if (pri_own_user() == c->ident.user) {
            pri_raw_sweep(&c->ident); /* what others that were killed left, too */
        }
        leave(c);
    }
    free(c);
    return NULL;
}
