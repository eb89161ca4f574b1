"""All that can happen next in a state: somebody's step, or malice (a kill, a removed set, a client
that gives up); and what must hold where nothing more happens."""
import client
import keeper
import takeover
from world import (ALIVE, CANCELS, CONN, CRASHED, CRASHES, DEAD_CLIENT, INST, LATER, NO_PAIR, PC,
                   REMOVALS, RUN, STANDBY, STOPPING, UNDO, UP, WAITING, World, ZERO)

WAITS = {'wait', 'asked', 'sickasked', 'started'}    # a client that polls its connection
# Where a kill changes nothing, or (name) is the header's documented gap.
NOT_KILLED = {'look', 'done', 'dead', 'dying', 'lives', 'name'}


def successors(state, run):
    """Yields (label, is it malice, the new world). A step that returns None has changed nothing, so
    its world serves the next one."""
    S, C, P, I, B, hint, eggs, left, _ = state
    spare = None
    for i, c in enumerate(C):
        pc = c[PC]
        if pc in WAITS and c[CONN] or pc == 'done' and c[UNDO] == ZERO:
            continue
        for step in client.STEPS[pc]:
            w, spare = spare or World(state, run), None
            label = step(w, w.C[i])
            if label:
                yield 'C%d %s' % (i, label), False, w
            else:
                spare = w
    for s, p in enumerate(P):
        for step in keeper.STEPS[p[PC]]:
            w, spare = spare or World(state, run), None
            label = step(w, w.P[s], s)
            if label:
                yield 'K%d %s' % (s, label), False, w
            else:
                spare = w
        if p[STANDBY] in ('watch', 'leave'):
            w, spare = spare or World(state, run), None
            label = keeper.standby(w, w.P[s], s)
            if label:
                yield 'P%d %s' % (s, label), False, w
            else:
                spare = w
    for i in range(len(B)):
        w = World(state, run)
        yield 'the probing child ' + takeover.probing(w, w.B[i], i), False, w
    for i, x in enumerate(I):
        if x == STOPPING and not any(c[INST] == i for c in C):
            w = World(state, run)
            w.gone(i)
            yield 'S%d ends' % i, False, w
    if eggs:
        yield from hatchings(state, run)
    if any(left):
        yield from malice(state, run)


def spawners(state):
    """The clients whose pairs have not bound yet, None for a pair whose client is gone."""
    owners = [i for i, c in enumerate(state[1]) if c[CONN] == ('egg', 'pend')]
    return owners + [None] * (state[6] > len(owners))


def hatchings(state, run):
    """A spawned pair binds the name, or finds it bound and exits."""
    for of in spawners(state):
        for binds in (True, False):
            w = World(state, run)
            bound = w.bound()
            free = [s for s, p in enumerate(w.P) if p[STANDBY] == '-']
            barrier = w.rule('barrier')
            if binds and (bound if barrier else not free) or not binds and not (bound and barrier):
                continue
            w.eggs -= 1
            conn = None
            if binds:
                w.P[free[0]] = list(NO_PAIR)
                w.P[free[0]][STANDBY] = 'watch'
                conn = (free[0], 'pend') if w.rule('spawner_connected') else None
            if of is not None:
                w.C[of][CONN] = conn
            what = 'binds' if binds else 'finds the name bound, exits'
            yield 'pair of C%s %s' % (of, what), False, w


def malice(state, run):
    left = state[7]
    if left[REMOVALS] and state[0]:
        w = World(state, run)
        w.left[REMOVALS] -= 1
        w.remove_set()
        yield 'IPCRM', True, w
    if left[CANCELS]:
        for i, c in enumerate(state[1]):
            if c[CONN] and c[PC] in client.CAN_CANCEL:
                w = World(state, run)
                yield 'C%d %s' % (i, client.cancel(w, w.C[i])), True, w
    if left[CRASHES]:
        for label, w in crashes(state, run):
            w.left[CRASHES] -= 1
            yield label, True, w


def crashes(state, run):
    """Death comes in two steps: the kernel undoes, then (dying) it closes the descriptors."""
    S, C, P, I, B, hint, eggs, left, _ = state
    for i, c in enumerate(C):
        if c[PC] not in NOT_KILLED:
            w = World(state, run)
            w.undo(w.C[i])
            conn = c[CONN] if c[CONN] and c[CONN][0] != 'egg' else None
            w.C[i] = list(DEAD_CLIENT)
            if conn:
                w.C[i][PC], w.C[i][CONN] = 'dying', conn
            yield 'C%d KILLED' % i, w
    for s, p in enumerate(P):
        if p[PC] not in ('-', 'dead', 'dying', 'gone'):
            w = World(state, run)
            w.undo(w.P[s])
            w.P[s][PC] = 'dying'
            takeover.orphan_probers(w, s)
            yield 'K%d KILLED' % s, w
        if p[STANDBY] in ('watch', 'leave'):
            w = World(state, run)
            w.P[s][STANDBY] = 'dead'
            if p[LATER] != ZERO:
                w.take_back(p[LATER])
                w.P[s][LATER] = ZERO
            if p[PC] in ('-', 'dead', 'gone'):
                w.free_pair(s, p[PC] != 'gone')
            yield 'P%d KILLED' % s, w
    for i in range(len(B)):
        w = World(state, run)
        takeover.kill_prober(w, i)
        yield 'the probing child KILLED', w
    for i, x in enumerate(I):
        if x in (RUN, UP) and not any(c[INST] == i for c in C):
            w = World(state, run)
            w.I[i] = CRASHED
            yield 'S%d CRASHES' % i, w
    for of in spawners(state) if eggs else ():
        w = World(state, run)
        w.eggs -= 1
        if of is not None:
            w.C[of][CONN] = None
        yield 'pair of C%s KILLED before it binds' % of, w


def left_over(state):
    """What is wrong with a state in which nothing more happens?"""
    S, C, P, I, B, hint, eggs, left, massacre = state
    for c in C:
        if c[PC] not in client.ENDED:
            return 'a client hangs in "%s"' % c[PC]
    if any(p[STANDBY] != '-' for p in P) or eggs or B:
        return 'a keeper or standby hangs'
    alive = any(x == WAITING or x in ALIVE for x in I)
    if (S or alive or hint) and not massacre:
        return 'left behind:' + ' set' * bool(S) + ' service' * alive + ' hint' * bool(hint)
