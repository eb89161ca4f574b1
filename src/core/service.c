/* The public face: services and handles. What is common to a process is in shared.c, the way to the
 * keeper in attempt.c. */
#include <stdlib.h>

#include "core/attempt.h"
#include "core/call.h"
#include "core/fail.h"
#include "core/trace.h"
#include "os/rendezvous.h"

static struct pri_terms *make_terms(const procref_service_config *config,
                                    const struct pri_plan *plan, int *ret_code,
                                    procref_error *err) {
    struct pri_terms *terms = calloc(1, sizeof *terms);
    if (terms == NULL) {
        *ret_code = pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for a service");
        return NULL;
    }
    *ret_code = pri_config_make(config, plan, &terms->config, err);
    if (*ret_code < 0) {
        free(terms);
        return NULL;
    }
    terms->users = 1;
    terms->given = (procref_service_config){.on_first_acquire = config->on_first_acquire,
                                            .on_last_release = config->on_last_release,
                                            .on_health_check = config->on_health_check,
                                            .on_recover = config->on_recover,
                                            .user_data = config->user_data};
    return terms;
}

int pri_service_open_plan(const procref_service_config *config, const struct pri_plan *plan,
                          procref_service **ret_service, procref_error *err) {
    int code;
    pri_trace_begin("client");
    struct pri_terms *terms = make_terms(config, plan, &code, err);
    if (terms == NULL) {
        return code;
    }
    procref_service *service = calloc(1, sizeof *service);
    struct pri_shared *shared = service != NULL ? pri_shared_get(&terms->config->ident) : NULL;
    if (shared == NULL) {
        free(service);
        pri_terms_put(terms);
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for the service '%s'",
                        config->name);
    }
    service->terms = terms;
    service->shared = shared;
    *ret_service = service;
    return 0;
}

int procref_service_open(const procref_service_config *config, procref_service **ret_service,
                         procref_error *err) {
    return pri_service_open_plan(config, NULL, ret_service, err);
}

procref_service *procref_service_close(procref_service *s) {
    if (s != NULL) {
        pri_shared_put(s->shared);
        pri_terms_put(s->terms);
        free(s);
    }
    return NULL;
}

const char *procref_service_name(const procref_service *s) {
    return s->terms->config->ident.name;
}

int procref_service_acquire(procref_service *s, int64_t timeout_ms, procref_handle **ret_handle,
                            procref_error *err) {
    const procref_service_config *given = &s->terms->given;
    if (timeout_ms >= -1 && given->on_first_acquire == NULL && given->on_health_check == NULL) {
        int code = pri_shared_try(s->shared, s->terms, ret_handle,
                                  err); /* nothing is to be called: the hot path */
        if (code != PROCREF_E_AGAIN) {
            return code;
        }
    }
    int code = pri_attempt_may_begin(s->shared, timeout_ms, err);
    return code < 0 ? code : pri_attempt(s->shared, s->terms, timeout_ms, ret_handle, err);
}

int procref_service_count(procref_service *s, uint32_t *ret_count, procref_error *err) {
    struct pri_counter counter;
    procref_error error = PROCREF_ERROR_INIT;
    int code = pri_counter_find(&s->terms->config->ident, &counter, &error);
    int count = code == 0 ? pri_counter_read(&counter, PRI_REG_REFS) : 0;
    if (code < 0 && code != PROCREF_E_NOT_FOUND) {
        pri_fail_copy(err, &error);
        return code;
    }
    if (count < -1) {
        return pri_fail(err, PROCREF_E_COUNT, 0, "semctl",
                        "the references of '%s' cannot be counted", s->terms->config->ident.name);
    }
    *ret_count = count > 0 ? (uint32_t)count : 0;
    return 0;
}

const procref_info *procref_handle_info(const procref_handle *h) {
    return h->info;
}

uint16_t procref_handle_port(const procref_handle *h) {
    return h->info->port;
}

uint32_t procref_handle_pid(const procref_handle *h) {
    return h->info->process.pid;
}

procref_waitable procref_handle_gone(const procref_handle *h) {
    /* The one field that changes in a handle which is constant for its user. */
    _Atomic procref_waitable *gone = (_Atomic procref_waitable *)(uintptr_t)&h->gone;
    procref_waitable known = atomic_load(gone);
    if (known >= 0 || h->info->process.pid == 0) {
        return known;
    }
    atomic_store(&h->info->watched, true);
    procref_waitable made = pri_process_watch(&h->info->process);
    if (made >= 0 && !atomic_compare_exchange_strong(gone, &known, made)) {
        pri_link_close(made);
        made = known;
    }
    return made;
}

int procref_handle_release(procref_handle *h, procref_error *err) {
    return h != NULL ? pri_release(h, NULL, err) : 0;
}

int procref_handle_release_wait(procref_handle *h, int64_t timeout_ms, procref_error *err) {
    if (h == NULL) {
        return 0;
    }
    if (timeout_ms < -1) {
        int code = pri_release(h, NULL, err);
        return code < 0
                   ? code
                   : pri_fail(err, PROCREF_E_INVALID, 0, "",
                              "timeout_ms is %lld: use -1 to wait for ever; the handle is released",
                              (long long)timeout_ms);
    }
    return pri_release(h, &timeout_ms, err);
}
