/* What the Rust crate procref 0.1.0 got wrong, row by row, as far as it concerns services. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(every_lower_case_name_works) {
    /* There, 53 % of random names were refused: a negative key was taken for an error. */
    static const char *const names[] = {"surrealdb", "a",      "zzzzzzzzzzzz", "qwertyuiop",
                                        "postgres",  "redis",  "ollama",       "buildd",
                                        "xylophone", "mnbvcxz"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct client *c = client_start(w);
        char name[128];
        snprintf(name, sizeof name, "%s%s", w->name, names[i]);
        client_open_named(c, name, ON_PORT, TCP);
        client_answered(c, client_hold(c).pid);
    }
}

TEST(anagrams_are_two_services) {
    struct client *a = client_start(w), *b = client_start(w);
    char first[128], second[128];
    snprintf(first, sizeof first, "%sdatabase", w->name);
    snprintf(second, sizeof second, "%sbasedata", w->name);
    client_open_named(a, first, ON_PORT, TCP);
    client_open_named(b, second, ON_PORT, TCP);
    assert_int_not_equal(client_hold(a).pid, client_hold(b).pid);
    assert_int_equal(client_count(a), 1);
}

TEST(racing_firsts_are_one_first) {
    struct client *clients[16];
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            clients[i] = round == 0 ? client_start(w) : clients[i];
            if (round == 0) {
                client_open(clients[i], ON_PORT, TCP);
            }
            client_tell(clients[i], "acquire 25000");
        }
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            client_held(clients[i]);
        }
        assert_int_equal(events_count(w, "start"), round + 1);
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            client_release(clients[i]);
        }
        await_no_trace(w);
    }
}

TEST(two_handles_of_one_process_are_one_start_and_the_first_release_stops_nothing) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply first = client_hold(c), second = client_hold(c);
    assert_int_equal(first.pid, second.pid);
    client_do(c, "release %lld", first.handle);
    client_answered(c, second.pid);
    struct watched service = watch(second.pid);
    assert_false(watched_ends_within(&service, 100));
    watched_close(&service);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(the_stop_happens_exactly_once) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    client_release(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal"), 1);
    assert_int_equal(events_count(w, "exit 0"), 1);
}

TEST(a_service_that_has_ended_is_not_waited_for_as_a_zombie) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " stop_timeout=20000");
    client_hold(c);
    struct reply r = client_ask(c, "release_wait 20000");
    assert_string_equal(r.verb, "ok");
    assert_true(r.ms < 10000); /* not the stop timeout */
}

TEST(a_sigkill_of_the_last_client_stops_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(an_error_of_the_start_reaches_every_waiter_and_leaves_nothing_locked) {
    struct client *clients[6];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_start(w);
        client_open(clients[i], "--fail 3 --start-delay-ms 300", "ready=notify");
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_tell(clients[i], "acquire 25000");
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct reply r = client_reply(clients[i]);
        assert_error(&r, "SERVICE_START");
        assert_true(r.ms < 15000);
        assert_int_equal(client_count(clients[i]), 0);
    }
    await_no_trace(w);
    struct client *next = client_start(w);
    client_open(next, ON_PORT, TCP);
    client_hold(next);
}

TEST(a_pid_in_a_file_is_not_taken_for_the_service) {
    struct client *bystander = client_start(w), *c = client_start(w);
    int pid = (int)bystander->program.pid;
    assert_int_equal(
        world_shell(w,
                    "mkdir -m 0700 base; for s in .json .hint '' .state .pid; do "
                    "echo '{\"pid\": %d, \"port\": 1, \"phase\": \"up\"}' > base/%s$s; done",
                    pid, w->name),
        0);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    assert_int_not_equal(held.pid, pid);
    client_quit(c);
    w->keeps_files = true;
    await_no_trace(w);
    client_do(bystander, "umask 022"); /* it lives */
}

TEST(the_set_is_0600_and_nobody_else_can_change_the_count) {
    static struct set_seen sets[LOOK_MAX];
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, false);
    for (size_t i = 0; i < count; i++) {
        if (sets[i].id == id) {
            assert_int_equal(sets[i].mode & 0777, 0600);
        }
    }
}

TEST(the_set_is_removed_when_the_last_one_leaves) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    for (int i = 0; i < 10; i++) {
        client_hold(c);
        assert_true(world_set_id(w) >= 0);
        assert_string_equal(client_ask(c, "release_wait 20000").verb, "ok");
        AWAIT(world_set_id(w) < 0);
    }
}

TEST(the_release_of_a_forked_child_takes_nothing_from_its_parent) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    assert_string_equal(client_ask(c, "fork").code, "FORKED");
    assert_false(watched_ends_within(&service, 100));
    watched_close(&service);
    assert_int_equal(client_count(c), 1);
}

TEST_MAIN(T(every_lower_case_name_works), T(anagrams_are_two_services),
          T(racing_firsts_are_one_first),
          T(two_handles_of_one_process_are_one_start_and_the_first_release_stops_nothing),
          T(the_stop_happens_exactly_once),
          T(a_service_that_has_ended_is_not_waited_for_as_a_zombie),
          T(a_sigkill_of_the_last_client_stops_the_service),
          T(an_error_of_the_start_reaches_every_waiter_and_leaves_nothing_locked),
          T(a_pid_in_a_file_is_not_taken_for_the_service),
          T(the_set_is_0600_and_nobody_else_can_change_the_count),
          T(the_set_is_removed_when_the_last_one_leaves),
          T(the_release_of_a_forked_child_takes_nothing_from_its_parent))
