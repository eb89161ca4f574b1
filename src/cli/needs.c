/* Requirements (needs.h). */
#include "cli/needs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lookup.h"
#include "core/fail.h"

/* From a file that is being looked through back to the first one. */
struct link {
    const struct link *by;
    const char *file, *name;
};

/* Which file is meant, spelled in one way: FOLDER/NAME.service, of a template's instance too. */
static void spell(const char *path, const char *name, char to[PRI_PATH_SIZE]) {
    char folder[PRI_PATH_SIZE], canonical[PRI_PATH_SIZE];
    lookup_folder(path, folder);
    pri_format(to, PRI_PATH_SIZE, "%s/%s.service",
               realpath(folder, canonical) != NULL ? canonical : folder, name);
}

/* "a requires b requires a", from the oldest link on. */
static void tell_chain(const struct link *link, char *to, size_t size) {
    if (link != NULL) {
        tell_chain(link->by, to, size);
        size_t length = strlen(to);
        pri_format(to + length, size - length, "%s requires ", link->name);
    }
}

/* What is wrong is told where it is asked for, as a finding of the first file. */
static int blame(struct unit *first, const struct unit_place *at, const char *message) {
    unit_blame(first, at, "Requires", message);
    return CLI_USAGE;
}

/* One search: with these options, for this unit. */
struct search {
    const struct cli_target_options *options;
    struct unit *first;
};

static int look_through(const struct search *search, const struct unit *unit,
                        const struct link *link);

/* One requirement: found, can be run, no cycle, and all that it requires itself. */
static int look_at(const struct search *search, const char *name, const struct unit_place *at,
                   const struct link *link, char ret_file[PRI_PATH_SIZE]) {
    const struct cli_texts *ignored = &search->options->ignore;
    const char *ignore[sizeof ignored->list / sizeof ignored->list[0] + 1] = {NULL};
    char path[PRI_PATH_SIZE], message[LOOKUP_WHY] = "";
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    memcpy(ignore, ignored->list, sizeof ignored->list);
    if (lookup_name(name, link->file, path, message) >= 0) {
        return blame(search->first, at, message);
    }
    spell(path, name, ret_file);
    for (const struct link *l = link; l != NULL; l = l->by) {
        if (strcmp(l->file, ret_file) == 0) {
            tell_chain(link, message, sizeof message);
            size_t length = strlen(message);
            pri_format(message + length, sizeof message - length, "%s: a cycle cannot be started",
                       name);
            return blame(search->first, at, message);
        }
    }
    struct unit_options how = {.name = name, .runtime_dir = "/", .ignore = ignore};
    int status = -1;
    if (unit_load(path, &how, &unit, &error) == 0) {
        struct link next = {link, ret_file, name};
        status = look_through(search, unit, &next);
    } else {
        pri_format(message, sizeof message, "'%s' cannot be run: %s", name, error.message);
        status = blame(search->first, at, message);
    }
    if (unit != NULL) {
        unit_free(unit);
    }
    return status;
}

static int look_through(const struct search *search, const struct unit *unit,
                        const struct link *link) {
    char file[PRI_PATH_SIZE];
    int status = -1;
    for (size_t i = 0; unit->requires[i] != NULL && status < 0; i++) {
        status = look_at(search, unit->requires[i], &unit -> required_at[i], link, file);
    }
    return status;
}

static const char *own_program(void) {
    static char path[PRI_PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0 ? path : "procref";
}

/* "procref hold --for NAME --ready-fd 3 … FILE…", in the scope and with the options that the target
 * has. */
int needs_set(const struct cli_target_options *options, const char *path,
              struct cli_target *target) {
    char *const *names = target->unit->requires;
    const struct search search = {options, target->unit};
    int result = -1;
    size_t count = 0, used = 0;
    while (names[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return -1;
    }
    char spelled[PRI_PATH_SIZE], file[PRI_PATH_SIZE];
    const char **words = calloc(count + 2 * (size_t)options->ignore.count + 14, sizeof *words);
    spell(path, target->config.name, spelled);
    struct link link = {NULL, spelled, target->config.name};
    if (words == NULL) {
        cli_say("out of memory");
        return CLI_FAILED;
    }
    words[used++] = own_program();
    words[used++] = "hold";
    words[used++] = "--for"; /* who asks by whom these are held is told so */
    words[used++] = target->config.name;
    words[used++] = "--quiet";
    words[used++] = "--ready-fd";
    words[used++] = "3";
    if (options->base_dir != NULL) {
        words[used++] = "--base-dir";
        words[used++] = target->dir;
    } else if (options->scope != NULL) {
        words[used++] = "--scope";
        words[used++] =
            strcmp(options->scope, "user") == 0 ? "user" : realpath(options->scope, NULL);
    }
    for (int i = 0; i < options->ignore.count; i++) {
        words[used++] = "--ignore";
        words[used++] = options->ignore.list[i];
    }
    for (size_t i = 0; i < count; i++) {
        int status = look_at(&search, names[i], &target->unit->required_at[i], &link, file);
        if (status >= 0) {
            result = status;
        } else {
            words[used++] = strdup(file);
        }
    }
    target->unit->plan.holder = words;
    return result;
}
