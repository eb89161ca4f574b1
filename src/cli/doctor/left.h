/* What doctor's search for leftovers found; private to leftovers.c and left.c. */
#ifndef CLI_DOCTOR_LEFT_H
#define CLI_DOCTOR_LEFT_H

#include "cli/doctor/doctor.h"

/* A set's fingerprint has the hash's lower 60 bits and its key tells three more; the top one is
 * open. */
#define LEFT_TOP (UINT64_C(1) << 63)

struct left {
    uint64_t hash;
    bool half;              /* the top bit of hash is not known */
    bool raw;               /* a raw counter's, not a service's */
    bool keeper;            /* the set says that a keeper is alive */
    int set;                /* the number of its semaphore set; -1: none */
    int refs;               /* in the set */
    char *hint;             /* path of its hint; NULL: none */
    bool process_is_hinted; /* the process that the hint names is alive */
    bool no_process;        /* the hint says that it is up without one: only ExecStop= ends it */
};

struct left_all {
    struct left *list;
    size_t count;
    struct doctor_marked *marked; /* processes */
    size_t marked_count;
};

bool left_same(const struct left *left, uint64_t hash);

/* Whether the set is still there and this one's. */
bool left_set_is(const struct left *left);

/* Whether the process is in our IPC and network namespaces. */
bool left_same_namespaces(uint32_t pid);

void left_remove_hint(const char *path); /* and the metadata beside it */

void left_find_sets(struct left_all *all);
void left_find_hints(struct left_all *all, const char *const *folders);
void left_find_processes(struct left_all *all); /* whose service has neither set nor hint */
void left_free(struct left_all *all);

#endif
