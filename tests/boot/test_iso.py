# SPDX-License-Identifier: BSD-2-Clause
"""
The CD of scripts/make-iso: firmware starts it from an optical drive, as a BMC shows virtual media,
and from a stick that it was written to.
"""

import shutil

import pytest

from conftest import ROOT, STICK
from rig import disks
from rig.machine import Drive, Machine


@pytest.fixture(scope="module")
def iso(place, program):
    image = place / "cd.iso"
    disks.run(ROOT / "scripts" / "make-iso", program, image, *STICK)
    return image


def list_from(place, drive):
    """The list of disks that the menu of a machine with this one drive shows."""
    with Machine(place / "machine", [drive]) as machine:
        machine.see("Choose an action")
        machine.send("5")
        machine.see("List the disks")
        machine.send("5")
        return machine.see("Press Enter to continue")


def test_as_a_cd(place, iso):
    screen = list_from(place, Drive("cdrom", iso, read_only=True))
    for words in ("QEMU DVD-ROM", 'ISO 9660 "EFI-IMG"', "started from here", "write-protected"):
        assert words in screen, screen


def test_as_a_stick(place, iso):
    """Where it can also keep a log."""
    stick = shutil.copyfile(iso, place / "stick.img")
    screen = list_from(place, Drive("usb", stick, "stick"))
    for words in ("serial=stick, GPT", 'FAT16 "EFI-IMG"', "started from here", "Log: fs0:"):
        assert words in screen, screen
