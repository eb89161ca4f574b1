/*
 * Asking the keeper: connect, or spawn a pair; send what is wanted; wait for the answer until the
 * deadline; begin again when the keeper died meanwhile. Each wait is on one descriptor.
 */
#include <string.h>

#include "core/fail.h"
#include "core/shared.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/rendezvous.h"
#include "os/spawn.h"

enum {
    ANSWER_MS = 1000,   /* with timeout 0: for the keeper's answer, which needs no start */
    PATIENCE_MS = 1000, /* for a keeper that is told, not asked */
    AGAIN_AT_ONCE = 16, /* times */
    SPAWNS_MOST = 20,   /* pairs that died at once: something is wrong with the keeper itself */
};

struct attempt {
    struct pri_shared *shared;
    const struct pri_config *config;
    int64_t timeout_ms, deadline_ns;
    int spawned;
};

static void fill_request(struct pri_request *request, struct pri_shared *shared, enum pri_ask ask) {
    memset(request, 0, sizeof *request);
    request->magic = PRI_WIRE_MAGIC;
    request->version = PRI_WIRE_VERSION;
    request->ask = ask;
    request->hash = shared->ident.hash;
    pri_shared_sign(shared, request);
    memcpy(request->name, shared->ident.name, sizeof request->name);
}

static int timed_out(const struct attempt *a, procref_error *err) {
    const char *name = a->shared->ident.name;
    if (a->timeout_ms == 0) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                        "'%s' is not running, and timeout 0 starts nothing", name);
    }
    return pri_fail(err, PROCREF_E_TIMEOUT, 0, "", "'%s' was not ready within %lld ms", name,
                    (long long)a->timeout_ms);
}

static int refused(const struct pri_answer *answer, procref_error *err) {
    pri_fail(err, answer->code, 0, answer->op, "%s", answer->message);
    if (err != NULL && err->size >= sizeof *err) {
        err->os_code = answer->os_code;
    }
    pri_fail_detail(err, answer->detail, strnlen(answer->detail, sizeof answer->detail - 1));
    return answer->code < 0 ? answer->code : PROCREF_E_OTHER;
}

/* One packet of the keeper: its size, 0 at the end of file, AGAIN when the deadline passed. */
static ptrdiff_t receive(procref_waitable link, int64_t deadline_ns, struct pri_answer *answer,
                         procref_waitable *ret_page) {
    uint32_t pid;
    for (;;) {
        ptrdiff_t got = pri_link_receive(link, answer, sizeof *answer, &pid, ret_page);
        if (got != PROCREF_E_AGAIN) {
            return got;
        }
        if (!pri_link_wait(link, deadline_ns)) {
            return PROCREF_E_AGAIN;
        }
    }
}

static bool complete(const struct pri_answer *answer, ptrdiff_t size) {
    ptrdiff_t least = answer->tell == PRI_TELL_UP ? (ptrdiff_t)offsetof(struct pri_answer, os_code)
                                                  : (ptrdiff_t)sizeof *answer;
    return size >= least && (answer->tell == PRI_TELL_UP || answer->tell == PRI_TELL_FAILED);
}

static int handle_answer(struct attempt *a, struct pri_answer *answer, ptrdiff_t size,
                         procref_waitable page, procref_handle **ret_handle, procref_error *err) {
    if (size < (ptrdiff_t)(2 * sizeof(uint32_t)) || answer->magic != PRI_WIRE_MAGIC ||
        answer->version != PRI_WIRE_VERSION || !complete(answer, size)) {
        pri_link_close(page);
        return pri_fail(
            err, PROCREF_E_CONFLICT, 0, "recvmsg",
            "'%s' is run by another version of procref, which this one does not understand",
            a->shared->ident.name);
    }
    if (answer->tell == PRI_TELL_UP) {
        PRI_TRACE("told up(%u), pid %u, slot %d", (unsigned)answer->generation,
                  (unsigned)answer->pid, (int)answer->slot);
        return pri_shared_attach(a->shared, answer, page, ret_handle, err);
    }
    pri_link_close(page);
    answer->op[sizeof answer->op - 1] = answer->message[sizeof answer->message - 1] = '\0';
    PRI_TRACE("told failed: %s", answer->message);
    return refused(answer, err);
}

/* Asks over one connection. AGAIN: begin again. */
static int ask(struct attempt *a, procref_waitable link, procref_handle **ret_handle,
               procref_error *err) {
    struct pri_request request;
    struct pri_answer answer;
    procref_waitable page = -1;
    fill_request(&request, a->shared, PRI_ASK_ACQUIRE);
    request.flags =
        (a->config->share ? PRI_ASK_SHARE : 0) | (a->timeout_ms == 0 ? PRI_ASK_NO_START : 0);
    memcpy(request.parts, a->config->parts, sizeof request.parts);
    if (pri_link_send(link, &request, sizeof request, -1) < 0) {
        return PROCREF_E_AGAIN;
    }
    PRI_TRACE("asks for '%s'", a->shared->ident.name);
    ptrdiff_t got = receive(link, a->deadline_ns, &answer, &page);
    if (got == 0) {
        PRI_TRACE("end of file, begins again");
        return PROCREF_E_AGAIN;
    }
    if (got < 0) {
        return timed_out(a, err);
    }
    return handle_answer(a, &answer, got, page, ret_handle, err);
}

/* A connection to the keeper that is there, or to a new one. AGAIN: begin again. */
static int reach(struct attempt *a, procref_waitable *ret_link, procref_error *err) {
    int code = pri_rendezvous_connect(&a->shared->ident, a->deadline_ns, ret_link, err);
    if (code != PROCREF_E_NOT_FOUND) {
        return code;
    }
    if (a->timeout_ms == 0) {
        return timed_out(a, err);
    }
    if (a->spawned >= SPAWNS_MOST) {
        return pri_fail(err, PROCREF_E_PLATFORM, 0, "execveat",
                        "the keeper of '%s' ends before it answers, %d times in a row",
                        a->shared->ident.name, (int)SPAWNS_MOST);
    }
    code = pri_spawn_pair(a->config, ret_link, err);
    a->spawned += code == 0;
    return code;
}

/* Beginning again is at once, at first: the keeper died, or the service was just being stopped. */
static void pause_if_it_goes_on(int times) {
    if (times > AGAIN_AT_ONCE) {
        int shift = times - AGAIN_AT_ONCE < 4 ? times - AGAIN_AT_ONCE : 4;
        pri_link_wait(-1, pri_deadline(INT64_C(1) << shift));
    }
}

static int try_until_deadline(struct attempt *a, procref_handle **ret_handle, procref_error *err) {
    for (int times = 0;; times++) {
        procref_waitable link;
        int code = reach(a, &link, err);
        if (code == 0) {
            code = ask(a, link, ret_handle, err);
            pri_link_hang_up(link);
        }
        if (code != PROCREF_E_AGAIN) {
            return code;
        }
        if (pri_clock_ns() >= a->deadline_ns) {
            return timed_out(a, err);
        }
        pause_if_it_goes_on(times);
    }
}

int pri_attempt(struct pri_shared *shared, const struct pri_config *config, int64_t timeout_ms,
                procref_handle **ret_handle, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT; /* of an attempt that may still succeed */
    struct attempt a = {.shared = shared, .config = config, .timeout_ms = timeout_ms};
    a.deadline_ns = pri_deadline(timeout_ms != 0 ? timeout_ms : ANSWER_MS);
    if (pri_own_user() != shared->ident.user) {
        return pri_fail(err, PROCREF_E_PERMISSION, 0, "geteuid",
                        "'%s' was opened as user %u and this is user %u now: open it again",
                        shared->ident.name, (unsigned)shared->ident.user, (unsigned)pri_own_user());
    }
    int code = try_until_deadline(&a, ret_handle, &error);
    if (code < 0) {
        pri_fail_copy(err, &error);
    }
    return code;
}

void pri_attempt_tell_released(struct pri_shared *shared) {
    struct pri_request request;
    procref_waitable link;
    if (pri_rendezvous_connect(&shared->ident, pri_deadline(PATIENCE_MS), &link, NULL) == 0) {
        fill_request(&request, shared, PRI_ASK_RELEASED);
        pri_link_send(link, &request, sizeof request, -1);
        pri_link_close(link); /* it has been said; nobody waits for this end of file */
    }
}

int pri_attempt_await_stop(struct pri_shared *shared, uint32_t generation, int64_t deadline_ns,
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
        if (code < 0) {
            pri_fail_copy(err, &error);
            return code;
        }
        fill_request(&request, shared, PRI_ASK_GONE);
        request.generation = generation;
        got = PROCREF_E_AGAIN;
        if (pri_link_send(link, &request, sizeof request, -1) < 0) {
            got = 0;
        } else {
            got = receive(link, deadline_ns, &answer, &page);
        }
        pri_link_hang_up(link);
        pri_link_close(page);
    }
    if (got == PROCREF_E_AGAIN) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "",
                        "the reference to '%s' is given back, but it is not stopped yet",
                        shared->ident.name);
    }
    return 0;
}
