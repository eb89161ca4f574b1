/* Command lines: ExecStart= and the others, systemd.service(5), "COMMAND LINES". */
#include <limits.h>
#include <string.h>

#include "cli/unit/loader.h"

#define BLANKS " \t\n\r"

struct prefix {
    uint32_t flags;
    bool own_argv0;
    char privileged; /* "+", "!" or 0 */
};

static const char *read_prefix(const char *word, struct prefix *ret) {
    *ret = (struct prefix){0};
    for (int bangs = 0;; word++) {
        if (*word == '-' && (ret->flags & PRI_STEP_IGNORE) == 0) {
            ret->flags |= PRI_STEP_IGNORE;
        } else if (*word == '@' && !ret->own_argv0) {
            ret->own_argv0 = true;
        } else if (*word == ':' && (ret->flags & PRI_STEP_LITERAL) == 0) {
            ret->flags |= PRI_STEP_LITERAL;
        } else if (*word == '+' && ret->privileged == 0) {
            ret->privileged = '+';
        } else if (*word == '!' && ret->privileged != '+' && bangs < 2) {
            ret->privileged = '!';
            bangs++;
        } else {
            return word;
        }
    }
}

/* What systemd accepts as a program: an absolute path, or a file's name that PATH finds. */
static bool check_program(struct loader *l, const char *program) {
    const char *wrong = NULL;
    size_t length = strlen(program);
    for (const char *c = program; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || strchr("\"'\\\x7f", *c) != NULL) {
            wrong = "its name holds a quote, a backslash or a control character";
        }
    }
    if (length == 0) {
        wrong = "the command is empty";
    } else if (program[length - 1] == '/') {
        wrong = "it is a directory";
    } else if (program[0] != '/' && strchr(program, '/') != NULL) {
        wrong = "use an absolute path, or a name that is found in PATH";
    } else if (strcmp(program, ".") == 0 || strcmp(program, "..") == 0) {
        wrong = "it is a directory";
    } else if (length >= PATH_MAX || (program[0] != '/' && length > NAME_MAX)) {
        wrong = "it is too long";
    }
    if (wrong != NULL) {
        unit_find(l, UNIT_ERROR, "%s=: '%.200s' cannot be run: %s", l->key->name, program, wrong);
    }
    return wrong == NULL;
}

/* A word that stands alone, neither quoted nor escaped. */
static bool alone(const char *at, const char *word) {
    size_t length = strlen(word);
    return strncmp(at, word, length) == 0 &&
           (at[length] == '\0' || strchr(BLANKS, at[length]) != NULL);
}

static const char *skip(const char *at, size_t length) {
    at += length;
    return at + strspn(at, BLANKS);
}

/* The next word with its specifiers replaced; NULL: a finding says why not. */
static const char *take_word(struct loader *l, const char **at, char *buffer) {
    bool odd = false;
    int found = unit_word(at, buffer, &odd);
    if (odd) {
        unit_find(l, UNIT_WARNING, "%s=: unknown escapes are kept as they are", l->key->name);
    }
    if (found == WORD_UNBALANCED) {
        unit_find(l, UNIT_ERROR, "%s=: a quote is not closed", l->key->name);
        return NULL;
    }
    return buffer;
}

/* The words after the program, up to a ";" that stands alone; NULL: a finding says why not. */
static bool take_arguments(struct loader *l, const char **at, char *buffer, struct texts *argv) {
    while (**at != '\0' && !alone(*at, ";")) {
        const char *word = ";";
        if (alone(*at, "\\;")) {
            *at = skip(*at, 2);
        } else {
            word = take_word(l, at, buffer);
            word = word != NULL ? unit_specify(l, word) : NULL;
        }
        if (word == NULL) {
            return false;
        }
        texts_add(l, argv, word);
    }
    if (**at == ';') {
        *at = skip(*at, 1);
    }
    return true;
}

static void privileged(struct loader *l, char prefix) {
    if (prefix != 0) {
        unit_find(l, UNIT_WARNING,
                  "%s=: the prefix '%c' asks for privileges that a user does not have: the command "
                  "runs as this user",
                  l->key->name, prefix);
    }
}

/* One command; false: a finding says why not, and the rest of the line is left out. */
static bool take_command(struct loader *l, const char **at, char *buffer) {
    struct prefix prefix;
    struct texts argv = {0};
    const char *word = take_word(l, at, buffer);
    const char *program = word != NULL ? unit_specify(l, read_prefix(word, &prefix)) : NULL;
    if (program == NULL || !check_program(l, program)) {
        return false;
    }
    if (!prefix.own_argv0) {
        texts_add(l, &argv, program);
    }
    if (!take_arguments(l, at, buffer, &argv)) {
        return false;
    }
    if (argv.count == 0) {
        unit_find(l, UNIT_ERROR, "%s=: '@' must be followed by the program and its argv[0]",
                  l->key->name);
        return false;
    }
    privileged(l, prefix.privileged);
    unit_add_step(l, (enum pri_step_list)l->key->which, prefix.flags, unit_simplify(l, program),
                  argv.list);
    return true;
}

struct pri_step *unit_add_step(struct loader *l, enum pri_step_list list, uint32_t flags,
                               const char *program, const char *const *argv) {
    struct step_vector *steps = &l->set.steps[list];
    steps->list = unit_grow(l, steps->list, steps->count, &steps->room, sizeof *steps->list);
    steps->list[steps->count] = (struct pri_step){(uint32_t)list, flags, program, argv};
    return &steps->list[steps->count++];
}

void unit_parse_exec(struct loader *l, const char *value) {
    bool start = l->key->which == PRI_STEPS_START;
    if (start) {
        l->set.start_at = unit_here(l);
    }
    if (*value == '\0') {
        l->set.steps[l->key->which].count = 0;
        return;
    }
    char *buffer = unit_get(l, strlen(value) + 1);
    while (*value != '\0') {
        if (alone(value, ";")) {
            value = skip(value, 1);
        } else if (!take_command(l, &value, buffer)) {
            l->set.start_unread = l->set.start_unread || start;
            return;
        }
    }
}
