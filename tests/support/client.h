/* Talking to tests/helpers/client.c. Included by world.h. */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include "support/world.h"

struct reply {
    char verb[16]; /* "held", "error", "ok", … */
    pid_t pid;
    unsigned port;
    unsigned long long generation;
    long long handle, ms, n, os_code;
    char code[24];
    char op[32];
    char message[512];
    char detail[4096];
};

struct client *client_start(struct world *w);
/* Another program that speaks as client.c does. */
struct client *client_start_as(struct world *w, const char *path);

/* The default command: the helper service with its files and these options, then what else goes
 * into `open`. */
void client_open(struct client *c, const char *service_options, const char *settings);
void client_open_named(struct client *c, const char *name, const char *service_options,
                       const char *settings);
/* Any command: only what settings say, and base_dir unless they have one. */
struct reply client_open_raw(struct client *c, const char *name, const char *settings);

/* One command and its answer. */
struct reply client_ask(struct client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same; anything but "ok" fails the test. */
void client_do(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The command only; its answer is read later by client_reply. */
void client_tell(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct reply client_reply(struct client *c);
/* False if nothing came within the time. */
bool client_reply_within(struct client *c, int64_t timeout_ms, struct reply *ret);
/* Whether the reply has come; it is left to be read. */
bool client_has_replied(struct client *c, int64_t timeout_ms);

/* acquire, which must succeed. */
struct reply client_hold(struct client *c);
/* The reply to an acquire, which must be "held". */
struct reply client_held(struct client *c);
void client_release(struct client *c);
/* The service answers this client on its port with the pid that the handle names. */
void client_answered(struct client *c, pid_t pid);
unsigned client_count(struct client *c);

void client_kill(struct client *c);
/* Gives everything back and ends with status 0. */
void client_quit(struct client *c);

void assert_held(const struct reply *r);
void assert_error(const struct reply *r, const char *code);
void assert_says(const char *text, const char *part);

#endif
