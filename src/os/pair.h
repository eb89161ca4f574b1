/*
 * The port contract for what a pair is made of: a process that sheds its starter, memory that its
 * members share, and the forking and waiting by which one watches over the other.
 */
#ifndef PRI_OS_PAIR_H
#define PRI_OS_PAIR_H

#include "core/record.h"
#include "procref/procref.h"

/*
 * Lets go of everything of the client: signals (mask and dispositions), terminal and session,
 * folder, umask, priority, out-of-memory score, affinity. *ret_files_soft is the starter's soft
 * limit of open files, which is raised here, to *ret_files. False if even that is refused.
 */
bool pri_pair_shed(uint64_t *ret_files_soft, uint64_t *ret_files);

/* Makes orphans of what is below come to this process. To be called in each member: fork does not
 * pass it on. */
void pri_pair_adopt_orphans(void);

/* Puts a sign of life into word that the system itself takes back when this process ends, however.
 * One word for each process. */
void pri_pair_sign_life(_Atomic uint32_t *word);

/* What pri_spawn_pair() left: the listener, and the configuration's bytes mapped for reading.
 * False: started by hand. */
bool pri_pair_inherit(procref_waitable *ret_listener, const void **ret_config, size_t *ret_size);

/* Zeroed memory that stays shared with forked processes; NULL without memory. */
void *pri_pair_share(size_t size);

/* The record page, and the waitable by which clients map it; nobody can make it shorter. */
struct pri_record *pri_record_make(procref_waitable *ret_page);

/* A pipe, not inherited by default: [0] is read by pri_pipe_take() and can be polled, [1] is for a
 * child. */
int pri_pipe_open(procref_waitable ret[2]);
/* 1: a byte was there; 0: all of the other ends are closed; AGAIN: neither. */
int pri_pipe_take(procref_waitable pipe);

/* The other member: 0 in the child, its pid in the parent, -1 if there are no processes left. */
int32_t pri_pair_fork(void);

/* Waits for the end of any child. Its pid, or 0 if there is none. */
uint32_t pri_pair_wait(int *ret_status);

#endif
