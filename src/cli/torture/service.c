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

enum { OPEN_MOST = 64 };

static int take_lock(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? fd : -1;
}

static void prove_to_be_alone(const struct role *role, const char *what) {
    char other[32] = "";
    const char *path = board_path("lock.%ld%s", role->arena, what);
    int fd = take_lock(path);
    if (fd < 0) {
        int seen = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = seen >= 0 ? read(seen, other, sizeof other - 1) : 0;
        other[n > 0 ? n : 0] = '\0';
        violate("two", (int)role->arena, "service %d%s starts while %s lives", (int)getpid(), what,
                other);
        return;
    }
    dprintf(fd, "%-12d", (int)getpid());
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

/* Each instance has a socket of its own, so nobody else can answer in its place. */
static int listen_unix(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.80s/sock/%d", board_dir, (int)getpid());
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) {
        fprintf(stderr, "cannot listen on %s: %s\n", address.sun_path, strerror(errno));
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

static void answer(int listener, const struct role *role) {
    static int open_ones[OPEN_MOST];
    static unsigned turn;
    char text[32];
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || atomic_load(&board->arena[role->arena].deaf) != 0) {
        close(fd);
        return;
    }
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    send(fd, text, (size_t)length, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    /* The asker closes first, by a reset: else each answer would leave a port in TIME_WAIT. */
    if (open_ones[turn % OPEN_MOST] > 0) {
        close(open_ones[turn % OPEN_MOST]);
    }
    open_ones[turn++ % OPEN_MOST] = fd;
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
    struct pollfd fds[] = {{signalfd(-1, &term, SFD_CLOEXEC), POLLIN, 0},
                           {judge, POLLIN, 0},
                           {listen_unix(), POLLIN, 0},
                           {role->port > 0 ? listen_tcp(role->port) : -1, POLLIN, 0}};
    notify_ready();
    if (role->ready_fd > 0) {
        ssize_t n = write((int)role->ready_fd, "r", 1);
        (void)n;
        close((int)role->ready_fd);
    }
    for (;;) {
        if (poll(fds, 4, -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0 || (fds[0].revents != 0 && !terms.stubborn)) {
            break;
        }
        if (fds[0].revents != 0) {
            fds[0].fd = -1; /* deaf to SIGTERM: SIGKILL must come */
        }
        for (int i = 2; i < 4; i++) {
            if (fds[i].revents != 0) {
                answer(fds[i].fd, role);
            }
        }
    }
    unlink(board_path("sock/%d", (int)getpid()));
    return 0;
}
