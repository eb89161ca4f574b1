/*
 * Prints how systemd itself reads units: "systemd_dump FILE…" loads each in a manager for tests, as
 * `systemd-analyze verify` does, and prints its dump to stdout; what it complains about goes to
 * stderr. By systemd 252's private libraries; without them it ends with 77.
 */
#include <dlfcn.h>
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

int main(int argc, char **argv) {
    void *shared = open_library("libsystemd-shared-252.so");
    void *core = shared != NULL ? open_library("libsystemd-core-252.so") : NULL;
    int (*manager_new)(int scope, int flags, void **ret);
    int (*manager_startup)(void *manager, FILE *serialization, void *fds, const char *root);
    int (*manager_load_unit)(void *manager, const char *name, const char *path, void *error,
                             void **ret);
    void (*unit_dump)(void *unit, FILE *to, const char *prefix);
    if (core == NULL) {
        return 77;
    }
    *(void **)&manager_new = dlsym(core, "manager_new");
    *(void **)&manager_startup = dlsym(core, "manager_startup");
    *(void **)&manager_load_unit = dlsym(core, "manager_load_unit");
    *(void **)&unit_dump = dlsym(core, "unit_dump");
    if (manager_new == NULL || manager_startup == NULL || manager_load_unit == NULL ||
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
        }
        fflush(stdout);
    }
    return 0;
}
