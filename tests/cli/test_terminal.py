"""procref run on a real terminal, below an interactive shell: Ctrl-C, Ctrl-Z and fg, a closed terminal, the spinner."""
import os
import re
import resource
import shlex
import signal
import subprocess
import unittest

import support
from support import PATIENCE, PROCREF
from terminal import Terminal

CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"


class OnTerminal(support.World):
    def terminal(self, *argv, **more):
        env = dict(self.env, TERM="xterm", PS1="ready> ", **more)
        found = Terminal(list(argv), env, self.work)
        self.addCleanup(found.end)
        return found

    def shell(self):
        """An interactive bash that has asked for its first line."""
        found = self.terminal("bash", "--norc", "--noprofile", "-i")
        found.type("bind 'set enable-bracketed-paste off'; unset PROMPT_COMMAND\n")
        found.expect("ready> .*\r\n.*ready> ")
        return found

    def leave(self, shell):
        shell.type("exit\n")
        shell.rest()
        shell.wait()

    def run_line(self, *words, options=""):
        return f"{PROCREF} run {self.db} {options} {shlex.join(self.described())} -- " + " ".join(words) + "\n"

    def stopped(self):
        self.wait_until(lambda: self.events("stop-signal"))
        self.assertEqual(len(self.events("start")), 1)


class Keys(OnTerminal):
    def test_ctrl_c_reaches_the_command_and_the_service_stops_after_it(self):
        shell = self.shell()
        shell.type(self.run_line("""sh -c 'trap "echo interr""upted; exit 3" INT; echo u""p; read x'"""))
        shell.expect("up\r\n")
        shell.type(CTRL_C)
        shell.expect("interrupted\r\n(.*\r\n)?.*ready> ")
        shell.type("echo status=$?\n")
        shell.expect("status=3\r\n")
        self.stopped()
        self.leave(shell)

    def test_ctrl_c_does_not_reach_a_service_that_others_hold(self):
        other = self.start("run", self.db, *self.described(), "--", "sh", "-c", "echo up; read x",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        other.stdout.readline()
        shell = self.shell()
        shell.type(self.run_line("sh -c 'echo u\"\"p; exec sleep 100'"))
        shell.expect("up\r\n")
        shell.type(CTRL_C)
        shell.expect("ready> ")
        shell.type("echo status=$?\n")
        shell.expect("status=130\r\n")
        self.assertEqual(self.procref("run", self.db, *self.described(), "--", "true").returncode, 0)
        self.assertEqual((len(self.events("start")), self.events("stop-signal")), (1, []))
        other.communicate("\n", timeout=PATIENCE)
        self.stopped()
        self.leave(shell)

    def test_ctrl_z_and_fg_stop_and_continue_the_command(self):
        for options in ("", "--tree"):
            with self.subTest(options):
                shell = self.shell()
                shell.type(self.run_line("sh -c 'echo u\"\"p; exec cat'", options=options))
                shell.expect("up\r\n")
                shell.type("one\n")
                shell.expect("one\r\none\r\n")
                shell.type(CTRL_Z)
                shell.expect("Stopped.*\r\n")
                shell.expect("ready> ")
                self.assertEqual(self.events("stop-signal"), [])
                shell.type("fg\n")
                shell.expect("fg\r\n.*procref run.*\r\n")
                shell.type("two\n")
                shell.expect("two\r\ntwo\r\n")
                shell.type(CTRL_D)
                shell.expect("ready> ")
                shell.type("echo status=$?\n")
                shell.expect("status=0\r\n")
                self.stopped()
                self.leave(shell)
                self.wait_until(lambda: not support.marked(self.mark))
                os.unlink(f"{self.dir}/events")

    def test_a_tree_ends_by_ctrl_c_as_the_command_does(self):
        shell = self.shell()
        shell.type(self.run_line("sh -c 'echo u\"\"p; exec sleep 100'", options="--tree"))
        shell.expect("up\r\n")
        shell.type(CTRL_C)
        shell.expect("ready> ")
        shell.type("echo status=$?\n")
        shell.expect("status=130\r\n")
        self.stopped()
        self.leave(shell)

    def test_a_closed_terminal_ends_the_command_and_the_service(self):
        for options in ("", "--tree"):
            with self.subTest(options):
                terminal = self.terminal(PROCREF, "run", self.db, *options.split(), *self.described(), "--",
                                         "sh", "-c", "echo up; exec sleep 100")
                terminal.expect("up\r\n")
                terminal.close()
                self.assertEqual(os.WTERMSIG(terminal.wait()), signal.SIGHUP)
                self.stopped()
                self.wait_until(lambda: not support.marked(self.mark))
                os.unlink(f"{self.dir}/events")

    def test_a_command_under_nohup_survives_its_terminal(self):
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        terminal = self.terminal("nohup", PROCREF, "run", self.db, *self.described(), "--", "sh", "-c",
                                 f"echo up >&2; read x < {fifo}; echo alive > {self.dir}/alive")
        self.wait_until(lambda: self.events("ready"))
        terminal.close()
        with open(fifo, "w") as file:
            file.write("go\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(os.path.exists(f"{self.dir}/alive"))
        self.stopped()

    def test_the_command_has_the_terminal_as_without_procref(self):
        words = ["sh", "-c", "tty; stty -a; ps -o stat=,tty= -p $$; ps -o pgid=,tpgid=,sid= -p $$ | "
                             "sed -E \"s/\\b$$\\b/SELF/g\""]
        plain = self.terminal(*words)
        held = self.terminal(PROCREF, "run", "--quiet", self.db, *self.described(), "--", *words)
        tty = "/dev/pts/[0-9]+"
        expected, found = plain.rest(), held.rest()
        self.assertRegex(found, tty)
        self.assertEqual(re.sub("pts/[0-9]+", "PTS", found), re.sub("pts/[0-9]+", "PTS", expected))


class Spinner(OnTerminal):
    def slow(self, *options, delay="3000", **more):
        return self.terminal(PROCREF, "run", self.db, *options, "--command",
                             self.service("--start-delay-ms", delay, "--notify"), "--ready", "notify", "--",
                             "echo", "done", **more)

    def test_a_slow_start_turns_counts_and_is_erased(self):
        text = self.slow().rest()
        turns = text.split("\r")
        self.assertRegex(turns[1], "^\x1b\\[36m⠋\x1b\\[0m waiting for db.* to be ready \\(its READY=1\\) [0-9]\\.[0-9] s\x1b\\[K$")
        self.assertIn("⠙", turns[2])
        times = [float(time) for time in re.findall("([0-9.]+) s\x1b", text)]
        self.assertGreaterEqual(times[0], 0.5)
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[-1], times[0])
        self.assertRegex(text, "\r\x1b\\[Kdone\r\n$")

    def test_it_waits_first_for_the_previous_one_to_end(self):
        words = ["run", self.db, *self.described("--stop-delay-ms", "4000", "--start-delay-ms", "2000"), "--", "echo", "done"]
        def stopping(times):
            self.procref(*words)
            self.wait_until(lambda: len(self.events("stop-signal")) == times)  # it may not be taken over any more
        stopping(1)
        text = self.terminal(PROCREF, *words).rest()
        before = text.index(f" waiting for the previous {self.db} to end 0.")
        self.assertLess(before, text.index(f" waiting for {self.db} to be ready (its READY=1) "))
        self.procref("wait", self.db)
        stopping(3)
        self.assertEqual(self.procref(*words, signs_of_life=True).stderr, f"procref run: waiting for the previous {self.db} to end\n")

    def test_it_has_no_colour_where_none_is_wanted(self):
        text = self.slow(NO_COLOR="1", LANG="C").rest()
        self.assertNotIn("\x1b[36m", text)
        self.assertRegex(text, "^\r\\| waiting for db.*\r/ waiting for db.")

    def test_no_character_is_drawn_that_the_locale_has_not(self):
        for locale in ("C", "xx_YY.UTF-8"):  # the second is none of this system: all of it is as in C
            self.wait_until(lambda: not support.marked(self.mark))
            self.assertTrue(self.slow(LC_ALL=locale).rest().isascii())

    def test_quiet_says_nothing(self):
        self.assertEqual(self.slow("--quiet", delay="1000").rest(), "done\r\n")

    def test_a_narrow_terminal_gets_a_line_that_fits(self):
        terminal = Terminal([PROCREF, "run", self.db, "--command", self.service("--start-delay-ms", "3000", "--notify"),
                             "--ready", "notify", "--", "echo", "done"], dict(self.env, TERM="xterm", NO_COLOR="1"),
                            self.work, columns=20)
        self.addCleanup(terminal.end)
        line = terminal.rest().split("\r")[1]
        self.assertEqual(line, f"⠋ waiting for {self.db}"[:19] + "\x1b[K")

    def test_a_dumb_or_unnamed_terminal_gets_one_line(self):
        for term in ("dumb", ""):
            terminal = Terminal([PROCREF, "run", self.db, "--command", self.service("--start-delay-ms", "3000", "--notify"),
                                 "--ready", "notify", "--", "echo", "done"], dict(self.env, TERM=term), self.work)
            self.addCleanup(terminal.end)
            self.assertEqual(terminal.rest(), f"procref run: waiting for {self.db} to be ready (its READY=1)\r\ndone\r\n")
            self.wait_until(lambda: not support.marked(self.mark))

    def test_a_terminal_that_is_not_the_sessions_own_is_written_to_as_well(self):
        master, slave = os.openpty()
        result = subprocess.run([PROCREF, "run", self.db, "--command", self.service("--start-delay-ms", "3000", "--notify"),
                                 "--ready", "notify", "--", "true"], stdin=subprocess.DEVNULL, stderr=slave, cwd=self.work,
                                env=dict(self.env, TERM="xterm"), start_new_session=True, timeout=PATIENCE)
        os.close(slave)
        said = os.read(master, 65536).decode()
        os.close(master)
        self.assertEqual(result.returncode, 0)
        self.assertIn(f" waiting for {self.db} to be ready", said)

    def test_ctrl_backslash_while_it_waits_erases_the_line_as_well(self):
        terminal = self.slow(delay="4000")
        terminal.expect("waiting for db")
        resource.prlimit(terminal.pid, resource.RLIMIT_CORE, (0, 0))
        terminal.type(CTRL_BACKSLASH)
        self.assertRegex(terminal.rest(), "\r\x1b\\[K$")
        status = terminal.wait()
        self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGQUIT, status)

    def test_ctrl_c_while_it_waits_ends_procref_as_a_death_by_sigint(self):
        for options in ([], ["--tree"]):
            with self.subTest(options):
                terminal = self.slow(*options, delay="4000")
                terminal.expect("waiting for db")
                terminal.type(CTRL_C)
                self.assertRegex(terminal.rest(), "\r\x1b\\[K$")
                status = terminal.wait()
                self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, status)
                self.wait_until(lambda: not support.marked(self.mark))


if __name__ == "__main__":
    unittest.main()
