/* doctor: can processes be held, watched, counted and reaped? Also: whose they are (doctor_scan).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/procfs.h"
#include "os/tree.h"

enum {
    PATIENCE_MS = 5000,
    REAPING_MS = 300,
    FILES_NEEDED = 32, /* KEEPER_DESCRIPTORS in os/linux/spawn.c */
    FILES_LOW = 64,
    PROCESSES_NEEDED = 4, /* keeper, standby, their spawner, the service */
    PROCESSES_LOW = 16
};

/* ---- All processes --------------------------------------------------------------------------- */

static void each_process(void (*visit)(uint32_t pid, void *context), void *context) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        unsigned long pid = strtoul(entry->d_name, NULL, 10);
        if (pid > 0) {
            visit((uint32_t)pid, context);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

struct scan {
    struct doctor_marked *list;
    size_t count, room;
};

static bool read_mark(const char *entry, const char *mark, uint64_t *ret_hash) {
    size_t length = strlen(mark);
    char *end;
    if (strncmp(entry, mark, length) != 0 || strlen(entry + length) != 16) {
        return false;
    }
    *ret_hash = strtoull(entry + length, &end, 16);
    return *end == '\0';
}

static void look_for_marks(uint32_t pid, void *context) {
    struct scan *scan = context;
    struct doctor_marked found = {{0}, 0, false};
    struct stat status;
    char path[64], *entry = NULL;
    size_t size = 0;
    bool marked = false;
    snprintf(path, sizeof path, "/proc/%u/environ", (unsigned)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &status) < 0 || status.st_uid != geteuid()) {
        goto close_file;
    }
    while (!marked && getdelim(&entry, &size, '\0', file) > 0) {
        found.keeper = read_mark(entry, PRI_KEEPER_MARK, &found.hash);
        marked = found.keeper || read_mark(entry, "PROCREF_TOKEN=", &found.hash);
    }
    if (!marked || !pri_process_identify(pid, &found.process)) {
        goto close_file;
    }
    if (scan->count == scan->room) {
        scan->room = scan->room == 0 ? 64 : 2 * scan->room;
        struct doctor_marked *list = realloc(scan->list, scan->room * sizeof *list);
        if (list == NULL) {
            scan->room = scan->count;
            goto close_file;
        }
        scan->list = list;
    }
    scan->list[scan->count++] = found;
close_file:
    free(entry);
    if (file != NULL) {
        fclose(file);
    }
}

size_t doctor_scan(struct doctor_marked **ret_list) {
    struct scan scan = {0};
    each_process(look_for_marks, &scan);
    *ret_list = scan.list;
    return scan.count;
}

static const char no_process[] = "cannot be tried: fork: %s; see ulimit -u";

/* ---- Probes ---------------------------------------------------------------------------------- */

void doctor_pidfd(void) {
    static const char what[] = "pidfd";
    static const char remedy[] =
        "processes cannot be held, so a recycled pid could be signalled; use Linux 5.3 or newer, "
        "and in a container a seccomp filter that allows pidfd_open and pidfd_send_signal";
    procref_waitable held;
    int status;
    pid_t child = doctor_fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    if (child < 0) {
        doctor_say(DOCTOR_FAIL, what, no_process, strerror(errno));
        return;
    }
    int code = pri_process_hold((uint32_t)child, &held);
    if (code < 0) {
        doctor_say(DOCTOR_FAIL, what, "pidfd_open: %s: %s", strerror(errno), remedy);
    } else {
        struct pollfd event = {held, POLLIN, 0};
        code = pri_process_held_end(held, PRI_END_FORCED);
        int os = errno;
        int ready = code == 0 ? poll(&event, 1, PATIENCE_MS) : 0;
        if (code < 0) {
            doctor_say(DOCTOR_FAIL, what, "pidfd_send_signal: %s: %s", strerror(os), remedy);
        } else if (ready <= 0) {
            doctor_say(DOCTOR_FAIL, what,
                       "poll on a pidfd does not tell the end of its process: %s", remedy);
        } else {
            doctor_say(DOCTOR_OK, what, "processes can be held, signalled and awaited");
        }
        close(held);
    }
    kill(child, SIGKILL);
    doctor_await(child, pri_deadline(PATIENCE_MS), &status);
}

static void count_own(uint32_t pid, void *context) {
    struct pri_proc_stat stat;
    struct stat status;
    char path[32];
    snprintf(path, sizeof path, "/proc/%u", (unsigned)pid);
    if (lstat(path, &status) == 0 && status.st_uid == getuid() && pri_proc_stat(pid, &stat)) {
        *(long *)context += (long)stat.threads;
    }
}

/* Of the control group: -1 if there is no such limit. */
static long group_room(void) {
    char text[4096], path[4352], number[32];
    if (pri_read_text("/proc/self/cgroup", text, sizeof text) <= 0) {
        return -1;
    }
    char *group = strstr(text, "0::");
    if (group == NULL) {
        return -1;
    }
    group[strcspn(group, "\n")] = '\0';
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/pids.max", group + 3);
    if (pri_read_text(path, number, sizeof number) <= 0 || number[0] == 'm') {
        return -1;
    }
    long most = strtol(number, NULL, 10);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/pids.current", group + 3);
    return pri_read_text(path, number, sizeof number) > 0 ? most - strtol(number, NULL, 10) : most;
}

void doctor_resources(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        bool fails = limit.rlim_max < FILES_NEEDED, low = limit.rlim_cur < FILES_LOW;
        doctor_say(fails ? DOCTOR_FAIL
                   : low ? DOCTOR_WARN
                         : DOCTOR_OK,
                   "open files", "%llu (RLIMIT_NOFILE)%s%s", (unsigned long long)limit.rlim_cur,
                   fails || low ? ", few for clients and services; " : "",
                   !fails && !low ? ""
                   : limit.rlim_max >= 1024
                       ? "ulimit -n 1024"
                       : "raise the hard limit (limits.conf(5), LimitNOFILE=)");
        if (low) { /* so that the other probes fail for reasons of their own */
            limit.rlim_cur = limit.rlim_max < FILES_LOW ? limit.rlim_max : FILES_LOW;
            setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    long used = 0, room = group_room();
    each_process(count_own, &used);
    bool limited =
        getuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    long free_now = limited ? (long)limit.rlim_cur - used : -1;
    if (limited && free_now < PROCESSES_LOW) {
        doctor_say(free_now < PROCESSES_NEEDED ? DOCTOR_FAIL : DOCTOR_WARN, "processes",
                   "%ld of %llu are used (RLIMIT_NPROC): a service needs three and its own; %s",
                   used, (unsigned long long)limit.rlim_cur,
                   limit.rlim_max == RLIM_INFINITY || (long)limit.rlim_max > used + 256
                       ? "raise it by ulimit -u"
                       : "raise the hard limit (limits.conf(5), LimitNPROC=)");
    } else if (room >= 0 && room < PROCESSES_LOW) {
        doctor_say(room < PROCESSES_NEEDED ? DOCTOR_FAIL : DOCTOR_WARN, "processes",
                   "the control group has room for %ld more (pids.max); raise its TasksMax=", room);
    } else if (limited) {
        doctor_say(DOCTOR_OK, "processes", "%ld of %llu are used (RLIMIT_NPROC)", used,
                   (unsigned long long)limit.rlim_cur);
    } else if (used == 0) {
        doctor_say(DOCTOR_OK, "processes",
                   "no limit that matters; how many are used cannot be seen");
    } else {
        doctor_say(DOCTOR_OK, "processes", "%ld are used, no limit that matters", used);
    }
}

/* A grandchild that ends after its parent: who gets it, and does it reap? Its pid; 0: none, since
 * prctl(2) is refused; else -errno. */
static pid_t make_orphan(void) {
    int word[2], status;
    pid_t orphan = 0;
    if (pipe2(word, O_CLOEXEC) < 0) {
        return -errno;
    }
    pid_t child = doctor_fork();
    int forked = errno;
    if (child == 0) {
        int life[2];
        bool refused = prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 0) < 0;
        bool failed = refused || pipe2(life, O_CLOEXEC) < 0;
        pid_t grandchild = refused ? 0 : failed ? -errno : fork();
        grandchild = !failed && grandchild < 0 ? -errno : grandchild;
        if (grandchild == 0 && !failed) {
            char end;
            close(life[1]);
            ssize_t got = read(life[0], &end, 1); /* until the parent is dead */
            _exit(got > 0);
        }
        ssize_t written = write(word[1], &grandchild, sizeof grandchild);
        _exit(written < 0);
    }
    close(word[1]);
    if (child < 0) {
        orphan = -forked;
    } else if (!doctor_await(child, pri_deadline(PATIENCE_MS), &status) ||
               read(word[0], &orphan, sizeof orphan) != (ssize_t)sizeof orphan) {
        orphan = 0;
    }
    close(word[0]);
    return orphan;
}

/* The kernel tells nobody but the parent when a zombie is reaped, so this looks now and then. */
static bool await_reaping(pid_t orphan, uint32_t *ret_parent) {
    struct timespec pause = {.tv_nsec = 10000000};
    struct pri_proc_stat stat;
    *ret_parent = 1;
    for (int64_t deadline_ns = pri_deadline(REAPING_MS); pri_clock_ns() < deadline_ns;) {
        if (!pri_proc_stat((uint32_t)orphan, &stat)) {
            return true;
        }
        *ret_parent = stat.parent;
        nanosleep(&pause, NULL);
    }
    return false;
}

void doctor_orphans(void) {
    char path[32], name[64];
    uint32_t parent;
    pid_t orphan = make_orphan();
    if (orphan < 0) {
        doctor_say(DOCTOR_FAIL, "orphans", "cannot be tried: %s; see ulimit -u and ulimit -n",
                   strerror(-orphan));
        return;
    }
    if (orphan == 0) {
        doctor_say(DOCTOR_FAIL, "orphans",
                   "PR_SET_CHILD_SUBREAPER is refused: what a service starts in the background "
                   "would be lost; use a sandbox whose filter allows prctl");
        return;
    }
    bool reaped = await_reaping(orphan, &parent);
    snprintf(path, sizeof path, "/proc/%u/comm", (unsigned)parent);
    if (pri_read_text(path, name, sizeof name) <= 0) {
        snprintf(name, sizeof name, "unknown");
    }
    name[strcspn(name, "\n")] = '\0';
    if (reaped) {
        doctor_say(DOCTOR_OK, "orphans",
                   "keepers can adopt what a service starts, and an ended keeper is reaped by pid "
                   "%u (%s)",
                   (unsigned)parent, name);
    } else {
        doctor_say(DOCTOR_WARN, "orphans",
                   "pid %u (%s) does not reap what ended within %d ms: an ended keeper stays as a "
                   "zombie for so long; start the container with an init (docker run --init)",
                   (unsigned)parent, name, REAPING_MS);
    }
}

/* "rw,hidepid=2" of the mount on /proc, or NULL. */
static const char *hidepid(char *line) {
    static const char *const hides[] = {"hidepid=1",         "hidepid=2",
                                        "hidepid=4",         "hidepid=noaccess",
                                        "hidepid=invisible", "hidepid=ptraceable"};
    if (strstr(line, " /proc ") == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof hides / sizeof hides[0]; i++) {
        if (strstr(line, hides[i]) != NULL) {
            return hides[i];
        }
    }
    return NULL;
}

static const char *mount_option(void) {
    static char line[4096];
    const char *found = NULL;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL) {
        found = hidepid(line);
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

void doctor_procfs(void) {
    char path[64], text[16];
    struct pri_process seen;
    int status;
    pid_t child = doctor_fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    if (child < 0) {
        doctor_say(DOCTOR_FAIL, "/proc", no_process, strerror(errno));
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/environ", (int)child);
    bool stat = pri_process_identify((uint32_t)child, &seen);
    bool environment = pri_read_text(path, text, sizeof text) >= 0;
    const char *hidden = mount_option();
    if (!stat) {
        doctor_say(DOCTOR_FAIL, "/proc",
                   "start times of processes cannot be read, so a recycled pid could not be told; "
                   "mount -t proc proc /proc");
    } else if (!environment) {
        doctor_say(DOCTOR_WARN, "/proc",
                   "environments of own processes cannot be read: after keeper and standby were "
                   "both killed, a service's helpers may be overlooked; see proc(5), hidepid");
    } else if (hidden != NULL) {
        doctor_say(DOCTOR_OK, "/proc",
                   "own processes can be looked at; those of others are hidden (%s), which procref "
                   "does not need",
                   hidden);
    } else {
        doctor_say(DOCTOR_OK, "/proc", "processes can be looked at");
    }
    kill(child, SIGKILL);
    doctor_await(child, pri_deadline(PATIENCE_MS), &status);
}
