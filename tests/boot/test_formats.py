# SPDX-License-Identifier: BSD-2-Clause
"""
A disk goes into an image of each format on a FAT volume, and from each onto another disk. One boot.
"""

import random
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import KIB, MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SIZE = 20 * MIB

# Name of the image, which is also the serial number of the disk that it is restored to: the format,
# and what else the line says.
IMAGES = {
    "a.vpc": ("vpc", ""),
    "fixed.vpc": ("vpc", "-o subformat=fixed"),
    "a.vhdx": ("vhdx", ""),
    "fixed.vhdx": ("vhdx", "-o subformat=fixed"),
    "a.vmdk": ("vmdk", ""),
    "split.vmdk": ("vmdk", "-o subformat=twoGbMaxExtentSparse"),
    "flat.vmdk": ("vmdk", "-o subformat=twoGbMaxExtentFlat"),
    "stream.vmdk": ("vmdk", "-o subformat=streamOptimized"),
    "a.vdi": ("vdi", ""),
    "static.vdi": ("vdi", "-o static=on"),
    "a.qed": ("qed", ""),
    "a.par": ("parallels", ""),
    "a.qcow": ("qcow", ""),
    "packed.qcow": ("qcow", "-c"),
}


def make_source(path):
    """A disk with a GPT, a FAT volume with a file in it, noise, and holes."""
    image = disks.make_disk(path, SIZE)
    disks.write_gpt(image, [Partition(MIB, 8 * MIB), Partition(12 * MIB, 4 * MIB, disks.LINUX)])
    Volume(image, MIB, 8 * MIB).format(12, cluster=8 * KIB, label="INSIDE").put(
        b"restored" * 1000, "/file.txt"
    )
    with open(image, "r+b") as file:
        file.seek(12 * MIB)
        file.write(random.Random(1).randbytes(3 * MIB))
    return image


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    work = Volume(disks.make_disk(place / "work.img", 600 * MIB)).format(
        32, cluster=4 * KIB, label="WORK", fill=0xAA
    )
    source = make_source(place / "source.img")
    targets = {
        name: disks.make_disk(place / f"{name}.img", SIZE + (MIB if "vpc" in name else 0))
        for name in IMAGES
    }
    batch, steps = Batch(stick, work=work), {}
    for number, (name, (form, more)) in enumerate(IMAGES.items()):
        batch.do("%work%")
        steps[name] = [
            batch.run(rf"%stick%\efi-img.efi {line}")
            for line in (
                f"convert -O {form} {more} serial=SOURCE {name}",
                f"info {name}",
                f"compare {name} serial=SOURCE",
                f"check {name}",
                f"convert -n {name} serial=T{number}",
            )
        ]
    drives = [Drive("usb", stick.image, "STICK"), Drive("ahci", work.image, "WORK")]
    drives += [Drive("nvme", source, "SOURCE")]
    drives += [  # OVMF finds no more than eight disks on one SCSI adapter
        Drive("nvme" if number % 2 else "virtio-scsi", image, f"T{number}")
        for number, image in enumerate(targets.values())
    ]
    batch.boot(Machine(place / "machine", drives, processors=2))
    return SimpleNamespace(work=work, source=source, targets=targets, steps=steps)


def take(made, place, name):
    """Copies an image of the volume to the host, with its other files."""
    stem = name.rpartition(".")[0]
    for file in made.work.names():
        if file == name or file.startswith(f"{stem}-"):
            made.work.copy_out(f"/{file}", place / file)
    return place / name


@pytest.mark.parametrize("name", IMAGES)
def test_lines(made, name):
    """Every line has worked; what is not checked says so with qemu-img's exit code."""
    codes = [step.status for step in made.steps[name]]
    texts = "".join(step.out + step.err for step in made.steps[name])
    assert codes in ([0] * 5, [0, 0, 0, 63, 0]), texts
    assert f"file format: {IMAGES[name][0]}\n" in made.steps[name][1].out.replace("\r", "")
    assert "identical" in made.steps[name][2].out
    assert "verified, identical" in made.steps[name][4].out


@pytest.mark.parametrize("name", IMAGES)
def test_image(made, place, name):
    """qemu-img finds in it what the disk has."""
    form = IMAGES[name][0]
    image = take(made, place, name)
    oracle.check_image(image, form)
    oracle.qemu_img("compare", "-f", "raw", "-F", form, made.source, image)


@pytest.mark.parametrize("name", IMAGES)
def test_restored(made, name):
    target = made.targets[name].read_bytes()
    assert target[MIB : SIZE - MIB] == made.source.read_bytes()[MIB : SIZE - MIB]
    assert "No problems found" in disks.run("sgdisk", "--verify", made.targets[name])


def test_the_volume_is_sound(made):
    assert made.work.fsck() == ""
