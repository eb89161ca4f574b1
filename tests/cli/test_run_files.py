"""procref run with service files: where they are looked for, how they are scoped, what they export and require."""
import os
import shutil
import subprocess
import unittest

import support
from support import PATIENCE, PROCREF


class Files(support.World):
    def unit(self, path, *lines, extension=(), service=None, folder=None):
        """A service file that runs the test service, with more lines."""
        os.makedirs(os.path.dirname(os.path.join(folder or self.work, path)), exist_ok=True)
        return self.write(os.path.join(folder or self.work, path), "\n".join(
            ["[Service]", f"ExecStart={service or self.service('--notify')}",
             *(["Type=notify"] if service is None or "--notify" in service else []), *lines, "[X-Procref]", *extension, ""]))

    def told(self, name, *options, say="$WHERE", **more):
        result = self.procref("run", name, *options, "--", "sh", "-c", f"echo {say}", **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.rstrip("\n")


class Lookup(Files):
    def test_the_nearest_file_wins(self):
        self.env["PROCREF_RECIPES"] = f"{self.dir}/recipes"
        self.env["XDG_CONFIG_HOME"] = f"{self.dir}/config"
        inside = f"{self.work}/a/b"
        os.makedirs(inside)
        places = [(f"{self.dir}/recipes", "recipes"), (f"{self.dir}/config/procref", "config"),
                  (f"{self.work}/.procref", "project"), (f"{inside}/.procref", "own"), (inside, "here")]
        for folder, where in places:
            self.unit("db.service", extension=[f"Export=WHERE={where}"], folder=folder)
            self.assertEqual(self.told("db", cwd=inside), where)

    def test_the_users_configuration_is_below_home_where_nothing_else_is_said(self):
        self.unit("db.service", extension=["Export=WHERE=config"], folder=f"{self.dir}/home/.config/procref")
        self.assertEqual(self.told("db"), "config")

    def test_only_the_first_project_on_the_way_up_counts_and_none_above_home(self):
        self.unit("db.service", folder=f"{self.dir}/.procref")
        home = f"{self.dir}/home/a"
        os.mkdir(home)
        self.assertEqual(self.procref("run", "db", "--", "true", cwd=home).returncode, 100)
        os.makedirs(f"{self.work}/a/.procref")
        self.assertEqual(self.procref("run", "db", "--", "true", cwd=f"{self.work}/a").returncode, 100)
        self.assertEqual(self.procref("run", "db", "--", "true").returncode, 0)

    def test_an_instance_comes_before_its_template(self):
        self.unit("db@.service", "Environment=INSTANCE=%i", extension=['Export="WHERE=template $INSTANCE"'])
        self.assertEqual(self.told("db@one", say="$WHERE $PROCREF_NAME"), "template one db@one")
        self.unit("db@one.service", extension=["Export=WHERE=instance"])
        self.assertEqual(self.told("db@one"), "instance")
        self.assertEqual(self.told("db@two"), "template two")
        self.assertEqual(self.told(f"{self.work}/db@three.service"), "template three")

    def test_a_name_with_the_suffix_is_the_name(self):
        self.unit("db.service", extension=["Linger=60", "Export=WHERE=here"])
        self.unit("t@.service", "Environment=I=%i", extension=["Export=WHERE=$I"])
        self.assertEqual(self.told("db.service", say="$WHERE $PROCREF_NAME"), "here db")
        self.assertEqual(self.told("t@one.service", say="$WHERE $PROCREF_NAME"), "one t@one")
        self.assertIn("db: alive", self.procref("status", "db.service").stdout)
        holder = self.start("hold", "db.service", "t@one.service", stderr=subprocess.DEVNULL)
        self.wait_until(lambda: f"{holder.pid} (" in self.procref("status", "t@one").stdout)
        self.assertIn(f"{holder.pid} (", self.procref("status", "db").stdout)
        holder.terminate()
        self.assertEqual(holder.wait(), 0)
        for words in (["logs", "db.service"], ["check", "db.service"], ["check", "t@two.service"], ["stop", "db.service"], ["wait", "db.service"]):
            result = self.procref(*words)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_template_may_be_given_with_its_instance(self):
        self.unit("t@.service", "Environment=I=%i", extension=["Linger=60", "Export=WHERE=$I"])
        path = f"{self.work}/t@.service"
        for words in (["-f", "t@.service"], [f"--file={path}"], [path]):
            for command in ("run", "check"):
                result = self.procref(command, *words, *(["--", "true"] if command == "run" else []))
                self.assertEqual(result.returncode, 100)
                self.assertIn("t@ is a template: name an instance, such as t@one", result.stdout + result.stderr)
        for name in ("t@one", "t@one.service"):
            self.assertEqual(self.told(name, "-f", path, say="$WHERE $PROCREF_NAME"), "one t@one")
            self.assertEqual(self.procref("check", name, "-f", path).returncode, 0)
            self.assertRegex(self.procref("status", name, "-f", path).stdout, "^t@one: alive")
        self.assertEqual(self.procref("stop", "t@one", "-f", path).returncode, 0)
        for command in ("run", "hold", "check", "status", "stop", "wait"):
            more = ["--", "true"] if command == "run" else []
            for name in ("s@one", "t", "t@"):
                result = self.procref(command, name, "-f", path, *more)
                self.assertEqual(result.returncode, 100)
                self.assertIn(f"'{name}' is no instance of {path}", result.stderr)
            self.unit("db.service")
            result = self.procref(command, "db", "-f", "db.service", *more)
            self.assertEqual(result.returncode, 100)
            self.assertRegex(result.stderr, "too many")

    def test_a_link_to_nothing_is_called_so(self):
        os.symlink("nowhere.service", f"{self.work}/dang.service")
        self.unit("dong.service")
        for words in (["run", "dang"], ["run", "dang.service"], ["run", "-f", "dang.service"], ["run", "./dang.service"]):
            result = self.procref(*words, "--", "true")
            self.assertEqual(result.returncode, 100)
            self.assertRegex(result.stderr, r"^procref run: (\./)?dang.service is a link to nothing: no file is there\n$")

    def test_a_mistyped_name_is_told_the_nearest_by_all(self):
        self.unit("redis.service")
        holder = self.start("hold", self.db, *self.described(), stderr=subprocess.DEVNULL)
        self.wait_until(lambda: self.procref("status", self.db).returncode == 0)
        for command, status in (("stop", 0), ("wait", 0), ("logs", 1), ("status", 1)):
            for typo, right in (("redsi", "redis"), (self.db + "x", self.db)):
                result = self.procref(command, typo)
                self.assertEqual(result.returncode, status)
                self.assertTrue(result.stderr.endswith(f"no service file '{typo}.service'; the nearest is '{right}'\n"), result.stderr)
            for name in ("redis", "nothing-like-it"):
                self.assertNotIn("nearest", self.procref(command, name).stderr)
        holder.terminate()
        holder.wait()

    def test_a_file_that_is_gone_is_told_once(self):
        os.mkdir(f"{self.work}/gone")
        self.unit("s.service")
        result = self.execute(["sh", "-c", 'rmdir "$PWD"; "$@"', "sh", PROCREF, "run", "-f", "../s.service", "--", "true"],
                              cwd=f"{self.work}/gone")
        self.assertEqual(result.returncode, 100)
        self.assertEqual(result.stderr.count("No such file"), 1, result.stderr)

    def test_a_file_is_named_by_an_option_or_by_a_path(self):
        path = self.unit("sub/db.service", extension=["Export=WHERE=sub"])
        for words in (["-f", path], ["-f", "sub/db.service"], [path], ["sub/db.service"], ["./sub/db.service"]):
            result = self.procref("run", *words, "--", "sh", "-c", "echo $WHERE $PROCREF_NAME")
            self.assertEqual((result.returncode, result.stdout), (0, "sub db\n"), result.stderr)
        result = self.procref("run", "-f", "db.service", "--", "true", cwd=f"{self.work}/sub")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_name_that_is_not_found_is_told_with_the_nearest_and_the_places(self):
        self.unit("postgres.service")
        result = self.procref("run", "postgers", "--", "true")
        self.assertEqual(result.returncode, 100)
        self.assertRegex(result.stderr, r"^procref run: no service file 'postgers.service'; the nearest is 'postgres'\. "
                         r"Looked in \., \./\.procref, .*/home/\.config/procref, /etc/procref, .*/services\n$")

    def test_a_file_that_cannot_be_read_is_told(self):
        for words, message in ((["-f", "none.service"], "the service file 'none.service' cannot be read: No such file"),
                               (["-f", self.write("text", "")], "it must end in .service"),
                               (["-f", self.write("empty.service", "")], "empty.service")):
            result = self.procref("run", *words, "--", "true")
            self.assertEqual(result.returncode, 100)
            self.assertIn(message, result.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_a_strangers_file_is_not_run(self):
        path = self.unit("db.service")
        os.chown(path, 54321, 54321)
        result = self.procref("run", "db", "--", "true")
        self.assertEqual(result.returncode, 100)
        self.assertIn("belongs to uid 54321", result.stderr)
        os.chown(path, 0, 0)
        os.chmod(path, 0o666)
        self.assertIn("can be written by everybody", self.procref("run", "db", "--", "true").stderr)
        self.assertEqual(self.events(), [])

    def test_errors_of_the_file_have_its_line(self):
        path = self.unit("db.service", "PrivateTmp=yes", "Restart=perhaps")
        result = self.procref("run", "db", "--", "true")
        self.assertEqual(result.returncode, 100)
        self.assertRegex(result.stderr, f"procref run: {os.path.realpath(path)}:4: .*PrivateTmp")
        self.assertRegex(result.stderr, f"procref run: {os.path.realpath(path)}:5: .*Restart")
        self.unit("db.service", "PrivateTmp=yes")
        self.assertEqual(self.procref("run", "db", "--ignore", "PrivateTmp", "--", "true").returncode, 0)


class Scope(Files):
    def test_two_checkouts_do_not_share_unless_they_are_told_to(self):
        for folder in ("one", "two"):
            self.unit("db.service", folder=f"{self.work}/{folder}")
        pid = 'echo $PROCREF_PID; exec "$@"'

        def nested(*options):
            inner = [PROCREF, "run", "-f", f"{self.work}/two/db.service", *options, "--", "sh", "-c",
                     "echo $PROCREF_PID"]
            result = self.procref("run", "-f", f"{self.work}/one/db.service", *options, "--", "sh", "-c", pid, "sh",
                                  *inner)
            self.assertEqual(result.returncode, 0, result.stderr)
            return len(set(result.stdout.split()))
        self.assertEqual(nested(), 2)
        self.assertEqual(nested("--scope", "user", "--share"), 1)
        self.assertEqual(nested("--scope", self.work, "--share"), 1)
        self.assertEqual(nested("--base-dir", f"{self.dir}/base", "--share"), 1)

    def test_a_link_to_the_folder_is_the_folder(self):
        self.unit("db.service", folder=f"{self.work}/one")
        os.symlink("one", f"{self.work}/link")
        result = self.procref("run", "one/db.service", "--", PROCREF, "run", "--timeout", "0", "link/db.service", "--",
                              "echo", "shared")
        self.assertEqual(result.stdout, "shared\n", result.stderr)

    def test_its_files_are_in_a_folder_that_names_it(self):
        self.unit("db.service", folder=f"{self.work}/my project")
        self.assertEqual(self.procref("run", "my project/db.service", "--", "true").returncode, 0)
        names = os.listdir(f"{self.dir}/run/procref")
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], "^my_project-[0-9a-f]{16}$")
        self.assertIn("db.log", os.listdir(f"{self.dir}/run/procref/{names[0]}"))
        self.assertEqual(os.stat(f"{self.dir}/run/procref").st_mode & 0o777, 0o700)

    def test_a_projects_own_folder_is_called_by_the_project(self):
        self.unit("db.service", folder=f"{self.work}/shop/.procref")
        result = self.procref("run", "db", "--", PROCREF, "ps", cwd=f"{self.work}/shop")
        self.assertIn(" shop ", result.stdout)
        self.assertRegex(os.listdir(f"{self.dir}/run/procref")[0], "^shop-[0-9a-f]{16}$")


class Folders(Files):
    def test_its_folders_are_the_users_own_under_any_umask(self):
        self.unit("db.service")
        for mask in (0o777, 0o177, 0o277, 0o000):
            runtime, base = f"{self.dir}/run-{mask}", f"{self.dir}/base-{mask}"
            os.mkdir(runtime, 0o700)
            self.env["XDG_RUNTIME_DIR"] = runtime
            for words in (["db"], ["db", "--base-dir", base]):
                result = self.procref("run", *words, "--", "sh", "-c", "umask", preexec_fn=lambda: (
                    support.without_privileges(), os.umask(mask)))
                self.assertEqual((result.returncode, result.stdout), (0, f"{mask:04o}\n"), result.stderr)
            scope, = os.listdir(f"{runtime}/procref")
            for folder in (base, f"{runtime}/procref", f"{runtime}/procref/{scope}"):
                self.assertEqual(oct(os.stat(folder).st_mode & 0o7777), oct(0o700), folder)

    def test_one_that_cannot_be_entered_or_written_is_told_with_the_remedy(self):
        self.unit("db.service")
        runtime = f"{self.dir}/run/procref"
        os.mkdir(runtime)
        for mode in (0o000, 0o600, 0o500):
            os.chmod(runtime, mode)
            result = self.procref("run", "db", "--", "true", preexec_fn=support.without_privileges)
            self.assertEqual(result.returncode, 111)
            self.assertIn(f"see the mode of '{runtime}' (chmod u+rwx)", result.stderr)
            self.assertNotIn("base_dir", result.stderr)


class Environment(Files):
    def test_exports_see_the_service_and_each_other(self):
        self.unit("db.service", "Environment=USERNAME=me \"SPACED=a b\"", "Environment=PORTED=p${PORT}",
                  service=self.service("--port", "${PORT}"),
                  extension=["Ready=tcp", "Port=auto", 'Export=URL=db://$USERNAME@127.0.0.1:${PORT}/$PROCREF_NAME',
                             'Export="BOTH=${URL} ${SPACED} $$HOME $NOTHING."', "Export=HOMES=${HOME}"])
        text = self.told("db", say='"$PORT|$URL|$BOTH|$HOMES|$USERNAME"')
        port, url, both, home, username = text.split("|")
        self.assertEqual(url, f"db://me@127.0.0.1:{port}/db")
        self.assertEqual(both, f"{url} a b $HOME .")
        self.assertEqual((home, username), (f"{self.dir}/home", ""))

    def test_an_outer_services_variables_are_not_the_inner_services(self):
        names = "$PORT $PROCREF_NAME $PROCREF_PORT $PROCREF_PID $PROCREF_GENERATION"
        say = f"echo \\\"{names}. $PROCREF_MINE\\\" > {self.dir}/said; exec sleep 1000"
        self.unit("inner.service", "Environment=PROCREF_MINE=mine", service=f':/bin/sh -c "{say}"')
        outer = ["run", self.db, *self.described(), "--port", "6379", "--"]
        for inner in (["inner"], [self.db + "i", "--command", f'sh -c "{say}"']):
            result = self.procref(*outer, PROCREF, "run", *inner, "--", "sh", "-c",
                                  f"until grep -q . {self.dir}/said; do sleep .01; done")
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(f"{self.dir}/said") as file:
                self.assertEqual(file.read().split(), ["inner", ".", "mine"] if len(inner) == 1 else ["."])
            os.remove(f"{self.dir}/said")

    def test_somebody_elses_port_stays_the_services(self):
        self.env["PORT"] = "7"
        self.unit("inner.service", service=f":/bin/sh -c \"echo $PORT > {self.dir}/said; exec sleep 1000\"")
        outer = ["run", self.db, *self.described(), "--"]
        self.procref(*outer, PROCREF, "run", "inner", "--", "sh", "-c", f"until grep -q . {self.dir}/said; do sleep .01; done")
        with open(f"{self.dir}/said") as file:
            self.assertEqual(file.read(), "7\n")

    def test_an_exported_path_finds_the_command(self):
        os.mkdir(f"{self.work}/bin")
        os.chmod(self.write("bin/tool", "#!/bin/sh\necho tool\n"), 0o700)
        self.unit("db.service", extension=[f"Export=PATH={self.work}/bin:$PATH"])
        self.assertEqual(self.procref("run", "db", "--", "tool").stdout, "tool\n")

    def test_options_count_more_than_the_file(self):
        self.unit("db.service", service=self.service("--port", "${PORT}"), extension=["Ready=tcp", "Port=auto"])
        with_port = self.told("db", say="$PORT")
        self.wait_until(lambda: not support.marked(self.mark))
        self.assertEqual(self.told("db", "--port", with_port, "--linger", "0", say="$PORT"), with_port)


class Requires(Files):
    def events_of(self, name):
        """The test service with a list of events of its own."""
        return self.service("--notify").replace(f"{self.dir}/events", f"{self.dir}/{name}.events")

    def times(self, name):
        with open(f"{self.dir}/{name}.events") as file:
            return {line.split()[2]: int(line.split()[0]) for line in file}

    def test_what_is_required_starts_first_and_stops_after(self):
        self.unit("db.service", service=self.events_of("db"))
        self.unit("cache@.service", service=self.events_of("cache"), extension=["Requires=db"])
        self.unit("app.service", service=self.events_of("app"), extension=["Requires=cache@a.service db"])
        self.assertEqual(self.told("app", say="$PROCREF_NAME"), "app")
        self.wait_until(lambda: not support.marked(self.mark))
        app, cache, db = (self.times(name) for name in ("app", "cache", "db"))
        self.assertLess(db["start"], cache["start"])
        self.assertLess(cache["start"], app["start"])
        self.assertLess(app["exit"], cache["stop-signal"])
        self.assertLess(cache["exit"], db["stop-signal"])

    def test_what_is_required_can_be_shared_by_others(self):
        self.unit("db.service", extension=["Linger=1h"])
        self.unit("app.service", service="sleep 1000", extension=["Requires=db"])
        self.told("db")
        self.told("app")
        self.assertEqual(len(self.events("start")), 1)
        self.assertEqual(self.procref("wait", "app").returncode, 0)
        self.assertEqual(self.procref("stop", "db").returncode, 0)

    def test_what_is_required_may_be_changed_between_two_uses(self):
        for n in range(12):
            self.write("db.service", f"[Service]\nExecStart=sleep 1001\nEnvironment=N={n}\n")
            self.write("app.service", "[Service]\nExecStart=sleep 1000\n[X-Procref]\nRequires=db\n")
            result = self.procref("run", "app", "--", "true")
            self.assertEqual((result.returncode, result.stderr), (0, ""), n)

    def test_a_requirement_that_fails_fails_the_start(self):
        self.unit("db.service", service=self.service("--print", "disk-full", "--fail", "3"), extension=["Ready=notify"])
        self.unit("app.service", extension=["Requires=db"])
        result = self.procref("run", "app", "--", "true")
        self.assertEqual(result.returncode, 111)
        self.assertIn("disk-full", result.stderr)

    def test_a_cycle_is_told_by_its_chain(self):
        self.unit("a.service", extension=["Requires=b"])
        self.unit("b.service", extension=["Requires=c"])
        self.unit("c.service", extension=["Requires=b"])
        result = self.procref("run", "a", "--", "true")
        self.assertEqual(result.returncode, 100)
        self.assertIn("a requires b requires c requires b: a cycle", result.stderr)
        self.assertEqual(self.events(), [])

    def test_a_requirement_that_does_not_exist_is_told_with_who_requires_it(self):
        path = self.unit("a.service", extension=["Requires=nothing"])
        result = self.procref("run", "a", "--", "true")
        self.assertEqual(result.returncode, 100)
        self.assertIn(f"no service file 'nothing.service', which is required by {os.path.realpath(path)}", result.stderr)

    def test_an_instance_is_required_by_its_name_as_it_is(self):
        self.unit("it@.service", "Environment=WHERE=%I", extension=["Export=WHERE=${WHERE}"])
        self.unit("a.service", extension=[r"Requires=it@x\x2dy"])
        result = self.procref("run", "a", "--", PROCREF, "run", "--timeout", "0", r"it@x\x2dy", "--", "sh", "-c", "echo $WHERE")
        self.assertEqual((result.returncode, result.stdout), (0, "x-y\n"), result.stderr)

    def test_requirements_are_found_beside_the_file(self):
        self.unit("sub/db.service")
        self.unit("sub/app.service", service="sleep 1000", extension=["Requires=db"])
        self.assertEqual(self.procref("run", "sub/app.service", "--", "true").returncode, 0)
        self.assertEqual(len(self.events("start")), 1)


class Health(Files):
    def test_the_check_is_asked_with_the_commands_environment_by_each(self):
        self.unit("db.service", extension=[f"Health=echo $PROCREF_NAME $WHERE >> {self.dir}/asked", "Export=WHERE=here"])
        result = self.procref("run", "db", "--", "sh", "-c", f': > {self.dir}/asked; exec "$@"', "sh",
                              PROCREF, "run", "db", "--", "cat", f"{self.dir}/asked")
        self.assertEqual(result.stdout, "db here\n", result.stderr)

    @unittest.skipUnless(shutil.which("redis-server") and shutil.which("redis-cli"), "redis is not installed")
    def test_a_real_redis_by_its_file(self):
        self.write("redis.service", """
[Service]
Type=exec
ExecStart=redis-server --port ${PORT} --save ""
[X-Procref]
Ready=tcp
Port=auto
Export=REDIS_URL=redis://127.0.0.1:${PORT}/0
Health=redis-cli -p $PORT ping
""")
        result = self.procref("run", "redis", "--", "sh", "-c",
                              f'redis-cli -u $REDIS_URL set x 5 && {PROCREF} run redis -- sh -c "redis-cli -u \\$REDIS_URL get x"')
        self.assertEqual((result.returncode, result.stdout), (0, "OK\n5\n"), result.stderr)


if __name__ == "__main__":
    unittest.main()
