/* Telling apart the kinds of readiness checks; the pattern's syntax is regcomp(3)'s. */
#include "os/ready.h"

#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/fail.h"

enum { GROUPS_MOST = 64, REPEATS_MOST = 100000, SIZE_MOST = 1000 };

int pri_ready_parse(const char *ready, const char **ret_text) {
    static const struct {
        const char *prefix;
        enum pri_ready_kind kind;
    } kinds[] = {{"unix:", PRI_READY_UNIX}, {"exec:", PRI_READY_EXEC}, {"log:", PRI_READY_LOG}};

    *ret_text = NULL;
    if (ready == NULL) {
        return PRI_READY_NONE;
    }
    if (strcmp(ready, "notify") == 0) {
        return PRI_READY_NOTIFY;
    }
    if (strcmp(ready, "tcp") == 0) {
        return PRI_READY_TCP;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(ready, kinds[i].prefix, length) == 0 && ready[length] != '\0') {
            *ret_text = ready + length;
            return (int)kinds[i].kind;
        }
    }
    return -1;
}

/* "{m}", "{m,}" or "{m,n}": how often what is before it is repeated at the most that counts for its
 * size; 0: no such thing. Moves past it. */
static uint64_t interval(const char **at) {
    const char *p = *at + 1;
    uint64_t bounds[2] = {0, 0};
    int i = 0;
    for (; *p != '\0' && *p != '}'; p++) {
        if (*p == ',' && i == 0) {
            i = 1;
        } else if (*p >= '0' && *p <= '9' && bounds[i] < REPEATS_MOST) {
            bounds[i] = 10 * bounds[i] + (uint64_t)(*p - '0');
        } else {
            return 0;
        }
    }
    if (*p != '}') {
        return 0;
    }
    *at = p;
    return bounds[0] + bounds[1] > 0 ? bounds[0] + bounds[1] : 1;
}

/* Past a bracket expression, in which nothing else has a meaning. */
static const char *past_bracket(const char *p) {
    p += p[1] == '^' ? 2 : 1;
    p += *p == ']';
    for (; *p != '\0' && *p != ']'; p++) {
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            const char end[] = {p[1], ']', '\0'}, *closed = strstr(p + 2, end);
            p = closed != NULL ? closed + 1 : p;
        }
    }
    return *p != '\0' ? p : p - 1;
}

/*
 * Whether the pattern stays small when its repetitions are written out, which is what the libcs'
 * regcomp() does: "a{200}{200}{200}" takes gigabytes, and glibc doubles at each + what is before
 * it. Where parts may be empty, memory grows by the square of the size and musl's time by its cube:
 * (a?){250}{19} took it 12 s.
 */
static bool is_bounded(const char *pattern) {
    uint64_t around[GROUPS_MOST], size = 0, last = 0; /* of the sequence, and of its last part */
    int depth = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        uint64_t times = *p == '+' ? 2 : *p == '{' ? interval(&p) : 0;
        if (times > 0) {
            size += last * (times - 1);
            last *= times;
        } else if (*p == '(' && depth < GROUPS_MOST) {
            around[depth++] = size;
            size = last = 0;
        } else if (*p == '(') {
            return false;
        } else if (*p == ')' && depth > 0) {
            last = size + 1;
            size = around[--depth] + last;
        } else if (*p != '*' && *p != '?') {
            p = *p == '[' ? past_bracket(p) : *p == '\\' && p[1] != '\0' ? p + 1 : p;
            size += last = 1;
        }
        if (size > SIZE_MOST) {
            return false;
        }
    }
    return true;
}

bool pri_ready_valid(const char *ready, char ret_expected[PRI_READY_EXPECTED]) {
    const char *text;
    regex_t regex;
    int kind = pri_ready_parse(ready, &text);
    if (kind < 0) {
        pri_format(ret_expected, PRI_READY_EXPECTED,
                   "notify, tcp, unix:PATH, exec:COMMAND or log:REGEX");
        return false;
    }
    if (kind != PRI_READY_LOG) {
        return true;
    }
    if (!is_bounded(text)) {
        pri_format(ret_expected, PRI_READY_EXPECTED,
                   "a shorter pattern, or one with fewer repetitions");
        return false;
    }
    int fault = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (fault != 0) {
        char why[96];
        regerror(fault, &regex, why, sizeof why);
        pri_format(ret_expected, PRI_READY_EXPECTED, "an extended regular expression (%s)", why);
        return false;
    }
    regfree(&regex);
    return true;
}
