/* Errors: the codes' names and texts, and the one way in which a procref_error is filled. */
#include "core/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *name;
    const char *text;
} codes[] = {{0, "OK", "no error"},
#define PRI_CODE_ROW(name, value, text) {(value), #name, (text)},
             PROCREF_CODES(PRI_CODE_ROW)
#undef PRI_CODE_ROW
};

const char *procref_code_name(int code) {
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    return "UNKNOWN";
}

const char *procref_code_text(int code) {
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].text;
        }
    }
    return "not a code of this version of procref";
}

const char *procref_version(void) {
    return PROCREF_VERSION;
}

/* Takes the continuation bytes and the lead byte of a character that was cut off the end. */
static void cut_whole(char *text, size_t length) {
    size_t lead = length;
    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80) {
        lead--;
    }
    if (lead == 0) {
        return;
    }
    unsigned char first = (unsigned char)text[lead - 1];
    size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (length - (lead - 1) < want) {
        text[lead - 1] = '\0';
    }
}

static void format_v(char *to, size_t size, const char *format, va_list args) {
    int length = vsnprintf(to, size, format, args);
    if (length < 0) {
        to[0] = '\0';
    } else if ((size_t)length >= size) {
        cut_whole(to, size - 1);
    }
}

void pri_format(char *to, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    format_v(to, size, format, args);
    va_end(args);
}

/* A size that no release had is not written to: we would not know where it ends. */
static bool writable(const procref_error *err) {
    return err != NULL && err->size >= sizeof *err;
}

int procref_error_set(procref_error *err, int code, const char *format, ...) {
    if (writable(err)) {
        va_list args;
        va_start(args, format);
        err->code = code;
        err->os_code = 0;
        err->op[0] = err->detail[0] = '\0';
        format_v(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}

int pri_fail(procref_error *err, int code, int64_t os, const char *op, const char *format, ...) {
    if (writable(err)) {
        va_list args;
        va_start(args, format);
        format_v(err->message, sizeof err->message, format, args);
        va_end(args);
        size_t length = strlen(err->message);
        if (os != 0 && length + 3 < sizeof err->message) {
            pri_format(err->message + length, sizeof err->message - length, ": %s",
                       strerror((int)os));
        }
        err->code = code;
        err->os_code = os;
        err->detail[0] = '\0';
        pri_format(err->op, sizeof err->op, "%s", op);
    }
    return code;
}

void pri_fail_detail(procref_error *err, const char *text, size_t length) {
    if (!writable(err)) {
        return;
    }
    if (length >= sizeof err->detail) {
        const char *tail = text + length - (sizeof err->detail - 1);
        const char *line = memchr(tail, '\n', sizeof err->detail - 1);
        tail = line != NULL && line + 1 < text + length ? line + 1 : tail;
        length -= (size_t)(tail - text);
        text = tail;
    }
    memcpy(err->detail, text, length);
    err->detail[length] = '\0';
}

void pri_fail_copy(procref_error *dst, const procref_error *src) {
    if (writable(dst) && src != NULL) {
        uint32_t size = dst->size;
        *dst = *src;
        dst->size = size;
    }
}
