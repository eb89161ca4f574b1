/* The record page, and descriptors, in a program that runs with its standard descriptors closed. */
#include "support/check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "os/pages.h"
#include "os/pair.h"
#include "os/process.h"
#include "os/rendezvous.h"

static void nothing_can_be_printed_into_the_record_page(void **state) {
    (void)state;
    procref_waitable page;
    struct pri_record *record = pri_record_make(&page);
    assert_non_null(record);
    int again = dup(page); /* as a client's: one open file description */
    must(again >= 0, "dup");
    assert_int_equal(write(page, "hello\n", 6), -1);
    assert_int_equal(write(again, "hello\n", 6), -1);
    assert_int_equal(record->magic, PRI_RECORD_MAGIC);
    struct pri_record *mapped = pri_record_map(again);
    assert_non_null(mapped);
    pri_record_unmap(mapped);
    pri_record_unmap(record);
    close(page);
}

static void what_is_kept_open_is_no_standard_descriptor(void **state) {
    (void)state;
    struct pri_process self = pri_process_self(), none = {0};
    procref_waitable link;
    int input = fcntl(0, F_DUPFD_CLOEXEC, 100);
    must(input >= 0 && close(0) == 0, "close");
    int alive = pri_process_watch(&self), dead = pri_process_watch(&none);
    int code = pri_rendezvous_socket(&link, NULL);
    int flags = fcntl(link, F_GETFD);
    must(dup2(input, 0) == 0 && close(input) == 0, "dup2");
    assert_true(alive > 2 && dead > 2);
    assert_int_equal(code, 0);
    assert_true(link > 2 && (flags & FD_CLOEXEC) != 0);
    close(alive);
    close(dead);
    close(link);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_can_be_printed_into_the_record_page),
        cmocka_unit_test(what_is_kept_open_is_no_standard_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
