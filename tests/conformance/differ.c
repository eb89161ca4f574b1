/*
 * Our readers of single values against systemd's own, on random texts: words and escapes, times,
 * sizes, limits, modes, signals, exit statuses, environment files, variables. systemd's are the
 * functions that systemd 252's private library exports; where it is not installed the test is
 * skipped (77), since other versions differ and have no stable interface.
 *
 *     differ [ROUNDS [SEED]]
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"
#if __has_include("core/expand.h")
#include "core/expand.h" /* how the keeper replaces variables in command lines */
#define HAS_EXPAND
#endif

#define LIBRARY "libsystemd-shared-252.so"

static struct {
    int (*extract_first_word)(const char **p, char **ret, const char *separators, int flags);
    int (*parse_time)(const char *t, uint64_t *ret, uint64_t default_unit);
    int (*parse_boolean)(const char *v);
    int (*parse_mode)(const char *s, mode_t *ret);
    int (*parse_nice)(const char *s, int *ret);
    int (*signal_from_string)(const char *s);
    int (*exit_status_from_string)(const char *s);
    int (*rlimit_parse)(int resource, const char *val, struct rlimit *ret);
    int (*parse_size)(const char *t, uint64_t base, uint64_t *size);
    int (*load_env_file)(FILE *f, const char *fname, char ***rl);
    bool (*env_assignment_is_valid)(const char *e);
    char *(*replace_env_n)(const char *format, size_t n, char **env, unsigned flags);
    char **(*replace_env_argv)(char **argv, char **env);
} theirs;

static bool load_theirs(void) {
    static const char *const folders[] = {"", "/usr/lib/systemd/", "/usr/lib64/systemd/",
                                          "/usr/lib/x86_64-linux-gnu/systemd/",
                                          "/usr/lib/aarch64-linux-gnu/systemd/"};
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof folders / sizeof folders[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s" LIBRARY, folders[i]);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    if (library == NULL) {
        return false;
    }
#define FIND(name)                                                                                 \
    *(void **)&theirs.name = dlsym(library, #name);                                                \
    if (theirs.name == NULL) {                                                                     \
        fprintf(stderr, "differ: %s is missing in " LIBRARY "\n", #name);                          \
        return false;                                                                              \
    }
    FIND(extract_first_word)
    FIND(parse_time)
    FIND(parse_boolean)
    FIND(parse_mode)
    FIND(parse_nice)
    FIND(signal_from_string)
    FIND(exit_status_from_string)
    FIND(rlimit_parse)
    FIND(parse_size)
    FIND(load_env_file)
    FIND(env_assignment_is_valid)
    FIND(replace_env_n)
    FIND(replace_env_argv)
#undef FIND
    return true;
}

/* ---- random texts ------------------------------------------------------------------------------
 */

static uint64_t random_state;

static uint32_t draw(uint32_t below) { /* xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 33) % below;
}

enum { TEXT_SIZE = 512 };

/* Some of the pieces, one after the other. */
static void make_text(char text[TEXT_SIZE], const char *const *pieces, size_t count,
                      uint32_t most) {
    uint32_t n = draw(most + 1);
    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        strncat(text, pieces[draw((uint32_t)count)], TEXT_SIZE - 1 - strlen(text));
    }
}

static unsigned long compared, differences;

static void differ(const char *what, const char *text, const char *ours, const char *reference) {
    if (differences++ < 40) {
        printf("%s of [%s]: ours %s, systemd's %s\n", what, text, ours, reference);
    }
}

static void compare_number(const char *what, const char *text, bool ok, uint64_t number,
                           bool their_ok, uint64_t their_number) {
    char ours[64], reference[64];
    compared++;
    if (ok == their_ok && (!ok || number == their_number)) {
        return;
    }
    snprintf(ours, sizeof ours, ok ? "%llu" : "none", (unsigned long long)number);
    snprintf(reference, sizeof reference, their_ok ? "%llu" : "none",
             (unsigned long long)their_number);
    differ(what, text, ours, reference);
}

/* ---- one comparison each -----------------------------------------------------------------------
 */

static void compare_words(const char *text) {
    enum { UNQUOTE_CUNESCAPE_RELAXED = 32 | 2 | 4 };
    char ours[TEXT_SIZE];
    const char *at = text, *their_at = text;
    bool odd = false;
    int found, code;
    do {
        char *word = NULL;
        found = unit_word(&at, ours, &odd);
        code = theirs.extract_first_word(&their_at, &word, NULL, UNQUOTE_CUNESCAPE_RELAXED);
        compared++;
        bool same = (found == WORD_NONE && code == 0) ||
                    (found == WORD_UNBALANCED && code == -EINVAL) ||
                    (found == WORD_FOUND && code == 1 && strcmp(ours, word) == 0);
        if (!same) {
            differ("word", text, found == WORD_FOUND ? ours : "none", word != NULL ? word : "none");
        }
        free(word);
        found = same ? found : WORD_NONE;
    } while (found == WORD_FOUND);
}

static void compare_time(const char *text) {
    uint64_t us = 0;
    int64_t ours = 0;
    int code = theirs.parse_time(text, &us, 1000000);
    bool ok = cli_timespan_us(text, 1000000, &ours);
    if (code >= 0 && us != UINT64_MAX && us > INT64_MAX) {
        return; /* 290,000 years and more */
    }
    compare_number("time", text, ok, (uint64_t)ours, code >= 0, us);
}

static void compare_scalars(const char *text) {
    bool yes = false;
    unsigned mode = 0;
    int32_t nice = 0;
    int number = 0, their_nice = 0, code;
    mode_t their_mode = 0;
    code = theirs.parse_boolean(text);
    bool ok = unit_boolean(text, &yes);
    compare_number("boolean", text, ok, yes, code >= 0, (uint64_t)code);
    code = theirs.parse_mode(text, &their_mode);
    ok = unit_mode(text, &mode);
    compare_number("mode", text, ok, mode, code >= 0, their_mode);
    code = theirs.parse_nice(text, &their_nice);
    ok = unit_nice(text, &nice);
    compare_number("nice", text, ok, (uint64_t)nice, code >= 0, (uint64_t)their_nice);
    code = theirs.signal_from_string(text);
    ok = unit_signal(text, &number);
    compare_number("signal", text, ok, (uint64_t)number, code > 0, (uint64_t)code);
    code = theirs.exit_status_from_string(text);
    ok = unit_exit_status(text, &number);
    compare_number("exit status", text, ok, (uint64_t)number, code >= 0, (uint64_t)code);
}

/* 290,000 years and more: we count in 63 bits. */
static bool too_long(rlim_t time) {
    return time != RLIM_INFINITY && time > INT64_MAX / 1000000;
}

static void compare_limits(const char *text) {
    uint64_t size = 0, their_size = 0;
    int code = theirs.parse_size(text, 1024, &their_size);
    bool ok = unit_size(text, &size);
    compare_number("size", text, ok, size, code >= 0, their_size);
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit = {0, 0};
        uint64_t soft = 0, hard = 0;
        char what[32];
        code = theirs.rlimit_parse(resource, text, &limit);
        bool time = resource == RLIMIT_CPU || resource == RLIMIT_RTTIME;
        if (code >= 0 && time && (too_long(limit.rlim_cur) || too_long(limit.rlim_max))) {
            continue;
        }
        ok = unit_limit(resource, text, &soft, &hard);
        snprintf(what, sizeof what, "soft limit %d", resource);
        compare_number(what, text, ok, soft, code >= 0, limit.rlim_cur);
        compare_number(what + 5, text, ok, hard, code >= 0, limit.rlim_max);
    }
}

static char pushed[64][2 * TEXT_SIZE];
static size_t pushed_count;

/* The last of a name, in the place of the first: as systemd's list is. */
static void push(struct loader *l, const char *key, const char *value) {
    char assignment[2 * TEXT_SIZE];
    size_t at = 0, length = strlen(key) + 1;
    (void)l;
    snprintf(assignment, sizeof assignment, "%s=%s", key, value);
    if (!theirs.env_assignment_is_valid(assignment)) {
        return; /* systemd leaves it out, we refuse */
    }
    while (at < pushed_count && strncmp(pushed[at], assignment, length) != 0) {
        at++;
    }
    strcpy(pushed[at], assignment);
    pushed_count += at == pushed_count;
}

static void compare_env_lists(const char *text, char **list) {
    size_t at = 0;
    compared++;
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (!theirs.env_assignment_is_valid(list[i])) {
            continue;
        }
        if (at >= pushed_count || strcmp(list[i], pushed[at]) != 0) {
            differ("environment file", text, at < pushed_count ? pushed[at] : "none", list[i]);
            return;
        }
        at++;
    }
    if (at < pushed_count) {
        differ("environment file", text, pushed[at], "no more");
    }
}

static void compare_env_file(const char *text) {
    struct loader loader = {.arena = unit_arena_new()};
    char **list = NULL;
    pushed_count = 0;
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    if (file != NULL && setjmp(loader.out_of_memory) == 0 &&
        theirs.load_env_file(file, NULL, &list) >= 0) {
        unit_parse_env_text(&loader, text, strlen(text), push);
        compare_env_lists(text, list);
    }
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        free(list[i]);
    }
    free(list);
    if (file != NULL) {
        fclose(file);
    }
    unit_arena_free(loader.arena);
}

static void compare_expansion(const char *text) {
    enum { ALLOW_BRACELESS = 2 };
    static const char *env[] = {"A=1", "B=two words", "FOO=", "C_1=$A", NULL};
    char *ours = unit_expand(text, env);
    char *reference =
        theirs.replace_env_n(text, strlen(text), (char **)(uintptr_t)env, ALLOW_BRACELESS);
    compared++;
    if (ours == NULL || reference == NULL || strcmp(ours, reference) != 0) {
        differ("expansion", text, ours, reference);
    }
    free(ours);
    free(reference);
}

/* One word of a command line, which becomes any number of words. */
static void compare_command_word(const char *text) {
#ifdef HAS_EXPAND
    static const char *env[] = {"A=1",   "B=two words",   "FOO=", "Q=a 'b c' \"d\"e \\f g\\ h",
                                "S= \t", "C_1=$A '${A}'", NULL};
    char room[8 * TEXT_SIZE], ours[8 * TEXT_SIZE] = "", reference[8 * TEXT_SIZE] = "";
    struct pri_writer w = {room, 0};
    const char *argv[] = {text, NULL}, *at = room;
    size_t count = pri_expand_words(&w, text, env);
    char **words = theirs.replace_env_argv((char **)(uintptr_t)argv, (char **)(uintptr_t)env);
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1) {
        strcat(strcat(ours, at), "|");
    }
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        strcat(strcat(reference, words[i]), "|");
        free(words[i]);
    }
    free(words);
    compared++;
    if (strcmp(ours, reference) != 0) {
        differ("command word", text, ours, reference);
    }
#else
    (void)text;
#endif
}

static void compare_assignment(const char *text) {
    compare_number("assignment", text, unit_env_valid(text), 0,
                   theirs.env_assignment_is_valid(text), 0);
}

/* ---- the rounds --------------------------------------------------------------------------------
 */

#define PIECES(...)                                                                                \
    ((const char *const[]){__VA_ARGS__}),                                                          \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void round_of_all(void) {
    char text[TEXT_SIZE];
    make_text(text,
              PIECES("a", "bc", " ", "  ", "\t", "\n", "\"", "'", "\"", "'", "\\", "\\\\", "\\n",
                     "\\x41", "\\x4", "\\xzz", "\\x00", "\\101", "\\777", "\\000", "\\u00e4",
                     "\\u12", "\\ud800", "\\U0001f600", "\\U00110000", "\\s", "\\;", ";", "$", "ä",
                     "\\\"", "\\'", "\\8", "\\a", "=", "\\ "),
              14);
    compare_words(text);
    make_text(text,
              PIECES("1", "2", "30", "0", ".5", ".", "-", "+", " ", "s", "sec", "min", "m", "ms",
                     "us", "µs", "h", "hr", "d", "w", "M", "month", "months", "y", "years",
                     "infinity", "x", "\t", "999999999", "msec", "usec", "minutes", "day"),
              8);
    compare_time(text);
    make_text(text,
              PIECES("1", "0", "7", "9", "yes", "no", "on", "off", "TRUE", "f", "y", "SIG", "TERM",
                     "KILL", "RTMIN", "RTMAX", "+", "-", "3", "0x", "0b", "0o", "TEMPFAIL",
                     "SUCCESS", "HUP", " ", "64", "255", "IOT", "POLL", "CLD", "STKFLT", "USR1",
                     "IO", "PWR", "-20"),
              4);
    compare_scalars(text);
    make_text(text,
              PIECES("1", "0", "5", "40", "infinity", ":", ":", "+", "-", "K", "M", "G", "T", "P",
                     "E", "B", ".5", " ", "s", "min", "ms", "19", "20", "0x",
                     "18446744073709551615", "99999999999", "us"),
              6);
    compare_limits(text);
    make_text(text,
              PIECES("A", "B", "=", "=", "=", " ", "\t", "\n", "\n", "\r", "\"", "'", "\\", "#",
                     ";", "$", "`", "x y", "export ", "\\\n", "ä", "1", "a"),
              24);
    compare_env_file(text);
    make_text(text,
              PIECES("$", "$", "{", "}", "A", "B", "FOO", "C_1", "_", "-", " ", "x", "1", "${A}",
                     "$B", "$$", ":"),
              10);
    compare_expansion(text);
    make_text(text,
              PIECES("$A", "$B", "$FOO", "$Q", "$S", "$C_1", "${A}", "${B}", "${Q}", "${NONE}",
                     "$$", "A", "_", " ", "}", ":", "x"),
              4);
    compare_command_word(text);
    make_text(text, PIECES("A", "_", "1", "=", "b", " ", "\n", "ä", "\xff", "-", "."), 6);
    compare_assignment(text);
}

const char *cli_nearest(const char *word, const char *const *words, int n) {
    (void)word;
    (void)words;
    (void)n;
    return NULL; /* nothing here is mistyped */
}

int main(int argc, char **argv) {
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)getpid() * 2654435761u;
    if (!load_theirs()) {
        printf("differ: skipped, " LIBRARY " is not here\n");
        return 77;
    }
    random_state = seed != 0 ? seed : 1;
    for (unsigned long i = 0; i < rounds; i++) {
        round_of_all();
    }
    printf("differ: seed %llu, %lu rounds, %lu comparisons, %lu differences\n",
           (unsigned long long)seed, rounds, compared, differences);
    return differences > 0;
}
