/* The functions of a callback service in helper programs (callbacks.h). They act, and assert
 * nothing. */
#include "support/callbacks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/words.h"

enum { ARGUMENTS_MOST = 64, WORDS_MOST = 64 };

struct plan {
    char *words[WORDS_MOST];
    size_t count;
    char *command[ARGUMENTS_MOST + 1];
    const char *events;
    struct plan *next;
    char name[256];
    const char *base;
};

static const char *value(const struct plan *plan, const char *key) {
    return words_value(plan->words, plan->count, key);
}

static void event(const struct plan *plan, const char *format, ...) {
    char text[512], line[640];
    struct timespec t;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    clock_gettime(CLOCK_MONOTONIC, &t);
    int length = snprintf(line, sizeof line, "%lld %d %s\n",
                          (long long)t.tv_sec * 1000000000 + t.tv_nsec, (int)getpid(), text);
    int fd = plan->events != NULL
                 ? open(plan->events, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)
                 : -1;
    if (fd >= 0) {
        ssize_t written = write(fd, line, (size_t)length);
        (void)written;
        close(fd);
    }
}

/* Passes a gate that stands here, when somebody opens it. */
static void gate(const struct plan *plan, const char *callback, const char *where) {
    char name[64];
    int length = snprintf(name, sizeof name, "%s-%s", callback, where);
    event(plan, "%s", name);
    for (size_t i = 0; i < plan->count; i++) {
        const char *word = plan->words[i];
        if (strncmp(word, "gate=", 5) == 0 && strncmp(word + 5, name, (size_t)length) == 0 &&
            word[5 + length] == ':') {
            event(plan, "at-gate %s", name);
            int fd;
            do {
                fd = open(word + 6 + length, O_RDONLY | O_CLOEXEC);
            } while (fd < 0 && errno == EINTR);
            close(fd);
        }
    }
}

static int code_named(const char *name, size_t length) {
#define CODE(code, number, text)                                                                   \
    if (strlen(#code) == length && strncmp(name, #code, length) == 0) {                            \
        return number;                                                                             \
    }
    PROCREF_CODES(CODE)
#undef CODE
    return 0;
}

/* What fail=CALLBACK:… says; 0: nothing. */
static int failure(const struct plan *plan, const char *callback, procref_error *err) {
    size_t length = strlen(callback);
    for (size_t i = 0; i < plan->count; i++) {
        const char *word = plan->words[i];
        if (strncmp(word, "fail=", 5) != 0 || strncmp(word + 5, callback, length) != 0 ||
            word[5 + length] != ':') {
            continue;
        }
        const char *what = word + 6 + length, *text = strchr(what, ':');
        return text != NULL
                   ? procref_error_set(err, code_named(what, (size_t)(text - what)), "%s", text + 1)
                   : (int)strtol(what, NULL, 10);
    }
    return 0;
}

static uint16_t pick_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        address.sin_port = 0;
    }
    close(fd);
    return ntohs(address.sin_port);
}

static bool connects(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_port = 0};
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool does = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
                own.sin_port != address.sin_port; /* a port that is picked may meet itself */
    close(fd);
    return does;
}

/* With careful=1 the child waits until *ret_go is written to, and ends if it is closed. */
static pid_t run(const struct plan *plan, uint16_t port, int *ret_go) {
    char text[16], *argv[ARGUMENTS_MOST + 1] = {NULL};
    int go[2] = {-1, -1};
    if (value(plan, "careful") != NULL && pipe2(go, O_CLOEXEC) < 0) {
        return -1;
    }
    snprintf(text, sizeof text, "%u", (unsigned)port);
    for (size_t i = 0; plan->command[i] != NULL; i++) {
        argv[i] = strcmp(plan->command[i], "${PORT}") == 0 ? text : plan->command[i];
    }
    pid_t pid = fork();
    if (pid == 0) {
        char told;
        if (go[0] >= 0) {
            close(go[1]);
            if (read(go[0], &told, 1) != 1) {
                _exit(0);
            }
        }
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++) {
            dup2(null, fd);
        }
        setsid();
        execv(argv[0], argv);
        _exit(127);
    }
    if (go[0] >= 0) {
        close(go[0]);
    }
    *ret_go = go[1];
    event(plan, "forked %d", (int)pid);
    return pid;
}

static int watch(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool ends_within(pid_t pid, int ms) {
    int fd = watch(pid);
    struct pollfd end = {fd, POLLIN, 0};
    bool ended = fd < 0 || poll(&end, 1, ms) > 0;
    if (fd >= 0) {
        close(fd);
    }
    return ended;
}

static void stop(pid_t pid) {
    kill(pid, SIGTERM);
    if (!ends_within(pid, 10000)) {
        kill(pid, SIGKILL);
        ends_within(pid, 10000);
    }
    waitpid(pid, NULL, WNOHANG); /* it may be this process's child */
}

static int never(procref_info *info, void *user_data, procref_error *err) {
    (void)info;
    (void)user_data;
    return procref_error_set(err, PROCREF_E_OTHER, "this must never run");
}

/* inside=CALLBACK:same|command|other: acquires that service from within, and writes down the code.
 */
static void inside(const struct plan *plan, const char *callback) {
    static const char *const command[] = {"/bin/sleep", "1000", NULL};
    const char *at = value(plan, "inside");
    size_t length = strlen(callback);
    if (at == NULL || strncmp(at, callback, length) != 0 || at[length] != ':') {
        return;
    }
    char name[300];
    bool other = strcmp(at + length + 1, "other") == 0;
    snprintf(name, sizeof name, "%s%s", plan->name, other ? ".other" : "");
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = name;
    config.base_dir = plan->base;
    config.share = true;
    if (strcmp(at + length + 1, "same") == 0) {
        config.on_first_acquire = never;
    } else {
        config.command = command;
    }
    procref_service *service = NULL;
    procref_handle *handle = NULL;
    int released = 0, code = procref_service_open(&config, &service, NULL);
    if (code == 0) {
        code = procref_service_acquire(service, 10000, &handle, NULL);
    }
    if (code == 0) {
        released = procref_handle_release_wait(handle, 10000, NULL);
    }
    procref_service_close(service);
    event(plan, "inside %s %s %s", callback, procref_code_name(code), procref_code_name(released));
}

static int describe(const struct plan *plan, procref_info *info) {
    int result = 0;
    for (size_t i = 0; i < plan->count && result == 0; i++) {
        if (strncmp(plan->words[i], "metadata=", 9) == 0) {
            char key[256];
            const char *at = plan->words[i] + 9, *colon = strchr(at, ':');
            snprintf(key, sizeof key, "%.*s", (int)(colon - at), at);
            result = procref_info_set_metadata(info, key, colon + 1);
        }
    }
    size_t size = (size_t)words_number(plan->words, plan->count, "metadata_size", 0);
    if (size > 0 && result == 0) {
        char *big = malloc(size + 1);
        memset(big, 'x', size);
        big[size] = '\0';
        result = procref_info_set_metadata(info, "big", big);
        free(big);
    }
    return result;
}

static int start(const struct plan *plan, const char *callback, procref_info *info,
                 procref_error *err) {
    const char *mount = value(plan, "mount");
    uint16_t port = 0;
    int result = 0;
    if (mount != NULL) {
        if (mkdir(mount, 0700) < 0 && errno != EEXIST) {
            return procref_error_set(err, PROCREF_E_IO, "cannot make %s", mount);
        }
    } else {
        port = pick_port();
        int go = -1;
        pid_t pid = run(plan, port, &go);
        gate(plan, callback, "forked");
        result = procref_info_set_pid(info, (uint32_t)pid);
        if (go >= 0) {
            ssize_t written = result == 0 ? write(go, "", 1) : 0;
            (void)written;
            close(go);
        }
        if (result < 0) {
            event(plan, "set_pid %s", procref_code_name(result));
            return result;
        }
        while (!connects(port)) {
            if (ends_within(pid, 2)) {
                return procref_error_set(err, PROCREF_E_SERVICE_START,
                                         "it ended before it listened");
            }
        }
    }
    gate(plan, callback, "named");
    procref_info_set_port(info, port);
    result = describe(plan, info);
    return result != 0 ? result : failure(plan, callback, err);
}

static int on_first_acquire(procref_info *info, void *user_data, procref_error *err) {
    const struct plan *plan = user_data;
    gate(plan, "first", "begin");
    if (value(plan, "heal") != NULL) {
        unlink(value(plan, "health"));
    }
    inside(plan, "first");
    int result = start(plan, "first", info, err);
    gate(plan, "first", "end");
    return result;
}

static int on_last_release(const procref_info *info, void *user_data, procref_error *err) {
    const struct plan *plan = user_data;
    const char *mount = value(plan, "mount");
    gate(plan, "last", "begin");
    inside(plan, "last");
    if (mount != NULL) {
        rmdir(mount);
    } else if (value(plan, "leave") == NULL && procref_info_is_alive(info)) {
        stop((pid_t)procref_info_pid(info));
    }
    gate(plan, "last", "end");
    return failure(plan, "last", err);
}

static bool on_health_check(const procref_info *info, void *user_data) {
    const struct plan *plan = user_data;
    inside(plan, "health");
    bool healthy = access(value(plan, "health"), F_OK) < 0;
    event(plan, "health %d of %u", healthy, (unsigned)procref_info_pid(info));
    return healthy;
}

static int on_recover(const procref_info *old, procref_info *info, void *user_data,
                      procref_error *err) {
    const struct plan *plan = user_data;
    int result;
    gate(plan, "recover", "begin");
    inside(plan, "recover");
    if (value(plan, "health") != NULL) {
        unlink(value(plan, "health"));
    }
    event(plan, "recovers %u %llu %s", (unsigned)procref_info_pid(old),
          (unsigned long long)procref_info_generation(old),
          procref_info_get_metadata(old, "url") != NULL ? procref_info_get_metadata(old, "url")
                                                        : "");
    if (strcmp(value(plan, "recover"), "nothing") == 0 ||
        (strcmp(value(plan, "recover"), "keep") == 0 && procref_info_is_alive(old))) {
        result = failure(plan, "recover", err);
    } else {
        if (procref_info_is_alive(old)) {
            stop((pid_t)procref_info_pid(old));
        }
        result = start(plan, "recover", info, err);
    }
    gate(plan, "recover", "end");
    return result;
}

void callbacks_configure(procref_service_config *config, char **words, size_t count,
                         const char *const *command) {
    if (words_value(words, count, "callbacks") == NULL) {
        return;
    }
    static struct plan *plans;                   /* LeakSanitizer sees them from here */
    struct plan *plan = calloc(1, sizeof *plan); /* for as long as the program runs */
    plan->next = plans;
    plans = plan;
    for (size_t i = 0; i < count && plan->count < WORDS_MOST; i++) {
        if (strncmp(words[i], "arg=", 4) != 0 && strncmp(words[i], "env=", 4) != 0) {
            plan->words[plan->count++] = strdup(words[i]);
        }
    }
    for (size_t i = 0; command != NULL && command[i] != NULL && i < ARGUMENTS_MOST; i++) {
        plan->command[i] = strdup(command[i]);
        if (i > 0 && strcmp(command[i - 1], "--events") == 0) {
            plan->events = plan->command[i];
        }
    }
    snprintf(plan->name, sizeof plan->name, "%s", config->name);
    plan->base = value(plan, "base_dir");
    config->command = NULL;
    config->environment = NULL;
    config->ready = NULL;
    config->restart = 0;
    config->user_data = plan;
    config->fingerprint = value(plan, "fingerprint");
    config->on_first_acquire = on_first_acquire;
    config->on_last_release = words_number(words, count, "last", 1) != 0 ? on_last_release : NULL;
    config->on_health_check = value(plan, "health") != NULL ? on_health_check : NULL;
    config->on_recover = value(plan, "recover") != NULL ? on_recover : NULL;
}
