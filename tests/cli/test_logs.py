"""procref logs: what a service wrote."""
import os
import signal
import subprocess
import unittest

from clients import SERVICE, ClientWorld
from support import PATIENCE


class Logs(ClientWorld):
    def setUp(self):
        super().setUp()
        self.fifo = f"{self.work}/fifo"
        os.mkfifo(self.fifo)

    def echoing(self, client, **settings):
        """A service that writes what it is told through the FIFO."""
        client.hold(self.db, "sh", "-c", f"exec cat <> {self.fifo}", **settings)
        feed = open(self.fifo, "w", buffering=1)
        self.addCleanup(feed.close)
        return feed

    def log(self):
        return f"{self.dir}/run/procref/{self.db}.log"

    def follower(self):
        process = self.start("logs", self.db, "-f", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.clients.append(process)  # ended with the test
        return process

    def test_without_a_log_it_says_where_it_would_be(self):
        done = self.procref("logs", self.db)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, f"procref logs: no log: {self.log()} is not there\n")

    def test_it_is_printed_also_after_the_service_has_ended(self):
        client = self.client()
        client.hold(self.db, SERVICE, "--print-lines", "3", "--print", "hello")
        self.wait_until(lambda: "hello" in self.procref("logs", self.db).stdout)
        client.end()
        self.assert_gone(self.db)
        done = self.procref("logs", self.db)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(self.log()) as file:
            self.assertEqual(done.stdout, file.read())
        self.assertIn("hello", done.stdout)

    def test_only_the_last_lines_also_of_what_was_cut_off(self):
        client = self.client()
        feed = self.echoing(client)
        feed.write("one\ntwo\nthree\n")
        self.wait_until(lambda: self.procref("logs", self.db).stdout == "one\ntwo\nthree\n")
        with open(f"{self.log()}.1", "w") as file:
            file.write("zero\n")
        for lines, text in (("0", ""), ("1", "three\n"), ("3", "one\ntwo\nthree\n"), ("4", "zero\none\ntwo\nthree\n"),
                            ("9", "zero\none\ntwo\nthree\n")):
            self.assertEqual(self.procref("logs", self.db, "-n", lines).stdout, text)
        feed.write("no end")
        feed.flush()
        self.wait_until(lambda: self.procref("logs", self.db, "-n", "2").stdout == "three\nno end")
        client.end()

    def test_following_prints_what_is_written_from_now_on(self):
        client = self.client()
        feed = self.echoing(client)
        feed.write("first\n")
        self.wait_until(lambda: "first" in self.procref("logs", self.db).stdout)
        follower = self.follower()
        self.assertEqual(follower.stdout.readline(), "first\n")
        for word in ("second", "third"):
            feed.write(word + "\n")
            self.assertEqual(follower.stdout.readline(), word + "\n")
        client.end()
        self.assert_gone(self.db)
        other = self.client()
        feed = self.echoing(other)
        feed.write("of the next life\n")
        self.assertEqual(follower.stdout.readline(), "of the next life\n")
        other.end()

    def test_following_begins_before_the_first_start(self):
        follower = self.start("logs", "-f", "first", "--base-dir", f"{self.work}/new",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(follower.stderr.readline(), f"procref logs: no log yet: waiting for {self.work}/new/first.log\n")
        self.assertEqual(os.stat(f"{self.work}/new").st_mode & 0o777, 0o700)
        self.procref("run", "first", "--base-dir", f"{self.work}/new", "--command", "echo here", "--ready", "log:here", "--", "true")
        self.assertEqual(follower.stdout.readline(), "here\n")
        follower.kill()
        follower.wait()

    def number_lines(self, feed, first, last):
        """Lines of 75 bytes; the log is cut beyond 1 MiB, so by line 13982, and not while others are written."""
        feed.write("".join(f"line {number:08d} {'x' * 60}\n" for number in range(first, last + 1)))

    def assert_lines(self, follower, first, last):
        numbers = [int(follower.stdout.readline().split()[1]) for _ in range(first, last + 1)]
        self.assertEqual(numbers, list(range(first, last + 1)))

    def test_following_goes_on_when_the_log_is_cut(self):
        client = self.client()
        feed = self.echoing(client)
        follower = self.follower()
        self.number_lines(feed, 1, 13981)
        self.assert_lines(follower, 1, 13981)
        self.number_lines(feed, 13982, 13982)
        self.assert_lines(follower, 13982, 13982)
        self.wait_until(lambda: os.path.exists(f"{self.log()}.1") and os.path.getsize(self.log()) == 0)
        self.number_lines(feed, 13983, 14000)
        self.assert_lines(follower, 13983, 14000)
        client.end()

    def test_a_follower_that_was_late_prints_what_was_cut_off_as_well(self):
        client = self.client()
        feed = self.echoing(client)
        follower = self.follower()
        self.number_lines(feed, 1, 500)
        self.assert_lines(follower, 1, 500)
        self.number_lines(feed, 501, 13000)
        self.assert_lines(follower, 501, 13000)
        os.kill(follower.pid, signal.SIGSTOP)
        self.number_lines(feed, 13001, 13982)
        self.wait_until(lambda: os.path.exists(f"{self.log()}.1") and os.path.getsize(self.log()) == 0)
        self.number_lines(feed, 13983, 14000)
        os.kill(follower.pid, signal.SIGCONT)
        self.assert_lines(follower, 13001, 14000)
        client.end()

    def test_following_finds_a_log_that_was_made_anew(self):
        client = self.client()
        pid = client.hold(self.db, "sh", "-c", f"echo begins; exec cat <> {self.fifo}")
        follower = self.follower()
        self.assertEqual(follower.stdout.readline(), "begins\n")
        os.unlink(self.log())
        os.kill(pid, 9)  # started again, with a new log
        self.assertEqual(follower.stdout.readline(), "begins\n")
        client.end()

    def test_following_ends_when_its_reader_has_gone(self):
        client = self.client()
        feed = self.echoing(client)
        feed.write("one\n")
        follower = self.follower()
        self.assertEqual(follower.stdout.readline(), "one\n")
        follower.stdout.close()
        self.assertEqual(follower.wait(timeout=PATIENCE), 0)  # though nothing more is written
        client.end()

    def test_following_sleeps_while_nothing_is_written(self):
        client = self.client()
        self.echoing(client).write("one\n")
        follower = self.follower()
        self.assertEqual(follower.stdout.readline(), "one\n")
        self.wait_until(lambda: open_state(follower.pid) == "S")
        before = switches(follower.pid)
        for _ in range(3):
            self.status(self.db)  # a service that is asked writes nothing
        self.assertEqual(switches(follower.pid), before)
        client.end()

    def test_a_folder_that_is_removed_ends_it_with_a_message(self):
        folder = f"{self.work}/own"
        os.mkdir(folder, 0o700)
        follower = self.start("logs", self.db, "--base-dir", folder, "--follow", stderr=subprocess.PIPE)
        self.assertEqual(follower.stderr.readline(), f"procref logs: no log yet: waiting for {folder}/{self.db}.log\n")
        os.rmdir(folder)
        self.assertEqual(follower.wait(timeout=PATIENCE), 111)
        self.assertEqual(follower.stderr.read(), f"procref logs: the folder of the log is gone: {folder}\n")


def open_state(pid):
    with open(f"/proc/{pid}/wchan") as file:
        return "S" if "poll" in file.read() else "R"


def switches(pid):
    with open(f"/proc/{pid}/status") as file:
        return [line for line in file if "ctxt_switches" in line]


if __name__ == "__main__":
    unittest.main()
