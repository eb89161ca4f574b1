/*
 * What the demo's clients share: the service's configuration, and how one talks to it. There are
 * three kinds: "server" is the small one beside this file, "redis" the real redis-server from PATH,
 * "postgres" the real PostgreSQL from PATH, on the cluster that the environment's PGDATA names.
 */
#ifndef EXAMPLE_SHARED_H
#define EXAMPLE_SHARED_H

#include <procref/procref.h>

#include <limits.h>

struct shared {
    procref_service_config config; /* points into the rest, so this struct must stay where it is */
    const char *command[16];
    char server[PATH_MAX];
};

/* base_dir and witness may be NULL. Returns false when the kind is unknown. */
bool shared_fill(struct shared *shared, const char *kind, const char *name, const char *base_dir,
                 const char *witness);

/* PING, then INCR (in SQL: nextval of the sequence `visits`), over a new connection. False if PING
 * was not answered by PONG or INCR by a number. */
bool shared_ask(const char *kind, uint16_t port, long *ret_count);

/* A file beside the running program. */
void beside_me(const char *file, char *to /* [PATH_MAX] */);

#endif
