/*
 * A service that the clients start by functions of their own: three processes share the server
 * beside this file. One of them runs start(), the last one stop(). `callbacks [BASE_DIR]`
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(fd, (struct sockaddr *)&address, size);
    getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return ntohs(address.sin_port);
}

/* The child waits until it has been named, so nothing runs that procref does not know of. If this
 * process is killed before that, its end of the pipe is closed and the child exits. */
static pid_t fork_server(uint16_t port, int *ret_go) {
    char server[PATH_MAX], number[8], byte;
    int go[2];
    beside_me("server", server);
    snprintf(number, sizeof number, "%u", port);
    if (pipe(go) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        if (read(go[0], &byte, 1) == 1) {
            execl(server, server, number, NULL);
        }
        _exit(1);
    }
    close(go[0]);
    *ret_go = go[1];
    return pid;
}

static int start(procref_info *info, void *user_data, procref_error *err) {
    const char *greeting = user_data;
    const struct timespec moment = {.tv_nsec = 5000000};
    uint16_t port = free_port();
    char url[64];
    long visit;
    int go;
    pid_t pid = fork_server(port, &go);
    if (pid < 0) {
        return procref_error_set(err, PROCREF_E_SERVICE_START, "no process for the server");
    }
    int code = procref_info_set_pid(info, (uint32_t)pid);
    if (code == 0) {
        (void)!write(go, "", 1);
    }
    close(go);
    while (code == 0 && !shared_ask("server", port, &visit)) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return procref_error_set(err, PROCREF_E_SERVICE_START, "the server ended at once");
        }
        nanosleep(&moment, NULL);
    }
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", port);
    procref_info_set_port(info, port);
    procref_info_set_metadata(info, "url", url);
    procref_info_set_metadata(info, "greeting", greeting);
    printf("%d starts it\n", (int)getpid());
    return code;
}

static int stop(const procref_info *info, void *user_data, procref_error *err) {
    (void)user_data;
    (void)err;
    printf("%d is the last and stops it\n", (int)getpid());
    kill((pid_t)procref_info_pid(info), SIGTERM); /* procref waits for its end, and has SIGKILL */
    return 0;
}

static bool is_healthy(const procref_info *info, void *user_data) {
    long visit;
    (void)user_data;
    return shared_ask("server", procref_info_port(info), &visit);
}

static int use_it(const char *base_dir) {
    static char greeting[] = "hello";
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    procref_service *service = NULL;
    procref_handle *handle = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    long visit = 0;
    config.name = "callbacks-example";
    config.base_dir = base_dir;
    config.on_first_acquire = start;
    config.on_last_release = stop;
    config.on_health_check = is_healthy;
    config.user_data = greeting;
    if (procref_service_open(&config, &service, &error) < 0 ||
        procref_service_acquire(service, 30000, &handle, &error) < 0) {
        fprintf(stderr, "%s\n%s", error.message, error.detail);
        return 1;
    }
    const procref_info *info = procref_handle_info(handle);
    bool answered = shared_ask("server", procref_info_port(info), &visit);
    printf("%d uses it at %s, visit %ld\n", (int)getpid(), procref_info_get_metadata(info, "url"),
           visit);
    int code = procref_handle_release(handle, &error);
    procref_service_close(service);
    return answered && code == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    int failed = 0, status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            exit(use_it(argc > 1 ? argv[1] : NULL));
        }
    }
    while (wait(&status) > 0) {
        failed += status != 0;
    }
    return failed;
}
