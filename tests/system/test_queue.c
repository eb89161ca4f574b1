/*
 * The queue of the keeper's socket is full: the keeper is busy, or stopped, or accepts no more for
 * want of descriptors. Who comes then waits; it must neither fail nor make a second pair.
 */
#include "support/world.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

enum { FULL_MS = 600 }; /* long enough to see that nothing happens */

/* One who holds, and one who has not come yet. */
struct two {
    struct client *first, *second;
    pid_t service;
    struct watched keeper;
};

static struct two with_full_queue(struct world *w, const char *second) {
    struct two two = {client_start(w), client_start_as(w, helper_path(second)), 0, {0}};
    client_open(two.first, ON_PORT, TCP);
    client_open(two.second, ON_PORT, TCP);
    two.service = client_hold(two.first).pid;
    two.keeper = stop_and_fill(w->name, two.first);
    return two;
}

static void assert_one_pair(const struct world *w) {
    struct process_seen pairs[8];
    assert_int_equal(look_keepers(w->name, pairs, 8), 2);
}

TEST(who_acquires_waits_for_a_place) {
    struct two t = with_full_queue(w, "client");
    struct reply r;
    client_tell(t.second, "acquire 20000");
    assert_false(client_reply_within(t.second, FULL_MS, &r));
    assert_one_pair(w);
    watched_signal(&t.keeper, SIGCONT);
    r = client_held(t.second);
    assert_int_equal(r.pid, t.service);
    assert_int_equal(client_count(t.first), 2);
}

TEST(who_acquires_has_its_deadline) {
    struct two t = with_full_queue(w, "client");
    struct reply r = client_ask(t.second, "acquire %d", FULL_MS);
    assert_error(&r, "TIMEOUT");
    assert_in_range(r.ms, FULL_MS, 15000);
    r = client_ask(t.second, "acquire 0");
    assert_error(&r, "TIMEOUT");
    assert_says(r.message, "does not answer");
    assert_one_pair(w);
    watched_signal(&t.keeper, SIGCONT);
    assert_int_equal(client_hold(t.second).pid, t.service);
}

TEST(an_event_loop_is_not_held_up_and_gets_its_place) {
    struct two t = with_full_queue(w, "pending");
    struct reply r;
    int quick = 0;
    client_do(t.second, "start 0 20000 1");
    for (int tries = 0; tries < 20; tries++) { /* it is woken to try again */
        int64_t began = now_ms();
        assert_string_equal(client_ask(t.second, "ready 0 5000 poll").verb, "readable");
        assert_string_equal(client_ask(t.second, "finish 0").verb, "again");
        quick += now_ms() - began < 150;
    }
    assert_true(quick >= 10);
    assert_one_pair(w);
    watched_signal(&t.keeper, SIGCONT);
    do {
        assert_string_equal(client_ask(t.second, "ready 0 20000 poll").verb, "readable");
        r = client_ask(t.second, "finish 0");
    } while (strcmp(r.verb, "again") == 0);
    assert_held(&r);
    assert_int_equal(r.pid, t.service);
}

TEST(who_waits_for_the_stop_is_not_told_that_it_has_happened) {
    struct two t = with_full_queue(w, "client");
    struct watched service = watch(t.service);
    struct reply r = client_ask(t.first, "release_wait %d", FULL_MS);
    assert_error(&r, "TIMEOUT");
    assert_false(watched_ended(&service));
    watched_signal(&t.keeper, SIGCONT);
    watched_await_end(&service);
}

TEST(the_last_one_runs_its_callback_when_there_is_a_place) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, "callbacks=1 last=1");
    client_hold(c);
    struct watched keeper = stop_and_fill(w->name, c);
    struct reply r;
    client_tell(c, "release");
    assert_false(client_reply_within(c, FULL_MS, &r));
    watched_signal(&keeper, SIGCONT);
    r = client_reply(c);
    assert_string_equal(r.verb, "ok");
    assert_int_equal(events_count(w, "last-begin"), 1);
}

/* Nothing in the set tells of it then: neither a keeper nor a reference. */
TEST(a_pair_that_has_not_begun_yet_gets_no_second_beside_it) {
    char gate[256], settings[512];
    struct client *caller = client_start(w), *second = client_start(w), *third = client_start(w);
    struct reply r;
    snprintf(gate, sizeof gate, "%s", world_path(w, "gate"));
    must(mkfifo(gate, 0600) == 0, "mkfifo");
    snprintf(settings, sizeof settings, "callbacks=1 gate=first-begin:%s", gate);
    client_open(caller, ON_PORT, settings);
    client_open(second, ON_PORT, "callbacks=1");
    client_open(third, ON_PORT, "callbacks=1");
    client_tell(caller, "acquire 20000");
    await_events(w, "at-gate", 1);
    kill_pair(w->name);
    client_tell(second, "acquire 20000"); /* its pair waits for the callback to end */
    AWAIT(look_standby(w->name) != 0);
    struct watched keeper = stop_and_fill(w->name, third);
    client_tell(third, "acquire 20000");
    assert_false(client_reply_within(third, FULL_MS, &r));
    assert_one_pair(w);
    watched_signal(&keeper, SIGCONT);
    int fd = open(gate, O_RDWR | O_CLOEXEC);
    must(fd >= 0, "open");
    pid_t service = client_held(caller).pid;
    assert_int_equal(client_held(second).pid, service);
    assert_int_equal(client_held(third).pid, service);
    close(fd);
    assert_int_equal(client_count(second), 3);
    assert_one_pair(w);
}

TEST(a_removed_set_lets_no_second_pair_come_beside_it) {
    struct two t = with_full_queue(w, "client");
    struct reply r;
    must(semctl(world_set_id(w), 0, IPC_RMID) == 0, "IPC_RMID");
    client_tell(t.second, "acquire 20000");
    assert_false(client_reply_within(t.second, FULL_MS, &r));
    assert_one_pair(w);
    watched_signal(&t.keeper, SIGCONT);
    assert_int_equal(client_held(t.second).pid, t.service);
    assert_no_violation(w);
}

TEST_MAIN(T(who_acquires_waits_for_a_place), T(who_acquires_has_its_deadline),
          T(an_event_loop_is_not_held_up_and_gets_its_place),
          T(who_waits_for_the_stop_is_not_told_that_it_has_happened),
          T(the_last_one_runs_its_callback_when_there_is_a_place),
          T(a_pair_that_has_not_begun_yet_gets_no_second_beside_it),
          T(a_removed_set_lets_no_second_pair_come_beside_it))
