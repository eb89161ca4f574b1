/* Sizes and resource limits (Limit…=), systemd.exec(5), "Process Properties". */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"

#define BLANKS " \t\n\r"

/* "1.5G", "512", "1G 200M": suffixes by 1024, each smaller than the one before. */
bool unit_size(const char *text, uint64_t *ret) {
    static const char suffixes[] = "EPTGMKB";
    uint64_t total = 0;
    size_t next = 0; /* suffixes still allowed */
    do {
        char *end;
        uint64_t whole, part;
        double fraction = 0;
        text += strspn(text, BLANKS);
        if (*text < '0' || *text > '9') {
            return false;
        }
        unsigned long long value = strtoull(text, &end, 10);
        if (value == UINT64_MAX) {
            return false;
        }
        whole = value;
        if (*end == '.') {
            double place = 0.1;
            for (end++; *end >= '0' && *end <= '9'; end++, place /= 10) {
                fraction += (*end - '0') * place;
            }
        }
        end += strspn(end, BLANKS);
        const char *suffix = *end != '\0' ? strchr(suffixes, *end) : NULL;
        size_t which = suffix != NULL ? (size_t)(suffix - suffixes) : sizeof suffixes - 2;
        if (which < next || (*end != '\0' && suffix == NULL && *end != ' ')) {
            return false;
        }
        unsigned shift = 10 * (unsigned)(sizeof suffixes - 2 - which);
        if (shift > 0 && whole > UINT64_MAX >> shift) {
            return false;
        }
        part = (whole << shift) + (uint64_t)(fraction * (double)((uint64_t)1 << shift));
        if (part < whole || __builtin_add_overflow(total, part, &total)) {
            return false;
        }
        next = which + 1;
        text = end + (suffix != NULL);
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
    return plus || minus || value >= 1;
}

static bool one_limit(int resource, const char *text, uint64_t *ret) {
    int64_t us;
    if (strcmp(text, "infinity") == 0) {
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
    char soft[128];
    const char *colon = strchr(text, ':');
    if (colon == NULL) {
        return one_limit(resource, text, ret_soft) && one_limit(resource, text, ret_hard);
    }
    size_t length = (size_t)(colon - text);
    if (length >= sizeof soft) {
        return false;
    }
    memcpy(soft, text, length);
    soft[length] = '\0';
    return one_limit(resource, soft, ret_soft) && one_limit(resource, colon + 1, ret_hard) &&
           *ret_soft <= *ret_hard;
}
