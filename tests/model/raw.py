#!/usr/bin/env python3
"""Explores the raw counter around its transition table that the compiled library dumps (key
"raw"): processes that make, use and remove its sets on two keys, killed at every step; and shows
what breaks without each condition, change, undo flag and rule. README.md tells what is modelled.
"""
import argparse
import json
import os
import subprocess
import sys
from collections import deque, namedtuple
from multiprocessing import get_context
from time import perf_counter

from raw_steps import left_over, successors
from raw_world import FINGERPRINT, LAYOUT, REGISTERS, ROWS, World

TOO_MANY = 400_000        # larger than any world here
SMALL = 3_000             # expected survivors are explored in worlds of so many states; --larger: all

# What the code does besides the rows (src/os/linux/raw.c, src/core/counter.c); a mutant drops one.
RULES = {
    'look_again': 'a set is confirmed only after a look at all keys that began when it was claimed',
    'lower_wins': 'of two claimed sets the one on the lower key is taken up, and not the own one',
    'retire_first': 'a set is removed only right after the row retire',
    'bury': 'who meets a dead set removes it',
    'adopt': 'a set that somebody left unopened is opened by who makes one next',
    'try_undo': 'a set is confirmed only by who has seen that the kernel undoes',
    'tidy_unlock': 'who gives the lock back retires the counter if nobody holds it',
    'sweep': 'closing removes what makers and holders that were killed left',
}
# scripts: what each process does; kills, ipcrm, numbers: how often malice may strike (a process is
# killed, somebody removes a set, a removed set's number is given to a stranger's set); squats: a
# stranger sits on the first key at first and may go (and come back) so many times.
USE = ('acquire', 'release')
BOTH = ('lock', 'acquire', 'unlock', 'release')
WORLDS = {
    '2 use it': dict(scripts=(USE, USE)),
    '2 use it twice': dict(scripts=(USE * 2, USE * 2)),
    '2 use it, 1 killed': dict(scripts=(USE, USE), kills=1),
    '2 lock it, 1 killed': dict(scripts=(BOTH, ('lock', 'unlock')), kills=1),
    '2 lock and use it, 1 killed': dict(scripts=(BOTH, ('acquire', 'lock', 'release', 'unlock')),
                                        kills=1),
    '2 use it, a stranger goes': dict(scripts=(USE, USE), squats=1),
    '2 use it, a stranger goes, 1 killed': dict(scripts=(USE, USE), squats=1, kills=1),
    '2 use it, a stranger goes and comes': dict(scripts=(USE, USE), squats=2),
    '1 uses it twice, 1 once, numbers come round': dict(scripts=(USE * 2, USE), numbers=1),
    '2 lock it, numbers come round': dict(scripts=(BOTH, ('lock', 'unlock')), numbers=1),
    'ipcrm, 2 use and lock it, numbers come round': dict(scripts=(BOTH, USE), ipcrm=1, numbers=1),
    'killed, then closed': dict(scripts=(BOTH, ('close',)), kills=1, last_closes=True),
    '2 killed, then closed': dict(scripts=(USE, BOTH, ('close',)), kills=2, last_closes=True),
    '1 uses it, 1 closes': dict(scripts=(USE, ('close',))),
    '2 use it, 1 closes, 1 killed': dict(scripts=(USE, USE, ('close',)), kills=1),
    'no undo, 2 use it, 1 killed': dict(scripts=(USE, USE), kills=1, undo=False),
    '3 use it': dict(scripts=(USE, USE, USE)),
}
LARGER = {
    'larger: 3 use it, 1 lock': dict(scripts=(USE, USE, BOTH)),
    'larger: 3 use it, 1 killed': dict(scripts=(USE,) * 3, kills=1),
    'larger: 2 use it twice, 2 killed': dict(scripts=(USE * 2, USE * 2), kills=2),
    'larger: 3 use it, a stranger goes': dict(scripts=(USE,) * 3, squats=1),
}
# Mutants that nothing here kills, and why. The run fails if another one survives.
SURVIVORS = {
    'open: without condition lock = 0':
        'it only leaves the pid of the maker in the set, so that who closes does not begin his work '
        'anew all the time; here who closes does, and nothing breaks',
    'retire: phase +2 with undo':
        'it would make the set of one who was killed before he removed it live again, empty, unless '
        'another has retired it as well: either way nobody holds it. Without undo it is simpler: '
        'phase never goes back',
}
COMES_ROUND = 'ipcrm, 2 use and lock it, numbers come round'
# The world that kills a mutant soonest, where that is not one of the smallest. It only saves time.
HINTS = {
    'notlast: without condition id = fingerprint': COMES_ROUND,
    'last: without condition id = fingerprint': COMES_ROUND,
    'unlock: without condition id = fingerprint': COMES_ROUND,
    'another: refs +1 without undo': '2 use it, 1 killed',
    'notlast: refs -1 without undo': '2 lock and use it, 1 killed',
    'last: refs -1 without undo': '2 use it, 1 killed',
    'rule lower_wins': '1 uses it twice, 1 once, numbers come round',
}

Result = namedtuple('Result', 'states complete found executed asked')
Mutant = namedtuple('Mutant', 'name rows off')


class BadTable(Exception):
    pass


def parse(dump):
    raw = dump['raw']
    if raw['layout'] != LAYOUT or tuple(raw['registers']) != REGISTERS:
        raise BadTable('another layout or other registers than are modelled')
    if {row: content['by'] for row, content in raw['table'].items()} != ROWS:
        raise BadTable('other rows, or called by others, than are modelled')
    return {row: ([tuple(c) for c in content['conditions']],
                  [tuple(c) for c in content['changes']]) for row, content in raw['table'].items()}


def number(value):
    return FINGERPRINT if value == 'fingerprint' else value


def compile_table(text):
    return {row: (tuple((REGISTERS.index(r), relation == '>=', number(v)) for r, relation, v in cs),
                  tuple((REGISTERS.index(r), number(d), undo) for r, d, undo in changes))
            for row, (cs, changes) in text.items()}


def explore(rows, off, arguments, first):
    w = World(rows, off, **arguments)
    start = w.freeze()
    parent, todo, found = {start: (None, '')}, deque([start]), {}
    edges = {}

    def path(state, *more):
        labels = []
        while state is not None:
            state, label = parent[state]
            labels.append(label)
        return [x for x in labels[::-1] if x] + list(more)

    while todo and not (first and found):
        state = todo.popleft()
        stuck, edges[state] = True, []
        for label, malice in successors(w, state):
            stuck = stuck and malice
            if w.bad:
                found.setdefault(w.bad, path(state, label))
                continue
            new = w.freeze()
            if new not in parent:
                parent[new] = state, label
                todo.append(new)
            if not malice:
                edges[state].append(new)
        if stuck:
            wrong = left_over(w, state)
            if wrong:
                found.setdefault(wrong, path(state))
        if len(parent) > TOO_MANY:
            found['runs away: states without end'] = []
            break
    complete = not todo
    if complete and not (first and found):
        cycle = has_cycle(edges)
        if cycle is not None:
            found['livelock: without malice it can go round for ever'] = path(cycle)
    return Result(len(parent), complete, found, w.executed, w.asked)


def has_cycle(edges):
    """A state that can come again without malice: nobody ever loses a race for ever. None if
    there is none."""
    indegree = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for t in targets:
            indegree[t] += 1
    todo = [s for s in edges if not indegree[s]]
    for s in todo:
        for t in edges[s]:
            indegree[t] -= 1
            if not indegree[t]:
                todo.append(t)
    return None if len(todo) == len(edges) else next(s for s in edges if indegree[s])


# ---- mutants
def mutants(text):
    def but(items, k, *instead):
        return items[:k] + list(instead) + items[k + 1:]

    def with_row(row, conditions, changes):
        return compile_table({**text, row: (conditions, changes)})
    for row, (conditions, changes) in text.items():
        for k, c in enumerate(conditions):
            yield Mutant('%s: without condition %s %s %s' % (row, *c),
                         with_row(row, but(conditions, k), changes), ())
        for k, (register, delta, undo) in enumerate(changes):
            what = '%s %s' % (register, '%+d' % delta if isinstance(delta, int) else delta)
            yield Mutant('%s: without change %s' % (row, what),
                         with_row(row, conditions, but(changes, k)), ())
            yield Mutant('%s: %s %s undo' % (row, what, 'without' if undo else 'with'),
                         with_row(row, conditions, but(changes, k, (register, delta, not undo))),
                         ())
    for register in REGISTERS:
        yield Mutant('no register ' + register, compile_table(
            {row: ([c for c in cs if c[0] != register], [c for c in changes if c[0] != register])
             for row, (cs, changes) in text.items()}), ())
    for rule in RULES:
        yield Mutant('rule ' + rule, compile_table(text), (rule,))


# ---- the report: one line a check
class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, text, *more):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print('%-4s  %s' % ('ok' if good else 'FAIL', text))
        for line in more:
            print('      ' + line)
        sys.stdout.flush()


def judge(arguments):
    """Explores one mutant, small worlds first, until one of them kills it. In a worker process."""
    mutant, worlds = arguments
    states = 0
    for world in worlds:
        result = explore(mutant.rows, mutant.off, WORLDS[world], True)
        states += result.states
        for what, steps in result.found.items():
            return what, world, states, steps
    return None, None, states, []


def report_mutants(report, pool, bases, chosen, larger, traces):
    jobs = []
    for m in chosen:
        worlds = [w for w in bases if larger or m.name not in SURVIVORS or bases[w].states <= SMALL]
        jobs.append((m, sorted(worlds, key=lambda w: (w != HINTS.get(m.name), bases[w].states))))
    for (mutant, _), (what, world, states, steps) in zip(jobs, pool.imap(judge, jobs)):
        reason = SURVIVORS.get(mutant.name)
        if what:
            report.check(not reason, 'killed    %s | %s | %s, %d steps' % (
                mutant.name, what, world, len(steps)), *['; '.join(steps)] * traces)
        else:
            report.check(reason, 'survives  %s | %d states' % (mutant.name, states),
                         'because ' + reason if reason else 'NOT EXPECTED to survive')


def run_world(arguments):
    rows, world = arguments
    began = perf_counter()
    return explore(rows, (), world, False), perf_counter() - began


def check_mutants(report, pool, bases, text, options):
    if not options.world:
        idle = set(ROWS) - set().union(*(b.executed for b in bases.values()))
        report.check(not idle, 'every row is executed' + ', but not ' * bool(idle) +
                     ' '.join(sorted(idle)))
        unused = set(RULES) - set().union(*(b.asked for b in bases.values()))
        report.check(not unused, 'every rule is asked for' + ', but not ' * bool(unused) +
                     ' '.join(sorted(unused)))
    all_mutants = list(mutants(text))
    stale_ones = set(SURVIVORS) - {m.name for m in all_mutants}
    report.check(not stale_ones, 'every expected survivor is a mutant' +
                 ', but not ' * bool(stale_ones) + '; '.join(sorted(stale_ones)))
    chosen = [m for m in all_mutants if options.only in m.name]
    report_mutants(report, pool, bases, chosen, options.larger, options.traces)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--dump', metavar='PROGRAM', required=True, help='procref-table')
    parser.add_argument('--larger', action='store_true', help='larger worlds, too')
    parser.add_argument('--world', default='', help='only worlds with this text in the title')
    parser.add_argument('--only', default='', help='only mutants with this text in the name')
    parser.add_argument('--no-mutants', action='store_true')
    parser.add_argument('--traces', action='store_true', help='what kills each mutant')
    options, report, began = parser.parse_args(), Report(), perf_counter()
    try:
        text = parse(json.loads(subprocess.run([options.dump], stdout=subprocess.PIPE,
                                               check=True).stdout))
    except (BadTable, OSError, ValueError, KeyError, TypeError) as error:
        report.check(False, 'no table: %s' % error)
        text = None
    worlds = {w: a for w, a in {**WORLDS, **(LARGER if options.larger else {})}.items()
              if text and options.world in w}
    with get_context('fork').Pool(len(os.sched_getaffinity(0))) as pool:
        bases = {}
        jobs = [(compile_table(text), worlds[w]) for w in worlds]
        for world, (base, seconds) in zip(worlds, pool.imap(run_world, jobs)):
            report.check(
                base.complete and not base.found, '%-46s %7d states, %d violations, %.1f s' % (
                    world, base.states, len(base.found), seconds),
                *('** %s: %s' % (what, '; '.join(steps)) for what, steps in base.found.items()))
            if world in WORLDS:
                bases[world] = base
        if text and not report.failed and not options.no_mutants:
            check_mutants(report, pool, bases, text, options)
    print('%.1f s' % (perf_counter() - began))
    print('%d passed, %d failed' % (report.passed, report.failed))
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main())
