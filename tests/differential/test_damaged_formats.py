# SPDX-License-Identifier: BSD-2-Clause
"""
Images with damaged tables, of each format that qemu-img checks: what qemu-img could read of the
disk before a repair by efi-img, it reads after it; what efi-img calls sound then, qemu-img does.
tests/unit/test_damaged.c has more of them, of more formats, without qemu-img.

An image is named by its kind and seed: `pytest
'tests/differential/test_damaged_formats.py::test_repaired[vdi-3]'`. SEED is the first one, and
SEEDS how many there are of each kind.
"""

import os
import random

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, Result

SEED, SEEDS = (int(os.environ.get(name, default)) for name, default in (("SEED", 0), ("SEEDS", 8)))
SIZE = 5 * MIB
SECTOR = 512
KINDS = {  # options of create
    "parallels": "cluster_size=64k",
    "qed": "cluster_size=4k",
    "vdi": "static=off",
    "vhdx": "block_size=1M,log_size=1M",
    "vmdk": "subformat=monolithicSparse",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An image of each kind by qemu-img, with a few spots of data: most sectors with bytes are
    tables.
    """
    place = tmp_path_factory.mktemp("sound")
    disk = bytearray(SIZE)
    for at in range(0, SIZE, SIZE // 4):
        disk[at : at + 700] = random.Random(at).randbytes(700)
    (place / "disk").write_bytes(disk)
    for form, options in KINDS.items():
        qemu_img(place, "convert", "-f", "raw", "-O", form, "-o", options, "disk", form)
    return {form: (place / form).read_bytes() for form in KINDS}, bytes(disk)


def damage(image, dice):
    """Changes up to four bytes of sectors that are not zeros."""
    image = bytearray(image)
    used = [at for at in range(0, len(image), SECTOR) if any(image[at : at + SECTOR])]
    for _ in range(dice.randint(1, 4)):
        at = dice.choice(used) + dice.randrange(SECTOR)
        image[at] = dice.choice(
            [0, 1, 2, 0x40, 0x7F, 0x80, 0xFF, image[at] ^ 1 << dice.randrange(8)]
        )
    return bytes(image)


def contents(folder, form):
    """What qemu-img reads; None: it does not, or the damage has made the disk another size."""
    done = Result(["qemu-img", "convert", "-f", form, "-O", "raw", "x", "flat"], folder)
    if done.code != 0 or (folder / "flat").stat().st_size != SIZE:
        return None
    return (folder / "flat").read_bytes()


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
@pytest.mark.parametrize("form", KINDS)
def test_repaired(tmp_path, sound, form, seed):
    images, disk = sound
    (tmp_path / "x").write_bytes(damage(images[form], random.Random(f"{form}-{seed}")))
    before = contents(tmp_path, form)
    repair = [EFI_IMG, "check", "-f", form, "-r", "all", "x"]
    ours = Result(repair, tmp_path)
    repaired = (tmp_path / "x").read_bytes()
    assert ours.code in (0, 1, 2, 3), ours.err
    after = contents(tmp_path, form)
    again = Result(repair, tmp_path)
    assert again.code == ours.code and (tmp_path / "x").read_bytes() == repaired, ours.err
    if ours.code == 0:
        assert Result(["qemu-img", "check", "-f", form, "x"], tmp_path).code == 0, ours.out
    if before is None:
        return
    assert after is not None, ours.out + ours.err
    # where it is another one, that of the other copy is back
    changed = [at for at in range(SIZE) if before[at] != after[at]] if before != after else []
    assert all(after[at] == disk[at] for at in changed), ours.out


def double(format, image):
    """Makes the second block of the disk lie where the first one does."""

    def number(at, n, order):
        return int.from_bytes(image[at : at + n], order)

    tables = {
        "vpc": lambda: (1536, 4),
        "vdi": lambda: (number(340, 4, "little"), 4),
        "parallels": lambda: (64, 4),
        "vhdx": lambda: (number(0x30000 + 32, 8, "little"), 8),
        "qed": lambda: (number(number(40, 8, "little"), 8, "little"), 8),
        "qcow": lambda: (number(number(40, 8, "big"), 8, "big"), 8),
    }
    if format == "vmdk":  # both copies
        directories = [number(at, 8, "little") * SECTOR for at in (48, 56)]
        places = [(number(at, 4, "little") * SECTOR, 4) for at in directories]
    else:
        places = [tables[format]()]
    for at, n in places:
        image[at + n : at + 2 * n] = image[at : at + n]


@pytest.mark.parametrize("format", ["vpc", "vdi", "parallels", "vhdx", "qed", "qcow", "vmdk"])
def test_doubled_block_is_not_written_to(tmp_path, format):
    """What is written to one place of the disk would be written to the other as well."""
    options = {"vhdx": ("-o", "block_size=1M")}.get(format, ())
    (tmp_path / "disk").write_bytes(random.Random(1).randbytes(SIZE))
    made = ("convert", "-f", "raw", "-O", format, *options, "disk", "a")
    assert Result([EFI_IMG, *made], tmp_path).code == 0
    image = bytearray((tmp_path / "a").read_bytes())
    double(format, image)
    (tmp_path / "a").write_bytes(image)
    assert Result([EFI_IMG, "check", "a"], tmp_path).code == 2
    for words in ("bench -w -c 1 -s 512 a", f"convert -n -f raw -O {format} disk a"):
        done = Result([EFI_IMG, *words.split()], tmp_path)
        assert done.code == 1 and done.err.startswith("efi-img: a: "), done.err
    if format in ("vmdk", "vhdx", "vpc"):
        assert Result([EFI_IMG, "resize", "a", "+1M"], tmp_path).code == 1
    assert (tmp_path / "a").read_bytes() == image
    read = Result([EFI_IMG, "convert", "-O", "raw", "a", "flat"], tmp_path)
    assert read.code == 0 or format in ("qed", "qcow"), read.err
