/* Names of services: what is valid, and the numbers that all clients derive from one. */
#include "core/ident.h"

#include <string.h>

#include "core/fail.h"
#include "core/hash.h"

void pri_ident_make(struct pri_ident *ident, uint32_t user, const char *scope, const char *name) {
    memset(ident, 0, sizeof *ident);
    ident->user = user;
    memcpy(ident->name, name, strlen(name) + 1);
    unsigned char who[4] = {(unsigned char)user, (unsigned char)(user >> 8),
                            (unsigned char)(user >> 16), (unsigned char)(user >> 24)};
    ident->hash = pri_hash_text(pri_hash_text(pri_hash(0, who, sizeof who), scope), name);
}

void pri_ident_parts(const struct pri_ident *ident, uint16_t ret_parts[PRI_ID_PARTS]) {
    for (int i = 0; i < PRI_ID_PARTS; i++) {
        ret_parts[i] = (uint16_t)(ident->hash >> (15 * i) & PRI_ID_PART_MASK);
    }
}

/* Decodes one character; returns its length or 0. */
static size_t decode(const unsigned char *at, uint32_t *ret_point) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80    ? 1
                    : at[0] >= 0xf0 ? 4
                    : at[0] >= 0xe0 ? 3
                    : at[0] >= 0xc0 ? 2
                                    : 0;
    if (length == 0 || at[0] >= 0xf8) {
        return 0;
    }
    uint32_t point = length == 1 ? at[0] : at[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3f);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return 0;
    }
    *ret_point = point;
    return length;
}

bool pri_utf8_valid(const char *text, bool *ret_control) {
    const unsigned char *at = (const unsigned char *)text;
    bool control = false;
    while (*at != '\0') {
        uint32_t point;
        size_t length = decode(at, &point);
        if (length == 0) {
            return false;
        }
        control = control || point < 0x20 || (point >= 0x7f && point < 0xa0);
        at += length;
    }
    *ret_control = control;
    return true;
}

int pri_name_check(const char *whose, const char *name, procref_error *err) {
    bool control;
    if (name == NULL || name[0] == '\0') {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "the %s needs a name", whose);
    }
    if (strnlen(name, PRI_NAME_SIZE) >= PRI_NAME_SIZE) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "the %s's name is longer than 255 bytes",
                        whose);
    }
    if (!pri_utf8_valid(name, &control)) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "the %s's name is not valid UTF-8", whose);
    }
    if (control) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "the %s's name has control characters",
                        whose);
    }
    if (strchr(name, '/') != NULL) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "the %s's name '%s' has a '/'%s", whose,
                        name,
                        strcmp(whose, "service") == 0
                            ? ": to tell services of several folders apart use base_dir"
                            : "");
    }
    return 0;
}
