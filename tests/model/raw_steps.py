"""What processes do with a raw counter: a function is one system call of src/os/linux/raw.c or of
src/core/counter.c; and all that may happen next in a state."""
from raw_world import CLAIMED, GONE, KEYS, LIVE, LOCK, NO, NUMBERS, OK, REFS, STRANGER, TRIAL


def step(w, p):
    label = STEPS[p.pc](w, p) or p.pc
    w.check()
    return label


def next_op(w, p):
    p.at += 1
    p.pc = 'begin' if p.at < len(p.script) else 'done'
    if p.pc == 'done':
        end(w, p)
    else:
        dispatch(w, p)


def end(w, p):
    """The process ends, in whatever way: the kernel takes back what it has not given back."""
    for n, undo in p.undo.items():
        w.take_back(n, undo)
    pc, script = p.pc, p.script
    p.__init__(script)
    p.pc, p.at = pc, len(script)


def begin(w, p):
    dispatch(w, p)
    return step(w, p)


def dispatch(w, p):
    op = p.script[p.at]
    if op == 'acquire' or op == 'lock':
        p.back = None
        have(w, p)
    elif op == 'release':
        if p.lost:
            p.lost -= 1
            next_op(w, p)
        else:
            p.pc = 'notlast'
    elif op == 'unlock':
        if p.locked:
            p.pc = 'unlock'
        else:
            p.lock_lost = False
            next_op(w, p)
    else:
        p.pc = 'sweep0'


def have(w, p):
    p.pc, p.cand = 'look0', None
    p.forget()
    if p.id is not None:
        p.pc = 'another' if p.script[p.at] == 'acquire' else 'lock'


def look(key):
    def look_at(w, p):
        state, n = w.at_key(key)
        p.pc = 'look%d' % (key + 1) if key + 1 < KEYS else 'decide'
        if state == 'live' and p.live is None:
            p.live = n
        elif state == 'claimed' and p.claimed is None:
            p.claimed = n
        elif state == 'unopened' and p.unopened is None:
            p.unopened = key
        elif state == 'nothing' and p.room is None:
            p.room = key
        elif state == 'claimed' or (state == 'dead' and w.rule('bury')):
            p.victim, p.back, p.pc = n, p.pc, 'retire'
            if state == 'dead' and p.room is None:
                p.room = key            # it will be free; create fails if it is not
        if p.pc == 'decide':
            decide(w, p)
        return 'look at key %d: %s' % (key, state)
    return look_at


def again(w, p, cand):
    p.forget()
    p.cand, p.pc = cand, 'look0'


def decide(w, p):
    if p.live is not None:
        if p.claimed is not None:
            p.victim, p.back, p.pc, p.claimed = p.claimed, 'decide', 'retire', None
            return
        p.id = p.live
        p.forget()
        p.cand = None
        p.pc = 'first' if p.script[p.at] == 'acquire' else 'lock'
    elif p.claimed is not None and p.alone and (
            p.claimed == p.cand or not w.rule('look_again')):
        p.cand = p.claimed
        p.forget()
        p.pc = 'confirm' if p.known or not w.rule('try_undo') else 'trial'
    elif p.claimed is not None:
        if not w.rule('lower_wins') and p.cand in w.sets and p.cand != p.claimed:
            p.claimed, mine = None, p.cand
            again(w, p, mine)
        else:
            again(w, p, p.claimed)
    elif p.unopened is not None and w.rule('adopt'):
        p.pc = 'find'
    elif p.room is not None:
        p.pc = 'create'
    else:
        p.pc = 'refused'      # no key is free: an error


def find(w, p):
    state, n = w.at_key(p.unopened)
    if state != 'unopened':
        again(w, p, None)
    else:
        p.victim, p.pc = n, 'open'


def create(w, p):
    key = p.room
    if w.at_key(key)[0] != 'nothing':
        again(w, p, None)
        return
    n = w.fresh()
    w.sets[n] = [key, [0] * 5]
    p.victim, p.pc = n, 'open'


def open_set(w, p):
    n, p.victim = p.victim, None
    result = w.semop(n, 'open', p.undo)
    if result == OK and not w.rule('look_again'):
        p.cand = n
        p.forget()
        p.pc = 'confirm' if p.known or not w.rule('try_undo') else 'trial'
    else:
        again(w, p, n if result == OK else None)
    return 'open: ' + result


def trial(w, p):
    result = w.semop(p.cand, 'trial', {})           # its child's undo, see end_child
    if result != OK:
        again(w, p, None)
    else:
        p.pc = 'childdies'
    return 'trial: ' + result


def end_child(w, n):
    undo = [0] * 5
    for r, delta, undone in w.rows['trial'][1]:
        undo[r] -= delta * undone
    w.take_back(n, undo)


def child_dies(w, p):
    end_child(w, p.cand)
    p.pc = 'awaittrial'


def await_trial(w, p):
    if p.cand not in w.sets:
        again(w, p, None)
    elif w.sets[p.cand][1][TRIAL] == 0:
        if not w.can_undo:
            w.bad = 'a kernel without undo is trusted'
        p.known, p.pc = True, 'confirm'
    else:                      # a second has passed
        if w.can_undo:
            w.bad = 'a kernel with undo is called UNSUPPORTED'
        p.victim, p.back, p.pc = p.cand, 'refused', 'retire'


def confirm(w, p):
    n, p.cand = p.cand, None
    result = w.semop(n, 'confirm', p.undo)
    if result == OK:
        p.id = n
        p.pc = 'first' if p.script[p.at] == 'acquire' else 'lock'
    else:
        again(w, p, None)
    return 'confirm: ' + result


def refused(w, p):
    if w.can_undo:
        w.bad = 'an acquire fails'
    p.pc = 'done'
    end(w, p)


def retire(w, p):
    result = OK if not w.rule('retire_first') else w.semop(p.victim, 'retire', p.undo)
    if result == OK:
        p.pc = 'rmid'
    else:
        if result == NO and p.pc == 'retire':
            p.alone = p.alone and p.back not in ('look1', 'look2', 'decide')
        p.victim = None
        resume(w, p)
    return 'retire: ' + result


def rmid(w, p):
    n, p.victim = p.victim, None
    if n in w.sets:
        if not w.removed and (w.sets[n][1][REFS] or w.sets[n][1][LOCK]) and w.can_undo:
            w.bad = 'a set is removed under its holder'
        if w.sets[n][0] is None:
            w.bad = 'the set of a stranger is removed'
    w.remove(n)
    if p.back == 'next':
        p.id = None
    resume(w, p)


def resume(w, p):
    back, p.back = p.back, None
    if back == 'decide':
        decide(w, p)
    elif back == 'next':
        next_op(w, p)
    else:
        p.pc = back


def lose(w, p):
    if (p.held or p.locked) and not w.removed:
        w.bad = 'a holder finds its set gone'
    p.lost += p.held
    p.lock_lost = p.lock_lost or p.locked
    p.held, p.locked, p.id = 0, False, None


def either(row, other, took):
    """The rows of acquire or lock; `first` and `lock` come first on a set just found."""
    def run(w, p):
        result = w.semop(p.id, row, p.undo)
        if result == OK:
            took(w, p, row)
            next_op(w, p)
        elif result == NO and p.back != 'second':
            p.pc, p.back = other, 'second'
        else:
            p.back = None
            if result == GONE:
                lose(w, p)
                have(w, p)
            else:
                p.pc = 'examine'
        return '%s: %s' % (row, result)
    return run


def examine(w, p):
    if not w.is_live(p.id):
        lose(w, p)
    have(w, p)


def took_reference(w, p, row):
    p.back = None
    if not w.can_undo:
        w.bad = 'a kernel without undo is trusted'
    if not w.removed:
        others = w.holders(but=p)
        if row == 'first' and (others or p.held):
            w.bad = 'two get 1'
        if row == 'another' and not others and not p.held:
            w.bad = 'the only one gets 2'
    p.held += 1


def took_lock(w, p, row):
    p.back = None
    if not w.can_undo:
        w.bad = 'a kernel without undo is trusted'
    if row == 'lock':
        p.locked = True
    elif not w.removed and not w.lockers(but=p):
        w.bad = 'refused a lock that nobody has'


def gives_back(row, other):
    def run(w, p):
        result = w.semop(p.id, row, p.undo)
        if result == OK:
            if not w.removed:
                others = w.holders(but=p)
                if (row == 'last') == bool(others or p.held > 1):
                    w.bad = 'the last one is not told so, or another one is'
            p.held -= 1
            p.back = None
            if row == 'last' and not p.held and not p.locked:
                p.victim, p.back, p.pc = p.id, 'next', 'retire'
            else:
                next_op(w, p)
        elif result == NO and p.back != 'second':
            p.pc, p.back = other, 'second'
        elif result == GONE or not w.is_live(p.id):
            p.back = None
            lose(w, p)
            p.lost -= 1
            next_op(w, p)
        else:
            p.pc, p.back = 'notlast', None
        return '%s: %s' % (row, result)
    return run


def unlock(w, p):
    result = w.semop(p.id, 'unlock', p.undo)
    if result != OK:
        lose(w, p)
        p.lock_lost = False
        next_op(w, p)
        return 'unlock: ' + result
    p.locked = False
    if not p.held and w.rule('tidy_unlock'):
        p.victim, p.back, p.pc = p.id, 'next', 'retire'
    else:
        next_op(w, p)


def sweep(key):
    def run(w, p):
        state, n = w.at_key(key)
        p.pc = 'sweep%d' % (key + 1)
        if state in ('live', 'dead', 'claimed', 'unopened') and w.rule('sweep'):
            p.victim, p.back, p.pc = n, p.pc, 'claim' if state == 'unopened' else 'retire'
        return 'sweep key %d: %s' % (key, state)
    return run


def claim(w, p):
    """Who sweeps makes a set that nobody opened his own, for only then can it be retired."""
    result = w.semop(p.victim, 'open', p.undo)
    if result == OK:
        p.pc = 'retire'
    else:
        p.victim = None
        resume(w, p)
    return 'open: ' + result


def swept(w, p):
    next_op(w, p)


STEPS = {'begin': begin, 'find': find, 'create': create, 'open': open_set, 'trial': trial,
         'childdies': child_dies, 'awaittrial': await_trial, 'confirm': confirm,
         'refused': refused, 'retire': retire, 'rmid': rmid, 'examine': examine, 'unlock': unlock,
         'first': either('first', 'another', took_reference),
         'another': either('another', 'first', took_reference),
         'lock': either('lock', 'locked', took_lock),
         'locked': either('locked', 'lock', took_lock),
         'notlast': gives_back('notlast', 'last'), 'last': gives_back('last', 'notlast'),
         'claim': claim, 'sweep%d' % KEYS: swept}
for k in range(KEYS):
    STEPS['look%d' % k], STEPS['sweep%d' % k] = look(k), sweep(k)


# ---- all that may happen next
def successors(w, state):
    """Yields (label, is it malice) with w in the state after it."""
    w.thaw(state)
    active = [p.pc not in ('dead', 'done') for p in w.processes]
    kills, ipcrm, numbers, squats = w.left
    for i in range(len(active)):
        w.thaw(state)
        if active[i] and not waits(w, i, active):
            yield 'P%d %s' % (i, step(w, w.processes[i])), False
    for i in range(len(state[2])):
        w.thaw(state)
        end_child(w, w.orphans.pop(i))
        yield 'the child of one who was killed ends', False
    if kills:
        for i in range(len(active) - w.last_closes):
            w.thaw(state)
            if active[i] and w.processes[i].pc != 'begin':
                kill(w, w.processes[i])
                yield 'P%d is killed' % i, True
    if ipcrm:
        for n, key, _ in state[0]:
            if key is not None:
                w.thaw(state)
                w.remove(n)
                w.left[1], w.removed = ipcrm - 1, True
                yield 'ipcrm', True
    if numbers:
        for n in stale(w, state):
            for regs in ([STRANGER, 0, 0, LIVE, 0], [STRANGER, 2, 1, LIVE, 0],
                         [STRANGER, 1, 0, CLAIMED, 0]):
                w.thaw(state)
                w.sets[n] = [None, regs]
                w.left[2] = numbers - 1
                yield "a stranger's set gets the number of a removed one", True
    if squats:
        w.thaw(state)
        if w.stranger or w.at_key(0)[0] == 'nothing':
            w.stranger, w.left[3] = not w.stranger, squats - 1
            yield 'a stranger goes or comes', True


def waits(w, i, active):
    """For the others, to close after them; or, less than a second, for others' children."""
    p = w.processes[i]
    if w.last_closes and i + 1 == len(active) and any(active[:-1]):
        return True
    return (p.pc == 'awaittrial' and p.cand in w.sets and w.sets[p.cand][1][TRIAL] > 0 and
            (p.cand in w.orphans or any(q.pc == 'childdies' and q.cand == p.cand
                                        for q in w.processes)))


def stale(w, state):
    """Numbers of removed sets that somebody knows. Not those between retire and IPC_RMID, and
    between semget and open: two calls in a row, which the code says it cannot guard."""
    w.thaw(state)
    known = {getattr(p, field) for p in w.processes for field in NUMBERS if p.pc != 'dead'}
    known -= {p.victim for p in w.processes if p.pc in ('rmid', 'open', 'claim')}
    return sorted(n for n in known - {None} if n not in w.sets)


def kill(w, p):
    if p.pc == 'childdies':
        w.orphans.append(p.cand)
    w.left[0] -= 1
    w.killed = True
    p.pc = 'dead'
    end(w, p)


def left_over(w, state):
    w.thaw(state)
    ours = [w.state_of(regs) for key, regs in w.sets.values() if key is not None]
    if not w.last_closes and (w.killed or w.removed):
        return None                     # until somebody comes and goes, or closes
    return 'left at the end: a %s set' % ours[0] if ours else None
