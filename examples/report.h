/*
 * What the demo saw (a timeline) and what it concludes (checks). Both are collected and printed at
 * the end, since reports of several processes arrive in another order than things happened in.
 */
#ifndef EXAMPLE_REPORT_H
#define EXAMPLE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum report_change { REPORT_NOTHING, REPORT_HOLDS, REPORT_LETS_GO };

int64_t report_now_ns(void);

/* client is 1 to 5: whose hold changes, or who does something; 0 if this is about none of them. */
void report_event(int64_t when_ns, const char *who, int client, enum report_change change,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Returns ok. */
bool report_check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Times are shown from begin_ns on. Returns whether all checks, and at least one, were true. */
bool report_print(int64_t begin_ns, int clients);

#endif
