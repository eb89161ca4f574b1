/*
 * The PostgreSQL cluster (its folder of data) that the demo shares: made before the demo begins,
 * examined after PostgreSQL has ended. Its folder is what the environment's PGDATA names.
 */
#ifndef EXAMPLE_CLUSTER_H
#define EXAMPLE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes one with the user `postgres`, no password, and the sequence `visits`. False: *ret_why is
 * the last line that the programs wrote. */
bool cluster_make(char *ret_why, size_t size);

/* What pg_controldata(1) says of its state: "shut down" after a clean shutdown, "in production"
 * after a crash. */
void cluster_state(char *ret_state, size_t size);

/* What a postmaster has there while it runs: its pid file, its socket. The names of those that are
 * there, "" if none. */
void cluster_left(uint16_t port, char *ret_names, size_t size);

/*
 * When PostgreSQL was told to stop, and when it had shut down, by its log, whose lines begin with
 * the time ("%n"). Nanoseconds of CLOCK_MONOTONIC, 0 if it does not say. It tells milliseconds: the
 * last nanosecond of that millisecond is returned, so that nothing seems earlier than it was.
 */
void cluster_read_log(const char *log, int64_t *ret_told_ns, int64_t *ret_shut_ns);

void cluster_remove(void);

#endif
