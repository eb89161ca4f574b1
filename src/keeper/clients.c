/* The keeper's side of the rendezvous: who asks, who was told, who holds in a removed set. */
#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/rendezvous.h"

/*
 * Who connects is about to ask; nothing is stopped meanwhile. One that was itself stopped in
 * between keeps a service no longer than this, and begins again when it goes on.
 */
enum { SILENCE_MS = 3000, PAUSE_MS = 100, SLOTS_LIMIT_FIRST = 256 };

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

/* ---- Slots of the record page ---------------------------------------------------------------- */

/* Frees the slots of processes that are gone. */
static uint32_t sweep_slots(struct pri_keeper *k, uint32_t used) {
    uint32_t freed = 0;
    for (uint32_t i = 0; i < used; i++) {
        struct pri_slot *slot = &k->pair->record->slots[i];
        struct pri_process process = {atomic_load(&slot->pid), atomic_load(&slot->start)};
        if (process.pid == 0 || !pri_process_alive(&process)) {
            atomic_store(&slot->held, 0);
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
    uint32_t used = atomic_load(&record->used);
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
    atomic_store(&record->slots[slot].start, process->start);
    atomic_store(&record->slots[slot].pid, process->pid);
    return (int32_t)slot;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer_head(const struct pri_keeper *k, struct pri_answer *answer, enum pri_tell tell) {
    const struct pri_page *page = k->pair->page;
    memset(answer, 0, offsetof(struct pri_answer, os_code));
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
static bool tell_conflict(struct pri_keeper *k, struct pri_client *client) {
    procref_error error = PROCREF_ERROR_INIT;
    const struct pri_page *page = k->pair->page;
    if (client->share || pri_config_compare(page->parts, client->parts, k->pair->config->ident.name,
                                            page->main.pid, &error) == 0) {
        return false;
    }
    tell_error(k, client, &error);
    return true;
}

static void tell_up(struct pri_keeper *k, struct pri_client *client) {
    struct pri_answer answer;
    if (tell_conflict(k, client)) {
        return;
    }
    answer_head(k, &answer, PRI_TELL_UP);
    answer.slot = give_slot(k, &client->process, client->slot);
    PRI_TRACE("tells client %u: up(%u)", (unsigned)client->process.pid,
              (unsigned)answer.generation);
    PRI_CRASH_POINT("tells up");
    client->state = CLIENT_TOLD;
    if (pri_link_send(client->link, &answer, offsetof(struct pri_answer, os_code),
                      k->pair->record_page) < 0) {
        hang_up(k, client);
    }
}

void pri_clients_tell_up(struct pri_keeper *k) {
    if (k->main_watch < 0 || pri_link_wait(k->main_watch, 0)) {
        return; /* the service has just ended: the event is next, and its outcome is their answer */
    }
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_ASKING) {
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
    answer_head(k, &answer, PRI_TELL_UP);
    pri_link_send(client->link, &answer, offsetof(struct pri_answer, os_code), -1);
    hang_up(k, client);
}

void pri_clients_tell_stays(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->link >= 0 && client->state == CLIENT_AWAITS_STOP) {
            tell_stays(k, client);
        }
    }
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_up(const struct pri_keeper *k) {
    return k->machine.state == PRI_S_UP || k->machine.state == PRI_S_LINGERING;
}

/* Whether page->parts says what runs or is being started. */
static bool is_settled(const struct pri_keeper *k) {
    switch (k->machine.state) {
    case PRI_S_RESUMING:
    case PRI_S_BEGINNING:
    case PRI_S_ENDING:
    case PRI_S_REFUSING:
    case PRI_S_STOPPING:
    case PRI_S_ENDED: return false;
    default: return true;
    }
}

static void on_acquire(struct pri_keeper *k, struct pri_client *client,
                       const struct pri_request *request) {
    client->state = CLIENT_ASKING;
    client->share = (request->flags & PRI_ASK_SHARE) != 0;
    client->slot = request->slot;
    memcpy(client->parts, request->parts, sizeof client->parts);
    if (k->old_count > 0) {
        pri_clients_count_old(k); /* its own mark may be one that just failed to attach */
    }
    if (is_settled(k) && tell_conflict(k, client)) {
        return;
    }
    if ((request->flags & PRI_ASK_NO_START) != 0 && !is_up(k)) {
        procref_error error = PROCREF_ERROR_INIT;
        pri_fail(&error, PROCREF_E_TIMEOUT, 0, "",
                 "'%s' is not up (%s), and timeout 0 does not wait", k->pair->config->ident.name,
                 pri_state_name(k->machine.state));
        tell_error(k, client, &error);
        return;
    }
    pri_keeper_push(k, PRI_E_ASKED);
}

static void on_await_stop(struct pri_keeper *k, struct pri_client *client,
                          const struct pri_request *request) {
    client->state = CLIENT_AWAITS_STOP;
    pri_keeper_push(k, PRI_E_HUNG_UP); /* it wants nothing more of the service */
    bool another = is_settled(k) && request->generation != k->machine.generation;
    bool held = is_settled(k) && pri_counter_read(&k->counter, PRI_REG_REFS) > 0;
    if (another || held || k->old_count > 0) {
        tell_stays(k, client);
    }
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
    if (request->hash != ident->hash ||
        strncmp(request->name, ident->name, sizeof ident->name) != 0) {
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
    default: hang_up(k, client);
    }
}

/* Readable: a request, or the end of file, which for a client that was told "up" means attached or
 * dead. */
static void on_link(struct pri_keeper *k, struct pri_client *client) {
    struct pri_request request;
    uint32_t pid;
    procref_waitable page;
    ptrdiff_t got = pri_link_receive(client->link, &request, sizeof request, &pid, &page);
    if (got == PROCREF_E_AGAIN) {
        return;
    }
    if (got > 0) {
        pri_link_close(page);
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
    on_request(k, client, &request, got);
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
    for (;;) {
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
        if (client->link >= 0 && client->state == CLIENT_TOLD && client->watch < 0) {
            client->watch = pri_process_watch(&client->process);
            if (client->watch >= 0) {
                pri_poller_add(k->poller, client->watch, (uintptr_t)client | 1);
            }
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
    k->old_count = 0;
}

/* Those who marked that they hold in a set which is not the current one, and live. */
void pri_clients_count_old(struct pri_keeper *k) {
    struct pri_record *record = k->pair->record;
    uint32_t current = k->counter.id >= 0 ? pri_counter_stamp(&k->counter) : 0;
    uint32_t used = atomic_load(&record->used), count = 0;
    forget_old(k);
    for (uint32_t i = 0; i < used && i < PRI_RECORD_SLOTS; i++) {
        uint32_t held = atomic_load(&record->slots[i].held);
        count += held != 0 && held != current;
    }
    k->old = count > 0 ? calloc(count, sizeof *k->old) : NULL;
    for (uint32_t i = 0; k->old != NULL && i < used && k->old_count < count; i++) {
        struct pri_slot *slot = &record->slots[i];
        struct pri_process process = {atomic_load(&slot->pid), atomic_load(&slot->start)};
        uint32_t held = atomic_load(&slot->held);
        if (held == 0 || held == current || !pri_process_alive(&process)) {
            continue;
        }
        struct pri_old_holder *old = &k->old[k->old_count];
        old->slot = (int32_t)i;
        old->watch = pri_process_watch(&process);
        if (old->watch >= 0) {
            pri_poller_add(k->poller, old->watch,
                           PRI_TAG_OLD + (uint64_t)k->old_count * PRI_TAG_STEP);
        }
        k->old_count++;
    }
    PRI_TRACE("%u holders of a removed set", (unsigned)k->old_count);
    if (k->old_count == 0) {
        pri_keeper_push(k, PRI_E_OLD_GONE);
    }
}

void pri_clients_old_event(struct pri_keeper *k, uint32_t index) {
    if (index < k->old_count && k->old[index].watch >= 0) {
        pri_clients_count_old(k);
    }
}
