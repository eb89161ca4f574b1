/* procref run: holds a service, then becomes the command. The kernel keeps the reference across the
 * exec, and takes it back when the command ends, in whatever way. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/acquire.h"
#include "cli/commands.h"
#include "cli/exports.h"

static int become(char **argv) {
    execvp(argv[0], argv);
    int os = errno;
    cli_say("%s: %s", argv[0], strerror(os));
    return os == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_RUN;
}

static int check_operands(int operands, char **argv, char **after,
                          struct cli_target_options *wanted) {
    int names = wanted->file != NULL ? 0 : 1;
    if (after == NULL && operands > names) {
        cli_say("put -- before the command: %s%s%s … -- %s", cli_name,
                wanted->file != NULL ? " -f " : " ", wanted->file != NULL ? wanted->file : argv[1],
                argv[1 + names]);
        return CLI_USAGE;
    }
    if (operands > names) {
        cli_say("'%s' is one name too many: see %s --help", argv[1 + names], cli_name);
        return CLI_USAGE;
    }
    if (after == NULL || after[0] == NULL) {
        cli_say("which command? Put it after --: see %s --help", cli_name);
        return CLI_USAGE;
    }
    wanted->name = operands > 0 ? argv[1] : NULL;
    return -1;
}

int cli_run(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    struct cli_acquire_options how = CLI_ACQUIRE_OPTIONS_INIT;
    const struct cli_option options[] = {
        CLI_TARGET_OPTIONS(wanted), CLI_ACQUIRE_OPTIONS(wanted, how), {0}};
    struct cli_target target;
    procref_handle *handle;
    char **after;
    int operands;
    bool was_up;

    int status = cli_parse(command, options, argc, argv, &operands, &after);
    status = status < 0 ? check_operands(operands, argv, after, &wanted) : status;
    status = status < 0 ? cli_target_find(&wanted, true, &target) : status;
    status = status < 0 ? cli_acquire_configure(&how, &target) : status;
    status = status < 0 ? cli_acquire(&target, &how, &handle, &was_up) : status;
    if (status >= 0) {
        return status;
    }
    if (!cli_exports_set(&target, handle)) {
        cli_say("out of memory");
        return CLI_FAILED;
    }
    return become(after);
}
