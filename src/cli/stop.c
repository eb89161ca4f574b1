/* procref stop: stops a service that nobody holds, or by force. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/because.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/look.h"
#include "os/clock.h"
#include "os/rendezvous.h"

enum { NAMED_MOST = 10, TIMEOUT_MS = 90000, AGAIN_MS = 10 };

enum outcome { ENDED, REFUSED, STOPPED, AGAIN, TIMED_OUT };

/* Asks the keeper, which answers when it is done. */
static enum outcome ask(const struct pri_ident *ident, bool force, int64_t deadline_ns) {
    procref_waitable link, page;
    struct pri_answer answer;
    uint32_t pid;
    int code = look_ask(ident, PRI_ASK_STOP, force ? PRI_ASK_FORCE : 0, deadline_ns, &link, NULL);
    if (code < 0) {
        return code == PROCREF_E_NOT_FOUND ? ENDED : code == PROCREF_E_TIMEOUT ? TIMED_OUT : AGAIN;
    }
    ptrdiff_t got = PROCREF_E_AGAIN;
    while (got == PROCREF_E_AGAIN && pri_link_wait(link, deadline_ns)) {
        got = pri_link_receive(link, &answer, sizeof answer, &pid, &page);
    }
    pri_link_close(link);
    if (got == PROCREF_E_AGAIN) {
        return TIMED_OUT;
    }
    if (got < (ptrdiff_t)PRI_ANSWER_HEAD) {
        return ENDED; /* the end of file: it is stopped, or the keeper was killed */
    }
    pri_link_close(page);
    return answer.tell == PRI_TELL_STOPPED ? STOPPED
           : answer.tell == PRI_TELL_HELD  ? REFUSED
                                           : AGAIN;
}

static int say_held(const struct look *look) {
    char *holders = because_holders(look, NAMED_MOST);
    if (look->holder_count > 0) {
        cli_say("'%s' is held by %s: end them, or use --force", look->name, holders);
    } else if (look->status.refs > 0) {
        cli_say("'%s' is held by %d, whom the record page does not name: use --force", look->name,
                (int)look->status.refs);
    } else {
        cli_say("'%s' is about to be held by a client that has just asked for it: use --force",
                look->name);
    }
    free(holders);
    return CLI_NO;
}

static int say_stopped(const struct look *look) {
    if (look->status.refs > 0) {
        cli_say("'%s' is stopped; who still holds it (%d) gets a fresh one by acquiring again",
                look->name, (int)look->status.refs);
    }
    return CLI_OK;
}

/* Not a keeper that can be asked: what can be done about it. -1: it can be. */
static int say_unanswered(const struct look *look) {
    char *sentence = because_sentence(look);
    int status = -1;
    switch (look->found) {
    case LOOK_NOTHING:
        cli_say("'%s' is not running", look->name);
        status = CLI_OK;
        break;
    case LOOK_UNKEPT:
        cli_say(
            "'%s' has no keeper that could stop it: both were killed. The next 'procref run' takes "
            "it over",
            look->name);
        status = CLI_FAILED;
        break;
    case LOOK_SILENT:
    case LOOK_FOREIGN:
        cli_say("'%s': %s", look->name, sentence);
        status = CLI_FAILED;
        break;
    case LOOK_KEPT: break;
    }
    free(sentence);
    return status;
}

/* Whether what was to be stopped has ended: another that was started since is not ours to stop. */
static bool has_ended(const struct look *first, const struct look *now) {
    return now->found == LOOK_NOTHING ||
           (now->found == LOOK_KEPT && first->status.launched_ms != 0 &&
            now->status.launched_ms != first->status.launched_ms);
}

static int stop(const struct cli_target *target, bool force, int64_t deadline_ns) {
    struct look first, now;
    look_at(&target->ident, target->dir, false, look_deadline(deadline_ns), &first);
    int status = say_unanswered(&first);
    if (first.found == LOOK_NOTHING) {
        look_suggest(target);
    }
    while (status < 0) {
        enum outcome outcome = ask(&target->ident, force, deadline_ns);
        look_at(&target->ident, target->dir, false, look_deadline(deadline_ns), &now);
        if (outcome == STOPPED) {
            status = say_stopped(&now);
        } else if (has_ended(&first, &now)) {
            status = CLI_OK;
        } else if (outcome == REFUSED || (outcome == AGAIN && !force && now.status.refs > 0)) {
            status = say_held(&now);
        } else if (now.found != LOOK_KEPT) {
            status = say_unanswered(&now);
        } else if (outcome == TIMED_OUT || pri_clock_ns() >= deadline_ns) {
            cli_say("'%s' was not stopped in time: 'procref status' tells why", first.name);
            status = CLI_FAILED;
        } else { /* its keeper was replaced, or a holder came and went */
            pri_link_wait(-1, pri_deadline(AGAIN_MS));
        }
        look_free(&now);
    }
    look_free(&first);
    return status;
}

int cli_stop(const struct cli_command *command, int argc, char **argv) {
    struct cli_target_options wanted = {0};
    bool force = false;
    int64_t timeout_ms = TIMEOUT_MS;
    const struct cli_option options[] = {
        CLI_TARGET_OPTIONS(wanted),
        {"force", 0, CLI_FLAG, NULL, "also while somebody holds it", &force},
        {"timeout", 't', CLI_DURATION, "TIME", "give up after TIME (default 90s)", &timeout_ms},
        {0}};
    struct cli_target target;
    int status = look_parse(command, options, &wanted, argc, argv, &target);
    if (status >= 0) {
        return status;
    }
    status = stop(&target, force, pri_deadline(timeout_ms));
    cli_target_free(&target);
    return status;
}
