"""
What a service says of itself by sd_notify(3) beyond that it is ready: which process it is (MAINPID=), and that it
needs more time (EXTEND_TIMEOUT_USEC=).
"""
import os
import signal
import socket
import time
import unittest

from files import Files
from support import HAS_POINTS, is_alive

PRELUDE = """
import os, signal, socket, sys, time
def say(text):
    said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    said.sendto(text.encode(), "\\0" + address[1:] if address[0] == "@" else address)
def write_down(name, text):
    with open("written", "w") as file:
        file.write(str(text))
    os.rename("written", name)
def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)
def replaced_by(code):
    # Ends when the other process, which runs code, says so.
    read, write = os.pipe()
    if os.fork() == 0:
        code()
        os.close(write)
        os.close(read)
        signal.pause()
    os.close(write)
    os.read(read, 1)
    sys.exit(0)
"""


class Notify(Files):
    def notifier(self, script, more=""):
        self.write("notifier", PRELUDE + script)
        self.unit(f"Type=notify\nNotifyAccess=all\nWorkingDirectory={self.work}\n"
                  f"ExecStart=/usr/bin/env python3 {self.work}/notifier\n{more}")

    def is_up_as(self, pid):
        status = self.status()
        return status["state"] == "up" and status["pid"] == pid

    def told(self, name):
        self.wait_until(lambda: os.path.exists(f"{self.work}/{name}"))
        with open(f"{self.work}/{name}") as file:
            return int(file.read())

    # ---- MAINPID= ----

    # The child writes its pid down and takes the service over; `how` is said by it.
    TAKES_OVER = """
def child():
    write_down("new", os.getpid())
    %s
replaced_by(child)
"""

    def test_a_service_may_name_another_process_before_it_is_ready_or_with_it(self):
        for how in ("say(f'MAINPID={os.getpid()}\\nREADY=1')", "say(f'READY=1\\nMAINPID={os.getpid()}')",
                    "say(f'MAINPID={os.getpid()}'); time.sleep(0.1); say('READY=1')"):
            with self.subTest(how):
                self.notifier(self.TAKES_OVER % how, "Restart=no\nExecStop=SAY stop $MAINPID\nExecStopPost=SAY $SERVICE_RESULT")
                holder = self.hold()
                new = self.told("new")
                self.wait_until(lambda: self.is_up_as(new))
                time.sleep(0.3)  # the time in which the old one's end would have been taken for the service's
                self.assertTrue(self.is_up_as(new))
                self.let_go(holder)
                self.assertEqual(self.said(), [f"stop {new}", "success"])
                self.assertFalse(is_alive(new))
                os.unlink(self.log)
                os.unlink(f"{self.work}/new")

    def test_who_names_another_and_ends_at_once_is_heard(self):
        for _ in range(20):
            self.notifier("""
child = os.fork()
if child == 0:
    signal.pause()
write_down("new", child)
say(f"READY=1\\nMAINPID={child}")
os._exit(0)
""")
            holder = self.hold()
            self.wait_until(lambda: self.is_up_as(self.told("new")))
            self.let_go(holder)

    SAYS_WHEN_ASKED = """
def child():
    wait_for("go")
    write_down("new", os.getpid())
    say(f"MAINPID={os.getpid()}")
say("READY=1")
replaced_by(child)
"""

    def up_and_replaced(self, more=""):
        self.notifier(self.SAYS_WHEN_ASKED, more)
        holder = self.hold()
        old = self.status()["pid"]
        self.write("go", "")
        new = self.told("new")
        self.wait_until(lambda: not is_alive(old))
        self.wait_until(lambda: self.is_up_as(new))
        return holder, old, new

    def test_a_service_that_is_up_may_name_another_process(self):
        holder, old, new = self.up_and_replaced("ExecStop=SAY stop $MAINPID")
        self.assertNotEqual(old, new)
        self.assertEqual(self.status()["restarts"], 0)
        done = self.procref("run", "it", "--", "sh", "-c", "echo $PROCREF_PID")
        self.assertEqual(done.stdout, f"{new}\n")
        self.let_go(holder)
        self.assertEqual(self.said(), [f"stop {new}"])

    def test_the_end_of_the_process_that_was_named_is_the_services(self):
        holder, _, new = self.up_and_replaced("Restart=no\nExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS")
        os.kill(new, signal.SIGKILL)
        self.wait_until(lambda: self.said() == ["signal killed KILL"])
        self.let_go(holder)

    def test_who_takes_over_from_a_killed_keeper_knows_the_process_that_was_named(self):
        holder, _, new = self.up_and_replaced("Restart=no\nExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS")
        keeper = self.pair()[0]
        os.kill(keeper, signal.SIGKILL)
        self.wait_until(lambda: self.pair()[0] != keeper and self.is_up_as(new))
        self.assertEqual(self.status()["restarts"], 0)
        os.kill(new, signal.SIGKILL)  # it is the standby's child or the keeper's now
        self.wait_until(lambda: self.said() == ["signal killed KILL"])
        self.let_go(holder)

    def test_what_is_said_after_one_of_the_pair_was_killed_is_heard(self):
        for number in (0, 1):
            with self.subTest(number=number):
                self.notifier(self.SAYS_WHEN_ASKED, "Restart=no")
                holder = self.hold()
                victim = self.pair()[number]
                os.kill(victim, signal.SIGKILL)
                self.wait_until(lambda: not {None, victim} & set(self.pair()))
                self.write("go", "")
                self.wait_until(lambda: self.is_up_as(self.told("new")))
                self.assertEqual(self.status()["restarts"], 0)
                self.let_go(holder)
                os.unlink(f"{self.work}/go")
                os.unlink(f"{self.work}/new")

    def test_after_a_massacre_the_next_adopts_the_process_that_was_named(self):
        holder, _, new = self.up_and_replaced()
        pair = self.pair()
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not any(is_alive(pid) for pid in pair))
        done = self.procref("run", "it", "--", "sh", "-c", "echo $PROCREF_PID")
        self.assertEqual((done.stdout, done.stderr), (f"{new}\n", ""))
        self.let_go(holder)

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_a_keeper_killed_while_another_process_is_named_changes_nothing(self):
        self.env["PROCREF_CRASH"] = f"named in the page, not in the hint@{self.work}/killed"
        holder, _, _ = self.up_and_replaced()
        self.assertTrue(os.path.exists(f"{self.work}/killed"))
        self.assertEqual(self.status()["restarts"], 0)
        self.let_go(holder)

    def test_a_forking_service_that_notifies_may_name_its_process(self):
        self.notifier(self.TAKES_OVER % "say(f'MAINPID={os.getpid()}\\nREADY=1')")
        with open(f"{self.work}/it.service", "a") as file:
            file.write("[Service]\nType=forking\n[X-Procref]\nReady=notify\n")
        holder = self.hold()
        self.wait_until(lambda: self.is_up_as(self.told("new")))
        self.let_go(holder)

    def test_what_is_no_process_of_the_service_is_not_believed(self):
        for pid in (os.getpid(), 1, 0, "-1", "x", "99999999999", "{os.getppid()}", ""):
            with self.subTest(pid=pid):
                self.notifier(f"write_down('new', os.getpid())\nsay(f'MAINPID={pid}\\nREADY=1')\nsignal.pause()")
                holder = self.hold()
                self.assertTrue(self.is_up_as(self.told("new")))
                self.let_go(holder)

    def test_a_stranger_names_no_process(self):
        self.notifier("""
write_down("address", os.environ["NOTIFY_SOCKET"])
child = os.fork()
if child == 0:
    signal.pause()
write_down("new", child)
say("READY=1")
wait_for("go")
say("STATUS=heard after the stranger")
open("done", "w").close()
signal.pause()
""")
        holder = self.hold()
        old, child = self.status()["pid"], self.told("new")
        with open(f"{self.work}/address") as file:
            address = "\0" + file.read()[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(f"MAINPID={child}".encode(), address)
        self.write("go", "")
        self.wait_until(lambda: os.path.exists(f"{self.work}/done"))
        self.assertTrue(self.is_up_as(old))
        self.let_go(holder)

    # ---- EXTEND_TIMEOUT_USEC= ----

    def test_a_start_may_take_longer_when_it_says_so_in_time(self):
        self.notifier("""
for _ in range(4):
    say("EXTEND_TIMEOUT_USEC=10000000")
    time.sleep(1.5)
say("READY=1")
signal.pause()
""", "TimeoutStartSec=5")
        self.assertEqual(self.run_it("true").returncode, 0)

    def test_a_start_that_says_no_more_ends_when_its_last_word_says(self):
        self.notifier("say('EXTEND_TIMEOUT_USEC=5000000')\nsignal.pause()", "TimeoutStartSec=3s")
        begin = time.monotonic()
        self.assertEqual(self.run_it("true").returncode, 111)
        self.assertGreater(time.monotonic() - begin, 4.9)

    def test_a_limit_never_gets_shorter_and_nonsense_changes_nothing(self):
        for words in ("1", "1000", "0", "-5", "x", "18446744073709551615", "99999999999999999999999"):
            with self.subTest(words):
                gets_ready = words < "2"
                self.notifier(f"say('EXTEND_TIMEOUT_USEC={words}')\ntime.sleep(0.1)\nif {gets_ready}:\n"
                              "    say('READY=1')\nsignal.pause()", f"TimeoutStartSec={'20s' if gets_ready else '1500ms'}")
                self.assertEqual(self.run_it("true").returncode, 0 if gets_ready else 111)

    STOPS_SLOWLY = """
def stop(*_):
    for _ in range(4):
        say("EXTEND_TIMEOUT_USEC=10000000")
        time.sleep(1.5)
    open("ended", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("READY=1")
while True:
    signal.pause()
"""

    def test_an_end_may_take_longer_when_it_says_so_in_time(self):
        for how in ("", "ExecStop=/bin/sh -c 'kill $MAINPID; while kill -0 $MAINPID; do sleep 0.05; done'"):
            with self.subTest(how):
                self.notifier(self.STOPS_SLOWLY, f"TimeoutStopSec=5\n{how}\nExecStopPost=SAY $SERVICE_RESULT")
                self.assertEqual(self.run_it("true").returncode, 0)
                self.assertTrue(os.path.exists(f"{self.work}/ended"))
                self.assertEqual(self.said(), ["success"])
                os.unlink(f"{self.work}/ended")
                os.unlink(self.log)

    def test_what_is_said_while_it_runs_changes_no_later_limit(self):
        self.notifier("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('READY=1')\nsay('EXTEND_TIMEOUT_USEC=20000000')\n"
                      "open('said.so', 'w').close()\nwhile True: signal.pause()",
                      "TimeoutStopSec=300ms\nExecStopPost=SAY $SERVICE_RESULT")
        begin = time.monotonic()
        self.assertEqual(self.run_it("sh", "-c", f"until [ -e {self.work}/said.so ]; do sleep 0.05; done").returncode, 0)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(self.said(), ["timeout"])


if __name__ == "__main__":
    unittest.main()
