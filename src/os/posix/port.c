/* Picking a free TCP port with the sockets interface (os/port.h). */
#include "core/crash.h"
#include "os/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket bound to 127.0.0.1:port, 0 for any that is free; -1 with errno. */
static int bind_port(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* For a named port: else the closed connections of the last start (TIME_WAIT) would look like
     * somebody else. For any: with it the kernel may give one that another has bound already and
     * does not listen on yet. */
    if (port != 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int os = errno;
        close(fd);
        errno = os;
        return -1;
    }
    return fd;
}

/* PROCREF_FAULT=stealport: somebody else takes the first port between our look and the service's
 * bind. */
static bool steal(int fd) {
    static int thief = -1;
    if (!pri_fault("stealport")) {
        return false;
    }
    if (thief < 0) {
        thief = fd;
        return listen(fd, 1) == 0;
    }
    close(thief);
    return false;
}

uint16_t pri_port_pick(void) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = bind_port(0);
    if (fd < 0) {
        return 0;
    }
    bool known = getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    if (!steal(fd)) {
        close(fd);
    }
    return known ? ntohs(address.sin_port) : 0;
}

bool pri_port_is_taken(uint16_t port) {
    int fd = bind_port(port);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    return errno == EADDRINUSE;
}
