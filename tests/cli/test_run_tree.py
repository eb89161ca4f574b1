"""procref run --tree: the service is held until all that COMMAND started has ended."""
import os
import shlex
import signal
import subprocess
import unittest

import support
from support import PATIENCE, PROCREF, state_of


class Tree(support.World):
    def setUp(self):
        super().setUp()
        self.fifo = f"{self.dir}/fifo"
        os.mkfifo(self.fifo)

    def words(self, *command, options=()):
        return ["run", self.db, "--tree", *options, *self.described(), "--", *command]

    def let_go(self):
        with open(self.fifo, "w") as file:
            file.write("go\n")

    def test_the_service_stays_until_the_last_descendant_has_ended(self):
        # Two forks and a session of its own, as a daemon does it; its output is nobody's.
        daemon = f"setsid sh -c 'read x < {self.fifo} & true' </dev/null >/dev/null 2>&1 & exit 5"
        result = self.procref(*self.words("sh", "-c", daemon))
        self.assertEqual((result.returncode, result.stderr), (5, ""))
        check = self.procref("run", self.db, "--timeout", "0", *self.described(), "--", "true")
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertEqual(self.events("stop-signal"), [])
        self.let_go()
        self.wait_until(lambda: self.events("exit"))
        self.assertEqual(len(self.events("start")), 1)

    def test_a_command_substitution_does_not_wait_for_descendants(self):
        script = f"x=$({PROCREF} " + " ".join(self.words()[:3]) + f" {shlex.join(self.described())} -- sh -c '(read x < " \
                 f"{self.fifo}) >/dev/null 2>&1 & echo said'); echo got $x"
        result = self.execute(["bash", "-c", script])
        self.assertEqual((result.stdout, result.stderr), ("got said\n", ""))
        self.assertEqual(self.events("stop-signal"), [])
        self.let_go()
        self.wait_until(lambda: self.events("exit"))

    def test_exit_statuses_and_deaths_are_the_commands_own(self):
        for script, status in (("exit 0", 0), ("exit 100", 100), ("kill -9 $$", -9), ("kill -15 $$", -15),
                               ("ulimit -c 0; kill -11 $$", -11)):
            result = self.procref(*self.words("sh", "-c", script))
            self.assertEqual((result.returncode, result.stderr), (status, ""))
        result = self.procref(*self.words("no-such-program"))
        self.assertEqual(result.returncode, 127)
        result = self.procref("run", self.db, "--tree", "--command", self.service("--fail", "3"), "--ready", "notify",
                              "--", "true")
        self.assertEqual(result.returncode, 111)
        self.assertIn("exited with status 3", result.stderr)

    def test_signals_to_procref_reach_the_command(self):
        script = ("trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo term; exit 9' TERM; echo up; "
                  "while :; do sleep 0.05; done")
        process = self.start(*self.words("sh", "-c", script), stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "up\n")
        for number, said in ((signal.SIGUSR1, "usr1\n"), (signal.SIGHUP, "hup\n"), (signal.SIGTERM, "term\n")):
            process.send_signal(number)
            self.assertEqual(process.stdout.readline(), said)
        self.assertEqual(process.wait(PATIENCE), 9)

    def test_a_stopped_command_stops_procref_and_continues_with_it(self):
        process = self.start(*self.words("sh", "-c", "echo up; kill -STOP $$; echo again"), stdout=subprocess.PIPE)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.communicate(timeout=PATIENCE)[0], "up\nagain\n")
        self.assertEqual(process.returncode, 0)

    def test_a_command_that_another_continues_or_kills_is_followed(self):
        for numbers, status in (([signal.SIGCONT], 3), ([signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT], 3), ([signal.SIGKILL], -9)):
            with self.subTest(numbers):
                process = self.start(*self.words("sh", "-c", f"echo $$; read x < {self.fifo}; exit 3"), stdout=subprocess.PIPE)
                command = int(process.stdout.readline())
                os.kill(command, signal.SIGSTOP)
                self.wait_until(lambda: state_of(process.pid) == "T")
                for number in numbers:
                    os.kill(command, number)
                if numbers[-1] == signal.SIGCONT:
                    self.wait_until(lambda: state_of(process.pid) != "T")
                    self.let_go()
                self.assertEqual(process.wait(PATIENCE), status)
                process.stdout.close()

    def test_killing_procref_leaves_the_command_with_its_service(self):
        process = self.start(*self.words("sh", "-c", f"echo up; read x < {self.fifo}; echo alive > {self.dir}/alive"),
                             stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        process.wait()
        self.assertEqual(self.events("stop-signal"), [])
        self.let_go()
        self.wait_until(lambda: self.events("exit"))
        self.assertTrue(os.path.exists(f"{self.dir}/alive"))

    def test_a_keeper_that_the_command_started_is_not_waited_for(self):
        inner = [PROCREF, "run", self.db + "-inner", "--linger", "1min", "--command", "sleep 1000", "--", "sh", "-c",
                 "echo $PROCREF_PID"]
        result = self.procref(*self.words(*inner))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_until(lambda: self.events("exit"))
        os.kill(int(result.stdout), 0)  # it lingers
        os.kill(int(result.stdout), signal.SIGTERM)

    def test_the_command_gets_what_procref_got(self):
        script = "grep -E '^(Sig|Shd)[BIC]' /proc/self/status; ls /proc/self/fd; ps -o pgid=,sid= -p $$"
        def unusual():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        plain = self.execute(["sh", "-c", script], preexec_fn=unusual)
        held = self.procref(*self.words("sh", "-c", script), preexec_fn=unusual)
        self.assertEqual((held.returncode, held.stdout, held.stderr), (0, plain.stdout, plain.stderr))


if __name__ == "__main__":
    unittest.main()
