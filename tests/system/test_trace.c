/* PROCREF_TRACE: one line each, with time and pid, of client, keeper and standby; and nothing when
 * it is off. */
#include "support/world.h"

TEST(the_trace_tells_the_life_of_a_reference_with_time_and_pid) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    char text[65536], pid[32];
    client_open(c, "--port ${PORT}", "ready=tcp");
    client_hold(c);
    await_pair(w->name, &keeper, &standby);
    client_quit(c);
    await_no_trace(w);
    file_text(w->trace, text, sizeof text);
    static const char *const rows[] = {"begin", "publish", "attach", "detach", "drain", "retire"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_says(text, rows[i]);
    }
    const pid_t pids[] = {c->program.pid, keeper};
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        snprintf(pid, sizeof pid, " %d ", (int)pids[i]);
        assert_says(text, pid);
    }
    assert_says(text, " client ");
    assert_says(text, " keeper ");
    assert_says(text, " standby ");
    double last = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        double time;
        unsigned number;
        assert_int_equal(sscanf(line, "%lf %u", &time, &number), 2);
        assert_true(time >
                    last - 5); /* of one clock; two processes may write a moment out of order */
        last = time;
    }
}

TEST(without_the_variable_nothing_is_written) {
    unsetenv("PROCREF_TRACE");
    struct client *c = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp");
    struct watched service = watch(client_hold(c).pid);
    client_quit(c);
    watched_await_end(&service);
    await_no_trace(w);
    assert_int_not_equal(access(w->trace, F_OK), 0);
}

TEST(a_trace_that_cannot_be_written_disturbs_nobody) {
    world_set(w, "PROCREF_TRACE=/no/such/folder/trace");
    struct client *c = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp");
    client_answered(c, client_hold(c).pid);
}

TEST_MAIN(T(the_trace_tells_the_life_of_a_reference_with_time_and_pid),
          T(without_the_variable_nothing_is_written),
          T(a_trace_that_cannot_be_written_disturbs_nobody))
