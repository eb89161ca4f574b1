/* Where a service belongs (place.h). */
#include "cli/place.h"

#include <string.h>
#include <unistd.h>

#include "cli/because.h"
#include "cli/scope.h"
#include "core/fail.h"

enum { HASH_LENGTH = 16 };

static bool is_users(const struct look *look) {
    char folder[PRI_PATH_SIZE], canonical[PRI_PATH_SIZE];
    pri_folder_default(folder);
    scope_canonical(folder, canonical);
    return strcmp(look->dir, folder) == 0 || strcmp(look->dir, canonical) == 0;
}

const char *place_scope(const struct look *look) {
    return is_users(look) ? "user" : look->dir;
}

void place_scope_word(const struct look *look, char *to, size_t size) {
    const char *scope = place_scope(look), *slash = strrchr(scope, '/');
    const char *word = slash != NULL ? slash + 1 : scope;
    size_t length = strlen(word);
    /* A project's is called FOLDER-HASH (scope.h). */
    if (slash != NULL && length > HASH_LENGTH + 1 && word[length - HASH_LENGTH - 1] == '-' &&
        strspn(word + length - HASH_LENGTH, "0123456789abcdef") == HASH_LENGTH) {
        length -= HASH_LENGTH + 1;
    }
    pri_format(to, size, "%.*s", (int)length, word);
}

const char *place_log(const struct look *look, char *to, size_t size) {
    char file[256];
    to[0] = '\0';
    if (look->dir[0] != '\0' && look->name[0] != '\0' && !look->status.callbacks) {
        pri_file_name(look->name, ".log", file);
        pri_format(to, size, "%s/%s", look->dir, file);
        if (access(to, F_OK) < 0) {
            to[0] = '\0'; /* not written where anybody may write, or removed */
        }
    }
    return to;
}

int64_t place_up_since(const struct look *look) {
    if (look->found != LOOK_KEPT) {
        return look->status.launched_ms;
    }
    const char *word = because_state(look);
    bool up = strcmp(word, "up") == 0 || strcmp(word, "lingering") == 0;
    return up ? look->status.up_ms : 0;
}
