/*
 * procref_process_…: the helper "processes" acts, "target" is acted upon, this process asserts. The
 * last ones are rows of what the Rust crate procref 0.1.0 got wrong.
 */
#include "support/world.h"

#include <poll.h>
#include <sys/ptrace.h>

enum { OTHERWISE_MS = 60000, SOON_MS = 15000 };

static struct client *actor(struct world *w) {
    return client_start_as(w, helper_path("processes"));
}

/* A process that is a child of this one; killed at the end of the test. */
static struct reply target(struct world *w, const char *mode) {
    struct client *c = calloc(1, sizeof *c);
    const char *const argv[] = {helper_path("target"), mode, NULL};
    must(c != NULL, "calloc");
    c->world = w;
    program_start(&c->program, argv, NULL);
    w->clients[w->clients_count++] = c;
    struct reply r = client_reply(c);
    assert_string_equal(r.verb, "up");
    world_adopt(w, r.pid);
    return r;
}

static struct client *last_target(struct world *w) {
    return w->clients[w->clients_count - 1];
}

static bool alive(struct client *c, long long pid) {
    struct reply r = client_ask(c, "alive %lld", pid);
    assert_string_equal(r.verb, "alive");
    return r.n == 1;
}

static void does(struct client *c, const char *what, long long pid, const char *code) {
    struct reply r = client_ask(c, "%s %lld", what, pid);
    if (strcmp(r.verb, "did") != 0 || strcmp(r.code, code) != 0) {
        fail_msg("%s %lld: not %s but %s %s", what, pid, code, r.verb, r.code);
    }
}

static struct reply stops(struct client *c, long long pid, long long ms, const char *code) {
    struct reply r = client_ask(c, "stop %lld %lld", pid, ms);
    if (strcmp(r.verb, "did") != 0 || strcmp(r.code, code) != 0) {
        fail_msg("stop %lld %lld: not %s but %s %s", pid, ms, code, r.verb, r.code);
    }
    return r;
}

static int status_of(struct client *t) {
    return program_await_end(&t->program);
}

static void ended_by(struct client *t, int signal) {
    int status = status_of(t);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != signal) {
        fail_msg("ended with wait status 0x%x, not by signal %d", (unsigned)status, signal);
    }
}

/* A pid that is nobody's: the caller's child has ended and was waited for. */
static long long nobody(struct client *c) {
    struct reply r = client_ask(c, "child plain");
    client_do(c, "end %d", (int)r.pid);
    assert_int_equal(client_ask(c, "reap %d", (int)r.pid).n, r.pid);
    return r.pid;
}

TEST(nobody_pid_1_and_the_caller_are_refused_but_alive_if_they_live) {
    struct client *c = actor(w);
    long long own = c->program.pid;
    static const char *const verbs[] = {"terminate", "kill", "stop"};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        does(c, verbs[i], 0, "INVALID");
        does(c, verbs[i], 1, "INVALID");
        does(c, verbs[i], own, "INVALID");
    }
    assert_false(alive(c, 0));
    assert_true(alive(c, 1));
    assert_true(alive(c, own));
}

TEST(numbers_that_are_no_pid_are_not_found) {
    struct client *c = actor(w);
    /* pid_max is at most 2^22; the others are -1, the caller's process group, and INT_MIN. */
    long long none[] = {4194305,    2147483647,
                        4294967295, 4294967296 - (long long)getpgid(c->program.pid),
                        2147483648, nobody(c)};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_false(alive(c, none[i]));
        does(c, "terminate", none[i], "NOT_FOUND");
        does(c, "kill", none[i], "NOT_FOUND");
        stops(c, none[i], OTHERWISE_MS, "OK");
    }
}

TEST(a_timeout_below_minus_1_is_refused_and_nothing_is_signalled) {
    struct client *c = actor(w);
    struct reply t = target(w, "plain");
    stops(c, t.pid, -2, "INVALID");
    assert_true(alive(c, t.pid));
}

TEST(a_thread_that_leads_no_process_is_none) {
    struct client *c = actor(w);
    struct reply t = target(w, "threads");
    assert_int_not_equal(t.n, t.pid);
    assert_false(alive(c, t.n));
    does(c, "terminate", t.n, "NOT_FOUND");
    does(c, "kill", t.n, "NOT_FOUND");
    stops(c, t.n, OTHERWISE_MS, "OK");
    assert_true(alive(c, t.pid));
}

TEST(terminate_and_kill_send_their_signals) {
    struct client *c = actor(w);
    struct reply t = target(w, "plain");
    does(c, "terminate", t.pid, "OK");
    ended_by(last_target(w), SIGTERM);
    t = target(w, "ignores");
    does(c, "terminate", t.pid, "OK");
    does(c, "kill", t.pid, "OK");
    ended_by(last_target(w), SIGKILL);
}

TEST(a_process_whose_first_thread_ended_is_alive_and_is_ended) {
    struct client *c = actor(w);
    static const char *const verbs[] = {"terminate", "kill", "stop"};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct reply t = target(w, "leaderless");
        struct process_seen seen;
        AWAIT(look_process(t.pid, &seen) && seen.state == 'Z');
        assert_true(alive(c, t.pid));
        does(c, verbs[i], t.pid, "OK");
        status_of(last_target(w));
        assert_false(alive(c, t.pid));
    }
}

TEST(stop_ends_a_process_politely_if_it_listens) {
    struct client *c = actor(w);
    struct reply t = target(w, "plain");
    assert_true(stops(c, t.pid, OTHERWISE_MS, "OK").ms < SOON_MS);
    ended_by(last_target(w), SIGTERM);
    t = target(w, "plain");
    stops(c, t.pid, -1, "OK");
    ended_by(last_target(w), SIGTERM);
}

TEST(stop_kills_a_process_that_ignores_sigterm_when_the_time_is_over) {
    struct client *c = actor(w);
    struct reply t = target(w, "ignores");
    struct reply r = stops(c, t.pid, 300, "OK");
    assert_true(r.ms >= 300 && r.ms < SOON_MS);
    ended_by(last_target(w), SIGKILL);
}

TEST(stop_with_timeout_0_kills_at_once) {
    struct client *c = actor(w);
    struct reply t = target(w, "ignores");
    assert_true(stops(c, t.pid, 0, "OK").ms < 8000);
    ended_by(last_target(w), SIGKILL);
}

TEST(stop_with_timeout_minus_1_never_kills_and_sleeps_until_the_end) {
    struct client *c = actor(w);
    struct reply t = target(w, "tells");
    char before[32], after[32];
    struct process_seen seen;
    client_tell(c, "stop %d -1", (int)t.pid);
    assert_string_equal(program_read(&last_target(w)->program), "term");
    AWAIT(look_process(c->program.pid, &seen) && seen.state == 'S');
    assert_true(look_status(c->program.pid, "voluntary_ctxt_switches", before, sizeof before));
    assert_false(client_has_replied(c, 300));
    assert_true(look_status(c->program.pid, "voluntary_ctxt_switches", after, sizeof after));
    assert_true(atoi(after) - atoi(before) <= 2); /* it does not look again and again */
    kill_and_await(t.pid);
    assert_string_equal(client_reply(c).code, "OK");
}

TEST(terminate_and_stop_reach_a_stopped_process) {
    struct client *c = actor(w);
    static const char *const verbs[] = {"terminate", "stop"};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct reply t = target(w, "plain");
        must(kill(t.pid, SIGSTOP) == 0 && waitpid(t.pid, NULL, WUNTRACED) == t.pid, "SIGSTOP");
        assert_true(alive(c, t.pid));
        does(c, verbs[i], t.pid, "OK"); /* "stop" without a time waits for ever */
        ended_by(last_target(w), SIGTERM);
    }
    struct reply t = target(w, "ignores");
    must(kill(t.pid, SIGSTOP) == 0 && waitpid(t.pid, NULL, WUNTRACED) == t.pid, "SIGSTOP");
    stops(c, t.pid, 50, "OK");
    ended_by(last_target(w), SIGKILL);
}

TEST(stop_of_a_child_leaves_it_to_be_waited_for) {
    struct client *c = actor(w);
    struct reply t = client_ask(c, "child plain");
    stops(c, t.pid, OTHERWISE_MS, "OK");
    struct reply r = client_ask(c, "reap %d", (int)t.pid);
    assert_int_equal(r.n, t.pid);
    assert_true(WIFSIGNALED((int)r.os_code) && WTERMSIG((int)r.os_code) == SIGTERM);
}

TEST(stop_of_a_child_that_nobody_waits_for_returns) {
    struct client *c = actor(w);
    client_do(c, "ignore %d", SIGCHLD); /* the kernel reaps it at once */
    struct reply t = client_ask(c, "child ignores");
    stops(c, t.pid, 50, "OK");
    assert_int_equal(client_ask(c, "reap %d", (int)t.pid).n, -1);
}

TEST(stop_means_the_process_alone_and_not_what_it_left_behind) {
    struct client *c = actor(w);
    struct reply grandchild = target(w, "daemon");
    struct client *t = last_target(w);
    assert_int_not_equal(grandchild.pid, t->program.pid);
    stops(c, t->program.pid, OTHERWISE_MS, "OK");
    ended_by(t, SIGTERM);
    assert_true(alive(c, grandchild.pid));
    stops(c, grandchild.pid, OTHERWISE_MS, "OK");
    assert_false(alive(c, grandchild.pid));
}

TEST(signals_neither_lengthen_nor_shorten_a_stop) {
    struct client *c = actor(w);
    struct reply t = target(w, "ignores");
    client_do(c, "alarm 500");
    struct reply r = stops(c, t.pid, 700, "OK");
    assert_true(r.ms >= 700 && r.ms < SOON_MS);
    ended_by(last_target(w), SIGKILL);
}

TEST(what_does_not_end_even_of_sigkill_is_a_timeout) {
    struct client *c = actor(w);
    struct reply t = target(w, "threads");
    /* ptrace(2): a traced thread stays, a zombie, until its tracer has waited for it. */
    pid_t thread = (pid_t)t.n;
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0) {
        print_message("skipped: this system does not let us trace\n");
        return;
    }
    struct reply r = stops(c, t.pid, 0, "TIMEOUT");
    assert_true(r.ms >= 1000 && r.ms < SOON_MS);
    must(waitpid(thread, NULL, __WALL) == thread, "waitpid");
    status_of(last_target(w));
    stops(c, t.pid, 0, "OK");
}

TEST(without_descriptors_it_is_a_limit_and_life_can_still_be_told) {
    struct client *c = actor(w);
    struct reply t = target(w, "threads");
    long long none = nobody(c);
    client_do(c, "descriptors_left 0");
    does(c, "terminate", t.pid, "LIMIT");
    does(c, "kill", t.pid, "LIMIT");
    stops(c, t.pid, 0, "LIMIT");
    assert_true(alive(c, t.pid));
    assert_false(alive(c, t.n)); /* its second thread */
    assert_false(alive(c, none));
    assert_false(alive(c, 4294967295));
}

TEST(no_call_leaves_a_descriptor_open) {
    struct client *c = actor(w);
    struct reply t = target(w, "ignores");
    long long before = client_ask(c, "descriptors").n, none = nobody(c);
    long long with_child = client_ask(c, "descriptors").n;
    assert_true(with_child >= before);
    for (int i = 0; i < 3; i++) {
        alive(c, t.pid);
        does(c, "terminate", t.pid, "OK");
        does(c, "kill", none, "NOT_FOUND");
        stops(c, none, 0, "OK");
    }
    stops(c, t.pid, 0, "OK");
    assert_int_equal(client_ask(c, "descriptors").n, with_child);
}

/* ---- rows of the predecessor ---- */

TEST(predecessor_kill_0_is_not_asked_a_group_or_everybody_is_no_process) {
    struct client *c = actor(w);
    assert_false(alive(c, 0));                                               /* kill(0, 0) */
    assert_false(alive(c, 4294967295));                                      /* kill(-1, 0) */
    assert_false(alive(c, 4294967296 - (long long)getpgid(c->program.pid))); /* kill(-group, 0) */
}

TEST(predecessor_eperm_is_not_dead) {
    /* Pid 1 is root's; root asks from another user's shoes in root_processes. */
    assert_true(alive(actor(w), 1));
}

TEST(predecessor_a_zombie_does_not_count_as_alive) {
    struct client *c = actor(w);
    struct reply t = client_ask(c, "child plain");
    client_do(c, "end %d", (int)t.pid);
    struct process_seen seen;
    assert_true(look_process(t.pid, &seen) && seen.state == 'Z');
    assert_false(alive(c, t.pid));
    does(c, "terminate", t.pid, "NOT_FOUND");
    does(c, "kill", t.pid, "NOT_FOUND");
    assert_true(stops(c, t.pid, OTHERWISE_MS, "OK").ms < SOON_MS); /* it waited 5 s for it */
    assert_int_equal(client_ask(c, "reap %d", (int)t.pid).n, t.pid);
}

TEST_MAIN(T(nobody_pid_1_and_the_caller_are_refused_but_alive_if_they_live),
          T(numbers_that_are_no_pid_are_not_found),
          T(a_timeout_below_minus_1_is_refused_and_nothing_is_signalled),
          T(a_thread_that_leads_no_process_is_none), T(terminate_and_kill_send_their_signals),
          T(a_process_whose_first_thread_ended_is_alive_and_is_ended),
          T(stop_ends_a_process_politely_if_it_listens),
          T(stop_kills_a_process_that_ignores_sigterm_when_the_time_is_over),
          T(stop_with_timeout_0_kills_at_once),
          T(stop_with_timeout_minus_1_never_kills_and_sleeps_until_the_end),
          T(terminate_and_stop_reach_a_stopped_process),
          T(stop_of_a_child_leaves_it_to_be_waited_for),
          T(stop_of_a_child_that_nobody_waits_for_returns),
          T(stop_means_the_process_alone_and_not_what_it_left_behind),
          T(signals_neither_lengthen_nor_shorten_a_stop),
          T(what_does_not_end_even_of_sigkill_is_a_timeout),
          T(without_descriptors_it_is_a_limit_and_life_can_still_be_told),
          T(no_call_leaves_a_descriptor_open),
          T(predecessor_kill_0_is_not_asked_a_group_or_everybody_is_no_process),
          T(predecessor_eperm_is_not_dead), T(predecessor_a_zombie_does_not_count_as_alive))
