/* The demo's output. Colours only on a terminal and without NO_COLOR (no-color.org). */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct event {
    int64_t when_ns;
    int order; /* qsort is not stable */
    int client;
    enum report_change change;
    char who[24];
    char text[160];
};

struct check {
    bool ok;
    char text[256];
};

enum { EVENTS = 128, CHECKS = 64 };
static struct event events[EVENTS];
static struct check checks[CHECKS];
static int event_count, check_count;

int64_t report_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void report_event(int64_t when_ns, const char *who, int client, enum report_change change,
                  const char *format, ...) {
    if (event_count == EVENTS) {
        return;
    }
    struct event *event = &events[event_count];
    *event = (struct event){
        .when_ns = when_ns, .order = event_count, .client = client, .change = change};
    event_count++;
    snprintf(event->who, sizeof event->who, strcmp(who, "client") == 0 ? "%s %d" : "%s", who,
             client);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
}

bool report_check(bool ok, const char *format, ...) {
    if (check_count < CHECKS) {
        struct check *check = &checks[check_count++];
        check->ok = ok;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(check->text, sizeof check->text, format, arguments);
        va_end(arguments);
    }
    return ok;
}

static int by_time(const void *left, const void *right) {
    const struct event *a = left, *b = right;
    if (a->when_ns != b->when_ns) {
        return a->when_ns < b->when_ns ? -1 : 1;
    }
    return a->order - b->order;
}

static const char *colour(const char *code) {
    static int wanted = -1;
    if (wanted < 0) {
        const char *no_color = getenv("NO_COLOR");
        wanted = isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0');
    }
    return wanted ? code : "";
}

#define BOLD colour("\033[1m")
#define DIM colour("\033[2m")
#define GREEN colour("\033[32m")
#define RED colour("\033[31m")
#define PLAIN colour("\033[0m")

static void print_holders(const bool *holds, int clients) {
    for (int i = 1; i <= clients; i++) {
        if (holds[i]) {
            printf(" %s%d%s", BOLD, i, PLAIN);
        } else {
            printf(" %s.%s", DIM, PLAIN);
        }
    }
}

bool report_print(int64_t begin_ns, int clients) {
    bool holds[32] = {false};
    qsort(events, (size_t)event_count, sizeof events[0], by_time);
    printf("\n%s      ms  held by %*s who        what%s\n", DIM, clients * 2 - 8, "", PLAIN);
    for (int i = 0; i < event_count; i++) {
        const struct event *event = &events[i];
        if (event->change != REPORT_NOTHING) {
            holds[event->client] = event->change == REPORT_HOLDS;
        }
        printf("%8.2f ", (double)(event->when_ns - begin_ns) / 1e6);
        print_holders(holds, clients);
        printf("  %s%-10s%s %s\n", strncmp(event->who, "client", 6) == 0 ? "" : BOLD, event->who,
               PLAIN, event->text);
    }
    int true_count = 0;
    printf("\n");
    for (int i = 0; i < check_count; i++) {
        printf("  %s%s%s %s\n", checks[i].ok ? GREEN : RED, checks[i].ok ? "true " : "FALSE", PLAIN,
               checks[i].text);
        true_count += checks[i].ok;
    }
    bool all = check_count > 0 && true_count == check_count;
    printf("\n%s%d of %d true, %.2f s%s\n", all ? GREEN : RED, true_count, check_count,
           (double)(report_now_ns() - begin_ns) / 1e9, PLAIN);
    return all;
}
