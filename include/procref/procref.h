/*
 * procref: many processes share one service; the first one starts it, the last one's end stops it,
 * however that end comes.
 *
 *     procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
 *     config.name = "redis";
 *     config.command = (const char *const[]){"redis-server", "--port", "${PORT}", NULL};
 *     config.ready = "tcp";
 *
 *     procref_service *service;
 *     procref_handle *handle;
 *     procref_error error = PROCREF_ERROR_INIT;
 *     if (procref_service_open(&config, &service, &error) < 0 ||
 *         procref_service_acquire(service, 30000, &handle, &error) < 0) {
 *         fprintf(stderr, "%s\n%s", error.message, error.detail);
 *     }
 *
 * Rules that hold for every function here
 *
 * - Results. A function that can fail returns 0 or a negative PROCREF_E_…, the same value on every
 *   system. Outputs are named ret_… and are untouched on failure. The last parameter may be NULL or
 *   a caller-owned procref_error, which is written on failure only.
 * - Ownership. What a ret_… parameter returns belongs to the caller until it is given to the function
 *   that frees it; those accept NULL and return NULL. Strings given to procref are copied.
 * - Units. Timeouts are milliseconds: 0 never waits for a start or a stop, -1 waits for ever.
 *   Signals that arrive during a call do not lengthen or shorten its deadline.
 * - Threads. Every object may be used from any thread at any time, except that nobody may use an
 *   object while or after another thread frees it.
 * - Fork. A forked child holds nothing: releasing a handle of its parent gives PROCREF_E_FORKED,
 *   and acquiring from a procref_service of its parent gives the child a reference of its own. A child
 *   made by vfork() or by clone() with CLONE_VM shares its parent's memory and must not call procref.
 *   The kernel keeps the counts for fork: semop(2), "semadj values are not inherited".
 * - Exec. A reference survives execve(): semop(2), "semadj values are preserved across execve".
 *   The new program holds it until it exits; it cannot release it earlier. No descriptor of procref
 *   survives exec.
 * - Manners. procref prints nothing, never exits, changes no signal handler or mask of the caller, and
 *   starts no thread in the caller's process. The keepers are nobody's children: only a program that is
 *   pid 1 or a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) becomes their parent, as of all orphans.
 * - Struct versions. A struct that the caller owns begins with its size, which its _INIT macro sets.
 *   Every size that a release had is accepted, a larger one only if the bytes beyond what this
 *   version knows are zero; nothing beyond the given size is written.
 *
 * Environment variables that the library reads: PROCREF_TRACE (a file to which each transition, message
 * and phase is appended, one line each), PROCREF_KEEPER_PATH (the keeper's program, used when the one that
 * the library carries cannot be executed) and XDG_RUNTIME_DIR. All of them are ignored in a program
 * that runs set-user-ID.
 */
#ifndef PROCREF_H
#define PROCREF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined _WIN32
#define PROCREF_API
#elif defined __GNUC__
#define PROCREF_API __attribute__((visibility("default")))
#else
#define PROCREF_API
#endif
#if defined __GNUC__
#define PROCREF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define PROCREF_PRINTF(text, first)
#endif

#define PROCREF_VERSION "0.1.0"

/* The version of the library that runs, "0.1.0"; PROCREF_VERSION is that of the header. Never fails. */
PROCREF_API const char *procref_version(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

/*
 * Every code, its value and its text. Values are never reused. Where one of the second group (those a
 * caller can act on) fits, it wins.
 */
#define PROCREF_CODES(X)                                                                            \
    X(COUNTER_INIT, -1, "the counter could not be set up")                                          \
    X(ACQUIRE, -2, "the reference could not be acquired")                                           \
    X(RELEASE, -3, "the reference could not be released")                                           \
    X(COUNT, -4, "the count could not be read")                                                     \
    X(LOCK, -5, "the lock could not be taken or given back")                                        \
    X(SERVICE_START, -6, "the service did not start")                                               \
    X(SERVICE_UNHEALTHY, -7, "the service runs but does not work")                                  \
    X(SERVICE_RECOVERY, -8, "the service could not be recovered")                                   \
    X(SERVICE_INFO, -9, "what is known of the service cannot be read or written")                   \
    X(PLATFORM, -10, "the operating system refused a call")                                         \
    X(IO, -11, "a file or directory could not be used")                                             \
    X(OTHER, -12, "something else failed")                                                          \
    X(INVALID, -32, "an argument is not valid")                                                     \
    X(NO_MEMORY, -33, "out of memory")                                                              \
    X(PERMISSION, -34, "not permitted")                                                             \
    X(LIMIT, -35, "a limit of the system is reached")                                               \
    X(TIMEOUT, -36, "the deadline passed")                                                          \
    X(NOT_FOUND, -37, "not found")                                                                  \
    X(FORKED, -38, "a forked child does not hold its parent's references")                          \
    X(CONFLICT, -39, "the service runs with another configuration or version")                      \
    X(UNSUPPORTED, -40, "this system cannot do that")                                               \
    X(AGAIN, -41, "not ready yet, call again")

enum {
#define PROCREF_CODE_ENUM(name, value, text) PROCREF_E_##name = (value),
    PROCREF_CODES(PROCREF_CODE_ENUM)
#undef PROCREF_CODE_ENUM
};

typedef struct procref_error {
    uint32_t size;         /* sizeof(procref_error), set by PROCREF_ERROR_INIT              */
    int32_t code;          /* PROCREF_E_…                                                   */
    int64_t os_code;       /* errno, kern_return_t or GetLastError(), 0 if none             */
    char op[32];           /* the call that failed: "semop"                                 */
    char message[512];     /* one line a user can act on, UTF-8                             */
    char detail[4096];     /* more lines, for example the service's last output; may be ""  */
} procref_error;

#ifdef __cplusplus
#define PROCREF_ERROR_INIT                                                                          \
    procref_error { (uint32_t)sizeof(procref_error), 0, 0, {0}, {0}, {0} }
#else
#define PROCREF_ERROR_INIT {.size = (uint32_t)sizeof(procref_error)}
#endif

/*
 * Fills err (which may be NULL) with a code and a message formatted as by printf; op becomes "" and
 * os_code 0. Returns code, so that a callback can end with it. Never fails; what does not fit is cut
 * at the end of a UTF-8 character.
 */
PROCREF_API int procref_error_set(procref_error *err, int code, const char *format, ...)
    PROCREF_PRINTF(3, 4);

/* "TIMEOUT" for PROCREF_E_TIMEOUT, "OK" for 0, "UNKNOWN" for what is no code. Static strings. */
PROCREF_API const char *procref_code_name(int code);

/* One sentence that says what the code means; static, never NULL. */
PROCREF_API const char *procref_code_text(int code);

/* ---- What is known of a running service ------------------------------------------------------ */

typedef struct procref_info procref_info;

/* A copy that the caller frees with procref_info_free(); NULL if memory is short or info is NULL. */
PROCREF_API procref_info *procref_info_copy(const procref_info *info);

/* Frees what procref_info_copy() returned. Accepts NULL, returns NULL. */
PROCREF_API procref_info *procref_info_free(procref_info *info);

/* The service's process, 0 if it has none. The number as seen in the keeper's pid namespace. */
PROCREF_API uint32_t procref_info_pid(const procref_info *info);

/* The service's TCP port, 0 if it has none. */
PROCREF_API uint16_t procref_info_port(const procref_info *info);

/* 1, 2, 3 …: which start of the service this is. It changes at every restart. */
PROCREF_API uint64_t procref_info_generation(const procref_info *info);

/*
 * Whether this very process still runs: its pid and its start time are compared, so the pid's next
 * owner is not taken for it. A zombie is dead. False for a service without a process.
 * Source: proc_pid_stat(5), field 22; pidfd_open(2).
 */
PROCREF_API bool procref_info_is_alive(const procref_info *info);

/* ---- The shared service ---------------------------------------------------------------------- */

typedef struct procref_service procref_service;
typedef struct procref_handle procref_handle;

enum { /* what to do when the service ends while somebody holds it */
    PROCREF_RESTART_ON_FAILURE = 0, /* start it again unless it exited with status 0 */
    PROCREF_RESTART_ALWAYS = 1,     /* start it again */
    PROCREF_RESTART_NEVER = 2,      /* keep the reason; the next acquire starts it afresh */
};

/*
 * One configuration, by designated initialisers; all zero is the default.
 *
 * A service is identified by (effective user, canonical base_dir if one is given, name). Clients that name
 * the same service share it, whatever folder or session they run in.
 *
 * In command, environment, working_dir and ready, ${PORT} is replaced by the service's port, ${NAME}
 * by its name and ${DIR} by base_dir (or the per-user runtime folder); other ${…} are left as they are.
 */
typedef struct procref_service_config {
    uint32_t size;        /* PROCREF_SERVICE_CONFIG_INIT sets it */
    const char *name;     /* 1 to 255 bytes of UTF-8, no '/' and no control characters */
    const char *base_dir; /* where hints and logs live; NULL: the per-user runtime folder */
    void *user_data;      /* handed to the functions below */
    /* either the client's own functions (callback services: PROCREF_E_UNSUPPORTED in this version) … */
    int (*on_first_acquire)(procref_info *ret_info, void *user_data, procref_error *err);
    int (*on_last_release)(const procref_info *info, void *user_data, procref_error *err);
    bool (*on_health_check)(const procref_info *info, void *user_data);
    int (*on_recover)(const procref_info *old_info, procref_info *ret_info, void *user_data,
                      procref_error *err);
    /* … or a command that the keeper runs */
    const char *const *command;     /* argv, NULL-terminated; found by PATH */
    const char *const *environment; /* "KEY=VALUE" on top of the starter's, NULL-terminated */
    const char *working_dir;        /* NULL: base_dir */
    const char *ready;              /* "notify", "tcp", "unix:PATH", "exec:CMD", "log:REGEX"; NULL: running */
    const char *fingerprint;        /* callback services: tells configurations apart; NULL: not compared */
    uint16_t port;                  /* 0: a free one is picked if ${PORT} or "tcp" asks for it */
    bool share;                     /* accept a running service of another configuration */
    int32_t restart;                /* PROCREF_RESTART_… */
    int32_t stop_signal;            /* 0: SIGTERM */
    int64_t start_timeout_ms;       /* 0: 30 s; -1: none */
    int64_t stop_timeout_ms;        /* 0: 10 s, then SIGKILL to the whole tree; -1: never */
    int64_t linger_ms;              /* how long an unused service is kept; 0: not at all */
} procref_service_config;

#ifdef __cplusplus
static inline procref_service_config procref_service_config_init(void) {
    procref_service_config config = procref_service_config();
    config.size = (uint32_t)sizeof config;
    return config;
}
#define PROCREF_SERVICE_CONFIG_INIT procref_service_config_init()
#else
#define PROCREF_SERVICE_CONFIG_INIT {.size = (uint32_t)sizeof(procref_service_config)}
#endif

/*
 * Checks a configuration and copies it. Starts nothing and counts nothing. A base_dir that does not
 * exist is created with mode 0700 (its parent must exist).
 *
 * Readiness: "notify" is systemd's protocol, sd_notify(3), from a process of the service's tree; "tcp"
 * a process of the tree accepts connections on 127.0.0.1:PORT; "unix:PATH" the same on a socket file;
 * "exec:CMD" `sh -c CMD` exits with 0; "log:REGEX" a line of the output matches the extended regular expression.
 *
 * PROCREF_E_INVALID: the name, a size, a port, a timeout or "ready" is not valid, or neither or both of
 * command and on_first_acquire are given. PROCREF_E_UNSUPPORTED: on_first_acquire is given.
 * PROCREF_E_PERMISSION: base_dir belongs to another user or can be written by one; the message names
 * it. PROCREF_E_IO: base_dir cannot be created or resolved. PROCREF_E_NO_MEMORY.
 */
PROCREF_API int procref_service_open(const procref_service_config *config,
                                     procref_service **ret_service, procref_error *err);

/*
 * Takes one reference; starts the service if it is the first of all. While the handle is held the
 * service is not stopped by procref. When this process ends, in any way, the kernel gives its
 * references back. Acquires of one process nest: they share one reference of the kernel.
 *
 * When the service is up and this process has held it before, this is one system call; when this
 * process holds it already, none. timeout_ms 0 attaches to a running service and starts none.
 *
 * PROCREF_E_SERVICE_START: the command could not be run, ended before it was ready, or ended while
 * held and is not started again; every waiting client gets the same error with the service's last
 * output in detail. PROCREF_E_TIMEOUT: not ready within start_timeout_ms, or timeout_ms passed; with
 * timeout_ms 0, the service is not running. PROCREF_E_CONFLICT: it runs with another command, environment,
 * working_dir or port (the message names which) and share is not set, or another
 * layout version of procref runs it. PROCREF_E_LIMIT: out of semaphore sets, references (32,767),
 * descriptors or generations; the message names the limit. PROCREF_E_PERMISSION: the service's
 * names are in use by another user, or this process has become another user since it opened the service.
 * PROCREF_E_UNSUPPORTED: the kernel or a sandbox lacks semaphores with undo, or the keeper is in a pid
 * namespace from which this process cannot be seen. PROCREF_E_NO_MEMORY. PROCREF_E_PLATFORM: the keeper's program cannot be
 * executed, or the keeper is in another network namespace.
 */
PROCREF_API int procref_service_acquire(procref_service *s, int64_t timeout_ms,
                                        procref_handle **ret_handle, procref_error *err);

/*
 * How many processes hold a reference now; 0 if the service does not run. A snapshot.
 * PROCREF_E_COUNT, PROCREF_E_UNSUPPORTED: the system refuses to tell.
 */
PROCREF_API int procref_service_count(procref_service *s, uint32_t *ret_count, procref_error *err);

/* The name it was opened with; valid until procref_service_close(). */
PROCREF_API const char *procref_service_name(const procref_service *s);

/* Frees s. Handles stay valid; the last one frees the rest. Accepts NULL, returns NULL. */
PROCREF_API procref_service *procref_service_close(procref_service *s);

/* ---- One held reference ---------------------------------------------------------------------- */

#ifdef _WIN32
typedef void *procref_waitable; /* a HANDLE */
#else
typedef int procref_waitable; /* a file descriptor */
#endif

/*
 * What the service was when this handle was acquired; valid until the handle is released. A restart while it is
 * held does not change it: procref_handle_gone() tells.
 */
PROCREF_API const procref_info *procref_handle_info(const procref_handle *h);
PROCREF_API uint16_t procref_handle_port(const procref_handle *h);
PROCREF_API uint32_t procref_handle_pid(const procref_handle *h);

/*
 * Becomes readable once the generation of this handle is gone. It belongs to the handle, is made by the first call, is
 * close-on-exec and is closed by the release. -1 if the service has no process or descriptors are exhausted.
 * Source: pidfd_open(2).
 */
PROCREF_API procref_waitable procref_handle_gone(const procref_handle *h);

/*
 * Gives the reference back and frees h, in every case; NULL is nothing to release. One system call if it was this process's last
 * handle, else none. The service is stopped by its keeper if nobody else holds it; this call does not wait for that.
 * PROCREF_E_FORKED: h belongs to the parent of this process, whose reference is untouched.
 * PROCREF_E_RELEASE: the kernel refused.
 */
PROCREF_API int procref_handle_release(procref_handle *h, procref_error *err);

/*
 * The same, and waits until the service has been stopped if nobody else holds it. PROCREF_E_TIMEOUT: the
 * reference is given back, but the service had not been stopped within timeout_ms.
 */
PROCREF_API int procref_handle_release_wait(procref_handle *h, int64_t timeout_ms,
                                            procref_error *err);

#ifdef __cplusplus
}
#endif
#endif
