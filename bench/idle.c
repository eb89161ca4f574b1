/*
 * What a running service's keeper and standby cost: proportional set size, and how often they wake
 * while nothing happens. Both are read from /proc; the two are found by their title.
 */
#include "bench.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_MS = 5000, PAIR = 2 };

static void read_proc(pid_t pid, const char *file, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, to, size - 1) : 0;
    to[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static int find_pair(const char *name, pid_t *pids) {
    char title[256], wanted[256];
    int count = 0;
    snprintf(wanted, sizeof wanted, "procref-keeper %s", name);
    DIR *proc = opendir("/proc");
    for (const struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        pid_t pid = (pid_t)atoi(entry->d_name);
        memset(title, 0, sizeof title);
        read_proc(pid, "cmdline", title, sizeof title);
        char *end = memchr(title, '\0', strlen("procref-keeper") + 1);
        if (end != NULL) {
            *end = ' '; /* one argument or two, both read the same */
        }
        if (strcmp(title, wanted) == 0 && count < PAIR) {
            pids[count++] = pid;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return count;
}

static long field(pid_t pid, const char *file, const char *key) {
    char text[8192];
    read_proc(pid, file, text, sizeof text);
    const char *at = strstr(text, key);
    return at != NULL ? strtol(at + strlen(key), NULL, 10) : 0;
}

/* Of all threads of both. */
static long switches(const pid_t *pids) {
    long sum = 0;
    for (int i = 0; i < PAIR; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task", (int)pids[i]);
        DIR *tasks = opendir(path);
        for (const struct dirent *entry; tasks != NULL && (entry = readdir(tasks)) != NULL;) {
            if (isdigit((unsigned char)entry->d_name[0])) {
                pid_t task = (pid_t)atoi(entry->d_name);
                sum += field(task, "status", "\nvoluntary_ctxt_switches:") +
                       field(task, "status", "\nnonvoluntary_ctxt_switches:");
            }
        }
        if (tasks != NULL) {
            closedir(tasks);
        }
    }
    return sum;
}

void bench_idle(void) {
    struct world world;
    pid_t pids[PAIR];
    char note[200];
    struct tiding tiding;
    world_begin(&world, NULL);
    struct child holder = holder_start(&world);
    if (!world_hear(&world, &tiding, 5000) || find_pair(world.name, pids) != PAIR) {
        die("keeper and standby are not found");
    }
    poll(NULL, 0, 200); /* the rest of the start is not idling */

    long before = switches(pids);
    poll(NULL, 0, IDLE_MS);
    long woken = switches(pids) - before;

    long pss[PAIR], rss[PAIR];
    for (int i = 0; i < PAIR; i++) {
        pss[i] = field(pids[i], "smaps_rollup", "\nPss:");
        rss[i] = field(pids[i], "smaps_rollup", "Rss:");
    }
    snprintf(note, sizeof note, "%ld + %ld KiB (resident: %ld + %ld), one service on the machine",
             pss[0], pss[1], rss[0], rss[1]);
    report_one("keeper and standby, proportional set size", "KiB", (double)(pss[0] + pss[1]), 100,
               note);
    snprintf(note, sizeof note, "context switches of both in %d idle seconds", IDLE_MS / 1000);
    report_one("keeper and standby, wake-ups while idle", "", (double)woken, 0, note);
    child_end(&holder);
    world_end(&world);
}
