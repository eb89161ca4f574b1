/* What a process of the service is started with; see start.c. */
#ifndef PRI_START_H
#define PRI_START_H

#include <stdbool.h>
#include <stddef.h>

#include "core/plan.h"

struct pri_keeper;

enum { PRI_NOTIFY_SIZE = 128 };

/* Which command: the configuration's, a step of its plan, or what holds the services that it
 * requires. */
struct pri_start_of {
    const struct pri_plan_step *step;
    bool holder;
};

/* Valid until pri_start_forget(). */
struct pri_start {
    char **argv, **envp;
    char *program, *dir, *ready;
    char *notify; /* room for "NOTIFY_SOCKET=…", to become envp's last entry */
    /* private */
    void *environment, *arguments;
    size_t environment_size, arguments_size;
};

/* False without memory; there is nothing to forget then. */
bool pri_start_make(const struct pri_keeper *k, struct pri_start_of what, struct pri_start *s);
void pri_start_forget(struct pri_start *s);

#endif
