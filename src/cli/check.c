/* procref check: reads a service file and says what was understood. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/check.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/target.h"

const char *const check_levels[] = {[UNIT_IGNORED] = "ignored",
                                    [UNIT_WARNING] = "warning",
                                    [UNIT_REFUSED] = "refused",
                                    [UNIT_ERROR] = "error"};
const char *const check_lists[] = {[PRI_STEPS_START_PRE] = "ExecStartPre",
                                   [PRI_STEPS_START] = "ExecStart",
                                   [PRI_STEPS_START_POST] = "ExecStartPost",
                                   [PRI_STEPS_STOP] = "ExecStop",
                                   [PRI_STEPS_STOP_POST] = "ExecStopPost"};
const char *const check_types[] = {
    [PRI_TYPE_SIMPLE] = "simple", [PRI_TYPE_FORKING] = "forking", [PRI_TYPE_ONESHOT] = "oneshot"};
const char *const check_kill_modes[] = {
    [PRI_KILL_GROUP] = "control-group", [PRI_KILL_MIXED] = "mixed", [PRI_KILL_PROCESS] = "process"};
const char *const check_limits[CHECK_LIMITS] = {
    [RLIMIT_CPU] = "CPU",           [RLIMIT_FSIZE] = "FSIZE", [RLIMIT_DATA] = "DATA",
    [RLIMIT_STACK] = "STACK",       [RLIMIT_CORE] = "CORE",   [RLIMIT_RSS] = "RSS",
    [RLIMIT_NOFILE] = "NOFILE",     [RLIMIT_AS] = "AS",       [RLIMIT_NPROC] = "NPROC",
    [RLIMIT_MEMLOCK] = "MEMLOCK",   [RLIMIT_LOCKS] = "LOCKS", [RLIMIT_SIGPENDING] = "SIGPENDING",
    [RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",   [RLIMIT_RTPRIO] = "RTPRIO",
    [RLIMIT_RTTIME] = "RTTIME"};

const char *check_signal_name(int signal, char text[32]) {
    const char *name = signal == SIGIO ? "IO" : sigabbrev_np(signal);
    if (name != NULL) {
        snprintf(text, 32, "SIG%s", name);
    } else if (signal >= SIGRTMIN) {
        snprintf(text, 32, "SIGRTMIN+%d", signal - SIGRTMIN);
    } else {
        snprintf(text, 32, "%d", signal);
    }
    return text;
}

static void print_findings(const struct unit *unit) {
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        printf("%s:%d: %s: %s\n", finding->file, finding->line, check_levels[finding->level],
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
    printf("  %-18s ", check_lists[step->list]);
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
    if (ms < 0 || ms == UNIT_FOREVER_MS) {
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
        char name[32], text[2][24];
        for (int j = 0; j < 2; j++) {
            uint64_t value = j == 0 ? limit->soft : limit->hard;
            snprintf(text[j], sizeof text[j], value == PRI_LIMIT_INFINITY ? "infinity" : "%llu",
                     (unsigned long long)value);
        }
        snprintf(name, sizeof name, "Limit%s", check_limits[limit->resource]);
        printf("  %-18s %s:%s\n", name, text[0], text[1]);
    }
}

static void print_ends(const char *name, const struct pri_ends *ends) {
    char signal[32];
    bool any = false;
    for (int i = 0; i < 256 + 64; i++) {
        bool code = i < 256;
        int number = code ? i : i - 256;
        if (((code ? ends->codes[number / 64] : ends->signals) >> (number % 64) & 1) == 0) {
            continue;
        }
        if (any) {
            putchar(' ');
        } else {
            printf("  %-18s ", name);
        }
        any = true;
        if (code) {
            printf("%d", number);
        } else {
            fputs(check_signal_name(number, signal), stdout);
        }
    }
    if (any) {
        putchar('\n');
    }
}

static void print_restarts(const struct pri_plan *plan) {
    printf("  %-18s", "Restart");
    if (plan->restarts == 0) {
        puts(" no");
        return;
    }
    printf(" after%s%s%s%s", plan->restarts & PRI_RESTART_CLEAN ? " success" : "",
           plan->restarts & PRI_RESTART_UNCLEAN ? " failure" : "",
           plan->restarts & PRI_RESTART_SIGNAL ? " signal" : "",
           plan->restarts & PRI_RESTART_TIMEOUT ? " timeout" : "");
    if (plan->start_interval_ms > 0 && plan->start_burst > 0) {
        printf(", at most %d starts", (int)plan->start_burst);
        if (plan->start_interval_ms != UNIT_FOREVER_MS) {
            printf(" in %lld ms", (long long)plan->start_interval_ms);
        }
    }
    putchar('\n');
    print_time("RestartSec", plan->restart_ms);
}

static void print_service(const struct unit *unit) {
    const procref_service_config *config = &unit->config;
    const struct pri_plan *plan = &unit->plan;
    char signal[32];
    print_text("Type", check_types[plan->type]);
    for (size_t i = 0; i < plan->step_count; i++) {
        print_step(&plan->steps[i]);
    }
    print_text("PIDFile", plan->pid_file);
    print_text("WorkingDirectory", config->working_dir);
    print_list("Environment", config->environment);
    print_list("UnsetEnvironment", plan->unset);
    print_text("StandardOutput", plan->output != NULL ? plan->output : "log");
    print_text("StandardError", plan->error);
    print_time("TimeoutStartSec", config->start_timeout_ms);
    print_time("TimeoutStopSec", config->stop_timeout_ms);
    print_restarts(plan);
    print_ends("SuccessExitStatus", &plan->ends[PRI_ENDS_SUCCESS]);
    print_ends("RestartPreventExitStatus", &plan->ends[PRI_ENDS_PREVENT]);
    print_ends("RestartForceExitStatus", &plan->ends[PRI_ENDS_FORCE]);
    print_text("KillSignal", check_signal_name(config->stop_signal, signal));
    print_text("KillMode", check_kill_modes[plan->kill_mode]);
    print_text("SendSIGKILL", plan->never_kill ? "no" : NULL);
    print_text("IgnoreSIGPIPE", plan->sigpipe ? "no" : NULL);
    if (plan->umask >= 0) {
        printf("  %-18s %04o\n", "UMask", (unsigned)plan->umask);
    }
    if (plan->nice != 0) {
        printf("  %-18s %d\n", "Nice", (int)plan->nice);
    }
    print_limits(plan);
}

static void print_unit(const struct unit *unit) {
    const procref_service_config *config = &unit->config;
    printf("%s, from %s\n", unit->name, unit->path);
    print_service(unit);
    print_text("Ready", config->ready);
    if (config->port != 0) {
        printf("  %-18s %u\n", "Port", (unsigned)config->port);
    } else if (unit->plan.wants_port) {
        print_text("Port", "a free one");
    }
    if (config->linger_ms > 0) {
        print_time("Linger", config->linger_ms);
    }
    print_list("Export", (const char *const *)unit->exports);
    print_list("Requires", (const char *const *)unit->requires);
    print_text("Health", unit->health);
}

static bool can_run(const struct unit *unit) {
    for (size_t i = 0; i < unit->finding_count; i++) {
        if (unit->findings[i].level >= UNIT_REFUSED) {
            return false;
        }
    }
    return true;
}

int cli_check(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    bool json = false;
    const struct cli_option options[] = {
        CLI_TARGET_OPTIONS(wanted),
        {"json", 0, CLI_FLAG, NULL, "one JSON object: see procref-check(1)", &json},
        {0}};
    struct cli_target target;
    int operands;
    int status = cli_parse(command, options, argc, argv, &operands, NULL);
    if (status >= 0) {
        return status;
    }
    if (wanted.file == NULL && operands == 0) {
        cli_say("name a service, or a file with -f: see %s --help", cli_name);
        return CLI_USAGE;
    }
    if (operands > 1) {
        cli_say("one service at a time: '%s' is one too many", argv[2]);
        return CLI_USAGE;
    }
    wanted.name = operands == 1 ? argv[1] : NULL;
    status = cli_target_find(&wanted, TARGET_CHECKED, &target);
    if (status >= 0) {
        return status;
    }
    const struct unit *unit = target.unit;
    bool runs = can_run(unit);
    if (json) {
        status = check_print_json(unit, runs);
        return status != CLI_OK ? status : runs ? CLI_OK : CLI_USAGE;
    }
    print_findings(unit);
    if (runs) {
        print_unit(unit);
    }
    return runs ? CLI_OK : CLI_USAGE;
}
