/* The three services that the demo can share. Nothing here knows about the demo itself. */
#include "shared.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void beside_me(const char *file, char *to) {
    char me[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", me, sizeof me - 1);
    me[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(me, '/');
    snprintf(to, PATH_MAX, "%.*s/%s", slash == NULL ? 0 : (int)(slash - me), me, file);
}

bool shared_fill(struct shared *shared, const char *kind, const char *name, const char *base_dir,
                 const char *witness) {
    *shared = (struct shared){.config = PROCREF_SERVICE_CONFIG_INIT};
    if (strcmp(kind, "server") == 0) {
        beside_me("server", shared->server);
        const char *command[] = {shared->server, "${PORT}", witness, NULL};
        memcpy(shared->command, command, sizeof command);
    } else if (strcmp(kind, "redis") == 0) {
        /* The shell adds the witness's line and becomes redis-server: same process, same pid. */
        const char *command[] = {"sh",
                                 "-c",
                                 "test -z \"$0\" || echo start 0 $$ $DEMO_CLIENT >>\"$0\"\n"
                                 "exec redis-server --bind 127.0.0.1 --save '' --port \"$1\"",
                                 witness != NULL ? witness : "",
                                 "${PORT}",
                                 NULL};
        memcpy(shared->command, command, sizeof command);
    } else if (strcmp(kind, "postgres") == 0) {
        /* Everything of it is in $PGDATA, its socket too; %n is the time, as read_log() wants it.
         */
        const char *command[] = {"sh",
                                 "-c",
                                 "test -z \"$0\" || echo start 0 $$ $DEMO_CLIENT >>\"$0\"\n"
                                 "exec postgres -h 127.0.0.1 -k \"$PGDATA\" -F -p \"$1\" "
                                 "-c log_line_prefix='%n '",
                                 witness != NULL ? witness : "",
                                 "${PORT}",
                                 NULL};
        memcpy(shared->command, command, sizeof command);
        /* It listens before it serves: "tcp" would be true while it still tells everybody that "the
         * database system is starting up", some 20 ms, after a crash much longer. */
        shared->config.ready = "exec:pg_isready -q -h 127.0.0.1 -p ${PORT}";
        shared->config.stop_signal =
            SIGINT; /* fast shutdown; SIGTERM would wait for every session */
    } else {
        return false;
    }
    shared->config.name = name;
    shared->config.base_dir = base_dir;
    shared->config.command = shared->command;
    if (shared->config.ready == NULL) {
        shared->config.ready = "tcp";
    }
    return true;
}

/* Both answers in one go: the server answers line by line. */
static bool ask_server(uint16_t port, char *answers, size_t size) {
    static const char question[] = "PING\nINCR\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    size_t used = 0;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == sizeof question - 1) {
        ssize_t got;
        while (used < size - 1 && (got = recv(fd, answers + used, size - 1 - used, 0)) > 0) {
            used += (size_t)got;
            answers[used] = '\0';
            if (strchr(answers, '\n') != strrchr(answers, '\n')) {
                break;
            }
        }
    }
    close(fd);
    answers[used] = '\0';
    return used > 0;
}

/* As a shell script would: by the service's own client program. */
static bool ask_by(const char *line, char *answers, size_t size) {
    FILE *cli = popen(line, "r");
    if (cli == NULL) {
        return false;
    }
    size_t used = fread(answers, 1, size - 1, cli);
    answers[used] = '\0';
    return pclose(cli) == 0;
}

static bool ask_redis(uint16_t port, char *answers, size_t size) {
    char line[160];
    snprintf(line, sizeof line,
             "redis-cli -h 127.0.0.1 -p %u PING && redis-cli -h 127.0.0.1 -p %u INCR visits", port,
             port);
    return ask_by(line, answers, size);
}

static bool ask_postgres(uint16_t port, char *answers, size_t size) {
    char line[256];
    snprintf(line, sizeof line,
             "psql -X -A -t -F ' ' -c \"select 'PONG', nextval('visits')\" "
             "'host=127.0.0.1 port=%u user=postgres dbname=postgres connect_timeout=5'",
             port);
    return ask_by(line, answers, size);
}

bool shared_ask(const char *kind, uint16_t port, long *ret_count) {
    char answers[256];
    bool answered = strcmp(kind, "redis") == 0      ? ask_redis(port, answers, sizeof answers)
                    : strcmp(kind, "postgres") == 0 ? ask_postgres(port, answers, sizeof answers)
                                                    : ask_server(port, answers, sizeof answers);
    long count;
    if (!answered || sscanf(answers, "PONG %ld", &count) != 1) {
        return false;
    }
    *ret_count = count;
    return true;
}
