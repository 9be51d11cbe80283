# SPDX-License-Identifier: BSD-2-Clause
"""Disks to write to, efi-img that sees them, and what holds when it has written to one."""

import os
import random
import re
import subprocess

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Result


def partition(place, name, *parts):
    """A GPT with these partitions (first and last sector), and noise in them."""
    words = [
        word
        for number, (first, last) in enumerate(parts, 1)
        for word in ("-n", f"{number}:{first}:{last}")
    ]
    subprocess.run(
        ["sgdisk", "-a", "1", *words, name],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )
    with open(place / name, "r+b") as disk:
        for first, last in parts:
            disk.seek(first * 512)
            disk.write(random.Random(first).randbytes(min(last - first + 1, 1500) * 512))


def make_disks(tmp_path):
    """
    A disk with two partitions, an image of another disk, an empty disk, a large and full one,
    one of 4096-byte sectors.
    """
    for name, size in (
        ("full.img", 8),
        ("empty.img", 8),
        ("large.img", 12),
        ("small.img", 4),
        ("4k.img", 8),
    ):
        with open(tmp_path / name, "wb") as disk:
            disk.truncate(size * MIB)
    partition(tmp_path, "full.img", (2048, 6143), (6144, 10000))
    (tmp_path / "large.img").write_bytes(random.Random(2).randbytes(12 * MIB))
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "image.qcow2", str(6 * MIB + 512))
    qemu_io(tmp_path, "image.qcow2", *random_writes(1, 6 * MIB, compressed=True))
    return tmp_path


DISKS = (
    "full.img,serial=FULL,model=Old:empty.img,serial=EMPTY:large.img,serial=LARGE:"
    "small.img,serial=SMALL:4k.img@4096,serial=4K"
)


def efi_img(place, *words, disks=DISKS):
    os.environ["EFI_IMG_DISKS"] = disks
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        del os.environ["EFI_IMG_DISKS"]


def files(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def done(result):
    """It says that it is done, and nothing else: what a convert says besides."""
    ending = r" of disk( in [\d.]+ \w+ of file)?(, [\dhmins ]+)?$"
    verified = re.findall(
        r"^efi-img: (\S+): verified, identical to [^;]+; [\d.]+ \w+" + ending,
        result.out,
        re.MULTILINE,
    )
    verified = [line[0] for line in verified]
    said = re.sub(r"efi-img: serial=\w+: 0 writes to the source\n", "", result.out)
    said = re.sub(
        r"^efi-img: \S+: (not verified \(--no-verify\)|verified, [^;]+); [\d.]+ \w+"
        + ending
        + "\n",
        "",
        said,
        flags=re.MULTILINE,
    )
    assert (result.code, said, result.err) == (0, "", ""), result.out + result.err
    return verified
