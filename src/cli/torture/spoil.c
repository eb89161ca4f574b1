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
#include "core/hash.h"
#include "os/clock.h"
#include "os/rendezvous.h"

enum { COMERS_MOST = 5000 };

bool remove_set(uint32_t arena) {
    int id = see_set(arena);
    return id >= 0 && semctl(id, 0, IPC_RMID) == 0;
}

/* Comes and goes until there is no place any more, or a keeper that runs has made some again and
 * again: the kernel keeps a place for who went. */
bool fill_queue(uint32_t arena) {
    procref_waitable link;
    int came = 0, code = 0;
    for (; code == 0 && came < COMERS_MOST; came++) {
        code = pri_rendezvous_connect(&arena_names[arena].ident, pri_clock_ns(), &link, NULL);
        if (code == 0) {
            pri_link_close(link);
        }
    }
    return code == PROCREF_E_AGAIN;
}

/* ---- files ---- */

enum { HINT_SIZE = 512 };

/* The hint is sound, but the pid is a bystander's: whom it means tells the start time alone. */
static bool forge(int fd, pid_t pid) {
    char text[HINT_SIZE + 1] = "", forged[HINT_SIZE + 64];
    ssize_t length = pread(fd, text, HINT_SIZE, 0);
    char *before = strstr(text, "\npid "), *sum = strstr(text, "\nsum ");
    char *after = before != NULL ? strchr(before + 1, '\n') : NULL;
    if (length != HINT_SIZE || after == NULL || sum == NULL || sum < after) {
        return false;
    }
    int size = snprintf(forged, HINT_SIZE, "%.*s\npid %d%.*s\n", (int)(before - text), text,
                        (int)pid, (int)(sum - after), after);
    size += snprintf(forged + size, 32, "sum %llu\n",
                     (unsigned long long)pri_hash(0, forged, (size_t)size));
    if (size >= HINT_SIZE) {
        return false;
    }
    memset(forged + size, '\n', (size_t)(HINT_SIZE - size));
    return pwrite(fd, forged, HINT_SIZE, 0) == HINT_SIZE;
}

static bool scramble(struct judge *j, int fd) {
    unsigned char noise[256];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (unsigned char)roll(&j->dice, 256);
    }
    size_t length = 1 + roll(&j->dice, sizeof noise - 1);
    return pwrite(fd, noise, length, roll(&j->dice, 300)) == (ssize_t)length;
}

/*
 * One of the service's files; false: there is none. A service with callbacks carries no token in
 * its environment, since procref does not start it: after both keepers the hint alone knows it.
 * Where both may be killed, that file is left alone.
 */
static bool pick_file(struct judge *j, uint32_t arena, char to[PATH_ROOM + 300]) {
    struct terms terms = terms_of(arena, j->arenas[arena].round);
    if (terms_call_back(&terms) && j->arenas[arena].cruelty == CRUELTY_ALL) {
        return false;
    }
    uint32_t count = 0;
    DIR *dir = opendir(board_path("base"));
    size_t length = strlen(arena_names[arena].name);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, arena_names[arena].name, length) != 0 ||
            entry->d_name[length] != '.') {
            continue;
        }
        /* The hint is what somebody may go by. */
        uint32_t weight = strcmp(entry->d_name + length, ".hint") == 0 ? 4 : 1;
        count += weight;
        if (roll(&j->dice, count) < weight) {
            snprintf(to, PATH_ROOM + 300, "%s/base/%s", board_dir, entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count > 0;
}

bool spoil_file(struct judge *j, uint32_t arena, bool whole) {
    char path[PATH_ROOM + 300];
    uint32_t how = roll(&j->dice, 3);
    if (!pick_file(j, arena, path)) {
        return false;
    }
    int fd = whole ? -1 : open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return whole && unlink(path) == 0;
    }
    bool done = how == 0   ? ftruncate(fd, roll(&j->dice, 100)) == 0
                : how == 1 ? scramble(j, fd)
                           : forge(fd, j->bystander) || scramble(j, fd);
    close(fd);
    return done;
}

/* ---- the cores ---- */

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
