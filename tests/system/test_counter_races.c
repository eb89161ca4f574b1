/* Many processes at one raw counter at once: nobody fails, and every count is exact. */
#include "support/counting.h"

enum { MANY = 16, ROUNDS = 20 };

static void start_many(struct world *w, struct client **clients, size_t count) {
    for (size_t i = 0; i < count; i++) {
        clients[i] = quiet_start(w);
    }
}

static long long file_number(const char *path) {
    long number = 0;
    FILE *file = fopen(path, "re");
    must(file != NULL && fread(&number, sizeof number, 1, file) == 1, "fread");
    fclose(file);
    return number;
}

/* All do the same at once; nobody fails. The sum of what they say in the field `handle`. */
struct sums {
    long long firsts, lasts;
};
static struct sums all_storm(struct client **clients, size_t count) {
    struct sums sums = {0};
    for (size_t i = 0; i < count; i++) {
        struct reply r = client_reply(clients[i]);
        assert_string_equal(r.message, "");
        assert_int_equal(r.n, 0);
        sums.firsts += r.handle;
        sums.lasts += (long long)r.generation;
    }
    return sums;
}

TEST(of_sixteen_that_race_exactly_one_gets_1_and_exactly_one_0) {
    struct client *clients[MANY];
    start_many(w, clients, MANY);
    for (int round = 0; round < ROUNDS; round++) {
        int firsts = 0, lasts = 0;
        for (size_t i = 0; i < MANY; i++) {
            client_tell(clients[i], "acquire");
        }
        for (size_t i = 0; i < MANY; i++) {
            struct reply r = client_reply(clients[i]);
            assert_string_equal(r.verb, "ok");
            assert_in_range(r.n, 1, MANY);
            firsts += r.n == 1;
        }
        assert_int_equal(firsts, 1);
        assert_int_equal(asks(clients[0], "count"), MANY);
        for (size_t i = 0; i < MANY; i++) {
            client_tell(clients[i], "release");
        }
        for (size_t i = 0; i < MANY; i++) {
            struct reply r = client_reply(clients[i]);
            assert_string_equal(r.verb, "ok");
            assert_in_range(r.n, 0, MANY - 1);
            lasts += r.n == 0;
        }
        assert_int_equal(lasts, 1);
        assert_int_equal(world_set_id(w), -1);
    }
}

TEST(nobody_fails_while_sets_are_removed_and_made_anew) {
    struct client *clients[MANY];
    start_many(w, clients, MANY);
    for (size_t i = 0; i < MANY; i++) {
        client_tell(clients[i], "storm 1500");
    }
    struct sums sums = all_storm(clients, MANY);
    assert_true(sums.firsts > 0);
    assert_int_equal(sums.firsts, sums.lasts);
    assert_int_equal(world_set_id(w), -1);
}

TEST(the_lock_keeps_sixteen_apart) {
    struct client *clients[MANY];
    start_many(w, clients, MANY);
    assert_int_equal(world_shell(w, "head -c 8 /dev/zero >shared"), 0);
    for (size_t i = 0; i < MANY; i++) {
        client_tell(clients[i], "lock_storm 1500 %s", world_path(w, "shared"));
    }
    struct sums sums = all_storm(clients, MANY);
    assert_true(sums.firsts > 0);
    assert_int_equal(file_number(world_path(w, "shared")), sums.firsts);
    assert_int_equal(world_set_id(w), -1);
}

/* A stranger's set on the first key drives the counter to the second one and, gone, leaves the
 * first free: two sets of one name would be two locks. */
TEST(the_lock_is_one_while_a_stranger_comes_and_goes_on_the_first_key) {
    static struct set_seen sets[LOOK_MAX];
    struct client *clients[8], *squatter = quiet_start(w);
    uint32_t key = 0;
    start_many(w, clients, ARRAY_LEN(clients));
    assert_int_equal(world_shell(w, "head -c 8 /dev/zero >shared"), 0);
    asks(clients[0], "acquire");
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        key = sets[i].id == id ? sets[i].key : key;
    }
    asks(clients[0], "release");
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_tell(clients[i], "lock_storm 1500 %s", world_path(w, "shared"));
    }
    long squats = 0;
    while (!client_has_replied(clients[0], 0) || squats < 1) {
        struct reply r = client_ask(squatter, "squat_key %u", key);
        if (strcmp(r.verb, "ok") == 0) {
            client_do(squatter, "free_key %u", key);
            squats++;
        }
    }
    struct sums sums = all_storm(clients, ARRAY_LEN(clients));
    assert_true(sums.firsts > 0);
    assert_int_equal(file_number(world_path(w, "shared")), sums.firsts);
}

TEST(nobody_else_fails_when_some_are_killed_in_the_storm) {
    struct client *clients[MANY];
    start_many(w, clients, MANY);
    for (size_t i = 0; i < MANY; i++) {
        client_tell(clients[i], "storm 1500");
    }
    for (size_t i = 0; i < MANY / 2; i++) {
        client_kill(clients[i]);
    }
    all_storm(clients + MANY / 2, MANY / 2);
    struct client *last = quiet_start(w);
    assert_int_equal(asks(last, "count"), 0);
    assert_int_equal(asks(last, "acquire"), 1);
    assert_int_equal(asks(last, "release"), 0);
    assert_int_equal(world_set_id(w), -1);
}

TEST(one_who_is_stopped_delays_nobody) {
    struct client *clients[4];
    start_many(w, clients, ARRAY_LEN(clients));
    client_tell(clients[0], "storm 100000");
    asks(clients[1], "acquire");
    asks(clients[1], "release");
    for (int i = 0; i < 20; i++) {
        program_signal(&clients[0]->program, SIGSTOP);
        client_tell(clients[1], "storm 50");
        client_tell(clients[2], "lock");
        all_storm(&clients[1], 1);
        assert_int_equal(client_reply(clients[2]).n, 1);
        asks(clients[2], "unlock");
        program_signal(&clients[0]->program, SIGCONT);
    }
    client_kill(clients[0]);
    client_do(clients[3], "close");
    assert_int_equal(world_set_id(w), -1);
}

TEST_MAIN(T(of_sixteen_that_race_exactly_one_gets_1_and_exactly_one_0),
          T(nobody_fails_while_sets_are_removed_and_made_anew), T(the_lock_keeps_sixteen_apart),
          T(the_lock_is_one_while_a_stranger_comes_and_goes_on_the_first_key),
          T(nobody_else_fails_when_some_are_killed_in_the_storm),
          T(one_who_is_stopped_delays_nobody))
