/* os/launch.h: the process exists, waits, and runs only when told to, with nothing of its
 * starter's. */
#include "unit/family.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/fail.h"
#include "os/launch.h"

static char scratch[64];

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define SHELL(script) WORDS((char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){script})

static char path_entry[] = "PATH=/usr/bin:/bin";
static char *const plain_environment[] = {path_entry, NULL};

static struct pri_launch a_launch(char **argv) {
    struct pri_launch launch = {
        .program = argv[0], .told = -1, .argv = argv, .envp = plain_environment, .dir = "/"};
    launch.output = memfd_create("output", MFD_CLOEXEC);
    must(launch.output >= 0, "memfd_create");
    return launch;
}

static const char *output_of(const struct pri_launch *launch, char to[4096]) {
    ssize_t length = pread(launch->output, to, 4095, 0);
    to[length < 0 ? 0 : length] = '\0';
    close(launch->output);
    return to;
}

/* Prepares, lets it go, and awaits the report. */
static int run(const struct pri_launch *launch, struct pri_launched *ret, procref_error *err) {
    assert_int_equal(pri_launch_prepare(launch, ret, err), 0);
    pri_launch_go(ret);
    assert_int_equal(ret->go, -1);
    struct pollfd poll_for = {.fd = ret->report, .events = POLLIN};
    assert_int_equal(poll(&poll_for, 1, FAMILY_PATIENCE_MS), 1);
    int code = pri_launch_result(ret, launch->argv[0], err);
    assert_int_equal(ret->report, -1);
    return code;
}

static void a_command_runs_with_its_environment_folder_and_output(void **state) {
    (void)state;
    char text[4096], expected[256], entry[] = "FOO=bar baz";
    struct pri_launched launched;
    struct pri_launch launch =
        a_launch(SHELL("echo \"$FOO\"; pwd; echo wrong >&2; read -r line || echo end of input"));
    launch.envp = (char *[]){path_entry, entry, NULL};
    launch.dir = scratch;
    assert_int_equal(run(&launch, &launched, NULL), 0);
    int status = family_reap((pid_t)launched.process.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    snprintf(expected, sizeof expected, "bar baz\n%s\nwrong\nend of input\n", scratch);
    assert_string_equal(output_of(&launch, text), expected);
}

static void it_exists_but_does_not_run_before_it_is_told_to(void **state) {
    (void)state;
    char text[4096];
    struct pri_launched launched;
    struct pri_launch launch = a_launch(SHELL("echo ran"));
    assert_int_equal(pri_launch_prepare(&launch, &launched, NULL), 0);
    assert_true(pri_process_alive(&launched.process));
    assert_false(readable_within(launched.report, 50));
    assert_int_equal(pri_launch_result(&launched, "sh", NULL), PROCREF_E_AGAIN);
    pri_launch_forget(&launched);
    int status = family_reap((pid_t)launched.process.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 111);
    assert_string_equal(output_of(&launch, text), "");
    assert_true(launched.go == -1 && launched.report == -1);
    pri_launch_forget(&launched); /* twice does no harm */
}

static void forgetting_what_was_never_launched_closes_nothing(void **state) {
    (void)state;
    struct pri_launched none = {0};
    pri_launch_forget(&none);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

static void a_death_before_it_is_told_to_run_is_no_signal_to_us(void **state) {
    (void)state;
    struct pri_launched launched;
    struct pri_launch launch = a_launch(SHELL("exit 0"));
    assert_int_equal(pri_launch_prepare(&launch, &launched, NULL), 0);
    assert_true(pri_process_signal(&launched.process, SIGKILL));
    siginfo_t info;
    must(waitid(P_PID, launched.process.pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
    pri_launch_go(&launched); /* SIGPIPE would end the test */
    assert_int_equal(pri_launch_result(&launched, "sh", NULL), 0);
    family_reap((pid_t)launched.process.pid);
    close(launch.output);
}

static void what_cannot_be_run_is_named(void **state) {
    (void)state;
    char not_executable[128];
    snprintf(not_executable, sizeof not_executable, "%s/data", scratch);
    close(open(not_executable, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    struct {
        char *command;
        int os;
        const char *reason;
    } cases[] = {
        {(char[]){"no-such-command-of-ours"}, ENOENT, "No such file or directory"},
        {(char[]){"/no/such/command"}, ENOENT, "No such file or directory"},
        {(char[]){""}, ENOENT, "No such file or directory"},
        {not_executable, EACCES, "Permission denied"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char expected[256];
        procref_error error = PROCREF_ERROR_INIT;
        struct pri_launched launched;
        struct pri_launch launch = a_launch(WORDS(cases[i].command));
        assert_int_equal(run(&launch, &launched, &error), PROCREF_E_SERVICE_START);
        assert_int_equal(error.os_code, cases[i].os);
        snprintf(expected, sizeof expected, "cannot run '%s': %s", cases[i].command,
                 cases[i].reason);
        assert_string_equal(error.message, expected);
        assert_true(WIFEXITED(family_reap((pid_t)launched.process.pid)));
        close(launch.output);
    }
}

static void a_working_directory_that_cannot_be_entered_is_named(void **state) {
    (void)state;
    procref_error error = PROCREF_ERROR_INIT;
    char dir[128], expected[256], text[4096], longer[300];
    struct pri_launched launched;
    struct pri_launch launch = a_launch(SHELL("echo ran"));
    snprintf(dir, sizeof dir, "%s/missing", scratch);
    launch.dir = dir;
    assert_int_equal(run(&launch, &launched, &error), PROCREF_E_SERVICE_START);
    snprintf(expected, sizeof expected, "cannot enter working directory '%s': %s", dir,
             strerror(ENOENT));
    assert_string_equal(error.message, expected);
    family_reap((pid_t)launched.process.pid);
    assert_string_equal(output_of(&launch, text), "");

    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    launch = a_launch(SHELL("echo ran"));
    launch.dir = longer;
    assert_int_equal(run(&launch, &launched, &error), PROCREF_E_SERVICE_START);
    assert_int_equal(error.os_code, ENAMETOOLONG);
    family_reap((pid_t)launched.process.pid);
    close(launch.output);
}

static void make_script(const char *folder, const char *name, const char *says) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    must(file != NULL, "fopen");
    fprintf(file, "#!/bin/sh\necho %s\n", says);
    fclose(file);
    must(chmod(path, 0700) == 0, "chmod");
}

static void the_commands_own_PATH_finds_it(void **state) {
    (void)state;
    char bin[128], entry[256], text[4096];
    struct pri_launched launched;
    snprintf(bin, sizeof bin, "%s/bin", scratch);
    must(mkdir(bin, 0700) == 0, "mkdir");
    make_script(bin, "procref-unit", "from PATH");
    make_script(scratch, "procref-unit-here", "from the folder");

    struct pri_launch launch = a_launch(WORDS((char[]){"procref-unit"}));
    snprintf(entry, sizeof entry, "PATH=/nowhere:%s/bin/procref-unit:%s", scratch, bin);
    launch.envp = (char *[]){entry, NULL};
    assert_int_equal(run(&launch, &launched, NULL), 0);
    family_reap((pid_t)launched.process.pid);
    assert_string_equal(output_of(&launch, text), "from PATH\n");

    launch = a_launch(WORDS((char[]){"procref-unit-here"}));
    snprintf(entry, sizeof entry, "PATH=%s:", bin); /* an empty part: the working directory */
    launch.envp = (char *[]){entry, NULL};
    launch.dir = scratch;
    assert_int_equal(run(&launch, &launched, NULL), 0);
    family_reap((pid_t)launched.process.pid);
    assert_string_equal(output_of(&launch, text), "from the folder\n");

    launch = a_launch(WORDS((char[]){"true"})); /* no PATH at all: the system's folders */
    launch.envp = (char *[]){NULL};
    assert_int_equal(run(&launch, &launched, NULL), 0);
    assert_int_equal(family_reap((pid_t)launched.process.pid), 0);
    close(launch.output);
}

static uint64_t mask_of(uint32_t pid, const char *name) {
    char path[64], line[256];
    uint64_t mask = UINT64_MAX;
    snprintf(path, sizeof path, "/proc/%u/status", (unsigned)pid);
    FILE *file = fopen(path, "r");
    must(file != NULL, "fopen");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            mask = strtoull(line + strlen(name), NULL, 16);
        }
    }
    fclose(file);
    return mask;
}

static void signals_and_session_are_its_own(void **state) {
    (void)state;
    sigset_t block, before;
    struct pri_launched launched;
    struct pri_launch launch = a_launch(WORDS((char[]){"sleep"}, (char[]){"60"}));
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(run(&launch, &launched, NULL), 0);
    uint32_t pid = launched.process.pid;
    uint64_t blocked = mask_of(pid, "SigBlk:"), ignored = mask_of(pid, "SigIgn:");
    pid_t session = getsid((pid_t)pid), group = getpgid((pid_t)pid);
    pri_process_signal(&launched.process, SIGTERM);
    int status = family_reap((pid_t)pid);
    sigset_t now;
    sigprocmask(SIG_SETMASK, &before, &now);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    assert_true(blocked == 0);
    assert_true(ignored == 0);
    assert_true(session == (pid_t)pid && group == (pid_t)pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(sigismember(&now, SIGTERM) && !sigismember(&now, SIGINT)); /* ours was put back */
    close(launch.output);
}

static unsigned descriptors_of(uint32_t pid, uint64_t *ret_set) {
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%u/fd", (unsigned)pid);
    DIR *dir = opendir(path);
    must(dir != NULL, "opendir");
    *ret_set = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            *ret_set |= UINT64_C(1) << (atoi(entry->d_name) & 63);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static void it_has_no_descriptor_but_the_first_three(void **state) {
    (void)state;
    uint64_t set;
    struct pri_launched launched;
    int extra[3];
    for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
        extra[i] = dup(STDERR_FILENO); /* not close-on-exec */
    }
    struct pri_launch launch = a_launch(SHELL("kill -STOP $$"));
    assert_int_equal(run(&launch, &launched, NULL), 0);
    siginfo_t info; /* by then its loader has closed the libraries' files */
    must(waitid(P_PID, launched.process.pid, &info, WSTOPPED | WNOWAIT) == 0, "waitid");
    unsigned count = descriptors_of(launched.process.pid, &set);
    pri_process_signal(&launched.process, SIGKILL);
    family_reap((pid_t)launched.process.pid);
    for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
        close(extra[i]);
    }
    assert_int_equal(count, 3);
    assert_true(set == 7);
    close(launch.output);
}

static void a_starter_without_the_first_three_descriptors_can_launch(void **state) {
    (void)state;
    int saved[3];
    char text[4096];
    struct pri_launched launched;
    int code;
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        close(fd);
    }
    struct pri_launch launch = a_launch(SHELL("echo out; echo err >&2; read -r line || echo end"));
    int low = launch.output;
    code = pri_launch_prepare(&launch, &launched, NULL);
    if (code == 0) {
        pri_launch_go(&launched);
        family_reap((pid_t)launched.process.pid);
        code = pri_launch_result(&launched, "sh", NULL);
    }
    launch.output = fcntl(low, F_DUPFD_CLOEXEC, 20);
    close(low);
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    assert_int_equal(low, 0);
    assert_int_equal(code, 0);
    assert_string_equal(output_of(&launch, text), "out\nerr\nend\n");
}

static void without_descriptors_the_limit_is_named(void **state) {
    (void)state;
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_launched launched = {.process = {.pid = 4}};
    struct pri_launch launch = a_launch(SHELL("exit 0"));
    struct rlimit before, few;
    must(getrlimit(RLIMIT_NOFILE, &before) == 0, "getrlimit");
    uint64_t set;
    unsigned open_before = descriptors_of((uint32_t)getpid(), &set);
    for (rlim_t limit = 0; limit < 12; limit++) {
        few = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
        must(setrlimit(RLIMIT_NOFILE, &few) == 0, "setrlimit");
        int code = pri_launch_prepare(&launch, &launched, &error);
        must(setrlimit(RLIMIT_NOFILE, &before) == 0, "setrlimit");
        if (code ==
            0) { /* enough for the keeper, perhaps not for /proc: then nothing is left either */
            pri_launch_forget(&launched);
            family_reap((pid_t)launched.process.pid);
            launched.process.pid = 4;
        } else {
            assert_int_equal(code, PROCREF_E_LIMIT);
            assert_non_null(strstr(error.message, "ulimit -n"));
            assert_int_equal(launched.process.pid, 4);
        }
        assert_int_equal(descriptors_of((uint32_t)getpid(), &set), open_before);
    }
    while (waitpid(-1, NULL, 0) > 0) {
    }
    close(launch.output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_runs_with_its_environment_folder_and_output),
        cmocka_unit_test(it_exists_but_does_not_run_before_it_is_told_to),
        cmocka_unit_test(forgetting_what_was_never_launched_closes_nothing),
        cmocka_unit_test(a_death_before_it_is_told_to_run_is_no_signal_to_us),
        cmocka_unit_test(what_cannot_be_run_is_named),
        cmocka_unit_test(a_working_directory_that_cannot_be_entered_is_named),
        cmocka_unit_test(the_commands_own_PATH_finds_it),
        cmocka_unit_test(signals_and_session_are_its_own),
        cmocka_unit_test(it_has_no_descriptor_but_the_first_three),
        cmocka_unit_test(a_starter_without_the_first_three_descriptors_can_launch),
        cmocka_unit_test(without_descriptors_the_limit_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
