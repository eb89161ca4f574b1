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
    return (struct pri_machine){.state = PRI_S_UP, .phase = PRI_PHASE_UP, .generation = 1, .restarts_most = PRI_RESTARTS_MOST, .alive = true,
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

/* Nobody holds it yet: the next keeper could find nobody, and stop it. */
static void a_lone_keeper_hands_over_only_when_who_waits_has_attached(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_PUBLISHING, .lone = true, .alive = true, .asking = 1};
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_DONE);
    assert_true(does(actions, PRI_A_TELL_UP));
    assert_false(does(actions, PRI_A_HAND_OVER));
    m.asking = 0;
    m.told = 1;
    assert_false(does(pri_keeper_next(&m, PRI_E_ZERO), PRI_A_HAND_OVER));
    m.told = 0;
    m.coming = 1;
    assert_false(does(pri_keeper_next(&m, PRI_E_HUNG_UP), PRI_A_HAND_OVER));
    m.coming = 0;
    m.refs = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_HUNG_UP), PRI_A_HAND_OVER));
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

/* ---- services with callbacks ---- */

static struct pri_machine calls(enum pri_state state) {
    return (struct pri_machine){.state = state,
                                .phase = PRI_PHASE_UP,
                                .generation = 1,
                                .callbacks = true,
                                .alive = true,
                                .refs = 1,
                                .gen = 1,
                                .keeper = 1};
}

static void one_who_asks_is_elected_and_its_answer_ends_the_election(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ENDING);
    m.start_wanted = true;
    m.refs = 0;
    m.asking = 3;
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_ELECT));
    assert_int_equal(m.state, PRI_S_ELECTED);
    static const enum pri_event others[] = {PRI_E_ASKED, PRI_E_UNHEALTHY, PRI_E_ZERO,
                                            PRI_E_GONE, PRI_E_DIED, PRI_E_HUNG_UP,
                                            PRI_E_OLD_GONE, PRI_E_STANDBY_DIED};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(pri_keeper_next(&m, others[i]).count, 0);
        assert_int_equal(m.state, PRI_S_ELECTED);
    }
    m.lone = false;
    struct pri_actions started = pri_keeper_next(&m, PRI_E_STARTED);
    assert_int_equal(started.list[0], PRI_A_RECORD_UP);
    assert_int_equal(started.list[1], PRI_A_PUBLISH);
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_TELL_UP));
    assert_int_equal(m.state, PRI_S_UP);
}

static void what_a_lost_starter_left_is_ended_before_another_is_elected(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTED);
    m.refs = 0;
    m.asking = 1;
    struct pri_actions lost = pri_keeper_next(&m, PRI_E_STARTER_LOST);
    assert_true(does(lost, PRI_A_END_TREE));
    assert_false(does(lost, PRI_A_ELECT));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_ELECT));
    m.asking = 0;
    pri_keeper_next(&m, PRI_E_STARTER_LOST);
    assert_int_equal(pri_keeper_next(&m, PRI_E_TREE_GONE).list[0], PRI_A_RECORD_STOPPING);
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE));
}

static void a_callback_that_failed_is_told_to_all_and_tried_again_while_held(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTED);
    m.asking = 2;
    assert_true(does(pri_keeper_next(&m, PRI_E_LAUNCH_FAILED), PRI_A_END_TREE));
    struct pri_actions gone = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(gone.list[0], PRI_A_TELL_FAILED);
    assert_false(does(gone, PRI_A_ELECT)); /* those were told */
    assert_int_equal(m.state, PRI_S_ELECTING);
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_ASKED), PRI_A_ELECT));
    m.refs = 0;
    pri_keeper_next(&m, PRI_E_LAUNCH_FAILED);
    gone = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(gone.list[0], PRI_A_TELL_FAILED);
    assert_true(does(gone, PRI_A_RETIRE));
}

static void a_process_that_ended_is_not_published(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTED);
    m.alive = false;
    assert_true(does(pri_keeper_next(&m, PRI_E_STARTED), PRI_A_END_TREE));
    assert_int_equal(m.state, PRI_S_FAILING);
}

static void nobody_is_elected_where_nobody_asks_and_the_last_holder_ends_it(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_UP);
    m.alive = false;
    assert_true(does(pri_keeper_next(&m, PRI_E_DIED), PRI_A_WITHDRAW));
    struct pri_actions withdrawn = pri_keeper_next(&m, PRI_E_DONE);
    assert_true(does(withdrawn, PRI_A_KEEP_OLD));
    assert_true(does(withdrawn, PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_AWAIT_REFS));
    assert_int_equal(m.state, PRI_S_ELECTING);
    m.refs = 0;
    pri_keeper_next(&m, PRI_E_ZERO);
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE));
}

static void a_lone_keeper_hands_over_while_nobody_asks(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTING);
    assert_true(does(pri_keeper_next(&m, PRI_E_STANDBY_DIED), PRI_A_HAND_OVER));
}

static void an_election_without_a_set_refounds_first(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTING);
    m.refs = -1;
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_GONE), PRI_A_REFOUND));
    m.refs = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_ELECT));
}

static void nothing_is_refounded_while_a_callback_of_the_removed_set_runs(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_REFOUNDING);
    m.phase = PRI_PHASE_STARTING;
    m.refs = 0;
    m.asking = m.old_callers = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_REFUSED).count, 0);
    assert_int_equal(pri_keeper_next(&m, PRI_E_OLD_GONE).count, 0);
    m.old_callers = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_OLD_GONE), PRI_A_REFOUND));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_ELECT));
    m = calls(PRI_S_BEGINNING);
    m.keeper = 0;
    m.old_callers = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_REFUSED).count, 0);
    m.old_callers = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_REFUSED), PRI_A_AWAIT_CALL)); /* one of this set */
    assert_true(does(pri_keeper_next(&m, PRI_E_ZERO), PRI_A_BEGIN));
}

static void unhealthy_withdraws_and_elects_who_can_recover(void **state) {
    (void)state;
    static const enum pri_state ups[] = {PRI_S_UP, PRI_S_LINGERING};
    for (size_t i = 0; i < 2; i++) {
        struct pri_machine m = calls(ups[i]);
        m.asking = m.unhealthy = 1;
        m.recovers = true;
        assert_true(does(pri_keeper_next(&m, PRI_E_UNHEALTHY), PRI_A_WITHDRAW));
        struct pri_actions withdrawn = pri_keeper_next(&m, PRI_E_DONE);
        assert_int_equal(withdrawn.list[0], PRI_A_KEEP_OLD);
        assert_int_equal(withdrawn.list[1], PRI_A_ELECT);
        assert_int_equal(m.generation, 2);
        m = calls(ups[i]);
        m.asking = m.unhealthy = 1; /* no on_recover: the old is ended first */
        pri_keeper_next(&m, PRI_E_UNHEALTHY);
        assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
        assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_ELECT));
        m = calls(ups[i]);
        m.asking = 1; /* it means an earlier generation */
        assert_true(does(pri_keeper_next(&m, PRI_E_UNHEALTHY), PRI_A_TELL_UP));
    }
}

static void unhealthy_is_not_forgotten_when_the_set_is_replaced(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_UP);
    m.refs = -1;
    m.asking = m.unhealthy = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_UNHEALTHY), PRI_A_REFOUND));
    m.refs = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_PUBLISH));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_WITHDRAW));
}

static void the_last_one_closes_and_the_process_is_ended_after_it_detached(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_UP);
    assert_true(does(pri_keeper_next(&m, PRI_E_CLOSE_ASKED), PRI_A_CLOSE));
    struct pri_actions closed = pri_keeper_next(&m, PRI_E_DONE);
    assert_int_equal(closed.list[0], PRI_A_RECORD_STOPPING); /* before it is told: close_on_page */
    assert_int_equal(closed.list[1], PRI_A_TELL_CLOSE);
    assert_int_equal(m.generation, 2);
    assert_int_equal(pri_keeper_next(&m, PRI_E_DIED).count, 0);
    assert_int_equal(pri_keeper_next(&m, PRI_E_ASKED).count, 0);
    m.refs = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_ZERO), PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_RETIRE));
}

static void a_close_whose_set_is_removed_waits_for_the_callback(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_CLOSED);
    m.refs = -1;
    m.old_callers = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_GONE).count, 0);
    m.old_callers = 0;
    assert_true(does(pri_keeper_next(&m, PRI_E_OLD_GONE), PRI_A_END_TREE));
}

static void who_asks_to_close_while_others_hold_is_told_so(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_UP);
    m.refs = 2;
    pri_keeper_next(&m, PRI_E_CLOSE_ASKED);
    assert_int_equal(pri_keeper_next(&m, PRI_E_REFUSED).list[0], PRI_A_TELL_AGAIN);
    assert_int_equal(m.state, PRI_S_UP);
    m = calls(PRI_S_LINGERING); /* it came during the linger */
    m.zero = true;
    m.refs = 2;
    assert_true(does(pri_keeper_next(&m, PRI_E_CLOSE_ASKED), PRI_A_CLOSE));
    struct pri_actions again = pri_keeper_next(&m, PRI_E_REFUSED);
    assert_int_equal(again.list[0], PRI_A_TELL_AGAIN);
    assert_true(does(again, PRI_A_AWAIT_REFS)); /* it had come true when the linger began */
    m = calls(PRI_S_UP);
    m.old_holders = 1; /* no_close_old */
    assert_true(does(pri_keeper_next(&m, PRI_E_CLOSE_ASKED), PRI_A_TELL_DETACH));
    assert_int_equal(m.state, PRI_S_UP);
}

static void who_asks_to_close_is_always_answered_or_hung_up_on(void **state) {
    (void)state;
    for (int at = 0; at < PRI_STATE_COUNT; at++) {
        struct pri_machine m = calls((enum pri_state)at);
        struct pri_actions actions = pri_keeper_next(&m, PRI_E_CLOSE_ASKED);
        bool row = does(actions, PRI_A_CLOSE);
        assert_int_equal(row, at == PRI_S_UP || at == PRI_S_LINGERING);
        assert_true(row || does(actions, PRI_A_TELL_DETACH) || at == PRI_S_ENDED);
    }
    struct pri_machine m = calls(PRI_S_UP);
    m.refs = -1;
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_CLOSE_ASKED);
    assert_int_equal(actions.list[0], PRI_A_TELL_DETACH);
    assert_true(does(actions, PRI_A_REFOUND));
}

static void a_stop_is_refused_while_somebody_holds_asks_or_was_told(void **state) {
    (void)state;
    for (int at = 0; at < PRI_STATE_COUNT; at++) {
        for (int who = 0; who < 4; who++) {
            struct pri_machine m = up();
            m.state = (enum pri_state)at;
            m.refs = who == 0;
            m.asking = who == 1;
            m.told = who == 2;
            m.old_holders = who == 3;
            struct pri_actions actions = pri_keeper_next(&m, PRI_E_STOP_ASKED);
            assert_false(does(actions, PRI_A_DRAIN) || does(actions, PRI_A_WITHDRAW) ||
                         does(actions, PRI_A_END_TREE) || does(actions, PRI_A_RETIRE));
            assert_false(m.stopped);
            assert_int_equal(m.state, at);
            bool runs = at == PRI_S_UP || at == PRI_S_LINGERING || at == PRI_S_STARTING ||
                        at == PRI_S_WAITING || at == PRI_S_ORPHANED || at == PRI_S_ELECTED;
            assert_int_equal(does(actions, PRI_A_TELL_HELD), runs);
        }
    }
}

static void a_stop_ends_a_linger_at_once_by_a_drain(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.state = PRI_S_LINGERING;
    m.refs = 0;
    m.linger = true;
    assert_true(does(pri_keeper_next(&m, PRI_E_STOP_ASKED), PRI_A_DRAIN));
    m.refs = 1; /* somebody was faster */
    assert_true(does(pri_keeper_next(&m, PRI_E_REFUSED), PRI_A_TELL_STAYS));
    assert_int_equal(m.state, PRI_S_UP);
}

static void a_forced_stop_withdraws_first_and_is_not_restarted_for_its_holders(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.forced = true;
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_STOP_ASKED);
    assert_true(does(actions, PRI_A_WITHDRAW));
    assert_false(does(actions, PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
    m.alive = false;
    actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(actions.list[0], PRI_A_KEEP_STOPPED); /* before the error is recorded */
    assert_true(does(actions, PRI_A_RECORD_GAVE_UP));
    assert_int_equal(m.state, PRI_S_GAVE_UP);
    assert_true(does(pri_keeper_next(&m, PRI_E_STOP_ASKED), PRI_A_TELL_STOPPED));
    m.asking = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_ASKED), PRI_A_LAUNCH)); /* one fresh start */
    m.asking = 0;
    m.forced = false;
    assert_true(does(pri_keeper_next(&m, PRI_E_DIED), PRI_A_END_TREE));
    assert_true(does(pri_keeper_next(&m, PRI_E_TREE_GONE), PRI_A_ARM_BACK_OFF)); /* by policy again */
    m.forced = true;
    m.asking = 1; /* who asked meanwhile is told as well, and does not wait for ever */
    actions = pri_keeper_next(&m, PRI_E_STOP_ASKED);
    assert_int_equal(actions.list[0], PRI_A_KEEP_STOPPED);
    assert_true(does(actions, PRI_A_TELL_FAILED));
    assert_int_equal(m.state, PRI_S_GAVE_UP);
}

static void what_is_not_started_again_is_on_record_before_it_is_ended(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pri_machine m = up();
        m.alive = false;
        m.restart = i == 0;
        m.asking = i == 2;
        assert_true(does(pri_keeper_next(&m, PRI_E_DIED), PRI_A_WITHDRAW));
        struct pri_actions actions = pri_keeper_next(&m, PRI_E_DONE);
        assert_int_equal(does(actions, PRI_A_RECORD_GAVE_UP), i == 1);
        assert_int_equal(actions.list[actions.count - 1], PRI_A_END_TREE);
    }
}

static void who_asks_during_a_forced_stop_gets_a_fresh_start_and_the_stop_is_told(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.forced = true;
    pri_keeper_next(&m, PRI_E_STOP_ASKED);
    pri_keeper_next(&m, PRI_E_DONE);
    m.asking = 1;
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(actions.list[0], PRI_A_TELL_STOPPED);
    assert_true(does(actions, PRI_A_LAUNCH));
}

static void a_forced_stop_of_a_start_fails_it_for_all_who_wait(void **state) {
    (void)state;
    struct pri_machine m = {.state = PRI_S_STARTING, .generation = 1, .asking = 2, .restart = true, .forced = true};
    struct pri_actions actions = pri_keeper_next(&m, PRI_E_STOP_ASKED);
    assert_int_equal(actions.list[0], PRI_A_KEEP_STOPPED);
    assert_true(does(actions, PRI_A_END_TREE));
    struct pri_machine held = m;
    actions = pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(actions.list[0], PRI_A_TELL_FAILED);
    assert_true(does(actions, PRI_A_RETIRE));
    held.refs = 1; /* a restart, which others hold */
    actions = pri_keeper_next(&held, PRI_E_TREE_GONE);
    assert_int_equal(actions.list[0], PRI_A_TELL_FAILED);
    assert_int_equal(held.state, PRI_S_GAVE_UP);
}

static void a_forced_stop_waits_for_the_callback_and_then_stops(void **state) {
    (void)state;
    struct pri_machine m = calls(PRI_S_ELECTED);
    m.forced = true;
    m.asking = 1;
    assert_int_equal(pri_keeper_next(&m, PRI_E_STOP_ASKED).count, 0);
    assert_int_equal(m.state, PRI_S_ELECTED);
    m = calls(PRI_S_UP);
    m.forced = true;
    m.refs = 1;
    assert_true(does(pri_keeper_next(&m, PRI_E_STOP_ASKED), PRI_A_WITHDRAW));
    assert_true(does(pri_keeper_next(&m, PRI_E_DONE), PRI_A_END_TREE));
    m.asking = 0;
    pri_keeper_next(&m, PRI_E_TREE_GONE);
    assert_int_equal(m.state, PRI_S_ELECTING); /* down, held, until somebody asks */
    assert_true(does(pri_keeper_next(&m, PRI_E_STOP_ASKED), PRI_A_TELL_STOPPED));
}

static void a_stop_is_not_remembered_when_the_set_is_replaced(void **state) {
    (void)state;
    struct pri_machine m = up();
    m.forced = true;
    pri_keeper_next(&m, PRI_E_STOP_ASKED);
    m.refs = -1;
    assert_true(does(pri_keeper_next(&m, PRI_E_GONE), PRI_A_REFOUND));
    assert_false(m.stopped);
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
            m.callbacks = round % 2 == 1;
            m.unhealthy = m.callbacks && rand() % 4 == 0;
            m.recovers = rand() % 2;
            m.old_callers = m.callbacks && rand() % 5 == 0;
            m.forced = rand() % 2;
            int32_t refs = m.refs;
            enum pri_state before = m.state;
            struct pri_actions actions = pri_keeper_next(&m, (enum pri_event)(rand() % PRI_EVENT_COUNT));
            assert_true(actions.count >= 0 && actions.count <= PRI_ACTIONS_MOST);
            assert_true((int)m.state < PRI_STATE_COUNT);
            if (does(actions, PRI_A_DRAIN)) {
                assert_int_equal(refs, 0);
                assert_int_equal(m.told + m.old_holders, 0);
            }
            if (does(actions, PRI_A_ELECT)) {
                assert_true(m.asking > 0 && m.callbacks);
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
        cmocka_unit_test(a_lone_keeper_hands_over_only_when_who_waits_has_attached),
        cmocka_unit_test(a_successor_adopts_what_the_page_says_is_up),
        cmocka_unit_test(a_successor_ends_what_was_drained_but_not_recorded),
        cmocka_unit_test(a_set_removed_under_a_successor_is_refounded),
        cmocka_unit_test(a_failed_first_start_tells_all_and_retires),
        cmocka_unit_test(a_death_while_held_restarts_with_back_off_up_to_the_limit),
        cmocka_unit_test(without_a_holder_a_death_ends_it),
        cmocka_unit_test(a_keeper_of_another_network_namespace_is_left_alone),
        cmocka_unit_test(the_last_generation_is_never_started),
        cmocka_unit_test(one_who_asks_is_elected_and_its_answer_ends_the_election),
        cmocka_unit_test(what_a_lost_starter_left_is_ended_before_another_is_elected),
        cmocka_unit_test(a_callback_that_failed_is_told_to_all_and_tried_again_while_held),
        cmocka_unit_test(a_process_that_ended_is_not_published),
        cmocka_unit_test(nobody_is_elected_where_nobody_asks_and_the_last_holder_ends_it),
        cmocka_unit_test(a_lone_keeper_hands_over_while_nobody_asks),
        cmocka_unit_test(an_election_without_a_set_refounds_first),
        cmocka_unit_test(nothing_is_refounded_while_a_callback_of_the_removed_set_runs),
        cmocka_unit_test(unhealthy_withdraws_and_elects_who_can_recover),
        cmocka_unit_test(unhealthy_is_not_forgotten_when_the_set_is_replaced),
        cmocka_unit_test(the_last_one_closes_and_the_process_is_ended_after_it_detached),
        cmocka_unit_test(a_close_whose_set_is_removed_waits_for_the_callback),
        cmocka_unit_test(who_asks_to_close_while_others_hold_is_told_so),
        cmocka_unit_test(who_asks_to_close_is_always_answered_or_hung_up_on),
        cmocka_unit_test(a_stop_is_refused_while_somebody_holds_asks_or_was_told),
        cmocka_unit_test(a_stop_ends_a_linger_at_once_by_a_drain),
        cmocka_unit_test(a_forced_stop_withdraws_first_and_is_not_restarted_for_its_holders),
        cmocka_unit_test(what_is_not_started_again_is_on_record_before_it_is_ended),
        cmocka_unit_test(who_asks_during_a_forced_stop_gets_a_fresh_start_and_the_stop_is_told),
        cmocka_unit_test(a_forced_stop_of_a_start_fails_it_for_all_who_wait),
        cmocka_unit_test(a_forced_stop_waits_for_the_callback_and_then_stops),
        cmocka_unit_test(a_stop_is_not_remembered_when_the_set_is_replaced),
        cmocka_unit_test(random_events_never_retire_under_a_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
