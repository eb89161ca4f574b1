/* The rows of DESIGN's crash table ("who dies, who notices, what happens"), one test each, by the
 * row's name. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(a_client_among_several_dies_and_nobody_needs_to_act) {
    struct client *a = client_start(w), *b = client_start(w), *c = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    client_open(c, ON_PORT, TCP);
    pid_t pid = client_hold(a).pid;
    client_hold(b);
    client_hold(c);
    client_kill(b);
    assert_int_equal(client_count(a), 2);
    client_answered(a, pid);
    client_kill(a); /* the one that started it */
    assert_int_equal(client_count(c), 1);
    client_answered(c, pid);
    assert_int_equal(events_count(w, "stop-signal"), 0);
}

TEST(the_last_client_dies_and_the_keeper_stops_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal 15"), 1);
}

TEST(a_client_inside_acquire_dies_and_the_start_that_nobody_wants_drains) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --start-delay-ms 300", TCP);
    client_tell(c, "acquire 25000");
    await_events(w, "start", 1);
    client_kill(c);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(a_client_inside_acquire_dies_and_the_other_waiters_get_the_service) {
    struct client *first = client_start(w), *second = client_start(w);
    client_open(first, ON_PORT " --start-delay-ms 3000", TCP);
    client_open(second, ON_PORT " --start-delay-ms 3000", TCP);
    client_tell(first, "acquire 25000");
    await_events(w, "start", 1);
    client_tell(second, "acquire 25000");
    client_kill(first);
    client_answered(second, client_held(second).pid);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(the_service_dies_and_the_keeper_starts_it_again_under_a_new_generation) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply old = client_hold(c);
    assert_string_equal(client_ask(c, "gone 0").verb, "still");
    kill_and_await(old.pid);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    struct reply fresh = client_hold(c);
    assert_true(fresh.generation > old.generation);
    assert_int_not_equal(fresh.pid, old.pid);
    client_answered(c, fresh.pid);
    assert_int_equal(client_count(c), 1);
    assert_no_violation(w);
}

TEST(the_service_dies_and_is_not_started_again_so_the_reason_is_kept) {
    struct client *holds = client_start(w), *comes = client_start(w);
    client_open(holds, ON_PORT, TCP " restart=never");
    client_open(comes, ON_PORT, TCP " restart=never");
    struct reply old = client_hold(holds);
    kill_and_await(old.pid);
    assert_string_equal(client_ask(holds, "gone 20000").verb, "gone");
    /* A new acquire asks for one fresh start and gets its result. */
    struct reply fresh = client_hold(comes);
    assert_int_not_equal(fresh.pid, old.pid);
    assert_true(fresh.generation > old.generation);
    assert_int_equal(events_count(w, "start"), 2);
}

TEST(the_keeper_dies_and_the_standby_adopts_the_running_service) {
    struct client *a = client_start(w), *b = client_start(w);
    pid_t keeper, standby, next_keeper, next_standby;
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    struct reply other = client_hold(b); /* while it is being adopted, or after */
    assert_int_equal(other.pid, held.pid);
    assert_int_equal(other.generation, held.generation);
    await_pair(w->name, &next_keeper, &next_standby);
    assert_int_equal(next_standby, standby);
    assert_int_not_equal(next_keeper, keeper);
    assert_string_equal(client_ask(a, "gone 0").verb, "still");
    struct watched service = watch(held.pid);
    client_kill(a);
    client_kill(b);
    watched_await_end(&service);
    assert_int_equal(events_count(w, "start"), 1);
    await_no_trace(w);
}

TEST(the_keeper_dies_while_starting_and_the_start_is_tried_anew) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT " --start-delay-ms 3000", TCP);
    client_tell(c, "acquire 25000");
    await_events(w, "start", 1);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    client_answered(c, client_held(c).pid);
    assert_int_equal(events_count(w, "start"), 2);
    assert_no_violation(w);
}

TEST(the_keeper_dies_while_stopping_and_the_half_stopped_tree_is_ended) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT " --ignore-term", TCP " stop_timeout=1000");
    struct watched service = watch(client_hold(c).pid);
    await_pair(w->name, &keeper, &standby);
    client_kill(c);
    await_events(w, "stop-signal", 1);
    kill_and_await(keeper);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(the_standby_dies_and_the_keeper_hands_over_to_one_that_it_forks) {
    struct client *a = client_start(w), *b = client_start(w);
    pid_t keeper, standby, next_keeper, next_standby;
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(standby);
    struct reply other = client_hold(b);
    assert_int_equal(other.pid, held.pid);
    assert_int_equal(other.generation, held.generation);
    await_pair(w->name, &next_keeper, &next_standby);
    assert_int_equal(next_standby, keeper);
    struct watched service = watch(held.pid);
    client_kill(a);
    client_kill(b);
    watched_await_end(&service);
    assert_int_equal(events_count(w, "start"), 1);
    await_no_trace(w);
}

TEST(the_standby_dies_while_starting_and_the_start_goes_on) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT " --start-delay-ms 300", TCP);
    client_tell(c, "acquire 25000");
    await_events(w, "start", 1);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(standby);
    client_answered(c, client_held(c).pid);
    assert_int_equal(events_count(w, "start"), 1);
    await_pair(w->name, &keeper, &standby); /* and then there are two again */
}

TEST(the_standby_dies_while_stopping_and_the_stop_goes_on) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT " --stop-delay-ms 300", TCP);
    struct watched service = watch(client_hold(c).pid);
    await_pair(w->name, &keeper, &standby);
    client_kill(c);
    await_events(w, "stop-signal", 1);
    kill_and_await(standby);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(keeper_and_standby_die_at_once_and_the_next_acquirer_adopts_by_the_checked_hint) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    kill_pair(w->name);
    client_answered(a, held.pid); /* the holder still has its service */
    struct reply other = client_hold(b);
    assert_int_equal(other.pid, held.pid);
    assert_int_equal(other.generation, held.generation);
    client_answered(b, held.pid);
    struct watched service = watch(held.pid);
    client_kill(a);
    client_kill(b);
    watched_await_end(&service);
    assert_int_equal(events_count(w, "start"), 1);
    await_no_trace(w);
}

TEST(keeper_and_standby_die_at_once_and_without_a_hint_the_remains_are_ended) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    struct watched service = watch(held.pid);
    kill_pair(w->name);
    assert_int_equal(world_shell(w, "rm -rf base"), 0);
    struct reply fresh = client_hold(b);
    /* Promise 1: whatever it does about the service that nobody has on record, there is one. */
    client_answered(b, fresh.pid);
    if (fresh.pid != held.pid) {
        watched_await_end(&service);
    } else {
        watched_close(&service);
    }
    assert_no_violation(w);
}

TEST(keeper_and_standby_die_while_starting_and_the_waiter_spawns_another_pair) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --start-delay-ms 300", TCP);
    client_tell(c, "acquire 25000");
    await_events(w, "start", 1);
    kill_pair(w->name);
    client_answered(c, client_held(c).pid);
    assert_no_violation(w);
}

TEST(keeper_and_standby_die_while_stopping_and_the_next_acquirer_ends_the_remains) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT " --ignore-term", TCP " stop_timeout=3000");
    client_open(b, ON_PORT " --ignore-term", TCP " stop_timeout=3000");
    struct watched service = watch(client_hold(a).pid);
    client_kill(a);
    await_events(w, "stop-signal", 1);
    /* 3 s until SIGKILL: if the pair was faster there is nothing to end. */
    struct process_seen seen[4];
    if (look_keepers(w->name, seen, 4) == 2) {
        for (int i = 0; i < 2; i++) {
            struct watched one = watch(seen[i].pid);
            watched_signal(&one, SIGKILL);
            watched_close(&one);
        }
    }
    struct reply fresh = client_hold(b);
    watched_await_end(&service);
    client_answered(b, fresh.pid);
    assert_no_violation(w);
}

TEST(everyone_dies_at_once_and_the_next_acquirer_removes_all_of_it) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    struct watched service = watch(held.pid);
    client_hold(b);
    program_signal(&a->program, SIGSTOP);
    program_signal(&b->program, SIGSTOP);
    kill_pair(w->name);
    watched_signal(&service, SIGKILL);
    client_kill(a);
    client_kill(b);
    watched_await_end(&service);
    struct client *next = client_start(w);
    client_open(next, ON_PORT, TCP);
    struct reply fresh = client_hold(next);
    assert_true(fresh.generation > held.generation);
    client_answered(next, fresh.pid);
    client_quit(next);
    await_no_trace(w);
}

TEST(everyone_but_the_service_dies_at_once_and_the_next_acquirer_finds_one_service) {
    struct client *a = client_start(w);
    client_open(a, ON_PORT, TCP);
    struct reply held = client_hold(a);
    struct watched service = watch(held.pid);
    kill_pair(w->name);
    client_kill(a);
    assert_false(watched_ended(
        &service)); /* nobody is left who could know: this is promise 4's second half */
    struct client *next = client_start(w);
    client_open(next, ON_PORT, TCP);
    struct reply fresh = client_hold(next);
    client_answered(next, fresh.pid);
    if (fresh.pid != held.pid) {
        watched_await_end(&service);
    }
    assert_no_violation(w);
    struct watched now = watch(fresh.pid);
    client_quit(next);
    watched_await_end(&now);
    await_no_trace(w);
}

TEST(keeper_standby_and_service_die_at_once_and_a_holder_that_acquires_again_gets_a_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    struct watched service = watch(held.pid);
    kill_pair(w->name);
    watched_signal(&service, SIGKILL);
    watched_await_end(&service);
    struct reply fresh = client_hold(c); /* nested: it holds one already */
    assert_int_not_equal(fresh.pid, held.pid);
    client_answered(c, fresh.pid);
}

TEST(the_standby_dies_after_the_service_was_given_up_and_there_are_two_again) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP " restart=never");
    kill_and_await(client_hold(c).pid);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    await_pair(w->name, &keeper, &standby);
    kill_and_await(standby);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    await_pair(w->name, &keeper, &standby);
    client_kill(c);
    await_no_trace(w);
}

TEST_MAIN(T(a_client_among_several_dies_and_nobody_needs_to_act),
          T(the_last_client_dies_and_the_keeper_stops_the_service),
          T(a_client_inside_acquire_dies_and_the_start_that_nobody_wants_drains),
          T(a_client_inside_acquire_dies_and_the_other_waiters_get_the_service),
          T(the_service_dies_and_the_keeper_starts_it_again_under_a_new_generation),
          T(the_service_dies_and_is_not_started_again_so_the_reason_is_kept),
          T(the_keeper_dies_and_the_standby_adopts_the_running_service),
          T(the_keeper_dies_while_starting_and_the_start_is_tried_anew),
          T(the_keeper_dies_while_stopping_and_the_half_stopped_tree_is_ended),
          T(the_standby_dies_and_the_keeper_hands_over_to_one_that_it_forks),
          T(the_standby_dies_while_starting_and_the_start_goes_on),
          T(the_standby_dies_while_stopping_and_the_stop_goes_on),
          T(keeper_and_standby_die_at_once_and_the_next_acquirer_adopts_by_the_checked_hint),
          T(keeper_and_standby_die_at_once_and_without_a_hint_the_remains_are_ended),
          T(keeper_and_standby_die_while_starting_and_the_waiter_spawns_another_pair),
          T(keeper_and_standby_die_while_stopping_and_the_next_acquirer_ends_the_remains),
          T(everyone_dies_at_once_and_the_next_acquirer_removes_all_of_it),
          T(everyone_but_the_service_dies_at_once_and_the_next_acquirer_finds_one_service),
          T(keeper_standby_and_service_die_at_once_and_a_holder_that_acquires_again_gets_a_service),
          T(the_standby_dies_after_the_service_was_given_up_and_there_are_two_again))
