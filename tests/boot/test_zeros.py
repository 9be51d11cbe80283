# SPDX-License-Identifier: BSD-2-Clause
"""
NVMe disks are told to make zeros, instead of being sent them: those that do, those that fail,
and those that only say that they did.
"""

import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

ROOT = Path(__file__).resolve().parent.parent.parent
SIZE = 48 * MIB
DATA = ((0, 3 * MIB // 2), (10 * MIB + 64 * KIB, 300_000), (30 * MIB, 2 * MIB))
# Data lies in these of each MiB, which is as little as is left to a disk.
WITH_DATA = {0, 1, 10, 30, 31}

# Each disk: bus, sector size, what of it fails.
DISKS = {
    "NVME": ("nvme", 512, ()),
    "NVME4K": ("nvme", 4096, ()),
    "CLONE": ("nvme", 512, ()),
    "FAILS": ("nvme", 512, (("write-zeroes", None),)),
    "LIES": ("nvme", 512, ()),
    "WRITTEN": ("nvme", 512, ()),
    "SATA": ("ahci", 512, ()),
}
ABLE = ("NVME", "NVME4K", "CLONE")


def stored(path):
    """
    The MiB of a file of which the host stores anything. QEMU 10 makes zeros extents that are
    allocated and not written; in these, SEEK_DATA finds what the page cache has of them.
    """
    found = set()
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return found
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.update(range(start // MIB, -(-end // MIB)))


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    source = disks.make_disk(place / "source.img", SIZE)
    with open(source, "r+b") as file:
        for at, n in DATA:
            file.seek(at)
            file.write(random.Random(at).randbytes(n))
    oracle.qemu_img("convert", "-O", "qcow2", source, place / "image.qcow2")
    stick.put(place / "image.qcow2", "/image.qcow2")
    stick.put(ROOT / "build" / "x86_64" / "lying.efi", "/lying.efi")
    targets = {name: place / f"{name}.img" for name in DISKS}
    for path in targets.values():
        path.write_bytes(b"\xaa" * SIZE)
    batch = Batch(stick)
    steps = {}
    for name in DISKS:
        if name == "LIES":
            continue
        source_name = "serial=NVME" if name == "CLONE" else "image.qcow2"
        option = "-S 0 " if name == "WRITTEN" else ""  # wants all of it written
        steps[name] = batch.run(
            f"efi-img.efi convert -n --no-verify {option}{source_name} serial={name} --erase={name}"
        )
    batch.do("load lying.efi")
    steps["LIES"] = batch.run(
        "efi-img.efi convert -n --no-verify image.qcow2 serial=LIES --erase=LIES"
    )
    drives = [Drive("usb", stick.image, "STICK")]
    drives += [
        Drive(bus, targets[name], name, block, keeps_zeros=True, faults=faults)
        for name, (bus, block, faults) in DISKS.items()
    ]
    batch.boot(Machine(place / "machine", drives))
    return SimpleNamespace(steps=steps, source=source, targets=targets)


@pytest.mark.parametrize("name", DISKS)
def test_all_is_there(made, name):
    """Without reading back: what a drive says of its zeros is not simply believed."""
    step = made.steps[name]
    assert step.status == 0, step.err
    assert made.targets[name].read_bytes() == made.source.read_bytes()


@pytest.mark.parametrize("name", DISKS)
def test_who_makes_the_zeros(made, name):
    expected = WITH_DATA if name in ABLE else set(range(SIZE // MIB))
    assert stored(made.targets[name]) == expected
