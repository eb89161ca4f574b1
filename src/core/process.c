/* The public functions for processes that are known by their pid alone (os/process.h holds them).
 */
#include "os/process.h"

#include "os/clock.h"
#include "os/folder.h"
#include "os/rendezvous.h"

enum {
    KILLED_MS = 1000
}; /* for the end of what was killed: only one that sleeps in the kernel
      takes longer */

/* Ending it is never what the caller meant: nobody, the system's first process, the caller itself.
 */
static bool must_not_end(uint32_t pid) {
    return pid <= 1 || pid == pri_own_pid();
}

bool procref_process_is_alive(uint32_t pid) {
    return pri_process_runs(pid);
}

static int end(uint32_t pid, enum pri_process_end how) {
    procref_waitable held;
    if (must_not_end(pid)) {
        return PROCREF_E_INVALID;
    }
    int code = pri_process_hold(pid, &held);
    if (code == 0) {
        code = pri_process_held_end(held, how);
        pri_link_close(held);
    }
    return code;
}

int procref_process_terminate(uint32_t pid) {
    return end(pid, PRI_END_ASKED);
}

int procref_process_kill(uint32_t pid) {
    return end(pid, PRI_END_FORCED);
}

/* NOT_FOUND: it was ended and waited for, by somebody, before it was told. */
static int stop_held(procref_waitable held, int64_t deadline_ns) {
    int code = pri_process_held_end(held, PRI_END_ASKED);
    if (code < 0 || pri_link_wait(held, deadline_ns)) {
        return code;
    }
    code = pri_process_held_end(held, PRI_END_FORCED);
    if (code == 0 && !pri_link_wait(held, pri_deadline(KILLED_MS))) {
        code = PROCREF_E_TIMEOUT;
    }
    return code;
}

int procref_process_stop(uint32_t pid, int64_t timeout_ms) {
    procref_waitable held;
    int64_t deadline_ns = pri_deadline(timeout_ms);
    if (must_not_end(pid) || timeout_ms < -1) {
        return PROCREF_E_INVALID;
    }
    int code = pri_process_hold(pid, &held);
    if (code == 0) {
        code = stop_held(held, deadline_ns);
        pri_link_close(held);
    }
    return code == PROCREF_E_NOT_FOUND ? 0 : code;
}
