/* The transition table itself; see table.h and ARCHITECTURE.md. Every field here is tested by the
 * checker. */
#include "core/table.h"

const char *const pri_register_names[PRI_REGISTER_COUNT] = {
#define PRI_REGISTER_NAME(name, text, holds) [PRI_REG_##name] = (text),
    PRI_REGISTERS(PRI_REGISTER_NAME)
#undef PRI_REGISTER_NAME
};

#define IS(r, v)                                                                                   \
    { PRI_REG_##r, PRI_EQUALS, (v) }
#define GE(r, v)                                                                                   \
    { PRI_REG_##r, PRI_AT_LEAST, (v) }
#define ADD(r, d)                                                                                  \
    { PRI_REG_##r, false, (d) }
#define ADD_UNDONE(r, d)                                                                           \
    { PRI_REG_##r, true, (d) }
#define G PRI_VALUE_G
#define MINUS_G PRI_VALUE_MINUS_G

/* clang-format off */
const struct pri_row pri_table[PRI_TRANSITION_COUNT] = {
    [PRI_OPEN]     = {"open", "keeper", 1, 1, {IS(ID, 0)}, {ADD(ID, PRI_VALUE_FINGERPRINT)}},
    /* A child of the keeper makes this change on a set that nothing has begun on, and dies: if `call` is not 0 then, the kernel has no undo. */
    [PRI_PROBE]    = {"probe", "keeper's child", 1, 1, {IS(GEN, 0)}, {ADD_UNDONE(CALL, 1)}},
    [PRI_ATTACH]   = {"attach", "client", 1, 1, {IS(READY, G)}, {ADD_UNDONE(REFS, 1)}},
    [PRI_DETACH]   = {"detach", "client", 0, 1, {{0}}, {ADD_UNDONE(REFS, -1)}},
    [PRI_DETACH_NOT_LAST] = {"notlast", "client", 1, 1, {GE(REFS, 2)}, {ADD_UNDONE(REFS, -1)}},
    [PRI_ENTER]    = {"enter", "client", 2, 1, {IS(GEN, G), IS(CALL, 0)}, {ADD_UNDONE(CALL, 1)}},
    [PRI_LEAVE]    = {"leave", "client", 0, 1, {{0}}, {ADD_UNDONE(CALL, -1)}},
    [PRI_BEGIN]    = {"begin", "keeper", 2, 2, {IS(KEEPER, 0), IS(CALL, 0)}, {ADD_UNDONE(KEEPER, 1), ADD(GEN, 1)}},
    [PRI_ADOPT]    = {"adopt", "keeper", 2, 1, {IS(KEEPER, 0), IS(GEN, G)}, {ADD_UNDONE(KEEPER, 1)}},
    [PRI_REFOUND]  = {"refound", "keeper", 2, 2, {IS(KEEPER, 0), IS(GEN, 0)}, {ADD_UNDONE(KEEPER, 1), ADD(GEN, G)}},
    [PRI_PUBLISH]  = {"publish", "keeper", 1, 1, {IS(GEN, G)}, {ADD_UNDONE(READY, G)}},
    [PRI_WITHDRAW] = {"withdraw", "keeper", 1, 2, {IS(READY, G)}, {ADD_UNDONE(READY, MINUS_G), ADD(GEN, 1)}},
    [PRI_DRAIN]    = {"drain", "keeper", 1, 2, {IS(REFS, 0)}, {ADD_UNDONE(READY, MINUS_G), ADD(GEN, 1)}},
    [PRI_CLOSE]    = {"close", "keeper", 1, 2, {IS(REFS, 1)}, {ADD_UNDONE(READY, MINUS_G), ADD(GEN, 1)}},
    [PRI_HAND_OVER] = {"handover", "keeper", 0, 2, {{0}}, {ADD_UNDONE(READY, MINUS_G), ADD_UNDONE(KEEPER, -1)}},
};
/* clang-format on */
