/*
 * The demo: five processes race for one service, share it, leave; the last one is ended by SIGKILL.
 * This driver holds nothing. It leads five `client` processes by lines, watches deaths by pidfd,
 * asks the kernel what is there before, while and after, and exits with 0 only if every check was
 * true.
 */
#include "cluster.h"
#include "look.h"
#include "report.h"
#include "shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 5, PATIENCE_MS = 10000, NAMED = 3, WATCHED = NAMED + LOOK_FEW };

struct client {
    int number; /* 1 to 5, for people */
    pid_t pid;  /* 0 once it is reaped */
    int line;   /* socket to its standard input and output */
    uint32_t service_pid;
    uint16_t port;
    uint64_t generation;
    long visit;
    int64_t held_ns;
};

/* A process that the demo did not start itself: the service, its keeper, the standby, and what the
 * service forked. */
struct watched {
    const char *who;
    pid_t pid;
    int fd; /* pidfd, readable once it has ended */
    int64_t ended_ns;
};

struct demo {
    const char *kind;
    bool is_postgres;
    char folder[PATH_MAX / 2], base_dir[PATH_MAX], witness[PATH_MAX], data[PATH_MAX];
    char name[64], mark[64];
    int64_t begin_ns, deadline_ns, kill_ns;
    struct client clients[CLIENTS];
    pid_t known[2 * LOOK_FEW]; /* clients, service, keepers: the kernel may name them later */
    size_t known_count;
    struct watched watched[WATCHED]; /* first NAMED with a name: service, keeper, standby */
    size_t watched_count;
    struct look_memory memory[LOOK_FEW];
    size_t memory_count;
    int starter; /* number of the client that started the service */
    int sets[LOOK_FEW];
    size_t set_count;
    char sockets[LOOK_FEW][LOOK_SOCKET];
    size_t socket_count;
    struct shared shared;
    procref_service *service; /* only to ask for the count */
};

static struct demo demo;
static struct look_sets sets_before, sets_now;

/* Ctrl-C: no patience left, so the next wait fails and everything is cleaned up. */
static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

static int ms_left(void) {
    int64_t left = demo.deadline_ns - report_now_ns();
    return left <= 0 || interrupted ? 0 : (int)(left / 1000000) + 1;
}

static void clean_up_and_exit(void) __attribute__((noreturn));

/* For what makes going on pointless. The check that failed is the last one printed. */
static void must(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void must(bool ok, const char *format, ...) {
    if (ok) {
        return;
    }
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_check(false, "%s", text);
    clean_up_and_exit();
}

/* ---- Leading the clients --------------------------------------------------------------------- */

static void start_client(struct client *client, int number) {
    int pair[2];
    char program[PATH_MAX], environment[32];
    beside_me("client", program);
    snprintf(environment, sizeof environment, "%d", number);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair: %s",
         strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pair[1], STDIN_FILENO);
        dup2(pair[1], STDOUT_FILENO);
        setenv("DEMO_RUN", strchr(demo.mark, '=') + 1, 1);
        setenv("DEMO_CLIENT", environment, 1); /* the service inherits that of its starter */
        const char *argv[] = {"client", demo.kind, demo.name, demo.base_dir, demo.witness, NULL};
        execv(program, (char **)(uintptr_t)argv);
        _exit(127);
    }
    close(pair[1]);
    *client = (struct client){.number = number, .pid = pid, .line = pair[0]};
    must(pid > 0, "fork: %s", strerror(errno));
    demo.known[demo.known_count++] = pid;
}

static void tell(const struct client *client, const char *what) {
    (void)!send(client->line, what, strlen(what), MSG_NOSIGNAL);
}

/* One line, without its end. Byte by byte: lines are short and few. */
static void hear(const struct client *client, char *line, size_t size) {
    size_t used = 0;
    for (;;) {
        struct pollfd polled = {.fd = client->line, .events = POLLIN};
        int ready = poll(&polled, 1, ms_left());
        must(ready > 0 || (ready < 0 && errno == EINTR), "client %d answers in time",
             client->number);
        ssize_t got = ready > 0 ? recv(client->line, line + used, 1, 0) : -1;
        must(got != 0, "client %d lives", client->number);
        if (got == 1 && line[used] == '\n') {
            line[used] = '\0';
            return;
        }
        used += got == 1 && used < size - 1;
    }
}

/* Hears one line that must begin with what, and returns the rest of it. */
static const char *hear_that(const struct client *client, const char *what) {
    static char line[1024];
    hear(client, line, sizeof line);
    size_t length = strlen(what);
    must(strncmp(line, what, length) == 0 && (line[length] == ' ' || line[length] == '\0'),
         "client %d: %s expected, it said: %s", client->number, what, line);
    return line + length;
}

static void hear_held(struct client *client) {
    const char *rest = hear_that(client, "held");
    must(sscanf(rest, "%" SCNd64 " %" SCNu32 " %" SCNu16 " %" SCNu64, &client->held_ns,
                &client->service_pid, &client->port, &client->generation) == 4,
         "client %d tells what it holds", client->number);
    report_event(client->held_ns, "client", client->number, REPORT_HOLDS,
                 "holds it: pid %u, port %u, generation %" PRIu64, client->service_pid,
                 client->port, client->generation);
}

static void hear_answered(struct client *client) {
    int64_t when_ns;
    const char *rest = hear_that(client, "answered");
    must(sscanf(rest, "%" SCNd64 " %ld", &when_ns, &client->visit) == 2,
         "client %d tells the answer", client->number);
    report_event(when_ns, "client", client->number, REPORT_NOTHING,
                 demo.is_postgres ? "select 'PONG', nextval('visits'): PONG, %ld"
                                  : "PING: PONG, INCR: %ld",
                 client->visit);
}

static void release(struct client *client) {
    int64_t when_ns;
    tell(client, "release\n");
    must(sscanf(hear_that(client, "released"), "%" SCNd64, &when_ns) == 1,
         "client %d tells when it let go", client->number);
    report_event(when_ns, "client", client->number, REPORT_LETS_GO, "lets go%s",
                 client->number == demo.starter ? " (the one that started it)" : "");
}

static void reap(struct client *client) {
    close(client->line);
    if (client->pid > 0) {
        waitpid(client->pid, NULL, 0);
        client->pid = 0;
    }
}

/* ---- Watching the service -------------------------------------------------------------------- */

static void watch(const char *who, pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    must(fd >= 0, "%s (pid %d) lives: %s", who, (int)pid, strerror(errno));
    demo.watched[demo.watched_count++] = (struct watched){.who = who, .pid = pid, .fd = fd};
    demo.known[demo.known_count++] = pid;
}

static bool has_ended(const struct watched *watched) {
    struct pollfd polled = {.fd = watched->fd, .events = POLLIN};
    return poll(&polled, 1, 0) > 0;
}

/* Sleeps until all watched processes have ended; notes when each did. */
static void await_ends(void) {
    for (;;) {
        struct pollfd polled[WATCHED];
        size_t left = 0;
        for (size_t i = 0; i < demo.watched_count; i++) {
            const struct watched *w = &demo.watched[i];
            polled[i] = (struct pollfd){.fd = w->ended_ns == 0 ? w->fd : -1, .events = POLLIN};
            left += w->ended_ns == 0;
        }
        if (left == 0 || poll(polled, demo.watched_count, ms_left()) == 0) {
            return; /* the checks will say who is left */
        }
        for (size_t i = 0; i < demo.watched_count; i++) {
            if (polled[i].fd >= 0 && has_ended(&demo.watched[i])) {
                demo.watched[i].ended_ns = report_now_ns();
            }
        }
    }
}

/* What the service has forked by now, all of which must end with it. One may be ending already. */
static void watch_descendants(void) {
    pid_t pids[LOOK_FEW];
    size_t pid_count = look_descendants(demo.watched[0].pid, pids);
    for (size_t i = 0; i < pid_count && demo.watched_count < WATCHED; i++) {
        int fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
        if (fd >= 0) {
            demo.watched[demo.watched_count++] =
                (struct watched){.who = "a child of the service", .pid = pids[i], .fd = fd};
        }
    }
}

static uint32_t count(void) {
    uint32_t result = UINT32_MAX;
    procref_error error = PROCREF_ERROR_INIT;
    int code = procref_service_count(demo.service, &result, &error);
    must(code == 0, "procref_service_count: %s", error.message);
    return result;
}

/* Everything that there is of the service while it is up. */
static void look_around(void) {
    const pid_t service = (pid_t)demo.clients[0].service_pid;
    watch("service", service);

    pid_t keepers[LOOK_FEW];
    size_t keeper_count = look_keepers(demo.name, keepers);
    report_check(keeper_count == 2, "two keepers watch the service (%zu seen)", keeper_count);
    for (size_t i = 0; i < keeper_count && i < 2; i++) {
        watch(look_parent(service) == keepers[i] ? "keeper" : "standby", keepers[i]);
        demo.socket_count =
            demo.socket_count > 0 ? demo.socket_count : look_sockets(keepers[i], demo.sockets);
    }
    look_sets(&sets_now);
    demo.set_count =
        look_new_sets(&sets_before, &sets_now, demo.known, demo.known_count, demo.sets);
    report_check(demo.set_count == 1, "one semaphore set counts them (%zu seen)", demo.set_count);
    if (demo.is_postgres) {
        demo.memory_count = look_memory(service, demo.memory);
        report_check(demo.memory_count > 0,
                     "PostgreSQL has shared memory that would outlive it (%zu seen, %s first)",
                     demo.memory_count, demo.memory_count > 0 ? demo.memory[0].path : "none");
    }
}

/* What the service wrote into the witness: not procref's word, but its own. Times are 0 if it does
 * not tell them. */
struct testimony {
    int starts, starter;
    int64_t start_ns, stop_ns;
};

static struct testimony read_witness(void) {
    struct testimony testimony = {.starter = -1};
    int64_t when_ns;
    char line[256], what[16];
    FILE *file = fopen(demo.witness, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int client = -1;
        if (sscanf(line, "%15s %" SCNd64 " %*d %d", what, &when_ns, &client) < 2) {
            continue;
        }
        if (strcmp(what, "start") == 0) {
            testimony.starts++;
            testimony.starter = client;
            testimony.start_ns = when_ns;
        } else {
            testimony.stop_ns = when_ns;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return testimony;
}

/* ---- The acts -------------------------------------------------------------------------------- */

/* Set-up, before anything is timed. */
static void prepare_cluster(void) {
    char why[512];
    snprintf(demo.data, sizeof demo.data, "%s/data", demo.folder);
    setenv("PGDATA", demo.data, 1); /* the clients' configuration leaves it to the environment */
    bool made = cluster_make(why, sizeof why);
    must(made, "initdb %s: %s", demo.data, why);
    demo.deadline_ns = report_now_ns() + PATIENCE_MS * INT64_C(1000000);
}

static void prepare(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(demo.folder, sizeof demo.folder, "%s/procref-demo-XXXXXX",
             tmp != NULL && *tmp == '/' ? tmp : "/tmp");
    must(mkdtemp(demo.folder) != NULL, "mkdtemp %s: %s", demo.folder, strerror(errno));
    snprintf(demo.base_dir, sizeof demo.base_dir, "%s/base", demo.folder);
    snprintf(demo.witness, sizeof demo.witness, "%s/witness", demo.folder);
    snprintf(demo.name, sizeof demo.name, "demo-%d", (int)getpid());
    snprintf(demo.mark, sizeof demo.mark, "DEMO_RUN=%d-%" PRId64, (int)getpid(), demo.begin_ns);
    if (demo.is_postgres) {
        prepare_cluster();
    }
    look_sets(&sets_before);

    procref_error error = PROCREF_ERROR_INIT;
    shared_fill(&demo.shared, demo.kind, demo.name, demo.base_dir, demo.witness);
    must(procref_service_open(&demo.shared.config, &demo.service, &error) == 0,
         "procref_service_open: %s", error.message);
    for (int i = 0; i < CLIENTS; i++) {
        start_client(&demo.clients[i], i + 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        hear_that(&demo.clients[i], "opened");
    }
}

static void race(void) {
    demo.begin_ns = report_now_ns();
    report_event(demo.begin_ns, "demo", 0, REPORT_NOTHING, "tells five clients to acquire %s",
                 strcmp(demo.kind, "redis") == 0 ? "redis-server"
                 : demo.is_postgres              ? "PostgreSQL"
                                                 : "the service");
    for (int i = 0; i < CLIENTS; i++) {
        tell(&demo.clients[i], "acquire\n");
    }
    int64_t first_ns = INT64_MAX;
    for (int i = 0; i < CLIENTS; i++) {
        hear_held(&demo.clients[i]);
        first_ns = demo.clients[i].held_ns < first_ns ? demo.clients[i].held_ns : first_ns;
    }
    look_around();

    struct testimony testimony = read_witness();
    demo.starter = testimony.starter;
    report_event(testimony.start_ns != 0 ? testimony.start_ns : first_ns - 1, "service", 0,
                 REPORT_NOTHING, "%s, started by client %d: pid %u",
                 testimony.start_ns != 0 ? "begins" : "is up", demo.starter,
                 demo.clients[0].service_pid);
    report_check(testimony.starts == 1,
                 "it was started once, for five clients (%d by its own record)", testimony.starts);
    report_check(demo.starter >= 1 && demo.starter <= CLIENTS,
                 "it runs with the environment of client %d, who started it", demo.starter);
}

static void share(void) {
    bool same = true, answered[CLIENTS + 1] = {false};
    int answers = 0;
    for (int i = 0; i < CLIENTS; i++) {
        tell(&demo.clients[i], "ask\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &demo.clients[i];
        hear_answered(&demo.clients[i]);
        same = same && client->service_pid == demo.clients[0].service_pid &&
               client->port == demo.clients[0].port &&
               client->generation == demo.clients[0].generation;
        if (client->visit >= 1 && client->visit <= CLIENTS && !answered[client->visit]) {
            answered[client->visit] = true;
            answers++;
        }
    }
    report_check(same && demo.clients[0].generation == 1,
                 "all five were given the same pid, port and generation 1");
    report_check(answers == CLIENTS, "it answered each: PONG, and every number from 1 to 5 once");
    uint32_t holders = count();
    report_check(holders == CLIENTS, "the kernel's count was 5 while all held it (%u)", holders);
}

/* The starter goes first: it is nobody special. Client `last` stays. */
static void leave(struct client *last) {
    bool counted = true;
    uint32_t holders = CLIENTS;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < CLIENTS; i++) {
            struct client *client = &demo.clients[i];
            if (client == last || (client->number == demo.starter) != (turn == 0)) {
                continue;
            }
            release(client);
            reap(client);
            counted = counted && count() == --holders;
        }
    }
    report_check(counted && holders == 1, "each that let go was counted off, down to 1");
    tell(last, "ask\n");
    hear_answered(last);
    report_check(last->visit == CLIENTS + 1 && !has_ended(&demo.watched[0]),
                 "it lived and answered the last one, client %d, just before the kill",
                 last->number);
}

/* What PostgreSQL wrote into its log, and what it left in its folder. */
static void check_cluster(double ended_ms) {
    char log[PATH_MAX + 128], state[128], left[128];
    int64_t told_ns, shut_ns;
    snprintf(log, sizeof log, "%s/%s.log", demo.base_dir, demo.name);
    cluster_read_log(log, &told_ns, &shut_ns);
    if (told_ns != 0) {
        report_event(told_ns, "service", 0, REPORT_NOTHING,
                     "its log: received fast shutdown request");
    }
    if (shut_ns != 0) {
        report_event(shut_ns, "service", 0, REPORT_NOTHING,
                     "its log: database system is shut down");
    }
    report_check(told_ns > demo.kill_ns && shut_ns >= told_ns,
                 "it was told to stop %.1f ms after the kill (its log tells whole ms) and had "
                 "ended after %.2f ms",
                 (double)(told_ns - demo.kill_ns) / 1e6, ended_ms);
    cluster_state(state, sizeof state);
    report_check(strcmp(state, "shut down") == 0,
                 "its data is that of a clean shutdown: pg_controldata says \"%s\"", state);
    cluster_left(demo.clients[0].port, left, sizeof left);
    report_check(*left == '\0', "neither its pid file nor its socket is left%s%s",
                 *left != '\0' ? ", but:" : "", left);
}

static void kill_last(struct client *last) {
    watch_descendants();
    demo.kill_ns = report_now_ns();
    kill(last->pid, SIGKILL);
    report_event(demo.kill_ns, "demo", last->number, REPORT_LETS_GO, "kill -9 client %d",
                 last->number);
    await_ends();
    reap(last);
    for (size_t i = 0; i < demo.watched_count; i++) {
        const struct watched *w = &demo.watched[i];
        if (w->ended_ns != 0 && i < NAMED) {
            report_event(w->ended_ns, w->who, 0, REPORT_NOTHING, "has ended");
        }
    }
    struct testimony testimony = read_witness();
    int64_t ended_ns = demo.watched[0].ended_ns;
    double told_ms = (double)(testimony.stop_ns - demo.kill_ns) / 1e6;
    double ended_ms = (double)(ended_ns - demo.kill_ns) / 1e6;
    report_check(testimony.starts == 1, "it was not started again");
    if (ended_ns == 0) {
        report_check(false, "it had ended within %d s of the begin", PATIENCE_MS / 1000);
    } else if (strcmp(demo.kind, "server") == 0) {
        report_event(testimony.stop_ns, "service", 0, REPORT_NOTHING,
                     "is told to stop, %.2f ms after the kill", told_ms);
        report_check(testimony.stop_ns > demo.kill_ns && ended_ns > demo.kill_ns,
                     "it was told to stop %.2f ms after the kill and had ended after %.2f ms",
                     told_ms, ended_ms);
    } else if (demo.is_postgres) {
        check_cluster(ended_ms);
    } else {
        report_check(
            ended_ns > demo.kill_ns,
            "it had ended %.2f ms after the kill (redis looks at its signals every 100 ms)",
            ended_ms);
    }
}

/* ---- What is left ---------------------------------------------------------------------------- */

static void check_processes(void) {
    pid_t left[LOOK_FEW];
    size_t left_count = look_marked(demo.mark, demo.name, left);
    size_t ended = 0;
    for (size_t i = 0; i < demo.watched_count; i++) {
        ended += demo.watched[i].ended_ns != 0;
    }
    size_t children = demo.watched_count > NAMED ? demo.watched_count - NAMED : 0;
    char own[48] = "";
    if (children > 0) {
        snprintf(own, sizeof own, " and the %zu it had forked", children);
    }
    report_check(left_count == 0 && ended == demo.watched_count && ended >= NAMED,
                 "no process is left: service%s, keeper and standby have ended (%zu left)", own,
                 left_count);
}

static void check_kernel_objects(void) {
    int left[LOOK_FEW];
    look_sets(&sets_now);
    size_t left_count = look_new_sets(&sets_before, &sets_now, demo.known, demo.known_count, left);
    report_check(left_count == 0, "no semaphore set is left (%zu)", left_count);

    if (demo.is_postgres) {
        size_t memory_left = 0;
        for (size_t i = 0; i < demo.memory_count; i++) {
            memory_left += look_memory_exists(&demo.memory[i]);
        }
        report_check(memory_left == 0, "no shared memory of PostgreSQL is left (%zu)", memory_left);
    }

    size_t sockets_left = 0;
    for (size_t i = 0; i < demo.socket_count; i++) {
        sockets_left += look_socket_exists(demo.sockets[i]);
    }
    report_check(demo.socket_count > 0 && sockets_left == 0,
                 "no socket is left: %s was the keeper's (%zu)",
                 demo.socket_count > 0 ? demo.sockets[0] : "none", sockets_left);
}

/* The log is kept on purpose; the demo removes it, and the folder, which works only when it is
 * empty. */
static void check_files(void) {
    char others[512] = "", log[256] = "none";
    DIR *folder = opendir(demo.base_dir);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (dot != NULL && strcmp(dot, ".log") == 0) {
            snprintf(log, sizeof log, "%s", entry->d_name);
            unlinkat(dirfd(folder), entry->d_name, 0);
        } else {
            size_t used = strlen(others);
            snprintf(others + used, sizeof others - used, " %s", entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    bool empty = rmdir(demo.base_dir) == 0;
    report_check(empty,
                 "no file is left but the log, %s (kept on purpose; the demo removes it)%s%s", log,
                 *others != '\0' ? ", but:" : "", others);
    unlink(demo.witness);
    if (*demo.data != '\0') {
        cluster_remove();
    }
    if (rmdir(demo.folder) != 0) {
        fprintf(stderr, "demo: %s is not empty, look there\n", demo.folder);
    }
}

/* Reached early when something failed: then it also ends what is still running. */
static void clean_up_and_exit(void) {
    static bool again;
    if (!again) {
        again = true;
        interrupted = 0;
        demo.deadline_ns = report_now_ns() + 3 * INT64_C(1000000000);
        for (int i = 0; i < CLIENTS; i++) {
            if (demo.clients[i].pid > 0) {
                kill(demo.clients[i].pid, SIGKILL);
                reap(&demo.clients[i]);
            }
        }
        await_ends();
        pid_t left[LOOK_FEW]; /* of a start that was not over yet, so nobody watches it */
        while (look_marked(demo.mark, demo.name, left) > 0 && ms_left() > 0) {
            poll(NULL, 0, 10);
        }
        for (size_t i = 0; i < demo.watched_count; i++) {
            if (demo.watched[i].ended_ns == 0) {
                report_check(false, "%s, pid %d, is left; the demo kills it", demo.watched[i].who,
                             (int)demo.watched[i].pid);
                syscall(SYS_pidfd_send_signal, demo.watched[i].fd, SIGKILL, NULL, 0);
            }
        }
        for (size_t i = 0; i < demo.set_count; i++) {
            semctl(demo.sets[i], 0, IPC_RMID); /* gone already, unless a check said otherwise */
        }
        if (*demo.base_dir != '\0') {
            check_files();
        }
    }
    procref_service_close(demo.service);
    exit(report_print(demo.begin_ns, CLIENTS) ? 0 : 1);
}

int main(int argc, char **argv) {
    demo.kind = argc > 1 ? argv[1] : "server";
    demo.is_postgres = strcmp(demo.kind, "postgres") == 0;
    if (argc > 2 || (strcmp(demo.kind, "server") != 0 && strcmp(demo.kind, "redis") != 0 &&
                     !demo.is_postgres)) {
        fprintf(stderr, "usage: demo [server|redis|postgres]\n");
        return 2;
    }
    const struct sigaction on_interrupt = {.sa_handler = note_interrupt}; /* poll(2) shall end */
    sigaction(SIGINT, &on_interrupt, NULL);
    sigaction(SIGTERM, &on_interrupt, NULL);
    sigaction(SIGHUP, &on_interrupt, NULL);
    demo.begin_ns = report_now_ns();
    demo.deadline_ns = demo.begin_ns + PATIENCE_MS * INT64_C(1000000);
    prepare();
    race();
    share();
    struct client *last = &demo.clients[demo.starter == CLIENTS ? CLIENTS - 2 : CLIENTS - 1];
    leave(last);
    kill_last(last);
    check_processes();
    check_kernel_objects();
    clean_up_and_exit();
}
