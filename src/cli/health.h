/* Whether a service that ran already works: Health= of its file. */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

#include "cli/target.h"

/* -1: it works, or nothing says how to find out; otherwise the exit status, and stderr says why.
 * Call it with the command's environment set. */
int health_check(const struct cli_target *target);

#endif
