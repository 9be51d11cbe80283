# SPDX-License-Identifier: BSD-2-Clause
"""
Somebody who works the menu of efi-img by keys, at the serial terminal of a machine or at its
keyboard and screen, and looks at each page before the next key.
"""

import re

from .machine import ENTER

START = "Choose an action"
RESULT = "Press Enter to continue"
BORDER = r"^\+-{70,}\+$"
SHOWN = r"^ n, Up/Down lines 1-(\d+) of (\d+)"  # of a text longer than the screen


def number_of(screen, words):
    """
    The number that a list has for the entry that `words`, a regular expression, are in: in its
    first line, or else below that.
    """
    row = re.search(rf"^\|[ >]+(\d+)  .*{words}", screen, re.MULTILINE)
    below = rf"^\|[ >]+(\d+)  .*\n(?:\|     .*\n)*?\|     .*{words}"
    row = row or re.search(below, screen, re.MULTILINE)
    assert row, f"no entry of a list has {words!r}:\n{screen}"
    return row[1]


class Person:
    """
    Presses keys, and keeps the pages that have a name in `seen`. `keyboard`: what they are sent to,
    if it is not the serial line; `look`: called at each page.
    """

    def __init__(self, machine, keyboard=None, look=None):
        self.machine = machine
        self.keyboard = keyboard or machine
        self.look = look
        self.seen = {}

    def press(self, keys, until, name=None):
        """
        Presses keys and waits for the page with `until`: all of it, as far as its lower border.
        """
        before = self.machine.screen()
        if re.search(until, before, re.MULTILINE):
            raise self.machine.failure(f"{until} is there already:\n{before}")
        self.keyboard.send(keys)
        screen = self.machine.see(until)
        if "\n+- " in screen:
            screen = self.machine.see(BORDER)
        if self.look:
            self.look()
        if name:
            self.seen[name] = screen
        return screen

    def _read(self, screen):
        """
        All of a result, of which the screen may show the beginning: goes through it, page by page.
        """
        text = screen
        shown = re.search(SHOWN, screen, re.MULTILINE)
        if shown:
            lines, end = int(shown[1]), int(shown[2])
            for last in [*range(2 * lines, end, lines), end]:
                self.machine.send("n")
                text += "\n" + self.machine.see(f"^ n, Up/Down lines {last - lines + 1}-{last} of")
        return text

    def choose(self, what, until, name=None):
        """
        Chooses the entry of a list that has `what`. A number of one digit needs no Enter, unless
        there are more than nine entries.
        """
        screen = self.machine.screen()
        many = re.search(r"^\|[ >]+10  ", screen, re.MULTILINE)
        return self.press(number_of(screen, what) + (ENTER if many else ""), until, name)

    def result(self, keys, name, until=START):
        """Starts what runs, waits for its end, and continues to the page that follows."""
        self.seen[name] = self._read(self.press(keys, RESULT))
        self.press(ENTER, until)

    def choose_image(self, *path, until):
        """Chooses a volume, and then directories and a file, each by its entry in a list."""
        for what, then in zip(path, [*path[1:], until]):
            self.choose(what, then)
