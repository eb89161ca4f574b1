/*
 * What the subcommands share: how options are declared and parsed, how a service is named on the
 * command line, how messages look, which exit status means what. Each subcommand is a file of its
 * own (run.c, ps.c, …) with one function that main.c's table names.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "core/plan.h"
#include "procref/procref.h"

/* Exit statuses, after s6: 100 for what will fail again until somebody changes it, 111 for what may
 * work next time; 126 and 127 as in env(1). Otherwise a command's own. */
enum {
    CLI_OK = 0,
    CLI_NO = 1,       /* the answer is no: not running, something is not as it should be */
    CLI_USAGE = 100,  /* the command line or the service file is wrong */
    CLI_FAILED = 111, /* the service could not be had, the system refused */
    CLI_CANNOT_RUN = 126,
    CLI_NOT_FOUND = 127,
};

/* ---- options.c: options by table, on getopt_long(3) ---------------------------------------------
 */

enum cli_kind {
    CLI_FLAG,     /* bool */
    CLI_TEXT,     /* const char * */
    CLI_TEXTS,    /* struct cli_texts: all that were given */
    CLI_DURATION, /* int64_t, ms: "5", "5s", "1min 30s", "500ms"; "infinity" is -1 */
    CLI_NUMBER,   /* int64_t, not negative */
    CLI_PORT,     /* int64_t, 1 to 65535 */
};

struct cli_texts {
    int count;
    const char *list[64];
};

struct cli_option {
    const char *name; /* "timeout" */
    char letter;      /* 't', or 0 */
    enum cli_kind kind;
    const char *argument; /* "TIME"; NULL for a flag */
    const char *help;     /* one line */
    void *to;
};

struct cli_command {
    const char *name;
    const char *synopsis; /* "NAME|-f FILE [options] -- COMMAND…" */
    const char *summary;  /* one line, for the list of commands */
    const char *more;     /* more lines for --help; or NULL */
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

/*
 * Parses argv[1] on, options and operands in any order, up to "--". A flag may be given again, a
 * value not, but for CLI_TEXTS. Operands are moved to the front: argv[1] … argv[*ret_operands].
 * *ret_after is what follows "--" (NULL if there is none): an array that ends with NULL. ret_after
 * NULL: no command can follow, and what does is operands. Prints --help to stdout or an error (with
 * the nearest option) to stderr. -1: go on; otherwise the exit status.
 */
int cli_parse(const struct cli_command *command, const struct cli_option *options, int argc,
              char **argv, int *ret_operands, char ***ret_after);

/* Of n words the one that is most like `word`; NULL if none is. */
const char *cli_nearest(const char *word, const char *const *words, int n);

/* ---- timespan.c ---------------------------------------------------------------------------------
 */

/* systemd.time(7)'s spans: "1min 30s", "1.5h", "500ms", "infinity" (-1 then); a plain number counts
 * in seconds. False: not one. Less than a millisecond is rounded up. */
bool cli_timespan(const char *text, int64_t *ret_ms);

/* The same in microseconds; a plain number counts in unit_us. */
bool cli_timespan_us(const char *text, int64_t unit_us, int64_t *ret_us);

/* ---- say.c: messages on stderr ------------------------------------------------------------------
 */

/* "procref run: message", one line. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for an error of the library, with its detail (the service's last output) indented below.
 */
void cli_say_error(const char *what, const procref_error *error);

/* CLI_USAGE or CLI_FAILED, by the error's code. */
int cli_status_of(int code);

extern const char *cli_name; /* "procref run", set by main.c */

#endif
