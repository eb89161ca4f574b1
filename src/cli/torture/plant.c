/* The test of the tests: makes each witness see what never should be (the hidden option --plant).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/torture/judge.h"
#include "os/linux/sets.h"

enum { ENDED_AFTER_MS = 100, SEEN_WITHIN_MS = 2000 };

static const char *const plants[] = {"two",      "unreachable", "unready", "ended", "stopping",
                                     "alone",    "hang",        "client",  "wrong", "calls",
                                     "uncalled", "set",         "file",    "stray", "socket",
                                     "lock",     "leftover",    "another"};

bool plant_known(const char *plant) {
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        if (strcmp(plant, plants[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is(const struct judge *j, const char *plant) {
    return j->options.plant != NULL && strcmp(j->options.plant, plant) == 0;
}

bool plant_needs_clients(const struct judge *j) {
    static const char *const those[] = {"two",      "unreachable", "unready",  "ended",
                                        "stopping", "alone",       "hang",     "client",
                                        "wrong",    "calls",       "uncalled", "another"};
    for (size_t i = 0; i < sizeof those / sizeof those[0]; i++) {
        if (is(j, those[i])) {
            return true;
        }
    }
    return false;
}

static pid_t start_by_hand(const struct judge *j, uint32_t arena) {
    char more[64];
    snprintf(more, sizeof more, "arena=%u round=%u", (unsigned)arena,
             (unsigned)j->arenas[arena].round);
    return start_role("service", more);
}

/*
 * As if procref had stopped it while it is held: nobody is told of this blow. Again and again,
 * since it may have met a moment at which nobody held; but no service that is just starting.
 */
static void end_unattacked(uint32_t arena, const struct sight *sight, int number) {
    static pid_t pid;
    static int64_t since_ms;
    for (int i = 0; i < sight->count; i++) {
        const struct seen *seen = &sight->list[i];
        if (seen->arena != arena || seen->kind != SEEN_SERVICE) {
            continue;
        }
        if (seen->pid != pid) {
            pid = seen->pid;
            since_ms = now_ms();
        } else if (now_ms() - since_ms > ENDED_AFTER_MS) {
            signal_seen(seen, number);
        }
        return;
    }
}

/* As if procref took one of our children for somebody else. */
static void kill_as_a_stranger(const struct sight *sight) {
    for (int i = 0; i < sight->count; i++) {
        const struct seen *seen = &sight->list[i];
        if (seen->kind == SEEN_CLIENT && seen->parent == getpid()) {
            kill(seen->pid, SIGKILL); /* nobody reaps it but us */
            return;
        }
    }
}

void plant_beginning(struct judge *j, uint32_t arena) {
    static const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    static int fd = -1;
    atomic_store(&board->arena[arena].hasty, is(j, "unready"));
    if (is(j, "calls") && fd < 0) {
        fd = open(board_path("lock.%u.call", (unsigned)arena), O_RDWR | O_CLOEXEC);
        fcntl(fd, F_SETLK, &whole);
    }
}

/* Once a service runs and a client has had its answer. */
void plant_running(struct judge *j, uint32_t arena) {
    static struct sight sight;
    if (j->options.plant == NULL) {
        return;
    }
    see(&sight);
    if (seen_in(&sight, arena, SEEN_SERVICE) == 0 ||
        atomic_load(&board->tallies[TALLY_CHECKED]) == 0) {
        return;
    }
    if (is(j, "ended") || is(j, "stopping") || is(j, "uncalled")) {
        end_unattacked(arena, &sight, is(j, "ended") ? SIGKILL : SIGTERM);
        return;
    }
    if (is(j, "alone")) {
        leave_alone(j, arena);
        return;
    }
    j->arenas[arena].planted = true;
    if (is(j, "two")) {
        start_by_hand(j, arena);
    } else if (is(j, "unreachable")) {
        atomic_store(&board->arena[arena].deaf, 1);
    } else if (is(j, "hang")) {
        atomic_store(&board->arena[arena].mute, 1);
    } else if (is(j, "another")) {
        atomic_store(&board->arena[arena].mistaken, 1);
    } else if (is(j, "client")) {
        kill_as_a_stranger(&sight);
    } else if (is(j, "wrong") && j->bystander > 0) {
        kill(j->bystander, SIGKILL);
    }
}

/* After the last client, when nothing is left. */
void plant_settling(struct judge *j, uint32_t arena) {
    static int socket_fd = -1, lock_fd = -1;
    static struct sight sight;
    if (is(j, "leftover")) {
        start_by_hand(j, arena);
        for (int64_t until = now_ms() + SEEN_WITHIN_MS; now_ms() < until; poll(NULL, 0, 1)) {
            see(&sight);
            if (seen_in(&sight, arena, SEEN_SERVICE) > 0) {
                break;
            }
        }
    } else if (is(j, "set")) {
        semget(pri_set_key(&arena_names[arena].ident, PRI_PROBES - 1), 1, IPC_CREAT | 0600);
    } else if (is(j, "file")) {
        close(open(board_path("base/%s.hint", arena_names[arena].name),
                   O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    } else if (is(j, "stray")) {
        close(open(board_path("base/stray"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    } else if (is(j, "lock") && lock_fd < 0) {
        lock_fd = open(board_path("lock.%u.child", (unsigned)arena), O_RDWR | O_CLOEXEC);
        flock(lock_fd, LOCK_EX | LOCK_NB);
    } else if (is(j, "socket") && socket_fd < 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s7",
                              arena_names[arena].socket + 1);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
        if (bind(socket_fd, (struct sockaddr *)&address, size) < 0 || listen(socket_fd, 1) < 0) {
            violate("error", (int)arena, "cannot plant a socket");
        }
    }
}
