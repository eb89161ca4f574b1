/* Services that their clients' own functions start and stop (callbacks.h), on real processes. */
#include "support/called.h"

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
    struct client *c = opened(w, "last=0 linger=5000");
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

TEST(the_same_service_by_a_command_is_refused_inside_its_callbacks_too) {
    struct client *c = opened(w, "inside=first:command");
    client_hold(c);
    assert_int_equal(events_count(w, "inside first INVALID"), 1);
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
    assert_in_range(r.ms, 290, 15000);
    r = client_ask(b, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_in_range(r.ms, 0, 15000);
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
    client_tell(a, "acquire 3000");
    await_gate(w, "first-named");
    struct reply r = client_ask(b, "acquire 3500"); /* longer than a's deadline */
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
          T(without_on_last_release_the_keeper_stops_the_process),
          T(a_service_without_on_last_release_can_linger),
          T(linger_and_on_last_release_exclude_each_other),
          T(what_on_last_release_leaves_running_is_ended_by_the_keeper),
          T(the_same_service_inside_its_callbacks_is_refused),
          T(another_service_works_inside_the_callbacks),
          T(the_one_who_releases_last_decides_whether_a_callback_stops_it),
          T(release_wait_returns_when_all_of_it_is_ended),
          T(a_forked_child_runs_the_callbacks_for_itself),
          T(the_same_service_by_a_command_is_refused_inside_its_callbacks_too),
          T(a_callback_may_take_longer_than_the_start_timeout),
          T(two_callback_services_of_one_process_do_not_meet),
          T(who_waits_for_anothers_callback_is_sent_away_in_time),
          T(timeout_0_starts_nothing_and_attaches_to_what_runs),
          T(a_callback_that_takes_longer_than_its_acquire_still_succeeds),
          T(predecessor_on_last_release_is_stored_and_never_called),
          T(predecessor_an_error_inside_on_first_acquire_returns_with_the_lock_held),
          T(predecessor_two_handles_in_one_process))
