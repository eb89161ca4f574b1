"""Where a service file did something else than under systemd 252, as an audit beside it found."""
import os
import unittest

from files import Files


class LikeSystemd(Files):
    def test_a_broken_pipe_is_an_error_and_no_death(self):
        dies = "/bin/sh -c 'kill -PIPE $$$$; echo \"$$0\" >>%s' " % self.log
        for says, said in (("", ["pre", "main"]), ("IgnoreSIGPIPE=yes", ["pre", "main"]), ("IgnoreSIGPIPE=no", [])):
            with self.subTest(says):
                self.unit(f"Type=oneshot\nRemainAfterExit=yes\nExecStartPre=-{dies}pre\nExecStart=-{dies}main\n{says}")
                self.assertEqual(self.run_it("true").returncode, 0)
                self.assertEqual(self.said(), said)
                if said:
                    os.unlink(self.log)

    def test_the_runtime_directory_goes_though_a_last_step_fails(self):
        for post in ("false", "sleep 1000\nTimeoutStopSec=300ms"):
            with self.subTest(post):
                self.unit(f"RuntimeDirectory=it\nExecStartPre=SAY $RUNTIME_DIRECTORY\nExecStart=sleep 1000\nExecStopPost={post}\nExecStopPost=SAY not this one")
                holder = self.hold()
                folder, = self.said()
                self.assertTrue(os.path.exists(folder))
                self.let_go(holder)
                self.assertFalse(os.path.exists(folder))
                self.assertEqual(self.said(), [folder])
                os.unlink(self.log)

    def test_a_folder_that_exists_gets_its_mode(self):
        for key, variable, mode in (("StateDirectory", "STATE_DIRECTORY", "700"), ("CacheDirectory", "CACHE_DIRECTORY", "700"),
                                    ("ConfigurationDirectory", "CONFIGURATION_DIRECTORY", "751")):
            with self.subTest(key):
                show = f"ExecStart=sleep 1000\n{key}=mine\nExecStartPost=/bin/sh -c 'stat -c \"%%a %%n\" ${variable} >>{self.log}'"
                self.unit(f"{show}\n{key}Mode=0700")
                self.run_it("true")
                path = self.said()[-1].split()[1]
                self.assertEqual(self.said(), [f"700 {path}"])
                os.chmod(path, 0o751)
                self.run_it("true")
                self.assertEqual(self.said()[-1], f"{mode} {path}")
                os.unlink(self.log)

    def test_the_folders_are_made_whatever_the_services_path_is(self):
        self.unit(f"Environment=PATH={self.work}\nRuntimeDirectory=it\nExecStart=/bin/sleep 1000\nExecStopPost=/bin/sh -c 'echo $PATH >>{self.log}'")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.said(), [self.work])

    def test_a_command_that_is_killed_has_not_done_its_work(self):
        for signal in ("TERM", "HUP", "INT", "PIPE"):
            killed = f"/bin/sh -c 'kill -{signal} $$$$'"
            for service in (f"ExecStartPre={killed}\nExecStart=SAY main", f"ExecStart=sleep 1000\nExecStartPost={killed}",
                            f"Type=oneshot\nRemainAfterExit=yes\nExecStart={killed}\nExecStart=SAY second"):
                with self.subTest(f"{signal} {service}"):
                    self.unit(f"IgnoreSIGPIPE=no\n{service}")
                    done = self.run_it("true")
                    self.assertEqual(done.returncode, 111)
                    self.assertIn("killed by signal", done.stderr)
                    self.assertEqual(self.said(), [])

    def test_each_command_of_a_start_has_the_start_timeout(self):
        self.unit("ExecStartPre=sleep 3\nExecStartPre=sleep 3\nExecStart=sleep 1000\nTimeoutStartSec=5s")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_command_that_did_not_end_in_time_is_named(self):
        self.unit("ExecStartPre=true\nExecStartPre=sleep 1000\nExecStart=sleep 1000\nTimeoutStartSec=2s")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 111)
        self.assertIn("ExecStartPre= of 'it' failed: 'sleep': it did not end within the start timeout of 2000 ms", done.stderr)

    def test_the_start_of_what_is_required_has_its_own_timeout(self):
        self.unit("ExecStartPre=sleep 4\nExecStart=sleep 1000", name="base")
        self.unit("ExecStart=sleep 1000\nTimeoutStartSec=2s", "Requires=base.service")
        done = self.run_it("true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.procref("wait", "base").returncode, 0)

    def test_the_last_list_is_for_what_had_begun(self):
        self.unit("ExecStart=false\nExecStartPost=sleep 1", name="base")
        self.unit("ExecStart=sleep 1000\nExecStopPost=SAY post", "Requires=base.service")
        self.assertEqual(self.run_it("true").returncode, 111)
        self.assertEqual(self.procref("wait", "base").returncode, 0)
        self.assertEqual(self.said(), [])

    def test_the_last_list_knows_how_it_ended(self):
        for service, said in (
                ("Type=notify\nExecStart=true", "protocol exited 0"),
                ("Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'exit 4'", "exit-code exited 4"),
                ("Type=exec\nExecStart=/nowhere/at/all", "exit-code exited 203"),
                ("Type=notify\nExecStart=/bin/sh -c 'kill -VTALRM $$$$'", "signal killed VTALRM"),
                ("Type=notify\nExecStart=/bin/sh -c 'kill -34 $$$$'", "signal killed RTMIN"),
                ("Type=notify\nExecStart=/bin/sh -c 'kill -37 $$$$'", "signal killed RTMIN+3"),
                ("Type=forking\nExecStart=/bin/sh -c 'exit 3'", "exit-code")):
            with self.subTest(service):
                self.unit(f"{service}\nExecStopPost=SAY $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS")
                self.assertEqual(self.run_it("true").returncode, 111)
                self.assertEqual(self.said()[-1:], [said])


if __name__ == "__main__":
    unittest.main()
