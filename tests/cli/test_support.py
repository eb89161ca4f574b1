"""What the other tests rest on."""
import os
import subprocess
import sys
import unittest
from unittest import mock

import support
from support import HELPERS, RUN, World, marked

# Each process starts the next and ends; the last one ends after the first line of its standard input.
CHAIN = """
import os, select
while not select.select([0], [], [], 0)[0]:
    if os.fork() != 0:
        os._exit(0)
"""
EXECS = 'read -t 0 line || exec "$BASH" -c "$0" "$0"'


class Marked(World):
    def always_found(self, *command):
        read, write = os.pipe()  # open for writing in each of them: closed when all have ended
        with subprocess.Popen(command, env=self.env, stdin=subprocess.PIPE, stdout=write) as process:
            os.close(write)
            found = [len(marked(self.mark)) for _ in range(50)]
            process.stdin.write(b"\n")
            process.stdin.close()
            os.read(read, 1)
            os.close(read)
        self.assertEqual(found.count(0), 0, found)

    def test_a_process_that_passes_on_its_work_is_found_at_each_moment(self):
        self.always_found(sys.executable, "-c", CHAIN)

    def test_a_process_that_executes_another_program_is_found_at_each_moment(self):
        self.always_found("bash", "-c", EXECS, EXECS)


class StateOf(World):
    def test_a_process_that_ends_before_its_file_is_opened_or_read_is_gone(self):
        for opened in (False, True):
            with self.subTest(opened=opened), subprocess.Popen(["sleep", "1000"], env=self.env) as process:
                self.assertTrue(support.is_alive(process.pid))

                def ends(*words):
                    file = open(*words) if opened else None
                    process.kill()
                    process.wait()
                    return file or open(*words)
                with mock.patch.object(support, "open", ends, create=True):
                    self.assertEqual(support.state_of(process.pid), "gone")
                self.assertFalse(support.is_alive(process.pid))


class Leftovers(World):
    """The last test of a run, which looks for what the suite left."""

    def leftovers(self, *words):
        program = os.path.join(os.path.dirname(HELPERS), "leftovers")
        return subprocess.run([program, *words], capture_output=True, text=True, env={**self.env, "TMPDIR": self.dir}).stdout

    def test_a_folder_of_an_earlier_run_that_was_cut_off_is_not_held_against_this_one(self):
        earlier, now = (f"{self.dir}/procref-test-{RUN}-{when}" for when in ("earlier", "now"))
        os.mkdir(earlier)
        self.leftovers("remember", f"{self.dir}/seen")
        os.mkdir(now)
        left = self.leftovers("compare", f"{self.dir}/seen", "1").splitlines()
        self.assertIn(f"left: folder {now}", left)
        self.assertNotIn(f"left: folder {earlier}", left)


if __name__ == "__main__":
    unittest.main()
