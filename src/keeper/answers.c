/* What clients are told: one of them alone, or all who wait for an outcome. */
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/clients.h"
#include "os/clock.h"
#include "os/counter.h"
#include "os/rendezvous.h"

void pri_answer_head(const struct pri_keeper *k, struct pri_answer *answer, enum pri_tell tell) {
    static uint32_t space; /* it stays where it is */
    const struct pri_page *page = k->pair->page;
    space = space != 0 ? space : pri_counter_space();
    memset(answer, 0, PRI_ANSWER_HEAD);
    answer->magic = PRI_WIRE_MAGIC;
    answer->version = PRI_WIRE_VERSION;
    answer->tell = tell;
    answer->generation = k->machine.generation;
    answer->pid = page->main.pid;
    answer->start = page->main.start;
    answer->port = page->port;
    answer->space = space;
    memcpy(answer->parts, page->parts, sizeof answer->parts);
}

void pri_answer_one_error(struct pri_keeper *k, struct pri_client *client,
                          const procref_error *error) {
    struct pri_answer answer;
    pri_answer_head(k, &answer, PRI_TELL_FAILED);
    answer.code = error->code;
    answer.os_code = error->os_code;
    memcpy(answer.op, error->op, sizeof answer.op);
    memcpy(answer.message, error->message, sizeof answer.message);
    memcpy(answer.detail, error->detail, sizeof answer.detail);
    PRI_TRACE("tells client %u: failed: %s", (unsigned)client->process.pid, error->message);
    pri_link_send(client->link, &answer, sizeof answer, -1);
    pri_client_hang_up(k, client);
}

/* True if the client's configuration is not the one that runs; it has been told so then. */
bool pri_answer_conflict(struct pri_keeper *k, struct pri_client *client,
                         const uint64_t running[PRI_PART_COUNT]) {
    procref_error error = PROCREF_ERROR_INIT;
    if (pri_config_compare(running, client->parts, client->share, k->pair->config->ident.name,
                           pri_process_alive(&k->pair->page->main) ? k->pair->page->main.pid : 0,
                           &error) == 0) {
        return false;
    }
    pri_answer_one_error(k, client, &error);
    return true;
}

/* An answer that is a head alone; page -1: none goes with it. */
void pri_answer_send(struct pri_keeper *k, struct pri_client *client,
                     const struct pri_answer *answer, procref_waitable page) {
    if (pri_link_send(client->link, answer, PRI_ANSWER_HEAD, page) < 0) {
        pri_client_hang_up(k, client);
    }
}

static void tell_up(struct pri_keeper *k, struct pri_client *client) {
    struct pri_answer answer;
    pri_answer_head(k, &answer, PRI_TELL_UP);
    answer.slot = pri_slots_give(k, &client->process, client->slot);
    answer.waited = client->waited;
    if (answer.slot != PRI_NO_SLOT) {
        atomic_store(&k->pair->record->slots[answer.slot].since_ms, pri_wall_ms());
    }
    PRI_TRACE("tells client %u: up(%u)", (unsigned)client->process.pid,
              (unsigned)answer.generation);
    PRI_CRASH_POINT("tells up");
    pri_client_become(k, client, CLIENT_TOLD);
    pri_answer_send(k, client, &answer, k->pair->record_page);
}

void pri_answer_up(struct pri_keeper *k) {
    if (!pri_run_is_alive(k)) {
        return; /* the service has just ended: the event is next, and its outcome is their answer */
    }
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        bool refuses = client->unhealthy && client->generation == k->machine.generation;
        if (client->state == CLIENT_ASKING && !refuses && !pri_request_wants_another(k, client)) {
            tell_up(k, client);
        }
    }
}

void pri_answer_failed(struct pri_keeper *k) {
    pri_clients_accept(k, PRI_ACCEPT_QUEUE); /* who is in the queue waited for this start too */
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_ASKING) {
            pri_answer_one_error(k, client, &k->error);
        }
    }
}

void pri_answer_one_stays(struct pri_keeper *k, struct pri_client *client) {
    struct pri_answer answer;
    pri_answer_head(k, &answer, PRI_TELL_STAYS);
    pri_answer_send(k, client, &answer, -1);
    pri_client_hang_up(k, client);
}

void pri_answer_stays(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_AWAITS_STOP || client->state == CLIENT_STOPS) {
            pri_answer_one_stays(k, client);
        }
    }
}

void pri_answer_stop(struct pri_keeper *k, enum pri_tell tell) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_STOPS) {
            struct pri_answer answer;
            pri_answer_head(k, &answer, tell);
            pri_answer_send(k, client, &answer, -1);
            pri_client_hang_up(k, client);
        }
    }
}

/* ---- Callbacks: elections, and the last one's release ---------------------------------------- */

static struct pri_client *candidate(struct pri_keeper *k) {
    struct pri_client *best = NULL;
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_ASKING) {
            int rank = 2 * client->unhealthy + client->recovers;
            int best_rank = best != NULL ? 2 * best->unhealthy + best->recovers : -1;
            best = rank > best_rank ? client : best;
        }
    }
    return best;
}

/* One of those who ask: first who holds and says that it does not work, and can recover it. */
void pri_answer_elect(struct pri_keeper *k) {
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
    pri_answer_head(k, &answer, recovers ? PRI_TELL_RECOVER : PRI_TELL_START);
    if (recovers) {
        answer.pid = page->old.pid;
        answer.start = page->old.start;
        answer.port = page->old_port;
    }
    answer.slot = pri_slots_give(k, &client->process, client->slot);
    PRI_TRACE("elects client %u: %s as %u", (unsigned)client->process.pid,
              recovers ? "recover" : "start", (unsigned)answer.generation);
    PRI_CRASH_POINT("elects");
    pri_client_become(k, client, CLIENT_ELECTED);
    pri_client_watch(k, client); /* what it forks may hold a copy of the connection */
    pri_answer_send(k, client, &answer, k->pair->record_page);
}

static void answer_closers(struct pri_keeper *k, enum pri_tell tell, bool all) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_CLOSES) {
            struct pri_answer answer;
            pri_answer_head(k, &answer, tell);
            answer.slot = pri_slots_give(k, &client->process, client->slot);
            PRI_TRACE("tells client %u: %s", (unsigned)client->process.pid,
                      tell == PRI_TELL_CLOSE    ? "close"
                      : tell == PRI_TELL_DETACH ? "detach"
                                                : "others hold");
            PRI_CRASH_POINT("answers who closes");
            pri_answer_send(k, client, &answer, tell == PRI_TELL_CLOSE ? k->pair->record_page : -1);
            pri_client_hang_up(k, client);
            if (!all) {
                return;
            }
        }
    }
}

/* refs was 1: it is the one. */
void pri_answer_close(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_CLOSE, false);
}

void pri_answer_again(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_STAYS, true);
}

void pri_answer_detach(struct pri_keeper *k) {
    answer_closers(k, PRI_TELL_DETACH, true);
}
