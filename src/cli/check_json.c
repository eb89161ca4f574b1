/* procref check --json. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/cli.h"

/* JSON is UTF-8; a path or an escape in a word may be anything: then each such byte is U+FFFD. */
static json_t *string_of(const char *text) {
    json_t *string = json_string(text);
    if (string != NULL) {
        return string;
    }
    char *shown = malloc(3 * strlen(text) + 1);
    size_t used = 0;
    for (; shown != NULL && *text != '\0'; text++) {
        if ((unsigned char)*text < 0x80) {
            shown[used++] = *text;
        } else {
            memcpy(shown + used, "\xef\xbf\xbd", 3);
            used += 3;
        }
    }
    string = shown != NULL ? json_stringn(shown, used) : NULL;
    free(shown);
    return string;
}

static json_t *text_or_null(const char *text) {
    return text != NULL ? string_of(text) : json_null();
}

static json_t *list_of(const char *const *texts) {
    json_t *list = json_array();
    for (; texts != NULL && *texts != NULL; texts++) {
        json_array_append_new(list, string_of(*texts));
    }
    return list;
}

/* null is infinity. */
static json_t *time_of(int64_t ms) {
    return ms < 0 || ms == UNIT_FOREVER_MS ? json_null() : json_integer(ms);
}

static json_t *findings_of(const struct unit *unit) {
    json_t *list = json_array();
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:i, s:o, s:o}", "level", check_levels[finding->level],
                            "file", string_of(finding->file), "line", finding->line, "key",
                            text_or_null(finding->key), "message", string_of(finding->message)));
    }
    return list;
}

static json_t *steps_of(const struct pri_plan *plan) {
    json_t *list = json_array();
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct pri_step *step = &plan->steps[i];
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:b, s:b}", "list", check_lists[step->list], "program",
                            string_of(step->program), "argv", list_of(step->argv), "ignore_failure",
                            (step->flags & PRI_STEP_IGNORE) != 0, "literal",
                            (step->flags & PRI_STEP_LITERAL) != 0));
    }
    return list;
}

static json_t *limit_of(uint64_t limit) {
    return limit == PRI_LIMIT_INFINITY ? json_null() : json_integer((json_int_t)limit);
}

static json_t *limits_of(const struct pri_plan *plan) {
    json_t *object = json_object();
    for (size_t i = 0; i < plan->limit_count; i++) {
        const struct pri_plan_limit *limit = &plan->limits[i];
        json_object_set_new(
            object, check_limits[limit->resource],
            json_pack("{s:o, s:o}", "soft", limit_of(limit->soft), "hard", limit_of(limit->hard)));
    }
    return object;
}

static json_t *restarts_of(uint32_t restarts) {
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{PRI_RESTART_CLEAN, "clean"},
                 {PRI_RESTART_UNCLEAN, "unclean"},
                 {PRI_RESTART_SIGNAL, "signal"},
                 {PRI_RESTART_TIMEOUT, "timeout"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((restarts & names[i].bit) != 0) {
            json_array_append_new(list, json_string(names[i].name));
        }
    }
    return list;
}

/* Exit statuses as numbers, signals as names. */
static json_t *ends_of(const struct pri_ends *ends) {
    json_t *list = json_array();
    char name[32];
    for (int i = 0; i < 256; i++) {
        if ((ends->codes[i / 64] >> (i % 64) & 1) != 0) {
            json_array_append_new(list, json_integer(i));
        }
    }
    for (int i = 1; i < 64; i++) {
        if ((ends->signals >> i & 1) != 0) {
            json_array_append_new(list, json_string(check_signal_name(i, name)));
        }
    }
    return list;
}

static json_t *port_of(const struct unit *unit) {
    if (unit->config.port != 0) {
        return json_integer(unit->config.port);
    }
    return unit->plan.wants_port ? json_string("auto") : json_null();
}

static void add_understood(json_t *object, const struct unit *unit) {
    const procref_service_config *config = &unit->config;
    const struct pri_plan *plan = &unit->plan;
    char name[32], mask[16];
    snprintf(mask, sizeof mask, "%04o", plan->umask >= 0 ? (unsigned)plan->umask : 022);
    json_t *more =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "type",
                  check_types[plan->type], "steps", steps_of(plan), "environment",
                  list_of(config->environment), "unset", list_of(plan->unset), "working_dir",
                  text_or_null(config->working_dir), "pid_file", text_or_null(plan->pid_file),
                  "output", text_or_null(plan->output), "error", text_or_null(plan->error), "ready",
                  text_or_null(config->ready), "port", port_of(unit), "limits", limits_of(plan));
    json_object_update_new(object, more);
    more = json_pack("{s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:s, s:i}",
                     "start_timeout_ms", time_of(config->start_timeout_ms), "stop_timeout_ms",
                     time_of(config->stop_timeout_ms), "restart_ms", time_of(plan->restart_ms),
                     "start_interval_ms", time_of(plan->start_interval_ms), "start_burst",
                     (int)plan->start_burst, "restarts", restarts_of(plan->restarts), "success",
                     ends_of(&plan->ends[PRI_ENDS_SUCCESS]), "restart_prevent",
                     ends_of(&plan->ends[PRI_ENDS_PREVENT]), "restart_force",
                     ends_of(&plan->ends[PRI_ENDS_FORCE]), "kill_signal",
                     check_signal_name(config->stop_signal, name), "kill_mode",
                     check_kill_modes[plan->kill_mode], "send_sigkill", !plan->never_kill,
                     "ignore_sigpipe", !plan->sigpipe, "umask", mask, "nice", (int)plan->nice);
    json_object_update_new(object, more);
    more = json_pack("{s:o, s:o, s:o, s:o}", "linger_ms", time_of(config->linger_ms), "exports",
                     list_of((const char *const *)unit->exports), "requires",
                     list_of((const char *const *)unit->requires), "health",
                     text_or_null(unit->health));
    json_object_update_new(object, more);
}

int check_print_json(const struct unit *unit, bool runs) {
    json_t *object = json_pack("{s:s, s:o, s:o, s:b, s:o}", "schema", "procref-check/1", "name",
                               string_of(unit->name), "file", string_of(unit->path), "runs", runs,
                               "findings", findings_of(unit));
    if (runs && object != NULL) {
        add_understood(object, unit);
    }
    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0) {
        cli_say("out of memory");
        return CLI_FAILED;
    }
    putchar('\n');
    json_decref(object);
    return CLI_OK;
}
