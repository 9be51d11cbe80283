# SPDX-License-Identifier: BSD-2-Clause
"""Files several times as large as the machine's memory, on a FAT volume, there and back."""

import random

import pytest

import oracle
from rig import disks
from rig.disks import GIB, KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

MEMORY_MIB = 128
DISK_BYTES = 600 * MIB + 512

COMMANDS = {  # one after the other
    "to-qcow2": "convert -O qcow2 disk.raw disk.qcow2",
    "to-raw": "convert -O raw disk.qcow2 back.raw",
    "compare": "compare back.raw disk.qcow2",
    "rebase": 'rebase -b "" over.qcow2',
    "rebase-again": "rebase -u -b empty.qcow2 -F qcow2 over.qcow2",
    "commit": "commit over.qcow2",
    "snapshot": "snapshot -c one disk.qcow2",
    "resize": "resize disk.qcow2 +1G",
    "check": "check disk.qcow2",
}


def make_disk(path):
    """
    Noise in 160 MiB of it, more than the memory: in the middle, and in every other cluster of
    the end; no two sectors are alike.
    """
    dice = random.Random(3)
    disks.make_disk(path, DISK_BYTES)
    with open(path, "r+b") as file:
        file.seek(150 * MIB)
        for _ in range(110):
            file.write(dice.randbytes(MIB))
        for at in range(500 * MIB, DISK_BYTES, 128 * KIB):
            file.seek(at)
            file.write(dice.randbytes(min(64 * KIB, DISK_BYTES - at)))
    return path


@pytest.fixture(scope="module")
def boot(place, make_stick):
    make_disk(place / "disk.raw")
    oracle.qemu_img(
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "back.raw",
        "-F",
        "raw",
        "-u",
        "over.qcow2",
        DISK_BYTES,
        cwd=place,
    )
    oracle.qemu_img("create", "-q", "-f", "qcow2", "empty.qcow2", DISK_BYTES, cwd=place)
    stick = make_stick()
    volume = Volume(disks.make_disk(place / "volume.img", 2 * GIB)).format(
        32, cluster=16384, label="WORK"
    )
    for name in ("disk.raw", "over.qcow2", "empty.qcow2"):
        volume.put(place / name, f"/{name}")
    batch = Batch(stick, work=volume)
    batch.do("%work%")
    steps = {name: batch.run(rf"%stick%\efi-img.efi {line}") for name, line in COMMANDS.items()}
    batch.boot(
        Machine(
            place / "machine",
            [Drive("nvme", stick.image), Drive("nvme", volume.image)],
            memory=MEMORY_MIB,
        )
    )
    return steps, volume


@pytest.mark.parametrize("name", COMMANDS)
def test_command(boot, name):
    step = boot[0][name]
    assert (step.status, step.err) == (0, ""), step.err


@pytest.mark.parametrize("name, added", [("disk.qcow2", GIB), ("back.raw", 0), ("empty.qcow2", 0)])
def test_contents(place, boot, name, added):
    """disk.qcow2 has grown; empty.qcow2 is no longer what its name says."""
    boot[1].copy_out(f"/{name}", place / name)
    form = "raw" if name.endswith(".raw") else "qcow2"
    oracle.check_image(place / name, form)
    assert oracle.info(place / name, form)["virtual-size"] == DISK_BYTES + added
    # Behind the shorter one, compare wants zeros.
    oracle.qemu_img("compare", "-f", "raw", "-F", form, "disk.raw", name, cwd=place)


def test_the_file_is_larger_than_memory(place, boot):
    del boot
    assert (place / "disk.qcow2").stat().st_size > MEMORY_MIB * MIB


def test_the_volume_is_sound(boot):
    assert boot[1].fsck() == ""
