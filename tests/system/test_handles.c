/* Handles: nesting, threads, gone, release_wait, count. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(each_nested_handle_counts_and_the_process_is_counted_once) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    pid_t pid = client_hold(c).pid;
    client_hold(c);
    client_hold(c);
    client_hold(other);
    assert_int_equal(client_count(c), 2);
    client_release(other);
    client_release(c);
    client_release(c);
    assert_int_equal(client_count(c), 1);
    client_answered(c, pid);
    struct watched service = watch(pid);
    client_release(c);
    watched_await_end(&service);
    assert_int_equal(client_count(c), 0);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(handles_may_be_released_in_any_order) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply one = client_hold(c), two = client_hold(c), three = client_hold(c);
    client_do(c, "release %lld", one.handle);
    client_do(c, "release %lld", three.handle);
    client_answered(c, two.pid);
    struct watched service = watch(two.pid);
    client_do(c, "release %lld", two.handle);
    watched_await_end(&service);
}

TEST(two_service_objects_of_one_process_are_two_handles_of_one_reference) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(c, ON_PORT, TCP);
    client_do(c, "use 0");
    struct reply first = client_hold(c);
    client_do(c, "use 1");
    struct reply second = client_hold(c);
    assert_int_equal(first.pid, second.pid);
    assert_int_equal(client_count(c), 1);
    client_do(c, "release %lld", first.handle);
    client_answered(c, second.pid);
    struct watched service = watch(second.pid);
    client_do(c, "release %lld", second.handle);
    watched_await_end(&service);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(handles_stay_valid_after_their_service_object_is_closed) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(c, "close");
    client_answered(c, held.pid);
    assert_string_equal(client_ask(c, "gone 0").verb, "still");
    struct watched service = watch(held.pid);
    client_release(c);
    watched_await_end(&service);
    await_no_trace(w);
    client_quit(c);
}

TEST(one_thread_acquires_and_another_releases) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    assert_string_equal(client_ask(c, "cross").code, "OK");
    assert_int_equal(client_count(c),
                     1); /* the thread that acquired has ended; the process holds */
    struct event started;
    assert_true(events_last(w, "start", &started));
    struct watched service = watch(started.pid);
    assert_string_equal(client_ask(c, "cross").code, "OK");
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(many_threads_acquire_and_release_at_once) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    assert_string_equal(client_ask(c, "threads 8 2000").code, "OK");
    assert_int_equal(client_count(c), 1);
    client_release(c);
    assert_string_equal(client_ask(c, "threads 4 30").code,
                        "OK"); /* now the service comes and goes */
    client_quit(c);
    await_no_trace(w);
}

TEST(gone_tells_the_end_of_the_generation_and_only_that) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_hold(other);
    client_kill(other);
    assert_string_equal(client_ask(c, "gone 50").verb, "still");
    client_tell(c, "gone 25000");
    kill_and_await(held.pid);
    assert_string_equal(client_reply(c).verb, "gone");
    struct reply fresh = client_hold(c);
    assert_true(fresh.generation > held.generation);
    struct reply info = client_ask(c, "info %lld", held.handle);
    assert_int_equal(info.pid, held.pid); /* a handle keeps what it got */
    assert_int_equal(info.generation, held.generation);
    assert_string_equal(client_ask(c, "gone 0 %lld", fresh.handle).verb, "still");
    assert_string_equal(client_ask(c, "gone 0 %lld", held.handle).verb, "gone");
}

TEST(gone_survives_the_death_of_the_keeper) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper);
    await_pair(w->name, &keeper, &standby);
    assert_string_equal(client_ask(c, "gone 50").verb, "still");
    kill_and_await(held.pid);
    assert_string_equal(client_ask(c, "gone 25000").verb, "gone");
}

TEST(release_wait_returns_when_the_service_has_been_stopped) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 150", TCP);
    struct watched service = watch(client_hold(c).pid);
    struct reply r = client_ask(c, "release_wait 20000");
    assert_string_equal(r.verb, "ok");
    assert_true(watched_ended(&service));
    watched_close(&service);
    assert_int_equal(client_count(c), 0);
}

TEST(release_wait_returns_at_once_when_others_hold) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    pid_t pid = client_hold(c).pid;
    client_hold(other);
    struct reply r = client_ask(c, "release_wait 20000");
    assert_string_equal(r.verb, "ok");
    assert_true(r.ms < 10000);
    client_answered(other, pid);
}

TEST(release_wait_gives_the_reference_back_even_when_the_stop_takes_too_long) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 4000", TCP);
    struct watched service = watch(client_hold(c).pid);
    struct reply r = client_ask(c, "release_wait 100");
    assert_error(&r, "TIMEOUT");
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(release_wait_survives_the_death_of_the_keeper_that_stops) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT " --ignore-term", TCP " stop_timeout=3000");
    struct watched service = watch(client_hold(c).pid);
    await_pair(w->name, &keeper, &standby);
    client_tell(c, "release_wait 20000");
    await_events(w, "stop-signal", 1);
    kill_and_await(keeper);
    assert_string_equal(client_reply(c).verb, "ok");
    assert_true(watched_ended(&service));
    watched_close(&service);
}

TEST(a_timeout_of_0_attaches_to_what_runs_and_starts_nothing) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply r = client_ask(c, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_int_equal(events_count(w, "start"), 0);
    pid_t pid = client_hold(other).pid;
    r = client_ask(c, "acquire 0");
    assert_held(&r);
    assert_int_equal(r.pid, pid);
}

TEST(the_info_of_a_handle_tells_whether_that_process_lives) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " restart=never");
    struct reply held = client_hold(c);
    assert_string_equal(client_ask(c, "info").verb, "info");
    kill_and_await(held.pid);
    client_tell(c, "info");
    assert_says(program_read(&c->program), "alive=0");
}

TEST(one_process_holds_many_services) {
    enum { MANY = 8 };
    struct client *c = client_start(w);
    char names[MANY][80];
    pid_t pids[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%s-%d", w->name, i);
        client_open_named(c, names[i], ON_PORT, TCP);
        pids[i] = client_hold(c).pid;
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(pids[i], pids[j]);
        }
    }
    client_kill(c);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal"), MANY);
}

TEST_MAIN(T(each_nested_handle_counts_and_the_process_is_counted_once),
          T(handles_may_be_released_in_any_order),
          T(two_service_objects_of_one_process_are_two_handles_of_one_reference),
          T(handles_stay_valid_after_their_service_object_is_closed),
          T(one_thread_acquires_and_another_releases), T(many_threads_acquire_and_release_at_once),
          T(gone_tells_the_end_of_the_generation_and_only_that),
          T(gone_survives_the_death_of_the_keeper),
          T(release_wait_returns_when_the_service_has_been_stopped),
          T(release_wait_returns_at_once_when_others_hold),
          T(release_wait_gives_the_reference_back_even_when_the_stop_takes_too_long),
          T(release_wait_survives_the_death_of_the_keeper_that_stops),
          T(a_timeout_of_0_attaches_to_what_runs_and_starts_nothing),
          T(the_info_of_a_handle_tells_whether_that_process_lives),
          T(one_process_holds_many_services))
