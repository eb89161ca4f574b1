/* What the service is started with; see start.c. */
#ifndef PRI_START_H
#define PRI_START_H

#include "keeper/keeper.h"

enum { PRI_NOTIFY_SIZE = 128 };

/* Valid until pri_start_forget(). */
struct pri_start {
    char **argv, **envp;
    char *dir, *ready;
    char *notify; /* room for "NOTIFY_SOCKET=…", to become envp's last entry */
};

/* False without memory. */
bool pri_start_make(struct pri_keeper *k, struct pri_start *s);
void pri_start_forget(struct pri_keeper *k);

#endif
