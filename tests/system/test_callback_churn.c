/*
 * As test_churn.c, with clients whose own functions start and stop the service: clients (in
 * callbacks too), keepers, standbys and services are killed at random, and now and then the health
 * check fails. What a client forks runs only once it was named (careful=1), so that no death leaves
 * a service that nobody knows of. Some clients can recover, some cannot. PROCREF_TEST_SEED repeats
 * a run's dice; PROCREF_TEST_CHURN_MS its length.
 */
#include "support/world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

enum { CLIENTS = 12, FEW = 3, CHURN_MS = 4000, CALM_MS = 500, KILL_EVERY_MS = 25 };

static uint64_t dice;

static uint32_t roll(uint32_t sides) {
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(dice >> 33) % sides;
}

static long setting(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

struct churn {
    struct world *w;
    struct client *clients[CLIENTS];
    int count;
    int64_t until;
    unsigned long started, finished, held, failed;
    unsigned kills[5];
};

static struct client *callback_client(struct world *w) {
    char settings[512];
    uint32_t kind = roll(4);
    struct client *c = client_start(w);
    snprintf(settings, sizeof settings,
             "callbacks=1 careful=1 heal=1 stop_timeout=2000 health=%s %s",
             world_path(w, "unhealthy"),
             kind == 0   ? "recover=new"
             : kind == 1 ? "recover=keep"
             : kind == 2 ? "last=0"
                         : "");
    client_open(c, "--port ${PORT}", settings);
    return c;
}

static void start_one(struct churn *churn, int i) {
    struct client *c = callback_client(churn->w);
    int64_t left = churn->until + CALM_MS - now_ms(); /* all share one deadline */
    client_tell(c, "churn %u %lld", roll(1000000), (long long)left);
    churn->clients[i] = c;
    churn->started++;
}

/* A client that died by our hand is replaced; its place in the world is used again, so that any
 * number can come. */
static void replace_one(struct churn *churn, int i) {
    struct world *w = churn->w;
    struct client *old = churn->clients[i];
    client_kill(old);
    program_close(&old->program);
    for (size_t at = 0; at < w->clients_count; at++) {
        if (w->clients[at] == old) {
            w->clients[at] = w->clients[--w->clients_count];
        }
    }
    free(old);
    start_one(churn, i);
}

static void kill_found(pid_t pid) {
    /* Looked at again by descriptor: between the look and the kill it may have ended and its pid
     * been reused. */
    struct watched p = watch(pid);
    char line[512];
    look_command_line(pid, line, sizeof line);
    if (strstr(line, "procref-keeper ") == line || strstr(line, "service") != NULL) {
        watched_signal(&p, SIGKILL);
    }
    watched_close(&p);
}

/* Until somebody recovers it. */
static void make_unhealthy(struct world *w) {
    close(open(world_path(w, "unhealthy"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void kill_something(struct churn *churn) {
    struct event started;
    unsigned what = roll(20) == 0 ? 4 : roll(4);
    pid_t pid = 0;
    churn->kills[what]++;
    switch (what) {
    case 0: replace_one(churn, (int)roll((uint32_t)churn->count)); return;
    case 1: pid = look_keeper(churn->w->name); break;
    case 2: pid = look_standby(churn->w->name); break;
    case 4: make_unhealthy(churn->w); return;
    default: pid = events_last(churn->w, "start", &started) ? started.pid : 0; break;
    }
    if (pid > 0) {
        kill_found(pid);
    }
}

static void finish_one(struct churn *churn, int i) {
    char *words[16];
    char *line = program_read(&churn->clients[i]->program);
    size_t count = words_split(line, words, 16);
    const char *wrong = words_value(words, count, "wrong");
    if (count == 0 || strcmp(words[0], "churned") != 0 || wrong == NULL || wrong[0] != '\0') {
        fail_msg("client %d: %s %s", (int)churn->clients[i]->program.pid,
                 count > 0 ? words[0] : "nothing", wrong != NULL ? wrong : "");
    }
    churn->held += (unsigned long)words_number(words, count, "held", 0);
    churn->failed += (unsigned long)words_number(words, count, "failed", 0);
    churn->finished++;
}

static void churn_with(struct world *w, int clients) {
    struct churn churn = {.w = w, .count = clients};
    dice = (uint64_t)setting("PROCREF_TEST_SEED", (long)time(NULL) * 1000 + getpid());
    print_message("PROCREF_TEST_SEED=%llu\n", (unsigned long long)dice);
    setenv("PROCREF_TRACE", setting("PROCREF_TEST_CHURN_TRACE", 0) != 0 ? w->trace : "", 1);
    churn.until = now_ms() + setting("PROCREF_TEST_CHURN_MS", CHURN_MS);
    for (int i = 0; i < clients; i++) {
        start_one(&churn, i);
    }
    while (now_ms() < churn.until) {
        poll(NULL, 0,
             (int)roll(2 * KILL_EVERY_MS)); /* the pace of the killing, not a synchronisation */
        kill_something(&churn);
        assert_no_violation(w);
    }
    for (int i = 0; i < clients; i++) {
        finish_one(&churn, i);
        client_quit(churn.clients[i]);
    }
    print_message("%lu clients; %lu times held, %lu failed starts; %zu starts, %zu last releases; "
                  "killed %u clients, "
                  "%u keepers, %u "
                  "standbys, %u services; %u times unhealthy\n",
                  churn.started, churn.held, churn.failed, events_count(w, "start"),
                  events_count(w, "last-begin"), churn.kills[0], churn.kills[1], churn.kills[2],
                  churn.kills[3], churn.kills[4]);
    assert_true(churn.held > 100);
    /* Keeper and standby may both have been killed by the last two blows: the next acquire repairs
     * that. */
    struct client *last = callback_client(w);
    client_answered(last, client_hold(last).pid);
    client_quit(last);
    await_no_trace(w);
}

/* Many: the service is hardly ever without a holder. */
TEST(with_many_clients_there_is_one_working_service_and_nothing_is_left) {
    churn_with(w, CLIENTS);
}

/* Few: every other release is the last. */
TEST(with_few_clients_there_is_one_working_service_and_nothing_is_left) {
    churn_with(w, FEW);
}

TEST_MAIN(T(with_many_clients_there_is_one_working_service_and_nothing_is_left),
          T(with_few_clients_there_is_one_working_service_and_nothing_is_left))
