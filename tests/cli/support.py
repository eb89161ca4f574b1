"""
What the tests of the command share. Each test file here is a program of Python's unittest; CTest runs it with

    PROCREF          the command under test
    PROCREF_HELPERS  the folder of the helper programs (service, client …)
    PROCREF_TEST_RUN the mark of this build's suite

A World is one test's: a home, a runtime folder and a working folder of its own, and the check at the end that
nothing is left: no process that carries the world's mark, no semaphore set, no file but logs.
"""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROCREF = os.environ["PROCREF"]
HELPERS = os.environ["PROCREF_HELPERS"]
RUN = os.environ.get("PROCREF_TEST_RUN", "t0")
HAS_POINTS = b"PROCREF_CRASH" in open(PROCREF, "rb").read()  # a build with PROCREF_CRASH_POINTS=ON
LIBC = ctypes.CDLL(None)
PATIENCE = 30  # seconds until a test that waits gives up


def _environment(pid):
    LOOKS = 20
    KTHREAD, EXITING = 0x00200000, 0x4  # PF_ flags of linux/sched.h, the ninth field of proc_pid_stat(5)
    begin, empty = time.monotonic(), 0
    while True:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read()
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        if fields[0] in "ZX":
            return b""
        if text or int(fields[6]) & (KTHREAD | EXITING):
            return text
        # In the midst of execve(2) it has neither; one look may fall into it, but not one after the other.
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            empty += file.read() != b""
        if empty > LOOKS or time.monotonic() - begin > 2:
            return text


def without_signs_of_life(text):
    """What was said of a start that takes longer than half a second: on a busy machine any may."""
    return re.sub(r"(?m)^procref (run|hold): waiting for .* to (start|end|be ready \(.*\))\n", "", text)


def state_of(pid):
    """As in proc_pid_stat(5), or "gone"."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the second: it went after the file was opened
        return "gone"


def is_alive(pid):
    return state_of(pid) not in ("Z", "X", "gone")


def marked(mark):
    """Live processes (no zombies) whose environment has the mark, as {pid: command line}."""
    found, seen = {}, set()
    # While bash reads its environment it cuts each entry at its '=' for a moment, in place.
    forms = mark.encode(), mark.replace("=", "\0", 1).encode()
    # One that was listed may have ended before it was read, and what it started meanwhile is in no list but the next.
    while new := set(filter(str.isdigit, os.listdir("/proc"))) - seen:
        seen |= new
        for pid in new:
            try:
                environment = _environment(pid)
                if any(form in environment for form in forms):
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        found[int(pid)] = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
    return found


def files_of(pid):
    """What a process has open."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it closed it meanwhile
                yield os.readlink(f"/proc/{pid}/fd/{fd}")


def keepers(folder):
    """Keepers with something open below the folder, their log say. They have no environment of their client's."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/comm") as file:
                if file.read() != "procref-keeper\n":
                    continue
            if any(path.startswith(folder + "/") for path in files_of(pid)):
                found[int(pid)] = "procref-keeper"
    return found


def sets():
    """The system's semaphore sets, as {id: number of semaphores}."""
    with open("/proc/sysvipc/sem") as file:
        return {int(line.split()[1]): int(line.split()[3]) for line in file.readlines()[1:]}


def set_used_by(pid):
    """The one set whose reference count this process changed last."""
    found = set()
    for number in sets():
        text = subprocess.run(["ipcs", "-s", "-i", str(number)], capture_output=True, text=True).stdout
        found.update(number for line in text.splitlines() if line.split()[-1:] == [str(pid)])
    assert len(found) == 1, f"{pid} has used {len(found)} sets"
    return found.pop()


def remove_memory_of(inode):
    """The shared memory segment of the PostgreSQL whose data folder has this inode, and which was killed: that is its key
    (sysv_shmem.c). Its maker's pid may be one that nobody saw: initdb's child dies of its pipe."""
    IPC_RMID = 0
    with open("/proc/sysvipc/shm") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if int(fields[0]) & 0xffffffff == inode & 0xffffffff:
                LIBC.shmctl(int(fields[1]), IPC_RMID, None)


def orphaned(ids):
    """Those of the sets that nobody alive has touched last: other tests run beside this one, and theirs have a keeper."""
    GETPID = 11
    left = set()
    for id, count in sets().items():
        if id in ids:
            pids = [LIBC.semctl(id, number, GETPID) for number in range(count)]
            if not any(os.path.exists(f"/proc/{pid}") for pid in pids if pid > 0):
                left.add(id)
    return left


def without_privileges():
    """For preexec_fn: the mode of a file is root's concern, too, from the next program on."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


class World(unittest.TestCase):
    def setUp(self):
        self.mark = f"PROCREF_TEST_WORLD={RUN}-{os.getpid()}-{self.id()}"
        self.dir = tempfile.mkdtemp(prefix=f"procref-test-{RUN}-")
        for folder in ("home", "run", "work"):
            os.mkdir(f"{self.dir}/{folder}", 0o700)
        self.work = f"{self.dir}/work"
        self.db = f"db.{RUN}.{os.getpid()}"  # in the user's scope the whole machine shares it
        key, value = self.mark.split("=")
        self.env = {"PATH": os.path.dirname(PROCREF) + ":" + os.environ["PATH"], "HOME": f"{self.dir}/home",
                    "XDG_RUNTIME_DIR": f"{self.dir}/run", "LANG": "C.UTF-8", "TERM": "dumb", key: value,
                    "PROCREF_TEST_RUN": RUN}
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.sets_before = set(sets())

    def tearDown(self):
        alive = lambda: {**marked(self.mark), **keepers(self.dir)}
        left = self.wait_until(lambda: not alive(), fail=False) or alive()
        if left is not True:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        new = set(sets()) - self.sets_before
        sets_left = self.wait_until(lambda: not orphaned(new), fail=False)
        shutil.rmtree(self.dir)
        self.assertIs(left, True, "processes were left")
        self.assertTrue(sets_left, f"semaphore sets were left: {orphaned(new)}")

    def execute(self, words, signs_of_life=False, **more):
        """Runs a program to its end."""
        more.setdefault("cwd", self.work)
        more.setdefault("env", self.env)
        more.setdefault("timeout", PATIENCE)
        more.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(words, capture_output=True, text=True, **more)
        done.stderr = done.stderr if signs_of_life else without_signs_of_life(done.stderr)
        return done

    def procref(self, *words, **more):
        return self.execute([PROCREF, *words], **more)

    def asked(self, status):
        """What its keeper says, who has a second for that, which on a busy machine it may not have run."""
        for _ in range(4):
            answer = status()
            if answer["state"] != "no answer":
                break
        return answer

    def start(self, *words, **more):
        """Starts procref; the test ends it."""
        more.setdefault("cwd", self.work)
        more.setdefault("env", self.env)
        process = subprocess.Popen([PROCREF, *words], text=True, **more)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def service(self, *words):
        """The test service as a command line for --command; what happens to it is in events()."""
        return " ".join([f"{HELPERS}/service", "--events", f"{self.dir}/events", *words])

    def described(self, *words):
        """Options for a test service that has begun its work when it counts as up."""
        return ["--command", self.service("--notify", *words), "--ready", "notify"]

    def events(self, *kinds):
        """What happened to the test service, as "EVENT DETAIL"; of these kinds only."""
        if not os.path.exists(f"{self.dir}/events"):
            return []
        with open(f"{self.dir}/events") as file:
            found = [line.rstrip("\n").split(" ", 2)[2] for line in file]
        return [event for event in found if not kinds or event.split()[0] in kinds]

    def write(self, name, text):
        """A file below the working folder; its path."""
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def wait_until(self, condition, fail=True, seconds=PATIENCE):
        """For what the kernel does not announce to a stranger (the end of somebody else's process)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                if fail:
                    self.fail("it did not come to that in time")
                return False
            time.sleep(0.005)
        return True
