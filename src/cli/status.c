/* procref status: one service, its process, its holders, why it is alive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/because.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/place.h"
#include "cli/show.h"
#include "cli/target.h"
#include "os/clock.h"

static void line(const char *title, const char *text) {
    printf("  %-11s%s\n", title, text);
}

static void print_since(const char *title, int64_t wall_ms) {
    char at[40], span[40], text[96];
    if (wall_ms > 0) {
        show_time(wall_ms, at, sizeof at);
        show_span(pri_wall_ms() - wall_ms, span, sizeof span);
        snprintf(text, sizeof text, "%s (%s ago)", at, span);
        line(title, text);
    }
}

static void print_service(const struct look *look) {
    const struct pri_status *status = &look->status;
    char *command;
    size_t size = status->command_size < sizeof status->command ? status->command_size
                                                                : sizeof status->command;
    if (size > 0) {
        command = show_command(status->command, size);
    } else {
        command = status->callbacks                   ? strdup("started by a client's functions")
                  : status->pid != 0 && status->alive ? show_command_of(status->pid)
                                                      : strdup("unknown");
    }
    line("command", command);
    free(command);
    char number[64];
    if (status->pid != 0 && status->alive) {
        snprintf(number, sizeof number, "%u", (unsigned)status->pid);
        line("pid", number);
    }
    if (status->port != 0 && because_is_running(look)) {
        snprintf(number, sizeof number, "%u", (unsigned)status->port);
        line("port", number);
    }
    snprintf(number, sizeof number, "%u", (unsigned)status->generation);
    line("generation", number);
    int64_t up_ms = place_up_since(look);
    if (up_ms > 0 && look->found == LOOK_KEPT) {
        print_since("up since", up_ms);
    } else if (status->alive) {
        print_since("started", status->launched_ms);
    }
}

static void print_keeper(const struct look *look) {
    const struct pri_status *status = &look->status;
    char text[96], span[32] = "none";
    if (look->found != LOOK_KEPT) {
        return;
    }
    if (status->linger_ms > 0) {
        show_span(status->linger_ms, span, sizeof span);
    }
    line("linger", span);
    snprintf(text, sizeof text, "%u", (unsigned)status->restarts);
    line("restarts", text);
    if (status->standby != 0) {
        snprintf(text, sizeof text, "%u, standby %u", (unsigned)status->keeper,
                 (unsigned)status->standby);
    } else {
        snprintf(text, sizeof text, "%u, its standby has just died", (unsigned)status->keeper);
    }
    line("keeper", text);
    if (status->message[0] != '\0') {
        char *message = show_text(status->message, 0);
        line("last error", message);
        free(message);
    }
}

static void print_holders(const struct look *look) {
    char at[40], span[40];
    for (size_t i = 0; i < look->holder_count; i++) {
        const struct look_holder *holder = &look->holders[i];
        size_t times = because_times(look, i);
        if (times == 0) {
            continue;
        }
        printf("  %-11s%u (%s)", i == 0 ? "held by" : "", (unsigned)holder->process.pid,
               holder->command);
        if (times > 1) {
            printf(" x%zu", times);
        }
        if (holder->since_ms > 0) {
            show_time(holder->since_ms, at, sizeof at);
            show_span(pri_wall_ms() - holder->since_ms, span, sizeof span);
            printf(" since %s (%s ago)", at, span);
        }
        printf("%s\n", holder->old ? ", in a counter that somebody removed" : "");
    }
    char *difference = because_difference(look);
    if (difference != NULL) {
        line(look->holder_count > 0 ? "" : "held by", difference);
        free(difference);
    }
}

static void print_look(const struct look *look) {
    char path[4400];
    char *name = show_text(look->name, 0), *sentence = because_sentence(look);
    printf("%s: %s\n", name, sentence);
    if (look->found == LOOK_KEPT || look->status.pid != 0) {
        print_service(look);
        print_keeper(look);
        if (place_log(look, path, sizeof path)[0] != '\0') {
            char *shown = show_text(path, 0);
            line("log", shown);
            free(shown);
        }
        print_holders(look);
    }
    free(name);
    free(sentence);
}

int cli_status(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    bool json = false;
    const struct cli_option options[] = {
        CLI_TARGET_OPTIONS(wanted),
        {"json", 0, CLI_FLAG, NULL, "print JSON: see procref-ps(1)", &json},
        {0}};
    struct cli_target target;
    struct look look;
    int status = look_parse(command, options, &wanted, argc, argv, &target);
    if (status >= 0) {
        return status;
    }
    look_at(&target.ident, target.dir, false, pri_deadline(LOOK_ANSWER_MS), &look);
    bool runs = because_is_running(&look);
    status = json ? json_print_service(&look) : CLI_OK;
    if (!json) {
        print_look(&look);
    }
    if (look.found == LOOK_NOTHING) {
        look_suggest(&target);
    }
    look_free(&look);
    cli_target_free(&target);
    return status != CLI_OK ? status : runs ? CLI_OK : CLI_NO;
}
