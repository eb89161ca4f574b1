/* doctor: can the keeper's program be executed, from memory or as the installed file? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/spawn.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

enum { PATIENCE_MS = 5000, KEEPER_USAGE = 100, NOT_EXECUTED = 101, KILLED = -1 };

static int image_in_memory(void) {
    const char *at = (const char *)pri_keeper_image;
    size_t left = (size_t)(pri_keeper_image_end - pri_keeper_image);
    int fd = (int)memfd_create("procref-doctor", MFD_CLOEXEC | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) { /* a kernel before 6.3 */
        fd = (int)memfd_create("procref-doctor", MFD_CLOEXEC);
    }
    while (fd >= 0 && left > 0) {
        ssize_t written = write(fd, at, left);
        if (written < 0 && errno != EINTR) {
            int os = errno;
            close(fd);
            errno = os;
            return -1;
        }
        at += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return fd;
}

/* Started by hand the keeper says who it is and exits with 100. fd -1: path is executed. 0, or
 * errno, or KILLED; *ret_tried tells whether it was tried at all. */
static int execute(int fd, const char *path, bool *ret_tried) {
    char name[] = "procref-keeper", *argv[] = {name, NULL}, *envp[] = {NULL};
    int word[2], status = 0, os = 0;
    *ret_tried = false;
    if (pipe2(word, O_CLOEXEC) < 0) {
        return errno;
    }
    pid_t child = doctor_fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) {
            close(1); /* a root without /dev: what it says is not for the reader of ours */
            close(2);
        }
        if (fd >= 0) {
            syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        } else {
            execve(path, argv, envp);
        }
        os = errno;
        ssize_t written = write(word[1], &os, sizeof os);
        (void)written;
        _exit(NOT_EXECUTED);
    }
    int forked = errno;
    close(word[1]);
    *ret_tried = child > 0;
    bool ended = child > 0 && doctor_await(child, pri_deadline(PATIENCE_MS), &status);
    if (child < 0) {
        os = forked;
    } else if (!ended) {
        os = ETIMEDOUT;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        os = KILLED;
    } else if (read(word[0], &os, sizeof os) != (ssize_t)sizeof os) {
        os = WIFEXITED(status) && WEXITSTATUS(status) == KEEPER_USAGE ? 0 : ENOEXEC;
    }
    close(word[0]);
    return os;
}

static int memfd_noexec(void) {
    char text[16];
    return pri_read_text("/proc/sys/vm/memfd_noexec", text, sizeof text) > 0 ? text[0] - '0' : 0;
}

static const char *installed(void) {
    const char *chosen = pri_environment("PROCREF_KEEPER_PATH");
    return chosen != NULL ? chosen : PRI_KEEPER_PATH;
}

void doctor_keeper(void) {
    static const char what[] = "keeper";
    bool tried;
    int fd = image_in_memory();
    if (fd < 0) {
        doctor_say(DOCTOR_FAIL, what, "no file in memory can be made and filled (%s); %s",
                   strerror(errno),
                   errno == EMFILE || errno == ENFILE ? "see ulimit -n"
                   : errno == EFBIG                   ? "see ulimit -f"
                   : errno == ENOMEM                  ? "free some memory"
                                     : "use a kernel or sandbox that allows memfd_create, in whose "
                                       "files a keeper gets what it is to do");
        return;
    }
    int carried = execute(fd, NULL, &tried);
    close(fd);
    if (!tried) {
        doctor_say(DOCTOR_FAIL, what, "cannot be tried: %s; see ulimit -u and ulimit -n",
                   strerror(carried));
        return;
    }
    if (carried == 0) {
        doctor_say(DOCTOR_OK, what, "the carried program is executed from memory (%zu KiB)",
                   (size_t)(pri_keeper_image_end - pri_keeper_image) / 1024);
        return;
    }
    if (carried == KILLED) {
        doctor_say(DOCTOR_FAIL, what,
                   "who executes it from memory is killed (SIGSYS); use a sandbox whose filter "
                   "allows execveat, or refuses it with an error");
        return;
    }
    int file = execute(-1, installed(), &tried);
    const char *why = memfd_noexec() == 2 ? ", vm.memfd_noexec is 2" : "";
    if (file == 0) {
        doctor_say(DOCTOR_OK, what, "executed as %s, since not from memory (%s%s)", installed(),
                   strerror(carried), why);
    } else {
        doctor_say(DOCTOR_FAIL, what,
                   "cannot be executed, neither from memory (%s%s) nor as %s (%s); make install, "
                   "or set PROCREF_KEEPER_PATH to the installed procref-keeper",
                   strerror(carried), why, installed(), strerror(file));
    }
}
