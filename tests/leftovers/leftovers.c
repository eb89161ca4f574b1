/*
 * The first and the last test of a run: `remember FILE` writes down which semaphore sets and
 * sockets there are, and `compare FILE` fails if any process, set, socket or file of the suite is
 * left.
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

enum { DEADLINE_MS = 15000 };

static struct set_seen sets_before[LOOK_MAX], sets_now[LOOK_MAX];
static unsigned long sockets_before[LOOK_MAX], sockets_now[LOOK_MAX];
static char socket_names[LOOK_MAX][108];
static size_t sets_before_count, sockets_before_count;
static bool print;
static size_t found;

static int remember(const char *path) {
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t count = look_sets(sets_now, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "set %d\n", sets_now[i].id);
    }
    count = look_sockets(sockets_now, NULL, LOOK_MAX);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "socket %lu\n", sockets_now[i]);
    }
    return fclose(file) == 0 ? 0 : 1;
}

static void recall(const char *path) {
    char line[64];
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int id;
        unsigned long inode;
        if (sscanf(line, "set %d", &id) == 1) {
            sets_before[sets_before_count++].id = id;
        } else if (sscanf(line, "socket %lu", &inode) == 1) {
            sockets_before[sockets_before_count++] = inode;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void report(const char *what, const char *detail) {
    found++;
    if (print) {
        printf("left: %s %s\n", what, detail);
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
    if (is_ours(pid, line)) {
        char text[600];
        snprintf(text, sizeof text, "%d %s", (int)pid, line);
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

static void look_at_sets(void) {
    size_t count = look_sets(sets_now, LOOK_MAX, geteuid() == 0);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; j < sets_before_count; j++) {
            known = known || sets_before[j].id == sets_now[i].id;
        }
        for (unsigned r = 0; r < sets_now[i].registers && !known; r++) {
            pid_t user = look_set_user(sets_now[i].id, r);
            known = user > 0 && (foreign_keeper(user) || foreign_user(user));
        }
        if (!known) {
            char text[64];
            snprintf(text, sizeof text, "%d (key 0x%08x, see ipcs -s)", sets_now[i].id,
                     sets_now[i].key);
            report("semaphore set", text);
        }
    }
}

/* A connection that waits to be accepted is nobody's: its name tells whose keeper it waits for. */
static bool foreign_name(size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        pid_t owner = strcmp(socket_names[i], name) == 0 ? look_socket_owner(sockets_now[i]) : 0;
        if (owner > 0 && foreign_keeper(owner)) {
            return true;
        }
    }
    return false;
}

static void look_at_sockets(void) {
    size_t count = look_sockets(sockets_now, socket_names, LOOK_MAX);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; j < sockets_before_count; j++) {
            known = known || sockets_before[j] == sockets_now[i];
        }
        if (!known && !foreign_name(count, socket_names[i])) {
            report("socket", socket_names[i]);
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

static int compare(const char *path) {
    recall(path);
    for (int64_t until = now_ms() + DEADLINE_MS; now_ms() < until;) {
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
    if (argc == 3 && strcmp(argv[1], "compare") == 0) {
        return compare(argv[2]);
    }
    fprintf(stderr, "usage: leftovers remember|compare FILE\n");
    return 2;
}
