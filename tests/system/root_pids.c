/* A pid that is used again, for real: root can choose the next one (/proc/sys/kernel/ns_last_pid).
 */
#include "support/world.h"

#include <fcntl.h>
#include <spawn.h>

extern char **environ;

/* A process of ours with exactly this pid; fails the test when it cannot be had. */
static pid_t spawn_with_pid(struct world *w, pid_t wanted) {
    static char sleep_[] = "sleep", time_[] = "1000";
    char *argv[] = {sleep_, time_, NULL};
    /* A start time is known to a clock tick of 10 ms (proc_pid_stat(5)). No machine uses all pids up within one; here we
     * choose the pid, so the tick must be another one. */
    int64_t later = now_ms() + 30;
    AWAIT(now_ms() >= later);
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until;) {
        char text[32];
        pid_t pid = 0;
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        must(fd >= 0, "open ns_last_pid");
        int length = snprintf(text, sizeof text, "%d", (int)wanted - 1);
        must(write(fd, text, (size_t)length) == length, "write ns_last_pid");
        close(fd);
        must(posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ) == 0, "posix_spawnp");
        if (pid == wanted) {
            world_adopt(w, pid);
            return pid;
        }
        kill(pid,
             SIGKILL); /* another process was faster: our own child, not reaped, so this is it */
        waitpid(pid, NULL, 0);
    }
    fail_msg("pid %d cannot be had", (int)wanted);
    return 0;
}

static bool lives(pid_t pid) {
    return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

TEST(promise_6_a_recycled_pid_is_never_taken_for_the_service_or_signalled) {
    struct client *c = client_start(w), *next = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp");
    client_open(next, "--port ${PORT}", "ready=tcp");
    struct reply held = client_hold(c);
    struct watched service = watch(held.pid);
    kill_pair(w->name); /* nobody watches the service any more; only the hint names it */
    watched_signal(&service, SIGKILL);
    watched_await_end(&service);
    struct process_seen seen;
    AWAIT(!look_process(held.pid, &seen));
    pid_t stranger = spawn_with_pid(w, held.pid);
    assert_string_equal(client_ask(c, "gone 0").verb, "gone");
    struct reply fresh = client_hold(next);
    assert_int_not_equal(fresh.pid, stranger);
    client_answered(next, fresh.pid);
    assert_true(lives(stranger));
    client_kill(c);
    client_quit(next);
    await_no_trace(w);
    assert_true(lives(stranger));
    end(stranger);
}

TEST(promise_6_a_handle_does_not_take_a_recycled_pid_for_its_service) {
    struct client *c = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp restart=never");
    struct reply held = client_hold(c);
    kill_and_await(held.pid);
    struct process_seen seen;
    AWAIT(!look_process(held.pid, &seen));
    pid_t stranger = spawn_with_pid(w, held.pid);
    assert_string_equal(client_ask(c, "gone 0").verb, "gone");
    client_tell(c, "info");
    assert_says(program_read(&c->program), "alive=0");
    client_quit(c);
    await_no_trace(w);
    assert_true(lives(stranger));
    end(stranger);
}

TEST(promise_6_a_recycled_pid_of_a_client_does_not_hold_the_service) {
    struct client *c = client_start(w), *other = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp");
    client_open(other, "--port ${PORT}", "ready=tcp");
    struct reply held = client_hold(c);
    client_hold(other);
    pid_t pid = c->program.pid;
    client_kill(c);
    pid_t stranger = spawn_with_pid(w, pid);
    assert_int_equal(client_count(other), 1);
    struct watched service = watch(held.pid);
    client_kill(other);
    watched_await_end(&service);
    await_no_trace(w);
    assert_true(lives(stranger));
    end(stranger);
}

TEST_MAIN_AS_ROOT(T(promise_6_a_recycled_pid_is_never_taken_for_the_service_or_signalled),
                  T(promise_6_a_handle_does_not_take_a_recycled_pid_for_its_service),
                  T(promise_6_a_recycled_pid_of_a_client_does_not_hold_the_service))
