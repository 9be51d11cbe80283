# SPDX-License-Identifier: BSD-2-Clause
"""
Somebody who works the setup of EDK2 by keys, at the serial terminal of a machine: forms, lists and
its file explorer. Only colours show which line is chosen, so they are looked at after each key.
"""

import re

from .machine import DOWN, ENTER, ESCAPE

BODY = range(4, 20)  # the rows of a list, between the title and the lines that explain the keys
HELP = 56  # the column where the help for a line begins, or before it
PAGE, CHOSEN = "47", "40"  # backgrounds: grey, and black
CHANGED = "Configuration changed"
SECURE_BOOT = "Attempt Secure Boot"


class FirmwareSetup:
    """
    Of a machine on which the first page of the setup is seen. `look` is called with a word for each
    page that a picture is worth.
    """

    def __init__(self, machine, look=lambda word: None):
        self.machine = machine
        self.look = look
        machine.see("Boot Maintenance Manager")

    def _chosen(self):
        """The row and the text of the line that is chosen; None while the page is drawn."""
        terminal = self.machine.console.terminal
        for row in BODY:
            backgrounds = terminal.backgrounds[row]
            if backgrounds[0] == PAGE and CHOSEN in backgrounds[:HELP]:
                return row, "".join(terminal.cells[row][:HELP]).strip().removeprefix("> ")
        return None

    def _wait_chosen(self, before=None):
        self.machine.wait_until(
            lambda: self._chosen() not in (None, before),
            lambda: f"other line that is chosen:\n{self.machine.screen()}",
        )
        return self._chosen()

    def _show(self, word):
        """Lets the page be looked at when all of it is drawn; the help is the last."""
        terminal = self.machine.console.terminal
        self.machine.wait_until(
            lambda: any("".join(terminal.cells[row][HELP:]).strip() for row in BODY[:2])
            and not re.search(f"{CHANGED}|take effect", self.machine.screen()),
            lambda: f"help:\n{self.machine.screen()}",
        )
        self.look(word)

    def choose(self, words, until):
        """
        Goes down to the line that begins with `words`, presses Enter there, and waits for a page
        with `until`, a regular expression.
        """
        line, passed = self._wait_chosen(), []
        while not line[1].startswith(words):
            if line in passed:
                raise self.machine.failure(f"no line of {passed} begins with {words!r}")
            passed.append(line)
            self.machine.send(DOWN)
            line = self._wait_chosen(before=line)
        self.machine.send(ENTER)
        self.machine.see(until)

    def leave(self, until):
        """Leaves the page for the one that it was reached from."""
        self.machine.send(ESCAPE)
        self.machine.see(until)

    def open_secure_boot(self):
        self.choose("Device Manager", "Secure Boot Configuration")
        self.choose("Secure Boot Configuration", SECURE_BOOT)

    def enrol(self, volume, folder):
        """
        From the page of Secure Boot: enrols the certificates db, KEK and PK of a folder in the
        root of a volume. With PK, the last, Secure Boot is on.
        """
        self.choose("Secure Boot Mode", "Custom Mode")
        self.machine.send(DOWN + ENTER)
        self.machine.see("Custom Secure Boot Options")
        self.choose("Custom Secure Boot Options", "DBX Options")
        for name, form in (("db", "Enroll Signature"), ("KEK", "Enroll KEK"), ("PK", "Enroll PK")):
            self.choose(f"{name.upper()} Options", form)
            self.choose(form, "[Uu]sing File")
            self.choose(form, volume)
            self.choose(volume, f"<{folder}>")
            self.choose(f"<{folder}>", rf"{name}\.cer")
            self.choose(f"{name}.cer", "Commit Changes and Exit")
            self.machine.see(rf"^ +{name}\.cer")
            self._show(name)
            self.choose("Commit Changes and Exit", "DBX Options")
        self.leave(rf"{SECURE_BOOT} +\[X\]")

    def switch_off(self):
        """From the page of Secure Boot."""
        self.choose(SECURE_BOOT, CHANGED)
        self.machine.send(ENTER)
        self.machine.see(rf"{SECURE_BOOT} +\[ \]")
        self._show("off")

    def reset(self, until):
        """From the page of Secure Boot: leaves the setup, and restarts the machine."""
        self.leave("Secure Boot Configuration")
        self.leave("Boot Maintenance Manager")
        self.choose("Reset", until)
