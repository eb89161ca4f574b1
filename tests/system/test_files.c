/* Files are hints: whatever happens to them, a service goes on, and an acquire is at most slow. */
#include "support/world.h"

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

/*
 * A held service, its files spoilt by a shell command; then it must be shared, survive the death of
 * its keeper, be started anew after the last one, and nobody may have followed what was planted.
 */
static void spoil(struct world *w, const char *command) {
    struct client *a = client_start(w), *b = client_start(w);
    pid_t keeper, standby;
    assert_int_equal(world_shell(w, "echo untouched > victim; chmod 600 victim"), 0);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    struct reply held = client_hold(a);
    await_pair(w->name, &keeper, &standby);
    assert_int_equal(world_shell(w, "%s", command), 0);
    assert_int_equal(client_hold(b).pid, held.pid);
    kill_and_await(keeper);
    await_pair(w->name, &keeper, &standby);
    client_release(b);
    assert_int_equal(client_hold(b).pid, held.pid);
    client_answered(b, held.pid);
    struct watched service = watch(held.pid);
    client_release(a);
    client_release(b);
    watched_await_end(&service);
    w->keeps_files = true;
    await_no_trace(w);
    client_answered(b, client_hold(b).pid); /* with what was planted still there */
    client_quit(a);
    client_quit(b);
    await_no_trace(w);
    assert_int_equal(world_shell(w, "test \"$(cat victim)\" = untouched"), 0);
}

/* The same, but the pair is gone too when the next one comes: it reads the hint, if it believes it.
 */
static void spoil_under_no_pair(struct world *w, const char *command) {
    struct client *a = client_start(w), *b = client_start(w);
    assert_int_equal(world_shell(w, "echo untouched > victim; chmod 600 victim"), 0);
    client_open(a, ON_PORT, TCP);
    client_open(b, ON_PORT, TCP);
    client_hold(a);
    kill_pair(w->name);
    assert_int_equal(world_shell(w, "%s", command), 0);
    client_answered(b, client_hold(b).pid);
    assert_no_violation(w);
    client_quit(a);
    client_quit(b);
    w->keeps_files = true;
    await_no_trace(w);
    assert_int_equal(world_shell(w, "test \"$(cat victim)\" = untouched"), 0);
}

#define EACH_FILE(action) "for f in base/*; do " action "; done"
#define SPOILT(name, command)                                                                      \
    TEST(name##_while_the_pair_lives) {                                                            \
        spoil(w, command);                                                                         \
    }                                                                                              \
    TEST(name##_when_the_pair_is_gone) {                                                           \
        spoil_under_no_pair(w, command);                                                           \
    }
#define SPOILT_TESTS(name) T(name##_while_the_pair_lives), T(name##_when_the_pair_is_gone)

SPOILT(deleted_files_do_not_matter, "rm -rf base/*")
SPOILT(emptied_files_do_not_matter, EACH_FILE(": > \"$f\""))
SPOILT(halved_files_do_not_matter, EACH_FILE("truncate -s $(($(stat -c %s \"$f\") / 2)) \"$f\""))
SPOILT(files_full_of_rubbish_do_not_matter, EACH_FILE("head -c 100000 /dev/urandom > \"$f\""))
SPOILT(files_of_another_service_do_not_matter,
       EACH_FILE("tr 0-9 1-90 < \"$f\" > swapped; cat swapped > \"$f\""))
SPOILT(files_replaced_by_links_are_not_followed, EACH_FILE("rm \"$f\"; ln -s ../victim \"$f\""))
SPOILT(files_replaced_by_hard_links_are_not_written, EACH_FILE("rm \"$f\"; ln victim \"$f\""))
SPOILT(files_replaced_by_fifos_block_nobody, EACH_FILE("rm \"$f\"; mkfifo \"$f\""))
SPOILT(files_replaced_by_folders_do_not_matter, EACH_FILE("rm \"$f\"; mkdir \"$f\""))
SPOILT(a_folder_that_is_gone_does_not_matter, "rm -rf base")
SPOILT(a_folder_that_cannot_be_written_does_not_matter, "rm -rf base; mkdir -m 0500 base")

TEST(links_planted_before_the_first_start_are_not_followed) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w,
                                 "mkdir -m 0700 base; echo untouched > victim; "
                                 "for s in .log .log.1 .hint .json .state .lock .tmp; do "
                                 "ln -s ../victim base/%s$s; done",
                                 w->name),
                     0);
    client_open(c, ON_PORT, TCP);
    client_answered(c, client_hold(c).pid);
    client_quit(c);
    w->keeps_files = true;
    await_no_trace(w);
    assert_int_equal(world_shell(w, "test \"$(cat victim)\" = untouched"), 0);
}

TEST(a_folder_that_others_can_write_to_is_refused_and_named) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "mkdir base; chmod 0777 base"), 0);
    char settings[256];
    snprintf(settings, sizeof settings, "arg=/bin/sleep arg=1");
    struct reply r = client_open_raw(c, w->name, settings);
    assert_error(&r, "PERMISSION");
    assert_says(r.message, w->base);
    assert_int_equal(world_shell(w, "chmod 0770 base"), 0);
    r = client_open_raw(c, w->name, settings);
    assert_error(&r, "PERMISSION");
    assert_int_equal(world_shell(w, "chmod 0755 base"), 0);
    r = client_open_raw(c, w->name, settings);
    assert_string_equal(r.verb, "ok");
}

TEST(a_folder_that_is_a_file_or_has_no_parent_is_an_error) {
    struct client *c = client_start(w);
    assert_int_equal(world_shell(w, "echo > base"), 0);
    struct reply r = client_open_raw(c, w->name, "arg=/bin/sleep arg=1");
    assert_error(&r, "IO");
    assert_says(r.message, w->base);
    assert_int_equal(world_shell(w, "rm base"), 0);
    r = client_open_raw(c, w->name, "arg=/bin/sleep arg=1 base_dir=/no/such/parent/folder");
    assert_error(&r, "IO");
    assert_says(r.message, "/no/such/parent");
}

TEST(the_log_of_a_talkative_service_stays_bounded) {
    struct client *c = client_start(w);
    struct stat status;
    char log[512];
    client_open(c, "--port ${PORT} --print-lines 200000", TCP); /* about 7 MB */
    client_hold(c);
    long long total = 0;
    snprintf(log, sizeof log, "%s/%s.log", w->base, w->name);
    /* Cut within a tenth of a second of the last look; nothing announces it. */
    AWAIT(stat(log, &status) == 0 && status.st_size <= 2 * 1024 * 1024);
    total = status.st_size;
    snprintf(log, sizeof log, "%s/%s.log.1", w->base, w->name);
    total += stat(log, &status) == 0 ? status.st_size : 0;
    assert_true(total <= 3 * 1024 * 1024);
}

TEST(a_start_cleans_nothing_that_is_not_its_own) {
    struct client *c = client_start(w);
    assert_int_equal(
        world_shell(w, "mkdir -m 0700 base; echo mine > base/notes; echo mine > base/%sx.log",
                    w->name),
        0);
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    client_quit(c);
    w->keeps_files = true;
    await_no_trace(w);
    assert_int_equal(
        world_shell(w, "test \"$(cat base/notes base/%sx.log | sort -u)\" = mine", w->name), 0);
}

TEST_MAIN(SPOILT_TESTS(deleted_files_do_not_matter), SPOILT_TESTS(emptied_files_do_not_matter),
          SPOILT_TESTS(halved_files_do_not_matter),
          SPOILT_TESTS(files_full_of_rubbish_do_not_matter),
          SPOILT_TESTS(files_of_another_service_do_not_matter),
          SPOILT_TESTS(files_replaced_by_links_are_not_followed),
          SPOILT_TESTS(files_replaced_by_hard_links_are_not_written),
          SPOILT_TESTS(files_replaced_by_fifos_block_nobody),
          SPOILT_TESTS(files_replaced_by_folders_do_not_matter),
          SPOILT_TESTS(a_folder_that_is_gone_does_not_matter),
          SPOILT_TESTS(a_folder_that_cannot_be_written_does_not_matter),
          T(links_planted_before_the_first_start_are_not_followed),
          T(a_folder_that_others_can_write_to_is_refused_and_named),
          T(a_folder_that_is_a_file_or_has_no_parent_is_an_error),
          T(the_log_of_a_talkative_service_stays_bounded),
          T(a_start_cleans_nothing_that_is_not_its_own))
