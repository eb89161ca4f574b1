/* The record page's slots: which processes have one, and who of them holds in a removed set. */
#include <stdlib.h>

#include "core/trace.h"
#include "keeper/clients.h"
#include "os/poller.h"
#include "os/rendezvous.h"

/* A sweep of a full page takes a while: so many come before the next. */
enum { SLOTS_LIMIT_FIRST = 256, SWEEP_EACH = 1024 };

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
int32_t pri_slots_give(struct pri_keeper *k, const struct pri_process *process, int32_t told) {
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
    if (used == PRI_RECORD_SLOTS && k->slot_cursor >= used) {
        if (k->slots_refused > 0) {
            k->slots_refused--;
            return PRI_NO_SLOT;
        }
        uint32_t freed = sweep_slots(k, used);
        k->slots_refused = freed < SWEEP_EACH ? SWEEP_EACH - freed : 0;
    } else if (used >= k->slots_limit && k->slot_cursor >= used &&
               sweep_slots(k, used) < used / 2) {
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
void pri_slots_find_old(struct pri_keeper *k) {
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

void pri_slots_count_old(struct pri_keeper *k) {
    pri_slots_find_old(k);
    if (k->old_count == 0 || k->old_callers == 0) {
        pri_keeper_push(k, PRI_E_OLD_GONE);
    }
}

void pri_slots_old_event(struct pri_keeper *k, uint32_t index) {
    if (index < k->old_count && k->old[index].watch >= 0) {
        pri_slots_count_old(k);
    }
}
