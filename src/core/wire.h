/*
 * What clients and keeper say to each other, in packets: one request, at most one answer. A client
 * that is elected to run a callback reports more on the same connection. Both ends are the same
 * user's, on the same machine. The first two fields never change their place, so that two versions
 * can tell each other that they are two.
 */
#ifndef PRI_WIRE_H
#define PRI_WIRE_H

#include <stddef.h>

#include "core/config.h"

enum { PRI_WIRE_MAGIC = 0x70726377, PRI_WIRE_VERSION = 2 };

enum pri_ask {
    PRI_ASK_ACQUIRE = 1, /* answered by UP, START or FAILED, when it is known */
    PRI_ASK_GONE, /* release_wait: UP if the service stays, else the end of file when it is stopped
                   */
    PRI_ASK_RELEASED, /* a holder of a removed counter let go; not answered */
    PRI_ASK_CLOSE,    /* the last one releases: answered by CLOSE, DETACH or STAYS */
    /* by who was told START; its packets are struct pri_report */
    PRI_REPORT_NAMED,  /* the service's process: answered by ACK */
    PRI_REPORT_READY,  /* the callback returned 0: answered by UP or FAILED */
    PRI_REPORT_FAILED, /* it did not; not answered */
};

enum {
    PRI_ASK_SHARE = 1,
    PRI_ASK_NO_START = 2,
    PRI_ASK_UNHEALTHY = 4, /* it holds a reference, and on_health_check said no to `generation` */
    PRI_ASK_RECOVERS = 8,  /* it has on_recover */
};

struct pri_request {
    uint32_t magic, version;
    uint32_t ask, flags;
    uint64_t hash;       /* of the full name */
    uint64_t start;      /* when the client's process started */
    uint32_t generation; /* with GONE, CLOSE and UNHEALTHY: which one */
    int32_t slot;        /* on the record page, from last time; PRI_NO_SLOT */
    uint64_t parts[PRI_PART_COUNT];
    char name[PRI_NAME_SIZE];
};

enum pri_tell {
    PRI_TELL_UP =
        1, /* attach(generation), then close the connection; the record page comes with it */
    PRI_TELL_FAILED, /* the error */
    PRI_TELL_START, /* enter(generation), run the callback, report; the record page comes with it */
    PRI_TELL_RECOVER, /* the same, with on_recover: pid, start, port are the old ones */
    PRI_TELL_ACK,     /* the process is on record */
    PRI_TELL_CLOSE,   /* enter(generation), run on_last_release, leave, detach */
    PRI_TELL_DETACH,  /* detach: nothing is to be run */
    PRI_TELL_STAYS,   /* others hold it now: detach as one of many */
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
    /* with FAILED only: the others are sent without what follows */
    int64_t os_code;
    int32_t code;
    char op[32];
    char message[512];
    char detail[4096];
};
enum { PRI_ANSWER_HEAD = offsetof(struct pri_answer, os_code) };

/* What an elected client sends: the head alone (NAMED), or with what belongs to it. */
struct pri_report_head {
    uint32_t magic, version;
    uint32_t ask;
    uint32_t pid;
    uint64_t start;
    uint16_t port, unused[3];
};

struct pri_report_failed {
    struct pri_report_head head;
    int64_t os_code;
    int32_t code;
    char op[32];
    char message[512];
    char detail[4096];
};

struct pri_report_ready {
    struct pri_report_head head;
    uint32_t metadata_size; /* only so much of it is sent */
    char metadata[PROCREF_METADATA_MAX];
};

#endif
