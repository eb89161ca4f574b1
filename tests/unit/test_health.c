/* Health= of a service file: what the answer to an on_health_check comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/exports.h"
#include "cli/health.h"
#include "cli/cli.h"
#include "cli/unit.h"

static char said[512];
static bool its_end_comes_first; /* before the check's process can be watched */

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void) {
    siginfo_t info;
    pid_t pid = __real_fork();
    if (pid > 0 && its_end_comes_first) {
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    }
    return pid;
}

void cli_say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(said, sizeof said, format, values);
    va_end(values);
}

bool cli_exports_set(const struct cli_target *target, const procref_info *info) {
    (void)target;
    (void)info;
    return true;
}

static bool is_healthy(const char *command) {
    struct unit unit = {.health = (char *)(uintptr_t)command};
    struct cli_target target = {.config = {.name = "db"}, .unit = &unit};
    said[0] = '\0';
    return health_check(NULL, &target);
}

static void its_exit_status_is_the_answer(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        its_end_comes_first = first == 1;
        assert_true(is_healthy("exit 0"));
        assert_string_equal(said, "");
        assert_false(is_healthy("exit 3"));
        assert_string_equal(said, "db is not healthy (exit status 3): exit 3");
        assert_false(is_healthy("kill -9 $$"));
        assert_string_equal(said, "db is not healthy (signal 9): kill -9 $$");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_exit_status_is_the_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
