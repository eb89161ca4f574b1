/*
 * What `procref run` adds to a command: true(1) alone, below flock(1), and below `procref run` on a
 * service that is up, as described by options and by a service file. Each round runs all four, in
 * turning order; what is added is the median of the differences of the rounds.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 401, WORDS = 16 };
enum { PLAIN, FLOCK, BY_OPTIONS, BY_FILE, KINDS };

static double run_us(const char *const given[WORDS]) {
    extern char **environ;
    char *argv[WORDS]; /* posix_spawn(3) wants them so, and changes none */
    memcpy(argv, given, sizeof argv);
    pid_t pid;
    int status = -1;
    int64_t begin = now_ns();
    int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (error != 0) {
        die("%s: %s", argv[0], strerror(error));
    }
    waitpid(pid, &status, 0);
    int64_t took = now_ns() - begin;
    if (status != 0) {
        die("%s fails (wait status %d)", argv[0], status);
    }
    return (double)took / 1e3;
}

/* The command beside this program's folder, as the build makes them. */
static void find_procref(char *to, size_t size) {
    ssize_t length = readlink("/proc/self/exe", to, size - 16);
    to[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < 2 && strrchr(to, '/') != NULL; i++) {
        *strrchr(to, '/') = '\0';
    }
    strcat(to, "/procref");
}

static void write_unit(const char *path, const struct world *world) {
    FILE *file = fopen(path, "we");
    if (file == NULL ||
        fprintf(file,
                "[Unit]\nDescription=bench\n[Service]\nType=exec\nExecStart=%s %s\n"
                "[X-Procref]\nExport=WHERE=${PROCREF_NAME}\n",
                world->service_path, world->fifo_path) < 0 ||
        fclose(file) != 0) {
        die("%s: %s", path, strerror(errno));
    }
}

/* Keeps the service up until the line ends. */
static pid_t keep_up(const char *const given[WORDS], int line) {
    extern char **environ;
    char *argv[WORDS];
    memcpy(argv, given, sizeof argv);
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, line, STDIN_FILENO);
    int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        die("%s: %s", argv[0], strerror(error));
    }
    return pid;
}

static void report_added(const char *what, int kind, double goal, const char *note,
                         double values[KINDS][ROUNDS]) {
    static double added[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        added[i] = (values[kind][i] - values[PLAIN][i]) / 1e3;
    }
    report(what, "ms", added, ROUNDS, goal, note);
}

void bench_run(void) {
    static double values[KINDS][ROUNDS];
    static char procref[4096], lock[4200], unit[4200], command[8400];
    struct world world;
    struct tiding tiding;
    int lines[2][2];
    pid_t keepers[2];
    world_begin(&world, NULL);
    find_procref(procref, sizeof procref);
    snprintf(lock, sizeof lock, "%s/lock", world.folder);
    snprintf(unit, sizeof unit, "%s/bench.service", world.folder);
    snprintf(command, sizeof command, "%s %s", world.service_path, world.fifo_path);
    write_unit(unit, &world);
    char *dir = world.folder;
    const char *argvs[KINDS][WORDS] = {
        [PLAIN] = {"true"},
        [FLOCK] = {"flock", lock, "true"},
        [BY_OPTIONS] = {procref, "run", world.name, "--base-dir", dir, "--command", command, "--",
                        "true"},
        [BY_FILE] = {procref, "run", "-f", unit, "--base-dir", dir, "--", "true"},
    };
    for (int i = 0; i < 2; i++) { /* the same, but cat(1) in place of true(1) */
        const char *argv[WORDS];
        memcpy(argv, argvs[BY_OPTIONS + i], sizeof argv);
        for (int k = 0; k < WORDS && argv[k] != NULL; k++) {
            argv[k] = strcmp(argv[k], "true") == 0 ? "cat" : argv[k];
        }
        if (pipe2(lines[i], O_CLOEXEC) < 0) {
            die("pipe: %s", strerror(errno));
        }
        keepers[i] = keep_up(argv, lines[i][0]);
        if (!world_hear(&world, &tiding, 10000) || tiding.what != 'b') {
            die("a service does not begin");
        }
    }
    for (int round = -5; round < ROUNDS; round++) {
        for (int turn = 0; turn < KINDS; turn++) {
            int kind = (round + 5 + turn) % KINDS;
            double us = run_us(argvs[kind]);
            values[kind][round < 0 ? 0 : round] = us;
        }
    }
    report_added("procref run --command … added to true(1), service up", BY_OPTIONS, 1.5,
                 "fork, exec and wait of both; rounds of all kinds in turning order", values);
    report_added("procref run -f FILE added to true(1), service up", BY_FILE, 1.5,
                 "the same with a service file to read", values);
    report_added("flock FILE added to true(1)", FLOCK, NO_GOAL, "util-linux", values);
    for (int i = 0; i < 2; i++) {
        close(lines[i][0]);
        close(lines[i][1]);
        waitpid(keepers[i], NULL, 0);
        world_hear(&world, &tiding, 5000);
    }
    for (int i = 0; i < ROUNDS; i++) {
        values[PLAIN][i] /= 1e3;
    }
    report("true(1) alone", "ms", values[PLAIN], ROUNDS, NO_GOAL, "posix_spawn and wait");
    world_end(&world);
}
