/* Spans of time as systemd.time(7) writes them, accepted exactly where systemd accepts them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define BLANKS " \t\n\r"
#define DIGITS "0123456789"

/* A hundred years; longer is for ever, so that nobody's nanoseconds overflow. */
#define LONGEST_US INT64_C(3155760000000000)

/* Tried in this order: a name stands before those that begin like it. */
static const struct {
    const char *name;
    int64_t us;
} units[] = {
    {"seconds", 1000000},
    {"second", 1000000},
    {"sec", 1000000},
    {"s", 1000000},
    {"minutes", 60000000},
    {"minute", 60000000},
    {"min", 60000000},
    {"months", 2629800000000},
    {"month", 2629800000000},
    {"M", 2629800000000},
    {"msec", 1000},
    {"ms", 1000},
    {"m", 60000000},
    {"hours", 3600000000},
    {"hour", 3600000000},
    {"hr", 3600000000},
    {"h", 3600000000},
    {"days", 86400000000},
    {"day", 86400000000},
    {"d", 86400000000},
    {"weeks", 604800000000},
    {"week", 604800000000},
    {"w", 604800000000},
    {"years", 31557600000000},
    {"year", 31557600000000},
    {"y", 31557600000000},
    {"usec", 1},
    {"us", 1},
    {"\xc2\xb5s", 1}, /* the micro sign, and the Greek letter */
    {"\xce\xbcs", 1},
};

/* One number with its unit, added to *total_us; what does not fit is not a span. */
static bool read_part(const char **text, int64_t unit_us, int64_t *total_us) {
    char *end;
    int64_t part;
    errno = 0;
    long long whole = strtoll(*text, &end, 10);
    if (errno != 0 || whole < 0 || **text == '-') {
        return false;
    }
    const char *fraction = *end == '.' ? end + 1 : NULL;
    if (fraction == NULL && end == *text) {
        return false;
    }
    const char *after = fraction != NULL ? fraction + strspn(fraction, DIGITS) : end;
    const char *name = after + strspn(after, BLANKS);
    bool named = false;
    for (size_t i = 0; i < sizeof units / sizeof units[0] && !named; i++) {
        size_t length = strlen(units[i].name);
        named = strncmp(name, units[i].name, length) == 0;
        if (named) {
            unit_us = units[i].us;
            name += length;
        }
    }
    if (name == after && *name != '\0') {
        return false; /* "12.34.56" */
    }
    if (__builtin_mul_overflow((int64_t)whole, unit_us, &part) ||
        __builtin_add_overflow(*total_us, part, total_us)) {
        return false;
    }
    if (fraction != NULL && (*fraction < '0' || *fraction > '9')) {
        return false;
    }
    for (int64_t place = unit_us / 10; fraction != NULL && *fraction >= '0' && *fraction <= '9';
         fraction++, place /= 10) {
        if (__builtin_add_overflow(*total_us, (*fraction - '0') * place, total_us)) {
            return false;
        }
    }
    *text = name;
    return true;
}

bool cli_timespan_us(const char *text, int64_t unit_us, int64_t *ret_us) {
    int64_t total_us = 0;
    text += strspn(text, BLANKS);
    if (strncmp(text, "infinity", 8) == 0) {
        *ret_us = -1;
        return text[8 + strspn(text + 8, BLANKS)] == '\0';
    }
    do {
        if (!read_part(&text, unit_us, &total_us)) {
            return false;
        }
        text += strspn(text, BLANKS);
    } while (*text != '\0');
    *ret_us = total_us;
    return true;
}

bool cli_timespan(const char *text, int64_t *ret_ms) {
    int64_t us;
    if (!cli_timespan_us(text, 1000000, &us)) {
        return false;
    }
    us = us > LONGEST_US ? -1 : us;
    *ret_ms = us < 0 ? -1 : us / 1000 + (us % 1000 != 0);
    return true;
}
