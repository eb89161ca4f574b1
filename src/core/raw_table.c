/* The raw counter's transition table itself; see raw_table.h. Every field here is tested by the
 * checker. */
#include "core/raw_table.h"

const char *const pri_raw_register_names[PRI_RAW_REGISTER_COUNT] = {
#define PRI_RAW_REGISTER_NAME(name, text, holds) [PRI_RAW_##name] = (text),
    PRI_RAW_REGISTERS(PRI_RAW_REGISTER_NAME)
#undef PRI_RAW_REGISTER_NAME
};

#define IS(r, v)                                                                                   \
    { PRI_RAW_##r, PRI_EQUALS, (v) }
#define GE(r, v)                                                                                   \
    { PRI_RAW_##r, PRI_AT_LEAST, (v) }
#define ADD(r, d)                                                                                  \
    { PRI_RAW_##r, false, (d) }
#define ADD_UNDONE(r, d)                                                                           \
    { PRI_RAW_##r, true, (d) }
/* The kernel gives the number of a removed set to another one some day, so every row that finds a
 * set by its number asks whether it is the counter's still. */
#define OURS IS(ID, PRI_VALUE_FINGERPRINT)

/* clang-format off */
const struct pri_row pri_raw_table[PRI_RAW_TRANSITION_COUNT] = {
    /* To ask for `lock`, which is 0 here, leaves the maker's pid there: no other row does so to a claimed set. */
    [PRI_RAW_OPEN]      = {"open", "maker", 2, 1, {IS(ID, 0), IS(LOCK, 0)}, {ADD(ID, PRI_VALUE_FINGERPRINT)}},
    /* A child of the maker makes this change and dies: if `trial` is not 0 then, the kernel has no undo. */
    [PRI_RAW_TRY_UNDO]  = {"trial", "maker's child", 1, 1, {OURS}, {ADD_UNDONE(TRIAL, 1)}},
    /* Only after a look at all keys that began when the set was claimed already (os/linux/raw.c). */
    [PRI_RAW_CONFIRM]   = {"confirm", "maker", 2, 1, {OURS, IS(PHASE, PRI_RAW_CLAIMED)}, {ADD(PHASE, 1)}},
    /* Exactly one of the two holds in a live set, so who gets 1 is decided in here, not by a later look. */
    [PRI_RAW_FIRST]     = {"first", "holder", 3, 1, {OURS, IS(PHASE, PRI_RAW_LIVE), IS(REFS, 0)}, {ADD_UNDONE(REFS, 1)}},
    [PRI_RAW_ANOTHER]   = {"another", "holder", 2, 1, {OURS, GE(REFS, 1)}, {ADD_UNDONE(REFS, 1)}},
    [PRI_RAW_NOT_LAST]  = {"notlast", "holder", 2, 1, {OURS, GE(REFS, 2)}, {ADD_UNDONE(REFS, -1)}},
    [PRI_RAW_LAST]      = {"last", "holder", 2, 1, {OURS, IS(REFS, 1)}, {ADD_UNDONE(REFS, -1)}},
    [PRI_RAW_TAKE_LOCK] = {"lock", "holder", 3, 1, {OURS, IS(PHASE, PRI_RAW_LIVE), IS(LOCK, 0)}, {ADD_UNDONE(LOCK, 1)}},
    /* Changes nothing: that somebody had the lock was true at one instant, in this very set. */
    [PRI_RAW_LOCKED]    = {"locked", "holder", 2, 0, {OURS, GE(LOCK, 1)}, {{0}}},
    [PRI_RAW_UNLOCK]    = {"unlock", "holder", 1, 1, {OURS}, {ADD_UNDONE(LOCK, -1)}},
    /* Before every removal, of a claimed, a live or a dead set: 2 more is dead from any phase. */
    [PRI_RAW_RETIRE]    = {"retire", "holder or maker", 3, 1, {OURS, IS(REFS, 0), IS(LOCK, 0)}, {ADD(PHASE, 2)}},
};
/* clang-format on */
