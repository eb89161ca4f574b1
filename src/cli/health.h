/* Whether a service that ran already works: Health= of its file. */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

#include "cli/target.h"

/* An on_health_check (procref.h) whose user_data is the struct cli_target; stderr says what is
 * wrong. The keeper then starts the service anew. */
bool health_check(const procref_info *info, void *user_data);

#endif
