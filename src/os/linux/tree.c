/*
 * A service's processes on Linux (os/tree.h). They are found by ancestry: keeper and standby are
 * subreapers, so whatever daemonises below them becomes a child of one of them. If both have died
 * since, ancestry is broken and the token in the environment is looked for as well.
 *
 * Every found process is verified by climbing from it to a member or to the pair. A climb reads
 * pids one after the other, and each may be recycled in between; that is noticed because a parent
 * never starts later than its child, and the next owner of a dead parent's pid always does.
 */
#include "os/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/linux/listeners.h"
#include "os/linux/procfs.h"

/* ---- Directories of numbers: /proc, /proc/PID/task, /proc/PID/fd ----------------------------- */

/* opendir(3) would leave its buffer in the keeper's heap. */
struct numbers {
    int fd;
    unsigned at, length;
    union {
        char bytes[1024];
        uint64_t align;
    } buffer;
};

struct entry { /* getdents64(2) */
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

static bool numbers_open(struct numbers *n, const char *path) {
    n->at = n->length = 0;
    n->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return n->fd >= 0;
}

static bool numbers_next(struct numbers *n, uint32_t *ret_number) {
    for (;;) {
        if (n->at >= n->length) {
            long length = syscall(SYS_getdents64, n->fd, n->buffer.bytes, sizeof n->buffer.bytes);
            if (length <= 0) {
                return false;
            }
            n->at = 0;
            n->length = (unsigned)length;
        }
        const struct entry *entry = (const void *)(n->buffer.bytes + n->at);
        n->at += entry->size;
        if (entry->name[0] >= '0' && entry->name[0] <= '9') {
            *ret_number = (uint32_t)strtoul(entry->name, NULL, 10);
            return true;
        }
    }
}

static void numbers_close(struct numbers *n) {
    close(n->fd);
}

/* ---- The list of what was found -------------------------------------------------------------- */

struct list {
    struct pri_process *at; /* mapped, not malloced: nothing of it stays in the keeper */
    size_t count, size;     /* size in bytes */
};

static bool same(const struct pri_process *a, const struct pri_process *b) {
    return a->pid == b->pid && a->start == b->start;
}

static bool list_has(const struct list *list, const struct pri_process *process) {
    for (size_t i = list->count; i > 0; i--) {
        if (same(&list->at[i - 1], process)) {
            return true;
        }
    }
    return false;
}

static void list_add(struct list *list, const struct pri_process *process) {
    if ((list->count + 1) * sizeof *process > list->size) {
        size_t size = list->size == 0 ? 4096 : 2 * list->size;
        void *at = list->size == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                   : mremap(list->at, list->size, size, MREMAP_MAYMOVE);
        if (at == MAP_FAILED) {
            return; /* out of memory: what was found so far is acted upon, the rest at the next call
                     */
        }
        list->at = at;
        list->size = size;
    }
    list->at[list->count++] = *process;
}

static void list_free(struct list *list) {
    if (list->size != 0) {
        munmap(list->at, list->size);
    }
}

/* ---- What a process carries in its environment ----------------------------------------------- */

enum carries {
    CARRIES_NOTHING, /* or the environment cannot be read: then ancestry decides */
    CARRIES_TOKEN,
    CARRIES_FOREIGN, /* it is another service's keeper or process */
};

/* One text that environment entries are compared with, byte by byte as they stream past. */
struct pattern {
    const char *text;
    size_t length;
    size_t matched; /* bytes of this entry that are equal so far */
};

static void pattern_feed(struct pattern *pattern, size_t at, char c) {
    if (pattern->matched == at && at < pattern->length && pattern->text[at] == c) {
        pattern->matched++;
    }
}

/*
 * Another service's token does not belong to the tree either: when a service that some process of
 * ours started has lost its pair, its processes come under our pair, but wait for their own next
 * one.
 */
static enum carries read_environment(uint32_t pid, const char *token_text, bool *ret_empty) {
    struct pattern keeper = {.text = PRI_KEEPER_MARK, .length = strlen(PRI_KEEPER_MARK)};
    struct pattern token = {.text = token_text, .length = token_text ? strlen(token_text) : 0};
    size_t name = token_text ? strcspn(token_text, "=") : 0, key = name > 0 ? name + 1 : 0;
    enum carries result = CARRIES_NOTHING;
    char path[32], bytes[1024];
    struct stat status;
    bool any = false;
    size_t at = 0; /* in the entry */
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%u/environ", (unsigned)pid);
    *ret_empty = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return CARRIES_NOTHING;
    }
    bool ours = fstat(fd, &status) == 0 && status.st_uid == geteuid();
    while ((length = read(fd, bytes, sizeof bytes)) > 0 || (length < 0 && errno == EINTR)) {
        any = any || length > 0;
        for (ssize_t i = 0; i < length; i++) {
            /* While bash reads its environment it cuts each entry at its '=' for a moment, in place
             * (variables.c, initialize_shell_variables). */
            bool is_cut = bytes[i] == '\0' && name > 0 && at == name && token.matched == name;
            if (bytes[i] != '\0' || is_cut) {
                pattern_feed(&keeper, at, bytes[i]);
                pattern_feed(&token, at, is_cut ? '=' : bytes[i]);
                at++;
                if (keeper.matched == keeper.length) {
                    close(fd);
                    return CARRIES_FOREIGN;
                }
                continue;
            }
            if (token.length > 0 && token.matched == token.length && at == token.length) {
                result = ours ? CARRIES_TOKEN : CARRIES_NOTHING;
                key = SIZE_MAX; /* the right one outweighs a second, inherited one */
            } else if (key > 0 && key != SIZE_MAX && token.matched >= key) {
                result = CARRIES_FOREIGN;
            }
            keeper.matched = token.matched = at = 0;
        }
    }
    /* Of who has executed or ended meanwhile only the beginning was read: nothing is there now. And
     * of who was in the midst of an exec nothing was, though it may be there now. */
    *ret_empty = !any || pread(fd, bytes, 1, 0) <= 0;
    close(fd);
    return result;
}

/* In the midst of execve(2) there is a new image without arguments and environment yet (fs/exec.c,
 * begin_new_exec; fs/binfmt_elf.c, create_elf_tables). A dying one has none any more. */
static bool may_be_in_exec(uint32_t pid) {
    struct pri_proc_stat stat;
    return pri_proc_stat(pid, &stat) && pri_proc_stat_alive(&stat) && !stat.exiting &&
           !stat.is_kernels;
}

static bool has_arguments(uint32_t pid) {
    char path[32], byte[2];
    snprintf(path, sizeof path, "/proc/%u/cmdline", (unsigned)pid);
    return pri_read_text(path, byte, sizeof byte) > 0;
}

/*
 * Nobody announces the end of an exec: who is in the midst of one is looked at again, after naps
 * that are short beside the loading of a program, and few. Who had arguments before and after a
 * look has no environment at all; several looks, since we may have slept through an exec in
 * between.
 */
static enum carries environment_of(uint32_t pid, const char *token) {
    enum { LOOKS = 4, NAPS = 50 };
    static const struct timespec nap = {.tv_nsec = 1000000};
    bool empty;
    enum carries carries = read_environment(pid, token, &empty);
    for (int looks = 0, naps = 0; empty && looks < LOOKS && naps < NAPS && may_be_in_exec(pid);) {
        bool stood = has_arguments(pid);
        if (!stood) {
            naps++;
            nanosleep(&nap, NULL);
        }
        carries = read_environment(pid, token, &empty);
        looks += stood && has_arguments(pid);
    }
    return carries;
}

/* ---- Who belongs ----------------------------------------------------------------------------- */

/*
 * Whether pid is one of the pair now. We hold no identity of the standby, but while it lives it is
 * the keeper's parent; a dead standby's pid, used again, is not.
 */
static bool is_of_pair(const struct pri_tree *tree, uint32_t pid) {
    struct pri_proc_stat stat;
    if (pid == tree->keeper) {
        return true;
    }
    return pid == tree->standby && (pid == (uint32_t)getpid() ||
                                    (pri_proc_stat(tree->keeper, &stat) && stat.parent == pid));
}

static bool is_root(const struct pri_tree *tree, const struct pri_process *process) {
    for (int i = 0; i < tree->roots_count; i++) {
        if (same(&tree->roots[i], process)) {
            return true;
        }
    }
    return false;
}

enum climb { CLIMB_OUTSIDE, CLIMB_MEMBER, CLIMB_AGAIN };

static enum climb climb(const struct pri_tree *tree, const struct list *known, uint32_t pid,
                        struct pri_proc_stat *ret_stat) {
    uint64_t child_start = UINT64_MAX;
    struct pri_proc_stat stat;
    for (uint32_t at = pid; at != 0; at = stat.parent) {
        if (is_of_pair(tree, at)) {
            return at == pid ? CLIMB_OUTSIDE : CLIMB_MEMBER;
        }
        if (!pri_proc_stat(at, &stat) || stat.start > child_start) {
            return at == pid ? CLIMB_OUTSIDE
                             : CLIMB_AGAIN; /* a parent died, its child has another now */
        }
        if (at == pid) {
            *ret_stat = stat;
        }
        struct pri_process process = {.pid = at, .start = stat.start};
        /* First of all main: until it execs, its environment is still the keeper's. */
        if (same(&process, &tree->main) || is_root(tree, &process) ||
            (at != pid && list_has(known, &process))) {
            return CLIMB_MEMBER;
        }
        switch (environment_of(at, tree->token)) {
        case CARRIES_FOREIGN: return CLIMB_OUTSIDE;
        case CARRIES_TOKEN:
            if (tree->scattered) {
                return CLIMB_MEMBER;
            }
            break;
        case CARRIES_NOTHING: break;
        }
        child_start = stat.start;
    }
    return CLIMB_OUTSIDE;
}

static bool belongs(const struct pri_tree *tree, const struct list *known, uint32_t pid,
                    struct pri_proc_stat *ret_stat) {
    enum climb result = CLIMB_AGAIN;
    for (int tries = 0; tries < 16 && result == CLIMB_AGAIN; tries++) {
        result = climb(tree, known, pid, ret_stat);
    }
    return result == CLIMB_MEMBER;
}

static void consider(const struct pri_tree *tree, struct list *list, uint32_t pid) {
    struct pri_proc_stat stat;
    if (!belongs(tree, list, pid, &stat) || !pri_proc_stat_alive(&stat)) {
        return;
    }
    struct pri_process process = {.pid = pid, .start = stat.start};
    if (!list_has(list, &process)) {
        list_add(list, &process);
    }
}

enum { ROUNDS_MOST = 16 };

/* ---- Finding them ---------------------------------------------------------------------------- */

/* The file is there if the kernel has CONFIG_PROC_CHILDREN, as all distributions do. */
static bool has_children_files(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%u/children", (unsigned)getpid());
    return access(path, R_OK) == 0;
}

/* Every thread has a file of its own with the pids of the children that it forked. */
static void consider_children_of(const struct pri_tree *tree, struct list *list, uint32_t pid) {
    struct numbers threads;
    uint32_t thread;
    char path[64], bytes[256];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%u/task", (unsigned)pid);
    if (!numbers_open(&threads, path)) {
        return;
    }
    while (numbers_next(&threads, &thread)) {
        uint32_t child = 0;
        snprintf(path, sizeof path, "/proc/%u/task/%u/children", (unsigned)pid, (unsigned)thread);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        while ((length = read(fd, bytes, sizeof bytes)) > 0 || (length < 0 && errno == EINTR)) {
            for (ssize_t i = 0; i < length; i++) {
                if (bytes[i] >= '0' && bytes[i] <= '9') {
                    child = child * 10 + (uint32_t)(bytes[i] - '0');
                } else if (child != 0) { /* each pid is followed by a space */
                    consider(tree, list, child);
                    child = 0;
                }
            }
        }
        close(fd);
    }
    numbers_close(&threads);
}

static void collect(const struct pri_tree *tree, struct list *list) {
    if (tree->main.pid != 0) {
        consider(tree, list, tree->main.pid);
    }
    for (int i = 0; i < tree->roots_count; i++) {
        consider(tree, list, tree->roots[i].pid);
    }
    if (!tree->scattered && has_children_files()) {
        consider_children_of(tree, list, tree->keeper);
        if (tree->standby != 0) {
            consider_children_of(tree, list, tree->standby);
        }
        for (size_t i = 0; i < list->count; i++) {
            consider_children_of(tree, list, list->at[i].pid);
        }
        return;
    }
    struct numbers all;
    uint32_t pid;
    if (numbers_open(&all, "/proc")) {
        while (numbers_next(&all, &pid)) {
            consider(tree, list, pid);
        }
        numbers_close(&all);
    }
}

/* Who ends meanwhile leaves its children to one who was looked at already, and the file of children
 * that is read while one of them ends may lack others (proc(5)): so until a look finds nobody new.
 */
static void collect_all(const struct pri_tree *tree, struct list *list) {
    size_t before;
    int rounds = ROUNDS_MOST;
    do {
        before = list->count;
        collect(tree, list);
    } while (list->count > before && --rounds > 0);
}

/* ---- The contract ---------------------------------------------------------------------------- */

static void deliver(const struct pri_process *process, int signal) {
    pri_process_signal(process, signal);
    /* A stopped process learns of a polite signal only when it continues. */
    if (signal != SIGKILL && signal != SIGSTOP && signal != SIGTSTP && signal != SIGCONT) {
        pri_process_signal(process, SIGCONT);
    }
}

static bool was_asked(const struct pri_tree *tree, const struct pri_process *process) {
    for (int i = 0; i < tree->asked_count; i++) {
        if (same(process, &tree->asked[i])) {
            return true;
        }
    }
    return false;
}

int pri_tree_signal(const struct pri_tree *tree, int signal, struct pri_process *ret_one) {
    /* Only SIGKILL chases what forks meanwhile: after a polite signal the service may start helpers
     * to shut down. */
    int rounds = signal == SIGKILL ? ROUNDS_MOST : 1;
    struct list list = {0};
    size_t done = 0;

    while (rounds-- > 0) {
        if (signal == SIGKILL) {
            collect(tree, &list); /* nobody is to live until all are found */
        } else {
            collect_all(tree, &list);
        }
        if (done == list.count) {
            break;
        }
        for (; done < list.count; done++) {
            const struct pri_process *process = &list.at[done];
            if (signal != 0 && (signal == SIGKILL || !was_asked(tree, process))) {
                deliver(process, signal);
            }
        }
    }
    if (ret_one != NULL) {
        *ret_one = list.count > 0 ? list.at[0] : (struct pri_process){0};
    }
    list_free(&list);
    return (int)done;
}

int pri_tree_list(const struct pri_tree *tree, struct pri_process *ret_list, int most) {
    struct list list = {0};
    collect_all(tree, &list);
    int count = list.count < (size_t)most ? (int)list.count : most;
    if (count > 0) {
        memcpy(ret_list, list.at, (size_t)count * sizeof *ret_list);
    }
    list_free(&list);
    return count;
}

bool pri_tree_contains(const struct pri_tree *tree, uint32_t pid) {
    struct list none = {0};
    struct pri_proc_stat stat;
    return pid != 0 && belongs(tree, &none, pid, &stat);
}

/* The identity first: of a pid that is used again in between, it is a dead one's. */
bool pri_tree_identify(const struct pri_tree *tree, uint32_t pid, struct pri_process *ret_process) {
    return pri_process_identify(pid, ret_process) && pri_tree_contains(tree, pid);
}

bool pri_tree_find_by_token(const char *token, struct pri_process *ret_main) {
    struct pri_process first = {0};
    struct numbers all;
    uint32_t pid;

    if (!numbers_open(&all, "/proc")) {
        return false;
    }
    while (numbers_next(&all, &pid)) {
        struct pri_proc_stat stat;
        if (environment_of(pid, token) != CARRIES_TOKEN || !pri_proc_stat(pid, &stat) ||
            !pri_proc_stat_alive(&stat) || environment_of(stat.parent, token) == CARRIES_TOKEN) {
            continue;
        }
        /* What daemonised has lost its parent too; the service's first process is the oldest. */
        if (first.pid == 0 || stat.start < first.start ||
            (stat.start == first.start && pid < first.pid)) {
            first = (struct pri_process){.pid = pid, .start = stat.start};
        }
    }
    numbers_close(&all);
    if (first.pid == 0) {
        return false;
    }
    *ret_main = first;
    return true;
}

/* ---- Who listens ----------------------------------------------------------------------------- */

/*
 * Whether the process does not let us look although it runs. One that is ending belongs to root in
 * /proc before it is a zombie: it has nothing open that will stay, and the port may be another's.
 */
static bool hides(const struct pri_process *process) {
    struct numbers threads;
    struct pri_proc_stat stat;
    uint32_t thread;
    char path[48];
    bool runs = false;

    snprintf(path, sizeof path, "/proc/%u/task", (unsigned)process->pid);
    if (!numbers_open(&threads, path)) {
        return false;
    }
    while (!runs && numbers_next(&threads, &thread)) {
        runs = pri_proc_stat(thread, &stat) && !stat.exiting;
    }
    numbers_close(&threads);
    return runs;
}

/* Whether the process has one of the sockets open, or does not let us look. */
static bool has_listener(const struct pri_process *process, const struct pri_listeners *listeners) {
    struct numbers files;
    uint32_t file;
    bool found = false;
    char path[48], target[64];

    snprintf(path, sizeof path, "/proc/%u/fd", (unsigned)process->pid);
    if (!numbers_open(&files, path)) {
        return (errno == EACCES || errno == EPERM) && hides(process);
    }
    while (!found && numbers_next(&files, &file)) {
        snprintf(path, sizeof path, "/proc/%u/fd/%u", (unsigned)process->pid, (unsigned)file);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0) {
            found = length < 0 && errno == EACCES && hides(process);
            continue;
        }
        target[length] = '\0';
        if (strncmp(target, "socket:[", 8) != 0) {
            continue;
        }
        uint64_t inode = strtoull(target + 8, NULL, 10);
        for (unsigned i = 0; i < listeners->count; i++) {
            found = found || listeners->inodes[i] == inode;
        }
    }
    numbers_close(&files);
    return found;
}

bool pri_tree_listens(const struct pri_tree *tree, uint16_t port) {
    struct pri_listeners listeners = {0};
    struct list list = {0};
    bool found = false;

    if (!pri_listeners_find(port, &listeners)) {
        return true;
    }
    if (listeners.count == 0) {
        return false;
    }
    collect(tree, &list);
    for (size_t i = 0; i < list.count && !found; i++) {
        found = has_listener(&list.at[i], &listeners);
    }
    list_free(&list);
    return found;
}
