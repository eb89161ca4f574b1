/*
 * Churn: clients acquire, check and release at random, while clients (in callbacks too), keepers,
 * standbys and services are killed at random. Witnesses outside procref: the service's own lock
 * (violations), the clients' sockets (helpers/client.c, "churn"). After the last kill the clients
 * go on for a while: the longest pause between two restarts (1.28 s) may have just begun, and what
 * they tell is only how often those held who were not killed. PROCREF_TEST_SEED repeats a run's
 * dice; PROCREF_TEST_CHURN_MS its length.
 */
#include "support/world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

enum { CLIENTS = 12, KILL_EVERY_MS = 25 };

static uint64_t dice;

static uint32_t roll(uint32_t sides) {
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(dice >> 33) % sides;
}

static long setting(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

/* What is churned. */
struct kind {
    int clients;
    long churn_ms, calm_ms;
    struct client *(*open)(struct world *w);
    unsigned blows; /* how many of those in strike() */
};

struct churn {
    struct world *w;
    const struct kind *kind;
    struct client *clients[CLIENTS];
    int64_t until;
    unsigned long started, finished, held, failed;
    unsigned blows[5];
};

static struct client *command_client(struct world *w) {
    struct client *c = client_start(w);
    client_open(c, "--port ${PORT}", "ready=tcp restart=on-failure stop_timeout=2000");
    return c;
}

/*
 * One whose own functions start and stop the service, and whose health check fails now and then.
 * What it forks runs only once it was named (careful=1), so that no death leaves a service that
 * nobody knows of. Some can recover, some cannot.
 */
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
    struct client *c = churn->kind->open(churn->w);
    int64_t left = churn->until + churn->kind->calm_ms - now_ms(); /* all share one deadline */
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

static void strike(struct churn *churn) {
    struct event started;
    unsigned what = churn->kind->blows > 4 && roll(20) == 0 ? 4 : roll(4);
    pid_t pid = 0;
    churn->blows[what]++;
    switch (what) {
    case 0: replace_one(churn, (int)roll((uint32_t)churn->kind->clients)); return;
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

static void churn_with(struct world *w, const struct kind *kind) {
    struct churn churn = {.w = w, .kind = kind};
    dice = (uint64_t)setting("PROCREF_TEST_SEED", (long)time(NULL) * 1000 + getpid());
    print_message("PROCREF_TEST_SEED=%llu\n", (unsigned long long)dice);
    setenv("PROCREF_TRACE", setting("PROCREF_TEST_CHURN_TRACE", 0) != 0 ? w->trace : "", 1);
    churn.until = now_ms() + setting("PROCREF_TEST_CHURN_MS", kind->churn_ms);
    for (int i = 0; i < kind->clients; i++) {
        start_one(&churn, i);
    }
    while (now_ms() < churn.until) {
        poll(NULL, 0,
             (int)roll(2 * KILL_EVERY_MS)); /* the pace of the killing, not a synchronisation */
        strike(&churn);
        assert_no_violation(w);
    }
    for (int i = 0; i < kind->clients; i++) {
        finish_one(&churn, i);
        client_quit(churn.clients[i]);
    }
    print_message("%lu clients; %lu times held, %lu failed starts; %zu starts, %zu last releases; "
                  "killed %u clients, %u keepers, %u standbys, %u services; %u times unhealthy\n",
                  churn.started, churn.held, churn.failed, events_count(w, "start"),
                  events_count(w, "last-begin"), churn.blows[0], churn.blows[1], churn.blows[2],
                  churn.blows[3], churn.blows[4]);
    assert_true(churn.held > 100);
    /* Keeper and standby may both have been killed by the last two blows: the next acquire repairs
     * that. */
    struct client *last = kind->open(w);
    client_answered(last, client_hold(last).pid);
    client_quit(last);
    await_no_trace(w);
}

TEST(under_churn_and_random_kills_there_is_one_working_service_and_nothing_is_left) {
    churn_with(w, &(struct kind){CLIENTS, 20000, 4000, command_client, 4});
}

/* Many: the service is hardly ever without a holder. */
TEST(with_callbacks_of_many_clients_there_is_one_working_service_and_nothing_is_left) {
    churn_with(w, &(struct kind){CLIENTS, 4000, 4000, callback_client, 5});
}

/* Few: every other release is the last. */
TEST(with_callbacks_of_few_clients_there_is_one_working_service_and_nothing_is_left) {
    churn_with(w, &(struct kind){3, 4000, 4000, callback_client, 5});
}

TEST_MAIN(T(under_churn_and_random_kills_there_is_one_working_service_and_nothing_is_left),
          T(with_callbacks_of_many_clients_there_is_one_working_service_and_nothing_is_left),
          T(with_callbacks_of_few_clients_there_is_one_working_service_and_nothing_is_left))
