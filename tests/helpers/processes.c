/*
 * A process that a test scripts to use procref_process_…: one command a line on stdin, one answer a
 * line on stdout, as client.c does. It begins with "ready pid=…".
 *
 *   alive PID                   -> alive n=0|1
 *   terminate PID, kill PID     -> did code=OK|… ms=
 *   stop PID MS                 -> did code= ms=
 *   child MODE                  starts tests/helpers/target.c -> up pid= n=
 *   end PID                     SIGKILL to a child that stays unreaped -> ok, once it is a zombie
 *   reap PID                    waitpid(2), never waiting -> reaped n=(its result) os=(the status)
 *   descriptors                 how many are open -> descriptors n=
 * and what surroundings.h knows.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procref/procref.h"
#include "support/surroundings.h"
#include "support/speak.h"
#include "support/words.h"

enum { LINE_SIZE = 4096, WORDS_MAX = 32 };

static void did(int code, int64_t began_ms) {
    say("did code=%s ms=%lld", procref_code_name(code), (long long)(now_ms() - began_ms));
}

/* Its stdin stays open in this process, so it lives until it is ended or this process is. */
static void start_child(const char *self, const char *mode) {
    int in[2], out[2];
    char path[1024], line[LINE_SIZE];
    snprintf(path, sizeof path, "%.*s/target", (int)(strrchr(self, '/') - self), self);
    if (pipe(in) < 0 || pipe(out) < 0) {
        say("error code=PIPE");
        return;
    }
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        execl(path, "target", mode, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    if (hear_from(out[0], line, sizeof line)) {
        line[strcspn(line, "\n")] = '\0';
        say("%s", line);
    } else {
        say("error code=CHILD");
    }
}

static void end_child(pid_t pid) {
    siginfo_t info;
    int result = kill(pid, SIGKILL);
    while (result == 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0) {
        result = errno == EINTR ? 0 : -1;
    }
    say(result == 0 ? "ok" : "error code=END");
}

static void reap(pid_t pid) {
    int status = 0;
    pid_t result = waitpid(pid, &status, WNOHANG);
    say("reaped n=%d os=%d", (int)result, status);
}

static void count_descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = -3; /* ".", ".." and its own */
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    say("descriptors n=%d", count);
}

static void obey(const char *self, char **words, size_t count) {
    int known;
    const char *verb = words[0], *first = count > 1 ? words[1] : "";
    uint32_t pid = (uint32_t)strtoll(first, NULL, 10);
    int64_t began = now_ms();
    if (strcmp(verb, "alive") == 0) {
        say("alive n=%d", procref_process_is_alive(pid));
    } else if (strcmp(verb, "terminate") == 0) {
        did(procref_process_terminate(pid), began);
    } else if (strcmp(verb, "kill") == 0) {
        did(procref_process_kill(pid), began);
    } else if (strcmp(verb, "stop") == 0) {
        did(procref_process_stop(pid, count > 2 ? strtoll(words[2], NULL, 10) : -1), began);
    } else if (strcmp(verb, "child") == 0) {
        start_child(self, first);
    } else if (strcmp(verb, "end") == 0) {
        end_child((pid_t)pid);
    } else if (strcmp(verb, "reap") == 0) {
        reap((pid_t)pid);
    } else if (strcmp(verb, "descriptors") == 0) {
        count_descriptors();
    } else {
        const char *failed = surroundings_change(words, count, &known);
        if (!known || failed != NULL) {
            say("error code=SURROUNDINGS os=%d op=%s", errno, known ? failed : "unknown");
        } else {
            say("ok");
        }
    }
}

int main(int argc, char **argv) {
    static char line[LINE_SIZE];
    char *words[WORDS_MAX];
    (void)argc;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say("ready pid=%d", (int)getpid());
    while (hear(line, sizeof line)) {
        size_t count = words_split(line, words, WORDS_MAX);
        if (count > 0) {
            obey(argv[0], words, count);
        }
    }
    _exit(0);
}
