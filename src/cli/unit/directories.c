/*
 * WorkingDirectory=, and the folders that a service is given (RuntimeDirectory= and its like). They
 * are made and removed by commands put before ExecStartPre= and after ExecStopPost=, so that
 * whoever runs the steps needs to know nothing of them.
 */
#include <string.h>
#include <sys/stat.h>

#include "cli/unit/loader.h"

enum { FOLDERS_MOST = 100 };

static const char *const variables[DIR_KINDS] = {
    [DIR_RUNTIME] = "RUNTIME_DIRECTORY",
    [DIR_STATE] = "STATE_DIRECTORY",
    [DIR_CACHE] = "CACHE_DIRECTORY",
    [DIR_LOGS] = "LOGS_DIRECTORY",
    [DIR_CONFIGURATION] = "CONFIGURATION_DIRECTORY",
};

void unit_parse_working_directory(struct loader *l, const char *value) {
    bool optional = *value == '-';
    value += optional;
    l->set.working_dir_optional = optional;
    if (*value == '\0') {
        l->set.working_dir = NULL;
        if (optional) {
            unit_bad(l, value - 1,
                     "an absolute path or ~, each with '-' before it if it may be missing");
        }
        return;
    }
    const char *dir = strcmp(value, "~") == 0 ? unit_home(l) : unit_path(l, value, NULL);
    if (dir != NULL) {
        l->set.working_dir = dir;
    }
}

/* Relative, and without a way out of where it is made. */
static bool relative(struct loader *l, const char *path) {
    return *path != '/' && !unit_leads_up(path) && *unit_simplify(l, path) != '\0';
}

void unit_parse_directory(struct loader *l, const char *value) {
    struct texts *to = &l->set.directories[l->key->which], words = {0};
    if (*value == '\0') {
        to->count = 0;
        l->set.directory_modes[l->key->which] = UNIT_DIRECTORY_MODE; /* systemd forgets it, too */
        return;
    }
    if (!unit_words(l, value, &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        const char *colon = strchr(words.list[i], ':');
        if (to->count == FOLDERS_MOST) {
            unit_find(l, UNIT_ERROR, "%s=: more than %d folders", l->key->name, FOLDERS_MOST);
            return;
        }
        if (colon != NULL) {
            unit_find(l, UNIT_REFUSED, "%s=: '%.200s' asks for a symbolic link, which is not made",
                      l->key->name, words.list[i]);
        } else if (!relative(l, words.list[i])) {
            unit_find(l, UNIT_ERROR, "%s=: '%.200s' must be a relative path without '..'",
                      l->key->name, words.list[i]);
        } else {
            texts_add(l, to, words.list[i]);
        }
    }
}

void unit_parse_directory_mode(struct loader *l, const char *value) {
    unsigned mode;
    if (unit_mode(value, &mode)) {
        l->set.directory_modes[l->key->which] = mode;
    } else {
        unit_bad(l, value, "an octal mode such as 0755");
    }
}

void unit_parse_preserve(struct loader *l, const char *value) {
    bool yes;
    if (strcmp(value, "restart") == 0) {
        l->set.preserve_runtime = false;
        unit_find(l, UNIT_WARNING,
                  "RuntimeDirectoryPreserve=restart is not carried out: the folder is removed and "
                  "made anew at a restart too");
    } else if (unit_boolean(value, &yes)) {
        l->set.preserve_runtime = yes;
    } else {
        unit_bad(l, value, "yes, no or restart");
    }
}

/* "/a:/b" */
static const char *with_colons(struct loader *l, const struct texts *texts) {
    size_t size = 0, used = 0;
    for (size_t i = 0; i < texts->count; i++) {
        size += strlen(texts->list[i]) + 1;
    }
    char *to = unit_get(l, size + 1);
    for (size_t i = 0; i < texts->count; i++) {
        size_t length = strlen(texts->list[i]);
        if (i > 0) {
            to[used++] = ':';
        }
        memcpy(to + used, texts->list[i], length);
        used += length;
    }
    return to;
}

static void add_command(struct loader *l, enum pri_step_list list, uint32_t flags,
                        const char *const words[5]) {
    struct texts argv = {0};
    for (int i = 0; i < 5 && words[i] != NULL; i++) {
        texts_add(l, &argv, words[i]);
    }
    unit_add_step(l, list, PRI_STEP_LITERAL | PRI_STEP_OURS | flags, argv.list[0], argv.list);
}

static void add_kind(struct loader *l, enum directory_kind kind) {
    const char *root = unit_directory_root(l, kind);
    const char *mode = unit_text(l, "-m%04o", l->set.directory_modes[kind]);
    bool keeps_mode = kind == DIR_CONFIGURATION; /* systemd gives it one when it makes it only */
    struct texts made = {0};
    for (size_t i = 0; i < l->set.directories[kind].count; i++) {
        const char *dir =
            unit_text(l, "%s/%s", root, unit_simplify(l, l->set.directories[kind].list[i]));
        add_command(l, PRI_STEPS_START_PRE, 0,
                    keeps_mode ? (const char *const[5]){"mkdir", "-p", mode, "--", dir}
                               : (const char *const[5]){"install", "-d", mode, "--", dir});
        if (kind == DIR_RUNTIME && !l->set.preserve_runtime) {
            add_command(l, PRI_STEPS_STOP_POST, PRI_STEP_IGNORE,
                        (const char *const[5]){"rm", "-rf", "--", dir, NULL});
        }
        texts_add(l, &made, dir);
    }
    if (made.count > 0) {
        texts_add(l, &l->set.directory_environment,
                  unit_text(l, "%s=%s", variables[kind], with_colons(l, &made)));
    }
}

void unit_add_directories(struct loader *l) {
    struct step_vector *first = &l->set.steps[PRI_STEPS_START_PRE], given = *first;
    *first = (struct step_vector){0};
    for (int kind = 0; kind < DIR_KINDS; kind++) {
        add_kind(l, (enum directory_kind)kind);
    }
    for (size_t i = 0; i < given.count; i++) {
        unit_add_step(l, PRI_STEPS_START_PRE, given.list[i].flags, given.list[i].program,
                      given.list[i].argv);
    }
}
