/* Deadlines hold: under a storm of signals, with stopped processes, with a full house. */
#include "support/world.h"

#include <poll.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(a_storm_of_signals_does_not_lengthen_an_acquire) {
    struct client *c = client_start(w);
    client_do(c, "alarm 1000");
    client_open(c, "", "ready=notify start_timeout=6000"); /* never ready */
    struct reply r = client_ask(c, "acquire 500");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms >= 500);
    assert_true(r.ms < 5000);
    await_no_trace(w);
}

#ifdef PRI_CRASH_POINTS
TEST(a_start_without_a_timeout_ends_when_nobody_waits_for_it_any_more) {
    world_set(w, "PROCREF_FAULT=hurry"); /* 0.1 s of mercy instead of 30 */
    struct client *c = client_start(w);
    client_open(c, "", "ready=notify start_timeout=-1"); /* never ready */
    struct reply r = client_ask(c, "acquire 300");
    assert_error(&r, "TIMEOUT");
    await_no_trace(w);
}

TEST(so_does_one_by_policy_whose_holder_has_gone) {
    char settings[256];
    world_set(w, "PROCREF_FAULT=hurry");
    struct client *c = client_start(w);
    snprintf(settings, sizeof settings, "ready=exec:test%%20!%%20-e%%20%s start_timeout=-1",
             world_path(w, "gone"));
    client_open(c, "", settings);
    pid_t service = client_hold(c).pid;
    await_events(w, "start", 1);
    fclose(fopen(world_path(w, "gone"), "we"));
    kill_and_await(service);
    await_events(w, "start", 2);
    poll(NULL, 0, 500); /* five such limits */
    assert_int_equal(events_count(w, "stop-signal"), 0);
    client_do(c, "release");
    await_no_trace(w);
}
#endif

TEST(a_storm_of_signals_does_not_fail_an_acquire_or_release) {
    struct client *c = client_start(w);
    client_do(c, "alarm 1000");
    client_open(c, ON_PORT " --start-delay-ms 300 --stop-delay-ms 100", TCP);
    for (int i = 0; i < 3; i++) {
        struct reply held = client_hold(c);
        client_answered(c, held.pid);
        struct reply r = client_ask(c, "release_wait 20000");
        assert_string_equal(r.verb, "ok");
    }
    client_hold(c);
    assert_string_equal(client_ask(c, "threads 4 3000").code, "OK");
}

TEST(a_storm_of_signals_does_not_lengthen_release_wait) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 6000", TCP);
    client_hold(c);
    client_do(c, "alarm 1000");
    struct reply r = client_ask(c, "release_wait 200");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms >= 200 && r.ms < 5000);
}

TEST(a_stopped_keeper_does_not_hold_an_acquire_past_its_deadline) {
    struct client *c = client_start(w), *other = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    struct watched stopped = watch(keeper);
    watched_signal(&stopped, SIGSTOP);
    client_tell(other, "acquire 300");
    struct reply r = client_reply(other);
    if (strcmp(r.verb, "held") !=
        0) { /* what is up can be attached to without the keeper, or not */
        assert_error(&r, "TIMEOUT");
        assert_true(r.ms >= 300 && r.ms < 15000);
    }
    client_answered(c, held.pid);
    assert_int_equal(client_hold(c).pid, held.pid); /* the hot path needs no keeper */
    watched_signal(&stopped, SIGCONT);
    watched_close(&stopped);
    assert_int_equal(client_hold(other).pid, held.pid);
}

TEST(a_stopped_client_delays_nobody) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    program_signal(&a->program, SIGSTOP);
    struct process_seen seen;
    AWAIT(look_process(a->program.pid, &seen) && seen.state == 'T');
    assert_int_equal(client_hold(b).pid, held.pid);
    client_release(b);
    assert_int_equal(client_count(b), 1); /* a stopped process still holds */
    client_hold(b);
    client_answered(b, held.pid);
    client_release(b);
    struct watched service = watch(held.pid);
    client_kill(a);
    watched_await_end(&service);
}

TEST(a_client_stopped_inside_acquire_delays_nobody) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT " --start-delay-ms 300", TCP);
    client_open(b, ON_PORT " --start-delay-ms 300", TCP);
    client_tell(a, "acquire 25000");
    await_events(w, "start", 1);
    program_signal(&a->program, SIGSTOP);
    struct reply held = client_hold(b);
    client_answered(b, held.pid);
    program_signal(&a->program, SIGCONT);
    assert_int_equal(client_held(a).pid, held.pid);
}

TEST(a_deadline_of_0_is_kept_while_somebody_starts_the_service) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT " --start-delay-ms 5000", TCP);
    client_open(b, ON_PORT " --start-delay-ms 5000", TCP);
    client_tell(a, "acquire 25000");
    await_events(w, "start", 1);
    struct reply r = client_ask(b, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms < 4000);
    client_held(a);
}

TEST(without_a_start_timeout_a_slow_service_may_take_its_time) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --start-delay-ms 600", TCP " start_timeout=-1");
    client_tell(c, "acquire -1");
    client_answered(c, client_held(c).pid);
}

TEST(a_service_that_is_up_before_its_slow_starter_has_asked_is_not_stopped_under_it) {
    struct client *slow = client_start(w), *busy = client_start(w), *busier = client_start(w);
    client_do(slow, "crawl");
    client_open(slow, "--notify", "ready=notify");
    client_tell(busy, "spin 1000");
    client_tell(busier, "spin 1000");
    struct reply held = client_hold(slow);
    struct event started;
    assert_int_equal(events_count(w, "start"), 1);
    assert_true(events_last(w, "start", &started));
    assert_int_equal(started.pid, held.pid);
}

TEST_MAIN(
#ifdef PRI_CRASH_POINTS
    T(a_start_without_a_timeout_ends_when_nobody_waits_for_it_any_more),
    T(so_does_one_by_policy_whose_holder_has_gone),
#endif
    T(a_service_that_is_up_before_its_slow_starter_has_asked_is_not_stopped_under_it),
    T(a_storm_of_signals_does_not_lengthen_an_acquire),
    T(a_storm_of_signals_does_not_fail_an_acquire_or_release),
    T(a_storm_of_signals_does_not_lengthen_release_wait),
    T(a_stopped_keeper_does_not_hold_an_acquire_past_its_deadline),
    T(a_stopped_client_delays_nobody), T(a_client_stopped_inside_acquire_delays_nobody),
    T(a_deadline_of_0_is_kept_while_somebody_starts_the_service),
    T(without_a_start_timeout_a_slow_service_may_take_its_time))
