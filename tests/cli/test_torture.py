"""procref torture: a run passes and leaves nothing; each witness sees what is planted for it."""
import contextlib
import os
import re
import signal
import subprocess
import unittest

import support

# What is planted, and the witness that must see it first: a word of the violation, and how the verdict counts it.
PLANTS = {
    "two": ("two", "two services alive at once"),
    "unreachable": ("unreachable", "a held service did not answer"),
    "ended": ("ended", "a held service ended unattacked"),
    "hang": ("hang", "a call did not end"),
    "leftover": ("left", "something was left over"),
    "set": ("left", "something was left over"),
    "file": ("left", "something was left over"),
    "socket": ("left", "something was left over"),
}
# What the leftover is called.
CALLED = {"leftover": r"service \d+", "set": r"semaphore set \d+", "file": r"file \S+\.hint", "socket": "socket"}


def count_of(text, what):
    return int(re.search(rf"^ +(\d+) {what}$", text, re.M).group(1))


class Torture(support.World):
    def setUp(self):
        super().setUp()
        self.env["TMPDIR"] = self.work

    def folder_of(self, text):
        return re.search(r"folder (\S+)", text).group(1)

    def clients(self):
        return [pid for pid, line in support.marked(self.mark).items() if " --role client " in line]

    def test_a_run_passes_and_leaves_nothing(self):
        done = self.procref("torture", "--seconds", "4", "--seed", "7", "--services", "2", "--clients", "4")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASS: no promise was broken", done.stdout)
        self.assertIn("seed 7,", done.stdout)
        self.assertTrue(self.folder_of(done.stdout).startswith(self.work))
        self.assertGreater(count_of(done.stdout, "acquires"), 20)
        self.assertGreater(count_of(done.stdout, "answers"), 10)
        self.assertGreater(count_of(done.stdout, "clients killed"), 0)
        for _, verdict in PLANTS.values():
            self.assertEqual(count_of(done.stdout, verdict), 0)
        self.assertEqual(os.listdir(self.work), [])

    def test_each_witness_sees_what_is_planted_for_it(self):
        runs = {plant: self.start("torture", "--seconds", "25", "--seed", "5", "--clients", "4", "--services", "1", "--plant", plant,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for plant in PLANTS}
        for plant, run in runs.items():
            with self.subTest(plant=plant):
                out, err = run.communicate(timeout=support.PATIENCE)
                word, verdict = PLANTS[plant]
                self.assertEqual(run.returncode, 1, out + err)
                self.assertRegex(out, r"FAIL: \d+ violation")
                self.assertRegex(out, r"again with --seed 5\b")
                self.assertGreater(count_of(out, verdict), 0, out + err)
                first = re.search(r"violation after \S+ s: \d+ \d+ (\w+) 0 (.*)", err)
                self.assertEqual(first.group(1), word, err)
                self.assertRegex(first.group(2), CALLED.get(plant, "."))
                with open(os.path.join(self.folder_of(out), "violations")) as file:
                    self.assertIn(first.group(2), file.read())
                with open(os.path.join(self.folder_of(out), "evidence.1")) as file:
                    self.assertIn(first.group(2), file.read())

    def test_ctrl_c_ends_it_and_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                run = self.start("torture", "--seconds", "60", start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
                self.wait_until(self.clients)
                for pid in self.clients():
                    with contextlib.suppress(ProcessLookupError):
                        self.assertNotEqual(os.getpgid(pid), run.pid, "the terminal's signals reach a client")
                os.killpg(run.pid, number)  # as a terminal and timeout(1) do: all that is in its group has it
                out, err = run.communicate(timeout=support.PATIENCE)
                self.assertEqual(run.returncode, 130, out + err)
                self.assertIn("PASS: no promise was broken until it was interrupted", out)
                self.assertEqual(support.marked(self.mark), {})
                self.assertEqual(os.listdir(self.work), [])

    def test_killing_it_leaves_nothing(self):
        run = self.start("torture", "--seconds", "60", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.wait_until(self.clients)
        run.kill()
        run.wait()
        self.wait_until(lambda: os.listdir(self.work) == [])
        self.wait_until(lambda: not support.marked(self.mark))

    def test_keep_keeps_the_folder(self):
        done = self.procref("torture", "--seconds", "1", "--services", "1", "--clients", "1", "--keep", "--trace")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        folder = self.folder_of(done.stdout)
        with open(os.path.join(folder, "trace")) as file:
            self.assertIn("client asks for", file.read())
        self.assertEqual([name for name in os.listdir(os.path.join(folder, "base")) if not name.endswith(".log")], [])

    def test_what_makes_no_sense_is_refused(self):
        for words, message in ((["--clients", "0"], "--clients is 0: 1 to 64"), (["--services", "17"], "--services is 17: 1 to 16"),
                               (["--seconds", "0"], "--seconds: at least 1"), (["redis"], "no operand is expected"),
                               (["--sed", "1"], "is '--seed' meant"), (["--plant", "roses"], "'roses' is not known")):
            with self.subTest(words=words):
                done = self.procref("torture", *words)
                self.assertEqual(done.returncode, 100)
                self.assertIn(message, done.stderr)

    def test_help_fits_a_screen(self):
        done = self.procref("torture", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertLessEqual(len(done.stdout.splitlines()), 24)
        for option in ("--seconds", "--seed", "--clients", "--services", "--keep", "--trace"):
            self.assertIn(option, done.stdout)
        self.assertNotIn("--plant", done.stdout)


if __name__ == "__main__":
    unittest.main()
