/* procref-keeper: what a pair does before it is one. Then it is the standby, and forks the keeper.
 */
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/pair.h"
#include "os/poller.h"

enum { USAGE = 100 };

static bool take_config(struct pri_pair *pair) {
    const void *memory;
    size_t size;
    if (!pri_pair_inherit(&pair->listener, &memory, &size) || !pri_config_valid(memory, size)) {
        return false;
    }
    const char *bytes = memory;
    pair->config = memory;
    pair->environment = bytes + pair->config->size;
    pair->environment_end = bytes + size;
    return bytes[size - 1] == '\0';
}

int main(int argc, char **argv) {
    static struct pri_pair pair;
    static const char usage[] =
        "procref-keeper " PROCREF_VERSION
        ": started by libprocref, a pair for each running service; not by hand.\n";
    if (argc != 2 || argv[1][0] == '\0' || !take_config(&pair)) {
        ssize_t written = write(STDERR_FILENO, usage, sizeof usage - 1);
        (void)written;
        return USAGE;
    }
    pri_trace_begin("standby");
    PRI_TRACE("begins for '%s'", pair.config->ident.name);
    if (!pri_pair_shed(&pair.files_soft, &pair.files)) {
        return PRI_LOOP_CANNOT_SERVE;
    }
    pri_pair_adopt_orphans();
    pri_format(pair.token, sizeof pair.token, "PROCREF_TOKEN=%016llx",
               (unsigned long long)pair.config->ident.hash);
    pair.page = pri_pair_share(sizeof *pair.page);
    pair.record = pri_record_make(&pair.record_page);
    const struct pri_plan_block *plan = pri_config_plan(pair.config);
    if (pair.page == NULL || pair.record == NULL || pri_nudge_open(&pair.nudge) < 0 ||
        (plan != NULL && plan->holder.count > 0 && pri_pipe_open(pair.life) < 0)) {
        return PRI_LOOP_CANNOT_SERVE;
    }
    pair.page->error.size = sizeof pair.page->error;
    pri_pair_sign_life(&pair.record->standby);
    PRI_CRASH_POINT("pair begins");
    pri_standby_run(&pair);
}
