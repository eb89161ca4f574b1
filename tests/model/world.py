"""One state of the modelled machine: the set, connections, services, and what the kernel does.

Clients act in client.py, keepers in keeper.py; what may happen next is in steps.py. A process is a
list of fields, named by the numbers below; a state at rest is a tuple of tuples, to be looked up.
"""
from table import FINGERPRINT, REGISTERS

ID, REFS, KEEPER, CALL, GEN, READY = range(len(REGISTERS))
PUBLISHED = len(REGISTERS)            # not a register: the last generation published, for a check
ZERO = (0,) * len(REGISTERS)

OK, NO, GONE = 'ok', 'no', 'gone'     # semop: applied; EAGAIN; EIDRM or EINVAL

# A service instance. UP: it was published. SICK: procref may end it although a client holds it.
FREE, WAITING, RUN, UP, SICK, STOPPING, CRASHED = range(7)
ALIVE = (RUN, UP, SICK, STOPPING)
INSTANCES = MOST_CLIENTS = 3

# Every process: PC: what it does next. CUR: the set that it knows still exists. UNDO: what the
# kernel undoes at its death. G: the generation that it knows.
PC, CUR, UNDO, G = range(4)

# A client. CONN: its connection: (pair, pend|start|ready|up|detach|close). INST: the service that
# it starts, replaces or stops in a callback. RECOVERS: it is elected while it holds. PAGE: which
# record page it has mapped: none, the pair's, or one whose pair has ended or was killed. In the
# page: FLAG: it holds the new or the old (removed) set. CALLS: it runs a callback.
CONN, ROUNDS, FLAG, INST, RECOVERS, PAGE, CALLS = range(4, 11)
NONE, CURRENT, ENDED, KILLED = range(4)
DEAD_CLIENT = ('dead', False, ZERO, 0, None, 0, 0, None, False, NONE, False)
USING = {'hold', 'flag'}              # a client that relies on the service now

# A pair; PC is its keeper's. PHASE, G, NAMED, OLD: the page that both members map. OLD: it lists
# holders of a removed set. CHILD: the service that waits for its go byte. LATER: what the kernel
# undoes when the standby dies.
STANDBY, PHASE, NAMED, OLD, CHILD, LATER = range(4, 10)
NO_PAIR = ('-', False, ZERO, 0, '-', 'fresh', None, False, None, ZERO)

# The keeper's child that probes for undo. OWNER: the pair that waits for it; None: its keeper died.
OWNER = 4

# What may still go wrong, as numbers in the state.
CRASHES, REMOVALS, SICKNESS, CANCELS, LOST_HINTS = range(5)


class Ranks(dict):
    """Numbers clients as they are met, to sort what has no order of its own."""

    def __missing__(self, client):
        self[client] = len(self)
        return self[client]


class Run:
    """What is explored: the table, the rules that are off, how many clients, what may go wrong."""

    def __init__(self, table, off=(), clients=2, crashes=1, rounds=1, callback=False, removals=0,
                 sickness=0, cancels=0, lost_hints=0, undo=True):
        self.rows, self.off = table.rows, frozenset(off)
        self.clients, self.rounds, self.callback, self.undo = clients, rounds, callback, undo
        self.left = (crashes, removals, sickness, cancels, lost_hints)
        self.page = removals > 0      # the record page matters only where a set may be removed
        self.pairs = 1 if 'barrier' not in self.off else 2
        self.seen = set()             # where a mutant may make a difference: see mutants.py
        self.ranks = Ranks()

    def start(self):
        client = ('look', False, ZERO, 0, None, self.rounds, 0, None, False, NONE, False)
        return (None, (client,) * self.clients, (NO_PAIR,) * self.pairs, (FREE,) * INSTANCES, (),
                None, 0, self.left, False)


class World:
    """A state, thawed: each step works on a copy of its own. S: the set, or None; C: clients;
    P: pairs; I: instances of the service; B: probing children; hint: (phase, generation, instance)
    or None; eggs: pairs that were spawned and have not bound; massacre: a whole pair was killed and
    nobody acquired since; bad: what this step violates."""
    __slots__ = 'run S C P I B hint eggs left massacre bad'.split()

    def __init__(self, state, run):
        self.S, C, P, I, B, self.hint, self.eggs, left, self.massacre = state
        self.C, self.P, self.I = list(map(list, C)), list(map(list, P)), list(I)
        self.B, self.left = list(map(list, B)) if B else [], list(left)
        self.run, self.bad = run, None

    def freeze(self):
        """The state as it is."""
        return self.state(map(tuple, self.C))

    def canonical(self):
        """Clients are interchangeable: one order stands for all."""
        return self.state(sorted(map(tuple, self.C), key=self.run.ranks.__getitem__))

    def state(self, C):
        B = self.B
        return (self.S, tuple(C), tuple(map(tuple, self.P)), tuple(self.I),
                tuple(map(tuple, B)) if B else (), self.hint, self.eggs, tuple(self.left),
                self.massacre)

    def rule(self, name):
        """Does the rule hold? Asked only where dropping it would make a difference."""
        self.run.seen.add(name)
        return name not in self.run.off

    # -- the set
    def semop(self, p, row, g=0):
        """One call: all conditions and all changes, or none. Where a register would fall below 0
        the call fails."""
        if not p[CUR]:
            return GONE
        run = self.run
        conditions, changes = run.rows[row]
        S, failing = self.S, None
        for k, (register, at_least, value, factor) in enumerate(conditions):
            value += factor * g
            if S[register] < value if at_least else S[register] != value:
                if failing is not None:
                    return NO
                failing = k
        if failing is not None:
            run.seen.add((row, failing))
            return NO
        run.seen.add((row,))
        S, undo = list(S), list(p[UNDO])
        for register, delta, factor, undone in changes:
            delta += factor * g
            S[register] += delta
            if S[register] < 0:
                return NO
            if undone:
                undo[register] -= delta
        self.S, p[UNDO] = tuple(S), tuple(undo)
        return OK

    def undo(self, p):
        """A process is dead: the kernel takes its changes back, clamped at 0, if it can at all."""
        if p[CUR] and self.run.undo and p[UNDO] != ZERO:
            self.take_back(p[UNDO])
        p[UNDO], p[CUR] = ZERO, False

    def take_back(self, undo):
        self.S = tuple(max(0, v + d) for v, d in zip(self.S, undo)) + self.S[PUBLISHED:]

    def create_set(self):
        if self.S is None:
            self.S = ZERO + (0,)
            return True

    def remove_set(self):
        self.S = None
        for p in self.C + self.P + self.B:
            p[CUR], p[UNDO] = False, ZERO
        for p in self.P:
            p[LATER] = ZERO

    def opened(self):
        """Does the name lead to a set that bears its fingerprint?"""
        return self.S is not None and self.S[ID] == FINGERPRINT

    # -- connections
    def hang_up(self, slot, but=()):
        for c in self.C:
            if c[CONN] and c[CONN][0] == slot and c[CONN][1] not in but:
                c[CONN] = None

    def tell(self, c, slot, kind, pc, g):
        c[CONN], c[PC], c[G] = (slot, kind), pc, g
        if kind in ('up', 'start'):
            c[CUR] = c[CUR] or self.trusted()
        if self.run.page:
            c[PAGE] = CURRENT
            c[CALLS] = kind in ('start', 'close') and self.rule('calls_flag')
        if kind == 'up':
            self.flag_first(c)

    def trusted(self):
        return self.S is not None and (self.opened() or not self.rule('trust'))

    def asking(self, slot, *pcs):
        return [c for c in self.C if c[CONN] == (slot, 'pend') and c[PC] in pcs]

    def asker(self, k, slot, pc):
        """The k-th client that asks, if there is one and it differs from the one before."""
        asking = self.asking(slot, pc)
        if k < len(asking) and (k == 0 or asking[k] != asking[k - 1]):
            return asking[k]

    def bound(self):
        return [s for s, p in enumerate(self.P) if p[STANDBY] != '-']

    def free_pair(self, slot, killed):
        if killed and self.P[slot][PHASE] != 'fresh':
            self.massacre = True
        if self.run.page:
            for c in self.C:          # the page ends with its pair, and nobody tells who mapped it
                c[FLAG], c[CALLS] = 0, False
                if c[PAGE] == CURRENT:
                    c[PAGE] = KILLED if killed else ENDED
        self.hang_up(slot)
        self.P[slot] = list(NO_PAIR)

    # -- what is written down: the page of the pair, the hint, the record page
    def say_up(self, p):
        p[PHASE], self.hint = 'up', ('up', p[G], p[NAMED])

    def flag_first(self, c):
        if self.run.page and self.rule('flag_first'):
            self.flag(c)

    def flag(self, c):
        if c[PAGE] == CURRENT:
            c[FLAG] = 'new'

    def note_old_holders(self, p):
        """A keeper that finds its set gone notes in the page who holds it."""
        for c in self.C:
            if c[FLAG] == 'new':
                c[FLAG] = 'old'
        p[OLD] = any(c[FLAG] == 'old' for c in self.C)

    # -- services
    def spawn(self, state):
        if FREE not in self.I:
            self.bad = 'services pile up'
            return 0
        i = self.I.index(FREE)
        self.I[i] = state
        self.only_one()
        return i

    def only_one(self):
        if sum(x in ALIVE for x in self.I) > 1:
            self.bad = 'two services at once'

    def gone(self, i):
        self.I[i] = FREE
        if self.hint and self.hint[2] == i:
            self.hint = self.hint[:2] + (None,)
        for p in self.P:
            if p[NAMED] == i:
                p[NAMED] = None

    def held(self):
        """Does a client rely on the service? Not counted: one that holds a removed set and was
        listed in the page of a pair that was killed as a whole. Nothing knows of it any more."""
        return any(c[PC] in USING and (c[CUR] or c[PAGE] != KILLED) for c in self.C)

    def end(self, i):
        """procref ends an instance; a running one takes a step of its own to be gone."""
        if self.I[i] == UP and self.held():
            self.bad = 'procref stops a service that a client holds'
        if self.I[i] in (RUN, UP, SICK):
            self.I[i] = STOPPING
        elif self.I[i] in (WAITING, CRASHED):
            self.gone(i)
