/* The real thing: redis-server (package redis-server) on a free port, shared by 20 processes, the
 * last one killed. */
#include "support/world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

static void ping(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char text[64] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect to redis");
    must(write(fd, "PING\r\n", 6) == 6, "write to redis");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    assert_string_equal(text, "+PONG\r\n");
}

TEST(redis_is_shared_by_20_processes_and_stopped_after_the_last_was_killed) {
    enum { CLIENTS = 20 };
    char settings[1024];
    snprintf(settings, sizeof settings,
             "arg=redis-server arg=--port arg=${PORT} arg=--bind arg=127.0.0.1 arg=--dir arg=%s "
             "arg=--save "
             "arg=%%20 arg=--appendonly arg=no ready=tcp",
             w->dir);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = client_start(w);
        struct reply r = client_open_raw(c, w->name, settings);
        assert_string_equal(r.verb, "ok");
        client_tell(c, "acquire 25000");
    }
    struct reply first = {{0}};
    for (int i = 0; i < CLIENTS; i++) {
        struct reply held = client_held(w->clients[i]);
        first = i == 0 ? held : first;
        assert_int_equal(held.pid, first.pid);
        assert_int_equal(held.port, first.port);
        ping(held.port);
    }
    assert_int_equal(client_count(w->clients[0]), CLIENTS);
    struct watched service = watch(first.pid);
    for (int i = 0; i < CLIENTS; i++) {
        ping(first.port);
        if (i % 2 == 0 && i < CLIENTS - 1) {
            client_release(w->clients[i]);
        } else {
            client_kill(w->clients[i]);
        }
    }
    watched_await_end(&service);
    await_no_trace(w);
    char log[512], text[65536];
    snprintf(log, sizeof log, "%s/%s.log", w->base, w->name);
    file_text(log, text, sizeof text);
    assert_says(text, "Received SIGTERM"); /* asked politely, not killed */
}

static bool redis_installed(void) {
    return system("command -v redis-server > /dev/null") == 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        T(redis_is_shared_by_20_processes_and_stopped_after_the_last_was_killed)};
    if (!redis_installed()) {
        printf("skipped: these tests need redis-server (package redis-server)\n");
        return SKIPPED;
    }
    return test_main(argc, argv, NULL, tests, ARRAY_LEN(tests));
}
