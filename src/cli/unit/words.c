/* Quoting and escapes: a value's words, as systemd.syntax(7) and systemd.service(5) split them. */
#include <string.h>

#include "cli/unit/loader.h"

#define BLANKS " \t\n\r"

static int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

/* `count` digits of a base; -1: not so many. */
static int64_t digits(const char *text, int count, int base) {
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] == '\0' || digit(text[i]) >= base) {
            return -1;
        }
        value = value * base + digit(text[i]);
    }
    return value;
}

static size_t put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6) {
        to[i] = (char)(0x80 | (c & 0x3f));
    }
    to[0] = (char)(lead[n] | c);
    return n;
}

/* A number as an escape: \xHH, \NNN (bytes), \uHHHH, \UHHHHHHHH (characters). Never a zero byte. */
static size_t numeric_escape(const char *at, char *to, size_t *ret_put) {
    int64_t value;
    switch (*at) {
    case 'x': value = digits(at + 1, 2, 16); break;
    case 'u': value = digits(at + 1, 4, 16); break;
    case 'U':
        value = digits(at + 1, 8, 16);
        value = value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff) ? -1 : value;
        break;
    default:
        value = digits(at, 3, 8);
        value = value > 255 ? -1 : value;
        break;
    }
    if (value <= 0) {
        return 0;
    }
    if (*at == 'u' || *at == 'U') {
        *ret_put = put_utf8(to, (uint32_t)value);
        return *at == 'u' ? 5 : 9;
    }
    *to = (char)value;
    *ret_put = 1;
    return 3;
}

/* What follows a backslash: how long it is (0: unknown), and what it stands for. */
static size_t escape(const char *at, char *to, size_t *ret_put) {
    static const char from[] = "abfnrtv\\\"'s", into[] = "\a\b\f\n\r\t\v\\\"' ";
    const char *found = strchr(from, *at);
    if (found != NULL) {
        *to = into[found - from];
        *ret_put = 1;
        return 1;
    }
    return numeric_escape(at, to, ret_put);
}

int unit_word(const char **at, char *to, bool *odd) {
    const char *from = *at + strspn(*at, BLANKS);
    char quote = '\0';
    size_t put, taken;
    *at = from;
    if (*from == '\0') {
        return WORD_NONE;
    }
    for (; *from != '\0' && (quote != '\0' || strchr(BLANKS, *from) == NULL); from++) {
        if (*from == '\\' && from[1] == '\0') {
            *odd = true;
            *to++ = '\\';
        } else if (*from == '\\') {
            taken = escape(from + 1, to, &put);
            if (taken == 0) { /* unknown: both are kept */
                *odd = true;
                to[0] = '\\';
                to[1] = from[1];
                taken = 1;
                put = 2;
            }
            from += taken;
            to += put;
        } else if (*from == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*from == '"' || *from == '\'')) {
            quote = *from;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    *at = from + strspn(from, BLANKS);
    return quote != '\0' ? WORD_UNBALANCED : WORD_FOUND;
}

bool unit_words(struct loader *l, const char *value, struct texts *to) {
    char *buffer = unit_get(l, strlen(value) + 1);
    bool odd = false;
    int found;
    while ((found = unit_word(&value, buffer, &odd)) == WORD_FOUND) {
        const char *word = unit_specify(l, buffer);
        if (word == NULL) {
            return false;
        }
        texts_add(l, to, word);
    }
    if (odd) {
        unit_find(l, UNIT_WARNING, "%s=: unknown escapes are kept as they are", l->key->name);
    }
    if (found == WORD_UNBALANCED) {
        unit_find(l, UNIT_ERROR, "%s=: a quote is not closed", l->key->name);
    }
    return found != WORD_UNBALANCED;
}
