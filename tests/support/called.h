/* For tests of services that their clients' own functions start and stop (callbacks.h). */
#ifndef TEST_CALLED_H
#define TEST_CALLED_H

#include "support/world.h"

#define ON_PORT "--port ${PORT}"
#define CB "callbacks=1 "

struct client *opened(struct world *w, const char *settings);
void open_all(struct world *w, struct client **clients, size_t count, const char *settings);
void tell_all(struct client **clients, size_t count);
/* All hold the same. */
struct reply held_by_all(struct client **clients, size_t count);
void release_all(struct client **clients, size_t count);
/* "gate=WHERE:FIFO"; static, two at a time. */
const char *gate_at(const struct world *w, const char *where);
void await_gate(struct world *w, const char *where);
void open_gate(const struct world *w, const char *where);
/* "health=FILE" and what else; static. */
const char *with_health(const struct world *w, const char *more);
void make_sick(const struct world *w);
void assert_recovered_once(const struct world *w, const struct reply *old);
void assert_balanced(const struct world *w);
bool is_there(const char *path);
pid_t kill_keeper(const struct world *w);

#endif
