/* Ports: picked, fixed, lost in a race, taken. */
#include "support/world.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

/* A port that is listened on by this process: *port, or any if that is 0. */
static int occupy(unsigned *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*ret_port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(fd, 4) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    *ret_port = ntohs(address.sin_port);
    return fd;
}

TEST(a_picked_port_is_told_to_every_client) {
    struct client *a = client_start(w), *b = client_start(w);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply first = client_hold(a), second = client_hold(b);
    assert_true(first.port > 0);
    assert_int_equal(first.port, second.port);
    client_answered(b, first.pid);
}

TEST(a_fixed_port_is_used) {
    unsigned port = 0;
    struct client *c = client_start(w);
    char settings[64];
    close(occupy(&port));
    snprintf(settings, sizeof settings, TCP " port=%u", port);
    client_open(c, ON_PORT, settings);
    struct reply held = client_hold(c);
    assert_int_equal(held.port, port);
    client_answered(c, held.pid);
}

TEST(a_fixed_port_that_is_taken_is_an_error_with_the_services_own_words) {
    unsigned port = 0;
    struct client *c = client_start(w);
    char settings[64];
    int taken = occupy(&port);
    snprintf(settings, sizeof settings, TCP " port=%u", port);
    client_open(c, ON_PORT, settings);
    struct reply r = client_ask(c, "acquire 20000");
    close(taken);
    assert_error(&r, "SERVICE_START");
    assert_says(r.message, "98");
    assert_says(r.detail, "Address already in use");
    await_no_trace(w);
}

TEST(a_picked_port_that_somebody_took_meanwhile_is_replaced_by_another) {
    world_set(w, "PROCREF_FAULT=stealport");
    struct client *c = client_start(w);
    struct event failed, started;
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    client_answered(c, held.pid);
    assert_int_equal(events_count(w, "bind-failed"), 1);
    assert_int_equal(events_count(w, "start"), 1);
    assert_true(events_last(w, "bind-failed", &failed) && events_last(w, "start", &started));
    assert_int_equal(started.pid, held.pid);
    assert_int_not_equal(failed.pid, held.pid);
    client_quit(c);
    await_no_trace(w);
}

TEST(a_port_that_was_taken_when_it_is_started_anew_is_replaced_by_another) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    struct watched keeper = watch(look_keeper(w->name)), service = watch((pid_t)held.pid);
    watched_signal(&keeper, SIGSTOP);
    watched_signal(&service, SIGKILL);
    watched_await_end(&service);
    unsigned port = held.port;
    int taken = occupy(&port);
    watched_signal(&keeper, SIGCONT);
    watched_close(&keeper);
    watched_close(&service);
    assert_string_equal(client_ask(c, "gone 20000").verb, "gone");
    struct reply fresh = client_hold(c);
    assert_int_not_equal(fresh.port, held.port);
    client_answered(c, fresh.pid);
    close(taken);
}

TEST(a_service_that_fails_for_another_reason_is_not_started_again_for_its_port) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --fail-after-bind", TCP);
    struct reply r = client_ask(c, "acquire 20000");
    if (strcmp(r.verb, "held") !=
        0) { /* it listened for a moment, so it may have been found ready */
        assert_error(&r, "SERVICE_START");
        /* A connection of the readiness check that it had not accepted may hold the port for a
         * moment: then it looks as if somebody else had taken it, once. */
        assert_in_range(events_count(w, "start"), 1, 2);
    }
}

TEST(many_services_at_once_get_many_ports) {
    enum { MANY = 12 };
    unsigned ports[MANY];
    for (int i = 0; i < MANY; i++) {
        char name[96];
        struct client *c = client_start(w);
        snprintf(name, sizeof name, "%s-%d", w->name, i);
        client_open_named(c, name, ON_PORT, TCP);
        client_tell(c, "acquire 25000");
    }
    for (int i = 0; i < MANY; i++) {
        struct reply held = client_held(w->clients[i]);
        client_answered(w->clients[i], held.pid);
        ports[i] = held.port;
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(ports[i], ports[j]);
        }
    }
}

TEST_MAIN(T(a_picked_port_is_told_to_every_client), T(a_fixed_port_is_used),
          T(a_fixed_port_that_is_taken_is_an_error_with_the_services_own_words),
          T(a_picked_port_that_somebody_took_meanwhile_is_replaced_by_another),
          T(a_port_that_was_taken_when_it_is_started_anew_is_replaced_by_another),
          T(a_service_that_fails_for_another_reason_is_not_started_again_for_its_port),
          T(many_services_at_once_get_many_ports))
