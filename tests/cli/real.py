"""What the tests with the real Redis and PostgreSQL share: who they run as, and in which network."""
import ctypes
import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import unittest

import support

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECIPES = f"{SOURCE}/data/services"
HAS_REDIS = bool(shutil.which("redis-server") and shutil.which("redis-cli"))
HAS_POSTGRES = subprocess.run([f"{SOURCE}/tools/pg_bindir.sh"], capture_output=True).returncode == 0


def ordinary_user():
    """PostgreSQL does not run as root: root's tests have it as another user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise unittest.SkipTest("PostgreSQL does not run as root, and there is no user postgres or nobody")


NO_NETWORK = 77  # exit status where own_network() is not allowed


def own_network():
    """In a child before exec: nobody else has a port there."""
    CLONE_NEWUSER, CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x10000000, 0x40000000, 0x8914, 1
    uid, gid = os.geteuid(), os.getegid()
    if ctypes.CDLL(None).unshare(CLONE_NEWNET | (CLONE_NEWUSER if uid != 0 else 0)) != 0:
        os._exit(NO_NETWORK)
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


class RealWorld(support.World):
    """A world whose programs run as an ordinary user, with the recipes."""

    def setUp(self):
        user = ordinary_user()
        super().setUp()
        self.env["PATH"] = f"{self.dir}/bin:" + os.environ["PATH"]
        self.env["PROCREF_RECIPES"] = f"{self.dir}/services"
        # Copies, for the folder of the build may be closed to others.
        os.mkdir(f"{self.dir}/bin")
        shutil.copy(support.PROCREF, f"{self.dir}/bin/procref")
        shutil.copytree(RECIPES, f"{self.dir}/services")
        self.become = {}
        if user is not None:
            for folder in (".", "home", "run", "work"):
                os.chown(f"{self.dir}/{folder}", user.pw_uid, user.pw_gid)
            self.become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def procref(self, *words, **more):
        return super().procref(*words, executable=f"{self.dir}/bin/procref", **self.become, **more)

    def start(self, *words, **more):
        return super().start(*words, executable=f"{self.dir}/bin/procref", **self.become, **more)

    def await_gone(self):
        """Until no process of this world is left."""
        self.wait_until(lambda: not support.marked(self.mark))

    def in_own_network(self):
        """In a child before exec: a network of its own, and then the ordinary user."""
        own_network()
        if self.become:
            os.setgroups([])
            os.setgid(self.become["group"])
            os.setuid(self.become["user"])
