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
 * - Ownership. What a ret_… parameter returns belongs to the caller until it is given to the
 *   function that frees it; those accept NULL and return NULL. Strings given to procref are copied.
 * - NULL. What no comment says accepts NULL must not be NULL.
 * - Units. Timeouts are milliseconds: 0 never waits for a start or a stop, -1 waits for ever.
 *   Signals that arrive during a call do not fail it, and do not lengthen or shorten its deadline.
 * - Threads. Every object may be used from any thread at any time, except that nobody may use an
 *   object while or after another thread frees it. A reference belongs to the process: it stays
 *   when the thread that acquired it ends, the first thread included, as long as another one runs.
 * - Fork. A forked child holds nothing: releasing a handle of its parent gives PROCREF_E_FORKED,
 *   and acquiring from a procref_service of its parent gives the child a reference of its own. A
 *   child made by vfork() or by clone() with CLONE_VM shares its parent's memory and must not call
 *   procref. The kernel keeps the counts for fork: semop(2), "semadj values are not inherited".
 * - Exec. A reference survives execve(): semop(2), "semadj values are preserved across execve".
 *   The new program holds it until it exits; it cannot release it earlier. No descriptor of procref
 *   survives exec.
 * - Manners. procref prints nothing, never exits, changes no signal handler or mask of the caller,
 *   and starts no thread in the caller's process. The keepers are nobody's children: only a program
 *   that is pid 1 or a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) becomes their parent, as of all
 *   orphans. What a program does with SIGCHLD and wait(2) does not matter: starting a keeper sends
 *   no SIGCHLD, and only a wait with __WALL or __WCLONE sees the short-lived child that does it
 *   (and may take it).
 * - Descriptors. All are close-on-exec, and none that stays open is 0, 1 or 2, even where these are
 *   closed. Between calls procref keeps only those that it gave to the caller, so a program may
 *   close all others (closefrom(3)) while it holds; those of procref_handle_gone() and
 *   procref_pending_ready() it must leave open until their owner is freed.
 * - Struct versions. A struct that the caller owns begins with its size, which its _INIT macro
 *   sets. Every size that a release had is accepted, a larger one only if the bytes beyond what
 *   this version knows are zero; nothing beyond the given size is written.
 *
 * Environment variables that the library reads: PROCREF_TRACE (a file to which each transition,
 * message and phase is appended, one line each), PROCREF_KEEPER_PATH (the keeper's program, used
 * when the one that the library carries cannot be executed, instead of the one that is installed)
 * and XDG_RUNTIME_DIR. All of them are ignored in a program that runs set-user-ID.
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

/*
 * The version of the library that runs, "0.1.0"; PROCREF_VERSION is that of the header. Never
 * fails.
 */
PROCREF_API const char *procref_version(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

/*
 * Every code, its value and its text. Values are never reused. Where one of the second group (those
 * a caller can act on) fits, it wins.
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
    procref_error { static_cast<uint32_t>(sizeof(procref_error)), 0, 0, {0}, {0}, {0} }
#else
#define PROCREF_ERROR_INIT {.size = (uint32_t)sizeof(procref_error)}
#endif

/*
 * Fills err (which may be NULL) with a code and a message formatted as by printf; op becomes "" and
 * os_code 0. Returns code, so that a callback can end with it. Never fails; what does not fit is
 * cut at the end of a UTF-8 character.
 */
PROCREF_API int procref_error_set(procref_error *err, int code, const char *format, ...)
    PROCREF_PRINTF(3, 4);

/* "TIMEOUT" for PROCREF_E_TIMEOUT, "OK" for 0, "UNKNOWN" for what is no code. Static strings. */
PROCREF_API const char *procref_code_name(int code);

/* One sentence that says what the code means; static, never NULL. */
PROCREF_API const char *procref_code_text(int code);

/* ---- What is known of a running service ------------------------------------------------------ */

typedef struct procref_info procref_info;

/*
 * An info of one's own, which the caller frees with procref_info_free(); on_first_acquire is given
 * one to fill instead. pid 0: no process; port 0: none. If a process has this pid now, its start
 * time is noted, so that procref_info_is_alive() means this process. NULL if memory is short.
 */
PROCREF_API procref_info *procref_info_new(uint32_t pid, uint16_t port);
PROCREF_API procref_info *procref_info_with_pid(uint32_t pid);

/*
 * A copy that the caller frees with procref_info_free(); NULL if memory is short or info is NULL.
 */
PROCREF_API procref_info *procref_info_copy(const procref_info *info);

/*
 * Frees what procref_info_new(), _with_pid() or _copy() returned, and nothing else. Accepts NULL,
 * returns NULL.
 */
PROCREF_API procref_info *procref_info_free(procref_info *info);

/* The service's process, 0 if it has none. The number as seen in the keeper's pid namespace. */
PROCREF_API uint32_t procref_info_pid(const procref_info *info);

/* The service's TCP port, 0 if it has none. */
PROCREF_API uint16_t procref_info_port(const procref_info *info);

/*
 * 1, 2, 3 …: which start of the service this is. It changes at every restart. 0 in an info of one's
 * own.
 */
PROCREF_API uint64_t procref_info_generation(const procref_info *info);

/*
 * Names the service's process. Inside on_first_acquire and on_recover it is told to the keeper at
 * once, which acknowledges it: from then on it is ended whatever becomes of this process. Call it
 * as soon as the process exists: what was forked but not named when its client is killed is beyond
 * anyone's knowledge. 0 means that the service has no process. Naming another one forgets the
 * first: end that before.
 *
 * PROCREF_E_INVALID: pid is 1 or this process's own, or info is one of a handle.
 * PROCREF_E_NOT_FOUND: no such process runs. PROCREF_E_AGAIN: inside a callback, the keeper has
 * gone; the callback should give up, and procref ends the process and tries the whole again.
 * PROCREF_E_TIMEOUT: the acquire's deadline passed.
 */
PROCREF_API int procref_info_set_pid(procref_info *info, uint32_t pid);

/*
 * The port; known to others once the callback has returned. PROCREF_E_INVALID: info is one of a
 * handle.
 */
PROCREF_API int procref_info_set_port(procref_info *info, uint16_t port);

/*
 * Sets, replaces or (value NULL) removes a text that every client gets with the info: a URL, a
 * socket's path, a version. Keys and values are UTF-8 without zero bytes; keys are not empty. Both
 * are copied. PROCREF_E_INVALID: not so, or info is one of a handle. PROCREF_E_LIMIT: more than
 * PROCREF_METADATA_MAX bytes in all, each key and value counted with its end. PROCREF_E_NO_MEMORY.
 */
#define PROCREF_METADATA_MAX 65536
PROCREF_API int procref_info_set_metadata(procref_info *info, const char *key, const char *value);

/* The value of a key, NULL if it is not set. Valid until the info is changed or freed. */
PROCREF_API const char *procref_info_get_metadata(const procref_info *info, const char *key);

/*
 * The texts one after the other, in the order in which they were first set: call with 0, 1, 2 …
 * until it returns false. The strings are valid until the info is changed or freed.
 */
PROCREF_API bool procref_info_metadata_at(const procref_info *info, size_t index,
                                          const char **ret_key, const char **ret_value);

/*
 * Whether this very process still runs: its pid and its start time are compared, so the pid's next
 * owner is not taken for it. A zombie is dead, unless threads of it run. False for a service
 * without a process. Source: proc_pid_stat(5), field 22; pidfd_open(2).
 */
PROCREF_API bool procref_info_is_alive(const procref_info *info);

/* ---- The shared service ---------------------------------------------------------------------- */

typedef struct procref_service procref_service;
typedef struct procref_handle procref_handle;

/* What to do when the service ends while somebody holds it. It is started again five times in a row at
 * most, with pauses of 20 ms to 1.3 s; then the reason is kept. */
enum {
    PROCREF_RESTART_ON_FAILURE = 0, /* start it again unless it exited with status 0 */
    PROCREF_RESTART_ALWAYS = 1,     /* start it again */
    PROCREF_RESTART_NEVER = 2,      /* keep the reason; the next acquire starts it afresh */
};

/*
 * One configuration, by designated initialisers; all zero is the default.
 *
 * A service is identified by (effective user, canonical base_dir if one is given, name). Clients
 * that name the same service share it, whatever folder or session they run in.
 *
 * It is started either by a command that the keeper runs, or by the client's own functions (a
 * callback service). These run in the thread that called, and only inside
 * procref_service_acquire(), procref_pending_finish(), procref_pending_cancel(),
 * procref_handle_release() and procref_handle_release_wait(). They may fork, take as long as they
 * need (start_timeout_ms is for commands), and use procref for other services; for the same service
 * they get PROCREF_E_INVALID, since they would wait for themselves. They return, in the process
 * that called them: no longjmp(), exception or pthread_exit() out of them; a child that returns
 * from one too gets PROCREF_E_FORKED.
 *
 * - on_first_acquire starts the service. Exactly one client runs it, while the others wait for its
 *   result. It names the process with procref_info_set_pid() as soon as it exists, sets port and
 *   metadata, and returns 0 when the service can be used. Any other result means that it did not
 *   start, and that what it had done is undone; procref ends the process that was named. Every
 *   waiting client gets the error that it set with procref_error_set(), else
 *   PROCREF_E_SERVICE_START.
 * - on_last_release stops it, in the process that releases last, exactly once for each start. The
 *   process and its children are ended (stop_signal, stop_timeout_ms, SIGKILL) if they still run
 *   afterwards. It is not called when the last client is killed, or exits without a release, when
 *   the process died before, or when both keepers are dead or somebody removed the semaphore set:
 *   then the keeper ends the process alone, at the latest with the next client. NULL: the keeper
 *   always does.
 * - on_health_check runs at every acquire but the one that started the service, nested ones
 *   included. false: one client runs on_recover, the others wait for its result. NULL: the service
 *   is healthy while its process is alive. It is allowed beside a command, too: then every acquire
 *   calls it but those that waited for the start, and false makes the keeper end the service and
 *   start it anew.
 * - on_recover makes it work again, or replaces it: like on_first_acquire, with what was known
 *   before, of which ret_info begins as a copy: it names the process if that is another now. It
 *   also runs, in the next client that acquires, when the process died while held. NULL: the old
 *   process is ended and on_first_acquire runs. If it fails, every waiting client gets its error,
 *   else PROCREF_E_SERVICE_RECOVERY.
 *
 * A service without a process (a mount, a compose project) never calls procref_info_set_pid().
 * Nobody can end it for a client that was killed: then it stays, and on_first_acquire of a later
 * client must accept that it is there. The same holds for what on_first_acquire did beside the
 * process.
 *
 * In command, environment, working_dir and ready, ${PORT} is replaced by the service's port,
 * ${NAME} by its name and ${DIR} by base_dir (or the per-user runtime folder); other ${…} are left
 * as they are.
 */
typedef struct procref_service_config {
    uint32_t size;        /* PROCREF_SERVICE_CONFIG_INIT sets it */
    const char *name;     /* 1 to 255 bytes of UTF-8, no '/' and no control characters */
    const char *base_dir; /* where hints and logs live; NULL: the per-user runtime folder */
    void *user_data;      /* handed to the functions below */
    /* either the client's own functions … */
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
    int64_t start_timeout_ms;       /* 0: 30 s; -1: none while somebody waits, then 30 s */
    int64_t stop_timeout_ms;        /* 0: 10 s, then SIGKILL to the whole tree; -1: never */
    int64_t linger_ms;              /* how long an unused service is kept; 0: not at all */
} procref_service_config;

#ifdef __cplusplus
static inline procref_service_config procref_service_config_init(void) {
    procref_service_config config = procref_service_config();
    config.size = static_cast<uint32_t>(sizeof config);
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
 * Readiness: "notify" is systemd's protocol, sd_notify(3), from a process of the service's tree;
 * "tcp" a process of the tree accepts connections on 127.0.0.1:PORT; "unix:PATH" the same on a
 * socket file; "exec:CMD" `sh -c CMD` exits with 0; "log:REGEX" a line of the output matches the
 * extended regular expression.
 *
 * PROCREF_E_INVALID: the name, a size, a timeout, "ready", restart, stop_signal or an entry of
 * environment is not valid, or neither or both of command and on_first_acquire are given; linger_ms
 * is given together with on_last_release, which runs in the process that releases.
 * PROCREF_E_PERMISSION: base_dir belongs to another user or can be written by one; the message
 * names it. PROCREF_E_IO: base_dir cannot be created or resolved. PROCREF_E_NO_MEMORY.
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
 * output in detail. PROCREF_E_TIMEOUT: not ready within start_timeout_ms, or timeout_ms passed;
 * with timeout_ms 0, the service is not running. PROCREF_E_CONFLICT: it runs with another command,
 * environment, working_dir, port or fingerprint (the message names which) and share is not set, it
 * is started by a command here and by functions there, or another layout version of procref runs
 * it. PROCREF_E_SERVICE_UNHEALTHY, PROCREF_E_SERVICE_RECOVERY, or any code that a callback set: see
 * procref_service_config. PROCREF_E_INVALID: timeout_ms is less than -1, or called inside a
 * callback of the same service. PROCREF_E_LIMIT: out of semaphore sets, references (32,767),
 * descriptors or generations; the message names the limit. PROCREF_E_PERMISSION: the service's
 * names are in use by another user, or this process has become another user since it opened the
 * service. PROCREF_E_UNSUPPORTED: the kernel or a sandbox lacks semaphores with undo, or the keeper
 * is in another IPC namespace, or in a pid namespace from which this process cannot be seen.
 * PROCREF_E_NO_MEMORY. PROCREF_E_PLATFORM: the keeper's program cannot be executed, or the keeper
 * is in another network namespace.
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
 * What the service was when this handle was acquired; valid until the handle is released. A restart
 * while it is held does not change it: procref_handle_gone() tells.
 */
PROCREF_API const procref_info *procref_handle_info(const procref_handle *h);
PROCREF_API uint16_t procref_handle_port(const procref_handle *h);
PROCREF_API uint32_t procref_handle_pid(const procref_handle *h);

/*
 * Becomes readable once the process of this handle is gone. It belongs to the handle, is made by
 * the first call, is close-on-exec and is closed by the release. -1 if the service has no process
 * (procref_handle_pid() is 0), else because descriptors are exhausted. Source: pidfd_open(2).
 */
PROCREF_API procref_waitable procref_handle_gone(const procref_handle *h);

/*
 * Gives the reference back and frees h, in every case; NULL is nothing to release. One system call
 * if it was this process's last handle, else none. The service is stopped by its keeper if nobody
 * else holds it; this call does not wait for that. If it was the last of all and the service has
 * on_last_release, that runs inside this call, after asking the keeper (one that is stopped is
 * waited for 10 s), and its error is returned. PROCREF_E_FORKED: h belongs to the parent of this
 * process, whose reference is untouched. PROCREF_E_RELEASE: the kernel refused, or on_last_release
 * failed without a code of its own; the reference is given back all the same.
 */
PROCREF_API int procref_handle_release(procref_handle *h, procref_error *err);

/*
 * The same, and waits until the service has been stopped if nobody else holds it.
 * PROCREF_E_TIMEOUT: the reference is given back, but the service had not been stopped within
 * timeout_ms. PROCREF_E_INVALID: timeout_ms is less than -1; the reference is given back.
 */
PROCREF_API int procref_handle_release_wait(procref_handle *h, int64_t timeout_ms,
                                            procref_error *err);

/* ---- The asynchronous acquire: for event loops ----------------------------------------------- */

typedef struct procref_pending procref_pending;

/*
 * Begins what procref_service_acquire() does, and does not wait. The caller polls
 * procref_pending_ready() and calls procref_pending_finish() when it is readable, again and again
 * until that says something else than PROCREF_E_AGAIN. Any number may be pending, of one service or
 * many. timeout_ms counts from here on; 0 starts no service. The pending acquire keeps what it
 * needs of s, which may be closed meanwhile. It uses two or three descriptors. Starting a keeper,
 * if there is none, takes part of a millisecond in here or in finish; callbacks and readiness
 * checks of others are never waited for. Of a callback service any pending acquire may be the one
 * that is to start it: finish all that are ready, or the others wait for the one that is not.
 *
 * Errors as of procref_service_acquire() for what is known at once; PROCREF_E_LIMIT,
 * PROCREF_E_NO_MEMORY. Most are told by finish.
 */
PROCREF_API int procref_service_acquire_start(procref_service *s, int64_t timeout_ms,
                                              procref_pending **ret_pending, procref_error *err);

/*
 * Readable when finish has something to do, the deadline's passing included. It stays the same
 * until p is freed, belongs to p and is close-on-exec. It may be added to poll(2), select(2),
 * epoll(7); it must not be read.
 */
PROCREF_API procref_waitable procref_pending_ready(const procref_pending *p);

/*
 * Goes on as far as it can without waiting. 0: *ret_handle is the handle. PROCREF_E_AGAIN: poll
 * again (err is untouched). Else it failed, as procref_service_acquire() would. Frees p unless it
 * says PROCREF_E_AGAIN. Callbacks run in here, in the caller's thread. One thread at a time.
 * PROCREF_E_FORKED: p belongs to the parent of this process; it is freed.
 */
PROCREF_API int procref_pending_finish(procref_pending *p, procref_handle **ret_handle,
                                       procref_error *err);

/*
 * Gives up at once, gives back what it may have got, and frees p; if that was the last reference of
 * all, on_last_release runs in here. In a forked child it only frees. Accepts NULL, returns NULL.
 */
PROCREF_API procref_pending *procref_pending_cancel(procref_pending *p);

/* ---- The raw counter ------------------------------------------------------------------------- */

/*
 * A number of references and a lock under a name, shared by the processes of one user, and no
 * service: the kernel takes back what a process holds when it ends, in any way. It is not the
 * counter of a service of that name.
 *
 * An object holds what was acquired through it. Any thread may use it. After fork() the parent's
 * objects give PROCREF_E_FORKED in the child, for every function but count and close; the child
 * opens its own. A reference and the lock survive execve() and are then held until the process ends
 * (semop(2)).
 */
typedef struct procref_counter procref_counter;

/*
 * Opens the counter of this name, which need not exist: it is made by the first acquire or lock,
 * and removed by the last one who gives back. What holders that were all killed left is used by the
 * next one, and removed by the last of those or by any close. name: as of a service.
 * PROCREF_E_INVALID: the name. PROCREF_E_UNSUPPORTED: this system or a sandbox has no semaphores.
 * PROCREF_E_COUNTER_INIT: the kernel does not let this process look for one. PROCREF_E_NO_MEMORY.
 */
PROCREF_API int procref_counter_open(const char *name, procref_counter **ret_counter,
                                     procref_error *err);

/*
 * Takes one reference. *ret_count (NULL: not wanted) is the count after: 1 exactly if this call
 * made it 1, else a snapshot of at least 2. However many race, exactly one gets 1 until all have
 * given back. PROCREF_E_LIMIT: 32,767 references are held, or the kernel's limits are reached; the
 * message names which. PROCREF_E_PERMISSION: the keys of this name are used by others, or this
 * process has become another user since it opened the counter. PROCREF_E_CONFLICT: another layout
 * version of procref uses it. PROCREF_E_UNSUPPORTED: the kernel does not undo what the dead did,
 * which is tried once by each process that makes a counter. PROCREF_E_FORKED. PROCREF_E_NO_MEMORY.
 * PROCREF_E_ACQUIRE: the kernel refused.
 */
PROCREF_API int procref_counter_acquire(procref_counter *c, uint32_t *ret_count,
                                        procref_error *err);

/*
 * Gives one reference of this object back. *ret_count is the count after: 0 exactly if this call
 * made it 0, else a snapshot of at least 1. PROCREF_E_INVALID: this object holds none.
 * PROCREF_E_FORKED. PROCREF_E_RELEASE: the kernel refused, or the counter had been removed (ipcrm);
 * the object then holds one less all the same. (What the kernel refused to take back it keeps until
 * this process ends.)
 */
PROCREF_API int procref_counter_release(procref_counter *c, uint32_t *ret_count,
                                        procref_error *err);

/* How many references all processes hold now; 0 if there is no such counter. A snapshot. PROCREF_E_COUNT, PROCREF_E_UNSUPPORTED: the
 * system refuses to tell, or this process has become another user. PROCREF_E_CONFLICT as of acquire. */
PROCREF_API int procref_counter_count(procref_counter *c, uint32_t *ret_count, procref_error *err);

/*
 * Takes the lock if nobody has it; never waits. *ret_locked tells. A lock whose holder died is
 * free. It is held by this object: another object, of the same process too, does not get it, and
 * this one does not get it twice. PROCREF_E_LOCK: the kernel refused. PROCREF_E_LIMIT,
 * PROCREF_E_PERMISSION, PROCREF_E_CONFLICT, PROCREF_E_UNSUPPORTED, PROCREF_E_NO_MEMORY as of
 * acquire. PROCREF_E_FORKED.
 */
PROCREF_API int procref_counter_try_lock(procref_counter *c, bool *ret_locked, procref_error *err);

/*
 * Gives the lock back. PROCREF_E_INVALID: this object does not hold it. PROCREF_E_FORKED.
 * PROCREF_E_LOCK: as of release.
 */
PROCREF_API int procref_counter_unlock(procref_counter *c, procref_error *err);

/* How the system counts: "sysv-semaphore". Static. */
PROCREF_API const char *procref_counter_mechanism(const procref_counter *c);

/*
 * Gives back what this object holds, and frees it; in a forked child only frees it. Accepts NULL,
 * returns NULL.
 */
PROCREF_API procref_counter *procref_counter_close(procref_counter *c);

/* ---- Processes ------------------------------------------------------------------------------- */

/*
 * For processes known by their pid alone. A pid is used again after its process ended and was
 * waited for, so these are safe for one's own children, and elsewhere as safe as the caller's
 * knowledge; within one call the process is held by a pidfd, so that the pid's next owner is never
 * signalled. Each needs one descriptor while it runs. Only the process itself is meant, not its
 * children or its process group. A number that no process has, a negative pid_t and the id of a
 * thread that does not lead its process included, is not found. Source: pidfd_open(2),
 * pidfd_send_signal(2).
 */

/*
 * Whether a process with this pid runs. A zombie does not, unless threads of it run; one that may
 * not be signalled does, and so does the caller. Without a descriptor to spare a zombie is taken
 * for alive.
 */
PROCREF_API bool procref_process_is_alive(uint32_t pid);

/*
 * SIGTERM (and SIGCONT, so that a stopped process hears of it), and SIGKILL. Neither waits.
 * PROCREF_E_INVALID: pid is 0, 1 or this process's own. PROCREF_E_NOT_FOUND: no such process runs.
 * PROCREF_E_PERMISSION: it is another user's. PROCREF_E_LIMIT: no descriptor is left.
 * PROCREF_E_UNSUPPORTED: this system has no pidfd (Linux before 5.3, a sandbox).
 * PROCREF_E_NO_MEMORY. PROCREF_E_PLATFORM.
 */
PROCREF_API int procref_process_terminate(uint32_t pid);
PROCREF_API int procref_process_kill(uint32_t pid);

/*
 * As terminate, waits up to timeout_ms (-1: for ever) for its end, then SIGKILL; with 0 both at
 * once. 0 once it has ended, also if it did not run to begin with; a child of the caller remains
 * the caller's to wait for. PROCREF_E_TIMEOUT: it does not end even of SIGKILL (it sleeps in the
 * kernel, or a debugger holds a thread of it), waited for 1 s more. PROCREF_E_INVALID: also
 * timeout_ms below -1. Else as terminate. No polling: it waits on a pidfd.
 */
PROCREF_API int procref_process_stop(uint32_t pid, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
