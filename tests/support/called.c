#include "support/called.h"

#include <fcntl.h>

struct client *opened(struct world *w, const char *settings) {
    char all[2048];
    struct client *c = client_start(w);
    snprintf(all, sizeof all, CB "%s", settings);
    client_open(c, ON_PORT, all);
    return c;
}

void open_all(struct world *w, struct client **clients, size_t count, const char *settings) {
    for (size_t i = 0; i < count; i++) {
        clients[i] = opened(w, settings);
    }
}

void tell_all(struct client **clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        client_tell(clients[i], "acquire 25000");
    }
}

/* All hold the same. */
struct reply held_by_all(struct client **clients, size_t count) {
    struct reply first = {{0}};
    for (size_t i = 0; i < count; i++) {
        struct reply held = client_held(clients[i]);
        first = i == 0 ? held : first;
        assert_int_equal(held.pid, first.pid);
        assert_int_equal(held.port, first.port);
        assert_int_equal(held.generation, first.generation);
    }
    return first;
}

void release_all(struct client **clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        client_release(clients[i]);
    }
}

/* "gate=WHERE:FIFO"; static, two at a time. */
const char *gate_at(const struct world *w, const char *where) {
    static char settings[2][512];
    static unsigned turn;
    char *to = settings[turn++ % 2];
    const char *path = world_path(w, where);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(to, sizeof settings[0], "gate=%s:%s", where, path);
    return to;
}

void await_gate(struct world *w, const char *where) {
    char text[128];
    snprintf(text, sizeof text, "at-gate %s", where);
    await_events(w, text, 1);
}

void open_gate(const struct world *w, const char *where) {
    int fd = open(world_path(w, where), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
}

/* "health=FILE" and what else; static. */
const char *with_health(const struct world *w, const char *more) {
    static char settings[1024];
    snprintf(settings, sizeof settings, "health=%s %s", world_path(w, "sick"), more);
    return settings;
}

void make_sick(const struct world *w) {
    assert_int_equal(world_shell(w, "touch sick"), 0);
}

void assert_recovered_once(const struct world *w, const struct reply *old) {
    char text[64];
    snprintf(text, sizeof text, "recovers %d %llu", (int)old->pid, old->generation);
    assert_int_equal(events_count(w, "recover-begin"), 1);
    assert_int_equal(events_count(w, text), 1);
}

void assert_balanced(const struct world *w) {
    assert_int_equal(events_count(w, "first-end"), events_count(w, "last-end"));
    assert_no_violation(w);
}

bool is_there(const char *path) {
    return access(path, F_OK) == 0;
}

pid_t kill_keeper(const struct world *w) {
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    return keeper;
}
