/*
 * %-specifiers, as the user's own service manager resolves them (systemd.unit(5), "Specifiers").
 * systemd keeps an unknown one as it is; here it is an error.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/unit/loader.h"

enum { SPECIFIED_MOST = 1024 * 1024 };

/* A folder that the environment names, if it does. */
static const char *from_environment(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && value[0] == '/' ? value : NULL;
}

const char *unit_home(struct loader *l) {
    const char *home = from_environment("HOME");
    struct passwd *user = home == NULL ? getpwuid(getuid()) : NULL;
    if (user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/') {
        home = user->pw_dir;
    }
    return home != NULL ? unit_copy(l, home, strlen(home)) : "/";
}

const char *unit_directory_root(struct loader *l, enum directory_kind kind) {
    static const char *const variables[DIR_KINDS] = {[DIR_RUNTIME] = "XDG_RUNTIME_DIR",
                                                     [DIR_STATE] = "XDG_CONFIG_HOME",
                                                     [DIR_CACHE] = "XDG_CACHE_HOME",
                                                     [DIR_LOGS] = "XDG_CONFIG_HOME",
                                                     [DIR_CONFIGURATION] = "XDG_CONFIG_HOME"};
    const char *root = from_environment(variables[kind]);
    if (kind == DIR_RUNTIME) {
        if (l->options != NULL && l->options->runtime_dir != NULL) {
            return l->options->runtime_dir;
        }
        return root != NULL ? root : unit_text(l, "/run/user/%u", (unsigned)getuid());
    }
    if (root == NULL) {
        root = unit_text(l, "%s/%s", unit_home(l), kind == DIR_CACHE ? ".cache" : ".config");
    }
    return kind == DIR_LOGS ? unit_text(l, "%s/log", root) : root;
}

static const char *temporary(const char *otherwise) {
    static const char *const variables[] = {"TMPDIR", "TEMP", "TMP"};
    struct stat st;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *dir = from_environment(variables[i]);
        if (dir != NULL && stat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
            return dir;
        }
    }
    return otherwise;
}

/* The first line of a small file. */
static const char *line_of(struct loader *l, const char *path) {
    char line[256] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    const char *got = fgets(line, sizeof line, file);
    fclose(file);
    return got != NULL ? unit_copy(l, line, strcspn(line, "\n")) : NULL;
}

static const char *without_dashes(struct loader *l, const char *id) {
    char *to = id != NULL ? unit_get(l, strlen(id) + 1) : NULL;
    for (char *c = to; c != NULL && *id != '\0'; id++) {
        if (*id != '-') {
            *c++ = *id;
        }
    }
    return to;
}

/* A field of /etc/os-release or /etc/machine-info; "" if it is not set. */
static const char *field_of(struct loader *l, const char *path, const char *field) {
    char line[512];
    size_t length = strlen(field);
    const char *found = "";
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, field, length) == 0 && line[length] == '=') {
            char *value = line + length + 1;
            value[strcspn(value, "\n")] = '\0';
            size_t end = strlen(value);
            if (end >= 2 && (value[0] == '"' || value[0] == '\'') && value[end - 1] == value[0]) {
                value[end - 1] = '\0';
                value++;
            }
            found = unit_copy(l, value, strlen(value));
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static const char *os_release(struct loader *l, const char *field) {
    const char *path =
        access("/etc/os-release", R_OK) == 0 ? "/etc/os-release" : "/usr/lib/os-release";
    return field_of(l, path, field);
}

static const char *architecture(struct loader *l, const char *machine) {
    static const char *const names[][2] = {{"x86_64", "x86-64"},
                                           {"i686", "x86"},
                                           {"i586", "x86"},
                                           {"i486", "x86"},
                                           {"i386", "x86"},
                                           {"aarch64", "arm64"},
                                           {"aarch64_be", "arm64-be"},
                                           {"armv7l", "arm"},
                                           {"armv6l", "arm"},
                                           {"armv8l", "arm"},
                                           {"ppc64le", "ppc64-le"},
                                           {"ppcle", "ppc-le"},
                                           {"mips64", "mips64"},
                                           {"parisc64", "parisc64"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(machine, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return unit_copy(l, machine, strlen(machine));
}

static const char *of_the_system(struct loader *l, char letter) {
    struct utsname name;
    if (uname(&name) != 0) {
        return NULL;
    }
    switch (letter) {
    case 'a': return architecture(l, name.machine);
    case 'v': return unit_copy(l, name.release, strlen(name.release));
    case 'H': return unit_copy(l, name.nodename, strlen(name.nodename));
    case 'l': return unit_copy(l, name.nodename, strcspn(name.nodename, "."));
    default: break;
    }
    const char *pretty = field_of(l, "/etc/machine-info", "PRETTY_HOSTNAME"); /* 'q' */
    return *pretty != '\0' ? pretty : unit_copy(l, name.nodename, strcspn(name.nodename, "."));
}

static const char *of_the_user(struct loader *l, char letter) {
    struct passwd *user;
    struct group *group;
    const char *shell;
    switch (letter) {
    case 'U': return unit_text(l, "%u", (unsigned)getuid());
    case 'G': return unit_text(l, "%u", (unsigned)getgid());
    case 'h': return unit_home(l);
    case 'g':
        group = getgrgid(getgid());
        return group != NULL ? unit_copy(l, group->gr_name, strlen(group->gr_name))
                             : unit_text(l, "%u", (unsigned)getgid());
    case 's':
        shell = from_environment("SHELL");
        if (shell != NULL) {
            return shell;
        }
        user = getpwuid(getuid());
        return user != NULL && user->pw_shell[0] == '/'
                   ? unit_copy(l, user->pw_shell, strlen(user->pw_shell))
                   : "/bin/sh";
    default:
        user = getpwuid(getuid()); /* 'u' */
        return user != NULL ? unit_copy(l, user->pw_name, strlen(user->pw_name))
                            : unit_text(l, "%u", (unsigned)getuid());
    }
}

/* "-" stands for "/", "\xHH" for a byte. */
static char *unescape(struct loader *l, const char *text, bool path) {
    char *to = unit_get(l, strlen(text) + 2), *c = to;
    if (path && *text != '/') {
        *c++ = '/';
    }
    if (path && text[0] == '-' && text[1] == '\0') {
        return to; /* the root itself */
    }
    while (*text != '\0') {
        unsigned byte;
        int length = 0;
        if (text[0] == '\\' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
            sscanf(text + 2, "%2x%n", &byte, &length) == 1 && length == 2 && byte != 0) {
            *c++ = (char)byte;
            text += 4;
        } else {
            *c++ = (char)(*text == '-' ? '/' : *text);
            text++;
        }
    }
    return to;
}

static const char *of_the_name(struct loader *l, char letter) {
    const char *name = l->unit->name, *at = strchr(name, '@');
    const char *instance = at != NULL ? at + 1 : "";
    const char *prefix = at != NULL ? unit_copy(l, name, (size_t)(at - name)) : name;
    const char *dash = strrchr(prefix, '-'), *last = dash != NULL ? dash + 1 : prefix;
    switch (letter) {
    case 'n': return unit_text(l, "%s.service", name);
    case 'N': return name;
    case 'p': return prefix;
    case 'P': return unescape(l, prefix, false);
    case 'i': return instance;
    case 'I': return unescape(l, instance, false);
    case 'j': return last;
    case 'J': return unescape(l, last, false);
    default: return unescape(l, *instance != '\0' ? instance : prefix, true); /* 'f' */
    }
}

static const char *find_value(struct loader *l, char letter) {
    switch (letter) {
    case '%': return "%";
    case 'h':
    case 'u':
    case 'U':
    case 'g':
    case 'G':
    case 's': return of_the_user(l, letter);
    case 'n':
    case 'N':
    case 'p':
    case 'P':
    case 'i':
    case 'I':
    case 'j':
    case 'J':
    case 'f': return of_the_name(l, letter);
    case 'a':
    case 'v':
    case 'H':
    case 'l':
    case 'q': return of_the_system(l, letter);
    case 't': return unit_directory_root(l, DIR_RUNTIME);
    case 'S': return unit_directory_root(l, DIR_STATE);
    case 'C': return unit_directory_root(l, DIR_CACHE);
    case 'L': return unit_directory_root(l, DIR_LOGS);
    case 'E': return unit_directory_root(l, DIR_CONFIGURATION);
    case 'T': return temporary("/tmp");
    case 'V': return temporary("/var/tmp");
    case 'b': return without_dashes(l, line_of(l, "/proc/sys/kernel/random/boot_id"));
    case 'm': return line_of(l, "/etc/machine-id");
    case 'o': return os_release(l, "ID");
    case 'w': return os_release(l, "VERSION_ID");
    case 'W': return os_release(l, "VARIANT_ID");
    case 'A': return os_release(l, "IMAGE_VERSION");
    case 'M': return os_release(l, "IMAGE_ID");
    case 'B': return os_release(l, "BUILD_ID");
    case 'y': return l->fragment;
    case 'Y': return l->unit->folder;
    default: return NULL;
    }
}

static const char *resolve(struct loader *l, char letter) {
    size_t index = (unsigned char)letter;
    if (index >= sizeof l->specifiers / sizeof l->specifiers[0]) {
        return NULL;
    }
    if (l->specifiers[index] == NULL) {
        l->specifiers[index] = find_value(l, letter);
    }
    return l->specifiers[index];
}

static bool check(struct loader *l, const char *text, size_t *ret_size) {
    const char *key = l->key != NULL ? l->key->name : "";
    *ret_size = 0;
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            ++*ret_size;
            continue;
        }
        const char *value = resolve(l, *++text);
        if (value == NULL && (*text <= ' ' || *text >= 0x7f)) {
            unit_find(l, UNIT_ERROR, "%s=: a single %%: for a percent sign use %%%%", key);
            return false;
        }
        if (value == NULL) {
            unit_find(l, UNIT_ERROR,
                      "%s=: the specifier %%%c is unknown, or has no value here: for a percent "
                      "sign use %%%%",
                      key, *text);
            return false;
        }
        *ret_size += strlen(value);
    }
    if (*ret_size > SPECIFIED_MOST) {
        unit_find(l, UNIT_ERROR, "%s=: the value is longer than 1 MiB with its specifiers", key);
        return false;
    }
    return true;
}

const char *unit_specify(struct loader *l, const char *text) {
    size_t size, used = 0;
    if (!check(l, text, &size)) {
        return NULL;
    }
    char *to = unit_get(l, size + 1);
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            const char *value = resolve(l, *++text);
            size_t length = strlen(value);
            memcpy(to + used, value, length);
            used += length;
        } else {
            to[used++] = *text;
        }
    }
    return to;
}
