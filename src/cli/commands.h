/* The subcommands: X(name, synopsis, summary, more). The function is cli_NAME, in NAME.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

#define CLI_COMMANDS(X)                                                                            \
    X(run, "NAME|-f FILE [options] -- COMMAND…", "hold a service while COMMAND runs",              \
      "COMMAND replaces procref (exec): exit status, signals, terminal are its own.\n")            \
    X(hold, "NAME|-f FILE [options]", "hold a service until stopped, or until a process ends",     \
      NULL)                                                                                        \
    X(ps, "[options]", "the services that run, and who holds them", NULL)                          \
    X(status, "NAME|-f FILE [options]", "one service: its process, its holders, why it is alive",  \
      NULL)                                                                                        \
    X(logs, "NAME|--file FILE [options]", "what a service wrote to its output", NULL)              \
    X(stop, "NAME|-f FILE [options]", "stop a service that nobody holds", NULL)                    \
    X(wait, "NAME|-f FILE [options]", "wait until a service is gone", NULL)                        \
    X(check, "NAME|-f FILE [options]", "read a service file and say what was understood", NULL)    \
    X(doctor, "[options]", "whether this system gives what procref promises", NULL)                \
    X(torture, "[options]", "crash everything for a while, and look whether a promise breaks", NULL)

#define CLI_DECLARE(name, synopsis, summary, more)                                                 \
    int cli_##name(const struct cli_command *command, int argc, char **argv);
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
