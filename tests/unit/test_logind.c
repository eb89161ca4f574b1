/* RemoveIPC= as logind.conf(5) and its drop-ins say it: which file counts, and what counts as yes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/doctor/logind.c"

void doctor_say(enum doctor_level level, const char *what, const char *format, ...) {
    (void)level, (void)what, (void)format;
}

static char root[64];

static int make_root(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/procref-test-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = strchr(whole + strlen(root) + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool removes(const char *by) {
    char file[PATH_MAX + NAME_MAX];
    bool result = doctor_removes_ipc(root, file, sizeof file);
    if (by == NULL) {
        assert_string_equal(file, "");
    } else {
        assert_string_equal(file + strlen(root), by);
    }
    return result;
}

static void without_a_word_it_is_yes(void **state) {
    (void)state;
    assert_true(removes(NULL));
    put("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n; RemoveIPC=no\n");
    assert_true(removes(NULL));
}

static void the_main_file_says_it(void **state) {
    (void)state;
    put("/etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n RemoveIPC = off \n");
    assert_false(removes("/etc/systemd/logind.conf"));
}

static void only_its_own_section_counts(void **state) {
    (void)state;
    put("/etc/systemd/logind.conf", "RemoveIPC=no\n[Other]\nRemoveIPC=no\n");
    assert_true(removes(NULL));
}

static void the_first_main_file_hides_the_others(void **state) {
    (void)state;
    put("/usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
    assert_false(removes("/usr/lib/systemd/logind.conf"));
    put("/etc/systemd/logind.conf", "[Login]\n");
    assert_true(removes(NULL));
}

static void drop_ins_come_after_by_name_whatever_their_folder(void **state) {
    (void)state;
    put("/etc/systemd/logind.conf", "[Login]\nRemoveIPC=yes\n");
    put("/usr/lib/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=no\n");
    assert_false(removes("/usr/lib/systemd/logind.conf.d/50-a.conf"));
    put("/etc/systemd/logind.conf.d/40-b.conf", "[Login]\nRemoveIPC=yes\n");
    assert_false(removes("/usr/lib/systemd/logind.conf.d/50-a.conf"));
    put("/run/systemd/logind.conf.d/60-c.conf", "[Login]\nRemoveIPC=true\n");
    assert_true(removes("/run/systemd/logind.conf.d/60-c.conf"));
}

static void a_drop_in_hides_one_of_its_name_in_a_later_folder(void **state) {
    (void)state;
    put("/usr/lib/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=no\n");
    put("/etc/systemd/logind.conf.d/50-a.conf", "");
    assert_true(removes(NULL));
}

static void what_is_no_boolean_changes_nothing(void **state) {
    (void)state;
    put("/etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\nRemoveIPC=perhaps\n");
    assert_false(removes("/etc/systemd/logind.conf"));
    put("/etc/systemd/logind.conf.d/ignored", "[Login]\nRemoveIPC=yes\n");
    assert_false(removes("/etc/systemd/logind.conf"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(without_a_word_it_is_yes),
        TEST(the_main_file_says_it),
        TEST(only_its_own_section_counts),
        TEST(the_first_main_file_hides_the_others),
        TEST(drop_ins_come_after_by_name_whatever_their_folder),
        TEST(a_drop_in_hides_one_of_its_name_in_a_later_folder),
        TEST(what_is_no_boolean_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
