/* One line of words, as the helper programs speak: `verb key=value key=value`, with %XX for bytes
 * that would break a line or a word. Used on both ends of the pipe. */
#ifndef TEST_WORDS_H
#define TEST_WORDS_H

#include <stddef.h>

/* Cuts line at its blanks and decodes each word in place; returns how many there are. */
size_t words_split(char *line, char **words, size_t max);

/* Writes text to `to` so that it stays one word; returns its length. What does not fit is cut. */
size_t words_encode(char *to, size_t size, const char *text);

/* The value of the first `key=value`; NULL if there is none. */
const char *words_value(char *const *words, size_t count, const char *key);

/* The value as a number; otherwise if there is none. */
long long words_number(char *const *words, size_t count, const char *key, long long otherwise);

#endif
