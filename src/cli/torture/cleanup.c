/*
 * What a run leaves: nothing. The judge sweeps at its end; if it is killed, the janitor does, a
 * process that waits for nothing else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/torture/judge.h"

enum { SWEEPS_MOST = 200, SWEEP_AGAIN_MS = 10 };

/* Until nobody was found twice in a row: who forked meanwhile shows at the next look. */
void sweep(void) {
    static struct sight sight;
    int empty = 0;
    atomic_store(&board->over, 1);
    for (int round = 0; round < SWEEPS_MOST && empty < 2; round++) {
        see(&sight);
        for (int i = 0; i < sight.count; i++) {
            signal_seen(&sight.list[i], SIGKILL);
        }
        empty = sight.count == 0 ? empty + 1 : 0;
        poll(NULL, 0, SWEEP_AGAIN_MS);
    }
    for (uint32_t i = 0; i < board->arenas; i++) {
        for (int id; (id = see_set(i)) >= 0 && semctl(id, 0, IPC_RMID) == 0;) {
        }
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    remove(path);
    return 0; /* what cannot be removed is left, the rest is not */
}

void remove_folder(const char *dir) {
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- runs that are dead, their janitors too ---- */

/* Whether dir is a run's folder whose lock nobody has: judge and janitor hold it as long as they
 * live. The lock, which is ours then, or -1. */
static int lock_dead_run(const char *dir) {
    struct stat status;
    char path[PATH_ROOM + 16];
    snprintf(path, sizeof path, "%s/board", dir);
    if (lstat(dir, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & 077) != 0) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 &&
        (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
         status.st_size != sizeof(struct board) || flock(fd, LOCK_EX | LOCK_NB) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void clear_dead_run(const char *dir) {
    char run[32];
    int fd = lock_dead_run(dir);
    snprintf(run, sizeof run, "torture-%s", strrchr(dir, '-') + 1);
    if (fd >= 0 && board_map(dir)) {
        if (board->kept == 0 && board->arenas <= ARENAS_MOST && strcmp(board->run, run) == 0) {
            for (uint32_t i = 0; i < board->arenas; i++) {
                names_make(i);
            }
            sweep();
            remove_folder(dir);
        }
        munmap(board, sizeof *board);
    }
    close(fd);
}

void clear_dead_runs(const char *tmp) {
    static const char begins[] = "procref-torture-";
    DIR *all = opendir(tmp);
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char dir[PATH_ROOM];
        if (strncmp(entry->d_name, begins, sizeof begins - 1) == 0 &&
            snprintf(dir, sizeof dir, "%s/%s", tmp, entry->d_name) < (int)sizeof dir) {
            clear_dead_run(dir);
        }
    }
    if (all != NULL) {
        closedir(all);
    }
}

/* ---- the janitor ---- */

static _Noreturn void be_the_janitor(int judge, int told) {
    struct pollfd fds[] = {{judge, POLLIN, 0}, {told, POLLIN, 0}};
    char word = 0;
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    fcntl(told, F_SETFL, O_NONBLOCK);
    while (fds[0].revents == 0 && word == 0) {
        poll(fds, 2, -1);
        if (read(told, &word, 1) != 1) {
            word = 0;
            fds[1].fd = fds[1].revents != 0 ? -1 : told;
        }
    }
    if (word == 0) {
        sweep();
        if (!board->kept) {
            remove_folder(board_dir);
        }
    }
    _exit(0);
}

void janitor_start(struct judge *j) {
    int ends[2], judge = hold_process(getpid());
    if (judge < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        return;
    }
    fflush(stdout);
    j->janitor = fork();
    if (j->janitor == 0) {
        close(ends[1]);
        be_the_janitor(judge, ends[0]);
    }
    close(judge);
    close(ends[0]);
    j->janitor_pipe = ends[1];
}

void janitor_dismiss(struct judge *j) {
    if (j->janitor > 0) {
        ssize_t n = write(j->janitor_pipe, "x", 1);
        (void)n;
    }
}
