#!/usr/bin/env python3
"""bench/readme.py RESULTS.json README.md: puts the figures of `make bench` between the README's bench marks."""
import json
import re
import sys


def number(value):
    return f'{value:.0f}' if value == int(value) or value >= 100 else f'{value:.3g}'


def row(result):
    spread = ''
    if result['low'] != result['high']:
        spread = f"{number(result['low'])} to {number(result['high'])}"
    goal = 'at most ' + number(result['goal']) if 'goal' in result else ''
    reached = {True: 'yes', False: '**no**', None: ''}[result.get('reached')]
    return f"| {result['what']} | {number(result['median'])} {result['unit']} | {spread} | {goal} | {reached} |"


def main():
    results, readme = sys.argv[1:]
    with open(results, encoding='utf-8') as file:
        measured = json.load(file)
    lines = [f"`make bench`, medians and quartiles, one sitting: {measured['machine']}.", '',
             '| what | median | quartiles | goal | reached |', '| --- | --- | --- | --- | --- |']
    lines += [row(result) for result in measured['results']]
    with open(readme, encoding='utf-8') as file:
        text = file.read()
    block = '<!-- bench -->\n' + '\n'.join(lines) + '\n<!-- /bench -->'
    text, found = re.subn(r'<!-- bench -->.*<!-- /bench -->', lambda _: block, text, flags=re.S)
    if found != 1:
        sys.exit(f'{readme}: one pair of bench marks expected, {found} found')
    with open(readme, 'w', encoding='utf-8') as file:
        file.write(text)


main()
