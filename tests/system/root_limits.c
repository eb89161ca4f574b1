/* Limits of the kernel that only root can lower: in namespaces of their own. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(exhausted_semaphore_sets_are_a_limit_with_a_name) {
    struct client *c = client_start(w);
    client_do(c, "unshare ipc");
    client_do(c, "sysctl /proc/sys/kernel/sem 32000%%201024000000%%20500%%200");
    client_open(c, ON_PORT, TCP);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "LIMIT");
    assert_says(r.message, "kernel.sem");
    assert_int_equal(r.os_code, ENOSPC);
    assert_int_equal(events_count(w, "start"), 0);
    AWAIT(look_keeper(w->name) == 0);
    client_do(c, "sysctl /proc/sys/kernel/sem 32000%%201024000000%%20500%%2032000");
    client_hold(c);
    client_quit(c);
}

TEST(exhausted_semaphores_are_a_limit_with_a_name) {
    struct client *c = client_start(w);
    client_do(c, "unshare ipc");
    client_do(c, "sysctl /proc/sys/kernel/sem 32000%%203%%20500%%2032000");
    client_open(c, ON_PORT, TCP);
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "LIMIT");
    assert_says(r.message, "kernel.sem");
    assert_int_equal(events_count(w, "start"), 0);
}

TEST(every_waiter_is_told_of_the_limit) {
    struct client *first = client_start(w);
    client_do(first, "unshare ipc");
    client_do(first, "sysctl /proc/sys/kernel/sem 32000%%201024000000%%20500%%200");
    client_open(first, ON_PORT, TCP);
    client_do(first, "setenv X=Y");
    for (int i = 0; i < 5; i++) {
        struct reply r = client_ask(first, "acquire 20000");
        assert_error(&r, "LIMIT");
    }
}

TEST(a_client_in_another_network_namespace_gets_the_service_or_is_told_why_not) {
    struct client *c = client_start(w), *boxed = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_do(boxed, "unshare net");
    client_open(boxed, ON_PORT, TCP);
    client_tell(boxed, "acquire 3000");
    struct reply r = client_reply(boxed);
    if (strcmp(r.verb, "held") == 0) {
        assert_int_equal(r.pid, held.pid);
        assert_int_equal(r.port, held.port);
        assert_int_equal(client_count(c), 2);
    } else {
        assert_true(r.message[0] != '\0');
    }
    assert_int_equal(events_count(w, "start"), 1);
    client_kill(boxed);
    client_answered(c, held.pid);
    assert_int_equal(client_count(c), 1);
    assert_no_violation(w);
}

TEST(a_full_disk_costs_the_log_and_nothing_else) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "mkdir small"), 0);
    client_do(c, "unshare mount");
    client_do(c, "tmpfs %s/small 16k", w->dir);
    char settings[512];
    snprintf(settings, sizeof settings, TCP " base_dir=%s/small", w->dir);
    client_open(c, ON_PORT " --print-lines 20000", settings);
    struct reply held = client_hold(c);
    client_answered(c, held.pid);
    kill_and_await(held.pid);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    client_answered(c, client_hold(c).pid);
    client_quit(c);
    await_no_trace(w);
}

TEST(a_disk_that_was_full_before_the_start_costs_the_log_and_nothing_else) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "mkdir small"), 0);
    client_do(c, "unshare mount");
    client_do(c, "tmpfs %s/small 4k", w->dir);
    client_do(c, "fill %s/small/all", w->dir);
    char settings[512];
    snprintf(settings, sizeof settings, TCP " base_dir=%s/small", w->dir);
    client_open(c, ON_PORT " --print-lines 100", settings);
    client_answered(c, client_hold(c).pid);
    client_quit(c);
    await_no_trace(w);
    struct client *d = client_start(w);
    client_do(d, "unshare mount");
    client_do(d, "tmpfs %s/small 4k", w->dir);
    client_do(d, "fill %s/small/all", w->dir);
    client_open(d, "--print told-anyway --fail 8", settings);
    struct reply r = client_ask(d, "acquire 20000");
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "8");
}

TEST_MAIN_AS_ROOT(T(exhausted_semaphore_sets_are_a_limit_with_a_name),
                  T(exhausted_semaphores_are_a_limit_with_a_name),
                  T(every_waiter_is_told_of_the_limit),
                  T(a_client_in_another_network_namespace_gets_the_service_or_is_told_why_not),
                  T(a_full_disk_costs_the_log_and_nothing_else),
                  T(a_disk_that_was_full_before_the_start_costs_the_log_and_nothing_else))
