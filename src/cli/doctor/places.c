/* doctor: who meets whom. Namespaces decide which processes can share a service, the runtime folder
 * where its files are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/inspect.h"
#include "os/rendezvous.h"

/* ---- Namespaces ------------------------------------------------------------------------------ */

enum { FIRST_IPC = 0xEFFFFFFF }; /* the machine's own: PROC_IPC_INIT_INO, linux/proc_ns.h */

static bool namespace_of(const char *pid, const char *kind, char ret[64]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.32s/ns/%s", pid, kind);
    ssize_t length = readlink(path, ret, 63);
    if (length > 0) {
        ret[length] = '\0';
    }
    return length > 0;
}

struct neighbours {
    unsigned same, other, unseen; /* unseen: theirs may not be looked at */
    char example[32];             /* pid of one in another namespace */
};

/* This user's other processes, as far as this process may look at them. */
static struct neighbours look_around(const char *kind, const char *own) {
    struct neighbours n = {0};
    struct dirent *entry;
    struct stat status;
    char path[64], theirs[64];
    DIR *proc = opendir("/proc");
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%.32s", entry->d_name);
        if (lstat(path, &status) < 0 || status.st_uid != geteuid()) {
            continue;
        }
        if (!namespace_of(entry->d_name, kind, theirs)) {
            n.unseen += errno == EACCES || errno == EPERM;
            continue;
        }
        bool same = strcmp(own, theirs) == 0;
        n.same += same;
        if (!same && n.other++ == 0) {
            snprintf(n.example, sizeof n.example, "%.31s", entry->d_name);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return n;
}

static const char *container(void) {
    return access("/.dockerenv", F_OK) == 0          ? "a Docker container"
           : access("/run/.containerenv", F_OK) == 0 ? "a Podman container"
           : getenv("container") != NULL             ? "a container"
                                                     : NULL;
}

static void judge_namespace(const char *kind, const char *what, const char *remedy) {
    char own[64], first[64], machine[32];
    if (!namespace_of("self", kind, own)) {
        doctor_say(DOCTOR_WARN, what,
                   "cannot be seen (/proc/self/ns/%s: %s); clients must share one", kind,
                   strerror(errno));
        return;
    }
    struct neighbours n = look_around(kind, own);
    snprintf(machine, sizeof machine, "ipc:[%u]", (unsigned)FIRST_IPC);
    if (n.other > 0) {
        doctor_say(DOCTOR_WARN, what,
                   "%u of your processes are in another one (pid %s) and cannot share a service "
                   "with this one; %s",
                   n.other, n.example, remedy);
    } else if (strcmp(own, machine) == 0) {
        doctor_say(DOCTOR_OK, what, "the machine's own, shared by all that are not in a container");
    } else if (namespace_of("1", kind, first)) {
        bool same = strcmp(own, first) == 0;
        doctor_say(same ? DOCTOR_OK : DOCTOR_WARN, what, "%s%s%s",
                   same ? "that of pid 1" : "not that of pid 1; ", same ? "" : remedy,
                   same && container() != NULL ? ", inside a container: who is outside shares none"
                                               : "");
    } else if (n.unseen > n.same) { /* as it is for who has just made a user namespace */
        doctor_say(DOCTOR_WARN, what,
                   "%u of your processes may not be looked at, and cannot share a service with "
                   "this one if they are in another; %s",
                   n.unseen, remedy);
    } else {
        doctor_say(DOCTOR_OK, what, "shared by all %u processes of yours that can be seen%s%s",
                   n.same, container() != NULL ? ", inside " : "",
                   container() != NULL ? container() : "");
    }
}

/* A name can be taken, is found, and the other end's user is known. */
static void try_names(void) {
    static const char what[] = "abstract sockets";
    struct pri_ident ident;
    char name[64];
    procref_waitable listener = -1, link = -1;
    procref_error error = PROCREF_ERROR_INIT;
    const char *op = "bind";
    uint32_t owner;
    int os = 0;
    snprintf(name, sizeof name, "doctor-%d", (int)getpid());
    pri_ident_make(&ident, pri_own_user(), "doctor", name);
    int code = pri_rendezvous_bind(&ident, &listener, &os, &op, &owner);
    if (code < 0) {
        doctor_say(DOCTOR_FAIL, what, "%s: %s; %s", op, strerror(os),
                   code == PROCREF_E_LIMIT
                       ? "see ulimit -n"
                       : "use a kernel or sandbox that allows sequential-packet Unix sockets");
    } else if ((code = pri_rendezvous_connect(&ident, pri_deadline(1000), &link, &error)) < 0) {
        doctor_say(DOCTOR_FAIL, what, "a keeper would not be found (%s); %s", error.message,
                   code == PROCREF_E_LIMIT ? "see ulimit -n"
                                           : "use a kernel or sandbox in which SO_PEERCRED tells "
                                             "the user of an abstract socket");
    } else if (pri_inspect_owner(listener) != (int64_t)pri_own_user()) {
        doctor_say(
            DOCTOR_WARN, what,
            "keepers can be found, but this kernel does not tell whose a full queue is: another "
            "user could fill one and make you wait; to tell it needs Linux 5.3 with "
            "CONFIG_UNIX_DIAG, and a sandbox that allows AF_NETLINK");
    } else {
        doctor_say(DOCTOR_OK, what, "keepers can be found, and tell their user");
    }
    pri_link_close(link);
    pri_link_close(listener);
}

void doctor_namespaces(void) {
    judge_namespace("ipc", "IPC namespace",
                    "start them in one container or pod, or with docker run --ipc=host or "
                    "--ipc=container:NAME");
    judge_namespace("net", "network namespace",
                    "start them in one container or pod, or with docker run --network=host or "
                    "--network=container:NAME");
    try_names();
}

/* ---- The runtime folder ---------------------------------------------------------------------- */

static const char *file_system(long type) {
    switch (type) {
    case 0x01021994: return "tmpfs";
    case 0xEF53: return "ext";
    case 0x58465342: return "xfs";
    case 0x9123683E: return "btrfs";
    case 0x794c7630: return "overlay";
    case 0x2fc12fc1: return "zfs";
    case 0x6969: return "nfs";
    case 0xFF534D42: return "cifs";
    case 0x01021997: return "9p";
    case 0x65735546: return "fuse";
    default: return "other file system";
    }
}

static bool over_the_network(long type) {
    return type == 0x6969 || type == 0xFF534D42 || type == 0x65735546;
}

/* Does a file take bytes there? It never has a name that stays. */
static int try_writing(const char *folder) {
    char path[PRI_PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/.doctor-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    unlink(path);
    int os = write(fd, "x", 1) == 1 ? 0 : errno;
    close(fd);
    return os;
}

/* Why XDG_RUNTIME_DIR is not the one that is used, and what to do; "" if it is. */
static void explain_runtime(const char *folder, char *to, size_t size) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    to[0] = '\0';
    if (runtime == NULL || runtime[0] == '\0') {
        if (strncmp(folder, "/tmp/", 5) == 0) {
            snprintf(to, size, "XDG_RUNTIME_DIR is not set: sessions that have it use another");
        }
    } else if (strncmp(folder, runtime, strlen(runtime)) == 0 && folder[strlen(runtime)] == '/') {
        return;
    } else if (runtime[0] != '/') {
        snprintf(to, size, "XDG_RUNTIME_DIR=%.200s is no absolute path and is not used; set it",
                 runtime);
    } else if (lstat(runtime, &status) < 0) {
        snprintf(to, size, "XDG_RUNTIME_DIR=%.200s is not used (%s); mkdir -m 700 it, or unset it",
                 runtime, strerror(errno));
    } else if (!S_ISDIR(status.st_mode)) {
        snprintf(to, size, "XDG_RUNTIME_DIR=%.200s is no directory and is not used; set it to one",
                 runtime);
    } else if (status.st_uid != geteuid()) {
        snprintf(to, size,
                 "XDG_RUNTIME_DIR=%.200s belongs to user %u and is not used; set it to a folder of "
                 "yours",
                 runtime, (unsigned)status.st_uid);
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        snprintf(to, size,
                 "XDG_RUNTIME_DIR=%.200s can be written by others (mode %04o) and is not used; "
                 "chmod go-w it",
                 runtime, (unsigned)(status.st_mode & 07777));
    } else {
        snprintf(to, size, "XDG_RUNTIME_DIR=%.200s is too long and is not used; set a shorter one",
                 runtime);
    }
}

static void judge_folder(const char *folder, const char *parent, bool exists) {
    static const char what[] = "runtime folder";
    char note[512];
    struct statfs system = {0};
    int os = exists ? try_writing(folder) : access(parent, W_OK | X_OK) < 0 ? errno : 0;
    statfs(exists ? folder : parent, &system);
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    explain_runtime(folder, note, sizeof note);
    if (os != 0) {
        bool full = os == ENOSPC || os == EDQUOT;
        doctor_say(full ? DOCTOR_WARN : DOCTOR_FAIL, what,
                   full
                       ? "%s cannot be written (%s): services run, but without log and hints; free "
                         "some space"
                       : "%s cannot be written (%s): service files and recipes cannot be used, and "
                         "other services have no log and no hints; set XDG_RUNTIME_DIR",
                   exists ? folder : parent, strerror(os));
    } else if (over_the_network((long)system.f_type)) {
        doctor_say(DOCTOR_WARN, what,
                   "%s is on %s, where each write may wait for a server; set XDG_RUNTIME_DIR to a "
                   "local folder",
                   folder, file_system((long)system.f_type));
    } else {
        doctor_say(note[0] != '\0' && runtime != NULL ? DOCTOR_WARN : DOCTOR_OK, what,
                   "%s (%s, %s)%s%s", folder,
                   exists ? "there, yours, mode is sound" : "not made yet",
                   file_system((long)system.f_type), note[0] != '\0' ? "; " : "", note);
    }
}

void doctor_folder(void) {
    static const char what[] = "runtime folder";
    char folder[PRI_PATH_SIZE], parent[PRI_PATH_SIZE];
    struct stat status;
    pri_folder_default(folder);
    memcpy(parent, folder, sizeof parent);
    *strrchr(parent, '/') = '\0';
    if (lstat(folder, &status) < 0) {
        judge_folder(folder, parent, false);
    } else if (!S_ISDIR(status.st_mode)) {
        doctor_say(DOCTOR_FAIL, what, "%s is no directory; rm it, or set XDG_RUNTIME_DIR", folder);
    } else if (status.st_uid != geteuid()) {
        doctor_say(DOCTOR_FAIL, what,
                   "%s belongs to user %u; ask them to remove it, or set XDG_RUNTIME_DIR", folder,
                   (unsigned)status.st_uid);
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        doctor_say(DOCTOR_FAIL, what, "%s can be written by others (mode %04o); chmod go-w %s",
                   folder, (unsigned)(status.st_mode & 07777), folder);
    } else {
        judge_folder(folder, parent, true);
    }
}
