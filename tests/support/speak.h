/*
 * How a helper program speaks with its test: one line of words a command, one line an answer, over
 * two pipes. Alarms may interrupt every call. Also the time, which both sides tell.
 */
#ifndef TEST_SPEAK_H
#define TEST_SPEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "procref/procref.h"

/* Milliseconds of the monotonic clock. */
int64_t now_ms(void);

extern int speak_in, speak_out; /* 0 and 1, unless the program moved them */

void say(const char *format, ...) PROCREF_PRINTF(1, 2);
void say_error(const procref_error *e, int code, int64_t began_ms);

/* A line with its end, byte by byte: what is not read yet survives an exec. False: no more. */
bool hear(char *line, size_t size);
bool hear_from(int fd, char *line, size_t size);

#endif
