/* The keeper's decisions (machine.h). One function a state; each reads like its row in
 * ARCHITECTURE.md. */
#include "keeper/machine.h"

#include <stddef.h>
#include <string.h>

#define PRI_NAME_ENTRY(name, text) text,
static const char *const state_names[] = {PRI_STATES(PRI_NAME_ENTRY)};
static const char *const event_names[] = {PRI_EVENTS(PRI_NAME_ENTRY)};
static const char *const action_names[] = {PRI_ACTIONS(PRI_NAME_ENTRY)};
#undef PRI_NAME_ENTRY

const char *pri_state_name(enum pri_state state) {
    return state_names[state];
}

const char *pri_event_name(enum pri_event event) {
    return event_names[event];
}

const char *pri_action_name(enum pri_action action) {
    return action_names[action];
}

typedef struct pri_machine M;
typedef struct pri_actions Actions;

static const Actions nothing = {0, {0}};

#define DO(...)                                                                                    \
    ((Actions){(int)(sizeof((enum pri_action[]){__VA_ARGS__}) / sizeof(enum pri_action)),          \
               {__VA_ARGS__}})

static Actions go(M *m, enum pri_state state, Actions actions) {
    m->state = state;
    return actions;
}

static Actions first(enum pri_action action, Actions actions) {
    memmove(actions.list + 1, actions.list, sizeof actions.list - sizeof actions.list[0]);
    actions.list[0] = action;
    actions.count++;
    return actions;
}

static bool wanted(const M *m) {
    return m->refs > 0 || m->asking > 0 || m->coming > 0 || m->old_holders > 0;
}

/* By itself, while somebody holds it. */
static bool restarts(const M *m) {
    return m->restart && m->failures < m->restarts_most;
}

static Actions retire(M *m) {
    m->phase = PRI_PHASE_STOPPING;
    return go(m, PRI_S_ENDED, DO(PRI_A_RETIRE));
}

static Actions refound(M *m) {
    m->stopped = false; /* who asked for that is heard again when it is up */
    return go(m, PRI_S_REFOUNDING, DO(PRI_A_REFOUND));
}

/* Nothing runs and nothing will: all who ask get the error. Who is connected already may be slow to
 * ask. */
static Actions refuse(M *m, bool leave) {
    m->leave = leave;
    if (m->coming > 0) {
        return go(m, PRI_S_REFUSING, DO(PRI_A_TELL_FAILED));
    }
    m->phase = PRI_PHASE_STOPPING;
    return go(m, PRI_S_ENDED,
              leave ? DO(PRI_A_TELL_FAILED, PRI_A_LEAVE) : DO(PRI_A_TELL_FAILED, PRI_A_RETIRE));
}

/* Clients start it: one who asks does, now or when the next one comes. */
static Actions elect(M *m) {
    m->phase = PRI_PHASE_STARTING;
    if (m->refs < 0) {
        return refound(m); /* who is elected would find no set to enter on */
    }
    if (m->asking > 0) {
        return go(m, PRI_S_ELECTED, DO(PRI_A_ELECT));
    }
    if (!wanted(m)) {
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_STOPPING, DO(PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
    }
    if (m->lone) {
        return go(m, PRI_S_HANDING_OVER, DO(PRI_A_HAND_OVER));
    }
    /* Without references that wait would end at once, again and again while somebody is slow to
     * ask. */
    return go(m, PRI_S_ELECTING, m->refs > 0 ? DO(PRI_A_AWAIT_REFS) : nothing);
}

static Actions launch(M *m) {
    if (m->generation >= PRI_GENERATION_LAST) {
        return m->refs > 0 || m->old_holders > 0
                   ? go(m, PRI_S_EXHAUSTED, DO(PRI_A_TELL_EXHAUSTED, PRI_A_AWAIT_REFS))
                   : retire(m); /* who asks finds a new set */
    }
    if (m->callbacks) {
        return elect(m);
    }
    m->phase = PRI_PHASE_STARTING;
    m->stopped = false;
    return go(m, PRI_S_STARTING, DO(PRI_A_LAUNCH));
}

/* It stays while it is held, with the reason kept, and asks nobody to start it. */
static Actions give_up(M *m) {
    m->phase = PRI_PHASE_GAVE_UP;
    if (m->lone) {
        return go(m, PRI_S_HANDING_OVER, DO(PRI_A_RECORD_GAVE_UP, PRI_A_HAND_OVER));
    }
    return go(m, PRI_S_GAVE_UP, DO(PRI_A_RECORD_GAVE_UP, PRI_A_AWAIT_REFS));
}

static Actions begin(M *m) {
    return go(m, PRI_S_BEGINNING, DO(PRI_A_BEGIN));
}

/* Somebody is about to have what is up, whom the next keeper may not find in time. */
static bool awaited(const M *m) {
    return m->asking > 0 || m->coming > 0 || m->told > 0;
}

/* Up, and something may have changed: is there anything to do but wait? */
static Actions consider(M *m) {
    if (!m->alive || m->unhealthy > 0) {
        return go(m, PRI_S_WITHDRAWING, DO(PRI_A_WITHDRAW));
    }
    if (m->lone && !awaited(m)) {
        return go(m, PRI_S_HANDING_OVER, DO(PRI_A_HAND_OVER));
    }
    if (!m->zero) {
        return go(m, PRI_S_UP, DO(PRI_A_AWAIT_REFS));
    }
    if (m->refs > 0) {
        m->zero = false;
        return go(m, PRI_S_UP, DO(PRI_A_AWAIT_REFS, PRI_A_TELL_STAYS));
    }
    if (m->told > 0 || wanted(m)) {
        return go(m, PRI_S_UP, nothing);
    }
    return m->linger ? go(m, PRI_S_LINGERING, DO(PRI_A_ARM_LINGER))
                     : go(m, PRI_S_DRAINING, DO(PRI_A_DRAIN));
}

/*
 * The first thing any keeper does. What the page of its own pair says is true; what a hint says is
 * tried: the row adopt(g) tells whether the generation is still that one.
 */
static Actions resuming(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_RESUME:
        if (m->phase == PRI_PHASE_UP) {
            return DO(PRI_A_ADOPT);
        }
        m->start_wanted = m->phase == PRI_PHASE_FRESH || m->phase == PRI_PHASE_STARTING;
        return begin(m);
    case PRI_E_DONE:
        m->phase_from_hint = false;
        return go(m, PRI_S_PUBLISHING, DO(PRI_A_COUNT_OLD, PRI_A_PUBLISH));
    case PRI_E_REFUSED:
        if (!m->phase_from_hint && m->gen == 0) {
            return refound(m); /* a predecessor was killed between making the new set and refound */
        }
        m->start_wanted = m->phase_from_hint;
        m->phase = PRI_PHASE_STOPPING;
        return begin(m);
    case PRI_E_GONE:
        if (!m->phase_from_hint) {
            return refound(m);
        }
        m->start_wanted = true;
        m->phase = PRI_PHASE_STOPPING;
        return begin(m);
    default: return nothing;
    }
}

static Actions beginning(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_DONE: return go(m, PRI_S_ENDING, DO(PRI_A_COUNT_OLD, PRI_A_END_TREE));
    case PRI_E_REFUSED:
        /* Only where the barrier's name is not shared: another network namespace, same semaphores.
         */
        if (m->keeper > 0) {
            return refuse(m, true);
        }
        /* A callback runs. Of one that was entered on a removed set the page tells, not `call`. */
        return m->old_callers > 0 ? nothing : DO(PRI_A_AWAIT_CALL);
    case PRI_E_OLD_GONE: return m->old_callers > 0 ? nothing : DO(PRI_A_BEGIN);
    case PRI_E_ZERO:
    case PRI_E_GONE: return DO(PRI_A_BEGIN);
    case PRI_E_BROKEN: return refuse(m, true);
    default: return nothing;
    }
}

static Actions refusing(M *m, enum pri_event event) {
    return event == PRI_E_ASKED || event == PRI_E_HUNG_UP ? refuse(m, m->leave) : nothing;
}

static Actions ending(M *m, enum pri_event event) {
    if (event != PRI_E_TREE_GONE) {
        return nothing;
    }
    if (m->refs < 0) {
        return begin(m); /* the set was removed meanwhile */
    }
    bool held = m->refs > 0 || m->old_holders > 0;
    if (m->phase == PRI_PHASE_GAVE_UP && held) {
        return m->asking > 0 ? launch(m) : give_up(m);
    }
    /* Whatever somebody waits to be stopped has ended. */
    return m->start_wanted || held ? first(PRI_A_TELL_STAYS, launch(m)) : retire(m);
}

/* What a client asks for meanwhile is answered when the outcome is known; the set is looked after
 * then, too. */
static Actions starting(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_READY:
        m->phase = PRI_PHASE_UP;
        return go(m, PRI_S_PUBLISHING, DO(PRI_A_RECORD_UP, PRI_A_PUBLISH));
    case PRI_E_PORT_LOST: return go(m, PRI_S_RELAUNCHING, DO(PRI_A_END_TREE));
    case PRI_E_LAUNCH_FAILED:
    case PRI_E_DIED:
    case PRI_E_START_TIMEOUT: return go(m, PRI_S_FAILING, DO(PRI_A_END_TREE));
    default: return nothing;
    }
}

static Actions electing(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_ASKED:
    case PRI_E_UNHEALTHY:
    case PRI_E_ZERO:
    case PRI_E_GONE:
    case PRI_E_HUNG_UP:
    case PRI_E_OLD_GONE:
    case PRI_E_STANDBY_DIED: return elect(m);
    default: return nothing;
    }
}

/* It ends with the elected client's answer or death only; the set is looked after when that is
 * known. */
static Actions elected(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_STARTED:
        if (!m->alive) {
            return go(m, PRI_S_FAILING, DO(PRI_A_END_TREE));
        }
        m->phase = PRI_PHASE_UP;
        return go(m, PRI_S_PUBLISHING, DO(PRI_A_RECORD_UP, PRI_A_PUBLISH));
    case PRI_E_LAUNCH_FAILED: return go(m, PRI_S_FAILING, DO(PRI_A_END_TREE));
    case PRI_E_STARTER_LOST: return go(m, PRI_S_RELAUNCHING, DO(PRI_A_END_TREE));
    default: return nothing;
    }
}

static Actions relaunching(M *m, enum pri_event event) {
    return event == PRI_E_TREE_GONE ? launch(m) : nothing;
}

/* A start failed, and nothing of it is left. Those who ask get the error; while held it is tried
 * again. */
static Actions failing(M *m, enum pri_event event) {
    if (event != PRI_E_TREE_GONE) {
        return nothing;
    }
    m->failures++;
    if (m->refs <= 0 && m->old_holders == 0) {
        return refuse(m, false);
    }
    if (m->stopped) {
        m->stopped = false;
        return first(PRI_A_TELL_FAILED, give_up(m));
    }
    if (m->callbacks) { /* who was told of the failure asks no more: the next one tries again */
        m->asking = 0;
        return first(PRI_A_TELL_FAILED, elect(m));
    }
    if (restarts(m)) {
        return go(m, PRI_S_WAITING, DO(PRI_A_TELL_FAILED, PRI_A_ARM_BACK_OFF));
    }
    return first(PRI_A_TELL_FAILED, give_up(m));
}

static Actions publishing(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_DONE:
        m->zero = false;
        if ((m->lone && !awaited(m)) || !m->alive || m->unhealthy > 0) {
            return consider(m);
        }
        /* Who waits for the stop of another set's service of the same number is not kept here by
         * those who want this one. */
        return m->asking > 0 || m->refs > 0
                   ? go(m, PRI_S_UP, DO(PRI_A_TELL_UP, PRI_A_TELL_STAYS, PRI_A_AWAIT_REFS))
                   : go(m, PRI_S_UP, DO(PRI_A_TELL_UP, PRI_A_AWAIT_REFS));
    case PRI_E_GONE: return refound(m);
    case PRI_E_REFUSED: /* nobody but us changes gen: the set is not what we think; end it all */
    case PRI_E_BROKEN:
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_STOPPING, DO(PRI_A_TELL_FAILED, PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
    default: return nothing;
    }
}

/* refs says nothing of who holds in a removed set. */
static Actions close_asked(M *m) {
    if (m->refs < 0) {
        return first(PRI_A_TELL_DETACH, refound(m));
    }
    return m->old_holders > 0 ? DO(PRI_A_TELL_DETACH) : go(m, PRI_S_CLOSING, DO(PRI_A_CLOSE));
}

/* Who means an earlier generation is told of this one. */
static Actions unhealthy(M *m) {
    return m->unhealthy > 0 ? go(m, PRI_S_WITHDRAWING, DO(PRI_A_WITHDRAW)) : DO(PRI_A_TELL_UP);
}

static Actions up(M *m, enum pri_event event) {
    if (event == PRI_E_CLOSE_ASKED) {
        return close_asked(m);
    }
    if (m->refs < 0) {
        return refound(m); /* removed while we did not wait on it */
    }
    switch (event) {
    case PRI_E_ASKED: return DO(PRI_A_TELL_UP);
    case PRI_E_UNHEALTHY: return unhealthy(m);
    case PRI_E_ZERO: m->zero = true; return consider(m);
    case PRI_E_HUNG_UP:
    case PRI_E_OLD_GONE: return consider(m);
    case PRI_E_STANDBY_DIED:
    case PRI_E_DIED: return consider(m);
    default: return nothing;
    }
}

static Actions draining(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_DONE:
        m->generation++;
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_STOPPING, DO(PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
    case PRI_E_REFUSED: /* somebody came meanwhile */
        m->zero = false;
        return go(m, PRI_S_UP, DO(PRI_A_AWAIT_REFS, PRI_A_TELL_STAYS));
    default: return refound(m);
    }
}

static Actions closing(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_DONE:
        m->generation++;
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_CLOSED, DO(PRI_A_RECORD_STOPPING, PRI_A_TELL_CLOSE, PRI_A_AWAIT_REFS));
    case PRI_E_REFUSED: return first(PRI_A_TELL_AGAIN, consider(m));
    default: return first(PRI_A_TELL_DETACH, refound(m));
    }
}

/* Who was told to close detaches or dies. If the set is removed meanwhile, the page tells whether
 * its callback still runs. */
static Actions closed(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_ZERO:
    case PRI_E_GONE:
    case PRI_E_OLD_GONE:
        if (m->refs > 0 || m->old_callers > 0) {
            return event == PRI_E_ZERO ? DO(PRI_A_AWAIT_REFS) : nothing;
        }
        return go(m, PRI_S_STOPPING, DO(PRI_A_END_TREE));
    default: return nothing;
    }
}

static Actions withdrawing(M *m, enum pri_event event) {
    if (event == PRI_E_GONE) {
        return refound(m);
    }
    m->failures = m->long_up ? 1 : m->failures + 1;
    m->generation++;
    m->phase = PRI_PHASE_STARTING;
    if (m->callbacks && m->alive && m->unhealthy > 0 && m->recovers &&
        m->generation < PRI_GENERATION_LAST) {
        return first(PRI_A_KEEP_OLD, elect(m)); /* on_recover decides what becomes of the process */
    }
    if (m->callbacks) {
        return go(m, PRI_S_DYING, DO(PRI_A_KEEP_OLD, PRI_A_END_TREE));
    }
    if (m->stopped) {
        return go(m, PRI_S_DYING, DO(PRI_A_KEEP_STOPPED, PRI_A_RECORD_GAVE_UP, PRI_A_END_TREE));
    }
    /* On record before it is ended: a successor would start it again. */
    bool again = m->asking > 0 || restarts(m);
    return go(m, PRI_S_DYING,
              again ? DO(PRI_A_END_TREE) : DO(PRI_A_RECORD_GAVE_UP, PRI_A_END_TREE));
}

static Actions handing_over(M *m, enum pri_event event) {
    return event == PRI_E_DONE ? go(m, PRI_S_ENDED, nothing) : refound(m);
}

static Actions lingering(M *m, enum pri_event event) {
    if (event == PRI_E_CLOSE_ASKED) {
        return close_asked(m); /* it attached during the linger, which nobody told us */
    }
    if (m->refs < 0) {
        return refound(m);
    }
    switch (event) {
    case PRI_E_LINGER_TOUCHED: return m->refs > 0 ? consider(m) : DO(PRI_A_ARM_LINGER);
    case PRI_E_LINGERED:
        if (m->told > 0 || wanted(m)) {
            return consider(m);
        }
        return go(m, PRI_S_DRAINING, DO(PRI_A_DRAIN));
    case PRI_E_ASKED: return DO(PRI_A_TELL_UP);
    case PRI_E_UNHEALTHY: return unhealthy(m);
    case PRI_E_STANDBY_DIED:
    case PRI_E_DIED: return consider(m);
    default: return nothing;
    }
}

static Actions dying(M *m, enum pri_event event) {
    if (event != PRI_E_TREE_GONE) {
        return nothing;
    }
    if (!wanted(m)) {
        return retire(m);
    }
    bool stopped = m->stopped;
    m->stopped = false;
    if (m->asking > 0 || m->callbacks) {
        /* Somebody asks for it now: no policy forbids that. */
        return stopped ? first(PRI_A_TELL_STOPPED, launch(m)) : launch(m);
    }
    if (stopped) {
        return first(PRI_A_KEEP_STOPPED, give_up(m));
    }
    return restarts(m) ? go(m, PRI_S_WAITING, DO(PRI_A_ARM_BACK_OFF)) : give_up(m);
}

static Actions waiting(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_BACKED_OFF: return wanted(m) ? launch(m) : retire(m);
    case PRI_E_ZERO:
    case PRI_E_HUNG_UP:
    case PRI_E_OLD_GONE: return wanted(m) ? nothing : retire(m);
    default: return nothing;
    }
}

static Actions gave_up(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_ASKED:
        if (m->asking == 0) {
            return nothing; /* it was answered since */
        }
        m->failures = 0;
        return launch(m);
    case PRI_E_GONE: return refound(m);
    case PRI_E_STANDBY_DIED: return give_up(m);
    case PRI_E_ZERO:
    case PRI_E_HUNG_UP:
    case PRI_E_OLD_GONE:
        if (!wanted(m)) {
            return retire(m);
        }
        return event == PRI_E_ZERO && m->refs > 0 ? DO(PRI_A_AWAIT_REFS) : nothing;
    default: return nothing;
    }
}

static Actions exhausted(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_ASKED: return DO(PRI_A_TELL_EXHAUSTED);
    case PRI_E_GONE: /* a new set has new generations, but its holders' are the old ones: wait for
                        them */
        return m->old_holders > 0 ? nothing : DO(PRI_A_COUNT_OLD);
    case PRI_E_ZERO:
    case PRI_E_OLD_GONE: return m->refs <= 0 && m->old_holders == 0 ? retire(m) : nothing;
    default: return nothing;
    }
}

/* The set was removed under us: make a new one at the same generation; old holders are counted by
 * the page. */
static Actions refounding(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_DONE:
        m->zero = false;
        if (m->phase == PRI_PHASE_UP) {
            return go(m, PRI_S_PUBLISHING, DO(PRI_A_COUNT_OLD, PRI_A_PUBLISH));
        }
        if (m->callbacks) {
            return first(PRI_A_COUNT_OLD, elect(m));
        }
        return go(m, PRI_S_GAVE_UP, DO(PRI_A_COUNT_OLD, PRI_A_AWAIT_REFS));
    case PRI_E_GONE: return DO(PRI_A_REFOUND);
    case PRI_E_OLD_GONE: return m->old_callers > 0 ? nothing : DO(PRI_A_REFOUND);
    case PRI_E_REFUSED:
        if (m->old_callers > 0) {
            return nothing; /* until they have left */
        }
        return go(m, PRI_S_ORPHANED, DO(PRI_A_TELL_FAILED, PRI_A_COUNT_OLD));
    case PRI_E_BROKEN: return go(m, PRI_S_ORPHANED, DO(PRI_A_TELL_FAILED, PRI_A_COUNT_OLD));
    default: return nothing;
    }
}

static Actions orphaned(M *m, enum pri_event event) {
    switch (event) {
    case PRI_E_ASKED: return m->asking > 0 ? refound(m) : nothing;
    case PRI_E_OLD_GONE:
    case PRI_E_DIED:
        if (event == PRI_E_OLD_GONE && m->old_holders > 0) {
            return nothing;
        }
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_STOPPING, DO(PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
    default: return nothing;
    }
}

static Actions stopping(M *m, enum pri_event event) {
    return event == PRI_E_TREE_GONE ? retire(m) : nothing;
}

/*
 * The command asks to stop it: at once where nobody holds it; with force also where somebody does,
 * and then the keeper stays with the holders as one that gave up. Where nothing is decided here the
 * outcome of what is under way is waited for: the loop asks again after each change of the state.
 */
static Actions stop_asked(M *m) {
    bool held = m->refs > 0 || m->old_holders > 0 || m->told > 0;
    bool refused = !m->forced && (held || m->asking > 0);
    switch (m->state) {
    case PRI_S_UP:
    case PRI_S_LINGERING:
        if (refused || m->refs < 0) {
            return refused ? DO(PRI_A_TELL_HELD) : refound(m);
        }
        m->stopped = held;
        return held ? go(m, PRI_S_WITHDRAWING, DO(PRI_A_WITHDRAW))
                    : go(m, PRI_S_DRAINING, DO(PRI_A_DRAIN));
    case PRI_S_STARTING:
        if (refused) {
            return DO(PRI_A_TELL_HELD);
        }
        if (!held && m->asking == 0) { /* nobody is to be told: who comes now waits for its end */
            m->phase = PRI_PHASE_STOPPING;
            return go(m, PRI_S_STOPPING, DO(PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
        }
        m->stopped = true;
        return go(m, PRI_S_FAILING, DO(PRI_A_KEEP_STOPPED, PRI_A_END_TREE));
    case PRI_S_ELECTED: /* with force: when its callback has returned */
        return refused ? DO(PRI_A_TELL_HELD) : nothing;
    case PRI_S_WAITING:
        if (refused) {
            return DO(PRI_A_TELL_HELD);
        }
        return m->forced && wanted(m)
                   ? first(PRI_A_KEEP_STOPPED, first(PRI_A_TELL_FAILED, give_up(m)))
                   : retire(m); /* who has connected and not asked begins again */
    case PRI_S_ORPHANED:
        if (refused) {
            return DO(PRI_A_TELL_HELD);
        }
        m->phase = PRI_PHASE_STOPPING;
        return go(m, PRI_S_STOPPING, DO(PRI_A_RECORD_STOPPING, PRI_A_END_TREE));
    case PRI_S_ELECTING:
    case PRI_S_GAVE_UP:
    case PRI_S_EXHAUSTED: return DO(PRI_A_TELL_STOPPED); /* nothing runs */
    default: return nothing;
    }
}

Actions pri_keeper_next(M *m, enum pri_event event) {
    if (event == PRI_E_STANDBY_DIED) {
        m->lone = true;
    }
    if (event == PRI_E_STOP_ASKED) {
        return stop_asked(m);
    }
    if (event == PRI_E_CLOSE_ASKED && m->state != PRI_S_UP && m->state != PRI_S_LINGERING) {
        /* Nothing is up: what remains of it is ours to end. After a hand-over it is up, and the
         * next keeper is asked when the connection ends. */
        return m->state == PRI_S_ENDED ? nothing : DO(PRI_A_TELL_DETACH);
    }
    switch (m->state) {
    case PRI_S_RESUMING: return resuming(m, event);
    case PRI_S_BEGINNING: return beginning(m, event);
    case PRI_S_ENDING: return ending(m, event);
    case PRI_S_STARTING: return starting(m, event);
    case PRI_S_ELECTING: return electing(m, event);
    case PRI_S_ELECTED: return elected(m, event);
    case PRI_S_RELAUNCHING: return relaunching(m, event);
    case PRI_S_FAILING: return failing(m, event);
    case PRI_S_PUBLISHING: return publishing(m, event);
    case PRI_S_UP: return up(m, event);
    case PRI_S_LINGERING: return lingering(m, event);
    case PRI_S_DRAINING: return draining(m, event);
    case PRI_S_WITHDRAWING: return withdrawing(m, event);
    case PRI_S_HANDING_OVER: return handing_over(m, event);
    case PRI_S_DYING: return dying(m, event);
    case PRI_S_WAITING: return waiting(m, event);
    case PRI_S_GAVE_UP: return gave_up(m, event);
    case PRI_S_REFUSING: return refusing(m, event);
    case PRI_S_EXHAUSTED: return exhausted(m, event);
    case PRI_S_REFOUNDING: return refounding(m, event);
    case PRI_S_ORPHANED: return orphaned(m, event);
    case PRI_S_CLOSING: return closing(m, event);
    case PRI_S_CLOSED: return closed(m, event);
    case PRI_S_STOPPING: return stopping(m, event);
    case PRI_S_ENDED:
    case PRI_STATE_COUNT: break;
    }
    return nothing;
}
