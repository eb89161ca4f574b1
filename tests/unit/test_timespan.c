/* Spans of time as systemd.time(7) has them; where systemd-analyze is installed, as it reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/timespan.c"

enum { REFUSED = -2, FOR_EVER = -1 };

/* What systemd 252 says, in microseconds. */
static const struct {
    const char *text;
    int64_t us;
} spans[] = {
    {"0", 0},
    {"30", 30000000},
    {"00005", 5000000},
    {"1.5", 1500000},
    {".5s", 500000},
    {"1 .5s", 1500000},
    {"500ms", 500000},
    {"5 s", 5000000},
    {" 5s ", 5000000},
    {"1min 30s", 90000000},
    {"1min30", 90000000},
    {"1min\t30", 90000000},
    {"1s1", 2000000},
    {"3 4", 7000000},
    {"1.5h", 5400000000},
    {"1h 2", 3602000000},
    {"1us", 1},
    {"3µs", 3},
    {"3μs", 3},
    {"1usec 1msec", 1001},
    {"1.0000001s", 1000000},
    {"1.999999999s", 1999999},
    {"0.0000001s", 0},
    {"1second 1seconds 1sec", 3000000},
    {"1m 1min 1minute 1minutes", 240000000},
    {"1h 1hr 1hour 1hours", 14400000000},
    {"1d 1day 1days", 259200000000},
    {"1w 1week 1weeks", 1814400000000},
    {"1M 1month 1months", 7889400000000},
    {"1y 1year 1years", 94672800000000},
    {"9223372036854us", 9223372036854},
    {"292000y", 9214819200000000000},
    {"infinity", FOR_EVER},
    {" infinity ", FOR_EVER},
    {"", REFUSED},
    {" ", REFUSED},
    {"s", REFUSED},
    {"5x", REFUSED},
    {"5S", REFUSED},
    {"1H", REFUSED},
    {"-5", REFUSED},
    {"1min -5s", REFUSED},
    {"1e3", REFUSED},
    {"0x10", REFUSED},
    {"1,5", REFUSED},
    {"5s,", REFUSED},
    {"5.", REFUSED},
    {".", REFUSED},
    {"5. s", REFUSED},
    {"1..5", REFUSED},
    {"1.2.3", REFUSED},
    {"inf", REFUSED},
    {"infinityx", REFUSED},
    {"infinity 5", REFUSED},
    {"5 infinity", REFUSED},
    {"18446744073709", REFUSED},
    {"9223372036854775807", REFUSED},
    {"999999999999999999999", REFUSED},
    {"10000000y", REFUSED},
};
enum { SPAN_COUNT = sizeof spans / sizeof spans[0] };

static int64_t read_span(const char *text) {
    int64_t ms = 12345;
    return cli_timespan(text, &ms) ? ms : REFUSED;
}

static void spans_are_read_as_systemd_reads_them(void **state) {
    (void)state;
    for (int i = 0; i < SPAN_COUNT; i++) {
        int64_t us = spans[i].us, ms = us <= 0 ? us : us / 1000 + (us % 1000 != 0);
        if (read_span(spans[i].text) != ms) {
            fail_msg("'%s' is %" PRId64 " ms, expected %" PRId64, spans[i].text,
                     read_span(spans[i].text), ms);
        }
    }
}

static void less_than_a_millisecond_is_rounded_up(void **state) {
    (void)state;
    assert_int_equal(read_span("1us"), 1);
    assert_int_equal(read_span("1ms 1us"), 2);
    assert_int_equal(read_span("0us"), 0);
}

static void what_is_refused_leaves_the_number_alone(void **state) {
    (void)state;
    int64_t ms = 77;
    assert_false(cli_timespan("1min five", &ms));
    assert_int_equal(ms, 77);
}

/* "     μs: 90000000" of systemd-analyze's answer; REFUSED if it has none. */
static int64_t ask_systemd(const char *text) {
    char command[256], line[256];
    int64_t us = REFUSED;
    snprintf(command, sizeof command, "systemd-analyze timespan -- '%s' 2>/dev/null", text);
    FILE *answer = popen(command, "r");
    assert_non_null(answer);
    while (fgets(line, sizeof line, answer) != NULL) {
        const char *number = strstr(line, "μs: ");
        if (number != NULL) {
            uint64_t value = strtoull(number + strlen("μs: "), NULL, 10);
            us = value == UINT64_MAX ? FOR_EVER : (int64_t)value;
        }
    }
    pclose(answer);
    return us;
}

static void the_table_is_what_systemd_says(void **state) {
    (void)state;
    if (system("command -v systemd-analyze >/dev/null") != 0) {
        print_message("no systemd-analyze here: the table is what version 252 said\n");
        skip();
    }
    for (int i = 0; i < SPAN_COUNT; i++) {
        int64_t us = ask_systemd(spans[i].text);
        if (us != spans[i].us) {
            fail_msg("'%s' is %" PRId64 " us for systemd, %" PRId64 " in the table", spans[i].text,
                     us, spans[i].us);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_read_as_systemd_reads_them),
        cmocka_unit_test(less_than_a_millisecond_is_rounded_up),
        cmocka_unit_test(what_is_refused_leaves_the_number_alone),
        cmocka_unit_test(the_table_is_what_systemd_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
