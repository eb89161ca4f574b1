/* The JSON of ps and status (json.h), by jansson. */
#include "cli/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/because.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/show.h"

/* JSON is UTF-8; arguments and messages may be anything. */
static json_t *string_of(const char *text) {
    json_t *string = json_string(text);
    if (string == NULL) {
        char *shown = show_text(text, 1);
        string = json_string(shown);
        free(shown);
    }
    return string;
}

static json_t *text_or_null(const char *text) {
    return text[0] != '\0' ? string_of(text) : json_null();
}

static json_t *number_or_null(bool known, int64_t number) {
    return known ? json_integer(number) : json_null();
}

static json_t *time_or_null(int64_t wall_ms) {
    char text[40];
    if (wall_ms <= 0) {
        return json_null();
    }
    show_timestamp(wall_ms, text, sizeof text);
    return json_string(text);
}

static json_t *command_of(const struct look *look) {
    const struct pri_status *status = &look->status;
    size_t size = status->command_size < sizeof status->command ? status->command_size
                                                                : sizeof status->command;
    if (size == 0) {
        return json_null();
    }
    json_t *list = json_array();
    for (size_t at = 0; at < size;) {
        char argument[sizeof status->command + 1];
        size_t length = strnlen(status->command + at, size - at);
        memcpy(argument, status->command + at, length);
        argument[length] = '\0';
        json_array_append_new(list, string_of(argument));
        at += length + 1;
    }
    return list;
}

static json_t *holders_of(const struct look *look) {
    json_t *list = json_array();
    for (size_t i = 0; i < look->holder_count; i++) {
        const struct look_holder *holder = &look->holders[i];
        json_t *one = json_object();
        json_object_set_new(one, "pid", json_integer(holder->process.pid));
        json_object_set_new(one, "command", string_of(holder->command));
        json_object_set_new(one, "since", time_or_null(holder->since_ms));
        json_object_set_new(one, "removed_counter", json_boolean(holder->old));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *references_of(const struct look *look) {
    const struct pri_status *status = &look->status;
    bool known = look->found == LOOK_KEPT;
    json_t *references = json_object();
    json_object_set_new(references, "kernel",
                        number_or_null(known && status->refs >= 0, status->refs));
    json_object_set_new(references, "removed_counter", number_or_null(known, status->old_holders));
    json_object_set_new(references, "named", number_or_null(known, (json_int_t)look->holder_count));
    return references;
}

static json_t *service_of(const struct look *look) {
    const struct pri_status *status = &look->status;
    bool kept = look->found == LOOK_KEPT;
    bool told = kept || look->found == LOOK_UNKEPT || status->pid != 0; /* by keeper or hint */
    char path[4400];
    char *sentence = because_sentence(look);
    json_t *service = json_object();
    json_object_set_new(service, "name", text_or_null(look->name));
    json_object_set_new(service, "scope",
                        look->dir[0] == '\0' ? json_null() : string_of(place_scope(look)));
    json_object_set_new(service, "running", json_boolean(because_is_running(look)));
    json_object_set_new(service, "state", string_of(because_state(look)));
    json_object_set_new(service, "because", string_of(sentence));
    json_object_set_new(service, "pid",
                        number_or_null(status->pid != 0 && status->alive, status->pid));
    json_object_set_new(service, "command", command_of(look));
    json_object_set_new(
        service, "port",
        number_or_null(status->port != 0 && because_is_running(look), status->port));
    json_object_set_new(service, "generation", number_or_null(told, status->generation));
    json_object_set_new(service, "started", time_or_null(status->launched_ms));
    json_object_set_new(service, "up_since", time_or_null(place_up_since(look)));
    json_object_set_new(service, "linger_ms", number_or_null(kept, status->linger_ms));
    json_object_set_new(service, "restarts", number_or_null(kept, status->restarts));
    json_object_set_new(service, "failures", number_or_null(kept, status->failures));
    json_object_set_new(service, "error", text_or_null(status->message));
    json_object_set_new(service, "keeper", number_or_null(status->keeper != 0, status->keeper));
    json_object_set_new(service, "standby", number_or_null(status->standby != 0, status->standby));
    json_object_set_new(service, "log", text_or_null(place_log(look, path, sizeof path)));
    json_object_set_new(service, "references", references_of(look));
    json_object_set_new(service, "holders", holders_of(look));
    free(sentence);
    return service;
}

static int print(json_t *what) {
    bool printed = what != NULL && json_dumpf(what, stdout, JSON_INDENT(2)) == 0 &&
                   fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_decref(what);
    if (!printed) {
        cli_say("cannot write to the standard output");
    }
    return printed ? CLI_OK : CLI_FAILED;
}

int json_print_service(const struct look *look) {
    return print(service_of(look));
}

int json_print_services(const struct look *list, size_t count) {
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(all, service_of(&list[i]));
    }
    return print(all);
}
