/* procref_process_… where only root can set the scene: another user's processes, a pid that is used
 * again. */
#include "support/world.h"

#include <linux/sched.h>
#include <sys/syscall.h>

enum { STRANGER = 65534, OTHERWISE_MS = 60000, SOON_MS = 15000 };

static struct client *actor(struct world *w) {
    return client_start_as(w, helper_path("processes"));
}

/* clone3(2), set_tid: needs CAP_CHECKPOINT_RESTORE. The pid must be free. */
static pid_t fork_with_pid(struct world *w, pid_t wanted) {
    pid_t wanted_here[1] = {wanted};
    struct clone_args arguments = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)wanted_here, .set_tid_size = 1};
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    if (pid != wanted) {
        fail_msg("pid %d cannot be had: %s", (int)wanted, strerror(errno));
    }
    world_adopt(w, pid);
    return pid;
}

TEST(predecessor_eperm_is_alive_and_cannot_be_ended) {
    struct client *his = actor(w), *ours = client_start(w);
    client_do(his, "setuid %d", STRANGER);
    int pid = (int)ours->program.pid;
    assert_int_equal(client_ask(his, "alive %d", pid).n, 1);
    assert_string_equal(client_ask(his, "terminate %d", pid).code, "PERMISSION");
    assert_string_equal(client_ask(his, "kill %d", pid).code, "PERMISSION");
    struct reply r = client_ask(his, "stop %d %d", pid, OTHERWISE_MS);
    assert_string_equal(r.code, "PERMISSION");
    assert_true(r.ms < SOON_MS);
    /* kill(2): SIGCONT is free within a session. What may not be asked to end is not woken either.
     */
    must(kill(pid, SIGSTOP) == 0, "kill");
    struct process_seen seen;
    AWAIT(look_process(pid, &seen) && seen.state == 'T');
    assert_string_equal(client_ask(his, "terminate %d", pid).code, "PERMISSION");
    assert_true(look_process(pid, &seen) && seen.state == 'T');
    must(kill(pid, SIGCONT) == 0, "kill");
}

TEST(an_ordinary_user_ends_his_own_processes) {
    struct client *his = actor(w);
    client_do(his, "setuid %d", STRANGER);
    struct reply r = client_ask(his, "child ignores");
    assert_string_equal(client_ask(his, "stop %d 20", (int)r.pid).code, "OK");
    assert_int_equal(client_ask(his, "reap %d", (int)r.pid).n, r.pid);
    assert_int_equal(client_ask(his, "alive %d", (int)r.pid).n, 0);
}

TEST(predecessor_a_recycled_pid_is_not_killed) {
    struct client *c = actor(w);
    struct program t;
    const char *const argv[] = {helper_path("target"), "tells", NULL};
    program_start(&t, argv, NULL);
    program_read(&t);
    struct process_seen seen;
    client_tell(c, "stop %d 200", (int)t.pid);
    assert_string_equal(program_read(&t), "term");
    AWAIT(look_process(c->program.pid, &seen) && seen.state == 'S');
    /* While the one who stops it cannot look, it ends, and its pid is another's at once. */
    program_signal(&c->program, SIGSTOP);
    AWAIT(look_process(c->program.pid, &seen) && seen.state == 'T');
    program_kill(&t);
    pid_t next = fork_with_pid(w, t.pid);
    int64_t later = now_ms() + 250; /* the time is over: now it would kill */
    AWAIT(now_ms() >= later);
    program_signal(&c->program, SIGCONT);
    assert_string_equal(client_reply(c).code, "OK");
    assert_int_equal(waitpid(next, NULL, WNOHANG), 0);
    assert_int_equal(client_ask(c, "alive %d", (int)next).n, 1);
    kill(next, SIGKILL);
    waitpid(next, NULL, 0);
    program_close(&t);
}

TEST_MAIN_AS_ROOT(T(predecessor_eperm_is_alive_and_cannot_be_ended),
                  T(an_ordinary_user_ends_his_own_processes),
                  T(predecessor_a_recycled_pid_is_not_killed))
