/*
 * What a process of the service is started with: its arguments, environment and folder, with the
 * variables replaced. It is built in two blocks, of which the second needs the first, and which are
 * given back as soon as the service is ready, so an idle keeper stays small.
 */
#include "keeper/start.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/expand.h"
#include "core/fail.h"
#include "keeper/keeper.h"

/* ---- Variables ------------------------------------------------------------------------------- */

/* A copy of text in which ${PORT}, ${NAME} and ${DIR} are replaced, and nothing else. */
static char *put_replaced(struct pri_writer *w, const struct pri_keeper *k, const char *text) {
    char port[8];
    const char *dir = pri_config_text(k->pair->config, k->pair->config->dir);
    const struct {
        const char *variable, *value;
    } table[] = {{"${PORT}", port}, {"${NAME}", k->pair->config->ident.name}, {"${DIR}", dir}};
    char *start = w->base != NULL ? w->base + w->used : NULL;

    pri_format(port, sizeof port, "%u", (unsigned)k->port);
    while (*text != '\0') {
        size_t i = 0, count = sizeof table / sizeof table[0];
        while (*text == '$' && i < count &&
               strncmp(text, table[i].variable, strlen(table[i].variable)) != 0) {
            i++;
        }
        if (*text == '$' && i < count) {
            pri_put(w, table[i].value, strlen(table[i].value));
            text += strlen(table[i].variable);
        } else {
            pri_put(w, text++, 1);
        }
    }
    pri_put(w, "", 1);
    return start;
}

static char *put_copy(struct pri_writer *w, const char *text) {
    char *start = w->base != NULL ? w->base + w->used : NULL;
    pri_put(w, text, strlen(text) + 1);
    return start;
}

/* ---- Environment ----------------------------------------------------------------------------- */

/* What procref itself says to the processes of a plan, after systemd.exec(5). */
struct own {
    int count;
    char text[6][PRI_NAME_SIZE + 16];
};

static const char *const results[] = {
    [PRI_RESULT_SUCCESS] = "success", [PRI_RESULT_EXIT_CODE] = "exit-code",
    [PRI_RESULT_SIGNAL] = "signal",   [PRI_RESULT_CORE_DUMP] = "core-dump",
    [PRI_RESULT_TIMEOUT] = "timeout", [PRI_RESULT_PROTOCOL] = "protocol"};

/* Signals have their names there, as systemd (and glibc, which keeps the first two real-time
 * signals for itself) counts them. */
static void put_signal(char *to, size_t size, int number) {
    enum { FIRST_REAL_TIME = 34 };
    static const char *const names[FIRST_REAL_TIME] = {
        [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
        [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
        [SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
        [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGXCPU] = "XCPU",
        [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGIO] = "IO",
        [SIGSYS] = "SYS"};
    if (number >= FIRST_REAL_TIME) {
        pri_format(to, size, "EXIT_STATUS=RTMIN%s%.0d", number > FIRST_REAL_TIME ? "+" : "",
                   number - FIRST_REAL_TIME);
    } else if (names[number] != NULL) {
        pri_format(to, size, "EXIT_STATUS=%s", names[number]);
    } else {
        pri_format(to, size, "EXIT_STATUS=%d", number);
    }
}

static void fill_own(const struct pri_keeper *k, struct pri_start_of what, struct own *own) {
    const struct pri_process *main = &k->pair->page->main;
    own->count = 0;
    if (what.holder) {
        pri_format(own->text[own->count++], sizeof own->text[0], PRI_KEEPER_MARK "holder");
        return;
    }
    pri_format(own->text[own->count++], sizeof own->text[0], "PROCREF_NAME=%s",
               k->pair->config->ident.name);
    if (k->port != 0) {
        pri_format(own->text[own->count++], sizeof own->text[0], "PORT=%u", (unsigned)k->port);
    }
    if (main->pid != 0 && pri_process_alive(main)) {
        pri_format(own->text[own->count++], sizeof own->text[0], "MAINPID=%u", (unsigned)main->pid);
    }
    if (k->end_stage == PRI_END_NONE) {
        return;
    }
    pri_format(own->text[own->count++], sizeof own->text[0], "SERVICE_RESULT=%s",
               results[k->pair->page->result]);
    if (!k->status_known) {
        return;
    }
    if (WIFEXITED(k->status)) {
        pri_format(own->text[own->count++], sizeof own->text[0], "EXIT_CODE=exited");
        pri_format(own->text[own->count++], sizeof own->text[0], "EXIT_STATUS=%d",
                   WEXITSTATUS(k->status));
    } else {
        pri_format(own->text[own->count++], sizeof own->text[0], "EXIT_CODE=%s",
                   WCOREDUMP(k->status) ? "dumped" : "killed");
        put_signal(own->text[own->count++], sizeof own->text[0], WTERMSIG(k->status));
    }
}

/* What belongs to the client's session, its build tool, its own service manager or a service that
 * it uses itself is not the service's. */
static const char *const shed[] = {
    "MAKEFLAGS",          "MFLAGS",        "MAKELEVEL",      "MAKEOVERRIDES",  "GNUMAKEFLAGS",
    "NOTIFY_SOCKET",      "LISTEN_FDS",    "LISTEN_PID",     "LISTEN_FDNAMES", "WATCHDOG_PID",
    "WATCHDOG_USEC",      "MAINPID",       "JOURNAL_STREAM", "INVOCATION_ID",  "PROCREF_KEEPER",
    "PROCREF_TOKEN",      "PROCREF_TRACE", "PROCREF_NAME",   "PROCREF_PORT",   "PROCREF_PID",
    "PROCREF_GENERATION",
};

static bool names(const char *variable, const char *entry) {
    size_t length = strlen(variable);
    return strncmp(entry, variable, length) == 0 && entry[length] == '=';
}

/* PORT may be anybody's; where PROCREF_PORT says the same it is an outer service's (cli/exports.c).
 */
static bool is_outer_port(const struct pri_pair *pair, const char *entry) {
    if (!names("PORT", entry)) {
        return false;
    }
    for (const char *other = pair->environment; other < pair->environment_end;
         other = pri_config_next(other)) {
        if (names("PROCREF_PORT", other)) {
            return strcmp(strchr(other, '='), strchr(entry, '=')) == 0;
        }
    }
    return false;
}

static bool is_shed(const struct pri_config *config, const char *entry) {
    for (size_t i = 0; i < sizeof shed / sizeof shed[0]; i++) {
        if (names(shed[i], entry)) {
            return true;
        }
    }
    const struct pri_plan_block *plan = pri_config_plan(config);
    if (plan != NULL && plan->unset.count > 0) {
        const char *text = pri_plan_text(plan, plan->unset.at);
        for (uint32_t i = 0; i < plan->unset.count; i++, text = pri_config_next(text)) {
            if (names(text, entry) || strcmp(text, entry) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool same_name(const char *a, const char *b) {
    size_t length = strcspn(a, "=") + 1;
    return strncmp(a, b, length) == 0;
}

static bool is_in_config(const struct pri_config *config, const char *entry) {
    const char *ours = pri_config_text(config, config->environment);
    for (uint32_t i = 0; i < config->environment_count; i++, ours = pri_config_next(ours)) {
        if (same_name(entry, ours)) {
            return true;
        }
    }
    return false;
}

static bool is_own(const struct own *own, const char *entry) {
    for (int i = 0; i < own->count; i++) {
        if (same_name(entry, own->text[i])) {
            return true;
        }
    }
    return false;
}

/* Our own commands have the environment of who starts it. */
static bool has_files_environment(struct pri_start_of what) {
    return !what.holder && (what.step == NULL || (what.step->flags & PRI_STEP_OURS) == 0);
}

/* Writes the environment, and at its begin (count + 2 pointers) where its entries are; only counts
 * without memory. */
static size_t put_environment(struct pri_writer *w, const struct pri_keeper *k,
                              struct pri_start_of what, const struct own *own, char **envp) {
    const struct pri_config *config = k->pair->config;
    bool plan = pri_config_plan(config) != NULL;
    size_t count = 0;
#define PUT(copy)                                                                                  \
    do {                                                                                           \
        char *put = (copy);                                                                        \
        if (put != NULL) {                                                                         \
            envp[count] = put;                                                                     \
        }                                                                                          \
        count++;                                                                                   \
    } while (0)
    for (const char *entry = k->pair->environment; entry < k->pair->environment_end;
         entry = pri_config_next(entry)) {
        if (!is_shed(config, entry) && !is_outer_port(k->pair, entry) && !is_own(own, entry) &&
            (!has_files_environment(what) || !is_in_config(config, entry))) {
            PUT(put_copy(w, entry));
        }
    }
    const char *entry = pri_config_text(config, config->environment);
    for (uint32_t i = 0; i < config->environment_count && has_files_environment(what);
         i++, entry = pri_config_next(entry)) {
        if (!plan) {
            PUT(put_replaced(w, k, entry));
        } else if (!is_own(own, entry)) {
            PUT(put_copy(w, entry)); /* systemd replaces no variables here */
        }
    }
    for (int i = 0; i < own->count; i++) {
        PUT(put_copy(w, own->text[i]));
    }
    if (!what.holder) {
        PUT(put_copy(w, k->pair->token));
    }
#undef PUT
    return count;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

/* One pass over all that is to be written; without memory it only counts. Returns how many words.
 */
static size_t put_arguments(struct pri_writer *w, const struct pri_keeper *k,
                            struct pri_start_of what, struct pri_start *s) {
    const struct pri_config *config = k->pair->config;
    const struct pri_plan_block *plan = pri_config_plan(config);
    const struct pri_plan_step *step = what.step;
    const char *const *env = (const char *const *)s->envp;
    size_t count = 0;
    const char *text = pri_config_text(config, config->command);
    uint32_t words = config->command_count;
    if (what.holder || step != NULL) {
        struct pri_list list = what.holder ? plan->holder : step->argv;
        text = pri_plan_text(plan, list.at);
        words = list.count;
    }
    for (uint32_t i = 0; i < words; i++, text = pri_config_next(text)) {
        char *at = w->base != NULL ? w->base + w->used : NULL;
        size_t more = 1;
        if (what.holder || (step != NULL && (step->flags & PRI_STEP_LITERAL) != 0)) {
            put_copy(w, text);
        } else if (step != NULL) {
            more = pri_expand_words(w, text, env);
        } else {
            put_replaced(w, k, text);
        }
        for (; more > 0; more--, count++) {
            if (at != NULL) {
                s->argv[count] = at;
                at += strlen(at) + 1;
            }
        }
    }
    s->program = step != NULL      ? put_copy(w, pri_plan_text(plan, step->program))
                 : s->argv != NULL ? s->argv[0]
                                   : NULL;
    return count;
}

/* In a plan a socket's path has variables by its rules; a command's are left to its shell. */
static char *put_ready(struct pri_writer *w, const struct pri_keeper *k, const char *ready,
                       char **envp) {
    if (pri_config_plan(k->pair->config) == NULL || strncmp(ready, "unix:", 5) != 0) {
        return put_replaced(w, k, ready);
    }
    char *start = w->base != NULL ? w->base + w->used : NULL;
    pri_expand(w, ready, (const char *const *)envp);
    pri_put(w, "", 1);
    return start;
}

static void put_rest(struct pri_writer *w, const struct pri_keeper *k, struct pri_start *s) {
    const struct pri_config *config = k->pair->config;
    const char *dir = pri_config_text(config, config->working_dir);
    const char *ready = pri_config_text(config, config->ready);
    s->dir = put_replaced(w, k, dir != NULL ? dir : k->dir >= 0 ? "${DIR}" : "/");
    s->ready = ready != NULL ? put_ready(w, k, ready, s->envp) : NULL;
}

static void *get_block(size_t size) {
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block != MAP_FAILED ? block : NULL;
}

static bool make_environment(const struct pri_keeper *k, struct pri_start_of what,
                             struct pri_start *s) {
    struct pri_writer w = {0};
    struct own own = {0};
    if (pri_config_plan(k->pair->config) != NULL) {
        fill_own(k, what, &own);
    }
    size_t count = put_environment(&w, k, what, &own, NULL);
    size_t pointers = (count + 2) * sizeof(char *); /* and NOTIFY_SOCKET, the end */
    s->environment_size = pointers + w.used + PRI_NOTIFY_SIZE;
    s->environment = get_block(s->environment_size);
    if (s->environment == NULL) {
        return false;
    }
    s->envp = s->environment;
    w = (struct pri_writer){s->environment, pointers};
    put_environment(&w, k, what, &own, s->envp);
    s->notify = w.base + w.used;
    return true;
}

bool pri_start_make(const struct pri_keeper *k, struct pri_start_of what, struct pri_start *s) {
    struct pri_writer w = {0};
    memset(s, 0, sizeof *s);
    if (!make_environment(k, what, s)) {
        return false;
    }
    size_t pointers = (put_arguments(&w, k, what, s) + 1) * sizeof(char *);
    put_rest(&w, k, s);
    s->arguments_size = pointers + w.used;
    s->arguments = get_block(s->arguments_size);
    if (s->arguments == NULL) {
        pri_start_forget(s);
        return false;
    }
    s->argv = s->arguments;
    w = (struct pri_writer){s->arguments, pointers};
    put_arguments(&w, k, what, s);
    put_rest(&w, k, s);
    return true;
}

void pri_start_forget(struct pri_start *s) {
    if (s->environment != NULL) {
        munmap(s->environment, s->environment_size);
    }
    if (s->arguments != NULL) {
        munmap(s->arguments, s->arguments_size);
    }
    memset(s, 0, sizeof *s);
}
