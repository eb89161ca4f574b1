/* Talking to tests/helpers/pending.c, whose language stands there. */
#ifndef TEST_PENDING_H
#define TEST_PENDING_H

#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"
/* A start that was begun goes on for its start_timeout, wanted or not: longer than a machine
 * stalls, or it ends before who asked for less time looks. */
#define NEVER_READY "ready=exec:false start_timeout=4000"

struct client *loop_start(struct world *w);

/* As many acquires of a service, none of which is finished yet. */
void start(struct client *c, int service, int timeout_ms, int times);

struct looped {
    unsigned long held, failed, again, worst, dead, silent, timeouts, starts;
    char message[512];
};

/* The answer to a "loop" that was told; nothing was left over, and no waitable changed. */
struct looped looped(struct client *c);
/* Until nothing is pending. */
struct looped loop(struct client *c);

/* The number after key in the answer to the command. */
long value_of(struct client *c, const char *command, const char *key);
unsigned count_of(struct client *c, int service);

bool is_readable(struct client *c, int pending, int timeout_ms, const char *how);
void await_readable(struct client *c, int pending);
/* finish as often as its waitable asks for it, a few times at most. */
struct reply finished(struct client *c, int pending);
void assert_verb(const struct reply *r, const char *verb);

/* A service that is not ready before it is let. */
const char *gated(const struct world *w);
void let_it_be_ready(struct world *w);

/* A callback service whose start waits until the test opens the FIFO of this name. */
const char *with_fifo(struct world *w, const char *more);
/* Returns once a callback waits at the other end; it goes on when the descriptor is closed. */
int meet_callback(struct world *w);

#endif
