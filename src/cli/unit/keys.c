/* From an assignment to the function that understands it, by the table of keys.h. */
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/unit/keys.h"
#include "cli/unit/loader.h"

#define CARRIED(section, name, parse, which) {section, name, UNIT_ERROR, parse, NULL, NULL, which},
#define LEFT_OUT(section, name, level, harmless, reason)                                           \
    {section, name, level, NULL, harmless, reason, 0},
static const struct unit_key keys[] = {UNIT_CARRIED(CARRIED) UNIT_LEFT_OUT(LEFT_OUT)};
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

static bool condition(const char *name) {
    return strncmp(name, "Condition", 9) == 0 || strncmp(name, "Assert", 6) == 0;
}

/* Whether a value of a key that is not carried out asks for nothing. */
static bool harmless(const struct unit_key *key, const char *value) {
    bool yes;
    if (*value == '\0' || (key->harmless != NULL && strcmp(value, key->harmless) == 0)) {
        return true;
    }
    return !condition(key->name) &&
           ((unit_boolean(value, &yes) && !yes) || strcmp(value, "infinity") == 0);
}

/* What was found before is overruled: by an empty value, or one that asks for nothing. */
static void forget(struct unit *unit, const struct unit_key *key) {
    size_t kept = 0;
    for (size_t i = 0; i < unit->finding_count; i++) {
        const char *name = unit->findings[i].key;
        bool same = name != NULL &&
                    (strcmp(name, key->name) == 0 || (condition(key->name) && condition(name)));
        if (!same) {
            unit->findings[kept++] = unit->findings[i];
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
    if (level != UNIT_IGNORED && harmless(key, value)) {
        forget(l->unit, key);
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
    } else if (l->key->parse != NULL) {
        l->key->parse(l, value);
    } else {
        left_out(l, value);
    }
    l->key = NULL;
}
