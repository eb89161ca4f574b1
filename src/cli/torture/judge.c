/* The judge: one loop that keeps the rounds going, strikes, and listens to the witnesses. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/torture/judge.h"

enum {
    TICK_MS = 10,
    PROGRESS_MS = 10000,
    TRACE_LIMIT = 256 * 1024 * 1024,
    VIOLATIONS_MOST = 200,
    ACQUIRE_MS = 20000,
    MARGIN_MS = 10000,
    REACH_MS = 10000,
    SETTLE_MS = 10000,
    WHOLE_MS = 6000,
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static void ignore(int number) { /* unlike SIG_IGN nobody inherits it through exec */
    (void)number;
}

static void listen_to_signals(void) {
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = ignore; /* Ctrl-Z: a judge that rests would let the stopped ones sleep */
    sigaction(SIGTSTP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The services' locks, with room for a pid each: there may be none on the disk later. */
static bool make_locks(uint32_t arenas) {
    static const char *const names[] = {"", ".child", ".call"};
    bool made = true;
    for (uint32_t i = 0; i < 3 * arenas && made; i++) {
        int fd = open(board_path("lock.%u%s", (unsigned)(i / 3), names[i % 3]),
                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        made = fd >= 0 && dprintf(fd, "%12s", "") == 12;
        close(fd);
    }
    return made;
}

/* Whether a file still takes bytes there: no look at free blocks knows quotas. It is gone at once,
 * or it would keep the room that it finds the next time. */
static bool has_room(void) {
    static const char page[4096] = "room";
    int fd = open(board_path("room"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool has = fd >= 0 && write(fd, page, sizeof page) == (ssize_t)sizeof page;
    unlink(board_path("room"));
    close(fd);
    return has;
}

static bool prepare(struct judge *j) {
    static char dir[PATH_ROOM];
    const char *tmp = getenv("TMPDIR");
    if (tmp == NULL || strlen(tmp) > 48) {
        tmp = "/tmp"; /* a socket's path has 107 bytes */
    }
    clear_dead_runs(tmp);
    snprintf(dir, sizeof dir, "%s/procref-torture-XXXXXX", tmp);
    if (mkdtemp(dir) == NULL) {
        cli_say("cannot make a folder below %s: %s", tmp, strerror(errno));
        return false;
    }
    if ((j->board = board_make(dir)) < 0 || flock(j->board, LOCK_EX) < 0 ||
        mkdir(board_path("base"), 0700) < 0 || !make_locks(j->arenas_count) || !has_room()) {
        cli_say("cannot make what is needed in %s: %s", dir, strerror(errno));
        remove_folder(dir);
        return false;
    }
    see_locks_of(j->board);
    bool planted = j->options.plant != NULL;
    board->seed = (uint64_t)j->options.seed;
    board->judge = (uint32_t)getpid();
    board->arenas = j->arenas_count;
    board->acquire_ms = planted ? 3000 : ACQUIRE_MS;
    board->margin_ms = planted ? 1500 : MARGIN_MS; /* a keeper has a second for a timeout of 0 */
    board->reach_ms = planted ? 1500 : REACH_MS;
    board->settle_ms = planted ? 2500 : SETTLE_MS;
    board->whole_ms = planted ? 1500 : WHOLE_MS;
    snprintf(board->run, sizeof board->run, "torture-%s", strrchr(dir, '-') + 1);
    for (uint32_t i = 0; i < j->arenas_count; i++) {
        names_make(i);
    }
    setenv("PROCREF_TORTURE", board_dir, 1);
    unsetenv("PROCREF_TRACE");
    if (j->options.trace) {
        setenv("PROCREF_TRACE", board_path("trace"), 1);
    }
    return true;
}

static void reap(struct judge *j) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (!arena_child_ended(j, pid, status) && !bystander_ended(j, pid, status)) {
            spins_reap(j, pid);
        }
    }
}

static void limit_trace(struct judge *j) {
    struct stat status;
    if (j->options.trace && stat(board_path("trace"), &status) == 0 &&
        status.st_size > TRACE_LIMIT) {
        rename(board_path("trace"), board_path("trace.1"));
    }
}

static bool all_rest(const struct judge *j) {
    for (uint32_t i = 0; i < j->arenas_count; i++) {
        if (j->arenas[i].phase != PHASE_REST) {
            return false;
        }
    }
    return true;
}

static void run(struct judge *j) {
    int64_t progress = j->began_ms + PROGRESS_MS, look = j->began_ms;
    while (!interrupted && !(j->over && all_rest(j))) {
        poll(NULL, 0, TICK_MS);
        reap(j);
        continue_stopped(j, -1);
        for (uint32_t i = 0; i < j->arenas_count; i++) {
            arena_step(j, i);
        }
        if (now_ms() >= look) {
            look = now_ms() + 100;
            j->full = j->full || !has_room();
            if (j->full) {
                break; /* what fails from now on may fail for that */
            }
            look_for_hangs(j);
            read_violations(j);
            limit_trace(j);
        }
        if (now_ms() >= progress) {
            progress += PROGRESS_MS;
            report_progress(j);
        }
        if (j->options.plant != NULL && j->violations > 0) {
            break;
        }
        j->over = j->over || now_ms() >= j->ends_ms || j->violations >= VIOLATIONS_MOST;
    }
}

int judge_run(const struct options *options) {
    static struct judge judge;
    struct judge *j = &judge;
    j->options = *options;
    j->arenas_count = (uint32_t)options->services;
    j->dice = dice_of((uint64_t)options->seed, 1, 1);
    if (!prepare(j)) {
        return CLI_FAILED;
    }
    listen_to_signals();
    board->kept = options->keep;
    janitor_start(j);
    bystander_start(j);
    printf("seed %llu, %lld s, %lld services, up to %lld clients each, folder %s\n",
           (unsigned long long)options->seed, (long long)(options->seconds_ms / 1000),
           (long long)options->services, (long long)options->clients, board_dir);
    fflush(stdout);
    j->began_ms = now_ms();
    j->ends_ms = j->began_ms + options->seconds_ms;
    run(j);
    sweep();
    bystander_dismiss(j);
    int status = report_verdict(j, interrupted != 0);
    board->kept = board->kept || status == CLI_NO;
    if (!board->kept) {
        remove_folder(board_dir);
    }
    janitor_dismiss(j);
    return status == CLI_OK && interrupted ? 130 : status;
}
