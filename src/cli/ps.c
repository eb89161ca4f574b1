/* procref ps: the services that run, and who holds them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/because.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/place.h"
#include "cli/show.h"
#include "os/clock.h"

enum { NAME, PID, PORT, GEN, UP, STATE, SCOPE, HELD, COLUMNS, NAMED_MOST = 3, LEAST = 12 };
static const char *const titles[COLUMNS] = {"NAME", "PID",   "PORT",  "GEN",
                                            "UP",   "STATE", "SCOPE", "HELD BY"};
static const bool to_the_right[COLUMNS] = {[PID] = true, [PORT] = true, [GEN] = true};

struct row {
    char *cells[COLUMNS];
};

static char *number(bool known, uint32_t value) {
    char *text = NULL;
    if (!known || asprintf(&text, "%u", (unsigned)value) < 0) {
        return strdup("-");
    }
    return text;
}

/* Who, or for what else it is there. */
static char *held_by(const struct look *look) {
    if (look->holder_count > 0) {
        char *holders = because_holders(look, NAMED_MOST), *difference = because_difference(look);
        char *both = NULL;
        if (difference != NULL && asprintf(&both, "%s [%s]", holders, difference) >= 0) {
            free(holders);
            holders = both;
        }
        free(difference);
        return holders;
    }
    char *sentence = because_sentence(look);
    const char *alive = "alive because ";
    if (strncmp(sentence, alive, strlen(alive)) == 0) {
        memmove(sentence, sentence + strlen(alive), strlen(sentence + strlen(alive)) + 1);
    }
    size_t length = strlen(sentence) + 3;
    char *shown = malloc(length);
    snprintf(shown, length, "(%s)", sentence);
    free(sentence);
    return shown;
}

static void fill(const struct look *look, struct row *row) {
    const struct pri_status *status = &look->status;
    char span[32] = "-", scope[256];
    int64_t since_ms = place_up_since(look);
    if (since_ms > 0) {
        show_span(pri_wall_ms() - since_ms, span, sizeof span);
    }
    place_scope_word(look, scope, sizeof scope);
    row->cells[NAME] = show_text(look->name[0] != '\0' ? look->name : "?", 0);
    row->cells[PID] = number(status->pid != 0 && status->alive, status->pid);
    row->cells[PORT] = number(status->port != 0 && because_is_running(look), status->port);
    row->cells[GEN] = number(status->generation != 0, status->generation);
    row->cells[UP] = strdup(span);
    row->cells[STATE] = strdup(because_state(look));
    row->cells[SCOPE] = show_text(look->dir[0] != '\0' ? scope : "?", 0);
    row->cells[HELD] = held_by(look);
}

/* 0: no terminal, and nothing is cut. */
static size_t terminal_width(void) {
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void print_row(const char *const cells[COLUMNS], const size_t width[COLUMNS], bool scoped,
                      size_t most) {
    size_t used = 0;
    for (int c = 0; c < HELD; c++) {
        if (c == SCOPE && !scoped) {
            continue;
        }
        int pad = (int)(width[c] - show_columns(cells[c]));
        if (to_the_right[c]) {
            printf("%*s%s  ", pad, "", cells[c]);
        } else {
            printf("%s%*s  ", cells[c], pad, "");
        }
        used += width[c] + 2;
    }
    size_t room = most == 0 ? SIZE_MAX : used + LEAST < most ? most - used : LEAST;
    if (show_columns(cells[HELD]) <= room) {
        printf("%s\n", cells[HELD]);
    } else {
        printf("%.*s…\n", (int)show_fit(cells[HELD], room - 1), cells[HELD]);
    }
}

static void print_table(const struct look *list, size_t count) {
    struct row *rows = calloc(count, sizeof *rows);
    size_t width[COLUMNS], most = terminal_width();
    bool scoped = false;
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(titles[c]);
    }
    for (size_t i = 0; rows != NULL && i < count; i++) {
        fill(&list[i], &rows[i]);
        scoped = scoped || strcmp(rows[i].cells[SCOPE], "user") != 0;
        for (int c = 0; c < COLUMNS; c++) {
            size_t columns = show_columns(rows[i].cells[c]);
            width[c] = columns > width[c] ? columns : width[c];
        }
    }
    print_row(titles, width, scoped, most);
    for (size_t i = 0; rows != NULL && i < count; i++) {
        print_row((const char *const *)rows[i].cells, width, scoped, most);
        for (int c = 0; c < COLUMNS; c++) {
            free(rows[i].cells[c]);
        }
    }
    free(rows);
}

int cli_ps(const struct cli_command *command, int argc, char **argv) {
    bool json = false;
    const struct cli_option options[] = {
        {"json", 0, CLI_FLAG, NULL, "print JSON: see procref-ps(1)", &json}, {0}};
    int operands;
    int status = cli_parse(command, options, argc, argv, &operands, NULL);
    if (status >= 0) {
        return status;
    }
    if (operands > 0) {
        cli_say("'%s' is one too many: 'procref status %s' tells of one service", argv[1], argv[1]);
        return CLI_USAGE;
    }
    procref_error error = PROCREF_ERROR_INIT;
    struct look *list = NULL;
    size_t count = 0;
    int code = look_all(pri_deadline(LOOK_ANSWER_MS), &list, &count, &error);
    if (code < 0) {
        cli_say_error(NULL, &error);
        return cli_status_of(code);
    }
    if (json) {
        status = json_print_services(list, count);
    } else if (count == 0) {
        cli_say("no services");
        status = CLI_OK;
    } else {
        print_table(list, count);
        status = CLI_OK;
    }
    for (size_t i = 0; i < count; i++) {
        look_free(&list[i]);
    }
    free(list);
    return status;
}
