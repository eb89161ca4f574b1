/*
 * The role service: the first witness. It takes a lock that only one may have, answers everybody
 * with its pid, and ends at SIGTERM or with the judge. It uses nothing of procref.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/torture/torture.h"

enum { OPEN_MOST = 64, HASTY_MS = 1000 };

/* The files are the judge's (lock_path), made before anything starts. */
static void prove_to_be_alone(const struct role *role, const char *what) {
    char other[32] = "";
    int fd = open(board_path("lock.%ld%s", role->arena, what), O_RDWR | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        dprintf(fd, "%-12d", (int)getpid());
    } else if (fd >= 0 && errno == EWOULDBLOCK) {
        ssize_t n = read(fd, other, sizeof other - 1);
        other[n > 0 ? n : 0] = '\0';
        violate("two", (int)role->arena, "service %d%s starts while %s lives", (int)getpid(), what,
                other);
    } else {
        violate("error", (int)role->arena, "service %d%s cannot take its lock: %s", (int)getpid(),
                what, strerror(errno));
    }
}

static int listen_tcp(long port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) {
        fprintf(stderr, "cannot listen on port %ld: %s\n", port, strerror(errno));
        exit(98);
    }
    return fd;
}

static int listen_unix(void) {
    struct sockaddr_un address;
    socklen_t size = terms_socket(getpid(), &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 512) < 0) {
        fprintf(stderr, "cannot listen on @%s: %s\n", address.sun_path + 1, strerror(errno));
        exit(99);
    }
    return fd;
}

static void notify_ready(void) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL) {
        return;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    close(fd);
}

/* In another session, with another parent; it has a lock of its own and ends by SIGTERM or with the
 * judge. */
static void daemonise_child(const struct role *role, int judge) {
    pid_t pid = fork();
    if (pid != 0) {
        return;
    }
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prove_to_be_alone(role, ".child");
    readable_within(judge, INT32_MAX);
    _exit(0);
}

/* From then on nobody may hold it, and who does is told by the answer. */
static bool told_to_stop;

static void take_the_word(const struct role *role, const struct terms *terms) {
    uint32_t released = atomic_load(&board->arena[role->arena].released);
    told_to_stop = true;
    if (terms->gentle && released != (uint32_t)getpid()) {
        violate("uncalled", (int)role->arena,
                "service %d is told to stop, and on_last_release was not called for it",
                (int)getpid());
    }
}

static void answer(int listener, const struct role *role) {
    static int open_ones[OPEN_MOST];
    static unsigned turn;
    char text[32];
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || atomic_load(&board->arena[role->arena].deaf) != 0) {
        close(fd);
        return;
    }
    int length = snprintf(text, sizeof text, "%d\n", told_to_stop ? -(int)getpid() : (int)getpid());
    send(fd, text, (size_t)length, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    /* The asker closes first, by a reset: else each answer would leave a port in TIME_WAIT. */
    if (open_ones[turn % OPEN_MOST] > 0) {
        close(open_ones[turn % OPEN_MOST]);
    }
    open_ones[turn++ % OPEN_MOST] = fd;
}

/* The nth start of a round fails or not by the seed. Who holds it already (it is not waited for)
 * sees it end. */
static void fail_on_purpose(const struct role *role, const struct terms *terms) {
    struct arena_board *a = &board->arena[role->arena];
    struct dice dice = dice_of(board->seed, 4000 + (uint64_t)role->arena,
                               ((uint64_t)role->round << 32) + atomic_fetch_add(&a->starts, 1));
    if (chance(&dice, terms->fails)) {
        tally(TALLY_FAILING);
        atomic_fetch_add(&a->failed, 1);
        victim_add((uint32_t)role->arena, getpid());
        if (!terms_call_back(terms)) { /* else its output is its client's, and so ours */
            fprintf(stderr, "fails on purpose\n");
        }
        _exit(3);
    }
}

/* By sd_notify(3), or at the pipe of the callback that waits. */
static void say_ready(const struct role *role) {
    notify_ready();
    if (role->ready_fd > 0) {
        ssize_t n = write((int)role->ready_fd, "r", 1);
        (void)n;
        close((int)role->ready_fd);
    }
}

int torture_service(const struct role *role) {
    struct terms terms = terms_of((uint32_t)role->arena, (uint32_t)role->round);
    int judge = hold_process((pid_t)board->judge);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_SETMASK, &term, NULL);
    signal(SIGCHLD, SIG_IGN);
    if (judge < 0) {
        return 0; /* the run is over */
    }
    if (terms.child) {
        daemonise_child(role, judge);
    }
    prove_to_be_alone(role, "");
    tally(TALLY_STARTED);
    if (terms.start_delay_ms > 0) {
        poll(NULL, 0, (int)terms.start_delay_ms);
    }
    if (terms.fails > 0) {
        fail_on_purpose(role, &terms);
    }
    bool hasty = atomic_load(&board->arena[role->arena].hasty) != 0;
    if (hasty) {
        say_ready(role);
        poll(NULL, 0, HASTY_MS);
    }
    struct pollfd fds[] = {{signalfd(-1, &term, SFD_CLOEXEC), POLLIN, 0},
                           {judge, POLLIN, 0},
                           {listen_unix(), POLLIN, 0},
                           {role->port > 0 ? listen_tcp(role->port) : -1, POLLIN, 0}};
    if (!hasty) {
        say_ready(role);
    }
    for (int64_t end_ms = INT64_MAX; now_ms() < end_ms;) {
        int64_t left = end_ms - now_ms();
        if (poll(fds, 4, left < INT32_MAX ? (int)left : -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            break;
        }
        if (fds[0].revents != 0) {
            take_the_word(role, &terms);
            fds[0].fd = -1; /* deaf to SIGTERM: SIGKILL must come */
            end_ms = terms.stubborn ? INT64_MAX : now_ms() + terms.stop_delay_ms;
        }
        for (int i = 2; i < 4; i++) {
            if (fds[i].revents != 0) {
                answer(fds[i].fd, role);
            }
        }
    }
    return 0;
}
