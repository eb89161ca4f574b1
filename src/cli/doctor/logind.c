/*
 * doctor: does logind remove this user's semaphores at logout (logind.conf(5), RemoveIPC=)? It
 * does by default, for users who are no system users, when the last of their sessions ends.
 */
#include <dirent.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "os/folder.h"

enum { SYSTEM_UID_MAX = 999, FILES_MOST = 128 };

/* A file in an earlier folder hides one of its name in a later one (logind.conf(5)). */
static const char *const folders[] = {"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
                                      "/usr/lib/systemd", "/lib/systemd"};
enum { FOLDER_COUNT = sizeof folders / sizeof folders[0] };

static bool boolean(const char *value, bool otherwise) {
    static const char *const yes[] = {"1", "yes", "y", "true", "t", "on"};
    static const char *const no[] = {"0", "no", "n", "false", "f", "off"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(value, yes[i]) == 0) {
            return true;
        }
        if (strcasecmp(value, no[i]) == 0) {
            return false;
        }
    }
    return otherwise;
}

static char *trim(char *text) {
    static const char space[] = " \t\r\n";
    text += strspn(text, space);
    size_t length = strlen(text);
    while (length > 0 && strchr(space, text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

static void read_file(const char *path, bool *removes, char *ret_file, size_t size) {
    char line[1024];
    bool login = false;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *text = trim(line), *equals = strchr(text, '=');
        if (text[0] == '[') {
            login = strcmp(text, "[Login]") == 0;
        } else if (login && equals != NULL && text[0] != '#' && text[0] != ';') {
            *equals = '\0';
            if (strcmp(trim(text), "RemoveIPC") == 0) {
                char *value = trim(equals + 1);
                *removes = value[0] == '\0' || boolean(value, *removes);
                snprintf(ret_file, size, "%s", path);
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

struct drop_in {
    char name[NAME_MAX + 1];
    int folder;
};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static int add_drop_ins(const char *root, int folder, struct drop_in *list, int count) {
    char path[PATH_MAX];
    struct dirent *entry;
    snprintf(path, sizeof path, "%s%s/logind.conf.d", root, folders[folder]);
    DIR *directory = opendir(path);
    while (directory != NULL && count < FILES_MOST && (entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);
        bool hidden = length <= 5 || strcmp(entry->d_name + length - 5, ".conf") != 0;
        for (int i = 0; i < count; i++) {
            hidden = hidden || strcmp(list[i].name, entry->d_name) == 0;
        }
        if (!hidden) {
            snprintf(list[count].name, sizeof list[count].name, "%s", entry->d_name);
            list[count++].folder = folder;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

bool doctor_removes_ipc(const char *root, char *ret_file, size_t size) {
    static struct drop_in list[FILES_MOST];
    char path[PATH_MAX + NAME_MAX];
    bool removes = true;
    int count = 0;
    ret_file[0] = '\0';
    for (int i = 0; i < FOLDER_COUNT; i++) {
        snprintf(path, sizeof path, "%s%s/logind.conf", root, folders[i]);
        if (access(path, R_OK) == 0) {
            read_file(path, &removes, ret_file, size);
            break;
        }
    }
    for (int i = 0; i < FOLDER_COUNT; i++) {
        count = add_drop_ins(root, i, list, count);
    }
    qsort(list, (size_t)count, sizeof list[0], by_name);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s%s/logind.conf.d/%.255s", root, folders[list[i].folder],
                 list[i].name);
        read_file(path, &removes, ret_file, size);
    }
    return removes;
}

/* The folders alone say little: images of containers have them, too. */
static bool logind_runs(void) {
    DIR *proc = opendir("/proc");
    bool runs = access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
    struct dirent *entry;
    while (proc != NULL && !runs && (entry = readdir(proc)) != NULL) {
        char path[64], name[64];
        snprintf(path, sizeof path, "/proc/%.32s/comm", entry->d_name);
        runs = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
               pri_read_text(path, name, sizeof name) > 0 &&
               (strcmp(name, "systemd-logind\n") == 0 || strcmp(name, "elogind\n") == 0 ||
                strcmp(name, "elogind-daemon\n") == 0);
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return runs;
}

void doctor_logout(void) {
    static const char what[] = "logout";
    char file[PATH_MAX + NAME_MAX], linger[128] = "";
    const struct passwd *user = getpwuid(geteuid());
    const char *name = user != NULL ? user->pw_name : "USER";
    snprintf(linger, sizeof linger, "/var/lib/systemd/linger/%.64s", name);
    bool removes = doctor_removes_ipc("", file, sizeof file);
    if (!logind_runs()) {
        doctor_say(DOCTOR_OK, what, "no systemd-logind here, nobody removes semaphores");
    } else if (!removes) {
        doctor_say(DOCTOR_OK, what, "RemoveIPC=no (%s)", file);
    } else if (geteuid() <= SYSTEM_UID_MAX) {
        doctor_say(DOCTOR_OK, what, "RemoveIPC= does not concern system users such as %s", name);
    } else if (access(linger, F_OK) == 0) {
        doctor_say(DOCTOR_OK, what, "%s lingers, so RemoveIPC= removes nothing at logout", name);
    } else {
        doctor_say(DOCTOR_WARN, what,
                   "logind removes your semaphores after the last session (RemoveIPC=yes%s%s); a "
                   "service that somebody still holds then is kept and counted by its keeper; "
                   "loginctl enable-linger %s avoids it",
                   file[0] != '\0' ? ", " : ", the default", file, name);
    }
}
