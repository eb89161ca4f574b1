/* The asynchronous acquire: one at a time, at every stage, and what goes wrong around it. */
#include "support/pending.h"

#include <fcntl.h>

/* ---- the waitable ---- */

TEST(the_waitable_is_silent_until_there_is_something_to_do) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 1);
    for (const char **how = (const char *[]){"poll", "select", "epoll", NULL}; *how; how++) {
        assert_false(is_readable(c, 0, 20, *how));
    }
    let_it_be_ready(w);
    await_readable(c, 0);
    assert_true(is_readable(c, 0, 0, "select"));
    assert_true(is_readable(c, 0, 0, "epoll"));
    struct reply r = client_ask(c, "finish 0");
    assert_held(&r);
}

TEST(finish_before_its_time_says_again_and_touches_nothing) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(value_of(c, "finish 0", "touched"), 0);
        assert_false(is_readable(c, 0, 0, "poll"));
    }
    let_it_be_ready(w);
    struct reply r = finished(c, 0);
    assert_held(&r);
}

TEST(the_deadline_makes_it_readable_once) {
    struct client *c = loop_start(w);
    client_open(c, "", NEVER_READY);
    int64_t began = now_ms(); /* before it is told: the answer to that may be slow to come */
    start(c, 0, 60, 1);
    await_readable(c, 0);
    assert_in_range(now_ms() - began, 50, 3500);
    struct reply r = client_ask(c, "finish 0");
    assert_error(&r, "TIMEOUT");
    assert_says(r.message, "60 ms");
    await_no_trace(w);
}

TEST(timeout_0_attaches_to_what_runs_and_starts_nothing) {
    struct client *c = loop_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    start(c, 0, 0, 1);
    struct reply r = finished(c, 0);
    assert_error(&r, "TIMEOUT");
    assert_says(r.message, "timeout 0 starts nothing");
    assert_int_equal(events_count(w, "start"), 0);
    client_hold(other);
    start(c, 0, 0, 1);
    r = finished(c, 1);
    assert_held(&r);
    assert_int_equal(count_of(c, 0), 2);
}

TEST(timeout_minus_1_waits_as_long_as_it_takes) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, -1, 1);
    assert_false(is_readable(c, 0, 200, "poll"));
    let_it_be_ready(w);
    struct reply r = finished(c, 0);
    assert_held(&r);
    r = client_ask(c, "start 0 -2");
    assert_error(&r, "INVALID");
}

/* ---- the same errors as the blocking call's ---- */

static void assert_same_error(struct client *c, int timeout_ms) {
    struct reply blocking = client_ask(c, "acquire 0 %d", timeout_ms);
    struct reply started = client_ask(c, "start 0 %d", timeout_ms);
    assert_verb(&started, "ok");
    struct reply r = finished(c, 0);
    assert_error(&r, blocking.code);
    assert_string_equal(r.message, blocking.message);
    assert_string_equal(r.detail, blocking.detail);
    assert_string_equal(r.op, blocking.op);
    assert_int_equal(r.os_code, blocking.os_code);
}

TEST(a_failed_start_reads_as_it_does_for_who_waits) {
    struct client *c = loop_start(w);
    client_open(c, "--print broken --fail 7", TCP);
    assert_same_error(c, 20000);
    client_quit(c);
    c = loop_start(w);
    client_open(c, "", "callbacks=1 refuse=PERMISSION");
    assert_same_error(c, 20000);
    client_quit(c);
    c = loop_start(w);
    client_open(c, "", NEVER_READY);
    assert_same_error(c, 100);
    client_quit(c);
    await_no_trace(w); /* while its start goes on, what is said of it may change */
    c = loop_start(w);
    client_open(c, "", "");
    assert_same_error(c, 0);
}

TEST(another_configuration_is_a_conflict_here_too) {
    struct client *c = loop_start(w), *other = client_start(w);
    client_open(other, ON_PORT, TCP);
    client_hold(other);
    client_open(c, "--stop-delay-ms 1", TCP);
    assert_same_error(c, 20000);
}

/* ---- cancelling, at every stage ---- */

TEST(cancelled_before_the_service_is_up_nobody_wants_it_and_it_ends) {
    struct client *c = loop_start(w);
    client_open(c, "", NEVER_READY);
    start(c, 0, -1, 1);
    await_events(w, "start", 1);
    client_do(c, "cancel 0");
    assert_int_equal(count_of(c, 0), 0);
    await_no_trace(w);
}

TEST(cancelled_when_told_that_it_is_up_the_service_stops) {
    struct client *c = loop_start(w);
    client_open(c, ON_PORT, TCP);
    start(c, 0, 20000, 1);
    await_readable(c, 0); /* the answer is there, unread */
    client_do(c, "cancel 0");
    assert_int_equal(count_of(c, 0), 0);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(cancelled_after_the_hot_path_its_reference_is_given_back) {
    struct client *c = loop_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    client_hold(other);
    struct reply held = client_ask(c, "acquire 0 20000");
    assert_held(&held);
    client_do(c, "release 0");
    start(c, 0, 20000, 1);
    assert_int_equal(count_of(c, 0), 2);
    client_do(c, "cancel 0");
    assert_int_equal(count_of(c, 0), 1);
    start(c, 0, 20000, 1);
    client_release(other);
    assert_int_equal(count_of(c, 0), 1); /* the pending one alone holds it */
    client_do(c, "cancel 1");
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(cancelled_when_told_to_start_another_is_elected) {
    struct client *c = loop_start(w), *other = loop_start(w);
    client_open(c, "", "callbacks=1");
    client_open(other, "", "callbacks=1");
    start(c, 0, 20000, 1);
    await_readable(c, 0);
    start(other, 0, 20000, 1);
    assert_false(is_readable(other, 0, 20, "poll"));
    client_do(c, "cancel 0");
    struct reply r = finished(other, 0);
    assert_held(&r);
    assert_int_equal(value_of(c, "callbacks", "first"), 0);
    assert_int_equal(value_of(other, "callbacks", "first"), 1);
}

TEST(cancelled_while_it_waits_for_a_recovery_it_gives_back_what_is_unhealthy) {
    struct client *c = loop_start(w), *other = loop_start(w);
    char settings[300];
    snprintf(settings, sizeof settings, "callbacks=1 last=1 sick=%s", world_path(w, "sick"));
    client_open(c, "", settings);
    client_open(other, "", settings);
    struct reply held = client_ask(other, "acquire 0 20000");
    assert_held(&held);
    assert_int_equal(world_shell(w, ": > sick"), 0);
    start(c, 0, 20000, 1);
    await_readable(c, 0); /* told that it is up; the keeper's next answer will take time */
    struct watched keeper = watch(look_keeper(w->name));
    watched_signal(&keeper, SIGSTOP);
    struct reply r = client_ask(c, "finish 0");
    assert_verb(&r, "again");
    assert_int_equal(value_of(c, "callbacks", "health"), 1);
    assert_int_equal(count_of(c, 0), 2);
    client_do(c, "cancel 0");
    assert_int_equal(count_of(other, 0), 1);
    watched_signal(&keeper, SIGCONT);
    watched_close(&keeper);
    start(other, 0, 20000, 1); /* somebody else makes it well */
    struct reply fresh = finished(other, 0);
    assert_held(&fresh);
    assert_true(fresh.pid != held.pid);
    client_do(other, "release_all");
    await_no_trace(w);
    assert_int_equal(value_of(c, "callbacks", "first"), 0);
}

TEST(cancelled_as_the_last_of_a_service_with_on_last_release_it_is_a_release) {
    struct client *c = loop_start(w);
    client_open(c, "", "callbacks=1 last=1");
    struct reply held = client_ask(c, "acquire 0 20000");
    assert_held(&held);
    start(c, 0, 20000, 1);
    client_do(c, "release 0");
    assert_int_equal(value_of(c, "callbacks", "last"), 0);
    client_do(c, "cancel 0");
    assert_int_equal(value_of(c, "callbacks", "last"), 1);
    await_no_trace(w);
}

/* ---- what happens around it ---- */

/*
 * It was told that the service is up, and is slow to look. Meanwhile the last one's on_last_release
 * ends that, the set goes, and the next one counts generations from 1 again: by its number alone
 * the answer would still be right. (Found by procref torture.)
 */
TEST(who_was_told_of_an_earlier_life_gets_the_present_one) {
    struct client *slow = loop_start(w), *c = loop_start(w);
    client_open(slow, "", "callbacks=1 last=1");
    client_open(c, "", "callbacks=1 last=1");
    struct reply first = client_ask(c, "acquire 0 20000");
    assert_held(&first);
    start(slow, 0, 20000, 1);
    await_readable(slow, 0); /* the answer is there, unread */
    client_do(c, "release 0");
    await_no_trace(w);
    struct reply second = client_ask(c, "acquire 0 20000");
    assert_held(&second);
    assert_int_equal(second.generation, first.generation);
    assert_int_not_equal(second.pid, first.pid);
    struct reply told = finished(slow, 0);
    assert_held(&told);
    assert_int_equal(told.pid, second.pid);
    assert_int_equal(count_of(c, 0), 2);
    client_do(slow, "release_all");
    client_do(c, "release_all");
    await_no_trace(w);
}

TEST(the_service_object_may_be_closed_while_it_is_pending) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 2);
    client_do(c, "close 0");
    let_it_be_ready(w);
    struct reply r = finished(c, 0);
    assert_held(&r);
    assert_int_equal(r.pid, finished(c, 1).pid);
    client_do(c, "release_all");
    await_no_trace(w);
    client_quit(c);
}

TEST(a_killed_keeper_is_reached_again) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 3);
    await_events(w, "start", 1);
    client_tell(c, "loop %d", PATIENCE_MS - 5000);
    for (int i = 0; i < 3; i++) {
        pid_t keeper, standby;
        await_pair(w->name, &keeper, &standby);
        kill_and_await(keeper);
    }
    let_it_be_ready(w);
    struct looped l = looped(c);
    assert_int_equal(l.held, 3);
    assert_in_range(l.again, 1, 3 * 4); /* a connection that waits to be accepted survives */
    assert_int_equal(count_of(c, 0), 1);
}

TEST(a_killed_pair_is_replaced) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 3);
    await_events(w, "start", 1);
    kill_pair(w->name);
    let_it_be_ready(w);
    struct looped l = loop(c);
    assert_int_equal(l.held, 3);
    assert_in_range(l.worst, 0, 3);
    assert_int_equal(count_of(c, 0), 1);
    client_do(c, "release_all");
    await_no_trace(w);
}

TEST(a_killed_keeper_is_reached_again_although_a_child_has_copies_of_all) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 1);
    await_events(w, "start", 1);
    world_adopt(w, client_ask(c, "fork_keep").pid);
    kill_and_await(look_keeper(w->name));
    await_readable(c, 0);
    struct reply r = client_ask(c, "finish 0");
    assert_verb(&r, "again");
    assert_false(is_readable(c, 0, 20, "poll")); /* the dead connection wakes nobody */
    let_it_be_ready(w);
    r = finished(c, 0);
    assert_held(&r);
    start(c, 0, 25000, 1);
    r = finished(c, 1);
    assert_held(&r);
    client_do(c, "release_all");
    await_no_trace(w);
}

TEST(cancelling_is_seen_although_a_child_has_a_copy_of_the_connection) {
    struct client *c = loop_start(w);
    client_open(c, "", NEVER_READY);
    start(c, 0, -1, 1);
    await_events(w, "start", 1);
    world_adopt(w, client_ask(c, "fork_keep").pid);
    client_do(c, "cancel 0");
    await_no_trace(w);
}

TEST(who_holds_already_gets_another_handle_at_once) {
    struct client *c = loop_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_ask(c, "acquire 0 20000");
    assert_held(&held);
    start(c, 0, 20000, 1);
    assert_true(is_readable(c, 0, 0, "poll"));
    struct reply nested = client_ask(c, "finish 0");
    assert_held(&nested);
    assert_int_equal(nested.pid, held.pid);
    assert_int_equal(count_of(c, 0), 1);
    struct watched service = watch(held.pid);
    client_do(c, "release 0");
    assert_false(watched_ended(&service));
    client_do(c, "release 1");
    watched_await_end(&service);
}

static void child_gets(struct world *w, const char *what, const char *code) {
    struct client *c = loop_start(w);
    client_open(c, "", gated(w));
    start(c, 0, 25000, 1);
    await_events(w, "start", 1);
    struct reply r = client_ask(c, "fork 0 %s", what);
    assert_verb(&r, "child");
    assert_string_equal(r.code, code);
    assert_int_equal(r.n, 3); /* it has let go of all its copies */
    assert_false(is_readable(c, 0, 20, "poll"));
    let_it_be_ready(w);
    r = finished(c, 0);
    assert_held(&r);
    assert_int_equal(count_of(c, 0), 1);
    assert_int_equal(events_count(w, "start"), 1);
    client_do(c, "release_all");
    await_no_trace(w);
}

TEST(a_forked_child_is_told_and_its_parents_acquire_goes_on) {
    child_gets(w, "finish", "FORKED");
}

TEST(a_forked_child_cancels_its_copy_only) {
    child_gets(w, "cancel", "OK");
}

TEST(a_forked_childs_copy_of_what_is_attached_already_is_only_freed) {
    struct client *c = loop_start(w);
    client_open(c, "", "callbacks=1 last=1");
    struct reply held = client_ask(c, "acquire 0 20000");
    assert_held(&held);
    start(c, 0, 20000, 1);
    client_do(c, "release 0");
    struct reply r = client_ask(c, "fork 0 cancel"); /* nor does it call anything */
    assert_string_equal(r.code, "OK");
    assert_int_equal(r.n, 2);
    assert_int_equal(count_of(c, 0), 1);
    r = finished(c, 0);
    assert_held(&r);
    assert_int_equal(r.pid, held.pid);
    client_do(c, "release_all");
    assert_int_equal(value_of(c, "callbacks", "last"), 1);
    await_no_trace(w);
}

TEST(no_descriptor_of_a_pending_acquire_survives_exec) {
    struct client *c = loop_start(w);
    client_open(c, "", NEVER_READY);
    long before = value_of(c, "descriptors", "n"), survived = value_of(c, "descriptors", "survive");
    start(c, 0, -1, 5);
    await_events(w, "start", 1);
    assert_in_range(value_of(c, "descriptors", "n"), before + 5, before + 15);
    assert_int_equal(value_of(c, "descriptors", "survive"), survived);
    client_tell(c, "exec");
    assert_string_equal(client_reply(c).verb, "ready");
    assert_int_equal(value_of(c, "descriptors", "n"), before);
    await_no_trace(w); /* its acquires ended with them */
}

TEST(without_descriptors_it_says_limit_and_leaks_none) {
    struct client *c = loop_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    client_hold(other);
    int refused = 0;
    bool held = false;
    for (int left = 0; left < 8; left++) {
        struct client *poor = loop_start(w);
        client_open(poor, ON_PORT, TCP);
        long before = value_of(poor, "descriptors", "n");
        client_do(poor, "descriptors_most %ld", before + left);
        struct reply r = client_ask(poor, "start 0 20000");
        if (strcmp(r.verb, "ok") == 0) {
            r = finished(poor, 0);
        }
        held = strcmp(r.verb, "held") == 0;
        if (!held) {
            assert_error(&r, "LIMIT");
            assert_says(r.message, "RLIMIT_NOFILE");
            refused++;
        }
        client_do(poor, "descriptors_most 1000");
        client_do(poor, "release_all");
        assert_int_equal(value_of(poor, "descriptors", "n"), before);
        assert_int_equal(count_of(c, 0), 1);
        client_quit(poor);
    }
    assert_true(held);
    assert_in_range(refused, 2, 5);
}

TEST(who_is_told_to_start_and_cannot_lets_another_do_it) {
    struct client *poor = loop_start(w), *other = loop_start(w);
    client_open(poor, "", "callbacks=1");
    client_open(other, "", "callbacks=1");
    start(poor, 0, -1, 1);
    await_readable(poor, 0);
    start(other, 0, 20000, 1);
    client_do(poor, "descriptors_most 3"); /* none for the record page */
    struct reply r = client_ask(poor, "finish 0");
    assert_error(&r, "LIMIT");
    r = finished(other, 0);
    assert_held(&r);
    assert_int_equal(value_of(other, "callbacks", "first"), 1);
}

TEST_MAIN(T(the_waitable_is_silent_until_there_is_something_to_do),
          T(finish_before_its_time_says_again_and_touches_nothing),
          T(the_deadline_makes_it_readable_once),
          T(timeout_0_attaches_to_what_runs_and_starts_nothing),
          T(timeout_minus_1_waits_as_long_as_it_takes),
          T(a_failed_start_reads_as_it_does_for_who_waits),
          T(another_configuration_is_a_conflict_here_too),
          T(cancelled_before_the_service_is_up_nobody_wants_it_and_it_ends),
          T(cancelled_when_told_that_it_is_up_the_service_stops),
          T(cancelled_after_the_hot_path_its_reference_is_given_back),
          T(cancelled_when_told_to_start_another_is_elected),
          T(cancelled_while_it_waits_for_a_recovery_it_gives_back_what_is_unhealthy),
          T(who_was_told_of_an_earlier_life_gets_the_present_one),
          T(cancelled_as_the_last_of_a_service_with_on_last_release_it_is_a_release),
          T(the_service_object_may_be_closed_while_it_is_pending),
          T(a_killed_keeper_is_reached_again), T(a_killed_pair_is_replaced),
          T(a_killed_keeper_is_reached_again_although_a_child_has_copies_of_all),
          T(cancelling_is_seen_although_a_child_has_a_copy_of_the_connection),
          T(who_holds_already_gets_another_handle_at_once),
          T(a_forked_child_is_told_and_its_parents_acquire_goes_on),
          T(a_forked_child_cancels_its_copy_only),
          T(a_forked_childs_copy_of_what_is_attached_already_is_only_freed),
          T(no_descriptor_of_a_pending_acquire_survives_exec),
          T(without_descriptors_it_says_limit_and_leaks_none),
          T(who_is_told_to_start_and_cannot_lets_another_do_it))
