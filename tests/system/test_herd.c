/* A herd: 300 real processes at once. */
#include "support/world.h"

enum { HERD = 300 };

TEST(a_herd_of_300_gets_one_start) {
    for (int i = 0; i < HERD; i++) {
        client_open(client_start(w), "--port ${PORT} --start-delay-ms 50", "ready=tcp");
    }
    for (int i = 0; i < HERD; i++) {
        client_tell(w->clients[i], "acquire 60000");
    }
    pid_t pid = 0;
    for (int i = 0; i < HERD; i++) {
        struct reply held = client_held(w->clients[i]);
        assert_true(pid == 0 || pid == held.pid);
        pid = held.pid;
    }
    assert_int_equal(events_count(w, "start"), 1);
    assert_int_equal(client_count(w->clients[0]), HERD);
    for (int i = 0; i < HERD; i += 50) {
        client_answered(w->clients[i], pid);
    }
    struct watched service = watch(pid);
    for (int i = 0; i < HERD; i++) { /* some leave politely, the last ones by force */
        if (i < HERD / 2) {
            client_release(w->clients[i]);
        } else {
            client_kill(w->clients[i]);
        }
    }
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), 1);
    assert_int_equal(events_count(w, "stop-signal"), 1);
}

TEST(a_herd_that_comes_and_goes_meets_one_service_at_a_time) {
    enum { SMALL = 40, ROUNDS = 5 };
    for (int i = 0; i < SMALL; i++) {
        client_open(client_start(w), "--port ${PORT}", "ready=tcp");
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SMALL; i++) {
            client_tell(w->clients[i], "acquire 60000");
        }
        for (int i = 0; i < SMALL; i++) {
            client_held(w->clients[i]);
            client_release(w->clients[i]);
        }
    }
    await_no_trace(w);
    assert_int_equal(events_count(w, "start"), events_count(w, "stop-signal"));
}

TEST_MAIN(T(a_herd_of_300_gets_one_start),
          T(a_herd_that_comes_and_goes_meets_one_service_at_a_time))
