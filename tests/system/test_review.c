/* What an independent review found: each of these failed when it was written. */
#include "support/world.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"
#define CB "callbacks=1 "

static struct client *opened(struct world *w, const char *options, const char *settings) {
    struct client *c = client_start(w);
    client_open(c, options, settings);
    return c;
}

/* "health=FILE" and what else, of a callback service; static. */
static const char *with_health(const struct world *w, const char *more) {
    static char settings[1024];
    snprintf(settings, sizeof settings, CB "health=%s %s", world_path(w, "sick"), more);
    return settings;
}

static void make_sick(const struct world *w) {
    assert_int_equal(world_shell(w, "touch sick"), 0);
}

static void remove_set(const struct world *w) {
    int id = world_set_id(w);
    assert_true(id >= 0);
    must(semctl(id, 0, IPC_RMID) == 0, "semctl");
}

static bool trace_says(const struct world *w, const char *text) {
    return world_shell(w, "grep -q -e '%s' trace", text) == 0;
}

/* ---- health while it lingers ---- */

static void unhealthy_while_it_lingers(struct world *w, const char *settings) {
    struct client *c = opened(w, ON_PORT, with_health(w, settings));
    struct reply old = client_hold(c);
    client_release(c);
    AWAIT(trace_says(w, "-> lingering"));
    make_sick(w);
    struct reply held = client_ask(c, "acquire 9000"); /* less than it lingers */
    assert_held(&held);
    assert_int_not_equal(held.pid, old.pid);
    assert_true(held.generation > old.generation);
    client_answered(c, held.pid);
    assert_int_equal(client_count(c), 1);
    assert_int_equal(events_count(w, "health 0"), 1);
}

TEST(what_lingers_and_is_unhealthy_is_recovered_within_the_deadline) {
    unhealthy_while_it_lingers(w, "last=0 linger=10000 recover=new");
    assert_int_equal(events_count(w, "recover-begin"), 1);
}

TEST(what_lingers_and_is_unhealthy_is_started_anew_within_the_deadline) {
    unhealthy_while_it_lingers(w, "last=0 linger=10000 heal=1");
    assert_int_equal(events_count(w, "first-begin"), 2);
}

/* ---- callbacks that return PROCREF_E_AGAIN ---- */

/* To the callers it would mean that they are to ask again, and so they did for ever. */
static void ask_and_fail(struct client *c, const char *code) {
    struct reply r = {{0}};
    client_tell(c, "acquire 10000");
    if (!client_reply_within(c, 20000, &r)) {
        fail_msg("acquire 10000 is not back after 20 s");
    }
    assert_error(&r, code);
    assert_true(r.ms < 9000);
}

static void fails_first(struct world *w, const char *settings) {
    struct client *c = opened(w, ON_PORT, settings), *next = opened(w, ON_PORT, CB);
    ask_and_fail(c, "SERVICE_START");
    assert_int_equal(events_count(w, "first-begin"), 1);
    client_answered(next, client_hold(next).pid);
    assert_int_equal(events_count(w, "first-begin"), 2);
}

TEST(a_first_acquire_that_returns_again_as_a_number_has_failed) {
    fails_first(w, CB "fail=first:-41");
}

TEST(a_first_acquire_that_returns_again_with_a_text_has_failed) {
    fails_first(w, CB "fail=first:AGAIN:later");
}

TEST(a_recovery_that_returns_again_has_failed) {
    const char *settings = with_health(w, "recover=new fail=recover:AGAIN:later");
    struct client *holder = opened(w, ON_PORT, settings), *c = opened(w, ON_PORT, settings);
    client_hold(holder);
    make_sick(w);
    ask_and_fail(c, "SERVICE_RECOVERY");
    assert_int_equal(events_count(w, "recover-begin"), 1);
}

TEST(two_who_wait_for_a_first_acquire_that_returns_again_both_come_back) {
    struct client *clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = opened(w, ON_PORT, CB "fail=first:AGAIN:later");
    }
    for (int i = 0; i < 2; i++) {
        client_tell(clients[i], "acquire 10000");
    }
    for (int i = 0; i < 2; i++) {
        struct reply r = {{0}};
        if (!client_reply_within(clients[i], 20000, &r)) {
            fail_msg("acquire 10000 is not back after 20 s");
        }
        assert_error(&r, "SERVICE_START");
    }
    assert_true(events_count(w, "first-begin") <= 2);
}

/* ---- the set is removed while the keeper is between two starts ---- */

/* state: of the keeper, after its service died and before the next start. */
static void removed_between_two_starts(struct world *w, const char *state) {
    char options[512], file[256];
    snprintf(file, sizeof file, "%s", world_path(w, "child"));
    snprintf(options, sizeof options, ON_PORT " --child %s", file); /* it takes a while to end */
    struct client *c = opened(w, options, TCP " restart=always stop_timeout=1000");
    struct client *other = opened(w, options, TCP " restart=always stop_timeout=1000");
    struct reply held = client_hold(c);
    await_pid_in(w, file);
    await_events(w, "ready", 1); /* written down after its port answered */
    kill_and_await(held.pid);
    AWAIT(trace_says(w, state));
    remove_set(w);
    /* It is still held, and so it must come back although nobody asks. */
    await_events(w, "ready", 2);
    struct reply fresh = client_hold(other);
    assert_int_not_equal(fresh.pid, held.pid);
    client_answered(other, fresh.pid);
    assert_true(client_count(other) >= 1);
    struct watched service = watch(fresh.pid);
    client_release(other);
    assert_false(watched_ends_within(&service, 100)); /* the first one holds it */
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 2);
}

TEST(what_is_held_is_started_again_though_the_set_was_removed_when_it_was_dying) {
    removed_between_two_starts(w, "-> dying");
}

TEST(what_is_held_is_started_again_though_the_set_was_removed_before_it_was_due) {
    removed_between_two_starts(w, "-> waiting");
}

/* In ticks of the kernel's clock. */
static long cpu_time(pid_t pid) {
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file_text(path, text, sizeof text);
    const char *rest = strrchr(text, ')');
    assert_non_null(rest);
    assert_int_equal(
        sscanf(rest + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system),
        2);
    return (long)(user + system);
}

/* before_too: when its service died, the set was another than that of its holder. */
static void given_up_and_removed(struct world *w, bool before_too) {
    pid_t keeper, standby;
    char options[512], file[256];
    snprintf(file, sizeof file, "%s", world_path(w, "child"));
    snprintf(options, sizeof options, ON_PORT " --child %s", file); /* it takes a while to end */
    struct client *c = opened(w, options, TCP " restart=never stop_timeout=1000");
    struct reply held = client_hold(c);
    await_pid_in(w, file);
    await_pair(w->name, &keeper, &standby);
    struct watched pair = watch(keeper);
    if (before_too) {
        remove_set(w);
        AWAIT(trace_says(w, "refounding, ok"));
        AWAIT(world_set_id(w) >= 0);
    }
    kill_and_await(held.pid);
    AWAIT(trace_says(w, "-> dying"));
    remove_set(w);
    AWAIT(trace_says(w, "-> gave up"));
    long before = cpu_time(keeper);
    /* This wait is the measure itself: a keeper that has nothing to do does nothing. */
    assert_false(watched_ends_within(&pair, 500));
    long used = cpu_time(keeper) - before;
    if (used > 5) {
        fail_msg("the keeper used %ld ticks in 500 ms", used);
    }
    client_release(c);
    watched_await_end(&pair);
    await_no_trace(w);
}

TEST(a_keeper_that_gave_up_rests_when_the_set_was_removed_while_it_ended_the_service) {
    given_up_and_removed(w, false);
}

TEST(a_keeper_that_gave_up_rests_when_the_set_was_removed_twice) {
    given_up_and_removed(w, true);
}

/* ---- release_wait ---- */

TEST(release_wait_waits_for_its_own_service_only) {
    struct client *a = opened(w, ON_PORT " --stop-delay-ms 100", TCP);
    struct client *b = opened(w, ON_PORT " --stop-delay-ms 100", TCP);
    for (size_t round = 1; round <= 10; round++) {
        struct reply old = client_hold(a), r = {{0}};
        client_tell(a, "release_wait 20000");
        await_events(w, "stop-signal", 2 * round - 1);
        client_tell(b, "acquire 20000");
        struct reply fresh = client_held(b);
        assert_int_not_equal(fresh.pid, old.pid);
        if (!client_reply_within(a, 10000, &r)) {
            fail_msg("round %zu: release_wait waits for another's service", round);
        }
        assert_string_equal(r.verb, "ok");
        client_answered(b, fresh.pid);
        client_do(b, "release_wait 20000");
    }
}

/* ---- acquire 0 ---- */

TEST(acquire_0_gets_what_runs_although_the_keeper_was_just_killed) {
    struct client *holder = opened(w, ON_PORT, TCP), *c = opened(w, ON_PORT, TCP);
    struct reply held = client_hold(holder);
    for (int round = 0; round < 10; round++) {
        pid_t keeper, standby;
        await_pair(w->name, &keeper, &standby);
        kill_and_await(keeper);
        struct reply r = client_ask(c, "acquire 0");
        assert_held(&r);
        assert_int_equal(r.pid, held.pid);
        client_release(c);
    }
}

/* ---- the end of callback services ---- */

TEST(children_end_with_the_callback_service_that_its_last_holder_stopped) {
    char settings[4096], script[1024], text[512];
    const char *file = world_path(w, "child");
    struct client *c = client_start(w);
    snprintf(text, sizeof text, "sleep 1000 & echo $! >%s; exec \"$@\"", file);
    words_encode(script, sizeof script, text);
    snprintf(settings, sizeof settings,
             CB "stop_timeout=1000 arg=/bin/sh arg=-c arg=%s arg=sh arg=%s arg=--events arg=%s "
                "arg=--port arg=${PORT}",
             script, helper_path("service"), w->events);
    assert_string_equal(client_open_raw(c, w->name, settings).verb, "ok");
    struct reply held = client_hold(c);
    struct watched service = watch(held.pid);
    pid_t pid = await_pid_in(w, file);
    struct watched child = watch(pid);
    world_adopt(w, pid);
    client_do(c, "release_wait 20000");
    assert_int_equal(events_count(w, "last-end"), 1);
    watched_await_end(&service);
    if (!watched_ends_within(&child, 5000)) {
        fail_msg("its child still runs");
    }
    watched_close(&child);
    await_no_trace(w);
}

TEST(an_acquire_whose_callback_failed_keeps_its_deadline_while_the_process_is_ended) {
    struct client *c = opened(w, ON_PORT " --ignore-term", CB "stop_timeout=4000 fail=first:IO:no");
    struct reply r = client_ask(c, "acquire 500");
    assert_string_equal(r.verb, "error");
    if (r.ms >= 3500) {
        fail_msg("acquire 500 took %lld ms", r.ms);
    }
    await_no_trace(w);
}

TEST_MAIN(T(what_lingers_and_is_unhealthy_is_recovered_within_the_deadline),
          T(what_lingers_and_is_unhealthy_is_started_anew_within_the_deadline),
          T(a_first_acquire_that_returns_again_as_a_number_has_failed),
          T(a_first_acquire_that_returns_again_with_a_text_has_failed),
          T(a_recovery_that_returns_again_has_failed),
          T(two_who_wait_for_a_first_acquire_that_returns_again_both_come_back),
          T(what_is_held_is_started_again_though_the_set_was_removed_when_it_was_dying),
          T(what_is_held_is_started_again_though_the_set_was_removed_before_it_was_due),
          T(a_keeper_that_gave_up_rests_when_the_set_was_removed_while_it_ended_the_service),
          T(a_keeper_that_gave_up_rests_when_the_set_was_removed_twice),
          T(release_wait_waits_for_its_own_service_only),
          T(acquire_0_gets_what_runs_although_the_keeper_was_just_killed),
          T(children_end_with_the_callback_service_that_its_last_holder_stopped),
          T(an_acquire_whose_callback_failed_keeps_its_deadline_while_the_process_is_ended))
