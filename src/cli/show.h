/* Text for people: command lines, times and spans of time, cut and cleaned for a terminal. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stddef.h>
#include <stdint.h>

/*
 * Arguments ("arg\0arg\0") as one line, quoted as for sh where they need it; control characters and
 * what is no UTF-8 are made visible (\n, \033, \xff). The caller frees it.
 */
char *show_command(const char *arguments, size_t size);

/* The same of a process; "?" if it is gone. */
char *show_command_of(uint32_t pid);

/* Any text, cleaned in the same way; lines stay lines if lines is not 0. */
char *show_text(const char *text, int lines);

/* "0.4 s", "12 s", "3 min", "2 h 5 min", "3 d 4 h". */
void show_span(int64_t ms, char *to, size_t size);

/* "12:03:11" today, else "2026-11-23 12:03:11"; local time. */
void show_time(int64_t wall_ms, char *to, size_t size);

/* "2026-11-23T11:03:11.123Z" (RFC 3339), for programs. */
void show_timestamp(int64_t wall_ms, char *to, size_t size);

/* How many columns text takes, and how many bytes of it fit into so many columns. */
size_t show_columns(const char *text);
size_t show_fit(const char *text, size_t columns);

#endif
