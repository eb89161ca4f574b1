"""A state of the raw counter's world: the sets, what the kernel does, what must hold."""
LAYOUT = 1
REGISTERS = ('id', 'refs', 'lock', 'phase', 'trial')
ROWS = {'open': 'maker', 'trial': "maker's child", 'confirm': 'maker', 'first': 'holder',
        'another': 'holder', 'notlast': 'holder', 'last': 'holder', 'lock': 'holder',
        'locked': 'holder', 'unlock': 'holder', 'retire': 'holder or maker'}
ID, REFS, LOCK, PHASE, TRIAL = range(5)
FINGERPRINT, STRANGER = 7, 5
CLAIMED, LIVE = 0, 1
OK, NO, GONE = 'ok', 'no', 'gone'
KEYS = 2
FIELDS = ('pc at id cand live claimed unopened room alone victim back held locked lost lock_lost '
          'known script').split()
NUMBERS = ('id', 'cand', 'live', 'claimed', 'victim')      # those that hold the number of a set


class Process:
    """One process. pc: its next step; it belongs to operation `at` of its script."""
    __slots__ = FIELDS + ['undo']

    def __init__(self, script):
        self.script, self.at = script, 0
        self.pc = 'begin'
        self.id = self.cand = self.victim = self.back = None
        self.held, self.locked, self.lost, self.lock_lost, self.known = 0, False, 0, False, False
        self.undo = {}
        self.forget()

    def forget(self):
        self.live = self.claimed = self.unopened = self.room = None
        self.alone = True


class World:
    def __init__(self, rows, off, scripts, kills=0, ipcrm=0, numbers=0, squats=0, undo=True,
                 last_closes=False):
        self.rows, self.off, self.can_undo = rows, off, undo
        self.sets = {}                  # number: [key, registers]; key None: a stranger's
        self.processes = [Process(s) for s in scripts]
        self.orphans = []               # children whose parent was killed while they tried undo
        self.left = [kills, ipcrm, numbers, squats]
        self.stranger = squats > 0
        self.last_closes = last_closes
        self.removed = self.killed = False     # by ipcrm; anybody
        self.executed, self.asked = set(), set()
        self.bad = None

    # -- copying
    def freeze(self):
        """All of it, with the numbers of sets in order of appearance, and processes that do the
        same in an order of what they do: who is who makes no difference."""
        names = {}
        if not self.last_closes:
            self.processes.sort(key=lambda p: (p.script, p.at, p.pc, p.held, p.locked, p.known,
                                               p.alone, str(p.back)))

        def name(n):
            if n is None:
                return None
            return names.setdefault(n, len(names))
        order = sorted(self.sets, key=lambda n: (self.sets[n][0] is None, self.sets[n][0] or 0, n))
        used = {getattr(p, field) for p in self.processes for field in NUMBERS}
        sets = tuple((name(n), self.sets[n][0], tuple(self.sets[n][1])) for n in order
                     if self.sets[n][0] is not None or n in used)
        processes = tuple(
            (p.pc, p.at, name(p.id), name(p.cand), name(p.live), name(p.claimed), p.unopened,
             p.room, p.alone, name(p.victim), p.back, p.held, p.locked, p.lost, p.lock_lost,
             p.known, p.script, tuple(sorted((name(n), tuple(u)) for n, u in p.undo.items())))
            for p in self.processes)
        return (sets, processes, tuple(sorted(name(n) for n in self.orphans)), tuple(self.left),
                self.stranger, self.removed, self.killed)

    def thaw(self, state):
        sets, processes, orphans, left, self.stranger, self.removed, self.killed = state
        self.sets = {n: [key, list(regs)] for n, key, regs in sets}
        for p, frozen in zip(self.processes, processes):
            for field, value in zip(FIELDS, frozen):
                setattr(p, field, value)
            p.undo = {n: list(u) for n, u in frozen[-1]}
        self.orphans, self.left, self.bad = list(orphans), list(left), None

    def fresh(self):
        used = set(self.sets) | set(self.orphans)
        for p in self.processes:
            used |= {getattr(p, field) for field in NUMBERS} | set(p.undo)
        return next(n for n in range(99) if n not in used)

    # -- the kernel
    def semop(self, n, row, undo):
        if n not in self.sets:
            return GONE
        key, regs = self.sets[n]
        conditions, changes = self.rows[row]
        for r, at_least, value in conditions:
            if regs[r] < value or (not at_least and regs[r] != value):
                return NO
        new = list(regs)
        for r, delta, _ in changes:
            new[r] += delta
            if new[r] < 0:
                return NO
        if changes and key is None:
            self.bad = "the set of a stranger is changed by %s" % row
        self.sets[n][1] = new
        for r, delta, undone in changes:
            if undone:
                undo.setdefault(n, [0] * 5)[r] -= delta
        if n in undo and not any(undo[n]):
            del undo[n]
        self.executed.add(row)
        return OK

    def take_back(self, n, undo):
        if n in self.sets and self.can_undo:
            self.sets[n][1] = [max(0, v + d) for v, d in zip(self.sets[n][1], undo)]

    def remove(self, n):
        self.sets.pop(n, None)
        for p in self.processes:
            p.undo.pop(n, None)

    def at_key(self, key):
        if key == 0 and self.stranger:
            return 'foreign', None
        for n, (k, regs) in self.sets.items():
            if k == key:
                return self.state_of(regs), n
        return 'nothing', None

    def state_of(self, regs):
        if not any(regs):
            return 'unopened'
        if regs[ID] != FINGERPRINT:
            return 'foreign'
        return {CLAIMED: 'claimed', LIVE: 'live'}.get(regs[PHASE], 'dead')

    def is_live(self, n):
        return n in self.sets and self.state_of(self.sets[n][1]) == 'live'

    def rule(self, name):
        self.asked.add(name)
        return name not in self.off

    # -- what must hold
    def holders(self, but=None):
        """Who believes that he holds, and whose counter nobody took away by force."""
        return [p for p in self.processes if p is not but and p.pc != 'dead' and p.held]

    def lockers(self, but=None):
        return [p for p in self.processes if p is not but and p.pc != 'dead' and p.locked]

    def check(self):
        if self.bad or self.removed:
            return                      # exclusivity is lost for what ipcrm did
        live = [n for n in self.sets if self.sets[n][0] is not None and self.is_live(n)]
        if len(live) > 1:
            self.bad = 'two live sets of one name'
        if len(self.lockers()) > 1:
            self.bad = 'two have the lock'
        for p in self.holders() + self.lockers():
            if p.id not in self.sets:
                self.bad = 'a set is removed under its holder'
        for n in live:
            if self.can_undo and self.sets[n][1][REFS] != sum(
                    p.held for p in self.holders() if p.id == n):
                self.bad = 'the count is not the number of references'
