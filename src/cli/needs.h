/* What a service file requires (Requires= of [X-Procref]): found, looked through for a cycle, and
 * made the plan's holder. */
#ifndef CLI_NEEDS_H
#define CLI_NEEDS_H

#include "cli/target.h"

/* path: of the target's file. -1, or the exit status: CLI_USAGE, and the unit's findings say why.
 */
int needs_set(const struct cli_target_options *options, const char *path,
              struct cli_target *target);

#endif
