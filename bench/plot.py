#!/usr/bin/env python3
"""bench/plot.py RESULTS.json FOLDER: draws what `make bench` measured as FOLDER/*.svg.

Standard library only. Each picture has its own background, so it reads the same on a light page and on a dark one.
"""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

WIDTH = 860
INK, SOFT, GRID, PAPER = '#1f2328', '#59636e', '#e3e7eb', '#ffffff'
COLOURS = {'procref': '#0969da', 'crate 0.1.0': '#d1652b', 'bare semop': '#8c959f'}
LINES = ['#0969da', '#d1652b', '#1a7f37']
FONT = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif'


def number(value):
    """Three digits at most, with thousands marked."""
    if value >= 100:
        return f'{float(f"{value:.3g}"):,.0f}'
    return f'{value:.3g}'


NS = {'ns': 1.0, 'us': 1e3, 'ms': 1e6, 's': 1e9}


def duration(ns):
    for unit, factor in (('s', 1e9), ('ms', 1e6), ('µs', 1e3)):
        if ns >= factor:
            return f'{number(ns / factor)} {unit}'
    return f'{number(ns)} ns'


def short(count):
    return f'{count / 1000:.0f}k' if count >= 10000 else f'{count:,.0f}'


class Picture:
    def __init__(self, height, title, subtitle):
        self.height = height
        self.parts = []
        self.title = title
        self.text(24, 34, title, size=18, weight=600)
        self.text(24, 55, subtitle, colour=SOFT)

    def text(self, x, y, text, size=13, anchor='start', colour=INK, weight=400, turn=None):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn is not None else ''
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'fill="{colour}" font-weight="{weight}"{turned}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, width=1, dash=''):
        dashed = f' stroke-dasharray="{dash}"' if dash else ''
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def add(self, part):
        self.parts.append(part)

    def legend(self, y, names, colours):
        x = 24
        for name, colour in zip(names, colours):
            self.add(f'<rect x="{x}" y="{y - 10}" width="11" height="11" rx="2" fill="{colour}"/>')
            self.text(x + 17, y, name)
            x += 17 + 7.4 * len(name) + 24

    def save(self, path, foot):
        for i, line in enumerate(foot):
            self.text(24, self.height - 16 - 16 * (len(foot) - 1 - i), line, size=11, colour=SOFT)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
                       f'height="{self.height}" font-family="{FONT}" role="img">\n<title>{escape(self.title)}</title>\n'
                       f'<rect width="{WIDTH}" height="{self.height}" rx="8" fill="{PAPER}" stroke="{GRID}"/>\n'
                       + '\n'.join(self.parts) + '\n</svg>\n')


def decades(low, high):
    return [10 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


# ---- Bars: us beside the crate ----------------------------------------------------------------------------------


def beside(results, path, foot):
    rows = {}
    for result in results:
        if result.get('chart') == 'crate':
            rows.setdefault(result['what'], []).append(result)
    if not rows:
        return None
    rows = dict(sorted(rows.items(), key=lambda row: 'acquire + release' not in row[0]))  # then as measured
    measured = [r['median'] * NS[r['unit']] for row in rows.values() for r in row if 'median' in r]
    ticks = decades(min(measured) / 1.5, max(measured) * 1.5)
    left, right, top = 270, WIDTH - 110, 104
    bar, gap, between = 17, 4, 18

    def place(ns):
        return left + (right - left) * math.log10(ns / ticks[0]) / math.log10(ticks[-1] / ticks[0])

    body = sum(len(row) * (bar + gap) + between for row in rows.values())
    height = top + body + 66 + 16 * len(foot)
    picture = Picture(height, 'procref beside the Rust crate procref 0.1.0',
                      'medians, whiskers are quartiles; shorter is better; each tick is ten times the one before')
    names = [n for n in COLOURS if any(r['line'] == n for row in rows.values() for r in row)]
    picture.legend(80, names, [COLOURS[n] for n in names])
    for tick in ticks:
        picture.line(place(tick), top - 6, place(tick), top + body - between + 6)
        picture.text(place(tick), top + body + 8, duration(tick), size=12, anchor='middle', colour=SOFT)
    picture.text((left + right) / 2, top + body + 30, 'time, logarithmic', size=12, anchor='middle', colour=SOFT)
    y = top
    for what, row in rows.items():
        middle = y + len(row) * (bar + gap) / 2
        words = what.split(', ') if len(what) > 34 and ', ' in what else \
            what.split(' to the ') if len(what) > 34 else [what]
        if len(words) == 2 and ' to the ' in what:
            words[1] = 'to the ' + words[1]
        for i, word in enumerate(words):
            picture.text(left - 14, middle + 2 + 16 * (i - (len(words) - 1) / 2), word, anchor='end')
        for result in sorted(row, key=lambda r: list(COLOURS).index(r['line'])):
            colour = COLOURS[result['line']]
            if 'said' in result:
                said = result['said']
                if said == 'never':
                    picture.add(f'<path d="M{left} {y}H{right - 6}l10 {bar / 2}l-10 {bar / 2}H{left}Z" '
                                f'fill="{colour}" opacity="0.3"/>')
                    picture.text(left + 10, y + 13, 'never: the service runs on', weight=600)
                else:
                    picture.text(left + 6, y + 13, said, size=12, colour=SOFT)
            else:
                factor = NS[result['unit']]
                end = place(result['median'] * factor)
                picture.add(f'<rect x="{left}" y="{y}" width="{end - left:.1f}" height="{bar}" rx="2" fill="{colour}"/>')
                high = place(result['high'] * factor)
                low = max(left, place(result['low'] * factor))
                picture.line(low, y + bar / 2, high, y + bar / 2, INK, 1.2)
                for x in (low, high):
                    picture.line(x, y + bar / 2 - 4, x, y + bar / 2 + 4, INK, 1.2)
                picture.text(max(end, high) + 8, y + 13, duration(result['median'] * factor), weight=600)
            y += bar + gap
        y += between
    picture.line(left, top - 6, left, top + body - between + 6, SOFT)
    picture.save(path, foot)
    return picture.title


# ---- Curves -----------------------------------------------------------------------------------------------------


def panel(picture, box, curves, x_label, y_label, title, log_y, colours, labels):
    """One diagram in box = (left, top, right, bottom). curves: [(name, points)]."""
    left, top, right, bottom = box
    points = [p for _, line in curves for p in line]
    x_ticks = decades(min(p['x'] for p in points), max(p['x'] for p in points))
    most_x = max(p['x'] for p in points)
    if most_x < x_ticks[-1]:
        x_ticks = x_ticks[:-1]
    x_low, x_high = x_ticks[0], most_x

    def at_x(x):
        return left + (right - left) * math.log10(x / x_low) / math.log10(x_high / x_low)

    if log_y:
        y_ticks = decades(min(p['median'] for p in points), max(p['high'] for p in points))
        while len(y_ticks) > 2 and y_ticks[1] <= min(p['low'] for p in points):
            y_ticks = y_ticks[1:]

        def at_y(y):
            share = math.log10(max(y, y_ticks[0]) / y_ticks[0]) / math.log10(y_ticks[-1] / y_ticks[0])
            return bottom - (bottom - top) * share
    else:
        most = max(p['high'] for p in points) * 1.1
        wanted = max(2, (bottom - top) / 45)  # ticks this far apart
        step = 10 ** math.floor(math.log10(most / wanted))
        step = next(step * factor for factor in (1, 2, 5, 10) if step * factor >= most / wanted)
        y_ticks = [i * step for i in range(math.ceil(most / step) + 1)]

        def at_y(y):
            return bottom - (bottom - top) * y / y_ticks[-1]

    picture.text(left, top - 16, title, size=14, weight=600)
    for tick in y_ticks:
        picture.line(left, at_y(tick), right, at_y(tick))
        picture.text(left - 8, at_y(tick) + 4, number(tick), size=12, anchor='end', colour=SOFT)
    for tick in x_ticks:
        picture.line(at_x(tick), bottom, at_x(tick), bottom + 5, SOFT)
        picture.text(at_x(tick), bottom + 20, short(tick), size=12, anchor='middle', colour=SOFT)
    if most_x > x_ticks[-1] * 1.5:
        picture.line(right, bottom, right, bottom + 5, SOFT)
        if at_x(most_x) - at_x(x_ticks[-1]) > 30:
            picture.text(right, bottom + 20, short(most_x), size=12, anchor='middle', colour=SOFT)
    picture.line(left, bottom, right, bottom, SOFT)
    picture.text((left + right) / 2, bottom + 40, x_label, size=12, anchor='middle', colour=SOFT)
    picture.text(left - 52, (top + bottom) / 2, y_label, size=12, anchor='middle', colour=SOFT, turn=-90)
    for (name, line), colour in zip(curves, colours):
        band = ' '.join(f'{at_x(p["x"]):.1f},{at_y(p["high"]):.1f}' for p in line) + ' ' + \
            ' '.join(f'{at_x(p["x"]):.1f},{at_y(p["low"]):.1f}' for p in reversed(line))
        picture.add(f'<polygon points="{band}" fill="{colour}" opacity="0.14"/>')
        way = ' '.join(f'{at_x(p["x"]):.1f},{at_y(p["median"]):.1f}' for p in line)
        picture.add(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in line:
            picture.add(f'<circle cx="{at_x(p["x"]):.1f}" cy="{at_y(p["median"]):.1f}" r="3.2" fill="{colour}"/>')
        ends = [(line[0], labels[name][0]), (line[-1], labels[name][1])] if name in labels else []
        for p, side in ends:  # -1: above, 1: below
            anchor = 'start' if p is line[0] and at_x(p['x']) - left < 20 else \
                'end' if right - at_x(p['x']) < 20 else 'middle'
            edge = p['high'] if side < 0 else p['low']
            picture.text(at_x(p['x']), at_y(edge) + (-9 if side < 0 else 19),
                         f'{number(p["median"])} {p["unit"].replace("us", "µs")}', size=12, anchor=anchor,
                         colour=colour, weight=600)


def lines_of(results, chart):
    lines = {}
    for result in results:
        if result.get('chart') == chart and 'median' in result:
            lines.setdefault(result['line'], []).append(result)
    return [(name, sorted(points, key=lambda p: p['x'])) for name, points in lines.items()]


def growth(results, path, foot):
    references, services = lines_of(results, 'references'), lines_of(results, 'services')
    fresh = lines_of(results, 'services, first acquire')
    if not (references and services and fresh):
        return None
    height = 470 + 16 * len(foot)
    picture = Picture(height, 'What one more client costs, however many there are',
                      'medians, the bands are quartiles; flat is what is wanted')
    names = [name for name, _ in references] + ['services on the machine']
    picture.legend(80, names, LINES)
    panel(picture, (84, 132, 400, 390), references, 'references held, logarithmic', 'ns',
          'acquire + release, by references', False, LINES, {references[0][0]: (1, 1)})
    panel(picture, (506, 132, WIDTH - 34, 232), services, '', 'ns', 'acquire + release, by services', False,
          LINES[2:], {services[0][0]: (1, 1)})
    panel(picture, (506, 300, WIDTH - 34, 390), fresh, 'services on the machine, logarithmic', 'µs',
          'open + first acquire of a new process', False, LINES[2:], {fresh[0][0]: (1, 1)})
    picture.save(path, foot)
    return picture.title


def herd(results, path, foot):
    curves = lines_of(results, 'herd')
    if not curves:
        return None
    height = 450 + 16 * len(foot)
    picture = Picture(height, 'How long a crowd waits for a cold start',
                      'processes that acquire at the same moment, nothing runs; one start each time; '
                      'bands are quartiles')
    picture.legend(80, [name for name, _ in curves], LINES)
    panel(picture, (90, 126, WIDTH - 40, 376), curves, 'clients at once, logarithmic', 'ms, logarithmic', '', True,
          LINES, {curves[0][0]: (-1, -1), curves[-1][0]: (-1, 1)})
    picture.save(path, foot)
    return picture.title


def main():
    results, folder = sys.argv[1:]
    with open(results, encoding='utf-8') as file:
        measured = json.load(file)
    os.makedirs(folder, exist_ok=True)
    foot = [f"make bench, bench/plot.py; procref {measured['version']}", measured['machine']]
    stand_in = ['30,000 processes do not fit below the usual pid_max: a helper adds units to the same semaphore. '
                'Of other services, their semaphore sets.']
    for name, draw, notes in (('crate', beside, []), ('growth', growth, stand_in), ('herd', herd, [])):
        path = os.path.join(folder, f'{name}.svg')
        title = draw(measured['results'], path, notes + foot)
        print(f'{path}: {title}' if title else f'{path}: not drawn, its group was not measured')


if __name__ == '__main__':
    main()
