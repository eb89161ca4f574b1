/* Words of a line: splitting, encoding, values. Nothing here talks to anybody. */
#include "support/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void decode(char *word) {
    char *to = word;
    for (const char *from = word; *from != '\0'; from++) {
        if (from[0] == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0) {
            *to++ = (char)(digit(from[1]) * 16 + digit(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

size_t words_split(char *line, char **words, size_t max) {
    size_t count = 0;
    char *rest = line;
    for (char *word; count < max && (word = strtok_r(rest, " \n", &rest)) != NULL;) {
        words[count++] = word;
    }
    for (size_t i = 0; i < count; i++) {
        decode(words[i]);
    }
    return count;
}

size_t words_encode(char *to, size_t size, const char *text) {
    size_t length = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0' && length + 4 < size;
         c++) {
        if (*c <= ' ' || *c == '%' || *c >= 0x7f) {
            length += (size_t)sprintf(to + length, "%%%02X", *c);
        } else {
            to[length++] = (char)*c;
        }
    }
    to[length] = '\0';
    return length;
}

const char *words_value(char *const *words, size_t count, const char *key) {
    size_t length = strlen(key);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(words[i], key, length) == 0 && words[i][length] == '=') {
            return words[i] + length + 1;
        }
    }
    return NULL;
}

long long words_number(char *const *words, size_t count, const char *key, long long otherwise) {
    const char *value = words_value(words, count, key);
    return value == NULL ? otherwise : strtoll(value, NULL, 10);
}
