/*
 * A service's configuration: checked, copied, carried to the keeper, compared.
 *
 * It lives in one block of memory, the same in client and keeper: a fixed head, then its strings.
 * When a pair is spawned the block is written to a memory file, followed by the starter's
 * environment.
 */
#ifndef PRI_CONFIG_H
#define PRI_CONFIG_H

#include "core/ident.h"
#include "core/plan.h"

/* What must be equal for two clients to share a service, and the name under which a difference is
 * told. */
#define PRI_PARTS(X)                                                                               \
    X(KIND, "kind (command or functions)")                                                         \
    X(COMMAND, "command")                                                                          \
    X(ENVIRONMENT, "environment")                                                                  \
    X(WORKING_DIR, "working_dir")                                                                  \
    X(PORT, "port")                                                                                \
    X(FINGERPRINT, "fingerprint")                                                                  \
    X(PLAN, "service file")
enum {
#define PRI_PART_ENUM(name, text) PRI_PART_##name,
    PRI_PARTS(PRI_PART_ENUM)
#undef PRI_PART_ENUM
        PRI_PART_COUNT,
};

/* The part KIND: who starts the service. */
enum { PRI_KIND_COMMAND = 0, PRI_KIND_CALLBACKS = 1 };

struct pri_config {
    uint32_t magic;
    uint32_t size; /* of the whole block */
    struct pri_ident ident;
    uint64_t parts[PRI_PART_COUNT];
    uint32_t command_count, environment_count; /* command_count 0: a service with callbacks */
    uint32_t dir, working_dir, ready, command, environment; /* offsets of strings; 0: NULL. Lists
                                                               are strings one after the other. */
    uint32_t plan; /* offset of a struct pri_plan_block; 0: none */
    uint16_t port;
    bool share;
    int32_t restart, stop_signal;
    int64_t start_timeout_ms, stop_timeout_ms, linger_ms; /* -1: none; defaults are filled in */
};

/* Checks the caller's struct and makes the block, which the caller frees with free(). plan: NULL
 * for none. */
int pri_config_make(const procref_service_config *from, const struct pri_plan *plan,
                    struct pri_config **ret_config, procref_error *err);

/* Whether size bytes at data begin with a block that can be used: the keeper trusts no input
 * blindly. */
bool pri_config_valid(const void *data, size_t size);

/* What a service file says beyond the command; NULL without one. */
const struct pri_plan_block *pri_config_plan(const struct pri_config *config);

/* The string at an offset, NULL for 0. */
const char *pri_config_text(const struct pri_config *config, uint32_t offset);

/* The string after text in a list. */
const char *pri_config_next(const char *text);

static inline bool pri_config_has_callbacks(const struct pri_config *config) {
    return config->parts[PRI_PART_KIND] == PRI_KIND_CALLBACKS;
}

/* Up without any process: nothing but its end by procref ends it. */
static inline bool pri_config_has_no_process(const struct pri_config *config) {
    const struct pri_plan_block *plan = pri_config_plan(config);
    return plan != NULL && plan->type == PRI_TYPE_ONESHOT;
}

/*
 * Whether who asks for theirs may have what runs. share overlooks every part but the kind, on which
 * it depends how a reference is given back.
 */
bool pri_config_accepts(const uint64_t running[PRI_PART_COUNT],
                        const uint64_t theirs[PRI_PART_COUNT], bool share);

/* 0, or CONFLICT with a message that names the parts in which theirs differs from what runs, and
 * pid unless it is 0. */
int pri_config_compare(const uint64_t running[PRI_PART_COUNT],
                       const uint64_t theirs[PRI_PART_COUNT], bool share, const char *name,
                       uint32_t pid, procref_error *err);

#endif
