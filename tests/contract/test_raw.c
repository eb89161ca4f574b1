/* What os/raw.h promises, on the counters of this system. Another process is a forked child that
 * only acts. */
#include "support/check.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/raw.h"

struct state {
    struct pri_ident ident;
    struct pri_raw raw;
};

static int set_up(void **state) {
    static int number;
    static struct state s;
    char name[64];
    snprintf(name, sizeof name, "%s.raw.%d.%d", TEST_RUN, (int)getpid(), ++number);
    pri_raw_ident(&s.ident, pri_own_user(), name);
    s.raw = (struct pri_raw)PRI_RAW_NONE;
    *state = &s;
    return pri_raw_make(&s.ident, &s.raw, NULL);
}

static int tear_down(void **state) {
    struct state *s = *state;
    pri_raw_sweep(&s->ident);
    return pri_raw_find(&s->ident, &s->raw, NULL) == PROCREF_E_NOT_FOUND ? 0 : -1;
}

static int step(struct state *s, enum pri_raw_transition row) {
    return pri_raw_step(&s->raw, &s->ident, row);
}

static int count(struct state *s) {
    return pri_raw_count(&s->raw, &s->ident);
}

/* A child that executes the row so many times, and is killed when it has. */
static void child_that_does_and_dies(struct state *s, enum pri_raw_transition row, int times) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < times; i++) {
            if (step(s, row) != PRI_OK) {
                _exit(1);
            }
        }
        kill(getpid(), SIGKILL);
    }
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    assert_true(WIFSIGNALED(status));
}

static void what_one_made_others_find_and_none_makes_twice(void **state) {
    struct state *s = *state;
    struct pri_raw found, again;
    assert_int_equal(pri_raw_find(&s->ident, &found, NULL), 0);
    assert_int_equal(found.id, s->raw.id);
    assert_int_equal(pri_raw_make(&s->ident, &again, NULL), 0);
    assert_int_equal(again.id, s->raw.id);
    assert_int_equal(count(s), 0);
}

static void exactly_one_of_first_and_another_holds(void **state) {
    struct state *s = *state;
    assert_int_equal(step(s, PRI_RAW_ANOTHER), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_ANOTHER), PRI_OK);
    assert_int_equal(count(s), 2);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_NOT_LAST), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_NOT_LAST), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_NO);
    assert_int_equal(count(s), 0);
}

static void the_lock_is_taken_once(void **state) {
    struct state *s = *state;
    assert_int_equal(step(s, PRI_RAW_LOCKED), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_UNLOCK), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_NO);
    assert_int_equal(step(s, PRI_RAW_LOCKED), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_UNLOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LOCKED), PRI_NO);
}

static void the_death_of_a_holder_gives_back_what_it_held(void **state) {
    struct state *s = *state;
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_OK);
    child_that_does_and_dies(s, PRI_RAW_ANOTHER, 3);
    assert_int_equal(count(s), 1);
    child_that_does_and_dies(s, PRI_RAW_TAKE_LOCK, 1);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_UNLOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_OK);
}

static void it_is_not_removed_under_a_holder_nor_under_a_lock(void **state) {
    struct state *s = *state;
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_OK);
    assert_int_equal(pri_raw_retire(&s->raw, &s->ident), PRI_NO);
    pri_raw_sweep(&s->ident);
    assert_int_equal(count(s), 1);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_OK);
    assert_int_equal(pri_raw_retire(&s->raw, &s->ident), PRI_NO);
    pri_raw_sweep(&s->ident);
    assert_int_equal(count(s), 0);
    assert_int_equal(step(s, PRI_RAW_UNLOCK), PRI_OK);
    assert_int_equal(pri_raw_retire(&s->raw, &s->ident), PRI_OK);
    assert_int_equal(s->raw.id, -1);
}

static void a_removed_counter_is_gone_for_everybody(void **state) {
    struct state *s = *state;
    struct pri_raw other = s->raw, found;
    assert_int_equal(pri_raw_retire(&other, &s->ident), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_GONE);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_GONE);
    assert_int_equal(count(s), -1);
    assert_int_equal(pri_raw_retire(&s->raw, &s->ident), PRI_GONE);
    assert_int_equal(pri_raw_find(&s->ident, &found, NULL), PROCREF_E_NOT_FOUND);
    assert_int_equal(pri_raw_make(&s->ident, &s->raw, NULL), 0);
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_OK);
}

/* An object may know a number for long: with another name's fingerprint no row does anything. */
static void the_rows_of_another_name_change_nothing(void **state) {
    struct state *s = *state;
    struct pri_ident other;
    pri_raw_ident(&other, pri_own_user(), TEST_RUN ".raw.other");
    assert_int_equal(step(s, PRI_RAW_FIRST), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_TAKE_LOCK), PRI_OK);
    for (int row = PRI_RAW_OPEN; row < PRI_RAW_TRANSITION_COUNT; row++) {
        assert_int_equal(pri_raw_step(&s->raw, &other, (enum pri_raw_transition)row), PRI_NO);
    }
    assert_int_equal(pri_raw_count(&s->raw, &other), -1);
    assert_int_equal(count(s), 1);
    assert_int_equal(step(s, PRI_RAW_UNLOCK), PRI_OK);
    assert_int_equal(step(s, PRI_RAW_LAST), PRI_OK);
}

static void a_raw_counter_is_nobodys_service(void **state) {
    struct state *s = *state;
    struct pri_ident service;
    struct pri_counter counter;
    pri_ident_make(&service, pri_own_user(), "", s->ident.name);
    assert_true(service.hash != s->ident.hash);
    assert_int_equal(pri_counter_find(&service, &counter, NULL), PROCREF_E_NOT_FOUND);
}

#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        C(what_one_made_others_find_and_none_makes_twice),
        C(exactly_one_of_first_and_another_holds),
        C(the_lock_is_taken_once),
        C(the_death_of_a_holder_gives_back_what_it_held),
        C(it_is_not_removed_under_a_holder_nor_under_a_lock),
        C(a_removed_counter_is_gone_for_everybody),
        C(the_rows_of_another_name_change_nothing),
        C(a_raw_counter_is_nobodys_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
