/* keeper/readiness.h: each kind on real sockets, files and processes. The test process plays the
 * keeper. */
#include "unit/family.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/fail.h"
#include "keeper/readiness.h"
#include "os/ready.h"
#include "os/clock.h"

static char scratch[64], token[64];
static char path_entry[] = "PATH=/usr/bin:/bin";
static char *const environment[] = {path_entry, NULL};

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(token, sizeof token, "PROCREF_TOKEN=unit-%d", (int)getpid());
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

static struct pri_tree below_us(void) {
    return (struct pri_tree){.keeper = (uint32_t)getpid(), .token = token};
}

static void start(struct pri_readiness *r, const char *ready, uint16_t port, const char *log,
                  char notify_name[108]) {
    char unused[108];
    procref_error error = PROCREF_ERROR_INIT;
    int code = pri_readiness_start(r, ready, port, log, 0, environment, scratch,
                                   notify_name != NULL ? notify_name : unused, &error);
    if (code < 0) {
        fail_msg("%s: %s", ready, error.message);
    }
}

/* What the keeper's loop does, until the machine says READY or patience_ms are over. */
static bool becomes_ready(struct pri_readiness *r, const struct pri_tree *tree, int patience_ms) {
    int64_t end = pri_deadline(patience_ms);
    while (pri_readiness_step(r, tree) != PRI_READINESS_READY) {
        pid_t pid;
        int status;
        if (pri_clock_ns() >= end) {
            return false;
        }
        if (r->probe.pid != 0) { /* SIGCHLD would wake the loop */
            pid = waitpid((pid_t)r->probe.pid, &status, 0);
            pri_readiness_reaped(r, (uint32_t)pid, status);
            continue;
        }
        struct pollfd poll_for = {.fd = r->waitable, .events = POLLIN};
        poll(&poll_for, 1, pri_deadline_poll_ms(r->next_ns < end ? r->next_ns : end));
    }
    return true;
}

/* ---- which texts are kinds ---- */

/* Each of these took gigabytes or many seconds in regcomp(), glibc's or musl's. */
static void a_pattern_that_would_fill_the_memory_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"log:a++++++++++++++++++++++++++++++++++++++++++++++++",
                                      "log:a{200}{200}{200}",
                                      "log:((a{9,200}b){200}c){3,200}",
                                      "log:(((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
                                      "log:[[:space:]x]{250}{250}",
                                      "log:(a?){250}{19}",
                                      "log:(){250}{36}"};
    static const char *const good[] = {"log:^[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+ +a+b+c+d+e+",
                                       "log:(a+b)+{1,3} []a]{200}", "log:x{0,255}|(y{255})?"};
    char expected[PRI_READY_EXPECTED];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(pri_ready_valid(bad[i], expected));
        assert_non_null(strstr(expected, "fewer repetitions"));
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(pri_ready_valid(good[i], expected));
    }
}

static void only_the_known_kinds_are_valid(void **state) {
    (void)state;
    static const char *const good[] = {NULL,          "notify",    "tcp",         "unix:/x",
                                       "unix:@x",     "exec:true", "log:^ready$", "log:a|(b)",
                                       "log:[]+{9]+", "log:\\+++"};
    char expected[PRI_READY_EXPECTED];
    static const char *const bad[] = {"",      "Notify", "tcp:80", "unix:", "exec:",  "log:",
                                      "log:(", "log:a[", "unix",   "http",  "notify "};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(pri_ready_valid(good[i], expected));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pri_readiness r;
        char name[108] = "x";
        procref_error error = PROCREF_ERROR_INIT;
        assert_false(pri_ready_valid(bad[i], expected));
        assert_true(strlen(expected) > 0);
        assert_int_equal(
            pri_readiness_start(&r, bad[i], 0, "/dev/null", 0, environment, "/", name, &error),
            PROCREF_E_INVALID);
        assert_non_null(strstr(error.message, bad[i]));
        assert_string_equal(name, "");
        pri_readiness_stop(&r);
    }
}

static void tcp_without_a_port_and_too_long_a_path_are_invalid(void **state) {
    (void)state;
    struct pri_readiness r;
    char name[108], path[200];
    assert_int_equal(pri_readiness_start(&r, "tcp", 0, NULL, 0, environment, "/", name, NULL),
                     PROCREF_E_INVALID);
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:/", 6);
    path[sizeof path - 1] = '\0';
    assert_int_equal(pri_readiness_start(&r, path, 0, NULL, 0, environment, "/", name, NULL),
                     PROCREF_E_INVALID);
}

static void without_a_check_it_is_ready_at_once(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct pri_readiness r;
    start(&r, NULL, 0, NULL, NULL);
    assert_true(r.next_ns <= pri_clock_ns());
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
    pri_readiness_stop(&r);
    pri_readiness_stop(&r);
}

static void stopping_a_zeroed_machine_closes_nothing(void **state) {
    (void)state;
    struct pri_readiness r = {0};
    pri_readiness_stop(&r);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

/* ---- notify ---- */

static void notify_from(struct pri_readiness *r, struct family *f, const char *text) {
    char name[108], entry[160];
    start(r, "notify", 0, NULL, name);
    assert_int_equal(name[0], '@');
    snprintf(entry, sizeof entry, "NOTIFY_SOCKET=%s", name);
    family_start(f, "notify", text, NULL, entry);
    family_says(f); /* sent */
}

static void a_notification_of_the_tree_makes_ready(void **state) {
    (void)state;
    static const char *const texts[] = {"READY=1", "STATUS=up\nREADY=1\n", "READY=1\nMAINPID=1"};
    struct pri_tree tree = below_us();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct pri_readiness r;
        struct family f;
        notify_from(&r, &f, texts[i]);
        assert_true(readable_within(r.waitable, 0));
        assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
        assert_int_equal(family_says(&f), 0); /* the descriptor that came along has been closed */
        assert_false(readable_within(r.waitable, 0));
        assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
        pri_readiness_stop(&r);
        family_end(&f);
    }
}

static void what_does_not_say_ready_does_not_make_ready(void **state) {
    (void)state;
    char longer[1200];
    const char *const texts[] = {"READY=10", "STATUS=READY=1", "READY=0", "xREADY=1",
                                 "ready=1",  " READY=1",       longer};
    struct pri_tree tree = below_us();
    memset(longer, 'x', sizeof longer); /* "READY=1" stands where the message is cut */
    memcpy(longer + 1024 - 8, "\nREADY=12", 9);
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct pri_readiness r;
        struct family f;
        notify_from(&r, &f, texts[i]);
        assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
        assert_true(r.next_ns == PRI_NEVER);
        assert_int_equal(family_says(&f), 0);
        pri_readiness_stop(&r);
        family_end(&f);
    }
}

static void what_is_said_besides_ready_is_told_once_it_is_heard(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct pri_readiness r;
    struct family named, f;
    char text[64];
    family_start(&named, "chain", "0", NULL, NULL);
    family_says(&named);
    snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=5000000\nMAINPID=%d\n", (int)named.pid);
    int64_t before_ns = pri_clock_ns();
    notify_from(&r, &f, text);
    pri_readiness_hear(&r, &tree);
    assert_int_equal(r.main.pid, named.pid);
    assert_true(pri_process_alive(&r.main));
    assert_true(r.extended_ns >= before_ns + 5000 * PRI_MS);
    assert_true(r.extended_ns <= pri_clock_ns() + 5000 * PRI_MS);
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    pri_readiness_stop(&r);
    close(named.hold);
    family_end(&f);
    close(named.says);
}

static void nonsense_said_besides_ready_is_left_out(void **state) {
    (void)state;
    static const char *const texts[] = {"MAINPID=1",
                                        "MAINPID=",
                                        "MAINPID=4294967297",
                                        "MAINPID=-1",
                                        "xMAINPID=2",
                                        "EXTEND_TIMEOUT_USEC=1s",
                                        "EXTEND_TIMEOUT_USEC=18446744073709551615",
                                        "EXTEND_TIMEOUT_USEC= 1000"};
    struct pri_tree tree = below_us();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct pri_readiness r;
        struct family f;
        notify_from(&r, &f, texts[i]);
        pri_readiness_hear(&r, &tree);
        assert_int_equal(r.main.pid, 0);
        assert_true(r.extended_ns == 0);
        pri_readiness_stop(&r);
        family_end(&f);
    }
}

/* In a network namespace of its own, where a queue can be as long as it takes. */
static int hears_a_part_at_a_time(void) {
    enum { MANY = 3000, EACH = 100 };
    struct pri_tree tree = below_us();
    struct pri_readiness r;
    char name[108];
    int steps = 0, fd = -1, most = -1;
    if (unshare(CLONE_NEWNET) == 0) {
        most = open("/proc/sys/net/unix/max_dgram_qlen", O_WRONLY | O_CLOEXEC);
    }
    if (most < 0 || dprintf(most, "%d", (int)MANY) < 0) {
        return 77;
    }
    start(&r, "notify", 0, NULL, name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    for (int i = 0; i < MANY; i++) {
        if (i % EACH == 0) { /* what is under way fills a sender's buffer */
            fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        }
        if (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, size) != 1) {
            return 2;
        }
    }
    for (; readable_within(r.waitable, 0); steps++) {
        pri_readiness_step(&r, &tree);
    }
    return steps > 1 && steps < MANY ? 0 : 1;
}

static void who_notifies_faster_than_is_heard_does_not_keep_us(void **state) {
    (void)state;
    int status;
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        _exit(hears_a_part_at_a_time());
    }
    must(waitpid(child, &status, 0) == child, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip(); /* no namespace may be made here */
    }
    assert_int_equal(status, 0);
}

static void a_strangers_notification_is_not_believed(void **state) {
    (void)state;
    struct family pair, stranger;
    struct pri_readiness r;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    struct pri_tree tree = {.keeper = (uint32_t)pair.pid, .token = token};
    notify_from(&r, &stranger, "READY=1");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    pri_readiness_stop(&r);
    close(pair.hold);
    family_end(&stranger);
    close(pair.says);
}

static void a_sender_that_ended_is_believed_until_it_is_reaped(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    for (int reaped = 0; reaped < 2; reaped++) {
        struct pri_readiness r;
        struct family f;
        siginfo_t info;
        notify_from(&r, &f, "READY=1");
        must(kill(f.pid, SIGKILL) == 0, "kill");
        must(waitid(P_PID, (id_t)f.pid, &info, WEXITED | (reaped ? 0 : WNOWAIT)) == 0, "waitid");
        assert_int_equal(pri_readiness_step(&r, &tree),
                         reaped ? PRI_READINESS_WAIT : PRI_READINESS_READY);
        pri_readiness_stop(&r);
        family_end(&f);
    }
}

/* ---- tcp and unix ---- */

static void tcp_waits_for_a_listener_of_the_tree(void **state) {
    (void)state;
    struct family pair, f;
    struct pri_readiness r;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    struct pri_tree ours = below_us(), others = {.keeper = (uint32_t)pair.pid, .token = token};
    family_start(&f, "listen", "127.0.0.1", NULL, NULL);
    uint16_t port = (uint16_t)family_says(&f);

    start(&r, "tcp", port, NULL, NULL);
    assert_false(becomes_ready(&r, &others, 60));
    assert_true(becomes_ready(&r, &ours, FAMILY_PATIENCE_MS));
    assert_true(r.waitable == -1 && r.next_ns == PRI_NEVER);
    pri_readiness_stop(&r);

    must(kill(f.pid, SIGKILL) == 0, "kill");
    family_reap(f.pid);
    start(&r, "tcp", port, NULL, NULL);
    assert_false(becomes_ready(&r, &ours, 60));
    assert_true(r.next_ns <= pri_clock_ns() + 20 * PRI_MS);
    pri_readiness_stop(&r);
    close(pair.hold);
    family_end(&f);
    close(pair.says);
}

static void unix_waits_for_a_listener_of_the_tree(void **state) {
    (void)state;
    char path[100], ready[128];
    struct family pair, f;
    struct pri_readiness r;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    struct pri_tree ours = below_us(), others = {.keeper = (uint32_t)pair.pid, .token = token};
    snprintf(path, sizeof path, "%s/socket", scratch);
    snprintf(ready, sizeof ready, "unix:%s", path);

    start(&r, ready, 0, NULL, NULL);
    assert_false(becomes_ready(&r, &ours, 30)); /* no file */
    family_start(&f, "unix", path, NULL, NULL);
    family_says(&f);
    assert_false(becomes_ready(&r, &others, 30));
    assert_true(becomes_ready(&r, &ours, FAMILY_PATIENCE_MS));
    pri_readiness_stop(&r);

    start(&r, "unix:socket", 0, NULL, NULL); /* below the working directory */
    assert_true(becomes_ready(&r, &ours, FAMILY_PATIENCE_MS));
    pri_readiness_stop(&r);

    must(kill(f.pid, SIGKILL) == 0, "kill");
    family_reap(f.pid);
    start(&r, ready, 0, NULL, NULL);
    assert_false(becomes_ready(&r, &ours, 30)); /* a file that nobody listens on */
    pri_readiness_stop(&r);
    close(pair.hold);
    family_end(&f);
    close(pair.says);
}

static void a_daemon_whose_parent_listened_is_believed(void **state) {
    (void)state;
    char path[100], ready[128];
    struct family f;
    struct pri_readiness r;
    struct pri_tree ours = below_us();
    snprintf(path, sizeof path, "%s/daemon", scratch);
    snprintf(ready, sizeof ready, "unix:%s", path);
    family_start(&f, "unix", path, "fork", NULL);
    family_says(&f);
    family_reap(f.pid);
    start(&r, ready, 0, NULL, NULL);
    assert_true(becomes_ready(&r, &ours, FAMILY_PATIENCE_MS));
    pri_readiness_stop(&r);
    family_end(&f);
}

static void an_abstract_socket_and_a_datagram_socket_are_known_too(void **state) {
    (void)state;
    char name[64], ready[80];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(name, sizeof name, "@procref-unit-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(bind(fd, (struct sockaddr *)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)) == 0,
         "bind");
    snprintf(ready, sizeof ready, "unix:%s", name);
    start(&r, ready, 0, NULL, NULL);
    assert_true(becomes_ready(&r, &tree, FAMILY_PATIENCE_MS));
    pri_readiness_stop(&r);
    close(fd);
}

/* ---- exec ---- */

static void exec_asks_again_until_the_command_succeeds(void **state) {
    (void)state;
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    start(&r, "exec:echo x >> tries; test \"$(wc -l < tries)\" -ge 4", 0, NULL, NULL);
    assert_true(becomes_ready(&r, &tree, FAMILY_PATIENCE_MS));
    assert_true(r.probe.pid == 0 && r.next_ns == PRI_NEVER);
    pri_readiness_stop(&r);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void the_end_of_another_child_is_not_the_commands(void **state) {
    (void)state;
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    start(&r, "exec:exit 3", 0, NULL, NULL);
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    uint32_t probe = r.probe.pid;
    assert_int_not_equal(probe, 0);
    assert_true(r.next_ns == PRI_NEVER);
    pri_readiness_reaped(&r, probe + 1, 0);
    assert_int_equal(r.probe.pid, probe);
    int status = family_reap((pid_t)probe);
    int64_t before = pri_clock_ns();
    pri_readiness_reaped(&r, probe, status);
    assert_int_equal(r.probe.pid, 0);
    assert_true(r.next_ns >= before + 10 * PRI_MS && r.next_ns <= pri_clock_ns() + 10 * PRI_MS);
    pri_readiness_stop(&r);
}

static void stop_ends_the_command_and_its_children(void **state) {
    (void)state;
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    char fifo[100];
    snprintf(fifo, sizeof fifo, "%s/fifo", scratch);
    must(mkfifo(fifo, 0600) == 0, "mkfifo");
    start(&r, "exec:sleep 60 & echo > fifo; wait", 0, NULL, NULL);
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    int fd = open(fifo, O_RDONLY | O_CLOEXEC); /* returns when the shell has come to echo */
    must(fd >= 0, "open");
    close(fd);
    pri_readiness_stop(&r);
    pri_readiness_stop(&r);
    for (int i = 0; i < 2; i++) {
        assert_true(WIFSIGNALED(family_reap(-1)));
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_command_that_is_stopped_at_once_is_ended_too(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    for (int i = 0; i < 20; i++) {
        struct pri_readiness r;
        start(&r, "exec:sleep 60", 0, NULL, NULL);
        assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
        pri_readiness_stop(&r);
        assert_true(WIFSIGNALED(family_reap(-1)));
    }
}

/* ---- log ---- */

static int make_log(char path[100]) {
    static int number;
    snprintf(path, 100, "%s/log%d", scratch, number++);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    must(fd >= 0, "open");
    return fd;
}

static void say(int fd, const char *text) {
    must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static void a_line_that_matches_makes_ready(void **state) {
    (void)state;
    char path[100];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = make_log(path);
    start(&r, "log:^ready on port [0-9]+$", 0, path, NULL);
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    assert_true(r.next_ns == PRI_NEVER);
    say(fd, "not ready on port 80\nready on port x\n");
    assert_true(readable_within(r.waitable, 0));
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    assert_false(readable_within(r.waitable, 0));
    say(fd, "ready on port 8"); /* more may come */
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    say(fd, "0\r\nmore\n");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
    pri_readiness_stop(&r);
    close(fd);
}

static void a_prompt_without_a_lines_end_matches(void **state) {
    (void)state;
    char path[100];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = make_log(path);
    start(&r, "log:^prompt> ", 0, path, NULL);
    say(fd, "hello\nprompt> ");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
    pri_readiness_stop(&r);
    close(fd);
}

static void earlier_output_zero_bytes_and_long_lines_do_not_confuse(void **state) {
    (void)state;
    char path[100], longer[3000], unused[108];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = make_log(path);
    say(fd, "ready\n");
    assert_int_equal(
        pri_readiness_start(&r, "log:^ready$", 0, path, 6, environment, "/", unused, NULL), 0);
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    must(write(fd, "\0\xff\n", 3) == 3, "write");
    memset(longer, 'x', sizeof longer);
    must(write(fd, longer, sizeof longer) == sizeof longer, "write");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    say(fd, "\nready\n");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
    pri_readiness_stop(&r);
    close(fd);
}

static void a_log_that_was_cut_is_read_from_its_beginning(void **state) {
    (void)state;
    char path[100];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = make_log(path);
    start(&r, "log:^ready$", 0, path, NULL);
    say(fd, "one\ntwo\nthree\n");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_WAIT);
    must(ftruncate(fd, 0) == 0, "ftruncate");
    say(fd, "ready\n");
    assert_int_equal(pri_readiness_step(&r, &tree), PRI_READINESS_READY);
    pri_readiness_stop(&r);
    close(fd);
}

/* The loop has other things to do, a deadline to keep among them. */
static void who_writes_faster_than_is_read_does_not_keep_us(void **state) {
    (void)state;
    static char much[1024 * 1024];
    char path[100];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = make_log(path), steps = 1;
    memset(much, '\n', sizeof much);
    start(&r, "log:^ready$", 0, path, NULL);
    must(write(fd, much, sizeof much) == sizeof much, "write");
    say(fd, "ready\n");
    while (pri_readiness_step(&r, &tree) == PRI_READINESS_WAIT) {
        assert_true(r.next_ns <= pri_clock_ns()); /* nothing announces what is there already */
        steps++;
    }
    assert_in_range(steps, 2, 1000);
    pri_readiness_stop(&r);
    close(fd);
}

static void a_memory_file_is_watched_too(void **state) {
    (void)state;
    char path[100];
    struct pri_readiness r;
    struct pri_tree tree = below_us();
    int fd = memfd_create("log", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    start(&r, "log:ready", 0, path, NULL);
    assert_false(becomes_ready(&r, &tree, 10));
    say(fd, "ready\n"); /* which may announce nothing */
    assert_true(becomes_ready(&r, &tree, FAMILY_PATIENCE_MS));
    pri_readiness_stop(&r);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_known_kinds_are_valid),
        cmocka_unit_test(a_pattern_that_would_fill_the_memory_is_refused),
        cmocka_unit_test(tcp_without_a_port_and_too_long_a_path_are_invalid),
        cmocka_unit_test(without_a_check_it_is_ready_at_once),
        cmocka_unit_test(stopping_a_zeroed_machine_closes_nothing),
        cmocka_unit_test(a_notification_of_the_tree_makes_ready),
        cmocka_unit_test(what_does_not_say_ready_does_not_make_ready),
        cmocka_unit_test(what_is_said_besides_ready_is_told_once_it_is_heard),
        cmocka_unit_test(nonsense_said_besides_ready_is_left_out),
        cmocka_unit_test(who_notifies_faster_than_is_heard_does_not_keep_us),
        cmocka_unit_test(a_strangers_notification_is_not_believed),
        cmocka_unit_test(a_sender_that_ended_is_believed_until_it_is_reaped),
        cmocka_unit_test(tcp_waits_for_a_listener_of_the_tree),
        cmocka_unit_test(unix_waits_for_a_listener_of_the_tree),
        cmocka_unit_test(a_daemon_whose_parent_listened_is_believed),
        cmocka_unit_test(an_abstract_socket_and_a_datagram_socket_are_known_too),
        cmocka_unit_test(exec_asks_again_until_the_command_succeeds),
        cmocka_unit_test(the_end_of_another_child_is_not_the_commands),
        cmocka_unit_test(stop_ends_the_command_and_its_children),
        cmocka_unit_test(a_command_that_is_stopped_at_once_is_ended_too),
        cmocka_unit_test(a_line_that_matches_makes_ready),
        cmocka_unit_test(a_prompt_without_a_lines_end_matches),
        cmocka_unit_test(earlier_output_zero_bytes_and_long_lines_do_not_confuse),
        cmocka_unit_test(a_log_that_was_cut_is_read_from_its_beginning),
        cmocka_unit_test(who_writes_faster_than_is_read_does_not_keep_us),
        cmocka_unit_test(a_memory_file_is_watched_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
