/* Services of callbacks that are unhealthy, fail or die: on_recover, and what every waiter is told. */
#include "support/called.h"

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
        assert_false(client_has_replied(clients[i], 500));
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
        assert_false(client_has_replied(clients[i], 500));
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
        assert_false(client_has_replied(clients[i], 500));
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

TEST_MAIN(T(recover_keep_has_the_same_process_and_a_new_generation),
          T(a_recovery_that_names_no_process_though_the_old_one_is_dead_has_failed),
          T(recover_new_ends_the_old_process_and_names_another),
          T(one_process_recovers_what_it_holds_itself),
          T(the_end_of_the_old_process_is_not_taken_for_the_end_of_the_one_named_instead),
          T(recovery_runs_once_for_all_who_ask_at_once),
          T(without_on_recover_an_unhealthy_service_is_ended_and_started_anew),
          T(timeout_0_recovers_nothing_and_says_that_it_is_unhealthy),
          T(the_error_of_a_failed_recovery_reaches_every_waiter),
          T(a_recovery_that_returns_a_bare_number_gives_its_own_code),
          T(a_failed_recovery_ends_the_process_that_on_recover_kept),
          T(a_client_without_functions_for_it_starts_anew_what_another_could_recover),
          T(the_error_of_a_failed_start_reaches_every_waiter),
          T(a_start_that_returns_a_bare_number_gives_service_start),
          T(a_failing_on_last_release_is_told_and_the_reference_is_gone),
          T(the_next_client_recovers_a_service_whose_process_was_killed),
          T(the_next_client_starts_a_service_anew_whose_process_was_killed),
          T(the_last_release_of_a_service_that_died_leaves_nothing),
          T(the_keeper_ends_the_process_and_its_children_when_the_last_client_is_killed),
          T(a_service_that_was_started_by_a_killed_client_lives_on_for_the_others),
          T(killed_again_and_again_it_is_recovered_by_whoever_comes_next))
