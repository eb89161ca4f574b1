"""procref doctor: what it says of a sound system, of one that lacks something, and of what killed services left."""
import ctypes
import os
import platform
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import unittest

from support import HELPERS, PATIENCE, PROCREF, RUN, World, is_alive, sets, state_of, without_privileges

CALLS = {  # numbers of system calls, by machine
    "x86_64": {"semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220, "memfd_create": 319, "execveat": 322, "pidfd_open": 434,
               "sendto": 44},
    "aarch64": {"semget": 190, "semop": 193, "semctl": 191, "semtimedop": 192, "memfd_create": 279, "execveat": 281, "pidfd_open": 434,
                "sendto": 206},
}.get(platform.machine(), {})
ENOSYS, EPERM, KILL = 38, 1, None


def refuse(error, *calls):
    """For preexec_fn: these system calls fail from here on, as under a sandbox's seccomp filter, or kill who calls them."""
    def apply():
        code = [(0x20, 0, 0, 0)]  # the call's number
        for call in calls:
            code += [(0x15, 0, 1, CALLS[call]), (0x06, 0, 0, 0x80000000 if error is KILL else 0x00050000 | error)]
        code += [(0x06, 0, 0, 0x7FFF0000)]
        bytecode = b"".join(struct.pack("HBBI", *line) for line in code)
        buffer = ctypes.create_string_buffer(bytecode)
        program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) != 0:
            os._exit(99)
    return apply


def environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def keepers(name):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read() == b"procref-keeper\0" + name.encode() + b"\0":
                    found.append(int(pid))
        except OSError:
            continue
    return found


def new_sets(world):
    """Of this user, as doctor sees them."""
    with open("/proc/sysvipc/sem") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return {line[1] for line in lines if int(line[4]) == os.geteuid()} - {str(id) for id in world.sets_before}


class Client:
    """tests/helpers/client, which holds one service."""

    def __init__(self, test, name, *options):
        self.process = subprocess.Popen([f"{HELPERS}/client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=test.env, cwd=test.work)
        test.addCleanup(test._end, self.process)
        self.process.stdout.readline()
        self.ask("open", name, *options, "arg=sleep", "arg=1000")
        self.pid = int(re.search(r"pid=(\d+)", self.ask("acquire", "20000"))[1])

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert not answer.startswith("error"), answer
        return answer


class Doctor(World):
    def doctor(self, *words, **more):
        result = self.procref("doctor", *words, **more)
        lines = result.stdout.splitlines()
        self.assertEqual(result.stderr, "")
        for line in lines[:-1]:
            self.assertRegex(line, r"^(ok   |warn |FAIL ) [^:]+: .+$")
        self.assertRegex(lines[-1], "^verdict: ")
        self.assertEqual(result.returncode, 1 if any(line.startswith("FAIL") for line in lines) else 0, result.stdout)
        return result, lines

    def line(self, lines, what):
        found = [line for line in lines if line[6:].startswith(what + ":")]
        self.assertTrue(found, f"no line about {what} in:\n" + "\n".join(lines))
        return found[0]

    def refusing(self, error, *calls, **more):
        if any(call not in CALLS for call in calls):
            self.skipTest("the numbers of this machine's system calls are not known here")
        return self.doctor(preexec_fn=refuse(error, *calls), **more)

    def massacre(self, name, *options, service_too=False):
        """Keepers, client and, if wanted, the service die at once. The service's pid."""
        client = Client(self, name, *options)
        pair = keepers(name)
        self.assertEqual(len(pair), 2)
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: all(state_of(pid) == "T" for pid in pair))
        client.process.kill()
        client.process.wait()
        if service_too:
            os.kill(client.pid, signal.SIGKILL)
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not any(is_alive(pid) for pid in pair))
        return client.pid

    # ---- a sound system ----

    def test_every_promise_is_tried_and_holds_here(self):
        result, lines = self.doctor()
        self.assertEqual(result.returncode, 0)
        for what in ("semaphores with undo", "semaphore limits", "undo entries", "pidfd", "keeper", "IPC namespace",
                     "network namespace", "abstract sockets", "logout", "runtime folder", "open files", "processes",
                     "orphans", "/proc", "a killed client's service", "leftovers"):
            self.line(lines, what)
        for what in ("semaphores with undo", "pidfd", "keeper", "abstract sockets", "a killed client's service"):
            self.assertTrue(self.line(lines, what).startswith("ok"), result.stdout)
        self.assertRegex(self.line(lines, "a killed client's service"), r"stopped \d+\.\d ms after kill -9")

    def test_it_leaves_no_file_and_makes_no_runtime_folder(self):
        tmp = f"{self.dir}/tmp"
        os.mkdir(tmp)
        self.doctor(env=dict(self.env, TMPDIR=tmp))
        self.assertEqual(os.listdir(tmp), [])
        self.assertEqual(os.listdir(self.env["XDG_RUNTIME_DIR"]), [])

    def test_quiet_says_only_what_is_not_ok(self):
        result, lines = self.doctor("--quiet")
        self.assertFalse([line for line in lines if line.startswith("ok")])

    def test_an_operand_is_a_mistake(self):
        result = self.procref("doctor", "redis")
        self.assertEqual(result.returncode, 100)
        self.assertIn("'redis'", result.stderr)

    # ---- something is missing ----

    def test_without_semaphores_it_fails_and_names_them(self):
        result, lines = self.refusing(ENOSYS, "semget")
        self.assertRegex(self.line(lines, "semaphores with undo"), "^FAIL .*; use a kernel or sandbox")
        self.assertRegex(self.line(lines, "a killed client's service"), "^FAIL .*see semaphores with undo above")

    def test_semaphores_that_refuse_undo_fail(self):
        result, lines = self.refusing(EPERM, "semop", "semtimedop")
        self.assertRegex(self.line(lines, "semaphores with undo"), "^FAIL .*semop with SEM_UNDO is refused")

    def test_without_pidfd_it_says_what_that_means(self):
        result, lines = self.refusing(ENOSYS, "pidfd_open")
        self.assertRegex(self.line(lines, "pidfd"), "^FAIL .*recycled pid.*5.3")

    def test_a_keeper_that_cannot_run_from_memory_is_looked_for_as_installed(self):
        result, lines = self.refusing(EPERM, "execveat", env=dict(self.env, PROCREF_KEEPER_PATH="/nonexistent"))
        self.assertRegex(self.line(lines, "keeper"), "^FAIL .*/nonexistent.*make install")
        installed = os.path.join(os.path.dirname(PROCREF), "procref-keeper")
        result, lines = self.refusing(EPERM, "execveat", env=dict(self.env, PROCREF_KEEPER_PATH=installed))
        self.assertRegex(self.line(lines, "keeper"), f"^ok .*executed as {installed}")
        self.assertTrue(self.line(lines, "a killed client's service").startswith("ok"))

    def test_without_files_in_memory_no_installed_keeper_helps(self):
        installed = os.path.join(os.path.dirname(PROCREF), "procref-keeper")
        result, lines = self.refusing(EPERM, "memfd_create", env=dict(self.env, PROCREF_KEEPER_PATH=installed))
        self.assertRegex(self.line(lines, "keeper"), "^FAIL .*memfd_create")

    def test_a_filter_that_kills_ends_a_probe_and_not_the_doctor(self):
        for calls, what in ((["semget"], "semaphores with undo"), (["semop", "semtimedop"], "semaphores with undo"),
                            (["semctl"], "semaphores with undo"), (["pidfd_open"], "pidfd"), (["memfd_create"], "keeper"),
                            (["execveat"], "keeper")):
            with self.subTest(calls=calls):
                result, lines = self.refusing(KILL, *calls)
                self.assertRegex(self.line(lines, what), f"^FAIL .*{calls[0]}")
                self.assertRegex(self.line(lines, "a killed client's service"), "^FAIL ")

    def test_without_semctl_no_set_is_made_that_could_not_be_removed(self):
        before = set(sets())
        for error in (EPERM, KILL):
            result, lines = self.refusing(error, "semctl")
            self.assertRegex(self.line(lines, "semaphores with undo"), "^FAIL .*semctl")
        self.assertEqual(set(sets()) - before, set())

    def test_what_libc_calls_instead_of_semop_is_not_asked_for(self):
        result, lines = self.refusing(EPERM, "semtimedop")
        inline = platform.machine() == "x86_64" and "ASAN_OPTIONS" not in self.env  # src/os/linux/semop.h
        self.assertTrue(self.line(lines, "semaphores with undo").startswith("ok" if inline else "FAIL"))

    def test_that_nobody_tells_whose_a_full_queue_is_is_told(self):
        result, lines = self.refusing(EPERM, "sendto")  # what asks sock_diag(7)
        self.assertRegex(self.line(lines, "abstract sockets"), "^warn .*full queue.*CONFIG_UNIX_DIAG")

    def test_no_room_in_files_is_told(self):
        import resource
        result, lines = self.doctor(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        self.assertRegex(self.line(lines, "keeper"), "^FAIL .*ulimit -f")

    def test_too_few_descriptors_are_told_as_what_they_are(self):
        import resource
        result, lines = self.doctor(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)))
        self.assertRegex(self.line(lines, "open files"), "^FAIL .*30.*hard limit")
        result, lines = self.doctor(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
        for what in ("abstract sockets", "orphans"):
            self.assertRegex(self.line(lines, what), "^FAIL .*Too many open files.*ulimit -n")

    def test_too_few_processes_are_told_as_what_they_are(self):
        if os.geteuid() != 0:
            self.skipTest("the limit counts all processes of a user: it needs one who has none")

        def as_a_stranger():
            import resource
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            os.setgroups([])
            os.setgid(65532)
            os.setuid(65532)
        env = {key: value for key, value in self.env.items() if key != "XDG_RUNTIME_DIR"}
        result, lines = self.doctor(preexec_fn=as_a_stranger, env=dict(env, TMPDIR="/tmp"), cwd="/")
        self.assertRegex(self.line(lines, "processes"), "^FAIL .*RLIMIT_NPROC.*hard limit")
        for what in ("semaphores with undo", "pidfd", "keeper", "orphans", "/proc"):
            self.assertRegex(self.line(lines, what), "^FAIL .*cannot be tried: .*ulimit -u")

    def test_a_root_without_dev_and_proc(self):
        if os.geteuid() != 0:
            self.skipTest("chroot is root's")
        root = f"{self.dir}/root"
        for path in [PROCREF, *re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", PROCREF], capture_output=True, text=True).stdout)]:
            to = root + ("/procref" if path == PROCREF else path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(path, to)
        result = subprocess.run(["/procref", "doctor"], capture_output=True, text=True, env={}, timeout=PATIENCE,
                                preexec_fn=lambda: (os.chroot(root), os.chdir("/")))
        if "verdict" not in result.stdout:
            self.skipTest(f"no such root: {result.stderr}")
        lines = result.stdout.splitlines()
        for line in lines[:-1]:
            self.assertRegex(line, r"^(ok   |warn |FAIL ) [^:]+: .+$")
        self.assertRegex(self.line(lines, "/proc"), "^FAIL .*mount -t proc proc /proc")
        self.assertEqual(result.returncode, 1)

    def test_a_runtime_folder_that_is_not_used_comes_with_the_reason(self):
        others = f"{self.dir}/others"
        os.mkdir(others)
        os.chmod(others, 0o777)
        for runtime, said in (("/nonexistent", r"No such file.*mkdir -m 700"), ("relative", "no absolute path"),
                              (PROCREF, "no directory"), (others, "mode 0777.*chmod go-w")):
            with self.subTest(runtime=runtime):
                result, lines = self.doctor(env=dict(self.env, XDG_RUNTIME_DIR=runtime))
                self.assertRegex(self.line(lines, "runtime folder"), f"^warn .*XDG_RUNTIME_DIR={runtime}.*{said}")

    def test_namespaces_of_ones_own_are_not_said_to_be_shared(self):
        words = ["unshare", "--user", "--map-root-user", "--ipc", "--net", PROCREF, "doctor"]
        if subprocess.run([*words[:-2], "true"], capture_output=True).returncode != 0:
            self.skipTest("no user namespace for this user")
        result = subprocess.run(words, capture_output=True, text=True, env=self.env, cwd=self.work, timeout=PATIENCE)
        for what in ("IPC namespace", "network namespace"):
            self.assertRegex(self.line(result.stdout.splitlines(), what), "^warn .*cannot share a service")

    def in_own_ipc(self, limits):
        script = f"echo '{limits}' >/proc/sys/kernel/sem && exec {shlex.quote(PROCREF)} doctor"
        words = ["unshare", "--ipc", "sh", "-c", script] if os.geteuid() == 0 else \
            ["unshare", "--user", "--map-root-user", "--ipc", "sh", "-c", script]
        result = subprocess.run(words, capture_output=True, text=True, env=self.env, cwd=self.work, timeout=PATIENCE)
        if "verdict" not in result.stdout:
            self.skipTest(f"no namespace with limits of its own: {result.stderr}")
        return result.stdout.splitlines(), result.returncode

    def test_limits_that_are_too_low_come_with_the_sysctl(self):
        lines, status = self.in_own_ipc("250 32000 32 0")
        self.assertEqual(status, 1)
        self.assertIn("SEMMNI", self.line(lines, "semaphores with undo"))
        lines, status = self.in_own_ipc("250 32000 10 300")
        self.assertEqual(status, 1)
        self.assertRegex(self.line(lines, "semaphore limits"), "^FAIL .*SEMOPM.*sysctl -w kernel.sem='250 32000 100 300'")
        lines, status = self.in_own_ipc("250 32000 32 3")
        self.assertEqual(status, 0)
        self.assertRegex(self.line(lines, "semaphore limits"), "^warn .*0 of 3 sets.*sysctl -w kernel.sem=")
        if os.geteuid() == 0:  # others may not look into the namespaces of processes outside their own
            self.assertRegex(self.line(lines, "IPC namespace"), "^warn .*cannot share a service")

    def test_a_runtime_folder_that_others_can_write_is_named(self):
        folder = os.path.join(self.env["XDG_RUNTIME_DIR"], "procref")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        result, lines = self.doctor()
        self.assertRegex(self.line(lines, "runtime folder"), f"^FAIL .*0777.*chmod go-w {folder}")

    def test_a_runtime_folder_that_cannot_be_written_is_told_with_what_does_not_work_then(self):
        os.mkdir(os.path.join(self.env["XDG_RUNTIME_DIR"], "procref"), 0o500)
        result, lines = self.doctor(preexec_fn=without_privileges)
        self.assertRegex(self.line(lines, "runtime folder"), "^FAIL .*service files and recipes cannot be used.*XDG_RUNTIME_DIR")
        self.assertEqual(result.returncode, 1)

    def test_few_descriptors_are_told_and_the_rest_is_tried_all_the_same(self):
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        result, lines = self.doctor(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard)))
        self.assertRegex(self.line(lines, "open files"), "^warn .*20.*ulimit -n")
        self.assertEqual(result.returncode, 0)

    # ---- leftovers ----

    def test_a_running_service_is_no_leftover(self):
        name = f"{RUN}.doctor-running"
        client = Client(self, name)
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), r"^ok .*none; [1-9]")
        self.assertEqual(len(keepers(name)), 2)
        client.process.kill()
        client.process.wait()

    def test_a_massacre_is_seen_and_cleaned_the_service_included(self):
        service = self.massacre(f"{RUN}.doctor-massacre")
        left = new_sets(self)
        self.assertEqual(len(left), 1)
        result, lines = self.doctor()
        line = self.line(lines, "leftovers")
        self.assertRegex(line, rf"^warn .*semaphore set {min(left)}, .*\.hint, process {service} \(sleep\).*--clean")
        self.assertEqual(new_sets(self), left)  # nothing was touched
        self.assertEqual(state_of(service), "S")
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), rf"^ok .*set {min(left)}.*: removed")
        self.assertEqual(new_sets(self), set())
        self.assertNotEqual(state_of(service), "S")
        self.assertEqual([f for f in os.listdir(f"{self.dir}/run/procref") if f.endswith(".hint")], [])
        result, lines = self.doctor()
        self.assertTrue(self.line(lines, "leftovers").startswith("ok"))

    def test_the_set_alone_is_found_when_its_folder_is_not_known(self):
        base = f"{self.dir}/base"
        os.mkdir(base, 0o700)
        name = f"{RUN}.doctor-base"
        self.massacre(name, f"base_dir={base}", service_too=True)
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), r"^ok .*semaphore set \d+: removed")
        self.assertEqual(new_sets(self), set())
        self.assertTrue(os.path.exists(f"{base}/{name}.hint"))
        result, lines = self.doctor("--clean", "--base-dir", base)
        self.assertRegex(self.line(lines, "leftovers"), r"^ok .*\.hint: removed")
        self.assertFalse(os.path.exists(f"{base}/{name}.hint"))

    def test_what_is_still_held_is_left_alone_and_the_next_acquire_takes_it_up(self):
        name = f"{RUN}.doctor-held"
        client = Client(self, name)
        pair = keepers(name)
        for pid in pair:
            os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: all(state_of(pid) == "T" for pid in pair))
        for pid in pair:
            os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not keepers(name))
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), "^warn .*1 still holds a service whose keepers were killed")
        self.assertEqual(state_of(client.pid), "S")
        other = Client(self, name)
        self.assertEqual(other.pid, client.pid)
        for one in (client, other):
            one.process.kill()
            one.process.wait()
        self.wait_until(lambda: not keepers(name))

    def test_a_starting_pair_wins_against_the_cleaning(self):
        """Many clean what many acquire: nobody loses a service that he holds."""
        name = f"{RUN}.doctor-race"
        for _ in range(3):
            self.massacre(name)
            cleaners = [self.start("doctor", "--clean", stdout=subprocess.DEVNULL) for _ in range(3)]
            client = Client(self, name)
            self.assertTrue(is_alive(client.pid))
            for cleaner in cleaners:
                self.assertEqual(cleaner.wait(PATIENCE), 0)
            self.assertTrue(is_alive(client.pid))
            self.assertEqual(len(keepers(name)), 2)
            client.process.kill()
            client.process.wait()
            self.wait_until(lambda: not keepers(name))

    def test_hints_of_an_earlier_boot_are_removed_in_the_scopes_of_folders_too(self):
        folder = os.path.join(self.env["XDG_RUNTIME_DIR"], "procref", "project-0123456789abcdef")
        os.makedirs(folder, 0o700)
        path = f"{folder}/old.hint"
        with open(path, "w") as file:
            file.write("procref 2\nboot 11111111-2222-3333-4444-555555555555\nkey 12345\nphase up\ngeneration 1\n"
                       f"pid {os.getpid()}\nstart 1\nport 0\nparts 0\n".ljust(512, "\n"))
        result, lines = self.doctor()
        self.assertRegex(self.line(lines, "leftovers"), f"^warn .*{path}")
        result, lines = self.doctor("--clean")
        self.assertFalse(os.path.exists(path))

    def test_a_service_without_a_process_is_left_to_its_next_keeper_who_has_its_exec_stop(self):
        folder = os.path.join(self.env["XDG_RUNTIME_DIR"], "procref")
        os.mkdir(folder, 0o700)
        path = f"{folder}/mount.hint"
        with open("/proc/sys/kernel/random/boot_id") as boot, open(path, "w") as file:
            file.write(f"procref 2\nboot {boot.read()}key 12345\nphase up\ngeneration 1\npid 0\nstart 0\nport 0\nparts 0\n"
                       .ljust(512, "\n"))
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), f"^warn .*{path}.*ExecStop=")
        self.assertTrue(os.path.exists(path))

    def test_a_counter_whose_holders_were_killed_is_removed_but_a_held_one_is_not(self):
        def counter(name):
            process = subprocess.Popen([f"{HELPERS}/counter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env=self.env)
            self.addCleanup(self._end, process)
            process.stdout.readline()
            for words in (f"open {name}\n", "acquire\n"):
                process.stdin.write(words)
                process.stdin.flush()
                self.assertTrue(process.stdout.readline().startswith("ok"))
            return process
        dead, alive = counter(f"{RUN}.doctor-dead"), counter(f"{RUN}.doctor-alive")
        dead.kill()
        dead.wait()
        self.assertEqual(len(new_sets(self)), 2)
        result, lines = self.doctor("--clean")
        self.assertRegex(self.line(lines, "leftovers"), r"^ok .*semaphore set \d+: removed")
        self.assertEqual(len(new_sets(self)), 1)
        alive.kill()
        alive.wait()
        self.doctor("--clean")
        self.assertEqual(new_sets(self), set())


def alone():
    """In an IPC namespace of its own: --clean must not meet what other tests kill, nor they what it removes. Where
    that is refused CTest's RUN_SERIAL is all there is."""
    words = ["unshare", "--ipc", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--ipc", "--net"]
    if "PROCREF_TEST_ALONE" not in os.environ and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
        os.environ["PROCREF_TEST_ALONE"] = "yes"
        os.execvp(words[0], [*words, sys.executable, "-B", *sys.argv])


if __name__ == "__main__":
    alone()
    unittest.main()
