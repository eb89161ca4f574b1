/*
 * Feeds any bytes to unit_load() (libFuzzer). The first byte tells what they are: 'd' a drop-in,
 * 'e' an EnvironmentFile=, 't' a text with variables, anything else begins a unit; so that each
 * reader is met directly, and every unit is a seed as it stands. What is accepted is read in full,
 * as the command would, and must keep what unit.h promises.
 *
 * Built with -DPROCREF_FUZZ=ON by clang: see tests/fuzz/README.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Comparing with each known key would take nine tenths of the time. */
const char *cli_nearest(const char *word, const char *const *words, int n) {
    return n > 0 && *word != '\0' ? words[0] : NULL;
}

static char dir[] = "/tmp/procref-fuzz-XXXXXX";
static char unit_path[64], drop_in[64], env_path[64];

static void remove_all(void) {
    char folder[64];
    snprintf(folder, sizeof folder, "%s/a@b.service.d", dir);
    unlink(drop_in);
    unlink(env_path);
    unlink(unit_path);
    rmdir(folder);
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    if (mkdtemp(dir) == NULL) {
        abort();
    }
    snprintf(unit_path, sizeof unit_path, "%s/a@b.service", dir);
    snprintf(drop_in, sizeof drop_in, "%s/a@b.service.d", dir);
    if (mkdir(drop_in, 0700) < 0) {
        abort();
    }
    snprintf(drop_in, sizeof drop_in, "%s/a@b.service.d/c.conf", dir);
    snprintf(env_path, sizeof env_path, "%s/env", dir);
    atexit(remove_all);
    return 0;
}

static void write_file(const char *path, const char *prefix, const void *data, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, prefix, strlen(prefix)) < 0 ||
        (size > 0 && write(fd, data, size) < 0)) {
        abort();
    }
    close(fd);
}

static size_t length_of(const char *const *list) {
    size_t total = 0;
    for (; list != NULL && *list != NULL; list++) {
        total += strlen(*list) + 1;
    }
    return total;
}

/* Every string is followed to its end, so that the sanitizer sees a wrong one. */
static size_t read_all(const struct unit *unit) {
    size_t total = length_of(unit->config.environment) + length_of(unit->config.command) +
                   length_of((const char *const *)unit->exports) +
                   length_of((const char *const *)unit->requires) + length_of(unit->plan.unset) +
                   strlen(unit->name) + strlen(unit->config.working_dir);
    for (size_t i = 0; i < unit->plan.step_count; i++) {
        const struct pri_step *step = &unit->plan.steps[i];
        total += strlen(step->program) + length_of(step->argv);
        if (step->list >= PRI_STEPS_COUNT || step->argv[0] == NULL ||
            (i > 0 && step->list < unit->plan.steps[i - 1].list)) {
            abort(); /* each has a program's name, in the order of the lists */
        }
    }
    return total;
}

static void check(const struct unit *unit, int code) {
    size_t wrong = 0;
    for (size_t i = 0; i < unit->finding_count; i++) {
        const struct unit_finding *finding = &unit->findings[i];
        wrong += finding->level >= UNIT_REFUSED;
        if (finding->line < 1 || finding->file[0] != '/' || finding->message[0] == '\0') {
            abort();
        }
    }
    if ((code == 0) != (wrong == 0)) {
        abort(); /* accepted with an error, or refused without a reason */
    }
    if (code == 0) {
        if (unit->config.command == NULL || unit->config.start_timeout_ms == 0 ||
            unit->config.stop_timeout_ms == 0) {
            abort();
        }
        read_all(unit);
    }
}

static void expand(const uint8_t *data, size_t size) {
    static const char *const env[] = {"A=1", "BC=two words", "A=3", "_=", NULL};
    char *text = malloc(size + 1);
    if (text == NULL) {
        return;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    char *expanded = unit_expand(text, env);
    if (expanded == NULL || (strchr(text, '$') == NULL && strcmp(text, expanded) != 0)) {
        abort();
    }
    free(expanded);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char plain[] = "[Service]\nExecStart=/bin/true\n";
    char with_file[128];
    struct unit *unit = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    const struct unit_options options = {"a@b", "/run/user/0", NULL};
    if (size == 0 || (memmem(data, size, "EnvironmentFile", 15) != NULL && /* a walk through / */
                      (memchr(data, '*', size) != NULL || memchr(data, '?', size) != NULL ||
                       memmem(data, size, "=/dev", 5) != NULL))) {
        return 0;
    }
    char kind = strchr("det", data[0]) != NULL ? (char)data[0] : 'u';
    data += kind != 'u';
    size -= kind != 'u';
    if (kind == 't') {
        expand(data, size);
        return 0;
    }
    snprintf(with_file, sizeof with_file, "%sEnvironmentFile=%s\n", plain, env_path);
    unlink(drop_in);
    if (kind == 'u') {
        write_file(unit_path, "", data, size);
    } else {
        write_file(unit_path, kind == 'd' ? plain : with_file, "", 0);
        write_file(kind == 'd' ? drop_in : env_path, "", data, size);
    }
    int code = unit_load(unit_path, &options, &unit, &error);
    if (unit == NULL) {
        abort(); /* it can always be read here */
    }
    check(unit, code);
    unit_free(unit);
    return 0;
}
