/* A service that does not come up: every waiter is told why, and nothing is left. */
#include "support/world.h"

/* Several clients wait for the same start; all must get the code, and the same text. */
static struct reply all_fail(struct world *w, size_t count, const char *code) {
    struct reply first = {{0}};
    for (size_t i = 0; i < count; i++) {
        client_tell(w->clients[i], "acquire 25000");
    }
    for (size_t i = 0; i < count; i++) {
        struct reply r = client_reply(w->clients[i]);
        assert_error(&r, code);
        if (i == 0) {
            first = r;
        }
        assert_string_equal(r.message, first.message);
        assert_string_equal(r.detail, first.detail);
    }
    return first;
}

static void several(struct world *w, const char *service_options, const char *settings) {
    for (int i = 0; i < 4; i++) {
        client_open(client_start(w), service_options, settings);
    }
}

TEST(a_command_that_does_not_exist_is_named) {
    struct client *c = client_start(w);
    client_open_raw(c, w->name, "arg=no-such-program-anywhere");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "no-such-program-anywhere");
    assert_says(r.message, "No such file");
    await_no_trace(w);
}

TEST(a_command_that_is_no_program_is_named) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "echo text > script; chmod 600 script"), 0);
    char settings[512];
    snprintf(settings, sizeof settings, "arg=%s/script", w->dir);
    client_open_raw(c, w->name, settings);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "/script");
    await_no_trace(w);
}

TEST(a_working_directory_that_does_not_exist_is_named) {
    struct client *c = client_start(w);
    client_open(c, "", "working_dir=/no/such/folder");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "/no/such/folder");
    await_no_trace(w);
}

TEST(an_exit_before_ready_gives_its_status_and_the_last_output_to_every_waiter) {
    several(w, "--start-delay-ms 500 --print-lines 300 --print the-last-words --fail 42",
            "ready=notify");
    struct reply r = all_fail(w, 4, "SERVICE_START");
    assert_says(r.message, "42");
    assert_says(r.detail, "the-last-words");
    assert_says(r.detail, "line 300 of");
    assert_null(strstr(r.detail, "line 1 of"));
    await_no_trace(w);
}

TEST(a_death_by_signal_before_ready_gives_the_signal) {
    several(w, "--start-delay-ms 500 --print hurt --die 9", "ready=notify");
    struct reply r = all_fail(w, 4, "SERVICE_START");
    assert_true(strstr(r.message, "9") != NULL || strstr(r.message, "KILL") != NULL);
    assert_says(r.detail, "hurt");
    await_no_trace(w);
}

TEST(a_service_that_is_not_ready_in_time_is_ended_and_every_waiter_is_told) {
    several(w, "--start-delay-ms 1 --print still-thinking",
            "ready=log:never-printed start_timeout=4000");
    struct reply r = all_fail(w, 4, "TIMEOUT");
    assert_says(r.detail, "still-thinking");
    assert_true(events_count(w, "start") >= 1);
    await_no_trace(w);
}

TEST(a_failed_start_ends_what_the_service_forked) {
    struct client *c = client_start(w);
    char options[256];
    snprintf(options, sizeof options, "--child %s/child", w->dir);
    client_open(c, options, "ready=log:never start_timeout=4000 stop_timeout=300");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "TIMEOUT");
    struct watched child = watch(await_pid_in(w, world_path(w, "child")));
    watched_await_end(&child);
    await_no_trace(w);
}

TEST(an_exit_with_status_0_before_ready_is_a_failed_start_too) {
    struct client *c = client_start(w);
    client_open(c, "--fail 0", "ready=notify");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    await_no_trace(w);
}

TEST(output_that_is_not_text_is_made_text) {
    struct client *c = client_start(w);
    client_open_raw(
        c, w->name,
        "arg=/bin/sh arg=-c arg=printf%20'begin\\377\\376end\\n';exit%206 ready=notify");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.detail, "begin");
    assert_says(r.detail, "end");
    for (const char *p = r.detail; *p != '\0'; p++) {
        assert_true((unsigned char)*p < 0x80);
    }
    await_no_trace(w);
}

TEST(after_a_failed_start_the_next_acquire_tries_again) {
    struct client *c = client_start(w);
    client_open(c, "--port ${PORT} --fail 9 --fail-times 2", "ready=notify");
    for (int i = 0; i < 2; i++) {
        struct reply r = client_ask(c, "acquire 20000");
        assert_error(&r, "SERVICE_START");
        assert_says(r.message, "9");
    }
    struct client *d = client_start(w);
    client_open(d, "--port ${PORT} --fail 9 --fail-times 2 --notify", "ready=notify");
    client_hold(d);
    assert_int_equal(events_count(w, "start"), 3);
}

TEST(a_short_deadline_of_one_waiter_does_not_end_the_start_of_another) {
    struct client *hasty = client_start(w), *patient = client_start(w);
    client_open(hasty, "--port ${PORT} --start-delay-ms 500", "ready=tcp");
    client_open(patient, "--port ${PORT} --start-delay-ms 500", "ready=tcp");
    client_tell(hasty, "acquire 100");
    client_tell(patient, "acquire 25000");
    struct reply r = client_reply(hasty);
    assert_error(&r, "TIMEOUT");
    client_answered(patient, client_held(patient).pid);
    assert_true(events_count(w, "start") <=
                2); /* 2 if the hasty one's start was over before the other asked */
}

TEST(a_service_that_forks_a_child_and_exits_before_ready_leaves_nothing) {
    struct client *c = client_start(w);
    client_open_raw(
        c, w->name,
        "arg=/bin/sh arg=-c arg=sleep%201000%20&%20exit%203 ready=tcp stop_timeout=500");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "3");
    await_no_trace(w);
}

TEST_MAIN(T(a_command_that_does_not_exist_is_named), T(a_command_that_is_no_program_is_named),
          T(a_working_directory_that_does_not_exist_is_named),
          T(an_exit_before_ready_gives_its_status_and_the_last_output_to_every_waiter),
          T(a_death_by_signal_before_ready_gives_the_signal),
          T(a_service_that_is_not_ready_in_time_is_ended_and_every_waiter_is_told),
          T(a_failed_start_ends_what_the_service_forked),
          T(an_exit_with_status_0_before_ready_is_a_failed_start_too),
          T(output_that_is_not_text_is_made_text),
          T(after_a_failed_start_the_next_acquire_tries_again),
          T(a_short_deadline_of_one_waiter_does_not_end_the_start_of_another),
          T(a_service_that_forks_a_child_and_exits_before_ready_leaves_nothing))
