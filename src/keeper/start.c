/*
 * What the service is started with: its arguments, environment and folder, with the variables
 * replaced. All of it is built in one block that is given back as soon as the service is ready, so
 * an idle keeper stays small.
 */
#include "keeper/start.h"

#include <string.h>
#include <sys/mman.h>

#include "core/fail.h"

/* Writes strings one after the other; without memory it only counts, so the block can be made to
 * fit. */
struct writer {
    char *base;
    size_t used;
};

static void put(struct writer *w, const char *bytes, size_t length) {
    if (w->base != NULL) {
        memcpy(w->base + w->used, bytes, length);
    }
    w->used += length;
}

/* A copy of text in which ${PORT}, ${NAME} and ${DIR} are replaced. */
static char *put_expanded(struct writer *w, const struct pri_keeper *k, const char *text) {
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
            put(w, table[i].value, strlen(table[i].value));
            text += strlen(table[i].variable);
        } else {
            put(w, text++, 1);
        }
    }
    put(w, "", 1);
    return start;
}

/* What belongs to the client's session, its build tool or its own service manager is not the
 * service's. */
static bool is_shed(const char *entry) {
    static const char *const shed[] = {
        "MAKEFLAGS",     "MFLAGS",        "MAKELEVEL",      "MAKEOVERRIDES",  "GNUMAKEFLAGS",
        "NOTIFY_SOCKET", "LISTEN_FDS",    "LISTEN_PID",     "LISTEN_FDNAMES", "WATCHDOG_PID",
        "WATCHDOG_USEC", "MAINPID",       "JOURNAL_STREAM", "INVOCATION_ID",  "PROCREF_KEEPER",
        "PROCREF_TOKEN", "PROCREF_TRACE",
    };
    for (size_t i = 0; i < sizeof shed / sizeof shed[0]; i++) {
        size_t length = strlen(shed[i]);
        if (strncmp(entry, shed[i], length) == 0 && entry[length] == '=') {
            return true;
        }
    }
    return false;
}

static bool is_replaced(const struct pri_config *config, const char *entry) {
    const char *ours = pri_config_text(config, config->environment);
    size_t length = strcspn(entry, "=") + 1;
    for (uint32_t i = 0; i < config->environment_count; i++, ours = pri_config_next(ours)) {
        if (strncmp(ours, entry, length) == 0) {
            return true;
        }
    }
    return false;
}

static void put_environment(struct writer *w, const struct pri_keeper *k, struct pri_start *s) {
    const struct pri_config *config = k->pair->config;
    size_t count = 0;
    for (const char *entry = k->pair->environment; entry < k->pair->environment_end;
         entry = pri_config_next(entry)) {
        if (!is_shed(entry) && !is_replaced(config, entry)) {
            char *copy = w->base != NULL ? w->base + w->used : NULL;
            put(w, entry, strlen(entry) + 1);
            if (copy != NULL) {
                s->envp[count] = copy;
            }
            count++;
        }
    }
    const char *entry = pri_config_text(config, config->environment);
    for (uint32_t i = 0; i < config->environment_count; i++, entry = pri_config_next(entry)) {
        char *copy = put_expanded(w, k, entry);
        if (copy != NULL) {
            s->envp[count] = copy;
        }
        count++;
    }
    char *token = w->base != NULL ? w->base + w->used : NULL;
    put(w, k->pair->token, strlen(k->pair->token) + 1);
    if (token != NULL) {
        s->envp[count] = token;
        s->notify = w->base + w->used;
    }
    w->used += PRI_NOTIFY_SIZE;
}

/* One pass over all that is to be written; with a base the pointers in *s are valid afterwards. */
static size_t put_start(char *base, const struct pri_keeper *k, size_t pointers,
                        struct pri_start *s) {
    const struct pri_config *config = k->pair->config;
    struct writer w = {base, pointers};
    const char *dir = pri_config_text(config, config->working_dir);
    const char *ready = pri_config_text(config, config->ready);
    const char *argument = pri_config_text(config, config->command);
    for (uint32_t i = 0; i < config->command_count; i++, argument = pri_config_next(argument)) {
        char *copy = put_expanded(&w, k, argument);
        if (copy != NULL) {
            s->argv[i] = copy;
        }
    }
    s->dir = put_expanded(&w, k, dir != NULL ? dir : k->dir >= 0 ? "${DIR}" : "/");
    s->ready = ready != NULL ? put_expanded(&w, k, ready) : NULL;
    put_environment(&w, k, s);
    return w.used;
}

bool pri_start_make(struct pri_keeper *k, struct pri_start *s) {
    const struct pri_config *config = k->pair->config;
    size_t entries = config->environment_count + 3; /* the token, NOTIFY_SOCKET, the end */
    for (const char *entry = k->pair->environment; entry < k->pair->environment_end;
         entry = pri_config_next(entry)) {
        entries++;
    }
    size_t pointers = (config->command_count + 1 + entries) * sizeof(char *);
    memset(s, 0, sizeof *s);
    size_t size = put_start(NULL, k, pointers, s);
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) {
        return false;
    }
    s->argv = arena;
    s->envp = s->argv + config->command_count + 1;
    put_start(arena, k, pointers, s);
    k->arena = arena;
    k->arena_size = size;
    return true;
}

void pri_start_forget(struct pri_keeper *k) {
    if (k->arena != NULL) {
        munmap(k->arena, k->arena_size);
        k->arena = NULL;
    }
}
