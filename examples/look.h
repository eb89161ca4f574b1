/*
 * The demo's witness: what the kernel says is there, read from /proc and semctl(2). It knows how a
 * keeper calls itself ("procref-keeper NAME") and asks procref for nothing else.
 */
#ifndef EXAMPLE_LOOK_H
#define EXAMPLE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LOOK_SETS = 32768, LOOK_FEW = 32, LOOK_SOCKET = 112 };

struct look_sets {
    size_t count;
    int ids[LOOK_SETS]; /* an id that was removed is not soon used again */
};

/* Every semaphore set of this user. */
void look_sets(struct look_sets *sets);

/*
 * The sets that are in now, not in before, and were last operated on by one of these processes. The
 * kernel remembers that also of the dead; somebody else's new set is not taken for ours.
 */
size_t look_new_sets(const struct look_sets *before, const struct look_sets *now, const pid_t *pids,
                     size_t pid_count, int *ret_ids /* [LOOK_FEW] */);

/* Every process with mark ("KEY=VALUE") in its environment or "procref-keeper NAME" for a title. */
size_t look_marked(const char *mark, const char *name, pid_t *ret_pids /* [LOOK_FEW] */);

/* Those that call themselves "procref-keeper NAME". */
size_t look_keepers(const char *name, pid_t *ret_pids /* [LOOK_FEW] */);

pid_t look_parent(pid_t pid);

/* The children of pid, and theirs. */
size_t look_descendants(pid_t pid, pid_t *ret_pids /* [LOOK_FEW] */);

/* Shared memory that outlives who made it: of System V (an id), or a file of POSIX's (a path). */
struct look_memory {
    bool is_file;
    unsigned long id;
    char path[128];
};

/* What pid has mapped of it now. */
size_t look_memory(pid_t pid, struct look_memory *ret_memory /* [LOOK_FEW] */);

bool look_memory_exists(const struct look_memory *memory);

/* Abstract sockets that pid has open, as /proc/net/unix shows them ("@…"). */
size_t look_sockets(pid_t pid, char (*ret_names)[LOOK_SOCKET] /* [LOOK_FEW] */);

bool look_socket_exists(const char *name);

#endif
