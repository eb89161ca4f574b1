/*
 * The record page: a sealed memory file of the pair, mapped by every client. The keeper writes what
 * is up and gives each client process a slot; a client marks in its slot that it holds, by a plain
 * store. Nothing in it is believed without a look at the process it names; it serves nested
 * acquires, people, and the holders of a counter that somebody removed.
 */
#ifndef PRI_RECORD_H
#define PRI_RECORD_H

#include <stdatomic.h>
#include <stdint.h>

enum { PRI_RECORD_MAGIC = 0x70726572, PRI_RECORD_SLOTS = 32767, PRI_NO_SLOT = -1 };

struct pri_slot {
    _Atomic uint32_t
        held; /* 0, or the stamp of the counter in which this process holds a reference */
    _Atomic uint32_t pid; /* 0: free */
    _Atomic uint64_t start;
};

struct pri_record {
    uint32_t magic, layout;
    _Atomic uint32_t ready; /* 0, or the generation that is up */
    _Atomic uint32_t used;  /* slots 0 … used - 1 were ever given out */
    _Atomic uint32_t keeper,
        standby; /* signs of life that the system itself takes back (os/pages.h) */
    struct pri_slot slots[PRI_RECORD_SLOTS];
};

#endif
