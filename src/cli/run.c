/* procref run: holds a service, then becomes the command. The kernel keeps the reference across the
 * exec, and takes it back when the command ends, in whatever way. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/acquire.h"
#include "cli/commands.h"
#include "cli/exports.h"
#include "cli/tree.h"

static int status_of(int os) {
    return os == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_RUN;
}

/* Where look_for() found COMMAND: execvp would try each folder of PATH again, which takes longer
 * than the acquire. */
static char found[4096];

static int become(char **argv) {
    if (found[0] != '\0') {
        execv(found, argv);
    }
    execvp(argv[0], argv); /* a script without "#!", or it went meanwhile */
    int os = errno;
    cli_say("%s: %s", argv[0], strerror(os));
    return status_of(os);
}

/* 0, or the errno that execve would have. */
static int look_at(const char *file) {
    struct stat status;
    if (access(file, X_OK) < 0 || stat(file, &status) < 0) {
        return errno;
    }
    return S_ISREG(status.st_mode) ? 0 : EACCES;
}

/* The same of execvp, which goes on after these three only (exec(3)). */
static int look_for(const char *program) {
    const char *path = getenv("PATH");
    char file[4096];
    int os = ENOENT;
    if (program[0] == '\0') {
        return ENOENT; /* not each folder of PATH itself */
    }
    if (strchr(program, '/') != NULL) {
        return look_at(program);
    }
    if (strlen(program) > NAME_MAX) {
        return ENAMETOOLONG;
    }
    for (path = path != NULL ? path : "/bin:/usr/bin"; path != NULL;) {
        int length = (int)strcspn(path, ":");
        int n =
            snprintf(file, sizeof file, "%.*s%s%s", length, path, length > 0 ? "/" : "", program);
        int here = n > 0 && (size_t)n < sizeof file ? look_at(file) : ENOENT;
        if (here == 0) {
            memcpy(found, file, sizeof found);
            return 0;
        }
        if (here != ENOENT && here != ENOTDIR && here != EACCES) {
            return here;
        }
        os = here == EACCES ? EACCES : os;
        path = path[length] == ':' ? path + length + 1 : NULL;
    }
    return os;
}

/* A command that does not exist is known before a service is started for it, unless the service
 * says where programs are. */
static int check_program(const char *program, const struct cli_target *target) {
    char *const *exports = target->unit != NULL ? target->unit->exports : NULL;
    for (; exports != NULL && *exports != NULL; exports++) {
        if (strncmp(*exports, "PATH=", 5) == 0) {
            return -1;
        }
    }
    int os = look_for(program);
    if (os != 0) {
        cli_say("%s: %s", program, strerror(os));
        return status_of(os);
    }
    return -1;
}

static int check_operands(int operands, char **argv, char **after,
                          struct cli_target_options *wanted) {
    int names = cli_target_names(wanted);
    if (after == NULL && operands > names) {
        cli_say("put -- before COMMAND: %s%s%s … -- %s", cli_name,
                wanted->file != NULL ? " -f " : " ", wanted->file != NULL ? wanted->file : argv[1],
                argv[1 + names]);
        return CLI_USAGE;
    }
    if (operands > names) {
        cli_say("'%s' is one name too many: see %s --help", argv[1 + names], cli_name);
        return CLI_USAGE;
    }
    if (after == NULL || after[0] == NULL) {
        cli_say("which command? Put it after --: see %s --help", cli_name);
        return CLI_USAGE;
    }
    wanted->name = operands > 0 ? argv[1] : NULL;
    return -1;
}

/* Holds, and has the command's environment. */
static int prepare(struct cli_target *target, const struct cli_acquire_options *how) {
    procref_handle *handle;
    int status = cli_acquire(target, how, &handle);
    if (status < 0 && !cli_exports_set(target, procref_handle_info(handle))) {
        cli_say("out of memory");
        status = CLI_FAILED;
    }
    return status;
}

int cli_run(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    struct cli_acquire_options how = CLI_ACQUIRE_OPTIONS_INIT;
    bool whole_tree = false;
    const struct cli_option options[] = {
        {"tree", 0, CLI_FLAG, NULL, "hold until all that COMMAND started has ended", &whole_tree},
        CLI_TARGET_OPTIONS(wanted),
        CLI_ACQUIRE_OPTIONS(wanted, how),
        {0}};
    struct cli_target target;
    struct tree tree;
    char **after;
    int operands;

    int status = cli_parse(command, options, argc, argv, &operands, &after);
    status = status < 0 ? check_operands(operands, argv, after, &wanted) : status;
    status = status < 0 ? cli_target_find(&wanted, TARGET_STARTED, &target) : status;
    status = status < 0 ? cli_acquire_configure(&how, &target) : status;
    status = status < 0 ? check_program(after[0], &target) : status;
    status = status < 0 && whole_tree ? tree_split(&tree) : status;
    status = status < 0 ? prepare(&target, &how) : status;
    if (status >= 0) {
        return status;
    }
    if (whole_tree) {
        tree_run(&tree, after, become);
    }
    return become(after);
}
