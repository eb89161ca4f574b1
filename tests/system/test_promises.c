/* The ten promises of DESIGN section 2, each with its number, on real processes. Others test the
 * corners. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(promise_1_one_start_however_many_clients_race) {
    struct client *clients[20];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_start(w);
        client_open(clients[i], ON_PORT, TCP);
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_tell(clients[i], "acquire 25000");
    }
    pid_t pid = 0;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct reply held = client_held(clients[i]);
        assert_true(pid == 0 || pid == held.pid);
        assert_int_equal(held.generation, 1);
        pid = held.pid;
    }
    assert_int_equal(events_count(w, "start"), 1);
    assert_int_equal(client_count(clients[0]), ARRAY_LEN(clients));
    assert_no_violation(w);
}

TEST(promise_2_held_means_running) {
    struct client *keeps = client_start(w), *comes = client_start(w);
    client_open(keeps, ON_PORT, TCP);
    client_open(comes, ON_PORT, TCP);
    struct reply held = client_hold(keeps);
    for (int i = 0; i < 200; i++) {
        client_hold(comes);
        client_release(comes);
    }
    client_kill(comes);
    client_answered(keeps, held.pid);
    assert_int_equal(events_count(w, "stop-signal"), 0);
    assert_string_equal(client_ask(keeps, "gone 0").verb, "still");
}

TEST(promise_2_nobody_is_handed_a_service_that_is_being_stopped) {
    struct client *leaves = client_start(w), *comes = client_start(w);
    client_open(leaves, ON_PORT " --stop-delay-ms 150", TCP);
    client_open(comes, ON_PORT " --stop-delay-ms 150", TCP);
    struct reply old = client_hold(leaves);
    client_release(leaves);
    await_events(w, "stop-signal", 1);
    struct reply fresh = client_hold(comes);
    assert_int_not_equal(fresh.pid, old.pid);
    client_answered(comes, fresh.pid);
    assert_int_equal(events_count(w, "start"), 2);
}

TEST(promise_3_the_last_release_stops_the_service_once) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct watched service = watch(client_hold(a).pid);
    client_hold(b);
    client_release(a);
    client_answered(b, service.pid);
    client_release(b);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "stop-signal"), 1);
}

TEST(promise_3_the_death_of_the_last_client_stops_the_service_once) {
    static const int ways[] = {SIGKILL, SIGTERM, SIGSEGV, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct client *c = client_start(w);
        client_do(c, "rlimit core 0");
        client_open(c, ON_PORT, TCP);
        struct watched service = watch(client_hold(c).pid);
        program_signal(&c->program, ways[i]);
        program_await_end(&c->program);
        watched_await_end(&service);
        await_no_trace(w);
        assert_int_equal(events_count(w, "stop-signal"), i + 1);
    }
}

TEST(promise_3_an_exit_without_release_stops_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    close(c->program.in); /* the end of its stdin: it exits and gives nothing back */
    c->program.in = -1;
    program_await_end(&c->program);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(promise_3_a_stopped_keeper_stops_the_service_when_it_continues) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    await_pair(w->name, &keeper, &standby);
    struct watched stopped = watch(keeper);
    watched_signal(&stopped, SIGSTOP);
    struct process_seen seen;
    AWAIT(look_process(keeper, &seen) && seen.state == 'T');
    client_kill(c);
    assert_false(watched_ends_within(&service, 100));
    watched_signal(&stopped, SIGCONT);
    watched_await_end(&service);
    watched_close(&stopped);
    await_no_trace(w);
}

TEST(promise_4_any_one_process_may_be_killed_and_nobody_has_to_help) {
    struct client *a = client_start(w), *b = client_start(w);
    pid_t keeper, standby;
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    client_hold(b);
    for (int i = 0; i < 6; i++) {
        await_pair(w->name, &keeper, &standby);
        kill_and_await(i % 2 == 0 ? keeper : standby);
    }
    client_kill(b);
    await_pair(w->name, &keeper, &standby);
    client_answered(a, held.pid);
    struct reply again = client_hold(a);
    assert_int_equal(again.pid, held.pid);
    assert_int_equal(again.generation, held.generation);
    assert_int_equal(events_count(w, "start"), 1);
    struct watched service = watch(held.pid);
    client_kill(a);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(promise_5_nothing_is_left_behind) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    struct watched first = watch(keeper), second = watch(standby);
    assert_true(world_set_id(w) >= 0);
    client_release(c);
    watched_await_end(&service);
    watched_await_end(&first);
    watched_await_end(&second);
    assert_int_equal(world_set_id(w), -1); /* removed before the pair ended, not some time later */
    await_no_trace(w);
    client_quit(c);
}

/* root_pids.c recycles a pid for real; here a hint names a stranger. */
TEST(promise_6_a_stranger_named_by_the_hint_is_never_signalled) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    struct watched service = watch(held.pid);
    kill_pair(w->name);
    client_kill(c);
    watched_signal(&service, SIGKILL);
    watched_await_end(&service);
    /* The hint of the dead pair now names this very process, which started in another clock tick than the service: were it
     * taken for the service it would be told to stop, and the test would end here. */
    world_shell(w, "sed -i 's/\\b%d\\b/%d/g' base/*", (int)held.pid, (int)getpid());
    struct client *next = client_start(w);
    client_open(next, ON_PORT, TCP);
    struct reply fresh = client_hold(next);
    assert_int_not_equal(fresh.pid, getpid());
    client_answered(next, fresh.pid);
}

TEST(promise_7_a_forked_child_holds_nothing_and_cannot_release_its_parents_reference) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    assert_string_equal(client_ask(c, "fork").code, "FORKED");
    assert_int_equal(client_count(c), 1);
    client_answered(c, held.pid);
    struct watched service = watch(held.pid);
    world_adopt(w, client_ask(c, "fork_keep").pid);
    client_kill(c); /* the child lives on, with a copy of everything */
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(promise_7_a_reference_survives_exec) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    client_tell(c, "exec");
    assert_string_equal(client_reply(c).verb, "ready");
    client_open(c, ON_PORT, TCP);
    assert_int_equal(client_count(c), 1);
    assert_false(watched_ended(&service));
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

/* root_strangers.c does it as another user; here is what can be seen without one. */
TEST(promise_8_what_procref_makes_is_for_its_user_alone) {
    struct client *c = client_start(w);
    struct stat status;
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    static struct set_seen sets[LOOK_MAX];
    size_t count = look_sets(sets, LOOK_MAX, false);
    int id = world_set_id(w);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (sets[i].id == id) {
            found = true;
            assert_int_equal(sets[i].mode & 0777, 0600);
            assert_int_equal(sets[i].owner, geteuid());
        }
    }
    assert_true(found);
    assert_int_equal(stat(w->base, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

TEST(promise_9_every_waiter_of_a_failed_start_gets_the_same_error_and_output) {
    struct client *clients[5];
    struct reply first = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = client_start(w);
        client_open(clients[i], "--start-delay-ms 3000 --print out-of-luck --fail 7",
                    "ready=notify restart=never");
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_tell(clients[i], "acquire 20000");
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct reply r = client_reply(clients[i]);
        assert_error(&r, "SERVICE_START");
        assert_says(r.detail, "out-of-luck");
        assert_says(r.message, "7");
        if (i == 0) {
            first = r;
        }
        assert_string_equal(r.message, first.message);
        assert_string_equal(r.detail, first.detail);
    }
    assert_int_equal(events_count(w, "start"), 1);
    await_no_trace(w);
}

TEST(promise_9_nothing_hangs_past_its_deadline) {
    struct client *c = client_start(w);
    client_open(c, "", "ready=notify start_timeout=6000"); /* which never comes */
    struct reply r = client_ask(c, "acquire 200");
    assert_error(&r, "TIMEOUT");
    assert_true(r.ms >= 200 && r.ms < 5000);
    await_no_trace(w); /* the start that nobody waits for any more ends in time, too */
}

TEST(promise_10_deleting_every_file_costs_at_most_a_slow_acquire) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    assert_int_equal(world_shell(w, "rm -rf base"), 0);
    assert_int_equal(client_hold(b).pid, held.pid);
    client_quit(b);
    struct watched service = watch(held.pid);
    client_kill(a);
    watched_await_end(&service);
    await_no_trace(w);
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
}

TEST_MAIN(T(promise_1_one_start_however_many_clients_race), T(promise_2_held_means_running),
          T(promise_2_nobody_is_handed_a_service_that_is_being_stopped),
          T(promise_3_the_last_release_stops_the_service_once),
          T(promise_3_the_death_of_the_last_client_stops_the_service_once),
          T(promise_3_an_exit_without_release_stops_the_service),
          T(promise_3_a_stopped_keeper_stops_the_service_when_it_continues),
          T(promise_4_any_one_process_may_be_killed_and_nobody_has_to_help),
          T(promise_5_nothing_is_left_behind),
          T(promise_6_a_stranger_named_by_the_hint_is_never_signalled),
          T(promise_7_a_forked_child_holds_nothing_and_cannot_release_its_parents_reference),
          T(promise_7_a_reference_survives_exec),
          T(promise_8_what_procref_makes_is_for_its_user_alone),
          T(promise_9_every_waiter_of_a_failed_start_gets_the_same_error_and_output),
          T(promise_9_nothing_hangs_past_its_deadline),
          T(promise_10_deleting_every_file_costs_at_most_a_slow_acquire))
