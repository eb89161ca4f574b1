#!/usr/bin/env python3
"""
Compares how procref and systemd itself read the same units.

    compare.py PROCREF SYSTEMD_DUMP [--ignore=KEY…] [--random=COUNT [--seed=N]] FILE|FOLDER…

77: there is no systemd 252 to compare with.

Every unit must be accepted or refused with a key named; of what is accepted, every command's words, the environment, the
folders, times, limits, signals and modes are compared with systemd's own dump of the unit. Where systemd drops a line with a
warning, procref must have refused the file or warned.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

TIMES = {"us": 1e-3, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000,
         "month": 2_629_800_000, "y": 31_557_600_000}


def span(text):
    """systemd's "1min 30s" in milliseconds, None for infinity."""
    if text == "infinity":
        return None
    return int(sum(float(number) * TIMES[unit or "s"] for number, unit in re.findall(r"([0-9.]+)(us|ms|min|month|s|h|d|w|y)?", text)))


def words(line):
    """Undoes systemd's quoting of a command line (double quotes; a backslash before \\ " ` $)."""
    found, word, quoted, at = [], None, False, 0
    while at < len(line):
        c = line[at]
        if quoted and c == "\\" and line[at + 1:at + 4].isdigit():
            at += 3
            word += chr(int(line[at - 2:at + 1], 8))
        elif quoted and c == "\\":
            at += 1
            word += {"t": "\t", "n": "\n", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}.get(line[at], line[at])
        elif c == '"':
            quoted = not quoted
            word = word or ""
        elif c == " " and not quoted:
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + c
        at += 1
    if word is not None:
        found.append(word)
    return found


def read_dump(text):
    """One unit's dump as {key: [values]}, commands as {"ExecStart": [[words], …]}."""
    values, commands, current = {}, {}, None
    for line in text.splitlines():
        if match := re.match(r"^\t-> (Exec\w+):", line):
            current = commands.setdefault(match[1], [])
        elif (match := re.match(r"^\t\tCommand Line: (.*)", line)) and current is not None:
            current.append(words(match[1]))
        elif match := re.match(r"^\t([A-Za-z][A-Za-z ]*): (.*)", line):
            values.setdefault(match[1], []).append(match[2])
    return values, commands


class Unit:
    def __init__(self, path, ours, dump, complaints):
        self.path, self.ours = path, ours
        self.values, self.commands = read_dump(dump)
        self.complaints = complaints
        self.compared = 0
        self.wrong = []

    def same(self, what, ours, theirs):
        self.compared += 1
        if ours != theirs:
            self.wrong.append(f"{what}: ours {ours!r}, systemd's {theirs!r}")

    def same_span(self, key, ours):
        """The dump counts in seconds from one second on."""
        theirs = span(self.one(key))
        self.same(key, ours // 1000 * 1000 if ours is not None and ours >= 1000 else ours, theirs)

    def one(self, key, default=None):
        return self.values.get(key, [default])[-1]

    def steps(self):
        """The folders' own steps are ours: they stand first and last."""
        for name in ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost"):
            steps = [step["argv"] for step in self.ours["steps"] if step["list"] == name and not (
                step["literal"] and step["program"] in ("mkdir", "install", "rm", "true"))]
            self.same(name, steps, self.commands.get(name, []))

    def environment(self):
        env = [e for e in self.ours["environment"] if e in self.values.get("Environment", []) or
               not re.match(r"(RUNTIME|STATE|CACHE|LOGS|CONFIGURATION)_DIRECTORY=", e)]
        if "EnvironmentFile" not in self.values:
            unset = self.values.get("UnsetEnvironment", [])  # systemd takes these out when it starts the process, we at once
            self.same("Environment", env, [e for e in self.values.get("Environment", []) if e not in unset and e.split("=")[0] not in unset])
        self.same("UnsetEnvironment", self.ours["unset"], self.values.get("UnsetEnvironment", []))

    def folders(self):
        made = [step["argv"] for step in self.ours["steps"]
                if step["list"] == "ExecStartPre" and step["literal"] and step["program"] in ("mkdir", "install")]
        named = {path for path in self.values.get("RequiresMountsFor", [])}
        for argv in made:
            if argv[-1].startswith(self.values["Root"][0]) if "Root" in self.values else True:
                self.same("a folder", any(n.split(" (")[0] == argv[-1] for n in named), True)
        for name in ("Runtime", "State", "Cache", "Logs", "Configuration"):
            modes = {argv[2][2:] for argv in made}
            if f"{name}Directory" in self.values:
                self.same(f"{name}DirectoryMode", self.one(f"{name}DirectoryMode") in modes, True)

    def process(self):
        ours = self.ours
        kind = {"exec": "simple", "notify": "simple", "idle": "simple"}.get(self.one("Type"), self.one("Type"))
        if kind != "dbus":  # else accepted by --ignore Type
            self.same("Type", ours["type"], kind)
        self.same_span("TimeoutStartSec", ours["start_timeout_ms"])
        self.same_span("TimeoutStopSec", ours["stop_timeout_ms"])
        self.same_span("RestartSec", ours["restart_ms"])
        if self.one("KillMode") != "none":  # else accepted by --ignore KillMode
            self.same("KillMode", ours["kill_mode"], self.one("KillMode"))
        self.same("KillSignal", ours["kill_signal"], self.one("KillSignal"))
        self.same("SendSIGKILL", ours["send_sigkill"], self.one("SendSIGKILL") == "yes")
        self.same("IgnoreSIGPIPE", ours["ignore_sigpipe"], self.one("IgnoreSIGPIPE") == "yes")
        self.same("UMask", ours["umask"], self.one("UMask"))
        self.same("Nice", ours["nice"], int(self.one("Nice", "0")))
        pid_file = ours["pid_file"]
        if pid_file is not None:  # systemd rewrites the old name, which is a link
            pid_file = re.sub("^/var/run/", "/run/", pid_file)
        self.same("PIDFile", pid_file, self.one("PIDFile"))
        restarts = {"no": [], "on-success": ["clean"], "on-failure": ["unclean", "signal", "timeout"],
                    "on-abnormal": ["signal", "timeout"], "on-abort": ["signal"], "on-watchdog": [],
                    "always": ["clean", "unclean", "signal", "timeout"]}[self.one("Restart")]
        self.same("Restart", ours["restarts"], restarts)
        where = self.one("WorkingDirectory")
        if where is not None and (ours["working_dir"] != os.environ.get("HOME") or os.path.isdir(where)): # else: "-", and missing
            self.same("WorkingDirectory", ours["working_dir"], where)
        output = {"null": "null"}.get(self.one("StandardOutput"))
        for name, prefix in (("ToAppend", "append:"), ("ToTruncate", "truncate:"), ("", "file:")):
            if f"StandardOutputFile{name}" in self.values:
                output = prefix + self.one(f"StandardOutputFile{name}")
        self.same("StandardOutput", ours["output"], output)
        for key, name in (("SuccessExitStatus", "success"), ("RestartPreventExitStatus", "restart_prevent"),
                          ("RestartForceExitStatus", "restart_force")):
            ends = self.one(key)
            if ends is not None:
                self.same(key, sorted(map(str, ours[name])), sorted(ends.split()))

    def limits(self):
        infinity = 2**64 - 1
        for key in self.values:
            match = re.match(r"Limit([A-Z]+)$", key)
            if match and match[1] in self.ours["limits"]:
                limit = self.ours["limits"][match[1]]
                ours = [infinity if limit[which] is None else limit[which] for which in ("soft", "hard")]
                self.same(key, ours, [int(self.one(key + "Soft")), int(self.one(key))])
        self.same("Limits", sorted(self.ours["limits"]),
                  sorted(m[1] for m in (re.match(r"Limit([A-Z]+)$", k) for k in self.values) if m))

    def dropped_lines(self):
        """What systemd does not understand and leaves out must not have been taken for good by us."""
        told = {finding["line"] for finding in self.ours["findings"]}
        for complaint in self.complaints:
            match = re.match(r"\S+?:(\d+): (.*)", complaint)
            if match and self.ours["runs"] and not any(abs(int(match[1]) - line) < 12 for line in told):
                self.wrong.append(f"systemd: {complaint}; procref says nothing")
            self.compared += 1

    def check(self):
        state = self.one("Unit Load State")
        refusals = [f for f in self.ours["findings"] if f["level"] in ("refused", "error")]
        if not self.ours["runs"]:
            self.same("a refusal names a key or a line", all(f["key"] or f["message"] for f in refusals) and bool(refusals), True)
            return
        self.same("Unit Load State", state, "loaded")
        if state == "loaded":
            for part in (self.steps, self.environment, self.folders, self.process, self.limits):
                part()
        self.dropped_lines()


def all_units(arguments):
    for argument in arguments:
        if os.path.isdir(argument):
            for folder, _, names in sorted(os.walk(argument)):
                yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".service"))
        else:
            yield argument


def instance_of(path, folder):
    """A template is read as an instance of it: a copy with the instance's name."""
    name = os.path.basename(path)
    if name.endswith("@.service"):
        name = name.replace("@.", "@one-two\\x2dthree.")
    copy = os.path.join(folder, f"{instance_of.count}", name)
    instance_of.count += 1
    os.makedirs(os.path.dirname(copy))
    with open(path, "rb") as source, open(copy, "wb") as to:
        to.write(source.read())
    for drop_ins in (path + ".d", os.path.join(os.path.dirname(path), name + ".d")):
        to = os.path.join(os.path.dirname(copy), os.path.basename(drop_ins))
        if os.path.isdir(drop_ins) and not os.path.isdir(to):
            shutil.copytree(drop_ins, to)
    return copy


instance_of.count = 0


def random_units(folder, count, seed):
    """Units of valid lines and nearly valid ones, put together at random."""
    draw = random.Random(seed)
    words = ["a", "b c", "%i", "%%", "$HOME", "${HOME}x", "$$", '"q r"', "'s\\tt'", "x\\x41", "\\;", "\"\"", "\\u00e4", "e\"f g\"h", "\\\n  ",
             "\\\n# comment\n ", "--opt=%n", "\\101", "\\\\", "%h/%N"]
    times = ["5", "1min 30s", "500ms", "infinity", "2h", "1.5min", "0"]
    choices = {
        "ExecStartPre": lambda: command(), "ExecStartPost": lambda: command(), "ExecStop": lambda: command(),
        "ExecStopPost": lambda: command(), "ExecReload": lambda: command(),
        "Environment": lambda: draw.choice(["A=1 B=2", '"C=two words" A=3', "D='x y'", "", "E=%i", "F=\\x41", "A="]),
        "UnsetEnvironment": lambda: draw.choice(["A", "B C", "", "LANG"]),
        "TimeoutStartSec": lambda: draw.choice(times), "TimeoutStopSec": lambda: draw.choice(times),
        "TimeoutSec": lambda: draw.choice(times), "RestartSec": lambda: draw.choice(["3", "1min", "100ms"]),
        "Restart": lambda: draw.choice(["no", "on-failure", "on-abort", "on-abnormal", "on-watchdog"]),
        "KillMode": lambda: draw.choice(["mixed", "process", "control-group", ""]),
        "KillSignal": lambda: draw.choice(["SIGINT", "QUIT", "9", "SIGRTMIN+2", "RTMAX"]),
        "IgnoreSIGPIPE": lambda: draw.choice(["no", "on", "0", "TRUE"]),
        "SendSIGKILL": lambda: draw.choice(["yes", "off", "1", "FALSE"]),
        "UMask": lambda: draw.choice(["0077", "22", "0"]), "Nice": lambda: draw.choice(["5", "19", "0", "", "-3"]),
        "LimitNOFILE": lambda: draw.choice(["1024", "1:2", "infinity", "0x10"]), "LimitCORE": lambda: draw.choice(["1K", "0", "1.5M:2G"]),
        "LimitCPU": lambda: draw.choice(["10", "1min:2min", "infinity"]), "LimitNICE": lambda: draw.choice(["+5", "-5", "3:10"]),
        "RuntimeDirectory": lambda: draw.choice(["a", "a b/c", "", "%i", "./d//e/"]), "StateDirectory": lambda: draw.choice(["s", "s/t", ""]),
        "RuntimeDirectoryMode": lambda: draw.choice(["0700", "750"]), "WorkingDirectory": lambda: draw.choice(["/", "~", "%h", "/usr", "", "//usr/./bin/", "/.", "-/usr//lib"]),
        "StandardOutput": lambda: draw.choice(["null", "journal", "append:/tmp/x", "file:%h//y", "truncate:/z/."]),
        "SuccessExitStatus": lambda: draw.choice(["1 2", "TEMPFAIL", "SIGUSR1 3", ""]),
        "RestartPreventExitStatus": lambda: draw.choice(["0 255", "SIGKILL", "USAGE 64", ""]),
        "RestartForceExitStatus": lambda: draw.choice(["7", "TERM SIGHUP", "1 CONFIG", ""]),
        "PIDFile": lambda: draw.choice(["x.pid", "/run/y.pid", "", ".//x.pid", "/run/./y.pid/", "a/..b"]), "Type": lambda: draw.choice(["simple", "exec", "notify", "forking", "idle"]),
    }

    def command():
        if draw.random() < 0.08:
            return ""
        one = lambda: draw.choice(["", "-", ":", "@", "-@:"]) + "/bin/" + draw.choice("xyz") + " w " + " ".join(
            draw.choice(words) for _ in range(draw.randrange(5)))
        return " ; ".join(one() for _ in range(draw.choice([1, 1, 1, 2])))

    for i in range(count):
        lines = ["[Service]", "ExecStart=/bin/sleep " + " ".join(draw.choice(words) for _ in range(draw.randrange(6)))]
        for _ in range(draw.randrange(12)):
            key = draw.choice(list(choices))
            blank = draw.choice(["", " ", "\t"])
            lines.append(f"{key}{blank}={blank}{choices[key]()}{blank}")
        path = os.path.join(folder, f"random-{seed}-{i}@.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        yield path


def run(procref, dump, paths, keys=()):
    with tempfile.TemporaryDirectory(prefix="procref-compare-") as folder:
        recipes = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../data/services"))  # what units require
        env = dict(os.environ, XDG_RUNTIME_DIR=folder, SYSTEMD_LOG_LEVEL="warning", SYSTEMD_LOG_TARGET="console", HOME="/root",
                   PROCREF_RECIPES=recipes)
        for name in ("TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
            env.pop(name, None)
        for path in paths:
            copy = instance_of(path, folder)
            reference = subprocess.run([dump, copy], env=env, capture_output=True, timeout=60)
            if reference.returncode == 77:
                print("skipped: there is no systemd 252 here to compare with")
                sys.exit(77)
            ours = subprocess.run([procref, "check", "--json", "--scope", "user", "-f", copy, *(f"--ignore={key}" for key in keys)], env=env,
                                  capture_output=True, text=True, timeout=60)
            if ours.returncode not in (0, 100) or not ours.stdout:
                sys.exit(f"{path}: procref check ended with {ours.returncode}: {ours.stderr}")
            unit = Unit(copy, json.loads(ours.stdout), reference.stdout.decode(errors="replace"),
                        [line for line in reference.stderr.decode(errors="replace").splitlines() if not line.startswith("FILE")])
            unit.check()
            yield unit


def main():
    procref, dump, *arguments = sys.argv[1:]
    option = lambda name, default: int(next((a.split("=", 1)[1] for a in arguments if a.startswith(f"--{name}=")), default))
    keys = [a.split("=", 1)[1] for a in arguments if a.startswith("--ignore=")]
    paths = list(all_units(a for a in arguments if not a.startswith("--")))
    seed = option("seed", os.getpid())
    accepted = compared = wrong = 0
    with tempfile.TemporaryDirectory(prefix="procref-random-") as folder:
        paths += random_units(folder, option("random", 0), seed)
        for unit in run(procref, dump, paths, keys):
            accepted += unit.ours["runs"]
            compared += unit.compared
            wrong += len(unit.wrong)
            refusals = sorted({f["key"] or "(file)" for f in unit.ours["findings"] if f["level"] in ("refused", "error")})
            print(f"{'runs   ' if unit.ours['runs'] else 'refused'} {os.path.basename(unit.path)} {' '.join(refusals)}")
            for line in unit.wrong:
                print(f"    DIFFERENT {line}")
            if unit.wrong:
                with open(unit.path, encoding="utf-8", errors="replace") as file:
                    print("".join(f"    | {line}" for line in file))
    print(f"seed {seed}: {len(paths)} units, {accepted} accepted, {len(paths) - accepted} refused; {compared} values compared with "
          f"systemd's, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
