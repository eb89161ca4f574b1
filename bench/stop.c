/*
 * How long after SIGKILL of its last client does the service get its stop signal? The service
 * itself notes the time when sigwaitinfo(2) returns. The clock starts just before kill(2).
 */
#include "bench.h"

#include <signal.h>

enum { ROUNDS = 301 };

static void hold(int line, void *data) {
    (void)must_acquire(must_open(data));
    tell(line, 'h');
    (void)hear(line);
}

void bench_stop(void) {
    static double ms[ROUNDS];
    struct world world;
    world_begin(&world, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        struct tiding tiding;
        struct child client = child_start(hold, &world);
        if (child_hear(&client) != 'h' || !world_hear(&world, &tiding, 5000) ||
            tiding.what != 'b') {
            die("the service does not start");
        }
        int64_t killed = now_ns();
        kill(client.pid, SIGKILL);
        if (!world_hear(&world, &tiding, 5000) || tiding.what != 's') {
            die("the service is not told to stop");
        }
        ms[round] = (double)(tiding.when_ns - killed) / 1e6;
        child_end(&client);
    }
    report_quantile("SIGKILL of the last client to the stop signal, p50", "ms", ms, ROUNDS, 0.50,
                    1.0, "301 rounds, each with a service of its own; a small client");
    report_quantile("SIGKILL of the last client to the stop signal, p99", "ms", ms, ROUNDS, 0.99,
                    10.0, "the same rounds");
    world_end(&world);
}
