"""The mutants of a table: derived from what was dumped, not listed; and of the rules."""
from collections import namedtuple

from table import REGISTERS, condition_name

# off: the rules that are dropped. differs_if: what must have been seen in a run of the unmutated
# table, or the mutant's states there are the same, one by one, and need not be explored again:
# (row, k): condition k alone stood in the way; (row,): all conditions of the row held; a rule's
# name: it was asked for; None: nothing is known.
Mutant = namedtuple('Mutant', 'name table off differs_if')


def mutants(table, rules, spare):
    """Without each condition and each change, with each undo flag flipped, without each register,
    without all the conditions in spare and the register keeper at once, without each rule."""
    for row, (conditions, changes) in table.text.items():
        for k, condition in enumerate(conditions):
            yield Mutant(condition_name(row, condition),
                         table.with_row(row, but(conditions, k), changes), (), (row, k))
        for k, (register, delta, undo) in enumerate(changes):
            what = '%s %s' % (register, '%+d' % delta if isinstance(delta, int) else delta)
            yield Mutant('%s: without change %s' % (row, what),
                         table.with_row(row, conditions, but(changes, k)), (), (row,))
            flipped = but(changes, k, (register, delta, not undo))
            yield Mutant('%s: %s %s undo' % (row, what, 'without' if undo else 'with'),
                         table.with_row(row, conditions, flipped), (), (row,))
    for register in REGISTERS:
        yield Mutant('no register ' + register, table.without(register), (), None)
    yield Mutant('none of the conditions that survive alone, no register keeper',
                 table.without('keeper', spare), (), None)
    for rule in rules:
        yield Mutant('rule ' + rule, table, (rule,), rule)


def but(items, k, *instead):
    """The list without item k, or with another in its place."""
    return items[:k] + list(instead) + items[k + 1:]
