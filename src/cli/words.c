/* A command in one text becomes words, as a shell reads quotes; nothing else of a shell is done. */
#include "cli/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One word from *text on, written to *to. False: a quote is not closed. */
static bool read_word(const char **text, char **to) {
    char quote = '\0';
    for (; **text != '\0' && (quote != '\0' || !isspace((unsigned char)**text)); ++*text) {
        char c = **text;
        if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else if (c == '\\' && quote != '\'' && (*text)[1] != '\0' &&
                   (quote == '\0' || strchr("\"\\$`", (*text)[1]) != NULL)) {
            *(*to)++ = *++*text;
        } else {
            *(*to)++ = c;
        }
    }
    *(*to)++ = '\0';
    return quote == '\0';
}

char **cli_words(const char *text) {
    size_t length = strlen(text);
    char **words = calloc(length / 2 + 2, sizeof *words), *room = malloc(2 * length + 1);
    size_t count = 0;
    bool closed = words != NULL && room != NULL;
    while (closed) {
        while (isspace((unsigned char)*text)) {
            text++;
        }
        if (*text == '\0') {
            break;
        }
        words[count++] = room;
        closed = read_word(&text, &room);
    }
    return closed ? words : NULL;
}
