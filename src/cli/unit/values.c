/* Values of single settings, accepted exactly where systemd accepts them
 * (tests/conformance/differ.c compares). Times are in cli/timespan.c. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"
#include "core/ident.h"

#define BLANKS " \t\n\r"

bool unit_boolean(const char *text, bool *ret) {
    static const char *const words[] = {"0", "no",  "n", "false", "f", "off",
                                        "1", "yes", "y", "true",  "t", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret = i >= sizeof words / sizeof words[0] / 2;
            return true;
        }
    }
    return false;
}

/* Behind "0b" and "0o", which strtoull() does not know, are digits of base 2 and 8. */
static const char *skip_base(const char *text, int *base) {
    text += strspn(text, BLANKS);
    if (text[0] == '0' && text[1] != '\0' && strchr("bBoO", text[1]) != NULL) {
        *base = (text[1] | 0x20) == 'b' ? 2 : 8;
        text += 2;
    }
    return text;
}

bool unit_number(const char *text, uint64_t *ret) {
    int base = 0;
    char *end;
    text = skip_base(text, &base);
    errno = 0;
    unsigned long long value = strtoull(text, &end, base);
    if (errno != 0 || end == text || *end != '\0' ||
        (text[strspn(text, BLANKS)] == '-' && value != 0)) {
        return false;
    }
    *ret = value;
    return true;
}

bool unit_mode(const char *text, unsigned *ret) {
    char *end;
    text += strspn(text, BLANKS);
    errno = 0;
    unsigned long value = strtoul(text, &end, 8);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || *text == '+' ||
        value > 07777) {
        return false;
    }
    *ret = (unsigned)value;
    return true;
}

bool unit_nice(const char *text, int32_t *ret) {
    int base = 0;
    char *end;
    text = skip_base(text, &base);
    errno = 0;
    long value = strtol(text, &end, base);
    if (errno != 0 || end == text || *end != '\0' || value < -20 || value > 19) {
        return false;
    }
    *ret = (int32_t)value;
    return true;
}

static bool real_time_signal(const char *text, int *ret) {
    bool from_min = strncmp(text, "RTMIN", 5) == 0;
    uint64_t away = 0;
    char sign = from_min ? '+' : '-';
    if (!from_min && strncmp(text, "RTMAX", 5) != 0) {
        return false;
    }
    if (text[5] != '\0' &&
        (text[5] != sign || text[6] < '0' || text[6] > '9' || !unit_number(text + 6, &away))) {
        return false;
    }
    if (away > (uint64_t)(SIGRTMAX - SIGRTMIN)) {
        return false;
    }
    *ret = from_min ? SIGRTMIN + (int)away : SIGRTMAX - (int)away;
    return true;
}

bool unit_signal(const char *text, int *ret) {
    uint64_t value;
    if (unit_number(text, &value)) {
        *ret = (int)value;
        return value >= 1 && value <= 64;
    }
    if (strncmp(text, "SIG", 3) == 0) {
        text += 3;
    }
    for (int signal = 1; signal < 32; signal++) {
        const char *name = signal == SIGIO ? "IO" : sigabbrev_np(signal); /* not "POLL" */
        if (name != NULL && strcmp(text, name) == 0) {
            *ret = signal;
            return true;
        }
    }
    return real_time_signal(text, ret);
}

bool unit_exit_status(const char *text, int *ret) {
    static const struct {
        const char *name;
        int status;
    } names[] = {{"SUCCESS", 0},
                 {"FAILURE", 1},
                 /* LSB */
                 {"INVALIDARGUMENT", 2},
                 {"NOTIMPLEMENTED", 3},
                 {"NOPERMISSION", 4},
                 {"NOTINSTALLED", 5},
                 {"NOTCONFIGURED", 6},
                 {"NOTRUNNING", 7},
                 /* sysexits.h */
                 {"USAGE", 64},
                 {"DATAERR", 65},
                 {"NOINPUT", 66},
                 {"NOUSER", 67},
                 {"NOHOST", 68},
                 {"UNAVAILABLE", 69},
                 {"SOFTWARE", 70},
                 {"OSERR", 71},
                 {"OSFILE", 72},
                 {"CANTCREAT", 73},
                 {"IOERR", 74},
                 {"TEMPFAIL", 75},
                 {"PROTOCOL", 76},
                 {"NOPERM", 77},
                 {"CONFIG", 78},
                 /* systemd.exec(5), "Process Exit Codes" */
                 {"CHDIR", 200},
                 {"NICE", 201},
                 {"FDS", 202},
                 {"EXEC", 203},
                 {"MEMORY", 204},
                 {"LIMITS", 205},
                 {"OOM_ADJUST", 206},
                 {"SIGNAL_MASK", 207},
                 {"STDIN", 208},
                 {"STDOUT", 209},
                 {"CHROOT", 210},
                 {"IOPRIO", 211},
                 {"TIMERSLACK", 212},
                 {"SECUREBITS", 213},
                 {"SETSCHEDULER", 214},
                 {"CPUAFFINITY", 215},
                 {"GROUP", 216},
                 {"USER", 217},
                 {"CAPABILITIES", 218},
                 {"CGROUP", 219},
                 {"SETSID", 220},
                 {"CONFIRM", 221},
                 {"STDERR", 222},
                 {"PAM", 224},
                 {"NETWORK", 225},
                 {"NAMESPACE", 226},
                 {"NO_NEW_PRIVILEGES", 227},
                 {"SECCOMP", 228},
                 {"SELINUX_CONTEXT", 229},
                 {"PERSONALITY", 230},
                 {"APPARMOR_PROFILE", 231},
                 {"ADDRESS_FAMILIES", 232},
                 {"RUNTIME_DIRECTORY", 233},
                 {"MAKE_STARTER", 234},
                 {"CHOWN", 235},
                 {"SMACK_PROCESS_LABEL", 236},
                 {"KEYRING", 237},
                 {"STATE_DIRECTORY", 238},
                 {"CACHE_DIRECTORY", 239},
                 {"LOGS_DIRECTORY", 240},
                 {"CONFIGURATION_DIRECTORY", 241},
                 {"NUMA_POLICY", 242},
                 {"CREDENTIALS", 243},
                 {"BPF", 245},
                 {"EXCEPTION", 255}};
    uint64_t value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i].name) == 0) {
            *ret = names[i].status;
            return true;
        }
    }
    *ret = 0;
    if (!unit_number(text, &value) || value > 255) {
        return false;
    }
    *ret = (int)value;
    return true;
}

bool unit_env_name(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return length > 0;
}

bool unit_env_valid(const char *assignment) {
    bool control;
    const char *equals = strchr(assignment, '=');
    return equals != NULL && unit_env_name(assignment, (size_t)(equals - assignment)) &&
           pri_utf8_valid(equals + 1, &control);
}
