/* Messages for people, on stderr. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const char *cli_name = "procref";

void cli_say(const char *format, ...) {
    char *line = NULL; /* whole: the reason is at its end, after names that may be long */
    va_list args;
    va_start(args, format);
    int length = vasprintf(&line, format, args);
    va_end(args);
    /* One write: lines of many processes stay whole. */
    fprintf(stderr, "%s: %s\n", cli_name, length >= 0 ? line : "out of memory");
    if (length >= 0) {
        free(line);
    }
}

void cli_say_error(const char *what, const procref_error *error) {
    if (what != NULL) {
        cli_say("%s: %s", what, error->message);
    } else {
        cli_say("%s", error->message);
    }
    const char *line = error->detail;
    while (*line != '\0') {
        int length = (int)strcspn(line, "\n");
        fprintf(stderr, "  | %.*s\n", length, line);
        line += length;
        line += *line == '\n';
    }
}

int cli_status_of(int code) {
    switch (code) {
    case PROCREF_E_INVALID: return CLI_USAGE;
    default: return CLI_FAILED;
    }
}
