/* Paths in values, as systemd takes them: absolute, without "..", and made short. */
#include <limits.h>
#include <string.h>

#include "cli/unit/loader.h"

bool unit_leads_up(const char *path) {
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            return true;
        }
        path += length + strspn(path + length, "/");
    }
    return false;
}

const char *unit_simplify(struct loader *l, const char *path) {
    char *to = unit_get(l, strlen(path) + 1), *put = to;
    bool absolute = *path == '/';
    while (*path != '\0') {
        size_t slashes = strspn(path, "/"), length = strcspn(path + slashes, "/");
        if (length > 0 && !(length == 1 && path[slashes] == '.')) {
            if (absolute || put > to) {
                *put++ = '/';
            }
            memcpy(put, path + slashes, length);
            put += length;
        }
        path += slashes + length;
    }
    if (absolute && put == to) {
        *put = '/';
    }
    return to;
}

const char *unit_path(struct loader *l, const char *text, const char *below) {
    const char *path = unit_specify(l, text);
    if (path == NULL) {
        return NULL;
    }
    if (below != NULL && path[0] != '/') {
        path = unit_text(l, "%s/%s", below, path);
    }
    if (path[0] != '/' || unit_leads_up(path) || strlen(path) >= PATH_MAX) {
        unit_bad(l, path, "an absolute path without '..'");
        return NULL;
    }
    return unit_simplify(l, path);
}
