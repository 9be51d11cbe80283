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
