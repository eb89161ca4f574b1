/* The port contract for TCP ports of this machine's loopback address. */
#ifndef PRI_OS_PORT_H
#define PRI_OS_PORT_H

#include "procref/procref.h"

/* A port that was free a moment ago; 0 if there is none. Somebody else may take it: see
 * pri_port_is_taken(). */
uint16_t pri_port_pick(void);

/* Whether somebody has the port now. */
bool pri_port_is_taken(uint16_t port);

#endif
