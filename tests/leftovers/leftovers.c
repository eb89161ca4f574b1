/*
 * The first and the last test of a run: `remember FILE` writes down which semaphore sets and
 * sockets there are, and what an earlier run of this build left; `compare FILE` fails if any other
 * process, set, socket or file of the suite is left. It waits some seconds for what is just ending.
 *
 * What others do on this machine meanwhile is not ours: a set or socket of a living keeper whose
 * service does not bear our mark (TEST_RUN) is passed over, and a set that another living process
 * used last.
 */
#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/look.h"
#include "support/program.h"

enum { PATIENCE_S = 15 };

static struct set_seen sets[LOOK_MAX];
static unsigned long sockets[LOOK_MAX];
static char socket_names[LOOK_MAX][108];
static FILE *remembering;            /* `remember`: all that is found goes there */
static char known[2 * LOOK_MAX][512]; /* `compare`: its lines */
static size_t known_count;
static bool print;
static size_t found;

static void recall(const char *path) {
    FILE *file = fopen(path, "re");
    while (file != NULL && known_count < 2 * LOOK_MAX &&
           fgets(known[known_count], sizeof known[0], file) != NULL) {
        known[known_count][strcspn(known[known_count], "\n")] = '\0';
        known_count++;
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void report(const char *what, const char *detail) {
    char line[512];
    snprintf(line, sizeof line, "%s %s", what, detail);
    for (char *c = line; *c != '\0'; c++) {
        *c = *c == '\n' ? ' ' : *c;
    }
    if (remembering != NULL) {
        fprintf(remembering, "%s\n", line);
        return;
    }
    for (size_t i = 0; i < known_count; i++) {
        if (strcmp(known[i], line) == 0) {
            return;
        }
    }
    found++;
    if (print) {
        printf("left: %s\n", line);
    }
}

/* A living keeper of somebody else's service. */
static bool foreign_keeper(pid_t pid) {
    char line[512];
    look_command_line(pid, line, sizeof line);
    return strncmp(line, "procref-keeper ", 15) == 0 &&
           strncmp(line + 15, TEST_RUN ".", strlen(TEST_RUN ".")) != 0;
}

static bool environment_is_ours(pid_t pid) {
    static char text[262144];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    text[length] = '\0';
    for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
        if (strcmp(text + at, "PROCREF_TEST_RUN=" TEST_RUN) == 0) {
            return true;
        }
    }
    return false;
}

/* A process of this build's suite, or a keeper that it started. */
static bool is_ours(pid_t pid, const char *line) {
    char path[64], program[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, program, sizeof program - 1);
    (void)length;
    return strncmp(line, "procref-keeper " TEST_RUN ".", strlen("procref-keeper " TEST_RUN ".")) ==
               0 ||
           strncmp(program, TEST_BINARIES "/", strlen(TEST_BINARIES "/")) == 0 ||
           environment_is_ours(pid);
}

static void look_at_process(pid_t pid, void *context) {
    char line[512];
    (void)context;
    if (pid == getpid()) {
        return;
    }
    look_command_line(pid, line, sizeof line);
    struct process_seen seen;
    if (is_ours(pid, line) && look_process(pid, &seen)) {
        char text[600];
        snprintf(text, sizeof text, "%d (start %llu) %s", (int)pid, (unsigned long long)seen.start,
                 line);
        report("process", text);
    }
}

/* Somebody else's raw counter, which has no keeper: who used the set last lives and is not ours. */
static bool foreign_user(pid_t pid) {
    struct process_seen seen;
    char line[512];
    if (!look_process(pid, &seen) || seen.state == 'Z') {
        return false;
    }
    look_command_line(pid, line, sizeof line);
    return !is_ours(pid, line);
}

static bool is_foreign_set(const struct set_seen *set) {
    for (unsigned r = 0; r < set->registers; r++) {
        pid_t user = look_set_user(set->id, r);
        if (user > 0 && (foreign_keeper(user) || foreign_user(user))) {
            return true;
        }
    }
    return false;
}

static void look_at_sets(void) {
    size_t count = look_sets(sets, LOOK_MAX, geteuid() == 0);
    for (size_t i = 0; i < count; i++) {
        if (remembering != NULL || !is_foreign_set(&sets[i])) {
            char text[64];
            snprintf(text, sizeof text, "%d (key 0x%08x, see ipcs -s)", sets[i].id, sets[i].key);
            report("semaphore set", text);
        }
    }
}

static void look_at_sockets(void) {
    size_t count = look_sockets(sockets, socket_names, LOOK_MAX);
    for (size_t i = 0; i < count; i++) {
        pid_t owner = remembering == NULL ? look_socket_owner(sockets[i]) : 0;
        if (owner == 0 || !foreign_keeper(owner)) {
            char text[160];
            snprintf(text, sizeof text, "%lu %s", sockets[i], socket_names[i]);
            report("socket", text);
        }
    }
}

static void look_at_files(void) {
    const char *tmp = getenv("TMPDIR");
    char pattern[512];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%.40s/procref-test-%s-*", tmp != NULL ? tmp : "/tmp",
             TEST_RUN);
    glob(pattern, 0, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        report("folder", files.gl_pathv[i]);
    }
    globfree(&files);
    snprintf(pattern, sizeof pattern, "/tmp/procref-%u/%s.*", (unsigned)geteuid(), TEST_RUN);
    glob(pattern, 0, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        report("file", files.gl_pathv[i]);
    }
    globfree(&files);
}

static size_t look_around(bool tell) {
    found = 0;
    print = tell;
    look_processes(look_at_process, NULL);
    look_at_sets();
    look_at_sockets();
    look_at_files();
    return found;
}

static int remember(const char *path) {
    remembering = fopen(path, "we");
    if (remembering == NULL) {
        perror(path);
        return 1;
    }
    look_around(false);
    return fclose(remembering) == 0 ? 0 : 1;
}

static int compare(const char *path, int64_t patience_ms) {
    recall(path);
    for (int64_t until = now_ms() + patience_ms; now_ms() < until;) {
        if (look_around(false) == 0) {
            printf("no process, semaphore set, socket or file of the suite is left\n");
            unlink(path);
            return 0;
        }
        poll(NULL, 0, LOOK_AGAIN_MS * 10);
    }
    look_around(true);
    return 1;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "remember") == 0) {
        return remember(argv[2]);
    }
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "compare") == 0) {
        return compare(argv[2], 1000 * (argc == 4 ? atoi(argv[3]) : PATIENCE_S));
    }
    fprintf(stderr, "usage: leftovers remember|compare FILE [SECONDS]\n");
    return 2;
}
