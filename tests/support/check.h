/* cmocka's header needs these before it; this is the one place that includes it. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* For calls of the test itself that are not what is tested. */
#define must(condition, call)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("the test's own %s failed: %s", (call), strerror(errno));                     \
        }                                                                                          \
    } while (0)

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
