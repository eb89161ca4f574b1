/* Keeper, standby and service let go of everything of the client that happened to start them. */
#include "support/world.h"

#include <dirent.h>
#include <sys/resource.h>

#define TCP "ready=tcp"
#define ON_PORT "--port ${PORT}"

/* A client in the worst shape a client can be in. */
static struct client *messy_client(struct world *w) {
    struct client *c = client_start(w);
    client_do(c, "ignore %d", SIGPIPE);
    client_do(c, "ignore %d", SIGHUP);
    client_do(c, "ignore %d", SIGINT);
    client_do(c, "ignore %d", SIGCHLD);
    client_do(c, "block %d", SIGTERM);
    client_do(c, "block %d", SIGUSR1);
    client_do(c, "block %d", SIGCHLD);
    client_do(c, "nice 5");
    client_do(c, "umask 0027");
    client_do(c, "files_open 50");
    client_do(c, "chdir %s", w->dir);
    client_do(c, "setenv NOTIFY_SOCKET=/nowhere");
    client_do(c, "setenv LISTEN_FDS=3");
    client_do(c, "setenv LISTEN_PID=1");
    client_do(c, "setenv MAKEFLAGS=-j");
    client_do(c, "setenv KEPT=yes");
    client_do(c, "setenv OVERRIDDEN=by-the-starter");
    return c;
}

/* Names what each descriptor of a process is; none may lead to the client. */
static void descriptors_are_its_own(struct world *w, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    int count = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char link[320], target[512];
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            count++;
            if (strncmp(target, "pipe:", 5) == 0) {
                fail_msg("process %d holds a pipe of the client: %s", (int)pid, target);
            }
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (count > 40) {
        fail_msg("process %d holds %d descriptors", (int)pid, count);
    }
    (void)w;
}

static void link_is(pid_t pid, const char *what, const char *not_below) {
    char path[64], target[512] = "";
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t length = readlink(path, target, sizeof target - 1);
    assert_true(length > 0);
    if (strcmp(target, not_below) == 0) {
        fail_msg("%s of process %d is still %s", what, (int)pid, target);
    }
}

static int session_of(pid_t pid) {
    return (int)getsid(pid);
}

/* No signal is ignored but those; and 32 and 33, which glibc's posix_spawn() ignores and no libc
 * lets a program change. */
static void ignores_only(pid_t pid, uint64_t mask) {
    char value[64];
    assert_true(look_status(pid, "SigIgn", value, sizeof value));
    if ((strtoull(value, NULL, 16) & ~(UINT64_C(0x180000000) | mask)) != 0) {
        fail_msg("process %d ignores the signals of mask %s", (int)pid, value);
    }
}

static void is_clean(struct world *w, pid_t pid, struct client *c) {
    descriptors_are_its_own(w, pid);
    link_is(pid, "cwd", w->dir);
    assert_int_not_equal(session_of(pid), session_of(c->program.pid));
    assert_int_not_equal(getpgid(pid), getpgid(c->program.pid));
    if (geteuid() == 0) { /* lowering it needs privilege */
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 0);
    }
}

TEST(keeper_and_standby_let_go_of_everything_of_the_client) {
    struct client *c = messy_client(w);
    pid_t keeper, standby;
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    await_pair(w->name, &keeper, &standby);
    is_clean(w, keeper, c);
    is_clean(w, standby, c);
    ignores_only(keeper, UINT64_C(1) << (SIGXFSZ - 1));
    ignores_only(standby, UINT64_C(1) << (SIGXFSZ - 1));
}

TEST(the_service_is_started_clean) {
    struct client *c = messy_client(w);
    client_open(c, ON_PORT " --tell-environment",
                TCP " env=OVERRIDDEN=by-the-configuration env=ADDED=1");
    struct reply held = client_hold(c);
    is_clean(w, held.pid, c);
    ignores_only(held.pid, 0);
    static const char *const wanted[] = {"descriptors 0",
                                         "ignored 0",
                                         "masked 0",
                                         "umask 022",
                                         "leads-session 1",
                                         "environment KEPT=yes",
                                         "environment OVERRIDDEN=by-the-configuration",
                                         "environment ADDED=1"};
    static const char *const unwanted[] = {
        "environment NOTIFY_SOCKET=", "environment LISTEN_FDS=", "environment LISTEN_PID=",
        "environment MAKEFLAGS=", "environment OVERRIDDEN=by-the-starter"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (events_count(w, wanted[i]) != 1) {
            fail_msg("the service does not have: %s", wanted[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(unwanted); i++) {
        if (events_count(w, unwanted[i]) != 0) {
            fail_msg("the service has: %s", unwanted[i]);
        }
    }
    char dir[256];
    snprintf(dir, sizeof dir, "cwd %s", w->base);
    assert_int_equal(events_count(w, dir), 1); /* working_dir NULL is base_dir */
}

TEST(the_oom_score_of_the_client_is_not_passed_on) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    char path[64], text[32];
    client_do(c, "oom_score_adj 500");
    client_open(c, ON_PORT, TCP);
    struct reply held = client_hold(c);
    await_pair(w->name, &keeper, &standby);
    const pid_t all[] = {keeper, standby, held.pid};
    for (size_t i = 0; i < ARRAY_LEN(all) && geteuid() == 0; i++) {
        snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)all[i]);
        file_text(path, text, sizeof text);
        if (atoi(text) > 0) {
            fail_msg("the oom_score_adj of process %d is %s", (int)all[i], text);
        }
    }
}

TEST(the_pair_survives_the_end_of_the_session_that_started_it) {
    struct client *c = client_start(w), *other = client_start(w);
    client_do(c, "setsid");
    client_open(c, ON_PORT, TCP);
    client_open(other, ON_PORT, TCP);
    struct reply held = client_hold(c);
    assert_int_equal(client_hold(other).pid, held.pid);
    /* What a closed terminal does to everything of its session. */
    kill(-c->program.pid, SIGHUP);
    program_await_end(&c->program);
    client_answered(other, held.pid);
    assert_int_equal(client_count(other), 1);
}

TEST(a_command_substitution_around_a_client_does_not_hang) {
    struct client *c = client_start(w);
    client_open(c, ON_PORT " --stop-delay-ms 500", TCP " linger=5000");
    struct watched service = watch(client_hold(c).pid);
    client_kill(c);
    /* The keeper and the service live on a while; the pipe must be at its end all the same. */
    assert_null(program_read_within(&c->program, 20000));
    assert_false(watched_ended(&service));
    watched_await_end(&service);
}

TEST(ps_shows_the_keeper_and_its_service) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    char line[256], wanted[256], name[64];
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    await_pair(w->name, &keeper, &standby);
    snprintf(wanted, sizeof wanted, "procref-keeper %s", w->name);
    look_command_line(keeper, line, sizeof line);
    assert_string_equal(line, wanted);
    assert_true(look_status(keeper, "Name", name, sizeof name));
    assert_string_equal(name, "procref-keeper");
    assert_true(look_status(standby, "Name", name, sizeof name));
    assert_string_equal(name, "procref-keeper");
}

TEST(the_client_keeps_its_own_children_signals_and_descriptors) {
    struct client *c = client_start(w), *untouched = client_start(w);
    char before[64], after[64];
    assert_true(look_status(untouched->program.pid, "SigBlk", before, sizeof before));
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    static const char *const keys[] = {"SigBlk", "SigIgn", "SigCgt", "Threads"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_true(look_status(untouched->program.pid, keys[i], before, sizeof before));
        assert_true(look_status(c->program.pid, keys[i], after, sizeof after));
        assert_string_equal(after, before);
    }
    char path[64], children[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)c->program.pid,
             (int)c->program.pid);
    file_text(path, children, sizeof children);
    assert_string_equal(children, "");
}

TEST(an_idle_pair_sleeps_in_the_kernel) {
    struct client *c = client_start(w);
    pid_t keeper, standby;
    char before[4][64], after[4][64];
    client_open(c, ON_PORT, TCP);
    client_hold(c);
    await_pair(w->name, &keeper, &standby);
    const pid_t both[] = {keeper, standby};
    /* What follows the start may take its time on a loaded machine; who polls is never still. */
    for (int tries = 0, still = 0; still < 2; tries++) {
        assert_in_range(tries, 0, 9);
        for (int i = 0; i < 2; i++) {
            assert_true(look_status(both[i], "voluntary_ctxt_switches", before[i], 64));
        }
        assert_string_equal(client_ask(c, "gone 700").verb, "still");
        for (int i = still = 0; i < 2; i++) {
            assert_true(look_status(both[i], "voluntary_ctxt_switches", after[i], 64));
            still += strcmp(after[i], before[i]) == 0;
        }
    }
}

TEST_MAIN(T(keeper_and_standby_let_go_of_everything_of_the_client), T(the_service_is_started_clean),
          T(the_oom_score_of_the_client_is_not_passed_on),
          T(the_pair_survives_the_end_of_the_session_that_started_it),
          T(a_command_substitution_around_a_client_does_not_hang),
          T(ps_shows_the_keeper_and_its_service),
          T(the_client_keeps_its_own_children_signals_and_descriptors),
          T(an_idle_pair_sleeps_in_the_kernel))
