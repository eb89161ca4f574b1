/* Sizes and resource limits (Limit…=), systemd.exec(5), "Process Properties". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"

#define BLANKS " \t\n\r"

/* One number, its fraction and its suffix: the first of those left that fits, "" at the last. */
static bool size_part(const char **text, size_t *next, uint64_t *total) {
    static const char suffixes[] = "EPTGMKB";
    enum { COUNT = sizeof suffixes - 1 };
    char *end;
    double fraction = 0;
    uint64_t part;
    *text += strspn(*text, BLANKS);
    errno = 0;
    unsigned long long whole = strtoull(*text, &end, 10);
    if (errno != 0 || end == *text || **text == '-') {
        return false;
    }
    if (*end == '.') {
        char *from = ++end;
        if (*from >= '0' && *from <= '9') {
            fraction = (double)strtoull(from, &end, 10);
        }
        for (; from < end; from++) {
            fraction /= 10;
        }
    }
    end += strspn(end, BLANKS);
    const char *suffix =
        *end != '\0' ? strchr(suffixes + (*next < COUNT ? *next : COUNT), *end) : NULL;
    size_t which = suffix != NULL ? (size_t)(suffix - suffixes) : COUNT;
    uint64_t factor = which < COUNT - 1 ? (uint64_t)1 << (10 * (COUNT - 1 - which)) : 1;
    if (errno != 0 || *next > COUNT || whole + (fraction > 0) > UINT64_MAX / factor) {
        return false;
    }
    part = whole * factor;
    if (__builtin_add_overflow(part, (uint64_t)(fraction * (double)factor), &part) ||
        __builtin_add_overflow(*total, part, total)) {
        return false;
    }
    *next = which + 1;
    *text = end + (suffix != NULL);
    return true;
}

/* "1.5G", "512", "1G 200M": suffixes by 1024, each smaller than the one before. */
bool unit_size(const char *text, uint64_t *ret) {
    uint64_t total = 0;
    size_t next = 0;
    do {
        if (!size_part(&text, &next, &total)) {
            return false;
        }
    } while (*text != '\0');
    *ret = total;
    return true;
}

static bool nice_limit(const char *text, uint64_t *ret) {
    uint64_t value;
    bool plus = *text == '+', minus = *text == '-';
    if (!unit_number(text + (plus || minus), &value)) {
        return false;
    }
    if ((plus && value > 19) || (minus && value > 20) || value > 40) {
        return false;
    }
    *ret = plus ? 20 - value : minus ? 20 + value : value;
    return true;
}

static bool one_limit(int resource, const char *text, uint64_t *ret) {
    int64_t us;
    if (resource != RLIMIT_NICE && strcmp(text, "infinity") == 0) {
        *ret = PRI_LIMIT_INFINITY;
        return true;
    }
    switch (resource) {
    case RLIMIT_CPU:
    case RLIMIT_RTTIME:
        if (!cli_timespan_us(text, resource == RLIMIT_CPU ? 1000000 : 1, &us)) {
            return false;
        }
        *ret = us < 0                   ? PRI_LIMIT_INFINITY
               : resource == RLIMIT_CPU ? ((uint64_t)us + 999999) / 1000000
                                        : (uint64_t)us;
        return true;
    case RLIMIT_NICE: return nice_limit(text, ret);
    case RLIMIT_NPROC:
    case RLIMIT_NOFILE:
    case RLIMIT_LOCKS:
    case RLIMIT_SIGPENDING:
    case RLIMIT_RTPRIO: return unit_number(text, ret) && *ret != PRI_LIMIT_INFINITY;
    default: return unit_size(text, ret) && *ret != PRI_LIMIT_INFINITY;
    }
}

bool unit_limit(int resource, const char *text, uint64_t *ret_soft, uint64_t *ret_hard) {
    char words[2][128];
    const char *colon = strchr(text, ':');
    if (colon == NULL) {
        return one_limit(resource, text, ret_soft) && one_limit(resource, text, ret_hard);
    }
    size_t soft = (size_t)(colon - text), hard = strcspn(colon + 1, ":");
    const char *rest = colon + 1 + hard;
    if (soft >= sizeof words[0] || hard >= sizeof words[1] || (*rest == ':' && rest[1] != '\0')) {
        return false;
    }
    snprintf(words[0], sizeof words[0], "%.*s", (int)soft, text);
    snprintf(words[1], sizeof words[1], "%.*s", (int)hard, colon + 1);
    return one_limit(resource, words[0], ret_soft) && one_limit(resource, words[1], ret_hard) &&
           *ret_soft <= *ret_hard;
}
