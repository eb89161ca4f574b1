/* A client's side of a conversation with the keeper (talk.h). */
#include "core/talk.h"

#include <string.h>

#include "core/fail.h"
#include "core/trace.h"
#include "os/rendezvous.h"

void pri_talk_fill(struct pri_request *request, struct pri_shared *shared, enum pri_ask ask) {
    memset(request, 0, sizeof *request);
    request->magic = PRI_WIRE_MAGIC;
    request->version = PRI_WIRE_VERSION;
    request->ask = ask;
    request->hash = shared->ident.hash;
    pri_shared_sign(shared, request);
    memcpy(request->name, shared->ident.name, sizeof request->name);
}

static bool is_complete(const struct pri_answer *answer, ptrdiff_t size) {
    if (size < (ptrdiff_t)(2 * sizeof(uint32_t)) || answer->magic != PRI_WIRE_MAGIC ||
        answer->version != PRI_WIRE_VERSION || size < (ptrdiff_t)PRI_ANSWER_HEAD ||
        answer->tell < PRI_TELL_UP || answer->tell > PRI_TELL_STOPPED ||
        answer->tell == PRI_TELL_STATUS) {
        return false;
    }
    return answer->tell != PRI_TELL_FAILED || size >= (ptrdiff_t)sizeof *answer;
}

ptrdiff_t pri_talk_receive(procref_waitable link, int64_t deadline_ns, const char *name,
                           struct pri_answer *answer, procref_waitable *ret_page,
                           procref_error *err) {
    uint32_t pid;
    ptrdiff_t got;
    while ((got = pri_link_receive(link, answer, sizeof *answer, &pid, ret_page)) ==
           PROCREF_E_AGAIN) {
        if (!pri_link_wait(link, deadline_ns)) {
            return PROCREF_E_AGAIN;
        }
    }
    if (got > 0 && !is_complete(answer, got)) {
        pri_link_close(*ret_page);
        *ret_page = -1;
        return pri_fail(
            err, PROCREF_E_CONFLICT, 0, "recvmsg",
            "'%s' is run by another version of procref, which this one does not understand", name);
    }
    return got;
}

int pri_talk_refused(const struct pri_answer *answer, procref_error *err) {
    PRI_TRACE("told failed: %.*s", (int)sizeof answer->message, answer->message);
    pri_fail(err, answer->code, 0, "", "%.*s", (int)sizeof answer->message - 1, answer->message);
    if (err != NULL && err->size >= sizeof *err) {
        err->os_code = answer->os_code;
        memcpy(err->op, answer->op, sizeof err->op);
        err->op[sizeof err->op - 1] = '\0';
    }
    pri_fail_detail(err, answer->detail, strnlen(answer->detail, sizeof answer->detail - 1));
    return answer->code < 0 ? answer->code : PROCREF_E_OTHER;
}
