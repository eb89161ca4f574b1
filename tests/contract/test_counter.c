/* What os/counter.h promises, on the counter of this system. Another process is a forked child that
 * only acts. */
#include "support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/counter.h"
#include "os/folder.h"

static const _Atomic bool go_on, stop = true; /* for waits: not to be interrupted, to be */

struct state {
    struct pri_ident ident;
    struct pri_counter counter;
};

static int set_up(void **state) {
    static int number;
    static struct state s;
    char name[64];
    bool fresh = false;
    snprintf(name, sizeof name, "%s.contract.%d.%d", TEST_RUN, (int)getpid(), ++number);
    pri_ident_make(&s.ident, pri_own_user(), "", name);
    s.counter = (struct pri_counter)PRI_COUNTER_NONE;
    *state = &s;
    return pri_counter_create(&s.ident, &s.counter, &fresh, NULL) == 0 && fresh ? 0 : -1;
}

static int tear_down(void **state) {
    struct state *s = *state;
    pri_counter_remove(&s->counter);
    return 0;
}

/* A child that executes the rows and then waits to be killed; returns once it has done them. */
static pid_t child_that_does(struct pri_counter *c, const enum pri_transition *rows, size_t count,
                             uint32_t g) {
    int done[2];
    char byte = 0;
    must(pipe(done) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < count; i++) {
            byte |= (char)(pri_counter_step(c, rows[i], g) != PRI_OK);
        }
        ssize_t n = write(done[1], &byte, 1);
        (void)n;
        for (;;) {
            pause();
        }
    }
    must(read(done[0], &byte, 1) == 1, "read");
    close(done[0]);
    close(done[1]);
    assert_int_equal(byte, 0);
    return pid;
}

static void end(pid_t pid) {
    pid_t ended;
    kill(pid, SIGKILL);
    do { /* what pid did may still interrupt us */
        ended = waitpid(pid, NULL, 0);
    } while (ended < 0 && errno == EINTR);
    must(ended == pid, "waitpid");
}

static void starts(struct pri_counter *c, uint32_t g) {
    assert_int_equal(pri_counter_step(c, PRI_BEGIN, 0), PRI_OK);
    assert_int_equal(pri_counter_read(c, PRI_REG_GEN), g);
    assert_int_equal(pri_counter_step(c, PRI_PUBLISH, g), PRI_OK);
}

static void a_counter_that_nobody_made_is_not_found(void **state) {
    (void)state;
    struct pri_ident ident;
    struct pri_counter c = PRI_COUNTER_NONE;
    pri_ident_make(&ident, pri_own_user(), "", TEST_RUN ".contract.nobody");
    assert_int_equal(pri_counter_find(&ident, &c, NULL), PROCREF_E_NOT_FOUND);
    assert_int_equal(pri_counter_step(&c, PRI_ATTACH, 1), PRI_GONE);
}

static void what_one_made_others_find_and_none_makes_twice(void **state) {
    struct state *s = *state;
    struct pri_counter found, again;
    bool fresh = true;
    assert_int_equal(pri_counter_find(&s->ident, &found, NULL), 0);
    assert_int_equal(found.id, s->counter.id);
    assert_int_equal(pri_counter_create(&s->ident, &again, &fresh, NULL), 0);
    assert_false(fresh);
    assert_int_equal(pri_counter_stamp(&again), pri_counter_stamp(&s->counter));
}

static void a_new_counter_is_all_zero(void **state) {
    struct state *s = *state;
    for (int reg = PRI_REG_REFS; reg < PRI_REGISTER_COUNT; reg++) {
        assert_int_equal(pri_counter_read(&s->counter, (enum pri_register)reg), 0);
    }
}

static void attach_needs_the_generation_that_is_ready(void **state) {
    struct state *s = *state;
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 0), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_NO);
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 2), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 0), PRI_NO);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 0);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 1);
    assert_int_equal(pri_counter_last_user(&s->counter, PRI_REG_REFS), getpid());
    assert_int_equal(pri_counter_step(&s->counter, PRI_DETACH, 0), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 0);
}

static void only_one_keeper_can_begin(void **state) {
    struct state *s = *state;
    assert_int_equal(pri_counter_step(&s->counter, PRI_BEGIN, 0), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_BEGIN, 0), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ADOPT, 1), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_REFOUND, 1), PRI_NO);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_GEN), 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_KEEPER), 1);
}

static void drain_needs_that_nobody_holds_and_ends_the_generation(void **state) {
    struct state *s = *state;
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_DRAIN, 1), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_DETACH, 0), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_DRAIN, 1), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_GEN), 2);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_NO);
}

static void withdraw_ends_the_generation_while_others_hold(void **state) {
    struct state *s = *state;
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_WITHDRAW, 1), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 0);
    assert_int_equal(pri_counter_step(&s->counter, PRI_PUBLISH, 1), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_PUBLISH, 2), PRI_OK);
}

static void the_death_of_a_client_gives_its_references_back(void **state) {
    static const enum pri_transition rows[] = {PRI_ATTACH, PRI_ATTACH, PRI_ATTACH};
    struct state *s = *state;
    starts(&s->counter, 1);
    pid_t child = child_that_does(&s->counter, rows, 3, 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 3);
    end(child);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 1);
}

static void the_death_of_a_keeper_takes_ready_back_and_not_the_generation(void **state) {
    struct state *s = *state;
    pid_t child =
        child_that_does(&s->counter, (const enum pri_transition[]){PRI_BEGIN, PRI_PUBLISH}, 2, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    end(child);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_KEEPER), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_GEN), 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ADOPT, 2), PRI_NO);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ADOPT, 1), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_PUBLISH, 1), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
}

static void hand_over_leaves_the_same_as_a_death(void **state) {
    struct state *s = *state;
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_step(&s->counter, PRI_HAND_OVER, 1), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_KEEPER), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_GEN), 1);
    pid_t next =
        child_that_does(&s->counter, (const enum pri_transition[]){PRI_ADOPT, PRI_PUBLISH}, 2, 1);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_READY), 1);
    end(next);
}

static void the_wait_for_zero_ends_when_the_last_holder_dies(void **state) {
    struct state *s = *state;
    static const enum pri_transition row = PRI_ATTACH;
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_await_zero(&s->counter, PRI_REG_REFS, &go_on), PRI_OK);
    pid_t child = child_that_does(&s->counter, &row, 1, 1);
    pid_t killer = fork();
    if (killer == 0) {
        kill(child, SIGKILL);
        _exit(0);
    }
    assert_int_equal(pri_counter_await_zero(&s->counter, PRI_REG_REFS, &go_on), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), 0);
    waitpid(child, NULL, 0);
    waitpid(killer, NULL, 0);
}

static void interrupt(int signal) {
    (void)signal;
    pri_counter_interrupt();
}

static void a_signal_interrupts_the_wait_for_zero(void **state) {
    struct state *s = *state;
    struct sigaction action = {.sa_handler = interrupt};
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_await_zero(&s->counter, PRI_REG_REFS, &stop), PRI_NO);
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid(), teller = fork();
    if (teller == 0) {
        for (;;) { /* again and again: the first may come before the wait */
            kill(parent, SIGUSR1);
            sched_yield();
        }
    }
    int result = pri_counter_await_zero(&s->counter, PRI_REG_REFS, &go_on);
    end(teller);
    assert_int_equal(result, PRI_NO);
}

static void a_removed_counter_is_gone_for_everybody(void **state) {
    struct state *s = *state;
    struct pri_counter other, again;
    bool fresh = false;
    starts(&s->counter, 1);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_OK);
    assert_int_equal(pri_counter_find(&s->ident, &other, NULL), 0);
    uint32_t stamp = pri_counter_stamp(&other);
    pri_counter_remove(&other);
    assert_int_equal(pri_counter_step(&s->counter, PRI_ATTACH, 1), PRI_GONE);
    assert_int_equal(pri_counter_step(&s->counter, PRI_DETACH, 0), PRI_GONE);
    assert_int_equal(pri_counter_await_zero(&s->counter, PRI_REG_REFS, &go_on), PRI_GONE);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_REFS), -1);
    assert_int_equal(pri_counter_find(&s->ident, &again, NULL), PROCREF_E_NOT_FOUND);
    assert_int_equal(pri_counter_create(&s->ident, &again, &fresh, NULL), 0);
    assert_true(fresh);
    assert_int_not_equal(pri_counter_stamp(&again), stamp);
    assert_int_equal(pri_counter_read(&again, PRI_REG_REFS), 0);
    assert_int_equal(pri_counter_step(&again, PRI_REFOUND, 7), PRI_OK);
    assert_int_equal(pri_counter_read(&again, PRI_REG_GEN), 7);
    s->counter = again;
}

static void another_name_is_another_counter(void **state) {
    struct state *s = *state;
    struct pri_ident ident;
    struct pri_counter other;
    bool fresh = false;
    pri_ident_make(&ident, pri_own_user(), "/some/folder", s->ident.name);
    assert_int_equal(pri_counter_find(&ident, &other, NULL), PROCREF_E_NOT_FOUND);
    assert_int_equal(pri_counter_create(&ident, &other, &fresh, NULL), 0);
    assert_true(fresh);
    assert_int_equal(pri_counter_step(&other, PRI_BEGIN, 0), PRI_OK);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_KEEPER), 0);
    pri_counter_remove(&other);
}

static void this_system_undoes_what_the_dead_did(void **state) {
    struct state *s = *state;
    assert_int_equal(pri_counter_probe_undo(&s->counter), 0);
    assert_int_equal(pri_counter_read(&s->counter, PRI_REG_CALL), 0);
}

static void more_references_than_a_register_holds_are_a_limit(void **state) {
    struct state *s = *state;
    procref_error error = PROCREF_ERROR_INIT;
    int held = 0, result = PRI_OK;
    starts(&s->counter, 1);
    while (result == PRI_OK && held <= 40000) {
        result = pri_counter_step(&s->counter, PRI_ATTACH, 1);
        held += result == PRI_OK;
    }
    assert_int_equal(held, 32767);
    assert_int_equal(result, PROCREF_E_LIMIT);
    assert_int_equal(pri_counter_explain(&s->counter, result, "many", &error), PROCREF_E_LIMIT);
    assert_non_null(strstr(error.message, "32767"));
}

#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_that_nobody_made_is_not_found),
        C(what_one_made_others_find_and_none_makes_twice),
        C(a_new_counter_is_all_zero),
        C(attach_needs_the_generation_that_is_ready),
        C(only_one_keeper_can_begin),
        C(drain_needs_that_nobody_holds_and_ends_the_generation),
        C(withdraw_ends_the_generation_while_others_hold),
        C(the_death_of_a_client_gives_its_references_back),
        C(the_death_of_a_keeper_takes_ready_back_and_not_the_generation),
        C(hand_over_leaves_the_same_as_a_death),
        C(the_wait_for_zero_ends_when_the_last_holder_dies),
        C(a_signal_interrupts_the_wait_for_zero),
        C(a_removed_counter_is_gone_for_everybody),
        C(another_name_is_another_counter),
        C(this_system_undoes_what_the_dead_did),
        C(more_references_than_a_register_holds_are_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
