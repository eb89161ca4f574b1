"""procref hold: one reference until it is told to stop, or until another process ends."""
import os
import signal
import subprocess
import unittest

import support
from support import PATIENCE


class Hold(support.World):
    def hold(self, *words, **more):
        """A holder that holds already, and what its descriptor said."""
        read, write = os.pipe()
        process = self.start("hold", "--ready-fd", str(write), *words, pass_fds=[write], stderr=subprocess.PIPE, **more)
        os.close(write)
        with os.fdopen(read) as file:
            said = file.read()
        return process, said

    def test_it_holds_until_it_is_told_to_stop(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process, said = self.hold(self.db, *self.described())
            self.assertEqual(said, "\n")
            self.wait_until(lambda: self.events("ready")) # written down after it was told
            self.assertEqual((len(self.events("ready")), self.events("stop-signal")), (1, []))
            process.send_signal(number)
            self.assertEqual((process.wait(PATIENCE), support.without_signs_of_life(process.stderr.read())), (0, ""))
            self.wait_until(lambda: not support.marked(self.mark))
            self.assertEqual(len(self.events("exit")), 1)
            os.unlink(f"{self.dir}/events")

    def test_a_slow_start_says_one_line(self):
        process, said = self.hold(self.db, *self.described("--start-delay-ms", "2500"))
        self.assertEqual(said, "\n")
        process.terminate()
        self.assertEqual((process.wait(PATIENCE), process.stderr.read()),
                         (0, f"procref hold: waiting for {self.db} to be ready (its READY=1)\n"))

    def test_killing_it_gives_the_reference_back(self):
        process, _ = self.hold(self.db, *self.described())
        process.kill()
        self.wait_until(lambda: self.events("exit"))

    def test_a_signal_that_is_ignored_stays_ignored(self):
        process, _ = self.hold(self.db, *self.described(),
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.send_signal(signal.SIGHUP)
        self.assertEqual(self.procref("run", self.db, "--timeout", "0", *self.described(), "--",
                                      "true").returncode, 0)
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_it_ends_with_a_foreign_process(self):
        other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        process, _ = self.hold(self.db, "--pid", str(other.pid), *self.described())
        self.assertEqual(self.events("stop-signal"), [])
        other.stdin.close()
        other.wait()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.wait_until(lambda: self.events("exit"))

    def test_a_process_that_does_not_exist_starts_nothing(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        for pid in (str(gone.pid), "99999999999", "0"):
            result = self.procref("hold", self.db, "--pid", pid, *self.described())
            self.assertEqual((result.returncode, result.stderr), (111, f"procref hold: no process has the pid {pid}\n"))
        self.assertEqual(self.events(), [])

    def test_a_descriptor_that_is_not_open_starts_nothing(self):
        result = self.procref("hold", self.db, "--ready-fd", "77", *self.described())
        self.assertEqual((result.returncode, result.stderr), (100, "procref hold: --ready-fd is 77, which is not open\n"))
        self.assertEqual(self.events(), [])

    def test_nobody_hears_that_it_could_not_hold(self):
        process, said = self.hold(self.db, "--command", self.service("--print", "broken", "--fail", "3"),
                                  "--ready", "notify")
        self.assertEqual((said, process.wait(PATIENCE)), ("", 111))
        self.assertIn("  | broken\n", process.stderr.read())

    def test_several_are_held_in_order_and_a_failure_gives_all_back(self):
        for name in ("one", "two", "bad"):
            command = self.service("--notify", *(["--fail", "3"] if name == "bad" else []))
            self.write(f"{name}.service", "[Service]\nType=notify\nExecStart=" +
                       command.replace(f"{self.dir}/events", f"{self.dir}/{name}.events"))
        process, said = self.hold("one", "./two.service")
        self.assertEqual(said, "\n")
        times = []
        for name in ("one", "two"):
            with open(f"{self.dir}/{name}.events") as file:
                times.append(int(file.readline().split()[0]))
        self.assertLess(*times)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.wait_until(lambda: not support.marked(self.mark))
        process, said = self.hold("one", "bad", "two")
        self.assertEqual((said, process.wait(PATIENCE)), ("", 111))
        self.wait_until(lambda: not support.marked(self.mark))

    def test_a_command_line_that_makes_no_sense_is_refused(self):
        for words, message in ((["--", "true"], "hold runs no command"), ([], "which service?"),
                               (["a", "b", "--command", "x"], "too many names"),
                               (["a", "-f", "b.service"], "too many names"),
                               ([self.db, "--pid", "x"], "--pid is 'x'")):
            result = self.procref("hold", *words)
            self.assertEqual(result.returncode, 100, words)
            self.assertIn(message, result.stderr)


if __name__ == "__main__":
    unittest.main()
