/* What a fork and an exec mean for references, handles and descriptors. */
#include "support/world.h"

#include <dirent.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

TEST(a_forked_child_may_acquire_a_reference_of_its_own) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    struct reply child = client_ask(c, "fork_acquire 20000");
    assert_string_equal(child.code, "OK");
    assert_int_equal(child.generation, held.generation);
    assert_int_equal(client_count(c), 1); /* it gave back its own, not ours */
    client_answered(c, held.pid);
}

TEST(a_forked_child_of_a_process_that_holds_nothing_starts_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    assert_string_equal(client_ask(c, "fork_acquire 20000").code, "OK");
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
}

TEST(refused_releases_of_children_leave_the_parents_reference_untouched) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_hold(c);
    for (int i = 0; i < 20; i++) {
        assert_string_equal(client_ask(c, "fork").code, "FORKED");
    }
    assert_int_equal(client_count(c), 1);
    client_answered(c, held.pid);
    client_release(c);
    client_answered(c, held.pid);
    struct watched service = watch(held.pid);
    client_release(c);
    watched_await_end(&service);
}

TEST(a_child_forked_while_its_parent_waits_does_not_hold_the_connection_open) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    world_adopt(w, client_ask(c, "fork_keep").pid);
    client_release(c);
    struct watched service = watch(held.pid);
    watched_await_end(&service); /* the child's copies do not keep the service */
    client_hold(other);
}

static int descriptors_of(pid_t pid) {
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count - 2;
}

TEST(no_descriptor_of_procref_survives_exec_or_is_inherited_by_a_command) {
    struct client *c = client_start(w), *plain = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    assert_string_equal(client_ask(c, "gone 0").verb, "still"); /* makes a descriptor */
    pid_t child = client_ask(c, "spawn sleep 1000").pid;
    pid_t reference = client_ask(plain, "spawn sleep 1000").pid;
    world_adopt(w, child);
    world_adopt(w, reference);
    char line[64];
    AWAIT((look_command_line(child, line, sizeof line), strncmp(line, "sleep", 5) == 0));
    AWAIT((look_command_line(reference, line, sizeof line), strncmp(line, "sleep", 5) == 0));
    /* A program that starts has its libraries open for a moment. */
    AWAIT(descriptors_of(child) == descriptors_of(reference));
}

TEST(a_command_started_by_a_client_does_not_keep_the_service) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct watched service = watch(client_hold(c).pid);
    world_adopt(w, client_ask(c, "spawn sleep 1000").pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(a_program_that_replaced_the_client_keeps_the_service_until_it_ends) {
    struct client *c = client_start(w), *looks = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_open(looks, ON_PORT, TCP);
    struct reply held = client_hold(c);
    struct watched service = watch(held.pid);
    client_tell(c, "exec sleep 1000");
    char line[64];
    AWAIT((look_command_line(c->program.pid, line, sizeof line), strncmp(line, "sleep", 5) == 0));
    assert_int_equal(client_count(looks), 1);
    assert_false(watched_ended(&service));
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(after_exec_the_same_process_may_hold_again_beside_what_it_kept) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_tell(c, "exec");
    assert_string_equal(client_reply(c).verb, "ready");
    client_open(c, ON_PORT, TCP);
    assert_int_equal(client_hold(c).pid, held.pid);
    client_release(c); /* what exec left is given back by the exit only */
    client_hold(c);
    client_answered(c, held.pid);
    client_release(c);
    struct watched service = watch(held.pid);
    assert_false(watched_ends_within(&service, 50));
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

/* The second then runs on, in memory that must still be there. */
TEST(the_first_child_of_a_spawn_may_be_killed_under_the_second) {
    world_set(w, "PROCREF_FAULT=orphan");
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    client_answered(c, client_hold(c).pid);
    assert_int_equal(world_shell(w, "test $(grep -c 'spawn: ' trace) -eq 1"), 0);
    client_quit(c);
    await_no_trace(w);
}

TEST_MAIN(T(a_forked_child_may_acquire_a_reference_of_its_own),
          T(a_forked_child_of_a_process_that_holds_nothing_starts_the_service),
          T(refused_releases_of_children_leave_the_parents_reference_untouched),
          T(a_child_forked_while_its_parent_waits_does_not_hold_the_connection_open),
          T(no_descriptor_of_procref_survives_exec_or_is_inherited_by_a_command),
          T(a_command_started_by_a_client_does_not_keep_the_service),
          T(a_program_that_replaced_the_client_keeps_the_service_until_it_ends),
          T(after_exec_the_same_process_may_hold_again_beside_what_it_kept),
          T(the_first_child_of_a_spawn_may_be_killed_under_the_second))
