/* Another user, played by uid 65534, and a process that becomes one: what a raw counter is worth
 * against him. */
#include "support/counting.h"

enum { STRANGER = 65534, KEYS = 8 };

static struct client *stranger_start(struct world *w) {
    struct client *c = client_start_as(w, helper_path("counter"));
    client_do(c, "setuid %d", STRANGER);
    client_do(c, "open %s", w->name);
    return c;
}

static uint32_t learn_key(struct world *w, struct client *c) {
    static struct set_seen sets[LOOK_MAX];
    uint32_t key = 0;
    asks(c, "acquire");
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        key = sets[i].id == id ? sets[i].key : key;
    }
    asks(c, "release");
    return key;
}

TEST(another_user_has_another_counter_of_the_same_name) {
    struct client *ours = counting_start(w), *his = stranger_start(w);
    assert_int_equal(asks(ours, "acquire"), 1);
    assert_int_equal(asks(his, "count"), 0);
    assert_int_equal(asks(his, "acquire"), 1);
    assert_int_equal(asks(his, "lock"), 1);
    assert_int_equal(asks(ours, "lock"), 1);
    client_do(his, "close");
    assert_int_equal(asks(ours, "count"), 1);
    client_do(ours, "close");
}

TEST(a_stranger_on_some_keys_is_passed_by_and_on_all_is_named) {
    struct client *victim = stranger_start(w), *squatter = counting_start(w);
    uint32_t key = learn_key(w, victim);
    for (uint32_t i = 0; i < KEYS; i++) {
        client_do(squatter, "squat_key %u", key + i);
        if (i + 1 < KEYS) {
            assert_int_equal(asks(victim, "acquire"), 1);
            assert_int_equal(asks(victim, "release"), 0);
        }
    }
    struct reply r = client_ask(victim, "acquire");
    assert_error(&r, "PERMISSION");
    assert_says(r.message, "user 0");
    for (uint32_t i = 0; i < KEYS; i++) {
        client_do(squatter, "free_key %u", key + i);
    }
}

TEST(a_process_that_became_another_user_is_told_so) {
    struct client *a = counting_start(w), *b = counting_start(w), *idle = counting_start(w);
    asks(b, "acquire");
    asks(a, "acquire");
    asks(a, "lock");
    client_do(a, "setuid %d", STRANGER);
    client_do(idle, "setuid %d", STRANGER);
    fails(a, "acquire", "PERMISSION");
    fails(a, "count", "COUNT");
    fails(a, "release", "RELEASE");
    fails(a, "release", "INVALID");
    fails(a, "unlock", "LOCK");
    fails(a, "lock", "PERMISSION");
    fails(idle, "acquire", "PERMISSION");
    fails(idle, "lock", "PERMISSION");
    assert_int_equal(asks(b, "count"), 2); /* the kernel keeps it until the process ends */
    client_do(a, "close");
    client_kill(a);
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 1);
    client_do(b, "close");
}

TEST_MAIN_AS_ROOT(T(another_user_has_another_counter_of_the_same_name),
                  T(a_stranger_on_some_keys_is_passed_by_and_on_all_is_named),
                  T(a_process_that_became_another_user_is_told_so))
