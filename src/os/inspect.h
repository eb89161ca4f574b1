/*
 * The port contract for what people want to know and programs do not: which services of this user
 * are kept, and how a process was called. Only the command uses it; nothing of it is believed
 * without a look at what it names.
 */
#ifndef PRI_OS_INSPECT_H
#define PRI_OS_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include "procref/procref.h"

/*
 * The hashes (struct pri_ident) under which somebody listens for clients of this user. Who that is
 * pri_rendezvous_connect() tells. *ret_hashes is the caller's, for free(). Linux: /proc/net/unix;
 * so only this network namespace's.
 */
int pri_inspect_services(uint64_t **ret_hashes, size_t *ret_count, procref_error *err);

/* Who has listened at the other end: one of the pair, maybe dead by now. 0: unknown. */
uint32_t pri_inspect_listener(procref_waitable link);

/* The user who made this listener, as the kernel tells anybody: by that a full queue is known to be
 * ours or a stranger's. -1: it does not tell. */
int64_t pri_inspect_owner(procref_waitable listener);

/* The process's arguments, "arg\0arg\0", cut to size - 1 bytes; or its name if it shows none. The
 * length, with each argument's end; -1: no such process. */
ptrdiff_t pri_inspect_command(uint32_t pid, char *to, size_t size);

/* Whether the process was stopped by a signal. */
bool pri_inspect_is_stopped(uint32_t pid);

#endif
