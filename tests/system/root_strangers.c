/* Another user, played by uid 65534: what procref's names, keys and folders are worth against him.
 */
#include "support/world.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

enum { STRANGER = 65534, PROBES = 8 };

static struct client *stranger_start(struct world *w) {
    struct client *c = client_start(w);
    client_do(c, "setuid %d", STRANGER);
    return c;
}

/* Starts the service once, to learn its key and its socket's name, which only depend on user and
 * name. */
static uint32_t learn(struct world *w, struct client *c, char *socket) {
    static struct set_seen sets[LOOK_MAX];
    uint32_t key = 0;
    client_hold(c);
    int id = world_set_id(w);
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        key = sets[i].id == id ? sets[i].key : key;
    }
    snprintf(socket, 108, "%s", await_socket(w->name));
    client_release(c);
    await_no_trace(w);
    assert_true(key != 0 && socket[0] == '@');
    return key;
}

TEST(a_stranger_shares_nothing_with_the_service_of_another_user) {
    struct client *ours = client_start(w), *his = stranger_start(w);
    assert_int_equal(
        world_shell(w, "chmod 0755 . ; mkdir his; chown %d his; : > events; chmod 0666 events",
                    STRANGER),
        0);
    client_open(ours, ON_PORT, TCP);
    struct reply held = client_hold(ours);
    char settings[512];
    snprintf(settings, sizeof settings, TCP " base_dir=%s/his", w->dir);
    client_do(his,
              "open %s base_dir=%s/his arg=%s arg=--port arg=${PORT} arg=--events arg=%s ready=tcp",
              w->name, w->dir, helper_path("service"), w->events);
    struct reply other = client_hold(his);
    assert_int_not_equal(other.pid, held.pid);
    assert_int_equal(client_count(ours), 1);
    assert_int_equal(client_count(his), 1);
    struct watched service = watch(other.pid);
    client_kill(his);
    watched_await_end(&service);
    client_answered(ours, held.pid);
}

TEST(a_folder_of_another_user_is_refused_and_named) {
    struct client *ours = client_start(w), *his = stranger_start(w);
    assert_int_equal(
        world_shell(w, "chmod 0755 .; mkdir -m 0755 base; mkdir -m 0700 his; chown %d his",
                    STRANGER),
        0);
    struct reply r = client_open_raw(his, w->name, "arg=/bin/sleep arg=1");
    assert_error(&r, "PERMISSION");
    assert_says(r.message, w->base);
    char settings[512];
    snprintf(settings, sizeof settings, "arg=/bin/sleep arg=1 base_dir=%s/his", w->dir);
    r = client_open_raw(ours, w->name, settings);
    assert_error(&r, "PERMISSION");
    assert_says(r.message, "65534");
}

TEST(a_stranger_on_the_first_keys_does_not_matter) {
    struct client *c = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    uint32_t key = learn(w, c, socket);
    for (unsigned i = 0; i < 3; i++) {
        client_do(his, "squat_key %u", key + i);
    }
    struct reply held = client_hold(c);
    client_answered(c, held.pid);
    assert_int_equal(client_count(c), 1);
    struct watched service = watch(held.pid);
    client_quit(c);
    watched_await_end(&service);
    AWAIT(look_keeper(w->name) == 0);
    for (unsigned i = 0; i < 3; i++) {
        client_do(his, "free_key %u", key + i);
    }
}

TEST(a_stranger_on_all_keys_is_named) {
    struct client *c = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    uint32_t key = learn(w, c, socket);
    for (unsigned i = 0; i < PROBES; i++) {
        client_do(his, "squat_key %u", key + i);
    }
    struct reply r = client_ask(c, "acquire 20000");
    for (unsigned i = 0; i < PROBES; i++) {
        client_do(his, "free_key %u", key + i);
    }
    assert_error(&r, "PERMISSION");
    assert_says(r.message, "65534");
    assert_int_equal(events_count(w, "start"), 1); /* the one of learn() */
    client_hold(c);
}

TEST(a_set_that_a_stranger_gave_to_us_is_not_believed) {
    struct client *c = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    uint32_t key = learn(w, c, socket);
    /* He may name us as its owner, but he stays its creator and could give himself rights again. */
    client_do(his, "squat_key %u 0", key);
    struct reply held = client_hold(c);
    client_answered(c, held.pid);
    int mine = semget((key_t)key, 0, 0);
    assert_true(mine >= 0);
    assert_int_not_equal(world_set_id(w), mine);
    semctl(mine, 0, IPC_RMID);
}

TEST(a_stranger_on_the_first_socket_names_does_not_matter) {
    struct client *c = client_start(w), *d = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    client_open(d, ON_PORT, TCP);
    learn(w, c, socket);
    size_t end = strlen(socket) - 1;
    assert_int_equal(socket[end], '0');
    for (char i = '0'; i < '3'; i++) {
        socket[end] = i;
        client_do(his, "squat_socket %s", socket);
    }
    struct reply held = client_hold(c);
    assert_int_equal(client_hold(d).pid, held.pid);
    client_answered(d, held.pid);
    assert_int_equal(events_count(w, "start"), 2);
}

TEST(the_full_queues_of_a_stranger_hold_nobody_up) {
    struct client *c = client_start(w), *d = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    client_open(d, ON_PORT, TCP);
    learn(w, c, socket);
    size_t end = strlen(socket) - 1;
    for (char i = '0'; i < '0' + PROBES; i++) {
        socket[end] = i;
        if (i != '3') {
            client_do(his, "squat_socket %s", socket);
            client_do(his, "fill_socket %s", socket);
        }
    }
    struct reply held = client_hold(c);
    assert_in_range(held.ms, 0, 10000);
    assert_int_equal(client_hold(d).pid, held.pid);
    assert_no_violation(w);
}

TEST(the_full_queue_of_a_stranger_before_ours_holds_nobody_up) {
    struct client *c = client_start(w), *d = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    client_open(d, ON_PORT, TCP);
    learn(w, c, socket);
    client_do(his, "squat_socket %s", socket);
    client_do(his, "fill_socket %s", socket);
    struct reply held = client_hold(c); /* on the second name */
    struct watched keeper = stop_and_fill(w->name, his);
    client_tell(d, "acquire 15000");
    assert_false(client_has_replied(d, 300));
    watched_signal(&keeper, SIGCONT);
    struct reply r = client_held(d);
    assert_int_equal(r.pid, held.pid);
    assert_in_range(r.ms, 300, 14000);
}

/* A name is one socket's of each type, and the kernel lists them in an order of its own. */
TEST(the_socket_of_a_stranger_by_our_name_but_of_another_type_is_not_meant) {
    for (int i = 0; i < 8; i++) {
        struct client *c = client_start(w), *d = client_start(w), *his = stranger_start(w);
        char name[80];
        struct process_seen pairs[8];
        snprintf(name, sizeof name, "%s.%d", w->name, i);
        client_open_named(c, name, "", "");
        client_open_named(d, name, "", "");
        pid_t service = client_hold(c).pid;
        client_do(his, "squat_stream %s", await_socket(name));
        struct watched keeper = stop_and_fill(name, his);
        client_tell(d, "acquire 15000");
        assert_false(client_has_replied(d, 50));
        assert_int_equal(look_keepers(name, pairs, 8), 2);
        watched_signal(&keeper, SIGCONT);
        assert_int_equal(client_held(d).pid, service);
        client_quit(d);
        client_quit(c);
        client_quit(his);
    }
}

/* A file server's thread, say: the kernel calls the socket that it makes his for whom it works. */
TEST(who_works_for_another_when_it_starts_the_pair_has_a_pair_of_its_own) {
    struct client *c = client_start(w), *d = client_start(w);
    struct process_seen pairs[8];
    client_open(c, ON_PORT, TCP);
    client_open(d, ON_PORT, TCP);
    client_do(c, "setfsuid %d", STRANGER);
    pid_t service = client_hold(c).pid;
    struct watched keeper = stop_and_fill(w->name, d);
    client_tell(d, "acquire 15000");
    assert_false(client_has_replied(d, 300));
    assert_int_equal(look_keepers(w->name, pairs, 8), 2);
    watched_signal(&keeper, SIGCONT);
    assert_int_equal(client_held(d).pid, service);
}

TEST(a_stranger_on_all_socket_names_is_an_error_and_no_second_service) {
    struct client *c = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    learn(w, c, socket);
    size_t end = strlen(socket) - 1;
    for (int i = 0; i < PROBES; i++) {
        socket[end] = (char)('0' + i);
        client_do(his, "squat_socket %s", socket);
    }
    struct reply r = client_ask(c, "acquire 5000");
    assert_error(&r, "PERMISSION");
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(a_stranger_who_frees_a_lower_socket_name_makes_no_second_service) {
    struct client *c = client_start(w), *d = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    client_open(d, ON_PORT, TCP);
    learn(w, c, socket);
    client_do(his, "squat_socket %s", socket);
    struct reply held = client_hold(c); /* on the second name */
    client_kill(his);
    assert_int_equal(client_hold(d).pid, held.pid);
    assert_int_equal(client_count(c), 2);
    assert_no_violation(w);
}

TEST(a_stranger_cannot_attach_to_the_keepers_socket) {
    struct client *c = client_start(w), *his = stranger_start(w);
    char socket[108];
    client_open(c, ON_PORT, TCP);
    learn(w, c, socket);
    struct reply held = client_hold(c);
    for (int i = 0; i < 50; i++) {
        client_ask(his, "connect_socket %s", socket);
    }
    struct client *d = client_start(w);
    client_open(d, ON_PORT, TCP);
    assert_int_equal(client_hold(d).pid, held.pid);
    assert_int_equal(client_count(d), 2);
}

TEST(a_stranger_cannot_stop_or_trace_anything) {
    struct client *c = client_start(w), *his = stranger_start(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    assert_string_equal(client_ask(his, "signal %d 9", (int)keeper).verb, "error");
    assert_string_equal(client_ask(his, "signal %d 9", (int)standby).verb, "error");
    assert_string_equal(client_ask(his, "signal %d 9", (int)held.pid).verb, "error");
    client_answered(c, held.pid);
}

TEST(a_client_that_drops_its_privileges_is_another_user) {
    struct client *c = client_start(w), *drops = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    assert_int_equal(world_shell(w, "chmod 0755 ."), 0);
    client_do(drops, "setuid %d", STRANGER);
    struct reply r = client_open_raw(drops, w->name, "arg=/bin/sleep arg=1000");
    assert_error(&r, "PERMISSION");
    client_answered(c, held.pid);
    assert_int_equal(client_count(c), 1);
}

TEST_MAIN_AS_ROOT(T(a_stranger_shares_nothing_with_the_service_of_another_user),
                  T(a_folder_of_another_user_is_refused_and_named),
                  T(a_stranger_on_the_first_keys_does_not_matter),
                  T(a_stranger_on_all_keys_is_named),
                  T(a_set_that_a_stranger_gave_to_us_is_not_believed),
                  T(a_stranger_on_the_first_socket_names_does_not_matter),
                  T(the_full_queue_of_a_stranger_before_ours_holds_nobody_up),
                  T(the_socket_of_a_stranger_by_our_name_but_of_another_type_is_not_meant),
                  T(who_works_for_another_when_it_starts_the_pair_has_a_pair_of_its_own),
                  T(the_full_queues_of_a_stranger_hold_nobody_up),
                  T(a_stranger_on_all_socket_names_is_an_error_and_no_second_service),
                  T(a_stranger_who_frees_a_lower_socket_name_makes_no_second_service),
                  T(a_stranger_cannot_attach_to_the_keepers_socket),
                  T(a_stranger_cannot_stop_or_trace_anything),
                  T(a_client_that_drops_its_privileges_is_another_user))
