/* A program with the library inside: it finds its keeper in any folder, with nothing installed. */
#include "support/world.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void works(struct client *c) {
    client_open(c, "--port ${PORT}", "ready=tcp");
    struct reply held = client_hold(c);
    client_answered(c, held.pid);
    struct watched service = watch(held.pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(c->world);
}

TEST(a_static_program_works_from_any_folder_with_nothing_installed) {
    assert_int_equal(world_shell(w, "mkdir far; cp %s far/moved", helper_path("client-static")), 0);
    world_set(w, "PATH=/usr/bin:/bin");
    world_set(w, "PROCREF_KEEPER_PATH=/no/such/keeper");
    struct client *c = client_start_as(w, world_path(w, "far/moved"));
    assert_int_equal(world_shell(w, "rm -r far"), 0);
    client_do(c, "chdir /");
    works(c);
}

/* vm.memfd_noexec=2 and sandboxes refuse to execute what is only in memory. */
TEST(when_the_carried_keeper_cannot_be_executed_the_installed_one_runs) {
    char exe[64], program[PATH_MAX];
    pid_t keeper, standby;
    world_set(w, "PROCREF_KEEPER_PATH=" TEST_KEEPER);
    struct client *c = client_start(w);
    client_do(c, "seccomp execveat");
    client_open(c, "--port ${PORT}", "ready=tcp");
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    snprintf(exe, sizeof exe, "/proc/%d/exe", (int)keeper);
    ssize_t length = readlink(exe, program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    assert_string_equal(program, TEST_KEEPER);
    struct watched service = watch(held.pid);
    client_kill(c);
    watched_await_end(&service);
    await_no_trace(w);
}

TEST(when_no_keeper_can_be_executed_the_error_says_where_it_was_looked_for) {
    world_set(w, "PROCREF_KEEPER_PATH=/no/such/keeper");
    struct client *c = client_start(w);
    client_do(c, "seccomp execveat");
    client_open(c, "--port ${PORT}", "ready=tcp");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "PLATFORM");
    assert_says(r.message, "/no/such/keeper");
    await_no_trace(w);
}

TEST(static_and_shared_clients_share_one_service) {
    struct client *a = client_start(w), *b = client_start_as(w, helper_path("client-static"));
    client_open(a, "--port ${PORT}", "ready=tcp");
    client_open(b, "--port ${PORT}", "ready=tcp");
    assert_int_equal(client_hold(a).pid, client_hold(b).pid);
}

TEST(a_program_whose_folder_is_gone_works) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "mkdir gone"), 0);
    client_do(c, "chdir %s/gone", w->dir);
    assert_int_equal(world_shell(w, "rmdir gone"), 0);
    works(c);
}

TEST(an_almost_empty_environment_is_enough) {
    struct client *c = client_start(w);
    static const char *const variables[] = {"HOME", "XDG_RUNTIME_DIR", "TMPDIR", "LANG", "USER",
                                            "PATH"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        client_do(c, "unsetenv %s", variables[i]);
    }
    works(c);
}

TEST_MAIN(T(a_static_program_works_from_any_folder_with_nothing_installed),
          T(when_the_carried_keeper_cannot_be_executed_the_installed_one_runs),
          T(when_no_keeper_can_be_executed_the_error_says_where_it_was_looked_for),
          T(static_and_shared_clients_share_one_service), T(a_program_whose_folder_is_gone_works),
          T(an_almost_empty_environment_is_enough))
