"""What the other tests rest on."""
import os
import subprocess
import sys
import unittest

from support import World, marked

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


if __name__ == "__main__":
    unittest.main()
