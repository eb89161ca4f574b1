/* How the library fills a procref_error. Shared by the library and the keeper; prints nothing. */
#ifndef PRI_FAIL_H
#define PRI_FAIL_H

#include "procref/procref.h"

/*
 * Fills err (may be NULL) and returns code. os is the system's code (errno) saved on the line after
 * the failed call, op that call's name ("semop"), or 0 and "" for mistakes of the caller.
 * The message says what to do; the system's own text is appended to it when os is not 0.
 */
int pri_fail(procref_error *err, int code, int64_t os, const char *op, const char *format, ...)
    PROCREF_PRINTF(5, 6);

/* Puts text into err->detail, its last part if it is too long, cut at a line's beginning. */
void pri_fail_detail(procref_error *err, const char *text, size_t length);

/* Copies src to dst (either may be NULL), respecting dst's size. */
void pri_fail_copy(procref_error *dst, const procref_error *src);

/* snprintf that never splits a UTF-8 character when it cuts. */
void pri_format(char *to, size_t size, const char *format, ...) PROCREF_PRINTF(3, 4);

#endif
