/* procref torture: the command line. What it does is in src/cli/torture (torture.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/torture/judge.h"

static void read_words(struct role *role, int argc, char **argv) {
    const struct {
        const char *key;
        long *to;
    } known[] = {{"arena=", &role->arena},       {"round=", &role->round},
                 {"number=", &role->number},     {"port=", &role->port},
                 {"ready_fd=", &role->ready_fd}, {"pid=", &role->pid},
                 {"both=", &role->both},         {"ms=", &role->ms}};
    for (int i = 0; i < argc; i++) {
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            if (strncmp(argv[i], known[k].key, strlen(known[k].key)) == 0) {
                *known[k].to = strtol(argv[i] + strlen(known[k].key), NULL, 10);
            }
        }
    }
}

/* torture --role ROLE --dir DIR KEY=NUMBER…: how this program calls itself. */
static int play(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*play)(const struct role *role);
    } roles[] = {{"client", torture_client},
                 {"repair", torture_repair},
                 {"holder", torture_holder},
                 {"service", torture_service}};
    struct role role = {0};
    if (argc < 6 || strcmp(argv[3], "--dir") != 0) {
        return CLI_USAGE;
    }
    read_words(&role, argc - 5, argv + 5);
    if (!board_map(argv[4]) || role.arena < 0 || role.arena >= (long)board->arenas) {
        return CLI_OK; /* the run is over, its folder gone */
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(argv[2], roles[i].name) == 0) {
            _exit(roles[i].play(&role)); /* without a look for leaks, which a SIGSTOP would hang */
        }
    }
    return CLI_USAGE;
}

/* --plant WHAT is for the tests of the witnesses only, and in no help. */
static const char *take_plant(int *argc, char **argv) {
    for (int i = 1; i + 1 < *argc; i++) {
        if (strcmp(argv[i], "--plant") == 0) {
            const char *plant = argv[i + 1];
            memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 1) * sizeof *argv);
            *argc -= 2;
            return plant;
        }
    }
    return NULL;
}

static bool sensible(const struct options *o) {
    if (o->seconds_ms < 1000) {
        cli_say("--seconds: at least 1");
    } else if (o->clients < 1 || o->clients > CLIENTS_MOST) {
        cli_say("--clients is %lld: 1 to %d", (long long)o->clients, CLIENTS_MOST);
    } else if (o->services < 1 || o->services > ARENAS_MOST) {
        cli_say("--services is %lld: 1 to %d", (long long)o->services, ARENAS_MOST);
    } else if (o->plant != NULL && !plant_known(o->plant)) {
        cli_say("--plant '%s' is not known", o->plant);
    } else {
        return true;
    }
    return false;
}

int cli_torture(const struct cli_command *command, int argc, char **argv) {
    struct options o = {.seconds_ms = 10000, .seed = -1, .clients = 8, .services = 3};
    const struct cli_option options[] = {
        {"seconds", 0, CLI_DURATION, "N", "how long (10)", &o.seconds_ms},
        {"seed", 0, CLI_NUMBER, "N", "the dice of an earlier run", &o.seed},
        {"clients", 0, CLI_NUMBER, "N", "at most so many processes for each service (8)",
         &o.clients},
        {"services", 0, CLI_NUMBER, "N", "so many services at the same time (3)", &o.services},
        {"keep", 0, CLI_FLAG, NULL, "keep the folder, whatever the verdict", &o.keep},
        {"trace", 0, CLI_FLAG, NULL, "write a trace for the evidence; slower", &o.trace},
        {NULL}};
    int operands;
    if (argc > 1 && strcmp(argv[1], "--role") == 0) {
        return play(argc, argv);
    }
    o.plant = take_plant(&argc, argv);
    int status = cli_parse(command, options, argc, argv, &operands, NULL);
    if (status >= 0) {
        return status;
    }
    if (operands > 0) {
        cli_say("no operand is expected, and '%s' is one: see %s --help", argv[1], cli_name);
        return CLI_USAGE;
    }
    if (!sensible(&o)) {
        return CLI_USAGE;
    }
    if (o.seed < 0) {
        o.seed = ((int64_t)time(NULL) * 1000 + getpid()) & 0x7fffffff;
    }
    return judge_run(&o);
}
