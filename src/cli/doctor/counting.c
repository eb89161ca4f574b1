/* doctor: does the kernel count, and take back what the dead had? How much of its limits is used?
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/sets.h"

enum { PATIENCE_MS = 5000, OPS_NEEDED = 24, SEMAPHORES_NEEDED = 10, SETS_LOW = 16 };

static const char what_undo[] = "semaphores with undo";

/* Takes one, becomes another program, and waits there to be killed. */
static _Noreturn void hold(int set, int word, int stdin_pipe) {
    struct sembuf take = {0, 1, SEM_UNDO | IPC_NOWAIT};
    int os = pri_semop(set, &take, 1) < 0 ? errno : 0; /* as clients do, not as libc may */
    if (os == 0 && dup2(stdin_pipe, 0) == 0) {
        execl("/bin/sh", "sh", "-c", "read -r line", (char *)NULL);
        os = -errno;
    }
    ssize_t written = write(word, &os, sizeof os);
    (void)written;
    _exit(0);
}

/* What hold() said: 0 once it is the other program, else errno of semop(2), or -errno of exec. */
static int hear(int word) {
    struct pollfd event = {word, POLLIN, 0};
    int os = 0;
    int64_t deadline_ns = pri_deadline(PATIENCE_MS);
    while (poll(&event, 1, pri_deadline_poll_ms(deadline_ns)) < 0 && errno == EINTR) {
    }
    if (event.revents == 0) {
        return -ETIMEDOUT;
    }
    return read(word, &os, sizeof os) == (ssize_t)sizeof os ? os : 0;
}

static void judge(int set, pid_t child, int word) {
    int status = 0, os = hear(word);
    int held = semctl(set, 0, GETVAL);
    int64_t killed_ns = pri_clock_ns();
    kill(child, SIGKILL);
    bool ended = doctor_await(child, pri_deadline(PATIENCE_MS), &status);
    double ms = (double)(pri_clock_ns() - killed_ns) / 1e6;
    int left = semctl(set, 0, GETVAL);
    doctor_known->sets_work = ended && os <= 0 && left == 0;
    if (ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        os = EPERM; /* by a filter that kills */
        doctor_known->sets_work = false;
    }
    if (os > 0) {
        doctor_say(
            DOCTOR_FAIL, what_undo,
            "semop with SEM_UNDO is refused (%s): a killed client would be counted for ever; "
            "use a kernel or sandbox that has it (gVisor has not, a seccomp filter must "
            "allow semop)",
            strerror(os));
    } else if (!ended) {
        doctor_say(DOCTOR_FAIL, what_undo,
                   "a killed process does not end within %d s; look at dmesg", PATIENCE_MS / 1000);
    } else if (left != 0) {
        doctor_say(DOCTOR_FAIL, what_undo,
                   "what a killed process took is not given back: the service of a killed client "
                   "would stay for ever; use a kernel or sandbox with SEM_UNDO");
    } else if (os == 0 && held != 1) {
        doctor_say(DOCTOR_FAIL, what_undo,
                   "a reference does not survive exec, so procref run cannot hold; use a kernel or "
                   "sandbox whose semadj values do (semop(2))");
    } else if (os < 0) {
        doctor_say(DOCTOR_WARN, what_undo,
                   "given back when their process is killed; whether they survive exec was not "
                   "seen (/bin/sh: %s); make /bin/sh executable",
                   strerror(-os));
    } else {
        doctor_say(DOCTOR_OK, what_undo,
                   "survive exec, and are given back when their process is killed (%.1f ms)", ms);
    }
}

/* Asked of no set, before there is one: one that cannot be removed would stay. */
static bool semctl_works(void) {
    return semctl(-1, 0, GETVAL) >= 0 || errno == EINVAL;
}

void doctor_undo(void) {
    int word[2], input[2];
    if (!semctl_works()) {
        doctor_say(DOCTOR_FAIL, what_undo,
                   "semctl is refused (%s); use a kernel or sandbox that has it (in containers the "
                   "seccomp filter must allow semget, semop, semctl)",
                   strerror(errno));
        return;
    }
    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set < 0) {
        int os = errno;
        procref_error error = PROCREF_ERROR_INIT;
        pri_set_explain_get(os, "doctor", &error);
        doctor_say(DOCTOR_FAIL, what_undo, "%s%s", error.message,
                   os == ENOSPC || os == EINVAL
                       ? ""
                       : "; use a kernel or sandbox that has them (in containers the seccomp "
                         "filter must allow semget, semop, semctl)");
        return;
    }
    if (pipe2(word, O_CLOEXEC) < 0 || pipe2(input, O_CLOEXEC) < 0) {
        doctor_say(DOCTOR_FAIL, what_undo, "cannot be tried: %s; see ulimit -n", strerror(errno));
        semctl(set, 0, IPC_RMID);
        return;
    }
    pid_t child = doctor_fork();
    if (child == 0) {
        hold(set, word[1], input[0]);
    }
    close(word[1]);
    close(input[0]);
    if (child < 0) {
        doctor_say(DOCTOR_FAIL, what_undo, "cannot be tried: fork: %s; see ulimit -u",
                   strerror(errno));
    } else {
        judge(set, child, word[0]);
    }
    semctl(set, 0, IPC_RMID);
    close(word[0]);
    close(input[1]);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

struct usage {
    long sets, semaphores, ours;
};

static bool count_used(struct usage *ret) {
    char line[256];
    struct usage used = {0};
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        long count;
        unsigned owner;
        if (sscanf(line, "%*d %*d %*o %ld %u", &count, &owner) == 2) {
            used.sets++;
            used.semaphores += count;
            used.ours += owner == geteuid();
        }
    }
    fclose(file);
    *ret = used;
    return true;
}

static void judge_free(const struct usage *used, long most_semaphores, long most_sets, long size,
                       long operations) {
    long free_sets = most_sets - used->sets;
    long fit = (most_semaphores - used->semaphores) / SEMAPHORES_NEEDED;
    long more = free_sets < fit ? free_sets : fit;
    more = more > 0 ? more : 0; /* limits can be lowered below what is used */
    bool low = more < SETS_LOW || more < most_sets / 20;
    char remedy[256] = "";
    if (low) {
        snprintf(remedy, sizeof remedy,
                 "; remove unused sets (ipcs -s, ipcrm -s ID) or sysctl -w kernel.sem='%ld %ld %ld "
                 "%ld'",
                 size, most_semaphores < 1024000000 ? 1024000000 : most_semaphores, operations,
                 most_sets < 32000 ? 32000 : most_sets);
    }
    doctor_say(more < 1 ? DOCTOR_FAIL
               : low    ? DOCTOR_WARN
                        : DOCTOR_OK,
               "semaphore limits",
               "%ld of %ld sets (SEMMNI) and %ld of %ld semaphores (SEMMNS) are used, %ld sets by "
               "you: room for %ld more services%s",
               used->sets, most_sets, used->semaphores, most_semaphores, used->ours, more, remedy);
}

void doctor_limits(void) {
    char text[128];
    long size, most_semaphores, operations, most_sets;
    struct usage used;
    if (pri_read_text("/proc/sys/kernel/sem", text, sizeof text) <= 0 ||
        sscanf(text, "%ld %ld %ld %ld", &size, &most_semaphores, &operations, &most_sets) != 4) {
        doctor_say(DOCTOR_WARN, "semaphore limits",
                   "/proc/sys/kernel/sem cannot be read; mount /proc to see them");
        return;
    }
    if (size < SEMAPHORES_NEEDED || operations < OPS_NEEDED) {
        doctor_say(DOCTOR_FAIL, "semaphore limits",
                   "a set may have %ld semaphores (SEMMSL) and a call %ld operations (SEMOPM), %d "
                   "and %d are needed; sysctl -w kernel.sem='%ld %ld %ld %ld'",
                   size, operations, SEMAPHORES_NEEDED, OPS_NEEDED, size < 250 ? 250L : size,
                   most_semaphores, operations < 100 ? 100L : operations,
                   most_sets < 100 ? 32000L : most_sets);
    } else if (!count_used(&used)) {
        doctor_say(DOCTOR_WARN, "semaphore limits",
                   "at most %ld sets; how many are used cannot be seen (/proc/sysvipc/sem: %s); "
                   "ipcs -s may tell",
                   most_sets, strerror(errno));
    } else {
        judge_free(&used, most_semaphores, most_sets, size, operations);
    }
    /* ipc/sem.c never looks at SEMMNU: an undo entry is a small allocation of its process. */
    doctor_say(
        DOCTOR_OK, "undo entries",
        "limited by memory alone; Linux does not enforce SEMMNU, and one service takes 32767 "
        "processes (SEMVMX)");
}
