"""Tests of what the keeper makes of a service file."""
import json
import os
import signal

from support import World, is_alive


class Files(World):
    def setUp(self):
        super().setUp()
        self.log = f"{self.work}/said"

    def unit(self, service, extension="", name="it", unit=""):
        """A service file; SAY in it is a shell that appends its words to the log."""
        text = f"[Unit]\nDescription=test\n{unit}\n[Service]\n{service}\n[X-Procref]\n{extension}\n"
        text = text.replace("SAY", f"/bin/sh -c 'echo \"$$*\" >>{self.log}' say")
        return self.write(f"{name}.service", text)

    def said(self):
        try:
            with open(self.log) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def hold(self, name="it", *more):
        """A process that holds the service; it is up when this returns."""
        read, write = os.pipe()
        process = self.start("hold", name, "--ready-fd", str(write), *more, pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as ready:
            self.assertEqual(ready.read(), "\n", "it is not held")
        return process

    def let_go(self, process, how=signal.SIGTERM, name="it"):
        process.send_signal(how)
        process.wait()
        self.assertEqual(self.procref("wait", name).returncode, 0)

    def run_it(self, *command, name="it"):
        done = self.procref("run", name, "--", *command)
        self.assertEqual(self.procref("wait", name).returncode, 0)
        return done

    def status(self, name="it"):
        return self.asked(lambda: json.loads(self.procref("status", name, "--json").stdout))

    def pair(self, name="it"):
        status = self.status(name)
        return status["keeper"], status["standby"]

    def log_of_keeper(self, name="it"):
        return [line for line in self.procref("logs", name).stdout.splitlines() if line.startswith("procref: ")]

    def kill_pair(self):
        pair = self.pair()
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not any(is_alive(pid) for pid in pair))
