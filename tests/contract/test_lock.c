/* What os/lock.h promises: one thread at a time, and a child that was forked while another held. */
#include "support/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/lock.h"

enum { THREADS = 4, TIMES = 20000 };

static struct pri_lock lock; /* static, so not made yet */
static int taken;            /* guarded by it */
static int held[2], go_on[2];

static void *take_often(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        pri_lock_take(&lock);
        int before = taken;
        if (i % 64 == 0) {
            sched_yield(); /* the others come, and sleep */
        }
        taken = before + 1;
        pri_lock_give(&lock);
    }
    return NULL;
}

static void threads_hold_it_one_at_a_time(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, take_often, NULL) == 0, "pthread_create");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(taken, THREADS * TIMES);
}

static void *hold(void *arg) {
    char byte = 'h';
    (void)arg;
    pri_lock_take(&lock);
    must(write(held[1], &byte, 1) == 1, "write");
    must(read(go_on[0], &byte, 1) == 1, "read");
    pri_lock_give(&lock);
    return NULL;
}

static void a_child_forked_while_another_holds_it_finds_it_free_and_is_told_once(void **state) {
    (void)state;
    pthread_t holder;
    char byte;
    int status = 0;
    must(pipe(held) == 0 && pipe(go_on) == 0, "pipe");
    must(pthread_create(&holder, NULL, hold, NULL) == 0, "pthread_create");
    must(read(held[0], &byte, 1) == 1, "read");
    pid_t child = fork();
    if (child == 0) {
        bool first = pri_lock_take(&lock);
        pri_lock_give(&lock);
        bool again = pri_lock_take(&lock);
        pri_lock_give(&lock);
        _exit(first && !again ? 0 : 1);
    }
    must(child > 0 && waitpid(child, &status, 0) == child, "waitpid");
    must(write(go_on[1], "g", 1) == 1, "write");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(pri_lock_take(&lock)); /* once the holder has given it */
    pri_lock_give(&lock);
    pthread_join(holder, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_hold_it_one_at_a_time),
        cmocka_unit_test(a_child_forked_while_another_holds_it_finds_it_free_and_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
