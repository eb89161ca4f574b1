/* Which sockets listen on a TCP port of the loopback address, by the inodes that /proc/PID/fd
 * shows. Private to Linux. */
#ifndef PRI_OS_LINUX_LISTENERS_H
#define PRI_OS_LINUX_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PRI_LISTENERS_MOST = 16
}; /* more than one only with SO_REUSEPORT, or one for each IP version */

struct pri_listeners {
    unsigned count;
    uint64_t inodes[PRI_LISTENERS_MOST];
};

/* False if the system does not tell at all. */
bool pri_listeners_find(uint16_t port, struct pri_listeners *ret);

#endif
