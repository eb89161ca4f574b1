/* The library inside a program: what it leaves alone. Here the test process itself is the client. */
#include "support/world.h"

#include <procref/procref.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static procref_service *open_sleeper(struct world *w, const char *ready) {
    static const char *const command[] = {"sleep", "1000", NULL};
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    procref_service *service = NULL;
    config.name = w->name;
    config.base_dir = w->base;
    config.command = command;
    config.ready = ready;
    assert_int_equal(procref_service_open(&config, &service, NULL), 0);
    return service;
}

TEST(an_error_struct_is_untouched_when_the_call_succeeds) {
    procref_error error, before;
    procref_handle *handle;
    uint32_t count;
    memset(&error, 'x', sizeof error);
    error.size = sizeof error;
    before = error;
    procref_service *service = open_sleeper(w, NULL);
    assert_int_equal(procref_service_count(service, &count, &error), 0); /* nothing runs */
    assert_int_equal(procref_service_acquire(service, 20000, &handle, &error), 0); /* a cold start */
    assert_int_equal(procref_handle_release_wait(handle, 20000, &error), 0);
    assert_memory_equal(&error, &before, sizeof error);
    procref_service_close(service);
    assert_int_equal(procref_handle_release(NULL, &error), 0);
    assert_memory_equal(&error, &before, sizeof error);
    await_no_trace(w);
}

struct acquirer {
    procref_service *service;
    procref_handle *handle;
    int code;
};

static void *acquire(void *argument) {
    struct acquirer *a = argument;
    a->code = procref_service_acquire(a->service, 20000, &a->handle, NULL);
    return NULL;
}

/* Another thread's child has a copy of every descriptor, and lives on. */
TEST(a_child_forked_in_the_middle_of_an_acquire_does_not_keep_the_service) {
    char ready[400];
    pthread_t thread;
    snprintf(ready, sizeof ready, "exec:touch %s/asked; test -e %s/go", w->dir, w->dir);
    struct acquirer a = {.service = open_sleeper(w, ready)};
    assert_int_equal(pthread_create(&thread, NULL, acquire, &a), 0);
    AWAIT(access(world_path(w, "asked"), F_OK) == 0); /* it is starting: the connection is open */
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    world_adopt(w, child);
    assert_int_equal(world_shell(w, "touch go"), 0);
    pthread_join(thread, NULL);
    assert_int_equal(a.code, 0);
    struct watched service = watch((pid_t)procref_handle_pid(a.handle));
    assert_int_equal(procref_handle_release(a.handle, NULL), 0);
    watched_await_end(&service);
    must(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child, "kill");
    procref_service_close(a.service);
    await_no_trace(w);
}

TEST(a_stopped_standby_does_not_keep_the_name) {
    procref_handle *handle;
    pid_t keeper, standby;
    procref_service *service = open_sleeper(w, NULL);
    assert_int_equal(procref_service_acquire(service, 20000, &handle, NULL), 0);
    await_pair(w->name, &keeper, &standby);
    must(kill(standby, SIGSTOP) == 0, "kill");
    assert_int_equal(procref_handle_release_wait(handle, 20000, NULL), 0);
    assert_int_equal(procref_service_acquire(service, 20000, &handle, NULL), 0);
    assert_int_equal(procref_handle_release_wait(handle, 20000, NULL), 0);
    procref_service_close(service);
    await_no_trace(w);
}

TEST_MAIN(T(an_error_struct_is_untouched_when_the_call_succeeds),
          T(a_child_forked_in_the_middle_of_an_acquire_does_not_keep_the_service),
          T(a_stopped_standby_does_not_keep_the_name))
