/* Which service: user, base_dir, name; and what must be equal to share it. */
#include "support/world.h"

#include <sys/ipc.h>
#include <sys/sem.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(one_name_in_two_folders_is_two_services) {
    struct client *a = client_start(w), *b = client_start(w);
    char settings[256], options[256];
    snprintf(settings, sizeof settings, TCP " base_dir=%s/other", w->dir);
    snprintf(options, sizeof options, ON_PORT " --lock %s/other-lock", w->dir);
    client_open(a, ON_PORT, TCP);
    client_open(b, options, settings);
    pid_t first = client_hold(a).pid, second = client_hold(b).pid;
    assert_int_not_equal(first, second);
    assert_int_equal(client_count(a), 1);
    assert_int_equal(client_count(b), 1);
}

TEST(one_folder_by_two_paths_is_one_service) {
    struct client *a = client_start(w), *b = client_start(w), *c = client_start(w);
    client_open(a, ON_PORT, TCP);
    struct reply held = client_hold(a);
    assert_int_equal(world_shell(w, "ln -s base link"), 0);
    char settings[512];
    snprintf(settings, sizeof settings, TCP " base_dir=%s/link", w->dir);
    client_open(b, ON_PORT, settings);
    assert_int_equal(client_hold(b).pid, held.pid);
    client_do(c, "chdir %s", w->dir);
    client_open(c, ON_PORT, TCP " base_dir=./base/../base/");
    assert_int_equal(client_hold(c).pid, held.pid);
}

TEST(without_a_folder_clients_of_any_session_and_directory_share) {
    struct client *a = client_start(w), *b = client_start(w);
    client_do(b, "unsetenv XDG_RUNTIME_DIR");
    client_do(b, "chdir /");
    client_do(b, "setsid");
    char command[512];
    snprintf(command, sizeof command,
             "open %s arg=%s arg=--port arg=${PORT} arg=--events arg=%s ready=tcp", w->name,
             helper_path("service"), w->events);
    client_do(a, "%s", command);
    client_do(b, "%s", command);
    struct reply held = client_hold(a);
    assert_int_equal(client_hold(b).pid, held.pid);
}

static void conflicts(struct world *w, const char *options, const char *settings,
                      const char *names) {
    struct client *other = client_start(w);
    client_open(other, options, settings);
    struct reply r = client_ask(other, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_says(r.message, names);
    r = client_ask(other, "acquire 0");
    assert_error(&r, "CONFLICT");
}

TEST(a_difference_is_a_conflict_that_names_what_differs) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP " env=MODE=one working_dir=/");
    struct reply held = client_hold(c);
    conflicts(w, ON_PORT " --notify", TCP " env=MODE=one working_dir=/", "command");
    conflicts(w, ON_PORT, TCP " env=MODE=two working_dir=/", "environment");
    conflicts(w, ON_PORT, TCP " working_dir=/", "environment");
    conflicts(w, ON_PORT, TCP " env=MODE=one working_dir=/tmp", "working_dir");
    conflicts(w, ON_PORT, TCP " env=MODE=one", "working_dir");
    conflicts(w, ON_PORT, TCP " env=MODE=one working_dir=/ port=1", "port");
    assert_int_equal(client_count(c), 1);
    client_answered(c, held.pid);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(times_and_policies_may_differ) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT,
                TCP " linger=10 stop_timeout=100 start_timeout=5000 restart=always");
    struct reply held = client_hold(c);
    assert_int_equal(client_hold(other).pid, held.pid);
}

TEST(a_client_that_says_share_accepts_what_runs) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP " env=MODE=one");
    struct reply held = client_hold(c);
    client_open(other, ON_PORT " --notify", TCP " env=MODE=two working_dir=/ share=1");
    assert_int_equal(client_hold(other).pid, held.pid);
    client_release(other);
    client_hold(other); /* and by the short way too */
    client_answered(other, held.pid);
}

TEST(a_conflict_is_found_on_the_short_way_too) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(other, ON_PORT, TCP " env=MODE=two");
    client_hold(other);
    client_release(other);
    await_no_trace(w);
    client_open(c, ON_PORT, TCP " env=MODE=one");
    client_hold(c); /* generation 1 again, of a new set: the other one may believe to know it */
    struct reply r = client_ask(other, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_int_equal(client_count(c), 1);
}

TEST(after_the_last_one_left_another_configuration_may_start) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP " env=MODE=one");
    client_open(other, ON_PORT, TCP " env=MODE=two");
    client_hold(c);
    client_release(c);
    await_no_trace(w);
    client_hold(other);
    assert_int_equal(events_count(w, "start"), 2);
}

/* Registers as in src/os/linux/counter.c: the version first, then the fingerprint. */
TEST(another_layout_version_is_a_conflict_and_never_a_second_instance) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    int id = world_set_id(w);
    static struct set_seen sets[LOOK_MAX];
    size_t count = look_sets(sets, LOOK_MAX, false);
    struct set_seen ours = {.id = -1};
    for (size_t i = 0; i < count; i++) {
        ours = sets[i].id == id ? sets[i] : ours;
    }
    assert_int_equal(ours.id, id);
    int fingerprint[5];
    for (unsigned i = 0; i < 5; i++) {
        fingerprint[i] = look_set_value(id, i);
    }
    client_quit(c);
    await_no_trace(w);
    int other = semget((key_t)ours.key, (int)ours.registers + 1, IPC_CREAT | IPC_EXCL | 0600);
    must(other >= 0, "semget");
    struct sembuf version = {0, (short)(fingerprint[0] + 1), 0};
    semop(other, &version, 1);
    for (unsigned i = 1; i < 5; i++) {
        struct sembuf part = {(unsigned short)i, (short)fingerprint[i], 0};
        if (fingerprint[i] > 0) {
            semop(other, &part, 1);
        }
    }
    struct client *d = client_start(w);
    client_open(d, ON_PORT, TCP);
    struct reply r = client_ask(d, "acquire 20000");
    semctl(other, 0, IPC_RMID);
    assert_error(&r, "CONFLICT");
    assert_says(r.message, "version");
    assert_int_equal(events_count(w, "start"), 1);
    client_hold(d); /* once the other version is gone */
}

TEST(names_of_every_kind_are_services_of_their_own) {
    static const char *const kinds[] = {"database",    "basedata", "surrealdb", "with blank",
                                        "Überschrift", "日本語",   ".",         "..",
                                        "-rf",         "%41",      "a%b",       "$(x)"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char name[128], encoded[512];
        struct client *c = client_start(w);
        snprintf(name, sizeof name, "%s%s", w->name, kinds[i]);
        words_encode(encoded, sizeof encoded, name);
        client_do(c,
                  "open %s base_dir=%s arg=%s arg=--port arg=${PORT} arg=--events arg=%s ready=tcp",
                  encoded, w->base, helper_path("service"), w->events);
        client_answered(c, client_hold(c).pid);
        assert_int_equal(client_count(c), 1);
    }
    assert_int_equal(events_count(w, "start"), ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        client_kill(w->clients[i]);
    }
    await_no_trace(w);
}

TEST(a_name_of_255_bytes_works) {
    struct client *c = client_start(w);
    char name[256];
    memset(name, 'x', 255);
    memcpy(name, w->name, strlen(w->name));
    name[255] = '\0';
    client_do(c, "open %s base_dir=%s arg=%s arg=--port arg=${PORT} arg=--events arg=%s ready=tcp",
              name, w->base, helper_path("service"), w->events);
    client_answered(c, client_hold(c).pid);
    client_quit(c);
    await_no_trace(w);
}

#ifdef PRI_CRASH_POINTS
TEST(who_wants_another_and_comes_while_the_last_one_s_end_is_noted_has_it) {
    world_set(w, "PROCREF_FAULT=slow drain");
    struct client *both[] = {client_start(w), client_start(w)};
    client_open(both[0], ON_PORT, TCP);
    client_open(both[1], ON_PORT " --stop-delay-ms 1", TCP);
    for (unsigned i = 0; i < 8; i++) { /* some connect and ask too late for that */
        client_hold(both[i % 2]);
        client_do(both[i % 2], "release");
        AWAIT(traced(w, "does: drain", NULL) > i);
    }
    await_no_trace(w);
}
#endif

TEST_MAIN(
#ifdef PRI_CRASH_POINTS
    T(who_wants_another_and_comes_while_the_last_one_s_end_is_noted_has_it),
#endif
    T(one_name_in_two_folders_is_two_services), T(one_folder_by_two_paths_is_one_service),
    T(without_a_folder_clients_of_any_session_and_directory_share),
    T(a_difference_is_a_conflict_that_names_what_differs), T(times_and_policies_may_differ),
    T(a_client_that_says_share_accepts_what_runs), T(a_conflict_is_found_on_the_short_way_too),
    T(after_the_last_one_left_another_configuration_may_start),
    T(another_layout_version_is_a_conflict_and_never_a_second_instance),
    T(names_of_every_kind_are_services_of_their_own), T(a_name_of_255_bytes_works))
