/* Talking to tests/helpers/pending.c (pending.h). */
#include "support/pending.h"

#include <errno.h>
#include <fcntl.h>

struct client *loop_start(struct world *w) {
    return client_start_as(w, helper_path("pending"));
}

static struct looped parse_looped(char *line) {
    char *words[64];
    size_t n = words_split(line, words, 64);
    assert_string_equal(words[0], "looped");
    struct looped l = {
        .held = (unsigned long)words_number(words, n, "held", -1),
        .failed = (unsigned long)words_number(words, n, "failed", -1),
        .again = (unsigned long)words_number(words, n, "again", -1),
        .worst = (unsigned long)words_number(words, n, "worst", -1),
        .dead = (unsigned long)words_number(words, n, "dead", -1),
        .silent = (unsigned long)words_number(words, n, "silent", -1),
        .timeouts = (unsigned long)words_number(words, n, "TIMEOUT", 0),
        .starts = (unsigned long)words_number(words, n, "SERVICE_START", 0),
    };
    snprintf(l.message, sizeof l.message, "%s", words_value(words, n, "message"));
    assert_int_equal(l.dead, 0);
    assert_int_equal(l.silent, 0); /* none was left over, no waitable changed */
    return l;
}

struct looped looped(struct client *c) {
    return parse_looped(program_read(&c->program));
}

struct looped loop(struct client *c) {
    client_tell(c, "loop %d", PATIENCE_MS - 5000);
    return looped(c);
}

long value_of(struct client *c, const char *command, const char *key) {
    char *words[64];
    client_tell(c, "%s", command);
    size_t n = words_split(program_read(&c->program), words, 64);
    return (long)words_number(words, n, key, -1);
}

unsigned count_of(struct client *c, int service) {
    return (unsigned)client_ask(c, "count %d", service).n;
}

bool is_readable(struct client *c, int pending, int timeout_ms, const char *how) {
    struct reply r = client_ask(c, "ready %d %d %s", pending, timeout_ms, how);
    return strcmp(r.verb, "readable") == 0;
}

void await_readable(struct client *c, int pending) {
    assert_true(is_readable(c, pending, PATIENCE_MS - 5000, "poll"));
}

void assert_verb(const struct reply *r, const char *verb) {
    if (strcmp(r->verb, verb) != 0) {
        fail_msg("not %s but %s %s: %s", verb, r->verb, r->code, r->message);
    }
}

struct reply finished(struct client *c, int pending) {
    struct reply r;
    for (int times = 0; times < 8; times++) {
        await_readable(c, pending);
        r = client_ask(c, "finish %d", pending);
        if (strcmp(r.verb, "again") != 0) {
            return r;
        }
    }
    fail_msg("finish says AGAIN and again");
    return r;
}

const char *gated(const struct world *w) {
    static char settings[256];
    snprintf(settings, sizeof settings, "ready=exec:test%%20-e%%20%s", world_path(w, "gate"));
    return settings;
}

void let_it_be_ready(struct world *w) {
    assert_int_equal(world_shell(w, ": > gate"), 0);
}

const char *with_fifo(struct world *w, const char *more) {
    static char settings[512];
    const char *path = world_path(w, "fifo");
    must(mkfifo(path, 0600) == 0 || errno == EEXIST, "mkfifo");
    snprintf(settings, sizeof settings, "callbacks=1 gate=%s %s", path, more);
    return settings;
}

int meet_callback(struct world *w) {
    int fd = open(world_path(w, "fifo"), O_WRONLY | O_CLOEXEC);
    must(fd >= 0, "open");
    return fd;
}

void start(struct client *c, int service, int timeout_ms, int times) {
    client_do(c, "start %d %d %d", service, timeout_ms, times);
}
