# SPDX-License-Identifier: BSD-2-Clause
"""
A SCSI disk that is opened for writing is reset by the adapter, not by EDK2's bus driver, which up
to edk2-stable202211 reads memory for that which it has freed (drivers/uefi/scsi.c). What is in that
memory is chance, and so is whether the machine goes on: resetting.c tells which way a reset came.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Shell

ROOT = Path(__file__).resolve().parent.parent.parent

BUS, ADAPTER = "reset by the bus driver, LUN ", "reset by the adapter, LUN "

# What is restored: a blank disk, one with drivers on its partition, and that partition.
RESTORES = {
    "blank": "disk.raw serial=SECOND",
    "partitioned": "disk.raw serial=SECOND --erase=SECOND",
    "partition": "--no-table part.raw guid={guid} --erase=SECOND:1",
}


@pytest.fixture(scope="module")
def made(place, make_stick):
    """
    By name of the restore: what was said meanwhile, and how it ended. Then what is said when the
    shell disconnects the drivers of the disks.
    """
    image = disks.make_disk(place / "disk.raw", 8 * MIB)
    part = Partition(MIB, 6 * MIB)
    disks.write_gpt(image, [part])
    Volume(image, MIB, 6 * MIB).format(12, label="FAT")
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "resetting.efi", "/resetting.efi")
    stick.put(image, "/disk.raw")
    stick.put(b"\x11" * MIB, "/part.raw")
    drives = [Drive("usb", stick.image, "STICK")]
    for serial in ("FIRST", "SECOND"):
        drives.append(Drive("virtio-scsi", disks.make_disk(place / serial, 8 * MIB), serial))
    results = {}
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        shell.run("efi-img list")  # connects the disks
        loaded = shell.run("load resetting.efi")
        assert shell.status() == 0, loaded
        for name, words in RESTORES.items():
            said = shell.run(f"efi-img convert -n -f raw {words.format(guid=part.guid)}")
            results[name] = SimpleNamespace(said=said, status=shell.status())
        found = shell.run("dh -p ScsiIo")
        after = "".join(
            shell.run(f"disconnect {number}") for number in re.findall(r"(?m)^ *(\w+): ", found)
        )
        shell.power_off()
    written = (place / "SECOND").read_bytes()
    return SimpleNamespace(restores=results, after=after, written=written, image=image)


@pytest.mark.parametrize("name", RESTORES)
def test_reset_by_the_adapter(made, name):
    restore = made.restores[name]
    assert restore.status == 0, restore.said
    assert BUS not in restore.said
    assert f"{ADAPTER}1" in restore.said
    assert f"{ADAPTER}0" not in restore.said


def test_left_as_it_was(made):
    """Afterwards the bus driver's function is in its place again."""
    assert f"{BUS}1" in made.after


def test_written(made):
    expected = bytearray(made.image.read_bytes())
    expected[MIB : 2 * MIB] = b"\x11" * MIB
    assert made.written[: 2 * MIB] == expected[: 2 * MIB]
