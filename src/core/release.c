/* Releasing: what comes after the row that gives a reference back, or before it if this may be the
 * last of a service with on_last_release. */
#include "core/attempt.h"
#include "core/call.h"
#include "core/crash.h"
#include "core/fail.h"
#include "core/hot.h"
#include "core/talk.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/fork.h"
#include "os/rendezvous.h"

enum {
    PATIENCE_MS = 1000, /* for a keeper that is told, not asked */
    CLOSE_MS = 10000,   /* for one that is asked whether this is the last: it answers at once */
};

void pri_attempt_tell_released(struct pri_shared *shared) {
    struct pri_request request;
    procref_waitable link;
    if (pri_rendezvous_connect(&shared->ident, pri_deadline(PATIENCE_MS), &link, NULL) == 0) {
        pri_talk_fill(&request, shared, PRI_ASK_RELEASED);
        pri_link_send(link, &request, sizeof request, -1);
        pri_link_close(link); /* it has been said; nobody waits for this end of file */
    }
}

/* Waits until the generation is stopped, or somebody else turns out to hold the service. */
static int await_stop(struct pri_shared *shared, uint32_t generation, int64_t deadline_ns,
                      procref_error *err) {
    struct pri_request request;
    struct pri_answer answer;
    procref_error error = PROCREF_ERROR_INIT;
    ptrdiff_t got = 0;
    while (got == 0) {
        procref_waitable link, page = -1;
        int code = pri_rendezvous_connect(&shared->ident, deadline_ns, &link, &error);
        if (code == PROCREF_E_NOT_FOUND) {
            return 0;
        }
        if (code == PROCREF_E_AGAIN) {
            got = code;
            break;
        }
        if (code < 0) {
            pri_fail_copy(err, &error);
            return code;
        }
        pri_talk_fill(&request, shared, PRI_ASK_GONE);
        request.generation = generation;
        if (pri_link_send(link, &request, sizeof request, -1) == 0) {
            got = pri_talk_receive(link, deadline_ns, shared->ident.name, &answer, &page, err);
        }
        pri_link_hang_up(link);
        pri_link_close(page);
    }
    if (got == PROCREF_E_AGAIN) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                        "the reference to '%s' is given back, but it is not stopped yet",
                        shared->ident.name);
    }
    return got < 0 ? (int)got : 0;
}

/* ---- The last one, with on_last_release ------------------------------------------------------ */

/* What the keeper says: CLOSE, DETACH or STAYS; 0: it has gone, ask again; -1: there is none, or it
 * does not answer. */
static int ask_to_close(struct pri_shared *shared, uint32_t generation, int64_t deadline_ns,
                        struct pri_answer *answer, procref_waitable *ret_page) {
    struct pri_request request;
    procref_waitable link;
    *ret_page = -1;
    if (pri_rendezvous_connect(&shared->ident, deadline_ns, &link, NULL) < 0) {
        return -1;
    }
    pri_talk_fill(&request, shared, PRI_ASK_CLOSE);
    request.generation = generation;
    ptrdiff_t got = 0;
    if (pri_link_send(link, &request, sizeof request, -1) == 0) {
        got = pri_talk_receive(link, deadline_ns, shared->ident.name, answer, ret_page, NULL);
    }
    pri_link_hang_up(link);
    return got > 0 ? (int)answer->tell : got == 0 ? 0 : -1;
}

/*
 * Gives the reference back as one of many if others have come; else the keeper closes the service,
 * and the callback runs before the reference goes. Without a keeper, or if it stops the service
 * itself, the reference simply goes.
 */
static int close_last(struct pri_shared *shared, struct pri_released *r, procref_error *err) {
    int64_t deadline_ns = pri_deadline(CLOSE_MS);
    int code = 0, result = PRI_NO, told = 0;
    while (told == 0 || told == PRI_TELL_STAYS) {
        struct pri_answer answer;
        procref_waitable page;
        result = pri_counter_step(&r->counter, PRI_DETACH_NOT_LAST, 0);
        if (result != PRI_NO) {
            break;
        }
        PRI_CRASH_POINT("may be the last");
        told = ask_to_close(shared, r->generation, deadline_ns, &answer, &page);
        if (told == PRI_TELL_CLOSE) {
            code = pri_call_last(shared, r->terms, &answer, page, err);
        } else {
            pri_link_close(page);
        }
        if (told != PRI_TELL_CLOSE && pri_clock_ns() >= deadline_ns) {
            code = pri_fail(err, PROCREF_E_RELEASE, 0, "recvmsg",
                            "the keeper of '%s' does not answer: the reference is given back "
                            "without on_last_release",
                            shared->ident.name);
            break;
        }
    }
    if (code == PROCREF_E_FORKED) {
        result = PRI_OK; /* the reference is the parent's, who goes on in the callback */
    }
    if (result == PRI_NO) {
        PRI_CRASH_POINT("about to detach");
        result = pri_counter_step(&r->counter, PRI_DETACH, 0);
    }
    pri_shared_left(shared);
    r->tell = result == PRI_GONE;
    if (code == 0 && result != PRI_OK && result != PRI_GONE) {
        code = pri_fail(err, PROCREF_E_RELEASE, r->counter.os, "semop",
                        "the reference to '%s' was not there any more", shared->ident.name);
    }
    return code;
}

PRI_HOT int pri_release(procref_handle *h, const int64_t *timeout_ms, procref_error *err) {
    struct pri_released released;
    struct pri_shared *shared = h->shared;
    int64_t deadline_ns = timeout_ms != NULL ? pri_deadline(*timeout_ms) : 0;
    procref_waitable gone = atomic_load_explicit(&h->gone, memory_order_relaxed);
    if (gone >= 0) {
        pri_link_close(gone);
    }
    int code = pri_shared_release(h, timeout_ms != NULL, &released, err);
    if (released.close) {
        code = close_last(shared, &released, err);
    }
    if (released.tell) {
        pri_attempt_tell_released(shared);
    }
    if (code == 0 && released.last && timeout_ms != NULL) {
        code = await_stop(shared, released.generation, deadline_ns, err);
    }
    pri_terms_put(released.terms);
    if (released.put != NULL) {
        pri_shared_put(released.put);
    }
    return code;
}
