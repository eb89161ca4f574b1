"""procref run: what COMMAND gets, how it ends, and what is said when the service cannot be had."""
import contextlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import unittest

import support
from support import HELPERS, PATIENCE, PROCREF


class Command(support.World):
    """What COMMAND is given."""

    def test_the_command_finds_the_service_in_its_environment(self):
        result = self.procref("run", self.db, "--command", self.service("--port", "${PORT}"), "--ready", "tcp", "--",
                              "sh", "-c", "echo $PORT $PROCREF_PORT $PROCREF_NAME $PROCREF_PID $PROCREF_GENERATION")
        self.assertEqual(result.returncode, 0, result.stderr)
        port, same, name, pid, generation = result.stdout.split()
        self.assertEqual((port, name, generation), (same, self.db, "1"))
        self.assertEqual(self.events("start"), [f"start {port}"])
        with open(f"{self.dir}/events") as file:
            self.assertEqual(file.readline().split()[1], pid)
        self.assertEqual(result.stderr, "")

    def test_a_service_without_a_port_leaves_no_port_of_an_outer_one(self):
        inner = [PROCREF, "run", self.db + "-inner", "--command", "sleep 60", "--", "sh", "-c",
                 "echo $PROCREF_NAME ${PROCREF_PORT-none} ${PORT:+kept}"]
        result = self.procref("run", self.db + "-outer", "--command", self.service("--port", "${PORT}"), "--ready", "tcp", "--",
                              *inner)
        self.assertEqual(result.stdout.split(), [self.db + "-inner", "none"], result.stderr)
        for more in ({"PORT": "5"}, {"PORT": "5", "PROCREF_PORT": "6"}):  # anybody's
            result = self.procref(*inner[1:], env=dict(self.env, **more))
            self.assertEqual(result.stdout.split(), [self.db + "-inner", "none", "kept"], result.stderr)

    def test_the_command_has_procrefs_own_pid(self):
        process = self.start("run", self.db, *self.described(), "--", "sh", "-c", "echo $$",
                             stdout=subprocess.PIPE)
        self.assertEqual(int(process.communicate(timeout=PATIENCE)[0]), process.pid)

    def test_exit_statuses_are_the_commands_own(self):
        for status in (0, 1, 7, 100, 111, 255):
            result = self.procref("run", self.db, *self.described(), "--", "sh", "-c", f"exit {status}")
            self.assertEqual((result.returncode, result.stderr), (status, ""))

    def test_deaths_by_signal_are_the_commands_own(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV):
            result = self.procref("run", self.db, *self.described(), "--", "sh", "-c",
                                  f"ulimit -c 0; kill -{int(number)} $$")
            self.assertEqual(result.returncode, -number)

    def test_nothing_else_of_the_process_is_changed(self):
        script = self.write("surroundings.sh", """
            grep -E '^(Sig|Shd|Cap|Groups|NoNewPrivs|Seccomp|Umask)' /proc/self/status | grep -v SigQ
            pwd; nice; ulimit -a; ls /proc/self/fd
            ls -l /proc/self/fd | sed -e 's/.* \\([0-9]* -> .*\\)/\\1/' -e 's/pipe:.*/pipe/' | grep -v /proc/
            ps -o pgid=,sid=,tty= -p $$
            env | grep -v -e ^PROCREF_ -e ^PORT= -e ^_= | sort""")

        def unusual():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGWINCH})
            os.umask(0o027)
            os.nice(3)
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))

        with open(f"{self.dir}/some-file", "w") as extra:
            how = {"preexec_fn": unusual, "pass_fds": [extra.fileno()]}
            plain = self.execute(["sh", script], **how)
            held = self.procref("run", self.db, *self.described(), "--", "sh", script, **how)
        self.assertEqual(held.stderr, plain.stderr)
        self.assertEqual(held.stdout.splitlines(), plain.stdout.splitlines())
        self.assertIn("some-file", held.stdout)

    def test_each_standard_descriptor_may_be_closed_and_stays_so(self):
        self.write("say", "open=\nfor n in 0 1 2; do [ ! -e /proc/$$/fd/$n ] || open=\"$open $n\"; done\necho $open >out\nexit 7\n")
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"):
            for options in ((), ("--tree",)):
                with self.subTest(closed=closed, options=options):
                    done = self.execute(["sh", "-c", f'exec "$@" {closed}', "sh", PROCREF, "run", *options, self.db, *self.described(), "--",
                                         "sh", "say"])
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (7, "", ""))
                    with open(f"{self.work}/out") as file:
                        self.assertEqual({"0", "1", "2"} - set(file.read().split()), set(re.findall("[012]", closed)))
                    self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def test_it_works_with_standard_descriptors_closed(self):
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" <&- >&- 2>&-', "sh", PROCREF, "run", self.db, *self.described(), "--",
             "sh", "-c", f"ls /proc/self/fd > {fifo}"], cwd=self.work, env=self.env)
        with open(fifo) as file:
            found = file.read().split()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertNotIn("2", found)

    def test_quotes_in_the_command_of_the_service_are_understood(self):
        command = f"""{HELPERS}/service --events {self.dir}/events --print "two  words" --print 'it'"'"'s $HOME' """
        result = self.procref("run", self.db, "--command", command + "--start-delay-ms 1 --fail 3", "--ready", "tcp",
                              "--", "true")
        self.assertEqual(result.returncode, 111)
        self.assertIn("it's $HOME", result.stderr)


class Sharing(support.World):
    def test_the_service_has_its_port_in_its_environment(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        logged = "until procref logs $PROCREF_NAME 2>/dev/null | grep .; do sleep 0.01; done"
        for number, options in enumerate((["--ready", "tcp"], ["--port", port], ["--ready", "exec:test ${PORT} -gt 0"])):
            service = f"sh -c 'echo has $PORT; exec {self.service()} --port $PORT'"
            result = self.procref("run", f"{self.db}.{number}", "--command", service, *options, "--", "sh", "-c",
                                  f"echo has $PORT; {logged}")
            self.assertEqual(result.returncode, 0, result.stderr)
            for_us, for_it = result.stdout.splitlines()
            self.assertEqual(for_us, for_it)
        result = self.procref("run", self.db, "--command", f"sh -c 'echo port $PORT; exec {self.service()}'", "--",
                              "sh", "-c", logged)
        self.assertEqual(result.stdout, "port\n")

    def test_nested_runs_share_one_service(self):
        inner = [PROCREF, "run", self.db, *self.described(), "--", "sh", "-c", "echo $PROCREF_PID"]
        result = self.procref("run", self.db, *self.described(), "--", "sh", "-c",
                              'echo $PROCREF_PID; exec "$@"', "sh", *inner)
        first, second = result.stdout.split()
        self.assertEqual(first, second)
        self.wait_until(lambda: self.events("stop-signal"))
        self.assertEqual(len(self.events("start")), 1)

    def test_the_service_stays_until_the_last_command_has_ended(self):
        long = self.start("run", self.db, *self.described(), "--", "sh", "-c", "echo up; read line",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(long.stdout.readline(), "up\n")
        for _ in range(3):
            self.assertEqual(self.procref("run", self.db, *self.described(), "--", "true").returncode, 0)
        self.assertEqual((len(self.events("start")), self.events("stop-signal")), (1, []))
        long.communicate("\n", timeout=PATIENCE)
        self.wait_until(lambda: self.events("stop-signal"))

    def test_killing_the_command_stops_the_service(self):
        process = self.start("run", self.db, *self.described(), "--", "sh", "-c", "echo up; read line",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        self.wait_until(lambda: self.events("stop-signal"))

    def test_a_service_lingers_for_the_next_command(self):
        for _ in range(2):
            self.assertEqual(self.procref("run", self.db, *self.described(), "--linger", "1h", "--",
                                          "true").returncode, 0)
        self.assertEqual(len(self.events("start")), 1)
        self.assertEqual(self.procref("stop", self.db).returncode, 0)
        self.wait_until(lambda: self.events("stop-signal"))

    def test_what_has_died_and_nobody_holds_gives_way_to_another_command(self):
        """The rest of it takes a second to end."""
        dies = ["--command", "sh -c '(trap \"\" TERM; exec sleep 1004) & sleep 0.1; exit 1'", "--stop-timeout", "1s"]
        for options, status, command in (([], 0, "while kill -0 $PROCREF_PID 2>/dev/null; do sleep 0.01; done"),
                                         (["--ready", "tcp", "--timeout", "500ms"], 111, "")):
            with self.subTest(options=options):
                self.assertEqual(self.procref("run", self.db, *dies, *options, "--", "sh", "-c", command).returncode, status)
                other = self.procref("run", "--quiet", self.db, "--command", "sleep 1005", "--", "true")
                self.assertEqual((other.returncode, other.stderr), (0, ""))
                self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def test_many_who_want_it_in_three_ways_have_it_or_are_told_that_it_runs_in_another(self):
        script = self.write("one", f"""
service="flock -n {self.work}/lock sleep 100$(($1 % 3))"
said=$({PROCREF} run -q {self.db} --command "$service" -- sh -c "sleep 0.0$(($1 % 3))" 2>&1)
echo "$? $said"
""")
        done = self.execute(["sh", "-c", f"seq 300 | xargs -P 6 -n 1 bash {script}"], timeout=2 * PATIENCE)
        answers = done.stdout.splitlines()
        self.assertEqual(len(answers), 300)
        self.assertIn("0 ", answers)
        runs = re.compile(f"111 procref run: '{self.db}' (runs already \\(pid [0-9]+\\)|is in use) with another command: .*")
        self.assertEqual([answer for answer in answers if answer != "0 " and not runs.fullmatch(answer)], [])
        self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def keepers_of(self, name):
        found = {}
        def whole():
            found.update(json.loads(self.procref("status", name, "--json").stdout or "{}"))
            return found.get("keeper") and found.get("standby")
        self.wait_until(whole)
        return {"K": found["keeper"], "S": found["standby"]}

    def test_a_start_that_nobody_waits_for_gives_way_though_its_keeper_was_killed(self):
        for order in ("AK", "AKS"):  # else it may ask the next keeper before it is killed
            with self.subTest(order):
                first = self.start("run", "--quiet", self.db, "--start-timeout", "infinity", "--command", "sleep 1004", "--ready",
                                   "log:never", "--", "true")
                pids = {**self.keepers_of(self.db), "A": first.pid}
                for who in order:
                    os.kill(pids[who], signal.SIGKILL)
                first.wait()
                other = self.procref("run", "--quiet", self.db, "--command", "sleep 1005", "--", "true")
                self.assertEqual((other.returncode, other.stderr), (0, ""))
                self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def tracing(self):
        """An environment in which procref writes its trace, and how often that says something."""
        self.write("trace", "")
        def says(words):
            with open(f"{self.work}/trace") as file:
                return file.read().count(words)
        return {**self.env, "PROCREF_TRACE": f"{self.work}/trace"}, says

    def test_whether_who_was_told_that_it_is_up_comes_to_hold_it_is_waited_for(self):
        traced, says = self.tracing()
        for comes in (False, True):
            with self.subTest(comes=comes):
                first = self.start("run", "--quiet", self.db, "--command", f"sh -c 'until [ -e {self.work}/go ]; do sleep 0.02; done; "
                                   "echo up; exec sleep 1004'", "--ready", "log:up", "--", "sleep", "1006", env=traced)
                self.wait_until(lambda: says(f"client {first.pid} asks"))
                os.kill(first.pid, signal.SIGSTOP)
                self.write("go", "")
                self.wait_until(lambda: says(f"tells client {first.pid}: up"))
                other = self.start("run", "--quiet", self.db, "--command", "sleep 1005", "--", "true", stderr=subprocess.PIPE)
                self.wait_until(lambda: says(f"client {other.pid} waits to see who holds this one"))
                hasty = self.procref("run", self.db, "--timeout", "0", "--command", "sleep 1005", "--", "true")
                self.assertIn("somebody is about to hold it), and timeout 0 does not wait", hasty.stderr)
                os.kill(first.pid, signal.SIGCONT if comes else signal.SIGKILL)
                told = other.communicate()[1]
                if comes:
                    self.assertEqual(other.returncode, 111)
                    self.assertIn("with another command", told)
                    first.kill()
                else:
                    self.assertEqual((other.returncode, told), (0, ""))
                first.wait()
                self.assertEqual(self.procref("wait", self.db).returncode, 0)
                os.unlink(f"{self.work}/go")

    def test_a_start_that_somebody_waits_for_does_not_give_way_when_its_keeper_is_killed(self):
        traced, says = self.tracing()
        first = self.start("run", "--quiet", self.db, "--command", f"sh -c 'until [ -e {self.work}/go ]; do sleep 0.02; done; echo up; "
                           "exec sleep 1004'", "--ready", "log:up", "--", "sh", "-c", "echo $PROCREF_PID", stdout=subprocess.PIPE,
                           env=traced)
        self.wait_until(lambda: says(f"client {first.pid} asks") >= 1)
        before = says(f"client {first.pid} asks")
        os.kill(self.keepers_of(self.db)["K"], signal.SIGKILL)
        self.wait_until(lambda: says(f"client {first.pid} asks") > before)
        other = self.procref("run", "--quiet", self.db, "--command", "sleep 1005", "--", "true")
        self.assertEqual(other.returncode, 111)
        self.assertIn("with another command", other.stderr)
        self.write("go", "")
        self.assertRegex(first.communicate()[0], "^[0-9]+\n$")
        self.assertEqual(first.returncode, 0)
        self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def test_what_nobody_holds_gives_way_after_any_of_its_processes_was_killed(self):
        for linger in ("0", "1h"):
            for order in ("KSA", "AKS", "AK", "KA", "AS", "SA"):
                with self.subTest(order=order, linger=linger):
                    first = self.start("run", "--quiet", self.db, "--linger", linger, "--command", "sleep 1004", "--", "sh", "-c",
                                       "echo; exec sleep 1006", stdout=subprocess.PIPE)
                    first.stdout.readline()  # it holds
                    pids = {**self.keepers_of(self.db), "A": first.pid}
                    for who in order:
                        with contextlib.suppress(ProcessLookupError):  # without A the pair goes
                            os.kill(pids[who], signal.SIGKILL)
                    first.communicate()
                    other = self.procref("run", "--quiet", self.db, "--command", "sleep 1005", "--", "true")
                    self.assertEqual((other.returncode, other.stderr), (0, ""))
                    self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def test_another_command_is_a_conflict_that_share_accepts(self):
        def inner(*options):
            return ["run", self.db, "--command", "sleep 60", "--", PROCREF, "run", self.db, *options, "--command", "sleep 61",
                    "--", "echo", "shared"]
        result = self.procref(*inner())
        self.assertEqual(result.returncode, 111)
        self.assertRegex(result.stderr, r"^procref run: 'db.*' runs already \(pid \d+\) with another command.*--share\)\n$")
        result = self.procref(*inner("--share"))
        self.assertEqual((result.returncode, result.stdout), (0, "shared\n"), result.stderr)

    def test_a_conflict_names_no_process_where_none_runs(self):
        first = self.start("run", self.db, "--command", "sleep 1004", "--", "sh", "-c", "echo; exec sleep 1006", stdout=subprocess.PIPE)
        first.stdout.readline()
        self.assertEqual(self.procref("stop", "--force", self.db).returncode, 0)
        other = self.procref("run", self.db, "--command", "sleep 1005", "--", "true")
        self.assertEqual((other.returncode, other.stderr), (111, f"procref run: '{self.db}' is in use with another command: use the "
                                                                 "same, another name, or take it as it is (share, --share)\n"))
        first.kill()
        first.communicate()
        self.assertEqual(self.procref("wait", self.db).returncode, 0)

    def test_scopes_keep_services_of_one_name_apart(self):
        for folder in ("a", "b"):
            os.mkdir(f"{self.work}/{folder}")
        pids, holders = {}, []
        for scope in (["--scope", "a"], ["--scope", "b"], ["--scope", "user"], ["--base-dir", f"{self.dir}/own"]):
            holder = self.start("run", self.db, "--command", "sleep 60", *scope, "--", "sh", "-c",
                                "echo $PROCREF_PID; read line", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            holders.append(holder)
            pids[tuple(scope)] = holder.stdout.readline()
        self.assertEqual(len(set(pids.values())), 4)
        result = self.procref("run", self.db, "--command", "sleep 60", "--scope", f"{self.work}/b/../a", "--", "sh", "-c",
                              "echo $PROCREF_PID")
        self.assertEqual(result.stdout, pids["--scope", "a"])
        result = self.procref("run", self.db, "--command", "sleep 60", "--", "sh", "-c", "echo $PROCREF_PID")
        self.assertEqual(result.stdout, pids["--scope", "user"])
        for holder in holders:
            holder.communicate("\n", timeout=PATIENCE)

    def test_fifty_at_once_by_xargs_start_one_service(self):
        script = self.write("many.sh", f"seq 200 | xargs -P 50 -I N {PROCREF} run --quiet {self.db} --linger 5s --command "
                            f"'{self.service('--port', '${PORT}', '--lock', self.dir + '/lock')}' --ready tcp -- "
                            "sh -c 'echo $PROCREF_PID N'")
        result = self.execute(["bash", script])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(len(result.stdout.splitlines()), 200)
        self.assertEqual(len({line.split()[0] for line in result.stdout.splitlines()}), 1)
        self.assertEqual(len(self.events("start")), 1)

    def test_a_parallel_make_shares_one_service(self):
        targets = " ".join(f"t{i}" for i in range(20))
        self.write("Makefile", f"""
all: {targets}
{targets}:
\t@{PROCREF} run --quiet {self.db} --linger 5s --command '{self.service("--port", "$${PORT}")}' --ready tcp -- sh -c 'echo $$PROCREF_PID'
""")
        result = self.execute(["make", "-j8"])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(len(set(result.stdout.split())), 1, result.stdout)
        self.assertEqual(len(self.events("start")), 1)

    @unittest.skipUnless(shutil.which("redis-server") and shutil.which("redis-cli"), "redis is not installed")
    def test_a_real_redis_answers(self):
        result = self.procref("run", self.db, "--command", "redis-server --port ${PORT} --save ''", "--ready", "tcp",
                              "--", "sh", "-c", "redis-cli -p $PORT ping")
        self.assertEqual((result.returncode, result.stdout), (0, "PONG\n"), result.stderr)


class Shell(support.World):
    def shell(self, script):
        return self.execute(["bash", "-c", script])

    def test_a_command_substitution_does_not_wait_for_the_service(self):
        result = self.shell(f"""x=$({PROCREF} run {self.db} --linger 5m {shlex.join(self.described())} -- echo said)
                            echo "got $x"; kill $({PROCREF} run {self.db} {shlex.join(self.described())} -- """
                            """sh -c 'echo $PROCREF_PID')""")
        self.assertEqual((result.returncode, result.stdout), (0, "got said\n"), result.stderr)

    def test_a_pipe_that_is_closed_early_ends_the_command(self):
        result = self.shell(f"{PROCREF} run {self.db} {shlex.join(self.described())} -- yes | head -1; echo ${{PIPESTATUS[0]}}")
        self.assertEqual(result.stdout, "y\n141\n", result.stderr)
        self.wait_until(lambda: self.events("stop-signal"))

    def test_nohup_and_background_jobs_hold_on(self):
        fifo = f"{self.dir}/fifo"
        os.mkfifo(fifo)
        result = self.shell(f"nohup {PROCREF} run {self.db} {shlex.join(self.described())} -- sh -c 'kill -HUP $$; read x < "
                            f"{fifo}; echo alive > {self.dir}/alive' >/dev/null 2>&1 & echo started")
        self.assertEqual(result.stdout, "started\n")
        with open(fifo, "w") as file:
            file.write("go\n")
        self.wait_until(lambda: os.path.exists(f"{self.dir}/alive"))
        self.wait_until(lambda: self.events("stop-signal"))


class Failures(support.World):
    def test_a_failed_start_shows_the_services_last_output(self):
        result = self.procref("run", self.db, "--command", self.service("--print", "no-such-disk", "--fail", "3"),
                              "--ready", "notify", "--", "echo", "not", "run")
        self.assertEqual((result.returncode, result.stdout), (111, ""))
        self.assertEqual(result.stderr, f"procref run: '{self.db}' ended before it was ready: it exited with status 3\n"
                                        "  | no-such-disk\n")

    def test_a_program_that_is_not_there_is_named_beside_its_service(self):
        result = self.procref("run", self.db, "--command", "no-such-program", "--", "echo", "not", "run")
        self.assertEqual((result.returncode, result.stdout), (111, ""))
        self.assertEqual(result.stderr, f"procref run: '{self.db}' did not start: cannot run 'no-such-program': "
                                        "No such file or directory\n")

    def test_a_limit_of_file_sizes_that_is_too_low_is_named(self):
        for limit in (0, 400_000, 1_000_000):  # one that the keeper's program is below, too
            low = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            result = self.procref("run", self.db, "--command", self.service(), "--", "true", preexec_fn=low)
            self.assertEqual(result.returncode, 111)
            self.assertIn("ulimit -f", result.stderr)
        size = max(2_000_000, 2 * os.path.getsize(PROCREF))  # a sanitizer's keeper is large
        enough = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        result = self.procref("run", self.db, "--command", self.service(), "--", "true", preexec_fn=enough)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_start_that_takes_too_long_fails(self):
        for options in (["--start-timeout", "100ms"], ["--timeout", "1s", "--start-timeout", "4s"]):
            result = self.procref("run", self.db, *options, "--command", self.service("--start-delay-ms", "60000"),
                                  "--ready", "notify", "--", "echo", "not", "run")
            self.assertEqual((result.returncode, result.stdout), (111, ""))
            self.assertRegex(result.stderr, r"^procref run: 'db.*' was not ready .*1000? ms\n")
            self.wait_until(lambda: not support.marked(self.mark))

    def test_timeout_0_starts_nothing(self):
        result = self.procref("run", self.db, "--timeout", "0", *self.described(), "--", "true")
        self.assertEqual(result.returncode, 111)
        self.assertIn(f"'{self.db}' is not running", result.stderr)
        self.assertEqual(self.events(), [])

    def test_a_command_that_cannot_be_run_starts_no_service(self):
        text = self.write("text", "no program\n")
        os.mkdir(f"{self.dir}/bin")
        os.symlink("looping", f"{self.dir}/bin/looping")
        self.env["PATH"] += f":{self.dir}/bin"
        for name, status in (("no-such-program", 127), ("./no-such-program", 127), (text, 126), (self.work, 126), ("", 127),
                             ("n" * 300, 126), ("n" * 5000, 126), ("looping", 126)):
            self.assertEqual(subprocess.run(["env", name], env=self.env, cwd=self.work, capture_output=True).returncode, status, name[:20])
            result = self.procref("run", self.db, *self.described(), "--", name)
            self.assertEqual((result.returncode, result.stdout), (status, ""), name)
            self.assertRegex(result.stderr, rf"^procref run: {name}: \w.*\n$")
            self.assertEqual(self.events(), [])

    def test_a_wrong_command_line_is_told_in_one_line(self):
        for words, message in (
                (["db", "--command", "x", "true"], "put -- before COMMAND: procref run db … -- true"),
                (["db", "--command", "x"], "which command? Put it after --"),
                (["db", "--command", "x", "--"], "which command? Put it after --"),
                (["--command", "x", "--", "true"], "name the service"),
                (["--", "true"], "which service? Give its name or -f FILE"),
                (["db", "--command", "", "--", "true"], "--command is empty"),
                (["db", "--command", "a 'b", "--", "true"], "a quote that is not closed: a 'b"),
                (["db", "--command", "x", "-f", "y.service", "--", "true"], "one name too many"),
                (["a/b", "--command", "x", "--", "true"], "'/'"),
                (["db", "--command", "x", "--ready", "maybe", "--", "true"], "ready is 'maybe': use notify, tcp"),
                (["db", "--command", "x", "--scope", "nowhere", "--", "true"], "--scope is 'nowhere'"),
                (["db", "--command", "x", "--port", "70000", "--", "true"], "--port is '70000'"),
                (["db", "--command", "x", "--linger", "infinity", "--", "true"], "--linger is infinity"),
                (["db", "--command", "x", "--timout", "5", "--", "true"], "is '--timeout' meant?"),
                (["db", "--command", "x", "--timeout", "soon", "--", "true"], "--timeout is 'soon'")):
            result = self.procref("run", *words)
            self.assertEqual((result.returncode, result.stdout), (100, ""), words)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            self.assertIn(message, result.stderr)

    def test_a_service_whose_counter_cannot_be_seen_is_told_and_not_waited_for(self):
        if subprocess.run(["unshare", "--ipc", "true"], capture_output=True).returncode != 0:
            self.skipTest("no namespace may be made here")
        read, write = os.pipe()
        holder = self.start("hold", self.db, *self.described(), "--ready-fd", str(write), pass_fds=[write])
        os.close(write)
        self.assertEqual(os.read(read, 1), b"\n")
        os.close(read)
        for options in ([], ["--timeout", "20"], ["--timeout", "0"]):
            result = self.execute(["unshare", "--ipc", PROCREF, "run", self.db, *options, *self.described(), "--", "true"])
            self.assertEqual((result.returncode, result.stderr), (111,
                f"procref run: '{self.db}' runs in another IPC namespace (another container?), and cannot be held from this one\n"))
        self.assertEqual(self.procref("run", self.db, *self.described(), "--", "true").returncode, 0)
        holder.terminate()
        self.assertEqual(holder.wait(), 0)

    def test_a_folder_of_the_system_that_is_missing_is_named(self):
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            self.skipTest("no namespace may be made here")
        for folder, message in (("/proc", "/proc cannot be read (is it mounted?), and by it one process is told from another"),
                                ("/dev", f"'db' did not start: cannot open '/dev/null', which is the standard input of '{support.HELPERS}/service'")):
            if folder == "/proc" and "ASAN_OPTIONS" in self.env:
                continue  # the sanitizer's own runtime needs it
            result = self.execute(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none {folder} && exec \"$@\"", "sh", PROCREF,
                                   "run", "db", "--base-dir", f"{self.dir}/run", *self.described(), "--", "true"])
            self.assertEqual((result.returncode, result.stderr), (111, f"procref run: {message}: No such file or directory\n"))

    def test_options_come_in_any_order_for_posix_too(self):
        self.env["POSIXLY_CORRECT"] = "1"
        result = self.procref("run", self.db, *self.described(), "--", "sh", "-c", "echo $POSIXLY_CORRECT $PROCREF_NAME", "--quiet")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"1 {self.db}\n", ""))

    def test_a_slow_start_says_one_line_where_there_is_no_terminal(self):
        def start(*options):
            return self.procref("run", self.db, *options, "--command", self.service("--start-delay-ms", "2500", "--notify"),
                                "--ready", "notify", "--", "true", signs_of_life=True)
        self.assertEqual(start().stderr, f"procref run: waiting for {self.db} to be ready (its READY=1)\n")
        self.wait_until(lambda: not support.marked(self.mark))
        self.assertEqual(start("--quiet").stderr, "")
        quick = lambda: self.procref("run", self.db, *self.described(), "--", "true", signs_of_life=True).stderr
        self.assertIn("", (quick() for _ in range(5)))  # on a busy machine not each is


if __name__ == "__main__":
    unittest.main()
