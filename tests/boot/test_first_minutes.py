# SPDX-License-Identifier: BSD-2-Clause
"""
The first ten minutes of somebody who has a stick, a machine with two disks, its keyboard and its
screen: from `make usb`, as README.md has it, to a disk that was captured, restored and verified.
Each page on the screen is what the serial terminal has, from which the test reads it; no key comes
from there.
"""

import os
import random
import re
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.keyboard import Keyboard
from rig.machine import DOWN, ENTER, Drive, Machine
from rig.person import START, Person
from rig.picture import Screen
from rig.readme import write_stick

STICK_MIB, IMAGES_AT, SIZE = 512, 128 * MIB, 32 * MIB


def make_source(place):
    """A disk with a FAT volume, of which most is free, and a partition with unknown contents."""
    source = disks.make_disk(place / "source.img", SIZE)
    disks.write_gpt(
        source,
        [
            Partition(MIB, 16 * MIB, disks.EFI_SYSTEM, "ESP"),
            Partition(17 * MIB, 8 * MIB, disks.LINUX, "root"),
        ],
    )
    volume = Volume(source, MIB, 16 * MIB).format(16, cluster=2048, label="ESP")
    volume.put(random.Random(1).randbytes(MIB), "/KERNEL")
    with open(source, "r+b") as file:
        file.seek(18 * MIB)
        file.write(random.Random(2).randbytes(MIB))
    return source


def make_volume(person, machine):
    """The first page offers the rest of the stick for images; then the machine is restarted."""
    machine.see(r"Use the rest of this stick for images\?")
    machine.see("to start")
    person.result("y" + ENTER, "volume")
    person.press("6", "Choose a task")
    person.press("8", r"Restart the machine\? y = yes")
    person.keyboard.send("y")
    machine.expect("BdsDxe: starting")
    machine.see(START)


def capture(person):
    person.press(ENTER, "Choose the disk to read")  # the first entry is marked
    person.press(DOWN, "> +2  ")
    person.choose("SOURCE", "Change a setting")
    person.press(ENTER, "Where should the new image be", "volumes")
    person.choose("IMAGES", "Choose a directory")
    person.press(ENTER, "What should the new file be called")
    person.press("pc.qcow2" + ENTER, "to start", "capture plan")
    person.result("y" + ENTER, "captured")


def restore(person):
    person.press("2", "Choose a volume")
    person.choose("IMAGES", "Choose an image")
    person.choose(r"pc\.qcow2", "Choose the disk to overwrite")
    person.choose("BLANK-5678", "Change a setting")
    person.press(ENTER, "last 4 characters", "restore plan")
    person.result("5678" + ENTER, "restored")


@pytest.fixture(scope="module")
def done(place):
    stick, source = disks.make_disk(place / "stick.img", STICK_MIB * MIB), make_source(place)
    before = source.read_bytes()
    write_stick(stick, place)
    os.truncate(stick, STICK_MIB * MIB)  # what was written is smaller than the stick
    blank = disks.make_disk(place / "blank.img", SIZE)
    drives = [
        Drive("usb", stick, "THE-STICK"),
        Drive("nvme", source, "SOURCE"),
        Drive("ahci", blank, "BLANK-5678"),
    ]
    screen = ("-device", "VGA,xres=1280,yres=800")
    with Machine(place / "machine", drives, more=screen, reboots=True) as machine:
        person = Person(machine, Keyboard(machine), Screen(machine).look)
        make_volume(person, machine)
        capture(person)
        restore(person)
        person.press("6", "Choose a task")
        person.press("9", r"Switch the machine off\? y = yes")
        person.keyboard.send("y")
        machine.wait_off()
    images = Volume(stick, IMAGES_AT, (STICK_MIB - 1) * MIB - IMAGES_AT)
    return SimpleNamespace(
        seen=person.seen, images=images, before=before, source=source, blank=blank
    )


def test_each_step_says_that_it_is_done(done):
    assert "Exit code 0" in done.seen["volume"], done.seen["volume"]
    assert 'IMAGES' in done.seen["volumes"], done.seen["volumes"]
    for page in ("captured", "restored"):
        assert "Done and verified" in done.seen[page], done.seen[page]
        assert re.search(r"verified, identical\s", done.seen[page]), done.seen[page]
    assert "WILL BE LOST" in done.seen["restore plan"], done.seen["restore plan"]


def test_the_source_was_only_read(done):
    assert done.source.read_bytes() == done.before


def test_the_image_is_sound(done, place):
    assert done.images.fsck() == ""
    oracle.check_image(done.images.copy_out("/pc.qcow2", place / "pc.qcow2"), "qcow2")


def test_the_disk_holds_what_was_captured(done):
    """Nothing is free in the second partition: all of it is the same. So are the files."""
    made = done.blank.read_bytes()
    assert made[:MIB] == done.before[:MIB] and made[17 * MIB :] == done.before[17 * MIB :]
    volume = Volume(done.blank, MIB, 16 * MIB)
    assert volume.fsck() == "" and volume.get("/KERNEL") == random.Random(1).randbytes(MIB)
