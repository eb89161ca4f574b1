/* doctor: finds sets, hints and processes of procref that are this user's, and which belong
 * together. */
#include "cli/doctor/left.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/linux/sets.h"

enum {
    SERVICE_SET = PRI_SET_REFS + 5, /* semaphores in it: counter.c's layout, */
    COUNTER_SET = PRI_SET_REFS + 4, /* and raw.c's */
    HINT_SIZE = 512,
};

bool left_same(const struct left *left, uint64_t hash) {
    return left->half ? (left->hash & ~LEFT_TOP) == (hash & ~LEFT_TOP) : left->hash == hash;
}

static struct left *add(struct left_all *all, uint64_t hash, bool half) {
    for (size_t i = 0; i < all->count; i++) {
        struct left *old = &all->list[i];
        if (!old->raw && (left_same(old, hash) || (half && left_same(old, hash ^ LEFT_TOP)))) {
            old->hash = old->half && !half ? hash : old->hash;
            old->half = old->half && half;
            return old;
        }
    }
    struct left *list = realloc(all->list, (all->count + 1) * sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    all->list = list;
    list[all->count] = (struct left){.hash = hash, .half = half, .set = -1};
    return &list[all->count++];
}

void left_free(struct left_all *all) {
    for (size_t i = 0; i < all->count; i++) {
        free(all->list[i].hint);
    }
    free(all->list);
    free(all->marked);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

/*
 * The hash of whose set this is, but for its top bit. The fingerprint gives bits 0 to 59; the key
 * is made of the upper and the lower half (pri_set_key), so it must agree with 28 of them and gives
 * the next three. A stranger's set passes with a chance of one in 2^25.
 */
static bool hash_of(key_t key, const unsigned short *values, uint64_t *ret_hash) {
    uint64_t parts = 0;
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        parts |= (uint64_t)(values[PRI_SET_ID + i] & PRI_ID_PART_MASK) << (15 * i);
    }
    for (uint32_t probe = 0; probe < PRI_PROBES; probe++) {
        uint32_t first = ((uint32_t)key - probe) & 0x7fffffff;
        uint32_t upper = first ^ ((uint32_t)parts & 0x7fffffff);
        if (((upper ^ (uint32_t)(parts >> 32)) & 0x0fffffff) == 0) {
            *ret_hash = (uint64_t)upper << 32 | (uint32_t)parts;
            return true;
        }
    }
    return false;
}

static bool read_set(int id, unsigned short values[PRI_SET_COUNT_MOST]) {
    union {
        int val;
        unsigned short *array;
    } argument = {.array = values};
    return semctl(id, 0, GETALL, argument) >= 0;
}

static void add_set(struct left_all *all, long key, int id, long count) {
    unsigned short values[PRI_SET_COUNT_MOST];
    struct pri_counter counter = {.id = id};
    uint64_t hash;
    if (!read_set(id, values) || values[PRI_SET_VERSION] != PRI_LAYOUT_VERSION ||
        !hash_of((key_t)key, values, &hash)) {
        return;
    }
    struct left *left = add(all, hash, true);
    if (left == NULL || left->set >= 0) {
        return;
    }
    left->set = id;
    left->raw = count == COUNTER_SET;
    left->refs = values[PRI_SET_REFS];
    left->keeper = !left->raw && pri_counter_read(&counter, PRI_REG_KEEPER) > 0;
}

void left_find_sets(struct left_all *all) {
    char line[256];
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        long key, count;
        int id;
        unsigned mode, owner, creator;
        if (sscanf(line, "%ld %d %o %ld %u %*u %u", &key, &id, &mode, &count, &owner, &creator) ==
                6 &&
            owner == geteuid() && creator == geteuid() && (mode & 0777) == PRI_SET_MODE &&
            (count == SERVICE_SET || count == COUNTER_SET)) {
            add_set(all, key, id, count);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* The kernel gives numbers of removed sets to others some day. */
bool left_set_is(const struct left *left) {
    unsigned short values[PRI_SET_COUNT_MOST];
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
    } argument = {.buf = &status};
    uint64_t parts = 0;
    if (semctl(left->set, 0, IPC_STAT, argument) < 0 || status.sem_perm.cuid != geteuid() ||
        status.sem_nsems != (left->raw ? COUNTER_SET : SERVICE_SET) ||
        !read_set(left->set, values)) {
        return false;
    }
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        parts |= (uint64_t)(values[PRI_SET_ID + i] & PRI_ID_PART_MASK) << (15 * i);
    }
    return parts == (left->hash & ((UINT64_C(1) << (15 * PRI_ID_PARTS)) - 1));
}

/* ---- Hints ----------------------------------------------------------------------------------- */

struct hint {
    char boot[40], phase[12];
    uint64_t key, start;
    unsigned pid;
};

/* keeper/files.c writes them; of an earlier boot, too. */
static bool read_hint(int folder, const char *name, struct hint *ret) {
    char text[HINT_SIZE + 1];
    struct stat status;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    ssize_t length = 0;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
        length = read(fd, text, HINT_SIZE);
    }
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return sscanf(text,
                  "procref 2\nboot %39s\nkey %" SCNu64
                  "\nphase %11s\ngeneration %*u\npid %u\nstart %" SCNu64 "\n",
                  ret->boot, &ret->key, ret->phase, &ret->pid, &ret->start) == 5;
}

static void add_hint(struct left_all *all, const char *folder, const char *name,
                     const struct hint *hint) {
    char path[PATH_MAX], boot[40];
    struct pri_process process = {hint->pid, hint->start};
    struct left *left = add(all, hint->key, false);
    if (left == NULL || left->hint != NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    left->hint = strdup(path);
    if (pri_read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot) > 0) {
        boot[strcspn(boot, "\n")] = '\0';
        bool this_boot = strcmp(boot, hint->boot) == 0;
        left->process_is_hinted = this_boot && hint->pid > 0 && pri_process_alive(&process);
        left->no_process = this_boot && hint->pid == 0 && strcmp(hint->phase, "up") == 0;
    }
}

static void look_in(struct left_all *all, const char *path) {
    struct dirent *entry;
    struct stat status;
    struct hint hint;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (folder < 0) {
        return;
    }
    DIR *directory =
        fstat(folder, &status) == 0 && status.st_uid == geteuid() ? fdopendir(folder) : NULL;
    if (directory == NULL) {
        close(folder);
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".hint") == 0 &&
            read_hint(folder, entry->d_name, &hint)) {
            add_hint(all, path, entry->d_name, &hint);
        }
    }
    closedir(directory);
}

/* The user's scope, and the scopes of folders, which are folders in it (cli/scope.h). */
static void look_below(struct left_all *all, const char *runtime) {
    char path[PRI_PATH_SIZE];
    struct dirent *entry;
    DIR *directory = opendir(runtime);
    look_in(all, runtime);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        int length = snprintf(path, sizeof path, "%s/%s", runtime, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof path) {
            look_in(all, path);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

void left_find_hints(struct left_all *all, const char *const *folders) {
    char path[PRI_PATH_SIZE], other[64];
    pri_folder_default(path);
    look_below(all, path);
    snprintf(other, sizeof other, "/run/user/%u/procref", (unsigned)geteuid());
    look_below(all, other);
    snprintf(other, sizeof other, "/tmp/procref-%u", (unsigned)geteuid());
    look_below(all, other);
    for (; *folders != NULL; folders++) {
        look_in(all, *folders);
    }
}

void left_remove_hint(const char *path) {
    char other[PATH_MAX];
    size_t stem = strlen(path) - strlen(".hint");
    unlink(path);
    if (stem + sizeof ".info" <= sizeof other) {
        memcpy(other, path, stem);
        memcpy(other + stem, ".info", sizeof ".info");
        unlink(other);
    }
}

/* ---- Processes ------------------------------------------------------------------------------- */

bool left_same_namespaces(uint32_t pid) {
    static const char *const kinds[] = {"ipc", "net"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[64];
        struct stat own, theirs;
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        if (stat(path, &own) < 0) {
            return false;
        }
        snprintf(path, sizeof path, "/proc/%u/ns/%s", (unsigned)pid, kinds[i]);
        if (stat(path, &theirs) < 0 || own.st_ino != theirs.st_ino) {
            return false;
        }
    }
    return true;
}

void left_find_processes(struct left_all *all) {
    for (size_t i = 0; i < all->marked_count; i++) {
        if (!all->marked[i].keeper && left_same_namespaces(all->marked[i].process.pid)) {
            add(all, all->marked[i].hash, false);
        }
    }
}
