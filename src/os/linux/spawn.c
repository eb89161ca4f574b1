/*
 * Spawning a pair on Linux.
 *
 * A child made by clone(CLONE_VM | CLONE_VFORK) takes the barrier in its own descriptor table, so
 * no fork of another thread can ever hold a copy of the listener. If it wins it makes a second such
 * child, which executes the keeper, and ends; the pair is then no child of the
 * program (unless that is pid 1 or a subreaper, which gets all orphans). The first child is made
 * without an exit signal: wait(2) without __WALL does not see it, and SIGCHLD is not sent.
 */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/record.h"
#include "core/trace.h"
#include "os/folder.h"
#include "os/linux/unseen.h"
#include "os/rendezvous.h"
#include "os/tree.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif

extern char **environ;

enum { STACK_SIZE = 64 * 1024, FD_LINK = 5, ROOM = 16, ENVIRONMENT_MOST = 10 };

/* A keeper with one client that runs a readiness command has 24 at the most, and two more if its
 * service requires others; with fewer it would end before it answers, or wait for a check that it
 * cannot run. */
enum { KEEPER_DESCRIPTORS = 32 };

/* The children share the parent's memory and its stack guard, and must not be instrumented. */
#if defined __clang__ || defined __GNUC__
#define IN_CHILD                                                                                   \
    __attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))
#else
#define IN_CHILD
#endif

/* All that the children read and write: memory of its own, which outlives the call if need be. */
struct spawn {
    const struct pri_config *config;
    char title[16], name[PRI_NAME_SIZE], mark[64];
    char *argv[3], *envp[ENVIRONMENT_MOST];
    const char *fallback;
    bool chosen; /* fallback is what the environment says: nothing else is tried */
    int link;
    /* the outcome, written by the children */
    int code, os;
    const char *op;
    uint32_t owner; /* of the first name, if all are taken */
    _Alignas(64) char stacks[2][STACK_SIZE];
};

IN_CHILD static int failed(struct spawn *s, int code, const char *op) {
    s->os = errno;
    s->code = code;
    s->op = op;
    return 1;
}

IN_CHILD static int write_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

IN_CHILD static int memory_file(const char *name, unsigned flags) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

IN_CHILD static int execute_image(struct spawn *s) {
    int fd = memory_file("procref-keeper", MFD_EXEC);
    size_t size = (size_t)(pri_keeper_image_end - pri_keeper_image);
    if (fd < 0 || write_all(fd, pri_keeper_image, size) < 0) {
        return -1;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return (int)syscall(SYS_execveat, fd, "", s->argv, s->envp, AT_EMPTY_PATH);
}

/* PROCREF_FAULT=orphan: somebody kills the first child now, and who waits for it goes on. */
IN_CHILD static void orphan_fault(void) {
    pid_t first = getppid();
    if (pri_fault("orphan") && kill(first, SIGKILL) == 0) {
        struct timespec a_while = {.tv_nsec = 200000000};
        nanosleep(&a_while, NULL);
    }
}

/* The second child. vm.memfd_noexec=2 and seccomp filters refuse the image: then the installed
 * file, first the one in the prefix in which the library is now. */
IN_CHILD static int run_keeper(void *argument) {
    struct spawn *s = argument;
    setsid();
    orphan_fault();
    if (execute_image(s) < 0) {
        int os = errno;
        char beside[PRI_PATH_SIZE];
        if (!s->chosen && pri_keeper_beside(beside, sizeof beside)) {
            execve(beside, s->argv, s->envp);
        }
        execve(s->fallback, s->argv, s->envp);
        errno = os;
        failed(s, PROCREF_E_PLATFORM, "execveat");
    }
    _exit(1);
}

/* The configuration and, behind it, the starter's environment, which may be large: a memory file.
 */
IN_CHILD static int write_config(struct spawn *s) {
    struct iovec parts[64];
    int fd = memory_file("procref-config", MFD_NOEXEC_SEAL), count = 0;
    if (fd < 0 || write_all(fd, s->config, s->config->size) < 0) {
        return -1;
    }
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        parts[count++] = (struct iovec){*entry, strlen(*entry) + 1};
        if (count == sizeof parts / sizeof parts[0] || entry[1] == NULL) {
            size_t size = 0;
            for (int i = 0; i < count; i++) {
                size += parts[i].iov_len;
            }
            if (writev(fd, parts, count) !=
                (ssize_t)size) { /* memory: whole, or there is no more */
                return -1;
            }
            count = 0;
        }
    }
    return fd == PRI_FD_CONFIG ? fcntl(fd, F_SETFD, 0) : dup2(fd, PRI_FD_CONFIG);
}

/* Room for our descriptors, whatever the program has open or allows itself: this table is a copy.
 */
IN_CHILD static int make_room(struct spawn *s) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < ROOM && ROOM <= limit.rlim_max) {
        limit.rlim_cur = ROOM;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (s->link != FD_LINK && dup3(s->link, FD_LINK, O_CLOEXEC) < 0) {
        return -1;
    }
    if (syscall(SYS_close_range, FD_LINK + 1, ~0U, 0) < 0) {
        for (int fd = FD_LINK + 1; fd < (int)limit.rlim_cur && fd < 65536; fd++) {
            close(fd);
        }
    }
    for (int fd = 0; fd < FD_LINK; fd++) {
        close(fd);
    }
    int null = open("/dev/null", O_RDWR | O_NOCTTY);
    if (null < 0) {
        null = memory_file("procref-null", MFD_NOEXEC_SEAL); /* a root without /dev */
        fcntl(null, F_SETFD, 0);
    }
    return null == 0 && dup(0) == 1 && dup(0) == 2 ? 0 : -1;
}

IN_CHILD static int take_barrier(void *argument) {
    struct spawn *s = argument;
    int listener = -1;
    setfsuid(geteuid()); /* a listener's user, as diag.h tells of it */
    if (make_room(s) < 0) {
        return failed(s, PROCREF_E_LIMIT, "dup3");
    }
    s->code = pri_rendezvous_bind(&s->config->ident, &listener, &s->os, &s->op, &s->owner);
    if (s->code < 0) {
        return 1;
    }
    if (listener != PRI_FD_LISTENER) {
        dup2(listener, PRI_FD_LISTENER);
        close(listener);
    } else {
        fcntl(listener, F_SETFD, 0);
    }
    PRI_CRASH_POINT("bound, keeper not started");
    if (write_config(s) < 0) {
        bool limit = errno == EMFILE || errno == ENFILE || errno == EFBIG;
        return failed(s, limit ? PROCREF_E_LIMIT : PROCREF_E_NO_MEMORY, "memfd_create");
    }
    if (pri_rendezvous_join(FD_LINK, PRI_FD_LISTENER) < 0) {
        return failed(s, PROCREF_E_CONFLICT,
                      "connect"); /* strangers have filled the queue: try again */
    }
    int pid = clone(run_keeper, s->stacks[1] + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, s);
    if (pid < 0) {
        return failed(s, errno == EAGAIN ? PROCREF_E_LIMIT : PROCREF_E_NO_MEMORY, "clone");
    }
    return 0;
}

static int explain(const struct spawn *s, procref_error *err) {
    const char *name = s->config->ident.name;
    switch (s->code) {
    case PROCREF_E_CONFLICT: return PROCREF_E_AGAIN;
    case PROCREF_E_PERMISSION:
        return pri_fail(
            err, s->code, s->os, s->op,
            "all socket names of '%s' (@procref/…) are in use by others, the first by user %u: "
            "ask them to let go, or use another name",
            name, (unsigned)s->owner);
    case PROCREF_E_LIMIT:
        return pri_fail(err, s->code, s->os, s->op,
                        "a limit keeps the keeper of '%s' from starting: see ulimit -n, ulimit -u "
                        "and ulimit -f",
                        name);
    case PROCREF_E_NO_MEMORY:
        return pri_fail(err, s->code, s->os, s->op, "no memory to start the keeper of '%s'", name);
    default:
        return pri_fail(err, s->code, s->os, s->op,
                        "the keeper of '%s' cannot be executed, neither from memory nor as %s",
                        name, s->fallback);
    }
}

/* The hard limit of descriptors, to which the keeper raises its own; and that of file sizes, which
 * holds for memory files too. */
static int check_limits(const char *name, procref_error *err) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < KEEPER_DESCRIPTORS) {
        return pri_fail(err, PROCREF_E_LIMIT, 0, "getrlimit",
                        "the keeper of '%s' needs %d descriptors, and the hard limit of open files "
                        "is %llu: raise it (RLIMIT_NOFILE, ulimit -n)",
                        name, (int)KEEPER_DESCRIPTORS, (unsigned long long)limit.rlim_max);
    }
    size_t image = (size_t)(pri_keeper_image_end - pri_keeper_image);
    size_t largest = image > sizeof(struct pri_record) ? image : sizeof(struct pri_record);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < largest) {
        return pri_fail(err, PROCREF_E_LIMIT, 0, "getrlimit",
                        "the keeper of '%s' has a memory file of %zu bytes, and the limit of file "
                        "sizes is %llu: raise it (RLIMIT_FSIZE, ulimit -f)",
                        name, largest, (unsigned long long)limit.rlim_cur);
    }
    return 0;
}

/* The pair begins with next to nothing: the service's environment travels with the configuration.
 */
static void fill_environment(struct spawn *s) {
    static const char *const kept[] = {
        "PROCREF_TRACE",
#ifdef PRI_CRASH_POINTS
        "PROCREF_CRASH", "PROCREF_FAULT", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
#endif
    };
    size_t count = 0;
    pri_format(s->mark, sizeof s->mark, PRI_KEEPER_MARK "%016llx",
               (unsigned long long)s->config->ident.hash);
    s->envp[count++] = s->mark;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        size_t length = strlen(kept[i]);
        for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
            if (strncmp(*entry, kept[i], length) == 0 && (*entry)[length] == '=' &&
                pri_environment(kept[i]) != NULL && count + 1 < ENVIRONMENT_MOST) {
                s->envp[count++] = *entry;
                break;
            }
        }
    }
    s->envp[count] = NULL;
}

static struct spawn *make_spawn(const struct pri_config *config) {
    const char *installed = pri_environment("PROCREF_KEEPER_PATH");
    struct spawn *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) {
        return NULL;
    }
    s->config = config;
    pri_format(s->title, sizeof s->title, "procref-keeper");
    memcpy(s->name, config->ident.name, sizeof s->name);
    s->argv[0] = s->title;
    s->argv[1] = s->name;
    s->link = -1;
    s->op = "clone";
    s->fallback = installed != NULL ? installed : PRI_KEEPER_PATH;
    s->chosen = installed != NULL;
    fill_environment(s);
    return s;
}

int pri_spawn_pair(const struct pri_config *config, procref_waitable *ret_link,
                   procref_error *err) {
    const char *name = config->ident.name;
    sigset_t all, mask;
    int cancel, status = 0;

    int code = check_limits(name, err);
    if (code < 0) {
        return code;
    }
    struct spawn *s = make_spawn(config);
    if (s == NULL) {
        int os = errno;
        return pri_fail(err, PROCREF_E_NO_MEMORY, os, "mmap",
                        "no memory to start the keeper of '%s'", name);
    }
    code = pri_rendezvous_socket(&s->link, err);
    if (code < 0) {
        goto free_memory;
    }
    /* A handler must not run in a child that shares our memory, nor a cancellation end it half-way.
     */
    sigfillset(&all);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    PRI_UNSEEN_BEGIN();
    int pid = clone(take_barrier, s->stacks[0] + STACK_SIZE, CLONE_VM | CLONE_VFORK, s);
    int os = errno;
    while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_setcancelstate(cancel, NULL);
    bool killed = pid > 0 && WIFSIGNALED(status);
    if (pid < 0) {
        code = pri_fail(err, PROCREF_E_LIMIT, os, "clone", "no process to start the keeper of '%s'",
                        name);
    } else if (killed) {
        code = PROCREF_E_AGAIN; /* the name is free, or a pair is behind it */
    } else {
        code = s->code < 0 ? explain(s, err) : 0;
    }
    PRI_TRACE("spawn: %s", code == 0                 ? "a pair"
                           : code == PROCREF_E_AGAIN ? "another has it"
                                                     : "failed");
    if (code == 0) {
        *ret_link = s->link;
    } else {
        pri_link_close(s->link);
    }
    if (killed) {
        /* The second child may still run in this memory, unseen: both are left. */
        return code;
    }
    PRI_UNSEEN_END();
free_memory:
    munmap(s, sizeof *s);
    return code;
}
