/* The command's environment (exports.h). */
#include "cli/exports.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number as the variable's value; without a number the variable is taken out: an outer
 * service's would be a lie. */
static bool set_number(const char *name, uint64_t number) {
    char text[24];
    if (number == 0) {
        return unsetenv(name) == 0;
    }
    snprintf(text, sizeof text, "%" PRIu64, number);
    return setenv(name, text, 1) == 0;
}

/* PORT may be anybody's; where PROCREF_PORT says the same it is an outer service's. */
static bool forget_outer_port(void) {
    const char *port = getenv("PORT"), *ours = getenv("PROCREF_PORT");
    return port == NULL || ours == NULL || strcmp(port, ours) != 0 || unsetenv("PORT") == 0;
}

static bool set_plain(const struct cli_target *target, const procref_info *info) {
    uint16_t port = procref_info_port(info);
    return (port == 0 ? forget_outer_port() : set_number("PORT", port)) &&
           setenv("PROCREF_NAME", target->config.name, 1) == 0 &&
           set_number("PROCREF_PORT", port) && set_number("PROCREF_PID", procref_info_pid(info)) &&
           set_number("PROCREF_GENERATION", procref_info_generation(info));
}

/* A copy of text with ${PORT}, ${NAME} and ${DIR} as the keeper replaces them in a service's own
 * environment (procref.h). */
static char *as_keeper(const char *text, const struct cli_target *target, uint16_t port) {
    char number[8];
    snprintf(number, sizeof number, "%u", (unsigned)port);
    const struct {
        const char *name, *value;
    } table[] = {{"${PORT}", number}, {"${NAME}", target->config.name}, {"${DIR}", target->dir}};
    char *result = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&result, &size);
    while (to != NULL && *text != '\0') {
        bool known = false;
        for (size_t i = 0; i < sizeof table / sizeof table[0] && !known; i++) {
            size_t length = strlen(table[i].name);
            known = strncmp(text, table[i].name, length) == 0;
            if (known) {
                fputs(table[i].value, to);
                text += length;
            }
        }
        if (!known) {
            fputc(*text++, to);
        }
    }
    return to != NULL && fclose(to) == 0 ? result : NULL;
}

struct list {
    const char **items;
    size_t count, room;
};

static bool add(struct list *list, const char *item) {
    if (list->count + 1 >= list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 128;
        const char **more = realloc(list->items, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = item;
    list->items[list->count] = NULL;
    return item != NULL;
}

/* What procref itself says to the service's processes; the service's own value of it does not count
 * there, nor here. */
static bool is_ours(const char *entry, uint16_t port) {
    return (port != 0 && strncmp(entry, "PORT=", 5) == 0) ||
           strncmp(entry, "PROCREF_NAME=", 13) == 0;
}

/* Each sees this process's environment with PORT and PROCREF_…, the service's own, and those before
 * it. */
static bool set_exports(const struct cli_target *target, const procref_info *info) {
    struct list seen = {NULL, 0, 0};
    const char *const *own = target->config.environment;
    uint16_t port = procref_info_port(info);
    bool ok = true;
    for (char **e = environ; ok && *e != NULL; e++) {
        ok = add(&seen, *e);
    }
    for (size_t i = 0; ok && own != NULL && own[i] != NULL; i++) {
        ok = is_ours(own[i], port) || add(&seen, as_keeper(own[i], target, port));
    }
    for (char **e = target->unit->exports; ok && *e != NULL; e++) {
        char *value = unit_expand(*e, seen.items);
        ok = add(&seen, value) && putenv(value) == 0;
    }
    free(seen.items);
    return ok;
}

bool cli_exports_set(const struct cli_target *target, const procref_info *info) {
    bool none =
        target->unit == NULL || target->unit->exports == NULL || target->unit->exports[0] == NULL;
    return set_plain(target, info) && (none || set_exports(target, info));
}
