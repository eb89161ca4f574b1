/*
 * Acquiring for the command line: the options that say how, the wait with a sign of life, and the
 * messages when it fails. Shared by run and hold.
 */
#ifndef CLI_ACQUIRE_H
#define CLI_ACQUIRE_H

#include "cli/target.h"

enum { CLI_NOT_GIVEN = -2 };

struct cli_acquire_options {
    int64_t timeout_ms, linger_ms, stop_timeout_ms,
        start_timeout_ms; /* CLI_NOT_GIVEN, or as told */
    bool share, quiet;
};
#define CLI_ACQUIRE_OPTIONS_INIT                                                                   \
    { CLI_NOT_GIVEN, CLI_NOT_GIVEN, CLI_NOT_GIVEN, CLI_NOT_GIVEN, false, false }

/* Entries for a subcommand's table of options: how the service is described, and how acquired. */
#define CLI_ACQUIRE_OPTIONS(t, a)                                                                    \
    {"command", 0, CLI_TEXT, "TEXT", "what starts it, without a service file", &(t).command},        \
        {"ready", 0, CLI_TEXT, "WHEN", "tcp, notify, unix:PATH, exec:CMD or log:REGEX", &(t).ready}, \
        {"port", 0, CLI_PORT, "N", "its port, instead of a free one", &(t).port},                    \
        {"timeout",      't', CLI_DURATION, "TIME", "how long to wait for it; 0: start nothing",     \
         &(a).timeout_ms},                                                                           \
        {"start-timeout",      0, CLI_DURATION, "TIME", "how long its start may take (30s)",         \
         &(a).start_timeout_ms},                                                                     \
        {"stop-timeout",      0, CLI_DURATION, "TIME", "from SIGTERM to SIGKILL (10s)",              \
         &(a).stop_timeout_ms},                                                                      \
        {"linger",      'l', CLI_DURATION, "TIME", "how long it stays when nobody holds it (0)",     \
         &(a).linger_ms},                                                                            \
        {"share", 0, CLI_FLAG, NULL, "accept what runs, even if started otherwise", &(a).share}, {   \
        "quiet", 'q', CLI_FLAG, NULL, "no word while it starts", &(a).quiet                          \
    }

/* Puts what the options say into the target's configuration. -1, or the exit status. */
int cli_acquire_configure(const struct cli_acquire_options *options, struct cli_target *target);

/*
 * Takes a reference, waiting as the options say. -1: held; otherwise the exit status, and stderr
 * says why.
 */
int cli_acquire(const struct cli_target *target, const struct cli_acquire_options *options,
                procref_handle **ret_handle);

#endif
