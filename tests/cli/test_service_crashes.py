"""
A keeper is killed at every crash point of a plan's execution (PRI_CRASH_POINT("plan: …") in src/keeper), and both of a
pair in the middle of each list. The service is a resource that cannot be made twice (mkdir) nor undone twice (rmdir), so a
list that is left out or run once too often shows.
"""
import glob
import json
import os
import re
import signal
import subprocess
import time
import unittest

from support import HAS_POINTS, PROCREF, World, is_alive, set_used_by

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/keeper/*.c")
POINTS = sorted({point for file in glob.glob(SOURCES) for point in
                 re.findall(r'PRI_CRASH_POINT\("(plan: [^"]*)"', open(file).read())})


class ServiceCrashes(World):
    def setUp(self):
        super().setUp()
        self.write("db.service", "[Service]\nExecStart=sleep 1000\n")
        self.went_wrong = f"{self.work}/wrong"

    def unit(self, kind, slow=""):
        """A resource that is made, used by two more, and undone; each step says when it finds the world otherwise."""
        def step(name, words):
            begun = f"{self.work}/{name}.begun"  # the first time it takes long, and is not to get on by itself
            wait = f"[ -e {begun} ] || {{ touch {begun}; sleep 100; }}; " if name == slow else ""
            return f"/bin/sh -c '{wait}{words} || {{ echo {name} >>{self.went_wrong}; exit 1; }}'"
        res = f"{self.work}/res"
        self.ended_well(check=False)
        main = ("ExecStart=/bin/sh -c 'test -d %s && exec sleep 1001'" % res if kind == "exec" else
                "Type=oneshot\nRemainAfterExit=yes\nExecStart=" + step("start", f"mkdir {res}/up"))
        self.write("it.service", f"""[Service]
ExecStartPre={step("pre", f"mkdir {res}")}
{main}
ExecStartPost={step("post", f"mkdir {res}/post")}
ExecStop={step("stop", f"test -d {res}")}
ExecStopPost={step("stoppost", f"rm -rf {res}")}
[X-Procref]
Requires=db
""")

    def hold(self):
        read, write = os.pipe()
        holder = self.start("hold", "it", "--ready-fd", str(write), pass_fds=[write], stderr=subprocess.PIPE)
        os.close(write)
        with os.fdopen(read) as ready:
            told = ready.read()
        if told != "\n":
            self.fail(f"it is not held: {holder.communicate()[1]}")
        return holder

    def all_is_well(self):
        """It is up once, ends with its last user, and what it made is gone."""
        self.assertEqual(self.procref("run", "it", "--", "test", "-d", f"{self.work}/res/post").returncode, 0)

    def ended_well(self, check=True):
        if check:
            for name in ("it", "db"):
                self.assertEqual(self.procref("wait", name).returncode, 0)
        wrong = []
        if os.path.exists(self.went_wrong):
            with open(self.went_wrong) as file:
                wrong = file.read().split()
        left = os.path.exists(f"{self.work}/res")
        subprocess.run(["rm", "-rf", f"{self.work}/res", self.went_wrong], check=True)
        if check:
            self.assertEqual((left, wrong), (False, []))

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_a_keeper_killed_at_any_point_changes_nothing(self):
        self.assertGreater(len(POINTS), 5)
        for kind in ("exec", "oneshot"):
            for point in POINTS:
                with self.subTest(kind=kind, point=point):
                    self.unit(kind)
                    killed = f"{self.work}/killed"
                    self.env["PROCREF_CRASH"] = f"{point}@{killed}"
                    holder = self.hold()
                    self.all_is_well()
                    holder.kill()
                    self.wait_until(lambda: self.procref("wait", "it").returncode == 0)
                    self.wait_until(lambda: os.path.exists(killed))
                    self.ended_well()
                    os.unlink(killed)

    def state(self):
        return self.asked(lambda: json.loads(self.procref("status", "it", "--json").stdout))

    def pair(self):
        state = self.state()
        return [state["keeper"], state["standby"]]

    def whole_pair(self):
        self.wait_until(lambda: None not in self.pair())  # a member that is being replaced
        return self.pair()

    def kill_pair(self):
        pair = self.whole_pair()
        for how in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pair:
                os.kill(pid, how)

    def test_both_keepers_killed_in_the_middle_of_a_list_leave_nothing_wrong(self):
        for kind in ("exec", "oneshot"):
            for slow in ("pre", "post", "stop", "stoppost") + (("start",) if kind == "oneshot" else ()):
                with self.subTest(kind=kind, slow=slow):
                    self.unit(kind, slow)
                    begun = f"{self.work}/{slow}.begun"
                    holder = self.start("run", "--quiet", "it", "--", "true")
                    self.wait_until(lambda: os.path.exists(begun))
                    self.kill_pair()
                    holder.wait()
                    self.all_is_well()
                    self.ended_well()
                    os.unlink(begun)

    def test_what_an_interrupted_step_had_started_has_ended_when_it_begins_again(self):
        begun = f"{self.work}/begun"
        self.write("once", f"flock -n {self.work}/lock sh -c '[ -e {begun} ] || {{ touch {begun}; sleep 100; }}' || echo two >>{self.went_wrong}\n")
        for step in ("ExecStop", "ExecStopPost"):
            with self.subTest(step):
                self.write("it.service", f"[Service]\nExecStart=sleep 1001\nKillMode=process\n"
                                         f"{step}=/bin/sh -c 'sh {self.work}/once; true'\n")
                self.procref("run", "it", "--", "true")
                self.wait_until(lambda: os.path.exists(begun))
                os.kill(self.whole_pair()[0], signal.SIGKILL)
                self.ended_well()
                os.unlink(begun)

    def test_what_is_not_to_be_started_again_is_not_by_a_successor_either(self):
        begun = f"{self.work}/begun"
        self.write("it.service", f"[Service]\nExecStart=sleep 1001\nRestart=no\n"
                                 f"ExecStopPost=/bin/sh -c 'touch {begun}; sleep 0.3'\n")
        for how in ("killed", "stopped"):
            with self.subTest(how):
                holder = self.hold()
                if how == "killed":
                    os.kill(self.state()["pid"], signal.SIGKILL)
                else:
                    stop = self.start("stop", "--force", "it")
                self.wait_until(lambda: os.path.exists(begun))
                os.kill(self.whole_pair()[0], signal.SIGKILL)
                self.wait_until(lambda: self.state()["state"] in ("gave up", "up"))
                self.assertEqual(self.state()["state"], "gave up")
                self.assertEqual(self.state()["restarts"], 0)
                if how == "stopped":
                    self.assertEqual(stop.wait(), 0)
                holder.kill()
                holder.wait()
                self.ended_well()
                os.unlink(begun)

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_what_is_adopted_goes_on_though_the_keeper_is_killed_before_it_has_what_is_required(self):
        self.write("it.service", "[Service]\nExecStart=sleep 1001\n[X-Procref]\nRequires=db\n")
        holder = self.hold()
        before = self.state()["pid"]
        self.kill_pair()
        killed = f"{self.work}/killed"
        self.env["PROCREF_CRASH"] = f"plan: what holds the required is recorded@{killed}"
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.assertTrue(os.path.exists(killed))
        time.sleep(0.5)  # in which it is to do nothing
        self.assertEqual(self.state()["pid"], before)
        self.assertEqual(self.procref("status", "db").returncode, 0)
        holder.kill()
        holder.wait()
        self.ended_well()

    def held_and_deaf(self):
        """A service that writes down when it is told to stop, and goes on till it is killed."""
        self.write("it.service", "[Service]\nExecStart=/bin/sh -c 'trap \"echo told; touch told\" TERM; echo up; "
                   f"while :; do sleep 0.01; done'\nWorkingDirectory={self.work}\nTimeoutStopSec=5\n"
                   "[X-Procref]\nReady=log:up\n")
        holder = self.hold()
        return holder, self.state()["pid"], set_used_by(holder.pid)

    def is_told(self):
        self.wait_until(lambda: os.path.exists(f"{self.work}/told"))
        os.unlink(f"{self.work}/told")

    def another_gets_a_new_one(self, other, old):
        self.assertNotEqual(int(other.communicate()[0]), old)
        self.assertFalse(is_alive(old))
        self.assertEqual(self.procref("wait", "it").returncode, 0)
        os.unlink(f"{self.work}/told")

    SAY_PID = ("run", "it", "--", "sh", "-c", "echo $PROCREF_PID")

    def test_what_was_told_to_stop_is_not_adopted_by_the_hint_however_many_pairs_are_killed(self):
        """The set is removed, so its generations begin at 1 again, which is what the hint says, too."""
        for one in (False, True):
            with self.subTest(one=one):
                holder, old, held_by = self.held_and_deaf()
                self.kill_pair()
                subprocess.run(["ipcrm", "-s", str(held_by)], check=True)
                holder.kill()
                holder.wait()
                other = self.start(*self.SAY_PID, stdout=subprocess.PIPE)
                self.is_told()
                if one:
                    os.kill(self.whole_pair()[0], signal.SIGKILL)
                else:
                    self.kill_pair()
                self.another_gets_a_new_one(other, old)

    def test_what_is_being_stopped_is_not_adopted_by_the_hint_when_its_set_is_removed(self):
        """The keeper is killed then: its successor knows by the pair's page, the next pair by the hint alone."""
        holder, old, held_by = self.held_and_deaf()
        holder.kill()
        holder.wait()
        self.is_told()
        other = self.start(*self.SAY_PID, stdout=subprocess.PIPE)
        subprocess.run(["ipcrm", "-s", str(held_by)], check=True)
        os.kill(self.whole_pair()[0], signal.SIGKILL)
        self.is_told()
        self.kill_pair()
        self.another_gets_a_new_one(other, old)

    def test_a_keeper_that_finds_another_in_another_network_namespace_leaves_its_hint_alone(self):
        if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
            self.skipTest("may not make a network namespace")
        self.write("it.service", "[Service]\nExecStart=sleep 1001\n")
        holder = self.hold()
        before = self.state()["pid"]
        there = subprocess.run(["unshare", "--net", PROCREF, "run", "it", "--", "true"], capture_output=True, text=True,
                               cwd=self.work, env=self.env)
        self.assertIn("in another network namespace", there.stderr)
        self.assertEqual(there.returncode, 111)
        self.kill_pair()
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.assertEqual(self.state()["pid"], before)
        holder.kill()
        holder.wait()
        self.ended_well()

    def test_what_is_required_stays_held_while_one_after_the_other_of_the_pair_is_killed(self):
        self.write("it.service", "[Service]\nExecStart=sleep 1001\n[X-Procref]\nRequires=db\n")
        for first in (0, 1):
            with self.subTest(first=first):
                holder = self.hold()
                held = json.loads(self.procref("status", "db", "--json").stdout)
                before = self.state()["pid"]
                os.kill(held["holders"][0]["pid"], signal.SIGSTOP)  # it looks only when all has happened
                for number in (first, 1):
                    pair = self.pair()
                    os.kill(pair[number], signal.SIGKILL)
                    self.wait_until(lambda: not {None, pair[number]} & set(self.pair()))
                os.kill(held["holders"][0]["pid"], signal.SIGCONT)
                time.sleep(0.5)  # in which it is to do nothing
                self.assertEqual((self.state()["pid"], self.state()["restarts"]), (before, 0))
                now = json.loads(self.procref("status", "db", "--json").stdout)
                self.assertEqual((now["pid"], now["holders"]), (held["pid"], held["holders"]))
                holder.kill()
                holder.wait()
                self.ended_well()

    def test_what_an_inner_service_required_is_let_go_when_its_pair_is_killed(self):
        self.write("it.service", "[Service]\nExecStart=sleep 1001\n[X-Procref]\nRequires=db\n")
        self.write("outer.service", f"[Service]\nWorkingDirectory={self.work}\nExecStart=procref hold it --ready-fd 1\n"
                                    "[X-Procref]\nReady=log:^$\n")
        outer = self.start("run", "outer", "--", "sleep", "1002")
        self.wait_until(lambda: self.procref("status", "outer").returncode == 0 and self.state()["state"] == "up")
        self.kill_pair()
        self.assertEqual(self.procref("wait", "db").returncode, 0)
        self.assertIsNone(outer.poll())
        outer.kill()
        outer.wait()
        self.assertEqual(self.procref("wait", "outer").returncode, 0)
        self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
        self.ended_well()

    @unittest.skipUnless(HAS_POINTS, "needs a build with PROCREF_CRASH_POINTS=ON")
    def test_a_pair_killed_on_its_way_out_leaves_no_hint_without_its_set(self):
        self.write("it.service", "[Service]\nExecStart=sleep 1001\n")
        for point in ("hint removed", "retired"):
            with self.subTest(point):
                killed = f"{self.work}/killed"
                self.env["PROCREF_CRASH"] = f"{point}@{killed}"
                holder = self.hold()
                standby = self.pair()[1]
                os.kill(standby, signal.SIGSTOP)
                holder.kill()
                holder.wait()
                self.wait_until(lambda: os.path.exists(killed))
                os.kill(standby, signal.SIGKILL)
                self.assertEqual(glob.glob(f"{self.dir}/run/procref/**/*.hint", recursive=True), [])
                self.assertEqual(self.procref("run", "it", "--", "true").returncode, 0)
                self.ended_well()
                os.unlink(killed)

    def test_a_stopped_keeper_acts_when_it_goes_on(self):
        self.unit("oneshot")
        holder = self.hold()
        keeper = self.pair()[0]
        os.kill(keeper, signal.SIGSTOP)
        holder.kill()
        holder.wait()
        os.kill(keeper, signal.SIGCONT)
        self.ended_well()


if __name__ == "__main__":
    unittest.main()
