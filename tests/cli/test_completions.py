"""Completions, in the real shells: each offers every subcommand and every option that --help lists, and no other."""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from support import PATIENCE, PROCREF, RUN, World

FOLDER = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "completions"))
CAPTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "capture.zsh")
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"

# As readline cuts a line into COMP_WORDS, as far as it matters here: blanks; @ : = are words. What it replaces ($2) begins after : and =, but before @.
BASH = r"""
[ -z "$LIBRARY" ] || . "$LIBRARY"
. "$FOLDER/procref.bash"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9 COMP_WORDS=()
line=$1
while [[ $line =~ ^[[:space:]]*([@:=]+|[^[:space:]@:=]+)(.*)$ ]]; do
    COMP_WORDS+=("${BASH_REMATCH[1]}")
    line=${BASH_REMATCH[2]}
done
[[ $1 != *[[:space:]] ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
word=${1##*[[:space:]:=]}
[[ $word != *@* ]] || word=@${word##*@}
_procref procref "$word" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"""


def subcommands():
    text = subprocess.run([PROCREF, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z]+) +\S", text, flags=re.M)


def is_built(command):
    return subprocess.run([PROCREF, command, "--help"], capture_output=True).returncode == 0


def options(command):
    """What --help lists, with their letters."""
    text = subprocess.run([PROCREF, command, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  (?:(-[a-zA-Z]), |    )(--[a-z-]+)", text, flags=re.M)
    return {long for _, long in found}, {letter for letter, _ in found if letter}


class Shell:
    """The tests of each shell; offers(LINE) is what it completes the last word of LINE to."""

    def setUp(self):
        if shutil.which(self.shell) is None:
            self.skipTest(f"no {self.shell} here (tools/setup.sh ci installs it)")
        super().setUp()
        self.env["XDG_CONFIG_HOME"] = f"{self.dir}/config"
        os.makedirs(f"{self.dir}/config/procref")
        os.makedirs(f"{self.dir}/recipes")
        self.env["PROCREF_RECIPES"] = f"{self.dir}/recipes"
        for path in ("web.service", "queue@.service", ".procref/inner.service", "../config/procref/mine.service",
                     "../recipes/shipped.service", "notes.txt"):
            self.write(path, "[Service]\nExecStart=sleep 1000\n")
        os.mkdir(f"{self.work}/folder")

    def run_shell(self, words, **more):
        result = subprocess.run(words, capture_output=True, text=True, env=dict(self.env, **more), cwd=self.work,
                                stdin=subprocess.DEVNULL, timeout=PATIENCE)
        return [line for line in result.stdout.splitlines() if line]

    def test_each_subcommand_is_offered(self):
        offered = set(self.offers("procref "))
        self.assertEqual(set(subcommands()) - offered, set())
        self.assertEqual(self.offers("procref tort"), ["torture"])

    def test_help_takes_a_subcommand(self):
        self.assertIn("help", self.offers("procref he"))
        self.assertEqual(set(subcommands()) - set(self.offers("procref help ")), set())
        self.assertEqual(self.offers("procref help tort"), ["torture"])

    def test_each_option_that_help_lists_is_offered_and_no_other(self):
        faults = []
        for command in filter(is_built, subcommands()):
            wanted, letters = options(command)
            offered = {word for word in self.offers(f"procref {command} --") if word.startswith("--")} - {"--"}
            faults += [f"{command}: {word} is not offered" for word in sorted(wanted - offered)]
            faults += [f"{command}: {word} is offered, and is no option" for word in sorted(offered - wanted)]
            if self.offers_letters:
                short = {word for word in self.offers(f"procref {command} -") if re.fullmatch("-[a-zA-Z]", word)}
                faults += [f"{command}: {word} is not offered" for word in sorted(letters - short - {"-h"})]
        self.assertEqual(faults, [])

    def test_services_are_offered_by_the_names_of_their_files(self):
        for command in filter(is_built, ("run", "check")):
            offered = self.offers(f"procref {command} ")
            for name in ("web", "queue@", "inner", "mine", "shipped"):
                self.assertIn(name, offered)
            self.assertNotIn("notes", offered)
        self.assertEqual(self.offers("procref run in"), ["inner"])

    def test_the_project_s_services_are_offered_in_its_folders(self):
        self.write("part/deep/text", "")
        self.write("../.procref/beyond.service", "")  # the nearest counts, as for procref itself
        self.work += "/part/deep"
        self.assertIn("inner", self.offers("procref run "))
        self.assertNotIn("beyond", self.offers("procref run "))
        self.assertNotIn("web", self.offers("procref run "))

    def test_after_a_file_comes_no_name_but_that_of_a_template_s_instance(self):
        for command in filter(is_built, ("run", "hold", "status")):
            for line in (f"procref {command} -f web.service ", f"procref {command} --file web.service -q "):
                self.assertNotIn("web", self.offers(line), line)
            self.assertIn("mine", self.offers(f"procref {command} -f queue@.service "))
        self.assertIn("web", self.offers("procref logs -f "))  # which follows

    def test_one_name_is_enough(self):
        for command in filter(is_built, ("run", "stop")):
            self.assertNotIn("web", self.offers(f"procref {command} --scope user mine "), command)

    def test_hold_takes_more_than_one(self):
        for line in ("procref hold web ", "procref hold web inner -q "):
            self.assertIn("mine", self.offers(line))

    def test_a_running_service_is_offered_too(self):
        if not is_built("ps") or not is_built("hold"):
            self.skipTest("procref ps is not built")
        name = f"{RUN}.shown"
        read, write = os.pipe()
        holder = self.start("hold", name, "--quiet", "--command", "sleep 1000", "--ready-fd", str(write), pass_fds=[write])
        os.close(write)
        self.assertTrue(os.read(read, 1))
        os.close(read)
        self.assertIn(name, self.offers(f"procref stop {RUN}.s"))
        holder.kill()
        holder.wait()

    def test_after_file_come_service_files_and_folders(self):
        offered = {word.rstrip("/") for word in self.offers("procref run -f ")}
        self.assertLessEqual({"web.service", "queue@.service", "folder"}, offered)

    def test_an_option_that_takes_a_value_is_not_followed_by_services(self):
        self.assertNotIn("web", self.offers("procref run --timeout "))
        self.assertEqual({word.rstrip(":") for word in self.offers("procref run --ready ")},
                         {"tcp", "notify", "unix", "exec", "log"})

    def test_after_the_dashes_comes_a_command_with_its_own_completion(self):
        tool = f"{self.dir}/bin/procref-test-tool"
        os.mkdir(f"{self.dir}/bin")
        with open(tool, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(tool, 0o755)
        self.env["PATH"] = f"{self.dir}/bin:" + self.env["PATH"]
        self.assertEqual([word.strip() for word in self.offers("procref run web -- procref-test-")], ["procref-test-tool"])
        offered = self.offers("procref run web --timeout 5 -- cat not")
        self.assertEqual([word.strip() for word in offered], ["notes.txt"])


class Bash(Shell, World):
    shell = "bash"
    offers_letters = True
    library = ""

    def offers(self, line):
        return self.run_shell(["bash", "--norc", "-c", BASH, "bash", line], FOLDER=FOLDER, LIBRARY=self.library)

    def test_a_name_that_a_shell_would_cut_is_quoted(self):
        self.write("two words.service", "")
        self.assertEqual(self.offers("procref run tw"), ["two\\ words"])

    def test_a_template_is_completed_though_readline_cuts_at_the_at_sign(self):
        self.write("queue@one.service", "")
        self.assertEqual(self.offers("procref run queue@"), ["@", "@one"])

    def test_on_a_terminal_tab_completes(self):
        master, slave = pty.openpty()
        shell = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=slave, stdout=slave, stderr=slave,
                                 env=dict(self.env, PS1="> ", TERM="dumb"), cwd=self.work, start_new_session=True)
        self.addCleanup(self._end, shell)
        os.close(slave)

        self.write("cache@blue.service", "")
        os.remove(f"{self.work}/queue@.service")
        # The line is shown as readline draws it, so the words are told by a function that stands for procref.
        os.write(master, f". {FOLDER}/procref.bash; procref() {{ printf '<%s>' \"$@\"; echo; }}\n".encode())
        os.write(master, b"procref ru\tcache@b\t--ti\t5 --file=./we\t\nexit\n")
        seen, deadline = "", time.monotonic() + PATIENCE
        try:
            while "<run>" not in seen or seen.endswith("<run>"):
                if not select.select([master], [], [], max(0, deadline - time.monotonic()))[0]:
                    self.fail(f"the terminal shows {seen!r}")
                seen += os.read(master, 4096).decode(errors="replace")
        finally:
            shell.kill()
            shell.wait()
            os.close(master)
        self.assertIn("<run><cache@blue><--timeout><5><--file=./web.service>", seen)


class BashWithItsLibrary(Bash):
    """With the package bash-completion, as most people have it."""

    def setUp(self):
        if not os.path.exists(BASH_COMPLETION):
            self.skipTest("no bash-completion here (tools/setup.sh ci installs it)")
        self.library = BASH_COMPLETION
        super().setUp()

    def test_after_the_dashes_comes_a_command_with_its_own_completion(self):
        super().test_after_the_dashes_comes_a_command_with_its_own_completion()
        offered = self.offers("procref run web -- kill -US")  # kill has a completion of its own
        self.assertIn("-USR1", [word.strip() for word in offered])

    test_on_a_terminal_tab_completes = None


class Fish(Shell, World):
    shell = "fish"
    offers_letters = True

    def offers(self, line):
        words = ["fish", "--no-config", "-c", f"source {FOLDER}/procref.fish; complete -C $argv[1]", line]
        return [word.split("\t")[0] for word in self.run_shell(words)]


class Zsh(Shell, World):
    shell = "zsh"
    offers_letters = True

    def offers(self, line):
        return sorted(set(self.run_shell(["zsh", "-f", CAPTURE, FOLDER, line], CAPTURE_DUMP=f"{self.dumps}/zcompdump")))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dumps = tempfile.mkdtemp(prefix=f"procref-test-{RUN}-")  # a second to make, so all tests share it
        cls.addClassCleanup(shutil.rmtree, cls.dumps)


if __name__ == "__main__":
    unittest.main()
