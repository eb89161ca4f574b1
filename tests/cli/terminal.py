"""A program on a pseudo-terminal of its own, for the tests."""
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time

from support import PATIENCE


class Terminal:
    def __init__(self, argv, env, cwd, columns=100):
        self.seen = ""
        self.pid, self.fd = os.forkpty()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                os.chdir(cwd)
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(127)

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """What is written up to and with the pattern; it is not seen again."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            try:
                part = os.read(self.fd, 65536).decode(errors="replace") if ready else ""
            except OSError:  # EIO: nobody has the terminal any more
                part = ""
            if part == "":
                raise AssertionError(f"{pattern!r} did not come: {self.seen!r}")
            self.seen += part
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return before

    def rest(self):
        """All that comes until nobody has the terminal any more."""
        text, self.seen = self.seen, ""
        while True:
            try:
                part = os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                return text
            if not part:
                return text
            text += part

    def close(self):
        """As if its window were closed."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def wait(self):
        """The wait status of the program."""
        if self.pid > 0:
            self.status = os.waitpid(self.pid, 0)[1]
            self.pid = 0
        return self.status

    def end(self):
        self.close()
        if self.pid > 0:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
