/*
 * The port contract for the record page: memory of the pair that clients map. Nobody can make it
 * shorter afterwards (a file that somebody may truncate kills its reader with SIGBUS).
 */
#ifndef PRI_OS_PAGES_H
#define PRI_OS_PAGES_H

#include "core/record.h"
#include "procref/procref.h"

/*
 * Whether a member of the pair that wrote the page lives: without a system call. When both are dead
 * nobody keeps the page true. The system changes a member's word when it ends in any way
 * (pri_pair_sign_life()).
 */
bool pri_record_is_kept(const struct pri_record *record);

/* Maps what a keeper handed out and closes the waitable in every case. NULL if it is not a record
 * page of this layout. */
struct pri_record *pri_record_map(procref_waitable page);
void pri_record_unmap(struct pri_record *record);

#endif
