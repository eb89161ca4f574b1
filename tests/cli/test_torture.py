"""procref torture: a run passes and leaves nothing; each witness sees what is planted for it."""
import contextlib
import os
import re
import signal
import subprocess
import unittest

import support
from support import is_alive

# What is planted, and the witness that must see it first: a word of the violation, and how the verdict counts it.
PLANTS = {
    "two": ("two", "two services alive at once"),
    "unreachable": ("unreachable", "a held service did not answer"),
    "unready": ("unready", "a held service was not ready"),
    "ended": ("ended", "a held service ended unattacked"),
    "stopping": ("ended", "a held service ended unattacked"),
    "another": ("another", "another configuration was handed out"),
    "calls": ("calls", "two callbacks at once"),
    "uncalled": ("uncalled", "on_last_release was not called once"),
    "hang": ("hang", "a call did not end"),
    "alone": ("alone", "a keeper stayed alone"),
    "client": ("wrong", "somebody else was killed"),
    "wrong": ("wrong", "somebody else was killed"),
    "leftover": ("left", "something was left over"),
    "set": ("left", "something was left over"),
    "file": ("left", "something was left over"),
    "stray": ("left", "something was left over"),
    "socket": ("left", "something was left over"),
    "lock": ("left", "something was left over"),
}
# What the leftover is called.
CALLED = {"leftover": r"service \d+", "set": r"semaphore set \d+", "file": r"file \S+\.hint", "socket": "socket",
          "stray": "file stray of no service's name", "lock": "lock", "client": r"client \d+ was killed, and not by us",
          "wrong": r"process \d+, which has nothing to do with any service"}
# Some need a first service that tells when it is ready, that is deaf to SIGTERM, that callbacks start, or also stop.
SEED = {"unready": 8, "stopping": 14, "calls": 16, "uncalled": 5}


def count_of(text, what):
    return int(re.search(rf"^ +(\d+) (?: *[\d.]+/s  )?{what}$", text, re.M).group(1))


def decisions(folder):
    """What the dice said: {round: what it is like}, {blow: its four proposals}. A round's service and number, a blow's
    number too."""
    rounds, blows = {}, {}
    with open(os.path.join(folder, "decisions")) as file:
        for line in file:
            key, rest = line.rstrip("\n").split(": ", 1)
            if key.count(" ") == 1:
                rounds[key] = rest
            else:
                blows[key] = rest.split(": ")[0]
    return rounds, blows


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
        self.assertRegex(done.stdout, r"\n +\d+ +[1-9]\d*\.\d/s  acquires\n")
        for _, verdict in PLANTS.values():
            self.assertEqual(count_of(done.stdout, verdict), 0)
        self.assertEqual(os.listdir(self.work), [])

    def test_each_witness_sees_what_is_planted_for_it(self):
        runs = {plant: self.start("torture", "--seconds", "25", "--seed", str(SEED.get(plant, 3)), "--clients", "4", "--services", "1", "--plant", plant,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for plant in PLANTS}
        for plant, run in runs.items():
            with self.subTest(plant=plant):
                out, err = run.communicate(timeout=support.PATIENCE)
                word, verdict = PLANTS[plant]
                self.assertEqual(run.returncode, 1, out + err)
                self.assertRegex(out, r"FAIL: \d+ violation")
                self.assertRegex(out, rf"again with --seed {SEED.get(plant, 3)} --clients 4 --services 1 --trace\n")
                self.assertGreater(count_of(out, verdict), 0, out + err)
                first = re.search(r"violation after \S+ s: \d+ \d+ (\w+) 0 (.*)", err)
                self.assertEqual(first.group(1), word, err)
                self.assertRegex(first.group(2), CALLED.get(plant, "."))
                with open(os.path.join(self.folder_of(out), "violations")) as file:
                    self.assertIn(first.group(2), file.read())
                with open(os.path.join(self.folder_of(out), "evidence.1")) as file:
                    self.assertIn(first.group(2), file.read())

    def test_everything_that_is_promised_happens(self):
        everything = ("acquires", "releases", "nested", "by a further thread", "asynchronous", "cancelled", "by a forked child",
                     "copied by a fork", "carried through exec", "dropped by exit", "answers", "services", "by callbacks",
                     "that failed on purpose", "failed starts told", "of another configuration", "conflicts told", "clients killed", "clients stopped", "keepers killed",
                     "standbys killed", "keepers or standbys stopped", "keepers' queues filled", "services killed", "services stopped",
                     "both keepers at once", "everybody at once", "semaphore sets removed", "files deleted",
                     "files cut, scrambled or forged", "times both cores loaded")
        for seconds in ("20", "80"):  # the second for a machine on which some of it has not come by then
            done = self.procref("torture", "--seconds", seconds, "--seed", "11", timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            if all(count_of(done.stdout, what) > 0 for what in everything):
                break
        for what in everything:
            with self.subTest(what=what):
                self.assertGreater(count_of(done.stdout, what), 0, done.stdout)

    def test_a_seed_decides_the_same_again(self):
        folders = []
        for seed in ("21", "21", "22"):
            done = self.procref("torture", "--seconds", "5", "--seed", seed, "--services", "2", "--clients", "3", "--keep")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            folders.append(self.folder_of(done.stdout))
        first, again, other = map(decisions, folders)
        for kind, least in ((0, 2), (1, 20)):
            common = first[kind].keys() & again[kind].keys()
            self.assertGreater(len(common), least)
            for key in common:
                self.assertEqual(first[kind][key], again[kind][key], key)
            self.assertNotEqual([first[kind][key] for key in sorted(common)], [other[kind].get(key) for key in sorted(common)])

    def test_ctrl_z_does_not_rest_it(self):
        run = self.start("torture", "--seconds", "2", start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
        self.wait_until(self.clients)
        os.killpg(run.pid, signal.SIGTSTP)
        out, err = run.communicate(timeout=support.PATIENCE)
        self.assertEqual(run.returncode, 0, out + err)

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

    def test_the_next_run_clears_away_one_that_was_killed_with_its_janitor(self):
        run = self.start("torture", "--seconds", "60", "--services", "2", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.wait_until(self.clients)
        own = [pid for pid, line in support.marked(self.mark).items() if " torture --seconds 60 " in line]
        self.assertIn(run.pid, own)
        for pid in own:
            os.kill(pid, signal.SIGSTOP)
        for pid in [*support.marked(self.mark), *own]:  # who runs now may have ended by itself
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()
        self.wait_until(lambda: not any(map(is_alive, own)))  # till then its folder is taken for one in use
        left, = os.listdir(self.work)
        for name in ("procref-torture-others", "procref-torture-folder"):
            os.mkdir(os.path.join(self.work, name), 0o700)
        with open(os.path.join(self.work, "procref-torture-others", "board"), "w") as file:
            file.write("of nobody we know")
        done = self.procref("torture", "--seconds", "1", "--services", "1", "--clients", "1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(sorted(os.listdir(self.work)), ["procref-torture-folder", "procref-torture-others"])

    def test_what_is_kept_is_not_cleared_away_by_the_next_run(self):
        for _ in range(2):
            done = self.procref("torture", "--seconds", "1", "--services", "1", "--clients", "1", "--keep")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(os.listdir(self.work)), 2)

    def on_a_small_disk(self, size, script):
        """Runs the script in a private mount namespace, with $TMPDIR on a file system of that size."""
        words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespace for this user")
        mount = f"set -e; mount -t tmpfs -o size={size} small {self.work}; cd {self.work}; set +e; "
        return subprocess.run([*words, "sh", "-c", mount + script], capture_output=True, text=True, env=self.env,
                              timeout=support.PATIENCE)

    def test_a_full_disk_is_no_verdict_and_nothing_is_left(self):
        done = self.on_a_small_disk("8m", "(sleep 2; dd if=/dev/zero of=filler bs=64k 2>/dev/null) & "
                                    "procref torture --seconds 60; echo status $?; wait; rm filler; ls -A")
        self.assertIn("status 111\n", done.stdout, done.stderr)
        self.assertRegex(done.stdout, "no verdict: nothing can be written to .*; make room, or set TMPDIR")
        self.assertTrue(done.stdout.endswith("status 111\n"), done.stdout)
        self.assertNotIn("violation after", done.stderr)

    def test_a_disk_that_is_full_from_the_start_is_told_and_no_folder_is_left(self):
        done = self.on_a_small_disk("64k", "procref torture --seconds 2; echo status $?; ls -A")
        self.assertEqual(done.stdout, "status 111\n", done.stderr)
        self.assertRegex(done.stderr, "cannot make what is needed in .*: No space left on device")

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
