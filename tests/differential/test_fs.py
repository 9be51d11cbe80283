# SPDX-License-Identifier: BSD-2-Clause
"""
Used and unused bytes of ext2, ext3, ext4, FAT and swap (core/fs/), against their own tools.

The overwrite test: a file system is made and filled without mounting it, some files are deleted,
and then every byte that the map calls unused becomes 0xA5. Its own checker must find no fault, and
every file must be as it was. What is dirty, damaged, cut off or has an unknown feature must have no
map, and a reason.
"""

import os
import re
import struct

import pytest

from file_systems import (
    Map,
    blank,
    cut,
    files_of,
    is_deleted,
    names,
    no_map,
    overwrite,
    poke,
    refused,
    tool,
)
from images import MIB

# ---- ext2, ext3, ext4 ---------------------------------------------------------------------------


def ext_make(image, n_bytes, tree, *options):
    blank(image, n_bytes)
    tool("mke2fs", "-q", "-F", "-L", "my disk", "-d", tree, *options, image)
    lines = "".join(f"rm {name}\n" for name in files_of(tree) if is_deleted(name))
    tool("debugfs", "-w", "-f", "-", image, input=lines)
    # debugfs leaves the counts of some groups for the checker
    tool("e2fsck", "-fy", image, ok=(0, 1))
    return image


def ext_check(image):
    tool("e2fsck", "-fn", image)


def ext_read(image, to):
    to.mkdir()
    tool("debugfs", "-R", f"rdump / {to}", image)


EXT = {
    "ext2": ("-t", "ext2"),
    "ext2-1k": ("-t", "ext2", "-b", "1024"),
    "ext2-revision-0": ("-t", "ext2", "-r", "0", "-O", "none"),
    "ext3": ("-t", "ext3"),
    "ext4": ("-t", "ext4"),
    "ext4-1k": ("-t", "ext4", "-b", "1024"),
    "ext4-64k": ("-t", "ext4", "-b", "65536"),
    "meta_bg": ("-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024"),
    "bigalloc": ("-t", "ext4", "-O", "bigalloc", "-C", "16384"),
    "bigalloc-1k": ("-t", "ext4", "-O", "bigalloc", "-b", "1024", "-C", "16384"),
    "uninit_bg": ("-t", "ext4", "-O", "^metadata_csum,uninit_bg", "-b", "1024"),
    "no-flex_bg": ("-t", "ext4", "-O", "^flex_bg", "-b", "1024"),
    "no-64bit": ("-t", "ext4", "-O", "^64bit"),
    "sparse_super2": ("-t", "ext4", "-O", "sparse_super2", "-b", "1024"),
    "no-sparse_super": ("-t", "ext4", "-O", "^sparse_super,^resize_inode", "-b", "1024"),
    "mmp": ("-t", "ext4", "-O", "mmp"),
    "csum_seed": ("-t", "ext4", "-O", "metadata_csum_seed"),
    "casefold": ("-t", "ext4", "-O", "casefold,encrypt,verity,project,quota,ea_inode,large_dir"),
    "inline_data": ("-t", "ext4", "-O", "inline_data", "-I", "256"),
    "orphan_file": ("-t", "ext4", "-O", "orphan_file,fast_commit"),
    "small-groups": ("-t", "ext4", "-b", "1024", "-g", "1024"),
}


@pytest.mark.parametrize("options", EXT.values(), ids=EXT.keys())
def test_ext(options, tree, tmp_path):
    image = ext_make(tmp_path / "image", 96 * MIB + 12345 * 512, tree, *options)
    found = overwrite(image, ext_check, ext_read, tmp_path, 40 * MIB)
    facts = dict(
        line.split(":", 1) for line in tool("dumpe2fs", "-h", image).splitlines() if ":" in line
    )
    size = int(facts["Block size"])
    assert found.type == ("ext4" if "ext4" in options else options[1])
    assert found.label == "my disk"
    assert names(image) == (found.label, found.uuid)
    assert found.size == str(int(facts["Block count"]) * size)
    assert found.used == str((int(facts["Block count"]) - int(facts["Free blocks"])) * size)
    # every block that is free is called so
    assert found.unused == int(facts["Free blocks"]) * size


EXT_REFUSED = {
    "recover": (lambda i: tool("debugfs", "-w", "-R", "feature needs_recovery", i), "unmounted"),
    "journal": (
        lambda i: tool("debugfs", "-w", "-f", "-", i, input="jo\njw -b 20000 /etc/passwd\njc\n"),
        "unmounted",
    ),
    "state-0": (lambda i: tool("debugfs", "-w", "-R", "ssv state 0", i), "unmounted"),
    "state-errors": (lambda i: tool("debugfs", "-w", "-R", "ssv state 3", i), "errors"),
    "state-orphans": (lambda i: tool("debugfs", "-w", "-R", "ssv state 5", i), "unmounted"),
    "incompat": (
        lambda i: tool("debugfs", "-w", "-R", "ssv feature_incompat 0x802c2", i),
        "features",
    ),
    "ro_compat": (lambda i: tool("debugfs", "-w", "-R", "feature FEATURE_R30", i), "features"),
    "super": (lambda i: poke(i, 1024 + 0x30, b"\x55"), "checksum of its superblock"),
    "free-count": (
        lambda i: tool("debugfs", "-w", "-R", "set_bg 1 free_blocks_count 7", i),
        "group",
    ),
    "cut": (cut, "larger"),
    "btrfs-too": (lambda i: poke(i, 0x10040, b"_BHRfS_M"), "signatures"),
    # ext4 was there before; the disk is a member of a RAID now
    "stale": (lambda i: poke(i, 4096, b"\xfc\x4e\x2b\xa9\1\0\0\0"), "signatures"),
    # newfs of FreeBSD writes nothing into the first 64 KiB
    "stale-UFS": (lambda i: poke(i, 0x1055C, b"\x19\1\x54\x19"), "signatures"),
    # ext4 was there before; a BSD has made slices in the partition now
    "disklabel": (lambda i: poke(i, 512, b"\x57\x45\x56\x82"), "signatures"),
    # ext4 was there before; the volume is the disk of a virtual machine now
    "MBR": (lambda i: poke(i, 446, mbr(2048, 4096)), "partition table as well"),
    "GPT": (lambda i: poke(i, 512, b"EFI PART"), "partition table as well"),
}


def mbr(first, n):
    """The end of an MBR with one partition."""
    return struct.pack("<B3xB3xII48xH", 0x80, 0x83, first, n, 0xAA55)


def test_ext_table_in_other_group(tree, tmp_path):
    """With flex_bg, group 0 has the inode table of group 1, and its bitmap calls a part unused."""
    image = ext_make(tmp_path / "image", 64 * MIB, tree, "-t", "ext4", "-b", "1024")
    assert Map(image).reason is None
    text = tool("dumpe2fs", image)
    group = text.split("Group 1:")[1]
    table = int(re.search("Inode table at ([0-9]+)-", group)[1])
    tool("debugfs", "-w", "-R", f"freeb {table + 3}", image)
    no_map(image, "bitmap, which calls tables unused, of its group 0")


# what a boot loader in the first sector may have there
NO_TABLE = {"empty": bytes(64) + b"\x55\xaa", "code": b"\x90" * 64 + b"\x55\xaa"}


@pytest.mark.parametrize("end", NO_TABLE.values(), ids=NO_TABLE.keys())
def test_ext_boot_loader(end, ext4, tmp_path):
    image = tmp_path / "image"
    tool("cp", "--sparse=always", ext4, image)
    poke(image, 446, end)
    assert Map(image).extents == Map(ext4).extents


@pytest.fixture(scope="session")
def ext4(tree, tmp_path_factory):
    return ext_make(tmp_path_factory.mktemp("ext") / "image", 64 * MIB, tree, "-t", "ext4")


@pytest.mark.parametrize("change, word", EXT_REFUSED.values(), ids=EXT_REFUSED.keys())
def test_ext_refused(change, word, ext4, tmp_path):
    found = refused(ext4, change, word, tmp_path)
    assert found.note in ("", found.reason)


@pytest.mark.parametrize(
    "at, version, level_at", [(1 << 16, 0, 28), (8192, 1, 72)], ids=["0.90", "1.0"]
)
def test_ext_in_raid(at, version, level_at, ext4, tmp_path):
    """Of a mirror, a member has all blocks at their places; of others, only the first ones."""
    image = tmp_path / "image"
    tool("cp", "--sparse=always", ext4, image)
    os.truncate(image, -(-os.path.getsize(image) // MIB) * MIB + MIB)
    at = os.path.getsize(image) - at
    poke(image, at, struct.pack("<II", 0xA92B4EFC, version))
    for level, word in ((1, None), (0, "Linux RAID"), (5, "Linux RAID"), (10, "Linux RAID")):
        poke(image, at + level_at, struct.pack("<i", level))
        assert (Map(image).reason is None) == (word is None)
        if word is not None:
            no_map(image, word)


def test_ext_external_journal(tree, tmp_path):
    journal = blank(tmp_path / "journal", 8 * MIB)
    tool("mke2fs", "-q", "-F", "-O", "journal_dev", "-b", "4096", journal)
    assert no_map(journal).type == "ext journal"


# ---- FAT ----------------------------------------------------------------------------------------


def fat_make(image, n_bytes, tree, *options):
    blank(image, n_bytes)
    tool("mkfs.fat", "-n", "MY DISK", *options, image)
    for top in sorted(tree.iterdir()):
        tool("mcopy", "-s", "-i", image, top, "::")
    tool("mdel", "-i", image, *(f"::{name}" for name in files_of(tree) if is_deleted(name)))
    return image


def fat_check(image):
    tool("fsck.vfat", "-n", image)


def fat_read(image, to):
    to.mkdir()
    tool("mcopy", "-s", "-n", "-i", image, "::*", to)


FAT = {
    "12": (16 * MIB, "-F", "12"),
    "12-32k": (40 * MIB + 1234 * 512, "-F", "12", "-s", "64"),
    "16": (64 * MIB, "-F", "16"),
    "32": (96 * MIB + 1234 * 512, "-F", "32"),
    "32-one": (96 * MIB, "-F", "32", "-f", "1"),
    "32-4k": (300 * MIB, "-F", "32", "-S", "4096", "-s", "1"),
}


@pytest.mark.parametrize("options", FAT.values(), ids=FAT.keys())
def test_fat(options, tree, tmp_path):
    image = fat_make(tmp_path / "image", options[0], tree, *options[1:])
    found = overwrite(image, fat_check, fat_read, tmp_path, 3 * MIB)
    assert (found.type, found.label) == (f"FAT{options[2]}", "MY DISK")
    assert names(image) == (found.label, found.uuid)
    # "FILES, USED/ALL clusters"
    used, all_clusters = map(
        int, tool("fsck.vfat", "-n", image).split(", ")[1].split()[0].split("/")
    )
    cluster = int(re.search("([0-9]+) bytes per cluster", tool("fsck.vfat", "-nv", image))[1])
    assert found.unused == (all_clusters - used) * cluster


FAT_REFUSED = {
    "dirty-16": ("16", lambda i: poke(i, 0x25, b"\1"), "unmounted"),
    "dirty-32": ("32", lambda i: poke(i, 0x41, b"\1"), "unmounted"),
    "free-count": ("32", lambda i: poke(i, 512 + 488, b"\0"), "free clusters"),
    "one-FAT": ("16", lambda i: poke(i, 4 * 512 + 100, b"\7\7"), "differ"),
    "cut": ("32", cut, "larger"),
}


@pytest.mark.parametrize("bits, change, word", FAT_REFUSED.values(), ids=FAT_REFUSED.keys())
def test_fat_refused(bits, change, word, tree, tmp_path):
    image = fat_make(tmp_path / "image", FAT[bits][0], tree, "-F", bits)
    assert Map(image).reason is None
    change(image)
    no_map(image, word)


@pytest.mark.parametrize(
    "guid",
    ["3bd66749292ed84a8399f6a339e3d001", "3b4da89280dd0e4d9e4eb1e3284eaed8"],
    ids=["all", "used-space"],
)
def test_bitlocker_to_go(guid, tree, tmp_path):
    """Its FAT32 is for Windows before 7, and knows nothing of what is encrypted."""
    image = fat_make(tmp_path / "image", FAT["32"][0], tree, "-F", "32")
    poke(image, 424, bytes.fromhex(guid))
    assert no_map(image, "encrypts").type == "BitLocker"


def test_fat_few_clusters(tmp_path):
    """mkfs.fat makes it, and warns; drivers differ in what it is."""
    image = blank(tmp_path / "image", 20 * MIB)
    tool("mkfs.fat", "-F", "32", image)
    no_map(image, "too few clusters")


# ---- Swap ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [4096, 8192, 65536])
def test_swap(page, tmp_path):
    image = blank(tmp_path / "image", 8 * MIB)
    tool("mkswap", "-L", "pages", "-p", page, image)
    found = Map(image, "poison")
    assert (found.type, found.label, found.unused) == ("Linux swap", "pages", 8 * MIB - 65536)
    assert names(image) == (found.label, found.uuid)
    poke(image, page - 10, b"S1SUSPEND\0")
    no_map(image, "hibernated: start it")


# ---- What hides its free space ------------------------------------------------------------------


def test_luks(tmp_path):
    image = blank(tmp_path / "image", 32 * MIB)
    poke(image, 0, b"LUKS\xba\xbe\0\2")
    assert no_map(image, "encrypts").type == "LUKS"


def test_unknown(tmp_path):
    assert no_map(blank(tmp_path / "image", 8 * MIB), "not known").type == ""
