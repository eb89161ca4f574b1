/* What a look at a service means, in words. */
#ifndef CLI_BECAUSE_H
#define CLI_BECAUSE_H

#include "cli/look.h"

/* One word or two for a table: "up", "lingering", "starting", "gave up", "no keeper", "no answer".
 */
const char *because_state(const struct look *look);

/* Whether it can be used, or is about to be. */
bool because_is_running(const struct look *look);

/* One sentence: "alive because …", "starting: …", "gave up: …". The caller frees it. */
char *because_sentence(const struct look *look);

/* "the kernel counts 3, the record page names 2", or NULL if they agree. The caller frees it. */
char *because_difference(const struct look *look);

/* How often the process of holders[i] is among the holders; 0: it was counted at an earlier i. One
 * that became another by exec, as in nested runs, may hold a service several times. */
size_t because_times(const struct look *look, size_t i);

/* "4711 (pytest -n 8) since 12:03:11" for each of at most `most` processes that hold it, and how
 * many more there are. The caller frees it. */
char *because_holders(const struct look *look, size_t most);

#endif
