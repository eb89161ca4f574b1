/* What the kernel tells of sockets: sock_diag(7). Private to Linux; musl has no linux/ headers, so
 * the structures stand where they are used. */
#ifndef PRI_OS_LINUX_DIAG_H
#define PRI_OS_LINUX_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRI_DIAG_LISTENING = 1U << 10, /* a set of states (TCP_LISTEN, also for Unix sockets) */
};

/* Before each request and each answer (linux/netlink.h). */
struct pri_diag_head {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
};

/*
 * Asks for all sockets that the request selects; its head is filled here. `take` sees each answer,
 * head included, of `size` bytes. False: the kernel does not tell. Allocates nothing, for it is
 * also called in a child that shares its parent's memory; needs one descriptor.
 */
bool pri_diag_ask(void *request, size_t size,
                  void (*take)(const char *answer, size_t size, void *context), void *context);

/*
 * The user who made the abstract socket of this type and name (bytes, the first is 0) that listens:
 * its fsuid at socket(2). -1: not known, or there is none. Linux 5.3, CONFIG_UNIX_DIAG, and a
 * sandbox that allows AF_NETLINK.
 */
int64_t pri_diag_unix_owner(int type, const char *name, size_t length);

#endif
