"""procref check: what it prints, for people and with --json, and how it ends."""
import json
import os
import re
import resource
import unittest

from support import LIBC, World

GOOD = """[Unit]
Description=A test
[Service]
ExecStart=/bin/sleep "two words" %i${PORT}
Environment=A=1 "B=two words"
NoNewPrivileges=yes
Restart=on-failure
LimitNOFILE=100:infinity
[X-Procref]
Ready=tcp
Export=URL=x:${PORT}
"""
BAD = """[Service]
ExecStart=/bin/true
PrivateTmp=yes
Restrat=always
UMask=9
"""


class Check(World):
    def test_a_good_file_is_shown_with_what_is_left_out(self):
        path = self.write("a.service", GOOD)
        done = self.procref("check", "-f", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"{path}:2: ignored: Description=A test: documentation\n", done.stdout)
        self.assertIn(f"{path}:6: warning: NoNewPrivileges=yes: this protection is not applied\n", done.stdout)
        for line in ('ExecStart          /bin/sleep "two words" ${PORT}', 'Environment        "B=two words"',
                     "Restart            after failure signal timeout, at most 5 starts in 10000 ms", "LimitNOFILE        100:infinity",
                     "Port               a free one", "TimeoutStartSec    90s"):
            self.assertIn("  " + line + "\n", done.stdout)

    def test_a_bad_file_ends_with_100_and_names_each_line(self):
        path = self.write("a.service", BAD)
        done = self.procref("check", "-f", path)
        self.assertEqual(done.returncode, 100)
        lines = done.stdout.splitlines()
        self.assertEqual([line.split(": ")[:2] for line in lines],
                         [[f"{path}:3", "refused"], [f"{path}:4", "warning"], [f"{path}:5", "error"]])
        self.assertIn("is Restart= meant?", lines[1])

    def agrees(self, name, message, **more):
        """check and run refuse the file with the same words, at the same place."""
        done = self.procref("check", name, **more)
        self.assertEqual(done.returncode, 100, done.stdout + done.stderr)
        found = [line for line in done.stdout.splitlines() if message in line]
        self.assertEqual(len(found), 1, done.stdout)
        place, said = re.fullmatch(r"(.*?:\d+): (?:error|refused): (.*)", found[0]).groups()
        said_json = json.loads(self.procref("check", "--json", name, **more).stdout)
        self.assertFalse(said_json["runs"])
        self.assertIn(said, [finding["message"] for finding in said_json["findings"]])
        ran = self.procref("run", name, "--", "true", **more)
        self.assertEqual(ran.returncode, 100, ran.stderr)
        self.assertIn(f"{place}: {said}\n", ran.stderr)
        return os.path.basename(place)

    def test_what_is_required_is_checked(self):
        def unit(name, requires):
            self.write(f"{name}.service", f"[Service]\nExecStart=sleep 1000\n[X-Procref]\nRequires={requires}\n")
        for name, requires in (("x", "y"), ("y", "z"), ("z", "x"), ("a", "nosuch"), ("b", "good a"), ("good", "")):
            unit(name, requires)
        self.assertEqual(self.agrees("x", "x requires y requires z requires x: a cycle"), "z.service:4")
        self.assertEqual(self.agrees("a", "no service file 'nosuch.service'"), "a.service:4")
        self.assertEqual(self.agrees("b", "no service file 'nosuch.service'"), "a.service:4")
        self.write("bad.service", "[Service]\nUMask=9\n")
        unit("c", "bad")
        self.assertEqual(self.agrees("c", "'bad' cannot be run: "), "c.service:4")
        self.assertEqual(self.procref("check", "good").returncode, 0)

    def test_a_command_that_cannot_be_read_is_one_error_at_its_line(self):
        for lines, message, place in (("ExecStart=/bin/echo 100%", "a single %: for a percent sign use %%", 2),
                                      ("ExecStart='/bin/echo", "a quote is not closed", 2),
                                      ("Nice=1\nExecStart=/bin/true\nUMask=22\nExecStart=/bin/false", "several ExecStart= are for Type=oneshot only", 5),
                                      ("ExecStart=/bin/true\nExecStart=", "[Service] has no ExecStart=", 3),
                                      ("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nRestartForceExitStatus=1",
                                       "RestartForceExitStatus= does not go with Type=oneshot", 2),
                                      ("Nice=1", "[Service] has no ExecStart=", 1)):
            with self.subTest(lines):
                self.write("e.service", f"[Service]\n{lines}\n")
                self.assertEqual(self.agrees("e", message), f"e.service:{place}")
                self.assertEqual(self.procref("check", "e").stdout.count(": error: "), 1)

    def test_what_is_carried_out_otherwise_or_not_is_told_under_its_own_key(self):
        bus = "BusName= without Type= makes it one of Type=dbus"
        for lines, told in (("StandardOutput=kmsg", ["3: warning: StandardOutput=kmsg: the output goes to the service's log alone"]),
                            ("StandardError=journal+console", ["3: warning: StandardError=journal+console: the output goes to"]),
                            ("StandardOutput=journal", []), ("Type=notify-reload", []), ("Type=notify\nBusName=a.b", []), ("BusName=", []),
                            ("BusName=a.b", [f"3: refused: {bus}"]), ("Type=dbus\nBusName=a.b", ["3: refused: Type=dbus is not carried out"])):
            with self.subTest(lines):
                path = os.path.realpath(self.write("k.service", f"[Service]\nExecStart=sleep 1000\n{lines}\n"))
                found = [line for line in self.procref("check", "k").stdout.splitlines() if line.startswith(path)]
                self.assertEqual(len(found), len(told), found)
                for line, words in zip(found, told):
                    self.assertTrue(line.startswith(f"{path}:{words}"), line)
        self.write("k.service", "[Service]\nExecStart=sleep 1000\nBusName=a.b\n")
        self.assertEqual(self.procref("check", "k", "--ignore", "BusName").returncode, 0)

    def test_many_errors_are_told_by_the_first_and_how_many_more(self):
        path = self.write("m.service", "[Service]\nExecStart=sleep 1000\n" + "UMask=9\n" * 50)
        ran = self.procref("run", "m", "--", "true").stderr.splitlines()
        self.assertEqual((len(ran), ran[-1]), (21, f"procref run: and 30 more: procref check -f {os.path.realpath(path)}"))
        self.assertEqual(len(self.procref("check", "m").stdout.splitlines()), 50)
        self.write("m.service", "[Service]\nExecStart=sleep 1000\n" + "Unknown=9\n" * 3000 + "UMask=9\n")
        self.assertEqual(self.agrees("m", "UMask= is '9'"), "m.service:3003")

    def test_a_line_has_a_mebibyte_at_most_a_comment_too(self):
        for begin in ("#", "Environment=A="):
            for size, runs in ((1 << 20, 0), ((1 << 20) + 1, 100)):
                self.write("l.service", "[Service]\nExecStart=sleep 1000\n" + begin + "x" * (size - len(begin)) + "\n")
                done = self.procref("check", "l")
                self.assertEqual((done.returncode, "l.service:3: error: the line is longer than 1 MiB" in done.stdout), (runs, runs != 0))

    def test_a_section_that_is_nearly_ours_is_warned_about(self):
        for section, meant in (("X-ProcRef", "X-Procref"), ("X-procref", "X-Procref"), ("X-PROCREF", "X-Procref"), ("X-Prcoref", "X-Procref"),
                               ("service", "Service"), ("Instal", "Install"), ("X-Podman", None), ("X-Fedora", None)):
            with self.subTest(section=section):
                path = self.write("s.service", f"[Service]\nExecStart=sleep 1000\n[{section}]\nReady=tcp\n")
                done = self.procref("check", "s")
                self.assertEqual(done.returncode, 0)
                said = f"{os.path.realpath(path)}:3: warning: the section [{section}] is unknown, and left out: is [{meant}] meant?\n"
                self.assertEqual(done.stdout.split("s, from")[0], said if meant else "")

    def test_a_log_that_is_not_written_makes_nobody_ready(self):
        for output, runs in (("file:/tmp/x", False), ("append:/tmp/x", False), ("truncate:/tmp/x", False), ("null", False),
                             ("null\nStandardError=null", False), ("journal", True), ("null\nStandardError=journal", True)):
            with self.subTest(output=output):
                self.write("r.service", f"[X-Procref]\nReady=log:up\n[Service]\nExecStart=sleep 1000\nStandardOutput={output}\n")
                if runs:
                    self.assertEqual(self.procref("check", "r").returncode, 0)
                else:
                    self.assertEqual(self.agrees("r", "Ready=log: waits for a line of the log"), "r.service:2")

    def test_a_priority_that_the_system_refuses_is_refused(self):
        def as_an_ordinary_user():
            PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23
            LIBC.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # of use for root alone, who has it
            resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
        ordinary = {"preexec_fn": as_an_ordinary_user}
        path = self.write("n.service", "[Service]\nNice=-5\nExecStart=sleep 1000\n")
        self.assertEqual(self.agrees("n", "Nice=-5: ", **ordinary), "n.service:2")
        done = self.procref("run", "n", "--ignore", "Nice", "--", "true", **ordinary)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.write("n.service.d/x.conf", "[Service]\nNice=5\n")
        self.assertEqual(self.procref("check", "n", **ordinary).returncode, 0)
        if os.geteuid() == 0:
            os.unlink(f"{path}.d/x.conf")
            self.assertNotIn("Nice=-5: ", self.procref("check", "n").stdout)

    def test_ignore_lets_a_refused_key_pass_but_no_error(self):
        path = self.write("a.service", BAD.replace("UMask=9\n", ""))
        self.assertEqual(self.procref("check", "-f", path).returncode, 100)
        done = self.procref("check", "-f", path, "--ignore", "PrivateTmp")
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"{path}:3: ignored: PrivateTmp=yes", done.stdout)
        self.write("a.service", BAD)
        self.assertEqual(self.procref("check", "-f", path, "--ignore", "PrivateTmp", "--ignore", "UMask").returncode, 100)

    def test_json_says_the_same(self):
        path = self.write("a.service", GOOD)
        done = self.procref("check", "--json", "-f", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        said = json.loads(done.stdout)
        self.assertEqual((said["schema"], said["name"], said["runs"], said["type"]), ("procref-check/1", "a", True, "simple"))
        self.assertEqual(os.path.realpath(said["file"]), os.path.realpath(path))
        self.assertEqual([(f["level"], f["line"], f["key"]) for f in said["findings"]],
                         [("ignored", 2, "Description"), ("warning", 6, "NoNewPrivileges")])
        self.assertEqual(said["steps"], [{"list": "ExecStart", "program": "/bin/sleep", "argv": ["/bin/sleep", "two words", "${PORT}"],
                                          "ignore_failure": False, "literal": False}])
        self.assertEqual(said["environment"], ["A=1", "B=two words"])
        self.assertEqual(said["limits"], {"NOFILE": {"soft": 100, "hard": None}})
        self.assertEqual((said["port"], said["ready"], said["exports"]), ("auto", "tcp", ["URL=x:${PORT}"]))
        self.assertEqual(said["restarts"], ["unclean", "signal", "timeout"])
        self.assertEqual((said["start_timeout_ms"], said["linger_ms"], said["restart_ms"]), (90000, 0, 100))

    def test_json_of_a_bad_file_has_the_findings_only(self):
        done = self.procref("check", "--json", "-f", self.write("a.service", BAD))
        self.assertEqual(done.returncode, 100)
        said = json.loads(done.stdout)
        self.assertFalse(said["runs"])
        self.assertEqual(set(said), {"schema", "name", "file", "runs", "findings"})
        self.assertEqual([f["level"] for f in said["findings"]], ["refused", "warning", "error"])

    def test_json_stays_json_whatever_the_bytes(self):
        done = self.procref("check", "--json", "-f", self.write("a.service", '[Service]\nExecStart=/bin/x \\xff "\\n" \\u00e4\n'))
        self.assertEqual(json.loads(done.stdout)["steps"][0]["argv"], ["/bin/x", "\ufffd", "\n", "ä"])

    def test_a_template_is_checked_as_an_instance(self):
        path = self.write("t@.service", "[Service]\nExecStart=/bin/x %i\n")
        done = self.procref("check", "-f", path)
        self.assertEqual(done.returncode, 100)
        self.assertIn("name an instance", done.stdout + done.stderr)
        done = self.procref("check", "--json", "-f", path, "t@two")
        self.assertEqual(json.loads(done.stdout)["steps"][0]["argv"], ["/bin/x", "two"])

    def test_a_drop_in_counts(self):
        path = self.write("a.service", GOOD)
        drop_in = self.write("a.service.d/x.conf", "[Service]\nEnvironment=A=2\nNice=wrong\n")
        done = self.procref("check", "-f", path)
        self.assertEqual(done.returncode, 100)
        self.assertIn(f"{drop_in}:3: error: Nice= is 'wrong'", done.stdout)
        self.write("a.service.d/x.conf", "[Service]\nEnvironment=A=2\n")
        self.assertIn("Environment        A=2\n", self.procref("check", "-f", path).stdout)

    def test_folders_of_the_user_are_those_of_xdg(self):
        path = self.write("a.service", "[Service]\nExecStart=/bin/x\nStateDirectory=s\nCacheDirectory=c\nWorkingDirectory=~\n")
        said = json.loads(self.procref("check", "--json", "-f", path).stdout)
        home = self.env["HOME"]
        self.assertEqual(said["working_dir"], home)
        self.assertEqual(said["environment"], [f"STATE_DIRECTORY={home}/.config/s", f"CACHE_DIRECTORY={home}/.cache/c"])
        self.env["XDG_CACHE_HOME"] = "/elsewhere"
        said = json.loads(self.procref("check", "--json", "-f", path).stdout)
        self.assertIn("CACHE_DIRECTORY=/elsewhere/c", said["environment"])

    def test_a_runtime_folder_of_the_users_scope_is_never_where_others_can_write(self):
        path = self.write("a.service", "[Service]\nExecStart=x\nRuntimeDirectory=r\n")
        uid, told = os.geteuid(), "RUNTIME_DIRECTORY="
        os.mkdir(f"{self.dir}/open")
        os.chmod(f"{self.dir}/open", 0o777)
        for runtime in ("", "relative", f"{self.dir}/open", f"{self.dir}/none"):
            self.env["XDG_RUNTIME_DIR"] = runtime
            said = json.loads(self.procref("check", "--json", "--scope", "user", "-f", path).stdout)
            self.assertIn(said["environment"], ([f"{told}/tmp/procref-{uid}/r"], [f"{told}/run/user/{uid}/r"]), runtime)
        self.env["XDG_RUNTIME_DIR"] = f"{self.dir}/run"
        said = json.loads(self.procref("check", "--json", "--scope", "user", "-f", path).stdout)
        self.assertEqual(said["environment"], [f"{told}{self.dir}/run/r"])

    def test_a_file_that_cannot_be_read_is_named(self):
        done = self.procref("check", "-f", "none.service")
        self.assertEqual((done.returncode, done.stdout), (100, ""))
        self.assertIn("none.service", done.stderr)
        path = self.write("a.service", GOOD)
        os.chmod(path, 0o646)
        done = self.procref("check", "-f", path)
        self.assertEqual(done.returncode, 100)
        self.assertIn("can be written by everybody", done.stderr)
        self.assertIn("0646", done.stderr)

    def test_wrong_usage_ends_with_100(self):
        for words in ([], ["--jsno", "-f", "a"], ["a", "b", "-f", "c"]):
            done = self.procref("check", *words)
            self.assertEqual((done.returncode, done.stdout), (100, ""))
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_help_fits_a_screen(self):
        done = self.procref("check", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertLessEqual(done.stdout.count("\n"), 24)


if __name__ == "__main__":
    unittest.main()
