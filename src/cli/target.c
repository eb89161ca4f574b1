/* Which service is meant (target.h): found, named, put into its scope. How its file is read is
 * unit.h's business, where it is looked for lookup.h's. */
#include "cli/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/lookup.h"
#include "cli/needs.h"
#include "cli/scope.h"
#include "cli/words.h"
#include "core/fail.h"

/* The scope: base_dir, where its files are, and who it is. folder: of the service file; or NULL. */
static int set_scope(const struct cli_target_options *options, const char *folder,
                     struct cli_target *t) {
    char found[PRI_PATH_SIZE], base[PRI_PATH_SIZE];
    bool own = true;
    if (options->base_dir != NULL && (*options->base_dir == '\0' || options->scope != NULL)) {
        cli_say(*options->base_dir == '\0' ? "--base-dir is empty"
                                           : "--base-dir and --scope exclude each other");
        return CLI_USAGE;
    }
    if (options->base_dir != NULL) {
        scope_canonical(options->base_dir, t->dir);
    } else if (options->scope != NULL && strcmp(options->scope, "user") != 0) {
        struct stat status;
        if (realpath(options->scope, found) == NULL || stat(found, &status) < 0 ||
            !S_ISDIR(status.st_mode)) {
            cli_say("--scope is '%s': use \"user\" or an existing folder", options->scope);
            return CLI_USAGE;
        }
        scope_of_folder(found, base);
        scope_canonical(base, t->dir);
        if (options->command != NULL) { /* relative names in the command mean this folder */
            t->config.working_dir = strdup(found);
        }
    } else if (options->scope == NULL && folder != NULL) {
        scope_of_folder(folder, base);
        scope_canonical(base, t->dir);
    } else {
        own = false;
        pri_folder_default(t->dir);
    }
    t->config.base_dir = own ? t->dir : NULL;
    return -1;
}

static int set_name(const char *name, struct cli_target *t) {
    procref_error error = PROCREF_ERROR_INIT;
    if (pri_name_check("service", name, &error) < 0) {
        cli_say_error(NULL, &error);
        return CLI_USAGE;
    }
    pri_ident_make(&t->ident, pri_own_user(), t->config.base_dir != NULL ? t->dir : "", name);
    t->config.name = t->ident.name;
    return -1;
}

/* ---- Without a service file ------------------------------------------------------------------ */

/* Whether it has a port: given, or picked as the library does (src/keeper/port.c). */
static bool has_port(const struct cli_target_options *options) {
    const char *ready = options->ready != NULL ? options->ready : "";
    return options->port > 0 || strcmp(ready, "tcp") == 0 || strstr(ready, "${PORT}") != NULL ||
           strstr(options->command, "${PORT}") != NULL;
}

static int described(const struct cli_target_options *options, struct cli_target *t) {
    static const char *const port[] = {"PORT=${PORT}", NULL};
    if (options->name == NULL || options->file != NULL) {
        cli_say(options->file != NULL ? "--command and -f are one too many: the file has a command"
                                      : "name the service that --command starts");
        return CLI_USAGE;
    }
    char **words = cli_words(options->command);
    if (words == NULL || words[0] == NULL) {
        cli_say(words == NULL ? "--command has a quote that is not closed: %s"
                              : "--command is empty%s",
                options->command);
        return CLI_USAGE;
    }
    t->config.command = (const char *const *)words;
    t->config.ready = options->ready;
    if (has_port(options)) { /* in its environment, too, as a service file's is */
        t->config.environment = port;
    }
    int status = set_scope(options, NULL, t);
    return status < 0 ? set_name(options->name, t) : status;
}

/* A service whose command is not known here: it can be asked for, not started. */
static int named_only(const struct cli_target_options *options, struct cli_target *t) {
    int status = set_scope(options, NULL, t);
    return status < 0 ? set_name(options->name, t) : status;
}

/* ---- With one -------------------------------------------------------------------------------- */

static void say_findings(const struct unit *unit) {
    enum { TOLD_MOST = 20 }; /* who has more reads them by check */
    size_t count = 0;
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *f = &unit->findings[i];
        if (f->level >= UNIT_REFUSED && count++ < TOLD_MOST) {
            cli_say("%s:%d: %s", f->file, f->line, f->message);
        }
    }
    if (count > TOLD_MOST) {
        cli_say("and %zu more: procref check -f %s", count - TOLD_MOST, unit->path);
    }
}

/* %t of the file: its scope's folder; in the user's scope what a user's own units have, where ours
 * is in that and not in /tmp, which is everybody's. */
static void runtime_dir(const struct cli_target *t, char to[PRI_PATH_SIZE]) {
    pri_format(to, PRI_PATH_SIZE, "%s", t->dir);
    char *last = strrchr(to, '/');
    if (t->config.base_dir == NULL && strcmp(last, "/procref") == 0) {
        *last = '\0';
    }
}

static int load(const struct cli_target_options *options, const char *path, const char *name,
                enum cli_target_use use, struct cli_target *t) {
    const char *ignore[sizeof options->ignore.list / sizeof options->ignore.list[0] + 1] = {NULL};
    char runtime[PRI_PATH_SIZE];
    procref_error error = PROCREF_ERROR_INIT;
    memcpy(ignore, options->ignore.list, sizeof options->ignore.list);
    runtime_dir(t, runtime);
    struct unit_options how = {.name = name, .runtime_dir = runtime, .ignore = ignore};
    int code = unit_load(path, &how, &t->unit, &error);
    if (code == PROCREF_E_INVALID && t->unit != NULL && use != TARGET_STARTED) {
        return -1;
    }
    if (code < 0) {
        if (t->unit != NULL) {
            say_findings(t->unit);
        } else {
            cli_say_error(NULL, &error);
        }
        return CLI_USAGE;
    }
    const char *base_dir = t->config.base_dir, *own = t->config.name;
    t->config = t->unit->config;
    t->config.base_dir = base_dir;
    t->config.name = own;
    t->plan = &t->unit->plan;
    return -1;
}

static int from_file(const struct cli_target_options *options, const char *path, const char *name,
                     enum cli_target_use use, struct cli_target *t) {
    char folder[PRI_PATH_SIZE];
    /* The folder in which it was found: a link to a file elsewhere belongs where the link is. */
    lookup_folder(path, folder);
    char *found = realpath(folder, NULL);
    int status = set_scope(options, found, t);
    free(found);
    status = status < 0 ? set_name(name, t) : status;
    status = status < 0 ? load(options, path, name, use, t) : status;
    if (status >= 0 || use == TARGET_ASKED) {
        return status;
    }
    status = needs_set(options, path, t);
    if (status == CLI_USAGE && use == TARGET_CHECKED) {
        return -1;
    }
    if (status == CLI_USAGE) {
        say_findings(t->unit);
    }
    return status;
}

/* ---- The interface --------------------------------------------------------------------------- */

int cli_target_names(const struct cli_target_options *options) {
    return options->file == NULL || lookup_is_template(options->file) ? 1 : 0;
}

static bool is_instance_of(const char *name, const char *template) {
    char stem[PRI_NAME_SIZE];
    return lookup_is_template(template) && lookup_service_name(template, stem) &&
           strncmp(name, stem, strlen(stem)) == 0 && name[strlen(stem)] != '\0';
}

int cli_target_find(const struct cli_target_options *options, enum cli_target_use use,
                    struct cli_target *ret) {
    char path[PRI_PATH_SIZE], name[PRI_NAME_SIZE], bare[PRI_NAME_SIZE], why[LOOKUP_WHY];
    const char *file = options->file;
    struct cli_target_options named = *options;
    int status;
    if (named.name != NULL && strchr(named.name, '/') == NULL &&
        lookup_service_name(named.name, bare)) { /* redis.service is redis, as for systemctl */
        named.name = bare;
        options = &named;
    }
    *ret = (struct cli_target){.config = PROCREF_SERVICE_CONFIG_INIT};
    if (options->command != NULL) {
        status = described(options, ret);
    } else if (options->name == NULL && file == NULL) {
        cli_say("which service? Give its name or -f FILE: see %s --help", cli_name);
        return CLI_USAGE;
    } else if (file != NULL && options->name != NULL && !is_instance_of(options->name, file)) {
        cli_say(lookup_is_template(file) ? "'%s' is no instance of %s"
                                         : "a name and -f are one too many: '%s' and %s",
                options->name, file);
        return CLI_USAGE;
    } else if (options->ready != NULL) {
        cli_say("--ready goes with --command: a service file says it by Type= or Ready=");
        return CLI_USAGE;
    } else if (file != NULL || strchr(options->name, '/') != NULL) {
        const char *instance = file != NULL ? options->name : NULL;
        file = file != NULL ? file : options->name;
        status = lookup_file(file, path);
        if (status < 0 && !lookup_service_name(file, name)) {
            cli_say("'%s' is no name of a service file: it must end in .service", file);
            status = CLI_USAGE;
        }
        status = status < 0 ? from_file(options, path, instance != NULL ? instance : name, use, ret)
                            : status;
    } else if (lookup_name(options->name, NULL, path, use == TARGET_ASKED ? NULL : why) < 0) {
        status = from_file(options, path, options->name, use, ret);
    } else if (use == TARGET_ASKED) {
        status = named_only(options, ret);
    } else {
        cli_say("%s", why);
        status = CLI_USAGE;
    }
    if (status < 0 && options->port > 0) {
        ret->config.port = (uint16_t)options->port;
    }
    return status;
}

void cli_target_free(struct cli_target *target) {
    if (target->unit != NULL) {
        unit_free(target->unit);
        target->unit = NULL;
    }
}

int cli_target_open(const struct cli_target *target, procref_service **ret, procref_error *err) {
    struct stat status;
    const char *base_dir = target->config.base_dir;
    if (base_dir != NULL && stat(base_dir, &status) < 0) {
        char runtime[PRI_PATH_SIZE], given[PRI_PATH_SIZE];
        pri_folder_default(given);
        scope_canonical(given, runtime);
        size_t length = strlen(runtime);
        if (strncmp(base_dir, runtime, length) == 0 && base_dir[length] == '/') {
            int code = scope_make_runtime(err);
            if (code < 0) {
                return code;
            }
        }
    }
    return pri_service_open_plan(&target->config, target->plan, ret, err);
}
