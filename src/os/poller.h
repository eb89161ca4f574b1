/* The port contract for waiting on many waitables and a deadline at once (epoll, kqueue, IOCP).
 * Level-triggered. */
#ifndef PRI_OS_POLLER_H
#define PRI_OS_POLLER_H

#include <stdint.h>

#include "procref/procref.h"

enum { PRI_POLLER_EVENTS = 32 };

int pri_poller_open(procref_waitable *ret_poller);
/* tag comes back from wait. 0 or LIMIT, NO_MEMORY. */
int pri_poller_add(procref_waitable poller, procref_waitable waitable, uint64_t tag);
void pri_poller_remove(procref_waitable poller, procref_waitable waitable);
/* How many of ret_tags were filled; 0: the deadline passed or a signal came. */
int pri_poller_wait(procref_waitable poller, int64_t deadline_ns,
                    uint64_t ret_tags[PRI_POLLER_EVENTS]);

/*
 * Ends of children. A waitable that is readable when a child may have ended (and the pair's nudge,
 * which is an ordinary waitable that another process of the pair can signal).
 */
int pri_children_open(procref_waitable *ret_children); /* from now on no child's end is missed */
void pri_children_drain(procref_waitable children);
void pri_children_close(
    procref_waitable children); /* the caller goes on to wait with pri_pair_wait() */
/* A child that has ended, and is there until it is reaped; 0: none. */
uint32_t pri_children_ended(void);
int pri_children_reap(uint32_t pid); /* … its status, as by waitpid(2) */

int pri_nudge_open(procref_waitable *ret_nudge);
void pri_nudge(procref_waitable nudge);
void pri_nudge_drain(procref_waitable nudge);

#endif
