/*
 * Beside the crate: procref 0.1.0 of crates.io, through the program in crate/, which is built where
 * cargo is. Both sides do the same work in turn, in one sitting; each times itself. Where the crate
 * cannot be had, its figures are the words that say why.
 *
 * The crate leaves a semaphore set for each name for ever, and its service when the last client is
 * killed. Both are taken away here: the sets by their ids, made on keys that were free before; the
 * services through pidfds opened while their client still held them.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCKS = 101, PAIRS = 1000, ALONE_PAIRS = 100, ROUNDS = 101, KILLS = 3, NEVER_MS = 5000 };

/* ---- The crate's program --------------------------------------------------------------------- */

static struct {
    char path[PATH_MAX], missing[80]; /* "" if it is there */
    char counter[200], service[200];
    key_t keys[2];
    volatile sig_atomic_t sets[2], service_fd; /* what is to be taken away; -1: nothing */
    pid_t owner;
} crate = {.sets = {-1, -1}, .service_fd = -1};

static void take_away(void) {
    if (crate.owner != getpid()) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (crate.sets[i] >= 0) {
            semctl(crate.sets[i], 0, IPC_RMID);
            crate.sets[i] = -1;
        }
    }
    if (crate.service_fd >= 0) {
        syscall(SYS_pidfd_send_signal, crate.service_fd, SIGKILL, NULL, 0);
        crate.service_fd = -1;
    }
}

static void interrupted(int number) {
    take_away();
    signal(number, SIG_DFL);
    raise(number);
}

/*
 * The crate's key is ftok(3) with a byte that is one more than the sum of the name's bytes, and it
 * refuses names for which that is over 127. A name whose key nobody uses.
 */
static bool choose_name(const char *prefix, char *name, size_t size, key_t *ret_key) {
    snprintf(name, size, "%s-%d-", prefix, (int)getpid());
    for (size_t length = strlen(name); length + 1 < size; length++) {
        unsigned char byte = 1;
        name[length] = 'A'; /* odd: the sums of all lengths differ */
        name[length + 1] = '\0';
        for (const char *at = name; *at != '\0'; at++) {
            byte = (unsigned char)(byte + (unsigned char)*at);
        }
        *ret_key = ftok("/tmp", byte);
        if (byte > 0 && byte < 128 && *ret_key > 0 && semget(*ret_key, 0, 0) < 0 &&
            errno == ENOENT && crate.keys[0] != crate.keys[1]) {
            return true;
        }
    }
    return false;
}

/* The sets that the crate has made on our keys by now. */
static void note_sets(void) {
    for (int i = 0; i < 2; i++) {
        struct semid_ds status;
        union {
            int val;
            struct semid_ds *buf;
        } argument = {.buf = &status};
        int id = semget(crate.keys[i], 2, 0);
        if (crate.sets[i] < 0 && id >= 0 && semctl(id, 0, IPC_STAT, argument) == 0 &&
            status.sem_perm.cuid == geteuid()) {
            crate.sets[i] = id;
        }
    }
}

static void crate_begin(const struct world *world) {
    char reason[PATH_MAX + 16];
    snprintf(crate.path, sizeof crate.path, "%.*s/crate-peer",
             (int)(strrchr(world->service_path, '/') - world->service_path), world->service_path);
    snprintf(reason, sizeof reason, "%s.missing", crate.path);
    if (access(crate.path, X_OK) < 0) {
        FILE *file = fopen(reason, "re");
        char why[64] = "the crate's program was not built";
        if (file != NULL) {
            (void)!fgets(why, sizeof why, file);
            why[strcspn(why, "\n")] = '\0';
            fclose(file);
        }
        snprintf(crate.missing, sizeof crate.missing, "not measured: %s", why);
        return;
    }
    crate.owner = getpid();
    atexit(take_away);
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGHUP, interrupted);
    if (!choose_name("bench-counter", crate.counter, sizeof crate.counter, &crate.keys[0]) ||
        !choose_name("bench-service", crate.service, sizeof crate.service, &crate.keys[1])) {
        snprintf(crate.missing, sizeof crate.missing, "not measured: all its keys are in use");
    }
}

/* SIGCHLD is ignored for it: else its own dead child, a zombie, counts as alive for 5 s. */
static void be_peer(int line, void *data) {
    const struct world *world = data;
    dup2(line, 0);
    dup2(line, 1);
    signal(SIGCHLD, SIG_IGN);
    execl(crate.path, crate.path, crate.counter, crate.service, world->folder, world->service_path,
          world->fifo_path, (char *)NULL);
}

static struct child peer_start(struct world *world) {
    struct child peer = child_start(be_peer, world);
    if (child_hear(&peer) != 'r') {
        die("the crate's program does not start");
    }
    return peer;
}

static int64_t answer_of(const struct child *client) {
    int64_t answer = 0;
    if (recv(client->line, &answer, sizeof answer, MSG_WAITALL) != sizeof answer) {
        die("a client fails");
    }
    return answer;
}

/* The answer to a word: one number. */
static int64_t ask(const struct child *client, char word) {
    child_tell(client, word);
    return answer_of(client);
}

/* Acquires through the crate; from here on its service is ended with this process. */
static double peer_acquire_ms(const struct child *client) {
    double took_ms = (double)ask(client, 'a') / 1e6;
    pid_t service = (pid_t)answer_of(client);
    crate.service_fd = (int)syscall(SYS_pidfd_open, service, 0);
    if (crate.service_fd < 0) {
        die("pidfd_open of the crate's service: %s", strerror(errno));
    }
    note_sets();
    return took_ms;
}

/* It was stopped. */
static void forget_service(void) {
    int fd = crate.service_fd;
    crate.service_fd = -1;
    close(fd);
}

/* ---- Results --------------------------------------------------------------------------------- */

static const char *const ours = "procref", *const theirs = "crate 0.1.0";

static void tell_ours(const char *what, const char *unit, double *values, size_t count,
                      const char *note) {
    plot("crate", ours, 0);
    report(what, unit, values, count, NO_GOAL, note);
}

static void tell_theirs(const char *what, const char *unit, double *values, size_t count,
                        const char *note) {
    plot("crate", theirs, 0);
    if (crate.missing[0] != '\0') {
        report_words(what, crate.missing, "");
    } else {
        report(what, unit, values, count, NO_GOAL, note);
    }
}

static bool here(void) {
    return crate.missing[0] == '\0';
}

/* ---- Acquire + release ----------------------------------------------------------------------- */

static procref_error error = PROCREF_ERROR_INIT;

static procref_counter *counter_of(const struct world *world) {
    procref_counter *counter = NULL;
    if (procref_counter_open(world->name, &counter, &error) < 0) {
        die("counter: %s", error.message);
    }
    return counter;
}

static void hold_counter(int line, void *data) {
    procref_counter *counter = counter_of(data);
    if (procref_counter_acquire(counter, NULL, &error) < 0) {
        die("counter: %s", error.message);
    }
    tell(line, 'h');
    (void)hear(line);
    procref_counter_close(counter);
}

/* The count is asked for: the crate always returns it. */
static double counter_ns(procref_counter *counter, int pairs) {
    int64_t begin = now_ns();
    for (int i = 0; i < pairs; i++) {
        uint32_t count;
        if (procref_counter_acquire(counter, &count, &error) < 0 ||
            procref_counter_release(counter, &count, &error) < 0) {
            die("counter: %s", error.message);
        }
    }
    return (double)(now_ns() - begin) / pairs;
}

static double service_ns(procref_service *service) {
    int64_t begin = now_ns();
    for (int i = 0; i < PAIRS; i++) {
        procref_handle *handle;
        if (procref_service_acquire(service, 30000, &handle, &error) < 0 ||
            procref_handle_release(handle, &error) < 0) {
            die("service: %s", error.message);
        }
    }
    return (double)(now_ns() - begin) / PAIRS;
}

static double bare_ns(int set) {
    int64_t begin = now_ns();
    bare_pairs(set, PAIRS);
    return (double)(now_ns() - begin) / PAIRS;
}

enum { BARE, OUR_COUNTER, THEIR_COUNTER, OUR_SERVICE, THEIR_SERVICE, OUR_ALONE, KINDS };

struct sides {
    int set;
    procref_counter *counter, *alone;
    procref_service *service;
    struct child peer;
};

static double side_ns(const struct sides *sides, int kind) {
    switch (kind) {
    case BARE: return bare_ns(sides->set);
    case OUR_COUNTER: return counter_ns(sides->counter, PAIRS);
    case OUR_ALONE: return counter_ns(sides->alone, ALONE_PAIRS);
    case OUR_SERVICE: return service_ns(sides->service);
    case THEIR_COUNTER: return here() ? (double)ask(&sides->peer, 'c') / PAIRS : 0;
    case THEIR_SERVICE: return here() ? (double)ask(&sides->peer, 's') / PAIRS : 0;
    default: return 0;
    }
}

/* The holders of the crate: a counter and a service that stay up. */
static struct child peer_holder(struct world *world) {
    struct child peer = peer_start(world);
    (void)ask(&peer, 'C');
    (void)peer_acquire_ms(&peer);
    return peer;
}

static void pairs(struct world *world) {
    static double ns[KINDS][BLOCKS];
    struct sides sides = {.set = bare_begin()};
    struct child holder = holder_start(world), counter_holder = {0}, peer_keeps = {0};
    struct tiding tiding;
    struct world alone = *world;
    (void)world_hear(world, &tiding, 5000);
    counter_holder = child_start(hold_counter, world);
    if (child_hear(&counter_holder) != 'h') {
        die("the counter's holder does not hold");
    }
    snprintf(alone.name, sizeof alone.name, "bench-alone-%d", (int)getpid());
    sides.counter = counter_of(world);
    sides.alone = counter_of(&alone);
    if (here()) {
        peer_keeps = peer_holder(world);
        (void)world_hear(world, &tiding, 5000);
        sides.peer = peer_start(world);
    }
    sides.service = must_open(world);
    for (int block = -1; block < BLOCKS; block++) { /* block -1 warms up */
        for (int turn = 0; turn < KINDS; turn++) {
            int kind = (block + 1 + turn) % KINDS;
            double took = side_ns(&sides, kind);
            if (block >= 0) {
                ns[kind][block] = took;
            }
        }
    }
    procref_service_close(sides.service);
    bare_end(sides.set);
    if (here()) {
        child_end(&sides.peer);
        (void)ask(&peer_keeps, 'r');
        (void)answer_of(&peer_keeps);
        forget_service();
        child_end(&peer_keeps);
        (void)world_hear(world, &tiding, 5000);
    }
    child_end(&holder);
    (void)world_hear(world, &tiding, 5000);

    const char *raw = "raw counter, acquire + release", *up = "service up, acquire + release";
    plot("crate", "bare semop", 0);
    report(raw, "ns", ns[BARE], BLOCKS, NO_GOAL, "+1/-1 with undo, what both are built on");
    plot("crate", ours, 0);
    report(raw, "ns", ns[OUR_COUNTER], BLOCKS, NO_GOAL,
           "another process holds it; the count is asked for, as the crate always does");
    plot("crate", ours, 0);
    report("raw counter alone, acquire + release", "ns", ns[OUR_ALONE], BLOCKS, NO_GOAL,
           "nobody else holds it: makes and removes the set each time; the crate leaves its "
           "sets for ever");
    procref_counter_close(sides.counter);
    procref_counter_close(sides.alone);
    child_end(&counter_holder);
    tell_theirs(raw, "ns", ns[THEIR_COUNTER], BLOCKS, "another process holds it");
    tell_ours(up, "ns", ns[OUR_SERVICE], BLOCKS, "another process holds it");
    tell_theirs(up, "ns", ns[THEIR_SERVICE], BLOCKS, "another process holds it");
}

/* ---- Starts and stops ------------------------------------------------------------------------ */

static void our_client(int line, void *data) {
    int64_t begin = now_ns();
    procref_handle *handle = must_acquire(must_open(data));
    int64_t answer = now_ns() - begin;
    (void)!write(line, &answer, sizeof answer);
    char word = hear(line);
    begin = now_ns();
    if (word == 'w') {
        procref_handle_release_wait(handle, 10000, NULL);
    } else {
        must_release(handle);
    }
    answer = now_ns() - begin;
    (void)!write(line, &begin, sizeof begin);
    (void)!write(line, &answer, sizeof answer);
    (void)hear(line);
}

struct round {
    double start_ms, signal_ms, ended_ms;
};

static void expect(const struct world *world, char what, struct tiding *ret_tiding) {
    if (!world_hear(world, ret_tiding, 10000) || ret_tiding->what != what) {
        die("the service does not tell '%c'", what);
    }
}

static struct round our_round(struct world *world, char how) {
    struct tiding tiding;
    struct round round;
    struct child client = child_start(our_client, world);
    round.start_ms = (double)answer_of(&client) / 1e6;
    expect(world, 'b', &tiding);
    int64_t released = ask(&client, how);
    round.ended_ms = (double)answer_of(&client) / 1e6;
    expect(world, 's', &tiding);
    round.signal_ms = (double)(tiding.when_ns - released) / 1e6;
    child_end(&client);
    return round;
}

static struct round their_round(struct world *world) {
    struct tiding tiding;
    struct round round;
    struct child client = peer_start(world);
    round.start_ms = peer_acquire_ms(&client);
    expect(world, 'b', &tiding);
    int64_t released = ask(&client, 'r');
    round.ended_ms = (double)answer_of(&client) / 1e6;
    expect(world, 's', &tiding);
    round.signal_ms = (double)(tiding.when_ns - released) / 1e6;
    forget_service();
    child_end(&client);
    return round;
}

static double our_kill_ms(struct world *world) {
    struct tiding tiding;
    struct child client = child_start(our_client, world);
    (void)answer_of(&client);
    expect(world, 'b', &tiding);
    int64_t killed = now_ns();
    kill(client.pid, SIGKILL);
    expect(world, 's', &tiding);
    child_end(&client);
    return (double)(tiding.when_ns - killed) / 1e6;
}

/* Negative: not within NEVER_MS; what it left is ended. */
static double their_kill_ms(struct world *world) {
    struct tiding tiding = {0};
    struct child client = peer_start(world);
    (void)peer_acquire_ms(&client);
    expect(world, 'b', &tiding);
    int64_t killed = now_ns();
    kill(client.pid, SIGKILL);
    bool told = world_hear(world, &tiding, NEVER_MS);
    child_end(&client);
    int fd = crate.service_fd;
    take_away(); /* its set too: the next client makes a new one */
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    (void)poll(&ended, 1, 1000);
    close(fd);
    return told && tiding.what == 's' ? (double)(tiding.when_ns - killed) / 1e6 : -1;
}

static void starts(struct world *world) {
    static double start[2][ROUNDS], signal[2][ROUNDS], ended[2][ROUNDS];
    for (int i = -1; i < ROUNDS; i++) {
        struct round mine, waited, other = {0};
        bool first = i % 2 == 0;
        if (first && here()) {
            other = their_round(world);
        }
        mine = our_round(world, 'r');
        waited = our_round(world, 'w');
        if (!first && here()) {
            other = their_round(world);
        }
        if (i >= 0) {
            start[0][i] = mine.start_ms, signal[0][i] = mine.signal_ms;
            ended[0][i] = waited.ended_ms;
            start[1][i] = other.start_ms, signal[1][i] = other.signal_ms;
            ended[1][i] = other.ended_ms;
        }
    }
    tell_ours("cold start", "ms", start[0], ROUNDS,
              "a fresh process until acquire returns; no readiness check; keeper and standby too");
    tell_theirs("cold start", "ms", start[1], ROUNDS,
                "its on_first_acquire spawns the same program; nobody watches it");
    tell_ours("release to the stop signal", "ms", signal[0], ROUNDS, "the last one's release");
    tell_theirs("release to the stop signal", "ms", signal[1], ROUNDS,
                "it signals from within the release");
    tell_ours("release until the service has ended", "ms", ended[0], ROUNDS,
              "procref_handle_release_wait; a plain release does not wait");
    tell_theirs("release until the service has ended", "ms", ended[1], ROUNDS,
                "polls every 50 ms; its child is reaped for it, else this is 5 s");
}

static void kills(struct world *world) {
    static double mine[ROUNDS], other[KILLS];
    const char *what = "SIGKILL of the last client to the stop signal";
    int never = 0;
    char note[96];
    for (int i = 0; i < ROUNDS; i++) {
        mine[i] = our_kill_ms(world);
    }
    tell_ours(what, "ms", mine, ROUNDS, "");
    for (int i = 0; i < KILLS && here(); i++) {
        other[i] = their_kill_ms(world);
        never += other[i] < 0;
    }
    if (here() && never > 0) {
        snprintf(note, sizeof note, "%d of %d services ran on after %d s; then ended from here",
                 never, (int)KILLS, NEVER_MS / 1000);
        plot("crate", theirs, 0);
        report_words(what, "never", note);
    } else {
        tell_theirs(what, "ms", other, KILLS, "");
    }
}

void bench_crate(void) {
    struct world world;
    world_begin(&world, NULL);
    crate_begin(&world);
    starts(&world); /* before this process has used procref: its children are fresh */
    kills(&world);
    pairs(&world);
    take_away();
    world_end(&world);
}
