/* cli/unit.h: files as unit_load() reads them, and ${VAR} in texts. That values are those of
 * systemd is tests/conformance's business; here is what systemd has not, or does otherwise. */
#include "unit/family.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/unit.h"

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

static void write_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "w");
    must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, path);
    must(chmod(path, 0644) == 0, path);
}

static int load(const char *name, const char *instance, const char *const *ignore,
                struct unit **ret, procref_error *err) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    const struct unit_options options = {instance, "/run/user/7", ignore};
    return unit_load(path, &options, ret, err);
}

/* A unit of this text that can be started. */
static struct unit *good(const char *text) {
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    write_file("good.service", text);
    if (load("good.service", NULL, NULL, &unit, &error) != 0) {
        fail_msg("%s", error.message);
    }
    return unit;
}

/* The text is refused, at this line, with this in the message. */
static void bad(const char *text, int line, const char *message) {
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    write_file("bad.service", text);
    assert_int_equal(load("bad.service", NULL, NULL, &unit, &error), PROCREF_E_INVALID);
    bool found = false;
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        found = found || (finding->level >= UNIT_REFUSED && finding->line == line &&
                          strstr(finding->message, message) != NULL);
    }
    if (!found) {
        fail_msg("no finding at line %d says '%s'; the first is: %s", line, message, error.message);
    }
    unit_free(unit);
}

static const char *words(const char *const *list, char to[512]) {
    to[0] = '\0';
    for (; list != NULL && *list != NULL; list++) {
        strcat(strcat(to, *list), list[1] != NULL ? "|" : "");
    }
    return to;
}

static void everything_of_a_small_unit_is_understood(void **state) {
    char text[512];
    (void)state;
    struct unit *unit = good("[Service]\nExecStart=redis-server --port ${PORT}\n"
                             "Environment=A=1\n[X-Procref]\nReady=tcp\nLinger=1.5s\n"
                             "Export=URL=x:$PORT\nRequires=db queue.service\nHealth=ping %N\n");
    assert_string_equal(unit->name, "good");
    assert_string_equal(unit->config.name, "good");
    assert_string_equal(words(unit->config.command, text), "redis-server|--port|${PORT}");
    assert_string_equal(words(unit->config.environment, text), "A=1");
    assert_string_equal(words((const char *const *)unit->exports, text), "URL=x:$PORT");
    assert_string_equal(words((const char *const *)unit->requires, text), "db|queue");
    assert_string_equal(unit->health, "ping good");
    assert_string_equal(unit->config.ready, "tcp");
    assert_int_equal(unit->config.linger_ms, 1500);
    assert_int_equal(unit->config.start_timeout_ms, 90000);
    assert_int_equal(unit->config.stop_timeout_ms, 90000);
    assert_true(unit->plan.wants_port);
    assert_true(unit->plan.restarts_given);
    assert_int_equal(unit->plan.restarts, 0);
    assert_int_equal(unit->config.restart, PROCREF_RESTART_NEVER);
    assert_int_equal(unit->plan.umask, -1);
    assert_int_equal(unit->finding_count, 0);
    unit_free(unit);
}

static void a_port_is_wanted_where_one_is_used(void **state) {
    static const struct {
        const char *text;
        bool wants;
    } cases[] = {
        {"[Service]\nExecStart=x $PORT\n", true},
        {"[Service]\nExecStart=sh -c 'x -p $PORT'\n", true},
        {"[Service]\nExecStart=x ${PORT}0\n", true},
        {"[Service]\nExecStart=x $PORTS ${PORTS}\n", false},
        {"[Service]\nExecStart=:x $PORT\n", false},
        {"[Service]\nExecStart=x\nExecStartPost=y ${PORT}\n", true},
        {"[Service]\nExecStart=x $PORT\nEnvironment=PORT=5\n", false},
        {"[Service]\nExecStart=x $PORT\n[X-Procref]\nPort=7000\n", false},
        {"[Service]\nExecStart=x\n[X-Procref]\nPort=auto\n", true},
        {"[Service]\nExecStart=x\n[X-Procref]\nReady=tcp\n", true},
        {"[Service]\nExecStart=x\n[X-Procref]\nExport=A=$PORT\n", true},
        {"[Service]\nExecStart=x\n[X-Procref]\nExport=A=1\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unit *unit = good(cases[i].text);
        if (unit->plan.wants_port != cases[i].wants) {
            fail_msg("wants_port is %d for %s", unit->plan.wants_port, cases[i].text);
        }
        unit_free(unit);
    }
}

static void folders_are_made_first_and_removed_last(void **state) {
    char text[512], name[64];
    (void)state;
    struct unit *unit = good("[Service]\nExecStart=x\nExecStartPre=y\nExecStopPost=z\n"
                             "RuntimeDirectory=a/./b %%c\nRuntimeDirectoryMode=0700\n");
    const struct pri_step *steps = unit->plan.steps;
    static const char *const expected[] = {
        "install|-d|-m0700|--|/run/user/7/a/b", "install|-d|-m0700|--|/run/user/7/%c", "y", "x", "z",
        "rm|-rf|--|/run/user/7/a/b",          "rm|-rf|--|/run/user/7/%c"};
    assert_int_equal(unit->plan.step_count, 7);
    for (size_t i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "step %zu", i);
        assert_string_equal(words(steps[i].argv, text), expected[i]);
        assert_true(i == 0 || steps[i].list >= steps[i - 1].list);
    }
    assert_int_equal(steps[0].flags, PRI_STEP_LITERAL | PRI_STEP_OURS);
    assert_int_equal(steps[6].flags, PRI_STEP_LITERAL | PRI_STEP_IGNORE | PRI_STEP_OURS);
    assert_string_equal(words(unit->config.environment, text),
                        "RUNTIME_DIRECTORY=/run/user/7/a/b:/run/user/7/%c");
    unit_free(unit);
    unit = good("[Service]\nExecStart=x\nRuntimeDirectory=a\nRuntimeDirectoryPreserve=yes\n");
    assert_int_equal(unit->plan.step_count, 2);
    unit_free(unit);
}

static void what_would_be_another_service_is_refused(void **state) {
    (void)state;
    bad("[Service]\nExecStart=x\nType=oneshot\n", 3, "needs RemainAfterExit=yes");
    bad("[Service]\nExecStart=x\nRemainAfterExit=yes\n", 3, "for Type=oneshot only");
    bad("[Service]\nExecStart=x\nType=dbus\n", 3, "Type=dbus");
    bad("[Service]\nExecStart=x\nBusName=org.x\n", 3, "Type=dbus");
    bad("[Service]\nExecStart=x\nExecStart=y\n", 3, "several ExecStart=");
    bad("[Service]\nExecStop=x\n", 1, "no ExecStart=");
    bad("[Service]\nExecStart=x\nKillMode=none\n", 3, "KillMode=none");
    bad("[Service]\nExecStart=x\nExecCondition=y\n", 3, "ExecCondition=");
    bad("[Service]\nExecStart=x\nStandardInput=tty\n", 3, "StandardInput=");
    bad("[Service]\nExecStart=x\nUser=no-such-user-here\n", 3, "User=");
    bad("[Unit]\nConditionACPower=no\n[Service]\nExecStart=x\n", 2, "ConditionACPower=");
    bad("[Service]\nExecStart=x\nStateDirectory=a:b\n", 3, "symbolic link");
}

static void what_systemd_leaves_out_is_an_error(void **state) {
    (void)state;
    bad("[Service]\nExecStart=x %z\n", 2, "%z");
    bad("[Service]\nExecStart=x\nfoo\n", 3, "is no assignment");
    bad("ExecStart=x\n", 1, "before any [Section]");
    bad("[Service]\nExecStart=x\nDescription=\xff\n", 3, "UTF-8");
    bad("[Service]\nExecStart=x \"y\n", 2, "not closed");
    bad("[Service]\nExecStart=x\nTimeoutSec=soon\n", 3, "a time such as");
    bad("[Service]\nExecStart=x\n[X-Procref]\nReady=maybe\n", 4, "notify, tcp");
    bad("[Service]\nExecStart=x\n[X-Procref]\nRedy=tcp\n", 4, "is Ready= meant");
    bad("[Service]\nExecStart=x\n[X-Procref]\nPort=70000\n", 4, "1 to 65535");
    bad("[Service]\nExecStart=x \\\n  y \\\n  %z\n", 2, "%z"); /* where the assignment begins */
    bad("[Service]\nExecStart=x\nEnvironmentFile=/nonexistent/x\n", 3, "there is no");
}

static void a_path_that_leads_up_is_an_error_and_others_are_made_short(void **state) {
    char text[512];
    (void)state;
    static const char *const keys[] = {"WorkingDirectory=/a/../b", "WorkingDirectory=-/a/..",
                                       "PIDFile=/a/../b",          "PIDFile=../b",
                                       "EnvironmentFile=-/a/../b", "StandardOutput=file:/../b"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(text, sizeof text, "[Service]\nExecStart=x\n%s\n", keys[i]);
        bad(text, 3, "use an absolute path without '..'");
    }
    struct unit *unit = good("[Service]\nExecStart=/usr//bin/./x\nWorkingDirectory=/usr//./..a/\n"
                             "PIDFile=.//b/c/\nStandardOutput=append:/d//\nStandardError=null\n");
    assert_string_equal(unit->plan.steps[0].program, "/usr/bin/x");
    assert_string_equal(unit->config.working_dir, "/usr/..a");
    assert_string_equal(unit->plan.pid_file, "/run/user/7/b/c");
    assert_string_equal(unit->plan.output, "append:/d");
    unit_free(unit);
    unit = good("[Service]\nExecStart=x\nWorkingDirectory=//.\n");
    assert_string_equal(unit->config.working_dir, "/");
    unit_free(unit);
}

static void a_key_that_is_named_by_ignore_is_not_refused(void **state) {
    static const char *const ignore[] = {"PrivateTmp", "KillMode", NULL};
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    (void)state;
    write_file("a.service", "[Service]\nExecStart=x\nPrivateTmp=yes\nKillMode=none\n");
    assert_int_equal(load("a.service", NULL, ignore, &unit, &error), 0);
    assert_int_equal(unit->finding_count, 2);
    assert_int_equal(unit->findings[0].level, UNIT_IGNORED);
    assert_string_equal(unit->findings[0].key, "PrivateTmp");
    assert_int_equal(unit->plan.kill_mode, PRI_KILL_GROUP);
    unit_free(unit);
    assert_int_equal(load("a.service", NULL, ignore + 1, &unit, &error), PROCREF_E_INVALID);
    assert_non_null(strstr(error.message, "a.service:3: PrivateTmp=yes"));
    unit_free(unit);
}

static void what_asks_for_nothing_is_not_refused_and_takes_back(void **state) {
    (void)state;
    struct unit *unit = good("[Unit]\nConditionHost=x\nAssertHost=y\nConditionUser=\nAssertUser=\n"
                             "[Service]\nExecStart=x\nPrivateTmp=yes\nPrivateTmp=no\nDynamicUser=0\n"
                             "MemoryMax=infinity\nRuntimeMaxSec=infinity\n");
    assert_int_equal(unit->finding_count, 0);
    unit_free(unit);
}

/* How many findings a unit with these lines in [Service] has that keep it from being run, or warn.
 */
static int told(const char *unit_lines, const char *service_lines) {
    char text[1024];
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    int count = 0;
    snprintf(text, sizeof text, "[Unit]\n%s\n[Service]\nExecStart=x\n%s\n", unit_lines,
             service_lines);
    write_file("told.service", text);
    load("told.service", NULL, NULL, &unit, &error);
    assert_non_null(unit);
    for (size_t i = 0; i < unit->finding_count; i++) {
        count += unit->findings[i].level >= UNIT_WARNING;
    }
    unit_free(unit);
    return count;
}

static void only_what_is_the_default_asks_for_nothing(void **state) {
    static const char *const asks[] = {
        "MemorySwapMax=0",    "MemoryMax=0",          "AllowedCPUs=0",
        "CPUAffinity=0",      "NUMAMask=0",           "IOSchedulingPriority=0",
        "CoredumpFilter=0",   "StandardInputText=no", "SupplementaryGroups=0",
        "MemoryMin=infinity", "RuntimeMaxSec=0",      "CapabilityBoundingSet=",
        "Delegate="};
    static const char *const nothing[] = {
        "MemoryMin=0",         "MemoryMax=infinity",      "TasksMax=infinity", "PrivateTmp=off",
        "ProtectHome=false",   "WatchdogSec=0",           "DynamicUser=0",     "ExitType=main",
        "KeyringMode=inherit", "CapabilityBoundingSet=~", "CPUAffinity=",      "Delegate=no"};
    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        if (told("", asks[i]) != 1) {
            fail_msg("%s is not told", asks[i]);
        }
    }
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        if (told("", nothing[i]) != 0) {
            fail_msg("%s is told", nothing[i]);
        }
    }
}

static void a_file_that_may_be_made_too_late_is_told(void **state) {
    (void)state;
    assert_int_equal(told("", "EnvironmentFile=-/nonexistent/x"), 0);
    assert_int_equal(told("", "EnvironmentFile=-/nonexistent/x\nExecStartPre=y"), 1);
    assert_int_equal(told("", "EnvironmentFile=-/nonexistent/x\nRuntimeDirectory=y"), 0);
}

static void conditions_and_assertions_are_two_lists(void **state) {
    (void)state;
    assert_int_equal(told("ConditionHost=x\nConditionUser=y\nConditionPathExists=", ""), 0);
    assert_int_equal(told("AssertHost=x\nAssertPathExists=", ""), 0);
    assert_int_equal(told("ConditionHost=x\nAssertPathExists=", ""), 1);
    assert_int_equal(told("AssertHost=x\nConditionHost=", ""), 1);
    assert_int_equal(told("ConditionHost=x\nConditionHost=y", ""), 2);
}

static void a_later_assignment_takes_back_what_systemd_would_forget(void **state) {
    static const struct {
        const char *lines;
        int told;
    } cases[] = {
        {"Type=dbus\nType=simple", 0},
        {"User=no-such-user-here\nUser=", 0},
        {"KillMode=none\nKillMode=process", 0},
        {"KillMode=none\nKillMode=", 0},
        {"Personality=x86\nPersonality=", 0},
        {"MountAPIVFS=yes\nMountAPIVFS=", 0},
        {"BusName=org.x\nBusName=", 1}, /* systemd leaves an empty one out */
        {"KillMode=none\nKillMode=none", 1},
        {"StandardInput=tty\nStandardInput=null", 0},
        {"StandardOutput=tty\nStandardOutput=null", 0},
        {"StandardOutput=tty\nStandardError=null", 1},
        {"RuntimeDirectory=a:b\nRuntimeDirectory=", 0},
        {"RuntimeDirectory=a:b\nRuntimeDirectory=c", 1},
        {"SendSIGHUP=yes\nSendSIGHUP=no", 0},
        {"FinalKillSignal=SIGINT\nFinalKillSignal=SIGKILL", 0},
        {"RuntimeDirectoryPreserve=restart\nRuntimeDirectoryPreserve=no", 0},
        {"MemoryMax=1G\nMemoryMax=2G", 1},
        {"PrivateTmp=yes\nPrivateTmp=no", 0},
        {"PrivateTmp=yes\nPrivateTmp=", 1},
        {"CPUAffinity=1\nCPUAffinity=2", 2},
        {"CPUAffinity=1\nCPUAffinity=2\nCPUAffinity=", 0},
        {"CapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=~", 0},
        {"RestrictNamespaces=~net\nRestrictNamespaces=no", 0},
        {"Sockets=a.socket\nSockets=", 1},
        {"Nice=99\nNice=0", 1}, /* what cannot be read stays an error */
        {"Environment=A\nEnvironment=", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (told("", cases[i].lines) != cases[i].told) {
            fail_msg("%d findings in %s", told("", cases[i].lines), cases[i].lines);
        }
    }
    assert_int_equal(told("Requires=a.service\n[X-Procref]\nRequires=", ""), 1);
}

static void an_empty_value_is_the_default(void **state) {
    char text[512];
    (void)state;
    struct unit *unit = good("[Service]\nExecStart=x\nKillMode=mixed\nKillMode=\n"
                             "RuntimeDirectoryMode=0700\nRuntimeDirectory=a\nRuntimeDirectory=\n"
                             "RuntimeDirectory=b\n");
    assert_int_equal(unit->plan.kill_mode, PRI_KILL_GROUP);
    assert_string_equal(words(unit->plan.steps[0].argv, text),
                        "install|-d|-m0755|--|/run/user/7/b");
    unit_free(unit);
}

static void a_template_needs_an_instance(void **state) {
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    char text[512];
    (void)state;
    write_file("t@.service", "[Service]\nExecStart=x %i %n %p %I\n");
    assert_int_equal(load("t@.service", NULL, NULL, &unit, &error), PROCREF_E_INVALID);
    assert_non_null(strstr(error.message, "name an instance"));
    unit_free(unit);
    assert_int_equal(load("t@.service", "t@a-b", NULL, &unit, &error), 0);
    assert_string_equal(unit->name, "t@a-b");
    assert_string_equal(words(unit->config.command, text), "x|a-b|t@a-b.service|t|a/b");
    unit_free(unit);
}

static void drop_ins_are_read_in_order_and_the_instances_own_wins(void **state) {
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    char path[128], text[512];
    (void)state;
    write_file("t@.service", "[Service]\nExecStart=x\nEnvironment=N=0\n");
    snprintf(path, sizeof path, "%s/t@.service.d", scratch);
    must(mkdir(path, 0700) == 0, "mkdir");
    snprintf(path, sizeof path, "%s/t@one.service.d", scratch);
    must(mkdir(path, 0700) == 0, "mkdir");
    write_file("t@.service.d/10-a.conf", "[Service]\nEnvironment=N=1 A=1\n");
    write_file("t@.service.d/30-c.conf", "[Service]\nEnvironment=N=3\nExecStart=\nExecStart=y\n");
    write_file("t@.service.d/20-b.conf", "[Service]\nEnvironment=N=2 B=general\n");
    write_file("t@one.service.d/20-b.conf", "[Service]\nEnvironment=B=own\n");
    write_file("t@one.service.d/nothing", "not read");
    assert_int_equal(load("t@.service", "t@one", NULL, &unit, &error), 0);
    assert_string_equal(words(unit->config.environment, text), "N=3|A=1|B=own");
    assert_string_equal(unit->config.command[0], "y");
    unit_free(unit);
    write_file("t@one.service.d/40-d.conf", "[Service]\nNice=99\n");
    assert_int_equal(load("t@.service", "t@one", NULL, &unit, &error), PROCREF_E_INVALID);
    assert_non_null(strstr(error.message, "t@one.service.d/40-d.conf:2: Nice= is '99'"));
    unit_free(unit);
}

static void drop_ins_are_read_for_each_beginning_of_the_name(void **state) {
    static const char *const folders[] = {"a-b-c.service.d", "a-b-.service.d", "a-.service.d",
                                          "service.d"};
    char path[128], text[512];
    (void)state;
    write_file("a-b-c.service", "[Service]\nExecStart=x\n");
    write_file("a-b-.service", "[Service]\nExecStart=x\n");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, folders[i]);
        must(mkdir(path, 0700) == 0, "mkdir");
        snprintf(path, sizeof path, "%s/%zu.conf", folders[i], 9 - i);
        snprintf(text, sizeof text, "[Service]\nEnvironment=V%zu=x\n", i);
        write_file(path, text);
        snprintf(path, sizeof path, "%s/same.conf", folders[i]);
        snprintf(text, sizeof text, "[Service]\nEnvironment=SAME=%zu\n", i);
        write_file(path, text);
    }
    snprintf(path, sizeof path, "%s/a-b-c.service.d/6.conf", scratch);
    must(symlink("/dev/null", path) == 0, "symlink"); /* masks that of service.d */
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    assert_int_equal(load("a-b-c.service", NULL, NULL, &unit, &error), 0);
    assert_string_equal(words(unit->config.environment, text), "V2=x|V1=x|V0=x|SAME=0");
    unit_free(unit);
    assert_int_equal(load("a-b-.service", NULL, NULL, &unit, &error), 0);
    assert_string_equal(words(unit->config.environment, text), "V3=x|V2=x|V1=x|SAME=1");
    unit_free(unit);
}

static void environment_files_overrule_and_may_be_missing(void **state) {
    char unit_text[512], text[512];
    (void)state;
    write_file("env1", "A=file # no comment\nB='two\n lines'\n");
    write_file("env2", "A=second\nC=3\n");
    snprintf(unit_text, sizeof unit_text,
             "[Service]\nExecStart=x\nEnvironmentFile=%s/env1\nEnvironmentFile=-%s/none\n"
             "EnvironmentFile=%s/env[2]\nEnvironment=A=unit D=4\n",
             scratch, scratch, scratch);
    struct unit *unit = good(unit_text);
    assert_string_equal(words(unit->config.environment, text), "A=second|D=4|B=two\n lines|C=3");
    unit_free(unit);
}

static void what_is_unset_is_not_set_by_the_same_file(void **state) {
    char text[512];
    (void)state;
    struct unit *unit = good("[Service]\nExecStart=x\nEnvironment=A=1 AB=2 C=3 D=4\n"
                             "UnsetEnvironment=A C=3 D=5\n");
    assert_string_equal(words(unit->config.environment, text), "AB=2|D=4");
    assert_string_equal(words(unit->plan.unset, text), "A|C=3|D=5");
    unit_free(unit);
}

static void a_file_that_others_can_write_is_not_read(void **state) {
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    char path[128];
    (void)state;
    write_file("open.service", "[Service]\nExecStart=x\n");
    snprintf(path, sizeof path, "%s/open.service", scratch);
    must(chmod(path, 0666) == 0, "chmod");
    assert_int_equal(load("open.service", NULL, NULL, &unit, &error), PROCREF_E_IO);
    assert_non_null(strstr(error.message, "written by everybody"));
    assert_non_null(strstr(error.message, "0666"));
    if (geteuid() == 0) { /* only root can give a file away */
        must(chmod(path, 0644) == 0 && chown(path, 65534, 65534) == 0, "chown");
        assert_int_equal(load("open.service", NULL, NULL, &unit, &error), PROCREF_E_IO);
        assert_non_null(strstr(error.message, "belongs to"));
        assert_non_null(strstr(error.message, "0644"));
    }
    assert_int_equal(load(".", NULL, NULL, &unit, &error), PROCREF_E_IO);
    assert_int_equal(load("none.service", NULL, NULL, &unit, &error), PROCREF_E_IO);
    assert_null(unit);
    snprintf(path, sizeof path, "%s/fifo.service", scratch);
    must(mkfifo(path, 0600) == 0, "mkfifo");
    assert_int_equal(load("fifo.service", NULL, NULL, &unit, &error), PROCREF_E_IO);
}

static void variables_are_replaced_within_one_word(void **state) {
    static const char *const env[] = {"A=1", "B=two words", "A=3", NULL};
    static const char *const cases[][2] = {{"plain", "plain"},
                                           {"$A-${A}x$B", "3-3xtwo words"},
                                           {"$$A $", "$A $"},
                                           {"$NONE.${NONE}.", ".."},
                                           {"${A", "${A"},
                                           {"${A:-x}", "${A:-x}"},
                                           {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *expanded = unit_expand(cases[i][0], env);
        assert_string_equal(expanded, cases[i][1]);
        free(expanded);
    }
}

static void times_are_those_of_systemd(void **state) {
    int64_t ms;
    (void)state;
    assert_true(cli_timespan("1min 30s", &ms) && ms == 90000);
    assert_true(cli_timespan("1.5", &ms) && ms == 1500);
    assert_true(cli_timespan("1us", &ms) && ms == 1); /* rounded up */
    assert_true(cli_timespan(" infinity ", &ms) && ms == -1);
    assert_false(cli_timespan("", &ms) || cli_timespan("5 parsecs", &ms) ||
                 cli_timespan("-1", &ms) || cli_timespan("1.2.3", &ms));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(everything_of_a_small_unit_is_understood),
        TEST(a_port_is_wanted_where_one_is_used),
        TEST(folders_are_made_first_and_removed_last),
        TEST(what_would_be_another_service_is_refused),
        TEST(what_systemd_leaves_out_is_an_error),
        TEST(a_path_that_leads_up_is_an_error_and_others_are_made_short),
        TEST(a_key_that_is_named_by_ignore_is_not_refused),
        TEST(what_asks_for_nothing_is_not_refused_and_takes_back),
        TEST(only_what_is_the_default_asks_for_nothing),
        TEST(a_file_that_may_be_made_too_late_is_told),
        TEST(conditions_and_assertions_are_two_lists),
        TEST(a_later_assignment_takes_back_what_systemd_would_forget),
        TEST(an_empty_value_is_the_default),
        TEST(a_template_needs_an_instance),
        TEST(drop_ins_are_read_in_order_and_the_instances_own_wins),
        TEST(drop_ins_are_read_for_each_beginning_of_the_name),
        TEST(environment_files_overrule_and_may_be_missing),
        TEST(what_is_unset_is_not_set_by_the_same_file),
        TEST(a_file_that_others_can_write_is_not_read),
        TEST(variables_are_replaced_within_one_word),
        TEST(times_are_those_of_systemd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
