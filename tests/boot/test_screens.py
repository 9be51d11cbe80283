# SPDX-License-Identifier: BSD-2-Clause
"""
The graphics screen, in three modes: what the menu shows there is what a serial terminal shows, on
all of its 80 columns and 24 rows, and nothing is beside that. And a script beside a screen, which
has a page of its own there, while the serial line gets the same lines as without a screen.
"""

import random
import re

import pytest

from conftest import ROOT
from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.gate import Gate
from rig.machine import ENTER, ESCAPE, Drive, Machine
from rig.person import START, Person
from rig.picture import Glyphs, Picture

MODES = [(800, 600), (1280, 800), (1920, 1200)]
OWN_MODES = [(80, 25), (100, 31), (160, 42)]  # of OVMF's console at 1280x800, where no menu runs
SIZE = 16 * MIB
JOB = """#efi-img job 1
on-success wait
capture --no-compress serial=SOURCE job.qcow2
check job.qcow2
"""


def screen_of(width, height):
    return ("-device", f"VGA,xres={width},yres={height}")


def make_stick(place, program):
    stick = place / "stick.img"
    disks.run(ROOT / "scripts" / "make-usb", program, stick)
    return Volume(stick, MIB, 126 * MIB)


def make_source(place):
    source = disks.make_disk(place / "source.img", SIZE)
    disks.write_gpt(source, [Partition(MIB, 4 * MIB, disks.LINUX, "root")])
    with open(source, "r+b") as file:
        file.seek(2 * MIB)
        file.write(random.Random(1).randbytes(MIB))
    return source


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


@pytest.fixture(scope="module")
def glyphs():
    """Those that the test of each mode has learned."""
    return {}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode[0]}x{mode[1]}")
def test_the_menu_fits_the_screen(place, program, glyphs, mode):
    make_stick(place, program)
    drives = [
        Drive("usb", place / "stick.img", "THE-STICK"),
        Drive("nvme", make_source(place), "SOURCE"),
        Drive("ahci", disks.make_disk(place / "blank.img", SIZE), "BLANK-5678"),
    ]
    with Machine(place / "machine", drives, more=screen_of(*mode)) as machine:
        person, screen = Person(machine), Screen(machine)
        machine.see(START)
        screen.look()
        person.press("?", "Press any key to go back")
        screen.look()
        person.press("x", START)
        person.press("1", "Choose the disk to read")
        screen.look()
        person.choose("SOURCE", "Change a setting")
        screen.look()
        person.press(ENTER, "Where should the new image be")
        screen.look()
        person.choose("EFI-IMG", "Choose a directory")
        person.press("1", "SOURCE.qcow2")
        person.press(ENTER, "to start")
        screen.look()
        person.press("y" + ENTER, "Press Enter to continue")
        screen.look()
        person.press(ENTER, START)
        person.press("6", "Choose a task")
        person.press("1", "Press Enter to continue")  # lines of 79 columns
        screen.look()
        assert screen.size == mode
    glyphs[mode] = screen.glyphs


def test_a_script_has_a_page_beside_its_lines(place, program, glyphs):
    known = glyphs[MODES[1]]
    stick = make_stick(place, program)
    stick.mkdir("/efi-img")
    stick.put(JOB.encode(), "/efi-img/job.txt")
    gate = Gate()
    drives = [
        Drive("usb", stick.image, "THE-STICK"),
        Drive("nvme", make_source(place), "SOURCE", gate=gate),
    ]
    text = []

    def shows(wanted, modes=((80, 25),)):
        text[:] = [known.read(Picture(machine, *mode)) for mode in modes]
        return any(all(re.search(words, one) for words in wanted) for one in text)

    with Machine(place / "machine", drives, more=screen_of(*MODES[1])) as machine:
        machine.expect("begins in 1 second")
        gate.crawl(6 * MIB)
        page = (
            r"^ \S*job\.txt: capture --no-compress serial=SOURCE job\.qcow2",
            r"\n\| Copying +\S{50} ",  # not all of its glyphs are known
            r"of 16 MiB",
            r"Ctrl-C stops it\.",
            r"o switch off when it is done",
        )
        with machine.stopped_at(gate):
            assert shows(page), text[0]
        machine.expect("Press Enter to continue")
        done = (r"\n> capture ", "verified, identical", "The script is done", "Press Enter")
        machine.wait_until(lambda: shows(done, OWN_MODES), lambda: f"text on the screen:\n{text}")
        machine.send(ENTER)
    lines = (machine.directory / "screen.txt").read_text(encoding="utf-8")
    for words in (
        "The log is ",
        "> capture --no-compress serial=SOURCE job.qcow2",
        "/100%) copying ",
        "/100%) verifying ",
        "efi-img: serial=SOURCE: 0 writes to the source",
        "> check job.qcow2",
        "The script is done.",
    ):
        assert words in lines, words
    for words in ("switch off when", "Ctrl-C stops", "+---", "to do  ."):
        assert words not in lines, words
