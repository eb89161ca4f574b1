/*
 * Which service: (user, canonical base_dir if one is given, name), and the numbers made of it. All
 * clients of one service compute the same ones, whatever their folder or session.
 */
#ifndef PRI_IDENT_H
#define PRI_IDENT_H

#include "procref/procref.h"

enum {
    PRI_NAME_SIZE = 256, /* 255 bytes and the end */
    PRI_ID_PARTS = 4,    /* a register of the set has 15 bits, so the fingerprint takes four … */
    PRI_ID_PART_MASK = 0x7fff,
    PRI_PROBES = 8, /* how many keys and socket names are tried when others sit on them */
};

struct pri_ident {
    uint32_t user;
    uint64_t hash; /* of user, scope and name */
    char name[PRI_NAME_SIZE];
};

/* scope is the canonical base_dir or "". The name must be valid. */
void pri_ident_make(struct pri_ident *ident, uint32_t user, const char *scope, const char *name);

/* The fingerprint that the set's id registers carry, each 0 to 32767. */
void pri_ident_parts(const struct pri_ident *ident, uint16_t ret_parts[PRI_ID_PARTS]);

/* INVALID, with what is wrong, unless the name is 1 to 255 bytes of UTF-8 without '/' and control
 * characters. whose ("service", "counter") is for the message. */
int pri_name_check(const char *whose, const char *name, procref_error *err);

/* Whether text is valid UTF-8 (no surrogates, no overlong forms); *ret_control if it has control
 * characters. */
bool pri_utf8_valid(const char *text, bool *ret_control);

#endif
