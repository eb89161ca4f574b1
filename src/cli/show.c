/* Text for people (show.h). */
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>
#include <time.h>

#include "os/clock.h"
#include "os/inspect.h"

/* How many bytes the UTF-8 character at text has; 0: it is none, or a control character. */
static size_t character(const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] >= 0x20 && at[0] < 0x7f) {
        return 1;
    }
    size_t length = at[0] >= 0xf0 && at[0] < 0xf5   ? 4
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                                                    : 0;
    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool beyond = (at[0] == 0xf4 && at[1] > 0x8f) || (at[0] == 0xed && at[1] > 0x9f);
    bool control = at[0] == 0xc2 && at[1] < 0xa0;
    return overlong || beyond || control ? 0 : length;
}

/* Writes text with what cannot be shown made visible. */
static void put_clean(FILE *to, const char *text, size_t size, const char *also) {
    for (size_t i = 0; i < size;) {
        size_t length = character(text + i, size - i);
        if (length > 0) {
            fwrite(text + i, 1, length, to);
            i += length;
            continue;
        }
        unsigned char byte = (unsigned char)text[i++];
        if (byte != '\0' && strchr(also, byte) != NULL) {
            fputc(byte, to);
        } else if (byte == '\n' || byte == '\t' || byte == '\r') {
            fprintf(to, "\\%c", byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r');
        } else {
            fprintf(to, byte < 0x80 ? "\\%03o" : "\\x%02x", byte);
        }
    }
}

static void put_argument(FILE *to, const char *text, size_t size) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-_./:=,+@%^[]";
    bool quoted = size == 0;
    for (size_t i = 0; i < size; i++) {
        quoted = quoted || ((unsigned char)text[i] < 0x80 && strchr(plain, text[i]) == NULL);
    }
    if (!quoted) {
        put_clean(to, text, size, "");
        return;
    }
    fputc('\'', to);
    for (size_t i = 0, next; i < size; i = next) {
        const char *quote = memchr(text + i, '\'', size - i);
        next = quote != NULL ? (size_t)(quote - text) : size;
        put_clean(to, text + i, next - i, "");
        if (quote != NULL) {
            fputs("'\\''", to);
            next++;
        }
    }
    fputc('\'', to);
}

char *show_command(const char *arguments, size_t size) {
    char *line = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&line, &length);
    if (to == NULL) {
        return strdup("?");
    }
    for (size_t at = 0; at < size;) {
        size_t argument = strnlen(arguments + at, size - at);
        if (at > 0) {
            fputc(' ', to);
        }
        put_argument(to, arguments + at, argument);
        at += argument + 1;
    }
    return fclose(to) == 0 ? line : strdup("?");
}

char *show_command_of(uint32_t pid) {
    char arguments[4096];
    ptrdiff_t length = pri_inspect_command(pid, arguments, sizeof arguments);
    return length > 0 ? show_command(arguments, (size_t)length) : strdup("?");
}

char *show_text(const char *text, int lines) {
    char *line = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&line, &length);
    if (to == NULL) {
        return strdup("?");
    }
    put_clean(to, text, strlen(text), lines ? "\n\t" : "");
    return fclose(to) == 0 ? line : strdup("?");
}

void show_span(int64_t ms, char *to, size_t size) {
    int64_t s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;
    if (ms < 0) {
        snprintf(to, size, "0 s"); /* somebody set the clock back */
    } else if (s < 10) {
        snprintf(to, size, "%lld.%lld s", (long long)s, (long long)(ms % 1000 / 100));
    } else if (min == 0) {
        snprintf(to, size, "%lld s", (long long)s);
    } else if (h == 0) {
        snprintf(to, size, "%lld min", (long long)min);
    } else if (d == 0) {
        snprintf(to, size, "%lld h %lld min", (long long)h, (long long)(min % 60));
    } else {
        snprintf(to, size, "%lld d %lld h", (long long)d, (long long)(h % 24));
    }
}

static bool same_day(const struct tm *a, const struct tm *b) {
    return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

void show_time(int64_t wall_ms, char *to, size_t size) {
    time_t then = (time_t)(wall_ms / 1000), now = (time_t)(pri_wall_ms() / 1000);
    struct tm at, today;
    localtime_r(&then, &at);
    localtime_r(&now, &today);
    strftime(to, size, same_day(&at, &today) ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &at);
}

void show_timestamp(int64_t wall_ms, char *to, size_t size) {
    time_t then = (time_t)(wall_ms / 1000);
    struct tm at;
    char seconds[32];
    gmtime_r(&then, &at);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &at);
    snprintf(to, size, "%s.%03dZ", seconds, (int)(wall_ms % 1000));
}

/* One column a character: good enough for a table, and needs no locale. */
size_t show_columns(const char *text) {
    size_t columns = 0;
    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}

size_t show_fit(const char *text, size_t columns) {
    size_t at = 0;
    while (text[at] != '\0') {
        bool begins = ((unsigned char)text[at] & 0xc0) != 0x80;
        if (begins && columns-- == 0) {
            break;
        }
        at++;
    }
    return at;
}
