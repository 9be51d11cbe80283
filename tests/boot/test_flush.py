"""When a disk has been restored, its own cache has been told to go to the medium: QEMU counts the flushes that reach a drive."""

import random

import pytest

from rig import disks
from rig.disks import MIB
from rig.machine import Drive, Machine
from rig.shell import Shell

# QEMU does not count those of NVMe, whose driver does flush.
BUSES = {"SATA": "ahci", "SCSI": "virtio-scsi", "VIRTIO": "virtio-blk", "USB": "usb"}


@pytest.fixture(scope="module")
def flushes(place, make_stick):
    """How many flushes reached each drive in a restore of it."""
    stick = make_stick()
    stick.put(random.Random(1).randbytes(2 * MIB), "/data.raw")
    drives, names = [Drive("usb", stick.image, "STICK")], {}
    for name, bus in BUSES.items():
        image = disks.make_disk(place / f"{name}.img", 4 * MIB)
        names[name] = f"serial={name}"
        if bus == "virtio-blk":  # of which the firmware knows no serial number
            names[name] = f"guid={disks.write_gpt(image, [])}"
        drives.append(Drive(bus, image, name))
    counts = {}
    with Machine(place / "machine", drives, deadline=120) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for number, name in enumerate(BUSES, 1):
            before = count(machine, number)
            said = shell.run(f"efi-img convert -n -f raw data.raw {names[name]} --erase={names[name].partition('=')[2]}")
            assert shell.status() == 0, said
            counts[name] = count(machine, number) - before
        shell.power_off()
    return counts


def count(machine, number):
    stats, = [entry for entry in machine.qmp("query-blockstats") if entry.get("device") == f"disk{number}-image"]
    return stats["stats"]["flush_operations"]


@pytest.mark.parametrize("name", [name for name in BUSES if name != "USB"])
def test_flushed(flushes, name):
    """After the wiping of its beginning, after all the rest, and before and after its first sector."""
    assert flushes[name] >= 4


def test_usb_has_no_way_for_it(flushes):
    """If this fails, the sentence that says so is no longer true."""
    assert flushes["USB"] == 0
