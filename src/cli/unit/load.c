/* unit_load(): the unit's name, its file, its drop-ins, then everything put together. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/unit/loader.h"
#include "core/fail.h"
#include "core/ident.h"

#define SUFFIX ".service"

static void defaults(struct loader *l) {
    struct unit *unit = l->unit;
    unit->config = (procref_service_config)PROCREF_SERVICE_CONFIG_INIT;
    unit->config.start_timeout_ms = unit->config.stop_timeout_ms = 90000;
    unit->config.stop_signal = SIGTERM;
    unit->plan.restarts_given = true;
    unit->plan.umask = -1;
    unit->plan.restart_ms = 100;
    unit->plan.start_burst = 5;
    unit->plan.start_interval_ms = 10000;
    for (int kind = 0; kind < DIR_KINDS; kind++) {
        l->set.directory_modes[kind] = UNIT_DIRECTORY_MODE;
    }
    const char **lists = unit_get(l, 3 * sizeof *lists); /* empty ones are not NULL */
    l->set.environment.list = lists;
    l->set.exports.list = lists + 1;
    l->set.requires.list = lists + 2;
}

/* "redis@.service" asked for as "redis@test" is named so; NULL: the name does not belong to it. */
static const char *name_of(struct loader *l, const char *path) {
    const char *base = strrchr(path, '/');
    base = base != NULL ? base + 1 : path;
    size_t length = strlen(base), suffix = strlen(SUFFIX);
    if (length > suffix && strcmp(base + length - suffix, SUFFIX) == 0) {
        length -= suffix;
    }
    return unit_copy(l, base, length);
}

static void take_name(struct loader *l, const char *path) {
    const char *file = name_of(l, path);
    const char *asked = l->options != NULL ? l->options->name : NULL;
    const char *name = asked != NULL ? asked : file;
    procref_error error = PROCREF_ERROR_INIT;
    size_t length = strlen(name), suffix = strlen(SUFFIX);
    if (asked != NULL && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0) {
        length -= suffix;
    }
    l->unit->name = unit_copy(l, name, length);
    l->unit->config.name = l->unit->name;
    if (pri_name_check("service", l->unit->name, &error) < 0) {
        unit_find(l, UNIT_ERROR, "%s", error.message);
    } else if (l->unit->name[length - 1] == '@') {
        unit_find(l, UNIT_ERROR, "%s is a template: name an instance, such as %sone", l->unit->name,
                  l->unit->name);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The *.conf of a folder, sorted; those of the more general folder give way to the same name. */
static void collect(struct loader *l, const char *folder, struct texts *names,
                    struct texts *paths) {
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        bool known = false;
        for (size_t i = 0; i < names->count; i++) {
            known = known || strcmp(names->list[i], entry->d_name) == 0;
        }
        if (length > 5 && entry->d_name[0] != '.' && !known &&
            strcmp(entry->d_name + length - 5, ".conf") == 0) {
            texts_add(l, names, unit_copy(l, entry->d_name, length));
            texts_add(l, paths, unit_text(l, "%s/%s", folder, entry->d_name));
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void read_drop_in(struct loader *l, const char *path) {
    const char *text;
    char real[PATH_MAX];
    size_t length;
    if (realpath(path, real) != NULL && strcmp(real, "/dev/null") == 0) {
        return; /* a mask: it has only hidden what has the same name in a more general folder */
    }
    l->file = path;
    l->line = 1;
    const char *why = unit_read_file(l, path, &text, &length);
    if (why != NULL) {
        unit_find(l, UNIT_ERROR, "the drop-in %s", why);
        return;
    }
    unit_parse_text(l, text, length, unit_assign);
}

/* "a-b-" of "a-b-c" and "a-" of that; 0: there is none. */
static size_t chopped(const char *name, size_t length) {
    for (length -= length > 0; length > 1; length--) {
        if (name[length - 1] == '-') {
            return length;
        }
    }
    return 0;
}

/*
 * By systemd.unit(5), of those beside the file: a-b@x.service.d, for an instance a-b@.service.d,
 * the same for each beginning of the name that ends with a dash, and service.d for all; together by
 * the files' names.
 */
static void read_drop_ins(struct loader *l, const char *folder) {
    const char *name = l->unit->name, *at = name + strcspn(name, "@");
    struct texts names = {0}, paths = {0}, sorted = {0};
    for (size_t part = (size_t)(at - name); part > 0; part = chopped(name, part)) {
        collect(l, unit_text(l, "%s/%.*s%s" SUFFIX ".d", folder, (int)part, name, at), &names,
                &paths);
        if (at[0] != '\0' && at[1] != '\0') {
            collect(l, unit_text(l, "%s/%.*s@" SUFFIX ".d", folder, (int)part, name), &names,
                    &paths);
        }
    }
    collect(l, unit_text(l, "%s/service.d", folder), &names, &paths);
    for (size_t i = 0; i < names.count;
         i++) { /* "NAME\0PATH" would do; a pair of words is simpler */
        texts_add(l, &sorted, unit_text(l, "%s/%s", names.list[i], paths.list[i]));
    }
    if (sorted.count > 0) {
        qsort(sorted.list, sorted.count, sizeof *sorted.list, by_name);
    }
    for (size_t i = 0; i < sorted.count; i++) {
        read_drop_in(l, strchr(sorted.list[i], '/') + 1);
    }
}

/* A link to a file elsewhere has its drop-ins beside it, as in systemd's folders. */
static void read_drop_ins_of_link(struct loader *l, const char *path) {
    char real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : unit_copy(l, path, (size_t)(slash - path));
    if (realpath(folder, real) != NULL && strcmp(real, l->unit->folder) != 0) {
        read_drop_ins(l, unit_copy(l, real, strlen(real)));
    }
}

static bool worth_it(const struct unit *unit) {
    for (size_t i = 0; i < unit->finding_count; i++) {
        if (unit->findings[i].level >= UNIT_REFUSED) {
            return false;
        }
    }
    return true;
}

static const struct unit_finding *first_wrong(const struct unit *unit) {
    const struct unit_finding *found = NULL;
    for (size_t i = 0; i < unit->finding_count && found == NULL; i++) {
        if (unit->findings[i].level >= UNIT_REFUSED) {
            found = &unit->findings[i];
        }
    }
    return found;
}

static int load(struct loader *l, const char *path, procref_error *err) {
    char real[PATH_MAX];
    const char *text;
    size_t length;
    if (realpath(path, real) == NULL) {
        int os = errno;
        return pri_fail(err, PROCREF_E_IO, os, "realpath", "%s cannot be opened", path);
    }
    const char *why = unit_read_file(l, real, &text, &length);
    if (why != NULL) {
        return pri_fail(err, PROCREF_E_IO, 0, "open", "%s %s", real, why);
    }
    l->unit->path = unit_copy(l, real, strlen(real));
    size_t folder = (size_t)(strrchr(real, '/') - real);
    l->unit->folder = folder > 0 ? unit_copy(l, real, folder) : unit_copy(l, "/", 1);
    l->fragment = l->file = l->unit->path;
    l->line = 1;
    defaults(l);
    take_name(l, path);
    unit_parse_text(l, text, length, unit_assign);
    read_drop_ins(l, l->unit->folder);
    read_drop_ins_of_link(l, path);
    unit_read_env_files(l);
    unit_finish(l);
    if (worth_it(l->unit)) {
        return 0;
    }
    const struct unit_finding *wrong = first_wrong(l->unit);
    return pri_fail(err, PROCREF_E_INVALID, 0, "", "%s:%d: %s", wrong->file, wrong->line,
                    wrong->message);
}

int unit_load(const char *path, const struct unit_options *options, struct unit **ret_unit,
              procref_error *err) {
    struct loader *l = calloc(1, sizeof *l);
    struct unit *unit = calloc(1, sizeof *unit);
    struct unit_arena *arena = unit_arena_new();
    int code;
    if (l == NULL || unit == NULL || arena == NULL || setjmp(l->out_of_memory) != 0) {
        code = pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for %s", path);
    } else {
        unit->arena = arena;
        l->unit = unit;
        l->arena = arena;
        l->options = options;
        code = load(l, path, err);
    }
    free(l);
    if (code == 0 || code == PROCREF_E_INVALID) {
        *ret_unit = unit;
        return code;
    }
    unit_arena_free(arena);
    free(unit);
    return code;
}

struct unit *unit_free(struct unit *unit) {
    if (unit != NULL) {
        unit_arena_free(unit->arena);
        free(unit);
    }
    return NULL;
}
