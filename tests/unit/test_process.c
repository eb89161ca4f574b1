/* os/process.h on real processes: identity, life, signals, watching. */
#include "unit/family.h"

#include <sys/resource.h>

#include "os/process.h"

static pid_t fork_zombie(void) {
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    must(pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
    return pid;
}

static void this_process_is_alive_and_has_an_identity(void **state) {
    (void)state;
    struct pri_process self = pri_process_self(), again;
    assert_int_equal(self.pid, getpid());
    assert_true(self.start > 0);
    assert_true(pri_process_alive(&self));
    assert_true(pri_process_identify(self.pid, &again));
    assert_true(again.pid == self.pid && again.start == self.start);
}

static void no_process_is_dead(void **state) {
    (void)state;
    struct pri_process none = {0}, untouched = {.pid = 7, .start = 8};
    assert_false(pri_process_alive(&none));
    assert_false(pri_process_signal(&none, 0));
    assert_false(pri_process_identify(0, &untouched));
    assert_false(pri_process_identify(UINT32_MAX, &untouched));
    assert_true(untouched.pid == 7 && untouched.start == 8);
    int fd = pri_process_watch(&none);
    assert_true(readable_within(fd, 0));
    close(fd);
}

static void a_zombie_and_a_reaped_process_are_dead(void **state) {
    (void)state;
    struct family f;
    struct pri_process process, other;
    family_start(&f, "chain", "0", NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    assert_true(pri_process_signal(&process, SIGKILL));
    siginfo_t info;
    must(waitid(P_PID, (id_t)f.pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
    for (int reaped = 0; reaped < 2; reaped++) {
        assert_false(pri_process_identify(process.pid, &other));
        assert_false(pri_process_alive(&process));
        assert_false(pri_process_signal(&process, SIGTERM));
        int fd = pri_process_watch(&process);
        assert_true(readable_within(fd, 0));
        close(fd);
        if (!reaped) {
            family_end(&f);
        }
    }
    pid_t zombie = fork_zombie();
    assert_false(pri_process_identify((uint32_t)zombie, &other));
    family_reap(zombie);
}

static void the_next_owner_of_a_pid_is_another_process(void **state) {
    (void)state;
    struct family f;
    struct pri_process process;
    family_start(&f, "chain", "0", NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    struct pri_process before = {.pid = process.pid, .start = process.start - 1};
    assert_false(pri_process_alive(&before));
    assert_false(pri_process_signal(&before, SIGKILL));
    int fd = pri_process_watch(&before);
    assert_true(readable_within(fd, 0));
    close(fd);
    assert_true(pri_process_alive(&process));
    family_end(&f);
}

static void the_end_of_a_process_makes_its_watch_readable(void **state) {
    (void)state;
    struct family f;
    struct pri_process process;
    family_start(&f, "chain", "0", NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    int fd = pri_process_watch(&process);
    assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_false(readable_within(fd, 0));
    assert_true(pri_process_signal(&process, SIGTERM));
    assert_true(readable_within(fd, FAMILY_PATIENCE_MS));
    int status = family_reap(f.pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(readable_within(fd, 0));
    close(fd);
    family_end(&f);
}

static void a_stopped_process_is_alive(void **state) {
    (void)state;
    struct family f;
    struct pri_process process;
    family_start(&f, "chain", "0", NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    assert_true(pri_process_signal(&process, SIGSTOP));
    must(waitpid(f.pid, NULL, WUNTRACED) == f.pid, "waitpid");
    assert_true(pri_process_alive(&process));
    assert_true(pri_process_signal(&process, SIGCONT));
    family_end(&f);
}

static void a_process_lives_as_long_as_any_thread_of_it(void **state) {
    (void)state;
    struct family f;
    struct pri_process process;
    family_start(&f, "leaderless", NULL, NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    int fd = pri_process_watch(&process);
    assert_true(pri_process_alive(&process));
    assert_false(readable_within(fd, 0));
    assert_true(pri_process_signal(&process, SIGKILL));
    assert_true(readable_within(fd, FAMILY_PATIENCE_MS));
    close(fd);
    family_end(&f);
}

static void a_name_with_parentheses_does_not_confuse(void **state) {
    (void)state;
    struct family f;
    struct pri_process process;
    family_start(&f, "parentheses", NULL, NULL, NULL);
    family_says(&f);
    assert_true(pri_process_identify((uint32_t)f.pid, &process));
    assert_true(process.start >= pri_process_self().start);
    assert_true(pri_process_alive(&process));
    family_end(&f);
}

static void without_descriptors_a_living_process_cannot_be_watched(void **state) {
    (void)state;
    struct pri_process self = pri_process_self();
    struct rlimit before, none;
    must(getrlimit(RLIMIT_NOFILE, &before) == 0, "getrlimit");
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    must(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
    int watch = pri_process_watch(&self);
    must(setrlimit(RLIMIT_NOFILE, &before) == 0, "setrlimit");
    assert_int_equal(watch, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_is_alive_and_has_an_identity),
        cmocka_unit_test(no_process_is_dead),
        cmocka_unit_test(a_zombie_and_a_reaped_process_are_dead),
        cmocka_unit_test(the_next_owner_of_a_pid_is_another_process),
        cmocka_unit_test(the_end_of_a_process_makes_its_watch_readable),
        cmocka_unit_test(a_stopped_process_is_alive),
        cmocka_unit_test(a_process_lives_as_long_as_any_thread_of_it),
        cmocka_unit_test(a_name_with_parentheses_does_not_confuse),
        cmocka_unit_test(without_descriptors_a_living_process_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
