/*
 * Every call of the system that a client makes fails once, in turn, in a life that uses all of the
 * library (tests/helpers/every_call.c): each function then works or says why, nothing hangs, and
 * nothing is left.
 */
#include "support/world.h"

enum { SLOW_MS = 8000, CALLS_MOST = 2000 };

static bool is_over(const struct world *w) {
    struct process_seen keepers[8];
    return look_keepers(w->name, keepers, 8) == 0;
}

static void live_often(struct world *w, const char *kind, const char *settings) {
    struct client *c = client_start_as(w, helper_path("every_call"));
    bool all = getenv("PROCREF_TEST_VERBOSE") != NULL;
    unsigned bad = 0, n = 1;
    client_open(c, "", settings);
    for (bool failed = true; failed && n < CALLS_MOST; n++) {
        char *words[16];
        client_tell(c, "life %s %u", kind, n);
        size_t count = words_split(program_read(&c->program), words, 16);
        const char *call = words_value(words, count, "call"), *wrong;
        long long ms = words_number(words, count, "ms", -1);
        long long descriptors = words_number(words, count, "descriptors", -1);
        long long held = words_number(words, count, "count", -1);
        wrong = words_value(words, count, "wrong");
        failed = call[0] != '\0';
        if (wrong[0] != '\0' || descriptors != 0 || held != 0 || ms > SLOW_MS || all) {
            print_error("%s %u: %s fails in '%s': %s; %lld descriptors, %lld held, %lld ms\n", kind,
                        n, call, words_value(words, count, "step"), wrong, descriptors, held, ms);
            bad += !all;
        }
        AWAIT(is_over(w));
    }
    assert_int_equal(bad, 0);
    assert_in_range(n, 100, CALLS_MOST - 1); /* the last life made all its calls */
    client_quit(c);
    await_no_trace(w);
}

TEST(a_command_service_survives_every_call_that_fails) {
    live_often(w, "command", "");
}

TEST(a_callback_service_survives_every_call_that_fails) {
    live_often(w, "callbacks", "");
}

TEST_MAIN(T(a_command_service_survives_every_call_that_fails),
          T(a_callback_service_survives_every_call_that_fails))
