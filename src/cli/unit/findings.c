/* Findings: what is wrong with a unit, or not carried out, and where. */
#include <stdarg.h>
#include <string.h>

#include "cli/unit/loader.h"

enum { FINDINGS_MOST = 1000 }; /* a file that is no unit at all has told enough by then */

bool unit_key_ignored(const struct loader *l, const char *key) {
    const char *const *ignore = l->options != NULL ? l->options->ignore : NULL;
    for (; ignore != NULL && *ignore != NULL; ignore++) {
        if (strcmp(*ignore, key) == 0) {
            return true;
        }
    }
    return false;
}

struct unit_place unit_here(const struct loader *l) {
    return (struct unit_place){l->file, l->line};
}

void unit_go_to(struct loader *l, const struct unit_place *at, const char *section,
                const char *key) {
    l->file = at->file;
    l->line = at->line;
    l->key = unit_key_named(section, key);
}

static enum unit_level level_asked(const struct loader *l, enum unit_level level) {
    bool ignored = level == UNIT_REFUSED && l->key != NULL && unit_key_ignored(l, l->key->name);
    return ignored ? UNIT_IGNORED : level;
}

void unit_find(struct loader *l, enum unit_level level, const char *format, ...) {
    struct unit *unit = l->unit;
    char message[1024];
    va_list args;
    if (unit->finding_count == FINDINGS_MOST) {
        if (level <= unit->findings[FINDINGS_MOST - 1].level) {
            return;
        }
        unit->finding_count--; /* what keeps it from being run is told, whatever else is not */
    }
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    for (char *c = message; *c != '\0'; c++) { /* one line, whatever the value holds */
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
    unit->findings =
        unit_grow(l, unit->findings, unit->finding_count, &l->finding_room, sizeof *unit->findings);
    struct unit_finding *finding = &unit->findings[unit->finding_count++];
    finding->level = level_asked(l, level);
    finding->file = unit_copy(l, l->file, strlen(l->file));
    finding->line = l->line;
    finding->section = l->key != NULL ? l->key->section : NULL;
    finding->key = l->key != NULL ? unit_copy(l, l->key->name, strlen(l->key->name)) : NULL;
    finding->message = unit_copy(l, message, strlen(message));
}

static char *keep(struct unit *unit, const char *text) {
    char *kept = unit_arena_get(unit->arena, strlen(text) + 1);
    return kept != NULL ? strcpy(kept, text) : NULL;
}

void unit_blame(struct unit *unit, const struct unit_place *at, const char *key,
                const char *message) {
    size_t count = unit->finding_count;
    struct unit_finding *all = unit_arena_get(unit->arena, (count + 1) * sizeof *all);
    struct unit_finding found = {.level = UNIT_ERROR,
                                 .file = keep(unit, at->file),
                                 .line = at->line,
                                 .key = keep(unit, key),
                                 .message = keep(unit, message)};
    if (all == NULL || found.file == NULL || found.key == NULL || found.message == NULL) {
        return; /* whoever adds it has its own way to say no */
    }
    if (count > 0) {
        memcpy(all, unit->findings, count * sizeof *all);
    }
    all[count] = found;
    unit->findings = all;
    unit->finding_count++;
}

void unit_bad(struct loader *l, const char *value, const char *expected) {
    unit_find(l, UNIT_ERROR, "%s= is '%.200s': use %s", l->key->name, value, expected);
}
