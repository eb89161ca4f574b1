"""procref status: one service, its holders, and why it is alive."""
import os
import signal
import subprocess
import unittest

import support
from clients import SERVICE, ClientWorld
from support import is_alive


class Status(ClientWorld):
    def assert_sentence(self, pattern):
        service = self.status(self.db)
        self.assert_as_documented(service)
        self.assertRegex(service["because"], pattern)
        self.assertTrue(self.procref("status", self.db).stdout.startswith(f"{self.db}: "))
        return service

    def test_what_does_not_run_is_said_and_the_exit_status_is_1(self):
        done = self.procref("status", self.db)
        self.assertEqual((done.returncode, done.stdout), (1, f"{self.db}: not running\n"))
        self.assertFalse(self.assert_sentence("^not running$")["running"])

    def test_a_process_that_holds_it_twice_is_named_once(self):
        run = ["run", self.db, "--command", f"{SERVICE} --notify", "--ready", "notify", "--"]
        user = self.start(*run, support.PROCREF, *run, "cat", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_until(lambda: self.status(self.db)["references"] == {"kernel": 2, "removed_counter": 0, "named": 2})
        self.wait_until(lambda: "(cat)" in self.status(self.db)["because"])
        once = rf"{user.pid} \(cat\) x2 since \d\d:\d\d:\d\d"
        self.assert_sentence(rf"^alive because 1 process holds it: {once}$")
        self.assertEqual([holder["pid"] for holder in self.status(self.db)["holders"]], [user.pid] * 2)
        self.assertRegex(self.procref("status", self.db).stdout, rf"  held by    {user.pid} \(cat\) x2 since [^\n]*\n$")
        self.assertRegex(self.procref("ps").stdout, rf" {once}\n")
        self.assertRegex(self.procref("stop", self.db).stderr, rf"is held by {once}: end them")
        user.stdin.close()
        self.assertEqual(user.wait(), 0)

    def test_everything_about_a_service_is_told(self):
        client = self.client("-n", "8")
        client.open(self.db, SERVICE, "--port", "${PORT}", ready="tcp", linger=90000)
        held = client.ask("acquire 20000")
        done = self.procref("status", self.db)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        service = self.status(self.db)
        self.assertRegex(done.stdout, "\n".join((
            rf"^{self.db}: alive because 1 process holds it: {client.pid} \(client -n 8\) since \d\d:\d\d:\d\d",
            rf"  command    {SERVICE} --port '\${{PORT}}'",
            rf"  pid        {held['pid']}",
            rf"  port       {held['port']}",
            r"  generation 1",
            r"  up since   \d\d:\d\d:\d\d \(\d\.\d s ago\)",
            r"  linger     1 min",
            r"  restarts   0",
            rf"  keeper     {service['keeper']}, standby {service['standby']}",
            rf"  log        {self.dir}/run/procref/{self.db}.log",
            rf"  held by    {client.pid} \(.*/client -n 8\) since \d\d:\d\d:\d\d \(\d\.\d s ago\)\n$")))
        self.assertEqual(service["command"], [SERVICE, "--port", "${PORT}"])
        self.assertEqual((service["linger_ms"], service["generation"], service["running"]), (90000, 1, True))
        self.assertEqual(service["error"], None)
        self.assert_as_documented(service)
        client.end()
        self.assertEqual(self.procref("stop", self.db).returncode, 0)

    def test_a_start_says_what_it_waits_for(self):
        client = self.client()
        client.open(self.db, SERVICE, "--ready-file", f"{self.work}/never", ready=f"exec:test -e {self.work}/ever",
                    start_timeout=60000)
        client.tell("acquire -1")
        self.wait_until(lambda: self.status(self.db)["state"] == "starting" and self.status(self.db)["pid"])
        service = self.assert_sentence(r"^starting: waits until it is ready \(exec:test -e .*/ever\), for 5\d s more at most$")
        self.assertTrue(service["running"])
        self.write("ever", "")
        self.assertEqual(client.answer()["what"], "held")
        client.end()

    def test_a_restart_is_counted_with_why_it_was_needed(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE)
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: self.status(self.db)["restarts"] == 1)
        service = self.assert_sentence("^alive because 1 process holds it")
        self.assertNotEqual(service["pid"], pid)
        self.assertEqual((service["generation"], service["failures"]), (2, 1))
        self.assertIn("killed by signal 9", service["error"])
        client.end()

    def test_one_that_gave_up_says_why_and_who_keeps_it(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, restart="never")
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: self.status(self.db)["state"] == "gave up")
        service = self.assert_sentence(rf"^gave up: .*killed by signal 9.*; its keeper stays because 1 process holds "
                                       rf"it: {client.pid} \(client\)")
        self.assertEqual((service["running"], service["pid"], service["port"]), (False, None, None))
        self.assertEqual(self.procref("status", self.db).returncode, 1)
        client.end()

    def test_a_service_of_functions_is_told_of_as_well(self):
        client = self.client()
        pid = client.hold(self.db, SERVICE, "--port", "${PORT}", callbacks=1)
        service = self.assert_sentence("^alive because 1 process holds it")
        self.assertEqual((service["pid"], service["command"], service["log"]), (pid, None, None))
        self.assertIn("started by a client's functions", self.procref("status", self.db).stdout)
        client.end()

    def test_since_when_it_is_held_is_kept_when_the_keeper_is_replaced(self):
        client = self.client()
        client.hold(self.db, SERVICE)
        before = self.status(self.db)
        os.kill(before["keeper"], signal.SIGKILL)
        self.wait_until(lambda: not is_alive(before["keeper"]) and self.status(self.db)["state"] == "up")
        after = self.status(self.db)
        self.assertNotEqual(after["keeper"], before["keeper"])
        for key in ("pid", "generation", "up_since", "started", "holders", "references", "restarts"):
            self.assertEqual(after[key], before[key])
        client.end()

    def test_a_keeper_that_takes_over_does_not_say_that_a_counter_was_removed(self):
        client = self.client()
        client.hold(self.db, SERVICE)
        for _ in range(20):
            self.wait_until(lambda: self.status(self.db)["standby"] is not None)
            os.kill(self.status(self.db)["keeper"], signal.SIGKILL)
            service = {"state": ""}
            while service["state"] != "up":  # the moments until then are what is looked at
                text = self.procref("status", self.db).stdout
                self.assertNotIn("somebody removed", text)
                self.assertNotIn("the kernel counts", text)
                service = self.status(self.db)
                self.assertEqual([holder["removed_counter"] for holder in service["holders"]], [False] * len(service["holders"]))
        client.end()

    def test_a_log_that_is_not_there_is_not_told(self):
        self.assertIsNone(self.status(self.db)["log"])
        os.mkdir(f"{self.dir}/run/procref")
        os.chmod(f"{self.dir}/run/procref", 0o777)  # nothing is written where anybody may write
        client = self.client()
        client.hold(self.db, SERVICE)
        service = self.status(self.db)
        self.assert_as_documented(service)
        self.assertIsNone(service["log"])
        self.assertNotIn("  log ", self.procref("status", self.db).stdout)
        self.assertEqual(self.procref("logs", self.db).returncode, 1)
        client.end()

    def test_a_holder_whose_counter_was_removed_is_still_named(self):
        client = self.client()
        client.hold(self.db, SERVICE)
        ours = support.set_used_by(client.pid)
        self.assertEqual(os.system(f"ipcrm -s {ours}"), 0)
        other = self.client()
        other.hold(self.db, SERVICE)
        service = self.status(self.db)
        self.assert_as_documented(service)
        self.assertEqual(service["references"], {"kernel": 1, "removed_counter": 1, "named": 2})
        self.assertEqual({holder["pid"]: holder["removed_counter"] for holder in service["holders"]},
                         {client.pid: True, other.pid: False})
        self.assertIn("in a counter that somebody removed", self.procref("status", self.db).stdout)
        client.end()
        other.end()

    def test_a_base_dir_is_a_scope_of_its_own(self):
        folder = f"{self.work}/own"
        os.mkdir(folder, 0o700)
        client = self.client()
        client.hold(self.db, SERVICE, base_dir=folder)
        self.assertEqual(self.procref("status", self.db).returncode, 1)
        done = self.procref("status", self.db, "--base-dir", folder)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"log        {folder}/{self.db}.log", done.stdout)
        client.end()

    def test_a_service_file_s_service_is_found_by_file_and_by_name(self):
        project = f"{self.work}/project"
        self.write(f"project/{self.db}.service", f"[Service]\nExecStart={SERVICE}\n")
        holder = self.start("hold", self.db, cwd=project)
        self.wait_until(lambda: [one["state"] for one in self.services()] == ["up"])
        for words, cwd in (((self.db,), project), (("-f", f"project/{self.db}.service"), self.work)):
            done = self.procref("status", *words, cwd=cwd)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"1 process holds it: {holder.pid} (procref hold {self.db})", done.stdout)
        self.assertEqual(self.procref("status", self.db).returncode, 1)  # in the user's scope there is none
        self.assertRegex(self.ps()[0], r" up +project +\d+ \(procref hold")
        holder.terminate()
        self.assertEqual(self.procref("wait", self.db, cwd=project).returncode, 0)

    def test_what_has_no_process_is_told_of_as_well(self):
        self.write(f"{self.db}.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=touch there\n"
                                         f"ExecStop=rm there\nWorkingDirectory={self.work}\n[X-Procref]\nLinger=1h\n")
        self.assertEqual(self.procref("run", self.db, "--", "test", "-e", "there").returncode, 0)
        self.wait_until(lambda: self.service()["state"] == "lingering")
        service = self.service()
        self.assert_as_documented(service)
        self.assertEqual((service["state"], service["pid"], service["running"]), ("lingering", None, True))
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in (service["standby"], service["keeper"]):
                os.kill(process, number)
        self.wait_until(lambda: self.service()["state"] == "no keeper")
        done = self.procref("wait", self.db)
        self.assertEqual(done.returncode, 111)
        self.assertIn("without a keeper", done.stderr)
        self.assertEqual(self.procref("run", self.db, "--", "test", "-e", "there").returncode, 0)
        self.wait_until(lambda: self.service()["state"] == "lingering")
        self.assertEqual(self.procref("stop", self.db).returncode, 0)
        self.assertFalse(os.path.exists(f"{self.work}/there"))

    def test_the_command_line_is_checked(self):
        for words, text in (((), "which service"), ((self.db, "two"), "'two' is one too many"),
                            ((self.db, "--jsn"), "is '--json' meant?")):
            done = self.procref("status", *words)
            self.assertEqual(done.returncode, 100)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
