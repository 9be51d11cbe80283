# SPDX-License-Identifier: BSD-2-Clause
"""
The UEFI shell of a machine: typed at line by line (Shell), or given a list of commands for one
boot (Batch).
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .machine import ENTER, ESCAPE

COUNTDOWN = r"in \d seconds to skip"


def shown_path(path, shown):
    """
    A device path as the shell shows it, one of the paths in `shown`: in edk2-stable202502, unlike
    edk2-stable202211, without the offset and the length of a partition.
    """
    return path if path in shown else re.sub(r"(HD\([^,]+,[^,]+,[^,)]+),[^)]+\)", r"\1)", path)


class Shell:
    """Somebody at the keyboard."""

    PROMPT = r"(?:\A|\n)((?:Shell|[A-Za-z]+[0-9]+:[^\n>]*)> )\Z"

    def __init__(self, machine, startup=True):
        """`startup`: it looks for startup.nsh first, as one does that the firmware starts."""
        self.machine = machine
        if startup:
            machine.expect(COUNTDOWN)
            machine.send(ESCAPE)
        machine.expect(self.PROMPT)

    def type(self, line):
        """Types a line and Enter, and waits for nothing."""
        self.machine.send(line + ENTER)

    def prompt(self, timeout=None):
        """Waits for the prompt; returns the text before it."""
        self.machine.expect(self.PROMPT, timeout)
        return self.machine.console.before

    def has_ended(self):
        """Whether the command that was typed has ended: the prompt is there."""
        return re.search(self.PROMPT, self.machine.console.buffer)

    def wait_reached(self, gate):
        """
        Waits until the command that was typed is at `gate`. That it ends before is a failure at
        once, not a hang.
        """
        self.machine.wait_until(
            lambda: gate.reached() or self.has_ended(), lambda: "request at the gate"
        )
        if not gate.reached():
            raise self.machine.failure("the command has ended before it came to the gate")

    def stopped_at(self, gate):
        """Machine.stopped_at() for the command that was typed."""
        return self.machine.stopped_at(gate, self.has_ended)

    def run(self, line, timeout=None):
        """Runs a command and returns what it printed, without the line as it was typed."""
        self.type(line)
        return self._without_echo(line, self.prompt(timeout))

    @staticmethod
    def _without_echo(line, text):
        """Takes away the line as it was typed, which the shell breaks at the edge of the screen."""
        position = 0
        for character in line:
            while text[position : position + 1] == "\n":
                position += 1
            if text[position : position + 1] == character:
                position += 1
        return text[position:].lstrip("\n")

    def status(self):
        """The exit code of the last command."""
        return int(self.run("echo %lasterror%").strip(), 16)

    def power_off(self):
        self.type("reset -s")
        self.machine.wait_off()


@dataclass
class Step:
    """
    One command of a batch. out, err and status are there after the boot, where it was captured.
    """

    line: str
    captured: bool
    out: str = None
    err: str = None
    status: int = None


class Batch:
    """
    Commands for one boot. They become a startup.nsh on the volume `stick`, each with its output and
    errors redirected to files of their own there. The stick is the current directory at first. In
    the commands %stick% and the name of each of `volumes` stand for the volume's name, fs3: for
    example.
    """

    def __init__(self, stick, **volumes):
        self.stick = stick
        self.volumes = {"stick": stick, **volumes}
        self.steps = []

    def run(self, line):
        """Adds a command; its results are in the returned step after boot()."""
        self.steps.append(Step(line, True))
        return self.steps[-1]

    def do(self, line):
        """
        Adds a line that is left as it is: it changes the directory, say, or has a
        redirection of its own.
        """
        self.steps.append(Step(line, False))

    def _script(self):
        """The text of startup.nsh."""
        lines = ["@echo -off"]
        for name in self.volumes:
            for number in range(len(self.volumes) + 4):
                lines += [
                    f"if exist fs{number}:\\is-{name} then",
                    f"  set -v {name} fs{number}:",
                    "endif",
                ]
        lines += ["%stick%"]
        for number, step in enumerate(self.steps):
            file = f"%stick%\\batch\\{number:03}"
            if step.captured:
                lines += [
                    f"echo step {number:03}",
                    f"{step.line} > {file}.out 2> {file}.err",
                    f"echo %lasterror% >a {file}.rc",
                ]
            else:
                lines += [step.line]
        lines += ["echo end >a %stick%\\batch\\end", "reset -s"]
        return "".join(line + "\r\n" for line in lines)

    def prepare(self):
        """
        Writes startup.nsh, and a file to each volume by which it is found. boot() does it,
        where nobody did before.
        """
        if "startup.nsh" in self.stick.names():
            return
        for name, volume in self.volumes.items():
            volume.put(b"", f"/is-{name}")
        self.stick.mkdir("/batch")
        self.stick.put(self._script().encode("utf-16"), "/startup.nsh")

    def boot(self, machine):
        """
        Boots `machine`, which has not been entered yet, runs everything, and fills in the results.
        """
        self.prepare()
        with machine:
            machine.expect(COUNTDOWN)
            machine.send(ENTER)
            machine.wait_off()
            self._collect(machine)

    def _collect(self, machine):
        with tempfile.TemporaryDirectory(dir=machine.directory) as directory:
            results = self.stick.copy_out("/batch", Path(directory) / "results")
            if not (results / "end").exists():
                raise machine.failure("the script did not reach its end")
            for number, step in enumerate(self.steps):
                if step.captured:
                    step.out = self._text(results / f"{number:03}.out")
                    step.err = self._text(results / f"{number:03}.err")
                    step.status = int((results / f"{number:03}.rc").read_text().strip(), 16)

    @staticmethod
    def _text(path):
        """A redirected file; the shell makes none where nothing was printed."""
        return path.read_bytes().decode("utf-16").replace("\r\n", "\n") if path.exists() else ""
