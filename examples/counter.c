/*
 * The raw counter in a build: many workers share a scratch folder. The first one in makes it, the
 * last one out removes it, and a worker that is killed counts as out.
 *
 *     counter FOLDER [WORKERS]
 */
#include <procref/procref.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const procref_error *error) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
}

/* To prepare and to clean up is the business of one at a time: that is what the lock is for. */
static int locked(procref_counter *counter, procref_error *error) {
    bool mine = false;
    while (procref_counter_try_lock(counter, &mine, error) == 0) {
        if (mine) {
            return 0;
        }
        usleep(1000);
    }
    return -1;
}

static int work(const char *folder) {
    procref_counter *counter = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    uint32_t count;

    if (procref_counter_open("example-scratch", &counter, &error) < 0 ||
        locked(counter, &error) < 0 || procref_counter_acquire(counter, &count, &error) < 0) {
        return failed(&error);
    }
    if (count == 1) { /* nobody else: whatever is there was left by workers that were killed */
        printf("worker %d is the first and makes %s\n", (int)getpid(), folder);
        if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
            perror(folder);
        }
    }
    procref_counter_unlock(counter, &error);

    int missing = access(folder, F_OK); /* here it would work in the folder */

    if (locked(counter, &error) < 0 || procref_counter_release(counter, &count, &error) < 0) {
        return failed(&error);
    }
    if (count == 0) {
        printf("worker %d is the last and removes %s\n", (int)getpid(), folder);
        rmdir(folder);
    }
    procref_counter_close(counter); /* gives the lock back, too */
    return missing != 0;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "/tmp/procref-example-scratch";
    int workers = argc > 2 ? atoi(argv[2]) : 8, wrong = 0, status;

    for (int i = 0; i < workers; i++) {
        if (fork() == 0) {
            return work(folder); /* each opens its own: a child holds nothing of its parent */
        }
    }
    while (wait(&status) > 0) {
        wrong += status != 0;
    }
    return wrong > 0 || access(folder, F_OK) == 0;
}
