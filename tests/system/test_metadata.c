/* What callbacks leave for other clients: metadata, fingerprints, services without a process. */
#include "support/called.h"

/* ---- no process ---- */

TEST(a_service_without_a_process_is_made_once_and_removed_once) {
    struct client *clients[4];
    char settings[512];
    snprintf(settings, sizeof settings, "mount=%s", world_path(w, "mounted"));
    open_all(w, clients, 4, settings);
    tell_all(clients, 4);
    assert_int_equal(held_by_all(clients, 4).pid, 0);
    assert_int_equal(events_count(w, "first-begin"), 1);
    assert_string_equal(client_ask(clients[0], "gone 0").verb, "none");
    release_all(clients, 3);
    assert_true(is_there(world_path(w, "mounted")));
    client_release(clients[3]);
    assert_false(is_there(world_path(w, "mounted")));
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

TEST(a_service_without_a_process_outlives_its_keepers) {
    char settings[512];
    snprintf(settings, sizeof settings, "mount=%s", world_path(w, "mounted"));
    struct client *a = opened(w, settings), *b = opened(w, settings), *c = opened(w, settings);
    struct reply old = client_hold(a);
    kill_keeper(w);
    assert_int_equal(client_hold(b).generation, old.generation);
    kill_pair(w->name);
    assert_int_equal(client_hold(c).generation, old.generation);
    assert_int_equal(events_count(w, "first-begin"), 1);
    client_release(a);
    client_release(b);
    assert_true(is_there(world_path(w, "mounted")));
    client_release(c);
    assert_false(is_there(world_path(w, "mounted")));
    await_no_trace(w);
    assert_balanced(w);
}

TEST(released_without_a_keeper_it_is_found_and_stopped_by_the_next_client) {
    struct client *a = opened(w, ""), *b = opened(w, "");
    struct watched process = watch(client_hold(a).pid);
    kill_pair(w->name);
    client_release(a);
    client_answered(b, client_hold(b).pid);
    client_release(b);
    watched_await_end(&process);
    await_no_trace(w);
    assert_int_equal(events_count(w, "last-begin"), 1);
    assert_balanced(w);
}

TEST(without_its_process_a_service_recovers_too) {
    char settings[512];
    snprintf(settings, sizeof settings, "recover=new mount=%s", world_path(w, "mounted"));
    struct client *a = opened(w, with_health(w, settings)),
                  *b = opened(w, with_health(w, settings));
    struct reply old = client_hold(a);
    make_sick(w);
    struct reply held = client_hold(b);
    assert_int_equal(held.pid, 0);
    assert_true(held.generation > old.generation);
    assert_recovered_once(w, &old);
    client_release(a);
    client_release(b);
    assert_false(is_there(world_path(w, "mounted")));
    assert_int_equal(events_count(w, "last-begin"), 1);
    await_no_trace(w);
}

/* ---- configurations ---- */

TEST(fingerprints_conflict_only_if_both_are_given_and_differ) {
    struct client *a = opened(w, "fingerprint=one"), *same = opened(w, "fingerprint=one"),
                  *none = opened(w, ""), *other = opened(w, "fingerprint=two"),
                  *shares = opened(w, "fingerprint=two share=1");
    pid_t pid = client_hold(a).pid;
    assert_int_equal(client_hold(same).pid, pid);
    assert_int_equal(client_hold(none).pid, pid);
    assert_int_equal(client_hold(shares).pid, pid);
    struct reply r = client_ask(other, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_says(r.message, "fingerprint");
    assert_int_equal(client_count(other), 4);
}

TEST(a_command_and_functions_conflict_even_if_shared) {
    struct client *functions = opened(w, "share=1"), *command = client_start(w);
    client_open(command, ON_PORT, "ready=tcp share=1");
    client_hold(functions);
    struct reply r = client_ask(command, "acquire 20000");
    assert_error(&r, "CONFLICT");
    client_release(functions);
    await_no_trace(w);
    client_hold(command);
    r = client_ask(functions, "acquire 20000");
    assert_error(&r, "CONFLICT");
    assert_int_equal(events_count(w, "first-begin"), 1);
}

/* ---- metadata ---- */

static void assert_metadata(struct client *c) {
    struct reply r = client_ask(c, "metadata big");
    assert_string_equal(r.verb, "metadata");
    assert_int_equal(r.n, 60000);
    r = client_ask(c, "metadata url");
    assert_string_equal(r.message, "unix:/a");
    assert_string_equal(client_ask(c, "metadata nothing").verb, "none");
}

#define METADATA "metadata=url:unix:/a metadata_size=60000 "

TEST(metadata_reaches_the_others_and_survives_the_keepers) {
    struct client *a = opened(w, METADATA), *clients[3];
    struct reply old = client_hold(a);
    open_all(w, clients, 3, "");
    client_hold(clients[0]);
    assert_metadata(a);
    assert_metadata(clients[0]);
    kill_keeper(w);
    assert_int_equal(client_hold(clients[1]).generation, old.generation);
    assert_metadata(clients[1]);
    kill_pair(w->name);
    assert_int_equal(client_hold(clients[2]).pid, old.pid);
    assert_metadata(clients[2]);
    assert_int_equal(events_count(w, "first-begin"), 1);
}

TEST(on_recover_is_told_the_metadata_of_what_was_up) {
    struct client *a = opened(w, with_health(w, METADATA "recover=keep")),
                  *b = opened(w, with_health(w, "recover=keep"));
    client_hold(a);
    make_sick(w);
    client_hold(b);
    struct event e;
    assert_true(events_last(w, "recovers", &e));
    assert_says(e.text, "unix:/a");
    assert_metadata(b);
}

TEST(too_much_metadata_is_a_failed_start) {
    struct client *c = opened(w, "metadata_size=70000");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "LIMIT");
    await_no_trace(w);
}

static void start_anew_after(struct world *w, const char *damage) {
    struct client *a = opened(w, METADATA), *b = opened(w, "");
    struct reply old = client_hold(a);
    struct watched process = watch(old.pid);
    pid_t keeper, standby;
    await_pair(w->name, &keeper, &standby);
    assert_int_equal(world_shell(w, "ls base/*.info && %s", damage), 0);
    kill_pair(w->name);
    struct reply held = client_hold(b);
    assert_int_not_equal(held.pid, old.pid);
    assert_int_equal(events_count(w, "first-begin"), 2);
    watched_await_end(&process);
    client_answered(b, held.pid);
    client_release(a);
    client_answered(b, held.pid);
    client_release(b);
    await_no_trace(w);
}

TEST(with_its_info_file_corrupted_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "printf garbage | dd of=$(ls base/*.info) conv=notrunc");
}

TEST(with_its_info_file_cut_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "truncate -s 30000 base/*.info");
}

TEST(with_one_byte_of_its_info_file_changed_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "printf Y | dd of=$(ls base/*.info) conv=notrunc bs=1 seek=40000");
}

TEST(with_its_info_file_removed_and_no_keeper_left_the_service_is_started_anew) {
    start_anew_after(w, "rm base/*.info");
}

TEST_MAIN(T(a_service_without_a_process_is_made_once_and_removed_once),
          T(a_service_without_a_process_outlives_its_keepers),
          T(released_without_a_keeper_it_is_found_and_stopped_by_the_next_client),
          T(without_its_process_a_service_recovers_too),
          T(fingerprints_conflict_only_if_both_are_given_and_differ),
          T(a_command_and_functions_conflict_even_if_shared),
          T(metadata_reaches_the_others_and_survives_the_keepers),
          T(on_recover_is_told_the_metadata_of_what_was_up),
          T(too_much_metadata_is_a_failed_start),
          T(with_its_info_file_corrupted_and_no_keeper_left_the_service_is_started_anew),
          T(with_its_info_file_cut_and_no_keeper_left_the_service_is_started_anew),
          T(with_one_byte_of_its_info_file_changed_and_no_keeper_left_the_service_is_started_anew),
          T(with_its_info_file_removed_and_no_keeper_left_the_service_is_started_anew))
