/* procref check: reads a service file and says what was understood. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/target.h"
#include "os/folder.h"

static const char *const list_names[PRI_STEPS_COUNT] = {[PRI_STEPS_START_PRE] = "ExecStartPre",
                                                        [PRI_STEPS_START] = "ExecStart",
                                                        [PRI_STEPS_START_POST] = "ExecStartPost",
                                                        [PRI_STEPS_STOP] = "ExecStop",
                                                        [PRI_STEPS_STOP_POST] = "ExecStopPost"};

static void print_findings(const struct unit *unit) {
    static const char *const levels[] = {[UNIT_IGNORED] = "ignored",
                                         [UNIT_WARNING] = "warning",
                                         [UNIT_REFUSED] = "refused",
                                         [UNIT_ERROR] = "error"};
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        printf("%s:%d: %s: %s\n", finding->file, finding->line, levels[finding->level],
               finding->message);
    }
}

/* A word as a shell and systemd would read it again. */
static void print_word(const char *word) {
    if (*word != '\0' && strpbrk(word, " \t\n\r\"'\\;|&<>()*?[]#`") == NULL) {
        fputs(word, stdout);
        return;
    }
    putchar('"');
    for (; *word != '\0'; word++) {
        unsigned char c = (unsigned char)*word;
        if (c < ' ' || c == 0x7f) {
            printf("\\x%02x", c);
        } else {
            printf(c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    putchar('"');
}

static void print_step(const struct pri_step *step) {
    printf("  %-18s ", list_names[step->list]);
    if (step->flags & PRI_STEP_IGNORE) {
        putchar('-');
    }
    if (step->flags & PRI_STEP_LITERAL) {
        putchar(':');
    }
    if (strcmp(step->program, step->argv[0]) != 0) {
        printf("@%s ", step->program);
    }
    for (size_t i = 0; step->argv[i] != NULL; i++) {
        if (i > 0) {
            putchar(' ');
        }
        print_word(step->argv[i]);
    }
    putchar('\n');
}

static void print_list(const char *name, const char *const *list) {
    for (; list != NULL && *list != NULL; list++) {
        printf("  %-18s ", name);
        print_word(*list);
        putchar('\n');
    }
}

static void print_text(const char *name, const char *value) {
    if (value != NULL) {
        printf("  %-18s %s\n", name, value);
    }
}

static void print_time(const char *name, int64_t ms) {
    if (ms < 0 || ms == INT64_MAX) {
        printf("  %-18s infinity\n", name);
    } else if (ms % 1000 == 0) {
        printf("  %-18s %llds\n", name, (long long)(ms / 1000));
    } else {
        printf("  %-18s %lldms\n", name, (long long)ms);
    }
}

static void print_limits(const struct pri_plan *plan) {
    for (size_t i = 0; i < plan->limit_count; i++) {
        const struct pri_plan_limit *limit = &plan->limits[i];
        char name[32];
        snprintf(name, sizeof name, "Limit %d", (int)limit->resource);
        printf("  %-18s %lld:%lld\n", name, (long long)limit->soft, (long long)limit->hard);
    }
}

static void print_unit(const struct unit *unit) {
    static const char *const types[] = {"simple", "forking", "oneshot"};
    static const char *const kill_modes[] = {"control-group", "mixed", "process"};
    const procref_service_config *config = &unit->config;
    const struct pri_plan *plan = &unit->plan;
    printf("%s, from %s\n", unit->name, unit->path);
    print_text("Type", types[plan->type]);
    for (size_t i = 0; i < plan->step_count; i++) {
        print_step(&plan->steps[i]);
    }
    print_text("PIDFile", plan->pid_file);
    print_text("Ready", config->ready);
    if (config->port != 0) {
        printf("  %-18s %u\n", "Port", (unsigned)config->port);
    } else if (plan->wants_port) {
        print_text("Port", "a free one");
    }
    print_text("WorkingDirectory", config->working_dir);
    print_list("Environment", config->environment);
    print_list("UnsetEnvironment", plan->unset);
    print_text("StandardOutput", plan->output);
    print_text("StandardError", plan->error);
    print_time("TimeoutStartSec", config->start_timeout_ms);
    print_time("TimeoutStopSec", config->stop_timeout_ms);
    printf("  %-18s SIG%s\n", "KillSignal", sigabbrev_np(config->stop_signal));
    print_text("KillMode", kill_modes[plan->kill_mode]);
    print_limits(plan);
    print_time("Linger", config->linger_ms);
    print_list("Export", (const char *const *)unit->exports);
    print_list("Requires", (const char *const *)unit->requires);
    print_text("Health", unit->health);
}

int cli_check(const struct cli_command *command, int argc, char **argv) {
    const char *file = NULL;
    struct cli_texts ignore = {0};
    const struct cli_option options[] = {
        {"file", 'f', CLI_TEXT, "FILE", "the service file", &file},
        {"ignore", 0, CLI_TEXTS, "KEY", "go on without this key of the service file", &ignore},
        {0}};
    const char *keys[sizeof ignore.list / sizeof ignore.list[0] + 1] = {NULL};
    char dir[PRI_PATH_SIZE];
    procref_error error = PROCREF_ERROR_INIT;
    int operands;
    char **after;
    int status = cli_parse(command, options, argc, argv, &operands, &after);
    if (status >= 0) {
        return status;
    }
    if (file == NULL || operands > 1) {
        cli_say("name a service, or a file with -f: see %s --help", cli_name);
        return CLI_USAGE;
    }
    memcpy(keys, ignore.list, (size_t)ignore.count * sizeof *keys); /* the rest is NULL */
    pri_folder_default(dir);
    const struct unit_options unit_options = {operands == 1 ? argv[1] : NULL, dir, keys};
    struct unit *unit = NULL;
    int code = unit_load(file, &unit_options, &unit, &error);
    if (unit == NULL) {
        cli_say_error(NULL, &error);
        return CLI_USAGE;
    }
    print_findings(unit);
    if (code == 0) {
        print_unit(unit);
    }
    unit_free(unit);
    return code == 0 ? CLI_OK : CLI_USAGE;
}
