/*
 * The port contract for starting the service's process: it exists before it runs.
 *
 * The keeper must write down who the service is before the service can do anything; else a keeper
 * killed in between leaves a service that nobody knows. So the process is made first (forked on
 * POSIX, CREATE_SUSPENDED on Windows), waits, is recorded, and is then told to go. If the keeper
 * dies before that, the process ends itself.
 */
#ifndef PRI_OS_LAUNCH_H
#define PRI_OS_LAUNCH_H

#include "core/plan.h"
#include "os/process.h"

struct pri_launch {
    const char *program; /* looked up in PATH of envp unless it has a '/' */
    char *const *argv;
    char *const *envp;                 /* the whole environment */
    const char *dir;                   /* working directory */
    uint64_t files_soft;               /* its soft limit of open files; 0: the keeper's */
    procref_waitable output;           /* becomes its stdout and stderr */
    const struct pri_plan_block *plan; /* limits, umask, priority, where output goes; or NULL */
    procref_waitable told;             /* becomes its descriptor 3; -1: it has none */
    procref_waitable life;             /* becomes its stdin; 0: the null device */
};

struct pri_launched {
    struct pri_process process;
    procref_waitable go; /* written to by pri_launch_go(), -1 afterwards */
    /* Readable (or hung up: poll for any event) once the program runs or could not be run, -1 after
     * result(). A working directory that cannot be entered may show before go(). */
    procref_waitable report;
    int status; /* after a result() that failed: what waitpid() will say of it */
};

/*
 * Makes the process: its own session, default signal dispositions, empty mask, umask 022 kept from
 * the caller, no descriptor but 0, 1 and 2. PROCREF_E_LIMIT or _NO_MEMORY when the system has no
 * more processes or descriptors.
 */
int pri_launch_prepare(const struct pri_launch *launch, struct pri_launched *ret,
                       procref_error *err);

/* Lets it run. */
void pri_launch_go(struct pri_launched *launched);

/*
 * Call when report is readable, and before believing that the process just ended. 0: the program
 * runs, or was killed before it could. PROCREF_E_SERVICE_START: "cannot run 'foo': No such file or
 * directory" or "cannot enter working directory …"; the process then has ended or ends by itself.
 * Closes report. PROCREF_E_AGAIN: report is not readable yet.
 */
int pri_launch_result(struct pri_launched *launched, const char *name, procref_error *err);

/* Closes what is left open; a forked copy of the keeper calls it too. A process that was not told
 * to go then ends itself. Nothing happens to a zeroed struct. Reaping the process is the caller's.
 */
void pri_launch_forget(struct pri_launched *launched);

#endif
