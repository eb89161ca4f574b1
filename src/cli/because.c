/* What a look at a service means, in words (because.h). */
#include "cli/because.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

enum { NAMED_MOST = 3, COMMAND_MOST = 40 };

/* By the machine's state (src/keeper/machine.h): what to call it, whether the service can be used
 * or is about to be, and what to say of it. */
static const struct state {
    const char *state, *word;
    bool runs;
    const char *sentence; /* NULL: it depends */
} states[] = {
    {"resuming", "starting", true, "starting: its keeper has just taken over"},
    {"beginning", "starting", true, "starting: waits until an earlier client's callback has ended"},
    {"ending", "starting", true, "starting: ends what an earlier life has left"},
    {"starting", "starting", true, NULL},
    {"electing", "down", false, "down: waits for a client that can start it"},
    {"elected", "starting", true, "starting: a client runs the function that starts it"},
    {"relaunching", "starting", true, "starting: ends a lost start, then tries again"},
    {"failing", "failing", false, "its start failed: what is left of it is being ended"},
    {"publishing", "up", true, NULL},
    {"up", "up", true, NULL},
    {"lingering", "lingering", true, NULL},
    {"draining", "stopping", false, "being stopped: nobody holds it any more"},
    {"withdrawing", "stopping", false, "being ended"},
    {"handing over", "up", true, NULL},
    {"dying", "stopping", false, "it ended: what it left is being ended"},
    {"waiting", "restarting", true, NULL},
    {"gave up", "gave up", false, NULL},
    {"refusing", "gave up", false, NULL},
    {"exhausted", "gave up", false, NULL},
    {"refounding", "up", true, NULL},
    {"orphaned", "up", true, NULL},
    {"closing", "stopping", false, "being stopped: its last client asks to"},
    {"closed", "stopping", false, "being stopped: its last client runs the function that stops it"},
    {"stopping", "stopping", false, "being stopped: nobody holds it any more"},
    {"ended", "stopping", false, "being stopped: its keeper is about to go"},
};

static size_t counted(const struct look *look) {
    return (look->status.refs > 0 ? (size_t)look->status.refs : 0) + look->status.old_holders;
}

static const struct state *state_of(const struct look *look) {
    static const struct state unknown = {"", "unknown", true,
                                         "in a state this procref does not know"};
    const char *state = look->status.state;
    if (strcmp(state, "lingering") == 0 && counted(look) > 0) {
        state = "up"; /* its keeper hears of who comes meanwhile when the linger is over */
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].state, state) == 0) {
            return &states[i];
        }
    }
    return &unknown;
}

const char *because_state(const struct look *look) {
    switch (look->found) {
    case LOOK_KEPT: return state_of(look)->word;
    case LOOK_SILENT: return "no answer";
    case LOOK_FOREIGN: return "other version";
    case LOOK_UNKEPT: return "no keeper";
    case LOOK_NOTHING: break;
    }
    return "not running";
}

bool because_is_running(const struct look *look) {
    return look->found != LOOK_NOTHING && (look->found != LOOK_KEPT || state_of(look)->runs);
}

/* ---- Holders --------------------------------------------------------------------------------- */

/* Which program it is tells its last component. */
static const char *without_folder(const char *command) {
    size_t program = command[0] == '/' ? strcspn(command, " '") : 0;
    const char *slash = memrchr(command, '/', program);
    return slash != NULL && slash + 1 < command + program ? slash + 1 : command;
}

static bool is_same(const struct look_holder *a, const struct look_holder *b) {
    return a->process.pid == b->process.pid && a->old == b->old;
}

size_t because_times(const struct look *look, size_t i) {
    const struct look_holder *holder = &look->holders[i];
    size_t times = i > 0 && is_same(holder - 1, holder) ? 0 : 1;
    while (times > 0 && i + times < look->holder_count && is_same(holder, holder + times)) {
        times++;
    }
    return times;
}

static size_t processes(const struct look *look) {
    size_t count = 0;
    for (size_t i = 0; i < look->holder_count; i++) {
        count += because_times(look, i) > 0;
    }
    return count;
}

char *because_holders(const struct look *look, size_t most) {
    char *text = NULL, since[32];
    size_t size = 0, told = 0, all = processes(look);
    FILE *to = open_memstream(&text, &size);
    if (to == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < look->holder_count && told < most; i++) {
        const struct look_holder *holder = &look->holders[i];
        size_t times = because_times(look, i);
        if (times == 0) {
            continue;
        }
        const char *command = without_folder(holder->command);
        size_t fits = show_fit(command, COMMAND_MOST);
        fprintf(to, "%s%u (%.*s%s)", told > 0 ? ", " : "", (unsigned)holder->process.pid, (int)fits,
                command, command[fits] != '\0' ? "…" : "");
        told++;
        if (times > 1) {
            fprintf(to, " x%zu", times);
        }
        if (holder->since_ms > 0) {
            show_time(holder->since_ms, since, sizeof since);
            fprintf(to, " since %s", since);
        }
    }
    if (all > told) {
        fprintf(to, " and %zu more", all - told);
    }
    return fclose(to) == 0 ? text : NULL;
}

char *because_difference(const struct look *look) {
    char *text = NULL;
    bool known = look->found == LOOK_KEPT && look->status.refs >= 0;
    if (!known || counted(look) == look->holder_count) {
        return NULL; /* a keeper that takes over has not looked at the counter yet */
    }
    return asprintf(&text, "the kernel counts %zu, the record page names %zu", counted(look),
                    look->holder_count) >= 0
               ? text
               : NULL;
}

static void put_held(FILE *to, const struct look *look) {
    char *holders = because_holders(look, NAMED_MOST), *difference = because_difference(look);
    size_t count = look->holder_count > 0 ? processes(look) : counted(look);
    if (look->holder_count > 0) {
        fprintf(to, "%zu %s it: %s", count, count == 1 ? "process holds" : "processes hold",
                holders);
    } else {
        fprintf(to, "%zu %s", count, count == 1 ? "reference is held" : "references are held");
    }
    if (difference != NULL) {
        fprintf(to, " (%s)", difference);
    }
    free(holders);
    free(difference);
}

/* ---- The sentence ---------------------------------------------------------------------------- */

static void put_waited_for(FILE *to, const char *ready) {
    char *shown = show_text(ready, 0);
    fprintf(to, "starting: waits until ");
    if (ready[0] == '\0') {
        fprintf(to, "it runs");
    } else if (strcmp(ready, "tcp") == 0) {
        fprintf(to, "its port answers");
    } else {
        fprintf(to, "it is ready (%s)", shown);
    }
    free(shown);
}

static void put_left(FILE *to, const char *before, int64_t left_ms, const char *after) {
    char span[32];
    if (left_ms >= 0) {
        show_span(left_ms, span, sizeof span);
        fprintf(to, "%s%s%s", before, span, after);
    }
}

static void put_up(FILE *to, const struct look *look) {
    const struct pri_status *status = &look->status;
    if (counted(look) > 0 || look->holder_count > 0) {
        fprintf(to, "alive because ");
        put_held(to, look);
    } else if (status->asking > 0 || status->told > 0) {
        fprintf(to, "alive because a client is about to hold it");
    } else {
        fprintf(to, "alive, though nobody holds it: it is about to %s",
                status->linger_ms > 0 ? "linger" : "be stopped");
    }
}

static void put_gave_up(FILE *to, const struct look *look) {
    char *message = show_text(look->status.message, 0);
    fprintf(to, "gave up: %s", message[0] != '\0' ? message : "it is not started again");
    if (counted(look) > 0) {
        fprintf(to, "; its keeper stays because ");
        put_held(to, look);
    }
    free(message);
}

static void put_kept(FILE *to, const struct look *look) {
    const struct pri_status *status = &look->status;
    const struct state *state = state_of(look);
    if (state->sentence != NULL) {
        fputs(state->sentence, to);
    } else if (strcmp(state->state, "starting") == 0) {
        put_waited_for(to, status->ready);
        put_left(to, ", for ", status->left_ms, " more at most");
    } else if (strcmp(state->state, "lingering") == 0) {
        fprintf(to, "alive because it lingers");
        put_left(to, " for ", status->left_ms, " more");
        fprintf(to, "; nobody holds it");
    } else if (strcmp(state->state, "waiting") == 0) {
        char *message = show_text(status->message, 0);
        fprintf(to, "started again");
        put_left(to, " in ", status->left_ms, "");
        fprintf(to, ": %s", message);
        free(message);
    } else if (strcmp(state->word, "gave up") == 0) {
        put_gave_up(to, look);
    } else {
        put_up(to, look);
    }
}

char *because_sentence(const struct look *look) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (to == NULL) {
        return NULL;
    }
    switch (look->found) {
    case LOOK_KEPT: put_kept(to, look); break;
    case LOOK_SILENT:
        fprintf(to, look->stopped
                        ? "its keeper does not answer: it was stopped by a signal (SIGCONT "
                          "lets it go on)"
                        : "its keeper does not answer: it is very busy, or was stopped by a "
                          "signal");
        break;
    case LOOK_FOREIGN:
        fprintf(to, "its keeper is of another version of procref, which this one cannot ask");
        break;
    case LOOK_UNKEPT:
        fprintf(to, "up, but without a keeper (killed?): the next acquire takes it over");
        break;
    case LOOK_NOTHING: fprintf(to, "not running"); break;
    }
    return fclose(to) == 0 ? text : NULL;
}
