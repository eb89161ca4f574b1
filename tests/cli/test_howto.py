"""
The how-to pages, carried out as a reader would. Of a page

    `NAME`:           and the fenced block behind it are a file,
    ```console        is run: "$ COMMAND", then what it prints on both streams; "…" is anything.

All commands of a page run in one shell, one after the other, as an ordinary user in a network of its own; each must succeed.
"""
import os
import re
import shutil
import subprocess
import sys
import unittest

import real

BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page):
    """Its files as {name: text}, its commands as [(command, what it prints)]."""
    files, commands = {}, []
    with open(f"{real.SOURCE}/docs/howto/{page}.md") as file:
        text = file.read()
    for name, kind, body in BLOCK.findall(text):
        if name:
            files[name] = body
        elif kind == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                commands.append((command, output))
    return files, commands


def pattern(output):
    """A line "…" is any number of lines, elsewhere it is anything."""
    lines = "(.*\n)?".join(re.escape(part) for part in re.split(r"^…\n", output, flags=re.MULTILINE))
    return re.compile(lines.replace("…", ".*"), re.DOTALL)


class HowTo(real.RealWorld):
    def follow(self, page):
        files, commands = read(page)
        self.assertTrue(commands)
        for name, text in files.items():
            self.write(name, text)
        script = "".join(f"{{ {command}\n}} >{self.dir}/home/{i}.out 2>&1; echo $? >{self.dir}/home/{i}.status\n"
                         for i, (command, _) in enumerate(commands))
        result = subprocess.run(["sh", "-c", script], cwd=self.work, env=self.env, preexec_fn=self.in_own_network,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
        if result.returncode == real.NO_NETWORK:
            self.skipTest("needs a network of its own, which is not allowed here")
        for i, (command, output) in enumerate(commands):
            with open(f"{self.dir}/home/{i}.out") as out, open(f"{self.dir}/home/{i}.status") as status:
                printed = out.read()
                self.assertEqual(status.read(), "0\n", f"{command}\n{printed}")
            self.assertTrue(pattern(output).fullmatch(printed), f"{command}\n{printed}")

    @unittest.skipUnless(real.HAS_REDIS and shutil.which("make"), "needs redis-server and make")
    def test_gnu_make(self):
        self.follow("make")

    @unittest.skipUnless(real.HAS_REDIS and shutil.which("ctest"), "needs redis-server and ctest")
    def test_ctest(self):
        self.follow("ctest")

    @unittest.skipUnless(real.HAS_POSTGRES and shutil.which("pg_config"), "needs a PostgreSQL server and pg_config")
    def test_pytest_xdist(self):
        self.install_pytest()
        self.follow("pytest-xdist")

    @unittest.skipUnless(real.HAS_REDIS and real.HAS_POSTGRES, "needs redis-server and a PostgreSQL server")
    def test_editors_and_mcp_servers(self):
        self.follow("editor")

    @unittest.skipUnless(real.HAS_REDIS, "needs redis-server")
    def test_the_lines_of_the_readme(self):
        with open(f"{real.SOURCE}/README.md") as file:
            text = file.read()
        self.write("cache.service", re.search(r"^```ini\n(# cache.service\n.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
        lines = [line for line in re.findall(r"^    (procref run .*)$", text, re.MULTILINE) if "redis-cli" in line]
        self.assertEqual(len(lines), 3)
        result = subprocess.run(["sh", "-ec", "\n".join(lines)], cwd=self.work, env=self.env,
                                preexec_fn=self.in_own_network, capture_output=True, text=True, timeout=120)
        if result.returncode == real.NO_NETWORK:
            self.skipTest("needs a network of its own, which is not allowed here")
        self.assertEqual((result.returncode, result.stdout), (0, "PONG\n" * 3), result.stderr)

    def python(self):
        """One that the ordinary user may execute."""
        for python in (sys.executable, "/usr/bin/python3"):
            try:
                version = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                         capture_output=True, text=True, **self.become)
            except OSError:
                continue
            if version.returncode == 0:
                return python, version.stdout.strip()
        self.skipTest("no Python that an ordinary user may execute")

    def install_pytest(self):
        python, version = self.python()
        packages = f"{self.dir}/packages"
        pip = subprocess.run(["timeout", "120", sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                              "--target", packages, "--python-version", version, "--only-binary", ":all:", "pytest",
                              "pytest-xdist", "psycopg2-binary"], capture_output=True, text=True)
        if pip.returncode != 0:
            self.skipTest("pytest, pytest-xdist and psycopg2 cannot be installed: " + pip.stderr.strip()[-200:])
        os.chmod(packages, 0o755)
        self.env["PYTHONPATH"] = packages
        with open(f"{self.dir}/bin/pytest", "w") as file:
            file.write(f'#!/bin/sh\nexec {python} -B -m pytest -p no:cacheprovider "$@"\n')
        os.chmod(f"{self.dir}/bin/pytest", 0o755)


if __name__ == "__main__":
    unittest.main()
