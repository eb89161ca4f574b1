/* The asynchronous acquire: an attempt (attempt.h) that the caller's event loop drives by one
 * waitable. */
#include <stdlib.h>

#include "core/attempt.h"
#include "core/call.h"
#include "core/fail.h"
#include "os/alarm.h"
#include "os/fork.h"
#include "os/poller.h"
#include "os/rendezvous.h"

struct procref_pending {
    struct pri_attempt attempt;
    uint32_t epoch; /* of the process that began it */
    procref_waitable poller, alarm;
    procref_waitable watched; /* the connection that is in the poller */
    int failed;               /* what was known at once is told by finish */
};

/*
 * Before a step, which may close the connection: a forked child may have a copy of it, and as long
 * as that is open a closed one stays in the poller, epoll(7). The next one may have its number.
 */
static void unwatch(procref_pending *p) {
    if (p->watched >= 0) {
        pri_poller_remove(p->poller, p->watched);
        p->watched = -1;
    }
}

/* Whatever the next step waits for, the poller tells. 0, or an error. */
static int await_next(procref_pending *p, int64_t wake_ns, procref_error *err) {
    if (p->attempt.link >= 0) {
        int code = pri_poller_add(p->poller, p->attempt.link, 0);
        if (code < 0) {
            return pri_fail(err, code, 0, "epoll_ctl",
                            "nothing is left to wait for '%s' with: see "
                            "/proc/sys/fs/epoll/max_user_watches",
                            p->attempt.shared->ident.name);
        }
        p->watched = p->attempt.link;
    }
    pri_alarm_set(p->alarm, wake_ns);
    return 0;
}

static procref_pending *free_pending(procref_pending *p) {
    pri_link_close(p->poller);
    pri_link_close(p->alarm);
    pri_shared_put(p->attempt.shared);
    pri_terms_put(p->attempt.terms);
    free(p);
    return NULL;
}

int procref_service_acquire_start(procref_service *s, int64_t timeout_ms,
                                  procref_pending **ret_pending, procref_error *err) {
    int code = pri_attempt_may_begin(s->shared, timeout_ms, err);
    if (code < 0) {
        return code;
    }
    procref_pending *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory to acquire '%s'",
                        s->shared->ident.name);
    }
    p->poller = p->alarm = p->watched = -1;
    code = pri_poller_open(&p->poller);
    code = code == 0 ? pri_alarm_open(&p->alarm) : code;
    code = code == 0 ? pri_poller_add(p->poller, p->alarm, 0) : code;
    if (code < 0) {
        pri_link_close(p->poller);
        pri_link_close(p->alarm);
        free(p);
        return pri_fail(err, code, 0, "epoll_create",
                        "no descriptor to wait for '%s': raise RLIMIT_NOFILE (ulimit -n)",
                        s->shared->ident.name);
    }
    p->epoch = pri_fork_epoch();
    pri_attempt_begin(&p->attempt, pri_shared_get(&s->shared->ident), s->terms, timeout_ms);
    atomic_fetch_add(&s->terms->users, 1);
    p->failed = pri_attempt_ask(&p->attempt, &p->attempt.error);
    p->failed = p->failed != PROCREF_E_AGAIN ? p->failed : 0;
    bool waits = p->failed == 0 && p->attempt.stage == PRI_ASKED;
    code = await_next(p, waits ? p->attempt.deadline_ns : p->attempt.wake_ns, err);
    if (code < 0) {
        procref_pending_cancel(p);
        return code;
    }
    *ret_pending = p;
    return 0;
}

procref_waitable procref_pending_ready(const procref_pending *p) {
    return p->poller;
}

/* A forked child has copies of the descriptors; the connection itself is its parent's. */
static procref_pending *forget(procref_pending *p) {
    pri_link_close(p->attempt.link);
    if (p->attempt.handle != NULL) {
        pri_release(p->attempt.handle, NULL, NULL); /* the copy only */
    }
    return free_pending(p);
}

int procref_pending_finish(procref_pending *p, procref_handle **ret_handle, procref_error *err) {
    if (p->epoch != pri_fork_epoch()) {
        int code = pri_fail(err, PROCREF_E_FORKED, 0, "",
                            "this acquire of '%s' belongs to the process that forked this one",
                            p->attempt.shared->ident.name);
        forget(p);
        return code;
    }
    int code = p->failed;
    if (code == 0) {
        unwatch(p);
        code = pri_attempt_step(&p->attempt, ret_handle, err);
    } else {
        pri_fail_copy(err, &p->attempt.error);
    }
    if (code == PROCREF_E_AGAIN) {
        code = await_next(p, p->attempt.wake_ns, err);
        if (code == 0) {
            return PROCREF_E_AGAIN;
        }
    }
    if (code < 0) {
        pri_attempt_end(&p->attempt);
    }
    free_pending(p);
    return code;
}

procref_pending *procref_pending_cancel(procref_pending *p) {
    if (p == NULL) {
        return NULL;
    }
    if (p->epoch != pri_fork_epoch()) {
        return forget(p);
    }
    pri_attempt_end(&p->attempt);
    return free_pending(p);
}
