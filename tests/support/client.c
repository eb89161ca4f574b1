/* Talking to client processes. */
#include "support/world.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct client *client_start_as(struct world *w, const char *path) {
    assert_true(w->clients_count < WORLD_CLIENTS);
    struct client *c = calloc(1, sizeof *c);
    must(c != NULL, "calloc");
    c->world = w;
    const char *const argv[] = {path, NULL};
    program_start(&c->program, argv, w->extra);
    w->clients[w->clients_count++] = c;
    assert_says(program_read(&c->program), "ready");
    return c;
}

struct client *client_start(struct world *w) {
    return client_start_as(w, helper_path("client"));
}

static void copy_value(char *const *words, size_t count, const char *key, char *to, size_t size) {
    const char *value = words_value(words, count, key);
    snprintf(to, size, "%s", value != NULL ? value : "");
}

static struct reply parse(char *line) {
    char *words[32] = {NULL};
    size_t count = words_split(line, words, 32);
    struct reply r;
    memset(&r, 0, sizeof r);
    snprintf(r.verb, sizeof r.verb, "%s", count > 0 ? words[0] : "");
    r.pid = (pid_t)words_number(words, count, "pid", 0);
    r.port = (unsigned)words_number(words, count, "port", 0);
    r.generation = (unsigned long long)words_number(words, count, "gen", 0);
    r.handle = words_number(words, count, "handle", -1);
    r.ms = words_number(words, count, "ms", -1);
    r.n = words_number(words, count, "n", -1);
    r.os_code = words_number(words, count, "os", 0);
    copy_value(words, count, "code", r.code, sizeof r.code);
    copy_value(words, count, "op", r.op, sizeof r.op);
    copy_value(words, count, "message", r.message, sizeof r.message);
    copy_value(words, count, "detail", r.detail, sizeof r.detail);
    return r;
}

struct reply client_reply(struct client *c) {
    return parse(program_read(&c->program));
}

bool client_reply_within(struct client *c, int64_t timeout_ms, struct reply *ret) {
    char *line = program_read_within(&c->program, timeout_ms);
    if (line != NULL) {
        *ret = parse(line);
    }
    return line != NULL;
}

bool client_has_replied(struct client *c, int64_t timeout_ms) {
    struct pollfd p = {.fd = c->program.out, .events = POLLIN};
    return c->program.have > 0 || poll(&p, 1, (int)timeout_ms) > 0;
}

static void tell(struct client *c, const char *format, va_list arguments) {
    char line[LINE_MAX_BYTES];
    vsnprintf(line, sizeof line, format, arguments);
    program_send(&c->program, "%s", line);
}

void client_tell(struct client *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(c, format, arguments);
    va_end(arguments);
}

struct reply client_ask(struct client *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(c, format, arguments);
    va_end(arguments);
    return client_reply(c);
}

void client_do(struct client *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(c, format, arguments);
    va_end(arguments);
    struct reply r = client_reply(c);
    if (strcmp(r.verb, "ok") != 0) {
        fail_msg("'%s' was answered by %s %s %s (os %lld)", format, r.verb, r.code, r.message,
                 r.os_code);
    }
}

struct reply client_open_raw(struct client *c, const char *name, const char *settings) {
    char encoded[2048];
    words_encode(encoded, sizeof encoded, name);
    bool has_base = strstr(settings, "base_dir=") != NULL;
    client_tell(c, "open %s %s%s %s", encoded,
                has_base ? "" : "base_dir=", has_base ? "" : c->world->base, settings);
    return client_reply(c);
}

void client_open_named(struct client *c, const char *name, const char *service_options,
                       const char *settings) {
    char all[LINE_MAX_BYTES], options[4096], *words[128];
    struct world *w = c->world;
    int length = snprintf(all, sizeof all,
                          "arg=%s arg=--lock arg=%s.%s arg=--events arg=%s arg=--violations arg=%s",
                          helper_path("service"), w->lock, name, w->events, w->violations);
    snprintf(options, sizeof options, "%s", service_options);
    char *rest = options;
    for (size_t i = 0; i < 128 && (words[i] = strtok_r(rest, " ", &rest)) != NULL; i++) {
        length += snprintf(all + length, sizeof all - (size_t)length, " arg=%s", words[i]);
    }
    snprintf(all + length, sizeof all - (size_t)length, " %s", settings);
    struct reply r = client_open_raw(c, name, all);
    if (strcmp(r.verb, "ok") != 0) {
        fail_msg("open of %s failed: %s %s", name, r.code, r.message);
    }
}

void client_open(struct client *c, const char *service_options, const char *settings) {
    client_open_named(c, c->world->name, service_options, settings);
}

void assert_held(const struct reply *r) {
    if (strcmp(r->verb, "held") != 0) {
        fail_msg("not held but %s %s: %s\n%s", r->verb, r->code, r->message, r->detail);
    }
}

void assert_error(const struct reply *r, const char *code) {
    if (strcmp(r->verb, "error") != 0 || strcmp(r->code, code) != 0) {
        fail_msg("not error %s but %s %s: %s\n%s", code, r->verb, r->code, r->message, r->detail);
    }
}

void assert_says(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

struct reply client_held(struct client *c) {
    struct reply r = client_reply(c);
    assert_held(&r);
    return r;
}

struct reply client_hold(struct client *c) {
    client_tell(c, "acquire %d", PATIENCE_MS - 5000);
    return client_held(c);
}

void client_release(struct client *c) {
    client_do(c, "release");
}

void client_answered(struct client *c, pid_t pid) {
    struct reply r = client_ask(c, "answer");
    assert_string_equal(r.verb, "answer");
    assert_int_equal(r.pid, pid);
}

unsigned client_count(struct client *c) {
    struct reply r = client_ask(c, "count");
    if (strcmp(r.verb, "count") != 0) {
        fail_msg("count: %s %s", r.code, r.message);
    }
    return (unsigned)r.n;
}

void client_kill(struct client *c) {
    program_kill(&c->program);
}

void client_quit(struct client *c) {
    client_tell(c, "quit");
    int status = program_await_end(&c->program);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("a client that quit ended with wait status 0x%x", (unsigned)status);
    }
}
