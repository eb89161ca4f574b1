/* Programs with many threads, many children and little order of their own. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

/* Some of crowd's threads; the rest is what only a bigger machine can bear. */
static struct reply crowd(struct client *c, int ms, int holders, int forkers) {
    struct reply r = client_ask(c, "crowd %d %d %d", ms, holders, forkers);
    assert_string_equal(r.verb, "crowded");
    if (r.n != 0) {
        fail_msg("%lld things went wrong, first: %s", r.n, r.message);
    }
    return r;
}

static void lets_go_and_nothing_is_left(struct world *w, struct client *c) {
    assert_int_equal(client_count(c), 0);
    await_no_trace(w);
    client_quit(c);
}

TEST(threads_hold_and_let_go_while_others_fork_spawn_and_exec) {
    struct client *c = client_start(w), *holds = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(holds, ON_PORT, TCP);
    struct reply held = client_hold(holds); /* so that all of it is one generation */
    crowd(c, 3000, 16, 4);
    assert_int_equal(client_count(holds), 1);
    client_answered(holds, held.pid);
    assert_int_equal(events_count(w, "start"), 1);
    client_release(holds);
    lets_go_and_nothing_is_left(w, c);
}

TEST(threads_and_children_start_and_stop_the_service_again_and_again) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    crowd(c, 3000, 3, 2);
    lets_go_and_nothing_is_left(w, c);
}

/* ---- a process whose first thread has ended ---- */

TEST(a_process_whose_first_thread_ended_still_holds) {
    struct client *c = client_start(w), *other = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(c, "leave");
    struct process_seen seen;
    assert_true(look_process(c->program.pid, &seen) && seen.state == 'Z');
    assert_int_equal(client_count(other), 1);
    client_answered(c, held.pid);
    await_pair(w->name, &keeper, &standby);
    kill_and_await(keeper); /* its successor learns anew who holds */
    assert_int_equal(client_hold(other).pid, held.pid);
    assert_int_equal(client_count(other), 2);
    client_release(other);
    struct watched service = watch(held.pid);
    assert_false(watched_ends_within(&service, 200));
    client_release(c);
    watched_await_end(&service);
}

TEST(a_process_whose_first_thread_ended_starts_nests_and_lets_go) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_do(c, "leave");
    for (int i = 0; i < 3; i++) {
        struct reply held = client_hold(c);
        client_answered(c, held.pid);
        assert_int_equal(client_hold(c).pid, held.pid);
        client_release(c);
        assert_string_equal(client_ask(c, "release_wait 20000").verb, "ok");
    }
    assert_string_equal(client_ask(c, "threads 4 200").code, "OK");
    client_quit(c);
    await_no_trace(w);
}

TEST(killing_a_process_whose_first_thread_ended_stops_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_do(c, "leave");
    struct watched service = watch(client_hold(c).pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

/* The counter goes, so the keeper asks the record page and pidfds who still holds. */
TEST(a_process_whose_first_thread_ended_holds_a_counter_that_was_removed) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(c, "leave");
    int id = world_set_id(w);
    assert_true(id >= 0);
    assert_int_equal(world_shell(w, "ipcrm -s %d", id), 0);
    assert_int_equal(client_hold(other).pid, held.pid);
    client_release(other);
    struct watched service = watch(held.pid);
    assert_false(watched_ends_within(&service, 300));
    client_answered(c, held.pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

/* ---- SIGCHLD and wait are the program's own ---- */

static void lives_with(struct world *w, const char *sigchld, bool counts) {
    struct client *c = client_start(w);
    client_do(c, "%s", sigchld);
    client_open(c, ON_PORT, TCP);
    for (int i = 0; i < 10; i++) {
        struct reply held = client_hold(c);
        client_answered(c, held.pid);
        assert_string_equal(client_ask(c, "release_wait 20000").verb, "ok");
    }
    if (counts) { /* a pair is no child that the program could see */
        assert_int_equal(client_ask(c, "reaped").n, 0);
    }
    assert_int_equal(events_count(w, "start"), 10);
    crowd(c, 1000, 2, 2);
    lets_go_and_nothing_is_left(w, c);
}

TEST(a_program_that_ignores_sigchld_starts_a_service) {
    lives_with(w, "ignore 17", true);
}

TEST(a_program_that_leaves_no_zombies_starts_a_service) {
    lives_with(w, "sigchld nowait", true);
}

TEST(a_program_that_waits_for_all_children_in_a_handler_starts_a_service) {
    lives_with(w, "sigchld handler", true);
}

TEST(a_program_that_waits_for_all_children_in_a_thread_starts_a_service) {
    lives_with(w, "sigchld thread", true);
}

TEST(a_program_that_waits_even_for_children_of_others_starts_a_service) {
    lives_with(w, "sigchld greedy", false);
}

/* ---- signals ---- */

/* ThreadSanitizer keeps signals back until the program makes a call in which it may deliver them;
 * under a storm it does not get further than the next one. */
#if defined __has_feature
#if __has_feature(thread_sanitizer)
#define STORMS_ARE_SLOW 1
#endif
#elif defined __SANITIZE_THREAD__
#define STORMS_ARE_SLOW 1
#endif
#ifndef STORMS_ARE_SLOW

TEST(a_full_storm_of_signals_changes_no_result_and_no_deadline) {
    struct client *c = client_start(w), *sender = client_start(w);
    client_do(c, "handle_realtime");
    client_do(c, "alarm 200");
    client_open(c, ON_PORT " --stop-delay-ms 100", TCP);
    client_tell(sender, "queue %d 60000", (int)c->program.pid);
    AWAIT(client_ask(c, "handled").n > 0);
    long long before = client_ask(c, "handled").n;
    for (int i = 0; i < 5; i++) {
        struct reply held = client_hold(c);
        client_answered(c, held.pid);
        struct reply r = client_ask(c, "release_wait 20000");
        assert_string_equal(r.verb, "ok");
        assert_true(r.ms >= 100);
    }
    assert_string_equal(client_ask(c, "threads 4 500").code, "OK");
    assert_false(client_has_replied(sender, 0)); /* it has stormed all the time */
    assert_true(client_ask(c, "handled").n > before + 100);
    client_kill(sender);
}

TEST(a_full_storm_of_signals_lengthens_no_deadline) {
    struct client *c = client_start(w), *sender = client_start(w);
    client_do(c, "handle_realtime");
    client_do(c, "alarm 200");
    client_open(c, "", "ready=notify start_timeout=6000"); /* never ready */
    client_tell(sender, "queue %d 2500", (int)c->program.pid);
    AWAIT(client_ask(c, "handled").n > 0);
    struct reply r = client_ask(c, "acquire 1000");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms >= 1000);
    assert_true(r.ms < 5000);
    client_reply(sender);
}

#endif

/* ---- descriptors ---- */

TEST(a_program_that_closes_all_descriptors_goes_on_holding) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(c, "closefrom 3");
    assert_int_equal(client_count(other), 1);
    client_answered(c, held.pid);
    assert_int_equal(client_hold(c).pid, held.pid); /* nested */
    client_do(c, "closefrom 3");
    client_release(c);
    struct watched service = watch(held.pid);
    client_release(c);
    watched_await_end(&service);
    client_answered(c, client_hold(c).pid); /* and starts it anew */
    client_quit(c);
    await_no_trace(w);
}

TEST(a_program_without_standard_descriptors_starts_holds_and_lets_go) {
    struct client *c = client_start(w);
    client_do(c, "bare_descriptors");
    client_open(c, ON_PORT, TCP);
    for (int i = 0; i < 3; i++) {
        struct reply held = client_hold(c);
        client_answered(c, held.pid);
        assert_string_equal(client_ask(c, "gone 0").verb, "still");
        assert_string_equal(client_ask(c, "release_wait 20000").verb, "ok");
    }
    assert_string_equal(client_ask(c, "threads 4 200").code, "OK");
    await_no_trace(w);
}

/* What it prints, or a library of it, must not end up in our sockets and pages. */
TEST(a_program_without_standard_descriptors_may_print_nevertheless) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(other, ON_PORT, TCP);
    client_do(c, "bare_descriptors");
    client_do(c, "scribble 0 2");
    client_open(c, ON_PORT, TCP);
    for (int i = 0; i < 40; i++) {
        struct reply held = client_hold(c);
        assert_int_equal(client_hold(other).pid, held.pid);
        client_release(other);
        client_tell(c, "release_wait 20000");
        assert_string_equal(client_reply(c).verb, "ok");
    }
    assert_int_equal(events_count(w, "start"), 40);
    await_no_trace(w);
}

TEST_MAIN(T(threads_hold_and_let_go_while_others_fork_spawn_and_exec),
          T(threads_and_children_start_and_stop_the_service_again_and_again),
          T(a_process_whose_first_thread_ended_still_holds),
          T(a_process_whose_first_thread_ended_starts_nests_and_lets_go),
          T(killing_a_process_whose_first_thread_ended_stops_the_service),
          T(a_process_whose_first_thread_ended_holds_a_counter_that_was_removed),
          T(a_program_that_ignores_sigchld_starts_a_service),
          T(a_program_that_leaves_no_zombies_starts_a_service),
          T(a_program_that_waits_for_all_children_in_a_handler_starts_a_service),
          T(a_program_that_waits_for_all_children_in_a_thread_starts_a_service),
          T(a_program_that_waits_even_for_children_of_others_starts_a_service),
#ifndef STORMS_ARE_SLOW
          T(a_full_storm_of_signals_changes_no_result_and_no_deadline),
          T(a_full_storm_of_signals_lengthens_no_deadline),
#endif
          T(a_program_that_closes_all_descriptors_goes_on_holding),
          T(a_program_without_standard_descriptors_starts_holds_and_lets_go),
          T(a_program_without_standard_descriptors_may_print_nevertheless))
