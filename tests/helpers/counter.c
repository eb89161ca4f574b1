/*
 * A process with raw counters that a test scripts: one command a line on stdin, one answer a line
 * on stdout, as helpers/client.c does. It only acts; the test asserts.
 *
 *   open NAME / use N / close     close frees the object in use    -> ok
 *   acquire / release / count     -> ok n=COUNT
 *   quiet acquire|release         the same without asking for the count
 *   lock / unlock                 -> ok n=1 if it got it, else 0
 *   mechanism                     -> ok message=…
 *   acquire_times N               -> ok n=how many it got, and the error that ended it
 *   storm N                       N times acquire and release
 *                                 -> ok n=failures handle=firsts gen=lasts message=the first
 * failure threads N TIMES               a storm of N threads on this one object, the same answer
 *   lock_storm N FILE             N times: if it gets the lock, adds 1 to FILE in two steps
 *                                 -> ok n=failures handle=how often it got the lock
 *   fork COMMAND…                 a child executes the command, answers and ends
 *   fork_keep                     a child that only lives on                     -> ok pid=…
 *   exec                          becomes itself again, and says ready
 *   quit                          closes everything and ends; the end of stdin ends it too, closing
 * nothing and what surroundings.h and squatting.h know.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/squatting.h"
#include "support/surroundings.h"
#include "support/speak.h"
#include "support/words.h"

enum { LINE_SIZE = 8192, WORDS_MAX = 64, OBJECTS_MAX = 64, THREADS_MAX = 64 };

static procref_counter *objects[OBJECTS_MAX];
static size_t objects_count, current;

static void answer(int code, long long n, const procref_error *error) {
    char line[LINE_SIZE], message[2048], op[128];
    if (code == 0) {
        snprintf(line, sizeof line, "ok n=%lld", n);
    } else {
        words_encode(message, sizeof message, error->message);
        words_encode(op, sizeof op, error->op);
        snprintf(line, sizeof line, "error code=%s n=%lld os=%lld op=%s message=%s",
                 procref_code_name(code), n, (long long)error->os_code, op, message);
    }
    say("%s", line);
}

/* ---- storms ---------------------------------------------------------------------------------- */

struct storm {
    procref_counter *counter;
    long times, failures, firsts, lasts;
    char why[1024];
};

static void failed(struct storm *s, const char *what, const procref_error *error) {
    if (s->failures++ == 0) {
        snprintf(s->why, sizeof s->why, "%s: %s", what, error->message);
    }
}

static void *rage(void *argument) {
    struct storm *s = argument;
    for (long i = 0; i < s->times; i++) {
        procref_error error = PROCREF_ERROR_INIT;
        uint32_t count = 0;
        if (procref_counter_acquire(s->counter, &count, &error) < 0 || count == 0) {
            failed(s, "acquire", &error);
            continue;
        }
        s->firsts += count == 1;
        count = 4711;
        if (procref_counter_release(s->counter, &count, &error) < 0) {
            failed(s, "release", &error);
        }
        s->lasts += count == 0;
    }
    return NULL;
}

static void tell_storm(const struct storm *s) {
    char line[LINE_SIZE], why[2048];
    words_encode(why, sizeof why, s->why);
    snprintf(line, sizeof line, "ok n=%ld handle=%ld gen=%ld message=%s", s->failures, s->firsts,
             s->lasts, why);
    say("%s", line);
}

static void do_threads(long threads, long times) {
    static pthread_t ids[THREADS_MAX];
    static struct storm storms[THREADS_MAX];
    struct storm sum = {.times = times};
    for (long i = 0; i < threads && i < THREADS_MAX; i++) {
        storms[i] = (struct storm){.counter = objects[current], .times = times};
        if (pthread_create(&ids[i], NULL, rage, &storms[i]) != 0) {
            abort();
        }
    }
    for (long i = 0; i < threads && i < THREADS_MAX; i++) {
        pthread_join(ids[i], NULL);
        sum.failures += storms[i].failures;
        sum.firsts += storms[i].firsts;
        sum.lasts += storms[i].lasts;
        if (storms[i].failures > 0) {
            memcpy(sum.why, storms[i].why, sizeof sum.why);
        }
    }
    tell_storm(&sum);
}

/* Only the lock keeps two from adding to the same old value. */
static void do_lock_storm(long times, const char *path) {
    struct storm s = {.times = times};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    volatile long *shared =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    for (long i = 0; i < times; i++) {
        procref_error error = PROCREF_ERROR_INIT;
        bool locked = false;
        if (procref_counter_try_lock(objects[current], &locked, &error) < 0) {
            failed(&s, "try_lock", &error);
        } else if (locked) {
            long before = *shared;
            sched_yield();
            *shared = before + 1;
            s.firsts++;
            if (procref_counter_unlock(objects[current], &error) < 0) {
                failed(&s, "unlock", &error);
            }
        }
    }
    tell_storm(&s);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static int obey(char **words, size_t count);

static void do_acquire_times(long times) {
    procref_error error = PROCREF_ERROR_INIT;
    long got = 0;
    int code = 0;
    while (got < times && (code = procref_counter_acquire(objects[current], NULL, &error)) == 0) {
        got++;
    }
    answer(code, got, &error);
}

static void do_fork(char **words, size_t count) {
    pid_t child = fork();
    if (child == 0) {
        obey(words + 1, count - 1);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
}

static void do_fork_keep(void) {
    char line[64];
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        for (;;) {
            pause();
        }
    }
    snprintf(line, sizeof line, "ok pid=%d", (int)child);
    say("%s", line);
}

static int do_counting(const char *verb, bool wanted) {
    procref_counter *c = objects[current];
    procref_error error = PROCREF_ERROR_INIT;
    uint32_t count = 4711;
    bool locked = false;
    int code;
    if (strcmp(verb, "acquire") == 0) {
        code = procref_counter_acquire(c, wanted ? &count : NULL, &error);
    } else if (strcmp(verb, "release") == 0) {
        code = procref_counter_release(c, wanted ? &count : NULL, &error);
    } else if (strcmp(verb, "count") == 0) {
        code = procref_counter_count(c, &count, &error);
    } else if (strcmp(verb, "lock") == 0) {
        code = procref_counter_try_lock(c, &locked, &error);
        count = locked;
    } else if (strcmp(verb, "unlock") == 0) {
        code = procref_counter_unlock(c, &error);
    } else {
        return 0;
    }
    answer(code, count, &error);
    return 1;
}

static void do_open(const char *name) {
    procref_error error = PROCREF_ERROR_INIT;
    if (objects_count == OBJECTS_MAX) {
        abort();
    }
    int code = procref_counter_open(name, &objects[objects_count], &error);
    if (code == 0) {
        current = objects_count++;
    }
    answer(code, (long long)current, &error);
}

static int obey(char **words, size_t count) {
    static char self[] = "/proc/self/exe", name[] = "counter";
    char *again[] = {name, NULL}, line[LINE_SIZE];
    const char *verb = words[0];
    long first = count > 1 ? strtol(words[1], NULL, 10) : 0;
    long second = count > 2 ? strtol(words[2], NULL, 10) : 0;
    int known = 1;
#define VERB(name) (strcmp(verb, name) == 0)
    if (VERB("quiet") ? do_counting(words[1], false) : do_counting(verb, true)) {
        return 0;
    } else if (VERB("open")) {
        do_open(count > 1 ? words[1] : "");
    } else if (VERB("use")) {
        current = (size_t)first;
        say("ok");
    } else if (VERB("close")) {
        objects[current] = procref_counter_close(objects[current]);
        say("ok");
    } else if (VERB("mechanism")) {
        snprintf(line, sizeof line, "ok message=%s", procref_counter_mechanism(objects[current]));
        say("%s", line);
    } else if (VERB("acquire_times")) {
        do_acquire_times(first);
    } else if (VERB("storm")) {
        struct storm s = {.counter = objects[current], .times = first};
        rage(&s);
        tell_storm(&s);
    } else if (VERB("threads")) {
        do_threads(first, second);
    } else if (VERB("lock_storm")) {
        do_lock_storm(first, words[2]);
    } else if (VERB("fork")) {
        do_fork(words, count);
    } else if (VERB("fork_keep")) {
        do_fork_keep();
    } else if (VERB("exec")) {
        execv(self, again);
    } else if (VERB("quit")) {
        for (size_t i = 0; i < objects_count; i++) {
            procref_counter_close(objects[i]);
        }
        exit(0);
    } else {
        const char *wrong = surroundings_change(words, count, &known);
        wrong = known ? wrong : squatting_do(words, count, &known);
        snprintf(line, sizeof line, "%s op=%s os=%d", known && wrong == NULL ? "ok" : "error",
                 wrong != NULL ? wrong : "", wrong != NULL ? errno : 0);
        say("%s", line);
    }
#undef VERB
    return 0;
}

int main(void) {
    static char line[LINE_SIZE], *words[WORDS_MAX + 1];
    char ready[64];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(ready, sizeof ready, "ready pid=%d", (int)getpid());
    say("%s", ready);
    while (hear(line, sizeof line)) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count > 0) {
            obey(words, count);
        }
    }
    _exit(0);
}
