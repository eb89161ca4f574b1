/* What the Rust crate procref 0.1.0 got wrong in its counter, row by row. */
#include "support/counting.h"

/* There: key = ftok("/tmp", 1 + sum of the name's bytes), and a negative key was an error. */
TEST(every_name_works_53_percent_were_refused) {
    static const char *const names[] = {"surrealdb", "a",      "zzzzzzzzzzzz", "qwertyuiop",
                                        "postgres",  "redis",  "ollama",       "buildd",
                                        "xylophone", "mnbvcxz"};
    struct client *c = client_start_as(w, helper_path("counter"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        client_do(c, "open %s%s", w->name, names[i]);
        assert_int_equal(asks(c, "acquire"), 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        client_do(c, "use %zu", i);
        assert_int_equal(asks(c, "release"), 0);
    }
}

TEST(names_of_the_same_letters_do_not_share_a_counter) {
    struct client *a = client_start_as(w, helper_path("counter"));
    client_do(a, "open %sdatabase", w->name);
    assert_int_equal(asks(a, "acquire"), 1);
    client_do(a, "open %sbasedata", w->name);
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(a, "lock"), 1);
    client_do(a, "use 0");
    assert_int_equal(asks(a, "lock"), 1);
    client_tell(a, "quit");
    program_await_end(&a->program);
}

/* There the count was read in a second call after the increment. */
TEST(of_two_racing_firsts_one_reads_1_both_read_2) {
    struct client *a = quiet_start(w), *b = quiet_start(w);
    for (int round = 0; round < 300; round++) {
        client_tell(a, "acquire");
        client_tell(b, "acquire");
        long long first = client_reply(a).n, second = client_reply(b).n;
        assert_true((first == 1) != (second == 1));
        assert_true(first == 2 || second == 2);
        client_tell(a, "release");
        client_tell(b, "release");
        first = client_reply(a).n;
        second = client_reply(b).n;
        assert_true((first == 0) != (second == 0));
    }
}

/* There one flag per counter said "I hold". */
TEST(each_object_and_each_acquire_counts_one_flag_said_i_hold) {
    struct client *a = counting_start(w);
    client_do(a, "open %s", w->name);
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(a, "acquire"), 2);
    client_do(a, "use 0");
    assert_int_equal(asks(a, "acquire"), 3);
    client_do(a, "close");
    client_do(a, "use 1");
    assert_int_equal(asks(a, "count"), 2);
    client_do(a, "close");
}

/* There an error, or a death, left the lock held, and others waited for 30 s. */
TEST(the_lock_of_the_dead_is_free_others_waited_30_s) {
    struct client *a = counting_start(w), *b = counting_start(w);
    assert_int_equal(asks(a, "lock"), 1);
    client_kill(a);
    assert_int_equal(asks(b, "lock"), 1);
    asks(b, "unlock");
}

/* There the mode was 0666, and SETVAL after the creation let a racer see the lock uninitialised. */
TEST(the_set_is_0600_it_was_0666) {
    static struct set_seen sets[LOOK_MAX];
    struct client *a = counting_start(w);
    asks(a, "lock");
    int id = world_set_id(w), seen = 0;
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        if (sets[i].id == id) {
            seen++;
            assert_int_equal(sets[i].mode & 0777, 0600);
            assert_int_equal(sets[i].owner, geteuid());
            assert_int_equal(sets[i].registers, RAW_REGISTERS);
        }
    }
    assert_int_equal(seen, 1);
    asks(a, "unlock");
}

TEST(the_set_is_removed_one_was_left_for_each_name) {
    struct client *a = counting_start(w);
    for (int i = 0; i < 10; i++) {
        asks(a, "acquire");
        assert_true(world_set_id(w) >= 0);
        asks(a, "release");
        assert_int_equal(world_set_id(w), -1);
    }
}

TEST(a_forked_child_cannot_release_it_took_its_parents_reference) {
    struct client *a = counting_start(w);
    asks(a, "acquire");
    fails(a, "fork release", "FORKED");
    assert_int_equal(asks(a, "count"), 1);
    assert_int_equal(asks(a, "release"), 0);
}

/* There, on Windows, a killed client counted for ever, and count() guessed 0 or 1. */
TEST(the_killed_are_not_counted_and_the_count_is_no_guess) {
    struct client *clients[6], *last = counting_start(w);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = counting_start(w);
        assert_int_equal(asks(clients[i], "acquire"), (long long)i + 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_kill(clients[i]);
        assert_int_equal(asks(last, "count"), ARRAY_LEN(clients) - 1 - i);
    }
    client_do(last, "close");
    assert_int_equal(world_set_id(w), -1);
}

TEST_MAIN(T(every_name_works_53_percent_were_refused),
          T(names_of_the_same_letters_do_not_share_a_counter),
          T(of_two_racing_firsts_one_reads_1_both_read_2),
          T(each_object_and_each_acquire_counts_one_flag_said_i_hold),
          T(the_lock_of_the_dead_is_free_others_waited_30_s), T(the_set_is_0600_it_was_0666),
          T(the_set_is_removed_one_was_left_for_each_name),
          T(a_forked_child_cannot_release_it_took_its_parents_reference),
          T(the_killed_are_not_counted_and_the_count_is_no_guess))
