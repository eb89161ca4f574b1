"""procref ps: which services run, who holds them, why they are alive."""
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest

from clients import SERVICE, ClientWorld, record_page
from support import PATIENCE, PROCREF, is_alive, state_of

MAGIC = 0x70726377 # of src/core/wire.h

class Ps(ClientWorld):
    def test_what_cannot_be_written_is_an_error(self):
        self.client().hold(self.db, SERVICE)  # without a service `ps` writes nothing
        for words in (["ps"], ["ps", "--json"], ["ps", "--help"], ["--help"], ["--version"]):
            with self.subTest(words=words), open("/dev/full", "w") as full:
                done = subprocess.run([PROCREF, *words], env=self.env, cwd=self.work, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 111)
                self.assertIn("cannot write to the standard output", done.stderr)

    def test_without_services_it_says_so_and_prints_an_empty_list(self):
        alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]  # no services of other tests
        run = lambda *words: subprocess.run([*alone, PROCREF, *words], capture_output=True, text=True, env=self.env)
        if subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
            self.skipTest("no network namespace can be made here")
        done = run("ps")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", "procref ps: no services\n"))
        self.assertEqual(json.loads(run("ps", "--json").stdout), [])

    def test_each_holder_is_named_and_one_that_was_killed_no_more(self):
        first, second = self.client("--one"), self.client("--two")
        pid = first.hold(self.db, SERVICE)
        second.hold(self.db, SERVICE)
        line, = self.ps()
        self.assertRegex(line, rf"^{self.db} +{pid} +- +1 +\d\.\d s +up +(user +)?{first.pid} \(client --one\) since "
                               rf"\d\d:\d\d:\d\d, {second.pid} \(client --two\) since \d\d:\d\d:\d\d$")
        second.kill()
        service = self.service()
        self.assertEqual([holder["pid"] for holder in service["holders"]], [first.pid])
        self.assertEqual(service["references"], {"kernel": 1, "removed_counter": 0, "named": 1})
        first.end()
        self.assert_gone(self.db)
        self.assertEqual(self.services(), [])

    def test_all_services_are_listed_by_name_and_each_scope_is_told(self):
        project = f"{self.work}/project"
        os.mkdir(project, 0o700)
        client = self.client()
        client.hold(f"{self.db}-b", SERVICE)
        client.hold(f"{self.db}-a", SERVICE, linger=60000)
        client.hold(f"{self.db}-a", SERVICE, base_dir=project)
        self.assertEqual([(s["name"], s["scope"]) for s in self.services()],
                         [(f"{self.db}-a", "user"), (f"{self.db}-a", project), (f"{self.db}-b", "user")])
        for line, scope in zip(self.ps(), ("user", "project", "user")):
            self.assertRegex(line, rf" up +{scope} +{client.pid} \(client\)")
        self.assertEqual(client.ask("release 1")["what"], "ok")
        self.wait_until(lambda: self.services()[0]["state"] == "lingering")
        self.assertRegex(self.services()[0]["because"], r"^alive because it lingers for 5[0-9] s more; nobody holds it$")
        self.assertEqual(self.procref("stop", f"{self.db}-a").returncode, 0)
        client.end()

    def test_who_comes_during_the_linger_holds_it(self):
        first, second = self.client(), self.client("--two")
        first.hold(self.db, SERVICE, linger=60000)
        first.end()
        self.wait_until(lambda: self.service()["state"] == "lingering")
        second.hold(self.db, SERVICE, linger=60000)
        service = self.service()
        self.assertEqual(service["state"], "up")
        self.assertRegex(service["because"], rf"^alive because 1 process holds it: {second.pid} ")
        second.end()
        self.wait_until(lambda: self.service()["state"] == "lingering")
        self.assertEqual(self.procref("stop", self.db).returncode, 0)

    def stop_keepers(self, service, full):
        """Stops both keepers; full: lets so many come and go that nobody finds a place in their queue any more."""
        for process in (service["keeper"], service["standby"]):
            os.kill(process, signal.SIGSTOP)
            self.addCleanup(lambda process=process: is_alive(process) and os.kill(process, signal.SIGCONT))
            self.wait_until(lambda: state_of(process) == "T")
        with open("/proc/net/unix") as file:
            names = {words[6]: words[7] for words in map(str.split, file) if len(words) == 8}
        folder = f"/proc/{service['keeper']}/fd"
        inodes = {os.readlink(f"{folder}/{fd}").partition("[")[2][:-1] for fd in os.listdir(folder)}
        [name] = {name for inode, name in names.items() if inode in inodes and name.startswith("@procref/")}
        while full:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as comer:
                comer.setblocking(False)
                try:
                    comer.connect("\0" + name[1:])
                except BlockingIOError:
                    break

    def let_go_on(self, service):
        for process in (service["keeper"], service["standby"]):
            os.kill(process, signal.SIGCONT)

    def test_a_stopped_keeper_is_said_not_to_answer(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE)
        for full in (False, True):
            with self.subTest(full=full):
                before = self.service()
                self.stop_keepers(before, full)
                service = self.service()
                self.assertEqual((service["name"], service["state"], service["pid"]), (self.db, "no answer", pid))
                self.assertIn("stopped by a signal", service["because"])
                self.assert_as_documented(service)
                self.assertIn("does not answer", self.procref("status", self.db).stdout)
                done = self.procref("stop", self.db, "--timeout", "1")
                self.assertEqual(done.returncode, 111)
                self.assertIn("does not answer", done.stderr)
                self.let_go_on(before)
                self.assertEqual(self.services()[0]["state"], "up")
        client.end()

    def test_a_stopped_keeper_lets_nobody_wait_longer_than_was_said(self):
        client, other = self.client(), self.client()
        client.hold(self.db, SERVICE)
        other.open(self.db, SERVICE)
        run = ["run", self.db, "--share", "--command", SERVICE, "-t"]
        for full in (False, True):
            service = self.service()
            self.stop_keepers(service, full)
            for words, most in ((["stop", self.db, "-t", "100ms"], 0.7), (["wait", self.db, "-t", "100ms"], 0.7),
                                ([*run, "200ms", "--", "true"], 0.9), ([*run, "0", "--", "true"], 1.9)):
                with self.subTest(full=full, words=words):
                    times = []
                    while len(times) < 5 and min(times, default=most) >= most:  # the machine may stall; one that is short proves it
                        begin = time.monotonic()
                        done = self.procref(*words)
                        times.append(time.monotonic() - begin)
                    self.assertLess(min(times), most)
                    self.assertEqual(done.returncode, 111)
                    if words[0] != "wait":
                        self.assertIn(f"procref {words[0]}: '{self.db}': its keeper does not answer: ", done.stderr)
            self.assertIn("does not answer", str(other.ask("acquire 0")))
            self.let_go_on(service)
            self.assertEqual(self.procref(*run, "0", "--", "true").returncode, 0)
        client.end()
        other.end()

    def test_a_service_whose_keepers_were_killed_is_shown_without_one(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE)
        service = self.service()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in (service["standby"], service["keeper"]):
                os.kill(process, number)
        self.wait_until(lambda: not is_alive(service["keeper"]) and not is_alive(service["standby"]))
        orphan = self.service()
        self.assertEqual((orphan["name"], orphan["pid"], orphan["state"], orphan["keeper"]),
                         (self.db, pid, "no keeper", None))
        self.assert_as_documented(orphan)
        self.assertIn("the next acquire takes it over", self.ps()[0])
        done = self.procref("stop", self.db)
        self.assertEqual(done.returncode, 111)
        self.assertIn("no keeper", done.stderr)
        other = self.client()
        self.assertEqual(other.hold(self.db, SERVICE), pid)
        self.assertEqual(self.services()[0]["state"], "up")
        client.end()
        other.end()

    def test_who_opens_a_service_again_and_again_leaves_room_for_others_on_the_record_page(self):
        first, second = self.client(), self.client()
        first.hold(self.db, SERVICE)
        self.assertEqual(second.ask(f"reopen 600 {self.db} arg={SERVICE}")["what"], "ok")
        with record_page(self.status(self.db)["keeper"]) as page:
            page.seek(12)
            self.assertLess(struct.unpack("<I", page.read(4))[0], 300)  # slots that were ever given out

    def test_a_count_that_differs_is_shown_as_such(self):
        first, second = self.client(), self.client()
        first.hold(self.db, SERVICE)
        second.hold(self.db, SERVICE)
        with record_page(self.status(self.db)["keeper"]) as page:
            page.seek(24)
            self.assertEqual(struct.unpack("<I", page.read(4)[:4])[0] != 0, True)
            page.seek(24)
            page.write(b"\0" * 4)  # the first slot says no more that its process holds
        service = self.service()
        self.assertEqual(service["references"], {"kernel": 2, "removed_counter": 0, "named": 1})
        self.assertIn("the kernel counts 2, the record page names 1", self.ps()[0])
        self.assertIn("the kernel counts 2, the record page names 1", self.procref("status", self.db).stdout)
        first.kill()
        second.kill()

    def test_a_count_that_differs_is_shown_beside_a_keeper_that_does_not_answer(self):
        client, silent = self.client(), self.client()
        client.hold(self.db, SERVICE)
        silent.hold(self.db + ".silent", SERVICE)
        with record_page(self.status(self.db)["keeper"]) as page:
            page.seek(24)
            page.write(b"\0" * 4)
        stopped = self.status(self.db + ".silent")
        self.stop_keepers(stopped, False)
        both = {service["name"]: service for service in self.services()}
        self.assertEqual(both[self.db + ".silent"]["state"], "no answer")
        self.assertEqual(both[self.db]["references"], {"kernel": 1, "removed_counter": 0, "named": 0})
        self.let_go_on(stopped)
        client.kill()
        silent.end()

    def test_control_characters_of_a_command_line_are_made_visible(self):
        client = self.client("\033[31mred", "two\nlines", "it's", "grün")
        client.hold(self.db, SERVICE)
        line, = self.ps()
        self.assertNotIn("\033", line)
        command = self.services()[0]["holders"][0]["command"]
        self.assertTrue(command.endswith(r"client '\033[31mred' 'two\nlines' 'it'\''s' grün"), command)
        client.end()

    def test_on_a_terminal_lines_are_cut_to_its_width(self):
        client = self.client(*("x" * 50 for _ in range(4)))
        client.hold(self.db, SERVICE)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen([PROCREF, "ps"], stdout=slave, env=self.env)
        os.close(slave)
        text = b""
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while select.select([master], [], [], PATIENCE)[0] and (part := os.read(master, 65536)):
                text += part
        os.close(master)
        self.assertEqual(process.wait(PATIENCE), 0)
        text = text.decode()
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80)
        line, = [line for line in text.splitlines() if self.db in line]
        self.assertTrue(line.endswith("…"), text)
        client.end()

    @staticmethod
    def answer_all(listener):
        """As a keeper of another version; each `procref ps` of this user asks, those of other tests too."""
        with contextlib.suppress(OSError):  # it was shut down
            while True:
                other, _ = listener.accept()
                with other, contextlib.suppress(OSError):
                    if other.recv(4096)[:4] == struct.pack("<I", MAGIC):
                        other.send(struct.pack("<II", MAGIC, 99) + bytes(200))
                    other.recv(4096)  # it has read that

    def test_a_keeper_of_another_version_is_named_as_such(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(f"\0procref/{os.geteuid()}/{0x1234567890abcdef:016x}/0")
            listener.listen()
            process = subprocess.Popen([PROCREF, "ps", "--json"], stdout=subprocess.PIPE, env=self.env, text=True)
            threading.Thread(target=self.answer_all, args=[listener], daemon=True).start()
            try:
                services = json.loads(process.communicate(timeout=PATIENCE)[0])
            finally:
                listener.shutdown(socket.SHUT_RDWR)
        self.assert_as_documented(services)
        self.assertIn((None, "other version"), [(one["name"], one["state"]) for one in services])

    def test_asking_starts_nothing_and_keeps_nothing_alive(self):
        self.procref("status", self.db)
        self.assertEqual(self.services(), [])
        client = self.client()
        pid = client.hold(self.db, SERVICE, linger=300)
        client.end()
        while self.status(self.db)["state"] != "not running":  # asked again and again all the linger long
            pass
        self.assertFalse(is_alive(pid))

    def test_an_operand_is_refused_with_what_was_meant(self):
        done = self.procref("ps", self.db)
        self.assertEqual(done.returncode, 100)
        self.assertIn("procref status db", done.stderr)


if __name__ == "__main__":
    unittest.main()
