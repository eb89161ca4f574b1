/* The port contract for a file that somebody else is about to make, perhaps with the folders that
 * it is to lie in. */
#ifndef PRI_OS_ARRIVAL_H
#define PRI_OS_ARRIVAL_H

#include "procref/procref.h"

/*
 * A waitable that is readable when something has changed on the way to the file at path (absolute):
 * it was written or moved there, or a folder above it came or went. It may be readable for nothing.
 * -1 when there is none to be had. Who begins to wait looks for the file after this call: what came
 * before it is not told.
 */
procref_waitable pri_arrival_watch(const char *path);

/* To be called when it is readable, and the file to be looked for after it. */
void pri_arrival_follow(procref_waitable arrival, const char *path);

void pri_arrival_close(procref_waitable arrival);

#endif
