"""The service files that ship, with the real Redis and the real PostgreSQL."""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

import real
import support
from support import PATIENCE


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Together:
    def together(self, count, *words, **more):
        """What so many runs at the same time print; all must succeed."""
        runs = [self.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
                for _ in range(count)]
        first = [run.stdout.readline() for run in runs]  # all hold, for none has ended
        rest = [run.communicate("go\n", timeout=PATIENCE) for run in runs]
        for run, (_, errors) in zip(runs, rest):
            self.assertEqual(run.returncode, 0, errors)
        return [line + out for line, (out, _) in zip(first, rest)]


class Recipes(Together, support.World):
    def setUp(self):
        super().setUp()
        self.env["PROCREF_RECIPES"] = real.RECIPES


class Files(Recipes):
    def test_procref_ignores_nothing_but_documentation(self):
        for name in ("redis", "postgres"):
            result = self.procref("check", "-f", f"{real.RECIPES}/{name}.service")
            self.assertEqual(result.returncode, 0, result.stderr)
            for line in (result.stdout + result.stderr).splitlines():
                if ".service:" in line:
                    self.assertIn("ignored: D", line)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    @unittest.skipUnless(shutil.which("redis-server"), "systemd wants the programs to be there: needs redis-server")
    def test_systemd_finds_no_fault(self):
        result = subprocess.run(["systemd-analyze", "verify", "--user", *glob.glob(f"{real.RECIPES}/*.service")],
                                env=self.env, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))


@unittest.skipUnless(real.HAS_REDIS, "needs redis-server and redis-cli")
class Redis(Recipes):
    def test_the_line_of_the_readme_answers_pong_and_stops_redis(self):
        result = self.procref("run", "redis", "--", "redis-cli", "ping", preexec_fn=real.own_network)
        if result.returncode == real.NO_NETWORK:
            self.skipTest("needs a network of its own, which is not allowed here")
        self.assertEqual((result.returncode, result.stdout), (0, "PONG\n"), result.stderr)

    def test_redis_needs_no_home(self):
        self.env["HOME"] = "/nonexistent"
        result = self.procref("run", "redis", "--", "redis-cli", "ping", preexec_fn=real.own_network)
        self.assertEqual((result.returncode, result.stdout), (0, "PONG\n"), result.stderr)

    def test_who_has_the_port_is_not_taken_for_redis(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            result = self.procref("run", "redis", "--port", str(taken.getsockname()[1]), "--", "redis-cli", "ping")
        self.assertEqual((result.returncode, result.stdout), (111, ""))
        self.assertIn("Address already in use", result.stderr)

    def test_8_at_a_time_share_one_by_port_and_socket(self):
        script = ('echo "$PROCREF_PID"; read go; redis-cli -u "$REDIS_URL" incr n >/dev/null;'
                  'redis-cli -s "$REDIS_SOCKET" -p 1 ping; redis-cli -p "$REDIS_PORT" ping')
        said = self.together(8, "run", "redis", "--port", str(free_port()), "--", "sh", "-c", script)
        self.assertEqual(len(set(said)), 1, said)
        self.assertEqual(said[0].split()[1:], ["PONG", "PONG"])

    def test_a_project_has_one_of_its_own_on_a_free_port_by_a_link_and_a_drop_in(self):
        self.write(".procref/redis.service.d/port.conf", "[X-Procref]\nPort=auto\n")
        os.symlink(f"{real.RECIPES}/redis.service", f"{self.work}/.procref/redis.service")
        result = self.procref("run", "redis", "--", "sh", "-c", 'echo $PORT $REDIS_PORT; redis-cli -u "$REDIS_URL" ping')
        self.assertEqual(result.returncode, 0, result.stderr)
        port, same, answer = result.stdout.split()
        self.assertEqual((same, answer), (port, "PONG"))
        self.assertNotEqual(port, "6379")


class Taken(real.RealWorld):
    def test_who_has_the_port_is_not_taken_for_a_service_that_is_ending(self):
        # To who is not root /proc hides what an ending process has open; with much memory that takes a while.
        ends = self.write("ends.py", "import os\nmemory = b'x' * (256 << 20)\nos._exit(3)\n")
        os.chmod(ends, 0o644)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for _ in range(5):
                result = self.procref("run", self.db, "--port", str(taken.getsockname()[1]), "--ready", "tcp",
                                      "--command", f"/usr/bin/python3 {ends}", "--", "echo", "not", "run")
                self.assertEqual((result.returncode, result.stdout), (111, ""), result.stderr)
                self.assertIn("it exited with status 3", result.stderr)


@unittest.skipUnless(real.HAS_POSTGRES, "needs a PostgreSQL server")
class Postgres(Together, real.RealWorld):
    template = None  # a data folder that was just made, for the tests that are not about making one

    def setUp(self):
        super().setUp()
        self.data = f"{self.dir}/home/.local/state/procref/postgres"

    @classmethod
    def tearDownClass(cls):
        if cls.template is not None:
            shutil.rmtree(cls.template)

    def shell(self, script, *options, **more):
        """What a command of procref run postgres prints."""
        result = self.procref("run", "postgres", *options, "--", "sh", "-c", script, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def keep_data(self):
        """What the recipe has just made is good for the other tests, too."""
        self.await_gone()
        if Postgres.template is None:
            Postgres.template = f"{self.dir}-template"
            subprocess.run(["cp", "-a", self.data, Postgres.template], check=True)

    def with_data(self):
        """As after a first start."""
        if Postgres.template is None:
            self.shell("true")
            self.keep_data()
            return
        os.makedirs(os.path.dirname(self.data))
        subprocess.run(["cp", "-a", Postgres.template, self.data], check=True)
        if self.become:
            for folder in (".local", ".local/state", ".local/state/procref"):
                os.chown(f"{self.dir}/home/{folder}", self.become["user"], self.become["group"])

    def log(self):
        return self.procref("logs", "postgres").stdout

    def while_data_are_made(self):
        process = self.start("run", "postgres", "--", "true", stderr=subprocess.DEVNULL)
        self.wait_until(lambda: os.path.exists(f"{self.data}.new/base/1") or process.poll() is not None)
        self.assertIsNone(process.poll())
        return process

    def kill(self, *pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def test_after_a_kill_of_all_processes_while_the_data_are_made_8_at_a_time_share_one(self):
        self.while_data_are_made()
        keeper, standby = re.search(r"keeper +(\d+), standby (\d+)", self.procref("status", "postgres").stdout).groups()
        data = os.stat(f"{self.data}.new").st_ino
        self.kill(int(standby), int(keeper))
        while found := support.marked(self.mark):
            self.kill(*found)
        support.remove_memory_of(data)  # PostgreSQL would, when it is started on the same data again
        self.assertNotIn("postgres", os.listdir(os.path.dirname(self.data)))  # initdb may even have tidied up
        script = ('echo "$PROCREF_PID"; read go; psql -Atc "select 1";'
                  'psql "$DATABASE_URL" -Atc "select current_user = session_user and current_database() = \'postgres\'";'
                  'env -u PGHOST psql -w -h 127.0.0.1 2>&1 | grep -o "no password supplied"')
        said = self.together(8, "run", "postgres", "--", "sh", "-c", script)
        self.assertEqual(len(set(said)), 1, said)
        self.assertEqual(said[0].splitlines()[1:], ["1", "t", "no password supplied"])
        self.assertEqual(os.listdir(os.path.dirname(self.data)), ["postgres"])
        self.keep_data()

    def test_a_kill_of_the_only_user_while_the_data_are_made_leaves_nothing_broken(self):
        self.while_data_are_made().kill()  # a start that has begun is finished, then the server is stopped
        self.await_gone()
        self.assertEqual(self.shell('psql -Atc "select 1"'), "1\n")
        self.assertEqual(os.listdir(os.path.dirname(self.data)), ["postgres"])
        self.keep_data()

    def test_nobody_else_can_connect_to_the_socket(self):
        self.with_data()
        modes = self.shell('stat -c %a "$PGHOST" "$PGHOST/.s.PGSQL.$PGPORT" "$(psql -Atc "show data_directory")"')
        self.assertEqual(modes.split(), ["700", "700", "700"])

    def test_the_data_survive_a_stop_and_a_killed_user_and_need_no_recovery(self):
        self.with_data()
        self.shell('psql -qc "create table t (n int)" -c "insert into t values (42)"')
        self.await_gone()
        process = self.start("run", "postgres", "--", "psql", "-At", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write("begin; insert into t values (43); select * from t;\n")
        process.stdin.flush()
        self.assertEqual([process.stdout.readline() for _ in range(4)], ["BEGIN\n", "INSERT 0 1\n", "42\n", "43\n"])
        process.kill()
        self.await_gone()
        log = self.log()
        self.assertIn("received fast shutdown request", log)
        self.assertIn("database system is shut down", log)
        self.assertEqual(self.shell('psql -Atc "select * from t"'), "42\n")
        self.await_gone()
        log = self.log()
        self.assertIn("database system was shut down at", log)
        self.assertNotIn("recovery", log)
        self.assertNotIn("was interrupted", log)

    def test_nested_runs_share_one(self):
        self.with_data()
        said = self.shell("echo $PROCREF_PID $DATABASE_URL; procref run postgres -- sh -c 'echo $PROCREF_PID $DATABASE_URL'")
        first, second = said.splitlines()
        self.assertEqual(first, second)

    def test_two_scopes_never_run_on_the_same_data(self):
        self.with_data()
        inner = "procref run postgres --scope user -- true; echo $?; psql -Atc 'select 1'"
        result = self.procref("run", "postgres", "--", "sh", "-c", inner)
        self.assertEqual(result.stdout.split(), ["111", "1"], result.stderr)
        self.assertIn("postmaster.pid", result.stderr)

    def test_data_that_no_server_here_can_read_are_left_alone(self):
        for name, text, said in (("PG_VERSION", "7.4\n", "no server of PostgreSQL 7.4, which made"),
                                 ("letter", "precious\n", "is no folder of a PostgreSQL")):
            os.makedirs(self.data)
            with open(f"{self.data}/{name}", "w") as file:
                file.write(text)
            result = self.procref("run", "postgres", "--", "true")
            self.assertEqual(result.returncode, 111)
            self.assertIn(said, result.stderr)
            self.assertEqual(os.listdir(self.data), [name])
            shutil.rmtree(f"{self.dir}/home/.local")

    @unittest.skipUnless(os.geteuid() == 0, "root is told something else than others")
    def test_root_is_told_what_to_do(self):
        self.become = {}
        os.chown(f"{self.dir}/run", 0, 0)
        os.chown(self.dir, 0, 0)
        result = self.procref("run", "postgres", "--", "true")
        self.assertEqual(result.returncode, 111)
        self.assertIn("PostgreSQL does not run as root. Be an ordinary user", result.stderr)


if __name__ == "__main__":
    unittest.main()
