/*
 * The runner: `procref-bench [--json FILE] [GROUP…]`. Runs each group in a process of its own,
 * collects the results, prints a table and writes JSON. It measures nothing itself.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(void);
    bool only_if_asked;
} groups[] = {
    {"hot", bench_hot},     {"crate", bench_crate},       {"start", bench_start},
    {"stop", bench_stop},   {"idle", bench_idle},         {"herd", bench_herd},
    {"scale", bench_scale}, {"parts", bench_parts, true}, {"raw", bench_raw},
    {"run", bench_run},
};
enum { GROUPS = sizeof groups / sizeof groups[0], RESULTS = 256 };

/* ---- In a group's process -------------------------------------------------------------------- */

static int results_fd = -1;
static const char *group_name;

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile_of(const double *sorted, size_t count, double quantile) {
    double place = quantile * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
}

static struct result placed; /* chart, line and x of the next result */

void plot(const char *chart, const char *line, double x) {
    snprintf(placed.chart, sizeof placed.chart, "%s", chart);
    snprintf(placed.line, sizeof placed.line, "%s", line);
    placed.x = x;
}

static void deliver(struct result *result, const char *what, const char *unit, const char *note) {
    snprintf(result->group, sizeof result->group, "%s", group_name);
    snprintf(result->what, sizeof result->what, "%s", what);
    snprintf(result->unit, sizeof result->unit, "%s", unit);
    snprintf(result->note, sizeof result->note, "%s", note);
    memcpy(result->chart, placed.chart, sizeof result->chart);
    memcpy(result->line, placed.line, sizeof result->line);
    result->x = placed.x;
    placed = (struct result){0};
    if (write(results_fd, result, sizeof *result) != sizeof *result) {
        die("the runner is gone");
    }
}

void report_quantile(const char *what, const char *unit, double *values, size_t count,
                     double quantile, double goal, const char *note) {
    struct result result = {.goal = goal};
    qsort(values, count, sizeof *values, by_value);
    result.median = quantile_of(values, count, quantile);
    bool spread = quantile == 0.5; /* of another quantile the quartiles would say nothing */
    result.low = spread ? quantile_of(values, count, 0.25) : result.median;
    result.high = spread ? quantile_of(values, count, 0.75) : result.median;
    deliver(&result, what, unit, note);
}

void report(const char *what, const char *unit, double *values, size_t count, double goal,
            const char *note) {
    report_quantile(what, unit, values, count, 0.5, goal, note);
}

void report_one(const char *what, const char *unit, double value, double goal, const char *note) {
    report(what, unit, &value, 1, goal, note);
}

void report_words(const char *what, const char *said, const char *note) {
    struct result result = {.goal = NO_GOAL};
    snprintf(result.said, sizeof result.said, "%s", said);
    deliver(&result, what, "", note);
}

/* ---- In the runner --------------------------------------------------------------------------- */

static struct result results[RESULTS];
static int result_count;

static bool run_group(int group) {
    int ends[2], status = -1;
    if (pipe2(ends, O_CLOEXEC) < 0) { /* else a service that outlives its client holds it */
        die("pipe: %s", strerror(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        results_fd = ends[1];
        group_name = groups[group].name;
        groups[group].run();
        exit(0);
    }
    close(ends[1]);
    while (result_count < RESULTS &&
           read(ends[0], &results[result_count], sizeof results[0]) == sizeof results[0]) {
        result_count++;
    }
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (status != 0) {
        fprintf(stderr, "bench: the group %s failed\n", groups[group].name);
    }
    return status == 0;
}

static bool reached(const struct result *result) {
    return result->median <= result->goal;
}

static void number(char *to, size_t size, double value) {
    snprintf(to, size,
             value == (double)(long)value && value < 1e6 ? "%.0f"
             : value < 10                                ? "%.3f"
             : value < 1000                              ? "%.1f"
                                                         : "%.0f",
             value);
}

static void print_table(void) {
    printf("%-64s %9s %-4s %-21s %-8s %s\n", "", "median", "", "quartiles", "goal", "reached");
    for (int i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        char median[32], low[32], high[32], goal[32] = "", spread[80] = "";
        number(median, sizeof median, r->median);
        number(low, sizeof low, r->low);
        number(high, sizeof high, r->high);
        if (r->goal >= 0) {
            number(goal, sizeof goal, r->goal);
        }
        if (r->low != r->high) {
            snprintf(spread, sizeof spread, "%s to %s", low, high);
        }
        if (i > 0 && strcmp(r->group, results[i - 1].group) != 0) {
            printf("\n");
        }
        char what[160];
        snprintf(what, sizeof what, "%s%s%s", r->what, r->line[0] != '\0' ? ": " : "", r->line);
        if (r->x > 0) {
            snprintf(what + strlen(what), sizeof what - strlen(what), ", %.0f", r->x);
        }
        if (r->said[0] != '\0') {
            printf("%-64s %s\n", what, r->said);
            if (r->note[0] != '\0') {
                printf("    %s\n", r->note);
            }
            continue;
        }
        printf("%-64s %9s %-4s %-21s %-8s %s\n", what, median, r->unit, spread, goal,
               r->goal < 0  ? ""
               : reached(r) ? "yes"
                            : "NO");
        if (r->note[0] != '\0') {
            printf("    %s\n", r->note);
        }
    }
}

/* Notes hold no control characters; quotes and backslashes are all that JSON needs escaped. */
static void json_string(FILE *file, const char *text) {
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', file);
        }
        fputc(*text, file);
    }
    fputc('"', file);
}

static bool write_json(const char *path, const char *machine) {
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    fprintf(file, "{\n  \"version\": \"%s\",\n  \"machine\": ", procref_version());
    json_string(file, machine);
    fprintf(file, ",\n  \"results\": [");
    for (int i = 0; i < result_count; i++) {
        const struct result *r = &results[i];
        fprintf(file, "%s\n    {\"group\": \"%s\", \"what\": ", i > 0 ? "," : "", r->group);
        json_string(file, r->what);
        if (r->said[0] != '\0') {
            fprintf(file, ", \"said\": ");
            json_string(file, r->said);
        } else {
            fprintf(file, ", \"unit\": \"%s\", \"median\": %.6g, \"low\": %.6g, \"high\": %.6g",
                    r->unit, r->median, r->low, r->high);
        }
        if (r->chart[0] != '\0') {
            fprintf(file, ", \"chart\": \"%s\", \"line\": \"%s\", \"x\": %g", r->chart, r->line,
                    r->x);
        }
        if (r->goal >= 0) {
            fprintf(file, ", \"goal\": %g, \"reached\": %s", r->goal,
                    reached(r) ? "true" : "false");
        }
        fprintf(file, ", \"note\": ");
        json_string(file, r->note);
        fputc('}', file);
    }
    fprintf(file, "\n  ]\n}\n");
    return fclose(file) == 0;
}

static void describe_machine(char *to, size_t size) {
    struct utsname system;
    char line[256], model[128] = "unknown processor", date[32];
    double load = -1;
    uname(&system);
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    (void)getloadavg(&load, 1);
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", localtime(&now));
    snprintf(to, size, "%s, %ld cores, %s %s %s, load %.2f at the beginning, %s", model,
             sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release, system.machine, load,
             date);
}

int main(int argc, char **argv) {
    const char *json = NULL;
    bool chosen[GROUPS] = {false}, any = false, ok = true;
    for (int i = 1; i < argc; i++) {
        int group = 0;
        while (group < GROUPS && strcmp(argv[i], groups[group].name) != 0) {
            group++;
        }
        if (group < GROUPS) {
            chosen[group] = any = true;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else {
            fprintf(stderr, "usage: procref-bench [--json FILE] "
                            "[hot|crate|start|stop|idle|herd|scale|raw|run|parts]...\n");
            return 2;
        }
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* thousands of children, a line to each */
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);

    char machine[512];
    double load = 0;
    describe_machine(machine, sizeof machine);
    printf("procref %s, %s\n", procref_version(), machine);
    if (getloadavg(&load, 1) == 1 && load > 0.5) {
        printf("The machine is busy with something else: these are not figures to quote.\n");
    }
    printf("\n");
    for (int group = 0; group < GROUPS; group++) {
        if (any ? chosen[group] : !groups[group].only_if_asked) {
            fprintf(stderr, "measuring %s ...\n", groups[group].name);
            ok = run_group(group) && ok;
        }
    }
    print_table();
    printf("\nCompared figures are medians of interleaved blocks of this one sitting. Other work "
           "on the machine "
           "moves\nsingle figures by tens of percent, ratios by a few.\n");
    if (json != NULL) {
        ok = write_json(json, machine) && ok;
    }
    return ok ? 0 : 1;
}
