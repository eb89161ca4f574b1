/* What a person reads: progress, violations with evidence, and the verdict. */
#include <fcntl.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/torture/judge.h"

enum { EVIDENCE_MOST = 20, TRACE_TAIL = 4 * 1024 * 1024 };

static const struct {
    const char *word, *text;
} witnesses[] = {
    {"two", "two services alive at once"},
    {"unreachable", "a held service did not answer"},
    {"unready", "a held service was not ready"},
    {"ended", "a held service ended unattacked"},
    {"dead", "a dead service was handed out"},
    {"another", "another configuration was handed out"},
    {"calls", "two callbacks at once"},
    {"uncalled", "on_last_release was not called once"},
    {"alone", "a keeper stayed alone"},
    {"wrong", "somebody else was killed"},
    {"left", "something was left over"},
    {"hang", "a call did not end"},
    {"error", "a call failed"},
    {"crash", "a client crashed"},
};
enum { WITNESSES = sizeof witnesses / sizeof witnesses[0] };
static uint64_t witnessed[WITNESSES];

static double seconds(const struct judge *j) {
    double s = (double)(now_ms() - j->began_ms) / 1000;
    return s > 0.001 ? s : 0.001;
}

static uint64_t acquires(void) {
    return atomic_load(&board->tallies[TALLY_ACQUIRED]);
}

static uint64_t blows(const struct judge *j, bool only_kills) {
    static const bool kills[BLOW_COUNT] = {
        [BLOW_KILL_CLIENT] = true,  [BLOW_KILL_KEEPER] = true, [BLOW_KILL_STANDBY] = true,
        [BLOW_KILL_SERVICE] = true, [BLOW_KILL_PAIR] = true,   [BLOW_MASSACRE] = true};
    uint64_t sum = 0;
    for (int i = 0; i < BLOW_COUNT; i++) {
        sum += !only_kills || kills[i] ? j->blows[i] : 0;
    }
    return sum;
}

void report_progress(struct judge *j) {
    printf("%6.0f s  %llu rounds, %llu acquires (%.0f/s), %llu blows, %llu kills (%.1f/s), %llu "
           "violations\n",
           seconds(j), (unsigned long long)j->rounds, (unsigned long long)acquires(),
           (double)acquires() / seconds(j), (unsigned long long)blows(j, false),
           (unsigned long long)blows(j, true), (double)blows(j, true) / seconds(j),
           (unsigned long long)j->violations);
    fflush(stdout);
}

/* ---- evidence: how the world looked when it was told ---- */

static void copy_proc(FILE *to, pid_t pid, const char *file) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *from = fopen(path, "re");
    size_t n = from != NULL ? fread(text, 1, sizeof text - 1, from) : 0;
    if (from != NULL) {
        fclose(from);
    }
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == '\0' ? ' ' : text[i];
    }
    text[n] = '\0';
    fprintf(to, "  %s: %s%s", file, text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
}

static void copy_tail(FILE *to, const char *path) {
    static char text[64 * 1024];
    struct stat status;
    FILE *from = fopen(path, "re");
    if (from == NULL) {
        return;
    }
    if (fstat(fileno(from), &status) == 0 && status.st_size > TRACE_TAIL) {
        fseeko(from, status.st_size - TRACE_TAIL, SEEK_SET);
    }
    for (size_t n; (n = fread(text, 1, sizeof text, from)) > 0;) {
        fwrite(text, 1, n, to);
    }
    fclose(from);
}

static void write_evidence(struct judge *j, const char *line, uint32_t arena) {
    static struct sight sight;
    FILE *to =
        arena < j->arenas_count ? fopen(board_path("evidence.%d", ++j->evidence), "we") : NULL;
    if (to == NULL) {
        return;
    }
    struct arena *a = &j->arenas[arena];
    struct terms terms = terms_of(arena, a->round);
    fprintf(to,
            "%s\nservice %s, round %u, cruelty %d, phase %d, kind %d, linger %lld ms, "
            "stop timeout %lld ms, start delay %lld ms, child %d, stubborn %d, massacres %u, "
            "attacked %u\n",
            line, arena_names[arena].name, (unsigned)a->round, (int)a->cruelty, (int)a->phase,
            (int)terms.kind, (long long)terms.linger_ms, (long long)terms.stop_timeout_ms,
            (long long)terms.start_delay_ms, terms.child, terms.stubborn,
            (unsigned)atomic_load(&board->arena[arena].massacres),
            (unsigned)atomic_load(&board->arena[arena].attacked));
    see(&sight);
    for (int i = 0; i < sight.count; i++) {
        const struct seen *seen = &sight.list[i];
        if (seen->arena == arena) {
            fprintf(to, "process %d, parent %d, state %c\n", (int)seen->pid, (int)seen->parent,
                    seen->state);
            copy_proc(to, seen->pid, "cmdline");
            copy_proc(to, seen->pid, "wchan");
            copy_proc(to, seen->pid, "syscall");
        }
    }
    fprintf(to, "set %d, socket %d, lock %d\n", see_set(arena), see_socket(arena), see_lock(arena));
    copy_tail(to, board_path("base/%s.hint", arena_names[arena].name));
    if (j->options.trace) {
        copy_tail(to, board_path("trace"));
    }
    fclose(to);
}

static void read_one(struct judge *j, const char *line) {
    char word[32] = "";
    int arena = 0;
    sscanf(line, "%*s %*s %31s %d", word, &arena);
    j->violations++;
    for (int i = 0; i < WITNESSES; i++) {
        witnessed[i] += strcmp(witnesses[i].word, word) == 0;
    }
    if (j->evidence < EVIDENCE_MOST) {
        cli_say("violation after %.1f s: %s", seconds(j), line);
        write_evidence(j, line, (uint32_t)arena);
    }
}

void read_violations(struct judge *j) {
    char line[1024];
    FILE *file = fopen(board_path("violations"), "re");
    if (file == NULL) {
        return;
    }
    fseeko(file, j->violations_read, SEEK_SET);
    while (fgets(line, sizeof line, file) != NULL && strchr(line, '\n') != NULL) {
        j->violations_read = ftello(file);
        *strchr(line, '\n') = '\0';
        read_one(j, line);
    }
    fclose(file);
}

/* ---- what the dice said ---- */

void note(const char *format, ...) {
    va_list arguments;
    int fd = open(board_path("decisions"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    va_start(arguments, format);
    vdprintf(fd, format, arguments);
    va_end(arguments);
    close(fd);
}

/* ---- the end ---- */

static void count(const char *what, uint64_t times, double s) {
    printf("  %10llu %9.1f/s  %s\n", (unsigned long long)times, (double)times / s, what);
}

/* All that were told, their lines written or not. */
static void count_violations(struct judge *j) {
    if (j->full) {
        return; /* what was told since then may be for that */
    }
    read_violations(j);
    uint64_t told = atomic_load(&board->violations);
    if (told > j->violations) {
        cli_say("%llu more violations could not be written to %s",
                (unsigned long long)(told - j->violations), board_dir);
        j->violations = told;
    }
}

int report_verdict(struct judge *j, bool interrupted) {
    double s = seconds(j);
    count_violations(j);
    static const char *const words[] = {
#define TALLY_TEXT(name, text) text,
        TALLIES(TALLY_TEXT)
#undef TALLY_TEXT
    };
    static const char *const names[] = {
#define BLOW_TEXT(name, text) text,
        BLOWS(BLOW_TEXT)
#undef BLOW_TEXT
    };
    printf(
        "\n%.1f s, seed %llu, %llu rounds; the slowest clean-up after a last client took %lld ms "
        "beyond its linger\n",
        s, (unsigned long long)board->seed, (unsigned long long)j->rounds,
        (long long)j->slowest_settle_ms);
    printf("%.1f acquires/s, %.1f blows/s, %.1f kills/s\n", (double)acquires() / s,
           (double)blows(j, false) / s, (double)blows(j, true) / s);
    for (int i = 0; i < TALLY_COUNT; i++) {
        count(words[i], atomic_load(&board->tallies[i]), s);
    }
    printf("blows\n");
    for (int i = 0; i < BLOW_COUNT; i++) {
        count(names[i], j->blows[i], s);
    }
    printf("witnesses\n");
    for (int i = 0; i < WITNESSES; i++) {
        printf("  %10llu %s\n", (unsigned long long)witnessed[i], witnesses[i].text);
    }
    if (j->violations > 0) {
        printf("FAIL: %llu violation%s. What was seen is in %s; again with --seed %llu --clients "
               "%lld --services %lld%s\n",
               (unsigned long long)j->violations, j->violations == 1 ? "" : "s", board_dir,
               (unsigned long long)board->seed, (long long)j->options.clients,
               (long long)j->options.services, j->options.trace ? "" : " --trace");
        return CLI_NO;
    }
    if (j->full) {
        printf("no verdict: nothing can be written to %s any more; make room, or set TMPDIR\n",
               board_dir);
        return CLI_FAILED;
    }
    printf("PASS: no promise was broken%s\n", interrupted ? " until it was interrupted" : "");
    return CLI_OK;
}
