/*
 * Looking at services from outside: their keepers are asked (PRI_ASK_STATUS), the record page names
 * the holders, each of which is looked at. Nothing here starts, stops or holds anything. ps and
 * status show it, stop and wait begin with it.
 */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "cli/target.h"
#include "core/ident.h"
#include "core/record.h"
#include "core/wire.h"
#include "keeper/files.h"
#include "os/process.h"

enum look_found {
    LOOK_NOTHING, /* nobody keeps it, nothing of it runs */
    LOOK_KEPT,    /* its keeper has answered: status is what it said */
    LOOK_SILENT,  /* it did not answer in time: stopped by a signal, or very busy */
    LOOK_FOREIGN, /* it is another version's keeper */
    LOOK_UNKEPT,  /* both keepers are dead, the service runs: the hint tells of it */
};

struct look_holder {
    struct pri_process process;
    int64_t since_ms; /* wall clock; 0: unknown */
    bool old;         /* it holds in a counter that somebody removed */
    char *command;    /* one line that can be shown */
};

struct look {
    enum look_found found;
    uint64_t hash;
    char name[PRI_NAME_SIZE]; /* "" if nothing tells it */
    char dir[4096];           /* where its log and hint are; "" if nothing tells it */
    struct pri_status status; /* with KEPT; else zero but for what the hint says: pid, start, port,
                                 generation, launched_ms, alive */
    struct look_holder *holders; /* one for each reference; those of a process are together */
    size_t holder_count;
    bool stopped;          /* SILENT: a keeper was stopped by a signal */
    procref_waitable link; /* -1; or the connection that ends with the keeper */
};

/* Asks one service's keeper. watch: the connection stays in link. dir: where its hint would be.
 * Always fills *ret; the caller frees it. */
void look_at(const struct pri_ident *ident, const char *dir, bool watch, int64_t deadline_ns,
             struct look *ret);

/* Asks the keepers of all services of this user at the same time; sorted by name. Also those whose
 * keepers are dead and whose hints are in the default folder or one below it. */
int look_all(int64_t deadline_ns, struct look **ret_list, size_t *ret_count, procref_error *err);

void look_free(struct look *look);

/* Parses the command line of a subcommand that is about one service, which its operand or options
 * name. -1, or the exit status. */
int look_parse(const struct cli_command *command, const struct cli_option *options,
               struct cli_target_options *wanted, int argc, char **argv, struct cli_target *ret);

/* Of a service that nobody has found, by file or running: says which is the nearest, as 'run' does.
 */
void look_suggest(const struct cli_target *target);

/* A connection to the keeper and a request sent on it: 0; NOT_FOUND; TIMEOUT: its queue was full; or
 * another code. */
int look_ask(const struct pri_ident *ident, enum pri_ask ask, uint32_t flags, int64_t deadline_ns,
             procref_waitable *ret_link, procref_error *err);

enum { LOOK_ANSWER_MS = 1000 }; /* how long a keeper may take that has nothing else to do */

/* How long to look for who has time until deadline_ns: long enough for an answer all the same. */
int64_t look_deadline(int64_t deadline_ns);

#endif
