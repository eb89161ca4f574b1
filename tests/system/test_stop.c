/* Stopping: linger, the stop signal, the whole tree, and nothing outside of it. */
#include "support/world.h"

#include <time.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(a_service_without_linger_is_stopped_within_milliseconds) {
    /* Generous: the goal is 10 ms, bench/ measures it. And the machine may stall. */
    int64_t took_ns = INT64_MAX;
    for (int round = 0; round < 5 && took_ns >= 500000000; round++) {
        struct client *c = client_start(w);
        struct event stopped;
        client_open(c, ON_PORT, TCP);
        struct watched service = watch(client_hold(c).pid);
        struct timespec t;
        client_kill(c);
        clock_gettime(CLOCK_MONOTONIC, &t);
        watched_await_end(&service);
        assert_true(events_last(w, "stop-signal 15", &stopped));
        took_ns = stopped.ns - ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
    }
    assert_true(took_ns < 500000000);
}

TEST(a_client_that_returns_during_the_linger_finds_the_same_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " linger=10000");
    struct reply held = client_hold(c);
    client_release(c);
    assert_int_equal(client_count(c), 0);
    struct reply again = client_hold(c);
    assert_int_equal(again.pid, held.pid);
    assert_int_equal(again.generation, held.generation);
    assert_int_equal(events_count(w, "stop-signal"), 0);
    struct watched service = watch(held.pid);
    pid_t keeper, standby;
    client_release(c);
    assert_false(watched_ends_within(&service, 100));
    /* So that the test need not wait: nobody holds it, and a service that ends then is not started
     * again. */
    watched_signal(&service, SIGKILL);
    watched_await_end(&service);
    await_no_trace(w);
    keeper = look_keeper(w->name);
    standby = look_standby(w->name);
    assert_int_equal(keeper + standby, 0);
}

TEST(after_the_linger_the_service_is_stopped) {
    struct client *c = client_start(w);
    struct event stopped;
    client_open(c, ON_PORT, TCP " linger=300");
    struct watched service = watch(client_hold(c).pid);
    client_hold(c);
    client_release(c);
    int64_t began = now_ms();
    client_release(c);
    watched_await_end(&service);
    assert_true(events_last(w, "stop-signal", &stopped));
    assert_true(stopped.ns / 1000000 - began >= 299);
    await_no_trace(w);
}

TEST(a_keeper_killed_during_the_linger_does_not_make_the_service_immortal) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP " linger=700");
    struct watched service = watch(client_hold(c).pid);
    await_pair(w->name, &keeper, &standby);
    client_release(c);
    kill_and_await(keeper);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(the_stop_signal_is_the_one_that_was_asked_for) {
    struct client *c = client_start(w);
    char settings[64];
    snprintf(settings, sizeof settings, TCP " stop_signal=%d", SIGINT);
    client_open(c, ON_PORT, settings);
    struct watched service = watch(client_hold(c).pid);
    client_release(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal 2"), 1);
    assert_int_equal(events_count(w, "stop-signal 15"), 0);
}

TEST(a_service_that_ignores_its_stop_signal_is_killed_after_the_stop_timeout) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --ignore-term", TCP " stop_timeout=2000");
    struct watched service = watch(client_hold(c).pid);
    int64_t began = now_ms();
    client_release(c);
    watched_await_end(&service);
    assert_true(now_ms() - began >= 1999);
    assert_int_equal(events_count(w, "stop-signal"), 1);
    await_no_trace(w);
}

TEST(without_a_stop_timeout_a_slow_service_may_take_its_time) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 700", TCP " stop_timeout=-1");
    struct watched service = watch(client_hold(c).pid);
    client_release(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "exit 0"), 1);
}

static void a_deaf_child_goes_too(struct world *w, const char *more) {
    struct client *c = client_start(w);
    char options[256];
    snprintf(options, sizeof options, ON_PORT " --child %s/child %s", w->dir, more);
    client_open(c, options, TCP " stop_timeout=2000");
    client_hold(c);
    struct watched child = watch(await_pid_in(w, world_path(w, "child")));
    assert_false(watched_ended(&child));
    client_release(c);
    watched_await_end(&child);
    await_no_trace(w);
    assert_int_equal(events_count(w, "exit 0"), 1); /* the service itself ended politely */
}

TEST(a_daemonised_grandchild_that_ignores_sigterm_does_not_survive) {
    a_deaf_child_goes_too(w, "");
}

TEST(a_daemonised_grandchild_with_an_empty_environment_does_not_survive) {
    a_deaf_child_goes_too(w, "--child-bare");
}

TEST(a_grandchild_does_not_survive_when_the_keeper_was_replaced) {
    struct client *c = client_start(w);
    char options[256];
    pid_t keeper, standby;
    snprintf(options, sizeof options, ON_PORT " --child %s/child", w->dir);
    client_open(c, options, TCP " stop_timeout=300");
    struct reply held = client_hold(c);
    struct watched child = watch(await_pid_in(w, world_path(w, "child"))),
                   service = watch(held.pid);
    for (int i = 0; i < 4; i++) {
        await_pair(w->name, &keeper, &standby);
        kill_and_await(i % 2 == 0 ? keeper : standby);
    }
    await_pair(w->name, &keeper, &standby);
    client_kill(c);
    watched_await_end(&service);
    watched_await_end(&child);
    await_no_trace(w);
}

TEST(a_grandchild_does_not_survive_when_the_whole_pair_was_replaced) {
    struct client *c = client_start(w), *next = client_start(w);
    char options[256];
    snprintf(options, sizeof options, ON_PORT " --child %s/child", w->dir);
    client_open(c, options, TCP " stop_timeout=300");
    client_open(next, options, TCP " stop_timeout=300");
    client_hold(c);
    struct watched child = watch(await_pid_in(w, world_path(w, "child")));
    kill_pair(w->name);
    client_hold(next);
    client_kill(c);
    client_kill(next);
    watched_await_end(&child);
    await_no_trace(w);
}

TEST(a_process_that_merely_runs_beside_is_not_touched) {
    struct client *c = client_start(w), *other = client_start(w);
    pid_t beside = client_ask(other, "spawn sleep 1000").pid;
    pid_t child = client_ask(c, "spawn sleep 1000").pid; /* the starter's own child */
    world_adopt(w, beside);
    world_adopt(w, child);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    client_release(c);
    watched_await_end(&service);
    await_no_trace(w);
    for (int i = 0; i < 2; i++) {
        struct process_seen seen;
        assert_true(look_process(i == 0 ? beside : child, &seen) && seen.state != 'Z');
    }
    client_do(c, "umask 022");
    client_do(other, "umask 022");
}

TEST(another_service_that_the_service_itself_started_survives_while_others_hold_it) {
    struct client *c = client_start(w), *other = client_start(w);
    char options[512], name[96], settings[512];
    snprintf(name, sizeof name, "%s-other", w->name);
    snprintf(options, sizeof options, ON_PORT " --notify --other %s %s", name, w->base);
    client_open(c, options, "ready=notify");
    client_hold(c);
    struct event held;
    assert_true(events_last(w, "other", &held));
    pid_t inner = (pid_t)strtol(held.text + strlen("other "), NULL, 10);
    assert_true(inner > 0);
    struct watched service = watch(inner);
    snprintf(settings, sizeof settings, "share=1 arg=/bin/true");
    client_open_raw(other, name, settings);
    assert_int_equal(client_hold(other).pid, inner);
    assert_int_equal(client_count(other), 2); /* the outer service and this client */
    client_release(c);
    AWAIT(look_keeper(w->name) == 0);
    assert_int_equal(client_count(other), 1);
    assert_false(watched_ended(&service));
    pid_t keeper, standby;
    await_pair(name, &keeper, &standby);
    client_release(other);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(another_service_that_only_the_service_held_ends_with_it) {
    struct client *c = client_start(w);
    char options[512], name[96];
    snprintf(name, sizeof name, "%s-other", w->name);
    snprintf(options, sizeof options, ON_PORT " --notify --other %s %s", name, w->base);
    client_open(c, options, "ready=notify");
    client_hold(c);
    assert_int_equal(events_count(w, "other "), 1);
    client_kill(c);
    await_no_trace(w);
}

TEST_MAIN(T(a_service_without_linger_is_stopped_within_milliseconds),
          T(a_client_that_returns_during_the_linger_finds_the_same_service),
          T(after_the_linger_the_service_is_stopped),
          T(a_keeper_killed_during_the_linger_does_not_make_the_service_immortal),
          T(the_stop_signal_is_the_one_that_was_asked_for),
          T(a_service_that_ignores_its_stop_signal_is_killed_after_the_stop_timeout),
          T(without_a_stop_timeout_a_slow_service_may_take_its_time),
          T(a_daemonised_grandchild_that_ignores_sigterm_does_not_survive),
          T(a_daemonised_grandchild_with_an_empty_environment_does_not_survive),
          T(a_grandchild_does_not_survive_when_the_keeper_was_replaced),
          T(a_grandchild_does_not_survive_when_the_whole_pair_was_replaced),
          T(a_process_that_merely_runs_beside_is_not_touched),
          T(another_service_that_the_service_itself_started_survives_while_others_hold_it),
          T(another_service_that_only_the_service_held_ends_with_it))
