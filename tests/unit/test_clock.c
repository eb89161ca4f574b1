/* os/clock.h: deadlines and what poll(2) is told of them. */
#include "support/check.h"

#include <limits.h>

#include "os/clock.h"

static void a_deadline_lies_its_timeout_ahead(void **state) {
    (void)state;
    int64_t before = pri_clock_ns();
    int64_t deadline = pri_deadline(1500);
    int64_t after = pri_clock_ns();
    assert_true(deadline >= before + 1500 * PRI_MS && deadline <= after + 1500 * PRI_MS);
}

static void no_timeout_and_one_too_long_are_never(void **state) {
    (void)state;
    assert_true(pri_deadline(-1) == PRI_NEVER);
    assert_true(pri_deadline(INT64_MAX) == PRI_NEVER);
    assert_true(pri_deadline(INT64_MAX / PRI_MS) == PRI_NEVER);
    assert_int_equal(pri_deadline_poll_ms(PRI_NEVER), -1);
}

static void what_is_left_is_rounded_up(void **state) {
    (void)state;
    assert_int_equal(pri_deadline_poll_ms(0), 0);
    assert_int_equal(pri_deadline_poll_ms(pri_clock_ns()), 0);
    int ms = pri_deadline_poll_ms(pri_clock_ns() + 1000 * PRI_MS);
    assert_true(ms > 0 && ms <= 1000);
    assert_int_equal(pri_deadline_poll_ms(pri_clock_ns() + 3600 * 1000 * PRI_MS - 1), 3600 * 1000);
    assert_int_equal(pri_deadline_poll_ms(PRI_NEVER - 1), INT_MAX);
}

static void the_wall_clock_is_of_this_century(void **state) {
    (void)state;
    assert_true(pri_wall_ms() > INT64_C(1600000000000) && pri_wall_ms() < INT64_C(4100000000000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_lies_its_timeout_ahead),
        cmocka_unit_test(no_timeout_and_one_too_long_are_never),
        cmocka_unit_test(what_is_left_is_rounded_up),
        cmocka_unit_test(the_wall_clock_is_of_this_century),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
