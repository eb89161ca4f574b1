/* Finding service files by name (lookup.h). They are read elsewhere. */
#include "cli/lookup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/fail.h"

static const char suffix[] = ".service";

/* ---- The places ------------------------------------------------------------------------------ */

static void add(struct lookup *l, const char *folder, const char *below) {
    char path[PRI_PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s%s", folder, below);
    if (l->count < LOOKUP_PLACES && length > 0 && (size_t)length < sizeof path) {
        l->places[l->count++] = strdup(path);
    }
}

static bool is_folder(const char *path, struct stat *ret_status) {
    return stat(path, ret_status) == 0 && S_ISDIR(ret_status->st_mode);
}

/*
 * The project's .procref/: the first on the way up. Not above the home, and not through a folder of
 * another user than root: what is above it is that user's business.
 */
static void add_project(struct lookup *l) {
    char folder[PRI_PATH_SIZE], below[PRI_PATH_SIZE + 16], home[PRI_PATH_SIZE];
    struct stat status;
    const char *wanted = getenv("HOME");
    if (wanted == NULL || realpath(wanted, home) == NULL) {
        home[0] = '\0';
    }
    if (getcwd(folder, sizeof folder) == NULL) {
        return;
    }
    for (bool here = true; strcmp(folder, "/") != 0; here = false) {
        snprintf(below, sizeof below, "%s/.procref", folder);
        if (!is_folder(folder, &status) || (status.st_uid != geteuid() && status.st_uid != 0)) {
            return;
        }
        if (is_folder(below, &status)) {
            if (!here) { /* ./.procref is in the list already */
                add(l, below, "");
            }
            return;
        }
        if (strcmp(folder, home) == 0) {
            return;
        }
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
    }
}

/* Those of PROCREF_RECIPES; else beside this program, as it is installed and moved; else where it
 * was to be installed. */
static void add_recipes(struct lookup *l) {
    char path[PRI_PATH_SIZE];
    struct stat status;
    const char *given = pri_environment("PROCREF_RECIPES");
    if (given != NULL && given[0] == '/') {
        add(l, given, "");
        return;
    }
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    if (length > 0) {
        path[length] = '\0';
        for (int i = 0; i < 2; i++) {
            char *slash = strrchr(path, '/');
            *(slash != NULL ? slash : path) = '\0';
        }
        strcat(path, "/share/procref/services");
        if (is_folder(path, &status)) {
            add(l, path, "");
            return;
        }
    }
    add(l, PRI_RECIPES_PATH, "");
}

static void list_places(struct lookup *l, const char *first) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    l->count = 0;
    if (first != NULL) {
        add(l, first, "");
    }
    add(l, ".", "");
    add(l, "./.procref", "");
    add_project(l);
    if (config != NULL && config[0] == '/') {
        add(l, config, "/procref");
    } else if (home != NULL && home[0] == '/') {
        add(l, home, "/.config/procref");
    }
    add(l, "/etc/procref", "");
    add_recipes(l);
}

/* ---- Names and files ------------------------------------------------------------------------- */

void lookup_folder(const char *path, char ret_folder[PRI_PATH_SIZE]) {
    const char *slash = strrchr(path, '/');
    pri_format(ret_folder, PRI_PATH_SIZE, "%.*s",
               slash != NULL && slash > path ? (int)(slash - path) : 1, slash != NULL ? path : ".");
}

bool lookup_service_name(const char *path, char ret_name[256]) {
    const char *base = strrchr(path, '/');
    base = base != NULL ? base + 1 : path;
    size_t length = strlen(base), tail = sizeof suffix - 1;
    if (length <= tail || length - tail > 255 || strcmp(base + length - tail, suffix) != 0) {
        return false;
    }
    memcpy(ret_name, base, length - tail);
    ret_name[length - tail] = '\0';
    return true;
}

bool lookup_is_template(const char *path) {
    char name[256];
    return lookup_service_name(path, name) && name[strlen(name) - 1] == '@';
}

/* FOLDER/NAME.service, else FOLDER/TEMPLATE@.service. */
static bool in_folder(const char *folder, const char *name, char ret_path[PRI_PATH_SIZE],
                      struct stat *ret_status) {
    const char *at = strchr(name, '@');
    int length = snprintf(ret_path, PRI_PATH_SIZE, "%s/%s%s", folder, name, suffix);
    if (length > 0 && length < PRI_PATH_SIZE && stat(ret_path, ret_status) == 0) {
        return true;
    }
    if (at == NULL || at[1] == '\0') {
        return false;
    }
    length =
        snprintf(ret_path, PRI_PATH_SIZE, "%s/%.*s%s", folder, (int)(at - name) + 1, name, suffix);
    return length > 0 && length < PRI_PATH_SIZE && stat(ret_path, ret_status) == 0;
}

/* ---- Not found ------------------------------------------------------------------------------- */

static const char to_nothing[] = "%.900s is a link to nothing: no file is there";

static const char *nearest(const struct lookup *l, const char *wanted, const char *const *more,
                           size_t n) {
    enum { MOST = 256 };
    static char names[MOST][256];
    const char *list[MOST];
    int count = 0;
    for (; n > 0 && count < MOST; n--) {
        pri_format(names[count], sizeof names[count], "%s", more[n - 1]);
        list[count] = names[count];
        count += strcmp(names[count], wanted) != 0; /* one that was started since is not meant */
    }
    for (int i = 0; i < l->count; i++) {
        DIR *folder = opendir(l->places[i]);
        for (const struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
            if (count < MOST && lookup_service_name(e->d_name, names[count]) &&
                strcmp(names[count], wanted) != 0) { /* a link to nothing */
                list[count] = names[count];
                count++;
            }
        }
        if (folder != NULL) {
            closedir(folder);
        }
    }
    return cli_nearest(wanted, list, count);
}

/* A link that leads nowhere is there for who looks into the folder. */
static bool find_dangling(const struct lookup *l, const char *name, char ret_path[PRI_PATH_SIZE]) {
    struct stat status;
    for (int i = 0; i < l->count; i++) {
        int length = snprintf(ret_path, PRI_PATH_SIZE, "%s/%s%s", l->places[i], name, suffix);
        if (length > 0 && length < PRI_PATH_SIZE && lstat(ret_path, &status) == 0) {
            return true;
        }
    }
    return false;
}

static int not_found(const struct lookup *l, const char *name, const char *required_by,
                     char *ret_why) {
    char where[640] = "", dangling[PRI_PATH_SIZE];
    if (find_dangling(l, name, dangling)) {
        pri_format(ret_why, LOOKUP_WHY, to_nothing, dangling);
        return CLI_USAGE;
    }
    for (int i = 0; i < l->count; i++) {
        size_t length = strlen(where);
        pri_format(where + length, sizeof where - length, "%s%s", i > 0 ? ", " : "", l->places[i]);
    }
    const char *meant = nearest(l, name, NULL, 0);
    pri_format(ret_why, LOOKUP_WHY, "no service file '%s%s'%s%s%s%s%s. Looked in %s", name, suffix,
               required_by != NULL ? ", which is required by " : "",
               required_by != NULL ? required_by : "", meant != NULL ? "; the nearest is '" : "",
               meant != NULL ? meant : "", meant != NULL ? "'" : "", where);
    return CLI_USAGE;
}

/* ---- The lookup ------------------------------------------------------------------------------ */

static void forget_places(struct lookup *l) {
    for (int i = 0; i < l->count; i++) {
        free(l->places[i]);
    }
}

const char *lookup_nearest(const char *name, const char *const *more, size_t n) {
    struct lookup l;
    list_places(&l, NULL);
    const char *found = nearest(&l, name, more, n);
    forget_places(&l);
    return found;
}

int lookup_name(const char *name, const char *required_by, char ret_path[PRI_PATH_SIZE],
                char *ret_why) {
    struct lookup l;
    struct stat status;
    char first[PRI_PATH_SIZE];
    int result = 0;
    if (required_by != NULL) {
        lookup_folder(required_by, first);
    }
    list_places(&l, required_by != NULL ? first : NULL);
    for (int i = 0; i < l.count && result == 0; i++) {
        if (in_folder(l.places[i], name, ret_path, &status)) {
            result = -1;
        }
    }
    if (result == 0) {
        result = ret_why == NULL ? CLI_USAGE : not_found(&l, name, required_by, ret_why);
    }
    forget_places(&l);
    return result;
}

int lookup_file(const char *file, char ret_path[PRI_PATH_SIZE]) {
    char folder[PRI_PATH_SIZE], name[256];
    struct stat status;
    if (strlen(file) < PRI_PATH_SIZE && stat(file, &status) == 0) {
        memcpy(ret_path, file, strlen(file) + 1);
        return -1;
    }
    int os = errno;
    if (lstat(file, &status) == 0 && S_ISLNK(status.st_mode)) {
        cli_say(to_nothing, file);
        return CLI_USAGE;
    }
    if (strlen(file) < PRI_PATH_SIZE && lookup_service_name(file, name)) {
        lookup_folder(file, folder);
        if (in_folder(folder, name, ret_path, &status)) {
            return -1;
        }
    }
    cli_say("the service file '%s' cannot be read: %s", file, strerror(os));
    return CLI_USAGE;
}
