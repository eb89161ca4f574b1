/* procref wait: until a service is gone. */
#include <stdlib.h>

#include "cli/because.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/look.h"
#include "os/clock.h"
#include "os/rendezvous.h"

/* Whether both looks are at one life of the service. One of a pair outlives the other: who was
 * keeper or standby is so again, or the other. */
static bool same_life(const struct pri_status *a, const struct pri_status *b) {
    bool same_start = a->launched_ms != 0 && a->launched_ms == b->launched_ms;
    bool same_pair = a->keeper == b->keeper || a->keeper == b->standby ||
                     (a->standby != 0 && (a->standby == b->keeper || a->standby == b->standby));
    return same_start || same_pair;
}

/* The keeper's end is the end of the connection; of a service that nobody keeps its process ends.
 * False: the time is over. */
static bool await_change(const struct look *look, int64_t deadline_ns) {
    if (look->found == LOOK_KEPT) {
        return pri_link_wait(look->link, deadline_ns);
    }
    if (look->found == LOOK_UNKEPT) {
        struct pri_process process = {look->status.pid, look->status.start};
        procref_waitable ended = pri_process_watch(&process);
        bool has = pri_link_wait(ended, ended < 0 ? pri_deadline(LOOK_ANSWER_MS) : deadline_ns);
        pri_link_close(ended);
        return has || pri_clock_ns() < deadline_ns;
    }
    return pri_clock_ns() < deadline_ns; /* silent: it is asked again, a second each time */
}

static int wait_for(const struct cli_target *target, int64_t deadline_ns) {
    struct pri_status first = {0};
    bool begun = false;
    for (;;) {
        struct look look;
        look_at(&target->ident, target->dir, true, look_deadline(deadline_ns), &look);
        bool gone = look.found == LOOK_NOTHING;
        if (gone && !begun) {
            look_suggest(target);
        }
        if (look.found == LOOK_FOREIGN || (look.found == LOOK_UNKEPT && look.status.pid == 0)) {
            char *sentence = because_sentence(&look);
            cli_say("cannot wait for '%s': %s", target->ident.name, sentence);
            free(sentence);
            return CLI_FAILED;
        }
        if (look.found == LOOK_KEPT) {
            gone = gone || (begun && !same_life(&first, &look.status));
            first = look.status;
            begun = true;
        }
        if (!gone && !await_change(&look, deadline_ns)) {
            look_free(&look);
            cli_say("'%s' was not gone in time: 'procref status' tells why", target->ident.name);
            return CLI_FAILED;
        }
        look_free(&look);
        if (gone) {
            return CLI_OK;
        }
    }
}

int cli_wait(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    int64_t timeout_ms = -1;
    const struct cli_option options[] = {
        CLI_TARGET_OPTIONS(wanted),
        {"timeout", 't', CLI_DURATION, "TIME", "give up after TIME (default: never)", &timeout_ms},
        {0}};
    struct cli_target target;
    int status = look_parse(command, options, &wanted, argc, argv, &target);
    if (status >= 0) {
        return status;
    }
    status = wait_for(&target, pri_deadline(timeout_ms));
    cli_target_free(&target);
    return status;
}
