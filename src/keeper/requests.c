/* What clients ask, and what one that runs a callback reports. */
#include <stddef.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/clients.h"
#include "os/folder.h"
#include "os/rendezvous.h"

/* Anything that was received; its last pages are touched by who sends that much. */
static union packet {
    struct pri_request request;
    struct pri_report_head report;
    struct pri_report_failed failed;
    struct pri_report_ready ready;
} packet;

static void on_ready(struct pri_keeper *k, struct pri_client *client,
                     const struct pri_report_ready *ready, ptrdiff_t size) {
    struct pri_record *record = k->pair->record;
    size_t head = offsetof(struct pri_report_ready, metadata);
    if (size < (ptrdiff_t)head || ready->metadata_size > sizeof ready->metadata ||
        (size_t)size < head + ready->metadata_size) {
        pri_client_hang_up(k, client);
        return;
    }
    struct pri_process process = {ready->head.pid, ready->head.start};
    atomic_store(&record->metadata_generation, 0);
    record->metadata_size = ready->metadata_size;
    memcpy(record->metadata, ready->metadata, ready->metadata_size);
    k->pair->page->port = ready->head.port;
    pri_client_become(k, client, CLIENT_ASKING);
    for (struct pri_client *other = k->clients; other != NULL; other = other->next) {
        other->unhealthy = false; /* it said so of an older one, whose set may have been removed:
                                     then this may have the same generation */
    }
    PRI_CRASH_POINT("told ready");
    pri_run_started(k, &process);
    pri_keeper_push(k, PRI_E_STARTED);
}

static void on_failed(struct pri_keeper *k, struct pri_client *client,
                      const struct pri_report_failed *failed, ptrdiff_t size) {
    if (size < (ptrdiff_t)sizeof *failed) {
        pri_client_hang_up(k, client);
        return;
    }
    k->error.code = failed->code < 0 ? failed->code : PROCREF_E_OTHER;
    k->error.os_code = failed->os_code;
    pri_format(k->error.op, sizeof k->error.op, "%.31s", failed->op);
    pri_format(k->error.message, sizeof k->error.message, "%.511s", failed->message);
    pri_format(k->error.detail, sizeof k->error.detail, "%.4095s", failed->detail);
    PRI_TRACE("client %u failed: %s", (unsigned)client->process.pid, k->error.message);
    /* It is told with the others, when all of it has ended. */
    pri_client_become(k, client, CLIENT_ASKING);
    pri_keeper_push(k, PRI_E_LAUNCH_FAILED);
}

/* What an elected client has to say. */
static void on_report(struct pri_keeper *k, struct pri_client *client, ptrdiff_t size) {
    const struct pri_report_head *report = &packet.report;
    struct pri_process process = {report->pid, report->start};
    struct pri_answer answer;
    if (size < (ptrdiff_t)sizeof *report || report->magic != PRI_WIRE_MAGIC ||
        report->version != PRI_WIRE_VERSION) {
        pri_client_hang_up(k, client);
        return;
    }
    switch (report->ask) {
    case PRI_REPORT_NAMED:
        if (process.pid == pri_own_pid() || (process.pid != 0 && process.pid == k->pair->standby)) {
            pri_client_hang_up(k, client); /* we would end ourselves */
            return;
        }
        pri_run_named(k, &process);
        PRI_CRASH_POINT("named, not acknowledged");
        pri_answer_head(k, &answer, PRI_TELL_ACK);
        pri_answer_send(k, client, &answer, -1);
        break;
    case PRI_REPORT_READY: on_ready(k, client, &packet.ready, size); break;
    case PRI_REPORT_FAILED: on_failed(k, client, &packet.failed, size); break;
    default: pri_client_hang_up(k, client);
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_up(const struct pri_keeper *k) {
    return k->machine.state == PRI_S_UP || k->machine.state == PRI_S_LINGERING;
}

/* Not up, and not in a moment either, as when a keeper takes over what is up. */
bool pri_request_is_early(const struct pri_keeper *k) {
    return !is_up(k) && k->machine.phase != PRI_PHASE_UP;
}

/* Whether page->parts says what runs or is being started. */
static bool is_settled(const struct pri_keeper *k) {
    switch (k->machine.state) {
    case PRI_S_RESUMING:
    case PRI_S_BEGINNING:
    case PRI_S_ENDING:
    case PRI_S_REFUSING:
    case PRI_S_DRAINING: /* the queue is asked in between the row and its outcome, too */
    case PRI_S_CLOSING:
    case PRI_S_CLOSED:
    case PRI_S_STOPPING:
    case PRI_S_ENDED: return false;
    default: return true;
    }
}

/* Who asks for another kind of service never gets this one, whatever becomes of it. */
static bool is_other_kind(struct pri_keeper *k, struct pri_client *client) {
    uint64_t parts[PRI_PART_COUNT];
    memcpy(parts, client->parts, sizeof parts);
    parts[PRI_PART_KIND] = k->pair->config->parts[PRI_PART_KIND];
    return pri_answer_conflict(k, client, parts);
}

bool pri_request_wants_another(const struct pri_keeper *k, const struct pri_client *client) {
    return !pri_config_accepts(k->pair->page->parts, client->parts, client->share);
}

static bool is_waited_for(const struct pri_keeper *k) {
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_ASKING && !pri_request_wants_another(k, client)) {
            return true;
        }
    }
    return false;
}

/*
 * A start that was begun is finished, and what died is ended and perhaps started again, even if who
 * wanted it has gone; unless somebody wants something else. Who has connected and not asked yet may
 * want anything, or just to look.
 */
static bool is_wanted(const struct pri_keeper *k) {
    switch (k->machine.state) {
    case PRI_S_UP:
    case PRI_S_LINGERING: return false;
    case PRI_S_STARTING:
    case PRI_S_RELAUNCHING:
    case PRI_S_FAILING:
    case PRI_S_DYING:
    case PRI_S_WAITING:
    case PRI_S_GAVE_UP: return is_waited_for(k);
    default: return true;
    }
}

/* UNDECIDED: who was told "up" is about to hold it, or has died since; its end of file tells. */
enum whose { SOMEBODYS, UNDECIDED, NOBODYS };

static enum whose whose_is_it(const struct pri_keeper *k) {
    if (is_wanted(k) || pri_counter_read(&k->counter, PRI_REG_REFS) != 0 || k->old_count > 0) {
        return SOMEBODYS;
    }
    return k->clients_in[CLIENT_TOLD] > 0 ? UNDECIDED : NOBODYS;
}

/*
 * To who wants another than what runs. What nobody holds, because it lingers or was let go of this
 * very moment, and nobody waits for, is stopped as if this one had asked for the stop (on_stop); it
 * begins again when it is told of the outcome. False if that is not known yet: it goes on asking.
 */
static bool answer_another(struct pri_keeper *k, struct pri_client *client) {
    procref_error error = PROCREF_ERROR_INIT;
    enum whose whose = whose_is_it(k);
    if (whose == SOMEBODYS) {
        return pri_answer_conflict(k, client, k->pair->page->parts);
    }
    if (client->starts_none) {
        pri_fail(
            &error, PROCREF_E_TIMEOUT, 0, "",
            "'%s' is not up (what runs is of another configuration, and %s), and timeout 0 does "
            "not wait",
            k->pair->config->ident.name,
            whose == NOBODYS ? "nobody holds it" : "somebody is about to hold it");
        pri_answer_one_error(k, client, &error);
        return true;
    }
    if (whose == UNDECIDED) {
        PRI_TRACE("client %u waits to see who holds this one", (unsigned)client->process.pid);
        pri_clients_watch_told(k);
        return false;
    }
    PRI_TRACE("client %u wants another, and nobody holds this one", (unsigned)client->process.pid);
    pri_client_become(k, client, CLIENT_STOPS);
    pri_keeper_push(k, PRI_E_HUNG_UP);
    pri_keeper_push(k, PRI_E_STOP_ASKED);
    return true;
}

static void on_acquire(struct pri_keeper *k, struct pri_client *client,
                       const struct pri_request *request) {
    pri_client_become(k, client, CLIENT_ASKING);
    client->share = (request->flags & PRI_ASK_SHARE) != 0;
    client->unhealthy = (request->flags & PRI_ASK_UNHEALTHY) != 0;
    client->recovers = (request->flags & PRI_ASK_RECOVERS) != 0;
    client->waited = client->waited || pri_request_is_early(k);
    client->starts_none = (request->flags & PRI_ASK_NO_START) != 0;
    client->generation = request->generation;
    client->slot = request->slot;
    memcpy(client->parts, request->parts, sizeof client->parts);
    if (k->old_count > 0) {
        pri_slots_count_old(k); /* its own mark may be one that just failed to attach */
    }
    if (is_settled(k) && pri_request_wants_another(k, client)) {
        answer_another(k, client); /* or pri_request_reconsider does */
        return;
    }
    if (!is_settled(k) && is_other_kind(k, client)) {
        return;
    }
    if (client->starts_none && pri_request_is_early(k)) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
                 "'%s' is not up (%s), and timeout 0 does not wait", k->pair->config->ident.name,
                 pri_state_name(k->machine.state));
        pri_answer_one_error(k, client, &error);
        return;
    }
    pri_keeper_push(k, client->unhealthy ? PRI_E_UNHEALTHY : PRI_E_ASKED);
}

/*
 * Who asked while it was open what runs (a keeper takes over, or ends what an earlier one left) or
 * whose it is, and wants another, is answered as one who asks now; but once all who are connected
 * have asked, for what runs may be theirs. One at a time: true if there was one.
 */
bool pri_request_reconsider(struct pri_keeper *k) {
    if (!is_settled(k) || k->clients_in[CLIENT_NEW] > 0) {
        return false;
    }
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_ASKING && pri_request_wants_another(k, client)) {
            pri_clients_accept(k, PRI_ACCEPT_QUEUE);
            return k->clients_in[CLIENT_NEW] == 0 && answer_another(k, client);
        }
    }
    return false;
}

static void on_await_stop(struct pri_keeper *k, struct pri_client *client,
                          const struct pri_request *request) {
    pri_client_become(k, client, CLIENT_AWAITS_STOP);
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    bool nothing_up = k->machine.state == PRI_S_STARTING || k->machine.state == PRI_S_ELECTING ||
                      k->machine.state == PRI_S_ELECTED; /* a new set counts from 1 again */
    bool another = nothing_up || (is_settled(k) && request->generation != k->machine.generation);
    bool held = is_settled(k) && pri_counter_read(&k->counter, PRI_REG_REFS) > 0;
    if (another || held || k->old_count > 0) {
        pri_answer_one_stays(k, client);
    }
}

/* A question, not a wish: it keeps nothing alive. */
static void on_status(struct pri_keeper *k, struct pri_client *client,
                      const struct pri_request *request) {
    static struct pri_status status;
    pri_client_become(k, client, CLIENT_WATCHES);
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing of the service */
    pri_status_fill(k, &status);
    bool sent = pri_link_send(client->link, &status, sizeof status, k->pair->record_page) == 0;
    if (!sent || (request->flags & PRI_ASK_WATCH) == 0) {
        pri_client_hang_up(k, client);
    }
}

static void on_stop(struct pri_keeper *k, struct pri_client *client,
                    const struct pri_request *request) {
    pri_client_become(k, client, CLIENT_STOPS);
    client->forces = (request->flags & PRI_ASK_FORCE) != 0;
    PRI_TRACE("client %u wants it stopped%s", (unsigned)client->process.pid,
              client->forces ? ", by force" : "");
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    pri_keeper_push(k, PRI_E_STOP_ASKED);
}

static void on_close(struct pri_keeper *k, struct pri_client *client,
                     const struct pri_request *request) {
    pri_client_become(k, client, CLIENT_CLOSES);
    client->slot = request->slot;
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    pri_keeper_push(k, PRI_E_CLOSE_ASKED);
}

static void on_request(struct pri_keeper *k, struct pri_client *client,
                       const struct pri_request *request, ptrdiff_t size) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_ident *ident = &k->pair->config->ident;
    if (size != (ptrdiff_t)sizeof *request || request->magic != PRI_WIRE_MAGIC ||
        request->version != PRI_WIRE_VERSION) {
        pri_fail(&error, PROCREF_E_CONFLICT, 0, "",
                 "'%s' is run by another version of procref (%s)", ident->name, PROCREF_VERSION);
        pri_answer_one_error(k, client, &error);
        return;
    }
    /* Who lists all services knows their addresses, and asks each for its name. */
    bool nameless = request->ask == PRI_ASK_STATUS && request->name[0] == '\0';
    if (request->hash != ident->hash ||
        (!nameless && strncmp(request->name, ident->name, sizeof ident->name) != 0)) {
        pri_fail(&error, PROCREF_E_CONFLICT, 0, "", "this is the keeper of '%s'", ident->name);
        pri_answer_one_error(k, client, &error);
        return;
    }
    client->process.start = request->start;
    PRI_TRACE("client %u asks (%u)", (unsigned)client->process.pid, (unsigned)request->ask);
    switch (request->ask) {
    case PRI_ASK_ACQUIRE: on_acquire(k, client, request); break;
    case PRI_ASK_GONE: on_await_stop(k, client, request); break;
    case PRI_ASK_RELEASED:
        pri_client_hang_up(k, client);
        pri_slots_count_old(k);
        break;
    case PRI_ASK_CLOSE: on_close(k, client, request); break;
    case PRI_ASK_STATUS: on_status(k, client, request); break;
    case PRI_ASK_STOP: on_stop(k, client, request); break;
    default: pri_client_hang_up(k, client);
    }
}

/* Readable: a request, or the end of file, which for a client that was told "up" means attached or
 * dead. */
void pri_request_receive(struct pri_keeper *k, struct pri_client *client) {
    uint32_t pid;
    procref_waitable page;
    ptrdiff_t got = pri_link_receive(client->link, &packet, sizeof packet, &pid, &page);
    if (got == PROCREF_E_AGAIN) {
        return;
    }
    if (got > 0) {
        pri_link_close(page);
    }
    if (got > 0 && client->state == CLIENT_ELECTED) {
        on_report(k, client, got);
        return;
    }
    if (got <= 0 || client->state != CLIENT_NEW) {
        pri_client_hang_up(k, client);
        return;
    }
    client->process.pid = pid;
    if (pid == 0) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_UNSUPPORTED, 0, "",
                 "'%s' has a keeper in another pid namespace, which cannot see this process",
                 k->pair->config->ident.name);
        pri_answer_one_error(k, client, &error);
        return;
    }
    on_request(k, client, &packet.request, got);
}
