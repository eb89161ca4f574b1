/*
 * What the parts of `procref doctor` share: how a finding is told, and children that try something
 * and may die. Each part is one file with one function; none of them leaves anything behind, waits
 * without a deadline, or changes anything but what doctor_leftovers() is asked to remove.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/process.h"

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_WARN, /* works, but worth knowing */
    DOCTOR_FAIL, /* a promise cannot be kept here */
};

/* One line, "ok    what: finding; remedy". */
void doctor_say(enum doctor_level level, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* fork(2) for a child that dies with us, whatever it tries. */
pid_t doctor_fork(void);

/* Waits for a child of doctor_fork() and reaps it. False if it had not ended by then: it is killed.
 */
bool doctor_await(pid_t child, int64_t deadline_ns, int *ret_status);

/* A process that carries a mark of procref in its environment, and is this user's. */
struct doctor_marked {
    struct pri_process process;
    uint64_t hash; /* of the service's full name */
    bool keeper;   /* keeper or standby; else of the service itself */
};

/* All of them; the caller frees the list. */
size_t doctor_scan(struct doctor_marked **ret_list);

/* What the children that try tell: all map it. */
struct doctor_known {
    int told[DOCTOR_FAIL + 1]; /* how often each level */
    bool sets_work;            /* who makes one can use it, and remove it again */
};
extern struct doctor_known *doctor_known;

/* logind's RemoveIPC= as the files below root say, with the file that says it ("" if none does). */
bool doctor_removes_ipc(const char *root, char *ret_file, size_t size);

/* The parts, in the order in which they are run. */
void doctor_resources(void);
void doctor_undo(void);
void doctor_limits(void);
void doctor_pidfd(void);
void doctor_keeper(void);
void doctor_namespaces(void);
void doctor_logout(void);
void doctor_folder(void);
void doctor_orphans(void);
void doctor_procfs(void);
void doctor_tryout(void);
/* folders: where hints are looked for, beside the runtime folder; NULL-terminated. */
void doctor_leftovers(const char *const *folders, bool clean);

#endif
