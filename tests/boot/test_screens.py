# SPDX-License-Identifier: BSD-2-Clause
"""
The graphics screen, in three modes: what the menu shows there is what a serial terminal shows, on
all of its 80 columns and 24 rows, and nothing is beside that. And a script beside a screen: one
that was left for the machine has a page of its own there, while the serial line gets the same lines
as without a screen; one that is started at the shell prints these lines there, too.
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
from rig.picture import Picture, Screen
from rig.shell import Shell

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


def test_a_script_from_the_shell_prints_lines(place, program, glyphs):
    known = glyphs[MODES[1]]
    stick = make_stick(place, program)
    stick.remove("/EFI/BOOT/BOOTX64.EFI")  # or the shell would not come
    stick.put(JOB.encode(), "/job.txt")
    stick.put(b"#efi-img job 1\nhash serial=SOURCE\non-success shell\n", "/hash.txt")
    gate = Gate()
    drives = [
        Drive("usb", stick.image, "THE-STICK"),
        Drive("nvme", make_source(place), "SOURCE", gate=gate),
    ]
    with Machine(place / "machine", drives, more=screen_of(*MODES[1])) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        gate.crawl(6 * MIB)
        shell.type("efi-img run job.txt")
        with machine.stopped_at(gate, shell.has_ended):
            text = [known.read(Picture(machine, *mode)) for mode in OWN_MODES]
        assert any("> capture --no-compress serial=SOURCE" in one for one in text), text
        assert not any("switch off when" in one or "to do" in one for one in text), text
        machine.expect("Press Enter to continue")
        machine.send(ENTER)
        shell.prompt()
        shell.run("efi-img run hash.txt > lines.txt")
        shell.power_off()
    lines = stick.get("/lines.txt").decode("utf-16")
    assert "> hash serial=SOURCE" in lines and "The script is done." in lines, lines
