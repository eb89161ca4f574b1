/* The kinds of readiness checks, told apart in one place for the client, who is refused early, and
 * the keeper. */
#ifndef PRI_OS_READY_H
#define PRI_OS_READY_H

#include <stdbool.h>

enum pri_ready_kind {
    PRI_READY_NONE, /* NULL: running is ready */
    PRI_READY_NOTIFY,
    PRI_READY_TCP,
    PRI_READY_UNIX, /* "unix:PATH" */
    PRI_READY_EXEC, /* "exec:CMD" */
    PRI_READY_LOG,  /* "log:REGEX" */
};

/* The kind, and where its text begins (NULL if it has none); -1 for what is none. */
int pri_ready_parse(const char *ready, const char **ret_text);

enum { PRI_READY_EXPECTED = 160 };

/* The same, and a REGEX is one that the system's regular expressions (POSIX: extended) accept and
 * that does not fill the memory. Where it is none, what to use instead. */
bool pri_ready_valid(const char *ready, char ret_expected[PRI_READY_EXPECTED]);

#endif
