/* What a command finds in its environment: PORT, PROCREF_… and each Export= of the service file. */
#ifndef CLI_EXPORTS_H
#define CLI_EXPORTS_H

#include "cli/target.h"

/* Puts them into this process's environment. False without memory. */
bool cli_exports_set(const struct cli_target *target, const procref_info *info);

#endif
