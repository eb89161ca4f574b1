/* Requirements (needs.h). */
#include "cli/needs.h"

#include "cli/lookup.h"

int needs_set(const struct cli_target_options *options, const char *path,
              struct cli_target *target) {
    (void)options;
    (void)path;
    if (target->unit->requires == NULL || target->unit->requires[0] == NULL) {
        return -1;
    }
    cli_say("%s: Requires= is not carried out yet", path);
    return CLI_FAILED;
}
