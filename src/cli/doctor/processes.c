/* doctor: can processes be held, watched, counted and reaped? Also: whose they are (doctor_scan).
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/procfs.h"
#include "os/tree.h"

enum { PATIENCE_MS = 5000, FILES_NEEDED = 16, FILES_LOW = 64, PROCESSES_LOW = 16 };

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
    int code = child > 0 ? pri_process_hold((uint32_t)child, &held) : PROCREF_E_LIMIT;
    if (code < 0) {
        doctor_say(DOCTOR_FAIL, what, "pidfd_open: %s: %s",
                   child < 0 ? "no process to try it with, see ulimit -u" : strerror(errno),
                   remedy);
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
    if (child > 0) {
        kill(child, SIGKILL);
        doctor_await(child, pri_deadline(PATIENCE_MS), &status);
    }
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
                   "open files", "%llu (RLIMIT_NOFILE)%s", (unsigned long long)limit.rlim_cur,
                   fails || low ? ", few for clients and services; ulimit -n 1024" : "");
    }
    long used = 0, room = group_room();
    each_process(count_own, &used);
    bool limited =
        getuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    long free_now = limited ? (long)limit.rlim_cur - used : -1;
    if (limited && free_now < PROCESSES_LOW) {
        doctor_say(DOCTOR_WARN, "processes",
                   "%ld of %llu are used (RLIMIT_NPROC): a service needs three and its own; "
                   "ulimit -u %ld",
                   used, (unsigned long long)limit.rlim_cur, used + 256);
    } else if (room >= 0 && room < PROCESSES_LOW) {
        doctor_say(DOCTOR_WARN, "processes",
                   "the control group has room for %ld more (pids.max); raise its TasksMax=", room);
    } else if (limited) {
        doctor_say(DOCTOR_OK, "processes", "%ld of %llu are used (RLIMIT_NPROC)", used,
                   (unsigned long long)limit.rlim_cur);
    } else {
        doctor_say(DOCTOR_OK, "processes", "%ld are used, no limit that matters", used);
    }
}

static void count_zombies(uint32_t pid, void *context) {
    struct pri_proc_stat stat;
    if (pid != 1 && pri_proc_stat(pid, &stat) && stat.state == 'Z' && stat.parent == 1) {
        ++*(long *)context;
    }
}

void doctor_orphans(void) {
    char init[64];
    long zombies = 0;
    int status = -1;
    if (pri_read_text("/proc/1/comm", init, sizeof init) <= 0) {
        snprintf(init, sizeof init, "unknown");
    }
    init[strcspn(init, "\n")] = '\0';
    each_process(count_zombies, &zombies);
    pid_t child = doctor_fork();
    if (child == 0) {
        _exit(prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? 1 : 0);
    }
    bool ended = child > 0 && doctor_await(child, pri_deadline(PATIENCE_MS), &status);
    if (!ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        doctor_say(DOCTOR_FAIL, "orphans",
                   "PR_SET_CHILD_SUBREAPER is refused: what a service starts in the background "
                   "would be lost; allow prctl in the sandbox's filter");
    } else if (zombies > 0) {
        doctor_say(DOCTOR_WARN, "orphans",
                   "pid 1 (%s) has %ld zombies, it seems not to reap: an ended keeper stays as one "
                   "too; start the container with an init (docker run --init)",
                   init, zombies);
    } else {
        doctor_say(DOCTOR_OK, "orphans",
                   "keepers can adopt what a service starts; pid 1 is %s, without zombies", init);
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
    snprintf(path, sizeof path, "/proc/%d/environ", (int)child);
    bool stat = child > 0 && pri_process_identify((uint32_t)child, &seen);
    bool environment = child > 0 && pri_read_text(path, text, sizeof text) >= 0;
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
    if (child > 0) {
        kill(child, SIGKILL);
        doctor_await(child, pri_deadline(PATIENCE_MS), &status);
    }
}
