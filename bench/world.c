/* What the benchmarks share: a service to run, children, the bare semaphore pair. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct world *current; /* of the process that began it, not of its children */
static pid_t current_owner;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (current != NULL && current_owner == getpid()) {
        world_end(current);
    }
    exit(1);
}

/* ---- The service ----------------------------------------------------------------------------- */

void world_begin(struct world *world, const char *ready) {
    const char *tmp = getenv("TMPDIR");
    char me[PATH_MAX / 2];
    ssize_t length = readlink("/proc/self/exe", me, sizeof me - 1);
    me[length > 0 ? length : 0] = '\0';
    *strrchr(me, '/') = '\0';

    *world = (struct world){.config = PROCREF_SERVICE_CONFIG_INIT};
    snprintf(world->folder, sizeof world->folder, "%s/procref-bench-XXXXXX",
             tmp != NULL && *tmp == '/' ? tmp : "/tmp");
    if (mkdtemp(world->folder) == NULL) {
        die("mkdtemp %s: %s", world->folder, strerror(errno));
    }
    snprintf(world->fifo_path, sizeof world->fifo_path, "%s/fifo", world->folder);
    snprintf(world->service_path, sizeof world->service_path, "%s/bench-service", me);
    snprintf(world->name, sizeof world->name, "bench-%d", (int)getpid());
    if (mkfifo(world->fifo_path, 0600) < 0 ||
        (world->fifo = open(world->fifo_path, O_RDWR | O_CLOEXEC)) < 0) {
        die("%s: %s", world->fifo_path, strerror(errno));
    }
    current = world;
    current_owner = getpid();
    world->command[0] = world->service_path;
    world->command[1] = world->fifo_path;
    world->command[2] = ready != NULL ? "${PORT}" : NULL;
    world->config.name = world->name;
    world->config.base_dir = world->folder;
    world->config.command = world->command;
    world->config.ready = ready;
}

void world_end(struct world *world) {
    current = NULL;
    close(world->fifo);
    DIR *folder = opendir(world->folder);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    rmdir(world->folder);
}

bool world_hear(const struct world *world, struct tiding *ret_tiding, int timeout_ms) {
    struct pollfd polled = {.fd = world->fifo, .events = POLLIN};
    return poll(&polled, 1, timeout_ms) > 0 &&
           read(world->fifo, ret_tiding, sizeof *ret_tiding) == sizeof *ret_tiding;
}

/* An error is written on failure only, so one serves all: clearing 4.6 KiB at each call would be
 * measured, too. */
static procref_error error = PROCREF_ERROR_INIT;

procref_service *must_open(const struct world *world) {
    procref_service *service = NULL;
    if (procref_service_open(&world->config, &service, &error) < 0) {
        die("open: %s", error.message);
    }
    return service;
}

procref_handle *must_acquire(procref_service *service) {
    procref_handle *handle = NULL;
    if (procref_service_acquire(service, 30000, &handle, &error) < 0) {
        die("acquire: %s\n%s", error.message, error.detail);
    }
    return handle;
}

void must_release(procref_handle *handle) {
    if (procref_handle_release(handle, &error) < 0) {
        die("release: %s", error.message);
    }
}

/* ---- Children -------------------------------------------------------------------------------- */

struct child child_start(void (*run)(int line, void *data), void *data) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        die("socketpair: %s", strerror(errno));
    }
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        die("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        close(pair[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a benchmark that is interrupted leaves nobody */
        if (getppid() == parent) {
            run(pair[1], data);
        }
        _exit(0);
    }
    close(pair[1]);
    return (struct child){.pid = pid, .line = pair[0]};
}

char hear(int line) {
    char word = 0;
    while (recv(line, &word, 1, 0) < 0 && errno == EINTR) {
    }
    return word;
}

void tell(int line, char word) {
    (void)!send(line, &word, 1, MSG_NOSIGNAL);
}

void child_tell(const struct child *child, char word) {
    tell(child->line, word);
}

char child_hear(const struct child *child) {
    return hear(child->line);
}

void child_end(struct child *child) {
    shutdown(child->line, SHUT_RDWR); /* later children have copies of it: closing is not enough */
    close(child->line);
    waitpid(child->pid, NULL, 0);
}

static void hold(int line, void *data) {
    const struct world *world = data;
    procref_service *service = must_open(world);
    procref_handle *handle = must_acquire(service);
    tell(line, 'h');
    (void)hear(line);
    must_release(handle);
}

struct child holder_start(const struct world *world) {
    struct child child = child_start(hold, (void *)(uintptr_t)world);
    if (child_hear(&child) != 'h') {
        die("the holder does not hold");
    }
    return child;
}

static void fresh(int line, void *data) {
    int64_t begin = now_ns();
    procref_handle *handle = must_acquire(must_open(data));
    int64_t took = now_ns() - begin;
    must_release(handle);
    (void)!write(line, &took, sizeof took);
}

double fresh_acquire_ns(const struct world *world) {
    int64_t took = 0;
    struct child child = child_start(fresh, (void *)(uintptr_t)world);
    if (read(child.line, &took, sizeof took) != sizeof took) {
        die("a fresh client fails");
    }
    child_end(&child);
    return (double)took;
}

/* ---- The bare pair --------------------------------------------------------------------------- */

int bare_begin(void) {
    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set < 0) {
        die("semget: %s", strerror(errno));
    }
    return set;
}

void bare_pairs(int set, int pairs) {
    struct sembuf up = {0, 1, SEM_UNDO | IPC_NOWAIT}, down = {0, -1, SEM_UNDO | IPC_NOWAIT};
    for (int i = 0; i < pairs; i++) {
        if (semop(set, &up, 1) < 0 || semop(set, &down, 1) < 0) {
            die("semop: %s", strerror(errno));
        }
    }
}

void bare_end(int set) {
    semctl(set, 0, IPC_RMID);
}
