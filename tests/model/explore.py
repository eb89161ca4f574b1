"""Explores all states, breadth first, so that the trace to what it finds is a shortest one."""
from array import array

from steps import left_over, successors

LIVELOCK = 'livelock: without any crash it can go round for ever'
TOO_MANY = 'runs away: states without end'


class Result:
    """states: how many; complete: all were explored; found: {violation: the states on the way}."""

    def __init__(self, states, complete, found):
        self.states, self.complete, self.found = states, complete, found


def explore(run, first, limit):
    """first: stop at the first violation; limit: so many states are taken for endless."""
    start = run.start()
    index, states, parent = {start: 0}, [start], array('i', [-1])
    offset, edges, found = array('i'), array('i'), {}

    def path(n, *more):
        steps = []
        while n >= 0:
            steps.append(states[n])
            n = parent[n]
        return steps[::-1] + list(more)

    n = 0
    while n < len(states) and not (first and found):
        if n >= limit:
            found[TOO_MANY] = path(n)
            break
        offset.append(len(edges))
        state, stuck = states[n], True
        for _, malice, w in successors(state, run):
            stuck = stuck and malice
            if w.bad:
                if w.bad not in found:
                    found[w.bad] = path(n, w.bad)
                continue
            new = w.canonical()
            m = index.get(new)
            if m is None:
                m = index[new] = len(states)
                states.append(new)
                parent.append(n)
            if not malice:
                edges.append(m)
        if stuck:
            wrong = left_over(state)
            if wrong and wrong not in found:
                found[wrong] = path(n)
        n += 1
    complete = n == len(states)
    if complete:
        cycle = find_cycle(offset, edges)
        if cycle:
            found[LIVELOCK] = path(cycle[0]) + [LIVELOCK] + [states[m] for m in cycle[1:]]
    return Result(len(states), complete, found)


def trace(run, path):
    """The labels along a path of canonical states. The way is walked again, by clients that keep
    their numbers."""
    state, labels = run.start(), []
    for goal in path[1:]:
        if goal == LIVELOCK:
            labels.append('THEN ROUND:')
            continue
        label, state = next(
            (label, w.freeze()) for label, _, w in successors(state, run)
            if (w.bad == goal if isinstance(goal, str) else not w.bad and w.canonical() == goal))
        labels.append(label)
    return labels


def find_cycle(offset, edges):
    """A crash-free run must end, whatever the schedule: that graph has no cycle. Returns one if it
    has, else None."""
    size = len(offset)
    offset.append(len(edges))
    indegree = array('i', bytes(4 * size))
    for m in edges:
        indegree[m] += 1
    todo = [n for n in range(size) if not indegree[n]]
    gone = bytearray(size)
    while todo:
        n = todo.pop()
        gone[n] = 1
        for m in edges[offset[n]:offset[n + 1]]:
            indegree[m] -= 1
            if not indegree[m]:
                todo.append(m)
    back = {m: n for n in range(size) if not gone[n]
            for m in edges[offset[n]:offset[n + 1]] if not gone[m]}
    if not back:
        return None
    n, seen = next(iter(back)), []
    while n not in seen:              # backwards: every state left has a predecessor left
        seen.append(n)
        n = back[n]
    return [n] + seen[:seen.index(n):-1] + [n]
