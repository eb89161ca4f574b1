/* How a helper program is crowded. */
#include "support/crowd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/speak.h"
#include "support/words.h"

enum { THREADS_MAX = 64, ACQUIRE_MS = 20000, NESTED_MOST = 4 };

extern char **environ;

/* ---- many threads, many children ---- */

static struct {
    procref_service *service;
    int64_t until_ms;
    _Atomic unsigned seed, held, children, wrong;
    pthread_mutex_t lock;
    char first[1024];
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...) {
    va_list arguments;
    if (atomic_fetch_add(&crowd.wrong, 1) == 0) {
        pthread_mutex_lock(&crowd.lock);
        va_start(arguments, format);
        vsnprintf(crowd.first, sizeof crowd.first, format, arguments);
        va_end(arguments);
        pthread_mutex_unlock(&crowd.lock);
    }
}

static unsigned roll(unsigned *state) {
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

/* Up to NESTED_MOST handles; given back in another order. */
static void *hold_and_let_go(void *unused) {
    unsigned state = atomic_fetch_add(&crowd.seed, 7919);
    procref_error error = PROCREF_ERROR_INIT;
    (void)unused;
    while (now_ms() < crowd.until_ms) {
        procref_handle *handles[NESTED_MOST];
        unsigned count = 1 + roll(&state) % NESTED_MOST, have = 0;
        while (have < count) {
            int code = procref_service_acquire(crowd.service, ACQUIRE_MS, &handles[have], &error);
            if (code < 0) {
                wrong("acquire: %s: %s", procref_code_name(code), error.message);
                break;
            }
            if (procref_handle_pid(handles[have]) == 0) {
                wrong("a handle without a process");
            }
            have++;
        }
        atomic_fetch_add(&crowd.held, have);
        unsigned first = have > 0 ? roll(&state) % have : 0;
        for (unsigned i = 0; i < have; i++) {
            procref_handle *h = handles[(first + i) % have];
            int code = roll(&state) % 8 == 0 ? procref_handle_release_wait(h, ACQUIRE_MS, &error)
                                             : procref_handle_release(h, &error);
            if (code < 0) {
                wrong("release: %s: %s", procref_code_name(code), error.message);
            }
        }
    }
    return NULL;
}

/*
 * AddressSanitizer (gcc 12's) does not lock its allocator around fork(2): if another thread is in
 * it then, a child that allocates waits for that thread, which it has not, for ever. So with it the
 * child of a crowd does not; that of a program with one thread does (test_fork_exec, torture).
 */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define CHILDREN_ALLOCATE false
#endif
#endif
#if defined __SANITIZE_ADDRESS__
#define CHILDREN_ALLOCATE false
#endif
#ifndef CHILDREN_ALLOCATE
#define CHILDREN_ALLOCATE true
#endif

/* In a forked child; its exit status is what was wrong. */
static int be_a_child(procref_handle *parents, bool exec) {
    procref_handle *own;
    if (procref_handle_release(parents, NULL) != PROCREF_E_FORKED) {
        return 1;
    }
    if (!CHILDREN_ALLOCATE) {
        return 0;
    }
    if (procref_service_acquire(crowd.service, ACQUIRE_MS, &own, NULL) < 0) {
        return 2;
    }
    if (procref_handle_pid(own) == 0) {
        return 3;
    }
    if (exec) { /* the reference goes with it, and ends with it */
        execl("/bin/true", "true", (char *)NULL);
        return 4;
    }
    if (procref_handle_release(own, NULL) < 0) {
        return 5;
    }
    return 0;
}

static void wait_for(pid_t child, const char *how) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return; /* ECHILD: this program waits for its children elsewhere, or not at all */
        }
    }
    if (status != 0) {
        wrong("a child by %s ended with wait status 0x%x", how, (unsigned)status);
    }
}

static pid_t vfork_and_exec(void) {
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(6);
    }
    return child;
}

static void *make_children(void *unused) {
    static const char *const names[] = {"fork", "fork and exec", "posix_spawn", "vfork"};
    unsigned state = atomic_fetch_add(&crowd.seed, 7919);
    (void)unused;
    while (now_ms() < crowd.until_ms) {
        procref_handle *held;
        procref_error error = PROCREF_ERROR_INIT;
        int code = procref_service_acquire(crowd.service, ACQUIRE_MS, &held, &error);
        if (code < 0) {
            wrong("acquire before a fork: %s: %s", procref_code_name(code), error.message);
            continue;
        }
        unsigned how = roll(&state) % 4;
        pid_t child = -1;
        if (how == 2) {
            char name[] = "true", *argv[] = {name, NULL};
            if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) != 0) {
                child = -1;
            }
        } else {
            child = how == 3 ? vfork_and_exec() : fork();
            if (child == 0) {
                _exit(be_a_child(held, how == 1));
            }
        }
        if (child < 0) {
            wrong("%s: %s", names[how], strerror(errno));
        } else {
            wait_for(child, names[how]);
            atomic_fetch_add(&crowd.children, 1);
        }
        code = procref_handle_release(held, NULL);
        if (code < 0) {
            wrong("release after a fork: %s", procref_code_name(code));
        }
    }
    return NULL;
}

static void do_crowd(long ms, long holders, long forkers, char *answer, size_t size) {
    pthread_t threads[THREADS_MAX];
    long count = 0;
    crowd.until_ms = now_ms() + ms;
    for (; count < holders + forkers && count < THREADS_MAX; count++) {
        pthread_create(&threads[count], NULL, count < holders ? hold_and_let_go : make_children,
                       NULL);
    }
    for (long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    char message[1500];
    words_encode(message, sizeof message, crowd.first);
    snprintf(answer, size, "crowded held=%u children=%u n=%u message=%s", atomic_load(&crowd.held),
             atomic_load(&crowd.children), atomic_load(&crowd.wrong), message);
}

/* ---- children's ends ---- */

static _Atomic unsigned reaped;

static void wait_for_all(int number) {
    int saved = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        atomic_fetch_add(&reaped, 1);
    }
    errno = saved;
}

/* flags is that of waitpid(2). No children: again at once, which is what a careless program does.
 */
static void *wait_again_and_again(void *flags) {
    for (;;) {
        if (waitpid(-1, NULL, flags != NULL ? __WALL : 0) > 0) {
            atomic_fetch_add(&reaped, 1);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static bool set_sigchld(const char *how) {
    static char greedy;
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    pthread_t thread;
    if (strcmp(how, "nowait") == 0) {
        return sigaction(SIGCHLD, &action, NULL) == 0;
    } else if (strcmp(how, "handler") == 0) {
        action = (struct sigaction){.sa_handler = wait_for_all};
        return sigaction(SIGCHLD, &action, NULL) == 0;
    } else if (strcmp(how, "thread") == 0) {
        return pthread_create(&thread, NULL, wait_again_and_again, NULL) == 0;
    } else if (strcmp(how, "greedy") == 0) {
        return pthread_create(&thread, NULL, wait_again_and_again, &greedy) == 0;
    }
    return false;
}

/* ---- signals ---- */

static _Atomic unsigned handled;

static void count_it(int number) {
    (void)number;
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

static bool handle_realtime(void) {
    struct sigaction action = {.sa_handler = count_it};
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        if (sigaction(number, &action, NULL) < 0) {
            return false;
        }
    }
    return true;
}

/*
 * One after the other, as long as it runs. Not faster: they queue, and a process with signals
 * pending gets nothing else done. On a busy machine a burst of all each time outran its receiver
 * for good.
 */
static unsigned queue(pid_t pid, long ms) {
    unsigned sent = 0;
    union sigval value = {0};
    struct timespec pause = {.tv_nsec = 200000};
    int number = SIGRTMIN;
    for (int64_t until = now_ms() + ms; now_ms() < until;) {
        sent += sigqueue(pid, number, value) == 0;
        number = number < SIGRTMAX ? number + 1 : SIGRTMIN;
        nanosleep(&pause, NULL);
    }
    return sent;
}

/* ---- descriptors ---- */

static struct { int first, last; } scribbled;

static void *scribble(void *unused) {
    static const char text[] = "what a program prints when it thinks that this is its stdout\n";
    (void)unused;
    for (;;) {
        for (int fd = scribbled.first; fd <= scribbled.last; fd++) {
            /* On purpose: ThreadSanitizer, which would see it in write(), need not know. */
            syscall(SYS_write, fd, text, sizeof text - 1);
        }
        sched_yield();
    }
    return NULL;
}

/* ---- the verbs ---- */

static const char *const verbs[] = {"crowd",   "sigchld", "reaped",    "handle_realtime",
                                    "handled", "queue",   "closefrom", "scribble"};

bool crowd_knows(const char *verb) {
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i]) == 0) {
            return true;
        }
    }
    return false;
}

void crowd_do(procref_service *service, char *const *words, size_t count, char *answer,
              size_t size) {
    const char *verb = words[0], *first = count > 1 ? words[1] : "";
    long number = strtol(first, NULL, 10), second = count > 2 ? strtol(words[2], NULL, 10) : 0;
    bool good = true;
    snprintf(answer, size, "ok");
    if (strcmp(verb, "crowd") == 0) {
        crowd.service = service;
        do_crowd(number, second, count > 3 ? strtol(words[3], NULL, 10) : 0, answer, size);
    } else if (strcmp(verb, "sigchld") == 0) {
        good = set_sigchld(first);
    } else if (strcmp(verb, "reaped") == 0) {
        snprintf(answer, size, "reaped n=%u", atomic_load(&reaped));
    } else if (strcmp(verb, "handle_realtime") == 0) {
        good = handle_realtime();
    } else if (strcmp(verb, "handled") == 0) {
        snprintf(answer, size, "handled n=%u", atomic_load(&handled));
    } else if (strcmp(verb, "queue") == 0) {
        snprintf(answer, size, "queued n=%u", queue((pid_t)number, second));
    } else if (strcmp(verb, "closefrom") == 0) {
        good = syscall(SYS_close_range, (unsigned)number, ~0U, 0) == 0;
    } else if (strcmp(verb, "scribble") == 0) {
        pthread_t thread;
        scribbled.first = (int)number;
        scribbled.last = (int)second;
        good = pthread_create(&thread, NULL, scribble, NULL) == 0;
    }
    if (!good) {
        snprintf(answer, size, "error code=CROWD os=%d op=%s", errno, verb);
    }
}
