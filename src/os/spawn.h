/*
 * The port contract for spawning a pair from inside somebody else's process: no child that the
 * program could see in its wait(), no signal, no descriptor left, no thread, nothing shared but
 * what is said here.
 */
#ifndef PRI_OS_SPAWN_H
#define PRI_OS_SPAWN_H

#include "core/config.h"

/* What the keeper's program finds open when it starts. */
enum { PRI_FD_LISTENER = 3, PRI_FD_CONFIG = 4 };

/*
 * Takes the barrier and starts a pair behind it, which inherits the listener and the configuration.
 * 0: *ret_link is connected to it from birth. AGAIN: another pair has the barrier, connect to that.
 * LIMIT, NO_MEMORY, PERMISSION (all names are squatted), UNSUPPORTED or PLATFORM (the keeper's
 * program cannot be executed).
 */
int pri_spawn_pair(const struct pri_config *config, procref_waitable *ret_link, procref_error *err);

/* The keeper's program, carried in the library. */
extern const unsigned char pri_keeper_image[], pri_keeper_image_end[];

/*
 * Where the installed keeper is, seen from the shared library that carries pri_keeper_image: in the same
 * prefix, wherever that was moved. false if nobody can tell, and in a static library. Allocates
 * nothing, takes no lock: it is called in a child that shares its parent's memory.
 */
bool pri_keeper_beside(char *ret_path, size_t size);

#endif
