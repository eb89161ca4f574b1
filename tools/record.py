#!/usr/bin/env python3
"""
tools/record.py PROCREF FOLDER: writes FOLDER/run.svg (a recording that moves) and FOLDER/ps.svg (a picture), `make pictures`.

A shell on a pseudo-terminal gets the lines of the scenes below and runs them with the command PROCREF, the recipes of this
source, the real Redis and PostgreSQL. What the terminal shows is what is drawn: nothing is written by hand. It needs redis-server and
a PostgreSQL server, and that port 6379 is free. Root runs it as the user postgres, for PostgreSQL does not run as root.
"""
import fcntl
import html
import os
import pty
import pwd
import re
import select
import shutil
import struct
import sys
import tempfile
import termios
import time

COLUMNS, PROMPT, PATIENCE = 110, "\033]procref\007", 60

# Lines are typed one after the other, each once the prompt is there again. Those that begin with a tab are neither shown nor drawn.
RUN = [
    "procref run redis -- redis-cli ping",
    "procref run postgres -- psql -qc 'create table t (n int)'",
    "seq 8 | xargs -P 8 -I% procref run postgres -- psql -qc 'insert into t values (%)'",
    "procref run postgres -- psql -Atc 'select sum(n) from t'",
    "procref wait postgres; procref ps",
]
PS = [
    "\tprocref run --quiet postgres -- true; procref wait postgres",  # the data folder is there afterwards
    "\tprocref run redis -- redis-cli subscribe orders >/dev/null & a=$!",
    "\tprocref run redis -- redis-cli monitor >/dev/null & b=$!",
    "\tprocref run postgres -- psql -qc 'select pg_sleep(60)' >/dev/null 2>&1 & c=$!",
    "\tprocref run redis -- true; procref run postgres -- true",
    "procref ps",
    "procref status redis",
    "procref stop redis",
    "\tkill $a $b $c; procref wait postgres; procref wait redis",
]


# ---- the terminal ---------------------------------------------------------------------------------------------------

class Screen:
    """As much of a terminal as these programs use: lines, carriage return, erase to the end of the line, colours."""

    def __init__(self):
        self.lines, self.column, self.style, self.prompts, self.rest = [[]], 0, "", 0, ""

    def feed(self, text):
        text = self.rest + text
        whole = re.sub(r"\033(\[[0-9;?]*|\][^\007]*)?$", "", text)  # the begin of a sequence waits for its end
        self.rest = text[len(whole):]
        for escape, what, character in re.findall(r"(?:\033\[([0-9;?]*)([A-Za-z])|(\033\][^\007]*\007|[^\033]))", whole):
            if what == "K":
                del self.lines[-1][self.column:]
            elif what == "m":
                self.style = "" if escape in ("", "0") else escape
            elif what in ("l", "h"):
                pass  # the cursor is hidden or shown
            elif what:
                raise ValueError(f"an escape sequence that is not drawn: {what}")
            elif character == PROMPT:
                self.prompts += 1
            elif character == "\n":
                self.lines.append([])
                self.column = 0
            elif character == "\r":
                self.column = 0
            elif character == "\b":
                self.column = max(0, self.column - 1)
            elif character >= " ":
                if self.column == COLUMNS:
                    self.lines.append([])
                    self.column = 0
                line = self.lines[-1]
                line.extend([(" ", "")] * (self.column + 1 - len(line)))
                line[self.column] = (character, self.style)
                self.column += 1

    def picture(self):
        return tuple(tuple(line) for line in self.lines)


class Shell:
    def __init__(self, procref, home):
        self.screen, self.frames, self.began = Screen(), [], time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if os.geteuid() == 0:
                user = pwd.getpwnam("postgres")
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            os.chdir(f"{home}/shop")
            os.execve("/bin/sh", ["sh", "-i"], {
                "PATH": f"{home}/bin:" + os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": f"{home}/run",
                "PROCREF_RECIPES": f"{home}/services", "TERM": "xterm-256color", "LANG": "C.UTF-8",
                "PS1": f"{PROMPT}$ ", "PS2": "", "PSQLRC": "/dev/null", "PAGER": "cat"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        self.await_prompt(1)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        self.screen.feed(os.read(self.fd, 65536).decode(errors="ignore"))
        frame = self.screen.picture()
        if not self.frames or self.frames[-1][1] != frame:
            self.frames.append((time.monotonic() - self.began, frame))
        return True

    def await_prompt(self, count):
        deadline = time.monotonic() + PATIENCE
        while self.screen.prompts < count or self.screen.rest:
            if time.monotonic() > deadline:
                sys.exit("record: no prompt; the screen shows:\n" + "\n".join(
                    "".join(c for c, _ in line) for line in self.screen.lines))
            self.read(0.2)
        while self.read(0.05):  # the rest of the prompt
            pass

    def do(self, line):
        count = self.screen.prompts + 1
        hidden, line = line.startswith("\t"), line.strip()
        before = len(self.frames), [list(l) for l in self.screen.lines], self.screen.column, self.screen.style
        for character in "" if hidden else line:
            os.write(self.fd, character.encode())
            self.read(1)
            time.sleep(0.02)  # as if somebody typed; nothing waits for this
        os.write(self.fd, (line + "\n" if hidden else "\n").encode())
        self.await_prompt(count)
        if hidden:
            frames, self.screen.lines, self.screen.column, self.screen.style = before
            del self.frames[frames:]

    def end(self):
        os.write(self.fd, b"\x04")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


# ---- the drawing -----------------------------------------------------------------------------------------------------

CELL, LINE, SIZE, LEFT, TOP = 8.43, 20, 14, 18, 50
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#d29922", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


def appearance(style):
    codes = style.split(";")
    colour = next((COLOURS[c] for c in codes if c in COLOURS), None)
    return ((f' fill="{colour}"' if colour else "") + (' font-weight="700"' if "1" in codes else "") +
            (' opacity=".6"' if "2" in codes else ""))


def draw_line(number, line):
    """Runs of one style, each as wide as its cells whatever font there is."""
    parts, at = [], 0
    while at < len(line):
        end = at
        while end < len(line) and line[end][1] == line[at][1]:
            end += 1
        text = "".join(character for character, _ in line[at:end])
        if text.strip():
            parts.append(f'<text x="{LEFT + at * CELL:.1f}" y="{TOP + number * LINE}" textLength="{len(text) * CELL:.1f}" '
                         f'xml:space="preserve"{appearance(line[at][1])}>{html.escape(text, quote=False)}</text>')
        at = end
    return "".join(parts)


def draw(title, frames, moves):
    rows = max(len(frame) for _, frame in frames)
    width, height = round(2 * LEFT + COLUMNS * CELL), TOP + rows * LINE
    last, seconds = len(frames) - 1, frames[-1][0] + 4
    style, body = "", []
    for i, (start, frame) in enumerate(frames) if moves else [(last, frames[last])]:
        drawn = "".join(draw_line(number, line) for number, line in enumerate(frame))
        if moves:
            begin = 100 * start / seconds if i > 0 else 0
            end = 100 * frames[i + 1][0] / seconds if i < last else 100
            style += f"@keyframes f{i}{{0%{{opacity:{int(i == 0)}}}{begin:.2f}%{{opacity:1}}{end:.2f}%{{opacity:{int(i == last)}}}}}"
        body.append(f'<g{f" class=f style=animation-name:f{i}" if moves else ""}{"" if i == last else " opacity=0"}>{drawn}</g>')
    body = re.sub(r"<g class=f style=(\S+?)( opacity=0)?>", lambda m: f'<g class="f" style="{m[1]}"' +
                  (' opacity="0">' if m[2] else ">"), "\n".join(body))
    if moves:
        style = (f"<style>@media(prefers-reduced-motion:no-preference){{.f{{animation:{seconds:.1f}s step-end infinite}}"
                 f"{style}}}</style>\n")
    dots = "".join(f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{c}"/>' for i, c in enumerate(("#ff5f57", "#febc2e", "#28c840")))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="{FONT}" font-size="{SIZE}" fill="#e6edf3" role="img">\n<title>{html.escape(title)}</title>\n{style}'
            f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>{dots}\n{body}\n</svg>\n')


def without_prompt(frames):
    """The last prompt waits for nothing in a picture."""
    at, frame = frames[-1]
    return frames[:-1] + [(at, frame[:-1])]


def shorten(frames):
    """Typing is drawn in steps, so that the file stays small: at most one picture in a tenth of a second."""
    kept = []
    for i, frame in enumerate(frames):
        if not kept or i + 1 == len(frames) or frames[i + 1][0] - kept[-1][0] > 0.1:
            kept.append(frame)
    return kept


def record(procref, lines):
    source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory(prefix="procref-") as home:
        for folder in ("run", "shop", "bin"):
            os.mkdir(f"{home}/{folder}", 0o700)
        shutil.copy(procref, f"{home}/bin/procref")
        shutil.copytree(f"{source}/data/services", f"{home}/services")
        if os.geteuid() == 0:
            for folder in (".", "run", "shop", "bin"):
                shutil.chown(f"{home}/{folder}", "postgres")
        shell = Shell(procref, home)
        for line in lines:
            shell.do(line)
        shell.end()
    return shell.frames


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    procref, folder = sys.argv[1:]
    with open(f"{folder}/run.svg", "w") as file:
        file.write(draw("procref run, recorded", shorten(record(procref, RUN)), True))
    with open(f"{folder}/ps.svg", "w") as file:
        file.write(draw("procref ps and status", without_prompt(record(procref, PS)), False))


if __name__ == "__main__":
    main()
