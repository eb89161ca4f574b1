/* Reading /proc for the demo. A process may end while it is looked at; then it is not there. */
#include "look.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

/* Reads /proc/PID/FILE. The result is a number of bytes; a zero follows them. */
static size_t read_proc(pid_t pid, const char *file, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got;
        while (used < size - 1 && (got = read(fd, to + used, size - 1 - used)) > 0) {
            used += (size_t)got;
        }
        close(fd);
    }
    to[used] = '\0';
    return used;
}

/* The entry of a list of zero-terminated strings that begins with this, or NULL. */
static const char *find_entry(const char *list, size_t size, const char *begin) {
    for (const char *entry = list; entry < list + size; entry += strlen(entry) + 1) {
        if (strncmp(entry, begin, strlen(begin)) == 0) {
            return entry;
        }
    }
    return NULL;
}

void look_sets(struct look_sets *sets) {
    sets->count = 0;
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    if (file == NULL) {
        return;
    }
    int id;
    unsigned uid;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL && sets->count < LOOK_SETS) {
        if (sscanf(line, "%*d %d %*o %*u %u", &id, &uid) == 2 && uid == geteuid()) {
            sets->ids[sets->count++] = id;
        }
    }
    fclose(file);
}

static bool was_there(const struct look_sets *before, int id) {
    for (size_t i = 0; i < before->count; i++) {
        if (before->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static bool used_by(int id, const pid_t *pids, size_t pid_count) {
    for (int member = 0;; member++) {
        int last = semctl(id, member, GETPID);
        if (last < 0) {
            return false; /* beyond the last member, or removed meanwhile */
        }
        for (size_t i = 0; i < pid_count; i++) {
            if (pids[i] == last && last != 0) {
                return true;
            }
        }
    }
}

size_t look_new_sets(const struct look_sets *before, const struct look_sets *now, const pid_t *pids,
                     size_t pid_count, int *ret_ids) {
    size_t count = 0;
    for (size_t i = 0; i < now->count && count < LOOK_FEW; i++) {
        if (!was_there(before, now->ids[i]) && used_by(now->ids[i], pids, pid_count)) {
            ret_ids[count++] = now->ids[i];
        }
    }
    return count;
}

static bool is_keeper_of(pid_t pid, const char *name) {
    char title[512], wanted[512];
    size_t size = read_proc(pid, "cmdline", title, sizeof title);
    for (size_t i = 0; i < size; i++) {
        title[i] = title[i] == '\0' ? ' ' : title[i]; /* one argument or two, both read the same */
    }
    int length = snprintf(wanted, sizeof wanted, "procref-keeper %s", name);
    return strncmp(title, wanted, (size_t)length) == 0 &&
           (title[length] == ' ' || title[length] == '\0');
}

static bool carries(pid_t pid, const char *mark) {
    static char environment[128 * 1024];
    size_t size = read_proc(pid, "environ", environment, sizeof environment);
    const char *entry = find_entry(environment, size, mark);
    return entry != NULL && strcmp(entry, mark) == 0;
}

/* mark may be NULL: then only keepers. */
size_t look_marked(const char *mark, const char *name, pid_t *ret_pids) {
    size_t count = 0;
    DIR *proc = opendir("/proc");
    for (const struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid() || count == LOOK_FEW) {
            continue;
        }
        if (is_keeper_of(pid, name) || (mark != NULL && carries(pid, mark))) {
            ret_pids[count++] = pid;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return count;
}

size_t look_keepers(const char *name, pid_t *ret_pids) {
    return look_marked(NULL, name, ret_pids);
}

pid_t look_parent(pid_t pid) {
    char stat[1024];
    int parent;
    read_proc(pid, "stat", stat, sizeof stat);
    const char *after_name = strrchr(stat, ')');
    return after_name != NULL && sscanf(after_name, ") %*c %d", &parent) == 1 ? (pid_t)parent : -1;
}

size_t look_descendants(pid_t pid, pid_t *ret_pids) {
    size_t count = 0;
    DIR *proc = opendir("/proc");
    for (const struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        pid_t child = (pid_t)atoi(entry->d_name);
        pid_t parent = child > 0 ? look_parent(child) : -1;
        while (parent > 1 && parent != pid) {
            parent = look_parent(parent);
        }
        if (parent == pid && count < LOOK_FEW) {
            ret_pids[count++] = child;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return count;
}

/* "address perms offset device inode path": System V's segments show their id as the inode. */
size_t look_memory(pid_t pid, struct look_memory *ret_memory) {
    size_t count = 0;
    char line[512];
    snprintf(line, sizeof line, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(line, "re");
    while (file != NULL && count < LOOK_FEW && fgets(line, sizeof line, file) != NULL) {
        struct look_memory *memory = &ret_memory[count];
        *memory = (struct look_memory){0};
        if (sscanf(line, "%*s %*s %*s %*s %lu %127s", &memory->id, memory->path) != 2) {
            continue;
        }
        memory->is_file = strncmp(memory->path, "/dev/shm/", 9) == 0;
        count += memory->is_file || strncmp(memory->path, "/SYSV", 5) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

bool look_memory_exists(const struct look_memory *memory) {
    if (memory->is_file) {
        return access(memory->path, F_OK) == 0;
    }
    bool found = false;
    char line[256];
    unsigned long id;
    FILE *file = fopen("/proc/sysvipc/shm", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "%*s %lu", &id) == 1 && id == memory->id;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* Calls back for each line of /proc/net/unix that has an abstract name, until it returns true. */
static bool each_socket(bool (*visit)(unsigned long inode, const char *name, void *data),
                        void *data) {
    FILE *file = fopen("/proc/net/unix", "re");
    bool stopped = false;
    char line[512], name[LOOK_SOCKET];
    unsigned long inode;
    while (file != NULL && !stopped && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %111s", &inode, name) == 2 &&
            name[0] == '@') {
            stopped = visit(inode, name, data);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return stopped;
}

struct socket_search {
    unsigned long inodes[256];
    size_t inode_count, name_count;
    char (*names)[LOOK_SOCKET];
};

static bool collect_socket(unsigned long inode, const char *name, void *data) {
    struct socket_search *search = data;
    for (size_t i = 0; i < search->inode_count; i++) {
        if (search->inodes[i] == inode) {
            memcpy(search->names[search->name_count++], name, LOOK_SOCKET);
            break;
        }
    }
    return search->name_count == LOOK_FEW;
}

size_t look_sockets(pid_t pid, char (*ret_names)[LOOK_SOCKET]) {
    struct socket_search search = {.names = ret_names};
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (search.inode_count < 256 &&
            sscanf(target, "socket:[%lu]", &search.inodes[search.inode_count]) == 1) {
            search.inode_count++;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    each_socket(collect_socket, &search);
    return search.name_count;
}

static bool same_socket(unsigned long inode, const char *name, void *data) {
    (void)inode;
    return strcmp(name, data) == 0;
}

bool look_socket_exists(const char *name) {
    char wanted[LOOK_SOCKET];
    snprintf(wanted, sizeof wanted, "%s", name);
    return each_socket(same_socket, wanted);
}
