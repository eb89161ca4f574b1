/* Spans of time as systemd.time(7) writes them. */
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "cli/cli.h"

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
    {"m", 60000000},
    {"months", 2629800000000},
    {"month", 2629800000000},
    {"M", 2629800000000},
    {"msec", 1000},
    {"ms", 1000},
    {"usec", 1},
    {"us", 1},
    {"µs", 1},
    {"μs", 1},
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
};

/* The longest unit that text begins with, and is not followed by another letter; no unit: seconds.
 */
static bool read_unit(const char **text, int64_t *ret_us) {
    size_t length = 0;
    while ((*text)[length] != '\0' && !isspace((unsigned char)(*text)[length]) &&
           !isdigit((unsigned char)(*text)[length])) {
        length++;
    }
    if (length == 0) {
        *ret_us = 1000000;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, *text, length) == 0) {
            *text += length;
            *ret_us = units[i].us;
            return true;
        }
    }
    return false;
}

static const char *skip_space(const char *text) {
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* One number with its unit, added to *total_us; what does not fit is not a span. */
static bool read_part(const char **text, int64_t *total_us) {
    int64_t whole = 0, fraction = 0, scale = 1, unit, part;
    bool digits = false;
    for (; isdigit((unsigned char)**text); ++*text, digits = true) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, **text - '0', &whole)) {
            return false;
        }
    }
    if (**text == '.') {
        for (++*text; isdigit((unsigned char)**text); ++*text, digits = true) {
            if (scale < 1000000) { /* below a microsecond nothing counts */
                fraction = fraction * 10 + (**text - '0');
                scale *= 10;
            }
        }
    }
    *text = skip_space(*text);
    if (!digits || !read_unit(text, &unit) || __builtin_mul_overflow(whole, unit, &part) ||
        __builtin_add_overflow(*total_us, part, total_us)) {
        return false;
    }
    part = (int64_t)((double)fraction / (double)scale * (double)unit);
    return !__builtin_add_overflow(*total_us, part, total_us);
}

bool cli_timespan(const char *text, int64_t *ret_ms) {
    int64_t total_us = 0;
    text = skip_space(text);
    if (strncmp(text, "infinity", 8) == 0 && *skip_space(text + 8) == '\0') {
        *ret_ms = -1;
        return true;
    }
    do {
        if (!read_part(&text, &total_us)) {
            return false;
        }
        text = skip_space(text);
    } while (*text != '\0');
    *ret_ms = total_us / 1000 + (total_us % 1000 != 0);
    return true;
}
