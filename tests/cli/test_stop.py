"""procref stop: what nobody holds, or by force."""
import os
import signal
import unittest

from clients import SERVICE, ClientWorld
from support import is_alive


class Stop(ClientWorld):
    def test_what_is_held_is_not_stopped_and_who_holds_it_is_named(self):
        client = self.client("--mine")
        pid = client.hold(self.db, SERVICE)
        done = self.procref("stop", self.db)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"^procref stop: '{self.db}' is held by {client.pid} \(client --mine\) since "
                                      r"\d\d:\d\d:\d\d: end them, or use --force\n$")
        self.assertTrue(is_alive(pid))
        self.assertEqual(client.ask("count")["n"], "1")
        client.end()

    def test_a_linger_is_ended_at_once(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, linger=3600000)
        client.end()
        self.wait_until(lambda: self.status(self.db)["state"] == "lingering")
        done = self.procref("stop", self.db)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status(self.db)["state"], "not running")

    def test_what_does_not_run_is_stopped_already(self):
        done = self.procref("stop", self.db)
        self.assertEqual((done.returncode, done.stderr), (0, f"procref stop: '{self.db}' is not running\n"))

    def test_force_ends_it_for_its_holders_and_no_policy_restarts_it(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, "--events", f"{self.work}/events", restart="always")
        done = self.procref("stop", self.db, "--force")
        self.assertEqual(done.returncode, 0)
        self.assertIn("is stopped; who still holds it (1)", done.stderr)
        self.assertFalse(is_alive(pid))
        service = self.status(self.db)
        self.assertEqual((service["state"], service["error"]),
                         ("gave up", f"'{self.db}' was stopped by 'procref stop --force'"))
        self.assertEqual(client.ask("gone 10000")["what"], "gone")
        self.assertEqual(self.procref("stop", self.db).returncode, 0)  # it is
        other = self.client()
        fresh = other.hold(self.db, SERVICE, "--events", f"{self.work}/events", restart="always")  # asks for a fresh start
        self.assertNotEqual(fresh, pid)
        self.assertEqual(self.status(self.db)["state"], "up")
        client.end()
        other.end()

    def test_force_needs_nobody_to_hold_it(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, linger=3600000)
        client.end()
        done = self.procref("stop", self.db, "--force")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status(self.db)["state"], "not running")

    def test_a_start_that_somebody_waits_for_is_stopped_by_force_only(self):
        client = self.client()
        client.open(self.db, SERVICE, ready=f"exec:test -e {self.work}/never")
        client.tell("acquire -1")
        self.wait_until(lambda: self.status(self.db)["state"] == "starting" and self.status(self.db)["pid"])
        done = self.procref("stop", self.db)
        self.assertEqual(done.returncode, 1)
        self.assertIn("about to be held", done.stderr)
        self.assertEqual(self.procref("stop", self.db, "--force").returncode, 0)
        answer = client.answer()
        self.assertEqual(answer["what"], "error")
        self.assertIn("was stopped by 'procref stop --force'", answer["message"])
        self.assertEqual(self.status(self.db)["state"], "not running")
        client.end()

    def test_a_service_of_functions_is_ended_by_force_as_well(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, "--port", "${PORT}", callbacks=1)
        self.assertEqual(self.procref("stop", self.db).returncode, 1)
        self.assertEqual(self.procref("stop", self.db, "--force").returncode, 0)
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.status(self.db)["state"], "down")
        client.end()

    def test_a_stop_that_takes_longer_than_its_timeout_says_so_and_goes_on(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, "--notify", "--ignore-term", ready="notify", stop_timeout=5000)
        done = self.procref("stop", self.db, "--force", "--timeout", "1s")
        self.assertEqual(done.returncode, 111)
        self.assertIn("was not stopped in time", done.stderr)
        self.wait_until(lambda: not is_alive(pid))
        client.end()

    def test_a_keeper_that_is_killed_meanwhile_is_replaced_and_the_service_stopped(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, "--notify", "--stop-delay-ms", "3000", "--events", f"{self.work}/events",
                          ready="notify", linger=3600000)
        client.end()
        service = self.status(self.db)
        stop = self.start("stop", self.db)
        self.wait_until(lambda: "stop-signal" in self.read("events"))
        os.kill(service["keeper"], signal.SIGKILL)
        self.assertEqual(stop.wait(timeout=20), 0)
        self.assertFalse(is_alive(pid))
        self.assert_gone(self.db)

    def test_a_forced_stop_of_many_holders_counts_them(self):
        clients = [self.client() for _ in range(12)]
        for client in clients:
            client.hold(self.db, SERVICE)
        done = self.procref("stop", self.db)
        self.assertIn("and 2 more: end them", done.stderr)
        done = self.procref("stop", self.db, "--force")
        self.assertIn("still holds it (12)", done.stderr)
        for client in clients:
            client.kill()
        self.assert_gone(self.db)


if __name__ == "__main__":
    unittest.main()
