#!/usr/bin/env python3
"""Explores the protocol around the transition table that the compiled library dumps, with crashes
at every step, and shows what breaks without each condition, change, undo flag and rule."""
import argparse
import gc
import os
import sys
from collections import namedtuple
from multiprocessing import get_context
from time import perf_counter

import table as tables
from explore import explore, trace
from mutants import mutants
from runs import HINTS, LARGER, RULES, SURVIVORS, WORLDS
from world import Run

CI_STATES = 8_000         # --ci: the largest world in which expected survivors are explored
TOO_MANY = 3_000_000      # larger than any world here; a table that is wrong can make one endless
RUNAWAY = 20              # so many times the states of the unmutated world are taken for endless

Base = namedtuple('Base', 'states complete found seconds seen')
Verdict = namedtuple('Verdict', 'what world states steps')

# ---- in the worker processes, which are forked and so share these
TABLE = None
MUTANTS = ()


def run_world(arguments, off):
    run, began = Run(TABLE, off, **arguments), perf_counter()
    result = explore(run, bool(off), TOO_MANY)
    found = [(what, trace(run, path)) for what, path in result.found.items()]
    return Base(result.states, result.complete, found, perf_counter() - began, run.seen)


def judge(number, worlds):
    """Explores one mutant in worlds, [(title, arguments, limit)], until one of them kills it."""
    mutant, states = MUTANTS[number], 0
    for title, arguments, limit in worlds:
        run = Run(mutant.table, mutant.off, **arguments)
        result = explore(run, True, limit)
        states += result.states
        for what, path in result.found.items():
            return Verdict(what, title, states, trace(run, path))
    return Verdict(None, None, states, [])


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

    def end(self, began):
        print('%.1f s' % (perf_counter() - began))
        print('%d passed, %d failed' % (self.passed, self.failed))
        return 1 if self.failed else 0


def report_worlds(pool, report, worlds, off):
    # The longest should begin first; how long it takes is guessed from how much may happen.
    by_size = sorted(worlds, key=lambda w: -sum(worlds[w].values()))
    jobs = {w: pool.apply_async(run_world, (worlds[w], off)) for w in by_size}
    bases = {}
    for w in worlds:
        base = bases[w] = jobs[w].get()
        report.check(
            base.complete and not base.found,
            '%-62s %7d states, frontier %s, %d violations, %4.1f s' % (
                w, base.states, 'empty' if base.complete else 'not empty', len(base.found),
                base.seconds),
            *('** %s: %s' % (what, '; '.join(steps)) for what, steps in base.found))
    return bases


def report_mutants(pool, report, bases, options):
    numbers = [n for n, m in enumerate(MUTANTS) if all(text in m.name for text in options.only)]
    worlds = {n: worlds_for(MUTANTS[n], bases, options.ci) for n in numbers}
    survivors_first = sorted(numbers, key=lambda n: MUTANTS[n].name not in SURVIVORS)
    jobs = {n: pool.apply_async(judge, (n, worlds[n])) for n in survivors_first}
    killed = 0
    for n in numbers:
        mutant, verdict = MUTANTS[n], jobs[n].get()
        killed += bool(verdict.what)
        report_mutant(report, mutant, verdict, len(worlds[n]), options)
    print('%d mutants killed, %d survive' % (killed, len(numbers) - killed))


def worlds_for(mutant, bases, ci):
    """Where the mutant can differ from the table: the hint, then small worlds before large."""
    worlds = [w for w in bases if mutant.differs_if is None or mutant.differs_if in bases[w].seen]
    if ci and mutant.name in SURVIVORS:
        worlds = [w for w in worlds if bases[w].states <= CI_STATES]
    worlds.sort(key=lambda w: (w != HINTS.get(mutant.name), bases[w].states))
    return [(w, WORLDS[w], RUNAWAY * bases[w].states) for w in worlds]


def report_mutant(report, mutant, verdict, worlds, options):
    reason, name = SURVIVORS.get(mutant.name), mutant.name
    if mutant.off:
        name += ': ' + RULES[mutant.off[0]]
    if verdict.what:
        text = 'killed    %s | %s | %s, %d steps' % (
            name, verdict.what, verdict.world, len(verdict.steps))
        more = ['expected to survive, because %s' % reason] * bool(reason)
        more += ['; '.join(verdict.steps)] * options.traces
    else:
        where = '%d states in %d worlds' % (verdict.states, worlds) if worlds else \
            'the same states in all worlds'
        text = 'survives  %s | %s' % (name, where)
        more = ['because ' + reason if reason else 'NOT EXPECTED to survive']
    if options.states:
        text += ' | %d states' % verdict.states
    report.check(bool(verdict.what) != bool(reason), text, *more)


def judge_table(pool, report, bases, options):
    if report.failed:
        print('the mutants are not tried: the table itself is wrong')
        return
    idle = [row for row in tables.ROWS if not any((row,) in base.seen for base in bases.values())]
    report.check(not idle, 'every row is executed' + ', but not ' * bool(idle) + ' '.join(idle))
    stale = set(SURVIVORS) - {m.name for m in MUTANTS}
    report.check(not stale, 'every expected survivor is a mutant' + ', but not ' * bool(stale) +
                 '; '.join(sorted(stale)))
    if options.ci:
        print('expected survivors: in worlds of at most %d states (all: --mutants)' % CI_STATES)
    report_mutants(pool, report, bases, options)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add('--dump', metavar='PROGRAM', help='the program that dumps the table: procref-table')
    add('--table', metavar='FILE', help='its output, - for standard input')
    add = parser.add_argument
    add('--ci', action='store_true', help='all worlds and all mutants; those that are expected to '
        'survive only in worlds of at most %d states' % CI_STATES)
    add('--mutants', action='store_true', help='all worlds and all mutants in all of them')
    add('--larger', action='store_true', help='larger worlds, too')
    add('--world', metavar='TEXT', default=[], action='append',
        help='only worlds with TEXT in the title')
    add('--only', metavar='TEXT', default=[], action='append',
        help='only mutants with TEXT in the name')
    add('--without', metavar='RULE', default=[], action='append', choices=sorted(RULES),
        help='drop a rule and show the shortest trace of what it prevents')
    add('--traces', action='store_true', help='show what kills each mutant, step by step')
    add('--states', action='store_true', help='show how many states each mutant took')
    add('--jobs', type=int, help='processes (default: one a CPU)')
    return parser.parse_args()


def main():
    global TABLE, MUTANTS
    options, report, began = parse_options(), Report(), perf_counter()
    try:
        TABLE = tables.load(options.table, options.dump)
    except tables.BadTable as error:
        report.check(False, str(error))
        return report.end(began)
    MUTANTS = list(mutants(TABLE, RULES, SURVIVORS))
    worlds = {**WORLDS, **(LARGER if options.larger else {})}
    worlds = {w: a for w, a in worlds.items() if all(text in w for text in options.world)}

    # States hold no cycles of references, so the collector would only walk over them.
    with get_context('fork').Pool(options.jobs or len(os.sched_getaffinity(0)), gc.disable) as pool:
        bases = report_worlds(pool, report, worlds, options.without)
        if options.ci or options.mutants:
            judge_table(pool, report, {w: b for w, b in bases.items() if w in WORLDS}, options)
    return report.end(began)


if __name__ == '__main__':
    sys.exit(main())
