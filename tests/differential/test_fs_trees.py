# SPDX-License-Identifier: BSD-2-Clause
"""
Used and unused bytes of XFS and Btrfs (core/fs/), against their own tools.

The overwrite test: a file system is made and filled without mounting it, some files are deleted,
and then every byte that the map calls unused becomes 0xA5. Its own checker must find no fault, and
every file must be as it was. What is dirty, damaged, cut off or has an unknown feature must have no
map, and a reason.
"""

import struct
from pathlib import Path

import pytest

from checksums import crc32c
from file_systems import blank, cut, names, overwrite, poke, refused, tool
from images import MIB

# ---- XFS ----------------------------------------------------------------------------------------


def proto_lines(top):
    """The files of a folder, as mkfs.xfs -p wants them."""
    for path in sorted(top.iterdir()):
        if path.is_dir():
            yield f"{path.name} d--755 0 0"
            yield from proto_lines(path)
            yield "$"
        else:
            yield f"{path.name} ---644 0 0 {path}"


def xfs_make(image, n_bytes, tree, *options):
    proto = "\n".join(["/x", "0 0", "d--755 0 0", *proto_lines(tree), "$", "$"])
    image.with_suffix(".proto").write_text(proto + "\n")
    blank(image, n_bytes)
    tool(
        "mkfs.xfs", "-q", "-f", "-L", "my disk", "-p", image.with_suffix(".proto"), *options, image
    )
    return image


def xfs_check(image):
    tool("xfs_repair", "-n", image)


def xfs_db(image, *commands):
    words = [word for command in commands for word in ("-c", command)]
    return tool("xfs_db", "-r", *words, image)


def xfs_read(image, to):
    """By the extents of each file, as xfs_db prints them."""
    to.mkdir()
    block, group, log = (
        int(xfs_db(image, "sb 0", f"p {field}").split()[2])
        for field in ("blocksize", "agblocks", "agblklog")
    )
    paths = dict(
        line.split(maxsplit=1)
        for line in xfs_db(image, "blockget -n", "ncheck").splitlines()
        if "/." not in line
    )
    commands = [(f"inode {inode}", "p core.size", "bmap") for inode in paths]
    printed = xfs_db(image, *(word for three in commands for word in three))
    files = printed.split("core.size = ")[1:]
    assert len(files) == len(paths)
    with open(image, "rb") as f:
        for path, lines in zip(paths.values(), files):
            size, *extents = lines.splitlines()
            contents = bytearray(int(size))
            for extent in extents:
                words = extent.split()  # data offset 0 startblock 12 (0/12) count 1 flag 0
                first, start, count = int(words[2]), int(words[4]), int(words[7])
                f.seek(((start >> log) * group + start % (1 << log)) * block)
                contents[first * block : (first + count) * block] = f.read(count * block)
            (to / Path(path).name).write_bytes(contents[: int(size)])


XFS = {
    "v5": (),
    "v5-1k": ("-b", "size=1024"),
    "v5-64k": ("-b", "size=65536"),
    "rmapbt": ("-m", "rmapbt=1,reflink=1,bigtime=1,inobtcount=1"),
    "plain-v5": ("-m", "rmapbt=0,reflink=0,finobt=0,bigtime=0,inobtcount=0"),
    "4k-sectors": ("-s", "size=4096"),
    "nrext64": ("-i", "nrext64=1"),
    "v4": ("-m", "crc=0"),
    "v4-512": ("-m", "crc=0", "-b", "size=512"),
    "many-groups": ("-d", "agcount=3"),
    "log-v1": ("-m", "crc=0", "-l", "version=1"),
    "not-lazy": ("-m", "crc=0", "-l", "lazy-count=0"),
}


@pytest.mark.parametrize("options", XFS.values(), ids=XFS.keys())
def test_xfs(options, tree, tmp_path):
    image = xfs_make(tmp_path / "image", 330 * MIB, tree, *options)
    found = overwrite(image, xfs_check, xfs_read, tmp_path, 200 * MIB)
    assert (found.type, found.label) == ("XFS", "my disk")
    assert names(image) == (found.label, found.uuid)
    groups = int(xfs_db(image, "sb 0", "p agcount").split()[2])
    free = xfs_db(image, *(w for i in range(groups) for w in (f"agf {i}", "p freeblks")))
    free = sum(int(line.split()[2]) for line in free.splitlines())
    assert found.unused == free * int(xfs_db(image, "sb 0", "p blocksize").split()[2])


@pytest.fixture(scope="session")
def xfs(tree, tmp_path_factory):
    return xfs_make(tmp_path_factory.mktemp("xfs") / "image", 300 * MIB, tree)


def xfs_log(image, sector, value):
    """Changes a byte in the first record of the log, which is the one of the unmount."""
    group, log, start, block = (
        int(xfs_db(image, "sb 0", f"p {field}").split()[2])
        for field in ("agblocks", "agblklog", "logstart", "blocksize")
    )
    at = ((start >> log) * group + start % (1 << log)) * block
    poke(image, at + sector, value)


def xfs_agf(image):
    """The second AGF."""
    group, block, sector = (
        int(xfs_db(image, "sb 0", f"p {field}").split()[2])
        for field in ("agblocks", "blocksize", "sectsize")
    )
    return group * block + sector, group * block + block * int(
        xfs_db(image, "agf 1", "p bnoroot").split()[2]
    )


def xfs_seal(image, offset, value, base=0, length=512, crc=0xE0):
    """Changes a superblock, AGF or block of a tree, and makes its checksum right."""
    poke(image, base + offset, value)
    with open(image, "rb") as f:
        f.seek(base)
        contents = bytearray(f.read(length))
    contents[crc : crc + 4] = bytes(4)
    poke(image, base + crc, struct.pack("<I", crc32c(contents)))


def xfs_seal_agf(image, offset, value):
    xfs_seal(image, offset, value, xfs_agf(image)[0], 512, 0xD8)


def xfs_seal_block(image, offset, value):
    xfs_seal(image, offset, value, xfs_agf(image)[1], 4096, 0x34)


XFS_REFUSED = {
    # the record was written in part: what is there was an older one's
    "log-cycle": (lambda i: xfs_log(i, 512, b"\x77"), "log is damaged"),
    "dirty-log": (lambda i: xfs_log(i, 512 + 9, b"\0"), "unmounted"),
    "two-operations": (lambda i: xfs_log(i, 0x2B, b"\2"), "unmounted"),
    "no-log": (lambda i: xfs_log(i, 0, bytes(4)), "damaged"),
    "log-elsewhere": (lambda i: xfs_log(i, 0x17, b"\5"), "damaged"),
    "log-of-another": (lambda i: xfs_log(i, 0x130, b"\0\0"), "damaged"),
    "version": (lambda i: poke(i, 0x65, b"\xb6"), "features"),
    "incompat": (lambda i: xfs_seal(i, 0xDA, b"\4"), "features"),
    "repair": (lambda i: xfs_seal(i, 0xDB, b"\x1b"), "repaired"),
    "ro_compat": (lambda i: xfs_seal(i, 0xD7, b"\x1d"), "features"),
    "log_incompat": (lambda i: xfs_seal(i, 0xDF, b"\1"), "unmounted"),
    "inprogress": (lambda i: xfs_seal(i, 0x7E, b"\1"), "repaired"),
    "realtime": (lambda i: xfs_seal(i, 0x1F, b"\5"), "realtime"),
    "log-device": (lambda i: xfs_seal(i, 0x30, bytes(8)), "another device"),
    "fdblocks": (lambda i: xfs_seal(i, 0x97, b"\5"), "free blocks, and has"),
    "freeblks": (lambda i: xfs_seal_agf(i, 0x37, b"\5"), "free blocks, and has"),
    "length": (lambda i: xfs_seal_agf(i, 0xF, b"\5"), "damaged"),
    "levels": (lambda i: xfs_seal_agf(i, 0x1F, b"\2"), "damaged"),
    "record": (lambda i: xfs_seal_block(i, 56 + 7, b"\x77"), "damaged"),
    "order": (lambda i: xfs_seal_block(i, 56 + 2, b"\x70"), "damaged"),
    "header-free": (lambda i: xfs_seal_block(i, 56, bytes(4)), "damaged"),
    "sibling's-place": (lambda i: xfs_seal_block(i, 0x16, b"\x77"), "damaged"),
    "super-crc": (lambda i: poke(i, 0x6C, b"x"), "checksum"),
    "agf-crc": (lambda i: poke(i, xfs_agf(i)[0] + 0x60, b"x"), "damaged"),
    "block-crc": (lambda i: poke(i, xfs_agf(i)[1] + 0x70, b"x"), "damaged"),
    "cut": (cut, "larger"),
}


@pytest.mark.parametrize("change, word", XFS_REFUSED.values(), ids=XFS_REFUSED.keys())
def test_xfs_refused(change, word, xfs, tmp_path):
    refused(xfs, change, word, tmp_path)


# ---- Btrfs --------------------------------------------------------------------------------------


def btrfs_make(image, n_bytes, tree, *options):
    tool("mkfs.btrfs", "-q", "-L", "my disk", "--rootdir", tree, *options, blank(image, n_bytes))
    return image


def btrfs_check(image):
    tool("btrfs", "check", "--readonly", "--check-data-csum", image)


def btrfs_read(image, to):
    to.mkdir()
    tool("btrfs", "restore", image, to)


BTRFS = {
    "default": (),
    "single": ("-m", "single"),
    "mixed": ("--mixed", "-n", "4096"),
    "nodes-64k": ("-n", "65536"),
    "old": ("-O", "^no-holes,^skinny-metadata,^extref", "-R", "^free-space-tree"),
}


@pytest.mark.parametrize("options", BTRFS.values(), ids=BTRFS.keys())
def test_btrfs(options, tree, tmp_path):
    image = btrfs_make(tmp_path / "image", 400 * MIB, tree, *options)
    found = overwrite(image, btrfs_check, btrfs_read, tmp_path, 20 * MIB)
    assert (found.type, found.label) == ("Btrfs", "my disk")
    assert names(image) == (found.label, found.uuid)


@pytest.fixture(scope="session")
def btrfs(tree, tmp_path_factory):
    return btrfs_make(tmp_path_factory.mktemp("btrfs") / "image", 300 * MIB, tree)


def btrfs_seal(image, offset, value):
    """Changes the superblock, and makes its checksum right."""
    poke(image, 0x10000 + offset, value)
    with open(image, "rb") as f:
        f.seek(0x10020)
        poke(image, 0x10000, struct.pack("<I", crc32c(f.read(4096 - 32))))


BTRFS_REFUSED = {
    "csum": (lambda i: poke(i, 0x10000 + 0x12B, b"x"), "superblock is damaged"),
    "incompat": (lambda i: btrfs_seal(i, 0xBC + 2, b"\2"), "features"),
    "raid56": (lambda i: btrfs_seal(i, 0xBC, b"\xc1"), "features"),
    "compat_ro": (lambda i: btrfs_seal(i, 0xB4, b"\x13"), "features"),
    "seeding": (lambda i: btrfs_seal(i, 0x38 + 4, b"\1"), "features"),
    "sha256": (lambda i: btrfs_seal(i, 0xC4, b"\2"), "checksums"),
    "two-devices": (lambda i: btrfs_seal(i, 0x88, b"\2"), "device"),
    "generation": (lambda i: btrfs_seal(i, 0xA4, b"\x77"), "chunk tree is damaged"),
    "allocated": (lambda i: btrfs_seal(i, 0xD9 + 2, b"\x77"), "chunk tree is damaged"),
    "device-id": (lambda i: btrfs_seal(i, 0xC9, b"\2"), "chunk tree is damaged"),
    "device-uuid": (lambda i: btrfs_seal(i, 0xC9 + 66, b"\2"), "chunk tree is damaged"),
    "array": (lambda i: btrfs_seal(i, 0xA0, b"\0\0"), "chunk tree is damaged"),
    "cut": (cut, "larger"),
}


@pytest.mark.parametrize("change, word", BTRFS_REFUSED.values(), ids=BTRFS_REFUSED.keys())
def test_btrfs_refused(change, word, btrfs, tmp_path):
    refused(btrfs, change, word, tmp_path)
