/*
 * The protocol's transition table. This data is what the code executes, one atomic operation a row,
 * and what the checker explores (procref-table prints it). Nothing else changes the counter of a
 * service.
 */
#ifndef PRI_TABLE_H
#define PRI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#define PRI_LAYOUT_VERSION 1

/* X(enumerator, name, what it holds) */
#define PRI_REGISTERS(X)                                                                           \
    X(ID, "id", "0, or the fingerprint of the full name and the layout's version")                 \
    X(REFS, "refs", "number of references")                                                        \
    X(KEEPER, "keeper", "0 or 1: a keeper is alive")                                               \
    X(CALL, "call", "0 or 1: a client runs a callback that starts or ends the service")            \
    X(GEN, "gen", "rises at every start and every stop; never goes back")                          \
    X(READY, "ready", "0, or the generation that is up")

enum pri_register {
#define PRI_REGISTER_ENUM(name, text, holds) PRI_REG_##name,
    PRI_REGISTERS(PRI_REGISTER_ENUM)
#undef PRI_REGISTER_ENUM
        PRI_REGISTER_COUNT,
};

/* Values that a row leaves open until it is executed. */
enum {
    PRI_VALUE_G = 1000, /* the generation that the caller names */
    PRI_VALUE_MINUS_G = -1000,
    PRI_VALUE_FINGERPRINT = 1001, /* of the full name and the layout's version */
};

enum pri_relation { PRI_EQUALS, PRI_AT_LEAST };

struct pri_condition {
    uint8_t reg;
    uint8_t relation;
    int16_t value;
};

struct pri_change {
    uint8_t reg;
    bool undo; /* the kernel takes it back when the process that made it dies */
    int16_t delta;
};

enum { PRI_ROW_CONDITIONS = 3, PRI_ROW_CHANGES = 2 };

struct pri_row {
    const char *name;
    const char *by;
    uint8_t conditions_count, changes_count;
    struct pri_condition conditions[PRI_ROW_CONDITIONS];
    struct pri_change changes[PRI_ROW_CHANGES];
};

enum pri_transition {
    PRI_OPEN,
    PRI_PROBE,
    PRI_ATTACH,
    PRI_DETACH,
    PRI_DETACH_NOT_LAST,
    PRI_ENTER,
    PRI_LEAVE,
    PRI_BEGIN,
    PRI_ADOPT,
    PRI_REFOUND,
    PRI_PUBLISH,
    PRI_WITHDRAW,
    PRI_DRAIN,
    PRI_CLOSE,
    PRI_HAND_OVER,
    PRI_TRANSITION_COUNT,
};

extern const struct pri_row pri_table[PRI_TRANSITION_COUNT];
extern const char *const pri_register_names[PRI_REGISTER_COUNT];

#endif
