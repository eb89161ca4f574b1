/*
 * What clients and keeper say to each other, in packets: one request, at most one answer. A client
 * that is elected to run a callback reports more on the same connection. The command's questions
 * (STATUS, STOP) come the same way, and never start anything: who asks them only connects. Both
 * ends are the same user's, on the same machine. The first two fields never change their place, so
 * that two versions can tell each other that they are two.
 */
#ifndef PRI_WIRE_H
#define PRI_WIRE_H

#include <stddef.h>

#include "core/config.h"

enum { PRI_WIRE_MAGIC = 0x70726377, PRI_WIRE_VERSION = 3 };

enum pri_ask {
    PRI_ASK_ACQUIRE = 1, /* answered by UP, START or FAILED, when it is known */
    PRI_ASK_GONE,        /* release_wait: STAYS if the service does, else the end of file when it is
                            stopped */
    PRI_ASK_RELEASED,    /* a holder of a removed counter let go; not answered */
    PRI_ASK_CLOSE,       /* the last one releases: answered by CLOSE, DETACH or STAYS */
    /* by who was told START or RECOVER; what is sent is a struct pri_report_head, or one that
     * begins with it */
    PRI_REPORT_NAMED,  /* the service's process: answered by ACK */
    PRI_REPORT_READY,  /* the callback returned 0: answered by UP or FAILED */
    PRI_REPORT_FAILED, /* it did not: answered by FAILED, when all of it has ended */
    /* of the command */
    PRI_ASK_STATUS, /* answered at once, in any state, by a struct pri_status and the record page */
    PRI_ASK_STOP,   /* the end of file when it is stopped; or STOPPED, HELD or STAYS */
};

enum {
    PRI_ASK_SHARE = 1,
    PRI_ASK_NO_START = 2,
    PRI_ASK_UNHEALTHY = 4, /* it holds a reference, and on_health_check said no to `generation` */
    PRI_ASK_RECOVERS = 8,  /* it has on_recover */
    PRI_ASK_FORCE = 16,    /* STOP: also while somebody holds it */
    PRI_ASK_WATCH = 32,    /* STATUS: the connection stays, and ends with the keeper */
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
    PRI_TELL_STAYS,   /* others hold it now: detach as one of many; or it was not stopped */
    PRI_TELL_STATUS,  /* a struct pri_status */
    PRI_TELL_HELD,    /* not stopped: somebody holds it, or is about to */
    PRI_TELL_STOPPED, /* nothing of it runs; the keeper stays with those who hold it */
};

struct pri_answer {
    uint32_t magic, version;
    uint32_t tell, generation;
    int32_t slot;
    uint32_t pid;
    uint64_t start;
    uint64_t parts[PRI_PART_COUNT]; /* of what runs */
    uint16_t port;
    uint16_t waited; /* with UP: it was not up yet when this client asked */
    uint32_t space;  /* pri_counter_space() of the keeper */
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

/* What a keeper knows. The first four fields are those of struct pri_answer. */
struct pri_status {
    uint32_t magic, version;
    uint32_t tell, generation;
    uint32_t keeper, standby; /* standby 0: dead; another is about to be */
    uint32_t pid;             /* the service's first process; 0: none */
    uint32_t alive;           /* 1: it runs */
    uint64_t start;
    int64_t launched_ms;  /* wall clock, 0: not yet: when this one was started */
    int64_t up_ms;        /* … and when it was up */
    int64_t linger_ms;    /* as configured, 0: none */
    int64_t left_ms;      /* until the state ends by itself (linger, timeouts); -1: no limit */
    int32_t refs;         /* as the kernel counts; -1: there is no set */
    uint32_t stamp;       /* of the set: what pri_slot.held says of who holds in it */
    uint32_t asking;      /* clients that wait for an answer */
    uint32_t told;        /* … that were told "up" and have neither attached nor gone */
    uint32_t old_holders; /* of a removed set */
    uint32_t restarts;    /* how often it came up again */
    uint32_t failures;    /* deaths and failed starts in a row */
    int32_t error_code;   /* of the last error; 0: none */
    uint16_t port;
    uint16_t callbacks; /* 1: a client's functions start it */
    uint32_t command_size;
    char state[24]; /* pri_state_name() */
    char name[PRI_NAME_SIZE];
    char ready[256];    /* what a start waits for; "" as configured: that it runs */
    char message[512];  /* the last error */
    char dir[4096];     /* where log and hint are */
    char command[2048]; /* "arg\0arg\0", as much as fits */
};

#endif
