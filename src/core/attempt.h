/*
 * Acquiring through the keeper, step by step: each step goes as far as it can without waiting, so
 * that an event loop can drive it as well as a blocking call.
 */
#ifndef PRI_ATTEMPT_H
#define PRI_ATTEMPT_H

#include "core/shared.h"

struct pri_attempt {
    struct pri_shared *shared;
    struct pri_terms *terms;
    int64_t timeout_ms, deadline_ns;
    enum { PRI_TRY, PRI_REACH, PRI_ASKED, PRI_CHECK } stage;
    procref_waitable
        link;        /* -1: none; else the next step has something to do when it is readable … */
    int64_t wake_ns; /* … or when this time has come */
    procref_handle *handle; /* attached, but not checked yet, or found unhealthy */
    bool may_block;         /* a blocking call: a full queue may be waited for */
    bool full;              /* the keeper's queue was, when last tried */
    bool started;           /* this client ran the start, or waited for it: it needs no check */
    int failed; /* … which failed with this: it only waits until all of that has ended */
    int times, spawned, unhealthy;
    procref_error error; /* of what may still succeed */
};

void pri_attempt_begin(struct pri_attempt *a, struct pri_shared *shared, struct pri_terms *terms,
                       int64_t timeout_ms);

/* What every acquire is refused for: 0, or INVALID (a timeout below -1, or
 * inside a callback of the same service). */
int pri_attempt_may_begin(const struct pri_shared *shared, int64_t timeout_ms, procref_error *err);

/* As far as the keeper has been asked, or is not needed; runs no callback. 0 or AGAIN: go on with
 * pri_attempt_step(); else it failed. */
int pri_attempt_ask(struct pri_attempt *a, procref_error *err);

/* 0, an error, or AGAIN: wait for link or wake_ns, whatever comes first. Callbacks run in here. */
int pri_attempt_step(struct pri_attempt *a, procref_handle **ret_handle, procref_error *err);

/* Gives back whatever it has, in every case that did not end with 0. May run on_last_release. */
void pri_attempt_end(struct pri_attempt *a);

/* The whole of it, waiting. */
int pri_attempt(struct pri_shared *shared, struct pri_terms *terms, int64_t timeout_ms,
                procref_handle **ret_handle, procref_error *err);

/* ---- release.c ------------------------------------------------------------------------------- */

/* The public release; timeout_ms NULL: does not wait for the stop. */
int pri_release(procref_handle *h, const int64_t *timeout_ms, procref_error *err);

/* Tells the keeper that a holder of a removed counter let go, or left its callback. Never waits
 * long, never fails. */
void pri_attempt_tell_released(struct pri_shared *shared);

#endif
