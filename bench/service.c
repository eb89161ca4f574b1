/*
 * The service of the benchmarks: `bench-service FIFO [PORT]`. It tells through the FIFO when it
 * begins and when it got its stop signal, by CLOCK_MONOTONIC; with a port it listens there. It ends
 * by itself after ten minutes: one benchmark leaves services that nobody stops.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LIFETIME_S = 600 };

static void say(int fifo, char what) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct {
        char what;
        int64_t when_ns;
    } tiding = {.what = what, .when_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
    (void)!write(fifo, &tiding, sizeof tiding);
}

static void listen_on(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        _exit(1);
    }
}

int main(int argc, char **argv) {
    int fifo = argc > 1 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    sigset_t stop;
    alarm(LIFETIME_S);
    for (int fd = 0; fd < 3; fd++) {
        if (fd != fifo) {
            close(fd); /* who reads the benchmark's output must not wait for a service that stays */
        }
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    if (argc > 2) {
        listen_on((uint16_t)atoi(argv[2]));
    }
    say(fifo, 'b');
    (void)sigwaitinfo(&stop, NULL);
    say(fifo, 's');
    return 0;
}
