/*
 * Prints how systemd itself reads units: "systemd_dump FILE…" loads each in a manager for tests, as
 * `systemd-analyze verify` does, and prints its dump to stdout; what it complains about goes to
 * stderr. By systemd 252's private libraries; without them it ends with 77.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USER_MANAGER = 2, TEST_RUN_MINIMAL = 1 };

static void *open_library(const char *name) {
    static const char *const folders[] = {"/usr/lib/systemd/", "/usr/lib64/systemd/",
                                          "/usr/lib/x86_64-linux-gnu/systemd/",
                                          "/usr/lib/aarch64-linux-gnu/systemd/"};
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof folders / sizeof folders[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", folders[i], name);
        library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    }
    return library;
}

/* ---- exit statuses, which the dump does not tell ----
 *
 * systemd's own reader reads the lines of a key, found here without its rules for continued ones.
 */

static struct {
    int (*config_parse_set_status)(const char *unit, const char *file, unsigned line,
                                   const char *section, unsigned section_line, const char *key,
                                   int ltype, const char *value, void *data, void *unit_data);
    int (*exit_status_set_test)(const void *set, int code, int status);
    const char *(*signal_to_string)(int number);
} theirs;

static bool read_ends(const char *path, const char *key, void *set) {
    char line[4096];
    FILE *file = fopen(path, "r");
    size_t length = strlen(key);
    bool known = file != NULL;
    while (known && fgets(line, sizeof line, file) != NULL) {
        size_t size = strcspn(line, "\n");
        known = size == 0 || line[size - 1] != '\\';
        while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t')) {
            size--;
        }
        line[size] = '\0';
        if (strncmp(line, key, length) == 0) {
            char *value = line + length + strspn(line + length, " \t");
            if (*value == '=') {
                value += 1 + strspn(value + 1, " \t");
                theirs.config_parse_set_status("x.service", path, 1, "Service", 1, key, 0, value,
                                               set, NULL);
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return known;
}

static void dump_ends(const char *path, const char *key) {
    static uint64_t room[64]; /* an ExitStatusSet is four words of it */
    memset(room, 0, sizeof room);
    if (!read_ends(path, key, room)) {
        return;
    }
    printf("\t%s: ", key);
    for (int i = 0; i < 256; i++) {
        if (theirs.exit_status_set_test(room, CLD_EXITED, i)) {
            printf("%d ", i);
        }
    }
    for (int i = 1; i < 64; i++) {
        if (theirs.exit_status_set_test(room, CLD_KILLED, i)) {
            printf("SIG%s ", theirs.signal_to_string(i));
        }
    }
    putchar('\n');
}

int main(int argc, char **argv) {
    void *shared = open_library("libsystemd-shared-252.so");
    void *core = shared != NULL ? open_library("libsystemd-core-252.so") : NULL;
    int (*manager_new)(int scope, int flags, void **ret);
    int (*manager_startup)(void *manager, FILE *serialization, void *fds, const char *root);
    int (*manager_load_unit)(void *manager, const char *name, const char *path, void *error,
                             void **ret);
    void (*unit_dump)(void *unit, FILE *to, const char *prefix);
    void *(*manager_free)(void *manager);
    if (core == NULL) {
        return 77;
    }
    *(void **)&manager_new = dlsym(core, "manager_new");
    *(void **)&manager_startup = dlsym(core, "manager_startup");
    *(void **)&manager_load_unit = dlsym(core, "manager_load_unit");
    *(void **)&unit_dump = dlsym(core, "unit_dump");
    *(void **)&manager_free = dlsym(core, "manager_free");
    *(void **)&theirs.config_parse_set_status = dlsym(core, "config_parse_set_status");
    *(void **)&theirs.exit_status_set_test = dlsym(shared, "exit_status_set_test");
    *(void **)&theirs.signal_to_string = dlsym(shared, "signal_to_string");
    if (manager_free == NULL || theirs.config_parse_set_status == NULL ||
        theirs.exit_status_set_test == NULL || theirs.signal_to_string == NULL ||
        manager_new == NULL || manager_startup == NULL || manager_load_unit == NULL ||
        unit_dump == NULL) {
        return 77;
    }
    for (int i = 1; i < argc; i++) {
        void *manager, *unit;
        char folder[4096];
        snprintf(folder, sizeof folder, "%.*s:", (int)(strrchr(argv[i], '/') - argv[i]), argv[i]);
        setenv("SYSTEMD_UNIT_PATH", folder, 1);
        if (manager_new(USER_MANAGER, TEST_RUN_MINIMAL, &manager) < 0 ||
            manager_startup(manager, NULL, NULL, NULL) < 0) {
            return 77;
        }
        fprintf(stderr, "FILE %s\n", argv[i]);
        printf("FILE %s\n", argv[i]);
        if (manager_load_unit(manager, strrchr(argv[i], '/') + 1, NULL, NULL, &unit) >= 0) {
            unit_dump(unit, stdout, "");
            dump_ends(argv[i], "SuccessExitStatus");
            dump_ends(argv[i], "RestartPreventExitStatus");
            dump_ends(argv[i], "RestartForceExitStatus");
        }
        manager_free(manager); /* with its folder below /tmp */
        fflush(stdout);
    }
    return 0;
}
