/* Blows to what is no process: semaphore sets, files, and the time of the cores. Only those of this
 * run are touched: by the keys of its services' names, in its own folder. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <unistd.h>

#include "cli/torture/judge.h"

bool remove_set(uint32_t arena) {
    int id = see_set(arena);
    return id >= 0 && semctl(id, 0, IPC_RMID) == 0;
}

static void spoil(struct judge *j, const char *path) {
    unsigned char noise[256];
    uint32_t how = roll(&j->dice, 3);
    if (how == 0) {
        unlink(path);
        return;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return;
    }
    if (how == 1) {
        how = (uint32_t)ftruncate(fd, roll(&j->dice, 100));
    } else {
        for (size_t i = 0; i < sizeof noise; i++) {
            noise[i] = (unsigned char)roll(&j->dice, 256);
        }
        ssize_t n = pwrite(fd, noise, roll(&j->dice, sizeof noise), roll(&j->dice, 300));
        (void)n;
    }
    close(fd);
}

/*
 * A service with callbacks carries no token in its environment, since procref does not start it:
 * after both keepers the hint alone knows it. Where both may be killed, that file is left alone.
 */
bool spoil_file(struct judge *j, uint32_t arena) {
    struct terms terms = terms_of(arena, j->arenas[arena].round);
    if (terms_call_back(&terms) && j->arenas[arena].cruelty == CRUELTY_ALL) {
        return false;
    }
    char paths[8][PATH_ROOM + 300];
    uint32_t count = 0;
    DIR *dir = opendir(board_path("base"));
    size_t length = strlen(arena_names[arena].name);
    for (struct dirent *entry; dir != NULL && count < 8 && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, arena_names[arena].name, length) == 0 &&
            entry->d_name[length] == '.') {
            snprintf(paths[count++], sizeof paths[0], "%s/base/%s", board_dir, entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (count > 0) {
        spoil(j, paths[roll(&j->dice, count)]);
    }
    return count > 0;
}

/* Two processes that keep both cores busy for less than half a second. */
bool load_cores(struct judge *j) {
    int64_t until = now_ms() + 50 + roll(&j->dice, 350);
    pid_t judge = getpid();
    for (int i = 0; i < SPINS_MOST; i++) {
        if (j->spins[i].pid != 0) {
            return false;
        }
    }
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (now_ms() < until && getppid() == judge) {
            }
            _exit(0);
        }
        j->spins[i].pid = pid > 0 ? pid : 0;
    }
    return true;
}

void spins_reap(struct judge *j, pid_t pid) {
    for (int i = 0; i < SPINS_MOST; i++) {
        if (j->spins[i].pid == pid) {
            j->spins[i].pid = 0;
        }
    }
}
