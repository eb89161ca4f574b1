#!/usr/bin/env python3
"""Explores the protocol around the transition table that the compiled library dumps, with crashes at every step, and
shows what breaks without each condition, change, undo flag and rule. See README.md beside this file."""
import argparse
import gc
import os
import sys
from collections import namedtuple
from multiprocessing import get_context
from time import perf_counter

import table as tables
from explore import explore, trace
from runs import HINTS, LARGER, RULES, SURVIVORS, WORLDS
from world import Run

CI_STATES = 20_000                # --ci: an expected survivor is explored in worlds of at most so many states
RUNAWAY = 20                      # a mutant with so many times the states of the unmutated world runs away

Base = namedtuple('Base', 'states complete found seconds seen')
Verdict = namedtuple('Verdict', 'what world states steps unread')


# ---- in the worker processes (forked, so that they share these)
TABLE = None
MUTANTS = ()                      # (name, table, off, differs_if)


def run_world(arguments, off=()):
    run, t = Run(TABLE, off, **arguments), perf_counter()
    result = explore(run)
    found = [(what, trace(run, path)) for what, path in result.found.items()]
    return Base(result.states, result.complete, found, perf_counter() - t, run.seen)


def judge(number, worlds):
    """Explores one mutant in worlds, [(title, arguments, limit)], until one kills it."""
    mutant, states = MUTANTS[number], 0
    for title, arguments, limit in worlds:
        run = Run(mutant.table, mutant.off, **arguments)
        result = explore(run, True, limit)
        states += result.states
        for what, path in result.found.items():
            return Verdict(what, title, states, trace(run, path), None)
    return Verdict(None, None, states, [], None)


# ---- what is to be explored
def can_differ(mutant, base):
    """Can the mutant differ from the table in this world? If not, its states there are those of the unmutated run."""
    return mutant.differs_if is None or mutant.differs_if in base.seen


def order(mutant, bases, ci):
    name = mutant.name
    worlds = sorted((w for w in bases if can_differ(mutant, bases[w])), key=lambda w: bases[w].states)
    if ci and name in SURVIVORS:
        worlds = [w for w in worlds if bases[w].states <= CI_STATES]
    hint = HINTS.get(name)
    if hint in worlds:
        worlds.remove(hint)
        worlds.insert(0, hint)
    return [(w, WORLDS[w], RUNAWAY * bases[w].states) for w in worlds]


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, text, *more):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print('%-4s  %s' % ('ok' if good else 'FAIL', text))
        for line in more:
            print('      ' + line)
        sys.stdout.flush()


def report_worlds(pool, report, worlds, off):
    jobs = {title: pool.apply_async(run_world, (worlds[title], off))
            for title in sorted(worlds, key=lambda w: -weight(worlds[w]))}
    bases = {}
    for title in worlds:
        base = bases[title] = jobs[title].get()
        report.check(base.complete and not base.found, '%-58s %7d states, frontier %s, %s, %4.1f s' % (
            title, base.states, 'empty' if base.complete else 'NOT EMPTY',
            '%d violation(s)' % len(base.found) if base.found else 'no violation', base.seconds),
            *('** %s: %s' % (what, '; '.join(steps)) for what, steps in base.found))
    return bases


def weight(arguments):
    """Roughly how large a world is, so that the longest begins first."""
    return 4 ** sum(v - (k in ('clients', 'rounds')) for k, v in arguments.items() if k != 'callback') + \
        3 * arguments.get('rounds', 1) * arguments.get('removals', 0) + arguments.get('callback', 0)


def report_mutants(pool, report, bases, arguments):
    numbers = [n for n, m in enumerate(MUTANTS) if all(word in m.name for word in arguments.only)]
    orders = {n: order(MUTANTS[n], bases, arguments.ci) for n in numbers}
    cost = {n: sum(limit for _, _, limit in orders[n]) if MUTANTS[n].name in SURVIVORS else 0 for n in numbers}
    jobs = {n: pool.apply_async(judge, (n, orders[n])) for n in sorted(numbers, key=lambda n: -cost[n])}
    survivors = 0
    for n in numbers:
        name, reason = MUTANTS[n].name, SURVIVORS.get(MUTANTS[n].name)
        verdict = jobs[n].get()
        more = ['; '.join(verdict.steps)] if arguments.traces and verdict.steps else []
        if verdict.what:
            text = 'killed    %s | %s | %s, %d steps' % (name, verdict.what, verdict.world, len(verdict.steps))
            if arguments.hints:
                text += ' | %d states' % verdict.states
            if reason:
                more.append('expected to survive: ' + reason)
        else:
            survivors += 1
            where = '%d worlds, %d states' % (len(orders[n]), verdict.states) if orders[n] else \
                'the condition never stands alone in the way: the same states'
            text = 'survives  %s | %s' % (name, where)
            more.append('because ' + reason if reason else 'NOT EXPECTED to survive')
        report.check(bool(verdict.what) != bool(reason), text, *more)
    print('%d mutants killed, %d survive' % (len(numbers) - survivors, survivors))


def main():
    global TABLE, MUTANTS
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--dump', metavar='PROGRAM', help='the program that dumps the table: procref-table')
    source.add_argument('--table', metavar='FILE', help='its output, - for standard input')
    parser.add_argument('--ci', action='store_true', help='all worlds, all mutants; expected survivors in the '
                        'worlds of at most %d states' % CI_STATES)
    parser.add_argument('--mutants', action='store_true', help='all worlds, all mutants in all of them')
    parser.add_argument('--larger', action='store_true', help='larger worlds, too')
    parser.add_argument('--world', metavar='TEXT', default=[], action='append', help='only worlds with TEXT in the title')
    parser.add_argument('--only', metavar='TEXT', default=[], action='append', help='only mutants with TEXT in the name')
    parser.add_argument('--without', metavar='RULE', default=[], action='append', choices=sorted(RULES),
                        help='drop a rule and show the shortest traces of what it prevents')
    parser.add_argument('--traces', action='store_true', help='show what kills each mutant, step by step')
    parser.add_argument('--hints', action='store_true', help='show how many states each mutant took')
    parser.add_argument('--jobs', type=int, default=len(os.sched_getaffinity(0)), help='processes (default: one a CPU)')
    arguments = parser.parse_args()

    began = perf_counter()
    try:
        TABLE = tables.load(arguments.table, arguments.dump)
    except tables.BadTable as error:
        print('FAIL  %s\n0 passed, 1 failed' % error)
        return 1
    MUTANTS = [*tables.mutants(TABLE, SURVIVORS),
               *(tables.Mutant('rule %s' % rule, TABLE, (rule,), rule) for rule in RULES)]
    report = Report()
    worlds = {**WORLDS, **(LARGER if arguments.larger else {})}
    worlds = {w: a for w, a in worlds.items() if all(text in w for text in arguments.world)}
    with get_context('fork').Pool(arguments.jobs, gc.disable) as pool:   # states hold no cycles of references
        bases = report_worlds(pool, report, worlds, arguments.without)
        if arguments.ci or arguments.mutants:
            unused = {row for row in tables.ROWS if not any((row,) in base.seen for base in bases.values())}
            report.check(not unused, 'every row of the table is executed ' + ' '.join(sorted(unused)))
            report_mutants(pool, report, {w: b for w, b in bases.items() if w in WORLDS}, arguments)
    print('%.1f s' % (perf_counter() - began))
    print('%d passed, %d failed' % (report.passed, report.failed))
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main())
