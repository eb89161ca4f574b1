/*
 * The world of one test: a folder of its own, a service name of its own, the clients it starts, and
 * the check at the end that nothing of it is left. A test that fails prints the trace of its world.
 *
 *     TEST(the_first_client_starts_the_service) {
 *         struct client *c = client_start(w);
 *         client_open(c, "--port ${PORT}", "ready=tcp");
 *         struct reply held = client_hold(c);
 *         …
 *     }
 *     TEST_MAIN(T(the_first_client_starts_the_service), …)
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/look.h"
#include "support/program.h"
#include "support/words.h"

enum { WORLD_CLIENTS = 512, WORLD_EXTRA = 16, WORLD_STRAYS = 64 };

struct client {
    struct program program;
    struct world *world;
};

struct world {
    char dir[96];         /* everything of this test; removed at its end */
    char base[128];       /* base_dir of its services, made by procref */
    char name[64];        /* of its service; others of this test begin with it */
    char trace[128];      /* PROCREF_TRACE */
    char events[128];     /* what the helper service writes down */
    char violations[128]; /* must stay empty */
    char lock[128];
    const char *extra[WORLD_EXTRA + 1]; /* more environment for clients, set before client_start */
    struct client *clients[WORLD_CLIENTS];
    size_t clients_count;
    struct watched
        strays[WORLD_STRAYS]; /* killed at the end: children that outlive their clients */
    size_t strays_count;
    int *sets_before; /* ids of the sets that were there: their registers may name pids that are
                         used again */
    size_t sets_before_count;
    int changes;          /* inotify on dir */
    bool keeps_files;     /* the test put files into base itself: they are not looked at */
    const void *argument; /* the test's initial_state */
    bool passed;
};

int world_open(void **state);
int world_close(void **state);
void world_run(void **state, void (*test)(struct world *w));

#define TEST(name)                                                                                 \
    static void name##_(struct world *w);                                                          \
    static void name(void **state) {                                                               \
        world_run(state, name##_);                                                                 \
    }                                                                                              \
    static void name##_(struct world *w)
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

/* What CTest knows as "skipped". */
enum { SKIPPED = 77 };

int test_main(int argc, char **argv, const char *needs, const struct CMUnitTest *tests,
              size_t count);
/* With an argument only the tests whose names match it are run ('*' and '?' as in a shell). */
#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv) {                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        return test_main(argc, argv, NULL, tests, ARRAY_LEN(tests));                               \
    }
#define TEST_MAIN_AS_ROOT(...)                                                                     \
    int main(int argc, char **argv) {                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        return test_main(argc, argv, "root", tests, ARRAY_LEN(tests));                             \
    }

/* A variable "K=V" for the clients started from now on. The string must stay valid. */
void world_set(struct world *w, const char *variable);

/* A path below the world's folder; static, four at a time. */
const char *world_path(const struct world *w, const char *file);

/* A process that the end of the test kills, if it still lives. */
void world_adopt(struct world *w, pid_t pid);

/* The path of a helper program. */
const char *helper_path(const char *name);

/* ---- what the helper service wrote down ---- */

struct event {
    int64_t ns;
    pid_t pid;
    char text[512]; /* "start 0", "stop-signal 15", … */
};

size_t events_count(const struct world *w, const char *text);
/* The last event that begins with text; false if there is none. */
bool events_last(const struct world *w, const char *text, struct event *ret);
/* Waits for the nth (from 1). */
void await_events(struct world *w, const char *text, size_t count);
void await_file(struct world *w, const char *path);
/* The first number in a file that a helper writes; waits for it. */
pid_t await_pid_in(struct world *w, const char *path);
/* Lines of the trace with `text`; before the first one with `until`, if that is not NULL. */
unsigned traced(const struct world *w, const char *text, const char *until);
void assert_no_violation(const struct world *w);

/* ---- the pair, and the end of everything ---- */

void await_pair(const char *name, pid_t *ret_keeper, pid_t *ret_standby);
/* Nothing of this world is left: no keeper, no service on record, no set, no file but logs. */
void await_no_trace(struct world *w);
/* The set of this world's service: the one that one of its processes used. -1 if there is none. */
int world_set_id(const struct world *w);

/* "@procref/…", where the pair of this service listens; static. */
const char *await_socket(const char *name);
/* Stops its keeper, and lets this client come and go until there is no place any more in the queue
 * there. */
struct watched stop_and_fill(const char *name, struct client *c);

/* Kills keeper and standby so that neither can replace the other first, and waits for their end. */
void kill_pair(const char *name);

/* A shell command in the world's folder; its exit status. */
int world_shell(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads a whole small file; "" if it cannot be read. */
void file_text(const char *path, char *to, size_t size);

#include "support/client.h"

#endif
