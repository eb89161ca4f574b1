/*
 * A stranger's program, as C and as C++: `consumer NAME` holds the service NAME, has a second process of the same
 * program share it, lets go and sees it end. `consumer NAME PID` is that second process.
 */
#include <procref/procref.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what, const procref_error *error) {
    fprintf(stderr, "consumer: %s: %s %s\n%s", what, procref_code_name(error->code),
            error->message, error->detail);
    return 1;
}

static int share(char *program, char *name, uint32_t pid) {
    char number[16];
    char *argv[] = {program, name, number, NULL};
    pid_t other;
    int status = 1;
    snprintf(number, sizeof number, "%u", pid);
    if (posix_spawn(&other, program, NULL, NULL, argv, environ) != 0 ||
        waitpid(other, &status, 0) != other) {
        perror("consumer");
    }
    return status;
}

int main(int argc, char **argv) {
    static const char *const command[] = {"sh", "-c", "echo up; exec sleep 600", NULL};
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    procref_error error = PROCREF_ERROR_INIT;
    procref_service *service = NULL;
    procref_handle *handle = NULL;
    bool first = argc == 2;

    config.name = argc > 1 ? argv[1] : NULL;
    config.command = command;
    config.ready = "log:^up$";
    if (strcmp(procref_version(), PROCREF_VERSION) != 0) {
        fprintf(stderr, "consumer: the header is %s, the library %s\n", PROCREF_VERSION,
                procref_version());
        return 1;
    }
    if (procref_service_open(&config, &service, &error) < 0 ||
        procref_service_acquire(service, first ? 20000 : 0, &handle, &error) < 0) {
        return fail("acquire", &error);
    }
    uint32_t pid = procref_handle_pid(handle);
    int status = first ? share(argv[0], argv[1], pid) : strtoul(argv[2], NULL, 10) != pid;
    if (status != 0) {
        fprintf(stderr, "consumer: the service is not shared (pid %u here)\n", pid);
    }
    if (procref_handle_release_wait(handle, first ? 20000 : 0, &error) < 0 &&
        error.code != PROCREF_E_TIMEOUT) {
        return fail("release", &error);
    }
    procref_service_close(service);
    if (first && (kill((pid_t)pid, 0) == 0 || errno != ESRCH)) {
        fprintf(stderr, "consumer: the service %u still runs after the last release\n", pid);
        return 1;
    }
    return status != 0;
}
