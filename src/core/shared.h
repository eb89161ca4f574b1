/*
 * What the objects of one process that name the same service have in common: one kernel reference,
 * the keeper's record page, and what is known of the running service. See ARCHITECTURE.md, "the
 * life of a reference".
 */
#ifndef PRI_SHARED_H
#define PRI_SHARED_H

#include "core/info.h"
#include "core/wire.h"
#include "os/counter.h"
#include "os/lock.h"
#include "os/pages.h"

/* What a service was opened with. Its handles and pending acquires need it after it was closed. */
struct pri_terms {
    _Atomic uint32_t users;
    struct pri_config *config;
    procref_service_config given; /* the functions and user_data; the rest is zero */
};
void pri_terms_put(struct pri_terms *terms); /* NULL is nothing */

struct pri_shared {
    struct pri_lock lock; /* guards all below but next */
    uint32_t services; /* open objects; it lives while this, held, leaving or inherited is not 0 */
    struct pri_ident ident;
    struct pri_counter counter;
    struct pri_record *record;
    int32_t slot;
    struct pri_process self;
    uint32_t held;      /* handles of this process: one kernel reference while it is not 0 */
    uint32_t leaving;   /* released, but their last reference is still to be given back: a callback
                           may run */
    uint32_t inherited; /* in a forked child: handles of its parent that were not freed yet */
    procref_info *info; /* the generation known from last time */
    uint64_t parts[PRI_PART_COUNT];
    procref_handle *spare;   /* one freed handle, so that nested acquires do not allocate */
    struct pri_shared *next; /* guarded by the registry's lock */
};

struct procref_handle {
    struct pri_shared *shared;
    procref_info *info;
    struct pri_terms *terms; /* NULL: nothing is to be called at its release */
    uint32_t epoch;          /* of the process that acquired it */
    _Atomic procref_waitable gone;
};

struct procref_service {
    struct pri_shared *shared;
    struct pri_terms *terms;
};

/* The shared object of a service, made by the first that asks. NULL without memory. */
struct pri_shared *pri_shared_get(const struct pri_ident *ident);
void pri_shared_put(struct pri_shared *shared); /* what get gave */

/*
 * A reference without asking the keeper: nested, or by attach with what is known from last time. 0;
 * AGAIN: the keeper must be asked; or an error that asking would not mend.
 */
int pri_shared_try(struct pri_shared *shared, struct pri_terms *terms, procref_handle **ret_handle,
                   procref_error *err);

/*
 * A reference to what the keeper said is up; page is closed in every case. AGAIN: the world moved
 * on, ask anew. The connection must stay open until this returns: the keeper does not stop a
 * service while somebody who was told "up" has neither attached nor hung up.
 */
int pri_shared_attach(struct pri_shared *shared, struct pri_terms *terms,
                      const struct pri_answer *answer, procref_waitable page,
                      procref_handle **ret_handle, procref_error *err);

/* What a release turned out to be. */
struct pri_released {
    struct pri_shared *put;     /* the caller calls pri_shared_put() when it is done, if not NULL */
    struct pri_terms *terms;    /* … and pri_terms_put() */
    struct pri_counter counter; /* with close: where the reference is */
    uint32_t generation;        /* what the handle held */
    bool last;                  /* the process holds none now */
    bool tell;                  /* the counter had been removed: the keeper should be told */
    bool close; /* it may be the last of all: to be given back by pri_close(), which ends with
                   pri_shared_left() */
};

/* Gives the handle back and frees it, in every case. wait: the caller will wait for the stop. */
int pri_shared_release(procref_handle *handle, bool wait, struct pri_released *ret_released,
                       procref_error *err);

/* The reference of a release that had `close` is given back. */
void pri_shared_left(struct pri_shared *shared);

/* Puts into the request who this process is and which slot of the record page it has. */
void pri_shared_sign(struct pri_shared *shared, struct pri_request *request);

#endif
