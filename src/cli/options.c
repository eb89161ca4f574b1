/* Options by table: parsed by getopt_long(3), listed by --help. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { OPTIONS_MOST = 32, FIRST_LONG = 1000 };

/* How many letters must be changed, left out, added or swapped with their neighbour (Damerau and
 * Levenshtein). */
static int distance(const char *a, const char *b) {
    enum { MOST = 40 };
    int row[3][MOST + 1];
    int m = (int)strlen(a), n = (int)strlen(b);
    if (m > MOST || n > MOST) {
        return MOST;
    }
    for (int j = 0; j <= n; j++) {
        row[0][j] = j;
    }
    for (int i = 1; i <= m; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return row[m % 3][n];
}

const char *cli_nearest(const char *word, const char *const *words, int n) {
    const char *nearest = NULL;
    int least = (int)strlen(word) / 3 + 2; /* a third of it may be wrong, and one letter */
    for (int i = 0; i < n; i++) {
        int d = strncmp(word, words[i], strlen(word)) == 0 ? 1 : distance(word, words[i]);
        if (d < least) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}

static int count_options(const struct cli_option *options) {
    int count = 0;
    while (options[count].name != NULL) {
        count++;
    }
    return count;
}

static int help(const struct cli_command *command, const struct cli_option *options) {
    printf("usage: procref %s %s\n\n%s%s%s", command->name, command->synopsis, command->summary,
           command->more != NULL ? "\n\n" : "\n", command->more != NULL ? command->more : "");
    printf("\n");
    for (int i = 0; options[i].name != NULL; i++) {
        char left[64];
        char letter[6] = "    ";
        if (options[i].letter != 0) {
            snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
        }
        int length = snprintf(left, sizeof left, "%s--%s%s%s", letter, options[i].name,
                              options[i].argument != NULL ? " " : "",
                              options[i].argument != NULL ? options[i].argument : "");
        printf(length > 24 ? "  %s\n  %26s%s\n" : "  %-24s  %s%s\n", left,
               length > 24 ? "" : options[i].help, length > 24 ? options[i].help : "");
    }
    printf("  -h, --help                this page\n\nSee procref-%s(1).\n", command->name);
    return CLI_OK;
}

static int unknown_option(const struct cli_option *options, const char *given) {
    const char *names[OPTIONS_MOST + 1];
    char word[64], begun[512] = ""; /* those that it may be the beginning of */
    int count = count_options(options), begun_count = 0;
    const char *nearest = NULL;
    if (strncmp(given, "--", 2) == 0) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(given + 2, "="), given + 2);
        for (int i = 0; i < count; i++) {
            size_t used = strlen(begun);
            names[i] = options[i].name;
            if (strncmp(names[i], word, strlen(word)) == 0) {
                snprintf(begun + used, sizeof begun - used, "%s--%s",
                         begun_count++ > 0 ? " or " : "", names[i]);
            }
        }
        names[count] = "help";
        nearest = cli_nearest(word, names, count + 1);
    }
    if (begun_count > 1) {
        cli_say("option '%s' may be %s: see %s --help", given, begun, cli_name);
    } else if (nearest != NULL) {
        cli_say("unknown option '%s': is '--%s' meant? See %s --help", given, nearest, cli_name);
    } else {
        cli_say("unknown option '%s': see %s --help", given, cli_name);
    }
    return CLI_USAGE;
}

static int take(const struct cli_option *option, const char *value) {
    int64_t *number = option->to;
    struct cli_texts *texts = option->to;
    char *end;
    switch (option->kind) {
    case CLI_FLAG: *(bool *)option->to = true; return -1;
    case CLI_TEXT: *(const char **)option->to = value; return -1;
    case CLI_TEXTS:
        if (texts->count == (int)(sizeof texts->list / sizeof texts->list[0])) {
            cli_say("--%s is given too often", option->name);
            return CLI_USAGE;
        }
        texts->list[texts->count++] = value;
        return -1;
    case CLI_DURATION:
        if (!cli_timespan(value, number)) {
            cli_say("--%s is '%s': use a time such as 30, 500ms, '1min 30s' or infinity",
                    option->name, value);
            return CLI_USAGE;
        }
        return -1;
    case CLI_NUMBER:
        errno = 0;
        *number = strtoll(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || errno == ERANGE) {
            cli_say("--%s is '%s': use a whole number", option->name, value);
            return CLI_USAGE;
        }
        return -1;
    case CLI_PORT:
        *number = strtoll(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || *number < 1 || *number > UINT16_MAX) {
            cli_say("--%s is '%s': use a whole number from 1 to 65535", option->name, value);
            return CLI_USAGE;
        }
        return -1;
    }
    return -1;
}

int cli_parse(const struct cli_command *command, const struct cli_option *options, int argc,
              char **argv, int *ret_operands, char ***ret_after) {
    struct option longs[OPTIONS_MOST + 2] = {{0}};
    /* "-": each operand is told where it stands, whatever POSIXLY_CORRECT is. */
    char letters[2 * OPTIONS_MOST + 8] = "-:h";
    int count = count_options(options), end = argc, operands = 0, c;
    bool taken[OPTIONS_MOST] = {false};
    for (int i = 0; i < count; i++) {
        int takes = options[i].kind == CLI_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){options[i].name, takes, NULL, FIRST_LONG + i};
        if (options[i].letter != 0) {
            char letter[3] = {options[i].letter, takes == required_argument ? ':' : '\0', '\0'};
            strcat(letters, letter);
        }
    }
    longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    if (ret_after != NULL) {
        *ret_after = NULL;
    }
    for (int i = 1; ret_after != NULL && i < argc && end == argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            end = i;
            *ret_after = argv + i + 1;
        }
    }
    opterr = 0;
    optind = 0;
    for (;;) {
        int at = optind > 0 ? optind : 1;
        c = getopt_long(end, argv, letters, longs, NULL);
        if (c == -1) {
            break;
        }
        if (c == 1) {
            argv[++operands] = optarg; /* at or before its own place, which has been read */
            continue;
        }
        if (c == 'h') {
            return help(command, options);
        }
        if (c == '?' || c == ':') {
            char letter[3] = {'-', (char)optopt, '\0'};
            const char *given = optopt > 0 && optopt < FIRST_LONG
                                    ? letter
                                    : argv[at > optind - 1 ? at : optind - 1];
            if (optopt >= FIRST_LONG) {
                cli_say(c == ':' ? "--%s needs a value: see %s --help"
                                 : "--%s takes no value: see %s --help",
                        options[optopt - FIRST_LONG].name, cli_name);
                return CLI_USAGE;
            }
            if (c == ':') {
                cli_say("-%c needs a value: see %s --help", optopt, cli_name);
                return CLI_USAGE;
            }
            return unknown_option(options, given);
        }
        for (int i = 0; i < count; i++) {
            if (c == FIRST_LONG + i || c == options[i].letter) {
                int status = -1;
                if (taken[i] && options[i].kind != CLI_FLAG && options[i].kind != CLI_TEXTS) {
                    cli_say("--%s is given twice", options[i].name);
                    status = CLI_USAGE;
                }
                taken[i] = true;
                status = status < 0 ? take(&options[i], optarg) : status;
                if (status >= 0) {
                    return status;
                }
            }
        }
    }
    while (optind < end) { /* what follows a "--" that getopt has seen */
        argv[++operands] = argv[optind++];
    }
    *ret_operands = operands;
    return -1;
}
