# SPDX-License-Identifier: BSD-2-Clause
"""
Images of each format on a FAT volume are written, resized, committed, rebased, repaired and copied
by dd; qemu-img, which has made them, judges them then. One boot.
"""

import random
import struct
import subprocess
from dataclasses import dataclass

import pytest

import oracle
from rig import disks
from rig.disks import KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SIZE = 3 * MIB
LARGE = 4608 * MIB  # three extents of a split VMDK
SPLIT = "subformat=twoGbMaxExtentSparse"
OPTIONS = {  # of create, by format
    "vpc": "force_size=on",
    "vhdx": "block_size=1M",
    "vmdk": SPLIT,
    "vdi": "static=off",
    "qed": "cluster_size=16k",
    "parallels": "cluster_size=64k",
    "qcow": "",
}


@dataclass
class Case:
    """
    `line` changes or makes `image`, of the format that its name ends with, in a folder that `make`
    has filled; `disk` is what the disk is then, with zeros after it if it is longer.
    """

    make: object
    line: str
    image: str
    disk: str = "old"
    size: int = SIZE


# ---- what the lines begin with ----


def qemu_io(folder, image, form, *commands):
    words = [word for command in commands for word in ("-c", command)]
    return subprocess.run(
        ["qemu-io", "-f", form, *words, image], cwd=folder, stdout=subprocess.DEVNULL
    ).returncode


def convert(folder, source, form, name, options=None):
    options = OPTIONS[form] if options is None else options
    words = ["-o", options] if options else []
    oracle.qemu_img("convert", "-f", "raw", "-O", form, *words, source, name, cwd=folder)


def an_image(form):
    """x: an image of the old disk."""

    def make(folder):
        convert(folder, "old.raw", form, f"x.{form}")

    return make


def an_overlay(form, base):
    """x: the new disk over b, the old one."""

    def make(folder):
        options = "subformat=monolithicSparse" if base == form == "vmdk" else None
        convert(folder, "old.raw", base, f"b.{base}", options)
        words = ["-b", f"b.{base}", "-F", base, f"x.{form}"]
        oracle.qemu_img("create", "-q", "-f", form, *words, cwd=folder)
        oracle.qemu_img(
            "convert", "-n", "-f", "raw", "-O", form, "new.raw", f"x.{form}", cwd=folder
        )

    return make


def cut_off(form):
    """x: the old disk, of which QEMU has written a part without closing the image."""

    def make(folder):
        oracle.qemu_img(
            "create", "-q", "-f", form, *(["-o", OPTIONS[form]]), f"x.{form}", SIZE, cwd=folder
        )
        oracle.qemu_img(
            "convert", "-n", "-f", "raw", "-O", form, "old.raw", f"x.{form}", cwd=folder
        )
        ended = qemu_io(folder, f"x.{form}", form, "write -P 7 1M 100k", "flush", "abort")
        assert ended != 0

    return make


def without_footer(folder):
    """x.vpc: its last sector is lost; the first one has a copy."""
    an_image("vpc")(folder)
    with open(folder / "x.vpc", "r+b") as image:
        image.seek(-512, 2)
        image.write(bytes(512))


def without_table(folder):
    """x.vmdk: the entries of the grain tables are lost in the first copy."""
    convert(folder, "old.raw", "vmdk", "x.vmdk", "subformat=monolithicSparse")
    with open(folder / "x.vmdk", "r+b") as image:
        header = image.read(512)
        image.seek(struct.unpack_from("<Q", header, 56)[0] * 512)
        table = struct.unpack("<I", image.read(4))[0] * 512
        image.seek(table)
        image.write(b"\xff" * (SIZE // (64 * KIB) * 4))


def large(folder):
    """l.qcow2: data in the first and in the last GiB. x.vmdk: three extents, and others of it."""
    for name, places in (("l", ("64k", "4400M")), ("m", ("1M", "2500M", "4600M"))):
        oracle.qemu_img("create", "-q", "-f", "qcow2", f"{name}.qcow2", LARGE, cwd=folder)
        qemu_io(folder, f"{name}.qcow2", "qcow2", *(f"write -P 9 {at} 300k" for at in places))
    oracle.qemu_img("convert", "-O", "vmdk", "-o", SPLIT, "m.qcow2", "x.vmdk", cwd=folder)


# ---- the lines ----

CASES = {
    **{
        f"convert-n-{form}": Case(
            an_image(form), f"convert -n -f raw -O {form} new.raw x.{form}", f"x.{form}", "new"
        )
        for form in OPTIONS
    },
    **{
        f"resize-{form}": Case(
            an_image(form), f"resize x.{form} +5M", f"x.{form}", size=SIZE + 5 * MIB
        )
        for form in ("vpc", "vhdx", "vdi", "qed")
    },
    **{
        f"commit-{form}": Case(
            an_overlay(form, form), f"commit {more} x.{form}", f"b.{form}", "new"
        )
        for form, more in {"vmdk": "-d", "qed": "", "qcow": ""}.items()
    },
    **{
        f"commit-into-{form}": Case(an_overlay("qcow2", form), "commit x.qcow2", f"b.{form}", "new")
        for form in ("vpc", "vhdx", "vdi", "parallels")
    },
    **{
        f"rebase-{form}": Case(
            an_overlay(form, form), f"rebase -b old.raw -F raw x.{form}", f"x.{form}", "new"
        )
        for form in ("qed", "qcow")
    },
    **{
        f"repair-{form}": Case(cut_off(form), f"check -r all x.{form}", f"x.{form}", "cut")
        for form in ("vhdx", "qed", "parallels")
    },
    "repair-vpc": Case(without_footer, "check -r all x.vpc", "x.vpc"),
    "repair-vmdk": Case(without_table, "check -r all x.vmdk", "x.vmdk"),
    **{
        f"dd-{source}-{target}": Case(
            an_image(source),
            f"dd -f {source} -O {target} bs=64k if=x.{source} of=y.{target}",
            f"y.{target}",
        )
        for source, target in (
            ("vdi", "vhdx"),
            ("vhdx", "vmdk"),
            ("vmdk", "vdi"),
            ("vpc", "qcow"),
            ("qed", "parallels"),
            ("parallels", "qed"),
        )
    },
    "extents-made": Case(
        large, f"convert -O vmdk -o {SPLIT} l.qcow2 y.vmdk", "y.vmdk", "l.qcow2", LARGE
    ),
    "extents-written": Case(large, "convert -n -O vmdk l.qcow2 x.vmdk", "x.vmdk", "l.qcow2", LARGE),
    "extents-read": Case(
        large, "dd -O qcow2 bs=1M if=x.vmdk of=y.qcow2", "y.qcow2", "m.qcow2", LARGE
    ),
}


def make_disks(place):
    """The disks old, new, and cut, which is old after the power cut of QEMU."""
    dice = random.Random(4)
    old = bytearray(SIZE)
    for at in range(0, SIZE, 500 * KIB):
        old[at : at + 90000] = dice.randbytes(90000)[: SIZE - at]
    new, cut = bytearray(old), bytearray(old)
    new[MIB : MIB + 200 * KIB] = dice.randbytes(200 * KIB)
    new[2 * MIB : 2 * MIB + 100 * KIB] = bytes(100 * KIB)
    cut[MIB : MIB + 100 * KIB] = b"\7" * 100 * KIB
    for name, disk in (("old", old), ("new", new), ("cut", cut)):
        (place / f"{name}.raw").write_bytes(disk)


def make_folder(place, name):
    """The folder of a case, with what it begins with."""
    folder = place / name
    folder.mkdir(parents=True)
    for disk in ("old", "new"):
        (folder / f"{disk}.raw").write_bytes((place / f"{disk}.raw").read_bytes())
    CASES[name].make(folder)
    return folder


@pytest.fixture(scope="module")
def boot(place, make_stick):
    make_disks(place)
    stick = make_stick()
    volume = Volume(disks.make_disk(place / "volume.img", 640 * MIB)).format(
        32, cluster=4096, label="WORK", fill=0xAA
    )
    batch, steps = Batch(stick, work=volume), {}
    batch.do("%work%")
    for name, case in CASES.items():
        disks.run("mcopy", "-s", "-i", volume.drive, make_folder(place, name), f"::{name}")
        batch.do(f"cd \\{name}")
        steps[name] = batch.run(rf"%stick%\efi-img.efi {case.line}")
    batch.boot(
        Machine(place / "machine", [Drive("nvme", stick.image), Drive("ahci", volume.image)])
    )
    (place / "after").mkdir()
    for name in CASES:
        volume.copy_out(f"/{name}", place / "after")
    return steps, place, volume


def judge(place, folder, case):
    form = case.image.rpartition(".")[2]
    disk = folder / case.disk if "." in case.disk else place / f"{case.disk}.raw"
    kind = "qcow2" if "." in case.disk else "raw"
    oracle.check_image(folder / case.image, form)
    assert oracle.info(folder / case.image, form)["virtual-size"] == case.size
    oracle.qemu_img("compare", "-f", kind, "-F", form, disk, folder / case.image)


@pytest.mark.parametrize("name", CASES)
def test_case(boot, name):
    steps, place, _ = boot
    assert steps[name].status == 0, steps[name].out + steps[name].err
    judge(place, place / "after" / name, CASES[name])


def test_the_volume_is_sound(boot):
    assert boot[2].fsck() == ""
