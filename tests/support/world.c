/* The world of one test: what it is made of, and how it ends. */
#include "support/world.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

int test_main(int argc, char **argv, const char *needs, const struct CMUnitTest *tests,
              size_t count) {
    if (needs != NULL && geteuid() != 0) {
        printf("skipped: these tests need %s\n", needs);
        return SKIPPED;
    }
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    /* A helper that was killed is seen at its pidfd, not by a SIGPIPE here. */
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL) == 0 ? 0 : 1;
}

const char *world_path(const struct world *w, const char *file) {
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", w->dir, file);
    return path;
}

const char *helper_path(const char *name) {
    static char paths[4][1024];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", TEST_HELPERS, name);
    return path;
}

static void remember_sets(struct world *w) {
    static struct set_seen sets[LOOK_MAX];
    w->sets_before_count = look_sets(sets, LOOK_MAX, true);
    w->sets_before = calloc(w->sets_before_count + 1, sizeof *w->sets_before);
    for (size_t i = 0; w->sets_before != NULL && i < w->sets_before_count; i++) {
        w->sets_before[i] = sets[i].id;
    }
}

static bool was_there_before(const struct world *w, int id) {
    for (size_t i = 0; w->sets_before != NULL && i < w->sets_before_count; i++) {
        if (w->sets_before[i] == id) {
            return true;
        }
    }
    return false;
}

int world_open(void **state) {
    static int number;
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return -1;
    }
    w->argument = *state;
    *state = w;
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof w->dir, "%.40s/procref-test-%s-XXXXXX", tmp != NULL ? tmp : "/tmp",
             TEST_RUN);
    if (mkdtemp(w->dir) == NULL) {
        return -1;
    }
    snprintf(w->name, sizeof w->name, "%s.%d.%d", TEST_RUN, (int)getpid(), ++number);
    snprintf(w->base, sizeof w->base, "%s/base", w->dir);
    snprintf(w->trace, sizeof w->trace, "%s/trace", w->dir);
    snprintf(w->events, sizeof w->events, "%s/events", w->dir);
    snprintf(w->violations, sizeof w->violations, "%s/violations", w->dir);
    snprintf(w->lock, sizeof w->lock, "%s/lock", w->dir);
    setenv("PROCREF_TRACE", w->trace, 1);
    setenv("XDG_RUNTIME_DIR", world_path(w, "run"), 1);
    if (mkdir(world_path(w, "run"), 0700) < 0) {
        return -1;
    }
    remember_sets(w);
    w->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    inotify_add_watch(w->changes, w->dir, IN_MODIFY | IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO);
    return 0;
}

void world_run(void **state, void (*test)(struct world *w)) {
    struct world *w = *state;
    test(w);
    w->passed = true;
}

void world_set(struct world *w, const char *variable) {
    for (size_t i = 0; i < WORLD_EXTRA; i++) {
        if (w->extra[i] == NULL) {
            w->extra[i] = variable;
            return;
        }
    }
    fail_msg("more than %d variables", WORLD_EXTRA);
}

void world_adopt(struct world *w, pid_t pid) {
    assert_true(w->strays_count < WORLD_STRAYS);
    w->strays[w->strays_count++] = watch(pid);
}

int world_shell(const struct world *w, const char *format, ...) {
    char command[2048];
    int length = snprintf(command, sizeof command, "cd %s && { ", w->dir);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(command + length, sizeof command - (size_t)length, format, arguments);
    va_end(arguments);
    snprintf(command + length, sizeof command - (size_t)length, "; }");
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the end ---- */

void file_text(const char *path, char *to, size_t size) {
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(to, 1, size - 1, file) : 0;
    to[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

static void print_file(const char *title, const char *path) {
    char line[1024];
    FILE *file = fopen(path, "re");
    print_error("---- %s ----\n", title);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        print_error("%s", line);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

/* What lives of this world: its keepers, and the services whose start is on record. */
struct remains {
    struct world *w;
    bool kill;
    size_t found;
};

static void is_keeper_of_ours(pid_t pid, void *context) {
    struct remains *r = context;
    char line[512], begin[128];
    snprintf(begin, sizeof begin, "procref-keeper %s", r->w->name);
    look_command_line(pid, line, sizeof line);
    if (strncmp(line, begin, strlen(begin)) == 0) {
        r->found++;
        if (r->kill) {
            print_error("left and killed: %d %s\n", (int)pid, line);
            kill_and_await(pid);
        }
    }
}

/* Is it the helper service (or a child of it) that wrote its start into our events? */
static void is_service_of_ours(pid_t pid, void *context) {
    struct remains *r = context;
    char line[4096];
    look_command_line(pid, line, sizeof line);
    if (strstr(line, r->w->dir) != NULL && pid != getpid()) {
        r->found++;
        if (r->kill) {
            print_error("left and killed: %d %s\n", (int)pid, line);
            kill_and_await(pid);
        }
    }
}

static size_t processes_left(struct world *w, bool end_them) {
    struct remains r = {.w = w, .kill = end_them};
    look_processes(is_keeper_of_ours, &r);
    look_processes(is_service_of_ours, &r);
    return r.found;
}

enum { PIDS = 4 * 1024 * 1024 };

/* Every process that wrote a line of our trace. */
static void mark_pids(const struct world *w, unsigned char *marked) {
    char line[1024];
    FILE *file = fopen(w->trace, "re");
    memset(marked, 0, PIDS / 8);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned pid;
        if (sscanf(line, "%*s %u", &pid) == 1 && pid > 0 && pid < PIDS) {
            marked[pid / 8] |= (unsigned char)(1U << pid % 8);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    for (size_t i = 0; i < w->clients_count; i++) {
        pid_t pid = w->clients[i]->program.pid;
        marked[pid / 8] |= (unsigned char)(1U << pid % 8);
    }
}

int world_set_id(const struct world *w) {
    static unsigned char marked[PIDS / 8];
    static struct set_seen sets[LOOK_MAX];
    size_t count = look_sets(sets, LOOK_MAX, true);
    mark_pids(w, marked);
    for (size_t i = 0; i < count; i++) {
        for (unsigned r = 0; r < sets[i].registers && !was_there_before(w, sets[i].id); r++) {
            pid_t pid = look_set_user(sets[i].id, r);
            if (pid > 0 && pid < PIDS && (marked[pid / 8] >> pid % 8 & 1) != 0) {
                return sets[i].id;
            }
        }
    }
    return -1;
}

/* What is in base_dir beside logs; "" if nothing. */
static void files_left(const struct world *w, char *to, size_t size) {
    DIR *dir = opendir(w->base);
    to[0] = '\0';
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name, *log = strstr(name, ".log");
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            (log == NULL || (strcmp(log, ".log") != 0 && strcmp(log, ".log.1") != 0))) {
            snprintf(to, size, "%s", name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void await_no_trace(struct world *w) {
    char file[256];
    AWAIT(processes_left(w, false) == 0);
    AWAIT(world_set_id(w) < 0);
    if (!w->keeps_files) {
        files_left(w, file, sizeof file);
        assert_string_equal(file, "");
    }
    assert_no_violation(w);
}

static bool leaves_no_trace(struct world *w) {
    char file[256];
    for (int64_t until = now_ms() + PATIENCE_MS / 2; now_ms() < until;) {
        files_left(w, file, sizeof file);
        if (processes_left(w, false) == 0 && world_set_id(w) < 0 &&
            (w->keeps_files || file[0] == '\0')) {
            return true;
        }
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    print_error("left: %zu processes, set %d, file '%s'\n", processes_left(w, false),
                world_set_id(w), file);
    return false;
}

int world_close(void **state) {
    struct world *w = *state;
    char text[64];
    for (size_t i = 0; i < w->clients_count; i++) {
        program_kill(&w->clients[i]->program);
    }
    for (size_t i = 0; i < w->strays_count; i++) {
        watched_signal(&w->strays[i], SIGKILL);
        watched_close(&w->strays[i]);
    }
    bool clean = leaves_no_trace(w);
    file_text(w->violations, text, sizeof text);
    bool alone = text[0] == '\0';
    bool wanted = getenv("PROCREF_TEST_VERBOSE") != NULL;
    if (!w->passed || !clean || !alone || wanted) {
        char log[512];
        snprintf(log, sizeof log, "%s/%s.log", w->base, w->name);
        print_file("trace", w->trace);
        print_file("events", w->events);
        print_file("violations", w->violations);
        print_file("log", log);
        processes_left(w, true);
        for (int id; (id = world_set_id(w)) >= 0 && semctl(id, 0, IPC_RMID) == 0;) {
            /* so that one failure is not two */
        }
    }
    for (size_t i = 0; i < w->clients_count; i++) {
        program_close(&w->clients[i]->program);
        free(w->clients[i]);
    }
    close(w->changes);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w->sets_before);
    free(w);
    return clean && alone ? 0 : -1;
}
