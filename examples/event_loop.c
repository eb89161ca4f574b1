/*
 * One thread, one epoll, many acquires: `event_loop [HOW_MANY [BASE_DIR]]` wants as many services
 * at once. The one named "broken" fails, the one named "slow" is given up after half a second, and
 * nobody waits for them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <procref/procref.h>

enum { MANY = 128 };

static struct wanted {
    char name[32];
    procref_service *service;
    procref_pending *pending; /* until it is known */
    procref_handle *handle;   /* if it went well */
} all[MANY];

static const char *const sleeps[] = {"sleep", "1000", NULL};
static const char *const fails[] = {"sh", "-c", "echo no disk in the drive; exit 1", NULL};

static int failed(const struct wanted *w, const procref_error *error) {
    printf("%-9s %s: %s\n", w->name, procref_code_name(error->code), error->message);
    return error->code;
}

/* Nothing in here waits. */
static int want(struct wanted *w, int number, int loop, const char *base_dir) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    if (number >= 2) {
        snprintf(w->name, sizeof w->name, "worker-%d", number);
    } else {
        snprintf(w->name, sizeof w->name, "%s", number == 0 ? "broken" : "slow");
    }
    config.name = w->name;
    config.base_dir = base_dir;
    config.command = number == 0 ? fails : sleeps;
    config.ready = number < 2 ? "exec:false" : NULL;
    config.start_timeout_ms = number < 2 ? 1000 : 30000;
    if (procref_service_open(&config, &w->service, &error) < 0 ||
        procref_service_acquire_start(w->service, number == 1 ? 500 : 10000, &w->pending, &error) <
            0) {
        return failed(w, &error);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    return epoll_ctl(loop, EPOLL_CTL_ADD, procref_pending_ready(w->pending), &event);
}

/* Its descriptor is readable. Returns whether it is known now. */
static bool go_on(struct wanted *w) {
    procref_error error = PROCREF_ERROR_INIT;
    int result = procref_pending_finish(w->pending, &w->handle, &error);
    if (result == PROCREF_E_AGAIN) {
        return false;
    }
    w->pending = NULL; /* finish has freed it, and its descriptor has left the loop */
    if (result < 0) {
        failed(w, &error);
    } else {
        printf("%-9s runs as %" PRIu32 "\n", w->name, procref_handle_pid(w->handle));
    }
    return true;
}

int main(int argc, char **argv) {
    int many = argc > 1 ? atoi(argv[1]) : 10, waiting = 0, held = 0;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (many < 1 || many > MANY || loop < 0) {
        fprintf(stderr, "usage: event_loop [1..%d [BASE_DIR]]\n", (int)MANY);
        return 2;
    }
    for (int i = 0; i < many; i++) {
        waiting += want(&all[i], i, loop, argc > 2 ? argv[2] : NULL) == 0;
    }
    while (waiting > 0) {
        struct epoll_event events[MANY]; /* here a program has its own descriptors, too */
        int count = epoll_wait(loop, events, MANY, -1);
        for (int i = 0; i < count; i++) {
            waiting -= go_on(events[i].data.ptr);
        }
    }
    for (int i = 0; i < many; i++) {
        held += all[i].handle != NULL;
        procref_pending_cancel(all[i].pending); /* of those that could not be added to the loop */
        procref_handle_release(all[i].handle, NULL);
        procref_service_close(all[i].service);
    }
    close(loop);
    printf("%d of %d were held\n", held, many);
    return 0;
}
