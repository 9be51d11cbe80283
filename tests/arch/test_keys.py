# SPDX-License-Identifier: BSD-2-Clause
r"""
A person at the serial line of each board. The firmware starts the menu from the stick; a disk is
captured, and an image restored to another disk and verified. Then, in the UEFI shell, to which the
menu leads, Ctrl-C stops a capture in its middle, and --resume completes it. On U-Boot the menu
refuses to capture, and there is no shell: Ctrl-C stops a restore there, which is begun again.
"""

import re
from types import SimpleNamespace

import oracle
import pytest
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.gate import Gate
from rig.machine import CTRL_C, ENTER, ESCAPE, Drive, Machine
from rig.person import RESULT, START, Person
from rig.shell import Shell
from shared import CUTS, SIZE, make_source, sha256

STICK = "(?:EFI-IMG|fs0:)"  # U-Boot has no names of volumes
STOPPED = 15
MIDDLE = 2 * MIB  # read or written, when Ctrl-C is pressed
VERIFIED = "verified, identical to"
CAPTURE = "efi-img capture serial=SOURCE stopped.qcow2"


def words_of(screen):
    """The text of a page, whose lines are broken between words."""
    return " ".join(screen.replace("|", " ").split())


def check_captured(keys, place, name):
    image = keys.stick.copy_out(f"/{name}", place / name)
    oracle.check_image(image, "qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", keys.source, image)


def capture(person, disk):
    """As far as its end, or to the page that refuses it."""
    person.choose("Capture a disk", "Choose the disk to read")
    person.choose(disk, "Change a setting")
    person.press(ENTER, "Where should the new image be")
    person.choose(STICK, "Choose a directory")
    person.press("1", r"\.qcow2")
    person.press(ENTER, "to start")
    person.result("y" + ENTER, "capture")


def restore(person, image, disk, gate=None):
    """To its end or, with a gate of the disk, to its middle, where Ctrl-C stops it."""
    person.choose("Restore an image", "Choose a volume")
    person.choose(STICK, "Choose an image")
    person.choose(image, "Choose the disk to overwrite", "targets")
    person.choose(disk, "Change a setting")
    page = person.press(ENTER, "last 4 characters|Type DISK", "erase")
    word = (re.search(r"Type (DISK\d+)", page) or re.search(r"--erase=\S*(\S{4})", page))[1]
    if gate:
        gate.crawl(MIDDLE)
        person.machine.send(word + ENTER)
        person.machine.wait_reached(gate)
        person.press(CTRL_C, r"Stop\? y = yes")
        person.press("y", RESULT, "stopped")
        gate.release()
        person.press(ENTER, START)
    else:
        person.result(word + ENTER, "restore")


def stop_and_resume(machine, gate):
    """In the shell: Ctrl-C in the middle of a capture, --resume, and the end of the machine."""
    shell = Shell(machine, startup=False)
    shell.run("fs0:")
    gate.crawl(MIDDLE)
    shell.type(CAPTURE)
    shell.wait_reached(gate)
    machine.send(CTRL_C)
    stopped = shell.prompt(), shell.status()
    gate.release()
    resumed = shell.run(CAPTURE + " --resume"), shell.status()
    shell.power_off()
    return stopped, resumed


@pytest.fixture(scope="module")
def keys(board, place, program):
    """All keys were pressed: the pages that were seen, and the disks."""
    image = place / "keys.img"
    more = [board.shell] if board.shell else []
    disks.run(ROOT / "scripts" / "make-usb", program, image, *more)
    stick = Volume(image, MIB, image.stat().st_size - 2 * MIB)
    source, target = place / "keys-source.img", place / "keys-target.img"
    make_source(source)
    disks.make_disk(target, SIZE)
    qcow2 = place / "given.qcow2"
    oracle.qemu_img("convert", "-f", "raw", "-O", "qcow2", "-c", source, qcow2)
    stick.put(qcow2, "/given.qcow2")
    gate = Gate()
    drives = [
        Drive(board.bus, image, "STICK", first=not board.is_u_boot),
        Drive(board.bus, source, "SOURCE", gate=None if board.is_u_boot else gate),
        Drive(board.bus, target, "TARGET", gate=gate if board.is_u_boot else None),
    ]
    made = SimpleNamespace(stick=stick, source=source, target=target, before=sha256(source))
    with Machine(place / "keys", drives, board=board) as machine:
        person = Person(machine)
        person.seen["start"] = machine.see(START)
        capture(person, "blk2: " if board.is_u_boot else "SOURCE")
        disk = "blk4: " if board.is_u_boot else "TARGET"  # it knows no serial numbers
        if board.is_u_boot:
            restore(person, "given.qcow2", disk, gate)
        restore(person, "given.qcow2", disk)
        if not board.is_u_boot:
            person.choose("Tools", "Choose a task")
            person.choose("UEFI shell", "UEFI shell\\? y = yes")
            machine.send("y")
            made.stopped, made.resumed = stop_and_resume(machine, gate)
    made.seen = person.seen
    return made


def test_the_start(keys):
    for words in ("Capture a disk", "Restore an image", "Clone a disk"):
        assert words in keys.seen["start"]


def test_capture_by_the_menu(board, place, keys):
    if board.is_u_boot:
        assert "Done" not in keys.seen["capture"]
        assert CUTS in words_of(keys.seen["capture"]), keys.seen["capture"]
        assert [name for name in keys.stick.names() if name.endswith(".qcow2")] == ["given.qcow2"]
        return
    assert "Done" in keys.seen["capture"] and VERIFIED in words_of(keys.seen["capture"])
    check_captured(keys, place, "SOURCE.qcow2")


def test_restore_by_the_menu(keys):
    assert "ALL DATA on" in keys.seen["erase"]
    assert "Done" in keys.seen["restore"] and VERIFIED in words_of(keys.seen["restore"])
    assert sha256(keys.target) == keys.before


def test_ctrl_c(board, place, keys):
    """On U-Boot in the menu, and no checkpoint can be written. Elsewhere --resume continues."""
    if board.is_u_boot:
        assert "Stopped" in keys.seen["stopped"], keys.seen["stopped"]
        return
    (text, status), (later, last) = keys.stopped, keys.resumed
    assert status == STOPPED and "--resume" in text, text
    assert last == 0, later
    check_captured(keys, place, "stopped.qcow2")


def test_the_source_was_not_written(keys):
    assert sha256(keys.source) == keys.before
