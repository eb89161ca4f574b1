/* Talking to tests/helpers/counter.c: a raw counter named after the world. */
#ifndef TEST_COUNTING_H
#define TEST_COUNTING_H

#include "support/world.h"

/* The layout of a raw counter's set, as src/os/linux/raw.c has it. */
enum { RAW_REFS = 5, RAW_LOCK = 6, RAW_PHASE = 7, RAW_TRIAL = 8, RAW_REGISTERS = 9 };

static inline struct client *counting_start(struct world *w) {
    struct client *c = client_start_as(w, helper_path("counter"));
    client_do(c, "open %s", w->name);
    return c;
}

/* The same without a trace, for what makes millions of steps. */
static inline struct client *quiet_start(struct world *w) {
    struct client *c = client_start_as(w, helper_path("counter"));
    client_do(c, "unsetenv PROCREF_TRACE");
    client_do(c, "open %s", w->name);
    return c;
}

/* A command that must succeed; the number that it answers. */
static inline long long asks(struct client *c, const char *command) {
    struct reply r = client_ask(c, "%s", command);
    if (strcmp(r.verb, "ok") != 0) {
        fail_msg("'%s' was answered by %s %s: %s", command, r.verb, r.code, r.message);
    }
    return r.n;
}

static inline void fails(struct client *c, const char *command, const char *code) {
    struct reply r = client_ask(c, "%s", command);
    assert_error(&r, code);
    assert_true(r.message[0] != '\0');
}

#endif
