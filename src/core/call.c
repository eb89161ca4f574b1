/* Running a service's callbacks (call.h). */
#include "core/call.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/attempt.h"
#include "core/crash.h"
#include "core/fail.h"
#include "core/talk.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/fork.h"
#include "os/rendezvous.h"

enum {
    ACK_MS = 5000
}; /* at least this long the keeper is waited for, however late the acquire is */

/* ---- Which callbacks this thread is inside of ------------------------------------------------ */

struct inside {
    const struct pri_ident *ident;
    uint32_t epoch; /* a child that the callback forked is not inside */
    const struct inside *outer;
};

static _Thread_local const struct inside *innermost;

static void go_inside(struct inside *inside, const struct pri_shared *shared) {
    *inside = (struct inside){&shared->ident, pri_fork_epoch(), innermost};
    innermost = inside;
}

static void go_outside(const struct inside *inside) {
    innermost = inside->outer;
}

bool pri_call_is_inside(const struct pri_ident *ident) {
    for (const struct inside *at = innermost; at != NULL; at = at->outer) {
        if (at->epoch == pri_fork_epoch() && at->ident->hash == ident->hash &&
            strcmp(at->ident->name, ident->name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- The rows enter and leave ---------------------------------------------------------------- */

struct call {
    struct pri_shared *shared;
    struct pri_record *record; /* a mapping of its own: the shared one may change meanwhile */
    struct pri_counter counter;
    int32_t slot;
    uint32_t epoch; /* of the process that entered */
};

static void mark_call(struct call *call, uint32_t stamp) {
    if (call->slot >= 0 && call->slot < PRI_RECORD_SLOTS) {
        atomic_store(&call->record->slots[call->slot].calls, stamp);
    }
}

/* AGAIN: the generation went on, or the set is gone: the callback must not run. */
static int enter(struct call *call, struct pri_shared *shared, const struct pri_answer *answer,
                 procref_waitable page, procref_error *err) {
    *call = (struct call){.shared = shared, .slot = answer->slot, .epoch = pri_fork_epoch()};
    call->record = pri_record_map(page);
    if (call->record == NULL) {
        return pri_fail(err, PROCREF_E_LIMIT, 0, "mmap",
                        "the record page of '%s' cannot be mapped: out of memory or descriptors",
                        shared->ident.name);
    }
    int code = pri_counter_find(&shared->ident, &call->counter, err);
    if (code == 0) {
        mark_call(call, pri_counter_stamp(&call->counter));
        PRI_CRASH_POINT("marked, not entered");
        int result = pri_counter_step(&call->counter, PRI_ENTER, answer->generation);
        if (result == PRI_OK) {
            PRI_CRASH_POINT("entered");
            return 0;
        }
        mark_call(call, 0);
        code = result < 0 ? pri_counter_explain(&call->counter, result, shared->ident.name, err)
                          : PROCREF_E_AGAIN;
    }
    pri_record_unmap(call->record);
    return code == PROCREF_E_NOT_FOUND ? PROCREF_E_AGAIN : code;
}

/*
 * The callback forked, and the child returned from it too. What was entered and what is to be
 * reported are its parent's: it has copies of memory and descriptors, which go.
 */
static bool is_forked(struct call *call, procref_error *err) {
    if (call->epoch == pri_fork_epoch()) {
        return false;
    }
    pri_record_unmap(call->record);
    pri_fail(err, PROCREF_E_FORKED, 0, "",
             "a callback of '%s' returned in a process that it had forked, whose parent goes on "
             "with it: let the child exit or execute a program",
             call->shared->ident.name);
    return true;
}

static void leave(struct call *call) {
    PRI_CRASH_POINT("about to leave");
    int result = pri_counter_step(&call->counter, PRI_LEAVE, 0);
    mark_call(call, 0);
    PRI_CRASH_POINT("left");
    pri_record_unmap(call->record);
    if (result == PRI_GONE) {
        pri_attempt_tell_released(call->shared); /* it may wait for this, to go on with a new set */
    }
}

/* ---- Naming ---------------------------------------------------------------------------------- */

struct naming {
    struct pri_naming base; /* first: it is what the info knows */
    struct pri_shared *shared;
    procref_waitable link;
    int64_t deadline_ns;
    uint32_t epoch;
    int failed; /* 0, AGAIN or TIMEOUT: the keeper does not know the process */
};

static void fill_report(struct pri_report_head *report, const struct pri_process *process,
                        enum pri_ask ask) {
    memset(report, 0, sizeof *report);
    report->magic = PRI_WIRE_MAGIC;
    report->version = PRI_WIRE_VERSION;
    report->ask = ask;
    report->pid = process->pid;
    report->start = process->start;
}

static int64_t at_least(int64_t deadline_ns) {
    int64_t least = pri_deadline(ACK_MS);
    return deadline_ns > least ? deadline_ns : least;
}

static int name_process(struct pri_naming *base, const struct pri_process *process) {
    struct naming *naming = (struct naming *)base;
    struct pri_report_head report;
    struct pri_answer answer;
    procref_waitable page = -1;
    if (naming->epoch != pri_fork_epoch()) {
        return PROCREF_E_FORKED; /* the connection is its parent's */
    }
    PRI_CRASH_POINT("started, not named");
    fill_report(&report, process, PRI_REPORT_NAMED);
    ptrdiff_t got = 0;
    if (pri_link_send(naming->link, &report, sizeof report, -1) == 0) {
        got = pri_talk_receive(naming->link, at_least(naming->deadline_ns),
                               naming->shared->ident.name, &answer, &page, NULL);
    }
    pri_link_close(page);
    naming->failed = got > 0 && answer.tell == PRI_TELL_ACK ? 0
                     : got == PROCREF_E_AGAIN               ? PROCREF_E_TIMEOUT
                                                            : PROCREF_E_AGAIN;
    PRI_TRACE("names %u: %s", (unsigned)process->pid,
              naming->failed == 0 ? "acknowledged" : "the keeper has gone");
    PRI_CRASH_POINT("named");
    return naming->failed;
}

/* What the keeper does not know of nobody else will end. */
static void end_unnamed(const struct pri_process *process, const struct pri_config *config) {
    if (process->pid == 0 || !pri_process_signal(process, config->stop_signal)) {
        return;
    }
    procref_waitable end = pri_process_watch(process);
    if (end < 0 || !pri_link_wait(end, pri_deadline(config->stop_timeout_ms))) {
        pri_process_signal(process, SIGKILL);
    }
    if (end >= 0) {
        pri_link_wait(end, pri_deadline(ACK_MS));
        pri_link_close(end);
    }
}

/* ---- on_first_acquire and on_recover --------------------------------------------------------- */

static int report_ready(procref_waitable link, const procref_info *info) {
    size_t size = offsetof(struct pri_report_ready, metadata) + info->metadata_size;
    struct pri_report_ready *report = malloc(sizeof *report);
    if (report == NULL) {
        return PROCREF_E_AGAIN; /* its end of file ends what it started; memory may come back */
    }
    fill_report(&report->head, &info->process, PRI_REPORT_READY);
    report->head.port = info->port;
    report->metadata_size = info->metadata_size;
    if (info->metadata_size > 0) {
        memcpy(report->metadata, info->metadata, info->metadata_size);
    }
    int code = pri_link_send(link, report, size, -1);
    free(report);
    return code < 0 ? PROCREF_E_AGAIN : 0;
}

static void report_failed(procref_waitable link, const procref_error *error) {
    static const struct pri_process nobody;
    struct pri_report_failed report;
    memset(&report, 0, sizeof report);
    fill_report(&report.head, &nobody, PRI_REPORT_FAILED);
    report.os_code = error->os_code;
    report.code = error->code;
    memcpy(report.op, error->op, sizeof report.op);
    memcpy(report.message, error->message, sizeof report.message);
    memcpy(report.detail, error->detail, sizeof report.detail);
    pri_link_send(link, &report, sizeof report, -1);
}

/* The callback said no: with an error, or with a bare number. */
static int failed(procref_error *error, int result, const char *callback, const char *name,
                  int code) {
    if (error->code == PROCREF_E_AGAIN) {
        error->code = code; /* of something else that it used: here it would mean "run me again" */
    }
    if (error->code < 0) {
        return error->code;
    }
    bool known = result < 0 && result != PROCREF_E_AGAIN &&
                 strcmp(procref_code_name(result), "UNKNOWN") != 0;
    return pri_fail(error, known ? result : code, 0, callback, "%s of '%s' returned %d (%s)",
                    callback, name, result,
                    known ? procref_code_text(result) : "no code of procref");
}

static procref_info *make_old(const struct call *call, const struct pri_answer *answer) {
    procref_info *old = pri_info_make();
    if (old != NULL) {
        old->generation =
            atomic_load(&call->record->metadata_generation); /* of what was up before this */
        old->process = (struct pri_process){answer->pid, answer->start};
        old->port = answer->port;
        old->sealed = true;
        pri_info_load(old, call->record->metadata, call->record->metadata_size);
    }
    return old;
}

/* The callback itself, and what the keeper must know before `call` is given back. */
static int run_start(struct call *call, struct pri_terms *terms, const struct pri_answer *answer,
                     struct naming *naming, procref_info *old, procref_info *info,
                     procref_error *error) {
    const procref_service_config *given = &terms->given;
    const char *name = call->shared->ident.name;
    struct inside inside;
    int result, code = 0;
    info->naming = &naming->base;
    info->generation = answer->generation;
    go_inside(&inside, call->shared);
    PRI_CRASH_POINT("callback begins");
    if (old != NULL) {
        PRI_TRACE("on_recover(%u)", (unsigned)answer->generation);
        result = given->on_recover(old, info, given->user_data, error);
    } else {
        PRI_TRACE("on_first_acquire(%u)", (unsigned)answer->generation);
        result = given->on_first_acquire(info, given->user_data, error);
    }
    PRI_CRASH_POINT("callback ended");
    go_outside(&inside);
    info->naming = NULL;
    if (result != 0) {
        code = old != NULL
                   ? failed(error, result, "on_recover", name, PROCREF_E_SERVICE_RECOVERY)
                   : failed(error, result, "on_first_acquire", name, PROCREF_E_SERVICE_START);
    }
    if (naming->failed != 0 &&
        naming->epoch == pri_fork_epoch()) { /* a forked child ends nothing */
        end_unnamed(&info->process, terms->config);
        return naming->failed == PROCREF_E_TIMEOUT
                   ? pri_fail(error, PROCREF_E_TIMEOUT, 0, "",
                              "the keeper of '%s' does not answer; what was started is ended", name)
                   : PROCREF_E_AGAIN;
    }
    return code;
}

int pri_call_start(struct pri_shared *shared, struct pri_terms *terms,
                   const struct pri_answer *answer, procref_waitable page, procref_waitable link,
                   int64_t deadline_ns, bool *ret_told, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT;
    struct naming naming = {.base = {name_process},
                            .shared = shared,
                            .link = link,
                            .deadline_ns = deadline_ns,
                            .epoch = pri_fork_epoch()};
    struct call call;
    procref_info *old = NULL, *info;
    *ret_told = false;
    int code = enter(&call, shared, answer, page, err);
    if (code < 0) {
        return code;
    }
    bool recover = answer->tell == PRI_TELL_RECOVER && terms->given.on_recover != NULL;
    old = recover ? make_old(&call, answer) : NULL;
    info = recover ? procref_info_copy(old) : pri_info_make();
    if (info == NULL || (recover && old == NULL)) {
        code = pri_fail(&error, PROCREF_E_NO_MEMORY, 0, "malloc", "out of memory to start '%s'",
                        shared->ident.name);
    } else {
        code = run_start(&call, terms, answer, &naming, old, info, &error);
    }
    if (is_forked(&call, err)) {
        pri_info_put(old);
        pri_info_put(info);
        return PROCREF_E_FORKED;
    }
    leave(&call);
    if (code == 0) {
        code = report_ready(link, info);
    } else if (code != PROCREF_E_AGAIN) {
        error.code = code;
        report_failed(link, &error);
        pri_fail_copy(err, &error);
        *ret_told = true;
    }
    pri_info_put(old);
    pri_info_put(info);
    return code;
}

/* ---- on_last_release and on_health_check ----------------------------------------------------- */

int pri_call_last(struct pri_shared *shared, struct pri_terms *terms,
                  const struct pri_answer *answer, procref_waitable page, procref_error *err) {
    procref_error error = PROCREF_ERROR_INIT;
    struct inside inside;
    struct call call;
    int code = enter(&call, shared, answer, page, &error);
    if (code < 0) {
        if (code == PROCREF_E_AGAIN) {
            return 0; /* somebody ended it since */
        }
        pri_fail_copy(err, &error);
        return code;
    }
    procref_info *info = make_old(&call, answer);
    int result = 0;
    if (info != NULL) {
        PRI_TRACE("on_last_release(%u)", (unsigned)answer->generation);
        go_inside(&inside, shared);
        PRI_CRASH_POINT("last callback begins");
        result = terms->given.on_last_release(info, terms->given.user_data, &error);
        PRI_CRASH_POINT("last callback ended");
        go_outside(&inside);
    }
    if (is_forked(&call, err)) {
        pri_info_put(info);
        return PROCREF_E_FORKED;
    }
    leave(&call);
    if (info == NULL) {
        code = pri_fail(err, PROCREF_E_NO_MEMORY, 0, "malloc",
                        "out of memory: '%s' is ended without on_last_release", shared->ident.name);
    } else if (result != 0) {
        code = failed(&error, result, "on_last_release", shared->ident.name, PROCREF_E_RELEASE);
        pri_fail_copy(err, &error);
    }
    pri_info_put(info);
    return code;
}

bool pri_call_health(struct pri_shared *shared, struct pri_terms *terms, const procref_info *info) {
    struct inside inside;
    if (terms->given.on_health_check == NULL) {
        return true;
    }
    go_inside(&inside, shared);
    bool healthy = terms->given.on_health_check(info, terms->given.user_data);
    go_outside(&inside);
    return healthy;
}
