# SPDX-License-Identifier: BSD-2-Clause
"""The screen of a serial terminal, as far as the firmware's terminal driver uses it."""

import re
import textwrap

# Frames and marks of the menu on a VT-UTF8 terminal, as which some firmware sees a serial line, and
# in ASCII (core/platform/drawing.c). A test sees the latter on each.
DRAWING = str.maketrans("─│┌┐└┘╬█░►", "-|+++++#->")


class Terminal:
    """
    What stands on it, row by row; larger than any that the firmware takes it for. Keeps an
    escape sequence that has only half arrived.
    """

    ESCAPE = re.compile(r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])")
    UNFINISHED = re.compile(r"(?:\x1b\[?|\x9b)[0-?]*[ -/]*\Z")

    def __init__(self, columns=160, rows=64):
        self.columns, self.rows = columns, rows
        self.held = ""
        self.background = "40"  # black, as SGR has it
        self._clear()

    def _clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.backgrounds = [[self.background] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def text(self):
        """
        Its lines, without the blanks at their ends, at the left of all, and empty lines at the end.
        """
        return textwrap.dedent("\n".join("".join(row).rstrip() for row in self.cells)).rstrip("\n")

    def feed(self, text):
        text = self.held + text
        unfinished = self.UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        text, self.held = text[:end], text[end:]
        position = 0
        for escape in self.ESCAPE.finditer(text):
            self._print(text[position : escape.start()])
            self._escape(escape[1], escape[2])
            position = escape.end()
        self._print(text[position:])

    def _escape(self, parameters, kind):
        numbers = [int(number) if number.isdigit() else 0 for number in parameters.split(";")] + [
            0,
            0,
        ]
        if kind == "H":
            self.row = min(max(numbers[0], 1), self.rows) - 1
            self.column = min(max(numbers[1], 1), self.columns) - 1
        elif kind == "J":
            self._clear()
        elif kind == "C":
            self.column = min(self.column + max(numbers[0], 1), self.columns - 1)
        elif kind == "D":
            self.column = max(self.column - max(numbers[0], 1), 0)
        elif kind == "m" and 40 <= numbers[0] <= 47:
            self.background = parameters

    def _print(self, text):
        for character in text:
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self._line_feed()
            elif character == "\b":
                self.column = max(self.column - 1, 0)
            elif character >= " ":
                if self.column == self.columns:
                    self.column = 0
                    self._line_feed()
                self.cells[self.row][self.column] = character.translate(DRAWING)
                self.backgrounds[self.row][self.column] = self.background
                self.column += 1

    def _line_feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.cells = self.cells[1:] + [[" "] * self.columns]
            self.backgrounds = self.backgrounds[1:] + [[self.background] * self.columns]
