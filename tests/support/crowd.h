/*
 * What a crowded program does around procref: many threads that hold and let go while others fork,
 * spawn and exec; its own ways with SIGCHLD; signals by the thousand; descriptors closed under
 * everybody's feet. For the helper programs: nothing here asserts.
 *
 *   crowd MS THREADS FORKERS   threads acquire and release, nested or not, while forkers make
 *                              children by fork, fork and exec, posix_spawn, vfork and exec; a
 *                              forked child releases what its parents hold and acquires its own
 *                              -> crowded held= children= n=(what went wrong) message=(the first)
 *   sigchld nowait             SA_NOCLDWAIT                              -> ok
 *   sigchld handler            a handler that waits for all children
 *   sigchld thread             a thread that waits for all children, at once and again and again
 *   sigchld greedy             the same with __WALL: also those that are not meant for it
 *   reaped                     how many these have waited for            -> reaped n=
 *   handle_realtime            handlers without SA_RESTART for all real-time signals
 *   handled                    how many signals came to them             -> handled n=
 *   queue PID MS               real-time signals for another process, as fast as they can be queued
 *   closefrom N                closefrom(3)
 *   scribble FIRST LAST        a thread writes text to these descriptors from now on
 */
#ifndef TEST_CROWD_H
#define TEST_CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "procref/procref.h"

bool crowd_knows(const char *verb);
void crowd_do(procref_service *service, char *const *words, size_t count, char *answer,
              size_t size);

#endif
