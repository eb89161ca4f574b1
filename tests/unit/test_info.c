/* core/info.h and procref_info_…: what is known of a service, told, copied and taken from others.
 */
#include "unit/family.h"

#include "core/info.h"

#include <pthread.h>
#include <sys/syscall.h>

static const char *at(const procref_info *info, size_t index) {
    static char pair[256];
    const char *key, *value;
    if (!procref_info_metadata_at(info, index, &key, &value)) {
        return NULL;
    }
    snprintf(pair, sizeof pair, "%s=%s", key, value);
    return pair;
}

static void a_new_info_knows_what_it_was_told_and_no_more(void **state) {
    (void)state;
    procref_info *info = procref_info_new(0, 4711);
    const char *key = "untouched", *value = key;
    assert_int_equal(procref_info_pid(info), 0);
    assert_int_equal(procref_info_port(info), 4711);
    assert_true(procref_info_generation(info) == 0);
    assert_false(procref_info_is_alive(info));
    assert_null(procref_info_get_metadata(info, "any"));
    assert_null(procref_info_get_metadata(info, NULL));
    assert_false(procref_info_metadata_at(info, 0, &key, &value));
    assert_string_equal(key, "untouched");
    assert_null(procref_info_free(info));
    assert_null(procref_info_free(NULL));
    assert_null(procref_info_copy(NULL));
}

static void it_is_alive_as_long_as_that_very_process(void **state) {
    (void)state;
    struct family f;
    family_start(&f, "chain", "0", NULL, NULL);
    family_says(&f);
    procref_info *info = procref_info_with_pid((uint32_t)f.pid);
    assert_int_equal(procref_info_pid(info), f.pid);
    assert_true(procref_info_is_alive(info));
    info->process.start--; /* as if that pid had been another's before */
    assert_false(procref_info_is_alive(info));
    info->process.start++;
    must(kill(f.pid, SIGKILL) == 0, "kill");
    siginfo_t ended;
    must(waitid(P_PID, (id_t)f.pid, &ended, WEXITED | WNOWAIT) == 0, "waitid");
    assert_false(procref_info_is_alive(info)); /* a zombie */
    procref_info *dead = procref_info_with_pid((uint32_t)f.pid);
    assert_int_equal(procref_info_pid(dead), f.pid);
    assert_false(procref_info_is_alive(dead));
    assert_int_equal(procref_info_set_pid(dead, (uint32_t)f.pid), PROCREF_E_NOT_FOUND);
    procref_info_free(dead);
    procref_info_free(info);
    family_end(&f);
}

static void a_pid_that_cannot_be_a_service_is_refused(void **state) {
    (void)state;
    procref_info *info = procref_info_new(0, 0);
    assert_int_equal(procref_info_set_pid(info, 1), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_pid(info, (uint32_t)getpid()), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_pid(info, UINT32_MAX), PROCREF_E_NOT_FOUND);
    assert_int_equal(procref_info_set_pid(info, (uint32_t)getppid()), 0);
    assert_true(procref_info_is_alive(info));
    assert_int_equal(procref_info_set_pid(info, 0), 0);
    assert_int_equal(procref_info_pid(info), 0);
    assert_int_equal(procref_info_set_port(info, 65535), 0);
    assert_int_equal(procref_info_port(info), 65535);
    procref_info_free(info);
}

struct thread {
    pid_t id;
    int told[2], end[2];
};

static void *live(void *argument) {
    struct thread *t = argument;
    char end;
    t->id = (pid_t)syscall(SYS_gettid);
    must(write(t->told[1], "", 1) == 1, "write");
    must(read(t->end[0], &end, 1) == 0, "read");
    return NULL;
}

static void a_thread_that_leads_no_process_is_not_found(void **state) {
    (void)state;
    struct thread t;
    pthread_t thread;
    char told;
    must(pipe2(t.told, O_CLOEXEC) == 0 && pipe2(t.end, O_CLOEXEC) == 0, "pipe2");
    must(pthread_create(&thread, NULL, live, &t) == 0, "pthread_create");
    must(read(t.told[0], &told, 1) == 1, "read");
    procref_info *info = procref_info_new(0, 0);
    assert_int_not_equal(t.id, getpid());
    assert_int_equal(procref_info_set_pid(info, (uint32_t)t.id), PROCREF_E_NOT_FOUND);
    assert_int_equal(procref_info_pid(info), 0);
    procref_info_free(info);
    close(t.end[1]);
    must(pthread_join(thread, NULL) == 0, "pthread_join");
    close(t.end[0]);
    close(t.told[0]);
    close(t.told[1]);
}

static void texts_are_set_replaced_and_removed_in_their_places(void **state) {
    (void)state;
    procref_info *info = procref_info_new(0, 0);
    assert_int_equal(procref_info_set_metadata(info, "none", NULL), 0);
    assert_null(at(info, 0));
    assert_int_equal(procref_info_set_metadata(info, "url", "http://localhost"), 0);
    assert_int_equal(procref_info_set_metadata(info, "empty", ""), 0);
    assert_int_equal(procref_info_set_metadata(info, "version", "1\n\xc3\xa4"), 0);
    assert_int_equal(procref_info_set_metadata(info, "url", "u"), 0);
    assert_string_equal(at(info, 0), "url=u");
    assert_string_equal(at(info, 1), "empty=");
    assert_string_equal(at(info, 2), "version=1\n\xc3\xa4");
    assert_null(at(info, 3));
    assert_null(at(info, SIZE_MAX));
    assert_int_equal(procref_info_set_metadata(info, "none", NULL), 0);
    assert_int_equal(procref_info_set_metadata(info, "empty", NULL), 0);
    assert_string_equal(at(info, 1), "version=1\n\xc3\xa4");
    assert_int_equal(procref_info_set_metadata(info, "empty", "again"), 0);
    assert_string_equal(at(info, 2), "empty=again");
    assert_null(procref_info_get_metadata(info, "vers"));
    assert_null(procref_info_get_metadata(info, "again")); /* a value is no key */
    assert_int_equal(procref_info_set_metadata(info, "url", NULL), 0);
    assert_int_equal(procref_info_set_metadata(info, "version", NULL), 0);
    assert_int_equal(procref_info_set_metadata(info, "empty", NULL), 0);
    assert_null(at(info, 0));
    procref_info_free(info);
}

static void what_is_no_text_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"\xff", "\xc3", "a\xc0\x80", "\xed\xa0\x80",
                                      "\xf5\x80\x80\x80"};
    procref_info *info = procref_info_new(0, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(procref_info_set_metadata(info, bad[i], "value"), PROCREF_E_INVALID);
        assert_int_equal(procref_info_set_metadata(info, "key", bad[i]), PROCREF_E_INVALID);
    }
    assert_int_equal(procref_info_set_metadata(info, "", "value"), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_metadata(info, NULL, "value"), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_metadata(NULL, "key", "value"), PROCREF_E_INVALID);
    assert_null(at(info, 0));
    procref_info_free(info);
}

static void the_limit_is_exact(void **state) {
    (void)state;
    static char large[PROCREF_METADATA_MAX + 2];
    procref_info *info = procref_info_new(0, 0);
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(procref_info_set_metadata(info, "k", large), PROCREF_E_LIMIT);
    assert_int_equal(procref_info_set_metadata(info, large, "v"), PROCREF_E_LIMIT);
    assert_int_equal(procref_info_set_metadata(info, "a", "b"), 0);
    large[PROCREF_METADATA_MAX - 4 - 2 - 1] = '\0'; /* "a" "b" and "k" take four bytes and two */
    assert_int_equal(procref_info_set_metadata(info, "k", large), 0);
    assert_int_equal(info->metadata_size, PROCREF_METADATA_MAX);
    assert_int_equal(procref_info_set_metadata(info, "a", "bc"), PROCREF_E_LIMIT);
    assert_int_equal(procref_info_set_metadata(info, "c", ""), PROCREF_E_LIMIT);
    assert_string_equal(procref_info_get_metadata(info, "a"), "b"); /* as it was */
    assert_int_equal(procref_info_set_metadata(info, "a", "c"), 0);
    procref_info *copy = procref_info_copy(info);
    assert_string_equal(procref_info_get_metadata(copy, "k"), large);
    procref_info_free(copy);
    assert_int_equal(procref_info_set_metadata(info, "k", NULL), 0);
    assert_int_equal(info->metadata_size, 4);
    procref_info_free(info);
}

static void a_text_may_come_from_the_info_itself(void **state) {
    (void)state;
    procref_info *info = procref_info_new(0, 0);
    procref_info_set_metadata(info, "one", "first");
    procref_info_set_metadata(info, "two", "second");
    assert_int_equal(procref_info_set_metadata(info, "one", procref_info_get_metadata(info, "two")),
                     0);
    assert_int_equal(procref_info_set_metadata(info, procref_info_get_metadata(info, "one"), "key"),
                     0);
    assert_int_equal(
        procref_info_set_metadata(info, "two", procref_info_get_metadata(info, "two") + 3), 0);
    assert_string_equal(at(info, 0), "one=second");
    assert_string_equal(at(info, 1), "two=ond");
    assert_string_equal(at(info, 2), "second=key");
    procref_info_free(info);
}

static void a_copy_is_ones_own(void **state) {
    (void)state;
    procref_info *info = procref_info_new((uint32_t)getppid(), 1);
    procref_info_set_metadata(info, "key", "value");
    info->sealed = true; /* as one of a handle */
    info->generation = 7;
    assert_int_equal(procref_info_set_metadata(info, "key", "other"), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_metadata(info, "key", NULL), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_port(info, 2), PROCREF_E_INVALID);
    assert_int_equal(procref_info_set_pid(info, 0), PROCREF_E_INVALID);
    procref_info *copy = procref_info_copy(info);
    assert_true(procref_info_generation(copy) == 7);
    assert_true(procref_info_is_alive(copy));
    assert_int_equal(procref_info_set_metadata(copy, "key", "other"), 0);
    assert_int_equal(procref_info_set_port(copy, 2), 0);
    assert_string_equal(procref_info_get_metadata(info, "key"), "value");
    assert_int_equal(procref_info_port(info), 1);
    procref_info_free(info);
    assert_string_equal(procref_info_get_metadata(copy, "key"), "other");
    procref_info_free(copy);
}

/* ---- what others sent ---- */

static bool loads(procref_info *info, const char *bytes, size_t size) {
    assert_true(pri_info_load(info, bytes, size));
    return info->metadata_size > 0;
}

static void what_is_malformed_counts_as_none(void **state) {
    (void)state;
    procref_info *info = procref_info_new(0, 0);
    assert_true(loads(info, "key\0value\0other\0", sizeof "key\0value\0other\0"));
    assert_string_equal(at(info, 1), "other=");
    assert_false(loads(info, "key\0value", 9)); /* no end */
    assert_null(at(info, 0));                   /* nothing of before stays */
    assert_false(loads(info, "key\0value\0key", sizeof "key\0value\0key"));
    assert_false(loads(info, "\0value", sizeof "\0value"));
    assert_false(loads(info, "k\0\xff", sizeof "k\0\xff"));
    assert_false(loads(info, "\xff\0v", sizeof "\xff\0v"));
    assert_false(loads(info, "", 0));
    assert_false(loads(info, NULL, 0));
    char small[4] = "k\0v"; /* a size that lies is not believed */
    assert_false(loads(info, small, SIZE_MAX));
    assert_false(loads(info, small, PROCREF_METADATA_MAX + 1));
    assert_true(loads(info, small, sizeof small));
    procref_info_free(info);
}

/* Keys and values are opaque: what a later version says in them is handed on as it is. */
static void rubbish_is_refused_or_can_be_walked(void **state) {
    (void)state;
    static const char alphabet[] = "\0\0\0ab=\xc3\xa4\xff\n";
    uint64_t seed = 20261123;
    procref_info *info = procref_info_new(0, 0);
    unsigned good = 0;
    for (int round = 0; round < 200000; round++) {
        char bytes[24];
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t size = (size_t)(seed >> 60) + (seed >> 59 & 8);
        for (size_t i = 0; i < size; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[i] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
        }
        if (!loads(info, bytes, size)) {
            continue;
        }
        size_t walked = 0;
        const char *key, *value;
        for (size_t i = 0; procref_info_metadata_at(info, i, &key, &value); i++) {
            walked += strlen(key) + strlen(value) + 2;
            assert_non_null(procref_info_get_metadata(info, key));
        }
        assert_int_equal(walked, size);
        good++;
    }
    assert_true(good > 100);
    procref_info_free(info);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_info_knows_what_it_was_told_and_no_more),
        cmocka_unit_test(it_is_alive_as_long_as_that_very_process),
        cmocka_unit_test(a_pid_that_cannot_be_a_service_is_refused),
        cmocka_unit_test(a_thread_that_leads_no_process_is_not_found),
        cmocka_unit_test(texts_are_set_replaced_and_removed_in_their_places),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_text_may_come_from_the_info_itself),
        cmocka_unit_test(a_copy_is_ones_own),
        cmocka_unit_test(what_is_malformed_counts_as_none),
        cmocka_unit_test(rubbish_is_refused_or_can_be_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
