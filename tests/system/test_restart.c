/* The service ends while it is held: restart by policy, back-off, and giving up with the reason
 * kept. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

static void end_service(pid_t pid, int signal) {
    struct watched service = watch(pid);
    watched_signal(&service, signal);
    watched_await_end(&service);
}

static struct reply after_the_end(struct client *c, pid_t pid, int signal) {
    end_service(pid, signal);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    return client_hold(c);
}

TEST(on_failure_an_exit_with_a_failure_is_started_again) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " restart=on-failure");
    struct reply held = client_hold(c);
    struct reply fresh = after_the_end(c, held.pid, SIGUSR2); /* exits with 3 */
    assert_int_not_equal(fresh.pid, held.pid);
    client_answered(c, fresh.pid);
    assert_int_equal(events_count(w, "start"), 2);
}

TEST(on_failure_a_restart_needs_no_acquire) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " restart=on-failure");
    struct reply held = client_hold(c);
    await_events(w, "ready", 1); /* written down after its port answered */
    end_service(held.pid, SIGKILL);
    await_events(w, "ready", 2);
    assert_int_equal(client_count(c), 1);
}

TEST(on_failure_a_clean_exit_is_not_started_again) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " restart=on-failure");
    struct reply held = client_hold(c);
    await_events(w, "ready", 1);    /* written down after its port answered */
    end_service(held.pid, SIGUSR1); /* exits with 0 */
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    assert_string_equal(client_ask(c, "gone 200").verb, "gone");
    assert_int_equal(events_count(w, "start"), 1);
    client_release(c);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(always_starts_again_after_a_clean_exit) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " restart=always");
    struct reply held = client_hold(c);
    await_events(w, "ready", 1); /* written down after its port answered */
    end_service(held.pid, SIGUSR1);
    await_events(w, "ready", 2);
    client_answered(c, client_hold(c).pid);
}

TEST(never_keeps_the_reason_until_the_last_one_left) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP " restart=never");
    struct reply held = client_hold(c);
    end_service(held.pid, SIGUSR2);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    await_pair(w->name, &keeper, &standby); /* it stays while somebody holds */
    assert_int_equal(client_count(c), 1);
    client_release(c);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(a_fresh_start_that_fails_tells_why_and_holders_stay_holders) {
    struct client *c = client_start(w), *comes = client_start(w);
    char options[256], file[128];
    snprintf(file, sizeof file, "%s/broken", w->dir);
    snprintf(
        options, sizeof options,
        "arg=/bin/sh arg=-c "
        "arg=test%%20-e%%20%s%%20&&%%20echo%%20told-you%%20&&%%20exit%%205;exec%%20sleep%%201000",
        file);
    client_open_raw(c, w->name, strcat(options, " restart=never"));
    client_open_raw(comes, w->name, options);
    struct reply held = client_hold(c);
    assert_int_equal(world_shell(w, "touch broken"), 0);
    end_service(held.pid, SIGKILL);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    /* Without a readiness check a program that runs is ready; so it is up, or it is told that it
     * ended. */
    struct reply r = client_ask(comes, "acquire 20000");
    if (strcmp(r.verb, "held") != 0) {
        assert_error(&r, "SERVICE_START");
    }
    assert_true(client_count(c) >= 1);
}

TEST(a_service_that_dies_again_and_again_is_given_up_with_the_reason) {
    struct client *c = client_start(w), *comes = client_start(w);
    client_open(c, "--notify --print last-gasp --live-ms 250 --exit 9",
                "ready=notify restart=on-failure");
    client_open(comes, "--notify --print last-gasp --live-ms 250 --exit 9",
                "ready=notify restart=on-failure");
    client_hold(c);
    /* Back-off grows between the starts, and there is a limit: at some time no start follows any
     * more. */
    size_t starts;
    do {
        starts = events_count(w, "start");
        client_ask(c, "gone 1"); /* an answer: the client lives */
        struct reply r;
        client_reply_within(c, 6000, &r); /* nothing comes: this is the patience */
    } while (events_count(w, "start") > starts && starts < 100);
    assert_true(starts >= 2 && starts < 30);
    assert_int_equal(client_count(c), 1);
    /* The next acquire asks for one fresh start. */
    client_ask(comes, "acquire 20000");
    assert_in_range(events_count(w, "start"), starts + 1, starts + 5); /* it dies again soon */
    assert_no_violation(w);
}

TEST(restarts_are_further_and_further_apart) {
    struct client *c = client_start(w);
    client_open(c, "--notify --live-ms 250 --exit 9", "ready=notify restart=always");
    client_hold(c);
    await_events(w, "start", 4);
    long long times[4] = {0};
    int n = 0, pid;
    char line[256];
    FILE *file = fopen(w->events, "re");
    while (n < 4 && fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, " start ") != NULL && sscanf(line, "%lld %d", &times[n], &pid) == 2) {
            n++;
        }
    }
    fclose(file);
    assert_int_equal(n, 4);
    assert_true(times[3] - times[2] > times[1] - times[0] || times[3] - times[2] > 100000000);
}

TEST(what_the_dead_service_left_running_is_ended_before_the_next_start) {
    struct client *c = client_start(w);
    char options[256];
    snprintf(options, sizeof options, ON_PORT " --child %s/child", w->dir);
    client_open(c, options, TCP " stop_timeout=300");
    struct reply held = client_hold(c);
    struct watched child = watch(await_pid_in(w, world_path(w, "child")));
    end_service(held.pid, SIGKILL);
    await_events(w, "start", 2);
    assert_true(watched_ended(&child));
    watched_close(&child);
    client_answered(c, client_hold(c).pid);
    assert_no_violation(w);
}

/* Who got it by an environment cannot be told of another. */
TEST(the_picked_port_stays_the_same_after_restarts) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c), fresh = held;
    for (int i = 0; i < 3; i++) {
        fresh = after_the_end(c, fresh.pid, SIGKILL);
        assert_int_equal(fresh.port, held.port);
        client_answered(c, fresh.pid);
    }
}

TEST(the_last_one_may_leave_while_the_service_is_being_restarted) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --start-delay-ms 300", TCP);
    struct reply held = client_hold(c);
    end_service(held.pid, SIGKILL);
    await_events(w, "start", 2);
    client_kill(c);
    await_no_trace(w);
}

TEST_MAIN(T(on_failure_an_exit_with_a_failure_is_started_again),
          T(on_failure_a_restart_needs_no_acquire), T(on_failure_a_clean_exit_is_not_started_again),
          T(always_starts_again_after_a_clean_exit),
          T(never_keeps_the_reason_until_the_last_one_left),
          T(a_fresh_start_that_fails_tells_why_and_holders_stay_holders),
          T(a_service_that_dies_again_and_again_is_given_up_with_the_reason),
          T(restarts_are_further_and_further_apart),
          T(what_the_dead_service_left_running_is_ended_before_the_next_start),
          T(the_picked_port_stays_the_same_after_restarts),
          T(the_last_one_may_leave_while_the_service_is_being_restarted))
