"""The transition table as the compiled library dumps it.

No row, condition or change is written down here. ROWS only says who may call what, so that a row
that the model does not know, or no longer finds, fails the run.
"""
import json
import subprocess
import sys
from collections import namedtuple

LAYOUT = 1
REGISTERS = ('id', 'refs', 'keeper', 'call', 'gen', 'ready')
ROWS = {
    'attach': 'client', 'detach': 'client', 'notlast': 'client',
    'enter': 'client', 'leave': 'client',
    'open': 'keeper', 'probe': "keeper's child", 'begin': 'keeper', 'adopt': 'keeper',
    'refound': 'keeper', 'publish': 'keeper', 'withdraw': 'keeper', 'drain': 'keeper',
    'close': 'keeper', 'handover': 'keeper',
}
# The words of the dump, as (constant, factor of g). The fingerprint is any number that nothing else
# uses: a set that was opened twice must not look like ours.
WORDS = {'g': (0, 1), '-g': (0, -1), 'fingerprint': (7, 0)}
FINGERPRINT = WORDS['fingerprint'][0]

# It holds if the register is (at_least: is no lower than) value + factor * g.
Condition = namedtuple('Condition', 'register at_least value factor')
Change = namedtuple('Change', 'register delta factor undo')


class BadTable(Exception):
    pass


class Table:
    """text: {row: (conditions, changes)} as dumped, for mutants to edit; rows: compiled."""

    def __init__(self, text):
        self.text = text
        self.rows = {row: (tuple(compile_condition(*c) for c in conditions),
                           tuple(compile_change(*c) for c in changes))
                     for row, (conditions, changes) in text.items()}

    def with_row(self, row, conditions, changes):
        return Table({**self.text, row: (conditions, changes)})

    def without(self, register, names=()):
        """Without a register, and without the conditions of these names."""
        return Table({row: ([c for c in conditions
                             if c[0] != register and condition_name(row, c) not in names],
                            [c for c in changes if c[0] != register])
                      for row, (conditions, changes) in self.text.items()})


def condition_name(row, condition):
    return '%s: without condition %s %s %s' % (row, *condition)


def number(value):
    return WORDS[value] if isinstance(value, str) else (value, 0)


def compile_condition(register, relation, value):
    if relation not in ('=', '>='):
        raise ValueError('relation ' + relation)
    return Condition(REGISTERS.index(register), relation == '>=', *number(value))


def compile_change(register, delta, undo):
    return Change(REGISTERS.index(register), *number(delta), undo)


def load(path=None, program=None):
    """Reads the dump from a file, from standard input (path '-') or from a program's output."""
    try:
        if program:
            text = subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout
        elif path == '-':
            text = sys.stdin.buffer.read()
        else:
            with open(path, 'rb') as file:
                text = file.read()
        return parse(json.loads(text))
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadTable('cannot read the table: %s' % error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadTable('no table: %s: %s' % (type(error).__name__, error)) from error


def parse(dump):
    if dump['layout'] != LAYOUT:
        raise BadTable('layout %s; layout %s is modelled' % (dump['layout'], LAYOUT))
    rows = dump['table']
    for what, dumped, known in (('registers', set(dump['registers']), set(REGISTERS)),
                                ('rows', set(rows), set(ROWS))):
        if dumped != known:
            raise BadTable('%s that are missing or not modelled: %s' % (
                what, ' '.join(sorted(dumped ^ known))))
    for row, by in ROWS.items():
        if rows[row]['by'] != by:
            raise BadTable('%s is called by %s, in the model by %s' % (row, rows[row]['by'], by))
    return Table({row: ([tuple(c) for c in content['conditions']],
                        [tuple(c) for c in content['changes']]) for row, content in rows.items()})
