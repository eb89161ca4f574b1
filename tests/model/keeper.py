"""What a keeper in office does: it starts the service, serves, stops it; and its standby. Steps as
in client.py; p is the pair, s its number. How it comes into office is in takeover.py, what it does
for callback services in election.py."""
from election import (answer_close, answer_detach, answer_sick, closing, elect, elect_nobody,
                      elected, tell_starter)
from takeover import (begin, end_first, ending, finds_set_gone, forget_old, open_set, probe, probed,
                      refound, resume, resume_without_hint, semget)
from world import (CHILD, CONN, CRASHED, CUR, FREE, G, GONE, LATER, MOST_CLIENTS, NAMED, NO, OK,
                   OLD, PC, PHASE, PUBLISHED, REFS, RUN, STANDBY, UNDO, UP, WAITING, ZERO)


# ---- starting
def fork(w, p, s):
    p[CHILD] = w.spawn(WAITING if w.rule('record_first') else RUN)
    p[PC] = 'record'
    return 'forks S%d%s' % (p[CHILD], ', which waits' if w.rule('record_first') else '')


def record(w, p, s):
    p[NAMED], w.hint = p[CHILD], ('starting', p[G], p[CHILD])
    p[PC] = 'go' if w.rule('record_first') else 'starting'
    if p[PC] == 'starting':
        p[CHILD] = None
    return 'records it'


def go(w, p, s):
    w.I[p[CHILD]], p[CHILD], p[PC] = RUN, None, 'starting'
    w.only_one()
    return 'writes the go byte'


def starting(w, p, s):
    i = p[NAMED]
    if w.I[i] == CRASHED:
        w.gone(i)
        for c in w.asking(s, 'wait'):
            c[CONN], c[PC] = None, 'done'
        p[PC] = 'failed'
        return 'tells all: the start failed'
    p[PC] = 'publish'
    if w.rule('hint_up_first'):
        w.say_up(p)
    return 'sees S%d ready' % i


def publish(w, p, s):
    r = w.semop(p, 'publish', p[G])
    if r == GONE:
        p[PC] = 'refound'
    elif r == NO:
        w.bad = 'publish refused'
    else:
        if p[NAMED] is not None and w.I[p[NAMED]] == RUN:
            if w.S[PUBLISHED] == p[G]:
                w.bad = 'a generation names two starts'
            w.I[p[NAMED]] = UP
        w.S = w.S[:PUBLISHED] + (p[G],)
        p[PC] = 'tell_starter' if w.run.callback else \
            'serve' if w.rule('hint_up_first') else 'late_up'
    return 'publish(%d) %s' % (p[G], r)


def late_up(w, p, s):
    w.say_up(p)
    p[PC] = 'serve'
    return 'writes "up" to page and hint'


# ---- serving: any of these, as its loop finds them
def any_client(step):
    """The keeper may answer any of those who ask: one step for each."""
    return [lambda w, p, s, k=k: step(w, p, s, k) for k in range(MOST_CLIENTS)]


def answer_up(w, p, s, k):
    c = w.asker(k, s, 'wait')
    if c and p[CUR]:
        w.tell(c, s, 'up', 'attach', p[G])
        return 'tells a client: up(%d)' % p[G]


def wake(w, p, s):
    told = any(c[CONN] == (s, 'up') for c in w.C) and w.rule('told_up_waits')
    asked = w.asking(s, 'wait', 'asked', 'sickasked')
    old = p[OLD] and w.rule('old_holders_count')
    if p[CUR] and w.S[REFS] == 0 and not told and not asked and not old:
        p[PC] = 'drain'
        if not w.rule('stop_after_gen'):
            p[PHASE] = 'stopping'
        return 'wakes: refs = 0'


def sees_death(w, p, s):
    if p[NAMED] is not None and w.I[p[NAMED]] == CRASHED:
        r = w.semop(p, 'withdraw', p[G])
        p[PC] = 'restart' if r == OK else 'refound'
        return 'withdraw(%d), service died: %s' % (p[G], r)


def hand_over(w, p, s):
    """Its standby died: it becomes the standby of the keeper that it forks."""
    if p[STANDBY] == 'dead':
        if w.rule('hand_over'):
            r = w.semop(p, 'handover', p[G])
            if r == GONE:
                p[PC] = 'refound'
                return 'finds the set gone'
            if r == NO:
                w.bad = 'hand over refused'
        p[LATER], p[UNDO] = p[UNDO], ZERO
        p[CUR], p[PC], p[STANDBY] = False, 'dead', 'watch'
        w.hang_up(s, but=('pend',))
        return 'hands over, becomes the standby'


# ---- the service died, or is to be replaced
def restart(w, p, s):
    p[PHASE], p[G] = 'starting', p[G] + 1
    if p[NAMED] is not None and w.I[p[NAMED]] == CRASHED:
        w.gone(p[NAMED])
    p[PC] = 'elect' if w.run.callback else 'fork'
    return 'will start again'


def nobody_wants_it(w, p, s):
    asked = w.asking(s, 'wait', 'asked', 'sickasked')
    held = p[OLD] or (w.S[REFS] > 0 if p[CUR] else w.rule('dead_old_set'))
    if not asked and not held:
        p[PC] = 'stop'
        return 'has nobody who wants it again'


def give_up(w, p, s):
    if not w.run.callback:
        restart(w, p, s)
        p[PC] = 'failed'
        return 'gives up, keeps the error'


def failed(w, p, s):
    if w.asking(s, 'wait'):
        p[PC] = 'fork'
        return 'is asked for a fresh start'
    if not p[CUR] and w.rule('ask_old_set'):
        return finds_set_gone(w, p, s)
    if not p[CUR] or w.S[REFS] == 0 and not p[OLD]:
        p[PHASE], p[PC] = 'stopping', 'retire'
        return 'has nobody left'


# ---- stopping
def drain(w, p, s):
    r = w.semop(p, 'drain', p[G])
    p[PC] = {OK: 'stop', NO: 'serve', GONE: 'refound'}[r]
    if r != OK:
        p[PHASE] = 'up'
    return 'drain(%d) %s' % (p[G], r)


def stop(w, p, s):
    p[PHASE], p[PC] = 'stopping', 'reap'
    if p[NAMED] is not None:
        w.end(p[NAMED])
    return 'stops the service'


def reap(w, p, s):
    if p[NAMED] is None or w.I[p[NAMED]] in (FREE, CRASHED):
        if p[NAMED] is not None:
            w.gone(p[NAMED])
        p[PC] = 'retire'
        return 'reaps it'


def retire(w, p, s):
    p[PC] = 'unlink'
    if w.held():
        w.bad = 'a keeper retires although a client holds'
    if p[CUR]:
        w.remove_set()
    return 'retires: the set is removed'


def unlink(w, p, s):
    w.hint, p[PC] = None, 'exit'
    return 'removes the hint'


def leaves(w, p, s):
    w.hang_up(s, but=('pend',))
    if p[STANDBY] == 'dead':
        w.free_pair(s, False)
    else:
        p[PC], p[STANDBY] = 'gone', 'leave'
    return 'exits'


def closes_files(w, p, s):
    w.hang_up(s, but=('pend',))
    if p[CHILD] is not None and w.I[p[CHILD]] == WAITING:
        w.gone(p[CHILD])              # it reads end of file instead of the go byte
    p[CHILD], p[PC] = None, 'dead'
    if p[STANDBY] == 'dead':
        w.free_pair(s, True)
    return 'is closed: end of file'


STEPS = {
    # into office
    'resume': [resume, resume_without_hint], 'end_first': [end_first], 'semget': [semget],
    'open': [open_set], 'probe': [probe], 'probing': [], 'probed': [probed], 'begin': [begin],
    'ending': [ending, forget_old], 'refound': [refound],
    # starting
    'fork': [fork], 'record': [record], 'go': [go], 'starting': [starting],
    'elect': [*any_client(elect), *any_client(answer_detach), elect_nobody, forget_old],
    'elected': [elected, *any_client(answer_detach)],
    'publish': [publish], 'late_up': [late_up], 'tell_starter': [tell_starter],
    # serving
    'serve': [*any_client(answer_up), *any_client(answer_close), *any_client(answer_sick), wake,
              sees_death, hand_over, finds_set_gone, forget_old],
    'restart': [restart, give_up, nobody_wants_it], 'failed': [failed, forget_old],
    # stopping
    'drain': [drain], 'closing': [closing], 'stop': [stop], 'reap': [reap], 'retire': [retire],
    'unlink': [unlink], 'exit': [leaves], 'dying': [closes_files], '-': [], 'dead': [], 'gone': [],
}


# ---- the standby
def standby(w, p, s):
    if p[STANDBY] == 'leave':
        w.free_pair(s, False)
        return 'exits, the name is free'
    if p[STANDBY] == 'watch' and p[PC] in ('-', 'dead'):
        p[PC] = 'resume'
        return 'forks a keeper'
