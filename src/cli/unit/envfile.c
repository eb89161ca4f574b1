/*
 * The syntax of an EnvironmentFile=, systemd.exec(5): a state machine over its characters. Nearly
 * that of a shell's assignments, but nothing is ever expanded.
 */
#include <string.h>

#include "cli/unit/loader.h"

#define BLANKS " \t\n\r"

enum state {
    BEFORE_KEY,
    KEY,
    BEFORE_VALUE,
    VALUE,
    ESCAPED,
    SINGLE_QUOTED,
    DOUBLE_QUOTED,
    DOUBLE_ESCAPED,
    COMMENT,
    COMMENT_ESCAPED,
};

struct machine {
    enum state state;
    char *key, *value;
    size_t key_length, value_length;
    size_t key_end, value_end; /* without the blanks at the end that nothing quotes */
};

static void put_key(struct machine *m, char c) {
    m->key[m->key_length++] = c;
    if (strchr(BLANKS, c) == NULL) {
        m->key_end = m->key_length;
    }
}

static void put_value(struct machine *m, char c, bool quoted) {
    m->value[m->value_length++] = c;
    if (quoted || strchr(BLANKS, c) == NULL) {
        m->value_end = m->value_length;
    }
}

static bool newline(char c) {
    return c == '\n' || c == '\r';
}

static void end_line(struct loader *l, struct machine *m,
                     void (*push)(struct loader *, const char *, const char *)) {
    m->key[m->key_end] = '\0';
    m->value[m->value_end] = '\0';
    push(l, m->key, m->value);
}

static enum state in_value(struct machine *m, char c) {
    switch (m->state) {
    case BEFORE_VALUE:
        if (c == '\'' || c == '"') {
            return c == '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
        }
        if (c == '\\') {
            return ESCAPED;
        }
        if (strchr(BLANKS, c) == NULL) {
            put_value(m, c, false);
            return VALUE;
        }
        return BEFORE_VALUE;
    case VALUE:
        if (c == '\\') {
            m->value_end = m->value_length;
            return ESCAPED;
        }
        put_value(m, c, false);
        return VALUE;
    case ESCAPED:
        if (!newline(c)) { /* else the line goes on */
            put_value(m, c, true);
        }
        return VALUE;
    case SINGLE_QUOTED:
        if (c != '\'') {
            put_value(m, c, true);
        }
        return c == '\'' ? BEFORE_VALUE : SINGLE_QUOTED;
    case DOUBLE_QUOTED:
        if (c == '"' || c == '\\') {
            return c == '"' ? BEFORE_VALUE : DOUBLE_ESCAPED;
        }
        put_value(m, c, true);
        return DOUBLE_QUOTED;
    default: /* DOUBLE_ESCAPED */
        if (strchr("\"\\`$", c) == NULL && c != '\n') {
            put_value(m, '\\', true);
        }
        if (c != '\n') {
            put_value(m, c, true);
        }
        return DOUBLE_QUOTED;
    }
}

static enum state in_key(struct machine *m, char c) {
    if (m->state == BEFORE_KEY) {
        m->key_length = m->key_end = m->value_length = m->value_end = 0;
        if (c == '#' || c == ';') {
            return COMMENT;
        }
        if (strchr(BLANKS, c) != NULL) {
            return BEFORE_KEY;
        }
    } else if (newline(c)) { /* a line without "=" is left out */
        return BEFORE_KEY;
    }
    if (c == '=' && m->state == KEY) {
        return BEFORE_VALUE;
    }
    put_key(m, c);
    return KEY;
}

void unit_parse_env_text(struct loader *l, const char *text, size_t length,
                         void (*push)(struct loader *l, const char *key, const char *value)) {
    struct machine m = {BEFORE_KEY, unit_get(l, length + 1), unit_get(l, length + 1), 0, 0, 0, 0};
    int line = 1;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        switch (m.state) {
        case BEFORE_KEY: l->line = line; /* fall through */
        case KEY: m.state = in_key(&m, c); break;
        case COMMENT:
            m.state = c == '\\' ? COMMENT_ESCAPED : newline(c) ? BEFORE_KEY : COMMENT;
            break;
        case COMMENT_ESCAPED: m.state = COMMENT; break;
        case BEFORE_VALUE:
        case VALUE:
            if (newline(c)) {
                end_line(l, &m, push);
                m.state = BEFORE_KEY;
                break;
            }
            m.state = in_value(&m, c);
            break;
        default: m.state = in_value(&m, c); break;
        }
        line += c == '\n';
    }
    if (m.state >= BEFORE_VALUE && m.state <= DOUBLE_ESCAPED) {
        end_line(l, &m, push);
    }
}
