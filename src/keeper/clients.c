/* The keeper's side of the rendezvous: who asks, who was told, who holds in a removed set. */
#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/poller.h"
#include "os/rendezvous.h"

/*
 * Who connects is about to ask; nothing is stopped meanwhile. One that was itself stopped in
 * between keeps a service no longer than this, and begins again when it goes on.
 */
enum { SILENCE_MS = 3000, PAUSE_MS = 100, SLOTS_LIMIT_FIRST = 256, ACCEPTS_MOST = 4096 };

static void hang_up(struct pri_keeper *k, struct pri_client *client) {
    if (client->watch >= 0) {
        pri_poller_remove(k->poller, client->watch);
        pri_link_close(client->watch);
        client->watch = -1;
    }
    if (client->link >= 0) {
        pri_poller_remove(k->poller, client->link);
        pri_link_close(client->link);
        client->link = -1;
        if (client->state == CLIENT_TOLD || client->state == CLIENT_NEW) {
            pri_keeper_push(k, PRI_E_HUNG_UP);
        } else if (client->state == CLIENT_ELECTED) {
            pri_keeper_push(k, PRI_E_STARTER_LOST);
        } else if (client->state == CLIENT_ASKING) {
            pri_run_limit_start(k);
        }
    }
}

void pri_clients_sweep(struct pri_keeper *k) {
    struct pri_client **at = &k->clients;
    while (*at != NULL) {
        struct pri_client *client = *at;
        if (client->link >= 0) {
            at = &client->next;
            continue;
        }
        *at = client->next;
        free(client);
        pri_clients_resume(k);
    }
}

/* Descriptors may be free again: listen to the queue. */
void pri_clients_resume(struct pri_keeper *k) {
    if (k->accept_paused) {
        k->accept_paused = pri_poller_add(k->poller, k->pair->listener, PRI_TAG_LISTENER) < 0;
        k->accept_ns = k->accept_paused ? pri_deadline(PAUSE_MS) : PRI_NEVER;
    }
}

void pri_clients_close_all(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        hang_up(k, client);
    }
    pri_clients_sweep(k);
}

uint32_t pri_clients_count(const struct pri_keeper *k, int state) {
    uint32_t count = 0;
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        count += client->link >= 0 && (int)client->state == state;
    }
    return count;
}

bool pri_clients_forced(const struct pri_keeper *k) {
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_STOPS && client->forces) {
            return true;
        }
    }
    return false;
}

/* How many of those who ask hold what is up and say that it does not work. */
uint32_t pri_clients_unhealthy(const struct pri_keeper *k, bool *ret_recovers) {
    uint32_t count = 0;
    *ret_recovers = false;
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_ASKING && client->unhealthy &&
            client->generation == k->machine.generation) {
            count++;
            *ret_recovers = *ret_recovers || client->recovers;
        }
    }
    return count;
}

/* ---- Slots of the record page ---------------------------------------------------------------- */

/* Clients can write to the page: one that has gone wild must not lead us beyond it. */
static uint32_t used_slots(const struct pri_record *record) {
    uint32_t used = atomic_load(&record->used);
    return used < PRI_RECORD_SLOTS ? used : PRI_RECORD_SLOTS;
}

/* Frees the slots of processes that are gone. */
static uint32_t sweep_slots(struct pri_keeper *k, uint32_t used) {
    uint32_t freed = 0;
    for (uint32_t i = 0; i < used; i++) {
        struct pri_slot *slot = &k->pair->record->slots[i];
        struct pri_process process = {atomic_load(&slot->pid), atomic_load(&slot->start)};
        if (process.pid == 0 || !pri_process_alive(&process)) {
            atomic_store(&slot->held, 0);
            atomic_store(&slot->calls, 0);
            atomic_store(&slot->pid, 0);
            freed++;
        }
    }
    k->slot_cursor = 0;
    return freed;
}

/* A slot for the process: the one it says it has, or a free one. PRI_NO_SLOT if 32,767 live
 * processes have theirs. */
static int32_t give_slot(struct pri_keeper *k, const struct pri_process *process, int32_t told) {
    struct pri_record *record = k->pair->record;
    uint32_t used = used_slots(record);
    if (told >= 0 && told < PRI_RECORD_SLOTS &&
        atomic_load(&record->slots[told].pid) == process->pid &&
        atomic_load(&record->slots[told].start) == process->start) {
        return told;
    }
    if (k->slots_limit == 0) { /* a new keeper begins behind what its predecessors gave out */
        k->slots_limit = used < SLOTS_LIMIT_FIRST ? SLOTS_LIMIT_FIRST : 2 * used;
        k->slot_cursor = used;
    }
    if (used >= k->slots_limit && k->slot_cursor >= used && sweep_slots(k, used) < used / 2) {
        k->slots_limit = 2 * used;
    }
    while (k->slot_cursor < used && atomic_load(&record->slots[k->slot_cursor].pid) != 0) {
        k->slot_cursor++;
    }
    uint32_t slot = k->slot_cursor;
    if (slot >= PRI_RECORD_SLOTS) {
        return PRI_NO_SLOT;
    }
    k->slot_cursor++;
    if (slot >= used) {
        atomic_store(&record->used, slot + 1);
    }
    atomic_store(&record->slots[slot].held, 0);
    atomic_store(&record->slots[slot].calls, 0);
    atomic_store(&record->slots[slot].since_ms, 0);
    atomic_store(&record->slots[slot].start, process->start);
    atomic_store(&record->slots[slot].pid, process->pid);
    return (int32_t)slot;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer_head(const struct pri_keeper *k, struct pri_answer *answer, enum pri_tell tell) {
    const struct pri_page *page = k->pair->page;
    memset(answer, 0, PRI_ANSWER_HEAD);
    answer->magic = PRI_WIRE_MAGIC;
    answer->version = PRI_WIRE_VERSION;
    answer->tell = tell;
    answer->generation = k->machine.generation;
    answer->pid = page->main.pid;
    answer->start = page->main.start;
    answer->port = page->port;
    memcpy(answer->parts, page->parts, sizeof answer->parts);
}

static void tell_error(struct pri_keeper *k, struct pri_client *client,
                       const procref_error *error) {
    struct pri_answer answer;
    answer_head(k, &answer, PRI_TELL_FAILED);
    answer.code = error->code;
    answer.os_code = error->os_code;
    memcpy(answer.op, error->op, sizeof answer.op);
    memcpy(answer.message, error->message, sizeof answer.message);
    memcpy(answer.detail, error->detail, sizeof answer.detail);
    PRI_TRACE("tells client %u: failed: %s", (unsigned)client->process.pid, error->message);
    pri_link_send(client->link, &answer, sizeof answer, -1);
    hang_up(k, client);
}

/* True if the client's configuration is not the one that runs; it has been told so then. */
static bool tell_conflict(struct pri_keeper *k, struct pri_client *client,
                          const uint64_t running[PRI_PART_COUNT]) {
    procref_error error = PROCREF_ERROR_INIT;
    if (pri_config_compare(running, client->parts, client->share, k->pair->config->ident.name,
                           k->pair->page->main.pid, &error) == 0) {
        return false;
    }
    tell_error(k, client, &error);
    return true;
}

/* An answer that is a head alone; page -1: none goes with it. */
static void tell_head(struct pri_keeper *k, struct pri_client *client,
                      const struct pri_answer *answer, procref_waitable page) {
    if (pri_link_send(client->link, answer, PRI_ANSWER_HEAD, page) < 0) {
        hang_up(k, client);
    }
}

static void tell_up(struct pri_keeper *k, struct pri_client *client) {
    struct pri_answer answer;
    if (tell_conflict(k, client, k->pair->page->parts)) {
        return;
    }
    answer_head(k, &answer, PRI_TELL_UP);
    answer.slot = give_slot(k, &client->process, client->slot);
    answer.waited = client->waited;
    if (answer.slot != PRI_NO_SLOT) {
        atomic_store(&k->pair->record->slots[answer.slot].since_ms, pri_wall_ms());
    }
    PRI_TRACE("tells client %u: up(%u)", (unsigned)client->process.pid,
              (unsigned)answer.generation);
    PRI_CRASH_POINT("tells up");
    client->state = CLIENT_TOLD;
    tell_head(k, client, &answer, k->pair->record_page);
}

void pri_clients_tell_up(struct pri_keeper *k) {
    if (!pri_run_is_alive(k)) {
        return; /* the service has just ended: the event is next, and its outcome is their answer */
    }
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        bool refuses = client->unhealthy && client->generation == k->machine.generation;
        if (client->link >= 0 && client->state == CLIENT_ASKING && !refuses) {
            tell_up(k, client);
        }
    }
}

void pri_clients_tell_failed(struct pri_keeper *k) {
    pri_clients_accept(k); /* who is in the queue waited for this start too */
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_ASKING) {
            tell_error(k, client, &k->error);
        }
    }
}

static void tell_stays(struct pri_keeper *k, struct pri_client *client) {
    struct pri_answer answer;
    answer_head(k, &answer, PRI_TELL_STAYS);
    tell_head(k, client, &answer, -1);
    hang_up(k, client);
}

void pri_clients_tell_stays(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 &&
            (client->state == CLIENT_AWAITS_STOP || client->state == CLIENT_STOPS)) {
            tell_stays(k, client);
        }
    }
}

void pri_clients_tell_stop(struct pri_keeper *k, enum pri_tell tell) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_STOPS) {
            struct pri_answer answer;
            answer_head(k, &answer, tell);
            tell_head(k, client, &answer, -1);
            hang_up(k, client);
        }
    }
}

/* ---- Callbacks: elections, and the last one's release ---------------------------------------- */

static struct pri_client *candidate(struct pri_keeper *k) {
    struct pri_client *best = NULL;
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_ASKING) {
            int rank = 2 * client->unhealthy + client->recovers;
            int best_rank = best != NULL ? 2 * best->unhealthy + best->recovers : -1;
            best = rank > best_rank ? client : best;
        }
    }
    return best;
}

static void watch_process(struct pri_keeper *k, struct pri_client *client) {
    if (client->watch < 0) {
        client->watch = pri_process_watch(&client->process);
        if (client->watch >= 0) {
            pri_poller_add(k->poller, client->watch, (uintptr_t)client | 1);
        }
    }
}

/* One of those who ask: first who holds and says that it does not work, and can recover it. */
void pri_clients_elect(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    struct pri_answer answer;
    struct pri_client *client = candidate(k);
    if (client == NULL) { /* it went since it was counted */
        pri_keeper_push(k, PRI_E_STARTER_LOST);
        return;
    }
    bool recovers = page->recovers && client->recovers;
    memcpy(page->parts, client->parts, sizeof page->parts);
    pri_run_record_election(k);
    answer_head(k, &answer, recovers ? PRI_TELL_RECOVER : PRI_TELL_START);
    if (recovers) {
        answer.pid = page->old.pid;
        answer.start = page->old.start;
        answer.port = page->old_port;
    }
    answer.slot = give_slot(k, &client->process, client->slot);
    PRI_TRACE("elects client %u: %s as %u", (unsigned)client->process.pid,
              recovers ? "recover" : "start", (unsigned)answer.generation);
    PRI_CRASH_POINT("elects");
    client->state = CLIENT_ELECTED;
    watch_process(k, client); /* what it forks may hold a copy of the connection */
    tell_head(k, client, &answer, k->pair->record_page);
}

static void answer_closers(struct pri_keeper *k, enum pri_tell tell, bool all) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_CLOSES) {
            struct pri_answer answer;
            answer_head(k, &answer, tell);
            answer.slot = give_slot(k, &client->process, client->slot);
            PRI_TRACE("tells client %u: %s", (unsigned)client->process.pid,
                      tell == PRI_TELL_CLOSE    ? "close"
                      : tell == PRI_TELL_DETACH ? "detach"
                                                : "others hold");
            PRI_CRASH_POINT("answers who closes");
            tell_head(k, client, &answer, tell == PRI_TELL_CLOSE ? k->pair->record_page : -1);
            if (client->link >= 0) {
                hang_up(k, client);
            }
            if (!all) {
                return;
            }
        }
    }
}

/* refs was 1: it is the one. */
void pri_clients_tell_close(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_CLOSE, false);
}

void pri_clients_tell_again(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_STAYS, true);
}

void pri_clients_tell_detach(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_DETACH, true);
}

static void on_close(struct pri_keeper *k, struct pri_client *client,
                     const struct pri_request *request) {
    client->state = CLIENT_CLOSES;
    client->slot = request->slot;
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    pri_keeper_push(k, PRI_E_CLOSE_ASKED);
}

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
        hang_up(k, client);
        return;
    }
    struct pri_process process = {ready->head.pid, ready->head.start};
    atomic_store(&record->metadata_generation, 0);
    record->metadata_size = ready->metadata_size;
    memcpy(record->metadata, ready->metadata, ready->metadata_size);
    k->pair->page->port = ready->head.port;
    client->state = CLIENT_ASKING;
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
        hang_up(k, client);
        return;
    }
    k->error.code = failed->code < 0 ? failed->code : PROCREF_E_OTHER;
    k->error.os_code = failed->os_code;
    pri_format(k->error.op, sizeof k->error.op, "%.31s", failed->op);
    pri_format(k->error.message, sizeof k->error.message, "%.511s", failed->message);
    pri_format(k->error.detail, sizeof k->error.detail, "%.4095s", failed->detail);
    PRI_TRACE("client %u failed: %s", (unsigned)client->process.pid, k->error.message);
    client->state = CLIENT_ASKING; /* it is told with the others, when all of it has ended */
    pri_keeper_push(k, PRI_E_LAUNCH_FAILED);
}

/* What an elected client has to say. */
static void on_report(struct pri_keeper *k, struct pri_client *client, ptrdiff_t size) {
    const struct pri_report_head *report = &packet.report;
    struct pri_process process = {report->pid, report->start};
    struct pri_answer answer;
    if (size < (ptrdiff_t)sizeof *report || report->magic != PRI_WIRE_MAGIC ||
        report->version != PRI_WIRE_VERSION) {
        hang_up(k, client);
        return;
    }
    switch (report->ask) {
    case PRI_REPORT_NAMED:
        if (process.pid == pri_own_pid() || (process.pid != 0 && process.pid == k->pair->standby)) {
            hang_up(k, client); /* we would end ourselves */
            return;
        }
        pri_run_named(k, &process);
        PRI_CRASH_POINT("named, not acknowledged");
        answer_head(k, &answer, PRI_TELL_ACK);
        tell_head(k, client, &answer, -1);
        break;
    case PRI_REPORT_READY: on_ready(k, client, &packet.ready, size); break;
    case PRI_REPORT_FAILED: on_failed(k, client, &packet.failed, size); break;
    default: hang_up(k, client);
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_up(const struct pri_keeper *k) {
    return k->machine.state == PRI_S_UP || k->machine.state == PRI_S_LINGERING;
}

/* Not up, and not in a moment either, as when a keeper takes over what is up. */
static bool starts_yet(const struct pri_keeper *k) {
    return !is_up(k) && k->machine.phase != PRI_PHASE_UP;
}

/* Whether page->parts says what runs or is being started. */
static bool is_settled(const struct pri_keeper *k) {
    switch (k->machine.state) {
    case PRI_S_RESUMING:
    case PRI_S_BEGINNING:
    case PRI_S_ENDING:
    case PRI_S_REFUSING:
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
    return tell_conflict(k, client, parts);
}

/* A start that was begun is finished, even if who asked for it has gone; unless somebody wants
 * something else. The client that asks is counted already. */
static bool is_unwanted_start(const struct pri_keeper *k) {
    return k->machine.state == PRI_S_STARTING && pri_clients_count(k, CLIENT_ASKING) == 1 &&
           pri_clients_count(k, CLIENT_NEW) == 0;
}

/*
 * What nobody holds, because it lingers or was let go of this very moment, and what nobody waits
 * for, is stopped for who wants it otherwise, as if that had asked for the stop (on_stop); it
 * begins again when it is told of the outcome.
 */
static bool gives_way(struct pri_keeper *k, struct pri_client *client, bool starts_none) {
    procref_error error = PROCREF_ERROR_INIT;
    if (!(is_up(k) || is_unwanted_start(k)) ||
        pri_config_accepts(k->pair->page->parts, client->parts, client->share) ||
        pri_counter_read(&k->counter, PRI_REG_REFS) != 0 || k->old_count > 0 ||
        pri_clients_count(k, CLIENT_TOLD) > 0) {
        return false;
    }
    if (starts_none) {
        pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
                 "'%s' is not up (what runs is of another configuration, and nobody holds it), and "
                 "timeout 0 does not wait",
                 k->pair->config->ident.name);
        tell_error(k, client, &error);
        return true;
    }
    PRI_TRACE("client %u wants another, and nobody holds this one", (unsigned)client->process.pid);
    client->state = CLIENT_STOPS;
    pri_keeper_push(k, PRI_E_HUNG_UP);
    pri_keeper_push(k, PRI_E_STOP_ASKED);
    return true;
}

static void on_acquire(struct pri_keeper *k, struct pri_client *client,
                       const struct pri_request *request) {
    client->state = CLIENT_ASKING;
    client->share = (request->flags & PRI_ASK_SHARE) != 0;
    client->unhealthy = (request->flags & PRI_ASK_UNHEALTHY) != 0;
    client->recovers = (request->flags & PRI_ASK_RECOVERS) != 0;
    client->waited = client->waited || starts_yet(k);
    client->generation = request->generation;
    client->slot = request->slot;
    memcpy(client->parts, request->parts, sizeof client->parts);
    if (k->old_count > 0) {
        pri_clients_count_old(k); /* its own mark may be one that just failed to attach */
    }
    if (gives_way(k, client, (request->flags & PRI_ASK_NO_START) != 0) ||
        (is_settled(k) ? tell_conflict(k, client, k->pair->page->parts)
                       : is_other_kind(k, client))) {
        return;
    }
    if ((request->flags & PRI_ASK_NO_START) != 0 && starts_yet(k)) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
                 "'%s' is not up (%s), and timeout 0 does not wait", k->pair->config->ident.name,
                 pri_state_name(k->machine.state));
        tell_error(k, client, &error);
        return;
    }
    pri_keeper_push(k, client->unhealthy ? PRI_E_UNHEALTHY : PRI_E_ASKED);
}

static void on_await_stop(struct pri_keeper *k, struct pri_client *client,
                          const struct pri_request *request) {
    client->state = CLIENT_AWAITS_STOP;
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    bool nothing_up = k->machine.state == PRI_S_STARTING || k->machine.state == PRI_S_ELECTING ||
                      k->machine.state == PRI_S_ELECTED; /* a new set counts from 1 again */
    bool another = nothing_up || (is_settled(k) && request->generation != k->machine.generation);
    bool held = is_settled(k) && pri_counter_read(&k->counter, PRI_REG_REFS) > 0;
    if (another || held || k->old_count > 0) {
        tell_stays(k, client);
    }
}

/* A question, not a wish: it keeps nothing alive. */
static void on_status(struct pri_keeper *k, struct pri_client *client,
                      const struct pri_request *request) {
    static struct pri_status status;
    client->state = CLIENT_WATCHES;
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing of the service */
    pri_status_fill(k, &status);
    bool sent = pri_link_send(client->link, &status, sizeof status, k->pair->record_page) == 0;
    if (!sent || (request->flags & PRI_ASK_WATCH) == 0) {
        hang_up(k, client);
    }
}

static void on_stop(struct pri_keeper *k, struct pri_client *client,
                    const struct pri_request *request) {
    client->state = CLIENT_STOPS;
    client->forces = (request->flags & PRI_ASK_FORCE) != 0;
    PRI_TRACE("client %u wants it stopped%s", (unsigned)client->process.pid,
              client->forces ? ", by force" : "");
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    pri_keeper_push(k, PRI_E_STOP_ASKED);
}

static void on_request(struct pri_keeper *k, struct pri_client *client,
                       const struct pri_request *request, ptrdiff_t size) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_ident *ident = &k->pair->config->ident;
    if (size != (ptrdiff_t)sizeof *request || request->magic != PRI_WIRE_MAGIC ||
        request->version != PRI_WIRE_VERSION) {
        pri_fail(&error, PROCREF_E_CONFLICT, 0, "",
                 "'%s' is run by another version of procref (%s)", ident->name, PROCREF_VERSION);
        tell_error(k, client, &error);
        return;
    }
    /* Who lists all services knows their addresses, and asks each for its name. */
    bool nameless = request->ask == PRI_ASK_STATUS && request->name[0] == '\0';
    if (request->hash != ident->hash ||
        (!nameless && strncmp(request->name, ident->name, sizeof ident->name) != 0)) {
        pri_fail(&error, PROCREF_E_CONFLICT, 0, "", "this is the keeper of '%s'", ident->name);
        tell_error(k, client, &error);
        return;
    }
    client->process.start = request->start;
    PRI_TRACE("client %u asks (%u)", (unsigned)client->process.pid, (unsigned)request->ask);
    switch (request->ask) {
    case PRI_ASK_ACQUIRE: on_acquire(k, client, request); break;
    case PRI_ASK_GONE: on_await_stop(k, client, request); break;
    case PRI_ASK_RELEASED:
        hang_up(k, client);
        pri_clients_count_old(k);
        break;
    case PRI_ASK_CLOSE: on_close(k, client, request); break;
    case PRI_ASK_STATUS: on_status(k, client, request); break;
    case PRI_ASK_STOP: on_stop(k, client, request); break;
    default: hang_up(k, client);
    }
}

/* Readable: a request, or the end of file, which for a client that was told "up" means attached or
 * dead. */
static void on_link(struct pri_keeper *k, struct pri_client *client) {
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
        hang_up(k, client);
        return;
    }
    client->process.pid = pid;
    if (pid == 0) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_UNSUPPORTED, 0, "",
                 "'%s' has a keeper in another pid namespace, which cannot see this process",
                 k->pair->config->ident.name);
        tell_error(k, client, &error);
        return;
    }
    on_request(k, client, &packet.request, got);
}

void pri_clients_event(struct pri_keeper *k, struct pri_client *client, bool process) {
    if (client->link < 0) {
        return; /* hung up earlier in this round */
    }
    if (process) {
        hang_up(k,
                client); /* dead, though a forked child of it may hold a copy of the connection */
    } else {
        on_link(k, client);
    }
}

void pri_clients_accept(struct pri_keeper *k) {
    /* A queue's length: who begins again and again as fast as we accept must not keep us here. */
    for (int most = ACCEPTS_MOST; most > 0; most--) {
        procref_waitable link;
        int code =
            k->accept_paused ? PROCREF_E_AGAIN : pri_rendezvous_accept(k->pair->listener, &link);
        if (code == PROCREF_E_LIMIT) {
            /* No descriptor: go on when a client hangs up, instead of being woken for ever. */
            pri_poller_remove(k->poller, k->pair->listener);
            k->accept_paused = true;
            k->accept_ns = pri_deadline(PAUSE_MS);
        }
        if (code < 0) {
            return;
        }
        struct pri_client *client = calloc(1, sizeof *client);
        if (client == NULL || pri_poller_add(k->poller, link, (uintptr_t)client) < 0) {
            free(client);
            pri_link_close(link);
            continue;
        }
        client->link = link;
        client->waited = starts_yet(k); /* it may come to ask after that */
        client->watch = -1;
        client->until_ns = pri_deadline(SILENCE_MS);
        client->next = k->clients;
        k->clients = client;
        on_link(k, client); /* its request is mostly there already */
    }
}

int64_t pri_clients_deadline(const struct pri_keeper *k) {
    int64_t least = PRI_NEVER;
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_NEW && client->until_ns < least) {
            least = client->until_ns;
        }
    }
    return least;
}

void pri_clients_expire(struct pri_keeper *k) {
    int64_t now = pri_clock_ns();
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_NEW && client->until_ns <= now) {
            hang_up(k, client);
        }
    }
}

/* Only now does it matter whether those who were told "up" still live. */
void pri_clients_watch_told(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_TOLD) {
            watch_process(k, client);
        }
    }
}

/* ---- Holders of a removed set ---------------------------------------------------------------- */

static void forget_old(struct pri_keeper *k) {
    for (uint32_t i = 0; i < k->old_count; i++) {
        if (k->old[i].watch >= 0) {
            pri_poller_remove(k->poller, k->old[i].watch);
            pri_link_close(k->old[i].watch);
        }
    }
    free(k->old);
    k->old = NULL;
    k->old_count = k->old_callers = 0;
}

static bool is_old(uint32_t stamp, uint32_t current) {
    return stamp != 0 && stamp != current;
}

/* Those who marked that they hold, or run a callback, in a set which is not the current one, and
 * live. */
void pri_clients_find_old(struct pri_keeper *k) {
    struct pri_record *record = k->pair->record;
    uint32_t current = k->counter.id >= 0 ? pri_counter_stamp(&k->counter) : 0;
    uint32_t used = used_slots(record), count = 0;
    forget_old(k);
    for (uint32_t i = 0; i < used; i++) {
        count += is_old(atomic_load(&record->slots[i].held), current) ||
                 is_old(atomic_load(&record->slots[i].calls), current);
    }
    k->old = count > 0 ? calloc(count, sizeof *k->old) : NULL;
    for (uint32_t i = 0; k->old != NULL && i < used && k->old_count < count; i++) {
        struct pri_slot *slot = &record->slots[i];
        struct pri_process process = {atomic_load(&slot->pid), atomic_load(&slot->start)};
        bool holds = is_old(atomic_load(&slot->held), current);
        bool calls = is_old(atomic_load(&slot->calls), current);
        if ((!holds && !calls) || !pri_process_alive(&process)) {
            continue;
        }
        k->old_callers += calls;
        struct pri_old_holder *old = &k->old[k->old_count];
        old->slot = (int32_t)i;
        old->watch = pri_process_watch(&process);
        if (old->watch >= 0) {
            pri_poller_add(k->poller, old->watch,
                           PRI_TAG_OLD + (uint64_t)k->old_count * PRI_TAG_STEP);
        }
        k->old_count++;
    }
    PRI_TRACE("%u holders of a removed set, %u in a callback", (unsigned)k->old_count,
              (unsigned)k->old_callers);
}

void pri_clients_count_old(struct pri_keeper *k) {
    pri_clients_find_old(k);
    if (k->old_count == 0 || k->old_callers == 0) {
        pri_keeper_push(k, PRI_E_OLD_GONE);
    }
}

void pri_clients_old_event(struct pri_keeper *k, uint32_t index) {
    if (index < k->old_count && k->old[index].watch >= 0) {
        pri_clients_count_old(k);
    }
}
