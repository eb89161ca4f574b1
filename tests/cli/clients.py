"""Clients that a test scripts: the helper program `client`, one line asked, one line answered (tests/helpers/client.c)."""
import json
import os
import subprocess
from urllib.parse import unquote

import schema
from support import HELPERS, PATIENCE, World

with open(os.path.join(os.path.dirname(__file__), "../../docs/status.schema.json")) as file:
    SCHEMA = json.load(file)

SERVICE = f"{HELPERS}/service"


def encode(word):
    return "".join(c if c.isalnum() or c in "-_./=:${}" else "".join(f"%{b:02X}" for b in c.encode()) for c in word)


class Client:
    def __init__(self, world, arguments):
        self.process = subprocess.Popen([f"{HELPERS}/client", *arguments], cwd=world.work, env=world.env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        world.addCleanup(world._end, self.process)
        self.pid = self.process.pid
        self.answer()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the client has ended")
        words = line.split()
        answer = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        answer = {key: unquote(value) for key, value in answer.items()}
        answer["what"] = words[0]
        return answer

    def ask(self, line):
        self.tell(line)
        return self.answer()

    def open(self, name, *command, **settings):
        words = [f"arg={encode(word)}" for word in command]
        words += [f"{key}={encode(str(value))}" for key, value in settings.items()]
        answer = self.ask(" ".join(["open", name, *words]))
        assert answer["what"] == "ok", answer

    def hold(self, name, *command, **settings):
        """Opens and acquires; what is held."""
        self.open(name, *command, **settings)
        answer = self.ask(f"acquire {PATIENCE * 1000}")
        assert answer["what"] == "held", answer
        return int(answer["pid"])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Gives everything back."""
        self.tell("quit")
        self.process.wait(timeout=PATIENCE)


class ClientWorld(World):
    """
    The names that `ps` lists are all of this user's, other tests' as well, and in the user's scope a name means one
    service wherever it is asked for: so each test's are its own.
    """
    count = 0

    def setUp(self):
        super().setUp()
        ClientWorld.count += 1
        self.db = f"db-{os.getpid()}-{self.count}"
        self.clients = []

    def tearDown(self):
        for client in self.clients:  # those that the test has not ended
            client.kill()
        super().tearDown()

    def client(self, *arguments):
        self.clients.append(Client(self, arguments))
        return self.clients[-1]

    def status(self, name):
        """What `procref status --json` says."""
        def status():
            done = self.procref("status", name, "--json")
            self.assertEqual(done.stderr, "")
            return json.loads(done.stdout)
        return self.asked(status)

    def services(self):
        done = self.procref("ps", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [one for one in json.loads(done.stdout) if self.dir in (one["log"] or "")]

    def service(self):
        one, = self.services()
        return one

    def ps(self):
        """The lines of the table that tell of this test's services."""
        done = self.procref("ps")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [line for line in done.stdout.splitlines() if self.db in line]

    def assert_as_documented(self, value):
        self.assertEqual(schema.errors(value, SCHEMA), [])

    def read(self, name):
        with open(f"{self.work}/{name}") as file:
            return file.read()

    def assert_gone(self, name):
        self.wait_until(lambda: self.status(name)["state"] == "not running")


def record_page(keeper):
    """The keeper's record page, opened for writing."""
    for name in os.listdir(f"/proc/{keeper}/fd"):
        path = f"/proc/{keeper}/fd/{name}"
        try:
            if "memfd:" not in os.readlink(path):
                continue
            file = open(path, "r+b", buffering=0)
        except OSError:
            continue
        if file.read(4) == (0x70726572).to_bytes(4, "little"):
            return file
        file.close()
    raise AssertionError("no record page")
