"""The frame of the command: --help fits a screen, mistakes are told in one line with the nearest right word, statuses."""
import os
import pty
import re
import subprocess
import unittest

from support import PATIENCE, PROCREF, World

LINES, COLUMNS = 24, 80


class Frame(World):
    def subcommands(self):
        return re.findall(r"^  ([a-z]+) +\S", self.procref("--help").stdout, flags=re.M)

    def built(self):
        return [name for name in self.subcommands() if self.procref(name, "--help").returncode == 0]

    def mistake(self, *words):
        """The one line that says what is wrong."""
        result = self.procref(*words)
        self.assertEqual(result.returncode, 100, f"{words}: {result.stderr}")
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr.rstrip("\n")

    # ---- help ----

    def test_the_list_of_subcommands_is_complete(self):
        self.assertEqual(self.subcommands(),
                         ["run", "hold", "ps", "status", "logs", "stop", "wait", "check", "doctor", "torture"])

    def test_every_help_fits_a_screen(self):
        faults = []
        for words in ([], *([name] for name in self.built())):
            text = self.procref(*words, "--help").stdout
            lines = text.splitlines()
            if len(lines) > LINES:
                faults.append(f"procref {' '.join(words)} --help has {len(lines)} lines")
            faults += [f"procref {' '.join(words)} --help: {len(line)} columns: {line}" for line in lines if len(line) > COLUMNS]
        self.assertFalse(faults, "\n".join(faults))

    def test_every_help_begins_with_its_usage_and_names_its_page(self):
        for name in self.built():
            lines = self.procref(name, "--help").stdout.splitlines()
            self.assertTrue(lines[0].startswith(f"usage: procref {name} "), lines[0])
            self.assertEqual(lines[-1], f"See procref-{name}(1).")

    def test_help_is_asked_for_in_several_ways(self):
        text = self.procref("--help").stdout
        for words in (["-h"], ["help"]):
            result = self.procref(*words)
            self.assertEqual((result.returncode, result.stdout), (0, text))
        for name in self.built():
            self.assertEqual(self.procref(name, "-h").stdout, self.procref(name, "--help").stdout)

    def test_help_of_a_subcommand_is_its_own(self):
        for name in self.built():
            result = self.procref("help", name)
            self.assertEqual((result.returncode, result.stdout), (0, self.procref(name, "--help").stdout))
        self.assertIn("'rum': is 'run' meant?", self.mistake("help", "rum"))

    def test_help_wins_over_other_options_and_starts_nothing(self):
        result = self.procref("doctor", "--quiet", "--help")
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout.startswith("usage: procref doctor"))

    def test_without_a_word_the_usage_goes_to_stderr(self):
        result = self.procref()
        self.assertEqual((result.returncode, result.stdout), (100, ""))
        self.assertTrue(result.stderr.startswith("usage: procref COMMAND"))

    def test_help_to_a_full_disk_or_a_closed_pipe_does_not_hang(self):
        with open("/dev/full", "w") as full:
            subprocess.run([PROCREF, "--help"], stdout=full, env=self.env, timeout=PATIENCE)
        read, write = os.pipe()
        os.close(read)
        subprocess.run([PROCREF, "--help"], stdout=write, env=self.env, timeout=PATIENCE)
        os.close(write)

    def test_the_version_is_that_of_the_library(self):
        for word in ("--version", "-V"):
            result = self.procref(word)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stdout, r"^procref \d+\.\d+\.\d+\n$")

    # ---- mistakes ----

    def test_an_unknown_subcommand_names_the_nearest(self):
        for wrong, right in (("rum", "run"), ("urn", "run"), ("stauts", "status"), ("doktor", "doctor"), ("sta", "status"),
                             ("hodl", "hold"), ("tortrue", "torture")):
            self.assertIn(f"'{wrong}': is '{right}' meant?", self.mistake(wrong))

    def test_what_is_like_nothing_gets_no_suggestion(self):
        self.assertEqual(self.mistake("frobnicate"), "procref: unknown command 'frobnicate': see procref --help")
        self.assertNotIn("meant", self.mistake("doctor", "--frobnicate"))

    def test_an_unknown_option_before_the_subcommand(self):
        self.assertEqual(self.mistake("--json"), "procref: unknown option '--json': see procref --help")
        for wrong, right in (("--hepl", "help"), ("--vresion", "version"), ("--ver", "version"), ("--Help", "help")):
            self.assertEqual(self.mistake(wrong), f"procref: unknown option '{wrong}': is '--{right}' meant? See procref --help")

    def test_an_unknown_option_names_the_nearest_in_every_subcommand(self):
        for name in self.built():
            text = self.procref(name, "--help").stdout
            for option in re.findall(r"--([a-z-]{4,})", re.sub(r"(?s)See .*", "", text)):
                wrong = option[:-2] + option[-1] + option[-2]  # two letters swapped
                if wrong == option or f"--{wrong}" in text:
                    continue
                said = self.mistake(name, f"--{wrong}")
                self.assertRegex(said, rf"^procref {name}: unknown option '--{wrong}': is '--[a-z-]+' meant\? See")
                self.assertIn(f"'--{option}'", said)

    def test_an_unknown_letter_is_named(self):
        for name in self.built():
            self.assertEqual(self.mistake(name, "-Z"), f"procref {name}: unknown option '-Z': see procref {name} --help")
            self.assertEqual(self.mistake(name, "-Zh"), f"procref {name}: unknown option '-Z': see procref {name} --help")

    def takers(self):
        """(subcommand, option) of every option that takes a value."""
        for name in self.built():
            for option in re.findall(r"(--[a-z-]+) [A-Za-z|]*[A-Z]", self.procref(name, "--help").stdout.split("\n\n", 1)[1]):
                yield name, option

    def test_a_missing_value_is_told(self):
        pairs = list(self.takers())
        self.assertIn(("doctor", "--base-dir"), pairs)
        for name, option in pairs:
            self.assertEqual(self.mistake(name, option), f"procref {name}: {option} needs a value: see procref {name} --help")

    def test_a_value_for_a_flag_is_told(self):
        self.assertEqual(self.mistake("doctor", "--clean=yes"),
                         "procref doctor: --clean takes no value: see procref doctor --help")

    def test_a_time_or_number_that_is_none_is_told_with_an_example(self):
        for name, option in self.takers():
            text = self.procref(name, "--help").stdout
            kind = re.search(rf"{option} ([A-Z]+)", text)
            if kind is not None and kind[1] == "TIME":
                self.assertRegex(self.mistake(name, option, "soon"), rf"{option} is 'soon': use a time such as")
            elif kind is not None and kind[1] in ("N", "PID", "LINES"):
                self.assertRegex(self.mistake(name, option, "-3"), rf"{option} is '-3': use a (whole number|time)")
                self.assertRegex(self.mistake(name, option, "3x"), rf"{option} is '3x': use a (whole number|time)")
                self.assertRegex(self.mistake(name, option, "99999999999999999999999"), rf"{option} is '9+': ")

    def test_a_hundred_values_of_one_option_are_refused_in_one_line(self):
        words = [word for n in range(100) for word in ("--base-dir", f"/nonexistent{n}")]
        self.assertEqual(self.mistake("doctor", *words), "procref doctor: --base-dir is given too often")

    def test_a_value_that_is_given_twice_is_told(self):
        values = {"TIME": "1", "N": "1", "PID": "1", "LINES": "1"}
        for name, option in self.takers():
            text = self.procref(name, "--help").stdout
            value = values.get(re.search(rf"{option} (\S+)", text)[1], "x")
            if (name, option) not in (("doctor", "--base-dir"), *((name, "--ignore") for name in self.built())):
                self.assertEqual(self.mistake(name, option, value, f"{option}={value}"), f"procref {name}: {option} is given twice")
        self.assertEqual(self.mistake("check", "-f", "a.service", "-f", "b.service"), "procref check: --file is given twice")

    def test_a_folder_for_files_is_one_and_is_the_scope(self):
        for words, why in ((["--base-dir", ""], "--base-dir is empty"),
                           (["--base-dir", self.dir, "--scope", "user"], "--base-dir and --scope exclude each other")):
            result = self.procref("run", "x", *words, "--command", "sleep 1000", "--", "true")
            self.assertEqual((result.returncode, result.stderr), (100, f"procref run: {why}\n"))

    def test_a_port_is_one(self):
        for port in ("0", "65536", "99999", "-1", "x", "99999999999999999999"):
            self.assertIn(f"--port is '{port}': use a whole number from 1 to 65535", self.mistake("run", "redis", "--port", port, "--", "true"))

    def test_two_dashes_end_the_options_of_a_command_that_runs_none(self):
        self.write("-odd.service", "[Service]\nExecStart=sleep 1000\n")
        self.assertEqual(self.procref("check", "--", "-odd").returncode, 0)
        for name in ("status", "stop", "wait"):
            result = self.procref(name, "--", "-odd")
            self.assertNotEqual(result.returncode, 100, result.stderr)
        for name in ("status", "stop", "wait", "logs", "check"):
            self.assertIn("'more' is one too many", self.mistake(name, "db", "--", "more"))
        for name in ("ps", "doctor", "torture"):
            self.assertIn("more", self.mistake(name, "--", "more"))

    def test_an_abbreviated_option_is_the_option(self):
        self.assertEqual(self.procref("doctor", "--hel").returncode, 0)

    def test_an_abbreviation_of_several_options_names_them(self):
        for wrong, options in (("--st", "--start-timeout or --stop-timeout"), ("--st=5", "--start-timeout or --stop-timeout"),
                               ("--s", "--scope or --start-timeout or --stop-timeout or --share")):
            self.assertEqual(self.mistake("run", "x", wrong, "--", "true"),
                             f"procref run: option '{wrong}' may be {options}: see procref run --help")

    def test_messages_are_the_same_on_a_terminal(self):
        master, slave = pty.openpty()
        result = subprocess.run([PROCREF, "rum"], stdout=slave, stderr=slave, env=self.env, timeout=PATIENCE)
        os.close(slave)
        said = os.read(master, 4096).decode()
        os.close(master)
        self.assertEqual(result.returncode, 100)
        self.assertEqual(said.strip(), self.mistake("rum"))


if __name__ == "__main__":
    unittest.main()
