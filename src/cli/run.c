/* procref run: holds a service, then becomes the command. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/target.h"

int cli_run(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    const struct cli_option options[] = {CLI_TARGET_OPTIONS(wanted), {0}};
    int operands;
    char **after;
    int status = cli_parse(command, options, argc, argv, &operands, &after);
    return status >= 0 ? status : CLI_FAILED; /* to be written */
}
