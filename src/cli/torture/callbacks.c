/*
 * A service that the clients start by their own functions: the child waits until the keeper has
 * acknowledged its pid, so that it ends if this process dies before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { START_MS = 15000, STOP_MS = 500 };

struct plan {
    uint32_t arena, round;
};

/*
 * No two callbacks run at once. By fcntl(2): such a lock is its process's alone, no forked child
 * has it. A removed set takes with it that a callback runs, and if both keepers go as well nobody
 * knows: that is excused.
 */
static int callback_begins(const struct plan *plan) {
    const struct arena_board *a = &board->arena[plan->arena];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(board_path("lock.%u.call", (unsigned)plan->arena), O_RDWR | O_CLOEXEC);
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES)) {
        pid_t other = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
        if (atomic_load(&a->removed) == 0 || atomic_load(&a->massacres) == 0) {
            violate("calls", (int)plan->arena, "a callback runs beside one of process %d",
                    (int)other);
        }
    }
    return fd;
}

/* Between fork and exec of a program with threads: only what is safe in a signal handler. */
static _Noreturn void be_the_service(const int go[2], const int ready[2],
                                     const struct role_words *words) {
    char told;
    close(go[1]);
    while (read(go[0], &told, 1) < 0 && errno == EINTR) {
    }
    close(go[0]);
    if (told != 'g') {
        _exit(0);
    }
    setsid();
    fcntl(ready[1], F_SETFD, 0);
    execv(words->argv[0], (char *const *)(uintptr_t)words->argv);
    _exit(127);
}

/* Waits for the service's word; false: it ended, or took too long. */
static bool says_ready(int fd) {
    char told = 0;
    return readable_within(fd, START_MS) && read(fd, &told, 1) == 1;
}

static int start(procref_info *info, void *user_data, procref_error *err) {
    const struct plan *plan = user_data;
    struct role_words words;
    char more[128];
    int go[2], ready[2], code;
    int running = callback_begins(plan);
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) {
        close(running);
        return procref_error_set(err, PROCREF_E_LIMIT, "no pipe: %s", strerror(errno));
    }
    snprintf(more, sizeof more, "arena=%u round=%u ready_fd=%d", (unsigned)plan->arena,
             (unsigned)plan->round, ready[1]);
    role_words(&words, "service", more);
    pid_t pid = fork();
    if (pid == 0) {
        be_the_service(go, ready, &words);
    }
    close(go[0]);
    close(ready[1]);
    code = pid > 0 ? procref_info_set_pid(info, (uint32_t)pid) : PROCREF_E_LIMIT;
    if (code == 0) {
        tally(TALLY_CALLED);
        ssize_t n = write(go[1], "g", 1);
        (void)n;
    }
    close(go[1]);
    if (code == 0 && !says_ready(ready[0])) {
        code =
            procref_error_set(err, PROCREF_E_SERVICE_START, "service %d was not ready", (int)pid);
    }
    /* The pid that was just named may have been killed by the judge: that is a failed start. */
    code = code == PROCREF_E_NOT_FOUND ? procref_error_set(err, PROCREF_E_SERVICE_START,
                                                           "service %d died at once", (int)pid)
                                       : code;
    close(ready[0]);
    close(running);
    return code;
}

static int stop(const procref_info *info, void *user_data, procref_error *err) {
    const struct plan *plan = user_data;
    uint32_t pid = procref_info_pid(info);
    int fd = hold_process((pid_t)pid), running = callback_begins(plan);
    uint32_t before = atomic_exchange(&board->arena[plan->arena].released, pid);
    (void)err;
    if (before == pid && terms_of(plan->arena, plan->round).gentle) {
        violate("uncalled", (int)plan->arena, "on_last_release runs twice for service %u",
                (unsigned)pid);
    }
    if (fd >= 0 && procref_info_is_alive(info)) {
        procref_process_terminate(procref_info_pid(info));
        readable_within(fd, STOP_MS); /* one that is deaf to it is left to the keeper */
    }
    if (fd >= 0) {
        close(fd);
    }
    close(running);
    return 0;
}

void callbacks_fill(procref_service_config *config, uint32_t arena, uint32_t round) {
    struct plan *plan = malloc(sizeof *plan); /* as long as the process: handles may outlive all */
    if (plan == NULL) {
        abort();
    }
    *plan = (struct plan){arena, round};
    config->user_data = plan;
    config->on_first_acquire = start;
    config->on_last_release = terms_of(arena, round).kind == KIND_CALLBACKS_STOP ? stop : NULL;
}
