/* What is known of a running service, inside the library. */
#ifndef PRI_INFO_H
#define PRI_INFO_H

#include <stdatomic.h>

#include "os/process.h"

/* Inside on_first_acquire and on_recover: how the keeper learns of the process at once. */
struct pri_naming {
    int (*name)(struct pri_naming *naming, const struct pri_process *process);
};

struct procref_info {
    uint32_t users; /* of a handle's: handles and the shared object, guarded by the shared lock;
                       else 1 */
    uint32_t generation;
    struct pri_process process;
    uint16_t port;
    bool sealed; /* others have it: it does not change any more */
    _Atomic bool
        watched; /* somebody waits for its end, and will acquire again at once when it comes */
    uint32_t metadata_size;
    char *metadata; /* "key\0value\0" and so on; NULL: none */
    struct pri_naming *naming;
};

procref_info *pri_info_make(void); /* all zero, one user; NULL without memory */

/* Takes one user away; frees it with its last. NULL is nothing. */
void pri_info_put(procref_info *info);

/* Replaces the metadata by a copy of what somebody else sent; what is not as it should be counts as
 * none. False without memory. */
bool pri_info_load(procref_info *info, const char *bytes, size_t size);

#endif
