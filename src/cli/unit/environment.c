/* Environment=, EnvironmentFile=, UnsetEnvironment=, and ${VAR} in texts of ours. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "cli/unit/loader.h"
#include "core/ident.h"

enum { VARIABLES_MOST = 16384 }; /* more do not fit beside the words of a command */

/* The last assignment to a name wins, in the place of the first. */
static void set_variable(struct loader *l, struct texts *texts, const char *assignment) {
    size_t length = strcspn(assignment, "=") + 1;
    if (texts->count == VARIABLES_MOST) {
        unit_find(l, UNIT_ERROR, "more than %d variables", VARIABLES_MOST);
        return;
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (strncmp(texts->list[i], assignment, length) == 0) {
            texts->list[i] = assignment;
            return;
        }
    }
    texts_add(l, texts, assignment);
}

void unit_parse_environment(struct loader *l, const char *value) {
    struct texts words = {0};
    if (*value == '\0') {
        l->set.environment.count = 0;
        return;
    }
    if (!unit_words(l, value, &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (unit_env_valid(words.list[i])) {
            set_variable(l, &l->set.environment, words.list[i]);
        } else {
            unit_find(l, UNIT_ERROR,
                      "Environment=: '%.200s' is no NAME=VALUE: quote what has spaces in it",
                      words.list[i]);
        }
    }
}

static void add_once(struct loader *l, struct texts *texts, const char *word) {
    for (size_t i = 0; i < texts->count; i++) {
        if (strcmp(texts->list[i], word) == 0) {
            return;
        }
    }
    texts_add(l, texts, word);
}

void unit_parse_unset_environment(struct loader *l, const char *value) {
    struct texts words = {0};
    if (*value == '\0') {
        l->set.unset.count = 0;
        return;
    }
    if (!unit_words(l, value, &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        const char *word = words.list[i];
        if (unit_env_name(word, strlen(word)) || unit_env_valid(word)) {
            add_once(l, &l->set.unset, word);
        } else {
            unit_find(l, UNIT_ERROR,
                      "UnsetEnvironment=: '%.200s' is neither a variable's name nor NAME=VALUE",
                      word);
        }
    }
}

void unit_parse_environment_file(struct loader *l, const char *value) {
    struct settings *set = &l->set;
    if (*value == '\0') {
        set->env_file_count = 0;
        return;
    }
    const char *path = unit_path(l, value + (*value == '-'), NULL);
    if (path == NULL) {
        return;
    }
    size_t room = set->env_file_count;
    if ((room & (room - 1)) == 0) { /* full at each power of two */
        struct env_file *grown = unit_get(l, (room > 0 ? 2 * room : 1) * sizeof *grown);
        if (room > 0) {
            memcpy(grown, set->env_files, room * sizeof *grown);
        }
        set->env_files = grown;
    }
    set->env_files[set->env_file_count++] =
        (struct env_file){path, l->file, l->line, *value == '-'};
}

static void push(struct loader *l, const char *key, const char *value) {
    bool control;
    const char *assignment = unit_text(l, "%s=%s", key, value);
    if (!unit_env_name(key, strlen(key)) || !pri_utf8_valid(value, &control)) {
        unit_find(l, UNIT_ERROR, "'%.200s' is no variable's name with a value in UTF-8", key);
        return;
    }
    set_variable(l, &l->set.file_environment, assignment);
}

static void read_one(struct loader *l, const struct env_file *file, const char *path) {
    const char *text;
    size_t length;
    const char *why = unit_read_file(l, path, &text, &length);
    l->file = file->from;
    l->line = file->line;
    if (why != NULL) {
        unit_find(l, UNIT_ERROR, "EnvironmentFile=: %.300s %s", path, why);
        return;
    }
    if (memchr(text, '\0', length) != NULL) {
        unit_find(l, UNIT_ERROR, "EnvironmentFile=: %.300s holds a zero byte", path);
        return;
    }
    l->file = path;
    l->line = 1;
    unit_parse_env_text(l, text, length, push);
}

void unit_read_env_files(struct loader *l) {
    l->key = unit_key_named("Service", "EnvironmentFile");
    for (size_t i = 0; i < l->set.env_file_count; i++) {
        const struct env_file *file = &l->set.env_files[i];
        glob_t found;
        int code = glob(file->path, 0, NULL, &found);
        if (code == GLOB_NOSPACE) {
            longjmp(l->out_of_memory, 1);
        }
        l->file = file->from;
        l->line = file->line;
        if (code != 0 && file->optional && l->set.steps[PRI_STEPS_START_PRE].count > 0) {
            unit_find(
                l, UNIT_WARNING,
                "EnvironmentFile=: there is no %.300s now; if ExecStartPre= makes it, that is "
                "too late: it is read before anything is started",
                file->path);
        }
        if (code != 0 && !file->optional) {
            unit_find(
                l, UNIT_ERROR,
                "EnvironmentFile=: there is no %.300s (with '-' before it, it may be missing)",
                file->path);
        }
        for (size_t j = 0; code == 0 && j < found.gl_pathc; j++) {
            read_one(l, file, found.gl_pathv[j]);
        }
        if (code == 0) {
            globfree(&found);
        }
    }
    l->key = NULL;
}

static const char *look_up(const char *name, size_t length, const char *const *env) {
    const char *value = "";
    for (; env != NULL && *env != NULL; env++) {
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') {
            value = *env + length + 1;
        }
    }
    return value;
}

/*
 * The reference that `at` begins with: how long it is, 0 for none. "$$" is a dollar. What only
 * begins like one stays as it is: "${A:", and all that follows a brace that is not closed.
 */
static size_t reference(const char *at, const char *const *env, const char **ret_value,
                        size_t *ret_length) {
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    bool braces = at[1] == '{';
    const char *name = at + 1 + braces;
    if (at[1] == '$') {
        *ret_value = "$";
        *ret_length = 1;
        return 2;
    }
    size_t length = braces ? strcspn(name, "}:") : strspn(name, word);
    if (braces && name[length] != '}') {
        *ret_length = 2 + length + (name[length] == ':');
        return *ret_length;
    }
    if (length == 0 && !braces) {
        return 0;
    }
    *ret_value = look_up(name, length, env);
    *ret_length = strlen(*ret_value);
    return 1 + length + 2 * (size_t)braces;
}

char *unit_expand(const char *text, const char *const *env) {
    char *to = NULL;
    for (int pass = 0; pass < 2; pass++) { /* measure, then write */
        size_t used = 0;
        for (const char *at = text; *at != '\0';) {
            const char *value = at;
            size_t length = 1, taken = *at == '$' ? reference(at, env, &value, &length) : 0;
            if (to != NULL) {
                memcpy(to + used, value, length);
            }
            used += length;
            at += taken > 0 ? taken : 1;
        }
        if (to == NULL && (to = malloc(used + 1)) == NULL) {
            return NULL;
        }
        to[used] = '\0';
    }
    return to;
}
