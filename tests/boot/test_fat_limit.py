# SPDX-License-Identifier: BSD-2-Clause
"""
A disk that is larger than a file on FAT can be, captured to FAT32: it is split by itself, and
cat makes it whole.
"""

import json
import random
import subprocess

import pytest

from rig import disks
from rig.disks import GIB, KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

FAT_LIMIT = 4 * GIB - 1
SIZE = 4 * GIB + 64 * MIB
# More than it can be by its tables alone; nobody has read what the disk has then.
REFUSED = {
    "raw": "convert -O raw --split=0 serial=LARGE one.raw",
    "dense": "convert -O qcow2 -S 0 --split=0 serial=LARGE one.qcow2",
    "preallocated": "convert -O qcow2 -o preallocation=full --split=0 serial=LARGE one.qcow2",
}


def make_source(path):
    """Noise in a few places, most of it around the limit, and zeros."""
    dice = random.Random(4)
    with open(disks.make_disk(path, SIZE), "r+b") as file:
        for at in (
            0,
            GIB,
            FAT_LIMIT - 3 * MIB,
            FAT_LIMIT - 2 * MIB,
            FAT_LIMIT - MIB,
            FAT_LIMIT,
            SIZE - MIB,
        ):
            file.seek(at)
            file.write(dice.randbytes(MIB))
    return path


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    source = make_source(place / "large.img")
    work = Volume(disks.make_disk(place / "work.img", 6 * GIB)).format(
        32, cluster=32 * KIB, label="WORK"
    )
    batch = Batch(stick, work=work)
    batch.do("%work%")
    steps = {name: batch.run(rf"%stick%\efi-img.efi {line}") for name, line in REFUSED.items()}
    steps["capture"] = batch.run(r"%stick%\efi-img.efi convert -O raw serial=LARGE pc.raw")
    steps["info"] = batch.run(r"%stick%\efi-img.efi info --output=json pc.raw")
    drives = [
        Drive("usb", stick.image, "STICK"),
        Drive("virtio-blk", work.image),
        Drive("nvme", source, "LARGE"),
    ]
    batch.boot(Machine(place / "machine", drives, memory=256))
    return steps, work, source


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_the_first_byte(made, name):
    step = made[0][name]
    assert step.status == 13 and str(FAT_LIMIT) in step.err, f"{step.status}: {step.err}"


def test_capture(made):
    """It has been read back in the firmware as well, across the end of the first file."""
    steps, work, source = made
    assert steps["capture"].status == 0 and "pc.raw is in 2 files" in steps["capture"].out, steps[
        "capture"
    ].err
    assert json.loads(steps["info"].out)["virtual-size"] == SIZE
    assert work.names() == ["is-work", "pc.raw", "pc.raw.001"]
    parts = f"mcopy -i {work.drive} ::/pc.raw - && mcopy -i {work.drive} ::/pc.raw.001 -"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"({parts}) | cmp - {source}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_volume_is_sound(made):
    assert made[1].fsck() == ""
