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

/* The last component, or the one before it if that is a project's own folder. */
static const char *component(const char *folder, size_t *ret_length) {
    static const char own[] = "/.procref";
    size_t end = strlen(folder), tail = sizeof own - 1;
    end -= end > tail && strcmp(folder + end - tail, own) == 0 ? tail : 0;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/') {
        begin--;
    }
    *ret_length = end - begin;
    return folder + begin;
}

/* Letters and digits of it, so that a look into the runtime folder tells whose is what; the hash
 * alone is what counts. */
static void readable(const char *folder, char to[READABLE + 1]) {
    size_t length, at;
    const char *base = component(folder, &length);
    for (at = 0; at < length && at < READABLE; at++) {
        char c = base[at];
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (at > 0 && (c == '_' || c == '.' || c == '-'));
        to[at] = safe ? c : '_';
    }
    to[at] = '\0';
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
