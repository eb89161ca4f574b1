/* PostgreSQL by its own programs, and what the kernel says is left of it. */
#include "support/postgres.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/socket.h>

/* Who the clients become; NULL if this is not root. initdb(1) wants a user with a name. */
static const struct passwd *ordinary_user(void) {
    const struct passwd *user = getpwnam("postgres");
    return geteuid() != 0 ? NULL : user != NULL ? user : getpwnam("nobody");
}

bool postgres_can_run(void) {
    static char path[8192];
    char folder[1024] = "";
    const char *before = getenv("PATH");
    FILE *shell = popen("'" TEST_PG_BINDIR "'", "r");
    if (shell != NULL && fgets(folder, sizeof folder, shell) != NULL) {
        folder[strcspn(folder, "\n")] = '\0';
    }
    if (shell == NULL || pclose(shell) != 0 || folder[0] == '\0') {
        printf("skipped: these tests need a PostgreSQL server (package postgresql)\n");
        return false;
    }
    if (geteuid() == 0 && ordinary_user() == NULL) {
        printf(
            "skipped: PostgreSQL does not run as root, and there is no user postgres or nobody\n");
        return false;
    }
    snprintf(path, sizeof path, "%s:%s", folder, before != NULL ? before : "/usr/bin:/bin");
    return setenv("PATH", path, 1) == 0;
}

struct client *postgres_client(struct world *w, const char *helper) {
    struct client *c = client_start_as(w, helper_path(helper));
    const struct passwd *user = ordinary_user();
    if (user != NULL) {
        client_do(c, "setuid %u", (unsigned)user->pw_uid);
    }
    client_do(c, "setenv HOME=%s", w->dir); /* psql and its kin look there for passwords */
    return c;
}

void postgres_make_cluster(struct world *w) {
    const struct passwd *user = ordinary_user();
    if (user != NULL) {
        assert_int_equal(world_shell(w, "chown -R %u .", (unsigned)user->pw_uid), 0);
    }
    struct client *c = postgres_client(w, "client");
    struct job job = job_begin(c, "initdb",
                               "initdb --no-sync --auth=trust --username=postgres --no-locale "
                               "--encoding=UTF8 -D %s/data",
                               w->dir);
    job_succeeded(&job);
    client_quit(c);
}

/* By the protocol itself, for a program would take longer than PostgreSQL takes to be up. */
void assert_postgres_serves(unsigned port) {
    static const char names[] = "user\0postgres\0database\0postgres\0";
    const uint32_t head[2] = {htonl(sizeof head + sizeof names),
                              htonl(3U << 16)}; /* length, version */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char message[sizeof head + sizeof names], answer[512] = "";
    memcpy(message, head, sizeof head);
    memcpy(message + sizeof head, names, sizeof names);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect to PostgreSQL");
    must(write(fd, message, sizeof message) == (ssize_t)sizeof message, "write to PostgreSQL");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    ssize_t n = read(fd, answer, sizeof answer - 1);
    close(fd);
    assert_true(n > 0);
    if (answer[0] !=
        'R') { /* the answer to a login; 'E' is an error: its texts, each after a zero */
        for (ssize_t i = 0; i < n; i++) {
            answer[i] = answer[i] < ' ' ? ' ' : answer[i];
        }
        fail_msg("no session: %s", answer);
    }
}

/* ---- jobs ---- */

struct job job_begin(struct client *c, const char *name, const char *format, ...) {
    struct job job = {.world = c->world};
    char command[1024], all[2048], encoded[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    snprintf(job.status, sizeof job.status, "%s/%s.status", c->world->dir, name);
    snprintf(job.output, sizeof job.output, "%s/%s.out", c->world->dir, name);
    /* The status appears whole, and last. */
    snprintf(all, sizeof all, "{ %s; } </dev/null >%s 2>&1; echo $? >%s.new; mv %s.new %s", command,
             job.output, job.status, job.status, job.status);
    words_encode(encoded, sizeof encoded, all);
    struct reply r = client_ask(c, "spawn sh -c %s", encoded);
    assert_string_equal(r.verb, "child");
    assert_true(r.pid > 0);
    world_adopt(c->world, r.pid);
    return job;
}

bool job_done(const struct job *job) {
    return access(job->status, F_OK) == 0;
}

const char *job_succeeded(const struct job *job) {
    static char output[65536];
    char status[16];
    await_file(job->world, job->status);
    file_text(job->status, status, sizeof status);
    file_text(job->output, output, sizeof output);
    if (strcmp(status, "0\n") != 0) {
        fail_msg("%s: status %s%s", job->output, status, output);
    }
    return output;
}

struct job pgbench_begin(struct client *c, const char *name, unsigned port, int seconds,
                         const char *extra) {
    /* The rate leaves the machine to the others. */
    return job_begin(c, name,
                     "pgbench -h 127.0.0.1 -p %u -U postgres -n -c 2 -T %d --rate=100 %s postgres",
                     port, seconds, extra);
}

/* It ends with another status if a connection broke; other errors it counts. */
void pgbench_saw_no_error(const struct job *job) {
    static const char *const words[] = {"error", "ERROR", "FATAL", "aborted"};
    const char *output = job_succeeded(job);
    const char *processed = strstr(output, "number of transactions actually processed: ");
    assert_non_null(processed);
    assert_true(strtol(strchr(processed, ':') + 1, NULL, 10) > 0);
    const char *failed = strstr(output, "number of failed transactions: "); /* PostgreSQL 15 on */
    if (failed != NULL) {
        assert_int_equal(strtol(strchr(failed, ':') + 1, NULL, 10), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strstr(output, words[i]) != NULL) {
            fail_msg("pgbench: %s", output);
        }
    }
}

/* ---- one that runs, and its end ---- */

static void watch_child(pid_t pid, void *context) {
    struct postgres *p = context;
    struct process_seen seen;
    if (look_process(pid, &seen) && seen.parent == p->postmaster.pid &&
        p->children_count < ARRAY_LEN(p->children)) {
        p->children[p->children_count++] = watch(pid);
    }
}

/* "address perms offset device inode path": System V's segments show their id as the inode. */
static void look_at_memory(struct postgres *p) {
    char line[512];
    snprintf(line, sizeof line, "/proc/%d/maps", (int)p->postmaster.pid);
    FILE *file = fopen(line, "re");
    must(file != NULL, "reading of maps");
    while (p->memory_count < ARRAY_LEN(p->memory) && fgets(line, sizeof line, file) != NULL) {
        unsigned long id;
        char path[128];
        if (sscanf(line, "%*s %*s %*s %*s %lu %127s", &id, path) == 2 &&
            (strncmp(path, "/SYSV", 5) == 0 || strncmp(path, "/dev/shm/", 9) == 0)) {
            p->memory[p->memory_count].is_file = path[1] == 'd';
            p->memory[p->memory_count].id = id;
            snprintf(p->memory[p->memory_count++].path, sizeof path, "%s", path);
        }
    }
    fclose(file);
}

void postgres_look(struct postgres *p, pid_t postmaster) {
    memset(p, 0, sizeof *p);
    p->postmaster = watch(postmaster);
    assert_true(p->postmaster.fd >= 0);
    look_processes(watch_child, p);
    assert_true(p->children_count > 0);
    look_at_memory(p);
    assert_true(p->memory_count > 0);
}

static bool segment_exists(unsigned long wanted) {
    char line[512];
    unsigned long id;
    bool found = false;
    FILE *file = fopen("/proc/sysvipc/shm", "re");
    must(file != NULL, "reading of /proc/sysvipc/shm");
    while (!found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "%*s %lu", &id) == 1 && id == wanted;
    }
    fclose(file);
    return found;
}

static bool is_of(const struct postgres *p, pid_t pid) {
    bool found = pid == p->postmaster.pid;
    for (size_t i = 0; i < p->children_count; i++) {
        found = found || p->children[i].pid == pid;
    }
    return found;
}

/* On Linux its semaphores are in its shared memory; a build may use sets. */
static void assert_no_set_of(const struct world *w, const struct postgres *p) {
    static struct set_seen sets[LOOK_MAX];
    size_t count = look_sets(sets, LOOK_MAX, true);
    for (size_t i = 0; i < count; i++) {
        bool old = false;
        for (size_t j = 0; j < w->sets_before_count; j++) {
            old = old || w->sets_before[j] == sets[i].id;
        }
        for (unsigned r = 0; !old && r < sets[i].registers; r++) {
            if (is_of(p, look_set_user(sets[i].id, r))) {
                fail_msg("semaphore set %d of PostgreSQL is left", sets[i].id);
            }
        }
    }
}

/* What it is called; NULL: nothing. */
static const char *memory_left(const struct postgres *p) {
    for (size_t i = 0; i < p->memory_count; i++) {
        if (p->memory[i].is_file ? access(p->memory[i].path, F_OK) == 0
                                 : segment_exists(p->memory[i].id)) {
            return p->memory[i].path;
        }
    }
    return NULL;
}

void postgres_ended_cleanly(struct world *w, struct postgres *p, const char *log) {
    static char text[1024 * 1024];
    watched_await_end(&p->postmaster);
    for (size_t i = 0; i < p->children_count; i++) {
        watched_await_end(&p->children[i]);
    }
    /* A process of it that we did not see, such as one that was about to log in, may end last. */
    AWAIT(memory_left(p) == NULL);
    assert_no_set_of(w, p);
    assert_int_not_equal(access(world_path(w, "data/postmaster.pid"), F_OK), 0);
    assert_int_equal(world_shell(w, "LC_ALL=C pg_controldata -D data | "
                                    "grep -q '^Database cluster state: *shut down$'"),
                     0);
    file_text(log, text, sizeof text);
    assert_says(text, "received fast shutdown request");
    assert_says(text, "database system is shut down");
    assert_null(strstr(text, "ERROR:"));
    assert_null(strstr(text, "PANIC:"));
    assert_null(strstr(text, "terminated by signal"));
    assert_null(strstr(text, "not properly shut down"));
}
