"""procref wait: until a service is gone."""
import os
import signal
import unittest

from clients import SERVICE, ClientWorld
from support import is_alive


class Wait(ClientWorld):
    def waiter(self):
        """A `procref wait` that is connected."""
        process = self.start("wait", self.db)
        self.wait_until(lambda: self.has_socket(process.pid))
        return process

    @staticmethod
    def has_socket(pid):
        folder = f"/proc/{pid}/fd"
        try:
            return any(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder) if int(fd) > 2)
        except FileNotFoundError:
            return False

    def test_what_does_not_run_is_gone_already(self):
        done = self.procref("wait", self.db)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_it_ends_when_the_last_holder_has_let_go(self):
        client, other = self.client(), self.client()
        pid = client.hold(self.db, SERVICE, "--stop-delay-ms", "200")
        other.hold(self.db, SERVICE, "--stop-delay-ms", "200")
        waiter = self.waiter()
        client.end()
        self.assertIsNone(waiter.poll())
        other.end()
        self.assertEqual(waiter.wait(timeout=20), 0)
        self.assertFalse(is_alive(pid))

    def test_it_ends_by_stop(self):
        client = self.client()
        client.hold(self.db, SERVICE, linger=3600000)
        client.end()
        waiter = self.waiter()
        self.assertEqual(self.procref("stop", self.db).returncode, 0)
        self.assertEqual(waiter.wait(timeout=20), 0)

    def test_a_wait_keeps_nothing_alive(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, linger=100)
        waiter = self.waiter()
        client.end()
        self.assertEqual(waiter.wait(timeout=20), 0)
        self.assertFalse(is_alive(pid))

    def test_it_gives_up_in_time(self):
        client = self.client()
        client.hold(self.db, SERVICE)
        done = self.procref("wait", self.db, "--timeout", "100ms")
        self.assertEqual(done.returncode, 111)
        self.assertIn("was not gone in time", done.stderr)
        client.end()

    def test_a_replaced_keeper_does_not_end_it(self):
        client = self.client()
        client.hold(self.db, SERVICE)
        waiter = self.waiter()
        for who in ("keeper", "standby", "keeper"):
            service = self.status(self.db)
            os.kill(service[who], signal.SIGKILL)
            self.wait_until(lambda: not is_alive(service[who]))
            self.wait_until(lambda: (now := self.status(self.db))["state"] == "up" and now["standby"] not in (None, service[who]))
        self.assertIsNone(waiter.poll())
        client.end()
        self.assertEqual(waiter.wait(timeout=20), 0)

    def test_without_keepers_it_ends_with_the_service(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE)
        waiter = self.waiter()
        service = self.status(self.db)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in (service["standby"], service["keeper"]):
                os.kill(process, number)
        self.wait_until(lambda: self.status(self.db)["state"] == "no keeper")
        self.assertIsNone(waiter.poll())
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(waiter.wait(timeout=20), 0)
        other = self.client()  # removes what the massacre has left
        other.hold(self.db, SERVICE)
        client.kill()
        other.end()


if __name__ == "__main__":
    unittest.main()
