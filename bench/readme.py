#!/usr/bin/env python3
"""bench/readme.py RESULTS.json README.md: puts the figures of `make bench` that have a goal, those of the command, and the
pictures that plot.py drew into docs/, between the README's bench marks; and all figures into docs/figures.md."""
import json
import os
import re
import sys

PICTURES = {
    'crate': 'Bars: procref beside the Rust crate procref 0.1.0, from acquire + release to SIGKILL of the last client',
    'growth': 'Curves: the cost of one more client by references held and by services on the machine, flat',
    'herd': 'Curve: 1 to 1,000 clients race a cold start, time until the last one is in',
}


def number(value):
    return f'{value:.0f}' if value == int(value) or value >= 100 else f'{value:.3g}'


def row(result):
    spread = ''
    if result['low'] != result['high']:
        spread = f"{number(result['low'])} to {number(result['high'])}"
    goal = 'at most ' + number(result['goal']) if 'goal' in result else ''
    reached = {True: 'yes', False: '**no**', None: ''}[result.get('reached')]
    return f"| {result['what']} | {number(result['median'])} {result['unit']} | {spread} | {goal} | {reached} |"


def cell(result):
    if result is None:
        return ''
    return result['said'] if 'said' in result else f"{number(result['median'])} {result['unit']}"


def beside(results):
    """The table beside the crate: a row for each thing that both do."""
    sides = {}
    for result in results:
        sides.setdefault(result['what'], {})[result['line']] = result
    columns = ['procref', 'crate 0.1.0', 'bare semop']
    lines = ['| beside the crate | ' + ' | '.join(columns) + ' |', '| --- ' * (len(columns) + 1) + '|']
    for what, side in sides.items():
        lines.append(f"| {what} | " + ' | '.join(cell(side.get(column)) for column in columns) + ' |')
    return lines


def table(results):
    return ['| what | median | quartiles | goal | reached |', '| --- | --- | --- | --- | --- |'] + [row(r) for r in results]


def write_all(path, said, crate, plain):
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(['# All figures of `make bench`', '', said, ''] + (beside(crate) + [''] if crate else []) +
                             table(plain)) + '\n')


def main():
    results, readme = sys.argv[1:]
    with open(results, encoding='utf-8') as file:
        measured = json.load(file)
    folder = os.path.dirname(os.path.abspath(readme))
    pictures = [f'![{text}](docs/{name}.svg)' for name, text in PICTURES.items()
                if os.path.exists(os.path.join(folder, 'docs', name + '.svg'))]
    plain = [result for result in measured['results'] if 'chart' not in result]
    crate = [result for result in measured['results'] if result.get('chart') == 'crate']
    said = f"`make bench`, medians and quartiles, one sitting: {measured['machine']}."
    write_all(os.path.join(folder, 'docs', 'figures.md'), said, crate, plain)
    lines = [said + ' [All figures](docs/figures.md).', '']
    for picture in pictures:
        lines += [picture, '']
    if crate:
        lines += beside(crate) + ['']
    lines += table([result for result in plain if 'goal' in result or result['group'] == 'run'])
    with open(readme, encoding='utf-8') as file:
        text = file.read()
    block = '<!-- bench -->\n' + '\n'.join(lines) + '\n<!-- /bench -->'
    text, found = re.subn(r'<!-- bench -->.*<!-- /bench -->', lambda _: block, text, flags=re.S)
    if found != 1:
        sys.exit(f'{readme}: one pair of bench marks expected, {found} found')
    with open(readme, 'w', encoding='utf-8') as file:
        file.write(text)


main()
