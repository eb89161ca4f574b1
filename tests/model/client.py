"""What a client does. Each function is one atomic step of client c: it returns a label, or None,
having changed nothing, if it cannot run now."""
from world import (CALLS, CANCELS, CONN, CRASHED, CUR, FLAG, G, INST, NAMED, NO, NONE, OK, PAGE, PC,
                   READY, RECOVERS, REFS, ROUNDS, RUN, SICKNESS, STOPPING, UNDO, UP, USING, ZERO)


# ---- acquire
def look(w, c):
    if w.run.page and (c[PAGE] == NONE or not c[CUR]) and w.rule('page_first'):
        c[PAGE] = NONE                # another set, perhaps another pair: connect for its page
    elif w.S and w.S[READY] and w.trusted():
        c[CUR], c[G], c[PC] = True, w.S[READY], 'attach'
        w.flag_first(c)
        return 'reads ready=%d' % c[G]
    c[G], c[PC], c[PAGE] = 0, 'connect', NONE
    return 'finds nothing up'


def attach(w, c):
    told, c[CONN] = c[CONN], None
    if w.semop(c, 'attach', c[G]) == OK:
        if STOPPING in w.I or not (UP in w.I or CRASHED in w.I):
            w.bad = 'a client is handed a service that is stopped'
        c[PC] = 'flag' if w.run.page and not w.rule('flag_first') else 'hold'
        return 'attach(%d)' % c[G]
    label = 'attach(%d) fails' % c[G]
    c[FLAG], c[G], c[PC] = 0, 0, 'look' if told else 'connect'
    if not told:
        c[PAGE] = NONE                # it gets one with the answer
    return label


def flag(w, c):
    c[PC] = 'hold'
    w.flag(c)
    return 'stores its held flag'


def connect_to(slot):
    def connect(w, c):
        if slot in w.bound():
            c[CONN] = (slot, 'pend')
            c[PC] = {'connect': 'wait', 'ask': 'asked', 'sick': 'sickasked'}[c[PC]]
            return 'connects'
    return connect


def spawn_pair(w, c):
    if w.bound():
        return None
    if w.S is None and not w.rule('keeper_opens'):
        w.create_set()
        c[CUR] = True
        w.semop(c, 'open')
        return 'opens a new set'
    w.eggs += 1
    c[CONN], c[PC] = ('egg', 'pend'), 'wait'
    return 'spawns a pair'


def end_of_file(w, c):
    if c[CONN] is None:
        c[PC] = {'wait': 'look', 'asked': 'notlast', 'sickasked': 'sick',
                 'started': 'hold' if c[RECOVERS] else 'look'}[c[PC]]
        c[RECOVERS] = False
        return 'sees end of file'


CAN_CANCEL = {'wait', 'attach', 'enter', 'started', 'sickasked'}


def cancel(w, c):
    """Its deadline passes, or it is cancelled, while it is connected: it hangs up and lives on."""
    if c[CONN] and c[PC] in CAN_CANCEL:
        w.left[CANCELS] -= 1
        holds = c[RECOVERS] or c[PC] == 'sickasked'
        c[CONN], c[INST], c[RECOVERS], c[CALLS] = None, None, False, False
        if holds:
            c[PC] = 'notlast'
        else:
            finished(w, c)
        return 'GIVES UP waiting'


# ---- release
def release(w, c):
    if w.run.callback:
        c[PC] = 'notlast'
        return 'wants to release'
    return detach(w, c)


def detach(w, c):
    r = w.semop(c, 'detach')
    if r == NO:
        w.bad = 'miscount: a detach finds refs = 0'
    finished(w, c)
    return 'detach ' + r


def finished(w, c):
    c[FLAG] = 0
    c[ROUNDS] -= 1
    if c[ROUNDS] and c[G]:            # attach(0) would succeed while nothing is up
        c[PC] = 'attach'              # the hot path, with what it knows from last time
        w.flag_first(c)
    else:
        c[G], c[PC] = 0, 'look' if c[ROUNDS] else 'done'
        if not c[ROUNDS]:
            c[PAGE] = NONE


def exits(w, c):
    if c[UNDO] != ZERO:
        w.undo(c)
        return 'exits, the kernel undoes'


def lives_on(w, c):
    if c[UNDO] != ZERO:
        c[PC] = 'lives'
        return 'lives on without exiting'


# ---- callback services: release
def notlast(w, c):
    r = w.semop(c, 'notlast')
    if r == NO:
        c[PC] = 'ask'
    else:
        if r == OK and w.S[REFS] == 0:
            w.bad = 'the last client leaves without on_last_release'
        finished(w, c)
    return 'detach, not the last: ' + r


def no_keeper(w, c):
    if not w.bound():
        c[PC] = 'plain' if c[PC] == 'ask' else 'hold'
        return 'finds no keeper'


def enter_close(w, c):
    r = w.semop(c, 'enter', c[G])
    c[CONN], c[PC] = None, 'last' if r == OK else 'plain'
    c[CALLS] = c[CALLS] and r == OK
    return 'enter(%d) %s' % (c[G], r)


def last(w, c):
    if any(x[PC] in USING for x in w.C):
        w.bad = 'on_last_release runs while another client holds'
    if STOPPING in w.I:
        w.bad = 'on_last_release runs on a service that is being stopped'
    if RUN in w.I:
        w.bad = 'on_last_release overlaps a start'
    for i, s in enumerate(w.I):
        if s == UP:
            w.I[i], c[INST] = STOPPING, i
    c[PC] = 'last2'
    return 'on_last_release begins'


def last2(w, c):
    if c[INST] is not None and w.I[c[INST]] == STOPPING:
        w.gone(c[INST])
    if RUN in w.I or UP in w.I:
        w.bad = 'on_last_release overlaps the next start'
    c[INST], c[PC] = None, 'finish'
    return 'on_last_release returns'


def finish(w, c):
    c[PC] = 'plain'
    return leave_callback(w, c)


def leave_callback(w, c):
    r, c[CALLS] = w.semop(c, 'leave'), False
    if r == NO:
        w.bad = 'miscount: a leave finds call = 0'
    return 'leaves the callback ' + r


# ---- callback services: start and recovery
def falls_sick(w, c):
    if w.run.callback and w.left[SICKNESS]:
        w.left[SICKNESS] -= 1
        c[PC] = 'sick'
        return 'on_health_check says no'


def enter(w, c):
    r = w.semop(c, 'enter', c[G])
    if r == OK:
        c[PC] = 'create'
    else:
        c[CONN], c[PC], c[INST] = None, 'hold' if c[RECOVERS] else 'look', None
        c[RECOVERS], c[CALLS] = False, False
    return 'enter(%d) %s' % (c[G], r)


def create(w, c):
    if c[INST] is not None:           # on_recover: replaces the old one
        w.gone(c[INST])
    c[INST], c[PC] = w.spawn(RUN), 'name'
    return 'on_first_acquire or on_recover starts S%d' % c[INST]


def name(w, c):
    i, c[INST], c[PC] = c[INST], None, 'leave'
    if c[CONN]:
        w.P[c[CONN][0]][NAMED] = i
        w.hint = ('starting', c[G], i)
        return 'names S%d to the keeper' % i
    if w.rule('starter_undoes'):
        w.gone(i)
        return 'sees end of file, ends S%d itself' % i
    return 'sees end of file'


def leave(w, c):
    c[PC] = 'ready'
    return leave_callback(w, c)


def ready(w, c):
    if not c[CONN]:
        c[PC], c[RECOVERS] = 'hold' if c[RECOVERS] else 'look', False
        return 'sees end of file'
    c[PC], c[CONN] = 'started', (c[CONN][0], 'ready')
    return 'says ready'


# ---- death
def closes_connection(w, c):
    c[CONN], c[PC] = None, 'dead'
    return 'is closed: end of file'


CONNECT = [connect_to(0), connect_to(1)]
STEPS = {
    # acquire
    'look': [look], 'attach': [attach], 'flag': [flag], 'connect': CONNECT + [spawn_pair],
    'wait': [end_of_file], 'hold': [release, falls_sick],
    # release of a callback service
    'notlast': [notlast], 'ask': CONNECT + [no_keeper], 'asked': [end_of_file], 'plain': [detach],
    'enter_close': [enter_close], 'last': [last], 'last2': [last2], 'finish': [finish],
    # start and recovery of a callback service
    'sick': CONNECT + [no_keeper], 'sickasked': [end_of_file], 'enter': [enter],
    'create': [create], 'name': [name], 'leave': [leave], 'ready': [ready],
    'started': [end_of_file],
    # the end
    'done': [exits, lives_on], 'dying': [closes_connection], 'dead': [], 'lives': [],
}
ENDED = {'done', 'dead', 'lives'}
