/*
 * Acquiring through the keeper (attempt.h): connect, or spawn a pair; send what is wanted; take the
 * answer; begin again when the keeper died meanwhile. Each wait is on one descriptor.
 */
#include "core/attempt.h"

#include <string.h>

#include "core/call.h"
#include "core/crash.h"
#include "core/fail.h"
#include "core/talk.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/counter.h"
#include "os/folder.h"
#include "os/rendezvous.h"
#include "os/spawn.h"

enum {
    ANSWER_MS = 1000, /* with timeout 0: for the keeper's answer, which needs no start */
    GRACE_MS =
        5000, /* for the keeper's answer to who has just started the service, in vain if late */
    AGAIN_AT_ONCE = 16, /* times */
    LATE_MS = 300,      /* in a test */
    SPAWNS_MOST = 20,   /* pairs that died at once: something is wrong with the keeper itself */
    UNHEALTHY_MOST = 3, /* generations, one after the other, that are up and do not work */
};

static const char *name_of(const struct pri_attempt *a) {
    return a->shared->ident.name;
}

static int timed_out(const struct pri_attempt *a, procref_error *err) {
    if (a->timeout_ms == 0 && (a->link >= 0 || a->full)) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                        "the keeper of '%s' does not answer, and timeout 0 does not wait",
                        name_of(a));
    }
    if (a->timeout_ms == 0) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                        "'%s' is not running, and timeout 0 starts nothing", name_of(a));
    }
    return pri_fail(err, PROCREF_E_TIMEOUT, 0, "", "'%s' was not ready within %lld ms", name_of(a),
                    (long long)a->timeout_ms);
}

static void hang_up(struct pri_attempt *a) {
    if (a->link >= 0) {
        pri_link_hang_up(a->link);
        a->link = -1;
    }
}

/*
 * Beginning again is at once, at first: the keeper died, or the service was just being stopped, or
 * the keeper's queue was full for a moment. Who must not block is told of a place in it by nobody.
 */
static int begin_again(struct pri_attempt *a, procref_error *err) {
    hang_up(a);
    int64_t now_ns = pri_clock_ns();
    if (now_ns >= a->deadline_ns) {
        return timed_out(a, err);
    }
    a->stage = PRI_REACH;
    if (++a->times > AGAIN_AT_ONCE) {
        int shift = a->times - AGAIN_AT_ONCE < 4 ? a->times - AGAIN_AT_ONCE : 4;
        a->wake_ns = now_ns + (INT64_C(1) << shift) * PRI_MS;
        a->wake_ns = a->wake_ns < a->deadline_ns ? a->wake_ns : a->deadline_ns;
    }
    return PROCREF_E_AGAIN;
}

/* The counter did not take what the keeper's answer promised: the world moved on meanwhile, unless
 * it is another's world. */
static int counter_moved_on(struct pri_attempt *a, const struct pri_answer *answer,
                            procref_error *err) {
    uint32_t own = pri_counter_space();
    if (own != 0 && answer->space != 0 && own != answer->space) {
        return pri_fail(err, PROCREF_E_UNSUPPORTED, 0, "semop",
                        "'%s' runs in another IPC namespace (another container?), and cannot be "
                        "held from this one",
                        name_of(a));
    }
    return begin_again(a, err);
}

/* A connection to the keeper that is there, or to a new one. AGAIN: begin again. */
static int reach(struct pri_attempt *a, procref_error *err) {
    int64_t patience_ns = a->may_block ? a->deadline_ns : pri_clock_ns();
    int code = pri_rendezvous_connect(&a->shared->ident, patience_ns, &a->link, err);
    a->full = code == PROCREF_E_AGAIN;
    if (code != PROCREF_E_NOT_FOUND) {
        return code;
    }
    if (a->timeout_ms == 0) {
        return timed_out(a, err);
    }
    if (a->spawned >= SPAWNS_MOST) {
        return pri_fail(err, PROCREF_E_PLATFORM, 0, "execveat",
                        "the keeper of '%s' ends before it answers, %d times by now", name_of(a),
                        (int)SPAWNS_MOST);
    }
    code = pri_spawn_pair(a->terms->config, &a->link, err);
    a->spawned += code == 0;
    return code;
}

static int ask(struct pri_attempt *a) {
    struct pri_request request;
    const struct pri_config *config = a->terms->config;
    pri_talk_fill(&request, a->shared, PRI_ASK_ACQUIRE);
    request.flags = (config->share ? PRI_ASK_SHARE : 0) |
                    (a->timeout_ms == 0 ? PRI_ASK_NO_START : 0) |
                    (a->handle != NULL ? PRI_ASK_UNHEALTHY : 0) |
                    (a->terms->given.on_recover != NULL ? PRI_ASK_RECOVERS : 0);
    request.generation = a->handle != NULL ? a->handle->info->generation : 0;
    memcpy(request.parts, config->parts, sizeof request.parts);
    if (pri_fault("asks late")) { /* when it is up already */
        pri_link_wait(-1, pri_deadline(LATE_MS));
    }
    if (pri_link_send(a->link, &request, sizeof request, -1) < 0) {
        return PROCREF_E_AGAIN;
    }
    PRI_TRACE("asks for '%s'%s", name_of(a), a->handle != NULL ? ", which is unhealthy" : "");
    a->stage = PRI_ASKED;
    return 0;
}

static int reach_and_ask(struct pri_attempt *a, procref_error *err) {
    int code = reach(a, err);
    code = code == 0 ? ask(a) : code;
    return code == PROCREF_E_AGAIN ? begin_again(a, err) : code;
}

/* It is up: a handle, of what is up now instead of what was unhealthy. */
static int take_up(struct pri_attempt *a, const struct pri_answer *answer, procref_waitable page,
                   procref_error *err) {
    procref_handle *handle;
    PRI_TRACE("told up(%u), pid %u, slot %d", (unsigned)answer->generation, (unsigned)answer->pid,
              (int)answer->slot);
    int code = pri_shared_attach(a->shared, a->terms, answer, page, &handle, err);
    if (code == PROCREF_E_AGAIN) {
        return counter_moved_on(a, answer, err);
    }
    if (code == 0) {
        hang_up(a);
        if (a->handle != NULL) {
            pri_release(a->handle, NULL, NULL); /* one of two */
        }
        a->handle = handle;
        a->stage = PRI_CHECK;
        /* The keeper has just found a command's service ready: that was its check. */
        a->started = a->started || (answer->waited && a->unhealthy == 0 &&
                                    a->terms->given.on_first_acquire == NULL);
    }
    return code;
}

/* This client was elected. */
static int start(struct pri_attempt *a, const struct pri_answer *answer, procref_waitable page,
                 procref_error *err) {
    PRI_TRACE("told to %s as %u", answer->tell == PRI_TELL_RECOVER ? "recover" : "start",
              (unsigned)answer->generation);
    bool told;
    int code =
        pri_call_start(a->shared, a->terms, answer, page, a->link, a->deadline_ns, &told, err);
    if (code == PROCREF_E_FORKED) {
        pri_link_close(a->link); /* its parent's: not to be hung up */
        a->link = -1;
        return code;
    }
    if (code < 0 && code != PROCREF_E_AGAIN && !told) {
        return code;
    }
    if (code == PROCREF_E_AGAIN) {
        return counter_moved_on(a, answer, err);
    }
    if (code == 0) {
        /* The callback may have taken all the time there was: who has just started the service is
         * not sent away while the keeper's word is on its way. */
        int64_t grace_ns = pri_deadline(GRACE_MS);
        a->deadline_ns = a->deadline_ns > grace_ns ? a->deadline_ns : grace_ns;
    }
    a->started = true;
    a->failed = code;
    return 0;
}

/* The keeper's answer, if it is there. */
static int listen(struct pri_attempt *a, procref_error *err) {
    struct pri_answer answer;
    procref_waitable page = -1;
    ptrdiff_t got = pri_talk_receive(a->link, pri_clock_ns(), name_of(a), &answer, &page,
                                     a->failed == 0 ? err : NULL);
    if (a->failed != 0 && (got != PROCREF_E_AGAIN || pri_clock_ns() >= a->deadline_ns)) {
        pri_link_close(page);
        return a->failed;
    }
    if (got == 0) {
        PRI_TRACE("end of file, begins again");
        a->started = false;
        return begin_again(a, err);
    }
    if (got == PROCREF_E_AGAIN) {
        if (pri_clock_ns() >= a->deadline_ns) {
            return timed_out(a, err);
        }
        a->wake_ns = a->deadline_ns;
        return PROCREF_E_AGAIN;
    }
    if (got < 0) {
        return (int)got;
    }
    switch (answer.tell) {
    case PRI_TELL_UP: return take_up(a, &answer, page, err);
    case PRI_TELL_START:
    case PRI_TELL_RECOVER:
        if (a->terms->given.on_first_acquire != NULL) {
            return start(a, &answer, page, err);
        }
        break;
    default: break;
    }
    pri_link_close(page);
    return answer.tell == PRI_TELL_FAILED ? pri_talk_refused(&answer, err) : begin_again(a, err);
}

/* 0: the handle can be had. Else the keeper is to be told that what is up does not work. */
static int check(struct pri_attempt *a, procref_error *err) {
    if (a->started || pri_call_health(a->shared, a->terms, a->handle->info)) {
        return 0;
    }
    PRI_TRACE("on_health_check says no to generation %u", (unsigned)a->handle->info->generation);
    if (a->timeout_ms == 0 || ++a->unhealthy > UNHEALTHY_MOST) {
        return pri_fail(
            err, PROCREF_E_SERVICE_UNHEALTHY, 0, "on_health_check",
            a->timeout_ms == 0
                ? "'%s' runs, but its health check fails, and timeout 0 recovers nothing"
                : "'%s' was recovered again and again, but its health check fails",
            name_of(a));
    }
    return begin_again(a, err);
}

int pri_attempt_may_begin(const struct pri_shared *shared, int64_t timeout_ms, procref_error *err) {
    if (timeout_ms < -1) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "timeout_ms is %lld: use -1 to wait for ever", (long long)timeout_ms);
    }
    if (pri_call_is_inside(&shared->ident)) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "'%s' is acquired inside one of its own callbacks, which it would wait for",
                        shared->ident.name);
    }
    return 0;
}

void pri_attempt_begin(struct pri_attempt *a, struct pri_shared *shared, struct pri_terms *terms,
                       int64_t timeout_ms) {
    *a = (struct pri_attempt){.shared = shared,
                              .terms = terms,
                              .timeout_ms = timeout_ms,
                              .deadline_ns = pri_deadline(timeout_ms != 0 ? timeout_ms : ANSWER_MS),
                              .link = -1,
                              .error = PROCREF_ERROR_INIT};
}

int pri_attempt_ask(struct pri_attempt *a, procref_error *err) {
    if (a->stage == PRI_TRY) {
        if (pri_own_user() != a->shared->ident.user) {
            return pri_fail(err, PROCREF_E_PERMISSION, 0, "geteuid",
                            "'%s' was opened as user %u and this is user %u now: open it again",
                            name_of(a), (unsigned)a->shared->ident.user, (unsigned)pri_own_user());
        }
        int code = pri_shared_try(a->shared, a->terms, &a->handle, err);
        if (code == 0) {
            a->stage = PRI_CHECK;
            return 0;
        }
        if (code != PROCREF_E_AGAIN) {
            return code;
        }
        a->stage = PRI_REACH;
    }
    return a->stage == PRI_REACH ? reach_and_ask(a, err) : 0;
}

int pri_attempt_step(struct pri_attempt *a, procref_handle **ret_handle, procref_error *err) {
    procref_error *kept = &a->error; /* what fails on the way may still succeed */
    int code = 0;
    a->wake_ns = 0;
    while (code == 0) {
        switch (a->stage) {
        case PRI_TRY:
        case PRI_REACH: code = pri_attempt_ask(a, kept); break;
        case PRI_ASKED: code = listen(a, kept); break;
        case PRI_CHECK:
            code = check(a, kept);
            if (code == 0) {
                *ret_handle = a->handle;
                a->handle = NULL;
                return 0;
            }
            break;
        }
        if (code == PROCREF_E_AGAIN && a->wake_ns == 0) {
            code = 0; /* at once */
        }
    }
    if (code != PROCREF_E_AGAIN) {
        pri_fail_copy(err, kept);
    }
    return code;
}

void pri_attempt_end(struct pri_attempt *a) {
    hang_up(a);
    if (a->handle != NULL) {
        pri_release(a->handle, NULL, NULL);
        a->handle = NULL;
    }
}

int pri_attempt(struct pri_shared *shared, struct pri_terms *terms, int64_t timeout_ms,
                procref_handle **ret_handle, procref_error *err) {
    struct pri_attempt a;
    int code;
    pri_attempt_begin(&a, shared, terms, timeout_ms);
    a.may_block = true;
    while ((code = pri_attempt_step(&a, ret_handle, err)) == PROCREF_E_AGAIN) {
        pri_link_wait(a.link, a.wake_ns);
    }
    if (code < 0) {
        pri_attempt_end(&a);
    }
    return code;
}
