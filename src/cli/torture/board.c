/*
 * The board: one file that every process of a run maps. It is not in the services' folder, whose
 * files are spoiled, and nobody shortens it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/torture/torture.h"

struct board *board;
char board_dir[PATH_ROOM], board_self[4096];

const char *board_path(const char *format, ...) {
    static _Thread_local char paths[4][PATH_ROOM + 128];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    int length = snprintf(path, PATH_ROOM, "%s/", board_dir);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path + length, sizeof paths[0] - (size_t)length, format, arguments);
    va_end(arguments);
    return path;
}

static int map(const char *dir, int flags) {
    snprintf(board_dir, sizeof board_dir, "%s", dir);
    ssize_t length = readlink("/proc/self/exe", board_self, sizeof board_self - 1);
    int fd = open(board_path("board"), O_RDWR | O_CLOEXEC | flags, 0600);
    /* All of it at once: a page that a full disk has no room for is a SIGBUS at its first use. */
    int os = length <= 0 || fd < 0    ? errno
             : (flags & O_CREAT) != 0 ? posix_fallocate(fd, 0, sizeof(struct board))
                                      : 0;
    void *at = os != 0
                   ? MAP_FAILED
                   : mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        os = os != 0 ? os : errno;
        close(fd);
        errno = os;
        return -1;
    }
    board = at;
    return fd;
}

int board_make(const char *dir) {
    return map(dir, O_CREAT | O_EXCL);
}

bool board_map(const char *dir) {
    int fd = map(dir, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

void tally(int what) {
    atomic_fetch_add_explicit(&board->tallies[what], 1, memory_order_relaxed);
}

void violate(const char *witness, int arena, const char *format, ...) {
    char text[700], line[900];
    struct timespec t;
    va_list arguments;
    if (atomic_load(&board->over) != 0) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
    atomic_fetch_add(&board->violations, 1);
    clock_gettime(CLOCK_MONOTONIC, &t);
    int length =
        snprintf(line, sizeof line, "%lld %d %s %d %s\n",
                 (long long)t.tv_sec * 1000000000 + t.tv_nsec, (int)getpid(), witness, arena, text);
    int fd = open(board_path("violations"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    ssize_t written = write(fd, line, (size_t)length);
    (void)written;
    close(fd);
}

/* ---- heartbeats ---- */

struct slot *slot_take(uint32_t arena) {
    int32_t pid = (int32_t)getpid();
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &board->slots[(i + pid * 7) % SLOTS];
        int32_t nobody = 0;
        if (atomic_compare_exchange_strong(&slot->pid, &nobody, pid)) {
            atomic_store(&slot->limit_ms, 0);
            atomic_store(&slot->arena, arena);
            atomic_store(&slot->what, IN_NOTHING);
            return slot;
        }
    }
    static struct slot spare; /* so many threads there are not */
    return &spare;
}

void slot_leave(struct slot *slot) {
    atomic_store(&slot->limit_ms, 0);
    atomic_store(&slot->what, IN_NOTHING);
    atomic_store(&slot->pid, 0);
}

void slot_begin(struct slot *slot, int what, int64_t limit_ms) {
    atomic_store(&slot->what, (uint32_t)what);
    atomic_store(&slot->limit_ms, now_ms() + limit_ms);
}

void slot_end(struct slot *slot) {
    atomic_store(&slot->limit_ms, 0);
}

const char *slot_word(uint32_t what) {
    static const char *const words[] = {"nothing",
                                        "procref_service_acquire",
                                        "procref_handle_release",
                                        "procref_handle_release_wait",
                                        "an asynchronous acquire",
                                        "procref_pending_cancel",
                                        "procref_service_open",
                                        "procref_service_close",
                                        "nothing any more"};
    return words[what % (sizeof words / sizeof words[0])];
}

void slots_forget(pid_t pid) {
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&board->slots[i].pid) == pid) {
            slot_leave(&board->slots[i]);
        }
    }
}

bool slots_rest(pid_t pid) {
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&board->slots[i].pid) == pid &&
            atomic_load(&board->slots[i].what) == IN_REST) {
            return true;
        }
    }
    return false;
}

/* ---- who was attacked ---- */

void victim_add(uint32_t arena, pid_t pid) {
    struct arena_board *a = &board->arena[arena];
    uint32_t at = atomic_fetch_add(&a->victims_count, 1);
    atomic_store(&a->victims_ms[at % VICTIMS], now_ms());
    atomic_store(&a->victims[at % VICTIMS], (uint32_t)pid);
}

bool victim_is(uint32_t arena, pid_t pid) {
    return victim_known_ms(arena, pid) != INT64_MAX;
}

int64_t victim_known_ms(uint32_t arena, pid_t pid) {
    struct arena_board *a = &board->arena[arena];
    uint32_t count = atomic_load(&a->victims_count);
    for (uint32_t i = 0; i < count && i < VICTIMS; i++) {
        if (atomic_load(&a->victims[i]) == (uint32_t)pid) {
            int64_t rested = atomic_load(&a->rested_ms), struck = atomic_load(&a->victims_ms[i]);
            return struck > rested ? struck : rested;
        }
    }
    return INT64_MAX;
}
