/* The keeper's decisions as a pure function: each test walks through events and looks at what is decided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/machine.h"

static bool does(struct pri_actions actions, enum pri_action action) {
    for (int i = 0; i < actions.count; i++) {
        if (actions.list[i] == action) {
            return true;
        }
    }
    return false;
}

/* A machine that is up with one holder. */
static struct pri_machine up(void) {
    return (struct pri_machine){.state = PRI_S_UP, .phase = PRI_PHASE_UP, .generation = 1, .alive = true,
                                .refs = 1, .gen = 1, .keeper = 1, .restart = true};
}

static void a_fresh_keeper_begins_and_starts_for_who_waits(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_RESUMING, .phase_from_hint = true, .refs = -1};
    assert_true(does(pri_keeper_next(&m, PRI_E_RESUME), PRI_A_BEGIN));
    m.refs = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_LAUNCH));
    struct pri_actions ready = pri_keeper_next(&m, PRI_E_READY);
    assert_true(does(ready, PRI_A_RECORD_UP));
    assert_int_equal(ready.list[0], PRI_A_RECORD_UP); /* the page says up before anybody can attach */
    assert_true(does(ready, PRI_A_PUBLISH));
    m.alive = true;
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_TELL_UP));
    assert_int_equal(m.state, PRI_S_UP);
}

static void who_is_slow_to_ask_keeps_no_keeper_spinning(void **state) {
    (void)state;
    struct pri_machine m = {
        .state = PRI_S_ELECTING, .phase = PRI_PHASE_STARTING, .callbacks = true, .coming = 1};
    assert_int_equal(pri_keeper_next(&m, PRI_E_ZERO).count, 0);
    m.refs = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_HUNG_UP), PRI_A_AWAIT_REFS));
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_ASKED), PRI_A_ELECT));
}

static void nobody_left_drains_and_only_a_drain_stops(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.refs = 0;
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_ZERO);
    assert_true(does(actions, PRI_A_DRAIN));
    assert_false(does(actions, PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE));
}

static void who_comes_while_draining_keeps_the_service(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.refs = 0;
    pri_keeper_next(&m, PRI_E_ZERO);
    m.refs = 1;
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_REFUSED);
    assert_true(does(actions, PRI_A_AWAIT_REFS));
    assert_false(does(actions, PRI_A_END_TREE));
    assert_int_equal(m.state, PRI_S_UP);
}

static void no_drain_while_a_client_was_told_up(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.refs = 0;
    m.told = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_ZERO).count, 0);
    m.told = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_HUNG_UP), PRI_A_DRAIN));
}

static void no_drain_while_an_old_holder_lives(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.refs = 0;
    m.old_holders = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_ZERO).count, 0);
    m.old_holders = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_OLD_GONE), PRI_A_DRAIN));
}

static void a_linger_begins_anew_when_somebody_came_and_went(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.refs = 0;
    m.linger = true;
    assert_true(does(pri_keeper_next(&m, PRI_E_ZERO), PRI_A_ARM_LINGER));
    assert_true(does(pri_keeper_next(&m, PRI_E_LINGER_TOUCHED), PRI_A_ARM_LINGER));
    assert_true(does(pri_keeper_next(&m, PRI_E_LINGERED), PRI_A_DRAIN));
}

static void a_lone_keeper_hands_over_when_up_and_not_before(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_STARTING, .generation = 1, .refs = 0};
    assert_int_equal(pri_keeper_next(&m, PRI_E_STANDBY_DIED).count, 0);
    m.alive = true;
    pri_keeper_next(&m, PRI_E_READY);
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_HAND_OVER));
    assert_int_equal(pri_keeper_next(&m, PRI_E_DONE).count, 0);
    assert_int_equal(m.state, PRI_S_ENDED);
}

static void a_successor_adopts_what_the_page_says_is_up(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_RESUMING, .phase = PRI_PHASE_UP, .generation = 3, .gen = 3};
    assert_true(does(pri_keeper_next(&m, PRI_E_RESUME), PRI_A_ADOPT));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_PUBLISH));
}

static void a_successor_ends_what_was_drained_but_not_recorded(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_RESUMING, .phase = PRI_PHASE_UP, .generation = 3, .gen = 4};
    pri_keeper_next(&m, PRI_E_RESUME);
    assert_true(does(pri_keeper_next(&m, PRI_E_REFUSED), PRI_A_BEGIN));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE)); /* nobody holds */
}

static void a_set_removed_under_a_successor_is_refounded(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_RESUMING, .phase = PRI_PHASE_UP, .generation = 3, .refs = -1};
    pri_keeper_next(&m, PRI_E_RESUME);
    assert_true(does(pri_keeper_next(&m, PRI_E_GONE), PRI_A_REFOUND));
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_DONE);
    assert_true(does(actions, PRI_A_COUNT_OLD));
    assert_true(does(actions, PRI_A_PUBLISH));
}

static void a_failed_first_start_tells_all_and_retires(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_STARTING, .generation = 1, .refs = 0, .asking = 5, .restart = true};
    assert_true(does(pri_keeper_next(&m, PRI_E_DIED), PRI_A_END_TREE));
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(actions.list[0], PRI_A_TELL_FAILED);
    assert_int_equal(actions.list[1], PRI_A_RETIRE);
}

static void a_death_while_held_restarts_with_back_off_up_to_the_limit(void **state) {
    (void)state;
    struct pri_machine m = up();
    for (int death = 1; death <= PRI_RESTARTS_MOST; death++) {
        m.state = PRI_S_UP;
        m.alive = false;
        assert_true(does(pri_keeper_next(&m, PRI_E_DIED), PRI_A_WITHDRAW));
        assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
        struct pri_actions actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
        assert_int_equal(m.generation, 1 + death);
        if (death < PRI_RESTARTS_MOST) {
            assert_true(does(actions, PRI_A_ARM_BACK_OFF));
            assert_true(does(pri_keeper_next(&m, PRI_E_BACKED_OFF), PRI_A_LAUNCH));
        }
    }
    assert_int_equal(m.state, PRI_S_GAVE_UP);
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_ASKED), PRI_A_LAUNCH)); /* a new acquire asks afresh */
}

static void without_a_holder_a_death_ends_it(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.alive = false;
    m.refs = 0;
    pri_keeper_next(&m, PRI_E_DIED);
    pri_keeper_next(&m, PRI_E_DONE);
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE));
}

static void a_keeper_of_another_network_namespace_is_left_alone(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_BEGINNING, .keeper = 1, .refs = 1};
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_REFUSED);
    assert_true(does(actions, PRI_A_LEAVE));
    assert_false(does(actions, PRI_A_RETIRE));
}

static void the_last_generation_is_never_started(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_DYING, .generation = PRI_GENERATION_LAST, .refs = 1, .asking = 1};
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_true(does(actions, PRI_A_TELL_EXHAUSTED));
    assert_false(does(actions, PRI_A_LAUNCH));
    m.refs = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_ZERO), PRI_A_RETIRE)); /* at zero the set is renewed */
}

/* Whatever comes in whatever order, the machine never stops a service under a holder except when it is dead or being
 * replaced, never retires while refs > 0, and never loses its way. */
static void random_events_never_retire_under_a_holder(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct pri_machine m = up();
        for (int step = 0; step < 40; step++) {
            m.refs = rand() % 3;
            m.alive = rand() % 4 != 0;
            m.asking = (uint32_t)rand() % 2;
            m.told = (uint32_t)rand() % 2;
            m.old_holders = rand() % 5 == 0;
            m.linger = rand() % 2;
            int32_t refs = m.refs;
            enum pri_state before = m.state;
            struct pri_actions actions = pri_keeper_next(&m, (enum pri_event)(rand() % PRI_EVENT_COUNT));
            assert_true(actions.count >= 0 && actions.count <= PRI_ACTIONS_MOST);
            assert_true((int)m.state < PRI_STATE_COUNT);
            if (does(actions, PRI_A_DRAIN)) {
                assert_int_equal(refs, 0);
                assert_int_equal(m.told + m.old_holders, 0);
            }
            if (does(actions, PRI_A_RETIRE) && before != PRI_S_STOPPING) {
                assert_int_equal(refs, 0);
            }
            if (m.state == PRI_S_ENDED) {
                break;
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_keeper_begins_and_starts_for_who_waits),
        cmocka_unit_test(who_is_slow_to_ask_keeps_no_keeper_spinning),
        cmocka_unit_test(nobody_left_drains_and_only_a_drain_stops),
        cmocka_unit_test(who_comes_while_draining_keeps_the_service),
        cmocka_unit_test(no_drain_while_a_client_was_told_up),
        cmocka_unit_test(no_drain_while_an_old_holder_lives),
        cmocka_unit_test(a_linger_begins_anew_when_somebody_came_and_went),
        cmocka_unit_test(a_lone_keeper_hands_over_when_up_and_not_before),
        cmocka_unit_test(a_successor_adopts_what_the_page_says_is_up),
        cmocka_unit_test(a_successor_ends_what_was_drained_but_not_recorded),
        cmocka_unit_test(a_set_removed_under_a_successor_is_refounded),
        cmocka_unit_test(a_failed_first_start_tells_all_and_retires),
        cmocka_unit_test(a_death_while_held_restarts_with_back_off_up_to_the_limit),
        cmocka_unit_test(without_a_holder_a_death_ends_it),
        cmocka_unit_test(a_keeper_of_another_network_namespace_is_left_alone),
        cmocka_unit_test(the_last_generation_is_never_started),
        cmocka_unit_test(random_events_never_retire_under_a_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
