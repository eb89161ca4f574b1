/*
 * What clients and keeper say to each other: one request, at most one answer, in packets. Both ends
 * are the same user's, on the same machine. The first two fields never change their place, so
 * that two versions can tell each other that they are two.
 */
#ifndef PRI_WIRE_H
#define PRI_WIRE_H

#include "core/config.h"

enum { PRI_WIRE_MAGIC = 0x70726377, PRI_WIRE_VERSION = 1 };

enum pri_ask {
    PRI_ASK_ACQUIRE = 1, /* answered by UP or FAILED, when it is known */
    PRI_ASK_GONE, /* release_wait: UP if the service stays, else the end of file when it is stopped
                   */
    PRI_ASK_RELEASED, /* a holder of a removed counter let go; not answered */
};

enum { PRI_ASK_SHARE = 1, PRI_ASK_NO_START = 2 };

struct pri_request {
    uint32_t magic, version;
    uint32_t ask, flags;
    uint64_t hash;       /* of the full name */
    uint64_t start;      /* when the client's process started */
    uint32_t generation; /* with GONE: which one */
    int32_t slot;        /* on the record page, from last time; PRI_NO_SLOT */
    uint64_t parts[PRI_PART_COUNT];
    char name[PRI_NAME_SIZE];
};

enum pri_tell {
    PRI_TELL_UP =
        1, /* attach(generation), then close the connection; the record page comes with it */
    PRI_TELL_FAILED, /* the error */
};

struct pri_answer {
    uint32_t magic, version;
    uint32_t tell, generation;
    int32_t slot;
    uint32_t pid;
    uint64_t start;
    uint64_t parts[PRI_PART_COUNT]; /* of what runs */
    uint16_t port;
    uint16_t unused[3];
    /* with FAILED only: UP is sent without what follows */
    int64_t os_code;
    int32_t code;
    char op[32];
    char message[512];
    char detail[4096];
};

#endif
