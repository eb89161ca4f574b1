/*
 * A single-threaded program with an event loop and many pending acquires, scripted as client.c is.
 *
 *   open NAME key=value…   arg… base_dir ready share start_timeout linger; with callbacks=1 its own
 *                          functions start arg…: gate=FIFO (starting waits until that was opened
 *                          and closed), sick=FILE (unhealthy while it exists; starting removes it),
 *                          refuse=CODE, last=1 (has on_last_release)   -> ok service=N
 *   start N MS [TIMES]     acquire_start          -> ok pending=FIRST  |  error …
 *   finish P               once                   -> held handle=N pid= gen=  |  again  |  error …
 *   ready P MS poll|select|epoll                  -> readable  |  silent
 *   loop MS                until nothing is pending, or so long
 *   cancel P [TIMES]  acquire N MS  release H  release_all  count N  close N
 *   fork P finish|cancel   what a child gets      -> child code= n=
 *   fork_keep              a child that keeps a copy of everything
 *   descriptors            -> descriptors n= survive=
 *   callbacks              -> callbacks first= last= health= outside=
 *   churn SEED MS          starts, finishes, cancels and releases at random
 *   threads MS N…          a thread with a loop of its own for each of these services
 *   descriptors_most N     the soft RLIMIT_NOFILE
 *   exec                   becomes itself again;  quit  gives everything back and ends
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/surroundings.h"
#include "support/speak.h"
#include "support/words.h"

enum {
    LINE_SIZE = 32768,
    WORDS_MAX = 256,
    ARGS_MAX = 48,
    SERVICES_MAX = 128,
    PENDINGS_MAX = 4096,
    HANDLES_MAX = 8192,
    CODES = 64,
};

extern char **environ;

struct service {
    procref_service *service;
    char *argv[ARGS_MAX + 1];
    char *gate, *sick;
    int refuse;
};

struct pending {
    procref_pending *pending;
    unsigned again;
};

static struct service services[SERVICES_MAX];
static struct pending pendings[PENDINGS_MAX];
static procref_handle *handles[HANDLES_MAX];
static size_t services_count, pendings_count, handles_count;

/* Callbacks may run in finish, acquire and release only. */
static _Thread_local bool may_call = true;
static struct { _Atomic long first, last, health, outside; } calls;

/* ---- callbacks ---- */

static void note(_Atomic long *which) {
    (*which)++;
    calls.outside += !may_call;
}

static int first(procref_info *info, void *user_data, procref_error *err) {
    struct service *s = user_data;
    pid_t pid = 0;
    note(&calls.first);
    if (s->gate != NULL) {
        int fd = open(s->gate, O_RDONLY | O_CLOEXEC); /* waits for who opens the other end */
        char byte;
        while (read(fd, &byte, 1) > 0) {
        }
        close(fd);
    }
    if (s->refuse < 0) {
        return procref_error_set(err, s->refuse, "the callback refuses");
    }
    if (posix_spawn(&pid, s->argv[0], NULL, NULL, s->argv, environ) != 0) {
        return procref_error_set(err, PROCREF_E_SERVICE_START, "posix_spawn failed");
    }
    if (s->sick != NULL) {
        unlink(s->sick);
    }
    procref_info_set_port(info, 4711);
    return procref_info_set_pid(info, (uint32_t)pid);
}

static int last(const procref_info *info, void *user_data, procref_error *err) {
    (void)info;
    (void)user_data;
    (void)err;
    note(&calls.last);
    return 0;
}

static bool is_healthy(const procref_info *info, void *user_data) {
    const struct service *s = user_data;
    (void)info;
    note(&calls.health);
    return access(s->sick, F_OK) != 0;
}

/* ---- services ---- */

static char *copy_of(const char *text) {
    return text != NULL ? strdup(text) : NULL;
}

static int code_named(const char *name) {
    for (int code = 0; name != NULL && code > -CODES; code--) {
        if (strcmp(procref_code_name(code), name) == 0) {
            return code;
        }
    }
    return 0;
}

static void do_open(char **words, size_t count) {
    struct service *s = &services[services_count];
    size_t args = 0;
    for (size_t i = 2; i < count && args < ARGS_MAX; i++) {
        if (strncmp(words[i], "arg=", 4) == 0) {
            s->argv[args++] = copy_of(words[i] + 4);
        }
    }
    s->gate = copy_of(words_value(words, count, "gate"));
    s->sick = copy_of(words_value(words, count, "sick"));
    s->refuse = code_named(words_value(words, count, "refuse"));
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = words[1];
    config.base_dir = words_value(words, count, "base_dir");
    config.user_data = s;
    if (words_number(words, count, "callbacks", 0) != 0) {
        config.on_first_acquire = first;
        config.on_last_release = words_number(words, count, "last", 0) != 0 ? last : NULL;
        config.on_health_check = s->sick != NULL ? is_healthy : NULL;
    } else {
        const char *const *argv = (const char *const *)(const void *)s->argv;
        config.command = argv;
        config.ready = words_value(words, count, "ready");
    }
    config.share = words_number(words, count, "share", 0) != 0;
    config.start_timeout_ms = words_number(words, count, "start_timeout", 0);
    config.linger_ms = words_number(words, count, "linger", 0);
    procref_error error = PROCREF_ERROR_INIT;
    int code = procref_service_open(&config, &s->service, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
        return;
    }
    say("ok service=%zu", services_count++);
}

static void say_held(procref_handle *h) {
    handles[handles_count++] = h;
    say("held handle=%zu pid=%u port=%u gen=%llu alive=%d", handles_count - 1,
        procref_handle_pid(h), procref_handle_port(h),
        (unsigned long long)procref_info_generation(procref_handle_info(h)),
        procref_info_is_alive(procref_handle_info(h)));
}

static void do_acquire(char **words) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *h;
    int code = procref_service_acquire(services[strtoul(words[1], NULL, 10)].service,
                                       strtoll(words[2], NULL, 10), &h, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say_held(h);
    }
}

static void do_release(size_t which) {
    procref_error error = PROCREF_ERROR_INIT;
    int code = procref_handle_release(handles[which], &error);
    handles[which] = NULL;
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say("ok");
    }
}

static int release_all(void) {
    int code = 0;
    for (size_t i = 0; i < handles_count; i++) {
        int result = procref_handle_release(handles[i], NULL);
        code = code < 0 ? code : result;
    }
    handles_count = 0;
    return code;
}

static void do_count(size_t which) {
    procref_error error = PROCREF_ERROR_INIT;
    uint32_t count = 0;
    int code = procref_service_count(services[which].service, &count, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say("count n=%u", count);
    }
}

/* ---- pendings ---- */

static int begin(size_t service, int64_t timeout_ms, procref_pending **ret, procref_error *error) {
    may_call = false;
    int code = procref_service_acquire_start(services[service].service, timeout_ms, ret, error);
    may_call = true;
    return code;
}

static procref_pending *cancel(procref_pending *p) {
    return procref_pending_cancel(p);
}

static void do_start(char **words, size_t count) {
    size_t first_one = pendings_count;
    long times = count > 3 ? strtol(words[3], NULL, 10) : 1;
    for (long i = 0; i < times; i++) {
        procref_error error = PROCREF_ERROR_INIT;
        struct pending *p = &pendings[pendings_count];
        p->again = 0;
        int code =
            begin(strtoul(words[1], NULL, 10), strtoll(words[2], NULL, 10), &p->pending, &error);
        if (code < 0) {
            say_error(&error, code, now_ms());
            return;
        }
        pendings_count++;
    }
    say("ok pending=%zu", first_one);
}

static void do_finish(struct pending *p) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *h;
    int code = procref_pending_finish(p->pending, &h, &error);
    if (code == PROCREF_E_AGAIN) {
        say("again touched=%d", error.code != 0);
        return;
    }
    p->pending = NULL;
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say_held(h);
    }
}

static bool readable_by(int fd, int timeout_ms, const char *how) {
    if (strcmp(how, "select") == 0) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        struct timeval time = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
        return select(fd + 1, &set, NULL, NULL, &time) == 1;
    }
    if (strcmp(how, "epoll") == 0) {
        struct epoll_event event = {.events = EPOLLIN};
        int poller = epoll_create1(EPOLL_CLOEXEC);
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        int n = epoll_wait(poller, &event, 1, timeout_ms);
        close(poller);
        return n == 1;
    }
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

struct outcome {
    unsigned long held, failed, again, worst, dead, silent;
    unsigned long codes[CODES];
    char message[512]; /* of the last failure; running out of time hides no other */
};

/* Finishes one that is readable. True if it is done with. */
static bool finish_one(struct pending *p, procref_handle **ret, struct outcome *o) {
    procref_error error = PROCREF_ERROR_INIT;
    procref_handle *h = NULL;
    int code = procref_pending_finish(p->pending, &h, &error);
    *ret = NULL;
    if (code == PROCREF_E_AGAIN) {
        o->again++;
        p->again++;
        o->worst = p->again > o->worst ? p->again : o->worst;
        return false;
    }
    p->pending = NULL;
    if (code < 0) {
        o->failed++;
        o->codes[-code]++;
        if (code != PROCREF_E_TIMEOUT || o->codes[-code] == o->failed) {
            snprintf(o->message, sizeof o->message, "%s", error.message);
        }
    } else {
        o->held++;
        o->dead += !procref_info_is_alive(procref_handle_info(h));
        *ret = h;
    }
    return true;
}

static int watch_all(struct pending *all, size_t count, size_t *ret_left) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    *ret_left = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].pending != NULL) {
            struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
            epoll_ctl(poller, EPOLL_CTL_ADD, procref_pending_ready(all[i].pending), &event);
            ++*ret_left;
        }
    }
    return poller;
}

/* until_ms is now_ms()'s. */
static struct outcome run(struct pending *all, size_t count, procref_handle **to, size_t *to_count,
                          int64_t until_ms) {
    struct outcome o = {0};
    size_t left;
    int poller = watch_all(all, count, &left);
    for (int64_t now = now_ms(); left > 0 && now < until_ms; now = now_ms()) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, (int)(until_ms - now));
        for (int i = 0; i < n; i++) {
            struct pending *p = &all[events[i].data.u64];
            procref_handle *h = NULL;
            int fd = procref_pending_ready(p->pending);
            if (finish_one(p, &h, &o)) {
                left--;
            } else if (fd != procref_pending_ready(p->pending)) {
                o.silent++; /* it must stay the same */
            }
            if (h != NULL) {
                to[(*to_count)++] = h;
            }
        }
    }
    close(poller);
    o.silent += left;
    return o;
}

static void do_loop(int64_t timeout_ms) {
    struct outcome o =
        run(pendings, pendings_count, handles, &handles_count, now_ms() + timeout_ms);
    char codes[1024] = "", message[2048];
    for (int i = 0, length = 0; i < CODES; i++) {
        if (o.codes[i] > 0) {
            length += snprintf(codes + length, sizeof codes - (size_t)length, " %s=%lu",
                               procref_code_name(-i), o.codes[i]);
        }
    }
    words_encode(message, sizeof message, o.message);
    say("looped held=%lu failed=%lu again=%lu worst=%lu dead=%lu silent=%lu%s message=%s", o.held,
        o.failed, o.again, o.worst, o.dead, o.silent, codes, message);
}

/* ---- forks and descriptors ---- */

static void count_descriptors(unsigned *ret_count, unsigned *ret_survive) {
    DIR *dir = opendir("/proc/self/fd");
    *ret_count = *ret_survive = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(dir)) {
            ++*ret_count;
            *ret_survive += fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
        }
    }
    closedir(dir);
}

static void do_fork(struct pending *p, const char *what) {
    int result[2], status;
    char text[256] = "";
    if (pipe(result) < 0) {
        say("error code=PIPE");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        procref_handle *h;
        unsigned before, after, survive;
        int code = 0;
        count_descriptors(&before, &survive);
        if (strcmp(what, "finish") == 0) {
            code = procref_pending_finish(p->pending, &h, NULL);
        } else {
            procref_pending_cancel(p->pending);
        }
        count_descriptors(&after, &survive);
        int length = snprintf(text, sizeof text, "child code=%s n=%d", procref_code_name(code),
                              (int)before - (int)after);
        ssize_t n = write(result[1], text, (size_t)length);
        _exit(n == length ? 0 : 1);
    }
    close(result[1]);
    for (size_t have = 0; have < sizeof text - 1;) {
        ssize_t n = read(result[0], text + have, sizeof text - 1 - have);
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
    }
    close(result[0]);
    waitpid(child, &status, 0);
    say("%s", text);
}

static void do_fork_keep(void) {
    pid_t child = fork();
    if (child == 0) {
        close(0);
        close(1);
        for (;;) {
            pause();
        }
    }
    say("child pid=%d", (int)child);
}

/* ---- threads ---- */

enum { THREAD_PENDINGS = 20, THREADS_MAX = 8 };

struct work {
    size_t service;
    int64_t until_ms;
    struct outcome outcome;
    int code;
};

static void *work(void *argument) {
    struct work *w = argument;
    struct pending mine[THREAD_PENDINGS] = {{0}};
    procref_handle *got[THREAD_PENDINGS];
    for (int round = 0; round < 10 && w->code == 0; round++) {
        size_t count = 0;
        for (size_t i = 0; i < THREAD_PENDINGS && w->code == 0; i++) {
            mine[i].again = 0;
            w->code = begin(w->service, 20000, &mine[i].pending, NULL);
        }
        for (size_t i = 0; i < THREAD_PENDINGS / 4; i++) {
            mine[i].pending = cancel(mine[i].pending);
        }
        struct outcome o = run(mine, THREAD_PENDINGS, got, &count, w->until_ms);
        w->outcome.held += o.held;
        w->outcome.failed += o.failed;
        w->outcome.silent += o.silent + o.dead;
        memcpy(w->outcome.message, o.message, sizeof o.message);
        for (size_t i = 0; i < count; i++) {
            int code = procref_handle_release(got[i], NULL);
            w->code = w->code < 0 ? w->code : code;
        }
    }
    return NULL;
}

static void do_threads(char **words, size_t count) {
    pthread_t threads[THREADS_MAX];
    struct work works[THREADS_MAX] = {{0}};
    unsigned long held = 0, failed = 0, silent = 0;
    char message[2048] = "";
    int code = 0;
    for (size_t i = 2; i < count && i - 2 < THREADS_MAX; i++) {
        works[i - 2].service = strtoul(words[i], NULL, 10);
        works[i - 2].until_ms = now_ms() + strtoll(words[1], NULL, 10);
        pthread_create(&threads[i - 2], NULL, work, &works[i - 2]);
    }
    for (size_t i = 0; i + 2 < count && i < THREADS_MAX; i++) {
        pthread_join(threads[i], NULL);
        held += works[i].outcome.held;
        failed += works[i].outcome.failed;
        silent += works[i].outcome.silent;
        if (works[i].outcome.message[0] != '\0') {
            words_encode(message, sizeof message, works[i].outcome.message);
        }
        code = code < 0 ? code : works[i].code;
    }
    say("done code=%s held=%lu failed=%lu silent=%lu message=%s", procref_code_name(code), held,
        failed, silent, message);
}

/* ---- churn ---- */

enum { CHURN_PENDINGS = 100, CHURN_HANDLES = 60 };

static uint32_t roll(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void do_churn(char **words) {
    static struct pending all[CHURN_PENDINGS];
    static procref_handle *held[CHURN_HANDLES];
    uint64_t state = strtoull(words[1], NULL, 10);
    int64_t until = now_ms() + strtoll(words[2], NULL, 10);
    struct outcome o = {0};
    unsigned long cancelled = 0, timeouts = 0;
    int wrong = 0, code;
    char message[2048];
    while (now_ms() < until) {
        for (size_t i = 0; i < CHURN_PENDINGS; i++) {
            if (all[i].pending == NULL && wrong == 0) {
                int64_t timeout_ms = roll(&state) % 8 == 0 ? roll(&state) % 30 : 20000;
                all[i].again = 0;
                wrong = begin(roll(&state) % services_count, timeout_ms, &all[i].pending, NULL);
            }
        }
        struct pollfd polls[CHURN_PENDINGS];
        for (size_t i = 0; i < CHURN_PENDINGS; i++) {
            polls[i] = (struct pollfd){procref_pending_ready(all[i].pending), POLLIN, 0};
        }
        poll(polls, CHURN_PENDINGS, 100);
        for (size_t i = 0; i < CHURN_PENDINGS; i++) {
            procref_handle *h = NULL;
            if (roll(&state) % 32 == 0) {
                all[i].pending = cancel(all[i].pending);
                cancelled++;
            } else if (polls[i].revents != 0) {
                finish_one(&all[i], &h, &o);
            }
            if (h != NULL) {
                size_t at = roll(&state) % CHURN_HANDLES;
                code = procref_handle_release(held[at], NULL);
                wrong = wrong < 0 ? wrong : code;
                held[at] = h;
            }
        }
        if (roll(&state) % 4 == 0) { /* now and then nothing is held */
            for (size_t i = 0; i < CHURN_HANDLES; i++) {
                code = procref_handle_release(held[i], NULL);
                wrong = wrong < 0 ? wrong : code;
                held[i] = NULL;
            }
        }
    }
    for (size_t i = 0; i < CHURN_PENDINGS; i++) {
        all[i].pending = cancel(all[i].pending);
    }
    for (size_t i = 0; i < CHURN_HANDLES; i++) {
        procref_handle_release(held[i], NULL);
        held[i] = NULL;
    }
    timeouts = o.codes[-PROCREF_E_TIMEOUT];
    words_encode(message, sizeof message, o.message);
    say("churned code=%s held=%lu failed=%lu cancelled=%lu again=%lu worst=%lu dead=%lu message=%s",
        procref_code_name(wrong), o.held, o.failed - timeouts, cancelled, o.again, o.worst, o.dead,
        message);
}

/* ---- the loop of commands ---- */

static void do_exec(void) {
    static char self[] = "/proc/self/exe", name[] = "pending";
    char *again[] = {name, NULL};
    execv(self, again);
    say("error code=EXEC os=%d", errno);
}

static void obey(char **words, size_t count) {
    int known;
    size_t which = count > 1 ? strtoul(words[1], NULL, 10) : 0;
    const char *verb = words[0];
#define VERB(name) (strcmp(verb, name) == 0)
    if (VERB("open")) {
        do_open(words, count);
    } else if (VERB("start")) {
        do_start(words, count);
    } else if (VERB("finish")) {
        do_finish(&pendings[which]);
    } else if (VERB("ready")) {
        say(readable_by(procref_pending_ready(pendings[which].pending), atoi(words[2]), words[3])
                ? "readable"
                : "silent");
    } else if (VERB("loop")) {
        do_loop((int64_t)which);
    } else if (VERB("cancel")) {
        for (size_t i = which; i < which + (count > 2 ? strtoul(words[2], NULL, 10) : 1); i++) {
            pendings[i].pending = cancel(pendings[i].pending);
        }
        say("ok");
    } else if (VERB("acquire")) {
        do_acquire(words);
    } else if (VERB("release")) {
        do_release(which);
    } else if (VERB("release_all")) {
        say("ok code=%s", procref_code_name(release_all()));
    } else if (VERB("count")) {
        do_count(which);
    } else if (VERB("close")) {
        services[which].service = procref_service_close(services[which].service);
        say("ok");
    } else if (VERB("fork")) {
        do_fork(&pendings[which], words[2]);
    } else if (VERB("fork_keep")) {
        do_fork_keep();
    } else if (VERB("descriptors")) {
        unsigned n, survive;
        count_descriptors(&n, &survive);
        say("descriptors n=%u survive=%u", n, survive);
    } else if (VERB("descriptors_most")) {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = which;
        say(setrlimit(RLIMIT_NOFILE, &limit) == 0 ? "ok" : "error code=RLIMIT");
    } else if (VERB("callbacks")) {
        say("callbacks first=%ld last=%ld health=%ld outside=%ld", calls.first, calls.last,
            calls.health, calls.outside);
    } else if (VERB("threads")) {
        do_threads(words, count);
    } else if (VERB("churn")) {
        do_churn(words);
    } else if (VERB("exec")) {
        do_exec();
    } else {
        const char *failed = surroundings_change(words, count, &known);
        if (!known) {
            say("error code=UNKNOWN_VERB message=%s", verb);
        } else if (failed != NULL) {
            say("error code=SURROUNDINGS os=%d op=%s", errno, failed);
        } else {
            say("ok");
        }
    }
#undef VERB
}

static void give_everything_back(void) {
    for (size_t i = 0; i < pendings_count; i++) {
        cancel(pendings[i].pending);
    }
    release_all();
    for (size_t i = 0; i < services_count; i++) {
        procref_service_close(services[i].service);
    }
}

int main(void) {
    static char line[LINE_SIZE];
    static char *words[WORDS_MAX + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say("ready pid=%d", (int)getpid());
    while (hear(line, sizeof line)) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count == 1 && strcmp(words[0], "quit") == 0) {
            give_everything_back();
            return 0;
        }
        if (count > 0) {
            obey(words, count);
        }
    }
    _exit(0);
}
