# SPDX-License-Identifier: BSD-2-Clause
"""
What stands on a graphics screen of EDK2: pictures as QEMU's screendump makes them, cell by cell.

The glyphs are not known beforehand. They are learned from screens of which a serial terminal shows
the same text: a bitmap that stands for two characters there means that the two screens differ.
"""

from pathlib import Path

COLUMNS, ROWS, WIDTH, HEIGHT = 80, 25, 8, 19  # of the firmware's mode 0, and of its glyphs
LARGE_ROWS = (
    24  # as efi-img has it, where it draws the characters larger (drivers/uefi/large_text.c)
)


class Picture:
    def __init__(self, machine, columns=COLUMNS, rows=ROWS):
        """Takes a picture of the machine's screen, whose text mode has so many columns and rows."""
        file = machine.directory / "screen.ppm"
        machine.qmp("screendump", filename=str(file))
        kind, size, most, self.pixels = Path(file).read_bytes().split(b"\n", 3)
        assert (kind, most) == (b"P6", b"255")
        self.width, self.height = map(int, size.split())
        self.columns, self.rows, self.scale = columns, rows, 1
        large = min(self.width // (columns * WIDTH), self.height // (LARGE_ROWS * HEIGHT))
        if rows == ROWS and large > 1:
            self.rows, self.scale = LARGE_ROWS, large
        self.glyphs = {}  # by their pixels
        self.left = (self.width - columns * WIDTH * self.scale) // 2
        self.top = (self.height - self.rows * HEIGHT * self.scale) // 2

    def _line(self, y, left, right):
        return self.pixels[3 * (y * self.width + left) : 3 * (y * self.width + right)]

    def is_black_outside(self):
        """Nothing stands beside the text."""
        right = self.left + self.columns * WIDTH * self.scale
        bottom = self.top + self.rows * HEIGHT * self.scale
        return not any(
            any(self._line(y, 0, self.width))
            if y < self.top or y >= bottom
            else any(self._line(y, 0, self.left)) or any(self._line(y, right, self.width))
            for y in range(self.height)
        )

    def glyph(self, row, column):
        """What tells one character from others, whatever its colours."""
        left = self.left + column * WIDTH * self.scale
        top = self.top + row * HEIGHT * self.scale
        lines = b"".join(
            self._line(y, left, left + WIDTH * self.scale)
            for y in range(top, top + HEIGHT * self.scale, self.scale)
        )
        if lines not in self.glyphs:
            self.glyphs[lines] = self._shape(lines)
        return self.glyphs[lines]

    def _shape(self, lines):
        dots = [lines[at : at + 3] for at in range(0, len(lines), 3 * self.scale)]
        if len(set(dots)) == 1:  # a blank, or a block in one of the bright colours
            return "full" if 255 in dots[0] else "blank"
        return tuple(dot == dots[0] for dot in dots)


class Glyphs:
    """The characters that are known by now."""

    def __init__(self):
        self.known = {"blank": " ", "full": "#"}

    def differences(self, picture, cells):
        """
        Where the picture has another character than `cells`, the rows of a serial terminal. Learns
        the glyphs that it has not seen.
        """
        wrong = []
        for row in range(LARGE_ROWS):
            for column in range(COLUMNS - 1):
                wanted = cells[row][column]
                found = self.known.setdefault(picture.glyph(row, column), wanted)
                if found != wanted:
                    wrong.append((row, column, found, wanted))
        return wrong

    def read(self, picture):
        """The text of a picture; "?" is a character that is not known."""
        return "\n".join(
            "".join(
                self.known.get(picture.glyph(row, column), "?") for column in range(picture.columns)
            )
            for row in range(picture.rows)
        )


class Screen:
    """A machine's screen and its serial terminal, which show the same."""

    def __init__(self, machine):
        self.machine = machine
        self.glyphs = Glyphs()
        self.size = None

    def look(self):
        """Waits until both show the same: the picture is taken while one of them is drawn."""
        seen = []

        def is_same():
            picture = Picture(self.machine)
            self.size = (picture.width, picture.height)
            glyphs = Glyphs()
            glyphs.known = dict(self.glyphs.known)
            seen[:] = glyphs.differences(picture, self.machine.console.terminal.cells)
            if not seen and picture.is_black_outside():
                self.glyphs = glyphs
                return True
            return False

        self.machine.wait_until(is_same, lambda: f"the same on both screens: {seen[:10]}")
        cells = self.machine.console.terminal.cells
        assert not any("".join(row[79:]).strip() for row in cells)
        assert not any("".join(row).strip() for row in cells[24:])
