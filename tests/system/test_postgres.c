/*
 * The real thing with a tree of processes, shared memory and data that must not be harmed:
 * PostgreSQL (package postgresql), while pgbench uses it.
 *
 * Ready is pg_isready and not "tcp": PostgreSQL listens before it serves. It is stopped by SIGINT,
 * its fast shutdown: SIGTERM would wait for every session.
 */
#include "support/postgres.h"

static struct client *client_of(struct world *w) {
    char settings[1024];
    struct client *c = postgres_client(w, "client");
    snprintf(settings, sizeof settings,
             "arg=postgres arg=-D arg=%s/data arg=-h arg=127.0.0.1 arg=-k arg=%s arg=-F arg=-p "
             "arg=${PORT} ready=exec:pg_isready%%20-q%%20-h%%20127.0.0.1%%20-p%%20${PORT} "
             "stop_signal=%d",
             w->dir, w->dir, SIGINT);
    struct reply r = client_open_raw(c, w->name, settings);
    assert_string_equal(r.verb, "ok");
    return c;
}

static void init_pgbench(struct client *c, unsigned port) {
    struct job job =
        job_begin(c, "pgbench-i", "pgbench -h 127.0.0.1 -p %u -U postgres -i -q postgres", port);
    job_succeeded(&job);
}

static const char *log_of(const struct world *w) {
    static char log[512];
    snprintf(log, sizeof log, "%s/%s.log", w->base, w->name);
    return log;
}

static void hold_the_same(struct client *c, const struct reply *first) {
    struct reply held = client_hold(c);
    assert_int_equal(held.pid, first->pid);
    assert_int_equal(held.port, first->port);
    assert_int_equal(held.generation, first->generation);
}

static bool all_done(const struct job *jobs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!job_done(&jobs[i])) {
            return false;
        }
    }
    return true;
}

TEST(postgres_is_shared_by_20_processes_that_come_go_and_are_killed_while_pgbench_sees_no_error) {
    enum { CLIENTS = 20, JOBS = 3, KILLS_MAX = 200 };
    static const char *const names[JOBS] = {"steady", "connecting", "orphaned"};
    static const char *const options[JOBS] = {"", "--connect", "--select-only"};
    struct client *clients[CLIENTS];
    struct job jobs[JOBS];
    struct postgres postgres;
    postgres_make_cluster(w);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = client_of(w);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        client_tell(clients[i], "acquire 25000");
    }
    struct reply first = client_held(clients[0]);
    assert_postgres_serves(first.port);
    for (size_t i = 1; i < CLIENTS; i++) {
        struct reply held = client_held(clients[i]);
        assert_int_equal(held.pid, first.pid);
        assert_int_equal(held.port, first.port);
    }
    assert_int_equal(first.generation, 1);
    assert_int_equal(client_count(clients[0]), CLIENTS);

    init_pgbench(clients[0], first.port);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = pgbench_begin(clients[i], names[i], first.port, 4, options[i]);
    }
    client_kill(clients[JOBS - 1]); /* its pgbench goes on: others hold */
    size_t kills = 0;
    for (size_t turn = 0; !all_done(jobs, JOBS); turn++) {
        size_t i = JOBS + turn % (CLIENTS - JOBS);
        if (turn % 2 == 0 || kills == KILLS_MAX) {
            client_release(clients[i]);
        } else {
            client_kill(clients[i]);
            clients[i] = client_of(w);
            kills++;
        }
        hold_the_same(clients[i], &first);
    }
    assert_true(kills > 2);
    for (size_t i = 0; i < JOBS; i++) {
        pgbench_saw_no_error(&jobs[i]);
    }
    assert_int_equal(client_count(clients[0]), CLIENTS - 1);

    postgres_look(&postgres, first.pid);
    for (size_t i = 1; i < CLIENTS; i++) {
        if (i % 2 == 0 && i != JOBS - 1) {
            client_release(clients[i]);
        } else {
            client_kill(clients[i]);
        }
    }
    assert_int_equal(client_count(clients[0]), 1);
    assert_false(watched_ended(&postgres.postmaster));
    client_kill(clients[0]);
    postgres_ended_cleanly(w, &postgres, log_of(w));
    await_no_trace(w);
}

TEST(pgbench_does_not_notice_that_keepers_and_standbys_are_killed) {
    enum { JOBS = 2, KILLS = 6 };
    static const char *const names[JOBS] = {"steady", "connecting"};
    static const char *const options[JOBS] = {"", "--connect"};
    struct job jobs[JOBS];
    struct postgres postgres;
    pid_t keeper, standby;
    postgres_make_cluster(w);
    struct client *holds = client_of(w), *comes = client_of(w);
    struct reply first = client_hold(holds);
    assert_postgres_serves(first.port);
    init_pgbench(holds, first.port);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = pgbench_begin(holds, names[i], first.port, 10, options[i]);
    }
    for (size_t i = 0; i < KILLS; i++) {
        await_pair(w->name, &keeper, &standby);
        kill_and_await(i % 2 == 0 ? keeper : standby);
        hold_the_same(comes, &first);
        client_release(comes);
    }
    assert_false(job_done(&jobs[0]) || job_done(&jobs[1])); /* all of that was meanwhile */
    for (size_t i = 0; i < JOBS; i++) {
        pgbench_saw_no_error(&jobs[i]);
    }
    hold_the_same(comes, &first);
    client_kill(holds);
    await_pair(w->name, &keeper, &standby);
    postgres_look(&postgres, first.pid);
    client_kill(comes);
    postgres_ended_cleanly(w, &postgres, log_of(w));
    await_no_trace(w);
}

/* A session that works does not keep it: fast shutdown ends it, and its transaction is undone. */
TEST(postgres_that_is_in_use_is_stopped_all_the_same_when_the_last_holder_is_killed) {
    struct postgres postgres;
    postgres_make_cluster(w);
    struct client *c = client_of(w);
    struct reply held = client_hold(c);
    assert_postgres_serves(held.port);
    struct job job = job_begin(c, "session",
                               "psql -X -h 127.0.0.1 -p %u -U postgres -c 'select 1' -c 'select "
                               "pg_sleep(600)' postgres",
                               held.port);
    AWAIT(world_shell(w,
                      "psql -X -A -t -h 127.0.0.1 -p %u -U postgres -c \"select 'sleeps' from "
                      "pg_stat_activity where wait_event = 'PgSleep'\" postgres | grep -q sleeps",
                      held.port) == 0);
    postgres_look(&postgres, held.pid);
    client_kill(c);
    postgres_ended_cleanly(w, &postgres, log_of(w));
    await_file(w, job.status); /* psql was told, and ended */
    await_no_trace(w);
}


/* ---- started by the clients' own functions: tests/helpers/postgres.c ---- */

static struct client *starter_of(struct world *w) {
    struct client *c = postgres_client(w, "postgres");
    client_do(c, "open %s base_dir=%s data=%s/data events=%s", w->name, w->base, w->dir, w->events);
    return c;
}

enum { STARTERS = 20 };

/* All race; one starts it; all are told the same. */
static struct reply race(struct world *w, struct client **clients) {
    char url[128] = "";
    postgres_make_cluster(w);
    for (size_t i = 0; i < STARTERS; i++) {
        clients[i] = starter_of(w);
    }
    for (size_t i = 0; i < STARTERS; i++) {
        client_tell(clients[i], "acquire 25000");
    }
    struct reply first = client_held(clients[0]);
    assert_postgres_serves(first.port);
    for (size_t i = 1; i < STARTERS; i++) {
        struct reply held = client_held(clients[i]);
        assert_int_equal(held.pid, first.pid);
        assert_int_equal(held.port, first.port);
        assert_int_equal(held.generation, first.generation);
    }
    assert_int_equal(first.generation, 1);
    assert_int_equal(events_count(w, "on_first_acquire"), 1);
    snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%u/postgres", first.port);
    for (size_t i = 0; i < STARTERS; i++) {
        struct reply r = client_ask(clients[i], "metadata url");
        assert_string_equal(r.message, url); /* the value comes as message= */
    }
    assert_int_equal(client_count(clients[0]), STARTERS);
    return first;
}

/* The one whose function ran; it is nobody special afterwards. */
static size_t starter_among(struct world *w, struct client **clients) {
    struct event e;
    assert_true(events_last(w, "on_first_acquire", &e));
    for (size_t i = 0; i < STARTERS; i++) {
        if (clients[i]->program.pid == e.pid) {
            return i;
        }
    }
    fail_msg("process %d started it, which is no client", (int)e.pid);
    return 0;
}

TEST(postgres_that_a_callback_started_is_shut_down_once_by_the_last_release) {
    struct client *clients[STARTERS];
    struct postgres postgres;
    struct reply first = race(w, clients);
    size_t starter = starter_among(w, clients);
    size_t last = starter != 0 ? 0 : 1;
    init_pgbench(clients[last], first.port);
    struct job job = pgbench_begin(clients[last], "steady", first.port, 2, "--connect");
    client_release(clients[starter]); /* PostgreSQL is its child, and stays */
    for (size_t i = 0; i < STARTERS; i++) {
        if (i != last && i != starter) {
            client_release(clients[i]);
        }
    }
    pgbench_saw_no_error(&job);
    assert_int_equal(events_count(w, "on_last_release"), 0);
    postgres_look(&postgres, first.pid);
    client_release(clients[last]);
    postgres_ended_cleanly(w, &postgres, world_path(w, "postgres.log"));
    assert_int_equal(events_count(w, "on_last_release"), 1);
    assert_int_equal(events_count(w, "on_first_acquire"), 1);
    await_no_trace(w);
}

TEST(postgres_that_a_callback_started_is_ended_by_the_keeper_when_the_last_holder_was_killed) {
    struct client *clients[STARTERS];
    struct postgres postgres;
    struct reply first = race(w, clients);
    size_t starter = starter_among(w, clients);
    size_t last = starter != 0 ? 0 : 1;
    init_pgbench(clients[last], first.port);
    struct job job = pgbench_begin(clients[last], "steady", first.port, 2, "--connect");
    client_kill(clients[starter]); /* PostgreSQL was its child */
    for (size_t i = 0; i < STARTERS; i++) {
        if (i != last && i != starter) {
            client_kill(clients[i]);
        }
    }
    pgbench_saw_no_error(&job);
    postgres_look(&postgres, first.pid);
    client_kill(clients[last]);
    postgres_ended_cleanly(w, &postgres, world_path(w, "postgres.log"));
    assert_int_equal(events_count(w, "on_last_release"), 0);
    await_no_trace(w);
}


int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        T(postgres_is_shared_by_20_processes_that_come_go_and_are_killed_while_pgbench_sees_no_error),
        T(pgbench_does_not_notice_that_keepers_and_standbys_are_killed),
        T(postgres_that_is_in_use_is_stopped_all_the_same_when_the_last_holder_is_killed),
        T(postgres_that_a_callback_started_is_shut_down_once_by_the_last_release),
        T(postgres_that_a_callback_started_is_ended_by_the_keeper_when_the_last_holder_was_killed),
    };
    return postgres_can_run() ? test_main(argc, argv, NULL, tests, ARRAY_LEN(tests)) : SKIPPED;
}
