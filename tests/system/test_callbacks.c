/* Services that their clients' own functions start and stop (callbacks.h), on real processes. */
#include "support/world.h"

#include <fcntl.h>

#define ON_PORT "--port ${PORT}"
#define CB "callbacks=1 "

static struct client *opened(struct world *w, const char *settings) {
    char all[2048];
    struct client *c = client_start(w);
    snprintf(all, sizeof all, CB "%s", settings);
    client_open(c, ON_PORT, all);
    return c;
}

static void open_all(struct world *w, struct client **clients, size_t count, const char *settings) {
    for (size_t i = 0; i < count; i++) {
        clients[i] = opened(w, settings);
    }
}

static void tell_all(struct client **clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        client_tell(clients[i], "acquire 25000");
    }
}

/* All hold the same. */
static struct reply held_by_all(struct client **clients, size_t count) {
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

static void release_all(struct client **clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        client_release(clients[i]);
    }
}

/* "gate=WHERE:FIFO"; static, two at a time. */
static const char *gate_at(const struct world *w, const char *where) {
    static char settings[2][512];
    static unsigned turn;
    char *to = settings[turn++ % 2];
    const char *path = world_path(w, where);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(to, sizeof settings[0], "gate=%s:%s", where, path);
    return to;
}

static void await_gate(struct world *w, const char *where) {
    char text[128];
    snprintf(text, sizeof text, "at-gate %s", where);
    await_events(w, text, 1);
}

static void open_gate(const struct world *w, const char *where) {
    int fd = open(world_path(w, where), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
}

/* "health=FILE" and what else; static. */
static const char *with_health(const struct world *w, const char *more) {
    static char settings[1024];
    snprintf(settings, sizeof settings, "health=%s %s", world_path(w, "sick"), more);
    return settings;
}

static void make_sick(const struct world *w) {
    assert_int_equal(world_shell(w, "touch sick"), 0);
}

static void assert_recovered_once(const struct world *w, const struct reply *old) {
    char text[64];
    snprintf(text, sizeof text, "recovers %d %llu", (int)old->pid, old->generation);
    assert_int_equal(events_count(w, "recover-begin"), 1);
    assert_int_equal(events_count(w, text), 1);
}

static void assert_balanced(const struct world *w) {
    assert_int_equal(events_count(w, "first-end"), events_count(w, "last-end"));
    assert_no_violation(w);
}

static bool is_there(const char *path) {
    return access(path, F_OK) == 0;
}

static pid_t kill_keeper(const struct world *w) {
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    return keeper;
}

/* ---- first and last ---- */

TEST(one_of_eight_clients_that_race_starts_the_service_and_the_last_one_stops_it) {
    struct client *clients[8];
    struct event e;
    pid_t before = 0;
    open_all(w, clients, 8, "");
    for (size_t round = 1; round <= 2; round++) {
        tell_all(clients, 8);
        struct reply held = held_by_all(clients, 8);
        assert_int_not_equal(held.pid, before);
        assert_int_equal(events_count(w, "first-begin"), round);
        client_answered(clients[5], held.pid);
        assert_int_equal(client_count(clients[1]), 8);
        struct watched service = watch(held.pid);
        release_all(clients + 1, 7);
        assert_int_equal(events_count(w, "last-begin"), round - 1);
        assert_false(watched_ended(&service));
        client_release(clients[0]);
        assert_int_equal(events_count(w, "last-end"), round); /* within the call */
        assert_true(events_last(w, "last-begin", &e));
        assert_int_equal(e.pid, clients[0]->program.pid);
        watched_await_end(&service);
        await_no_trace(w);
        before = held.pid;
    }
    assert_int_equal(events_count(w, "stop-signal"), 2);
}

TEST(the_others_wait_while_on_first_acquire_runs) {
    struct client *clients[4];
    clients[0] = opened(w, gate_at(w, "first-end"));
    open_all(w, clients + 1, 3, "");
    client_tell(clients[0], "acquire 25000");
    await_gate(w, "first-end");
    tell_all(clients + 1, 3);
    assert_false(client_has_replied(clients[1], 100));
    assert_false(client_has_replied(clients[2], 0));
    open_gate(w, "first-end");
    held_by_all(clients, 4);
    assert_int_equal(events_count(w, "first-begin"), 1);
}

TEST(whoever_comes_while_on_last_release_runs_gets_a_new_service) {
    struct client *leaves = opened(w, gate_at(w, "last-begin")), *comes = opened(w, "");
    struct reply old = client_hold(leaves);
    client_tell(leaves, "release");
    await_gate(w, "last-begin");
    client_tell(comes, "acquire 25000");
    assert_false(client_has_replied(comes, 100));
    open_gate(w, "last-begin");
    assert_string_equal(client_reply(leaves).verb, "ok");
    struct reply fresh = client_held(comes);
    assert_int_not_equal(fresh.pid, old.pid);
    client_answered(comes, fresh.pid);
    client_release(comes);
    await_no_trace(w);
    assert_balanced(w);
}

TEST(threads_of_one_process_stop_as_often_as_they_start) {
    struct client *c = opened(w, "");
    assert_string_equal(client_ask(c, "threads 6 30").code, "OK");
    await_no_trace(w);
    assert_true(events_count(w, "first-end") > 0);
    assert_balanced(w);
}

TEST(threads_of_three_processes_stop_as_often_as_they_start) {
    struct client *clients[3];
    open_all(w, clients, 3, "");
    for (size_t i = 0; i < 3; i++) {
        client_tell(clients[i], "threads 3 20");
    }
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(client_reply(clients[i]).code, "OK");
    }
    await_no_trace(w);
    assert_balanced(w);
}

TEST(nested_handles_release_last_only_with_the_last_one) {
    struct client *c = opened(w, "");
    client_hold(c);
    client_hold(c);
    client_hold(c);
    assert_int_equal(client_count(c), 1);
    client_release(c);
    client_release(c);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_release(c);
    assert_int_equal(events_count(w, "last-end"), 1);
    await_no_trace(w);
}

TEST(every_acquire_but_the_starting_one_checks_the_health) {
    struct client *c = opened(w, with_health(w, "")), *other = opened(w, with_health(w, ""));
    client_hold(c);
    assert_int_equal(events_count(w, "health"), 0);
    client_hold(c);
    client_hold(c);
    assert_int_equal(events_count(w, "health 1"), 2);
    client_hold(other);
    assert_int_equal(events_count(w, "health 1"), 3);
    client_release(other);
    client_hold(other);
    assert_int_equal(events_count(w, "health 1"), 4);
    assert_int_equal(events_count(w, "health"), 4);
}

/* ---- recovery ---- */

TEST(recover_keep_has_the_same_process_and_a_new_generation) {
    struct client *a = opened(w, with_health(w, "recover=keep"));
    struct client *b = opened(w, with_health(w, "recover=keep"));
    struct reply old = client_hold(a);
    make_sick(w);
    struct reply held = client_hold(b);
    assert_int_equal(held.pid, old.pid);
    assert_int_equal(held.port, old.port);
    assert_true(held.generation > old.generation);
    assert_recovered_once(w, &old);
    client_answered(a, old.pid);
    assert_int_equal(client_count(a), 2);
    client_release(a);
    client_answered(b, old.pid);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_release(b);
    assert_int_equal(events_count(w, "last-begin"), 1);
    assert_int_equal(events_count(w, "start"), 1);
    await_no_trace(w);
}

TEST(a_recovery_that_names_no_process_though_the_old_one_is_dead_has_failed) {
    struct client *a = opened(w, with_health(w, "recover=nothing"));
    struct client *b = opened(w, with_health(w, "recover=nothing"));
    struct client *c = opened(w, with_health(w, "recover=new"));
    struct reply old = client_hold(a);
    kill_and_await(old.pid);
    struct reply r = client_ask(b, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "ended before it was ready");
    struct reply held = client_hold(c);
    assert_true(held.pid != old.pid);
    client_answered(c, held.pid);
    client_release(a);
    client_release(c);
    await_no_trace(w);
}

TEST(recover_new_ends_the_old_process_and_names_another) {
    struct client *a = opened(w, with_health(w, "recover=new"));
    struct client *b = opened(w, with_health(w, "recover=new"));
    struct reply old = client_hold(a);
    struct watched process = watch(old.pid);
    make_sick(w);
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_true(held.generation > old.generation);
    watched_await_end(&process);
    assert_recovered_once(w, &old);
    client_answered(b, held.pid);
    assert_string_equal(client_ask(a, "gone 10000").verb, "gone");
    assert_int_equal(client_hold(a).pid, held.pid);
    assert_int_equal(events_count(w, "first-begin"), 1);
    client_release(a);
    client_release(a);
    client_release(b);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(one_process_recovers_what_it_holds_itself) {
    struct client *c = opened(w, with_health(w, "recover=new"));
    struct reply old = client_hold(c);
    make_sick(w);
    struct reply held = client_hold(c);
    assert_int_not_equal(held.pid, old.pid);
    assert_recovered_once(w, &old);
    client_answered(c, held.pid);
    client_release(c);
    client_release(c);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(the_end_of_the_old_process_is_not_taken_for_the_end_of_the_one_named_instead) {
    char settings[1024];
    snprintf(settings, sizeof settings, "recover=new %s", gate_at(w, "recover-begin"));
    struct client *c = opened(w, with_health(w, settings));
    struct watched old = watch(client_hold(c).pid);
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    struct watched stopped = watch(keeper);
    make_sick(w);
    client_tell(c, "acquire 25000");
    await_gate(w, "recover-begin");
    watched_signal(&stopped, SIGSTOP);
    struct process_seen seen;
    AWAIT(look_process(keeper, &seen) && seen.state == 'T');
    open_gate(w, "recover-begin");
    watched_await_end(&old);
    await_events(w, "ready", 2); /* the client has named it, and waits for the keeper's word */
    watched_signal(&stopped, SIGCONT);
    watched_close(&stopped);
    struct reply held = client_held(c); /* the keeper sees an end and a name at once */
    client_answered(c, held.pid);
    assert_string_equal(client_ask(c, "gone 0").verb, "still");
    client_release(c);
    client_release(c);
    await_no_trace(w);
}

TEST(recovery_runs_once_for_all_who_ask_at_once) {
    struct client *clients[6];
    char settings[1024];
    snprintf(settings, sizeof settings, "recover=new %s", gate_at(w, "recover-begin"));
    open_all(w, clients, 6, with_health(w, settings));
    tell_all(clients, 6);
    struct reply old = held_by_all(clients, 6);
    make_sick(w);
    tell_all(clients, 6);
    await_gate(w, "recover-begin");
    for (size_t i = 0; i < 6; i++) {
        assert_false(client_has_replied(clients[i], 50));
    }
    open_gate(w, "recover-begin");
    struct reply held = held_by_all(clients, 6);
    assert_int_not_equal(held.pid, old.pid);
    assert_recovered_once(w, &old);
    assert_int_equal(client_count(clients[0]), 6);
}

TEST(without_on_recover_an_unhealthy_service_is_ended_and_started_anew) {
    struct client *a = opened(w, with_health(w, "")),
                  *b = opened(w, with_health(w, gate_at(w, "first-begin")));
    struct reply old = client_hold(a);
    struct watched process = watch(old.pid);
    make_sick(w);
    client_tell(b, "acquire 25000");
    await_gate(w, "first-begin");
    assert_true(watched_ends_within(&process, 0));
    assert_int_equal(world_shell(w, "rm sick"), 0);
    open_gate(w, "first-begin");
    struct reply held = client_held(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_true(held.generation > old.generation);
    assert_int_equal(events_count(w, "first-begin"), 2);
    client_answered(b, held.pid);
    watched_close(&process);
}

TEST(timeout_0_recovers_nothing_and_says_that_it_is_unhealthy) {
    struct client *a = opened(w, with_health(w, "")), *b = opened(w, with_health(w, ""));
    client_hold(a);
    make_sick(w);
    /* b starts it itself, and who has just started is not asked for its health */
    client_hold(b);
    struct reply r = client_ask(a, "acquire 0");
    assert_error(&r, "SERVICE_UNHEALTHY");
    assert_int_equal(client_count(b), 2);
}

TEST(the_error_of_a_failed_recovery_reaches_every_waiter) {
    struct client *clients[4], *next;
    char settings[1024];
    snprintf(settings, sizeof settings, "recover=new fail=recover:IO:disk %s",
             gate_at(w, "recover-begin"));
    open_all(w, clients, 4, with_health(w, settings));
    tell_all(clients, 4);
    struct watched process = watch(held_by_all(clients, 4).pid);
    make_sick(w);
    tell_all(clients, 4);
    await_gate(w, "recover-begin");
    for (size_t i = 0; i < 4; i++) {
        assert_false(client_has_replied(clients[i], 50));
    }
    open_gate(w, "recover-begin");
    for (size_t i = 0; i < 4; i++) {
        struct reply r = client_reply(clients[i]);
        assert_error(&r, "IO");
        assert_string_equal(r.message, "disk");
        assert_string_equal(client_ask(clients[i], "gone 10000").verb, "gone");
    }
    assert_int_equal(events_count(w, "recover-begin"), 1);
    watched_await_end(&process);
    next = opened(w, with_health(w, "recover=new"));
    assert_int_equal(client_count(next), 4);
    client_answered(next, client_hold(next).pid);
    release_all(clients, 4);
    assert_int_equal(client_count(next), 1);
    client_release(next);
    await_no_trace(w);
}

TEST(a_recovery_that_returns_a_bare_number_gives_its_own_code) {
    struct client *c = opened(w, with_health(w, "recover=new fail=recover:7"));
    client_hold(c);
    make_sick(w);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_RECOVERY");
    assert_says(r.message, "7");
    client_release(c);
    await_no_trace(w);
}

/* ---- failures ---- */

TEST(the_error_of_a_failed_start_reaches_every_waiter) {
    struct client *clients[4];
    struct event e;
    char settings[1024];
    snprintf(settings, sizeof settings, "fail=first:IO:disk %s", gate_at(w, "first-named"));
    open_all(w, clients, 4, settings);
    tell_all(clients, 4);
    await_gate(w, "first-named");
    assert_true(events_last(w, "start", &e));
    struct watched process = watch(e.pid);
    for (size_t i = 0; i < 4; i++) {
        assert_false(client_has_replied(clients[i], 50));
    }
    open_gate(w, "first-named");
    for (size_t i = 0; i < 4; i++) {
        struct reply r = client_reply(clients[i]);
        assert_error(&r, "IO");
        assert_string_equal(r.message, "disk");
    }
    watched_await_end(&process);
    assert_int_equal(events_count(w, "first-begin"), 1);
    assert_int_equal(client_count(clients[0]), 0);
    struct client *next = opened(w, "");
    client_answered(next, client_hold(next).pid);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_release(next);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(a_start_that_returns_a_bare_number_gives_service_start) {
    struct client *c = opened(w, "fail=first:7");
    for (int i = 1; i <= 2; i++) {
        struct reply r = client_ask(c, "acquire 20000");
        assert_error(&r, "SERVICE_START");
        assert_says(r.message, "7");
        assert_int_equal(events_count(w, "first-begin"), i);
    }
    assert_int_equal(client_count(c), 0);
    await_no_trace(w);
}

TEST(a_failing_on_last_release_is_told_and_the_reference_is_gone) {
    struct client *c = opened(w, "fail=last:IO:stuck"), *bare = opened(w, "fail=last:7");
    client_hold(c);
    struct reply r = client_ask(c, "release");
    assert_error(&r, "IO");
    assert_string_equal(r.message, "stuck");
    assert_int_equal(client_count(c), 0);
    await_no_trace(w);
    client_hold(bare);
    r = client_ask(bare, "release");
    assert_error(&r, "RELEASE");
    assert_says(r.message, "7");
    await_no_trace(w);
    assert_balanced(w);
}

/* ---- deaths ---- */

TEST(the_next_client_recovers_a_service_whose_process_was_killed) {
    struct client *a = opened(w, "recover=new"), *b = opened(w, "recover=new"),
                  *c = opened(w, "recover=new");
    struct reply old = client_hold(a);
    client_hold(b);
    kill_and_await(old.pid);
    assert_string_equal(client_ask(a, "gone 10000").verb, "gone");
    assert_int_equal(events_count(w, "recover-begin"), 0); /* nobody asks for it */
    struct reply held = client_hold(c);
    assert_int_not_equal(held.pid, old.pid);
    assert_true(held.generation > old.generation);
    assert_recovered_once(w, &old);
    assert_int_equal(client_count(c), 3);
    client_answered(c, held.pid);
    client_release(a);
    client_release(b);
    client_answered(c, held.pid);
    client_release(c);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(the_next_client_starts_a_service_anew_whose_process_was_killed) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    struct reply old = client_hold(a);
    kill_and_await(old.pid);
    assert_string_equal(client_ask(a, "gone 10000").verb, "gone");
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_int_equal(events_count(w, "first-begin"), 2);
    assert_int_equal(client_count(b), 2);
    assert_int_equal(client_hold(a).pid, held.pid); /* the same process holds both */
    client_release(b);
    client_answered(a, held.pid);
    client_release(a);
    client_release(a);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(the_last_release_of_a_service_that_died_leaves_nothing) {
    struct client *c = opened(w, "recover=new");
    struct reply old = client_hold(c);
    kill_and_await(old.pid);
    assert_string_equal(client_ask(c, "gone 10000").verb, "gone");
    client_release(c);
    await_no_trace(w);
    assert_int_equal(events_count(w, "recover-begin"), 0);
}

TEST(the_keeper_ends_the_process_and_its_children_when_the_last_client_is_killed) {
    struct client *a = opened(w, ""), *c = client_start(w);
    char settings[4096];
    snprintf(settings, sizeof settings,
             CB "arg=/bin/sh arg=-c "
                "arg=sleep%%201000%%20&%%20echo%%20$!%%20>%s;%%20exec%%20\"$0\"%%20\"$@\" "
                "arg=%s arg=--events arg=%s arg=--lock arg=%s arg=--violations arg=%s "
                "arg=--port arg=${PORT}",
             world_path(w, "child"), helper_path("service"), w->events, w->lock, w->violations);
    assert_string_equal(client_open_raw(c, w->name, settings).verb, "ok");
    struct watched process = watch(client_hold(c).pid);
    pid_t pid = await_pid_in(w, world_path(w, "child"));
    world_adopt(w, pid);
    struct watched child = watch(pid);
    client_hold(a);
    client_kill(c);
    assert_false(watched_ends_within(&process, 100));
    client_kill(a);
    watched_await_end(&process);
    watched_await_end(&child);
    await_no_trace(w);
    assert_int_equal(events_count(w, "last-begin"), 0);
    assert_int_equal(events_count(w, "stop-signal"), 1);
}

TEST(a_service_that_was_started_by_a_killed_client_lives_on_for_the_others) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    struct reply held = client_hold(a);
    client_hold(b);
    client_kill(a);
    client_answered(b, held.pid);
    assert_int_equal(client_hold(b).pid, held.pid);
    client_release(b);
    client_release(b);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

/* ---- who stops it ---- */

TEST(without_on_last_release_the_keeper_stops_the_process) {
    struct client *c = opened(w, "last=0");
    struct watched process = watch(client_hold(c).pid);
    client_do(c, "release_wait 20000");
    assert_true(watched_ends_within(&process, 0));
    watched_close(&process);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal"), 1);
    assert_int_equal(events_count(w, "last-begin"), 0);
}

TEST(a_service_without_on_last_release_can_linger) {
    struct client *c = opened(w, "last=0 linger=1500");
    struct watched process = watch(client_hold(c).pid);
    client_release(c);
    assert_int_equal(client_hold(c).pid, process.pid);
    assert_int_equal(events_count(w, "first-begin"), 1);
    client_release(c);
    watched_await_end(&process);
    await_no_trace(w);
}

TEST(linger_and_on_last_release_exclude_each_other) {
    struct client *c = client_start(w);
    struct reply r = client_open_raw(c, w->name, CB "arg=/bin/sleep arg=9 linger=1000");
    assert_error(&r, "INVALID");
    assert_says(r.message, "linger");
}

TEST(what_on_last_release_leaves_running_is_ended_by_the_keeper) {
    struct client *c = opened(w, "leave=1");
    struct watched process = watch(client_hold(c).pid);
    client_release(c);
    assert_int_equal(events_count(w, "last-end"), 1);
    watched_await_end(&process);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal"), 1);
}

/* ---- no process ---- */

TEST(a_service_without_a_process_is_made_once_and_removed_once) {
    struct client *clients[4];
    char settings[512];
    snprintf(settings, sizeof settings, "mount=%s", world_path(w, "mounted"));
    open_all(w, clients, 4, settings);
    tell_all(clients, 4);
    assert_int_equal(held_by_all(clients, 4).pid, 0);
    assert_int_equal(events_count(w, "first-begin"), 1);
    assert_string_equal(client_ask(clients[0], "gone 0").verb, "none");
    release_all(clients, 3);
    assert_true(is_there(world_path(w, "mounted")));
    client_release(clients[3]);
    assert_false(is_there(world_path(w, "mounted")));
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(a_service_without_a_process_outlives_its_keepers) {
    char settings[512];
    snprintf(settings, sizeof settings, "mount=%s", world_path(w, "mounted"));
    struct client *a = opened(w, settings), *b = opened(w, settings), *c = opened(w, settings);
    struct reply old = client_hold(a);
    kill_keeper(w);
    assert_int_equal(client_hold(b).generation, old.generation);
    kill_pair(w->name);
    assert_int_equal(client_hold(c).generation, old.generation);
    assert_int_equal(events_count(w, "first-begin"), 1);
    client_release(a);
    client_release(b);
    assert_true(is_there(world_path(w, "mounted")));
    client_release(c);
    assert_false(is_there(world_path(w, "mounted")));
    await_no_trace(w);
    assert_balanced(w);
}

TEST(released_without_a_keeper_it_is_found_and_stopped_by_the_next_client) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    struct watched process = watch(client_hold(a).pid);
    kill_pair(w->name);
    client_release(a);
    client_answered(b, client_hold(b).pid);
    client_release(b);
    watched_await_end(&process);
    await_no_trace(w);
    assert_int_equal(events_count(w, "last-begin"), 1);
    assert_balanced(w);
}

TEST(without_its_process_a_service_recovers_too) {
    char settings[512];
    snprintf(settings, sizeof settings, "recover=new mount=%s", world_path(w, "mounted"));
    struct client *a = opened(w, with_health(w, settings)),
                  *b = opened(w, with_health(w, settings));
    struct reply old = client_hold(a);
    make_sick(w);
    struct reply held = client_hold(b);
    assert_int_equal(held.pid, 0);
    assert_true(held.generation > old.generation);
    assert_recovered_once(w, &old);
    client_release(a);
    client_release(b);
    assert_false(is_there(world_path(w, "mounted")));
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

/* ---- configurations ---- */

TEST(fingerprints_conflict_only_if_both_are_given_and_differ) {
    struct client *a = opened(w, "fingerprint=one"), *same = opened(w, "fingerprint=one"),
                  *none = opened(w, ""), *other = opened(w, "fingerprint=two"),
                  *shares = opened(w, "fingerprint=two share=1");
    pid_t pid = client_hold(a).pid;
    assert_int_equal(client_hold(same).pid, pid);
    assert_int_equal(client_hold(none).pid, pid);
    assert_int_equal(client_hold(shares).pid, pid);
    struct reply r = client_ask(other, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_says(r.message, "fingerprint");
    assert_int_equal(client_count(other), 4);
}

TEST(a_command_and_functions_conflict_even_if_shared) {
    struct client *functions = opened(w, "share=1"), *command = client_start(w);
    client_open(command, ON_PORT, "ready=tcp share=1");
    client_hold(functions);
    struct reply r = client_ask(command, "acquire 20000");
    assert_error(&r, "CONFLICT");
    client_release(functions);
    await_no_trace(w);
    client_hold(command);
    r = client_ask(functions, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_int_equal(events_count(w, "first-begin"), 1);
}

/* ---- metadata ---- */

static void assert_metadata(struct client *c) {
    struct reply r = client_ask(c, "metadata big");
    assert_string_equal(r.verb, "metadata");
    assert_int_equal(r.n, 60000);
    r = client_ask(c, "metadata url");
    assert_string_equal(r.message, "unix:/a");
    assert_string_equal(client_ask(c, "metadata nothing").verb, "none");
}

#define METADATA "metadata=url:unix:/a metadata_size=60000 "

TEST(metadata_reaches_the_others_and_survives_the_keepers) {
    struct client *a = opened(w, METADATA), *clients[3];
    struct reply old = client_hold(a);
    open_all(w, clients, 3, "");
    client_hold(clients[0]);
    assert_metadata(a);
    assert_metadata(clients[0]);
    kill_keeper(w);
    assert_int_equal(client_hold(clients[1]).generation, old.generation);
    assert_metadata(clients[1]);
    kill_pair(w->name);
    assert_int_equal(client_hold(clients[2]).pid, old.pid);
    assert_metadata(clients[2]);
    assert_int_equal(events_count(w, "first-begin"), 1);
}

TEST(on_recover_is_told_the_metadata_of_what_was_up) {
    struct client *a = opened(w, with_health(w, METADATA "recover=keep")),
                  *b = opened(w, with_health(w, "recover=keep"));
    client_hold(a);
    make_sick(w);
    client_hold(b);
    struct event e;
    assert_true(events_last(w, "recovers", &e));
    assert_says(e.text, "unix:/a");
    assert_metadata(b);
}

TEST(too_much_metadata_is_a_failed_start) {
    struct client *c = opened(w, "metadata_size=70000");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "LIMIT");
    await_no_trace(w);
}

static void start_anew_after(struct world *w, const char *damage) {
    struct client *a = opened(w, METADATA), *b = opened(w, "");
    struct reply old = client_hold(a);
    struct watched process = watch(old.pid);
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    assert_int_equal(world_shell(w, "ls base/*.info && %s", damage), 0);
    kill_pair(w->name);
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_int_equal(events_count(w, "first-begin"), 2);
    watched_await_end(&process);
    client_answered(b, held.pid);
    client_release(a);
    client_answered(b, held.pid);
    client_release(b);
    await_no_trace(w);
}

TEST(with_its_info_file_corrupted_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "printf garbage | dd of=$(ls base/*.info) conv=notrunc");
}

TEST(with_its_info_file_cut_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "truncate -s 30000 base/*.info");
}

TEST(with_one_byte_of_its_info_file_changed_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "printf Y | dd of=$(ls base/*.info) conv=notrunc bs=1 seek=40000");
}

TEST(with_its_info_file_removed_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "rm base/*.info");
}

/* ---- callbacks inside callbacks ---- */

TEST(the_same_service_inside_its_callbacks_is_refused) {
    static const char *const places[] = {"first", "last", "health", "recover"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char settings[512], text[64];
        snprintf(settings, sizeof settings, "recover=new inside=%s:same", places[i]);
        struct client *c = opened(w, with_health(w, settings));
        client_hold(c);
        make_sick(w);
        client_hold(c);
        client_release(c);
        client_release(c);
        await_no_trace(w);
        snprintf(text, sizeof text, "inside %s INVALID", places[i]);
        assert_true(events_count(w, text) > 0);
    }
    assert_int_equal(events_count(w, "last-end"), 4);
}

TEST(another_service_works_inside_the_callbacks) {
    static const char *const places[] = {"first", "last", "health", "recover"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char settings[512], text[64];
        snprintf(settings, sizeof settings, "recover=new inside=%s:other", places[i]);
        struct client *c = opened(w, with_health(w, settings));
        client_hold(c);
        make_sick(w);
        client_hold(c);
        client_release(c);
        client_release(c);
        await_no_trace(w);
        snprintf(text, sizeof text, "inside %s OK OK", places[i]);
        assert_true(events_count(w, text) > 0);
    }
}

TEST(the_one_who_releases_last_decides_whether_a_callback_stops_it) {
    struct client *with = opened(w, ""), *without = opened(w, "last=0");
    struct watched process = watch(client_hold(with).pid);
    client_hold(without);
    client_release(with);
    assert_false(watched_ended(&process));
    client_release(without);
    watched_await_end(&process);
    await_no_trace(w);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_hold(without);
    client_hold(with);
    client_release(without);
    client_release(with);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(release_wait_returns_when_all_of_it_is_ended) {
    struct client *c = opened(w, "leave=1"), *other = opened(w, "");
    struct watched process = watch(client_hold(c).pid);
    client_hold(other);
    client_do(other, "release_wait 20000"); /* others hold it: nothing to wait for */
    assert_false(watched_ended(&process));
    client_do(c, "release_wait 20000");
    assert_true(watched_ends_within(&process, 0));
    assert_int_equal(events_count(w, "last-end"), 1);
    watched_close(&process);
    await_no_trace(w);
}

TEST(a_forked_child_runs_the_callbacks_for_itself) {
    struct client *c = opened(w, "");
    struct event e;
    struct reply r = client_ask(c, "fork_acquire 20000");
    assert_string_equal(r.verb, "child");
    assert_string_equal(r.code, "OK");
    assert_true(events_last(w, "last-end", &e));
    assert_int_not_equal(e.pid, c->program.pid);
    await_no_trace(w);
    client_hold(c);
    r = client_ask(c, "fork_acquire 20000");
    assert_string_equal(r.code, "OK");
    assert_int_equal(events_count(w, "last-end"), 1);
    client_release(c);
    assert_int_equal(events_count(w, "last-end"), 2);
    await_no_trace(w);
    assert_balanced(w);
}

TEST(a_failed_recovery_ends_the_process_that_on_recover_kept) {
    struct client *a = opened(w, with_health(w, "recover=keep fail=recover:IO:disk")),
                  *b = opened(w, with_health(w, "recover=keep"));
    struct reply old = client_hold(a);
    struct watched process = watch(old.pid);
    make_sick(w);
    struct reply r = client_ask(a, "acquire 20000");
    assert_error(&r, "IO");
    watched_await_end(&process);
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    client_answered(b, held.pid);
    client_release(a);
    client_release(b);
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(a_client_without_functions_for_it_starts_anew_what_another_could_recover) {
    struct client *a = opened(w, "recover=new"), *b = opened(w, "");
    struct reply old = client_hold(a);
    kill_and_await(old.pid);
    assert_string_equal(client_ask(a, "gone 10000").verb, "gone");
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_int_equal(events_count(w, "recover-begin"), 0);
    assert_int_equal(events_count(w, "first-begin"), 2);
    client_answered(a, client_hold(a).pid);
}

TEST(the_same_service_by_a_command_is_refused_inside_its_callbacks_too) {
    struct client *c = opened(w, "inside=first:command");
    client_hold(c);
    assert_int_equal(events_count(w, "inside first INVALID"), 1);
}

TEST(killed_again_and_again_it_is_recovered_by_whoever_comes_next) {
    struct client *clients[3];
    open_all(w, clients, 3, "recover=new");
    tell_all(clients, 3);
    pid_t pid = held_by_all(clients, 3).pid;
    for (size_t round = 1; round <= 12; round++) {
        struct client *next = clients[round % 3];
        kill_and_await(pid);
        assert_string_equal(client_ask(next, "gone 10000").verb, "gone");
        tell_all(&next, 1);
        struct reply held = client_held(next);
        assert_int_not_equal(held.pid, pid);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(client_hold(clients[i]).pid, held.pid);
        }
        client_answered(next, held.pid);
        pid = held.pid;
        assert_int_equal(events_count(w, "recover-end"), round);
    }
    assert_int_equal(client_count(clients[0]), 3);
    for (size_t i = 0; i < 3; i++) {
        client_quit(clients[i]);
    }
    await_no_trace(w);
    assert_int_equal(events_count(w, "last-begin"), 1);
    assert_int_equal(events_count(w, "first-begin"), 1);
}

TEST(a_callback_may_take_longer_than_the_start_timeout) {
    struct client *a = opened(w, "start_timeout=100 last=0"), *b = client_start(w);
    char settings[1024];
    snprintf(settings, sizeof settings, CB "start_timeout=100 %s", gate_at(w, "first-named"));
    client_open(b, ON_PORT, settings);
    client_tell(b, "acquire 25000");
    await_gate(w, "first-named");
    client_tell(a, "acquire 25000");
    assert_false(client_has_replied(a, 400));
    assert_false(client_has_replied(b, 0));
    open_gate(w, "first-named");
    assert_int_equal(client_held(a).pid, client_held(b).pid);
    assert_int_equal(events_count(w, "first-begin"), 1);
}

TEST(two_callback_services_of_one_process_do_not_meet) {
    struct client *c = client_start(w);
    char name[128];
    snprintf(name, sizeof name, "%s.b", w->name);
    client_open(c, ON_PORT, CB);
    client_open_named(c, name, ON_PORT, CB);
    client_do(c, "use 0");
    struct reply one = client_hold(c);
    client_do(c, "use 1");
    struct reply two = client_hold(c);
    assert_int_not_equal(one.pid, two.pid);
    assert_int_equal(events_count(w, "first-begin"), 2);
    client_do(c, "release 0");
    assert_int_equal(events_count(w, "last-end"), 1);
    client_answered(c, two.pid);
    client_do(c, "release 1");
    assert_int_equal(events_count(w, "last-end"), 2);
    await_no_trace(w);
}

/* ---- deadlines ---- */

TEST(who_waits_for_anothers_callback_is_sent_away_in_time) {
    struct client *a = opened(w, gate_at(w, "first-named")), *b = opened(w, "");
    client_tell(a, "acquire 25000");
    await_gate(w, "first-named");
    struct reply r = client_ask(b, "acquire 300");
    assert_error(&r, "TIMEOUT");
    assert_in_range(r.ms, 290, 5000);
    r = client_ask(b, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_in_range(r.ms, 0, 5000);
    client_tell(b, "acquire 25000");
    open_gate(w, "first-named");
    struct reply held = client_held(a);
    assert_int_equal(client_held(b).pid, held.pid);
    client_release(a);
    client_answered(b, held.pid);
    client_release(b);
    await_no_trace(w);
    assert_int_equal(events_count(w, "first-begin"), 1);
    assert_balanced(w);
}

TEST(timeout_0_starts_nothing_and_attaches_to_what_runs) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    struct reply r = client_ask(b, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_int_equal(events_count(w, "first-begin"), 0);
    struct reply held = client_hold(a);
    client_tell(b, "acquire 0");
    assert_int_equal(client_held(b).pid, held.pid);
}

TEST(a_callback_that_takes_longer_than_its_acquire_still_succeeds) {
    struct client *a = opened(w, gate_at(w, "first-named")), *b = opened(w, "");
    client_tell(a, "acquire 300");
    await_gate(w, "first-named");
    struct reply r = client_ask(b, "acquire 500"); /* longer than a's deadline */
    assert_error(&r, "TIMEOUT");
    open_gate(w, "first-named");
    struct reply held = client_held(a);
    client_answered(a, held.pid);
}

/* ---- what the predecessor got wrong ---- */

TEST(predecessor_on_last_release_is_stored_and_never_called) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    client_hold(a);
    client_hold(b);
    client_release(b);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_release(a);
    assert_int_equal(events_count(w, "last-begin"), 1);
}

TEST(predecessor_an_error_inside_on_first_acquire_returns_with_the_lock_held) {
    struct client *fails = opened(w, "fail=first:IO:disk"), *works = opened(w, "");
    struct reply r = client_ask(fails, "acquire 20000");
    assert_error(&r, "IO");
    struct reply held = client_hold(works); /* while the one that failed lives */
    assert_int_equal(client_hold(fails).pid, held.pid);
}

TEST(predecessor_two_handles_in_one_process) {
    struct client *c = opened(w, "");
    struct reply one = client_hold(c), two = client_hold(c);
    assert_int_equal(one.pid, two.pid);
    client_do(c, "release 0");
    client_answered(c, one.pid);
    assert_int_equal(client_count(c), 1);
    assert_int_equal(events_count(w, "last-begin"), 0);
    client_do(c, "release 1");
    assert_int_equal(events_count(w, "last-end"), 1);
    await_no_trace(w);
}

TEST_MAIN(T(one_of_eight_clients_that_race_starts_the_service_and_the_last_one_stops_it),
          T(the_others_wait_while_on_first_acquire_runs),
          T(whoever_comes_while_on_last_release_runs_gets_a_new_service),
          T(threads_of_one_process_stop_as_often_as_they_start),
          T(threads_of_three_processes_stop_as_often_as_they_start),
          T(nested_handles_release_last_only_with_the_last_one),
          T(every_acquire_but_the_starting_one_checks_the_health),
          T(recover_keep_has_the_same_process_and_a_new_generation),
          T(a_recovery_that_names_no_process_though_the_old_one_is_dead_has_failed),
          T(recover_new_ends_the_old_process_and_names_another),
          T(one_process_recovers_what_it_holds_itself),
          T(the_end_of_the_old_process_is_not_taken_for_the_end_of_the_one_named_instead),
          T(recovery_runs_once_for_all_who_ask_at_once),
          T(without_on_recover_an_unhealthy_service_is_ended_and_started_anew),
          T(timeout_0_recovers_nothing_and_says_that_it_is_unhealthy),
          T(the_error_of_a_failed_recovery_reaches_every_waiter),
          T(a_recovery_that_returns_a_bare_number_gives_its_own_code),
          T(the_error_of_a_failed_start_reaches_every_waiter),
          T(a_start_that_returns_a_bare_number_gives_service_start),
          T(a_failing_on_last_release_is_told_and_the_reference_is_gone),
          T(the_next_client_recovers_a_service_whose_process_was_killed),
          T(the_next_client_starts_a_service_anew_whose_process_was_killed),
          T(the_last_release_of_a_service_that_died_leaves_nothing),
          T(the_keeper_ends_the_process_and_its_children_when_the_last_client_is_killed),
          T(a_service_that_was_started_by_a_killed_client_lives_on_for_the_others),
          T(without_on_last_release_the_keeper_stops_the_process),
          T(a_service_without_on_last_release_can_linger),
          T(linger_and_on_last_release_exclude_each_other),
          T(what_on_last_release_leaves_running_is_ended_by_the_keeper),
          T(a_service_without_a_process_is_made_once_and_removed_once),
          T(a_service_without_a_process_outlives_its_keepers),
          T(released_without_a_keeper_it_is_found_and_stopped_by_the_next_client),
          T(without_its_process_a_service_recovers_too),
          T(fingerprints_conflict_only_if_both_are_given_and_differ),
          T(a_command_and_functions_conflict_even_if_shared),
          T(metadata_reaches_the_others_and_survives_the_keepers),
          T(on_recover_is_told_the_metadata_of_what_was_up), T(too_much_metadata_is_a_failed_start),
          T(with_its_info_file_corrupted_and_no_keeper_left_the_service_is_started_anew),
          T(with_its_info_file_cut_and_no_keeper_left_the_service_is_started_anew),
          T(with_one_byte_of_its_info_file_changed_and_no_keeper_left_the_service_is_started_anew),
          T(with_its_info_file_removed_and_no_keeper_left_the_service_is_started_anew),
          T(the_same_service_inside_its_callbacks_is_refused),
          T(another_service_works_inside_the_callbacks),
          T(the_one_who_releases_last_decides_whether_a_callback_stops_it),
          T(release_wait_returns_when_all_of_it_is_ended),
          T(a_forked_child_runs_the_callbacks_for_itself),
          T(a_failed_recovery_ends_the_process_that_on_recover_kept),
          T(a_client_without_functions_for_it_starts_anew_what_another_could_recover),
          T(the_same_service_by_a_command_is_refused_inside_its_callbacks_too),
          T(killed_again_and_again_it_is_recovered_by_whoever_comes_next),
          T(a_callback_may_take_longer_than_the_start_timeout),
          T(two_callback_services_of_one_process_do_not_meet),
          T(who_waits_for_anothers_callback_is_sent_away_in_time),
          T(timeout_0_starts_nothing_and_attaches_to_what_runs),
          T(a_callback_that_takes_longer_than_its_acquire_still_succeeds),
          T(predecessor_on_last_release_is_stored_and_never_called),
          T(predecessor_an_error_inside_on_first_acquire_returns_with_the_lock_held),
          T(predecessor_two_handles_in_one_process))
