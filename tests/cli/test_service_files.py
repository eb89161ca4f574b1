"""
How the keeper carries out a service file, on real processes: lists of commands and their order, kinds of
services, ends, limits, restarts, what is required. What the parser understands is test_check.py's.
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from files import Files
from support import HAS_POINTS, LIBC, PROCREF, files_of, is_alive


class ServiceFile(Files):
    def test_the_keeper_sleeps_while_a_start_takes_its_time(self):
        slow = f"/bin/sh -c 'touch {self.work}/$$0.begun; until [ -e {self.work}/go ]; do sleep 0.1; done' "
        self.write("talker", """
import os, socket, time
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
said.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
said.send(b"READY=1")
while True:
    time.sleep(0.1)
    said.send(b"STATUS=more is said while other steps are under way")
""")
        for name, service, extension in (
                ("pre", f"ExecStartPre={slow}pre\nExecStart=sleep 1000", ""),
                ("start", f"Type=oneshot\nRemainAfterExit=yes\nExecStart={slow}start", "Ready=exec:true"),
                ("fork", f"Type=forking\nExecStart=/bin/sh -c 'sleep 1000 & touch {self.work}/fork.begun; "
                         f"until [ -e {self.work}/go ]; do sleep 0.1; done'", "Ready=exec:true"),
                ("post", f"ExecStart=sleep 1000\nExecStartPost={slow}post", ""),
                ("said", f"Type=notify\nExecStart=/usr/bin/env python3 {self.work}/talker\nExecStartPost={slow}said", "")):
            with self.subTest(name):
                self.unit(service, extension)
                user = self.start("run", "--quiet", "it", "--", "true")
                self.wait_until(lambda: os.path.exists(f"{self.work}/{name}.begun"))
                keeper = self.pair()[0]

                def used():
                    with open(f"/proc/{keeper}/schedstat") as file:
                        return int(file.read().split()[0])
                before = used()
                time.sleep(0.3)  # the time in which it is to do nothing
                spent = used() - before
                open(f"{self.work}/go", "w").close()
                self.assertEqual(user.wait(), 0)
                self.assertEqual(self.procref("wait", "it").returncode, 0)
                os.unlink(f"{self.work}/go")
                self.assertLess(spent, 50_000_000)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
    def test_a_process_that_takes_no_signal_of_ours_is_named(self):
        PR_CAPBSET_DROP, CAP_KILL = 24, 5
        other = f"{self.dir}/other"
        with open(other, "w") as file:
            file.write("echo changed; exec sleep 1000\n")
        self.unit(f"ExecStart=/bin/sh -c 'setpriv --reuid 65534 --clear-groups sh <{other} & exec sleep 1000'\n"
                  "TimeoutStopSec=200ms", "Ready=log:changed")
        self.assertEqual(self.procref("run", "it", "--", "true",
                                      preexec_fn=lambda: LIBC.prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0)).returncode, 0)
        named = lambda: re.findall("its process ([0-9]+) has, which takes no signal", "".join(self.log_of_keeper()))
        self.wait_until(named)
        os.kill(int(named()[0]), signal.SIGKILL)
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        self.assertEqual(len(named()), 1)

    def test_a_log_that_is_longer_than_the_keeper_may_write_ends_no_keeper(self):
        import resource
        size = max(2_000_000, 2 * os.path.getsize(PROCREF))  # a sanitizer's keeper is large
        low = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.unit("ExecStart=sleep 1000\nLimitFSIZE=infinity\n"
                  f"ExecStop=/bin/sh -c 'echo stop >>{self.log}; head -c {size + 500_000} /dev/zero; exit 1'")
        self.assertEqual(self.procref("run", "it", "--", "true", preexec_fn=low).returncode, 0)
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        self.assertEqual(self.said(), ["stop"])

    def test_a_service_that_talks_without_end_is_given_up_in_time(self):
        self.unit("ExecStart=yes\nTimeoutStartSec=1", "Ready=log:never")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("was not ready (log:never) within its start timeout of 1000 ms", done.stderr)

    # ---- Lists ----

    def test_the_lists_run_in_their_order_and_once(self):
        self.unit("Type=exec\nExecStart=sleep 1000\n"
                  "ExecStopPost=SAY post\nExecStop=SAY stop one\nExecStop=SAY stop two\n"
                  "ExecStartPost=SAY started\nExecStartPre=SAY pre one\nExecStartPre=SAY pre two")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["pre one", "pre two", "started", "stop one", "stop two", "post"])

    def test_a_step_that_fails_fails_the_start_and_only_the_last_list_is_run(self):
        self.unit("ExecStartPre=SAY one\nExecStartPre=/bin/sh -c 'echo why; exit 3'\nExecStartPre=SAY three\n"
                  "ExecStart=sleep 1000\nExecStop=SAY stop\nExecStopPost=SAY post")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("ExecStartPre= of 'it' failed: '/bin/sh': it exited with status 3", done.stderr)
        self.assertIn("why", done.stderr)
        self.assertEqual(self.said(), ["one", "post"])

    def test_a_step_with_a_minus_may_fail(self):
        self.unit("ExecStartPre=-/bin/false\nExecStartPre=-/no/such/program\nExecStart=sleep 1000\nExecStop=-/bin/false\n"
                  "ExecStop=SAY stop")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["stop"])

    def test_a_program_that_is_not_there_is_named(self):
        self.unit("ExecStartPre=/no/such/program\nExecStart=sleep 1000")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("/no/such/program", done.stderr)

    def test_a_failing_start_post_fails_the_start_and_ends_the_service(self):
        self.unit("ExecStart=sleep 1000\nExecStartPost=/bin/false\nExecStop=SAY stop\nExecStopPost=SAY post")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("ExecStartPost=", done.stderr)
        self.assertEqual(self.said(), ["post"])

    def test_variables_follow_the_rules_of_systemd(self):
        self.unit("Environment=\"WORDS=a 'b c' d\" ONE=x\n"
                  "ExecStartPre=SAY $WORDS | ${WORDS} | pre${ONE}post $$ONE in$ONE $UNSET ${UNSET}.\n"
                  "ExecStartPre=:/bin/sh -c 'echo \"$1\" >>%s' say ${ONE}\n"
                  "ExecStartPre=@/bin/sh other -c 'echo \"$$0 $$1\" >>%s' named arg\n"
                  "ExecStart=sleep 1000" % (self.log, self.log))
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["a b c d | a 'b c' d | prexpost $ONE in$ONE .", "${ONE}", "named arg"])

    def test_steps_know_the_main_process_and_how_it_ended(self):
        self.unit("ExecStart=sleep 1000\nExecStartPost=SAY $MAINPID\nExecStop=SAY $MAINPID\n"
                  "ExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS ${MAINPID}.")
        pid = self.run_it("sh", "-c", "echo $PROCREF_PID").stdout.strip()
        self.assertEqual(self.said(), [pid, pid, "success killed TERM ."])

    def test_steps_know_how_a_start_failed(self):
        post = "ExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS\n"
        for service, how in (("ExecStart=/bin/sh -c 'exit 3'\nExecStartPost=sleep 1", "exit-code exited 3"),
                             ("ExecStart=/bin/sh -c 'kill -9 $$$$'\nExecStartPost=sleep 1", "signal killed KILL"),
                             ("ExecStartPre=false\nExecStart=sleep 1000", "exit-code"),
                             ("ExecStartPre=sleep 1000\nExecStart=sleep 1000\nTimeoutStartSec=100ms", "timeout")):
            with self.subTest(how):
                self.unit(post + service)
                self.assertEqual(self.run_it("true").returncode, 111)
                self.assertEqual(self.said()[-1], how)

    def test_a_step_that_hangs_ends_with_the_start_timeout(self):
        self.unit("ExecStartPre=sleep 1000\nExecStart=sleep 1000\nTimeoutStartSec=2s\nExecStopPost=SAY post")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("2000 ms", done.stderr)
        self.assertEqual(self.said(), ["post"])

    def test_a_stop_step_that_hangs_ends_with_the_stop_timeout(self):
        self.unit("ExecStart=sleep 1000\nExecStop=sleep 1000\nTimeoutStopSec=2s\nExecStopPost=SAY post")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["post"])

    STUBBORN = "ExecStart=/bin/sh -c 'trap : TERM; echo up >%s/up; while :; do sleep 0.01; done'\n"

    def test_the_last_list_knows_what_failed_first_in_the_end(self):
        stubborn = (self.STUBBORN % self.work) + "TimeoutStopSec=2s\n"
        up = f"Ready=exec:test -e {self.work}/up"
        exits = "ExecStart=/bin/sh -c 'trap \"exit 3\" TERM; echo up >%s/up; while :; do sleep 0.01; done'\n" % self.work
        for service, extension, how in (
                ("ExecStart=sleep 1000\nExecStop=false", "", "exit-code killed TERM"),
                ("ExecStart=sleep 1000\nExecStop=-false", "", "success killed TERM"),
                ("ExecStart=sleep 1000\nExecStop=/no/such/program", "", "exit-code killed TERM"),
                ("ExecStart=sleep 1000\nExecStop=/bin/sh -c 'kill -9 $$$$'", "", "signal killed TERM"),
                ("ExecStart=sleep 1000\nExecStop=sleep 1000\nTimeoutStopSec=2s", "", "timeout killed TERM"),
                (stubborn, up, "timeout killed KILL"),
                (stubborn + "ExecStop=false", up, "exit-code killed KILL"),
                (exits, up, "exit-code exited 3"),
                (exits + "SuccessExitStatus=3", up, "success exited 3"),
                (exits.replace("ExecStart=", "ExecStart=-"), up, "success exited 3")):
            with self.subTest(service):
                for name in (self.log, f"{self.work}/up"):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name)
                self.unit("ExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS\n" + service, extension)
                self.assertEqual(self.run_it("true").returncode, 0)
                self.assertEqual(self.said(), [how])

    def test_a_start_step_that_is_killed_is_told_from_one_that_fails(self):
        self.unit("ExecStartPre=/bin/sh -c 'kill -9 $$$$'\nExecStart=sleep 1000\nExecStopPost=SAY $SERVICE_RESULT")
        self.assertEqual(self.run_it("true").returncode, 111)
        self.assertEqual(self.said(), ["signal"])

    def test_what_failed_in_the_end_is_known_to_the_next_keeper(self):
        self.unit(f"ExecStart=sleep 1000\nExecStop=false\nExecStopPost=/bin/sh -c 'touch {self.work}/begun; "
                  f"until [ -e {self.work}/go ]; do sleep 0.02; done'\nExecStopPost=SAY $SERVICE_RESULT")
        holder = self.hold()
        keeper = self.pair()[0]
        holder.kill()
        self.wait_until(lambda: os.path.exists(f"{self.work}/begun"))
        os.kill(keeper, signal.SIGKILL)
        open(f"{self.work}/go", "w").close()
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        self.assertEqual(self.said(), ["exit-code"])

    def test_what_goes_wrong_in_the_end_stands_in_the_log(self):
        up = f"Ready=exec:test -e {self.work}/up"
        stubborn = (self.STUBBORN % self.work) + "TimeoutStopSec=2s\n"
        for number, (service, extension, lines) in enumerate((
                ("ExecStart=sleep 1000\nExecStop=/bin/sh -c 'printf why; exit 7'\nExecStopPost=/bin/false", "",
                 ["procref: ExecStop= of 'it' failed: '/bin/sh': it exited with status 7",
                  "procref: ExecStopPost= of 'it' failed: '/bin/false': it exited with status 1"]),
                ("ExecStart=sleep 1000\nExecStop=-/bin/false", "", []),
                ("ExecStart=sleep 1000\nExecStop=sleep 1000\nTimeoutStopSec=2s", "",
                 ["procref: ExecStop= of 'it' failed: 'sleep': it did not end within the stop timeout of 2000 ms"]),
                (stubborn, up, ["procref: 'it' did not end within its stop timeout of 2000 ms: it is killed"]),
                (stubborn + "StandardOutput=null", up, []))):
            with self.subTest(service):
                name = f"it{number}"  # each with a log of its own
                self.unit(service, extension, name)
                self.assertEqual(self.run_it("true", name=name).returncode, 0)
                self.assertEqual(self.log_of_keeper(name), [line.replace("'it'", f"'{name}'") for line in lines])

    def test_each_stop_step_has_the_stop_timeout(self):
        self.unit("ExecStart=sleep 1000\nTimeoutStopSec=5s\nExecStop=sleep 3\nExecStop=sleep 3\nExecStop=SAY stopped")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["stopped"])

    def test_a_step_that_was_about_to_run_when_the_keeper_was_killed_does_not_run_beside_the_next(self):
        os.mkfifo(f"{self.work}/output")  # until somebody reads it, the step does not come to run
        self.unit("ExecStartPre=SAY pre\nExecStart=sleep 1000\nExecStopPost=SAY post\n"
                  f"StandardOutput=append:{self.work}/output")
        user = self.start("run", "--quiet", "it", "--", "true")

        def steps():
            keeper = self.pair()[0]
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the one that was killed
                with open(f"/proc/{keeper}/task/{keeper}/children") as file:
                    return set(file.read().split())
            return set()
        self.wait_until(lambda: self.pair()[0] and steps())
        keeper, first = self.pair()[0], steps()
        os.kill(keeper, signal.SIGKILL)
        self.wait_until(lambda: self.pair()[0] not in (keeper, None) and steps() - first)
        time.sleep(0.1)  # what comes next waits for the reader, too
        reader = os.open(f"{self.work}/output", os.O_RDONLY | os.O_NONBLOCK)
        self.assertEqual(user.wait(), 0)
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        os.close(reader)
        self.assertEqual(self.said(), ["post", "pre", "post"])

    # ---- Kinds ----

    ONESHOT = ("Type=oneshot\nRemainAfterExit=yes\nExecStart=SAY up\nExecStart=SAY and more\nExecStop=SAY down\n"
               "ExecStopPost=SAY post")

    def test_a_oneshot_is_up_without_a_process(self):
        self.unit(self.ONESHOT)
        holder = self.hold()
        self.assertEqual(self.said(), ["up", "and more"])
        second = self.hold()
        second.kill()
        second.wait()
        self.assertEqual(self.said(), ["up", "and more"])
        self.let_go(holder, signal.SIGKILL)
        self.assertEqual(self.said(), ["up", "and more", "down", "post"])

    def test_a_oneshot_that_fails_is_not_up(self):
        self.unit(self.ONESHOT + "\nExecStart=/bin/false")
        self.assertEqual(self.run_it("true").returncode, 111)
        self.assertEqual(self.said(), ["up", "and more", "post"])

    def test_a_oneshot_survives_its_keeper(self):
        self.unit(self.ONESHOT)
        holder = self.hold()
        for _ in range(3):
            keeper, _standby = self.pair()
            os.kill(keeper, signal.SIGKILL)
            self.wait_until(lambda: self.pair()[0] not in (None, keeper))
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.assertEqual(self.said(), ["up", "and more"])
        self.let_go(holder)
        self.assertEqual(self.said(), ["up", "and more", "down", "post"])

    def test_a_oneshot_survives_both_keepers(self):
        self.unit(self.ONESHOT)
        holder = self.hold()
        self.kill_pair()
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.assertEqual(self.said(), ["up", "and more"])
        self.let_go(holder)
        self.assertEqual(self.said(), ["up", "and more", "down", "post"])

    def test_what_a_massacre_left_of_a_oneshot_is_undone_by_the_next(self):
        self.unit(self.ONESHOT)
        holder = self.hold()
        pair = self.pair()
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        holder.kill()
        holder.wait()
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not any(is_alive(pid) for pid in pair))
        self.assertEqual(self.run_it("true").returncode, 0)
        said = self.said()
        self.assertEqual(said.count("up") - said.count("down"), 0, said)
        self.assertEqual(said[-2:], ["down", "post"])

    DAEMON = "/bin/sh -c '(echo $$BASHPID >/dev/null; exec sleep 1000) & echo $$! >%s/pid'"

    def test_a_forking_service_is_the_process_of_its_pid_file(self):
        self.unit(f"Type=forking\nPIDFile={self.work}/pid\nExecStart=" + self.DAEMON % self.work)
        done = self.run_it("sh", "-c", "echo $PROCREF_PID; cat pid; cat /proc/$PROCREF_PID/comm")
        pid, told, name = done.stdout.split()
        self.assertEqual(pid, told)
        self.assertIn(name, ("sh", "sleep"))  # it may not have executed it yet

    def test_a_pid_file_that_comes_late_is_waited_for(self):
        self.unit(f"Type=forking\nPIDFile={self.work}/pid\n"
                  "ExecStart=/bin/sh -c '(sleep 0.3; sleep 1000 & echo $$! >tmp; mv tmp pid; wait) &'\n"
                  f"WorkingDirectory={self.work}")
        done = self.run_it("sh", "-c", "echo $PROCREF_PID; cat pid")
        self.assertEqual(done.returncode, 0, done.stderr)
        pid, told = done.stdout.split()
        self.assertEqual(pid, told)

    def test_a_pid_file_is_found_in_folders_that_come_late(self):
        for way in ("mkdir a; sleep 0.1; mkdir a/b; sleep 0.1; echo $$daemon >a/b/pid",
                    "mkdir -p a/b; echo $$daemon >a/b/pid",
                    "mkdir -p new/b; echo $$daemon >new/b/pid; mv new a",
                    "mkdir -p a/b; sleep 0.1; rm -r a; sleep 0.1; mkdir -p a/b; sleep 0.1; echo $$daemon >a/b/pid"):
            with self.subTest(way):
                self.unit(f"Type=forking\nPIDFile={self.work}/a/b/pid\nWorkingDirectory={self.work}\nTimeoutStartSec=10\n"
                          f"ExecStart=/bin/sh -c '(sleep 0.2; sleep 1000 & daemon=$$!; {way}; wait) &'\n"
                          f"ExecStopPost=/bin/cp -r {self.work}/a {self.work}/kept\nExecStopPost=/bin/rm -r {self.work}/a")
                done = self.run_it("sh", "-c", "echo $PROCREF_PID")
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(f"{self.work}/kept/b/pid") as file:
                    self.assertEqual(file.read(), done.stdout)
                subprocess.run(["rm", "-r", f"{self.work}/kept"], check=True)

    def test_a_pid_file_that_names_a_stranger_is_not_believed(self):
        self.unit(f"Type=forking\nPIDFile={self.work}/pid\nTimeoutStartSec=500ms\n"
                  f"ExecStart=/bin/sh -c 'sleep 1000 & echo {os.getpid()} >{self.work}/pid'")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)

    def test_a_pid_file_that_is_a_pipe_holds_nobody(self):
        os.mkfifo(f"{self.work}/pid")
        self.unit(f"Type=forking\nPIDFile={self.work}/pid\nTimeoutStartSec=500ms\nExecStart=/bin/sh -c 'sleep 1000 &'")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("was not ready", done.stderr)

    def test_a_forking_service_without_a_pid_file_is_what_is_left(self):
        self.unit("Type=forking\nExecStart=/bin/sh -c 'sleep 1000 &'\nExecStop=SAY $MAINPID")
        done = self.run_it("sh", "-c", "echo $PROCREF_PID; cat /proc/$PROCREF_PID/comm")
        pid, name = done.stdout.split()
        self.assertIn(name, ("sh", "sleep")) # it may not have executed it yet
        self.assertEqual(self.said(), [pid])

    def test_what_a_command_before_it_left_is_not_the_forking_service(self):
        left = "ExecStartPre=/bin/sh -c 'sleep 1001 &'\n"
        self.unit(f"Type=forking\n{left}ExecStart=/bin/sh -c 'sleep 1002 & echo $$! >{self.work}/pid'")
        done = self.run_it("sh", "-c", "echo $PROCREF_PID; cat pid")
        self.assertEqual(*done.stdout.split())
        self.unit(f"Type=forking\n{left}ExecStart=/bin/true")
        self.assertEqual(self.run_it("true").returncode, 111)

    def test_a_forking_service_that_leaves_nothing_has_failed(self):
        self.unit("Type=forking\nExecStart=/bin/true")
        self.assertEqual(self.run_it("true").returncode, 111)

    def test_a_forking_service_of_which_nothing_is_left_is_not_waited_for(self):
        self.unit("Type=forking\nPIDFile=never.pid\nTimeoutStartSec=infinity\nExecStart=/bin/sh -c 'sleep 0.1 &'")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("no process of it is left to write its PIDFile=", done.stderr)

    WARY = "Type=forking\nPIDFile={0}/pid\nRestart=on-failure\nRestartSec=10ms\n" \
           "ExecStart=/bin/sh -c 'test -e {0}/pid && exit 1; sleep 1000 & echo $$! >{0}/pid'\n" \
           "ExecStopPost=/bin/sh -c 'test -e {0}/pid && echo there >>{0}/said'"

    def test_a_pid_file_is_gone_when_the_service_has_ended_and_when_it_starts_again(self):
        self.unit(self.WARY.format(self.work))
        holder = self.hold()
        first = self.status()["pid"]
        os.kill(first, signal.SIGKILL)
        self.wait_until(lambda: (now := self.status())["state"] == "up" and now["pid"] not in (None, first))
        with open(f"{self.work}/pid") as file:
            self.assertEqual(int(file.read()), self.status()["pid"])
        self.let_go(holder)
        self.assertFalse(os.path.exists(f"{self.work}/pid"))
        self.assertEqual(self.said(), ["there", "there"])  # only after the last list

    def test_a_pid_file_that_a_massacre_left_is_removed_by_the_next(self):
        self.unit(self.WARY.format(self.work))
        holder = self.hold()
        doomed = [*self.pair(), self.status()["pid"]]
        for pid in doomed:
            os.kill(pid, signal.SIGSTOP)
        holder.kill()
        holder.wait()
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not any(is_alive(pid) for pid in doomed))
        self.assertTrue(os.path.exists(f"{self.work}/pid"))
        done = self.run_it("true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(f"{self.work}/pid"))

    def test_of_a_pid_file_that_is_a_link_only_the_link_is_removed(self):
        os.symlink("real", f"{self.work}/pid")
        self.unit(f"Type=forking\nPIDFile={self.work}/pid\nExecStart=" + self.DAEMON % self.work)
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertFalse(os.path.lexists(f"{self.work}/pid"))
        self.assertTrue(os.path.exists(f"{self.work}/real"))

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_a_pid_file_is_removed_though_the_keeper_is_killed_meanwhile(self):
        self.unit(self.WARY.format(self.work))
        for point in ("plan: a step has ended", "plan: posted, not recorded"):
            with self.subTest(point):
                self.env["PROCREF_CRASH"] = f"{point}@{self.work}/killed"
                self.assertEqual(self.run_it("true").returncode, 0)
                os.unlink(f"{self.work}/killed")
                self.assertFalse(os.path.exists(f"{self.work}/pid"))

    def test_a_notifying_service_is_up_when_it_says_so(self):
        from support import HELPERS
        self.unit(f"Type=notify\nExecStart={HELPERS}/service --notify --start-delay-ms 200 --events {self.work}/events\n"
                  "ExecStartPost=SAY ready")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["ready"])

    def test_who_notifies_is_heard_until_it_has_ended(self):
        self.write("notifier", """
import os, signal, socket, sys
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(text):
    address = os.environ["NOTIFY_SOCKET"]
    said.sendto(text, "\\0" + address[1:] if address[0] == "@" else address)
def stop(*_):
    say(b"STOPPING=1")
    open(sys.argv[1], "w").write("told")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say(b"READY=1")
signal.pause()
""")
        self.unit(f"Type=notify\nExecStart=/usr/bin/env python3 {self.work}/notifier {self.log}\nExecStop=true")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["told"])

    # ---- Ends ----


    def end_of_tree(self, mode):
        tree = ("/bin/sh -c 'trap \"echo main >>%s; exit 0\" TERM; sh %s/child & wait'" % (self.log, self.work))
        self.write("child", f"trap 'echo child >>{self.log}; exit 0' TERM\necho $$ >{self.work}/child.pid\n"
                            f"echo up >{self.work}/up\nwhile :; do sleep 0.01; done\n")
        self.unit(f"ExecStart={tree}\nKillMode={mode}\nTimeoutStopSec=5", f"Ready=exec:test -e {self.work}/up")
        self.assertEqual(self.run_it("true").returncode, 0)
        with open(f"{self.work}/child.pid") as file:
            return int(file.read())

    def test_kill_mode_control_group_asks_all_at_once(self):
        child = self.end_of_tree("control-group")
        self.assertEqual(sorted(self.said()), ["child", "main"])
        self.assertFalse(is_alive(child))

    def test_who_is_reparented_while_all_are_asked_is_asked_too(self):
        self.unit("ExecStart=/bin/sh -c 'sleep 1000 & sleep 1000 & sleep 1000; true'\nTimeoutStopSec=60")
        for _ in range(60):
            self.assertEqual(self.run_it("sleep", "0.02").returncode, 0)
            self.assertEqual(self.procref("wait", "it", "-t", "5").returncode, 0)

    def test_kill_mode_mixed_kills_what_the_main_process_leaves(self):
        child = self.end_of_tree("mixed")
        self.assertEqual(self.said(), ["main"])
        self.assertFalse(is_alive(child))

    def test_kill_mode_process_leaves_the_rest_alone(self):
        child = self.end_of_tree("process")
        self.assertEqual(self.said(), ["main"])
        self.assertTrue(is_alive(child))
        os.kill(child, signal.SIGKILL)

    def test_send_sigkill_no_leaves_alone_what_does_not_end_in_time(self):
        self.unit(f"ExecStart=/bin/sh -c 'trap : TERM; echo up >{self.work}/up; while :; do sleep 0.01; done'\n"
                  "SendSIGKILL=no\nTimeoutStopSec=2s\nExecStopPost=SAY post $SERVICE_RESULT", f"Ready=exec:test -e {self.work}/up")
        pid = int(self.run_it("sh", "-c", "echo $PROCREF_PID").stdout)
        self.assertEqual(self.said(), ["post timeout"])
        self.assertEqual(self.log_of_keeper(), ["procref: 'it' did not end within its stop timeout of 2000 ms: it is left alone"])
        self.assertTrue(is_alive(pid))
        os.kill(pid, signal.SIGKILL)

    def test_the_kill_signal_is_the_one_of_the_file(self):
        self.unit("ExecStart=sleep 1000\nKillSignal=SIGINT\nExecStopPost=SAY $EXIT_STATUS")
        self.run_it("true")
        self.assertEqual(self.said(), ["INT"])

    def test_what_is_being_stopped_is_still_the_generation_that_it_was(self):
        waits = f"/bin/sh -c 'touch {self.work}/begun; until [ -e {self.work}/go ]; do sleep 0.02; done'"
        self.unit(f"ExecStart=sleep 1000\nExecStop={waits}")
        holder = self.hold()
        up = self.status()
        holder.kill()
        self.wait_until(lambda: os.path.exists(f"{self.work}/begun"))
        stopping = self.status()
        open(f"{self.work}/go", "w").close()
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        self.assertEqual(stopping["state"], "stopping")
        for key in ("pid", "generation", "started"):
            self.assertEqual(stopping[key], up[key])

    # ---- Restarts ----

    def until_held(self):
        """For a shell: a service that ends before its first user holds it was not held, and is started once more."""
        return f"until [ -e {self.work}/go ]; do sleep 0.01; done"

    def hold_what_then_ends(self):
        holder = self.hold()
        self.write("go", "")
        return holder

    def lives_on(self, restart, how, more=""):
        """Whether a service that ends by `how` (a shell's words) is started again while it is held."""
        self.write("once", f"echo start >>{self.log}\n"
                           f"test $(wc -l <{self.log}) -gt 1 && exec sleep 1000\n{self.until_held()}\n{how}\n")
        self.unit(f"ExecStart=/bin/sh {self.work}/once\nRestart={restart}\nRestartSec=1ms\n{more}")
        holder = self.hold_what_then_ends()
        self.wait_until(lambda: len(self.said()) == 2 or self.status()["state"] == "gave up")
        result = len(self.said()) == 2
        self.let_go(holder)
        os.unlink(self.log)
        os.unlink(f"{self.work}/go")
        return result

    def test_restart_is_decided_by_how_it_ended(self):
        ends = {"exit 0": "clean", "exit 3": "unclean", "kill -SEGV $$": "signal", "kill -TERM $$": "clean"}
        policies = {"no": [], "always": ["clean", "unclean", "signal"], "on-success": ["clean"],
                    "on-failure": ["unclean", "signal"], "on-abnormal": ["signal"], "on-abort": ["signal"]}
        for policy, restarted in policies.items():
            for how, kind in ends.items():
                with self.subTest(policy=policy, how=how):
                    self.assertEqual(self.lives_on(policy, how), kind in restarted)

    def test_success_exit_status_makes_an_end_a_clean_one(self):
        self.assertFalse(self.lives_on("on-failure", "exit 42", "SuccessExitStatus=42 SIGUSR1"))
        self.assertFalse(self.lives_on("on-failure", "kill -USR1 $$", "SuccessExitStatus=42 SIGUSR1"))
        self.assertTrue(self.lives_on("on-failure", "exit 42", "SuccessExitStatus=43"))

    def test_some_ends_decide_alone_whether_it_is_started_again(self):
        prevent = "RestartPreventExitStatus=255 0 SIGUSR1"
        for how in ("exit 255", "exit 0", "kill -USR1 $$"):
            self.assertFalse(self.lives_on("always", how, prevent), how)
        self.assertTrue(self.lives_on("always", "exit 3", prevent))
        force = "RestartForceExitStatus=7 SIGUSR2"
        for how in ("exit 7", "kill -USR2 $$"):
            self.assertTrue(self.lives_on("no", how, force), how)
        self.assertFalse(self.lives_on("no", "exit 8", force))
        self.assertFalse(self.lives_on("no", "exit 7", force + "\nRestartPreventExitStatus=7"))

    def test_a_main_process_with_a_minus_ends_well(self):
        self.unit(f"ExecStart=-/bin/sh -c '{self.until_held()}; exit 3'\nRestart=on-failure\nExecStop=SAY stop\n"
                  "ExecStopPost=SAY $SERVICE_RESULT")
        holder = self.hold_what_then_ends()
        self.wait_until(lambda: self.status()["state"] == "gave up")
        self.assertEqual(self.said(), ["stop", "success"])
        self.let_go(holder)

    def test_the_start_limit_ends_the_restarts(self):
        self.unit(f"ExecStart=/bin/sh -c 'echo start >>{self.log}; {self.until_held()}; exit 1'\nRestart=always\nRestartSec=1ms",
                  unit="StartLimitBurst=3\nStartLimitIntervalSec=60")
        holder = self.hold_what_then_ends()
        self.wait_until(lambda: self.status()["state"] == "gave up")
        self.assertEqual(len(self.said()), 3)
        self.let_go(holder)

    # ---- How processes are run ----

    def test_the_start_limit_of_an_unlimited_interval_ends_the_restarts(self):
        self.unit(f"ExecStart=/bin/sh -c 'echo >>{self.work}/starts; {self.until_held()}'\nRestart=always\nRestartSec=0",
                  unit="StartLimitIntervalSec=infinity\nStartLimitBurst=2")
        holder = self.hold_what_then_ends()
        self.wait_until(lambda: self.status()["state"] == "gave up")
        with open(f"{self.work}/starts") as file:
            self.assertEqual(len(file.readlines()), 2)
        self.let_go(holder)

    def test_limits_umask_nice_and_folder_are_set(self):
        self.unit("ExecStart=/bin/sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c; umask; nice; pwd; exec sleep 1000'\n"
                  f"LimitNOFILE=100:200\nLimitCORE=0\nUMask=0077\nNice=5\nWorkingDirectory={self.dir}/home\n"
                  f"StandardOutput=file:{self.log}", f"Ready=exec:grep -q /home {self.log}")
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["100", "200", "0", "0077", "5", f"{self.dir}/home"])

    def test_output_goes_where_the_file_says(self):
        self.write("said", "before\n")
        self.unit("ExecStartPre=echo pre\nExecStart=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'\n"
                  f"StandardOutput=append:{self.log}\nStandardError=null")
        self.run_it("sh", "-c", f"until grep -q out {self.log}; do sleep 0.01; done")
        self.assertEqual(self.said(), ["before", "pre", "out"])

    def test_the_error_of_a_start_has_the_last_lines_of_a_file_that_is_appended_to(self):
        for where in (f"StandardOutput=append:{self.log}", f"StandardError=append:{self.log}",
                      f"StandardOutput=append:{self.work}/out\nStandardError=append:{self.log}"):
            with self.subTest(where):
                self.write("said", "earlier\n")
                self.unit("ExecStart=/bin/sh -c 'echo out; echo why >&2; exit 3'\nExecStartPost=sleep 1\n" + where)
                done = self.run_it("true")
                self.assertEqual(done.returncode, 111)
                self.assertIn("why", done.stderr)
                self.assertNotIn("earlier", done.stderr)

    def test_one_file_for_both_outputs_has_all_of_both(self):
        for kind in ("file", "truncate", "append"):
            with self.subTest(kind):
                self.write("said", "")
                self.unit("ExecStart=/bin/sh -c 'echo out; echo err >&2; echo more; exec sleep 1000'\n"
                          f"StandardOutput={kind}:{self.log}\nStandardError={kind}:{self.log}")
                self.run_it("sh", "-c", f"until grep -q more {self.log}; do sleep 0.01; done")
                self.assertEqual(self.said(), ["out", "err", "more"])

    def test_the_runtime_directory_is_made_and_removed(self):
        self.unit("RuntimeDirectory=a b/c\nRuntimeDirectoryMode=0700\nWorkingDirectory=%t/a\n"
                  "ExecStartPre=SAY $RUNTIME_DIRECTORY\nExecStart=/bin/sh -c 'echo x >file; exec sleep 1000'",
                  "Ready=exec:test -e file")
        done = self.run_it("sh", "-c", "stat -c %%a %s/run/procref/*/a %s/run/procref/*/b/c" % (self.dir, self.dir))
        self.assertEqual(done.stdout.split(), ["700", "700"], done.stderr)
        self.assertEqual(len(self.said()), 1)
        for folder in self.said()[0].split(":"):
            self.assertFalse(os.path.exists(folder), folder)

    def test_a_port_is_picked_when_one_is_used(self):
        from support import HELPERS
        self.unit(f"ExecStart={HELPERS}/service --port ${{PORT}}", "Ready=tcp\nExport=URL=tcp://127.0.0.1:${PORT}/%p")
        done = self.run_it("sh", "-c", "echo $PORT $URL")
        port, url = done.stdout.split()
        self.assertEqual(url, f"tcp://127.0.0.1:{port}/it")

    def test_a_changed_file_is_another_service(self):
        self.unit("ExecStart=sleep 1000\nExecStop=SAY one")
        holder = self.hold()
        self.unit("ExecStart=sleep 1000\nExecStop=SAY two")
        done = self.procref("run", "it", "--", "true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("service file", done.stderr)
        self.assertEqual(self.procref("run", "it", "--share", "--", "true").returncode, 0)
        self.let_go(holder)
        self.assertEqual(self.said(), ["one"])

    def test_a_changed_file_replaces_what_nobody_holds(self):
        self.unit("ExecStart=sleep 1000\nExecStop=SAY one", "Linger=1h")
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.unit("ExecStart=sleep 1000\nExecStop=SAY two")
        self.assertEqual(self.procref("run", "it", "--timeout", "0", "--", "true").returncode, 111)
        self.assertEqual(self.run_it("true").returncode, 0)
        self.assertEqual(self.said(), ["one", "two"])

    # ---- Health ----

    def test_an_unhealthy_service_is_started_anew_by_who_finds_out(self):
        self.unit("ExecStartPre=SAY start\nExecStart=sleep 1000", f"Health=test ! -e {self.work}/ill")
        holder = self.hold()
        pid = self.status()["pid"]
        self.assertEqual(self.procref("run", "it", "--", "true").stderr, "")
        self.assertEqual(self.status()["pid"], pid)
        self.write("ill", "")
        self.unit("ExecStartPre=SAY start\nExecStart=sleep 1000", f"Health=test ! -e {self.work}/ill || ! rm {self.work}/ill")
        done = self.procref("run", "it", "--", "sh", "-c", "echo $PROCREF_PID $PROCREF_GENERATION")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not healthy", done.stderr)
        self.assertNotEqual(int(done.stdout.split()[0]), pid)
        self.assertEqual(self.said(), ["start", "start"])
        self.assertEqual(self.status()["error"], "the health check of 'it' failed")
        self.let_go(holder)

    def test_an_end_that_takes_the_main_process_and_the_last_step_at_once_is_one_end(self):
        self.unit("ExecStart=/bin/sh -c 'echo >>starts; echo $$$$ >main; until [ -e go ]; do sleep 0.05; done'\n"
                  "ExecStartPre=/bin/rm -f ill go main\n"
                  "ExecStop=/bin/sh -c 'touch stopping; until [ -e go ] && ! grep -q \") [^Z]\" /proc/$$(cat main)/stat; "
                  "do sleep 0.05; done; touch stopped'\n"
                  f"WorkingDirectory={self.work}\nRestart=always", f"Ready=exec:test -s main\nHealth=test ! -e {self.work}/ill")
        holder = self.hold()
        keeper = self.pair()[0]
        open(f"{self.work}/ill", "w").close()
        user = self.start("run", "--quiet", "it", "--", "true", stderr=subprocess.PIPE)
        self.wait_until(lambda: os.path.exists(f"{self.work}/stopping"))
        os.kill(keeper, signal.SIGSTOP)
        open(f"{self.work}/go", "w").close()
        self.wait_until(lambda: os.path.exists(f"{self.work}/stopped"))
        time.sleep(0.05)  # until the step itself has ended, which nobody reaps yet
        os.kill(keeper, signal.SIGCONT)
        self.assertEqual((user.wait(), user.stderr.read().count("ended")), (0, 0))
        with open(f"{self.work}/starts") as file:
            self.assertEqual(len(file.readlines()), 2)
        holder.terminate()
        holder.wait()
        open(f"{self.work}/go", "w").close()
        self.assertEqual(self.procref("wait", "it").returncode, 0)

    def test_a_health_check_ends_with_who_asked(self):
        self.unit("ExecStart=sleep 1000", f"Health=echo $$$$ >{self.work}/check; exec sleep 1000")
        holder = self.hold()
        user = self.start("run", "it", "--", "true")
        self.wait_until(lambda: os.path.exists(f"{self.work}/check") and os.path.getsize(f"{self.work}/check"))
        user.kill()
        user.wait()
        with open(f"{self.work}/check") as file:
            check = int(file.read())
        self.wait_until(lambda: not os.path.exists(f"/proc/{check}"))
        self.let_go(holder)

    def test_a_service_that_stays_unhealthy_is_an_error(self):
        self.unit("ExecStart=sleep 1000", "Health=echo it is ill >&2; exit 3")
        holder = self.hold()
        done = self.procref("run", "it", "--", "true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("it is ill", done.stderr)
        self.assertIn("not healthy (exit status 3)", done.stderr)
        holder.kill()

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_who_waited_for_the_start_is_not_asked_however_late_it_came_to_ask(self):
        self.unit("ExecStart=sleep 1000", "Health=exit 3")
        done = self.procref("run", "it", "--", "true", env={**self.env, "PROCREF_FAULT": "asks late"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_start_that_nobody_waits_for_any_more_gives_way_to_a_changed_file(self):
        self.unit("ExecStart=sleep 1000", "Ready=exec:false")
        user = self.start("run", "it", "--", "true", stderr=subprocess.DEVNULL)
        self.wait_until(lambda: self.status()["pid"])
        user.send_signal(signal.SIGINT)
        user.wait()
        self.unit("ExecStart=sleep 1001")
        done = self.procref("run", "it", "--", "true")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.procref("wait", "it").returncode, 0)

    def listener(self):
        """The address at which the keeper is asked."""
        keeper = self.status()["keeper"]
        own = set(files_of(keeper))
        with open("/proc/net/unix") as file:
            for fields in map(str.split, file):
                if fields[3] == "00010000" and f"socket:[{fields[6]}]" in own:  # it listens
                    return "\0" + fields[7][1:]

    def test_a_start_that_nobody_waits_for_gives_way_though_somebody_has_connected_and_not_asked(self):
        self.unit("ExecStart=sleep 1000", "Ready=exec:false")
        user = self.start("run", "it", "--", "true", stderr=subprocess.DEVNULL)
        self.wait_until(lambda: self.status()["pid"])
        address = self.listener()
        user.send_signal(signal.SIGINT)
        user.wait()
        self.unit("ExecStart=sleep 1001")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.connect(address)  # as `procref ps` does before it asks
            done = self.procref("run", "it", "--", "true")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.procref("wait", "it").returncode, 0)

    def test_who_comes_while_a_start_gives_way_waits_for_its_end(self):
        self.unit(f"ExecStart=/bin/sh -c 'trap \"touch {self.work}/told; sleep 0.7; exit\" TERM; touch {self.work}/up; "
                  "while :; do sleep 0.02; done'", "Ready=exec:false")
        user = self.start("run", "it", "--", "true", stderr=subprocess.DEVNULL)
        self.wait_until(lambda: os.path.exists(f"{self.work}/up"))
        user.send_signal(signal.SIGINT)
        user.wait()
        self.unit("ExecStart=sleep 1001")
        first = self.start("run", "--quiet", "it", "--", "true")
        self.wait_until(lambda: os.path.exists(f"{self.work}/told"))
        second = self.procref("run", "--quiet", "it", "--", "true")
        self.assertEqual((second.returncode, second.stderr), (0, ""))
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.procref("wait", "it").returncode, 0)

    def test_a_start_that_somebody_waits_for_does_not_give_way(self):
        self.unit(f"ExecStart=sleep 1000\nWorkingDirectory={self.work}", "Ready=exec:test -e go")
        user = self.start("run", "it", "--", "true")
        self.wait_until(lambda: self.status()["pid"])
        self.unit("ExecStart=sleep 1001")
        done = self.procref("run", "it", "--", "true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("another command", done.stderr)
        open(f"{self.work}/go", "w").close()
        self.assertEqual(user.wait(), 0)

    def test_the_last_words_are_found_wherever_they_were_written(self):
        fails = "ExecStart=/bin/sh -c 'echo out; echo why >&2; exit 3'\nExecStartPost=sleep 1\n"
        for outputs, words in ((f"StandardOutput=append:{self.work}/out", ["out", "why"]),
                               (f"StandardOutput=append:{self.work}/out\nStandardError=journal", ["why"]),
                               (f"StandardError=append:{self.work}/errors", ["why"]),
                               (f"StandardError=append:{self.work}/never", ["out"])):
            with self.subTest(outputs):
                self.unit((fails if "never" not in outputs else fails.replace("echo why >&2; ", "")) + outputs)
                done = self.run_it("true")
                self.assertEqual(done.returncode, 111)
                self.assertEqual(sorted(re.findall("out|why", done.stderr.split("\n", 1)[1])), words, done.stderr)

    # ---- What it requires ----

    def two(self, more=""):
        self.unit("ExecStart=sleep 1000\nExecStartPost=SAY db up\nExecStopPost=SAY db down", name="db")
        self.unit("ExecStart=sleep 1001\nExecStartPre=SAY app up\nExecStopPost=SAY app down\n" + more, "Requires=db", name="app")

    def test_what_is_required_starts_first_and_stops_after(self):
        self.two()
        self.assertEqual(self.run_it("true", name="app").returncode, 0)
        self.assertEqual(self.procref("wait", "db").returncode, 0)
        self.assertEqual(self.said(), ["db up", "app up", "app down", "db down"])

    def test_what_is_required_survives_the_keeper_of_who_requires(self):
        self.two()
        holder = self.hold("app")
        db = self.status("db")["pid"]
        for _ in range(2):
            keeper, _standby = self.pair("app")
            os.kill(keeper, signal.SIGKILL)
            self.wait_until(lambda: self.pair("app")[0] not in (None, keeper))
        self.assertEqual(self.status("db")["pid"], db)
        self.let_go(holder, name="app")
        self.assertEqual(self.procref("wait", "db").returncode, 0)
        self.assertEqual(self.said(), ["db up", "app up", "app down", "db down"])

    def test_what_is_required_is_said_to_be_held_for_who_requires_it(self):
        self.two()
        holder = self.hold("app")
        [needs] = self.status("db")["holders"]
        result = self.procref("stop", "db")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rf"'db' is held by {needs['pid']} \(procref hold --for app ")
        self.let_go(holder, name="app")
        self.assertEqual(self.procref("wait", "db").returncode, 0)

    def test_without_what_holds_the_required_the_service_is_started_anew(self):
        self.two("Restart=always")
        holder = self.hold("app")
        [needs] = self.status("db")["holders"]
        os.kill(needs["pid"], signal.SIGKILL)
        self.wait_until(lambda: self.said().count("app up") == 2 and self.status("app")["state"] == "up")
        self.assertEqual(len(self.status("db")["holders"]), 1)
        self.let_go(holder, name="app")
        self.assertEqual(self.procref("wait", "db").returncode, 0)

    def test_what_cannot_be_had_fails_who_requires_it(self):
        self.two()
        self.unit("ExecStartPre=/bin/sh -c 'echo no database today; exit 1'\nExecStart=sleep 1000", name="db")
        done = self.run_it("true", name="app")
        self.assertEqual(done.returncode, 111)
        self.assertIn("no database today", done.stderr)

    def test_a_keeper_killed_before_the_required_is_up_is_followed_by_one_that_waits_for_it(self):
        self.two("Restart=always")
        self.unit(f"ExecStartPre=/bin/sh -c 'until [ -e {self.work}/go ]; do sleep 0.05; done'\n"
                  "ExecStartPost=SAY db up\nExecStart=sleep 1000\nExecStop=SAY db down", name="db")
        user = self.start("run", "--quiet", "app", "--", "true")
        self.wait_until(lambda: "starting" in self.procref("status", "db").stdout)
        keeper = self.pair("app")[0]
        os.kill(keeper, signal.SIGKILL)
        self.wait_until(lambda: self.pair("app")[0] != keeper)
        self.procref("stop", "app", timeout=10)  # answered in the start that follows: held, or asked for
        self.assertNotIn("app up", self.said())
        open(f"{self.work}/go", "w").close()
        self.assertEqual(user.wait(), 0)
        for name in ("app", "db"):
            self.assertEqual(self.procref("wait", name).returncode, 0)
        # Where the stop came before the user had asked anew, the database was started for nobody once.
        self.assertEqual(list(dict.fromkeys(word for word in self.said() if "up" in word)), ["db up", "app up"])
        self.assertEqual(self.said()[-2:], ["app down", "db down"])

    def test_what_holds_the_required_is_watched_by_a_keeper_that_starts_anew(self):
        self.two()
        slow = f"ExecStartPre=/bin/sh -c 'touch {self.work}/begun; until [ -e {self.work}/go ]; do sleep 0.05; done'\n"
        self.unit(slow + "ExecStart=sleep 1001\nExecStartPost=SAY app up\nRestart=always", "Requires=db", name="app")
        holder = self.start("hold", "app")
        self.wait_until(lambda: os.path.exists(f"{self.work}/begun"))
        os.kill(self.pair("app")[0], signal.SIGKILL)
        open(f"{self.work}/go", "w").close()
        self.wait_until(lambda: self.said().count("app up") == 1 and self.status("app")["state"] == "up")
        [needs] = self.status("db")["holders"]
        os.kill(needs["pid"], signal.SIGKILL)
        self.wait_until(lambda: self.said().count("app up") == 2 and self.status("app")["state"] == "up")
        self.let_go(holder, name="app")
        self.assertEqual(self.procref("wait", "db").returncode, 0)

    def test_killing_both_keepers_of_who_requires_lets_the_required_go(self):
        self.two()
        holder = self.hold("app")
        pair = self.pair("app")
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        holder.kill()
        holder.wait()
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.procref("wait", "db").returncode, 0)
        self.assertEqual(self.run_it("true", name="app").returncode, 0) # and what was left of it is ended
        self.assertEqual(self.procref("wait", "db").returncode, 0)


if __name__ == "__main__":
    unittest.main()
