/* procref_info: what is known of a running service. */
#include "core/info.h"

#include <stdlib.h>
#include <string.h>

#include "core/ident.h"
#include "os/folder.h"

/* ---- Making and freeing ---------------------------------------------------------------------- */

procref_info *pri_info_make(void) {
    procref_info *info = calloc(1, sizeof *info);
    if (info != NULL) {
        info->users = 1;
    }
    return info;
}

void pri_info_put(procref_info *info) {
    if (info != NULL && --info->users == 0) {
        free(info->metadata);
        free(info);
    }
}

procref_info *procref_info_new(uint32_t pid, uint16_t port) {
    procref_info *info = pri_info_make();
    if (info != NULL) {
        if (!pri_process_identify(pid, &info->process)) {
            info->process.pid = pid; /* it has ended: never alive, as its start time is not known */
        }
        info->port = port;
    }
    return info;
}

procref_info *procref_info_with_pid(uint32_t pid) {
    return procref_info_new(pid, 0);
}

procref_info *procref_info_copy(const procref_info *info) {
    procref_info *copy = info != NULL ? pri_info_make() : NULL;
    if (copy == NULL) {
        return NULL;
    }
    copy->generation = info->generation;
    copy->process = info->process;
    copy->port = info->port;
    if (info->metadata_size > 0 && !pri_info_load(copy, info->metadata, info->metadata_size)) {
        return procref_info_free(copy);
    }
    return copy;
}

procref_info *procref_info_free(procref_info *info) {
    pri_info_put(info);
    return NULL;
}

/* ---- Process and port ------------------------------------------------------------------------ */

uint32_t procref_info_pid(const procref_info *info) {
    return info->process.pid;
}

uint16_t procref_info_port(const procref_info *info) {
    return info->port;
}

uint64_t procref_info_generation(const procref_info *info) {
    return info->generation;
}

bool procref_info_is_alive(const procref_info *info) {
    return info->process.pid != 0 && pri_process_alive(&info->process);
}

int procref_info_set_pid(procref_info *info, uint32_t pid) {
    struct pri_process process = {0};
    if (info == NULL || info->sealed || pid == 1 || pid == pri_own_pid()) {
        return PROCREF_E_INVALID;
    }
    if (pid != 0 && (!pri_process_runs(pid) || !pri_process_identify(pid, &process))) {
        return PROCREF_E_NOT_FOUND; /* a mere thread's id is no process either */
    }
    info->process = process;
    return info->naming != NULL ? info->naming->name(info->naming, &process) : 0;
}

int procref_info_set_port(procref_info *info, uint16_t port) {
    if (info == NULL || info->sealed) {
        return PROCREF_E_INVALID;
    }
    info->port = port;
    return 0;
}

/* ---- Metadata -------------------------------------------------------------------------------- */

static const char *end_of(const procref_info *info) {
    return info->metadata + info->metadata_size;
}

static const char *next_text(const char *text) {
    return text + strlen(text) + 1;
}

/* Where the pair of this key begins; NULL if it is not set. */
static const char *find(const procref_info *info, const char *key) {
    if (info->metadata == NULL) {
        return NULL;
    }
    for (const char *at = info->metadata; at < end_of(info); at = next_text(next_text(at))) {
        if (strcmp(at, key) == 0) {
            return at;
        }
    }
    return NULL;
}

static bool is_text(const char *text) {
    bool control;
    return pri_utf8_valid(text, &control);
}

/* Whether it is what procref_info_set_metadata() makes; of a key that is there twice the first
 * counts. */
static bool is_well_formed(const char *bytes, size_t size) {
    size_t ends = 0;
    for (size_t i = 0; i < size; i++) {
        ends += bytes[i] == '\0';
    }
    if (bytes[size - 1] != '\0' || ends % 2 != 0) {
        return false;
    }
    for (const char *key = bytes; key < bytes + size; key = next_text(next_text(key))) {
        if (key[0] == '\0' || !is_text(key) || !is_text(next_text(key))) {
            return false;
        }
    }
    return true;
}

bool pri_info_load(procref_info *info, const char *bytes, size_t size) {
    bool fits = size > 0 && size <= PROCREF_METADATA_MAX;
    char *copy = fits ? malloc(size) : NULL;
    if (fits && copy == NULL) {
        return false;
    }
    if (fits) {
        memcpy(copy, bytes, size); /* before it is looked at: it may be on a shared page */
        if (!is_well_formed(copy, size)) {
            free(copy);
            copy = NULL;
        }
    }
    free(info->metadata);
    info->metadata = copy;
    info->metadata_size = copy != NULL ? (uint32_t)size : 0;
    return true;
}

int procref_info_set_metadata(procref_info *info, const char *key, const char *value) {
    if (info == NULL || info->sealed || key == NULL || key[0] == '\0' || !is_text(key) ||
        (value != NULL && !is_text(value))) {
        return PROCREF_E_INVALID;
    }
    /* The value that is there is replaced in its place; a new pair comes last. */
    const char *old = find(info, key);
    size_t before = old != NULL ? (size_t)(old - info->metadata) : info->metadata_size;
    size_t replaced = old != NULL ? (size_t)(next_text(next_text(old)) - old) : 0;
    size_t after = info->metadata_size - before - replaced;
    size_t key_size = strlen(key) + 1, value_size = value != NULL ? strlen(value) + 1 : 0;
    size_t pair = value != NULL ? key_size + value_size : 0;
    if (key_size > PROCREF_METADATA_MAX || value_size > PROCREF_METADATA_MAX ||
        before + pair + after > PROCREF_METADATA_MAX) {
        return PROCREF_E_LIMIT;
    }
    size_t size = before + pair + after;
    char *made = size > 0 ? malloc(size) : NULL;
    if (size > 0 && made == NULL) {
        return PROCREF_E_NO_MEMORY;
    }
    if (before > 0) {
        memcpy(made, info->metadata, before);
    }
    if (value != NULL) {
        memcpy(made + before, key, key_size);
        memcpy(made + before + key_size, value, value_size);
    }
    if (after > 0) {
        memcpy(made + before + pair, info->metadata + before + replaced, after);
    }
    free(info->metadata);
    info->metadata = made;
    info->metadata_size = (uint32_t)size;
    return 0;
}

const char *procref_info_get_metadata(const procref_info *info, const char *key) {
    const char *at = key != NULL ? find(info, key) : NULL;
    return at != NULL ? next_text(at) : NULL;
}

bool procref_info_metadata_at(const procref_info *info, size_t index, const char **ret_key,
                              const char **ret_value) {
    const char *at = info->metadata;
    while (at != NULL && at < end_of(info) && index > 0) {
        at = next_text(next_text(at));
        index--;
    }
    if (at == NULL || at >= end_of(info)) {
        return false;
    }
    *ret_key = at;
    *ret_value = next_text(at);
    return true;
}
