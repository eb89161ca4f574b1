"""How a keeper comes into office: it adopts the running service, or opens the set and begins; and
what it does when the set was removed. Steps as in client.py; p is the pair, s its number."""
from table import FINGERPRINT
from world import (CALL, CALLS, CONN, CRASHED, CUR, FLAG, FREE, G, GEN, GONE, ID, LOST_HINTS, NAMED,
                   NO, OK, OLD, OWNER, PC, PHASE, REFS, RUN, SICK, STOPPING, UNDO, UP, ZERO)


def resume(w, p, s):
    """The first thing any keeper does: adopt what page, or else hint, says is up; or begin."""
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
    """Both keepers died and the hint is lost: only the token in its environment tells the service.
    Whether it was up nobody knows: it is ended, under its holders too."""
    if p[PHASE] == 'fresh' and w.hint and w.left[LOST_HINTS]:
        w.left[LOST_HINTS] -= 1
        w.hint, p[CUR] = None, w.opened()
        if w.opened() and w.S[GEN] and w.rule('token'):
            for i, x in enumerate(w.I):
                if x in (RUN, UP, SICK, STOPPING):
                    p[NAMED] = i
                    w.I[i] = SICK if x == UP else x
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
    if r == GONE:
        p[PC] = 'semget'
    elif r == OK:
        p[PC] = 'probe' if w.rule('probe') else 'begin'
    else:                             # another keeper opened it and may have died before it probed
        p[PC] = 'probe' if w.rule('probe_found') else 'begin'
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
        return None                   # it waits, with a deadline, for a killed keeper's child
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
    """On a new set call = 0 says nothing of who entered on the removed one: the page does."""
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


# ---- the set was removed
def refound(w, p, s):
    if not p[CUR]:
        p[CUR] = True
        w.note_old_holders(p)
        return 'notes who holds the old set, %s' % (
            'creates a set, all zero' if w.create_set() else 'finds a new one')
    if w.S[ID] != FINGERPRINT:
        r = w.semop(p, 'open')
        check_id(w, r)
        return 'open ' + r
    if not caller_of_old_set(w) and w.semop(p, 'refound', p[G]) == OK:
        p[PC] = 'publish' if p[PHASE] == 'up' else 'elect' if w.run.callback else 'failed'
        return 'refound(%d)' % p[G]


def finds_set_gone(w, p, s):
    if not p[CUR]:
        p[PC] = 'refound'
        return 'wait fails: the set is gone'


def forget_old(w, p, s):
    if p[OLD] and not any(c[FLAG] == 'old' for c in w.C):
        p[OLD] = False
        return 'sees the last holder of the removed set gone'


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
