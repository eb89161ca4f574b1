/* One process's hold on one service: the hot path lives here. No waiting, no talking to the keeper.
 */
#include "core/shared.h"

#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/hot.h"
#include "core/trace.h"
#include "os/fork.h"

static struct {
    struct pri_lock lock;
    struct pri_shared *first;
} registry;

/* Takes the lock. In a forked child the first taker finds that it holds nothing: semop(2), undo is
 * not inherited. */
static void take(struct pri_shared *shared) {
    if (pri_lock_take(&shared->lock)) {
        pri_record_unmap(shared->record); /* the child's mapping of it, with its parent's slot */
        shared->record = NULL;
        shared->slot = PRI_NO_SLOT;
        shared->self.pid = 0;
        shared->counter.id = -1;
        shared->counter.attach_generation = 0;
        shared->inherited += shared->held;
        shared->held = shared->leaving = 0;
        shared->spare = NULL; /* another thread may have been at it */
    }
}

static void give(struct pri_shared *shared) {
    pri_lock_give(&shared->lock);
}

/* ---- One object for each service of this process -------------------------------------------- */

static bool same_service(const struct pri_ident *a, const struct pri_ident *b) {
    return a->hash == b->hash && a->user == b->user && strcmp(a->name, b->name) == 0;
}

struct pri_shared *pri_shared_get(const struct pri_ident *ident) {
    pri_lock_take(&registry.lock);
    struct pri_shared *shared = registry.first;
    while (shared != NULL && !same_service(&shared->ident, ident)) {
        shared = shared->next;
    }
    if (shared == NULL) {
        shared = calloc(1, sizeof *shared);
        if (shared != NULL) {
            shared->ident = *ident;
            shared->counter.id = -1;
            shared->slot = PRI_NO_SLOT;
            shared->next = registry.first;
            registry.first = shared;
        }
    }
    if (shared != NULL) {
        take(shared);
        shared->services++;
        give(shared);
    }
    pri_lock_give(&registry.lock);
    return shared;
}

/* The keeper cannot know that a process which lives on needs it no more: it may open the service
 * again and again, and be given another each time. */
static void give_slot_back(struct pri_shared *shared) {
    if (shared->record != NULL && shared->slot >= 0) {
        struct pri_slot *slot = &shared->record->slots[shared->slot];
        if (atomic_load(&slot->pid) == shared->self.pid) {
            atomic_store(&slot->pid, 0);
        }
    }
}

static bool is_unused(const struct pri_shared *shared) {
    return shared->services == 0 && shared->held == 0 && shared->leaving == 0 &&
           shared->inherited == 0;
}

/*
 * Frees it if nothing needs it any more. Another thread may have done so since it was unused, and
 * freed it: who is in the registry's list is alive, so the list is asked before the object is
 * touched.
 */
static void reap(struct pri_shared *shared) {
    pri_lock_take(&registry.lock);
    struct pri_shared **at = &registry.first;
    while (*at != NULL && *at != shared) {
        at = &(*at)->next;
    }
    bool unused = *at != NULL;
    if (unused) {
        take(shared);
        unused = is_unused(shared);
        give(shared);
    }
    if (unused) {
        *at = shared->next;
    }
    pri_lock_give(&registry.lock);
    if (unused) {
        give_slot_back(shared);
        pri_record_unmap(shared->record);
        pri_info_put(shared->info);
        free(shared->spare);
        free(shared);
    }
}

void pri_shared_put(struct pri_shared *shared) {
    take(shared);
    shared->services--;
    bool unused = is_unused(shared);
    give(shared);
    if (unused) {
        reap(shared);
    }
}

void pri_terms_put(struct pri_terms *terms) {
    if (terms != NULL && atomic_fetch_sub(&terms->users, 1) == 1) {
        free(terms->config);
        free(terms);
    }
}

/* ---- Acquire --------------------------------------------------------------------------------- */

static procref_handle *make_handle(struct pri_shared *shared, struct pri_terms *terms) {
    procref_handle *handle = shared->spare;
    shared->spare = NULL;
    if (handle == NULL) {
        handle = malloc(sizeof *handle);
    }
    if (handle != NULL) {
        handle->shared = shared;
        handle->info = shared->info;
        handle->terms = terms->given.on_last_release != NULL ? terms : NULL;
        if (handle->terms != NULL) {
            atomic_fetch_add(&terms->users, 1);
        }
        handle->epoch = atomic_load_explicit(&shared->lock.epoch, memory_order_relaxed);
        atomic_init(&handle->gone, -1);
        shared->info->users++;
    }
    return handle;
}

/* The caller has taken over or put its terms. */
static void drop_handle(struct pri_shared *shared, procref_handle *handle) {
    pri_info_put(handle->info);
    if (shared->spare == NULL) {
        shared->spare = handle;
    } else {
        free(handle);
    }
}

/* The mark is there before the reference: should the counter be removed, the keeper asks those who
 * have one. */
static void mark_held(struct pri_shared *shared, bool held) {
    if (shared->record != NULL && shared->slot >= 0) {
        atomic_store_explicit(&shared->record->slots[shared->slot].held,
                              held ? pri_counter_stamp(&shared->counter) : 0, memory_order_release);
    }
}

static int no_memory(const struct pri_shared *shared, procref_error *err) {
    return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "malloc", "out of memory for a handle of '%s'",
                    shared->ident.name);
}

/* One more handle of what this process holds already. */
static int nest(struct pri_shared *shared, struct pri_terms *terms, procref_handle **ret_handle,
                procref_error *err) {
    procref_handle *handle = make_handle(shared, terms);
    if (handle == NULL) {
        return no_memory(shared, err);
    }
    shared->held++;
    *ret_handle = handle;
    return 0;
}

/* Attaches to the known generation: the one system call. */
static PRI_HOT int attach(struct pri_shared *shared, struct pri_terms *terms,
                          procref_handle **ret_handle, procref_error *err) {
    procref_handle *handle = make_handle(shared, terms);
    if (handle == NULL) {
        return no_memory(shared, err);
    }
    mark_held(shared, true);
    PRI_CRASH_POINT("marked, not attached");
    int result = pri_counter_step(&shared->counter, PRI_ATTACH, shared->info->generation);
    if (result == PRI_OK) {
        PRI_CRASH_POINT("attached");
        shared->held++;
        *ret_handle = handle;
        return 0;
    }
    mark_held(shared, shared->leaving > 0);
    pri_terms_put(handle->terms);
    drop_handle(shared, handle);
    if (result == PRI_GONE) {
        shared->counter.id = -1;
    }
    return result < 0 ? pri_counter_explain(&shared->counter, result, shared->ident.name, err)
                      : PROCREF_E_AGAIN;
}

/*
 * Whether what was learnt last time is still what is up, as far as the record page tells. A page
 * that no keeper keeps, or that shows another generation, says nothing about the counter's id
 * either: the kernel gives ids again, to anybody.
 */
static bool is_up(const struct pri_shared *shared) {
    return atomic_load_explicit(&shared->record->ready, memory_order_acquire) ==
               shared->info->generation &&
           pri_record_is_kept(shared->record);
}

/* The keeper may not have heard of the service's end yet; who waited for it and acquires again must
 * not get the dead one. */
static bool is_known_dead(const procref_info *info) {
    return atomic_load_explicit(&info->watched, memory_order_relaxed) &&
           !pri_process_alive(&info->process);
}

PRI_HOT int pri_shared_try(struct pri_shared *shared, struct pri_terms *terms,
                           procref_handle **ret_handle, procref_error *err) {
    const struct pri_config *config = terms->config;
    int code = PROCREF_E_AGAIN;
    take(shared);
    if (shared->record != NULL && shared->info != NULL && is_up(shared) &&
        pri_config_accepts(shared->parts, config->parts, config->share) &&
        !is_known_dead(shared->info)) {
        code = shared->held > 0          ? nest(shared, terms, ret_handle, err)
               : shared->counter.id >= 0 ? attach(shared, terms, ret_handle, err)
                                         : PROCREF_E_AGAIN;
    }
    give(shared);
    return code;
}

/* Constant while the generation is up; if it has ended since, attach fails and nobody sees it. */
static bool load_metadata(procref_info *info, const struct pri_record *record,
                          uint32_t generation) {
    return atomic_load(&record->metadata_generation) != generation ||
           pri_info_load(info, record->metadata, record->metadata_size);
}

/* Takes over what the keeper told. New before old: a child that another thread forks in between has
 * no dangling pointer. */
static int learn(struct pri_shared *shared, const struct pri_answer *answer,
                 struct pri_record *record, procref_error *err) {
    procref_info *info = pri_info_make(), *old_info = shared->info;
    struct pri_record *old_record = shared->record;
    if (info == NULL || !load_metadata(info, record, answer->generation)) {
        pri_info_put(info);
        pri_record_unmap(record);
        return no_memory(shared, err);
    }
    info->sealed = true;
    info->generation = answer->generation;
    info->process = (struct pri_process){answer->pid, answer->start};
    info->port = answer->port;
    shared->info = info;
    pri_info_put(old_info);
    memcpy(shared->parts, answer->parts, sizeof shared->parts);
    mark_held(shared, false);
    shared->slot = answer->slot < PRI_RECORD_SLOTS ? answer->slot : PRI_NO_SLOT;
    shared->record = record;
    pri_record_unmap(old_record);
    return 0;
}

/*
 * The counter is looked up by its name, never taken from last time, and it is that of the keeper
 * who answered only if the record page still shows the generation once it was found: who was slow
 * may find the next life's, whose generations begin at 1 again. If this process holds in it
 * already, it nests; what it may hold in a counter that was removed protects nothing, so then it
 * attaches to the new one.
 */
static int attach_by_name(struct pri_shared *shared, struct pri_terms *terms,
                          procref_handle **ret_handle, procref_error *err) {
    struct pri_counter found;
    int code = pri_counter_find(&shared->ident, &found, err);
    code = code == 0 && !is_up(shared) ? PROCREF_E_AGAIN : code;
    if (code < 0) {
        mark_held(shared, shared->held > 0 || shared->leaving > 0); /* now it matters */
        return code == PROCREF_E_NOT_FOUND ? PROCREF_E_AGAIN : code;
    }
    if (shared->held > 0 && found.id == shared->counter.id) {
        mark_held(shared, true);
        return nest(shared, terms, ret_handle, err);
    }
    struct pri_counter old = shared->counter;
    shared->counter = found;
    code = attach(shared, terms, ret_handle, err);
    if (code < 0 && shared->held > 0) {
        shared->counter = old;
        mark_held(shared, true);
    }
    return code;
}

int pri_shared_attach(struct pri_shared *shared, struct pri_terms *terms,
                      const struct pri_answer *answer, procref_waitable page,
                      procref_handle **ret_handle, procref_error *err) {
    bool missing = page < 0;
    struct pri_record *record = pri_record_map(page);
    if (record == NULL) {
        return pri_fail(err, missing ? PROCREF_E_LIMIT : PROCREF_E_NO_MEMORY, 0,
                        missing ? "recvmsg" : "mmap",
                        missing ? "no descriptor is left for the record page of '%s': raise "
                                  "RLIMIT_NOFILE (ulimit -n) or close some"
                                : "the record page of '%s' cannot be mapped",
                        shared->ident.name);
    }
    take(shared);
    int code = learn(shared, answer, record, err);
    if (code == 0) {
        code = attach_by_name(shared, terms, ret_handle, err);
    }
    give(shared);
    return code;
}

void pri_shared_sign(struct pri_shared *shared, struct pri_request *request) {
    take(shared);
    if (shared->self.pid == 0 || shared->self.start == 0) { /* 0: it could not be read last time */
        shared->self = pri_process_self();
    }
    request->start = shared->self.start;
    request->slot = shared->slot;
    give(shared);
}

/* ---- Release --------------------------------------------------------------------------------- */

/* The caller goes on with it after the handle is freed, whoever closes the service meanwhile. */
static void hold(struct pri_shared *shared, struct pri_released *ret) {
    shared->services++;
    ret->put = shared;
}

/* The handle of a parent: its memory is a copy and can go, its reference is not ours. */
static int release_inherited(procref_handle *handle, struct pri_released *ret, procref_error *err) {
    struct pri_shared *shared = handle->shared;
    take(shared);
    pri_info_put(handle->info);
    shared->inherited -= shared->inherited > 0;
    if (is_unused(shared)) {
        hold(shared, ret);
    }
    give(shared);
    pri_terms_put(handle->terms);
    free(handle);
    return pri_fail(err, PROCREF_E_FORKED, 0, "",
                    "this handle of '%s' belongs to the process that forked this one",
                    shared->ident.name);
}

static int detached(struct pri_shared *shared, int result, bool wait, struct pri_released *ret,
                    procref_error *err) {
    PRI_CRASH_POINT("detached");
    mark_held(shared, shared->leaving > 0);
    ret->last = true;
    ret->tell = result == PRI_GONE;
    if (wait || ret->tell || is_unused(shared)) {
        hold(shared, ret);
    }
    if (result == PRI_GONE) {
        shared->counter.id = -1;
    } else if (result != PRI_OK) {
        return pri_fail(err, PROCREF_E_RELEASE, shared->counter.os, "semop",
                        "the reference to '%s' was not there any more", shared->ident.name);
    }
    return 0;
}

/* Of a service with on_last_release: as one of many, or else the keeper is to be asked. */
static int release_callback(struct pri_shared *shared, bool wait, struct pri_released *ret,
                            procref_error *err) {
    int result = pri_counter_step(&shared->counter, PRI_DETACH_NOT_LAST, 0);
    if (result != PRI_NO) {
        return detached(shared, result, wait, ret, err);
    }
    shared->leaving++; /* the mark stays, as the reference does */
    ret->last = ret->close = true;
    ret->counter = shared->counter;
    hold(shared, ret);
    return 0;
}

PRI_HOT int pri_shared_release(procref_handle *handle, bool wait, struct pri_released *ret_released,
                               procref_error *err) {
    struct pri_shared *shared = handle->shared;
    int code = 0;
    *ret_released = (struct pri_released){0};
    if (handle->epoch != pri_fork_epoch()) {
        return release_inherited(handle, ret_released, err);
    }
    take(shared);
    ret_released->generation = handle->info->generation;
    ret_released->terms = handle->terms;
    if (--shared->held == 0) {
        code = handle->terms != NULL
                   ? release_callback(shared, wait, ret_released, err)
                   : detached(shared, pri_counter_step(&shared->counter, PRI_DETACH, 0), wait,
                              ret_released, err);
    }
    drop_handle(shared, handle);
    give(shared);
    return code;
}

void pri_shared_left(struct pri_shared *shared) {
    take(shared);
    shared->leaving -= shared->leaving > 0;
    if (shared->held == 0) {
        mark_held(shared, shared->leaving > 0);
    }
    give(shared);
}
