/* The sign of life (spinner.h). */
#include "cli/spinner.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/because.h"
#include "cli/look.h"
#include "core/fail.h"
#include "os/clock.h"

enum { PATIENCE_MS = 500, TURN_MS = 100, ASK_MS = 50 };

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static bool says_utf8(void) {
    return setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- Erased, even by a signal that ends the wait --------------------------------------------- */

static const char erase[] = {'\r', '\033', '[', 'K'};
static const int enders[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { ENDERS = sizeof enders / sizeof enders[0] };

static void erase_and_end(int number) {
    (void)!write(STDERR_FILENO, erase, sizeof erase);
    raise(number); /* by now its default: this process ends as if nothing had been drawn */
}

/* What was said to be ignored, or is heard otherwise, stays so. */
static void replace(void (*from)(int), void (*to)(int)) {
    for (size_t i = 0; i < ENDERS; i++) {
        struct sigaction now, then = {.sa_handler = to, .sa_flags = SA_RESETHAND};
        if (sigaction(enders[i], NULL, &now) == 0 && now.sa_handler == from) {
            sigaction(enders[i], &then, NULL);
        }
    }
}

/* False: there is no answer. */
static bool asks_whether_it_ends(const struct cli_target *target, bool *ret_ends) {
    struct look look;
    look_at(&target->ident, target->dir, false, pri_deadline(ASK_MS), &look);
    bool told = look.found != LOOK_SILENT;
    *ret_ends = strcmp(because_state(&look), "stopping") == 0;
    look_free(&look);
    return told;
}

/* Asks the keeper at first, and until the earlier life has ended: it has more to do than to answer
 * all who wait. */
static void describe(struct cli_spinner *s) {
    const procref_service_config *c = &s->target->config;
    const char *ready = c->ready;
    char *to = s->what;
    size_t size = sizeof s->what;
    if (s->described && !s->before) {
        return;
    }
    s->described = asks_whether_it_ends(s->target, &s->before);
    if (s->before) {
        pri_format(to, size, "waiting for the previous %s to end", c->name);
    } else if (ready == NULL) {
        pri_format(to, size, "waiting for %s to start", c->name);
    } else if (strcmp(ready, "tcp") == 0 && c->port != 0) {
        pri_format(to, size, "waiting for %s to be ready (tcp 127.0.0.1:%u)", c->name,
                   (unsigned)c->port);
    } else if (strcmp(ready, "tcp") == 0) {
        pri_format(to, size, "waiting for %s to be ready (its TCP port)", c->name);
    } else if (strcmp(ready, "notify") == 0) {
        pri_format(to, size, "waiting for %s to be ready (its READY=1)", c->name);
    } else {
        pri_format(to, size, "waiting for %s to be ready (%s)", c->name, ready);
    }
}

void cli_spinner_begin(struct cli_spinner *s, const struct cli_target *target, bool quiet) {
    const char *term = getenv("TERM");
    *s = (struct cli_spinner){.kind = SPINNER_LINE, .begin_ns = pri_clock_ns(), .target = target};
    s->next_ns = s->begin_ns + PATIENCE_MS * PRI_MS;
    if (quiet) {
        s->kind = SPINNER_OFF;
        return;
    }
    if (isatty(STDERR_FILENO) && is_set("TERM") && strcmp(term, "dumb") != 0) {
        s->kind = SPINNER_TURNS;
        s->colour = !is_set("NO_COLOR");
    }
}

int cli_spinner_wait_ms(const struct cli_spinner *s) {
    if (s->kind == SPINNER_OFF) {
        return -1;
    }
    int64_t left_ns = s->next_ns - pri_clock_ns();
    return left_ns <= 0 ? 0 : (int)((left_ns + PRI_MS - 1) / PRI_MS);
}

/* How many characters of the line fit. A terminal that does not say has 80 columns. */
static int room(void) {
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return (known ? size.ws_col : 80) - 1;
}

/* On a terminal that is not this session's own nobody is in the foreground. */
static bool is_in_background(void) {
    pid_t foreground = tcgetpgrp(STDERR_FILENO);
    return foreground >= 0 && foreground != getpgrp();
}

/* A line that is longer than the terminal is wide would be wrapped, and could not be erased. */
static void draw(struct cli_spinner *s) {
    static const char *const braille[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    static const char *const plain[] = {"|", "/", "-", "\\"};
    if (!s->drawn) { /* here, for most waits end before anything is drawn */
        s->utf8 = says_utf8();
        replace(SIG_DFL, erase_and_end);
    }
    const char *sign = s->utf8 ? braille[s->turn % 10] : plain[s->turn % 4];
    char text[320], line[512];
    int64_t tenths = (pri_clock_ns() - s->begin_ns) / (100 * PRI_MS);
    snprintf(text, sizeof text, "%s %lld.%lld s", s->what, (long long)tenths / 10,
             (long long)tenths % 10);
    int width = room() - 2;
    int length = snprintf(line, sizeof line, "\r%s%s%s %.*s\033[K", s->colour ? "\033[36m" : "",
                          sign, s->colour ? "\033[0m" : "", width > 0 ? width : 0, text);
    if (length > 0 && (size_t)length < sizeof line) {
        s->drawn = write(STDERR_FILENO, line, (size_t)length) == length || s->drawn;
    }
    s->turn++;
}

void cli_spinner_turn(struct cli_spinner *s) {
    if (s->kind == SPINNER_OFF || pri_clock_ns() < s->next_ns) {
        return;
    }
    s->next_ns = pri_clock_ns() + TURN_MS * PRI_MS;
    if (s->kind == SPINNER_TURNS && is_in_background()) {
        return; /* such a job keeps quiet */
    }
    describe(s);
    if (s->kind == SPINNER_LINE) {
        cli_say("%s", s->what);
        s->kind = SPINNER_OFF;
    } else {
        draw(s);
    }
}

void cli_spinner_end(struct cli_spinner *s) {
    if (s->drawn) {
        (void)!write(STDERR_FILENO, erase, sizeof erase);
        replace(erase_and_end, SIG_DFL);
        s->drawn = false;
    }
}
