/* How a helper program changes its own surroundings. */
#include "support/surroundings.h"
#include "support/speak.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define REFUSE(number)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

/* What a sandbox without System V semaphores looks like, or ("execveat") one that executes files
 * only. */
static const char *refuse_calls(const char *which) {
    struct sock_filter semaphores[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(__NR_semget),
        REFUSE(__NR_semop),
        REFUSE(__NR_semtimedop),
        REFUSE(__NR_semctl),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter execveat[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(__NR_execveat),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = ARRAY_LEN(semaphores), .filter = semaphores};
    if (strcmp(which, "execveat") == 0) {
        filter = (struct sock_fprog){.len = ARRAY_LEN(execveat), .filter = execveat};
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return "prctl";
    }
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? "seccomp" : NULL;
}

static const char *write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return "open";
    }
    ssize_t n = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? "write" : NULL;
}

static const char *limit(const char *name, const char *value) {
    static const struct {
        const char *name;
        int resource;
    } limits[] = {{"nofile", RLIMIT_NOFILE},
                  {"core", RLIMIT_CORE},
                  {"cpu", RLIMIT_CPU},
                  {"fsize", RLIMIT_FSIZE},
                  {"nproc", RLIMIT_NPROC}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(limits[i].name, name) == 0) {
            struct rlimit both = {strtoull(value, NULL, 10), strtoull(value, NULL, 10)};
            return setrlimit(limits[i].resource, &both) < 0 ? "setrlimit" : NULL;
        }
    }
    errno = EINVAL;
    return "rlimit";
}

static const char *leave_namespace(const char *which) {
    static const struct {
        const char *name;
        int flags;
    } namespaces[] = {{"ipc", CLONE_NEWIPC},
                      {"net", CLONE_NEWNET},
                      {"mount", CLONE_NEWNS},
                      {"user", CLONE_NEWUSER}};
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        if (strcmp(namespaces[i].name, which) == 0) {
            return unshare(namespaces[i].flags) < 0 ? "unshare" : NULL;
        }
    }
    errno = EINVAL;
    return "unshare";
}

static const char *small_tmpfs(const char *path, const char *size) {
    char options[64];
    snprintf(options, sizeof options, "mode=0700,size=%s", size);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        return "mount private";
    }
    return mount("tmpfs", path, "tmpfs", 0, options) < 0 ? "mount" : NULL;
}

/* Writes until the disk is full. */
static const char *fill(const char *path) {
    char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    memset(block, 'x', sizeof block);
    while (fd >= 0 && write(fd, block, sizeof block) > 0) {
    }
    return fd < 0 || close(fd) < 0 ? "open" : NULL;
}

static const char *become_user(const char *number) {
    uid_t user = (uid_t)strtoul(number, NULL, 10);
    if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
        setresuid(user, user, user) < 0) {
        return "setresuid";
    }
    /* A process that changed its user is not dumpable: its /proc files would belong to root. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return NULL;
}

static void alarm_rang(int signal) {
    (void)signal;
}

static const char *ring_every(long microseconds) {
    struct sigaction action = {.sa_handler = alarm_rang}; /* no SA_RESTART: calls see EINTR */
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    sigaction(SIGALRM, &action, NULL);
    return setitimer(ITIMER_REAL, &every, NULL) < 0 ? "setitimer" : NULL;
}

static const char *block(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? "sigprocmask" : NULL;
}

/* Descriptors without close-on-exec, as a careless program has them. */
static const char *open_files(long count) {
    for (long i = 0; i < count; i++) {
        if (open("/dev/null", O_RDWR) < 0) {
            return "open";
        }
    }
    return NULL;
}

/* Uses up all descriptors but `left` of a small limit. */
static const char *use_up_descriptors(long left) {
    struct rlimit small = {64, 64};
    int last = -1;
    if (setrlimit(RLIMIT_NOFILE, &small) < 0) {
        return "setrlimit";
    }
    for (int fd; (fd = open("/dev/null", O_RDWR)) >= 0;) {
        last = fd;
    }
    for (; left > 0; left--) {
        close(last--);
    }
    return NULL;
}

/* One processor for this process, and only what others leave of it. */
static const char *crawl(void) {
    struct sched_param none = {0};
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (sched_setaffinity(0, sizeof first, &first) < 0) {
        return "sched_setaffinity";
    }
    return sched_setscheduler(0, SCHED_IDLE, &none) < 0 ? "sched_setscheduler" : NULL;
}

/* Takes that processor from those who crawl. */
static const char *spin(long ms) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (sched_setaffinity(0, sizeof first, &first) < 0) {
        return "sched_setaffinity";
    }
    for (int64_t until = now_ms() + ms; now_ms() < until;) {
    }
    return NULL;
}

const char *surroundings_change(char *const *words, size_t count, int *ret_known) {
    const char *verb = words[0];
    const char *first = count > 1 ? words[1] : "";
    const char *second = count > 2 ? words[2] : "";
    long number = strtol(first, NULL, 10);
#define VERB(name) (strcmp(verb, name) == 0)
    *ret_known = 1;
    if (VERB("nice")) {
        errno = 0;
        return nice((int)number) == -1 && errno != 0 ? "nice" : NULL;
    } else if (VERB("umask")) {
        umask((mode_t)strtol(first, NULL, 8));
    } else if (VERB("chdir")) {
        return chdir(first) < 0 ? "chdir" : NULL;
    } else if (VERB("setsid")) {
        return setsid() < 0 ? "setsid" : NULL;
    } else if (VERB("setenv")) {
        return putenv(strdup(first)) != 0 ? "putenv" : NULL;
    } else if (VERB("unsetenv")) {
        return unsetenv(first) < 0 ? "unsetenv" : NULL;
    } else if (VERB("ignore")) {
        return signal((int)number, SIG_IGN) == SIG_ERR ? "signal" : NULL;
    } else if (VERB("block")) {
        return block((int)number);
    } else if (VERB("rlimit")) {
        return limit(first, second);
    } else if (VERB("oom_score_adj")) {
        return write_text("/proc/self/oom_score_adj", first);
    } else if (VERB("setfsuid")) {
        setfsuid((uid_t)number);
    } else if (VERB("setuid")) {
        return become_user(first);
    } else if (VERB("unshare")) {
        return leave_namespace(first);
    } else if (VERB("alarm")) {
        return ring_every(number);
    } else if (VERB("seccomp")) {
        return refuse_calls(first);
    } else if (VERB("sysctl")) {
        return write_text(first, second);
    } else if (VERB("tmpfs")) {
        return small_tmpfs(first, second);
    } else if (VERB("crawl")) {
        return crawl();
    } else if (VERB("spin")) {
        return spin(number);
    } else if (VERB("descriptors_left")) {
        return use_up_descriptors(number);
    } else if (VERB("fill")) {
        return fill(first);
    } else if (VERB("files_open")) {
        return open_files(number);
    } else {
        *ret_known = 0;
    }
#undef VERB
    return NULL;
}
