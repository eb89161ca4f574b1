"""What a keeper, its probing child and its standby do. p is the pair, s its number; a function is one atomic step, as in client.py."""
from table import FINGERPRINT
from world import (CALL, CALLS, CHILD, CONN, CRASHED, CUR, FLAG, FREE, G, GEN, GONE, ID, INST, LATER, LOST_HINTS, MOST_CLIENTS, NAMED, NO, OK,
                   OLD, OWNER, PC, PHASE, PUBLISHED, RECOVERS, REFS, RUN, SICK, STANDBY, STOPPING, UNDO, UP,
                   WAITING, ZERO)


# ---- coming into office
def resume(w, p, s):
    """The first thing any keeper does: adopt what the page, or else the hint, says is up; or begin."""
    p[CUR] = w.opened()
    page = p[PHASE]
    if page == 'fresh' and w.hint:
        page, p[G], p[NAMED] = w.hint
        if p[NAMED] is None or w.I[p[NAMED]] == CRASHED:
            page = 'starting'
    if page == 'up':
        r = w.semop(p, 'adopt', p[G])
        if r == OK:
            p[PHASE], p[PC], w.massacre = 'up', 'publish', False
            return 'adopt(%d)' % p[G]
        if p[PHASE] == 'up' and (r == GONE or w.S[GEN] == 0 and w.rule('gen0_refounds')):
            p[CUR], p[PC] = False, 'refound'
            return 'finds the set gone'
    cannot_adopt(w, p)
    return 'cannot adopt'


def cannot_adopt(w, p):
    p[PHASE] = {'fresh': 'starting', 'up': 'stopping'}.get(p[PHASE], p[PHASE])
    p[PC] = 'semget' if w.rule('begin_before_end') else 'end_first'


def resume_without_hint(w, p, s):
    """Both keepers died and the hint is lost: a service is known only by the token in its environment."""
    if p[PHASE] == 'fresh' and w.hint and w.left[LOST_HINTS]:
        w.left[LOST_HINTS] -= 1
        w.hint, p[CUR] = None, w.opened()
        if w.opened() and w.S[GEN] and w.rule('token'):
            for i, x in enumerate(w.I):
                if x in (RUN, UP, SICK, STOPPING):
                    p[NAMED] = i
                    w.I[i] = SICK if x == UP else x   # whether it was up nobody knows: it is ended, under holders too
        cannot_adopt(w, p)
        return 'HINT LOST: finds S%s by its token' % p[NAMED]


def end_first(w, p, s):
    i = p[NAMED]
    if i is None or w.I[i] == FREE:
        p[PC] = 'semget'
        return 'nothing remains'
    if w.I[i] != STOPPING:
        w.end(i)
        return 'ends S%d' % i


def semget(w, p, s):
    p[CUR] = True
    if w.create_set():
        p[PC] = 'open'
        if w.run.page and w.rule('begin_notes'):
            w.note_old_holders(p)
        return 'creates a set, all zero'
    return open_set(w, p, s)


def open_set(w, p, s):
    r = w.semop(p, 'open')
    p[PC] = 'semget' if r == GONE else 'probe' if w.rule('probe') else 'begin'
    check_id(w, r)
    return 'open ' + r


def check_id(w, r):
    if r != GONE and w.S[ID] != FINGERPRINT:
        w.bad = 'a keeper takes its own set for a foreign one'


def probe(w, p, s):
    w.B.append(['made', p[CUR], ZERO, 0, s])
    p[PC] = 'probing'
    return 'forks a child that probes for undo'


def probed(w, p, s):
    """Its child made its change and is dead."""
    if not p[CUR]:
        p[PC] = 'semget'
        return 'finds the set gone'
    if w.S[CALL] == 0:
        p[PC] = 'begin'
        return 'sees that the kernel undoes'
    if any(b[UNDO] != ZERO for b in w.B) and w.rule('probe_waits'):
        return None                                   # until a deadline: a killed keeper's child may still be in there
    for c in w.asking(s, 'wait'):
        c[CONN], c[PC] = None, 'done'
    if w.run.undo:
        w.bad = 'a kernel that undoes is called UNSUPPORTED'
    p[PHASE], p[PC], w.massacre = 'stopping', 'retire', False
    return 'tells all: UNSUPPORTED'


def begin(w, p, s):
    if w.S and w.S[GEN] == 0 and caller_of_old_set(w):
        return None
    r = w.semop(p, 'begin')
    if r == GONE:
        p[PC] = 'semget'
        return 'begin gone'
    if r == OK:
        if not w.run.undo:
            w.bad = 'a service begins on a kernel that does not undo'
        p[G], p[PC], w.massacre = w.S[GEN], 'ending', False
        return 'begin -> gen %d' % p[G]


def caller_of_old_set(w):
    """On a new set call = 0 says nothing of who entered a callback on the removed one: the page says it."""
    return any(c[CALLS] for c in w.C)


def ending(w, p, s):
    i = p[NAMED]
    if i is not None and w.I[i] != FREE:
        if w.I[i] == STOPPING:
            return None
        w.end(i)
        return 'ends the remains S%d' % i
    if not p[CUR] and w.rule('ending_old_set'):
        p[PC] = 'semget'
        return 'finds the set gone'
    if p[PHASE] == 'starting' or p[CUR] and (w.S[REFS] or p[OLD]) and w.rule('retire_at_zero'):
        p[PHASE], p[PC] = 'starting', 'elect' if w.run.callback else 'fork'
        return 'will start'
    p[PC] = 'retire'
    return 'is done'


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
    say_up(w, p, w.rule('hint_up_first'))
    return 'sees S%d ready' % i


def say_up(w, p, now):
    p[PC] = 'publish'
    if now:
        p[PHASE], w.hint = 'up', ('up', p[G], p[NAMED])


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
        p[PC] = 'tell_starter' if w.run.callback else 'serve' if w.rule('hint_up_first') else 'late_up'
    return 'publish(%d) %s' % (p[G], r)


def late_up(w, p, s):
    say_up(w, p, True)
    p[PC] = 'serve'
    return 'writes "up" to page and hint'


def tell_starter(w, p, s):
    p[PC] = 'serve'
    for c in w.C:
        if c[CONN] == (s, 'ready'):
            if c[PC] != 'started':                    # it died: the end of file is on its way
                c[CONN] = (s, 'up')
            elif c[RECOVERS]:                         # on_recover: it holds already
                c[CONN], c[PC], c[RECOVERS] = None, 'hold', False
            else:
                w.tell(c, s, 'up', 'attach', p[G])
    return 'tells the starter, if it lives: up(%d)' % p[G]


# ---- serving: any of these, as its loop finds them
def any_client(step):
    """The keeper may answer any of those who ask: one step for each."""
    return [lambda w, p, s, k=k: step(w, p, s, k) for k in range(MOST_CLIENTS)]


def answer_up(w, p, s, k):
    c = w.asker(k, s, 'wait')
    if c and p[CUR]:
        w.tell(c, s, 'up', 'attach', p[G])
        return 'tells a client: up(%d)' % p[G]


def answer_close(w, p, s, k):
    c = w.asker(k, s, 'asked')
    if c:
        r = GONE if p[OLD] and w.rule('no_close_old') else w.semop(p, 'close', p[G])
        if r == GONE:
            w.tell(c, s, 'detach', 'plain', 0)
        elif r == NO:
            c[CONN], c[PC] = None, 'notlast'
        else:
            w.tell(c, s, 'close', 'enter_close', p[G] + 1)
            p[PC] = 'closing'
            if w.run.page and w.rule('close_on_page'):
                p[PHASE] = 'stopping'
        return 'close(%d) %s' % (p[G], r)


def answer_sick(w, p, s, k):
    c = w.asker(k, s, 'sickasked')
    if c:
        if c[G] != p[G]:
            c[CONN], c[PC] = None, 'hold'
            return 'tells a client: recovered since'
        r = w.semop(p, 'withdraw', p[G])
        p[PC] = 'restart' if r == OK else 'refound'
        if r == OK and p[NAMED] is not None and w.I[p[NAMED]] == UP:
            w.I[p[NAMED]] = SICK                      # from here on procref may end it under its holders
        return 'withdraw(%d), unhealthy: %s' % (p[G], r)


def wake(w, p, s):
    told = any(c[CONN] == (s, 'up') for c in w.C) and w.rule('told_up_waits')
    if p[CUR] and w.S[REFS] == 0 and not told and not w.asking(s, 'wait', 'asked', 'sickasked') and \
            not (p[OLD] and w.rule('old_holders_count')):
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


def finds_set_gone(w, p, s):
    if not p[CUR]:
        p[PC] = 'refound'
        return 'wait fails: the set is gone'


def forget_old(w, p, s):
    if p[OLD] and not any(c[FLAG] == 'old' for c in w.C):
        p[OLD] = False
        return 'sees the last holder of the removed set gone'


# ---- the set was removed
def refound(w, p, s):
    if not p[CUR]:
        p[CUR] = True
        w.note_old_holders(p)
        return 'notes who holds the old set; ' + ('creates a set, all zero' if w.create_set() else 'finds a new one')
    if w.S[ID] != FINGERPRINT:
        r = w.semop(p, 'open')
        check_id(w, r)
        return 'open ' + r
    if not caller_of_old_set(w) and w.semop(p, 'refound', p[G]) == OK:
        p[PC] = 'publish' if p[PHASE] == 'up' else 'elect' if w.run.callback else 'failed'
        return 'refound(%d)' % p[G]


# ---- the service died, or is to be replaced
def restart(w, p, s):
    p[PHASE], p[G] = 'starting', p[G] + 1
    if p[NAMED] is not None and w.I[p[NAMED]] == CRASHED:
        w.gone(p[NAMED])
    p[PC] = 'elect' if w.run.callback else 'fork'
    return 'will start again'


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


# ---- callback services: elections
def answer_detach(w, p, s, k):
    c = w.asker(k, s, 'asked')
    if c:
        w.tell(c, s, 'detach', 'plain', 0)
        return 'tells a client: just detach'


def elect(w, p, s, k):
    if not p[CUR] and w.rule('elect_old_set'):
        return finds_set_gone(w, p, s) if k == 0 else None
    c = w.asker(k, s, 'sickasked' if w.asking(s, 'sickasked') else 'wait')
    if c:
        c[RECOVERS] = c[PC] == 'sickasked'
        c[INST] = p[NAMED] if c[RECOVERS] or w.rule('old_info') else None
        w.tell(c, s, 'start', 'enter', p[G])
        p[PC] = 'elected'
        return 'elects a client: start it as %d' % p[G]


def elect_nobody(w, p, s):
    if not w.asking(s, 'asked', 'sickasked', 'wait') and (not p[CUR] or w.S[REFS] == 0 and not p[OLD]):
        p[PHASE], p[PC] = 'stopping', 'ending'
        return 'has nobody to elect'


def elected(w, p, s):
    i = p[NAMED]
    if any(c[CONN] == (s, 'ready') for c in w.C):
        if w.I[i] == CRASHED:
            w.gone(i)
            w.hang_up(s, but=('pend',))
            p[PC] = 'elect'
            return 'is told ready, but it died: the start failed'
        say_up(w, p, True)
        return 'is told ready'
    if i is not None and w.I[i] == CRASHED and not w.rule('one_election'):
        w.gone(i)
        w.hang_up(s, but=('pend',))
        p[PC] = 'elect'
        return 'sees the start fail, elects another'
    if not any(c[CONN] == (s, 'start') for c in w.C) and (i is None or w.I[i] != STOPPING):
        if i is not None and w.I[i] != FREE:
            w.end(i)
            return 'ends what the lost starter had named'
        p[PC] = 'elect'
        return 'lost its starter'


# ---- stopping
def drain(w, p, s):
    r = w.semop(p, 'drain', p[G])
    p[PC] = {OK: 'stop', NO: 'serve', GONE: 'refound'}[r]
    if r != OK:
        p[PHASE] = 'up'
    return 'drain(%d) %s' % (p[G], r)


def closing(w, p, s):
    if not caller_of_old_set(w) if not p[CUR] else w.S[REFS] == 0:
        p[PC] = 'stop'
        return 'sees the last client gone'


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
        w.gone(p[CHILD])                              # it reads end of file instead of the go byte
    p[CHILD], p[PC] = None, 'dead'
    if p[STANDBY] == 'dead':
        w.free_pair(s, True)
    return 'is closed: end of file'


STEPS = {
    'resume': [resume, resume_without_hint], 'end_first': [end_first], 'semget': [semget], 'open': [open_set],
    'probe': [probe], 'probing': [], 'probed': [probed], 'begin': [begin], 'ending': [ending, forget_old],
    'fork': [fork], 'record': [record], 'go': [go], 'starting': [starting], 'publish': [publish], 'late_up': [late_up],
    'tell_starter': [tell_starter],
    'serve': [*any_client(answer_up), *any_client(answer_close), *any_client(answer_sick), wake, sees_death, hand_over, finds_set_gone, forget_old],
    'refound': [refound], 'restart': [restart, give_up], 'failed': [failed, forget_old],
    'elect': [*any_client(elect), *any_client(answer_detach), elect_nobody, forget_old],
    'elected': [elected, *any_client(answer_detach)],
    'drain': [drain], 'closing': [closing], 'stop': [stop], 'reap': [reap], 'retire': [retire], 'unlink': [unlink],
    'exit': [leaves], 'dying': [closes_files], '-': [], 'dead': [], 'gone': [],
}


# ---- the standby
def standby(w, p, s):
    if p[STANDBY] == 'leave':
        w.free_pair(s, False)
        return 'exits, the name is free'
    if p[STANDBY] == 'watch' and p[PC] in ('-', 'dead'):
        p[PC] = 'resume'
        return 'forks a keeper'


# ---- the probing child: one change, then it exits; its parent sees how it ended
def probing(w, b, i):
    if b[PC] == 'made':
        r = w.semop(b, 'probe')
        if r == OK:
            b[PC] = 'in'
        else:
            tell_owner(w, i, 'begin' if r == NO else 'semget')
        return 'probe ' + r
    w.undo(b)
    tell_owner(w, i, 'probed')
    return 'dies'


def tell_owner(w, i, pc):
    owner = w.B.pop(i)[OWNER]
    if owner is not None:
        w.P[owner][PC] = pc


def kill_prober(w, i):
    w.undo(w.B[i])
    tell_owner(w, i, 'probe' if w.rule('probe_again') else 'probed')


def orphan_probers(w, s):
    for b in w.B:
        if b[OWNER] == s:
            b[OWNER] = None
