"""The manual pages against the header and the compiler.

check_pages.py functions HEADER PAGE...          every public function has one page, and there the header's prototype
check_pages.py codes HEADER PAGE...              every code that a page names exists, every code is explained in procref_error(3)
check_pages.py examples CC INCLUDE TWENTY PAGE...    the examples compile; that of procref(7) is examples/twenty.c
"""
import os
import re
import subprocess
import sys
import tempfile


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def words(text):
    return re.sub(r"\s*([*(),])\s*", r"\1", " ".join(text.split()))


def header_prototypes(path):
    text = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", "", text, flags=re.M)  # directives, continued lines included
    found = re.finditer(r"\bPROCREF_API\b([^;{]*?)\b(procref_\w+)\s*\(([^)]*)\)", text)
    return {m[2]: words(f"{m[1]} {m[2]}({m[3]})") for m in found}


def section(page, name):
    found = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", page, flags=re.S | re.M)
    return found[1] if found else ""


def page_prototypes(page):
    found = re.finditer(r'^\.Ft (.*)\n\.Fo (\w+)\n((?:\.Fa ".*"\n)*)\.Fc$', section(page, "SYNOPSIS"), flags=re.M)
    parameters = re.compile(r'^\.Fa "(.*)"$', flags=re.M)
    return {m[2]: words(f"{m[1]} {m[2]}({','.join(parameters.findall(m[3]))})") for m in found}


def functions(header, *pages):
    wanted, faults, seen = header_prototypes(header), [], {}
    for path in pages:
        page, name = read(path), os.path.basename(path).split(".")[0]
        named = re.findall(r"^\.Nm (\w+)", section(page, "NAME"), flags=re.M) if path.endswith(".3") else []
        given = page_prototypes(page)
        if path.endswith(".3"):
            faults += [f"{path}: {n} is only in its NAME or only in its SYNOPSIS" for n in {*named} - {name} ^ {*given}]
        for function, prototype in given.items():
            if function in seen:
                faults.append(f"{function}: in {seen[function]} and in {path}")
            seen[function] = path
            if prototype != wanted.get(function):
                faults.append(f"{path}: {prototype}\n  but the header has {wanted.get(function)}")
            if f".Fn {function}\n" not in section(page, "DESCRIPTION").replace(" ,\n", "\n").replace(" .\n", "\n"):
                faults.append(f"{path}: {function} is not described")
    faults += [f"{function}: in no page" for function in sorted(wanted) if function not in seen]
    faults += [f"{function}: not in the header" for function in sorted(seen) if function not in wanted]
    return faults


def codes(header, *pages):
    known = {f"PROCREF_E_{name}" for name in re.findall(r"^\s*X\((\w+), -\d+,", read(header), flags=re.M)}
    assert len(known) > 20, "the header's codes are not found"
    faults = []
    for path in pages:
        page = read(path)
        named = {*re.findall(r"PROCREF_E_[A-Z_]+[A-Z]", page)}
        faults += [f"{path}: there is no {name}" for name in sorted(named - known)]
        if path.endswith(".3"):
            unlisted = {*re.findall(r"\.?Er (PROCREF_E_\w+)", page)} - {
                *re.findall(r"Er (PROCREF_E_\w+)", section(page, "ERRORS"))}
            faults += [f"{path}: {name} is not in its ERRORS" for name in sorted(unlisted)]
        if os.path.basename(path) == "procref_error.3":
            faults += [f"{path}: {name} is missing" for name in sorted(known - named)]
    return faults


def example_of(page):
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", section(page, "EXAMPLES"), flags=re.S | re.M)
    lines = "".join(blocks).replace("\\&", "").replace("\\e", "\\")
    return lines


def examples(compiler, include, twenty, *pages):
    faults, count = [], 0
    for path in pages:
        text = example_of(read(path))
        if os.path.basename(path) == "procref.7" and text != read(twenty):
            faults.append(f"{path}: its example is not {twenty}")
        if not text or path.endswith(".1"):  # a shell's, not C
            continue
        count += 1
        with tempfile.NamedTemporaryFile("w", suffix=".c", encoding="utf-8") as source:
            source.write(text)
            source.flush()
            told = subprocess.run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
                                   "-fsyntax-only", "-I", include, source.name], capture_output=True, text=True)
        if told.returncode != 0:
            faults.append(f"{path}: its example does not compile\n{told.stderr}")
    assert count >= 8, "the examples are not found"
    return faults


if __name__ == "__main__":
    FAULTS = {"functions": functions, "codes": codes, "examples": examples}[sys.argv[1]](*sys.argv[2:])
    print("\n".join(FAULTS) or "all right")
    sys.exit(len(FAULTS) > 0)
