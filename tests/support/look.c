/* Reading /proc. */
#include "support/look.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

static size_t read_file(const char *path, char *to, size_t size) {
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(to, 1, size - 1, file) : 0;
    to[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return length;
}

bool look_process(pid_t pid, struct process_seen *ret) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char *at = read_file(path, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    int parent;
    if (at == NULL || sscanf(at + 1, " %c %d", &ret->state, &parent) != 2) {
        return false;
    }
    ret->pid = pid;
    ret->parent = parent;
    /* Field 22 is the start time; the state after the name is field 3. */
    for (int field = 3; field < 22 && at != NULL; field++) {
        at = strchr(at + 2, ' ');
    }
    ret->start = at != NULL ? strtoull(at, NULL, 10) : 0;
    return true;
}

void look_command_line(pid_t pid, char *to, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    size_t length = read_file(path, to, size);
    for (size_t i = 0; i + 1 < length; i++) {
        if (to[i] == '\0') {
            to[i] = ' ';
        }
    }
}

bool look_status(pid_t pid, const char *key, char *to, size_t size) {
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof text);
    size_t length = strlen(key);
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            char *value = line + length + 1 + strspn(line + length + 1, " \t");
            snprintf(to, size, "%.*s", (int)strcspn(value, "\n"), value);
            return true;
        }
    }
    return false;
}

void look_processes(void (*each)(pid_t pid, void *context), void *context) {
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        struct process_seen seen;
        if (*end == '\0' && pid > 0 && look_process((pid_t)pid, &seen) && seen.state != 'Z' &&
            seen.state != 'X') {
            each((pid_t)pid, context);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

struct keepers {
    char line[512];
    struct process_seen *to;
    size_t count, max;
};

static void collect_keeper(pid_t pid, void *context) {
    struct keepers *k = context;
    char line[512];
    look_command_line(pid, line, sizeof line);
    if (strcmp(line, k->line) == 0 && k->count < k->max && look_process(pid, &k->to[k->count]) &&
        k->to[k->count].state != 'Z') {
        k->count++;
    }
}

size_t look_keepers(const char *name, struct process_seen *to, size_t max) {
    struct keepers k = {.to = to, .max = max};
    snprintf(k.line, sizeof k.line, "procref-keeper %s", name);
    look_processes(collect_keeper, &k);
    return k.count;
}

static bool pair(const char *name, pid_t *ret_keeper, pid_t *ret_standby) {
    struct process_seen seen[16];
    size_t count = look_keepers(name, seen, 16);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (seen[i].parent == seen[j].pid) {
                *ret_keeper = seen[i].pid;
                *ret_standby = seen[j].pid;
                return true;
            }
        }
    }
    *ret_keeper = count == 1 ? seen[0].pid : 0;
    *ret_standby = 0;
    return false;
}

pid_t look_keeper(const char *name) {
    pid_t keeper, standby;
    pair(name, &keeper, &standby);
    return keeper;
}

pid_t look_standby(const char *name) {
    pid_t keeper, standby;
    pair(name, &keeper, &standby);
    return standby;
}

size_t look_sets(struct set_seen *to, size_t max, bool all) {
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    char line[256];
    size_t count = 0;
    for (bool head = true; file != NULL && fgets(line, sizeof line, file) != NULL; head = false) {
        int key;
        unsigned owner;
        struct set_seen s;
        if (!head && count < max &&
            sscanf(line, "%d %d %o %u %u", &key, &s.id, &s.mode, &s.registers, &owner) == 5) {
            s.key = (uint32_t)key;
            s.owner = owner;
            if (all || s.owner == geteuid()) {
                to[count++] = s;
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

pid_t look_set_user(int id, unsigned index) {
    return semctl(id, (int)index, GETPID);
}

int look_set_value(int id, unsigned index) {
    return semctl(id, (int)index, GETVAL);
}

/* linux/net.h, SS_UNCONNECTED. Who is connected to a listener has its name, thousands may. */
enum { UNCONNECTED = 1 };

size_t look_sockets(unsigned long *inodes, char (*names)[108], size_t max) {
    FILE *file = fopen("/proc/net/unix", "re");
    char line[512];
    size_t count = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long inode;
        unsigned state;
        char name[256] = "";
        if (count < max &&
            sscanf(line, "%*s %*s %*s %*s %*s %x %lu %255s", &state, &inode, name) == 3 &&
            state == UNCONNECTED && strncmp(name, "@procref/", 9) == 0) {
            inodes[count] = inode;
            if (names != NULL) {
                snprintf(names[count], 108, "%.107s", name);
            }
            count++;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

struct search {
    char target[64];
    pid_t found;
};

static void search_sockets(pid_t pid, void *context) {
    struct search *s = context;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    for (struct dirent *entry; fds != NULL && (entry = readdir(fds)) != NULL;) {
        char link[320], target[64];
        snprintf(link, sizeof link, "/proc/%d/fd/%s", (int)pid, entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            if (strcmp(target, s->target) == 0) {
                s->found = pid;
            }
        }
    }
    if (fds != NULL) {
        closedir(fds);
    }
}

pid_t look_socket_owner(unsigned long inode) {
    struct search s = {.found = 0};
    snprintf(s.target, sizeof s.target, "socket:[%lu]", inode);
    look_processes(search_sockets, &s);
    return s.found;
}
