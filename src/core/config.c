/* Checking, copying and comparing configurations. What a keeper does with one is not here. */
#include "core/config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/fail.h"
#include "core/hash.h"
#include "os/folder.h"
#include "os/ready.h"

enum { CONFIG_MAGIC = 0x70726304, START_TIMEOUT_MS = 30000, STOP_TIMEOUT_MS = 10000 };

/* Every size that a release had; a larger one is accepted if what we do not know is zero. */
static bool size_accepted(const void *object, uint32_t size, size_t known) {
    const unsigned char *bytes = object;
    if (size < known) {
        return false;
    }
    for (size_t i = known; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static int check_settings(const procref_service_config *from, procref_error *err) {
    char expected[PRI_READY_EXPECTED];
    if (!pri_ready_valid(from->ready, expected)) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "ready is '%s': use %s", from->ready,
                        expected);
    }
    if (from->restart < PROCREF_RESTART_ON_FAILURE || from->restart > PROCREF_RESTART_NEVER) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "restart is %d: use a PROCREF_RESTART_… value", (int)from->restart);
    }
    if (from->stop_signal < 0 || from->stop_signal > 64 ||
        (from->stop_signal > 31 && from->stop_signal < 34)) { /* 32 and 33 are libc's own */
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "stop_signal is %d, which is no signal",
                        (int)from->stop_signal);
    }
    if (from->start_timeout_ms < -1 || from->stop_timeout_ms < -1 || from->linger_ms < 0) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "a timeout is negative: -1 (not for linger_ms) means none");
    }
    for (size_t i = 0; from->environment != NULL && from->environment[i] != NULL; i++) {
        const char *equals = strchr(from->environment[i], '=');
        if (equals == NULL || equals == from->environment[i]) {
            return pri_fail(err, PROCREF_E_INVALID, 0, "",
                            "environment has '%s', which is not KEY=VALUE", from->environment[i]);
        }
    }
    return 0;
}

static int check(const procref_service_config *from, procref_error *err) {
    if (from == NULL) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "", "no configuration is given");
    }
    if (!size_accepted(from, from->size, sizeof *from)) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "the configuration's size is %u: begin with PROCREF_SERVICE_CONFIG_INIT",
                        (unsigned)from->size);
    }
    int code = pri_name_check("service", from->name, err);
    if (code < 0) {
        return code;
    }
    bool starts =
        from->on_first_acquire != NULL || from->on_last_release != NULL || from->on_recover != NULL;
    bool callbacks = starts || (from->on_health_check != NULL && from->command == NULL);
    bool command = from->command != NULL && from->command[0] != NULL && from->command[0][0] != '\0';
    if (from->command != NULL && starts) {
        return pri_fail(
            err, PROCREF_E_INVALID, 0, "",
            "give the service '%s' a command or functions that start and stop it, not both",
            from->name);
    }
    if (callbacks && from->on_first_acquire == NULL) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "the service '%s' has functions, but no on_first_acquire to start it",
                        from->name);
    }
    if (!command && !callbacks) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "the service '%s' has neither a command nor on_first_acquire", from->name);
    }
    if (from->on_last_release != NULL && from->linger_ms != 0) {
        return pri_fail(err, PROCREF_E_INVALID, 0, "",
                        "linger_ms is given for '%s', whose on_last_release runs in the process "
                        "that releases last: leave one of them out",
                        from->name);
    }
    return check_settings(from, err);
}

/* Writes strings one after the other, or only counts when there is no room given. */
struct writer {
    char *base;
    size_t used;
};

static uint32_t put(struct writer *w, const char *text) {
    if (text == NULL) {
        return 0;
    }
    size_t at = w->used, length = strlen(text) + 1;
    if (w->base != NULL) {
        memcpy(w->base + at, text, length);
    }
    w->used += length;
    return (uint32_t)at;
}

static uint32_t put_list(struct writer *w, const char *const *list, uint32_t *ret_count) {
    uint32_t at = (uint32_t)w->used;
    for (*ret_count = 0; list != NULL && list[*ret_count] != NULL; ++*ret_count) {
        put(w, list[*ret_count]);
    }
    return at;
}

static size_t put_strings(char *base, const procref_service_config *from, const char *dir,
                          const char *working_dir, struct pri_config *head) {
    struct writer w = {base, sizeof *head};
    head->dir = put(&w, dir);
    head->working_dir = put(&w, working_dir);
    head->ready = put(&w, from->ready);
    head->command = put_list(&w, from->command, &head->command_count);
    head->environment = put_list(&w, from->environment, &head->environment_count);
    return w.used;
}

/* Behind the strings, aligned for its numbers. */
static size_t put_plan(char *base, size_t used, const struct pri_plan *plan,
                       struct pri_config *head) {
    if (plan == NULL) {
        return used;
    }
    used = (used + 7) / 8 * 8;
    head->plan = (uint32_t)used;
    return used + pri_plan_write(base != NULL ? base + used : NULL, plan);
}

static void fingerprint(struct pri_config *config, const procref_service_config *from,
                        const char *working_dir) {
    uint64_t command = 0, environment = 0;
    for (size_t i = 0; from->command != NULL && from->command[i] != NULL; i++) {
        command = pri_hash_text(command, from->command[i]);
    }
    for (size_t i = 0; from->environment != NULL && from->environment[i] != NULL; i++) {
        environment += pri_hash_text(0, from->environment[i]); /* their order does not matter */
    }
    config->parts[PRI_PART_KIND] =
        from->on_first_acquire != NULL ? PRI_KIND_CALLBACKS : PRI_KIND_COMMAND;
    if (from->fingerprint != NULL) {
        config->parts[PRI_PART_FINGERPRINT] = pri_hash_text(0, from->fingerprint);
    }
    config->parts[PRI_PART_COMMAND] = command;
    config->parts[PRI_PART_ENVIRONMENT] = environment;
    config->parts[PRI_PART_WORKING_DIR] = pri_hash_text(0, working_dir);
    config->parts[PRI_PART_PORT] = from->port;
    const struct pri_plan_block *plan = pri_config_plan(config);
    config->parts[PRI_PART_PLAN] = plan != NULL ? pri_plan_hash(plan) : 0;
}

int pri_config_make(const procref_service_config *from, const struct pri_plan *plan,
                    struct pri_config **ret_config, procref_error *err) {
    char dir[PRI_PATH_SIZE], working_dir[PRI_PATH_SIZE];
    int code = check(from, err);
    if (code < 0) {
        return code;
    }
    if (from->base_dir != NULL) {
        code = pri_folder_claim(from->base_dir, dir, err);
    } else {
        pri_folder_default(dir);
    }
    if (code == 0 && from->working_dir != NULL) {
        code = pri_folder_absolute(from->working_dir, working_dir, err);
    }
    if (code < 0) {
        return code;
    }
    const char *where = from->working_dir != NULL ? working_dir : NULL;
    struct pri_config head;
    memset(&head, 0, sizeof head);
    size_t size = put_plan(NULL, put_strings(NULL, from, dir, where, &head), plan, &head);
    struct pri_config *config = size < UINT32_MAX ? calloc(1, size) : NULL;
    if (config == NULL) {
        return pri_fail(err, PROCREF_E_NO_MEMORY, 0, "calloc", "out of memory for the service '%s'",
                        from->name);
    }
    put_plan((char *)config, put_strings((char *)config, from, dir, where, config), plan, config);
    config->magic = CONFIG_MAGIC;
    config->size = (uint32_t)size;
    pri_ident_make(&config->ident, pri_own_user(), from->base_dir != NULL ? dir : "", from->name);
    fingerprint(config, from, where);
    config->port = from->port;
    config->share = from->share;
    config->restart = from->restart;
    config->stop_signal = from->stop_signal != 0 ? from->stop_signal : SIGTERM;
    config->start_timeout_ms =
        from->start_timeout_ms != 0 ? from->start_timeout_ms : START_TIMEOUT_MS;
    config->stop_timeout_ms = from->stop_timeout_ms != 0 ? from->stop_timeout_ms : STOP_TIMEOUT_MS;
    config->linger_ms = from->linger_ms;
    *ret_config = config;
    return 0;
}

static bool list_inside(const struct pri_config *config, uint32_t at, uint32_t count) {
    const char *base = (const char *)config;
    for (uint32_t i = 0; i < count; i++) {
        if (at >= config->size) {
            return false;
        }
        at += (uint32_t)strlen(base + at) + 1; /* ends inside: the block ends with a zero byte */
    }
    return at <= config->size;
}

bool pri_config_valid(const void *data, size_t size) {
    const struct pri_config *config = data;
    if (size < sizeof *config || config->magic != CONFIG_MAGIC || config->size > size ||
        config->size <= sizeof *config || ((const char *)data)[config->size - 1] != '\0') {
        return false;
    }
    return config->dir >= sizeof *config && config->dir < config->size &&
           config->working_dir < config->size && config->ready < config->size &&
           (config->command_count > 0) != pri_config_has_callbacks(config) &&
           list_inside(config, config->command, config->command_count) &&
           list_inside(config, config->environment, config->environment_count) &&
           (config->plan == 0 ||
            (config->plan % 8 == 0 && config->plan >= sizeof *config &&
             config->plan < config->size &&
             pri_plan_valid(pri_config_plan(config), config->size - config->plan))) &&
           memchr(config->ident.name, '\0', sizeof config->ident.name) != NULL;
}

const struct pri_plan_block *pri_config_plan(const struct pri_config *config) {
    const void *plan = config->plan != 0 ? (const char *)config + config->plan : NULL;
    return plan;
}

const char *pri_config_text(const struct pri_config *config, uint32_t offset) {
    return offset != 0 ? (const char *)config + offset : NULL;
}

const char *pri_config_next(const char *text) {
    return text + strlen(text) + 1;
}

static bool same_part(int part, const uint64_t running[PRI_PART_COUNT],
                      const uint64_t theirs[PRI_PART_COUNT]) {
    switch (part) {
    case PRI_PART_PORT: return theirs[part] == 0 || theirs[part] == running[part];
    case PRI_PART_FINGERPRINT: /* compared between those who give one */
        return theirs[part] == 0 || running[part] == 0 || theirs[part] == running[part];
    default: return theirs[part] == running[part];
    }
}

bool pri_config_accepts(const uint64_t running[PRI_PART_COUNT],
                        const uint64_t theirs[PRI_PART_COUNT], bool share) {
    for (int i = 0; i < PRI_PART_COUNT; i++) {
        if (!same_part(i, running, theirs) && (!share || i == PRI_PART_KIND)) {
            return false;
        }
    }
    return true;
}

int pri_config_compare(const uint64_t running[PRI_PART_COUNT],
                       const uint64_t theirs[PRI_PART_COUNT], bool share, const char *name,
                       uint32_t pid, procref_error *err) {
    static const char *const names[PRI_PART_COUNT] = {
#define PRI_PART_NAME(part, text) text,
        PRI_PARTS(PRI_PART_NAME)
#undef PRI_PART_NAME
    };
    char list[160] = "", how[32] = "is in use";
    if (pri_config_accepts(running, theirs, share)) {
        return 0;
    }
    if (pid != 0) {
        pri_format(how, sizeof how, "runs already (pid %u)", (unsigned)pid);
    }
    if (running[PRI_PART_KIND] != theirs[PRI_PART_KIND]) {
        return pri_fail(err, PROCREF_E_CONFLICT, 0, "",
                        "'%s' %s with another %s: use the same, or another name", name, how,
                        names[PRI_PART_KIND]);
    }
    for (int i = 0; i < PRI_PART_COUNT; i++) {
        if (!same_part(i, running, theirs)) {
            size_t length = strlen(list);
            pri_format(list + length, sizeof list - length, "%s%s", length > 0 ? ", " : "",
                       names[i]);
        }
    }
    return pri_fail(err, PROCREF_E_CONFLICT, 0, "",
                    "'%s' %s with another %s: use the same, another name, or take it as it is "
                    "(share, --share)",
                    name, how, list);
}
