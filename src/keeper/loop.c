/* The keeper's loop: waits for everything at once, feeds the machine, performs what it decides. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crash.h"
#include "core/fail.h"
#include "core/trace.h"
#include "keeper/clients.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { FEED_MOST = 8, BACK_OFF_FIRST_MS = 20, LONG_UP_MS = 10000 };

void pri_keeper_push(struct pri_keeper *k, enum pri_event event) {
    for (int i = 0; i < k->queued; i++) {
        if (k->queue[i] == event) {
            return;
        }
    }
    if (k->queued < (int)(sizeof k->queue / sizeof k->queue[0])) {
        k->queue[k->queued++] = event;
    }
}

static const struct pri_ident *ident_of(const struct pri_keeper *k) {
    return &k->pair->config->ident;
}

/* ---- Actions --------------------------------------------------------------------------------- */

static void record_up(struct pri_keeper *k) {
    struct pri_page *page = k->pair->page;
    k->start_ns = PRI_NEVER; /* who hung up after it was ready has armed it again */
    page->recovers = false;
    page->up_ms = pri_wall_ms();
    page->ups++;
    atomic_store(&k->pair->record->metadata_generation, k->machine.generation);
    atomic_store(&page->generation, k->machine.generation);
    atomic_store(&page->phase, PRI_PHASE_UP);
    PRI_CRASH_POINT("page says up, not published");
    pri_run_hint(k, "up");
}

static void record_gave_up(struct pri_keeper *k) {
    pri_fail_copy(&k->pair->page->error, &k->error);
    atomic_store(&k->pair->page->phase, PRI_PHASE_GAVE_UP);
}

static void record_stopping(struct pri_keeper *k) {
    atomic_store(&k->pair->page->phase, PRI_PHASE_STOPPING);
    PRI_CRASH_POINT("recorded stopping"); /* not in the hint: that gen went on says it as well */
}

static void retire(struct pri_keeper *k) {
    PRI_CRASH_POINT("about to retire");
    if (k->dir < 0) {
        int dir = pri_directory_open(pri_config_text(k->pair->config, k->pair->config->dir), NULL);
        k->dir = dir >= 0 ? dir : -1;
    }
    if (k->dir >= 0) {
        pri_hint_remove(k->dir, ident_of(k)->name);
        if (pri_config_has_callbacks(k->pair->config)) {
            pri_metadata_remove(k->dir, ident_of(k)->name);
        }
    }
    /* The hint first: the generations of the next set begin at 1, and what it says must not fit
     * one of them. */
    PRI_CRASH_POINT("hint removed");
    pri_counter_remove(&k->counter);
    PRI_CRASH_POINT("retired");
    pri_holder_dismiss(k);
    /*
     * The name is free when both of us have let go of it, and the clients who wait begin again when
     * their connections close. Not by our exit alone: the kernel takes some 10 ms there to close
     * what watches the log (inotify(7)).
     */
    pri_link_close(k->pair->listener);
    if (k->standby_watch >= 0 && k->pair->standby != 0) {
        pri_process_signal(&k->standby, SIGKILL); /* a stopped one does not see another signal */
    }
    pri_clients_close_all(k);
    k->finished = true;
}

static void back_off(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (plan != NULL && plan->restart_ms >= 0) {
        k->back_off_ns = pri_deadline(plan->restart_ms);
        return;
    }
    uint32_t failures = k->machine.failures > 0 ? k->machine.failures - 1 : 0;
    k->back_off_ns = pri_deadline((int64_t)BACK_OFF_FIRST_MS << (2 * failures));
}

static void perform(struct pri_keeper *k, enum pri_action action) {
    switch (action) {
    case PRI_A_ADOPT: pri_row_adopt(k); break;
    case PRI_A_BEGIN: pri_row_begin(k); break;
    case PRI_A_REFOUND: pri_row_refound(k); break;
    case PRI_A_PUBLISH: pri_row_publish(k); break;
    case PRI_A_WITHDRAW: pri_row_withdraw(k); break;
    case PRI_A_DRAIN: pri_row_drain(k); break;
    case PRI_A_CLOSE: pri_row_close(k); break;
    case PRI_A_HAND_OVER: pri_row_hand_over(k); break;
    case PRI_A_AWAIT_REFS: pri_row_await_zero(k, PRI_REG_REFS); break;
    case PRI_A_AWAIT_CALL: pri_row_await_zero(k, PRI_REG_CALL); break;
    case PRI_A_LAUNCH: pri_run_launch(k); break;
    case PRI_A_ELECT: pri_answer_elect(k); break;
    case PRI_A_KEEP_OLD: pri_run_keep_old(k); break;
    case PRI_A_RECORD_UP: record_up(k); break;
    case PRI_A_RECORD_GAVE_UP: record_gave_up(k); break;
    case PRI_A_RECORD_STOPPING: record_stopping(k); break;
    case PRI_A_END_TREE: pri_run_end_tree(k); break;
    case PRI_A_TELL_UP: pri_answer_up(k); break;
    case PRI_A_TELL_FAILED: pri_answer_failed(k); break;
    case PRI_A_TELL_EXHAUSTED:
        pri_fail(&k->error, PROCREF_E_LIMIT, 0, "",
                 "'%s' was started %d times while somebody held it: release it everywhere once",
                 ident_of(k)->name, (int)PRI_GENERATION_LAST);
        pri_answer_failed(k);
        break;
    case PRI_A_TELL_STAYS: pri_answer_stays(k); break;
    case PRI_A_TELL_CLOSE:
        pri_run_find_roots(k); /* while its process lives: on_last_release ends that */
        pri_answer_close(k);
        break;
    case PRI_A_TELL_AGAIN: pri_answer_again(k); break;
    case PRI_A_TELL_DETACH: pri_answer_detach(k); break;
    case PRI_A_TELL_HELD: pri_answer_stop(k, PRI_TELL_HELD); break;
    case PRI_A_TELL_STOPPED: pri_answer_stop(k, PRI_TELL_STOPPED); break;
    case PRI_A_KEEP_STOPPED:
        pri_fail(&k->error, PROCREF_E_SERVICE_START, 0, "",
                 "'%s' was stopped by 'procref stop --force'", ident_of(k)->name);
        break;
    case PRI_A_ARM_LINGER:
        pri_counter_sign(&k->counter, PRI_REG_REFS);
        k->linger_ns = pri_deadline(k->pair->config->linger_ms);
        break;
    case PRI_A_ARM_BACK_OFF: back_off(k); break;
    case PRI_A_COUNT_OLD: pri_slots_count_old(k); break;
    case PRI_A_RETIRE: retire(k); break;
    case PRI_A_LEAVE: k->finished = true; break;
    case PRI_ACTION_COUNT: break;
    }
}

/* A plan's "so many starts within so much time": who was up for the mean of that is not counted on.
 */
static void limit_starts(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    int64_t long_up_ms = LONG_UP_MS;
    k->machine.restarts_most = PRI_RESTARTS_MOST;
    if (plan != NULL && plan->start_interval_ms > 0 && plan->start_burst > 0) {
        long_up_ms = plan->start_interval_ms / plan->start_burst;
        k->machine.restarts_most = (uint32_t)plan->start_burst;
    } else if (plan != NULL) {
        k->machine.restarts_most = UINT32_MAX;
    }
    k->machine.long_up = (pri_clock_ns() - k->up_since_ns) / PRI_MS > long_up_ms;
}

/*
 * Who is in the queue is asked in before anything is decided that could end the service. While
 * somebody asks, only a refusal can (machine.c, refuse); and who begins again and again as fast as
 * we ask in must not keep us from hearing anybody else.
 */
static void fill_facts(struct pri_keeper *k) {
    struct pri_machine *m = &k->machine;
    bool may_refuse =
        m->state == PRI_S_BEGINNING || m->state == PRI_S_FAILING || m->state == PRI_S_REFUSING;
    if (m->state != PRI_S_ENDED && (may_refuse || k->clients_in[CLIENT_ASKING] == 0)) {
        pri_clients_accept(k, PRI_ACCEPT_QUEUE);
    }
    m->coming = k->clients_in[CLIENT_NEW];
    m->asking = k->clients_in[CLIENT_ASKING];
    m->told = k->clients_in[CLIENT_TOLD];
    m->refs = pri_counter_read(&k->counter, PRI_REG_REFS);
    if (m->refs < 0 && k->counter.id >= 0) {
        k->counter.id = -1; /* removed under us: its holders are known by the record page alone */
        pri_slots_count_old(k);
    }
    m->old_holders = k->old_count;
    m->old_callers = k->old_callers;
    m->unhealthy = pri_clients_unhealthy(k, &m->recovers);
    m->forced = pri_clients_forced(k);
    if (m->state == PRI_S_RESUMING || m->state == PRI_S_BEGINNING) {
        m->gen = m->refs >= 0 ? pri_counter_read(&k->counter, PRI_REG_GEN) : -1;
        m->keeper = m->refs >= 0 ? pri_counter_read(&k->counter, PRI_REG_KEEPER) : -1;
    }
    m->callbacks = pri_config_has_callbacks(k->pair->config);
    bool needs_none = m->callbacks || pri_config_has_no_process(k->pair->config);
    m->alive = !k->holder_lost && (k->main_watch >= 0 ||
                                   k->status_ns != PRI_NEVER || /* until DIED tells how it ended */
                                   (needs_none && k->pair->page->main.pid == 0));
    m->linger = k->pair->config->linger_ms > 0;
    limit_starts(k);
}

static void feed_one(struct pri_keeper *k) {
    enum pri_event event = k->queue[0];
    memmove(k->queue, k->queue + 1, sizeof k->queue - sizeof k->queue[0]);
    k->queued--;
    enum pri_state before = k->machine.state;
    if (k->old_count > 0 && (event == PRI_E_ZERO || event == PRI_E_HUNG_UP)) {
        pri_slots_count_old(k); /* a holder of the old set may have attached to the new one */
    }
    fill_facts(k);
    struct pri_actions actions = pri_keeper_next(&k->machine, event);
    PRI_TRACE("%s, %s -> %s (refs %d, asking %u, told %u)", pri_state_name(before),
              pri_event_name(event), pri_state_name(k->machine.state), k->machine.refs,
              k->machine.asking, k->machine.told);
    for (int i = 0; i < actions.count; i++) {
        PRI_TRACE("  does: %s", pri_action_name(actions.list[i]));
        perform(k, actions.list[i]);
    }
    if (k->machine.state != before && k->clients_in[CLIENT_STOPS] > 0) {
        pri_keeper_push(k, PRI_E_STOP_ASKED);
    }
}

/* The machine knows the outcome of a row before anything outside is looked at. */
static bool is_outcome_next(const struct pri_keeper *k) {
    return k->queued > 0 && (k->queue[0] == PRI_E_DONE || k->queue[0] == PRI_E_REFUSED ||
                             k->queue[0] == PRI_E_GONE || k->queue[0] == PRI_E_BROKEN);
}

/*
 * Feeds the events that wait, and those that their actions make. Those may be without end, as when
 * all who are elected one after the other have gone, or many come: true if there may be more, to
 * be fed when it is known what has happened outside meanwhile.
 */
static bool feed(struct pri_keeper *k) {
    k->asked_in = 0;
    for (int fed = 0; (fed < FEED_MOST && k->asked_in <= PRI_ACCEPT_SOME) || is_outcome_next(k);
         fed++) {
        if (k->queued > 0) {
            feed_one(k);
        } else if (!pri_request_reconsider(k) && k->queued == 0) {
            return false;
        }
    }
    return true;
}

/* ---- What happened outside ------------------------------------------------------------------- */

static void waiter_event(struct pri_keeper *k) {
    uint32_t stamp;
    int result = pri_waiter_result(k->waiter, &stamp);
    if (result == PRI_NO) {
        return;
    }
    if (k->counter.id >= 0 && stamp != pri_counter_stamp(&k->counter)) {
        pri_row_await_zero(k, k->awaited); /* it slept on a set that was replaced since */
        return;
    }
    /* That the set is gone is seen again when the facts are filled in: its holders are counted
     * then. */
    pri_keeper_push(k, result == PRI_OK && k->counter.id >= 0 ? PRI_E_ZERO : PRI_E_GONE);
    pri_clients_watch_told(k);
}

static void dispatch(struct pri_keeper *k, uint64_t tag) {
    switch (tag) {
    case PRI_TAG_LISTENER: pri_clients_accept(k, PRI_ACCEPT_SOME); break;
    case PRI_TAG_CHILDREN:
        pri_outcome_reap(k);
        pri_outcome_status(k);
        pri_pid_file_orphaned(k);
        if (k->readiness.next_ns <= pri_clock_ns()) {
            pri_run_readiness(k); /* its probe command ended */
        }
        break;
    case PRI_TAG_NUDGE:
        pri_nudge_drain(k->pair->nudge);
        pri_outcome_status(k);
        break;
    case PRI_TAG_WAITER: waiter_event(k); break;
    case PRI_TAG_STANDBY:
        pri_poller_remove(k->poller, k->standby_watch);
        k->pair->standby = 0;
        k->pair->page->scattered = true;
        pri_keeper_push(k, PRI_E_STANDBY_DIED);
        break;
    case PRI_TAG_REPORT: pri_run_report(k); break;
    case PRI_TAG_READINESS: pri_run_readiness(k); break;
    case PRI_TAG_MAIN: pri_outcome_ended(k); break;
    case PRI_TAG_END: pri_run_end_step(k, false); break;
    case PRI_TAG_HELD: pri_holder_told(k); break;
    case PRI_TAG_HOLDER: pri_holder_ended(k); break;
    case PRI_TAG_PID_FILE: pri_pid_file_changed(k); break;
    case PRI_TAG_LOG:
        pri_run_readiness(k);
        pri_log_trim(&k->log);
        break;
    default:
        if (tag < PRI_TAG_OLD_END) {
            pri_slots_old_event(k, (uint32_t)((tag - PRI_TAG_OLD) / PRI_TAG_STEP));
        } else {
            pri_clients_event(k, (struct pri_client *)(uintptr_t)(tag & ~UINT64_C(1)), tag & 1);
        }
    }
}

static bool due(int64_t *deadline_ns, int64_t now) {
    bool is = *deadline_ns <= now;
    if (is) {
        *deadline_ns = PRI_NEVER;
    }
    return is;
}

/* A client may have come and gone during the linger; then it begins anew. The kernel notes who was
 * last at refs. */
static enum pri_event linger_event(const struct pri_keeper *k) {
    uint32_t last = pri_counter_last_user(&k->counter, PRI_REG_REFS);
    return last == pri_own_pid() ? PRI_E_LINGERED : PRI_E_LINGER_TOUCHED;
}

static void timers(struct pri_keeper *k) {
    int64_t now = pri_clock_ns();
    if (due(&k->start_ns, now)) {
        pri_run_start_timeout(k);
    }
    if (due(&k->end_ns, now)) {
        pri_run_end_step(k, true);
    }
    if (due(&k->linger_ns, now)) {
        pri_keeper_push(k, linger_event(k));
        pri_clients_watch_told(k);
    }
    if (due(&k->retry_ns, now)) {
        if (pri_counter_read(&k->counter, k->retry_register) == 0) {
            pri_keeper_push(k, PRI_E_ZERO);
        } else {
            pri_row_await_zero(k, k->retry_register);
        }
    }
    if (due(&k->look_ns, now)) {
        pri_run_end_step(k, false);
    }
    if (due(&k->accept_ns, now)) {
        pri_clients_resume(k);
    }
    if (due(&k->back_off_ns, now)) {
        pri_keeper_push(k, PRI_E_BACKED_OFF);
    }
    if (pri_clients_deadline(k) <= now) {
        pri_clients_expire(k);
    }
    if (k->status_ns <= now) {
        pri_outcome_status(k);
    }
    if (pri_run_readiness_ns(k) <= now) {
        pri_run_readiness(k);
    }
    if (k->log_open && k->log.next_ns <= now) {
        pri_log_trim(&k->log);
    }
}

static int64_t next_deadline(const struct pri_keeper *k) {
    const int64_t all[] = {
        k->start_ns,
        k->end_ns,
        k->linger_ns,
        k->back_off_ns,
        k->retry_ns,
        k->look_ns,
        k->accept_ns,
        k->status_ns,
        pri_clients_deadline(k),
        pri_run_readiness_ns(k),
        k->log_open ? k->log.next_ns : PRI_NEVER,
    };
    int64_t least = PRI_NEVER;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        least = all[i] < least ? all[i] : least;
    }
    return least;
}

/* ---- Begin and end --------------------------------------------------------------------------- */

/* A service without a process may run for all that one can see. */
static bool may_run(const struct pri_hint *hint) {
    return pri_process_alive(&hint->process) ||
           (hint->process.pid == 0 &&
            (hint->parts[PRI_PART_KIND] == PRI_KIND_CALLBACKS || hint->parts[PRI_PART_PLAN] != 0));
}

/* Without its metadata a service of callbacks is of no use to anybody: it is started anew then. */
static bool recall_metadata(struct pri_keeper *k, const struct pri_hint *hint) {
    struct pri_record *record = k->pair->record;
    if (hint->metadata == 0) {
        return true;
    }
    size_t size = pri_metadata_read(k->dir, ident_of(k)->name, hint->metadata, record->metadata,
                                    sizeof record->metadata);
    record->metadata_size = (uint32_t)size;
    atomic_store(&record->metadata_generation, size > 0 ? hint->generation : 0);
    return size > 0;
}

/* What is known of an earlier life: this pair's page; else the hint; else a process that carries
 * our token. */
static void recall(struct pri_keeper *k) {
    struct pri_machine *m = &k->machine;
    struct pri_page *page = k->pair->page;
    struct pri_hint hint;
    struct pri_counter counter;
    m->phase = (enum pri_phase)atomic_load(&page->phase);
    m->generation = atomic_load(&page->generation);
    if (m->phase == PRI_PHASE_GAVE_UP) {
        pri_fail_copy(&k->error, &page->error);
    }
    if (m->phase != PRI_PHASE_FRESH) {
        return;
    }
    memcpy(page->parts, k->pair->config->parts, sizeof page->parts);
    k->dir = pri_directory_open(pri_config_text(k->pair->config, k->pair->config->dir), NULL);
    m->phase_from_hint = true;
    page->scattered = true;
    bool hinted = k->dir >= 0 && pri_hint_read(k->dir, ident_of(k)->name, &hint) &&
                  hint.key == ident_of(k)->hash;
    bool begun = pri_counter_find(ident_of(k), &counter, NULL) == 0 &&
                 pri_counter_read(&counter, PRI_REG_GEN) > 0;
    /* A hint that says nothing (spoiled, or of another boot) says at least that there was
     * something. */
    begun = begun || (!hinted && k->dir >= 0 && pri_hint_exists(k->dir, ident_of(k)->name));
    /* What a plan's start had made is undone, whatever of it is left; twice is better than never.
     */
    page->post_due = hinted || begun;
    page->stop_due = !hinted && begun && pri_config_has_no_process(k->pair->config);
    if (hinted && may_run(&hint)) {
        page->main = hint.process;
        page->port = hint.port;
        page->since_ms = page->up_ms = hint.since_ms;
        memcpy(page->parts, hint.parts, sizeof page->parts);
        m->generation = hint.generation;
        atomic_store(&page->generation, hint.generation);
        if (strcmp(hint.phase, "up") == 0 && recall_metadata(k, &hint)) {
            m->phase = PRI_PHASE_UP;
        }
        PRI_TRACE("the hint says %s(%u), pid %u", hint.phase, (unsigned)hint.generation,
                  (unsigned)hint.process.pid);
        page->stop_due = m->phase == PRI_PHASE_UP;
    } else if (begun && pri_tree_find_by_token(k->pair->token, &page->main)) {
        PRI_TRACE("no hint, but %u carries our token", (unsigned)page->main.pid);
    }
}

/* A service that a predecessor started: its end and its output are ours to watch, whatever becomes
 * of the set. */
static void take_over(struct pri_keeper *k) {
    pri_run_open_files(k);
    pri_holder_take_over(k);
    k->log.start = k->pair->page->log_start;
    k->port = k->pair->page->port;
    k->pair->page->ups += k->pair->page->ups == 0; /* one that the hint told of */
    pri_run_resume_notify(k);
    pri_run_watch_main(k);
}

static int open_all(struct pri_keeper *k) {
    if (pri_poller_open(&k->poller) < 0 || pri_children_open(&k->children) < 0 ||
        pri_poller_add(k->poller, k->children, PRI_TAG_CHILDREN) < 0 ||
        pri_poller_add(k->poller, k->pair->nudge, PRI_TAG_NUDGE) < 0) {
        return PROCREF_E_LIMIT;
    }
    uint32_t parent = (uint32_t)getppid();
    if (parent == k->pair->standby && pri_process_identify(parent, &k->standby) &&
        (uint32_t)getppid() == parent) {
        k->standby_watch = pri_process_watch(&k->standby);
        pri_poller_add(k->poller, k->standby_watch, PRI_TAG_STANDBY);
    } else {
        k->pair->standby = 0;
        k->pair->page->scattered = true;
        pri_keeper_push(k, PRI_E_STANDBY_DIED);
    }
    return pri_poller_add(k->poller, k->pair->listener, PRI_TAG_LISTENER);
}

/* Back to one thread and the pair's own descriptors: the next keeper is forked from here. */
static void close_all(struct pri_keeper *k) {
    pri_clients_close_all(k);
    if (k->waiter != NULL) {
        pri_waiter_close(k->waiter);
    }
    pri_run_forget_start(k);
    pri_link_close(k->holder_told);
    pri_link_close(k->holder_watch);
    pri_log_close(&k->log);
    pri_link_close(k->dir);
    pri_link_close(k->main_watch);
    pri_link_close(k->end_watch);
    free(k->roots);
    free(k->asked);
    pri_link_close(k->standby_watch);
    for (uint32_t i = 0; i < k->old_count; i++) {
        pri_link_close(k->old[i].watch);
    }
    free(k->old);
    pri_link_close(k->poller);
    pri_children_close(k->children);
}

int pri_keeper_run(struct pri_pair *pair) {
    static struct pri_keeper keeper;
    struct pri_keeper *k = &keeper;
    memset(k, 0, sizeof *k);
    k->pair = pair;
    k->counter.id = k->poller = k->children = k->waiter_ready = k->standby_watch = k->dir = -1;
    k->launched.go = k->launched.report = k->readiness_polled = k->main_watch = k->end_watch = -1;
    k->holder_told = k->holder_watch = k->pid_file_watch = -1;
    k->log_polled = k->log.fd = k->log.grew = -1;
    k->log.next_ns = k->start_ns = k->end_ns = k->linger_ns = k->back_off_ns = k->status_ns =
        PRI_NEVER;
    k->retry_ns = k->look_ns = k->accept_ns = PRI_NEVER;
    k->error.size = sizeof k->error;
    k->machine.state = PRI_S_RESUMING;
    if (open_all(k) < 0) {
        return PRI_LOOP_CANNOT_SERVE;
    }
    recall(k);
    if (k->machine.phase == PRI_PHASE_UP) {
        take_over(k);
    }
    pri_keeper_push(k, PRI_E_RESUME);
    bool more = feed(k);
    while (!k->finished) {
        uint64_t tags[PRI_POLLER_EVENTS];
        int count = pri_poller_wait(k->poller, more ? 0 : next_deadline(k), tags);
        for (int i = 0; i < count; i++) {
            dispatch(k, tags[i]);
        }
        timers(k);
        more = feed(k);
        if (!more) {
            pri_run_tidy(k);
        }
        pri_clients_sweep(k);
    }
    if (!k->handed_over) {
        return PRI_LOOP_RETIRED; /* the process ends: the kernel closes everything, the name last of
                                    all */
    }
    close_all(k);
    return PRI_LOOP_HANDED_OVER;
}
