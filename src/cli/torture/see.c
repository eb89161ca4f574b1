/*
 * What a bystander sees: processes in /proc, what ipcs(1) reads, sockets, files, locks. Nothing
 * here asks procref; only the names under which its objects would be are computed by it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/torture/judge.h"
#include "os/linux/sets.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

struct arena_names arena_names[ARENAS_MOST];

void names_make(uint32_t arena) {
    struct arena_names *names = &arena_names[arena];
    char base[PATH_ROOM], real[4096];
    snprintf(base, sizeof base, "%s", board_path("base"));
    terms_name(arena, names->name, sizeof names->name);
    pri_ident_make(&names->ident, (uint32_t)geteuid(), realpath(base, real) != NULL ? real : base,
                   names->name);
    snprintf(names->socket, sizeof names->socket, "@procref/%u/%016llx/", (unsigned)geteuid(),
             (unsigned long long)names->ident.hash);
}

/* ---- processes ---- */

ssize_t read_whole(const char *path, char *to, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t have = 0;
    ssize_t n;
    while (have < size - 1 && (n = read(fd, to + have, size - 1 - have)) > 0) {
        have += (size_t)n;
    }
    close(fd);
    to[have] = '\0';
    return (ssize_t)have;
}

/* proc_pid_stat(5): the name may have blanks and parentheses; the start time is field 22. */
static bool read_stat(struct seen *seen) {
    char path[32], text[1024];
    int parent;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)seen->pid);
    char *at = read_whole(path, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    if (at == NULL || sscanf(at + 1, " %c %d", &seen->state, &parent) != 2) {
        return false;
    }
    seen->parent = parent;
    for (int field = 3; field < 22 && at != NULL; field++) {
        at = strchr(at + 2, ' ');
    }
    seen->start = at != NULL ? strtoull(at, NULL, 10) : 0;
    return seen->state != 'Z' && seen->state != 'X';
}

static const char *word_after(const char *word, const char *end) {
    word += strlen(word) + 1;
    return word < end ? word : NULL;
}

/* argv is that of a role of this run: SELF torture --role ROLE --dir DIR arena=N … */
static bool is_role(const char *line, const char *end, struct seen *seen) {
    const char *words[7] = {line};
    for (int i = 1; i < 7; i++) {
        words[i] = word_after(words[i - 1], end);
        if (words[i] == NULL) {
            return false;
        }
    }
    if (strcmp(words[1], "torture") != 0 || strcmp(words[2], "--role") != 0 ||
        strcmp(words[4], "--dir") != 0 || strcmp(words[5], board_dir) != 0 ||
        strncmp(words[6], "arena=", 6) != 0) {
        return false;
    }
    seen->kind = strcmp(words[3], "service") == 0 ? SEEN_SERVICE : SEEN_CLIENT;
    seen->arena = (uint32_t)strtoul(words[6] + 6, NULL, 10);
    return seen->arena < board->arenas;
}

static bool is_keeper(const char *line, const char *end, struct seen *seen) {
    const char *name = strcmp(line, "procref-keeper") == 0 ? word_after(line, end) : NULL;
    for (uint32_t i = 0; name != NULL && i < board->arenas; i++) {
        if (strcmp(name, arena_names[i].name) == 0) {
            seen->kind = SEEN_KEEPER;
            seen->arena = i;
            return true;
        }
    }
    return false;
}

/* The environment says so too: our mark, or a keeper's. */
static bool environment_has(pid_t pid, enum seen_kind kind) {
    static char text[128 * 1024];
    char path[32], mark[PATH_ROOM + 32];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    snprintf(mark, sizeof mark, "PROCREF_TORTURE=%s", board_dir);
    ssize_t length = read_whole(path, text, sizeof text);
    for (const char *at = text; length > 0 && at < text + length; at += strlen(at) + 1) {
        if (kind == SEEN_KEEPER ? strncmp(at, "PROCREF_KEEPER=", 15) == 0 : strcmp(at, mark) == 0) {
            return true;
        }
    }
    return false;
}

static bool look_at(pid_t pid, struct seen *seen) {
    char path[32], line[1024];
    struct stat owner;
    *seen = (struct seen){.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    ssize_t length = read_whole(path, line, sizeof line);
    if (length <= 0 ||
        (!is_role(line, line + length, seen) && !is_keeper(line, line + length, seen))) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &owner) < 0 || owner.st_uid != geteuid() || !read_stat(seen)) {
        return false;
    }
    seen->verified = environment_has(pid, seen->kind);
    return true;
}

void see(struct sight *sight) {
    DIR *proc = opendir("/proc");
    sight->count = 0;
    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && pid > 0 && sight->count < SEEN_MOST &&
            look_at((pid_t)pid, &sight->list[sight->count])) {
            sight->count++;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

int seen_in(const struct sight *sight, uint32_t arena, enum seen_kind kind) {
    int count = 0;
    for (int i = 0; i < sight->count; i++) {
        count += sight->list[i].arena == arena && sight->list[i].kind == kind;
    }
    return count;
}

/* Our own children whom we kill: who else does it is no friend. */
enum { STRUCK_MOST = 4096 };
static pid_t struck[STRUCK_MOST];
static unsigned struck_count;

bool was_struck(pid_t pid) {
    for (unsigned i = 0; i < STRUCK_MOST; i++) {
        if (struck[i] == pid) {
            struck[i] = 0;
            return true;
        }
    }
    return false;
}

/* The pidfd holds whoever has the pid now; if he still is who was seen, nobody else is struck. Who
 * was stopped in the midst of an exec (a client's child that becomes a keeper) is another kind when
 * it is to go on, and goes on. */
bool signal_seen(const struct seen *seen, int number) {
    struct seen now;
    if (number == SIGKILL && seen->parent == getpid()) {
        struck[struck_count++ % STRUCK_MOST] = seen->pid;
    }
    int fd = hold_process(seen->pid);
    bool done = fd >= 0 && look_at(seen->pid, &now) && now.start == seen->start &&
                (number == SIGCONT || (now.kind == seen->kind && now.verified)) &&
                syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* ---- what is not a process ---- */

int see_set(uint32_t arena) {
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    char line[256];
    int found = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int key, id;
        unsigned owner;
        if (sscanf(line, "%d %d %*o %*u %u", &key, &id, &owner) != 3 || owner != geteuid()) {
            continue;
        }
        for (int probe = 0; probe < PRI_PROBES; probe++) {
            found = key == pri_set_key(&arena_names[arena].ident, probe) ? id : found;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

bool see_socket(uint32_t arena) {
    FILE *file = fopen("/proc/net/unix", "re");
    char line[512];
    bool found = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        found = found || strstr(line, arena_names[arena].socket) != NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* Whose file it is, ARENAS_MOST: nobody's; and what follows the name. */
static uint32_t owner_of(const char *file, const char **ret_suffix) {
    for (uint32_t i = 0; i < board->arenas; i++) {
        size_t length = strlen(arena_names[i].name);
        if (strncmp(file, arena_names[i].name, length) == 0 && file[length] == '.') {
            *ret_suffix = file + length;
            return i;
        }
    }
    *ret_suffix = file;
    return ARENAS_MOST;
}

bool see_file(uint32_t arena, char *to, size_t size) {
    static const char *const stay[] = {".log", ".log.1", ".", ".."};
    DIR *dir = opendir(board_path("base"));
    bool found = false;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        const char *suffix;
        bool stays = owner_of(entry->d_name, &suffix) != arena;
        for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++) {
            stays = stays || strcmp(suffix, stay[i]) == 0;
        }
        if (!stays) {
            snprintf(to, size, "%s", entry->d_name);
            found = true;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

/* ---- locks ---- */

struct lock {
    int pid;
    unsigned major, minor;
    unsigned long long inode;
};
static struct lock own_device;

/* Read in /proc/locks, not tried: a service that starts just now must not meet us there. A line:
 * "1: FLOCK  ADVISORY  WRITE 4242 fd:00:131080 0 EOF". */
static bool find_lock(bool (*is)(const struct lock *seen, const struct lock *wanted),
                      struct lock *wanted) {
    char line[256];
    bool found = false;
    FILE *file = fopen("/proc/locks", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        struct lock seen;
        if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &seen.pid, &seen.major, &seen.minor,
                   &seen.inode) == 4 &&
            is(&seen, wanted)) {
            *wanted = seen;
            found = true;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool is_ours(const struct lock *seen, const struct lock *wanted) {
    return seen->pid == wanted->pid && seen->inode == wanted->inode;
}

static bool is_there(const struct lock *seen, const struct lock *wanted) {
    return seen->inode == wanted->inode && seen->major == own_device.major &&
           seen->minor == own_device.minor;
}

/* What device the kernel calls it there is not always what stat(2) says (btrfs, overlays). */
void see_locks_of(int locked) {
    struct stat status = {0};
    fstat(locked, &status);
    own_device = (struct lock){.pid = (int)getpid(), .inode = status.st_ino};
    if (!find_lock(is_ours, &own_device)) {
        own_device.major = major(status.st_dev);
        own_device.minor = minor(status.st_dev);
    }
}

bool see_lock(uint32_t arena) {
    static const char *const names[] = {"", ".child"};
    bool held = false;
    for (size_t i = 0; i < 2; i++) {
        struct stat status;
        struct lock wanted = {0};
        if (stat(board_path("lock.%u%s", (unsigned)arena, names[i]), &status) == 0) {
            wanted.inode = status.st_ino;
            held = held || find_lock(is_there, &wanted);
        }
    }
    return held;
}
