"""tests/abi/symbols is the list of what the shared library exports: NAME VERSION-NODE, one function in each line.

check_symbols.py header HEADER SYMBOLS          the list names exactly the header's PROCREF_API functions
check_symbols.py library NM LIBRARY SYMBOLS     the library exports exactly the list, under those versions
"""
import re
import subprocess
import sys


def header_functions(path):
    text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", "", text, flags=re.M)
    declared = re.findall(r"\bPROCREF_API\b[^;{]*?\b(\w+)\s*\(", text)
    every = re.findall(r"^(?!static|typedef)\w[\w \t*]*?\b(procref_\w+)\s*\(", text, flags=re.M)
    assert set(every) == set(declared), f"without PROCREF_API: {set(every) ^ set(declared)}"
    assert len(declared) == len(set(declared)), "a function is declared twice"
    return declared


def listed(path):
    lines = [line.split() for line in open(path, encoding="utf-8") if not line.startswith("#")]
    names = {line[0]: line[1] for line in lines}
    assert len(names) == len(lines) and list(names) == sorted(names), f"{path} is not sorted, or names one twice"
    return names


def exported(nm, library):
    told = subprocess.run([nm, "-D", "--defined-only", "--with-symbol-versions", library], check=True,
                          capture_output=True, text=True).stdout
    names = {}
    for line in told.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@")
        if kind != "A":  # the version nodes themselves
            names[name] = version.lstrip("@")
    return names


def compare(first, second, only_first, only_second):
    faults = [f"{name}: {only_first}" for name in sorted(set(first) - set(second))]
    faults += [f"{name}: {only_second}" for name in sorted(set(second) - set(first))]
    return faults


def main(what, *arguments):
    if what == "header":
        header, symbols = arguments
        faults = compare(header_functions(header), listed(symbols), "in the header, not in the list",
                         "in the list, not in the header")
    else:
        nm, library, symbols = arguments
        names, found = listed(symbols), exported(nm, library)
        faults = compare(names, found, "in the list, not exported", "exported, not in the list")
        faults += [f"{name}: exported as of {found[name]}, listed as of {version}"
                   for name, version in names.items() if name in found and found[name] != version]
    print("\n".join(faults) or "the same")
    return len(faults) > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
