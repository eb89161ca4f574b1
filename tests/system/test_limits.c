/* Limits that any user can reach: descriptors, references, sandboxes without semaphores.
 * root_limits.c has the others. */
#include "support/world.h"

#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

enum { REFERENCES_MOST = 32767 };

/* The register `refs` as src/os/linux/counter.c lays it out: version, four parts of the
 * fingerprint, refs. */
enum { REGISTER_REFS = 5, REGISTER_GEN = 7 };

TEST(a_client_without_descriptors_is_told_which_limit) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_do(c, "descriptors_left 0");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "LIMIT");
    assert_says(r.message, "RLIMIT_NOFILE");
    await_no_trace(w);
}

TEST(a_client_with_one_descriptor_is_told_which_limit_or_can_hold) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_do(c, "descriptors_left 1");
    struct reply r = client_ask(c, "acquire 20000");
    if (strcmp(r.verb, "held") != 0) {
        assert_error(&r, "LIMIT");
        assert_says(r.message, "RLIMIT_NOFILE");
        await_no_trace(w);
    }
}

TEST(a_client_with_few_descriptors_can_still_hold) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_do(c, "descriptors_left 2");
    struct reply held = client_hold(c);
    assert_int_equal(held.generation, 1);
    struct watched service = watch(held.pid);
    client_release(c);
    watched_await_end(&service);
}

TEST(a_hard_limit_too_low_for_a_keeper_is_named) {
    static const char *const too_low[] = {"rlimit nofile 8", "rlimit nofile 10",
                                          "rlimit nofile 31"};
    for (size_t i = 0; i < sizeof too_low / sizeof too_low[0]; i++) {
        struct client *c = client_start(w);
        client_open(c, ON_PORT, TCP);
        client_do(c, "%s", too_low[i]);
        struct reply r = client_ask(c, "acquire 20000");
        assert_error(&r, "LIMIT");
        assert_says(r.message, "needs 32 descriptors");
        assert_says(r.message, "ulimit -n");
        await_no_trace(w);
    }
}

TEST(the_lowest_hard_limit_for_a_keeper_is_enough) {
    static const char *const kinds[][2] = {{ON_PORT, TCP},
                                           {"--notify", "ready=notify"},
                                           {"", "ready=exec:true"},
                                           {"--ready-line up", "ready=log:up"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct client *c = client_start(w);
        client_open(c, kinds[i][0], kinds[i][1]);
        client_do(c, "rlimit nofile 32");
        struct watched service = watch(client_hold(c).pid);
        client_release(c);
        watched_await_end(&service);
    }
}

TEST(more_clients_than_a_keeper_has_descriptors_all_get_the_service) {
    enum { MANY = 40 };
    struct client *clients[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = client_start(w);
        client_open(clients[i], ON_PORT " --start-delay-ms 300", TCP);
        client_do(clients[i], "rlimit nofile 40");
        client_tell(clients[i], "acquire 20000");
    }
    for (int i = 0; i < MANY; i++) {
        client_held(clients[i]);
    }
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(when_generations_run_out_a_start_is_refused_until_nobody_holds) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct watched first = watch(client_hold(a).pid);
    kill_pair(w->name);
    watched_signal(&first, SIGKILL);
    watched_await_end(&first);
    struct sembuf many = {REGISTER_GEN, 32764, 0}; /* so many starts later */
    must(semop(world_set_id(w), &many, 1) == 0, "semop");
    struct reply held = client_hold(b);
    assert_int_equal(held.generation, 32766);
    struct watched second = watch(held.pid);
    watched_signal(&second, SIGKILL);
    watched_await_end(&second);
    assert_string_equal(client_ask(b, "gone 20000").verb, "gone");
    struct reply r = client_ask(b, "acquire 20000");
    assert_error(&r, "LIMIT");
    assert_says(r.message, "release it everywhere");
    client_kill(a);
    client_release(b);
    AWAIT(world_set_id(w) < 0); /* at zero the set is renewed */
    struct reply renewed = client_hold(b);
    assert_int_equal(renewed.generation, 1);
    client_answered(b, renewed.pid);
}

TEST(more_references_than_the_kernel_can_count_are_refused_naming_the_limit) {
    struct client *c = client_start(w), *last = client_start(w), *more = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(last, ON_PORT, TCP);
    client_open(more, ON_PORT, TCP);
    client_hold(c);
    int id = world_set_id(w);
    assert_int_equal(look_set_value(id, REGISTER_REFS), 1);
    /* Without undo: this stands for 32,765 other processes. */
    struct sembuf many = {REGISTER_REFS, REFERENCES_MOST - 2, 0},
                  back = {REGISTER_REFS, 2 - REFERENCES_MOST, 0};
    must(semop(id, &many, 1) == 0, "semop");
    client_hold(last);
    struct reply r = client_ask(more, "acquire 20000");
    must(semop(id, &back, 1) == 0, "semop");
    assert_error(&r, "LIMIT");
    assert_says(r.message, "32767");
    client_hold(more);
    assert_int_equal(client_count(c), 3);
}

TEST(a_sandbox_that_refuses_semaphores_is_told_and_nothing_leaks) {
    struct client *c = client_start(w);
    client_do(c, "seccomp");
    client_open(c, ON_PORT, TCP);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "UNSUPPORTED");
    assert_says(r.message, "semaphores");
    assert_int_equal(events_count(w, "start"), 0);
    await_no_trace(w);
}

TEST(a_sandbox_that_refuses_semaphores_cannot_harm_those_outside) {
    struct client *c = client_start(w), *boxed = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(boxed, "seccomp");
    client_open(boxed, ON_PORT, TCP);
    struct reply r = client_ask(boxed, "acquire 20000");
    assert_error(&r, "UNSUPPORTED");
    client_answered(c, held.pid);
    assert_int_equal(client_count(c), 1);
    r = client_ask(boxed, "count");
    assert_string_equal(r.verb, "error");
}

TEST(a_kernel_without_undo_is_found_by_a_probe_and_not_by_a_leak) {
    world_set(w, "PROCREF_FAULT=noundo");
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "UNSUPPORTED");
    assert_says(r.message, "undo");
    assert_int_equal(events_count(w, "start"), 0);
    await_no_trace(w);
}

TEST_MAIN(T(a_client_without_descriptors_is_told_which_limit),
          T(more_clients_than_a_keeper_has_descriptors_all_get_the_service),
          T(a_client_with_one_descriptor_is_told_which_limit_or_can_hold),
          T(a_client_with_few_descriptors_can_still_hold),
          T(a_hard_limit_too_low_for_a_keeper_is_named),
          T(the_lowest_hard_limit_for_a_keeper_is_enough),
          T(when_generations_run_out_a_start_is_refused_until_nobody_holds),
          T(more_references_than_the_kernel_can_count_are_refused_naming_the_limit),
          T(a_sandbox_that_refuses_semaphores_is_told_and_nothing_leaks),
          T(a_sandbox_that_refuses_semaphores_cannot_harm_those_outside),
          T(a_kernel_without_undo_is_found_by_a_probe_and_not_by_a_leak))
