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

#include "procref/procref.h"

enum {
    PRI_RECORD_MAGIC = 0x70726572,
    PRI_RECORD_LAYOUT = 3,
    PRI_RECORD_SLOTS = 32767,
    PRI_NO_SLOT = -1
};

struct pri_slot {
    _Atomic uint32_t
        held; /* 0, or the stamp of the counter in which this process holds a reference */
    _Atomic uint32_t pid; /* 0: free */
    _Atomic uint64_t start;
    _Atomic uint32_t calls; /* 0, or the stamp of the counter in which it runs a callback */
    uint32_t unused;
    _Atomic int64_t since_ms; /* wall clock when the keeper last told it "up"; 0: not yet */
};

struct pri_record {
    uint32_t magic, layout;
    _Atomic uint32_t ready; /* 0, or the generation that is up */
    _Atomic uint32_t used;  /* slots 0 … used - 1 were ever given out */
    _Atomic uint32_t keeper,
        standby; /* signs of life that the system itself takes back (os/pages.h) */
    struct pri_slot slots[PRI_RECORD_SLOTS];
    /* What on_first_acquire had to say beside pid and port: "key\0value\0" and so on. Written
     * before the generation is up, and constant until the next one starts. */
    _Atomic uint32_t metadata_generation; /* whose it is; 0: nobody's */
    uint32_t metadata_size;
    char metadata[PROCREF_METADATA_MAX];
};

#endif
