/* The semaphore set is removed under everybody (ipcrm; logind's RemoveIPC): nobody hangs, nobody
 * loses the service. */
#include "support/world.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

static void remove_set(struct world *w) {
    int id = world_set_id(w);
    assert_true(id >= 0);
    must(semctl(id, 0, IPC_RMID) == 0, "semctl");
}

TEST(holders_keep_their_service_new_clients_join_and_it_stops_after_the_last_of_all) {
    struct client *old1 = client_start(w), *old2 = client_start(w), *new1 = client_start(w);
    client_open(old1, ON_PORT, TCP);
    client_open(old2, ON_PORT, TCP);
    client_open(new1, ON_PORT, TCP);
    struct reply held = client_hold(old1);
    client_hold(old2);
    remove_set(w);
    struct reply joined = client_hold(new1);
    assert_int_equal(joined.pid, held.pid);
    assert_int_equal(joined.generation, held.generation);
    client_release(new1);
    client_answered(old1, held.pid);
    client_release(old1);
    struct watched service = watch(held.pid);
    assert_false(watched_ends_within(&service, 100));
    client_answered(old2, held.pid);
    client_release(old2);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(a_holder_of_the_old_set_that_is_killed_counts_as_gone) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    remove_set(w);
    assert_false(watched_ends_within(&service, 100));
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(a_holder_may_acquire_and_release_again_after_the_removal) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    remove_set(w);
    assert_int_equal(client_hold(c).pid, held.pid); /* nested */
    client_release(c);
    client_release(c);
    struct watched service = watch(held.pid);
    watched_await_end(&service);
    await_no_trace(w);
    client_hold(c);
    assert_int_equal(client_count(c), 1);
}

TEST(release_wait_after_the_removal_waits_for_the_stop) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    remove_set(w);
    assert_string_equal(client_ask(c, "release_wait 20000").verb, "ok");
    assert_true(watched_ended(&service));
    watched_close(&service);
}

TEST(the_set_may_be_removed_again_and_again) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    for (int i = 0; i < 10; i++) {
        remove_set(w);
        assert_int_equal(client_hold(other).pid, held.pid);
        client_release(other);
    }
    struct watched service = watch(held.pid);
    assert_false(watched_ended(&service));
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(the_set_is_removed_while_the_service_starts) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --start-delay-ms 300", TCP);
    client_tell(c, "acquire 25000");
    await_events(w, "start", 1);
    remove_set(w);
    struct reply held = client_held(c);
    client_answered(c, held.pid);
    struct watched service = watch(held.pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(the_set_is_removed_while_the_service_stops) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 3000", TCP);
    struct watched service = watch(client_hold(c).pid);
    client_release(c);
    await_events(w, "stop-signal", 1);
    if (world_set_id(w) >= 0) {
        remove_set(w);
    }
    struct reply fresh = client_hold(c);
    watched_await_end(&service);
    client_answered(c, fresh.pid);
    assert_no_violation(w);
}

TEST(the_set_is_removed_and_then_the_keeper_dies) {
    struct client *c = client_start(w), *other = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    remove_set(w);
    kill_and_await(keeper);
    struct reply joined = client_hold(other);
    assert_int_equal(joined.pid, held.pid);
    client_release(other);
    client_answered(c, held.pid);
    struct watched service = watch(held.pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(the_set_is_removed_and_then_the_service_dies) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    remove_set(w);
    kill_and_await(held.pid);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    struct reply fresh = client_hold(c);
    assert_int_not_equal(fresh.pid, held.pid);
    client_answered(c, fresh.pid);
    client_release(c);
    client_release(c);
    await_no_trace(w);
}

TEST(the_set_is_removed_and_the_pair_dies_and_the_next_one_makes_order) {
    struct client *c = client_start(w), *next = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(next, ON_PORT, TCP);
    client_hold(c);
    remove_set(w);
    kill_pair(w->name);
    client_answered(next, client_hold(next).pid);
    assert_no_violation(w);
    client_kill(c);
    client_quit(next);
    await_no_trace(w);
}

TEST(a_set_that_is_removed_before_it_is_opened_is_made_anew) {
    world_set(w, "PROCREF_FAULT=takeset");
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_answered(c, client_hold(c).pid);
    client_quit(c);
    await_no_trace(w);
}

TEST_MAIN(T(holders_keep_their_service_new_clients_join_and_it_stops_after_the_last_of_all),
          T(a_holder_of_the_old_set_that_is_killed_counts_as_gone),
          T(a_holder_may_acquire_and_release_again_after_the_removal),
          T(release_wait_after_the_removal_waits_for_the_stop),
          T(the_set_may_be_removed_again_and_again), T(the_set_is_removed_while_the_service_starts),
          T(the_set_is_removed_while_the_service_stops),
          T(the_set_is_removed_and_then_the_keeper_dies),
          T(the_set_is_removed_and_then_the_service_dies),
          T(the_set_is_removed_and_the_pair_dies_and_the_next_one_makes_order),
          T(a_set_that_is_removed_before_it_is_opened_is_made_anew))
