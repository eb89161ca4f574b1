/* procref, the command: finds the subcommand. Each has a file of its own. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

#define CLI_ENTRY(name, synopsis, summary, more) {#name, synopsis, summary, more, cli_##name},
static const struct cli_command commands[] = {CLI_COMMANDS(CLI_ENTRY)};
#undef CLI_ENTRY
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int help(FILE *to) {
    fputs("usage: procref COMMAND …\n\n"
          "Many processes share one service: the first one starts it, the last one's end\n"
          "stops it.\n\n",
          to);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\nprocref COMMAND --help says more; so does 'man procref'. Exit status: 100 usage\n"
          "or service file, 111 the service cannot be had, else the command's own.\n",
          to);
    return to == stdout ? CLI_OK : CLI_USAGE;
}

static int unknown(const char *word) {
    static const char *const options[] = {"--help", "--version"};
    const char *names[COMMAND_COUNT];
    bool option = word[0] == '-';
    for (int i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    const char *nearest = !option                       ? cli_nearest(word, names, COMMAND_COUNT)
                          : strncmp(word, "--", 2) == 0 ? cli_nearest(word, options, 2)
                                                        : NULL;
    const char *what = option ? "option" : "command";
    if (nearest != NULL) {
        cli_say("unknown %s '%s': is '%s' meant? See procref --help", what, word, nearest);
    } else {
        cli_say("unknown %s '%s': see procref --help", what, word);
    }
    return CLI_USAGE;
}

/* What was printed is only said once it is written: a full disk is an error. */
static int written(int status) {
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (failed && status == CLI_OK) {
        cli_say("cannot write to the standard output");
        return CLI_FAILED;
    }
    return status;
}

/* No descriptor of ours may become 0, 1 or 2: they are written to, and replaced. What stands in for
 * a closed one fails as that would, and ends at exec: COMMAND finds it closed. */
static void fill_standard(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        }
    }
}

int main(int argc, char **argv) {
    fill_standard();
    if (argc < 2) {
        return help(stderr);
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) { /* "help run" is "run --help" */
        static char word[] = "--help";
        argv[1] = argv[2];
        argv[2] = word;
        argc = 3;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return written(help(stdout));
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("procref %s\n", procref_version());
        return written(CLI_OK);
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            static char name[32];
            snprintf(name, sizeof name, "procref %s", commands[i].name);
            cli_name = name;
            return written(commands[i].run(&commands[i], argc - 1, argv + 1));
        }
    }
    return unknown(argv[1]);
}
