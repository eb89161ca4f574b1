/* Variables in a service file's command lines, by the rules of systemd.service(5), "Command lines".
 */
#ifndef PRI_EXPAND_H
#define PRI_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

/* Writes strings one after the other; without memory it only counts, so that room can be made that
 * fits. */
struct pri_writer {
    char *base;
    size_t used;
};
void pri_put(struct pri_writer *w, const char *bytes, size_t length);

/* The value in "KEY=VALUE" strings, of which the last one of a name counts; NULL if unset. */
const char *pri_variable(const char *const *env, const char *name, size_t length);

/* Within one word: ${VAR} is replaced, by nothing if it is unset, and "$$" is a dollar. No end is
 * written. */
void pri_expand(struct pri_writer *w, const char *word, const char *const *env);

/* Whether the whole word is one $VAR, which becomes no, one or many words. */
bool pri_expands_to_words(const char *word);

/* The same as pri_expand(), as zero-terminated words: many or none for a $VAR, whose value is split
 * at white space (quotes are heeded), else one. Returns how many. */
size_t pri_expand_words(struct pri_writer *w, const char *word, const char *const *env);

#endif
