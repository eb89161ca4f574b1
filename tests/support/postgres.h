/*
 * A real PostgreSQL in a world: its programs, a cluster of its own, programs that use it, and what
 * must be gone when it has ended.
 *
 * PostgreSQL refuses to run as root, and a service belongs to the user who acquires it: when the
 * test is root's, all clients become an ordinary user first. The test itself stays what it is.
 */
#ifndef TEST_POSTGRES_H
#define TEST_POSTGRES_H

#include "support/world.h"

/* False, and the reason on stdout, if the tests must be skipped. Puts its programs into PATH. */
bool postgres_can_run(void);

/* A client that may use PostgreSQL; helper: "client", or another that speaks as it does. */
struct client *postgres_client(struct world *w, const char *helper);

/* initdb, by a client, into the world's folder `data`: user postgres, no password. */
void postgres_make_cluster(struct world *w);

/* A new session begins on the port at once, or the test fails: "the database system is starting up"
 * is no answer. */
void assert_postgres_serves(unsigned port);

/* ---- a shell command that a client runs, beside what else it does ---- */

struct job {
    struct world *world;
    char status[160]; /* a file that exists once it has ended */
    char output[160];
};

/* Begins it. It goes on if the client is killed. name: of its files. */
struct job job_begin(struct client *c, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool job_done(const struct job *job);
/* Waits for its end, which must be status 0; its output, valid until the next call. */
const char *job_succeeded(const struct job *job);

/* pgbench on the port, for so long; extra: more of its options. job_succeeded() is asked by
 * pgbench_saw_no_error(). */
struct job pgbench_begin(struct client *c, const char *name, unsigned port, int seconds,
                         const char *extra);
void pgbench_saw_no_error(const struct job *job);

/* ---- everything of one running PostgreSQL ---- */

struct postgres {
    struct watched postmaster;
    struct watched children[64];
    size_t children_count;
    struct {
        bool is_file; /* POSIX: a path; System V: an id */
        unsigned long id;
        char path[128];
    } memory[16];
    size_t memory_count;
};

/* Looks at it while it runs; there must be children and shared memory. */
void postgres_look(struct postgres *p, pid_t postmaster);

/* Waits until none of its processes is left; then no shared memory, no semaphore set and no pid
 * file may be left, and the data must be those of a clean, fast shutdown that is in this log. */
void postgres_ended_cleanly(struct world *w, struct postgres *p, const char *log);

#endif
