/* The readiness checks (keeper/readiness.h): one function for each kind starts it, one takes its
 * next step. */
#include "keeper/readiness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fail.h"
#include "os/clock.h"
#include "os/launch.h"
#include "os/ready.h"

/* A service that writes faster than it is read must not keep us here: the rest is for the next
 * step. Of messages more than wait at once (net.unix.max_dgram_qlen: 10, with systemd 512): before
 * an end is looked at all that was said is heard. */
enum { NOTIFY_NAME_SIZE = 108, LOG_READS_MOST = 64, MESSAGES_MOST = 1024 };

#define POLL_FIRST_NS (1 * PRI_MS) /* tcp, unix */
#define POLL_LAST_NS (20 * PRI_MS)
#define PROBE_FIRST_NS (10 * PRI_MS) /* exec: a process each time */
#define PROBE_LAST_NS (200 * PRI_MS)

static int compile(regex_t *regex, const char *text) {
    return regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
}

/* ---- Common parts ---------------------------------------------------------------------------- */

static void close_one(procref_waitable *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int fail(int os, const char *op, procref_error *err) {
    int code = os == EMFILE || os == ENFILE    ? PROCREF_E_LIMIT
               : os == ENOMEM || os == ENOBUFS ? PROCREF_E_NO_MEMORY
                                               : PROCREF_E_PLATFORM;
    return pri_fail(err, code, os, op, "cannot set up the readiness check");
}

/* Not yet: again after the delay, which doubles. */
static enum pri_readiness_result wait_more(struct pri_readiness *r, int64_t last_ns) {
    r->next_ns = pri_clock_ns() + r->delay_ns;
    r->delay_ns = 2 * r->delay_ns < last_ns ? 2 * r->delay_ns : last_ns;
    return PRI_READINESS_WAIT;
}

/* ---- notify: systemd's protocol, sd_notify(3) ------------------------------------------------ */

static int bind_notify(struct pri_readiness *r, const char *name, procref_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int on = 1;

    r->waitable = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->waitable < 0) {
        int os = errno;
        return fail(os, "socket", err);
    }
    memcpy(address.sun_path + 1, name + 1, length - 1); /* '@' is a zero byte: abstract */
    if (setsockopt(r->waitable, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(r->waitable, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
        int os = errno;
        return fail(os, "bind", err);
    }
    return 0;
}

static int start_notify(struct pri_readiness *r, char *notify_name, procref_error *err) {
    unsigned char random[8];
    char hex[2 * sizeof random + 1];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        int os = errno;
        return fail(os, "getrandom", err);
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    }
    /* Random, so that nobody can sit on the name; not secret: /proc/net/unix shows it. */
    pri_format(notify_name, NOTIFY_NAME_SIZE, "@procref/notify/%u/%s", (unsigned)getpid(), hex);
    return bind_notify(r, notify_name, err);
}

/* What one message says, of all that is heard here. */
struct said {
    bool ready;
    uint32_t main; /* 0: nothing */
    uint64_t extend_us;
};

static bool has_key(const char *line, size_t length, const char *key) {
    return length >= strlen(key) && memcmp(line, key, strlen(key)) == 0;
}

/* A number of decimal digits after the key; 0 for what is none, or too large. */
static uint64_t number_of(const char *line, size_t length, const char *key) {
    uint64_t number = 0;
    for (size_t i = strlen(key); i < length; i++) {
        if (line[i] < '0' || line[i] > '9' || number > (UINT64_MAX - 9) / 10) {
            return 0;
        }
        number = 10 * number + (uint64_t)(line[i] - '0');
    }
    return number;
}

/* Only whole lines count. The last one of a message that was cut is not whole. */
static struct said parse(const char *text, size_t length, bool cut) {
    static const char ready[] = "READY=1", main[] = "MAINPID=", extend[] = "EXTEND_TIMEOUT_USEC=";
    struct said said = {0};
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        if (end == NULL && cut) {
            break;
        }
        size_t line = end == NULL ? length : (size_t)(end - text);
        if (has_key(text, line, ready)) {
            said.ready = said.ready || line == sizeof ready - 1;
        } else if (has_key(text, line, main)) {
            uint64_t pid = number_of(text, line, main);
            said.main = pid <= INT32_MAX ? (uint32_t)pid : 0;
        } else if (has_key(text, line, extend)) {
            said.extend_us = number_of(text, line, extend);
        }
        text += line + (end != NULL);
        length -= line + (end != NULL);
    }
    return said;
}

/*
 * The kernel vouches for the sender's pid and user as they were when it sent. Like systemd we
 * believe it only while /proc can still tell whose child it is: a sender that has ended and been
 * reaped before we look is not believed. systemd-notify waits for that with a barrier: a descriptor
 * that it sends and sees closed. A root's service may have changed its user, and is believed for
 * its place in the tree.
 */
static bool is_believed(const struct ucred *sender, const struct pri_tree *tree) {
    return (sender->uid == geteuid() || geteuid() == 0) && sender->pid > 0 &&
           pri_tree_contains(tree, (uint32_t)sender->pid);
}

static void believe(struct pri_readiness *r, const struct said *said, const struct pri_tree *tree) {
    if (said->ready && !r->ready) {
        r->ready = true;
        r->next_ns = 0; /* the step that tells it is due */
    }
    if (said->main != 0) {
        struct pri_process main;
        if (pri_tree_identify(tree, said->main, &main)) {
            r->main = main;
        }
    }
    if (said->extend_us != 0) {
        int64_t until_ns = pri_deadline((int64_t)(said->extend_us / 1000));
        r->extended_ns = until_ns > r->extended_ns ? until_ns : r->extended_ns;
    }
}

void pri_readiness_hear(struct pri_readiness *r, const struct pri_tree *tree) {
    char text[1024];
    /* Room for the sender only: descriptors in a message are closed by the kernel at once. */
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;

    for (int most = MESSAGES_MOST; r->kind == PRI_READY_NOTIFY && most > 0; most--) {
        struct iovec part = {.iov_base = text, .iov_len = sizeof text};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t length = recvmsg(r->waitable, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0) {
            return;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header == NULL || header->cmsg_level != SOL_SOCKET ||
            header->cmsg_type != SCM_CREDENTIALS ||
            header->cmsg_len != CMSG_LEN(sizeof(struct ucred))) {
            continue;
        }
        struct ucred sender;
        memcpy(&sender, CMSG_DATA(header), sizeof sender);
        struct said said = parse(text, (size_t)length, (message.msg_flags & MSG_TRUNC) != 0);
        if ((said.ready || said.main != 0 || said.extend_us != 0) && is_believed(&sender, tree)) {
            believe(r, &said, tree);
        }
    }
}

static enum pri_readiness_result step_notify(struct pri_readiness *r, const struct pri_tree *tree) {
    pri_readiness_hear(r, tree);
    return r->ready ? PRI_READINESS_READY : PRI_READINESS_WAIT;
}

/* ---- tcp and unix: somebody of the tree accepts connections ---------------------------------- */

/*
 * First who listens, then whether a connection succeeds: a connect to a port without a listener may
 * be given that very port as its own, connect to itself, and keep the service from binding it.
 */
static enum pri_readiness_result step_tcp(struct pri_readiness *r, const struct pri_tree *tree) {
    if (r->other < 0) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons(r->port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (!pri_tree_listens(tree, r->port)) {
            return wait_more(r, POLL_LAST_NS);
        }
        r->other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (r->other < 0) {
            return wait_more(r, POLL_LAST_NS);
        }
        if (connect(r->other, (struct sockaddr *)&address, sizeof address) < 0 &&
            errno != EINPROGRESS && errno != EINTR) {
            close_one(&r->other);
            return wait_more(r, POLL_LAST_NS);
        }
    }
    /* On loopback the handshake is over when connect returns, unless the backlog is full. */
    struct pollfd poll_for = {.fd = r->other, .events = POLLOUT};
    int os = 0;
    socklen_t size = sizeof os;
    if (poll(&poll_for, 1, 0) != 1) {
        return wait_more(r, POLL_LAST_NS);
    }
    bool connected = getsockopt(r->other, SOL_SOCKET, SO_ERROR, &os, &size) == 0 && os == 0;
    close_one(&r->other);
    if (!connected) {
        return wait_more(r, POLL_LAST_NS);
    }
    r->ready = true;
    return PRI_READINESS_READY;
}

/* The address of PATH; "@name" is an abstract one, what is relative is below dir. */
static bool unix_address(const struct pri_readiness *r, struct sockaddr_un *ret,
                         socklen_t *ret_size) {
    bool below = r->text[0] != '/' && r->text[0] != '@';
    size_t length = strlen(r->text) + (below ? strlen(r->dir) + 1 : 0);
    memset(ret, 0, sizeof *ret);
    ret->sun_family = AF_UNIX;
    if (length >= sizeof ret->sun_path) {
        return false;
    }
    pri_format(ret->sun_path, sizeof ret->sun_path, "%s%s%s", below ? r->dir : "", below ? "/" : "",
               r->text);
    *ret_size = sizeof *ret;
    if (r->text[0] == '@') {
        ret->sun_path[0] = '\0';
        *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    return true;
}

/*
 * The kernel tells who called listen(). If it was a process that lives outside the tree, the socket
 * is somebody else's. If it has ended, it was most likely the service's parent, which listened and
 * then daemonised.
 */
static bool is_listener_believed(int fd, const struct pri_tree *tree) {
    struct ucred listener;
    struct pri_process other;
    socklen_t size = sizeof listener;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) < 0 || listener.pid <= 0) {
        return true; /* of a datagram socket, or from another pid namespace: unknown */
    }
    return pri_tree_contains(tree, (uint32_t)listener.pid) ||
           (listener.uid == geteuid() && !pri_process_identify((uint32_t)listener.pid, &other));
}

static enum pri_readiness_result step_unix(struct pri_readiness *r, const struct pri_tree *tree) {
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    struct sockaddr_un address;
    socklen_t size;

    for (size_t i = 0; i < sizeof types / sizeof types[0] && unix_address(r, &address, &size);
         i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            break;
        }
        int os = connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
        r->ready = os == 0 && is_listener_believed(fd, tree);
        close(fd);
        if (r->ready) {
            return PRI_READINESS_READY;
        }
        /* EPROTOTYPE says that the file is a socket of another type; abstract names exist once for
         * each type. */
        if (os != EPROTOTYPE && !(os == ECONNREFUSED && r->text[0] == '@')) {
            break;
        }
    }
    return wait_more(r, POLL_LAST_NS);
}

/* ---- exec: a command succeeds ---------------------------------------------------------------- */

static enum pri_readiness_result step_exec(struct pri_readiness *r) {
    if (r->probe.pid != 0) {
        return PRI_READINESS_WAIT; /* pri_readiness_reaped() will tell */
    }
    char shell[] = "/bin/sh", option[] = "-c";
    char *argv[] = {shell, option, NULL, NULL};
    /* exec(3) does not write to it, but is not declared so. */
    memcpy(&argv[2], &r->text, sizeof argv[2]);
    struct pri_launch launch = {
        .program = argv[0], .argv = argv, .envp = r->envp, .dir = r->dir, .told = -1};
    struct pri_launched launched;

    launch.output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (launch.output < 0 || pri_launch_prepare(&launch, &launched, NULL) < 0) {
        close_one(&launch.output);
        return wait_more(r, PROBE_LAST_NS);
    }
    pri_launch_go(&launched);
    pri_launch_forget(&launched); /* what cannot be run ends with a status other than 0 */
    close(launch.output);
    r->probe = launched.process;
    r->next_ns = PRI_NEVER;
    return PRI_READINESS_WAIT;
}

void pri_readiness_reaped(struct pri_readiness *r, uint32_t pid, int status) {
    if (r->kind != PRI_READY_EXEC || r->probe.pid == 0 || r->probe.pid != pid) {
        return;
    }
    r->probe.pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        r->ready = true;
        r->next_ns = 0;
    } else {
        wait_more(r, PROBE_LAST_NS);
    }
}

static void stop_exec(struct pri_readiness *r) {
    /* Until the loop reaps it, running or not, its pid and its group are its own. The leader goes
     * first: dying, it can fork nothing more, and what it forked before is in its group. */
    if (r->probe.pid != 0) {
        kill((pid_t)r->probe.pid, SIGKILL);
        kill(-(pid_t)r->probe.pid, SIGKILL);
        r->probe.pid = 0;
    }
}

/* ---- log: a line of the output matches ------------------------------------------------------- */

static int start_log(struct pri_readiness *r, const char *log, int64_t offset, procref_error *err) {
    struct stat status;
    regex_t *regex = malloc(sizeof *regex);
    if (regex == NULL) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, ENOMEM, "malloc",
                        "cannot set up the readiness check");
    }
    int wrong = compile(regex, r->text);
    if (wrong != 0) {
        char reason[128];
        regerror(wrong, regex, reason, sizeof reason);
        free(regex);
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "ready 'log:%s' is not a regular expression: %s", r->text, reason);
    }
    r->regex = regex;
    r->offset = offset;
    r->other = open(log, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (r->other < 0 || fstat(r->other, &status) < 0) {
        int os = errno;
        return fail(os, "open", err);
    }
    r->waitable = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (r->waitable >= 0 && inotify_add_watch(r->waitable, log, IN_MODIFY) < 0) {
        close_one(&r->waitable);
    }
    /* There are 128 inotify instances to a user, and a memory file may not announce what is written
     * to it through the descriptor that memfd_create(2) gave: then the clock does it. */
    r->polls = r->waitable < 0 || status.st_nlink == 0;
    r->next_ns = r->polls ? 0 : PRI_NEVER;
    return 0;
}

/* Zero bytes would end the text early. A last line without its end matches too, for it may be a
 * prompt; but '$' does not match there, as more may come. */
static bool matches(const struct pri_readiness *r, char *line, size_t length, bool whole) {
    for (size_t i = 0; i < length; i++) {
        line[i] = line[i] == '\0' ? '?' : line[i];
    }
    if (whole && length > 0 && line[length - 1] == '\r') {
        length--;
    }
    line[length] = '\0';
    return regexec(r->regex, line, 0, NULL, whole ? 0 : REG_NOTEOL) == 0;
}

static enum pri_readiness_result step_log(struct pri_readiness *r) {
    char bytes[1025]; /* a longer line is matched in pieces of this size */
    size_t size = sizeof bytes - 1;
    struct stat status;
    ssize_t length;
    int reads = 0;

    if (r->waitable >= 0) {
        length = read(r->waitable, bytes, size); /* equal events are one, inotify(7) */
    }
    if (fstat(r->other, &status) == 0 && status.st_size < r->offset) {
        r->offset = 0; /* it was cut */
    }
    while (!r->ready && reads < LOG_READS_MOST) {
        length = pread(r->other, bytes, size, r->offset);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length <= 0) {
            break;
        }
        reads++;
        size_t at = 0;
        char *end;
        while (!r->ready && (end = memchr(bytes + at, '\n', (size_t)length - at)) != NULL) {
            size_t line = (size_t)(end - (bytes + at));
            r->ready = matches(r, bytes + at, line, true);
            at += line + 1;
        }
        if (r->ready) {
            break;
        }
        r->offset += (int64_t)at;
        if (at == 0) {
            r->ready = matches(r, bytes, (size_t)length, false);
            if ((size_t)length < size) {
                break; /* read again when more of it has come */
            }
            r->offset += length;
        }
    }
    if (r->ready) {
        return PRI_READINESS_READY;
    }
    if (r->polls && reads < LOG_READS_MOST) {
        return wait_more(r, POLL_LAST_NS);
    }
    r->next_ns = reads < LOG_READS_MOST ? PRI_NEVER : 0;
    return PRI_READINESS_WAIT;
}

/* ---- The machine ----------------------------------------------------------------------------- */

int pri_readiness_start(struct pri_readiness *r, const char *ready, uint16_t port, const char *log,
                        int64_t offset, char *const *envp, const char *dir, char *notify_name,
                        procref_error *err) {
    struct sockaddr_un address;
    socklen_t size;
    const char *text;
    int code = 0;
    int kind = pri_ready_parse(ready, &text);

    notify_name[0] = '\0';
    *r = (struct pri_readiness){.kind = kind,
                                .waitable = -1,
                                .other = -1,
                                .delay_ns = kind == PRI_READY_EXEC ? PROBE_FIRST_NS : POLL_FIRST_NS,
                                .text = text,
                                .port = port,
                                .envp = envp,
                                .dir = dir};
    switch (kind) {
    case PRI_READY_NONE:
    case PRI_READY_EXEC: break;
    case PRI_READY_TCP:
        if (port == 0) {
            code = pri_fail(err, PROCREF_E_INVALID, 0, "", "ready 'tcp' needs a port");
        }
        break;
    case PRI_READY_UNIX:
        if (!unix_address(r, &address, &size)) {
            code = pri_fail(err, PROCREF_E_INVALID, 0, "",
                            "ready 'unix:%s': a socket's path has at most %u bytes", text,
                            (unsigned)sizeof address.sun_path - 1);
        }
        break;
    case PRI_READY_NOTIFY:
        r->next_ns = PRI_NEVER;
        code = start_notify(r, notify_name, err);
        break;
    case PRI_READY_LOG: code = start_log(r, log, offset, err); break;
    default:
        r->kind = PRI_READY_NONE;
        code = pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "ready '%s' is not notify, tcp, unix:PATH, exec:CMD or log:REGEX", ready);
        break;
    }
    if (code < 0) {
        notify_name[0] = '\0';
        pri_readiness_stop(r);
    }
    return code;
}

bool pri_readiness_resume(struct pri_readiness *r, const char *notify_name) {
    *r = (struct pri_readiness){
        .kind = PRI_READY_NOTIFY, .waitable = -1, .other = -1, .ready = true, .next_ns = PRI_NEVER};
    if (bind_notify(r, notify_name, NULL) < 0) {
        pri_readiness_stop(r);
        return false;
    }
    return true;
}

/* Closes what is not needed any more. The notify socket stays: who writes to it is not refused. */
static void settle(struct pri_readiness *r) {
    r->ready = true;
    r->next_ns = PRI_NEVER;
    close_one(&r->other);
    if (r->kind != PRI_READY_NOTIFY) {
        close_one(&r->waitable);
    }
    if (r->regex != NULL) {
        regfree(r->regex);
        free(r->regex);
        r->regex = NULL;
    }
}

enum pri_readiness_result pri_readiness_step(struct pri_readiness *r, const struct pri_tree *tree) {
    enum pri_readiness_result result = r->ready ? PRI_READINESS_READY : PRI_READINESS_WAIT;
    bool due = !r->ready && pri_clock_ns() >= r->next_ns;
    switch ((enum pri_ready_kind)r->kind) {
    case PRI_READY_NONE: result = PRI_READINESS_READY; break;
    case PRI_READY_NOTIFY: result = step_notify(r, tree); break;
    case PRI_READY_TCP: result = due ? step_tcp(r, tree) : result; break;
    case PRI_READY_UNIX: result = due ? step_unix(r, tree) : result; break;
    case PRI_READY_EXEC: result = due ? step_exec(r) : result; break;
    case PRI_READY_LOG: result = r->ready ? result : step_log(r); break;
    }
    if (result == PRI_READINESS_READY) {
        settle(r);
    }
    return result;
}

void pri_readiness_stop(struct pri_readiness *r) {
    if (r->kind == PRI_READY_NONE) {
        return; /* a zeroed struct: descriptor 0 is not ours */
    }
    stop_exec(r);
    settle(r);
    close_one(&r->waitable);
    *r = (struct pri_readiness){
        .kind = PRI_READY_NONE, .waitable = -1, .other = -1, .next_ns = PRI_NEVER};
}
