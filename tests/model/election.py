"""What a keeper does for a callback service, which clients start and end: elections, recovery,
close. Steps as in client.py; p is the pair, s its number."""
from takeover import caller_of_old_set, finds_set_gone
from world import (CONN, CRASHED, CUR, FREE, G, GONE, INST, NAMED, NO, OK, OLD, PC, PHASE, RECOVERS,
                   REFS, SICK, STOPPING, UP)


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
    nobody_holds = not p[CUR] or w.S[REFS] == 0 and not p[OLD]
    if nobody_holds and not w.asking(s, 'asked', 'sickasked', 'wait'):
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
        p[PC] = 'publish'
        w.say_up(p)
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


def tell_starter(w, p, s):
    p[PC] = 'serve'
    for c in w.C:
        if c[CONN] == (s, 'ready'):
            if c[PC] != 'started':    # it died: the end of file is on its way
                c[CONN] = (s, 'up')
            elif c[RECOVERS]:         # on_recover: it holds already
                c[CONN], c[PC], c[RECOVERS] = None, 'hold', False
            else:
                w.tell(c, s, 'up', 'attach', p[G])
    return 'tells the starter, if it lives: up(%d)' % p[G]


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
            w.I[p[NAMED]] = SICK      # from here on procref may end it under its holders
        return 'withdraw(%d), unhealthy: %s' % (p[G], r)


def closing(w, p, s):
    if w.S[REFS] == 0 if p[CUR] else not caller_of_old_set(w):
        p[PC] = 'stop'
        return 'sees the last client gone'
