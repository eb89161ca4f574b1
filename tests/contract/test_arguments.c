/* The public functions and their arguments: what is refused, with which code, and what is left
 * untouched. */
#include "support/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "procref/procref.h"

static const char *const command[] = {"/bin/sleep", "1000", NULL};
static char base[64];

static int set_up(void **state) {
    (void)state;
    snprintf(base, sizeof base, "/tmp/procref-test-%s-XXXXXX", TEST_RUN);
    return mkdtemp(base) != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(base);
}

static procref_service_config valid(void) {
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = TEST_RUN ".arguments";
    config.base_dir = base;
    config.command = command;
    return config;
}

/* Opens; on failure the output must be untouched and the error must say the same as the result. */
static int open_code(const procref_service_config *config, procref_error *error) {
    static procref_service *const untouched = (procref_service *)(uintptr_t)0x1234;
    procref_service *service = untouched;
    *error = (procref_error)PROCREF_ERROR_INIT;
    int code = procref_service_open(config, &service, error);
    if (code == 0) {
        assert_ptr_not_equal(service, untouched);
        assert_string_equal(procref_service_name(service), config->name);
        assert_null(procref_service_close(service));
        assert_int_equal(procref_service_open(config, &service, NULL), 0); /* err may be NULL */
        procref_service_close(service);
    } else {
        assert_ptr_equal(service, untouched);
        assert_int_equal(error->code, code);
        assert_int_not_equal(error->message[0], '\0');
        assert_null(strchr(error->message, '\n'));
        assert_int_equal(procref_service_open(config, &service, NULL), code);
    }
    return code;
}

static void name_is(const char *name, int code) {
    procref_error error;
    procref_service_config config = valid();
    config.name = name;
    int result = open_code(&config, &error);
    if (result != code) {
        fail_msg("the name '%s' gives %s: %s", name != NULL ? name : "(null)",
                 procref_code_name(result), error.message);
    }
}

static void names_are_1_to_255_bytes_of_utf8_without_slash_and_control_characters(void **state) {
    char longest[257];
    (void)state;
    memset(longest, 'n', sizeof longest);
    longest[256] = '\0';
    name_is(longest, PROCREF_E_INVALID);
    longest[255] = '\0';
    name_is(longest, 0);
    static const char *const good[] = {"a",
                                       " ",
                                       ".",
                                       "..",
                                       "-",
                                       "a b",
                                       "%s%n",
                                       "\xc3\xbc",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\\b",
                                       "'\"`$"};
    static const char *const bad[] = {NULL,
                                      "",
                                      "/",
                                      "a/b",
                                      "a\nb",
                                      "\t",
                                      "\x01",
                                      "\x7f",
                                      "\xc2\x80" /* U+0080 */,
                                      "\xc2\x9f",
                                      "\xff",
                                      "\xc3",
                                      "a\xc3",
                                      "\xc0\xaf" /* overlong */,
                                      "\xe0\x80\xaf",
                                      "\xf0\x80\x80\xaf",
                                      "\xed\xa0\x80" /* surrogate */,
                                      "\xf4\x90\x80\x80" /* beyond */,
                                      "\x80",
                                      "\xbf",
                                      "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        name_is(good[i], 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        name_is(bad[i], PROCREF_E_INVALID);
    }
}

static void a_larger_config_is_accepted_only_with_a_tail_of_zero(void **state) {
    procref_error error;
    struct {
        procref_service_config config;
        unsigned char tail[64];
    } larger;
    (void)state;
    memset(&larger, 0, sizeof larger);
    larger.config = valid();
    larger.config.size = sizeof larger;
    assert_int_equal(open_code(&larger.config, &error), 0);
    larger.tail[63] = 1;
    assert_int_equal(open_code(&larger.config, &error), PROCREF_E_INVALID);
    larger.config.size = sizeof larger - 1;
    assert_int_equal(open_code(&larger.config, &error), 0);
}

static void a_size_that_no_release_had_is_refused(void **state) {
    static const uint32_t sizes[] = {
        0, 1, 4, 8, sizeof(procref_service_config) - 1, sizeof(procref_service_config) / 2};
    procref_error error;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        procref_service_config config = valid();
        config.size = sizes[i];
        assert_int_equal(open_code(&config, &error), PROCREF_E_INVALID);
    }
}

static void nothing_is_written_beyond_the_size_of_an_error(void **state) {
    struct {
        procref_error error;
        unsigned char after[64];
    } larger;
    procref_service *service;
    procref_service_config config = valid();
    (void)state;
    config.name = "";
    memset(&larger, 0xaa, sizeof larger);
    larger.error.size = sizeof larger.error;
    assert_int_equal(procref_service_open(&config, &service, &larger.error), PROCREF_E_INVALID);
    for (size_t i = 0; i < sizeof larger.after; i++) {
        assert_int_equal(larger.after[i], 0xaa);
    }
    assert_int_equal(larger.error.code, PROCREF_E_INVALID);
    static const uint32_t small[] = {0, 4, 8, 24};
    for (size_t s = 0; s < ARRAY_LEN(small); s++) {
        memset(&larger, 0xaa, sizeof larger);
        larger.error.size = small[s];
        assert_int_equal(procref_service_open(&config, &service, &larger.error), PROCREF_E_INVALID);
        for (size_t i = small[s] > 4 ? small[s] : 4; i < sizeof larger; i++) {
            assert_int_equal(((unsigned char *)&larger)[i], 0xaa);
        }
    }
}

static void an_error_is_untouched_by_success(void **state) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *service;
    procref_service_config config = valid();
    (void)state;
    error.code = 4711;
    assert_int_equal(procref_service_open(&config, &service, &error), 0);
    assert_int_equal(error.code, 4711);
    procref_service_close(service);
}

static void settings_that_make_no_sense_are_refused(void **state) {
    static const char *const bad_ready[] = {
        "", "tpc", "tcp ", "unix", "unix:", "exec:", "log:", "log:(", "NOTIFY"};
    static const char *const good_ready[] = {"notify", "tcp", "unix:/tmp/x", "exec:true",
                                             "log:^up$"};
    static const char *const no_command[] = {NULL}, *const empty_command[] = {"", NULL};
    static const char *const bad_environment[] = {"NAME", NULL}, *const nameless[] = {"=value",
                                                                                      NULL};
    procref_error error;
    procref_service_config config;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_ready); i++) {
        config = valid();
        config.ready = bad_ready[i];
        if (open_code(&config, &error) != PROCREF_E_INVALID) {
            fail_msg("ready '%s' is accepted", bad_ready[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(good_ready); i++) {
        config = valid();
        config.ready = good_ready[i];
        assert_int_equal(open_code(&config, &error), 0);
    }
#define REFUSED(member, value)                                                                     \
    config = valid();                                                                              \
    config.member = (value);                                                                       \
    assert_int_equal(open_code(&config, &error), PROCREF_E_INVALID)
    REFUSED(command, NULL);
    REFUSED(command, no_command);
    REFUSED(command, empty_command);
    REFUSED(environment, bad_environment);
    REFUSED(environment, nameless);
    REFUSED(restart, 3);
    REFUSED(restart, -1);
    REFUSED(stop_signal, -1);
    REFUSED(stop_signal, 65);
    REFUSED(start_timeout_ms, -2);
    REFUSED(stop_timeout_ms, -2);
    REFUSED(linger_ms, -1);
#undef REFUSED
    procref_service *service;
    assert_int_equal(procref_service_open(NULL, &service, &error), PROCREF_E_INVALID);
}

static int first_acquire(procref_info *ret_info, void *user_data, procref_error *err) {
    (void)ret_info;
    (void)user_data;
    return procref_error_set(err, PROCREF_E_OTHER, "not called");
}

static int last_release(const procref_info *info, void *user_data, procref_error *err) {
    (void)info;
    (void)user_data;
    return procref_error_set(err, PROCREF_E_OTHER, "not called");
}

static void a_service_has_a_command_or_on_first_acquire(void **state) {
    procref_error error;
    procref_service_config config = valid();
    (void)state;
    config.on_first_acquire = first_acquire;
    assert_int_equal(open_code(&config, &error), PROCREF_E_INVALID); /* both */
    config.command = NULL;
    assert_int_equal(open_code(&config, &error), 0);
    config.on_last_release = last_release;
    assert_int_equal(open_code(&config, &error), 0);
    config.linger_ms = 1;
    assert_int_equal(open_code(&config, &error), PROCREF_E_INVALID);
    config.linger_ms = 0;
    config.on_first_acquire = NULL;
    assert_int_equal(open_code(&config, &error), PROCREF_E_INVALID);
}

static void an_acquire_refuses_a_timeout_below_minus_1(void **state) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *service;
    procref_handle *handle = NULL;
    procref_service_config config = valid();
    (void)state;
    assert_int_equal(procref_service_open(&config, &service, NULL), 0);
    assert_int_equal(procref_service_acquire(service, -2, &handle, &error), PROCREF_E_INVALID);
    assert_int_equal(procref_service_acquire(service, 0, &handle, &error), PROCREF_E_TIMEOUT);
    assert_null(handle);
    uint32_t count = 99;
    assert_int_equal(procref_service_count(service, &count, &error), 0);
    assert_int_equal(count, 0);
    procref_service_close(service);
}

static void frees_accept_null_and_return_null(void **state) {
    (void)state;
    assert_null(procref_service_close(NULL));
    assert_null(procref_info_free(NULL));
    assert_null(procref_info_copy(NULL));
}

static void codes_have_names_values_and_texts_that_never_change(void **state) {
    static const struct {
        int value;
        const char *name;
    } codes[] = {{-1, "COUNTER_INIT"},
                 {-2, "ACQUIRE"},
                 {-3, "RELEASE"},
                 {-4, "COUNT"},
                 {-5, "LOCK"},
                 {-6, "SERVICE_START"},
                 {-7, "SERVICE_UNHEALTHY"},
                 {-8, "SERVICE_RECOVERY"},
                 {-9, "SERVICE_INFO"},
                 {-10, "PLATFORM"},
                 {-11, "IO"},
                 {-12, "OTHER"},
                 {-32, "INVALID"},
                 {-33, "NO_MEMORY"},
                 {-34, "PERMISSION"},
                 {-35, "LIMIT"},
                 {-36, "TIMEOUT"},
                 {-37, "NOT_FOUND"},
                 {-38, "FORKED"},
                 {-39, "CONFLICT"},
                 {-40, "UNSUPPORTED"},
                 {-41, "AGAIN"},
                 {0, "OK"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        assert_string_equal(procref_code_name(codes[i].value), codes[i].name);
        assert_non_null(procref_code_text(codes[i].value));
    }
    assert_string_equal(procref_code_name(-999), "UNKNOWN");
    assert_string_equal(procref_code_name(1), "UNKNOWN");
    assert_non_null(procref_code_text(12345));
    assert_string_equal(procref_version(), PROCREF_VERSION);
}

static void an_error_text_that_is_too_long_is_cut_between_characters(void **state) {
    procref_error error = PROCREF_ERROR_INIT;
    char text[1200];
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = (size_t)shift; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        }
        text[sizeof text - 1] = '\0';
        assert_int_equal(procref_error_set(&error, PROCREF_E_OTHER, "%s", text), PROCREF_E_OTHER);
        size_t length = strlen(error.message);
        assert_true(length > sizeof error.message - 6 && length < sizeof error.message);
        assert_int_equal((length - (size_t)shift) % 4, 0);
    }
    assert_int_equal(procref_error_set(NULL, PROCREF_E_OTHER, "no place"), PROCREF_E_OTHER);
    assert_int_equal(error.os_code, 0);
    assert_string_equal(error.op, "");
}

#define C(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        C(names_are_1_to_255_bytes_of_utf8_without_slash_and_control_characters),
        C(a_larger_config_is_accepted_only_with_a_tail_of_zero),
        C(a_size_that_no_release_had_is_refused),
        C(nothing_is_written_beyond_the_size_of_an_error),
        C(an_error_is_untouched_by_success),
        C(settings_that_make_no_sense_are_refused),
        C(a_service_has_a_command_or_on_first_acquire),
        C(an_acquire_refuses_a_timeout_below_minus_1),
        C(frees_accept_null_and_return_null),
        C(codes_have_names_values_and_texts_that_never_change),
        C(an_error_text_that_is_too_long_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
