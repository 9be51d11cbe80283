# SPDX-License-Identifier: BSD-2-Clause
"""
The CD of scripts/make-iso: firmware starts it from an optical drive, as a BMC shows virtual media,
and from a stick that it was written to.
"""

import re
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


def list_from(place, drive, more=()):
    """The list of disks that the menu of a machine with this one drive shows."""
    with Machine(place / "machine", [drive], more=more) as machine:
        machine.see("Choose an action")
        machine.send("6")
        machine.see("List the disks")
        machine.send("1")
        return machine.see("Press Enter to continue")


@pytest.mark.parametrize("bus, model", [("cdrom", "QEMU DVD-ROM"), ("usb-cdrom", "QEMU CD-ROM")])
def test_as_a_cd(place, iso, bus, model):
    """
    Nothing is written to it, though the firmware reports a medium on USB as one that can be: it
    then waits 7 minutes for a drive that has refused to write.
    """
    trace = place / f"{bus}.trace"
    more = ["-d", "trace:scsi_req_parsed,trace:ide_atapi_cmd", "-D", trace]
    screen = list_from(place, Drive(bus, iso, read_only=True), more)
    for words in (model, 'ISO 9660 "EFI-IMG"', "started from here", "write-protected"):
        assert words in screen, screen
    commands = set(re.findall(r"(?:command|cmd:) (?:0x)?(\w+)", trace.read_text()))
    assert commands and not commands & {"42", "2a"}, commands


def test_as_a_stick(place, iso):
    """Where it can also keep a log."""
    stick = shutil.copyfile(iso, place / "stick.img")
    screen = list_from(place, Drive("usb", stick, "stick"))
    for words in ("serial=stick, GPT", 'FAT16 "EFI-IMG"', "started from here", "log fs0:"):
        assert words in screen, screen
