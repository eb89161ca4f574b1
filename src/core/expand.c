/* Variables in command lines (expand.h). */
#include "core/expand.h"

#include <string.h>

void pri_put(struct pri_writer *w, const char *bytes, size_t length) {
    if (w->base != NULL) {
        memcpy(w->base + w->used, bytes, length);
    }
    w->used += length;
}

const char *pri_variable(const char *const *env, const char *name, size_t length) {
    const char *value = NULL;
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') {
            value = *env + length + 1;
        }
    }
    return value;
}

void pri_expand(struct pri_writer *w, const char *word, const char *const *env) {
    while (*word != '\0') {
        bool braces = word[0] == '$' && word[1] == '{';
        size_t length = braces ? strcspn(word + 2, "}:") : 0;
        if (braces && word[2 + length] == '}') {
            const char *value = pri_variable(env, word + 2, length);
            if (value != NULL) {
                pri_put(w, value, strlen(value));
            }
            word += length + 3;
        } else if (braces) { /* "${A:", or never closed: it only begins like a variable */
            length += 2 + (word[2 + length] == ':');
            pri_put(w, word, length);
            word += length;
        } else {
            word += word[0] == '$' && word[1] == '$';
            pri_put(w, word++, 1);
        }
    }
}

bool pri_expands_to_words(const char *word) {
    return word[0] == '$' && word[1] != '{' && word[1] != '$';
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Quotes are taken off, and a backslash makes the next character an ordinary one. */
static const char *put_word(struct pri_writer *w, const char *text) {
    char quote = '\0';
    for (; *text != '\0' && (quote != '\0' || !is_space(*text)); text++) {
        if (*text == '\\' && text[1] != '\0') {
            pri_put(w, ++text, 1);
        } else if (*text == quote) {
            quote = '\0';
        } else if (quote == '\0' && (*text == '"' || *text == '\'')) {
            quote = *text;
        } else {
            pri_put(w, text, 1);
        }
    }
    pri_put(w, "", 1);
    return text;
}

size_t pri_expand_words(struct pri_writer *w, const char *word, const char *const *env) {
    size_t count = 0;
    if (!pri_expands_to_words(word)) {
        pri_expand(w, word, env);
        pri_put(w, "", 1);
        return 1;
    }
    const char *value = pri_variable(env, word + 1, strlen(word + 1));
    while (value != NULL) {
        while (is_space(*value)) {
            value++;
        }
        if (*value == '\0') {
            break;
        }
        value = put_word(w, value);
        count++;
    }
    return count;
}
