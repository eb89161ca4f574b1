/*
 * Which service the command line means: by a name that is looked up, by -f FILE, or described by
 * options
 * (--command). Found and opened in one way by all subcommands.
 */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "cli/cli.h"
#include "cli/unit.h"
#include "core/ident.h"

struct cli_target_options {
    const char *name; /* the operand; NULL with file */
    const char *file, *base_dir, *scope;
    struct cli_texts ignore;
    /* without a service file */
    const char *command, *ready;
    int64_t port;
};

/* Entries for a subcommand's table of options. */
#define CLI_TARGET_OPTIONS(t)                                                                      \
    {"file", 'f', CLI_TEXT, "FILE", "the service file", &(t).file},                                \
        {"scope", 0, CLI_TEXT, "user|DIR", "share beyond the service file's folder", &(t).scope},  \
        {"base-dir",   0, CLI_TEXT, "DIR", "keep log and hints in DIR, a scope of its own",        \
         &(t).base_dir},                                                                           \
    {                                                                                              \
        "ignore", 0, CLI_TEXTS, "KEY", "go on without this key of the service file", &(t).ignore   \
    }

struct cli_target {
    procref_service_config config; /* name and base_dir are set in every case; command if known */
    const struct pri_plan *plan;   /* NULL without a service file */
    struct unit *unit;             /* NULL without a service file */
    struct pri_ident ident;
    char dir[4096]; /* where its log and hint are */
};

/* How many names go with it: with -f none, unless the file is a template, which needs an
 * instance's.
 */
int cli_target_names(const struct cli_target_options *options);

/* What is to be done with it. */
enum cli_target_use {
    TARGET_ASKED, /* whatever its file says by now; without a file it is one of the user's scope */
    TARGET_STARTED, /* it must be known how */
    TARGET_CHECKED, /* the unit is had in any case, with all that would keep it from being started
                     */
};

/* -1: found; otherwise the exit status, and stderr says why. */
int cli_target_find(const struct cli_target_options *options, enum cli_target_use use,
                    struct cli_target *ret);
void cli_target_free(struct cli_target *target);

/* The client's handle on it. */
int cli_target_open(const struct cli_target *target, procref_service **ret, procref_error *err);

#endif
