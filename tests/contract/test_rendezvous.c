/* What os/rendezvous.h promises: one taker of a name, verified packets, an end of file at every
 * death. */
#include "support/check.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/folder.h"
#include "os/rendezvous.h"

enum { LONG_MS = 20000 };

static struct pri_ident ident;
static procref_waitable listener = -1;

static int set_up(void **state) {
    static int number;
    char name[64];
    int os;
    const char *op;
    uint32_t owner;
    (void)state;
    snprintf(name, sizeof name, "%s.contract.%d.%d", TEST_RUN, (int)getpid(), ++number);
    pri_ident_make(&ident, pri_own_user(), "", name);
    return pri_rendezvous_bind(&ident, &listener, &os, &op, &owner);
}

static int tear_down(void **state) {
    (void)state;
    pri_link_close(listener);
    listener = -1;
    return 0;
}

static void connect_both(procref_waitable *ret_client, procref_waitable *ret_keeper) {
    assert_int_equal(pri_rendezvous_connect(&ident, pri_deadline(LONG_MS), ret_client, NULL), 0);
    assert_int_equal(pri_rendezvous_accept(listener, ret_keeper), 0);
}

static void a_name_that_nobody_took_is_not_found(void **state) {
    procref_waitable link;
    tear_down(state);
    assert_int_equal(pri_rendezvous_connect(&ident, pri_deadline(LONG_MS), &link, NULL),
                     PROCREF_E_NOT_FOUND);
}

static void a_name_is_taken_by_one_and_free_after_its_end(void **state) {
    procref_waitable second;
    int os;
    const char *op;
    uint32_t owner;
    assert_int_equal(pri_rendezvous_bind(&ident, &second, &os, &op, &owner), PROCREF_E_CONFLICT);
    tear_down(state);
    assert_int_equal(pri_rendezvous_bind(&ident, &listener, &os, &op, &owner), 0);
}

static void a_killed_holder_frees_the_name(void **state) {
    procref_waitable second, probe;
    int os, ready[2];
    const char *op;
    uint32_t owner;
    char byte;
    tear_down(state);
    must(pipe(ready) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        byte = pri_rendezvous_bind(&ident, &second, &os, &op, &owner) == 0;
        ssize_t n = write(ready[1], &byte, 1);
        (void)n;
        for (;;) {
            pause();
        }
    }
    must(read(ready[0], &byte, 1) == 1, "read");
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(byte, 1);
    assert_int_equal(pri_rendezvous_connect(&ident, pri_deadline(LONG_MS), &probe, NULL), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    pri_link_close(probe);
    assert_int_equal(pri_rendezvous_bind(&ident, &listener, &os, &op, &owner), 0);
}

static void packets_carry_their_sender_and_a_page(void **state) {
    procref_waitable client, keeper, page;
    uint32_t pid;
    char text[64];
    (void)state;
    connect_both(&client, &keeper);
    assert_int_equal(pri_link_receive(keeper, text, sizeof text, &pid, &page), PROCREF_E_AGAIN);
    assert_int_equal(pri_link_send(client, "hello", 6, -1), 0);
    assert_true(pri_link_wait(keeper, pri_deadline(LONG_MS)));
    assert_int_equal(pri_link_receive(keeper, text, sizeof text, &pid, &page), 6);
    assert_string_equal(text, "hello");
    assert_int_equal(pid, getpid());
    assert_int_equal(page, -1);
    int memory = memfd_create("page", MFD_CLOEXEC);
    must(memory >= 0 && write(memory, "page", 4) == 4, "memfd_create");
    assert_int_equal(pri_link_send(keeper, "here", 5, memory), 0);
    assert_true(pri_link_wait(client, pri_deadline(LONG_MS)));
    assert_int_equal(pri_link_receive(client, text, sizeof text, &pid, &page), 5);
    assert_true(page >= 0);
    assert_int_equal(pread(page, text, 4, 0), 4);
    assert_memory_equal(text, "page", 4);
    close(memory);
    pri_link_close(page);
    pri_link_close(client);
    pri_link_close(keeper);
}

static void each_packet_is_received_as_one(void **state) {
    procref_waitable client, keeper, page;
    uint32_t pid;
    char text[64];
    (void)state;
    connect_both(&client, &keeper);
    assert_int_equal(pri_link_send(client, "one", 3, -1), 0);
    assert_int_equal(pri_link_send(client, "three", 5, -1), 0);
    assert_int_equal(pri_link_receive(keeper, text, sizeof text, &pid, &page), 3);
    assert_int_equal(pri_link_receive(keeper, text, sizeof text, &pid, &page), 5);
    pri_link_close(client);
    pri_link_close(keeper);
}

static void the_end_of_one_side_is_an_end_of_file_for_the_other(void **state) {
    procref_waitable client, keeper, page;
    uint32_t pid;
    char text[8];
    (void)state;
    connect_both(&client, &keeper);
    pri_link_close(client);
    assert_true(pri_link_wait(keeper, pri_deadline(LONG_MS)));
    assert_int_equal(pri_link_receive(keeper, text, sizeof text, &pid, &page), 0);
    pri_link_close(keeper);
    connect_both(&client, &keeper);
    pri_link_close(keeper);
    assert_true(pri_link_wait(client, pri_deadline(LONG_MS)));
    assert_int_equal(pri_link_receive(client, text, sizeof text, &pid, &page), 0);
    assert_true(pri_link_send(client, "x", 1, -1) < 0); /* and no SIGPIPE */
    pri_link_close(client);
}

static void who_waits_in_the_queue_of_a_dead_listener_is_told(void **state) {
    procref_waitable client, page;
    uint32_t pid;
    char text[8];
    assert_int_equal(pri_rendezvous_connect(&ident, pri_deadline(LONG_MS), &client, NULL), 0);
    assert_int_equal(pri_link_send(client, "x", 1, -1), 0);
    tear_down(state);
    assert_true(pri_link_wait(client, pri_deadline(LONG_MS)));
    assert_int_equal(pri_link_receive(client, text, sizeof text, &pid, &page), 0);
    pri_link_close(client);
}

static void a_wait_ends_at_its_deadline(void **state) {
    procref_waitable client, keeper;
    (void)state;
    connect_both(&client, &keeper);
    int64_t began = pri_clock_ns();
    assert_false(pri_link_wait(client, pri_deadline(50)));
    assert_true(pri_clock_ns() - began >= 50 * PRI_MS);
    pri_link_close(client);
    pri_link_close(keeper);
}

static void no_client_is_no_connection(void **state) {
    procref_waitable keeper;
    (void)state;
    assert_int_equal(pri_rendezvous_accept(listener, &keeper), PROCREF_E_AGAIN);
}

static void a_spawner_is_connected_to_its_own_listener_from_birth(void **state) {
    procref_waitable client, keeper;
    (void)state;
    assert_int_equal(pri_rendezvous_socket(&client, NULL), 0);
    assert_int_equal(pri_rendezvous_join(client, listener), 0);
    assert_int_equal(pri_rendezvous_accept(listener, &keeper), 0);
    assert_int_equal(pri_link_send(client, "x", 1, -1), 0);
    pri_link_close(client);
    pri_link_close(keeper);
}

static void a_full_queue_is_no_answer_and_keeps_the_name(void **state) {
    enum { QUEUE_MOST = 8192 };
    procref_waitable link, second;
    int os, code = 0;
    const char *op;
    uint32_t owner;
    (void)state;
    for (int came = 0; code == 0 && came < QUEUE_MOST; came++) { /* who went keeps a place */
        code = pri_rendezvous_connect(&ident, pri_clock_ns(), &link, NULL);
        if (code == 0) {
            pri_link_close(link);
        }
    }
    assert_int_equal(code, PROCREF_E_AGAIN);
    int64_t began = pri_clock_ns();
    assert_int_equal(pri_rendezvous_connect(&ident, pri_deadline(200), &link, NULL),
                     PROCREF_E_AGAIN);
    assert_true(pri_clock_ns() - began >= 200 * PRI_MS);
    assert_int_equal(pri_rendezvous_bind(&ident, &second, &os, &op, &owner), PROCREF_E_CONFLICT);
    /* Whose it is cannot be asked: so it may be ours. */
    struct rlimit before, none_but_one = {0};
    int next = dup(STDIN_FILENO);
    must(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0, "getrlimit");
    none_but_one.rlim_cur = (rlim_t)next + 1;
    none_but_one.rlim_max = before.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &none_but_one) == 0, "setrlimit");
    code = pri_rendezvous_connect(&ident, pri_clock_ns(), &link, NULL);
    must(setrlimit(RLIMIT_NOFILE, &before) == 0, "setrlimit");
    assert_int_equal(code, PROCREF_E_AGAIN);
}

#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        C(a_name_that_nobody_took_is_not_found),
        C(a_name_is_taken_by_one_and_free_after_its_end),
        C(a_killed_holder_frees_the_name),
        C(packets_carry_their_sender_and_a_page),
        C(each_packet_is_received_as_one),
        C(the_end_of_one_side_is_an_end_of_file_for_the_other),
        C(who_waits_in_the_queue_of_a_dead_listener_is_told),
        C(a_wait_ends_at_its_deadline),
        C(no_client_is_no_connection),
        C(a_full_queue_is_no_answer_and_keeps_the_name),
        C(a_spawner_is_connected_to_its_own_listener_from_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
