/*
 * Whoever comes first to a named crash point of the raw counter is killed there, at each point in
 * turn. The others never fail, the counts are exact, and the next who comes and goes leaves
 * nothing. The list of points is taken from the sources by CMake, and one that is not reached fails
 * the last test.
 */
#include "support/counting.h"

static const char *const points[] = {
#include "raw_crash_points.h"
};

static bool reached[ARRAY_LEN(points)];

enum { CLIENTS = 3, KEYS = 8 };

struct life {
    struct world *w;
    struct client *clients[CLIENTS];
    int held[CLIENTS];
    bool locked[CLIENTS];
};

/* One command. A client that was killed at the point is replaced and has given back everything:
 * then false. */
static bool lives_through(struct life *life, int i, const char *command, struct reply *ret) {
    client_tell(life->clients[i], "%s", command);
    if (client_reply_within(life->clients[i], PATIENCE_MS, ret)) {
        if (strcmp(ret->verb, "ok") != 0) {
            fail_msg("'%s' was answered by %s %s: %s", command, ret->verb, ret->code, ret->message);
        }
        return true;
    }
    int status = program_await_end(&life->clients[i]->program);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ||
        access(world_path(life->w, "killed"), F_OK) != 0) {
        fail_msg("a client ended by itself (wait status 0x%x)", (unsigned)status);
    }
    life->clients[i] = counting_start(life->w);
    life->held[i] = 0;
    life->locked[i] = false;
    return false;
}

static int sum(const struct life *life) {
    return life->held[0] + life->held[1] + life->held[2];
}

static void acquire(struct life *life, int i) {
    struct reply r;
    while (!lives_through(life, i, "acquire", &r)) {
    }
    life->held[i]++;
    assert_int_equal(r.n, sum(life));
}

static void release(struct life *life, int i) {
    struct reply r;
    if (life->held[i] > 0 && lives_through(life, i, "release", &r)) {
        life->held[i]--;
        assert_int_equal(r.n, sum(life));
    }
}

static void lock(struct life *life, int i) {
    struct reply r;
    while (!lives_through(life, i, "lock", &r)) {
    }
    bool free = !life->locked[0] && !life->locked[1] && !life->locked[2];
    assert_int_equal(r.n, free);
    life->locked[i] = life->locked[i] || free;
}

static void unlock(struct life *life, int i) {
    struct reply r;
    if (life->locked[i] && lives_through(life, i, "unlock", &r)) {
        life->locked[i] = false;
    }
}

TEST(one_is_killed_there) {
    struct life life = {.w = w};
    struct reply r;
    char plan[512];
    snprintf(plan, sizeof plan, "PROCREF_CRASH=%s@%s/killed", (const char *)w->argument, w->dir);
    world_set(w, plan);
    for (int i = 0; i < CLIENTS; i++) {
        life.clients[i] = counting_start(w);
    }
    acquire(&life, 0);
    acquire(&life, 1);
    lock(&life, 0);
    lock(&life, 1);
    unlock(&life, 0);
    lock(&life, 2);
    release(&life, 0);
    acquire(&life, 0);
    release(&life, 1);
    release(&life, 0);
    unlock(&life, 2);
    unlock(&life, 1);
    acquire(&life, 2);
    release(&life, 2);
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        reached[i] =
            reached[i] || (w->argument == points[i] && access(world_path(w, "killed"), F_OK) == 0);
    }
    /* All may be held by nobody now; one more who comes and goes leaves nothing. */
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(lives_through(&life, i, "close", &r));
    }
    struct client *last = counting_start(w);
    assert_int_equal(asks(last, "acquire"), 1);
    assert_int_equal(asks(last, "release"), 0);
    assert_int_equal(world_set_id(w), -1);
}

/* The key of its set, when it has one: the first of PRI_PROBES in a row. */
static uint32_t key_of_set(struct world *w) {
    static struct set_seen sets[LOOK_MAX];
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        if (sets[i].id == id) {
            return sets[i].key;
        }
    }
    fail_msg("there is no set");
    return 0;
}

static void assert_no_set(uint32_t key) {
    static struct set_seen sets[LOOK_MAX];
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        if (sets[i].key - key < KEYS) {
            fail_msg("set %d is left, on key %u of its name", sets[i].id, sets[i].key - key);
        }
    }
}

TEST(what_one_left_there_is_removed_by_who_closes) {
    static const char *const commands[] = {"acquire", "lock", "unlock", "release"};
    struct reply r;
    struct client *closes = counting_start(w);
    asks(closes, "acquire");
    uint32_t key = key_of_set(w);
    asks(closes, "release");
    char plan[512];
    snprintf(plan, sizeof plan, "PROCREF_CRASH=%s@%s/killed", (const char *)w->argument, w->dir);
    world_set(w, plan);
    struct client *killed = counting_start(w);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        client_tell(killed, "%s", commands[i]);
        if (!client_reply_within(killed, PATIENCE_MS, &r)) {
            program_await_end(&killed->program);
            break;
        }
    }
    client_do(closes, "close");
    assert_int_equal(access(world_path(w, "killed"), F_OK), 0); /* the point was reached */
    assert_no_set(key);
}

static void every_crash_point_was_reached(void **state) {
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        if (!reached[i]) {
            print_error("not reached: %s\n", points[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(int argc, char **argv) {
    static struct CMUnitTest tests[2 * ARRAY_LEN(points) + 1];
    static char names[2 * ARRAY_LEN(points)][160];
    size_t count = 0;
#ifndef PRI_CRASH_POINTS
    printf("skipped: these tests need PROCREF_CRASH_POINTS=ON\n");
    return SKIPPED;
#endif
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        union {
            const char *in;
            void *out;
        } point = {.in = points[i]};
        char *name = names[2 * i], *left = names[2 * i + 1];
        snprintf(name, sizeof names[0], "killed at '%s'", points[i]);
        snprintf(left, sizeof names[0], "killed at '%s', others close", points[i]);
        tests[count++] =
            (struct CMUnitTest){name, one_is_killed_there, world_open, world_close, point.out};
        tests[count++] = (struct CMUnitTest){left, what_one_left_there_is_removed_by_who_closes,
                                             world_open, world_close, point.out};
    }
    if (argc == 1) {
        tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_crash_point_was_reached);
    }
    return test_main(argc, argv, NULL, tests, count);
}
