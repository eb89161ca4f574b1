/*
 * A process, or a small family of them, for the tests of processes and trees. What each prints on
 * stdout, one line, says that it stands; each lives until its stdin ends, so none outlives the
 * test.
 *
 * - chain N: N descendants in a row; each prints "pid"
 * - bare: a child with an empty environment; each prints "pid"
 * - daemon: a grandchild in its own session whose parent has ended; it prints "pid", the first too
 * - threads: a child forked by a second thread
 * - leaderless: its first thread ends, a second one lives on
 * - parentheses: is called ") Z 1 ("
 * - listen ADDRESS: listens there (127.0.0.1, 0.0.0.0, ::), prints "port"
 * - unix PATH [fork]: listens on the socket file; with fork in the child of one that ends
 * - notify TEXT: sends it to $NOTIFY_SOCKET with a descriptor; prints 0 when that has been closed
 * - cut: the '=' of its PROCREF_TOKEN=... is a zero byte
 * - execs: executes itself again and again
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/first_thread.h"

static void say(unsigned number) {
    char line[16];
    int length = snprintf(line, sizeof line, "%u\n", number);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(1);
    }
}

_Noreturn static void live(void) {
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    _exit(0);
}

static void *fork_and_live(void *unused) {
    (void)unused;
    if (fork() == 0) {
        say((unsigned)getpid());
    }
    live();
}

static void *say_and_live(void *unused) {
    (void)unused;
    first_thread_await_end();
    say((unsigned)getpid());
    live();
}

static void chain(int length) {
    say((unsigned)getpid());
    while (length-- > 0 && fork() == 0) {
        say((unsigned)getpid());
    }
}

static void bare(void) {
    char *argv[] = {(char[]){"family"}, (char[]){"chain"}, (char[]){"0"}, NULL};
    char *envp[] = {NULL};
    say((unsigned)getpid());
    if (fork() == 0) {
        execve("/proc/self/exe", argv, envp);
        _exit(1);
    }
}

static void daemonise(void) {
    say((unsigned)getpid());
    if (fork() == 0) {
        setsid();
        if (fork() != 0) {
            _exit(0);
        }
        while (getppid() == getsid(0)) { /* until the parent has ended */
        }
        say((unsigned)getpid());
    }
}

static void listen_tcp(const char *address) {
    struct sockaddr_in six4 = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    int is_six = strchr(address, ':') != NULL;
    socklen_t size = is_six ? sizeof six : sizeof six4;
    struct sockaddr *any = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&six4;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, address, &six4.sin_addr);
    if (fd < 0 || bind(fd, any, size) < 0 || listen(fd, 5) < 0 || getsockname(fd, any, &size) < 0) {
        say(0);
        _exit(1);
    }
    say(ntohs(is_six ? six.sin6_port : six4.sin_port));
}

static void listen_unix(const char *path, int in_parent) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 5) < 0) {
        _exit(1);
    }
    if (in_parent) {
        pid_t parent = getpid();
        if (fork() != 0) {
            _exit(0);
        }
        while (getppid() == parent) {
        }
    }
    say((unsigned)getpid());
}

/* What bash does to each entry for a moment while it reads its environment (its variables.c). */
static void cut(void) {
    char *value = getenv("PROCREF_TOKEN");
    value[-1] = '\0';
    say((unsigned)getpid());
}

static void execute_again(char **argv) {
    static char mark[] = "again";
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    if (argv[2] == NULL) {
        say((unsigned)getpid());
    }
    if (poll(&end, 1, 0) == 0) {
        char *next[] = {argv[0], argv[1], mark, NULL};
        execv("/proc/self/exe", next);
        _exit(1);
    }
}

static void notify(const char *text) {
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct iovec part;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {{0}};
    struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
    int barrier[2];
    char copy[2048];

    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (name == NULL || pipe(barrier) < 0 || fd < 0) {
        _exit(1);
    }
    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    address.sun_path[0] = '\0';
    message.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    strncpy(copy, text, sizeof copy - 1);
    part = (struct iovec){.iov_base = copy, .iov_len = strlen(text)};
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &barrier[1], sizeof(int));
    if (sendmsg(fd, &message, 0) < 0) {
        _exit(1);
    }
    close(barrier[1]);
    say((unsigned)getpid());
    if (read(barrier[0], copy, 1) == 0) {
        say(0);
    }
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *what = argc > 2 ? argv[2] : "";
    pthread_t thread;

    if (strcmp(mode, "chain") == 0) {
        chain(atoi(what));
    } else if (strcmp(mode, "bare") == 0) {
        bare();
    } else if (strcmp(mode, "daemon") == 0) {
        daemonise();
    } else if (strcmp(mode, "threads") == 0) {
        say((unsigned)getpid());
        pthread_create(&thread, NULL, fork_and_live, NULL);
    } else if (strcmp(mode, "leaderless") == 0) {
        pthread_create(&thread, NULL, say_and_live, NULL);
        pthread_exit(NULL);
    } else if (strcmp(mode, "parentheses") == 0) {
        prctl(PR_SET_NAME, ") Z 1 (");
        say((unsigned)getpid());
    } else if (strcmp(mode, "listen") == 0) {
        listen_tcp(what);
    } else if (strcmp(mode, "unix") == 0) {
        listen_unix(what, argc > 3);
    } else if (strcmp(mode, "cut") == 0) {
        cut();
    } else if (strcmp(mode, "execs") == 0) {
        execute_again(argv);
    } else if (strcmp(mode, "notify") == 0) {
        notify(what);
    } else {
        return 1;
    }
    live();
}
