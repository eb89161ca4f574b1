/*
 * Whoever comes first to a named crash point is killed there, at each point in turn, in two lives:
 * a simple one, in which nobody has to help afterwards, and an eventful one with deaths of its own.
 * Both are lived by clients of a command, and by clients with callbacks. The list of points is
 * taken from the sources by CMake (crash_points.h), and a point that no life reaches fails
 * the last test.
 */
#include "support/world.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static const char *const points[] = {
#include "crash_points.h"
};

#define OPTIONS "--port ${PORT}"
#define SETTINGS "ready=tcp stop_timeout=2000"

struct crash {
    const char *point;
    bool callbacks; /* the clients have their own functions */
};

static bool reached[ARRAY_LEN(points)];

struct life {
    struct world *w;
    struct client *clients[3];
};

static const struct crash *crash(const struct world *w) {
    return w->argument;
}

static struct client *fresh_client(struct world *w) {
    struct client *c = client_start(w);
    char settings[512];
    snprintf(settings, sizeof settings,
             "callbacks=1 careful=1 recover=new health=%s stop_timeout=2000",
             world_path(w, "unhealthy"));
    client_open(c, OPTIONS, crash(w)->callbacks ? settings : SETTINGS);
    return c;
}

/* If client i was killed at the point (and by nothing else), another takes its place. True if it
 * was. */
static bool replaced(struct life *life, int i) {
    struct client *c = life->clients[i];
    int status = program_await_end(&c->program);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ||
        access(world_path(life->w, "killed"), F_OK) != 0) {
        fail_msg("client %d ended by itself (wait status 0x%x)", (int)c->program.pid,
                 (unsigned)status);
    }
    life->clients[i] = fresh_client(life->w);
    return true;
}

/* acquire: it is held in the end, by this client or its replacement, and the service answers. */
static struct reply hold(struct life *life, int i) {
    struct reply r;
    client_tell(life->clients[i], "acquire 20000");
    if (!client_reply_within(life->clients[i], PATIENCE_MS, &r)) {
        replaced(life, i);
        client_tell(life->clients[i], "acquire 20000");
        r = client_reply(life->clients[i]);
    }
    assert_held(&r);
    assert_no_violation(life->w);
    return r;
}

static void answered(struct life *life, int i, pid_t pid) {
    client_answered(life->clients[i], pid);
    assert_no_violation(life->w);
}

static void let_go(struct life *life, int i, const char *how) {
    struct reply r;
    client_tell(life->clients[i], "%s", how);
    if (!client_reply_within(life->clients[i], PATIENCE_MS, &r)) {
        replaced(life, i);
    } else {
        assert_string_equal(r.verb, "ok");
    }
}

static void begin(struct life *life, struct world *w, char *plan, size_t size) {
    snprintf(plan, size, "PROCREF_CRASH=%s@%s/killed", crash(w)->point, w->dir);
    world_set(w, plan);
    life->w = w;
    for (int i = 0; i < 3; i++) {
        life->clients[i] = fresh_client(w);
    }
}

static void finish(struct life *life) {
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        if (crash(life->w)->point == points[i] &&
            access(world_path(life->w, "killed"), F_OK) == 0) {
            reached[i] = true;
        }
    }
}

TEST(simple_life) {
    struct life life;
    char plan[512];
    begin(&life, w, plan, sizeof plan);
    hold(&life, 0);
    struct reply held = hold(&life, 1);
    answered(&life, 1, held.pid);
    let_go(&life, 0, "release");
    let_go(&life, 1, "release");
    for (int i = 0; i < 3; i++) {
        client_kill(life.clients[i]);
    }
    await_no_trace(w); /* one death, and nobody had to acquire for that */
    finish(&life);
}

static void kill_one(pid_t pid) {
    if (pid > 0) {
        kill_and_await(pid);
    }
}

/* Two again, or none: the point may have been where the other one was. */
static void await_pair_or_nobody(const char *name) {
    struct process_seen seen[16];
    AWAIT(look_standby(name) != 0 || look_keepers(name, seen, 16) == 0);
}

TEST(eventful_life) {
    struct life life;
    char plan[512];
    begin(&life, w, plan, sizeof plan);
    struct reply held = hold(&life, 0);
    kill_one(held.pid);
    held = hold(&life, 1);
    hold(&life, 0);
    if (crash(w)->callbacks) {
        close(open(world_path(w, "unhealthy"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        hold(&life, 1);
    }
    kill_one(look_standby(w->name));
    hold(&life, 2);
    await_pair_or_nobody(w->name);
    kill_one(look_keeper(w->name));
    hold(&life, 2);
    await_pair_or_nobody(w->name);
    let_go(&life, 2, "release");
    int id = world_set_id(w);
    if (id >= 0) {
        semctl(id, 0, IPC_RMID);
    }
    hold(&life, 2);
    let_go(&life, 2, "release");
    let_go(&life, 1, "release");
    for (int i = 0; i < 3; i++) {
        client_kill(life.clients[i]);
    }
    /* Two may have died at once: the next acquire makes order. */
    struct client *last = fresh_client(w);
    struct life end = {.w = w, .clients = {last, last, last}};
    held = hold(&end, 0);
    answered(&end, 0, held.pid);
    let_go(&end, 0, "release_wait 20000");
    client_quit(end.clients[0]);
    last = fresh_client(w);
    end.clients[0] = last;
    hold(&end, 0);
    let_go(&end, 0, "release");
    client_kill(end.clients[0]);
    await_no_trace(w);
    finish(&life);
}

static void every_crash_point_was_reached(void **state) {
    (void)state;
    size_t missing = 0;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        if (!reached[i]) {
            print_error("not reached: %s\n", points[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(int argc, char **argv) {
    enum { LIVES = 4 };
    static const char *const lives[LIVES] = {"a simple life", "an eventful life",
                                             "a simple life with callbacks",
                                             "an eventful life with callbacks"};
    static struct CMUnitTest tests[LIVES * ARRAY_LEN(points) + 1];
    static char names[LIVES * ARRAY_LEN(points)][160];
    static struct crash crashes[LIVES * ARRAY_LEN(points)];
    size_t count = 0;
#ifndef PRI_CRASH_POINTS
    printf("skipped: these tests need PROCREF_CRASH_POINTS=ON\n");
    return SKIPPED;
#endif
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        for (int life = 0; life < LIVES; life++) {
            snprintf(names[count], sizeof names[0], "killed at '%s' in %s", points[i], lives[life]);
            crashes[count] = (struct crash){points[i], life >= 2};
            tests[count] =
                (struct CMUnitTest){names[count], life % 2 == 0 ? simple_life : eventful_life,
                                    world_open, world_close, &crashes[count]};
            count++;
        }
    }
    if (argc == 1) {
        tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_crash_point_was_reached);
    }
    return test_main(argc, argv, NULL, tests, count);
}
