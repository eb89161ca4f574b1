/* By PostgreSQL's own programs, from PATH, as a script would. */
#include "cluster.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The last line that is not empty. */
static void last_line(FILE *file, char *to, size_t size) {
    char line[512];
    *to = '\0';
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (*line != '\0') {
            snprintf(to, size, "%s", line);
        }
    }
}

bool cluster_make(char *ret_why, size_t size) {
    /* A single backend makes the sequence, so that the server's own first start is the demo's. */
    FILE *shell =
        popen("{ initdb --no-sync --auth=trust --username=postgres --no-locale --encoding=UTF8 &&\n"
              "  echo 'create sequence visits' | postgres --single -F -D \"$PGDATA\" postgres\n"
              "} 2>&1",
              "r");
    snprintf(ret_why, size, "no shell");
    if (shell == NULL) {
        return false;
    }
    last_line(shell, ret_why, size);
    return pclose(shell) == 0;
}

void cluster_state(char *ret_state, size_t size) {
    FILE *shell = popen("LC_ALL=C pg_controldata | sed -n 's/^Database cluster state: *//p'", "r");
    *ret_state = '\0';
    if (shell != NULL) {
        last_line(shell, ret_state, size);
        pclose(shell);
    }
}

void cluster_left(uint16_t port, char *ret_names, size_t size) {
    char files[3][32] = {"postmaster.pid"};
    snprintf(files[1], sizeof files[1], ".s.PGSQL.%u", port);
    snprintf(files[2], sizeof files[2], ".s.PGSQL.%u.lock", port);
    *ret_names = '\0';
    for (int i = 0; i < 3; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", getenv("PGDATA"), files[i]);
        if (access(path, F_OK) == 0) {
            size_t used = strlen(ret_names);
            snprintf(ret_names + used, size - used, " %s", files[i]);
        }
    }
}

static int64_t ns_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void cluster_read_log(const char *log, int64_t *ret_told_ns, int64_t *ret_shut_ns) {
    const int64_t offset_ns = ns_of(CLOCK_MONOTONIC) - ns_of(CLOCK_REALTIME);
    char line[1024];
    FILE *file = fopen(log, "re");
    *ret_told_ns = *ret_shut_ns = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        int64_t s, ms, when_ns;
        if (sscanf(line, "%" SCNd64 ".%3" SCNd64, &s, &ms) != 2) {
            continue;
        }
        when_ns = s * INT64_C(1000000000) + (ms + 1) * 1000000 - 1 + offset_ns;
        if (strstr(line, "received fast shutdown request") != NULL) {
            *ret_told_ns = when_ns;
        } else if (strstr(line, "database system is shut down") != NULL) {
            *ret_shut_ns = when_ns;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void cluster_remove(void) {
    (void)!system("rm -rf -- \"$PGDATA\"");
}
