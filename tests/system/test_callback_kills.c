/*
 * A client is at an instant of one of its callbacks, and somebody is killed there: the client
 * itself, the keeper, the standby, both, the service that was named; or the counter's set is
 * removed, or the client only stopped. Whatever it is, there is one service at a time, those who
 * wait get it, and nothing is left in the end.
 */
#include "support/world.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#define GENTLE "stop_timeout=2000"

enum victim {
    CLIENT,
    KEEPER,
    STANDBY,
    PAIR,
    SERVICE,
    SET,
    STOPPED,
    CLIENT_AND_KEEPER,
    CLIENT_AND_PAIR,
    SET_AND_KEEPER,
    VICTIMS
};
static const char *const victims[VICTIMS] = {
    "client",          "keeper",        "standby",        "pair",
    "service",         "set",           "client stopped", "client and keeper",
    "client and pair", "set and keeper"};

struct instant {
    const char *where;
    enum victim victim;
};

static const char *const places[] = {
    "first-begin",    "first-forked",  "first-named", "first-end",  "recover-begin",
    "recover-forked", "recover-named", "recover-end", "last-begin", "last-end"};

/* Whether a service runs there that has been named, in the callback or before it. */
static bool has_service(const char *where) {
    return strstr(where, "-named") != NULL || strcmp(where, "first-end") == 0 ||
           strcmp(where, "recover-end") == 0 || strcmp(where, "last-begin") == 0;
}

static bool kills_client(enum victim victim) {
    return victim == CLIENT || victim == CLIENT_AND_KEEPER || victim == CLIENT_AND_PAIR;
}

static bool has_prefix(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* gate: where it waits, NULL: nowhere. */
static struct client *opened(struct world *w, const char *gate, const char *more) {
    struct client *c = client_start(w);
    char settings[1024];
    int length =
        snprintf(settings, sizeof settings, "callbacks=1 recover=new health=%s " GENTLE " %s",
                 world_path(w, "unhealthy"), more);
    if (gate != NULL) {
        snprintf(settings + length, sizeof settings - (size_t)length, " gate=%s:%s", gate,
                 world_path(w, "gate"));
    }
    client_open(c, "--port ${PORT}", settings);
    return c;
}

/* Who waits there goes on, and so do all who come later. */
static void open_gate(struct world *w) {
    must(open(world_path(w, "gate"), O_RDWR | O_CLOEXEC) >= 0, "open");
}

static void make_gate(struct world *w) {
    must(mkfifo(world_path(w, "gate"), 0600) == 0, "mkfifo");
}

static void make_unhealthy(struct world *w) {
    int fd = open(world_path(w, "unhealthy"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0, "open");
    close(fd);
}

static pid_t last_forked(const struct world *w) {
    struct event forked;
    assert_true(events_last(w, "forked", &forked));
    return (pid_t)strtol(forked.text + strlen("forked"), NULL, 10);
}

static void kill_the_keeper(const struct world *w) {
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
}

static void kill_the_standby(const struct world *w) {
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    kill_and_await(standby);
}

static void remove_set(const struct world *w) {
    int id = world_set_id(w);
    assert_true(id >= 0);
    must(semctl(id, 0, IPC_RMID) == 0, "semctl");
}

static void strike(struct world *w, struct client *at_gate, enum victim victim) {
    switch (victim) {
    case CLIENT: client_kill(at_gate); break;
    case KEEPER: kill_the_keeper(w); break;
    case STANDBY: kill_the_standby(w); break;
    case PAIR: kill_pair(w->name); break;
    case SERVICE: kill_and_await(last_forked(w)); break;
    case SET: remove_set(w); break;
    case STOPPED: program_signal(&at_gate->program, SIGSTOP); break;
    case CLIENT_AND_KEEPER:
        kill_the_keeper(w);
        client_kill(at_gate);
        break;
    case CLIENT_AND_PAIR:
        kill_pair(w->name);
        client_kill(at_gate);
        break;
    case SET_AND_KEEPER:
        remove_set(w);
        kill_the_keeper(w);
        break;
    case VICTIMS: break;
    }
}

/* While the client at the gate is stopped, the deadlines of others pass. */
static void waits_no_longer(struct client *c) {
    struct reply r = client_ask(c, "acquire 100");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms >= 90 && r.ms < 15000);
}

/* It is held; with `may_fail` a start that failed may be told before, and again to who asks while
 * that keeper is still telling. */
static struct reply gets_it(struct client *c, bool may_fail) {
    struct reply r = client_reply(c);
    for (int tries = 0; may_fail && tries < 5 && strcmp(r.verb, "error") == 0; tries++) {
        if (strcmp(r.code, "SERVICE_START") != 0 && strcmp(r.code, "SERVICE_RECOVERY") != 0) {
            fail_msg("%s: %s", r.code, r.message);
        }
        r = client_ask(c, "acquire 20000");
    }
    assert_held(&r);
    assert_no_violation(c->world);
    return r;
}

static void at_a_start(struct world *w, const struct instant *instant, struct client *holder) {
    struct client *c = opened(w, instant->where, "careful=1"), *others[2];
    bool named = strstr(instant->where, "-named") != NULL || strstr(instant->where, "-end") != NULL;
    bool fails = instant->victim == SERVICE;
    struct reply r, last;
    for (int i = 0; i < 2; i++) {
        others[i] = opened(w, NULL, "careful=1");
    }
    client_tell(c, "acquire 20000");
    await_events(w, "at-gate", 1);
    struct watched first = watch(named ? last_forked(w) : 0);
    size_t first_pid = (size_t)(named ? last_forked(w) : 0);
    if (instant->victim == STOPPED) {
        strike(w, c, STOPPED);
        waits_no_longer(others[0]);
        waits_no_longer(others[1]);
        program_signal(&c->program, SIGCONT);
    }
    for (int i = 0; i < 2; i++) {
        client_tell(others[i], "acquire 20000");
    }
    if (instant->victim != STOPPED) {
        strike(w, c, instant->victim);
    }
    if (!kills_client(instant->victim)) {
        open_gate(w);
        gets_it(c, fails);
    }
    gets_it(others[0], fails);
    last = gets_it(others[1], fails);
    if (named && kills_client(instant->victim)) {
        assert_true(watched_ended(&first));
        assert_int_not_equal(last.pid, first_pid);
    }
    watched_close(&first);
    /* Whatever was replaced meanwhile: now all have the same. */
    r = client_hold(others[0]);
    client_answered(others[0], r.pid);
    last = client_hold(others[1]);
    assert_int_equal(last.pid, r.pid);
    client_answered(others[1], r.pid);
    if (!kills_client(instant->victim)) {
        client_kill(c);
    }
    client_quit(others[0]);
    if (holder != NULL) {
        client_quit(holder);
    }
    client_quit(others[1]);
    await_no_trace(w);
}

TEST(first) {
    make_gate(w);
    at_a_start(w, w->argument, NULL);
}

TEST(recover) {
    const struct instant *instant = w->argument;
    struct client *holder = opened(w, NULL, "careful=1");
    struct reply held = client_hold(holder);
    char old[64];
    make_gate(w);
    make_unhealthy(w);
    at_a_start(w, instant, holder);
    snprintf(old, sizeof old, "recovers %d %llu ", (int)held.pid, held.generation);
    /* Whoever is elected after a death is told the same of what was up before. */
    if ((instant->victim == CLIENT || instant->victim == CLIENT_AND_KEEPER) &&
        strcmp(instant->where, "recover-begin") != 0) {
        assert_int_equal(events_count(w, old), 2);
    } else {
        assert_true(events_count(w, old) >= 1 || instant->victim == PAIR ||
                    instant->victim ==
                        CLIENT_AND_PAIR); /* what was up died with the keepers' knowledge */
    }
}

static void at_the_last_release(struct world *w, const struct instant *instant, bool newcomer) {
    struct client *c = opened(w, instant->where, "careful=1"),
                  *other = opened(w, NULL, "careful=1");
    struct reply held, r;
    make_gate(w);
    held = client_hold(c);
    struct watched service = watch(held.pid);
    client_tell(c, "release");
    await_events(w, "at-gate", 1);
    if (instant->victim == STOPPED) {
        strike(w, c, STOPPED);
        waits_no_longer(other);
        program_signal(&c->program, SIGCONT);
    }
    if (newcomer) {
        client_tell(other, "acquire 20000");
    }
    if (instant->victim != STOPPED) {
        strike(w, c, instant->victim);
    }
    if (!kills_client(instant->victim)) {
        if (instant->victim != SERVICE && strcmp(instant->where, "last-begin") == 0) {
            assert_false(watched_ends_within(&service, 30)); /* that is the callback's */
        }
        open_gate(w);
        r = client_reply(c);
        assert_string_equal(r.verb, "ok");
    }
    if (!newcomer && instant->victim == CLIENT_AND_PAIR) { /* nobody is left who could end it */
        client_answered(other, client_hold(other).pid);
        client_kill(other);
    }
    watched_await_end(&service);
    assert_int_equal(events_count(w, "last-begin"), 1); /* once for each start */
    if (newcomer) {
        r = gets_it(other, false);
        assert_int_not_equal(r.pid, held.pid);
        client_answered(other, r.pid);
        client_release(other);
        assert_int_equal(events_count(w, "last-begin"), 2);
    }
    if (!kills_client(instant->victim)) {
        client_kill(c);
    }
    client_kill(other);
    if (!newcomer && (instant->victim == PAIR || instant->victim == CLIENT_AND_PAIR)) {
        client_quit((client_hold(other = opened(w, NULL, "careful=1")), other));
    }
    await_no_trace(w);
}

TEST(last) {
    at_the_last_release(w, w->argument, true);
}

TEST(last_alone) {
    at_the_last_release(w, w->argument, false);
}

TEST(what_was_forked_and_not_named_is_beyond_procref_and_all_else_is_not) {
    struct client *c = opened(w, "first-forked", "");
    struct event started;
    make_gate(w);
    client_tell(c, "acquire 20000");
    await_events(w, "at-gate", 1);
    await_events(w, "start", 1);
    assert_true(events_last(w, "start", &started));
    world_adopt(w, started.pid);
    client_kill(c);
    struct process_seen seen[16];
    AWAIT(look_keepers(w->name, seen, 16) == 0);
    AWAIT(world_set_id(w) < 0);
    kill_and_await(started.pid);
    await_no_trace(w);
}

int main(int argc, char **argv) {
    enum { INSTANTS = ARRAY_LEN(places) * VICTIMS, MOST = 2 * INSTANTS + 1 };
    static struct CMUnitTest tests[MOST];
    static struct instant instants[INSTANTS];
    static char names[MOST][96];
    size_t count = 0;
    for (size_t i = 0; i < INSTANTS; i++) {
        struct instant *instant = &instants[i];
        *instant = (struct instant){places[i / VICTIMS], (enum victim)(i % VICTIMS)};
        if (instant->victim == SERVICE && !has_service(instant->where)) {
            continue;
        }
        bool at_end = has_prefix(instant->where, "last");
        for (int alone = 0; alone <= at_end; alone++) {
            snprintf(names[count], sizeof names[0], "%s: %s%s", instant->where,
                     victims[instant->victim], alone ? ", nobody waits" : "");
            tests[count] = (struct CMUnitTest){names[count],
                                               alone                                 ? last_alone
                                               : at_end                              ? last
                                               : has_prefix(instant->where, "first") ? first
                                                                                     : recover,
                                               world_open, world_close, instant};
            count++;
        }
    }
    tests[count++] =
        (struct CMUnitTest)T(what_was_forked_and_not_named_is_beyond_procref_and_all_else_is_not);
    return test_main(argc, argv, NULL, tests, count);
}
