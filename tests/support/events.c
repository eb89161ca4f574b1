/* What the helper service wrote down, and waiting for files to change. */
#include "support/world.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_event(FILE *file, struct event *ret) {
    char line[1200];
    int at = 0;
    long long ns;
    int pid;
    if (fgets(line, sizeof line, file) == NULL || sscanf(line, "%lld %d %n", &ns, &pid, &at) != 2) {
        return false;
    }
    ret->ns = ns;
    ret->pid = pid;
    snprintf(ret->text, sizeof ret->text, "%.*s", (int)strcspn(line + at, "\n"), line + at);
    return true;
}

size_t events_count(const struct world *w, const char *text) {
    size_t count = 0;
    struct event e;
    FILE *file = fopen(w->events, "re");
    while (file != NULL && read_event(file, &e)) {
        count += strncmp(e.text, text, strlen(text)) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

bool events_last(const struct world *w, const char *text, struct event *ret) {
    bool found = false;
    struct event e;
    FILE *file = fopen(w->events, "re");
    while (file != NULL && read_event(file, &e)) {
        if (strncmp(e.text, text, strlen(text)) == 0) {
            *ret = e;
            found = true;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* Sleeps until something changes in the world's folder; fails the test at the deadline. */
static void await_change(struct world *w, int64_t until, const char *what) {
    char drained[4096];
    int64_t left = until - now_ms();
    struct pollfd p = {.fd = w->changes, .events = POLLIN};
    if (left <= 0) {
        fail_msg("waited %d ms in vain for: %s", PATIENCE_MS, what);
    }
    /* A user may have a hundred such watches, and a hundred keepers each have one. */
    poll(&p, 1, w->changes < 0 ? LOOK_AGAIN_MS : (int)left);
    while (read(w->changes, drained, sizeof drained) > 0) {
    }
}

void await_events(struct world *w, const char *text, size_t count) {
    for (int64_t until = now_ms() + PATIENCE_MS; events_count(w, text) < count;) {
        await_change(w, until, text);
    }
}

void await_file(struct world *w, const char *path) {
    for (int64_t until = now_ms() + PATIENCE_MS; access(path, F_OK) < 0;) {
        await_change(w, until, path);
    }
}

pid_t await_pid_in(struct world *w, const char *path) {
    char text[64];
    for (int64_t until = now_ms() + PATIENCE_MS;;) {
        file_text(path, text, sizeof text);
        if (strchr(text, '\n') != NULL) {
            return (pid_t)strtol(text, NULL, 10);
        }
        await_change(w, until, path);
    }
}

unsigned traced(const struct world *w, const char *text, const char *until) {
    char line[1024];
    unsigned count = 0;
    FILE *trace = fopen(w->trace, "re");
    must(trace != NULL, "fopen");
    while (fgets(line, sizeof line, trace) != NULL &&
           (until == NULL || strstr(line, until) == NULL)) {
        count += strstr(line, text) != NULL;
    }
    fclose(trace);
    return count;
}

void assert_no_violation(const struct world *w) {
    char text[1024];
    file_text(w->violations, text, sizeof text);
    assert_string_equal(text, "");
}

void await_pair(const char *name, pid_t *ret_keeper, pid_t *ret_standby) {
    AWAIT((*ret_standby = look_standby(name)) != 0);
    *ret_keeper = look_keeper(name);
}

const char *await_socket(const char *name) {
    static unsigned long inodes[LOOK_MAX];
    static char names[LOOK_MAX][108];
    pid_t keeper, standby;
    await_pair(name, &keeper, &standby);
    size_t count = look_sockets(inodes, names, LOOK_MAX);
    for (size_t i = 0; i < count; i++) {
        pid_t owner = look_socket_owner(inodes[i]);
        if (owner == keeper || owner == standby) {
            return names[i];
        }
    }
    fail_msg("the pair of '%s' has no socket", name);
    return NULL;
}

struct watched stop_and_fill(const char *name, struct client *c) {
    const char *socket = await_socket(name);
    struct watched keeper = watch(look_keeper(name));
    watched_signal(&keeper, SIGSTOP);
    client_do(c, "fill_socket %s", socket);
    return keeper;
}

void kill_pair(const char *name) {
    pid_t keeper, standby;
    await_pair(name, &keeper, &standby);
    struct watched first = watch(keeper), second = watch(standby);
    watched_signal(&second, SIGSTOP);
    watched_signal(&first, SIGKILL);
    watched_signal(&second, SIGKILL);
    watched_await_end(&first);
    watched_await_end(&second);
    /* The standby may have had time to fork another keeper before it stopped. */
    struct process_seen seen[16];
    AWAIT(look_keepers(name, seen, 16) == 0 || (kill(seen[0].pid, SIGKILL), false));
}
