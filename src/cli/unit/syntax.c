/*
 * systemd.syntax(7): lines, comments, continuation, sections and assignments. What a key means is
 * not known here. systemd warns about a line that it cannot understand and goes on without it; here
 * that is an error, since the service would not be what its file says.
 */
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"
#include "core/ident.h"

enum { LINE_MOST = 1024 * 1024 };
#define BLANKS " \t\n\r"

struct reader {
    const char *at, *end;
    int number; /* of the line last read */
};

/* One line without its end, which is \n, \r or one of each. */
static bool next_line(struct reader *reader, const char **ret_line, size_t *ret_length) {
    if (reader->at == reader->end) {
        return false;
    }
    size_t left = (size_t)(reader->end - reader->at), length = 0;
    while (length < left && reader->at[length] != '\n' && reader->at[length] != '\r') {
        length++;
    }
    *ret_line = reader->at;
    *ret_length = length;
    reader->at += length;
    if (reader->at < reader->end) {
        char first = *reader->at++;
        if (reader->at < reader->end && *reader->at != first &&
            (*reader->at == '\n' || *reader->at == '\r')) {
            reader->at++;
        }
    }
    reader->number++;
    return true;
}

static char *strip(char *text) {
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

struct place {
    const char *section; /* NULL: before the first, or in one that is left out */
    bool left_out;
};

static const char *const known[] = {"Unit", "Service", "Install", "X-Procref"};
enum { KNOWN_COUNT = sizeof known / sizeof known[0] };

/* NULL: like none of ours. Many letters differ where it is only shouted. */
static const char *section_meant(const char *section) {
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcasecmp(section, known[i]) == 0) {
            return known[i];
        }
    }
    return cli_nearest(section, known, KNOWN_COUNT);
}

static void section_line(struct loader *l, struct place *place, char *line) {
    size_t length = strlen(line);
    if (line[length - 1] != ']') {
        unit_find(l, UNIT_ERROR, "'%.200s' is no section: it must end with ']'", line);
        return;
    }
    line[length - 1] = '\0';
    place->section = NULL;
    place->left_out = true;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcmp(line + 1, known[i]) == 0) {
            place->section = known[i];
            place->left_out = false;
        }
    }
    const char *meant = place->left_out ? section_meant(line + 1) : NULL;
    if (meant != NULL) {
        unit_find(l, UNIT_WARNING, "the section [%.200s] is unknown, and left out: is [%s] meant?",
                  line + 1, meant);
    } else if (place->left_out && strncmp(line + 1, "X-", 2) != 0) {
        unit_find(l, UNIT_WARNING, "the section [%.200s] is unknown, and left out", line + 1);
    }
}

static void logical_line(struct loader *l, struct place *place, char *line,
                         unit_assignment *assign) {
    bool control;
    line = strip(line);
    if (*line == '\0') {
        return;
    }
    if (!pri_utf8_valid(line, &control)) {
        unit_find(l, UNIT_ERROR, "the line is not valid UTF-8");
        return;
    }
    if (*line == '[') {
        section_line(l, place, line);
        return;
    }
    if (place->left_out) {
        return;
    }
    char *equals = strchr(line, '=');
    if (place->section == NULL) {
        unit_find(l, UNIT_ERROR, "'%.200s' stands before any [Section]", line);
    } else if (equals == NULL || equals == line) {
        unit_find(l, UNIT_ERROR, "'%.200s' is no assignment: expected Key=value, [Section] or #",
                  line);
    } else {
        *equals = '\0';
        assign(l, place->section, strip(line), strip(equals + 1));
    }
}

/* Whether a line goes on: it ends with a backslash that no other one escapes. */
static bool goes_on(const char *line, size_t length) {
    bool escaped = false;
    for (size_t i = 0; i < length; i++) {
        escaped = !escaped && line[i] == '\\';
    }
    return escaped;
}

static bool comment(const char *line, size_t length) {
    size_t i = 0;
    while (i < length && strchr(BLANKS, line[i]) != NULL) {
        i++;
    }
    return i < length && (line[i] == '#' || line[i] == ';');
}

void unit_parse_text(struct loader *l, const char *text, size_t length, unit_assignment *assign) {
    struct reader reader = {text, text + length, 0};
    struct place place = {NULL, false};
    const char *line;
    size_t line_length, used = 0;
    char *buffer = unit_get(l, length + 1);
    bool continued = false;
    l->line = 1;
    if (memchr(text, '\0', length) != NULL) {
        unit_find(l, UNIT_ERROR, "the file holds a zero byte: this is no text");
        return;
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        reader.at += 3;
    }
    while (next_line(&reader, &line, &line_length)) {
        if (!continued) {
            l->line = reader.number;
            used = 0;
        }
        if (used + line_length > LINE_MOST) {
            unit_find(l, UNIT_ERROR, "the line is longer than 1 MiB");
            return;
        }
        if (comment(line, line_length)) {
            continue;
        }
        memcpy(buffer + used, line, line_length);
        used += line_length;
        continued = goes_on(buffer, used);
        if (continued) {
            buffer[used - 1] = ' ';
            continue;
        }
        buffer[used] = '\0';
        logical_line(l, &place, buffer, assign);
    }
    if (continued) {
        buffer[used] = '\0';
        logical_line(l, &place, buffer, assign);
    }
}
