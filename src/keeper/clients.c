/* The keeper's side of the rendezvous: the connections of those who ask. What they ask is in
 * requests.c, what they are told in answers.c. */
#include <stdlib.h>

#include "keeper/clients.h"
#include "os/clock.h"
#include "os/poller.h"
#include "os/rendezvous.h"

/*
 * Who connects is about to ask; nothing is stopped meanwhile. One that was itself stopped in
 * between keeps a service no longer than this, and begins again when it goes on.
 */
enum { SILENCE_MS = 3000, PAUSE_MS = 100 };

/* What starts, watches and ends the service finds a descriptor however many clients come. */
enum { OTHER_DESCRIPTORS = 26 };

void pri_client_become(struct pri_keeper *k, struct pri_client *client,
                       enum pri_client_state state) {
    k->clients_in[client->state]--;
    k->clients_in[state]++;
    client->state = state;
}

void pri_client_hang_up(struct pri_keeper *k, struct pri_client *client) {
    if (client->watch >= 0) {
        pri_poller_remove(k->poller, client->watch);
        pri_link_close(client->watch);
        client->watch = -1;
    }
    if (client->state == CLIENT_GONE) {
        return;
    }
    pri_poller_remove(k->poller, client->link);
    pri_link_close(client->link);
    k->links--;
    switch (client->state) {
    case CLIENT_ASKING: pri_run_limit_start(k); /* fall through */
    case CLIENT_NEW:
    case CLIENT_TOLD: pri_keeper_push(k, PRI_E_HUNG_UP); break;
    case CLIENT_ELECTED: pri_keeper_push(k, PRI_E_STARTER_LOST); break;
    default: break;
    }
    pri_client_become(k, client, CLIENT_GONE);
}

void pri_clients_sweep(struct pri_keeper *k) {
    struct pri_client **at = &k->clients;
    while (k->clients_in[CLIENT_GONE] > 0) {
        struct pri_client *client = *at;
        if (client->state != CLIENT_GONE) {
            at = &client->next;
            continue;
        }
        *at = client->next;
        k->clients_in[CLIENT_GONE]--;
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
        pri_client_hang_up(k, client);
    }
    pri_clients_sweep(k);
}

bool pri_clients_forced(const struct pri_keeper *k) {
    bool forced = false;
    if (k->clients_in[CLIENT_STOPS] > 0) {
        for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
            forced = forced || (client->state == CLIENT_STOPS && client->forces);
        }
    }
    return forced;
}

/* How many of those who ask hold what is up and say that it does not work. */
uint32_t pri_clients_unhealthy(const struct pri_keeper *k, bool *ret_recovers) {
    uint32_t count = 0;
    *ret_recovers = false;
    for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_ASKING && client->unhealthy &&
            client->generation == k->machine.generation) {
            count++;
            *ret_recovers = *ret_recovers || client->recovers;
        }
    }
    return count;
}

void pri_client_watch(struct pri_keeper *k, struct pri_client *client) {
    if (client->watch < 0) {
        client->watch = pri_process_watch(&client->process);
        if (client->watch >= 0) {
            pri_poller_add(k->poller, client->watch, (uintptr_t)client | 1);
        }
    }
}

void pri_clients_event(struct pri_keeper *k, struct pri_client *client, bool process) {
    if (client->state == CLIENT_GONE) {
        return; /* earlier in this round */
    }
    if (process) {
        pri_client_hang_up(
            k, client); /* dead, though a forked child of it may hold a copy of the connection */
    } else {
        pri_request_receive(k, client);
    }
}

static bool has_room(const struct pri_keeper *k) {
    return k->links == 0 || k->links + OTHER_DESCRIPTORS < k->pair->files;
}

/* Until a client hangs up, or for a while, instead of being woken for ever. */
static void pause_accepting(struct pri_keeper *k, int64_t until_ns) {
    pri_poller_remove(k->poller, k->pair->listener);
    k->accept_paused = true;
    k->accept_ns = until_ns;
}

void pri_clients_accept(struct pri_keeper *k, int most) {
    if (k->accept_ns == PRI_NEVER && has_room(k)) {
        pri_clients_resume(k); /* who waits for room is asked in as soon as there is some */
    }
    for (; most > 0; most--) {
        procref_waitable link;
        if (!k->accept_paused && !has_room(k)) {
            pause_accepting(k, PRI_NEVER);
        }
        int code =
            k->accept_paused ? PROCREF_E_AGAIN : pri_rendezvous_accept(k->pair->listener, &link);
        if (code == PROCREF_E_LIMIT) {
            pause_accepting(k, pri_deadline(PAUSE_MS));
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
        k->links++;
        k->asked_in++;
        k->clients_in[CLIENT_NEW]++;
        client->waited = pri_request_is_early(k); /* it may come to ask after that */
        client->watch = -1;
        client->until_ns = pri_deadline(SILENCE_MS);
        client->next = k->clients;
        k->clients = client;
        pri_request_receive(k, client); /* its request is mostly there already */
    }
}

int64_t pri_clients_deadline(const struct pri_keeper *k) {
    int64_t least = PRI_NEVER;
    if (k->clients_in[CLIENT_NEW] > 0) {
        for (const struct pri_client *client = k->clients; client != NULL; client = client->next) {
            if (client->state == CLIENT_NEW && client->until_ns < least) {
                least = client->until_ns;
            }
        }
    }
    return least;
}

void pri_clients_expire(struct pri_keeper *k) {
    int64_t now = pri_clock_ns();
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_NEW && client->until_ns <= now) {
            pri_client_hang_up(k, client);
        }
    }
}

/* Only now does it matter whether those who were told "up" still live. */
void pri_clients_watch_told(struct pri_keeper *k) {
    for (struct pri_client *client = k->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_TOLD) {
            pri_client_watch(k, client);
        }
    }
}
