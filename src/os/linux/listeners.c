/*
 * Who listens: asked by sock_diag(7), which looks at listening sockets only and takes 30 us. The
 * fallback reads /proc/net/tcp, for which the kernel walks its whole table of connections: 5 ms on
 * a machine with much memory.
 */
#include "os/linux/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/linux/diag.h"

/* ---- sock_diag (linux/inet_diag.h) ------------------------------------------------------------
 */

struct socket_id {
    uint16_t source_port, target_port;
    uint32_t source[4], target[4];
    uint32_t interface, cookie[2];
};

struct diag_request {
    struct pri_diag_head head;
    uint8_t family, protocol, extensions, unused;
    uint32_t states;
    struct socket_id id;
};

struct diag_answer {
    struct pri_diag_head head;
    uint8_t family, state, timer, retransmits;
    struct socket_id id;
    uint32_t expires, receive_queue, send_queue, user, inode;
};

/* Whether a connection to 127.0.0.1 reaches the address: the wildcard, itself, or itself mapped
 * into IPv6. */
static bool is_loopback(const struct diag_answer *answer) {
    const uint32_t *at = answer->id.source, loopback = htonl(INADDR_LOOPBACK);
    if (answer->family == AF_INET) {
        return at[0] == 0 || at[0] == loopback;
    }
    bool mapped = at[0] == 0 && at[1] == 0 && at[2] == htonl(0xffff) && at[3] == loopback;
    return mapped || (at[0] | at[1] | at[2] | at[3]) == 0;
}

struct wanted {
    uint16_t port;
    struct pri_listeners *listeners;
};

static void take_answer(const char *bytes, size_t size, void *context) {
    const struct wanted *wanted = context;
    struct pri_listeners *ret = wanted->listeners;
    struct diag_answer answer = {0};
    memcpy(&answer, bytes, size < sizeof answer ? size : sizeof answer);
    if (ntohs(answer.id.source_port) == wanted->port && is_loopback(&answer) &&
        ret->count < PRI_LISTENERS_MOST) {
        ret->inodes[ret->count++] = answer.inode;
    }
}

static bool ask_family(int family, uint16_t port, struct pri_listeners *ret) {
    struct wanted wanted = {port, ret};
    struct diag_request request = {
        .family = (uint8_t)family, .protocol = IPPROTO_TCP, .states = PRI_DIAG_LISTENING};
    return pri_diag_ask(&request, sizeof request, take_answer, &wanted);
}

static bool ask_kernel(uint16_t port, struct pri_listeners *ret) {
    bool v4 = ask_family(AF_INET, port, ret);
    bool v6 = ask_family(AF_INET6, port, ret);
    return v4 && (v6 || ret->count > 0);
}

/* ---- /proc/net/tcp --------------------------------------------------------------------------- */

/* Whether the hexadecimal address is 127.0.0.1 or the wildcard, in IPv4, IPv6 or mapped form. The
 * kernel prints the words of an address in host byte order. */
static bool is_reached_by_loopback(const char *address) {
    char mapped[33];
    snprintf(mapped, sizeof mapped, "0000000000000000%08X%08X", (unsigned)htonl(0xffff),
             (unsigned)htonl(INADDR_LOOPBACK));
    return strspn(address, "0") == strlen(address) || strcmp(address, mapped) == 0 ||
           strcmp(address, mapped + 24) == 0;
}

/* One line of /proc/net/tcp: number, local address, remote address, state, queues, timer,
 * retransmits, user, timeout, inode. False where the listening sockets end: the kernel lists them
 * first, and there may be a hundred thousand connections after them. */
static bool read_listener(char *line, uint16_t port, struct pri_listeners *ret) {
    char *fields[10], *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(line, " ", &rest); word != NULL && count < 10;
         word = strtok_r(NULL, " ", &rest)) {
        fields[count++] = word;
    }
    if (count < 10 || strcmp(fields[0], "sl") == 0) {
        return true;
    }
    if (strcmp(fields[3], "0A") != 0) {
        return false;
    }
    char *colon = strchr(fields[1], ':');
    if (colon != NULL && strtoul(colon + 1, NULL, 16) == port) {
        *colon = '\0';
        if (is_reached_by_loopback(fields[1]) && ret->count < PRI_LISTENERS_MOST) {
            ret->inodes[ret->count++] = strtoull(fields[9], NULL, 10);
        }
    }
    return true;
}

static bool read_listeners(const char *path, uint16_t port, struct pri_listeners *ret) {
    char bytes[1024];
    size_t length = 0;
    bool more = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    while (more) {
        ssize_t part = read(fd, bytes + length, sizeof bytes - 1 - length);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            break;
        }
        length += (size_t)part;
        bytes[length] = '\0';
        char *line = bytes, *end;
        while (more && (end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            more = read_listener(line, port, ret);
            line = end + 1;
        }
        length -= (size_t)(line - bytes);
        memmove(bytes, line, length);
        if (length == sizeof bytes - 1) {
            break; /* no line of the kernel's is that long */
        }
    }
    close(fd);
    return true;
}

bool pri_listeners_find(uint16_t port, struct pri_listeners *ret) {
    ret->count = 0;
    if (ask_kernel(port, ret)) {
        return true;
    }
    ret->count = 0;
    bool v4 = read_listeners("/proc/self/net/tcp", port, ret);
    bool v6 = read_listeners("/proc/self/net/tcp6", port, ret);
    return v4 || v6;
}
