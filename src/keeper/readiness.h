/*
 * When is the service ready? One small machine for each kind of config.ready. The keeper's loop
 * polls the waitable and the deadline; nothing here blocks.
 *
 * Where the kernel announces it (a datagram on the notify socket, a change of the log file, the end
 * of the probe command) we wait for that. Nothing announces "somebody listens on this port now", so
 * tcp and unix try again after 1, 2, 4 … 20 ms.
 */
#ifndef PRI_READINESS_H
#define PRI_READINESS_H

#include "os/tree.h"

enum pri_readiness_result {
    PRI_READINESS_WAIT, /* poll waitable and next_ns, then call step again */
    PRI_READINESS_READY,
};

struct pri_readiness {
    int kind;                  /* private; 0: none */
    procref_waitable waitable; /* poll this for reading; -1: none */
    int64_t
        next_ns; /* and call step at this time of pri_clock_ns() at the latest; INT64_MAX: never */
    /* notify: what the service has said; taken, and reset, by the caller after hear and step */
    struct pri_process main; /* it is this process now; pid 0: nothing said */
    int64_t extended_ns;     /* it wants time until then; 0: nothing said */
    /* private */
    bool ready;
    procref_waitable other; /* the socket being connected, the log being read */
    int64_t delay_ns;
    const char *text; /* PATH, CMD or REGEX, owned by the caller of start */
    uint16_t port;
    int64_t offset;           /* log: read so far */
    bool polls;               /* log: nothing announces what is written to it */
    struct pri_process probe; /* exec: the command that runs now */
    char *const *envp;
    const char *dir;
    void *regex;
};

/*
 * Called before the service is launched. ready has its variables replaced. log is the path of the
 * log file or a /proc/self/fd/N path, offset where this start's output begins. For "notify",
 * notify_name (at least 108 bytes) becomes the value for NOTIFY_SOCKET, else "". The strings, envp
 * (for exec) and dir (for exec, and for a relative PATH) must stay valid until stop. On failure
 * there is nothing to stop.
 */
int pri_readiness_start(struct pri_readiness *r, const char *ready, uint16_t port, const char *log,
                        int64_t offset, char *const *envp, const char *dir, char *notify_name,
                        procref_error *err);

/* Hears what is sent to the name that a predecessor's start gave for "notify". False: it cannot. */
bool pri_readiness_resume(struct pri_readiness *r, const char *notify_name);

/*
 * To be called when the program runs, then as waitable and next_ns say. tree: only its processes
 * are believed (sender of a notification; who listens on the port or the socket file).
 *
 * After READY nothing is left to wait for but with "notify", whose waitable stays: while it is
 * polled and step called, later notifications (STATUS, WATCHDOG, the barrier of systemd-notify)
 * find a reader; after stop they are refused, which the senders notice.
 */
enum pri_readiness_result pri_readiness_step(struct pri_readiness *r, const struct pri_tree *tree);

/*
 * "notify": takes what has been said until now, be the check due or not; of any other kind nothing.
 * A sender is believed until it is reaped, so this comes before.
 */
void pri_readiness_hear(struct pri_readiness *r, const struct pri_tree *tree);

/*
 * To be called for every child that the loop reaped, with the status of waitpid(2): it may be the
 * probe command, whose end then makes next_ns due. Nobody else may reap, and the call must come
 * before any other of this machine's.
 */
void pri_readiness_reaped(struct pri_readiness *r, uint32_t pid, int status);

/* Closes all; kills a probe command that still runs, with its process group, and leaves reaping it
 * to the loop. Safe to call on a zeroed struct and twice. */
void pri_readiness_stop(struct pri_readiness *r);

#endif
