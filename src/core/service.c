/* The public face: services and handles. What is common to a process is in shared.c, the way to the
 * keeper in attempt.c. */
#include <stdlib.h>

#include "core/fail.h"
#include "core/shared.h"
#include "core/trace.h"
#include "os/clock.h"
#include "os/rendezvous.h"

int procref_service_open(const procref_service_config *config, procref_service **ret_service,
                         procref_error *err) {
    procref_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for a service");
    }
    pri_trace_begin("client");
    int code = pri_config_make(config, &service->config, err);
    if (code < 0) {
        goto free_service;
    }
    service->shared = pri_shared_get(&service->config->ident);
    if (service->shared == NULL) {
        code = pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for the service '%s'",
                        config->name);
        goto free_config;
    }
    *ret_service = service;
    return 0;

free_config:
    free(service->config);
free_service:
    free(service);
    return code;
}

procref_service *procref_service_close(procref_service *s) {
    if (s != NULL) {
        pri_shared_put(s->shared);
        free(s->config);
        free(s);
    }
    return NULL;
}

const char *procref_service_name(const procref_service *s) {
    return s->config->ident.name;
}

int procref_service_acquire(procref_service *s, int64_t timeout_ms, procref_handle **ret_handle,
                            procref_error *err) {
    if (timeout_ms < -1) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "timeout_ms is %lld: use -1 to wait for ever", (long long)timeout_ms);
    }
    int code = pri_shared_try(s->shared, s->config, ret_handle, err);
    return code == PROCREF_E_AGAIN ? pri_attempt(s->shared, s->config, timeout_ms, ret_handle, err)
                                   : code;
}

int procref_service_count(procref_service *s, uint32_t *ret_count, procref_error *err) {
    struct pri_counter counter;
    procref_error error = PROCREF_ERROR_INIT;
    int code = pri_counter_find(&s->config->ident, &counter, &error);
    int count = code == 0 ? pri_counter_read(&counter, PRI_REG_REFS) : 0;
    if (code < 0 && code != PROCREF_E_NOT_FOUND) {
        pri_fail_copy(err, &error);
        return code;
    }
    if (count < -1) {
        return pri_fail(err, PROCREF_E_COUNT, 0, "semctl",
                        "the references of '%s' cannot be counted", s->config->ident.name);
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

static int release(procref_handle *h, const int64_t *timeout_ms, procref_error *err) {
    struct pri_released released;
    if (h == NULL) {
        return 0;
    }
    struct pri_shared *shared = h->shared;
    int64_t deadline_ns = timeout_ms != NULL ? pri_deadline(*timeout_ms) : 0;
    procref_waitable gone = atomic_load_explicit(&h->gone, memory_order_relaxed);
    if (gone >= 0) {
        pri_link_close(gone);
    }
    int code = pri_shared_release(h, timeout_ms != NULL, &released, err);
    if (released.tell) {
        pri_attempt_tell_released(shared);
    }
    if (code == 0 && released.last && timeout_ms != NULL) {
        code = pri_attempt_await_stop(shared, released.generation, deadline_ns, err);
    }
    if (released.put != NULL) {
        pri_shared_put(released.put);
    }
    return code;
}

int procref_handle_release(procref_handle *h, procref_error *err) {
    return release(h, NULL, err);
}

int procref_handle_release_wait(procref_handle *h, int64_t timeout_ms, procref_error *err) {
    if (timeout_ms < -1) {
        int code = release(h, NULL, err);
        return code < 0
                   ? code
                   : pri_fail(err, PROCREF_E_INVALID, 0, "",
                              "timeout_ms is %lld: use -1 to wait for ever; the handle is released",
                              (long long)timeout_ms);
    }
    return release(h, &timeout_ms, err);
}
