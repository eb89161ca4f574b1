/* The port contract for files that a service writes to: to be told that one has grown, and one that
 * has no name. */
#ifndef PRI_OS_GROWTH_H
#define PRI_OS_GROWTH_H

#include <stdbool.h>

#include "procref/procref.h"

/* A waitable for pri_growth_arm(); -1 if there is none to be had. */
procref_waitable pri_growth_open(void);
void pri_growth_close(procref_waitable growth);

/*
 * The waitable is readable once the file has been written to after this call; then there is silence
 * until it is armed again, so that a service that writes all the time does not wake the keeper each
 * time. False: nothing will be told.
 */
bool pri_growth_arm(procref_waitable growth, int file);

/* Makes it unreadable again; true if it was readable. */
bool pri_growth_take(procref_waitable growth);

/* A file in memory, without a name, that is appended to and whose growth is told; -1: none. */
int pri_growth_unnamed(void);

#endif
