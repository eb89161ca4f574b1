"""The transition table as the compiled library dumps it, and the mutants that follow from it.

No row, condition or change is written down here: ROWS only says who may call what, so that a row which the
model does not know, or no longer finds, fails the run.
"""
import json
import subprocess
import sys
from collections import namedtuple

LAYOUT = 1
# Any numbers that nothing else uses: a set that was opened twice must not look like ours.
VALUES = {'g': (0, 1), '-g': (0, -1), 'fingerprint': (7, 0)}
FINGERPRINT = VALUES['fingerprint'][0]

ROWS = {
    'open': 'keeper', 'probe': "keeper's child", 'begin': 'keeper', 'adopt': 'keeper', 'refound': 'keeper',
    'publish': 'keeper', 'withdraw': 'keeper', 'drain': 'keeper', 'close': 'keeper', 'handover': 'keeper',
    'attach': 'client', 'detach': 'client', 'notlast': 'client', 'enter': 'client', 'leave': 'client',
}
REGISTERS = ('id', 'refs', 'keeper', 'call', 'gen', 'ready')

# A condition holds if the register's value is (or, at_least, is no lower than) value + factor * g.
Condition = namedtuple('Condition', 'register at_least value factor')
Change = namedtuple('Change', 'register delta factor undo')


class BadTable(Exception):
    pass


class Table:
    """rows: {row: ((conditions...), (changes...))}; text: the same as it was dumped, which mutants edit."""

    def __init__(self, text):
        self.text = text
        self.rows = {row: (tuple(Condition(REGISTERS.index(register), relation == '>=', *value(v))
                                 for register, relation, v in conditions),
                           tuple(Change(REGISTERS.index(register), *value(delta), undo)
                                 for register, delta, undo in changes))
                     for row, (conditions, changes) in text.items()}

    def changed(self, edit):
        """A copy, after edit(row, conditions, changes) changed the lists of each row in place."""
        text = {row: (list(conditions), list(changes)) for row, (conditions, changes) in self.text.items()}
        for row, (conditions, changes) in text.items():
            edit(row, conditions, changes)
        return Table(text)


def value(v):
    """A number of the dump, or a word of VALUES, as (constant, factor of g)."""
    return VALUES[v] if isinstance(v, str) else (v, 0)


def load(path=None, program=None):
    """Reads the dump from a file, from standard input (path is '-') or from the output of a program."""
    try:
        if program:
            text = subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout
        elif path == '-':
            text = sys.stdin.buffer.read()
        else:
            with open(path, 'rb') as file:
                text = file.read()
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadTable('cannot read the table: %s' % error) from error
    try:
        dump = json.loads(text)
        return parse(dump)
    except (ValueError, KeyError, TypeError) as error:
        raise BadTable('this is no table: %s: %s' % (type(error).__name__, error)) from error


def parse(dump):
    if dump['layout'] != LAYOUT:
        raise BadTable('layout %s: this checker models layout %s' % (dump['layout'], LAYOUT))
    names, rows = dump['registers'], dump['table']
    if sorted(names) != sorted(REGISTERS):
        raise BadTable('the registers are %s, modelled are %s' % (' '.join(names), ' '.join(REGISTERS)))
    if set(rows) != set(ROWS):
        raise BadTable('rows that are missing or not modelled: ' + ' '.join(sorted(set(rows) ^ set(ROWS))))
    for row, content in rows.items():
        if content['by'] != ROWS[row]:
            raise BadTable('%s is called by the %s, in the model by the %s' % (row, content['by'], ROWS[row]))
        if any(relation not in ('=', '>=') for _, relation, _ in content['conditions']):
            raise BadTable('%s: a relation that is not modelled' % row)
    return Table({row: ([tuple(c) for c in content['conditions']], [tuple(c) for c in content['changes']])
                  for row, content in rows.items()})


# differs_if: what must be seen in a run of the unmutated table, or the mutant's states there are the same. (row, k): condition k
# alone stood in the way; (row,): all conditions of a row held; None: nothing.
Mutant = namedtuple('Mutant', 'name table off differs_if')


def mutants(table, spare):
    """Without each condition, each change; with each undo flag flipped; without each register; without all of `spare` at once."""
    for row, (conditions, changes) in table.text.items():
        for k, (register, relation, v) in enumerate(conditions):
            yield Mutant(condition_name(row, conditions[k]), table.changed(dropper(row, k, None)), (),
                         (row, k))
        for k, (register, delta, undo) in enumerate(changes):
            what = '%s %s' % (register, '%+d' % delta if isinstance(delta, int) else delta)
            yield Mutant('%s: without change %s' % (row, what), table.changed(dropper(row, None, k)), (),
                         (row,))
            yield Mutant('%s: %s %s undo' % (row, what, 'without' if undo else 'with'),
                         table.changed(flipper(row, k)), (), (row,))
    for register in REGISTERS:
        yield Mutant('no register %s' % register, table.changed(register_dropper(register)), (), None)

    def drop_spare(row, conditions, changes):
        conditions[:] = [c for c in conditions if condition_name(row, c) not in spare]
        register_dropper('keeper')(row, conditions, changes)
    yield Mutant('none of the conditions that survive alone, no register keeper', table.changed(drop_spare), (),
                 None)


def condition_name(row, condition):
    return '%s: without condition %s %s %s' % (row, *condition)


def dropper(row, condition, change):
    def drop(name, conditions, changes):
        if name == row:
            if condition is not None:
                del conditions[condition]
            else:
                del changes[change]
    return drop


def flipper(row, change):
    def flip(name, conditions, changes):
        if name == row:
            register, delta, undo = changes[change]
            changes[change] = (register, delta, not undo)
    return flip


def register_dropper(register):
    def drop(name, conditions, changes):
        conditions[:] = [c for c in conditions if c[0] != register]
        changes[:] = [c for c in changes if c[0] != register]
    return drop
