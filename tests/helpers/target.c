/*
 * A process that tests end. One line on stdout says that it stands; it lives until it is ended, or
 * its stdin is.
 *
 *   plain        "up pid=P"
 *   ignores      the same, and SIGTERM does nothing to it
 *   tells        each SIGTERM is a line "term", and it goes on
 *   daemon       its grandchild, in a session of its own, says "up pid=P" and lives on; the first
 *                process lives too
 *   leaderless   its first thread has ended, a second one says "up pid=P"
 *   threads      "up pid=P n=T": the id of its second thread
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/first_thread.h"

static void up(pid_t pid, pid_t thread) {
    char line[64];
    int length = snprintf(line, sizeof line, "up pid=%d n=%d\n", (int)pid, (int)thread);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(1);
    }
}

_Noreturn static void live(void) {
    char byte;
    ssize_t n;
    do {
        n = read(STDIN_FILENO, &byte, 1);
    } while (n != 0);
    _exit(0);
}

static void tell(int number) {
    (void)number;
    ssize_t n = write(STDOUT_FILENO, "term\n", 5);
    (void)n;
}

static void *second(void *leaderless) {
    if (leaderless != NULL) {
        first_thread_await_end();
    }
    up(getpid(), (pid_t)syscall(SYS_gettid));
    live();
}

static void daemonise(void) {
    if (fork() == 0) {
        setsid();
        if (fork() != 0) {
            _exit(0);
        }
        up(getpid(), 0);
        live();
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    static char leaderless;
    pthread_t thread;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(mode, "daemon") == 0) {
        daemonise();
        live();
    } else if (strcmp(mode, "leaderless") == 0) {
        pthread_create(&thread, NULL, second, &leaderless);
        pthread_exit(NULL);
    } else if (strcmp(mode, "threads") == 0) {
        pthread_create(&thread, NULL, second, NULL);
        live();
    }
    if (strcmp(mode, "ignores") == 0) {
        signal(SIGTERM, SIG_IGN);
    } else if (strcmp(mode, "tells") == 0) {
        signal(SIGTERM, tell);
    }
    up(getpid(), 0);
    live();
}
