"""The command against its manual pages.

check_command.py COMMANDS_H PROCREF MAN       every subcommand of COMMANDS_H is built and has MAN/procref-NAME.1, which has every
                                              option that `procref NAME --help` lists and no other; procref(1) names them all
What shells complete is compared with --help in tests/cli/test_completions.py, in the shells themselves.
"""
import os
import re
import subprocess
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def subcommands(header):
    table = re.search(r"#define CLI_COMMANDS\(X\)(.*?[^\\])\n\n", read(header), flags=re.S)[1]
    return re.findall(r"\bX\((\w+),", table)


def listed(text):
    """The options of a --help page: their long names, and their letters."""
    found = re.findall(r"^  (?:-(\w), |    )--([a-z-]+)", text, flags=re.M)
    return {word for pair in found for word in pair if word}


def explained(page):
    """Those that a page's list has: an item is ".It Fl t , -timeout Ar time"."""
    found = set()
    for item in re.findall(r"^\.It (Fl .*)$", page, flags=re.M):
        macro = ""
        for word in item.split():
            if re.fullmatch("[A-Z][a-z]", word):
                macro = word if word != "Ns" else macro
            elif macro == "Fl" and re.fullmatch(r"-[a-z-]+|\w", word):
                found.add(word.lstrip("-"))
    return found


def faults(header, program, man):
    overview = read(f"{man}/procref.1")
    for name in subcommands(header):
        told = subprocess.run([program, name, "--help"], capture_output=True, text=True, timeout=30)
        path = f"{man}/procref-{name}.1"
        if f".Xr procref-{name} 1" not in overview:
            yield f"procref.1: does not name procref-{name}(1)"
        if told.returncode != 0:
            yield f"procref {name}: is not built"
            continue
        if not os.path.exists(path):
            yield f"procref-{name}.1: there is no such page"
            continue
        page = read(path)
        if f"\n.Nm procref-{name}\n" not in page:
            yield f"procref-{name}.1: its NAME is not procref-{name}"
        for option in sorted(listed(told.stdout) - explained(page) - {"h", "help"}):  # all have it: procref(1)
            yield f"procref-{name}.1: {'-' if len(option) == 1 else '--'}{option} is missing"
        for option in sorted(explained(page) - listed(told.stdout)):
            yield f"procref-{name}.1: {'-' if len(option) == 1 else '--'}{option} is no option"


if __name__ == "__main__":
    FAULTS = list(faults(*sys.argv[1:]))
    print("\n".join(FAULTS) or "all right")
    sys.exit(len(FAULTS) > 0)
