/* The asynchronous acquire: event loops with many pendings, many programs, and what runs out. */
#include "support/pending.h"

#include <fcntl.h>

/* ---- many at once ---- */

TEST(a_hundred_pendings_of_one_service_share_one_start_and_one_reference) {
    struct client *c = loop_start(w);
    client_open(c, ON_PORT, TCP);
    start(c, 0, 20000, 100);
    struct looped l = loop(c);
    assert_int_equal(l.held, 100);
    assert_in_range(l.worst, 0, 2);
    assert_int_equal(count_of(c, 0), 1);
    assert_int_equal(events_count(w, "start"), 1);
    client_do(c, "release_all");
    await_no_trace(w);
    assert_int_equal(value_of(c, "callbacks", "outside"), 0);
}

TEST(a_hundred_services_start_side_by_side_in_one_thread) {
    struct client *c = loop_start(w);
    for (int i = 0; i < 100; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%d", w->name, i);
        client_open_named(c, name, "", "");
    }
    for (int i = 0; i < 100; i++) {
        start(c, i, 25000, 1);
    }
    struct looped l = loop(c);
    assert_int_equal(l.held, 100);
    assert_in_range(l.worst, 0, 2);
    assert_int_equal(count_of(c, 99), 1);
    AWAIT(events_count(w, "start") == 100);
    client_do(c, "release_all");
}

TEST(each_of_many_ends_in_its_own_way_and_nobody_spins) {
    struct client *c = loop_start(w);
    char name[4][128];
    for (int i = 0; i < 4; i++) {
        snprintf(name[i], sizeof name[i], "%s.%d", w->name, i);
    }
    client_open_named(c, name[0], ON_PORT, TCP);                /* is up soon */
    client_open_named(c, name[1], "--fail 3", TCP);             /* fails */
    client_open_named(c, name[2], "", NEVER_READY);             /* times out */
    client_open_named(c, name[3], "", "callbacks=1 refuse=IO"); /* says no */
    for (int i = 0; i < 25; i++) {
        start(c, 0, 20000, 1);
        start(c, 1, 20000, 1);
        start(c, 2, 10 + 8 * i, 1);
        start(c, 3, 20000, 1);
    }
    client_do(c, "cancel 40 8"); /* two of each */
    struct looped l = loop(c);
    assert_int_equal(l.held, 23);
    assert_int_equal(l.failed, 3 * 23);
    assert_int_equal(l.timeouts, 23);
    assert_int_equal(l.starts, 23);
    assert_in_range(l.worst, 0, 3);
    assert_int_equal(count_of(c, 0), 1);
    assert_int_equal(count_of(c, 1) + count_of(c, 2) + count_of(c, 3), 0);
    assert_int_equal(value_of(c, "callbacks", "outside"), 0);
    client_do(c, "release_all");
    await_no_trace(w);
}

TEST(callbacks_run_in_finish_only_and_once) {
    struct client *c = loop_start(w);
    char sick[300];
    snprintf(sick, sizeof sick, "callbacks=1 last=1 sick=%s", world_path(w, "sick"));
    client_open(c, "", sick);
    start(c, 0, 20000, 100);
    assert_int_equal(value_of(c, "callbacks", "first"), 0);
    struct looped l = loop(c);
    assert_int_equal(l.held, 100);
    assert_in_range(l.worst, 0, 3);
    assert_int_equal(value_of(c, "callbacks", "first"), 1);
    assert_int_equal(value_of(c, "callbacks", "health"), 99);
    start(c, 0, 20000, 50); /* nested: nothing is called before finish */
    assert_int_equal(value_of(c, "callbacks", "health"), 99);
    l = loop(c);
    assert_int_equal(l.held, 50);
    assert_int_equal(l.again, 0);
    assert_int_equal(value_of(c, "callbacks", "health"), 149);
    assert_int_equal(value_of(c, "callbacks", "outside"), 0);
    client_do(c, "release_all");
    assert_int_equal(value_of(c, "callbacks", "last"), 1);
    await_no_trace(w);
}

TEST(others_wait_and_work_while_one_runs_its_callback) {
    struct client *slow = loop_start(w), *c = loop_start(w);
    const char *settings = with_fifo(w, "");
    client_open(slow, "", settings);
    client_open(c, "", settings);
    char name[128];
    snprintf(name, sizeof name, "%s.other", w->name);
    client_open_named(c, name, ON_PORT, TCP);
    client_tell(slow, "acquire 0 25000");
    int gate = meet_callback(w);
    start(c, 0, 25000, 10);
    start(c, 1, 25000, 10);
    struct reply other = finished(c, 10);
    assert_held(&other);
    assert_false(is_readable(c, 0, 0, "poll"));
    close(gate);
    struct reply held = client_held(slow);
    struct looped l = loop(c);
    assert_int_equal(l.held, 19);
    assert_in_range(l.worst, 0, 2);
    assert_int_equal(count_of(c, 0), 2);
    assert_int_equal(value_of(c, "callbacks", "first"), 0);
    assert_true(held.pid > 0);
    client_quit(c);
    client_quit(slow);
    await_no_trace(w);
}

TEST(a_thousand_acquires_and_cancels_leak_no_descriptor) {
    struct client *c = loop_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    client_hold(other);
    long before = value_of(c, "descriptors", "n");
    for (int i = 0; i < 10; i++) {
        start(c, 0, 20000, 100);
        client_do(c, "cancel %d 50", i * 100);
        struct looped l = loop(c);
        assert_int_equal(l.held, 50);
        client_do(c, "release_all");
    }
    assert_int_equal(value_of(c, "descriptors", "n"), before);
    assert_int_equal(count_of(c, 0), 1);
}

TEST(two_threads_have_a_loop_each) {
    struct client *c = loop_start(w);
    char name[128];
    snprintf(name, sizeof name, "%s.other", w->name);
    client_open(c, ON_PORT, TCP);
    client_open_named(c, name, "", "callbacks=1 last=1");
    long before = value_of(c, "descriptors", "n");
    client_tell(c, "threads %d 0 1 0 1", PATIENCE_MS - 5000);
    char *words[16], *line = program_read(&c->program);
    size_t n = words_split(line, words, 16);
    assert_string_equal(words_value(words, n, "code"), "OK");
    if (words_number(words, n, "failed", -1) != 0) {
        fail_msg("acquires failed: %s", words_value(words, n, "message"));
    }
    assert_int_equal(words_number(words, n, "held", -1), 4 * 10 * 15);
    assert_int_equal(value_of(c, "descriptors", "n"), before);
    await_no_trace(w);
}

TEST(sixteen_programs_with_a_hundred_pendings_each) {
    enum { PROGRAMS = 16 };
    struct client *all[PROGRAMS];
    for (int i = 0; i < PROGRAMS; i++) {
        all[i] = loop_start(w);
        client_open(all[i], ON_PORT, TCP);
        for (int s = 0; s < 3; s++) {
            char name[128];
            snprintf(name, sizeof name, "%s.%d", w->name, s);
            client_open_named(all[i], name, "",
                              s == 0   ? ""
                              : s == 1 ? "callbacks=1"
                                       : "callbacks=1 last=1");
        }
    }
    for (int i = 0; i < PROGRAMS; i++) {
        client_tell(all[i], "churn %d 3000", i + 1);
    }
    unsigned long held = 0;
    for (int i = 0; i < PROGRAMS; i++) {
        char *words[32], *line = program_read(&all[i]->program);
        size_t n = words_split(line, words, 32);
        assert_string_equal(words[0], "churned");
        assert_string_equal(words_value(words, n, "code"), "OK");
        if (words_number(words, n, "failed", -1) != 0) {
            fail_msg("acquires failed: %s", words_value(words, n, "message"));
        }
        assert_int_equal(words_number(words, n, "dead", -1), 0);
        held += (unsigned long)words_number(words, n, "held", 0);
    }
    assert_true(held > 1000);
    for (int s = 0; s < 4; s++) {
        assert_int_equal(count_of(all[0], s), 0);
    }
    await_no_trace(w);
}

/* ---- many who go again ---- */

/* The signal alone lets it do one round more. */
static void stop_for_sure(const struct watched *keeper) {
    struct process_seen seen;
    watched_signal(keeper, SIGSTOP);
    AWAIT(look_process(keeper->pid, &seen) && seen.state == 'T');
}

/* Opens for both; a pending of `first` is elected. The keeper. */
static struct watched elect_before_many(struct world *w, struct client *first,
                                        struct client *many) {
    client_open(first, "", "callbacks=1");
    client_open(many, "", "callbacks=1");
    start(first, 0, 20000, 1);
    await_readable(first, 0);
    return watch(look_keeper(w->name));
}

/* Each has three descriptors. Who finds a queue full asks again in finish only, and a queue may
 * have no more than 128 places. */
enum { MANY = 280, A_FEW = MANY / 2, AT_ONCE = 40 };
_Static_assert(MANY % AT_ONCE == 0, "all of them come");

TEST(those_who_have_gone_are_not_elected_one_by_one) {
    struct client *first = loop_start(w), *many = loop_start(w);
    struct watched keeper = elect_before_many(w, first, many);
    for (unsigned come = 0; come < MANY; come += AT_ONCE) {
        start(many, 0, 20000, AT_ONCE);
        AWAIT(traced(w, " asks (1)", NULL) == 1 + come + AT_ONCE);
    }
    stop_for_sure(&keeper);
    client_do(first, "cancel 0");
    client_do(many, "cancel 0 %d", MANY);
    watched_signal(&keeper, SIGCONT);
    watched_await_end(&keeper);
    assert_in_range(traced(w, " elects client ", NULL), 2, A_FEW);
    await_no_trace(w);
}

TEST(many_who_come_keep_nobody_else_from_being_heard) {
    struct client *first = loop_start(w), *many = loop_start(w);
    struct watched keeper = elect_before_many(w, first, many);
    stop_for_sure(&keeper);
    start(many, 0, 20000, MANY);
    client_do(first, "cancel 0");
    watched_signal(&keeper, SIGCONT);
    watched_close(&keeper);
    struct looped l = loop(many);
    assert_int_equal(l.held, MANY);
    assert_in_range(traced(w, " asks (1)", "starter lost"), 1, A_FEW);
    client_do(many, "release_all");
    await_no_trace(w);
}

TEST(nobody_is_forgotten_while_one_waits_for_another_configuration) {
    struct client *told = loop_start(w), *other = loop_start(w), *many = loop_start(w);
    client_open(told, ON_PORT, TCP);
    client_open(many, ON_PORT, TCP);
    client_open(other, ON_PORT " --stop-delay-ms 1", TCP);
    start(told, 0, 20000, 1);
    await_readable(told, 0); /* it is up, and nobody holds it yet */
    start(other, 0, 20000, 1);
    AWAIT(traced(w, " waits to see who holds this one", NULL) > 0);
    struct watched keeper = watch(look_keeper(w->name));
    stop_for_sure(&keeper);
    start(many, 0, 20000, MANY);
    watched_signal(&keeper, SIGCONT);
    watched_close(&keeper);
    struct looped l = loop(many);
    assert_int_equal(l.held, MANY);
    struct reply r = finished(other, 0);
    assert_error(&r, "CONFLICT");
    client_do(told, "cancel 0");
    client_do(many, "release_all");
    await_no_trace(w);
}

TEST_MAIN(T(a_hundred_pendings_of_one_service_share_one_start_and_one_reference),
          T(a_hundred_services_start_side_by_side_in_one_thread),
          T(each_of_many_ends_in_its_own_way_and_nobody_spins),
          T(callbacks_run_in_finish_only_and_once),
          T(others_wait_and_work_while_one_runs_its_callback),
          T(a_thousand_acquires_and_cancels_leak_no_descriptor), T(two_threads_have_a_loop_each),
          T(sixteen_programs_with_a_hundred_pendings_each),
          T(those_who_have_gone_are_not_elected_one_by_one),
          T(many_who_come_keep_nobody_else_from_being_heard),
          T(nobody_is_forgotten_while_one_waits_for_another_configuration))
