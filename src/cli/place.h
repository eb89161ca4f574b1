/* Where a service belongs: its scope, its log; and since when it is up. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/look.h"

/* "user", or the folder that is its scope. */
const char *place_scope(const struct look *look);

/* The same in a word: "user", or what the folder is called. */
void place_scope_word(const struct look *look, char *to, size_t size);

/* The log's path in `to`, which is returned; "" if none is there: a service of
 * functions has none. */
const char *place_log(const struct look *look, char *to, size_t size);

/* Wall clock when what runs came up (as far as the hint knows: was started); 0: it is not up. */
int64_t place_up_since(const struct look *look);

#endif
