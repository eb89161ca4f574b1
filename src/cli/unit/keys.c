/* From an assignment to the function that understands it, by the table of keys.h. */
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/unit/keys.h"
#include "cli/unit/loader.h"

#define CARRIED(section, name, kind, parse, which)                                                 \
    {section, name, UNIT_ERROR, kind, parse, NULL, NULL, which},
#define IGNORED(section, name, reason)                                                             \
    {section, name, UNIT_IGNORED, UNIT_MORE, NULL, NULL, reason, 0},
#define LEFT_OUT(section, name, level, kind, nothing, reason)                                      \
    {section, name, level, kind, NULL, nothing, reason, 0},
static const struct unit_key keys[] = {UNIT_CARRIED(CARRIED) UNIT_LEFT_OUT(IGNORED, LEFT_OUT)};
enum {
    KEY_COUNT = sizeof keys / sizeof keys[0],
    GUESSES = 20, /* a file with more unknown keys than that is not mistyped */
};

const struct unit_key *unit_key_named(const char *section, const char *name) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* The section that has the key, if it is only in the wrong one. */
static const char *other_section(const char *name) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].section;
        }
    }
    return NULL;
}

static void unknown(struct loader *l, const char *section, const char *name) {
    const char *names[KEY_COUNT];
    int count = 0;
    bool ours = strcmp(section, "X-Procref") == 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) == 0) {
            names[count++] = keys[i].name;
        }
    }
    enum unit_level level = ours ? UNIT_ERROR : UNIT_WARNING;
    const char *other = other_section(name);
    const char *nearest = l->unknown_keys++ < GUESSES ? cli_nearest(name, names, count) : NULL;
    if (other != NULL) {
        unit_find(l, level, "%.100s= belongs into [%s], not into [%s]", name, other, section);
    } else if (nearest != NULL) {
        unit_find(l, level, "unknown key %.100s= in [%s]: is %s= meant?", name, section, nearest);
    } else {
        unit_find(l, level, "unknown key %.100s= in [%s]", name, section);
    }
}

static bool is_nothing(const char *word, size_t length, const char *value) {
    bool yes;
    if (length == 2 && strncmp(word, "no", 2) == 0) {
        return unit_boolean(value, &yes) && !yes;
    }
    return strlen(value) == length && strncmp(word, value, length) == 0;
}

/* Whether a value of a key that is not carried out asks for nothing. */
static bool asks_for_nothing(const struct unit_key *key, const char *value) {
    if (*value == '\0') {
        return key->kind != UNIT_EACH;
    }
    for (const char *word = key->nothing; word != NULL && *word != '\0';) {
        size_t length = strcspn(word, " ");
        if (is_nothing(word, length, value)) {
            return true;
        }
        word += length + strspn(word + length, " ");
    }
    return false;
}

/* Whether systemd forgets by this assignment what the same key was set to before. */
static bool takes_back(const struct unit_key *key, const char *value) {
    if (*value == '\0') {
        return key->kind == UNIT_LIST || key->kind == UNIT_VALUE;
    }
    return key->kind == UNIT_LAST || key->kind == UNIT_VALUE || asks_for_nothing(key, value);
}

/* All conditions are one list, which an empty one of any name empties; assertions are another. */
static bool same_setting(const char *one, const char *other) {
    static const char *const lists[] = {"Condition", "Assert"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        size_t length = strlen(lists[i]);
        if (strncmp(one, lists[i], length) == 0 && strncmp(other, lists[i], length) == 0) {
            return true;
        }
    }
    return strcmp(one, other) == 0;
}

/* Errors stay: what cannot be read is not guessed, whatever follows it. */
static void forget(struct unit *unit, const struct unit_key *key) {
    size_t kept = 0;
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        bool gone = finding->level < UNIT_ERROR && finding->section != NULL &&
                    strcmp(finding->section, key->section) == 0 &&
                    same_setting(finding->key, key->name);
        if (!gone) {
            unit->findings[kept++] = *finding;
        }
    }
    unit->finding_count = kept;
}

/* Only targets: nothing that would have to run. */
static bool targets_only(const char *value) {
    while (*value != '\0') {
        size_t length = strcspn(value, " \t");
        if (length < 7 || strncmp(value + length - 7, ".target", 7) != 0) {
            return false;
        }
        value += length + strspn(value + length, " \t");
    }
    return true;
}

static void left_out(struct loader *l, const char *value) {
    const struct unit_key *key = l->key;
    enum unit_level level = key->level;
    if (level != UNIT_IGNORED && asks_for_nothing(key, value)) {
        return;
    }
    if (level == UNIT_WARNING && strcmp(key->section, "Unit") == 0 && targets_only(value)) {
        level = UNIT_IGNORED;
    }
    unit_find(l, level, "%s=%.60s%s: %s", key->name, value, strlen(value) > 60 ? "…" : "",
              key->reason);
}

void unit_assign(struct loader *l, const char *section, const char *name, const char *value) {
    if (strncmp(name, "X-", 2) == 0) {
        return;
    }
    l->key = unit_key_named(section, name);
    if (l->key == NULL) {
        unknown(l, section, name);
        return;
    }
    if (takes_back(l->key, value)) {
        forget(l->unit, l->key);
    }
    if (l->key->parse != NULL) {
        l->key->parse(l, value);
    } else {
        left_out(l, value);
    }
    l->key = NULL;
}
