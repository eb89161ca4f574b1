/* How a helper program sits on names. */
#include "support/squatting.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *squat_key(key_t key, const char *owner) {
    int id = semget(key, 10, IPC_CREAT | IPC_EXCL | 0600);
    if (id < 0) {
        return "semget";
    }
    if (owner != NULL) {
        struct semid_ds status;
        union {
            int val;
            struct semid_ds *buf;
        } argument = {.buf = &status};
        if (semctl(id, 0, IPC_STAT, argument) < 0) {
            return "IPC_STAT";
        }
        status.sem_perm.uid = (uid_t)strtoul(owner, NULL, 10);
        return semctl(id, 0, IPC_SET, argument) < 0 ? "IPC_SET" : NULL;
    }
    struct sembuf any = {0, 1, 0};
    return semop(id, &any, 1) < 0 ? "semop" : NULL;
}

static const char *free_key(key_t key) {
    int id = semget(key, 0, 0);
    return id < 0 || semctl(id, 0, IPC_RMID) < 0 ? "IPC_RMID" : NULL;
}

/* Comes and goes until nobody can come any more: the kernel keeps a place for who went. */
static const char *fill_socket(const struct sockaddr_un *address, socklen_t size) {
    enum { QUEUE_MOST = 8192 };
    for (int came = 0; came < QUEUE_MOST; came++) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int result = connect(fd, (const struct sockaddr *)address, size), os = errno;
        close(fd);
        if (result < 0) {
            return os == EAGAIN ? NULL : "connect";
        }
    }
    return "no end";
}

enum use { SQUAT, SQUAT_STREAM, CONNECT, FILL };

static const char *use_socket(const char *name, enum use use) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length >= sizeof address.sun_path) {
        return "name";
    }
    memcpy(address.sun_path, name, length);
    address.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (use == FILL) {
        return fill_socket(&address, size);
    }
    int type = use == SQUAT_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (use != CONNECT) {
        return bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 16) < 0 ? "bind"
                                                                                     : NULL;
    }
    if (connect(fd, (struct sockaddr *)&address, size) < 0) {
        return "connect";
    }
    char rubbish[512];
    memset(rubbish, 'r', sizeof rubbish);
    return send(fd, rubbish, sizeof rubbish, MSG_NOSIGNAL) < 0 ? "send" : NULL;
}

const char *squatting_do(char *const *words, size_t count, int *ret_known) {
    const char *verb = words[0];
    const char *first = count > 1 ? words[1] : "0";
    const char *second = count > 2 ? words[2] : NULL;
    *ret_known = 1;
    if (strcmp(verb, "squat_key") == 0) {
        return squat_key((key_t)strtoul(first, NULL, 10), second);
    } else if (strcmp(verb, "free_key") == 0) {
        return free_key((key_t)strtoul(first, NULL, 10));
    } else if (strcmp(verb, "squat_socket") == 0) {
        return use_socket(first, SQUAT);
    } else if (strcmp(verb, "squat_stream") == 0) {
        return use_socket(first, SQUAT_STREAM);
    } else if (strcmp(verb, "connect_socket") == 0) {
        return use_socket(first, CONNECT);
    } else if (strcmp(verb, "fill_socket") == 0) {
        return use_socket(first, FILL);
    } else if (strcmp(verb, "signal") == 0) {
        return kill((pid_t)strtol(first, NULL, 10), second != NULL ? atoi(second) : 0) < 0 ? "kill"
                                                                                           : NULL;
    }
    *ret_known = 0;
    return NULL;
}
