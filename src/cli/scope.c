/* The folders of scopes (scope.h). */
#include "cli/scope.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/hash.h"

enum { READABLE = 20 };

void scope_canonical(const char *path, char ret_path[PRI_PATH_SIZE]) {
    char parent[PRI_PATH_SIZE], found[PRI_PATH_SIZE];
    if (realpath(path, found) != NULL) {
        memcpy(ret_path, found, strlen(found) + 1);
        return;
    }
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash > path ? (int)(slash - path) : 1,
             slash != NULL ? path : ".");
    if (realpath(parent, found) == NULL) {
        pri_format(ret_path, PRI_PATH_SIZE, "%s", path);
        return;
    }
    size_t length = strcmp(found, "/") == 0 ? 0 : strlen(found);
    memcpy(ret_path, found, length);
    pri_format(ret_path + length, PRI_PATH_SIZE - length, "/%s", slash != NULL ? slash + 1 : path);
}

static const char *last_component(const char *folder, const char *end) {
    while (end > folder && end[-1] != '/') {
        end--;
    }
    return end;
}

/* Letters and digits of the last component, so that a look into the runtime folder tells whose is
 * what; the hash alone is what counts. Of a project's .procref it is the project that tells. */
static void readable(const char *folder, char to[READABLE + 1]) {
    const char *end = folder + strlen(folder), *base = last_component(folder, end);
    size_t length = 0;
    if (strcmp(base, ".procref") == 0 && base - folder > 1) {
        end = base - 1;
        base = last_component(folder, end);
    }
    for (; base < end && length < READABLE; base++) {
        bool safe = (*base >= 'a' && *base <= 'z') || (*base >= 'A' && *base <= 'Z') ||
                    (*base >= '0' && *base <= '9') || (*base == '_' && length > 0) ||
                    (*base == '.' && length > 0) || (*base == '-' && length > 0);
        to[length++] = safe ? *base : '_';
    }
    to[length] = '\0';
}

void scope_of_folder(const char *folder, char ret_path[PRI_PATH_SIZE]) {
    char runtime[PRI_PATH_SIZE], name[READABLE + 1];
    pri_folder_default(runtime);
    readable(folder, name);
    pri_format(ret_path, PRI_PATH_SIZE, "%s/%s-%016" PRIx64, runtime, name,
               pri_hash_text(0, folder));
}

int scope_make_runtime(procref_error *err) {
    char runtime[PRI_PATH_SIZE], canonical[PRI_PATH_SIZE];
    struct stat status;
    pri_folder_default(runtime);
    if (lstat(runtime, &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != geteuid()) {
        return pri_fail(err, PROCREF_E_PERMISSION, 0, "lstat",
                        "'%s' is a link that user %u made: remove it, or set XDG_RUNTIME_DIR",
                        runtime, (unsigned)status.st_uid);
    }
    return pri_folder_claim(runtime, canonical, err);
}
