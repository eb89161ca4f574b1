/* What procref.h promises of the raw counter, with real processes. Races and kills at chosen points
 * are in test_counter_races.c and test_counter_crashes.c. */
#include "support/counting.h"

#include <sys/ipc.h>
#include <sys/sem.h>

enum { REFERENCES_MOST = 32767, KEYS = 8 };

static void remove_set(struct world *w) {
    must(semctl(world_set_id(w), 0, IPC_RMID) == 0, "IPC_RMID");
}

static struct set_seen the_set(struct world *w) {
    static struct set_seen sets[LOOK_MAX];
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        if (sets[i].id == id) {
            return sets[i];
        }
    }
    fail_msg("the counter has no set");
    return sets[0];
}

TEST(the_first_gets_1_the_last_0_and_others_a_snapshot) {
    struct client *a = counting_start(w), *b = counting_start(w);
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(b, "acquire"), 2);
    assert_int_equal(asks(b, "acquire"), 3);
    assert_int_equal(asks(a, "count"), 3);
    assert_int_equal(asks(a, "release"), 2);
    assert_int_equal(asks(b, "release"), 1);
    assert_int_equal(asks(b, "release"), 0);
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(a, "release"), 0);
}

TEST(the_count_need_not_be_asked_for) {
    struct client *a = counting_start(w);
    asks(a, "quiet acquire");
    asks(a, "quiet acquire");
    assert_int_equal(asks(a, "count"), 2);
    asks(a, "quiet release");
    asks(a, "quiet release");
    assert_int_equal(asks(a, "count"), 0);
}

TEST(the_mechanism_has_a_name) {
    assert_string_equal(client_ask(counting_start(w), "mechanism").message, "sysv-semaphore");
}

TEST(who_opens_and_counts_makes_nothing) {
    struct client *a = counting_start(w);
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(world_set_id(w), -1);
}

TEST(the_last_one_out_removes_the_set) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(b, "acquire");
    int id = world_set_id(w);
    assert_true(id >= 0);
    asks(a, "release");
    assert_int_equal(world_set_id(w), id);
    asks(b, "release");
    assert_int_equal(world_set_id(w), -1);
}

TEST(the_lock_alone_makes_the_set_and_unlock_removes_it) {
    struct client *a = counting_start(w);
    assert_int_equal(asks(a, "lock"), 1);
    assert_true(world_set_id(w) >= 0);
    asks(a, "unlock");
    assert_int_equal(world_set_id(w), -1);
}

TEST(the_set_stays_while_there_is_a_lock_or_a_reference) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "lock");
    asks(b, "acquire");
    int id = world_set_id(w);
    assert_int_equal(asks(b, "release"), 0);
    assert_int_equal(world_set_id(w), id);
    asks(b, "acquire");
    asks(a, "unlock");
    assert_int_equal(world_set_id(w), id);
    asks(b, "release");
    assert_int_equal(world_set_id(w), -1);
}

TEST(closing_gives_back_what_the_object_holds) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(a, "acquire");
    asks(a, "lock");
    asks(b, "acquire");
    client_do(a, "close");
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 1);
    client_do(b, "close");
    assert_int_equal(world_set_id(w), -1);
}

TEST(killing_a_holder_frees_its_references_and_its_lock) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(b, "acquire");
    asks(a, "acquire");
    asks(a, "acquire");
    assert_int_equal(asks(a, "lock"), 1);
    assert_int_equal(asks(b, "lock"), 0);
    client_kill(a);
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 1);
    assert_int_equal(asks(b, "release"), 0);
    asks(b, "unlock");
}

TEST(when_all_holders_were_killed_the_next_is_first_and_leaves_nothing) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(a, "lock");
    client_kill(a);
    assert_int_equal(asks(b, "count"), 0);
    assert_int_equal(asks(b, "acquire"), 1);
    assert_int_equal(asks(b, "release"), 0);
    assert_int_equal(world_set_id(w), -1);
}

TEST(closing_removes_what_killed_holders_left) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    client_kill(a);
    assert_true(world_set_id(w) >= 0);
    client_do(b, "close");
    assert_int_equal(world_set_id(w), -1);
}

TEST(closing_takes_nothing_from_others) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    client_do(b, "close");
    assert_int_equal(asks(a, "count"), 1);
    assert_int_equal(asks(a, "release"), 0);
}

TEST(two_objects_of_one_process_each_count_and_have_their_own_lock) {
    struct client *a = counting_start(w);
    client_do(a, "open %s", w->name);
    assert_int_equal(asks(a, "acquire"), 1);
    client_do(a, "use 0");
    assert_int_equal(asks(a, "acquire"), 2);
    assert_int_equal(asks(a, "lock"), 1);
    assert_int_equal(asks(a, "lock"), 0);
    client_do(a, "use 1");
    assert_int_equal(asks(a, "lock"), 0);
    fails(a, "unlock", "INVALID");
    assert_int_equal(asks(a, "release"), 1);
    fails(a, "release", "INVALID");
    client_do(a, "close");
    client_do(a, "use 0");
    assert_int_equal(asks(a, "count"), 1);
    assert_int_equal(asks(a, "release"), 0);
    asks(a, "unlock");
    fails(a, "unlock", "INVALID");
}

TEST(what_was_not_acquired_cannot_be_released) {
    struct client *a = counting_start(w), *b = counting_start(w);
    fails(a, "release", "INVALID");
    fails(a, "unlock", "INVALID");
    asks(b, "acquire");
    asks(b, "lock");
    fails(a, "release", "INVALID");
    fails(a, "unlock", "INVALID");
    assert_int_equal(asks(b, "count"), 1);
    client_do(b, "close");
}

TEST(a_forked_child_can_only_count_and_close) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(a, "lock");
    fails(a, "fork acquire", "FORKED");
    fails(a, "fork release", "FORKED");
    fails(a, "fork lock", "FORKED");
    fails(a, "fork unlock", "FORKED");
    assert_int_equal(asks(a, "fork count"), 1);
    client_do(a, "fork close");
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 0);
    assert_int_equal(asks(a, "release"), 0);
    asks(a, "unlock");
}

TEST(a_forked_child_opens_its_own_and_its_end_takes_only_that) {
    struct client *a = counting_start(w);
    asks(a, "acquire");
    struct reply child = client_ask(a, "fork_keep");
    world_adopt(w, child.pid);
    assert_int_equal(asks(a, "count"), 1);
    asks(a, "release");
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(world_set_id(w), -1);
    kill_and_await(child.pid);
}

TEST(the_parents_death_frees_what_its_child_only_inherited) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    struct reply child = client_ask(a, "fork_keep");
    world_adopt(w, child.pid);
    client_kill(a);
    assert_int_equal(asks(b, "count"), 0);
    client_do(b, "close");
}

TEST(a_reference_and_the_lock_survive_exec_and_end_with_the_process) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(a, "lock");
    assert_string_equal(client_ask(a, "exec").verb, "ready");
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 0);
    assert_int_equal(asks(b, "acquire"), 2);
    client_do(a, "open %s", w->name);
    fails(a, "release", "INVALID");
    client_kill(a);
    assert_int_equal(asks(b, "count"), 1);
    assert_int_equal(asks(b, "lock"), 1);
    client_do(b, "close");
}

TEST(more_references_than_a_semaphore_counts_are_a_limit) {
    struct client *a = quiet_start(w), *b = quiet_start(w);
    struct reply r = client_ask(a, "acquire_times 40000");
    assert_error(&r, "LIMIT");
    assert_int_equal(r.n, REFERENCES_MOST);
    assert_says(r.message, "32767");
    assert_says(r.message, "SEMVMX");
    fails(b, "acquire", "LIMIT");
    assert_int_equal(asks(b, "count"), REFERENCES_MOST);
    assert_int_equal(asks(a, "release"), REFERENCES_MOST - 1);
    assert_int_equal(asks(b, "acquire"), REFERENCES_MOST);
    client_do(a, "close");
    assert_int_equal(asks(b, "count"), 1);
    asks(b, "release");
}

TEST(removed_under_a_holder_each_release_says_so_once) {
    struct client *a = counting_start(w);
    asks(a, "acquire");
    asks(a, "acquire");
    asks(a, "lock");
    remove_set(w);
    assert_int_equal(asks(a, "count"), 0);
    fails(a, "release", "RELEASE");
    fails(a, "release", "RELEASE");
    fails(a, "release", "INVALID");
    fails(a, "unlock", "LOCK");
    fails(a, "unlock", "INVALID");
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(a, "release"), 0);
}

TEST(removed_under_a_holder_that_acquires_again_what_is_new_is_kept_longest) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(b, "acquire");
    remove_set(w);
    assert_int_equal(asks(a, "acquire"), 1);
    fails(a, "release", "RELEASE");
    assert_int_equal(asks(b, "acquire"), 2);
    assert_int_equal(asks(a, "release"), 1);
    fails(a, "release", "INVALID");
    fails(b, "release", "RELEASE");
    assert_int_equal(asks(b, "release"), 0);
}

TEST(a_lock_whose_counter_was_removed_is_not_had_twice) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "lock");
    remove_set(w);
    assert_int_equal(asks(b, "lock"), 1);
    assert_int_equal(asks(a, "lock"), 0);
    fails(a, "unlock", "LOCK");
    assert_int_equal(asks(a, "lock"), 0);
    asks(b, "unlock");
    assert_int_equal(asks(a, "lock"), 1);
    asks(a, "unlock");
}

TEST(foreign_sets_on_keys_are_passed_by) {
    struct client *a = counting_start(w), *b = counting_start(w), *squatter = counting_start(w);
    asks(a, "acquire");
    uint32_t key = the_set(w).key;
    asks(a, "release");
    client_do(squatter, "squat_key %u", key);
    client_do(squatter, "squat_key %u", key + 1);
    assert_int_equal(asks(a, "acquire"), 1);
    client_do(squatter, "free_key %u", key);
    assert_int_equal(asks(b, "acquire"),
                     2); /* the first key is free, but the counter is not there */
    client_do(squatter, "free_key %u", key + 1);
    assert_int_equal(asks(b, "release"), 1);
    assert_int_equal(asks(a, "release"), 0);
    assert_int_equal(asks(b, "acquire"), 1);
    assert_int_equal(the_set(w).key, key);
    asks(b, "release");
}

TEST(when_all_keys_are_taken_the_error_names_the_owner) {
    struct client *a = counting_start(w);
    char owner[32];
    asks(a, "acquire");
    uint32_t key = the_set(w).key;
    asks(a, "release");
    for (uint32_t i = 0; i < KEYS; i++) {
        client_do(a, "squat_key %u", key + i);
    }
    struct reply r = client_ask(a, "acquire");
    assert_error(&r, "PERMISSION");
    snprintf(owner, sizeof owner, "user %u", (unsigned)geteuid());
    assert_says(r.message, owner);
    fails(a, "lock", "PERMISSION");
    assert_int_equal(asks(a, "count"), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        client_do(a, "free_key %u", key + i);
    }
}

TEST(a_dead_set_on_the_only_free_key_is_no_squatter) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    struct set_seen set = the_set(w);
    for (uint32_t i = 1; i < KEYS; i++) {
        client_do(a, "squat_key %u", set.key + i);
    }
    client_kill(a); /* refs are 0 again; phase says dead, as if he was killed before IPC_RMID */
    struct sembuf dead = {RAW_PHASE, 2, 0};
    must(semop(set.id, &dead, 1) == 0, "semop");
    assert_int_equal(asks(b, "acquire"), 1);
    assert_int_not_equal(the_set(w).id, set.id);
    asks(b, "release");
    for (uint32_t i = 1; i < KEYS; i++) {
        client_do(b, "free_key %u", set.key + i);
    }
}

TEST(another_layout_version_is_a_conflict_and_not_a_second_counter) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    struct sembuf version = {0, 1, 0}, back = {0, -1, 0};
    int id = world_set_id(w);
    must(semop(id, &version, 1) == 0, "semop");
    fails(b, "acquire", "CONFLICT");
    must(semop(id, &back, 1) == 0, "semop");
    assert_int_equal(asks(b, "acquire"), 2);
    client_do(b, "close");
    client_do(a, "close");
}

TEST(a_counter_is_not_that_of_a_service_of_its_name) {
    struct client *a = counting_start(w), *c = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp");
    client_hold(c);
    assert_int_equal(asks(a, "count"), 0);
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(client_count(c), 1);
    assert_int_equal(asks(a, "release"), 0);
    assert_int_equal(client_count(c), 1);
    client_quit(c);
}

TEST(without_semaphores_open_says_so) {
    struct client *a = client_start_as(w, helper_path("counter"));
    client_do(a, "seccomp semaphores");
    struct reply r = client_ask(a, "open %s", w->name);
    assert_error(&r, "UNSUPPORTED");
}

TEST(a_sandbox_that_comes_later_makes_every_function_fail_and_count_too) {
    struct client *a = counting_start(w), *b = counting_start(w);
    asks(a, "acquire");
    asks(a, "lock");
    client_do(a, "seccomp semaphores");
    fails(a, "acquire", "UNSUPPORTED");
    fails(a, "count", "UNSUPPORTED");
    fails(a, "release", "RELEASE");
    fails(a, "release", "INVALID");
    fails(a, "unlock", "LOCK");
    assert_int_equal(asks(b, "count"), 1);
    client_kill(a);
    assert_int_equal(asks(b, "count"), 0);
    client_do(b, "close");
}

TEST(a_kernel_that_does_not_undo_is_found_out_and_nothing_is_left) {
    world_set(w, "PROCREF_FAULT=noundo");
    struct client *a = counting_start(w);
    struct reply r = client_ask(a, "acquire");
#ifdef PRI_CRASH_POINTS
    assert_error(&r, "UNSUPPORTED");
    assert_says(r.message, "SEM_UNDO");
    assert_int_equal(world_set_id(w), -1);
    fails(a, "lock", "UNSUPPORTED");
#else
    assert_string_equal(r.verb, "ok");
    client_do(a, "close");
#endif
}

TEST(the_trial_of_undo_is_no_child_that_the_caller_can_see) {
    struct client *a = counting_start(w);
    client_do(a, "ignore 17"); /* SIGCHLD: an ignored one would be reaped by the kernel */
    assert_int_equal(asks(a, "acquire"), 1);
    assert_int_equal(asks(a, "release"), 0);
}

TEST(sixteen_threads_use_one_object) {
    struct client *a = quiet_start(w), *b = quiet_start(w);
    struct reply r = client_ask(a, "threads 16 300");
    assert_string_equal(r.message, "");
    assert_int_equal(r.n, 0);
    assert_int_equal(r.handle, (long long)r.generation);
    asks(b, "acquire"); /* now none of them is the first */
    r = client_ask(a, "threads 16 300");
    assert_int_equal(r.n, 0);
    assert_int_equal(r.handle, 0);
    assert_int_equal(asks(b, "release"), 0);
}

TEST(signals_do_no_harm) {
    struct client *a = quiet_start(w);
    client_do(a, "alarm 500");
    struct reply r = client_ask(a, "storm 2000");
    assert_string_equal(r.message, "");
    assert_int_equal(r.n, 0);
    assert_int_equal(r.handle, 2000);
    client_do(a, "alarm 0");
}

TEST_MAIN(T(the_first_gets_1_the_last_0_and_others_a_snapshot), T(the_count_need_not_be_asked_for),
          T(the_mechanism_has_a_name), T(who_opens_and_counts_makes_nothing),
          T(the_last_one_out_removes_the_set),
          T(the_lock_alone_makes_the_set_and_unlock_removes_it),
          T(the_set_stays_while_there_is_a_lock_or_a_reference),
          T(closing_gives_back_what_the_object_holds),
          T(killing_a_holder_frees_its_references_and_its_lock),
          T(when_all_holders_were_killed_the_next_is_first_and_leaves_nothing),
          T(closing_removes_what_killed_holders_left), T(closing_takes_nothing_from_others),
          T(two_objects_of_one_process_each_count_and_have_their_own_lock),
          T(what_was_not_acquired_cannot_be_released), T(a_forked_child_can_only_count_and_close),
          T(a_forked_child_opens_its_own_and_its_end_takes_only_that),
          T(the_parents_death_frees_what_its_child_only_inherited),
          T(a_reference_and_the_lock_survive_exec_and_end_with_the_process),
          T(more_references_than_a_semaphore_counts_are_a_limit),
          T(removed_under_a_holder_each_release_says_so_once),
          T(removed_under_a_holder_that_acquires_again_what_is_new_is_kept_longest),
          T(a_lock_whose_counter_was_removed_is_not_had_twice),
          T(foreign_sets_on_keys_are_passed_by),
          T(when_all_keys_are_taken_the_error_names_the_owner),
          T(a_dead_set_on_the_only_free_key_is_no_squatter),
          T(another_layout_version_is_a_conflict_and_not_a_second_counter),
          T(a_counter_is_not_that_of_a_service_of_its_name), T(without_semaphores_open_says_so),
          T(a_sandbox_that_comes_later_makes_every_function_fail_and_count_too),
          T(a_kernel_that_does_not_undo_is_found_out_and_nothing_is_left),
          T(the_trial_of_undo_is_no_child_that_the_caller_can_see),
          T(sixteen_threads_use_one_object), T(signals_do_no_harm))
