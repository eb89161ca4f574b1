/*
 * A small service for the demo: `server PORT [WITNESS]` answers lines on 127.0.0.1:PORT. PING gives
 * PONG, INCR the next number. It knows nothing of procref. When it starts and when it is told to
 * stop it adds a line with the time to the file WITNESS, so that the demo need not believe anyone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, LINE = 128 };

struct connection {
    int fd;
    size_t used;
    char line[LINE];
};

static long visits;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void witness(const char *path, const char *what, int64_t when_ns) {
    if (path == NULL) {
        return;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        const char *client = getenv("DEMO_CLIENT"); /* inherited from who started it */
        dprintf(fd, "%s %" PRId64 " %d %s\n", what, when_ns, (int)getpid(),
                client != NULL ? client : "-1");
        close(fd);
    }
}

static int listen_on(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        fprintf(stderr, "server: cannot listen on port %u: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void answer(int fd, const char *line) {
    char reply[64];
    if (strcmp(line, "PING") == 0) {
        snprintf(reply, sizeof reply, "PONG\n");
    } else if (strcmp(line, "INCR") == 0) {
        snprintf(reply, sizeof reply, "%ld\n", ++visits);
    } else {
        snprintf(reply, sizeof reply, "ERR only PING and INCR are known\n");
    }
    /* A client that is gone, or does not read, is not waited for. */
    (void)!send(fd, reply, strlen(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns false when the connection is over: end of file, error, or a line that is too long. */
static bool serve(struct connection *c) {
    ssize_t got = recv(c->fd, c->line + c->used, LINE - c->used, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    c->used += (size_t)got;
    for (char *end; (end = memchr(c->line, '\n', c->used)) != NULL;) {
        *end = '\0';
        answer(c->fd, c->line);
        size_t length = (size_t)(end + 1 - c->line);
        memmove(c->line, end + 1, c->used - length);
        c->used -= length;
    }
    return c->used < LINE;
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    if (end == NULL || *end != '\0' || port == 0 || port > 65535 || argc > 3) {
        fprintf(stderr, "usage: server PORT [WITNESS]\n");
        return 2;
    }
    const char *path = argv[2];
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);

    witness(path, "start", now_ns()); /* before it listens: then it counts as ready */
    struct connection connections[CONNECTIONS];
    struct pollfd polled[2 + CONNECTIONS] = {
        {.fd = signalfd(-1, &stop, SFD_CLOEXEC), .events = POLLIN},
        {.fd = listen_on((uint16_t)port), .events = POLLIN},
    };
    size_t count = 0;

    for (;;) {
        polled[1].events = count < CONNECTIONS ? POLLIN : 0; /* when full, others wait */
        if (poll(polled, 2 + count, -1) < 0 && errno != EINTR) {
            return 1;
        }
        if (polled[0].revents != 0) {
            witness(path, "stop", now_ns());
            return 0;
        }
        for (size_t i = count; i-- > 0;) {
            if (polled[2 + i].revents != 0 && !serve(&connections[i])) {
                close(connections[i].fd);
                connections[i] = connections[--count];
                polled[2 + i] = polled[2 + count];
            }
        }
        if (polled[1].revents != 0 && count < CONNECTIONS) {
            int fd = accept4(polled[1].fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0) {
                connections[count] = (struct connection){.fd = fd};
                polled[2 + count++] = (struct pollfd){.fd = fd, .events = POLLIN};
            }
        }
    }
}
