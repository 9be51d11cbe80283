# SPDX-License-Identifier: BSD-2-Clause
"""
When a disk has been restored, its own cache has been told to go to the medium: QEMU counts the
flushes that reach a drive.
"""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB
from rig.machine import Drive, Machine
from rig.shell import Shell

# QEMU does not count those of NVMe, whose driver does flush.
BUSES = {"SATA": "ahci", "SCSI": "virtio-scsi", "VIRTIO": "virtio-blk", "USB": "usb"}


ROOT = Path(__file__).resolve().parent.parent.parent

# The ways in which refusing.c has a SCSI drive refuse a flush. After them it does not
# know the command, twice.
REFUSALS = ("medium error", "with descriptors", "deferred", "invalid field", "adapter", "busy")


@pytest.fixture(scope="module")
def made(place, make_stick):
    """
    How many flushes reached each drive in a restore of it, and what was said; then how restores of
    the SCSI drive ended when it refuses them.
    """
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "refusing.efi", "/refusing.efi")
    stick.put(random.Random(1).randbytes(2 * MIB), "/data.raw")
    drives, names = [Drive("usb", stick.image, "STICK")], {}
    for name, bus in BUSES.items():
        image = disks.make_disk(place / f"{name}.img", 4 * MIB)
        names[name] = f"serial={name}"
        if bus == "virtio-blk":  # of which the firmware knows no serial number
            names[name] = f"guid={disks.write_gpt(image, [])}"
        drives.append(Drive(bus, image, name))
    counts, words, refused = {}, {}, []
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for number, name in enumerate(BUSES, 1):
            before = count(machine, number)
            said = shell.run(
                f"efi-img convert -n -f raw --no-table data.raw {names[name]} "
                f"--erase={names[name].partition('=')[2]}"
            )
            assert shell.status() == 0, said
            counts[name] = count(machine, number) - before
            words[name] = said
        shell.run("load refusing.efi")
        for _ in (*REFUSALS, "unknown"):
            said = shell.run(
                "efi-img convert -n -f raw --no-table data.raw serial=SCSI --erase=SCSI"
            )
            refused.append((shell.status(), said))
        shell.power_off()
    return SimpleNamespace(counts=counts, words=words, refused=refused)


def count(machine, number):
    (stats,) = [
        entry
        for entry in machine.qmp("query-blockstats")
        if entry.get("device") == f"disk{number}-image"
    ]
    return stats["stats"]["flush_operations"]


@pytest.mark.parametrize("name", [name for name in BUSES if name != "USB"])
def test_flushed(made, name):
    """
    After the wiping of its beginning, after all the rest, and before and after its first sector.
    """
    assert made.counts[name] >= 4
    assert "its own cache" not in made.words[name]


def test_usb_has_no_way_for_it(made):
    """What is in the cache of a USB drive cannot be known. If this fails, it can."""
    assert made.counts["USB"] == 0
    assert "the firmware cannot make this drive flush its own cache" in made.words["USB"]


@pytest.mark.parametrize("number", range(len(REFUSALS)), ids=REFUSALS)
def test_scsi_refuses(made, number):
    """Once, each time another way: the first flush of a restore is that of the wiped beginning."""
    status, said = made.refused[number]
    assert status == 18, f"{status}: {said}"
    assert "before the copy: the device reports an error" in said


def test_scsi_without_the_command(made):
    """A drive without a cache need not know the command: then there is nothing to flush."""
    status, said = made.refused[-1]
    assert status == 0, said
