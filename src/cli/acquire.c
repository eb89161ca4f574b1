/* Acquiring with a sign of life (acquire.h). */
#include "cli/acquire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cli/because.h"
#include "cli/health.h"
#include "cli/look.h"
#include "cli/spinner.h"

static int64_t at_least_one(int64_t ms) {
    return ms != 0 ? ms : 1; /* 0 is "the default" in a configuration */
}

int cli_acquire_configure(const struct cli_acquire_options *options, struct cli_target *target) {
    procref_service_config *config = &target->config;
    config->share = config->share || options->share;
    if (options->linger_ms == -1) {
        cli_say("--linger is infinity: use a time; 'procref hold' keeps a service without end");
        return CLI_USAGE;
    }
    if (options->linger_ms != CLI_NOT_GIVEN) {
        config->linger_ms = options->linger_ms;
    }
    if (options->start_timeout_ms != CLI_NOT_GIVEN) {
        config->start_timeout_ms = at_least_one(options->start_timeout_ms);
    }
    if (options->stop_timeout_ms != CLI_NOT_GIVEN) {
        config->stop_timeout_ms = at_least_one(options->stop_timeout_ms);
    }
    if (target->unit != NULL && target->unit->health != NULL) {
        config->on_health_check = health_check;
        config->user_data = target;
    }
    return -1;
}

/* Drives the pending acquire to its end. */
static int drive(procref_pending *pending, struct cli_spinner *spinner, procref_handle **ret_handle,
                 procref_error *error) {
    struct pollfd ready = {.fd = procref_pending_ready(pending), .events = POLLIN};
    for (;;) {
        int n = poll(&ready, 1, cli_spinner_wait_ms(spinner));
        if (n == 0) {
            cli_spinner_turn(spinner);
            continue;
        }
        int code = procref_pending_finish(pending, ret_handle, error);
        if (code != PROCREF_E_AGAIN) {
            return code;
        }
    }
}

static int start_and_wait(procref_service *service, const struct cli_target *target,
                          const struct cli_acquire_options *options, procref_handle **ret_handle,
                          procref_error *error) {
    /* Without --timeout the start timeout, which the keeper watches, ends the wait. */
    int64_t timeout_ms = options->timeout_ms != CLI_NOT_GIVEN ? options->timeout_ms : -1;
    procref_pending *pending;
    struct cli_spinner spinner;
    cli_spinner_begin(&spinner, target, options->quiet);
    int code = procref_service_acquire_start(service, timeout_ms, &pending, error);
    if (code == 0) {
        code = drive(pending, &spinner, ret_handle, error);
    }
    cli_spinner_end(&spinner);
    return code;
}

/* Who waited in vain is not told that the service is not up if nobody can know. */
static bool say_silent(const struct cli_target *target) {
    struct look look;
    look_at(&target->ident, target->dir, false, look_deadline(0), &look);
    bool silent = look.found == LOOK_SILENT;
    if (silent) {
        char *sentence = because_sentence(&look);
        cli_say("'%s': %s", target->config.name, sentence);
        free(sentence);
    }
    look_free(&look);
    return silent;
}

int cli_acquire(const struct cli_target *target, const struct cli_acquire_options *options,
                procref_handle **ret_handle) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *service = NULL;
    int code = cli_target_open(target, &service, &error);
    if (code == 0) { /* first without a wait: what is up is up already */
        bool asks = target->config.on_health_check != NULL;  /* once is enough */
        bool hurries = options->timeout_ms != CLI_NOT_GIVEN; /* the time for an answer counts */
        code = (asks || hurries) && options->timeout_ms != 0
                   ? PROCREF_E_TIMEOUT
                   : procref_service_acquire(service, 0, ret_handle, &error);
        if (code == PROCREF_E_TIMEOUT && options->timeout_ms != 0) {
            code = start_and_wait(service, target, options, ret_handle, &error);
        }
        procref_service_close(service);
    }
    if (code < 0) {
        if (code != PROCREF_E_TIMEOUT || !say_silent(target)) {
            cli_say_error(NULL, &error);
        }
        return cli_status_of(code);
    }
    return -1;
}
