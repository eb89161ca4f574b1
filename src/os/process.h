/*
 * The port contract for processes: identity, life, signals, watching.
 *
 * A process is held by its identity, never by its pid alone: pids are used again. Linux compares
 * the start time of /proc/PID/stat and holds a pidfd while it acts; Windows has the creation time
 * and a HANDLE, macOS p_starttime and a kqueue NOTE_EXIT.
 */
#ifndef PRI_OS_PROCESS_H
#define PRI_OS_PROCESS_H

#include "procref/procref.h"

struct pri_process {
    uint32_t pid; /* 0: no process */
    uint64_t
        start; /* when it started, in the system's own unit; with pid its identity on this boot */
};

/* This process. */
struct pri_process pri_process_self(void);

/* Reads the identity of a living pid. False if there is none or all its threads have ended. */
bool pri_process_identify(uint32_t pid, struct pri_process *ret_process);

/* Whether that very process still runs. */
bool pri_process_alive(const struct pri_process *process);

/*
 * A waitable that is readable (signalled) once the process has ended, close-on-exec; the caller
 * closes it. If it is dead already the result is a waitable that is readable at once. -1 only when
 * descriptors or memory are short.
 */
procref_waitable pri_process_watch(const struct pri_process *process);

/* Signals that very process, never another. True if it was signalled. */
bool pri_process_signal(const struct pri_process *process, int signal);

/*
 * For pids of which nothing else is known. Whoever has the pid when the call begins is held: its
 * next owner is never waited for or signalled in its place. A number that is no pid (0, one too
 * large, a mere thread's) is no process, and is never passed on to a call for which it means a
 * group of processes, or all of them.
 */

/* Whether a process with this pid runs, also one that may not be signalled. A zombie does not. */
bool pri_process_runs(uint32_t pid);

/*
 * A waitable of that process as of pri_process_watch(). NOT_FOUND: none runs. LIMIT, NO_MEMORY;
 * UNSUPPORTED: the system cannot hold a process; PLATFORM.
 */
int pri_process_hold(uint32_t pid, procref_waitable *ret_held);

/*
 * Asks the held process to end (POSIX: SIGTERM, and SIGCONT so that a stopped one hears of it), or
 * ends it without asking it. 0: told; it may be dead by now. NOT_FOUND: it was gone. PERMISSION: it
 * is another user's. PLATFORM.
 */
enum pri_process_end { PRI_END_ASKED, PRI_END_FORCED };
int pri_process_held_end(procref_waitable held, enum pri_process_end how);

#endif
