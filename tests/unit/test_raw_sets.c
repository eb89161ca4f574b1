/* What makers of raw counters leave behind on Linux, on any of a name's keys, and what the next one
 * makes of it; and what the kernel's limits are called. */
#include "support/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/folder.h"
#include "os/linux/sets.h"
#include "os/raw.h"

enum { RAW_REGISTERS = 9, SERVICE_REGISTERS = 10, RAW_PHASE = 7 };

static struct pri_ident ident;

static int set_up(void **state) {
    static int number;
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "test.sets.%d.%d", (int)getpid(), ++number);
    pri_raw_ident(&ident, pri_own_user(), name);
    return 0;
}

static bool exists(int id) {
    return semctl(id, 0, GETVAL) >= 0;
}

static int tear_down(void **state) {
    int left = 0;
    (void)state;
    for (int probe = 0; probe < PRI_PROBES; probe++) {
        int id = semget(pri_set_key(&ident, probe), 0, 0);
        if (id >= 0) {
            semctl(id, 0, IPC_RMID);
            left++;
        }
    }
    return left == 0 ? 0 : -1;
}

static int make_set(int probe, int registers) {
    int id = semget(pri_set_key(&ident, probe), registers, IPC_CREAT | IPC_EXCL | 0600);
    must(id >= 0, "semget");
    return id;
}

static void does(int id, enum pri_raw_transition row) {
    struct pri_raw raw = {.id = id};
    assert_int_equal(pri_raw_step(&raw, &ident, row), PRI_OK);
}

static int claimed(int probe) {
    int id = make_set(probe, RAW_REGISTERS);
    does(id, PRI_RAW_OPEN);
    return id;
}

static int live(int probe) {
    int id = claimed(probe);
    does(id, PRI_RAW_CONFIRM);
    return id;
}

static int dead(int probe) {
    int id = live(probe);
    does(id, PRI_RAW_RETIRE);
    return id;
}

static int foreign(int probe) {
    int id = make_set(probe, RAW_REGISTERS);
    struct sembuf any = {0, 1, 0};
    must(semop(id, &any, 1) == 0, "semop");
    return id;
}

static int make(void) {
    struct pri_raw raw;
    assert_int_equal(pri_raw_make(&ident, &raw, NULL), 0);
    assert_int_equal(pri_raw_count(&raw, &ident), 0);
    return raw.id;
}

static void retires(int id) {
    struct pri_raw raw = {.id = id};
    assert_int_equal(pri_raw_retire(&raw, &ident), PRI_OK);
    assert_false(exists(id));
}

static void removes(int id) {
    must(semctl(id, 0, IPC_RMID) == 0, "IPC_RMID");
}

static void an_unopened_set_is_opened(void **state) {
    (void)state;
    int id = make_set(3, RAW_REGISTERS);
    assert_int_equal(make(), id);
    retires(id);
}

static void an_unopened_set_of_a_service_is_not(void **state) {
    (void)state;
    int id = make_set(0, SERVICE_REGISTERS);
    int other = make();
    assert_int_not_equal(other, id);
    assert_true(exists(id));
    retires(other);
    removes(id);
}

static void a_claimed_set_is_confirmed_by_whoever_comes(void **state) {
    (void)state;
    int id = claimed(2);
    assert_int_equal(make(), id);
    retires(id);
}

static void of_two_claimed_sets_the_lower_key_wins(void **state) {
    (void)state;
    int high = claimed(5), low = claimed(1), higher = claimed(7);
    assert_int_equal(make(), low);
    assert_false(exists(high));
    assert_false(exists(higher));
    retires(low);
}

static void a_live_set_wins_over_claimed_ones_on_any_key(void **state) {
    (void)state;
    int low = claimed(0), id = live(4), high = claimed(6);
    assert_int_equal(make(), id);
    assert_false(exists(low));
    assert_false(exists(high));
    retires(id);
}

static void a_dead_set_is_removed_and_not_used(void **state) {
    (void)state;
    int id = dead(0);
    int next = make();
    assert_int_not_equal(next, id);
    assert_false(exists(id));
    retires(next);
}

static void a_retired_set_cannot_be_confirmed_nor_used(void **state) {
    (void)state;
    struct pri_raw raw = {.id = claimed(0)};
    does(raw.id, PRI_RAW_RETIRE);
    assert_int_equal(pri_raw_step(&raw, &ident, PRI_RAW_CONFIRM), PRI_NO);
    assert_int_equal(pri_raw_step(&raw, &ident, PRI_RAW_FIRST), PRI_NO);
    assert_int_equal(pri_raw_step(&raw, &ident, PRI_RAW_TAKE_LOCK), PRI_NO);
    retires(raw.id);
}

static void a_claimed_set_cannot_be_used(void **state) {
    (void)state;
    struct pri_raw raw = {.id = claimed(0)}, found;
    assert_int_equal(pri_raw_step(&raw, &ident, PRI_RAW_FIRST), PRI_NO);
    assert_int_equal(pri_raw_step(&raw, &ident, PRI_RAW_TAKE_LOCK), PRI_NO);
    assert_int_equal(pri_raw_find(&ident, &found, NULL), PROCREF_E_NOT_FOUND);
    retires(raw.id);
}

/* One who takes this step and ends. */
static void another_does(int id, enum pri_raw_transition row) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct pri_raw raw = {.id = id};
        _exit(pri_raw_step(&raw, &ident, row) == PRI_OK ? 0 : 1);
    }
    must(waitpid(pid, &status, 0) == pid && status == 0, "a step of another");
}

static void sweeping_leaves_what_the_living_make_and_strangers(void **state) {
    (void)state;
    int id = claimed(1), other = foreign(2), gone = dead(3), idle = live(4);
    another_does(id, PRI_RAW_TRY_UNDO); /* its maker's child */
    pri_raw_sweep(&ident);
    assert_true(exists(id) && exists(other));
    assert_false(exists(gone) || exists(idle));
    removes(id);
    removes(other);
}

static void sweeping_removes_what_the_dead_began(void **state) {
    (void)state;
    int unopened = make_set(0, RAW_REGISTERS), id = make_set(1, RAW_REGISTERS);
    another_does(id, PRI_RAW_OPEN);
    pri_raw_sweep(&ident);
    assert_false(exists(unopened) || exists(id));
}

static void modes_and_sizes_of_others_are_foreign(void **state) {
    (void)state;
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
    } argument = {.buf = &status};
    int id = live(0);
    must(semctl(id, 0, IPC_STAT, argument) == 0, "IPC_STAT");
    status.sem_perm.mode = 0666;
    must(semctl(id, 0, IPC_SET, argument) == 0, "IPC_SET");
    int next = make();
    assert_int_not_equal(next, id);
    retires(next);
    removes(id);
}

static void a_limit_is_named(int os, const char *name, int get) {
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_raw raw = {.id = -1, .os = os};
    int code = get ? pri_set_explain_get(os, "many", &error)
                   : pri_raw_explain(&raw, pri_set_outcome(os), PROCREF_E_ACQUIRE, "many", &error);
    assert_int_equal(code, PROCREF_E_LIMIT);
    assert_int_equal(error.code, PROCREF_E_LIMIT);
    assert_int_equal(error.os_code, os);
    assert_non_null(strstr(error.message, name));
    assert_non_null(strstr(error.message, "many"));
}

static void each_limit_of_the_kernel_is_named(void **state) {
    (void)state;
    a_limit_is_named(ENOSPC, "SEMMNI", 1);
    a_limit_is_named(ENOSPC, "SEMMNS", 1);
    a_limit_is_named(EINVAL, "SEMMSL", 1);
    a_limit_is_named(E2BIG, "SEMOPM", 0);
    a_limit_is_named(ERANGE, "SEMVMX", 0);
    a_limit_is_named(ENOSPC, "SEMMNU", 0);
}

static void a_refusal_without_a_name_is_called_what_was_asked_for(void **state) {
    (void)state;
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_raw raw = {.id = -1, .os = EFAULT};
    assert_int_equal(pri_raw_explain(&raw, pri_set_outcome(EFAULT), PROCREF_E_LOCK, "x", &error),
                     PROCREF_E_LOCK);
    assert_string_equal(error.op, "semop");
    assert_int_equal(pri_raw_explain(&raw, pri_set_outcome(ENOMEM), PROCREF_E_LOCK, "x", &error),
                     PROCREF_E_NO_MEMORY);
}

#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        C(an_unopened_set_is_opened),
        C(an_unopened_set_of_a_service_is_not),
        C(a_claimed_set_is_confirmed_by_whoever_comes),
        C(of_two_claimed_sets_the_lower_key_wins),
        C(a_live_set_wins_over_claimed_ones_on_any_key),
        C(a_dead_set_is_removed_and_not_used),
        C(a_retired_set_cannot_be_confirmed_nor_used),
        C(a_claimed_set_cannot_be_used),
        C(sweeping_leaves_what_the_living_make_and_strangers),
        C(sweeping_removes_what_the_dead_began),
        C(modes_and_sizes_of_others_are_foreign),
        C(each_limit_of_the_kernel_is_named),
        C(a_refusal_without_a_name_is_called_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
