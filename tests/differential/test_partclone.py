# SPDX-License-Identifier: BSD-2-Clause
"""
Used and unused bytes beside partclone, which most other programs for imaging use for them.

Where it is right, both leave out the same, but for what belongs to no block of the file system
(the rest of the partition, with NTFS' second boot sector), which partclone leaves out and this
program does not. Where it is wrong, a test shows what a disk that was restored by it lacks, and
that ours does not.
"""

import re

import pytest

from file_systems import Map, no_map, sums, tool
from images import MIB
from test_fs import EXT, EXT_REFUSED, FAT, ext_make, fat_make, fat_read
from test_fs_trees import BTRFS, XFS, XFS_REFUSED, btrfs_make, xfs_db, xfs_make
from test_fs_windows import NTFS, exfat_make, ntfs_make

SECTOR = 512


def partclone(kind, *words, image, ok=(0,)):
    """Runs partclone.KIND on an image; it also wants a file for its log."""
    log = image.with_suffix(".log")
    return tool(f"partclone.{kind}", *words, "-s", image, "-L", log, ok=ok)


def partclone_used(kind, image):
    """A byte for each sector: whether partclone takes it for used, by its map for ddrescue."""
    domain = image.with_suffix(".domain")
    domain.unlink(missing_ok=True)
    partclone(kind, "-D", "-o", domain, image=image)
    used = bytearray(image.stat().st_size // SECTOR)
    lines = [line.split() for line in domain.read_text().splitlines() if line[0] != "#"]
    for start, length, state in lines[1:]:
        if state == "+":
            first, n = int(start, 16) // SECTOR, int(length, 16) // SECTOR
            used[first : first + n] = b"\1" * n
    return used


def our_unused(image):
    found = Map(image)
    assert found.reason is None, found.reason
    unused = bytearray(image.stat().st_size // SECTOR)
    for offset, length in found.extents:
        unused[offset // SECTOR : (offset + length) // SECTOR] = b"\1" * (length // SECTOR)
    return unused


def left_out_by_partclone_alone(kind, image):
    """The sectors of that; none is left out by this program alone."""
    theirs, ours = partclone_used(kind, image), our_unused(image)
    assert not any(used and unused for used, unused in zip(theirs, ours))
    return [i for i in range(len(ours)) if not theirs[i] and not ours[i]]


def assert_tail(sectors, n_all, most_bytes):
    """They are the last ones of the image, and fewer than a cluster has."""
    assert len(sectors) * SECTOR < most_bytes
    assert sectors == list(range(n_all - len(sectors), n_all))


def packed(kind, image):
    """What partclone makes of an image, without an error."""
    made = image.with_suffix(".pcl")
    made.unlink(missing_ok=True)
    partclone(kind, "-c", "-o", made, image=image)
    return made


def restored(kind, image):
    """The same, written to a disk full of old data."""
    target = image.with_suffix(".target")
    target.write_bytes(b"\xa5" * image.stat().st_size)
    partclone("restore", "-C", "-O", target, image=packed(kind, image))
    return target


def ours(image):
    """The same by the map of this program."""
    target = image.with_suffix(".ours")
    tool("cp", "--sparse=always", image, target)
    assert Map(target, "poison").reason is None
    return target


# ---- Where partclone is right -------------------------------------------------------------------

# it knows nothing of clusters of several blocks: test_bigalloc
SAME_EXT = {name: options for name, options in EXT.items() if "bigalloc" not in name}


@pytest.mark.parametrize("options", SAME_EXT.values(), ids=SAME_EXT.keys())
def test_ext(options, tree, tmp_path):
    image = ext_make(tmp_path / "image", 96 * MIB + 12345 * SECTOR, tree, *options)
    n_all = image.stat().st_size // SECTOR
    # of groups of 1 MiB, mke2fs leaves out a last one that is too small for their tables
    assert_tail(left_out_by_partclone_alone("extfs", image), n_all, 65536)


SAME_FAT = {name: options for name, options in FAT.items() if not name.startswith("12")}


@pytest.mark.parametrize("options", SAME_FAT.values(), ids=SAME_FAT.keys())
def test_fat(options, tree, tmp_path):
    image = fat_make(tmp_path / "image", options[0], tree, *options[1:])
    assert_tail(left_out_by_partclone_alone("fat", image), options[0] // SECTOR, 32768)


@pytest.mark.parametrize("options", NTFS.values(), ids=NTFS.keys())
def test_ntfs(options, tree, tmp_path):
    image = ntfs_make(tmp_path / "image", 256 * MIB + 4567 * SECTOR, tree, *options)
    sectors = left_out_by_partclone_alone("ntfs", image)
    assert_tail(sectors, image.stat().st_size // SECTOR, 131072)
    assert sectors != []  # the second boot sector: test_ntfs_second_boot_sector


def test_exfat(tmp_path):
    image = exfat_make(tmp_path / "image", 64 * MIB)
    assert left_out_by_partclone_alone("exfat", image) == []


@pytest.mark.parametrize("options", XFS.values(), ids=XFS.keys())
def test_xfs(options, tree, tmp_path):
    """Blocks that each group keeps for its own trees are free to partclone, and used here."""
    image = xfs_make(tmp_path / "image", 330 * MIB, tree, *options)
    groups = int(xfs_db(image, "sb 0", "p agcount").split()[2])
    kept = xfs_db(image, *(w for i in range(groups) for w in (f"agf {i}", "p flcount")))
    kept = sum(int(line.split()[2]) for line in kept.splitlines())
    block = int(xfs_db(image, "sb 0", "p blocksize").split()[2])
    sectors = left_out_by_partclone_alone("xfs", image)
    assert len(sectors) == kept * block // SECTOR > 0


@pytest.mark.parametrize("options", BTRFS.values(), ids=BTRFS.keys())
def test_btrfs(options, tree, tmp_path):
    """Its map is finer, but lacks some of what is in use: test_btrfs_second_copy."""
    image = btrfs_make(tmp_path / "image", 400 * MIB, tree, *options)
    assert len(left_out_by_partclone_alone("btrfs", image)) > 10 * MIB // SECTOR


# ---- Where it is wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["12", "12-32k"])
def test_fat12_loses_files(name, tree, tmp_path):
    """It takes entries of 12 bits for others: files are old data, and it says nothing."""
    image = fat_make(tmp_path / "image", FAT[name][0], tree, *FAT[name][1:])
    fat_read(image, tmp_path / "before")
    fat_read(restored("fat", image), tmp_path / "theirs")
    fat_read(ours(image), tmp_path / "ours")
    before = sums(tmp_path / "before")
    assert sums(tmp_path / "ours") == before
    theirs = sums(tmp_path / "theirs")
    assert sum(theirs.get(name) != before[name] for name in before) > 10


def test_bigalloc(tree, tmp_path):
    """It cannot copy this at all."""
    image = ext_make(tmp_path / "image", 96 * MIB, tree, *EXT["bigalloc"])
    said = partclone("extfs", "-D", "-o", tmp_path / "domain", image=image, ok=(1,))
    assert "bitmap error" in said
    assert Map(image).unused > 40 * MIB


def test_ntfs_second_boot_sector(tree, tmp_path):
    image = ntfs_make(tmp_path / "image", 64 * MIB, tree)
    line = "alternate boot sector... "
    assert f"{line}BAD" in tool("ntfsfix", "-n", restored("ntfs", image), ok=(0, 1))
    assert f"{line}OK" in tool("ntfsfix", "-n", ours(image))


@pytest.mark.parametrize("change", ["recover", "journal"])
def test_ext_with_a_journal(change, tree, tmp_path):
    """A journal that is not yet replayed: the tables may not be those of the newest files."""
    image = ext_make(tmp_path / "image", 64 * MIB, tree, "-t", "ext4")
    EXT_REFUSED[change][0](image)
    packed("extfs", image)
    no_map(image, "unmounted")


def test_xfs_with_a_log(tree, tmp_path):
    image = xfs_make(tmp_path / "image", 300 * MIB, tree)
    XFS_REFUSED["dirty-log"][0](image)
    packed("xfs", image)
    no_map(image, "unmounted")


@pytest.mark.parametrize("change", ["block-crc", "order", "freeblks"])
def test_xfs_with_damaged_tables(change, tree, tmp_path):
    image = xfs_make(tmp_path / "image", 300 * MIB, tree)
    XFS_REFUSED[change][0](image)
    packed("xfs", image)
    no_map(image)


def duplicates(image):
    """The chunks that are stored twice, as (place, place, length) in bytes."""
    printed = tool("btrfs", "inspect-internal", "dump-tree", "-t", "chunk", image)
    return [
        tuple(map(int, (first, second, length)))
        for length, first, second in re.findall(
            r"length (\d+) owner \d+ stripe_len \d+ type \w+\|DUP\s.*?"
            r"stripe 0 devid 1 offset (\d+)\s.*?stripe 1 devid 1 offset (\d+)",
            printed,
            re.DOTALL,
        )
    ]


def lost_copies(image, copy):
    """How many blocks that a file system has twice are not alike in a copy of it."""
    before, after = image.read_bytes(), copy.read_bytes()
    lost = 0
    for first, second, length in duplicates(image):
        for at in range(0, length, 4096):
            a, b = slice(first + at, first + at + 4096), slice(second + at, second + at + 4096)
            twice = before[a] == before[b] != bytes(4096)
            lost += twice and after[a] != after[b]
    return lost


def test_btrfs_second_copy(tree, tmp_path):
    """Btrfs keeps metadata twice, in case that a block is damaged; it restores the first only."""
    image = btrfs_make(tmp_path / "image", 200 * MIB, tree)
    assert lost_copies(image, ours(image)) == 0
    assert lost_copies(image, restored("btrfs", image)) > 10
