/*
 * A client process that a test scripts: one command a line on stdin, one answer a line on stdout.
 *
 * It begins with "ready pid=…". Commands (words.h tells how a line is cut):
 *   open NAME key=value…   base_dir arg… env… working_dir ready port share restart stop_signal
 *                          start_timeout stop_timeout linger          -> ok | error …
 *   use N / close          choose the Nth opened service; close it
 *   reopen TIMES NAME key=value…   opens, acquires, releases and closes it so often
 *   acquire MS [TIMES]     -> held handle=N pid= port= gen= ms=  |  error code= os= op= ms=
 * message= detail= release [N]  release_wait MS [N]  count  gone MS  info [N]  answer [N] fork /
 * fork_acquire MS / fork_keep / spawn ARG…    what a child may do; keep and spawn leave one running
 *   metadata KEY           of the newest handle   -> metadata n=LENGTH message=BEGIN | none
 *   exec [ARG…]            becomes that program, or itself again
 *   threads N TIMES        N threads acquire and release; "cross" acquires in one and releases in
 * another churn SEED MS          acquires, checks, releases at random quit                   gives
 * everything back and ends; the end of stdin ends it too, giving nothing back
 *   leave                  the first thread ends; a second one goes on with the commands
 *   bare_descriptors       0, 1 and 2 are closed; the two pipes go on elsewhere
 * and what surroundings.h, squatting.h and crowd.h know.
 */
#include <arpa/inet.h>
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/callbacks.h"
#include "support/crowd.h"
#include "support/first_thread.h"
#include "support/squatting.h"
#include "support/surroundings.h"
#include "support/speak.h"
#include "support/words.h"

enum { LINE_SIZE = 32768, WORDS_MAX = 256, SERVICES_MAX = 64, HANDLES_MAX = 4096 };

extern char **environ;
static procref_service *services[SERVICES_MAX];
static size_t services_count, current;
static procref_handle *handles[HANDLES_MAX];
static size_t handles_count;

/* ---- services and handles ---- */

static int32_t restart_named(const char *name) {
    return name == NULL                  ? PROCREF_RESTART_ON_FAILURE
           : strcmp(name, "always") == 0 ? PROCREF_RESTART_ALWAYS
           : strcmp(name, "never") == 0  ? PROCREF_RESTART_NEVER
                                         : PROCREF_RESTART_ON_FAILURE;
}

static int open_service(char **words, size_t count, procref_service **ret_service,
                        procref_error *err) {
    const char *command[WORDS_MAX] = {NULL}, *environment[WORDS_MAX] = {NULL};
    size_t commands = 0, environments = 0;
    for (size_t i = 2; i < count; i++) {
        if (strncmp(words[i], "arg=", 4) == 0) {
            command[commands++] = words[i] + 4;
        } else if (strncmp(words[i], "env=", 4) == 0) {
            environment[environments++] = words[i] + 4;
        }
    }
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = words[1];
    config.base_dir = words_value(words, count, "base_dir");
    config.command = commands > 0 ? command : NULL;
    config.environment = environments > 0 ? environment : NULL;
    config.working_dir = words_value(words, count, "working_dir");
    config.ready = words_value(words, count, "ready");
    config.port = (uint16_t)words_number(words, count, "port", 0);
    config.share = words_number(words, count, "share", 0) != 0;
    config.restart = restart_named(words_value(words, count, "restart"));
    config.stop_signal = (int32_t)words_number(words, count, "stop_signal", 0);
    config.start_timeout_ms = words_number(words, count, "start_timeout", 0);
    config.stop_timeout_ms = words_number(words, count, "stop_timeout", 0);
    config.linger_ms = words_number(words, count, "linger", 0);
    callbacks_configure(&config, words, count, command);
    return procref_service_open(&config, ret_service, err);
}

static void do_open(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    int code = open_service(words, count, &services[services_count], &error);
    if (code < 0) {
        say_error(&error, code, began);
        return;
    }
    current = services_count++;
    say("ok service=%zu", current);
}

/* TIMES, and then as open: each time it is opened, acquired, released and closed. */
static void do_reopen(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    int code = 0;
    for (long times = strtol(words[1], NULL, 10); times > 0 && code == 0; times--) {
        procref_service *service = NULL;
        procref_handle *handle = NULL;
        code = open_service(words + 1, count - 1, &service, &error);
        code = code == 0 ? procref_service_acquire(service, -1, &handle, &error) : code;
        procref_handle_release(handle, NULL);
        procref_service_close(service);
    }
    if (code < 0) {
        say_error(&error, code, began);
    } else {
        say("ok");
    }
}

static void do_acquire(char **words, size_t count) {
    int64_t timeout_ms = count > 1 ? strtoll(words[1], NULL, 10) : -1;
    long times = count > 2 ? strtol(words[2], NULL, 10) : 1;
    int64_t began = now_ms();
    for (long i = 0; i < times; i++) {
        procref_error error = PROCREF_ERROR_INIT;
        int code =
            procref_service_acquire(services[current], timeout_ms, &handles[handles_count], &error);
        if (code < 0) {
            say_error(&error, code, began);
            return;
        }
        handles_count++;
    }
    procref_handle *h = handles[handles_count - 1];
    say("held handle=%zu pid=%u port=%u gen=%llu ms=%lld", handles_count - 1, procref_handle_pid(h),
        procref_handle_port(h), (unsigned long long)procref_info_generation(procref_handle_info(h)),
        (long long)(now_ms() - began));
}

/* The handle named by word `at`, or the newest; taken out of the list if take is set. */
static procref_handle *handle_named(char **words, size_t count, size_t at, bool take) {
    size_t index = count > at ? strtoul(words[at], NULL, 10) : handles_count;
    if (count <= at) {
        while (index > 0 && handles[index - 1] == NULL) {
            index--;
        }
        if (index == 0) {
            return NULL;
        }
        index--;
    }
    procref_handle *h = handles[index];
    if (take) {
        handles[index] = NULL;
    }
    return h;
}

static void say_result(int code, const procref_error *error, int64_t began) {
    if (code < 0) {
        say_error(error, code, began);
    } else {
        say("ok ms=%lld", (long long)(now_ms() - began));
    }
}

static void do_release(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    say_result(procref_handle_release(handle_named(words, count, 1, true), &error), &error, began);
}

static void do_release_wait(char **words, size_t count) {
    procref_error error = PROCREF_ERROR_INIT;
    int64_t began = now_ms();
    int64_t timeout_ms = count > 1 ? strtoll(words[1], NULL, 10) : -1;
    say_result(procref_handle_release_wait(handle_named(words, count, 2, true), timeout_ms, &error),
               &error, began);
}

static void do_count(void) {
    procref_error error = PROCREF_ERROR_INIT;
    uint32_t count = 0;
    int code = procref_service_count(services[current], &count, &error);
    if (code < 0) {
        say_error(&error, code, now_ms());
    } else {
        say("count n=%u", count);
    }
}

/* True if fd becomes readable within the time, alarms or not. */
static bool readable_within(int fd, int64_t timeout_ms) {
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            return true;
        }
        if ((n == 0 || errno != EINTR) && left <= 0) {
            return false;
        }
    }
}

static void do_gone(char **words, size_t count) {
    int64_t timeout_ms = count > 1 ? strtoll(words[1], NULL, 10) : 0;
    int fd = procref_handle_gone(handle_named(words, count, 2, false));
    if (fd < 0) {
        say("none");
    } else {
        say(readable_within(fd, timeout_ms) ? "gone" : "still");
    }
}

static void do_info(char **words, size_t count) {
    procref_handle *h = handle_named(words, count, 1, false);
    const procref_info *info = procref_handle_info(h);
    procref_info *copy = procref_info_copy(info);
    say("info pid=%u port=%u gen=%llu alive=%d", procref_info_pid(copy), procref_info_port(copy),
        (unsigned long long)procref_info_generation(copy), procref_info_is_alive(copy));
    procref_info_free(copy);
}

/* How long a value is and how it begins; "none" without one. */
static void do_metadata(char **words) {
    const char *value =
        procref_info_get_metadata(procref_handle_info(handle_named(words, 2, 2, false)), words[1]);
    char begin[128], text[512] = "";
    if (value == NULL) {
        say("none");
        return;
    }
    snprintf(begin, sizeof begin, "%.100s", value);
    words_encode(text, sizeof text, begin);
    say("metadata n=%zu message=%s", strlen(value), text);
}

/* connect(2); one that a signal interrupted goes on by itself and is waited for. */
static bool connected(int fd, const struct sockaddr_in *address) {
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
        return true;
    }
    int os = errno;
    socklen_t size = sizeof os;
    while (os == EINTR) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 10000) >= 0) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &os, &size);
        }
    }
    errno = os;
    return os == 0;
}

/* The pid that the service at the port answers with; 0 and errno if it does not. */
static long answer_of(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char text[32] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t length = -1;
    if (connected(fd, &address) && readable_within(fd, 10000)) {
        do {
            length = read(fd, text, sizeof text - 1);
        } while (length < 0 && errno == EINTR);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return length > 0 ? strtol(text, NULL, 10) : 0;
}

static void do_answer(char **words, size_t count) {
    long pid = answer_of(procref_handle_port(handle_named(words, count, 1, false)));
    if (pid == 0) {
        say("silence errno=%d", errno);
    } else {
        say("answer pid=%ld", pid);
    }
}

/* ---- children ---- */

/* What a forked child is told when it uses its parent's objects; the parent repeats it. */
static void do_fork(char **words, size_t count, bool acquire) {
    int result[2];
    char text[256] = "";
    if (pipe(result) < 0) {
        say("error code=PIPE");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        procref_error error = PROCREF_ERROR_INIT;
        procref_handle *h = handle_named(words, 1, 1, false);
        int length;
        if (acquire) {
            int code =
                procref_service_acquire(services[current], strtoll(words[1], NULL, 10), &h, &error);
            length = snprintf(
                text, sizeof text, "child code=%s gen=%llu", procref_code_name(code),
                code < 0 ? 0ULL
                         : (unsigned long long)procref_info_generation(procref_handle_info(h)));
            code = code < 0 ? code : procref_handle_release(h, &error);
            length += snprintf(text + length, sizeof text - (size_t)length, " released=%s",
                               procref_code_name(code));
        } else {
            int code = procref_handle_release(h, &error);
            length = snprintf(text, sizeof text, "child code=%s", procref_code_name(code));
        }
        ssize_t n = write(result[1], text, (size_t)length);
        _exit(n == length ? 0 : 1);
    }
    close(result[1]);
    for (size_t have = 0; have < sizeof text - 1;) {
        ssize_t n = read(result[0], text + have, sizeof text - 1 - have);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    close(result[0]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)count;
    say("%s", text);
}

/* A child that keeps a copy of everything and does nothing. It survives this process, not the test.
 */
static void do_fork_keep(void) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        close(speak_in);
        close(speak_out);
        for (;;) {
            pause();
        }
    }
    say("child pid=%d", (int)child);
}

static void do_spawn(char **words, size_t count) {
    pid_t child = 0;
    words[count] = NULL;
    int error = posix_spawnp(&child, words[1], NULL, NULL, words + 1, environ);
    say("child pid=%d error=%d", (int)child, error);
}

static void do_exec(char **words, size_t count) {
    static char self[] = "/proc/self/exe", name[] = "client";
    char *again[] = {name, NULL};
    words[count] = NULL;
    if (count > 1) {
        execvp(words[1], words + 1);
    } else {
        execv(self, again);
    }
    say("error code=EXEC os=%d", errno);
}

/* ---- threads ---- */

struct work {
    long times;
    procref_handle *handle;
    int code;
};

static void *work_pairs(void *argument) {
    struct work *work = argument;
    for (long i = 0; i < work->times && work->code == 0; i++) {
        procref_handle *h;
        work->code = procref_service_acquire(services[current], -1, &h, NULL);
        if (work->code == 0) {
            work->code = procref_handle_release(h, NULL);
        }
    }
    return NULL;
}

static void *work_acquire(void *argument) {
    struct work *work = argument;
    work->code = procref_service_acquire(services[current], -1, &work->handle, NULL);
    return NULL;
}

static void *work_release(void *argument) {
    struct work *work = argument;
    work->code = procref_handle_release(work->handle, NULL);
    return NULL;
}

static void do_threads(char **words) {
    long count = strtol(words[1], NULL, 10);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    struct work *work = calloc((size_t)count, sizeof *work);
    int code = 0;
    for (long i = 0; i < count; i++) {
        work[i].times = strtol(words[2], NULL, 10);
        pthread_create(&threads[i], NULL, work_pairs, &work[i]);
    }
    for (long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        code = code < 0 ? code : work[i].code;
    }
    free(threads);
    free(work);
    say("done code=%s", procref_code_name(code));
}

/* Acquires in a thread that then ends; the next cross releases in another. */
static void do_cross(void) {
    static struct work work;
    pthread_t thread;
    bool release = work.handle != NULL;
    pthread_create(&thread, NULL, release ? work_release : work_acquire, &work);
    pthread_join(thread, NULL);
    if (release) {
        work.handle = NULL;
    }
    say("done code=%s what=%s", procref_code_name(work.code), release ? "released" : "acquired");
}

/* ---- churn ---- */

static uint32_t roll(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* While the service is held it must answer; if it does not, it must be because it was killed, which
 * gone tells. */
static const char *check_held(procref_handle *h) {
    uint16_t port = procref_handle_port(h);
    long pid = answer_of(port);
    if (pid == (long)procref_handle_pid(h)) {
        return NULL;
    }
    int gone = procref_handle_gone(h);
    if (gone < 0) {
        return "no descriptor tells when the service is gone";
    }
    return readable_within(gone, 10000) ? NULL
                                        : "a service that is held and not gone does not answer";
}

static void do_churn(char **words) {
    uint64_t state = strtoull(words[1], NULL, 10);
    int64_t until = now_ms() + strtoll(words[2], NULL, 10);
    unsigned long held = 0, failed = 0;
    const char *wrong = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    while (now_ms() < until && wrong == NULL) {
        procref_handle *h;
        int code = procref_service_acquire(services[current], 20000, &h, &error);
        if (code < 0) {
            failed++;
            wrong = code == PROCREF_E_TIMEOUT ? "an acquire took 20 s" : NULL;
            if (code != PROCREF_E_TIMEOUT && code != PROCREF_E_SERVICE_START &&
                code != PROCREF_E_SERVICE_RECOVERY && code != PROCREF_E_SERVICE_UNHEALTHY) {
                wrong = error.message;
            }
            continue;
        }
        held++;
        wrong = check_held(h);
        poll(NULL, 0, (int)(roll(&state) % 6));
        code = roll(&state) % 4 == 0 ? procref_handle_release_wait(h, 20000, &error)
                                     : procref_handle_release(h, &error);
        if (code < 0 && wrong == NULL) {
            wrong = error.message;
        }
        if (roll(&state) % 4 == 0) {
            poll(NULL, 0, (int)(roll(&state) % 20));
        }
    }
    char why[2048] = "";
    words_encode(why, sizeof why, wrong != NULL ? wrong : "");
    say("churned held=%lu failed=%lu wrong=%s", held, failed, why);
}

/* ---- the loop ---- */

static void bare_descriptors(void) {
    speak_in = fcntl(0, F_DUPFD_CLOEXEC, 100);
    speak_out = fcntl(1, F_DUPFD_CLOEXEC, 100);
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
    }
    say(speak_in >= 0 && speak_out >= 0 ? "ok" : "error code=DUP");
}

static void *serve(void *left);

static void leave(void) {
    static char left;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, &left) != 0) {
        say("error code=THREAD");
        return;
    }
    pthread_exit(NULL);
}

static void give_everything_back(void) {
    for (size_t i = 0; i < handles_count; i++) {
        if (handles[i] != NULL) {
            procref_handle_release(handles[i], NULL);
        }
    }
    for (size_t i = 0; i < services_count; i++) {
        procref_service_close(services[i]);
    }
}

static void obey(char **words, size_t count) {
    int known;
    const char *verb = words[0];
#define VERB(name) (strcmp(verb, name) == 0)
    if (VERB("open")) {
        do_open(words, count);
    } else if (VERB("reopen")) {
        do_reopen(words, count);
    } else if (VERB("use")) {
        current = strtoul(words[1], NULL, 10);
        say("ok");
    } else if (VERB("close")) {
        services[current] = procref_service_close(services[current]);
        say("ok");
    } else if (VERB("acquire")) {
        do_acquire(words, count);
    } else if (VERB("release")) {
        do_release(words, count);
    } else if (VERB("release_wait")) {
        do_release_wait(words, count);
    } else if (VERB("count")) {
        do_count();
    } else if (VERB("gone")) {
        do_gone(words, count);
    } else if (VERB("info")) {
        do_info(words, count);
    } else if (VERB("metadata")) {
        do_metadata(words);
    } else if (VERB("answer")) {
        do_answer(words, count);
    } else if (VERB("fork") || VERB("fork_acquire")) {
        do_fork(words, count, VERB("fork_acquire"));
    } else if (VERB("fork_keep")) {
        do_fork_keep();
    } else if (VERB("spawn")) {
        do_spawn(words, count);
    } else if (VERB("exec")) {
        do_exec(words, count);
    } else if (VERB("threads")) {
        do_threads(words);
    } else if (VERB("cross")) {
        do_cross();
    } else if (VERB("churn")) {
        do_churn(words);
    } else if (VERB("leave")) {
        leave();
    } else if (VERB("bare_descriptors")) {
        bare_descriptors();
    } else if (crowd_knows(verb)) {
        char answer[2048];
        crowd_do(services_count > 0 ? services[current] : NULL, words, count, answer,
                 sizeof answer);
        say("%s", answer);
    } else {
        const char *failed = surroundings_change(words, count, &known);
        failed = known ? failed : squatting_do(words, count, &known);
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

static void *serve(void *left) {
    static char line[LINE_SIZE];
    static char *words[WORDS_MAX + 1];
    if (left != NULL) {
        first_thread_await_end();
        say("ok");
    }
    while (hear(line, sizeof line)) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count == 1 && strcmp(words[0], "quit") == 0) {
            give_everything_back();
            exit(0);
        }
        if (count > 0) {
            obey(words, count);
        }
    }
    _exit(0);
}

int main(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say("ready pid=%d", (int)getpid());
    serve(NULL);
    return 0;
}
