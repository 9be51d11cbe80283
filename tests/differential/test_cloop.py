# SPDX-License-Identifier: BSD-2-Clause
"""
cloop: images of create_compressed_fs and of a writer of ours, which qemu-img and
extract_compressed_fs read as well. Those two are in cloop-utils, which Debian 13 does not have.
"""

import shutil
import struct
import zlib

import pytest

import readonly
import samples
from oracle import EFI_IMG, Result, assert_info_as_qemu, both
from test_memory import BOUND, BUFFERS, run_within

needs_cloop_utils = pytest.mark.skipif(
    not shutil.which("extract_compressed_fs"), reason="this release has no cloop-utils"
)

KINDS = [  # bytes of a block, sectors of the disk, level of zlib
    (512, 300, 9),
    (4096, 1000, 1),
    (65536, 5003, 6),
    (66048, 5003, 9),
    (2 << 20, 20000, 3),
    (3 << 20, 20000, 1),
    (64 << 20, 150000, 1),
]


def assert_reads_as_qemu(folder):
    """x has the contents of the file flat, and is described as by qemu-img."""
    assert_info_as_qemu(folder, "x")
    for program in ("qemu-img", EFI_IMG):
        made = Result([program, "convert", "-O", "raw", "x", "t"], folder)
        assert made.code == 0, made.err
        assert (folder / "t").read_bytes() == (folder / "flat").read_bytes()
        (folder / "t").unlink()
    for args in (
        ["map", "--output=json", "x"],
        ["compare", "-f", "cloop", "-F", "raw", "x", "flat"],
        ["measure", "-O", "qcow2", "x"],
    ):
        ours, theirs = both(folder, *args)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 0
    ours, theirs = both(folder, "map", "x")
    assert ours.code == theirs.code == 1
    a, b = (Result([EFI_IMG, "hash", name], folder).out.split()[0] for name in ("x", "flat"))
    assert a == b
    check = Result([EFI_IMG, "check", "x"], folder)
    assert check.code == 0 and "No errors were found" in check.out


@pytest.mark.parametrize("block, sectors, level", KINDS)
def test_contents(tmp_path, block, sectors, level):
    contents = readonly.disk(block, sectors)
    (tmp_path / "x").write_bytes(readonly.cloop(contents, block, level))
    (tmp_path / "flat").write_bytes(contents + bytes(-len(contents) % block))
    assert_reads_as_qemu(tmp_path)


@needs_cloop_utils
@pytest.mark.parametrize("block", ["16384", "65536", "131072"])
def test_create_compressed_fs(tmp_path, block):
    # extract_compressed_fs ends with SIGFPE where blocks have 512 KiB or more.
    contents = readonly.disk(7, 9000)
    (tmp_path / "disk").write_bytes(contents)
    made = Result(
        ["create_compressed_fs", "-q", "-B", block, "-L", "6", "disk", "x"],
        tmp_path,
    )
    assert made.code == 0, made.err
    unpacked = Result(["extract_compressed_fs", "x", "flat"], tmp_path)
    assert unpacked.code == 0, unpacked.err
    size = len(contents) + -len(contents) % int(block)
    with open(tmp_path / "flat", "r+b") as flat:
        flat.truncate(size)
    assert (tmp_path / "flat").read_bytes() == contents.ljust(size, b"\0")
    assert_reads_as_qemu(tmp_path)


@needs_cloop_utils
def test_extract_compressed_fs_agrees_on_our_writer(tmp_path):
    contents = readonly.disk(8, 4096)
    (tmp_path / "x").write_bytes(readonly.cloop(contents, 65536))
    unpacked = Result(["extract_compressed_fs", "x", "flat"], tmp_path)
    assert unpacked.code == 0 and (tmp_path / "flat").read_bytes() == contents


def test_sample(tmp_path):
    """The first sector of each 64 KiB has the number of these."""
    samples.unpack("simple-pattern.cloop", tmp_path).rename(tmp_path / "x")
    blocks = [(bytes([i]) * 512).ljust(64 << 10, b"\0") for i in range(16)]
    (tmp_path / "flat").write_bytes(b"".join(blocks))
    assert_reads_as_qemu(tmp_path)


def test_damaged_block(tmp_path):
    """What cannot be decompressed is found by check, fails a copy, and is left out by a rescue."""
    contents = readonly.disk(9, 4096)
    image = bytearray(readonly.cloop(contents, 65536))
    first, second = struct.unpack_from(">QQ", image, 136 + 8 * 5)
    image[(first + second) // 2] ^= 0x40
    (tmp_path / "x").write_bytes(image)
    ours, theirs = both(tmp_path, "convert", "-O", "raw", "x", "t")
    assert ours.code == theirs.code == 1
    check = Result([EFI_IMG, "check", "x"], tmp_path)
    assert check.code == 2 and "corrupt: block 5 at" in check.err
    saved = Result([EFI_IMG, "convert", "--salvage", "-O", "raw", "x", "u"], tmp_path)
    assert saved.code == 10
    expected = contents[: 5 * 65536] + bytes(65536) + contents[6 * 65536 :]
    assert (tmp_path / "u").read_bytes() == expected


def test_table_of_gigabytes(tmp_path):
    """1 PiB in blocks of 4 MiB: the table is read as it is needed, in bounded memory."""
    n, block = 1 << 28, 4 << 20
    packed = zlib.compress(b"\x5a" * block)
    at = 136 + 8 * (n + 1)
    with open(tmp_path / "x", "wb") as out:
        out.write(readonly.CLOOP_SCRIPT.ljust(128, b"\0") + struct.pack(">IIQ", block, n, at))
        out.seek(136 + 8 * (n - 1))
        out.write(struct.pack(">QQ", at, at + len(packed)) + packed)
    last = str((n - 1) * block)
    for command in (
        ["info", "x"],
        ["map", "--output=json", "-s", last, "x"],
        ["dd", "bs=4M", f"skip={n - 1}", "-O", "raw", "if=x", "of=t"],
    ):
        assert run_within(tmp_path, BOUND + BUFFERS, *command) == (0, ""), command
    assert (tmp_path / "t").read_bytes() == b"\x5a" * block
    (tmp_path / "t").unlink()


def test_what_cannot_be_done(tmp_path):
    samples.unpack("simple-pattern.cloop", tmp_path).rename(tmp_path / "x")
    for args in (
        ["create", "-f", "cloop", "t", "1M"],
        ["convert", "-O", "cloop", "x", "t"],
        ["resize", "-f", "cloop", "x", "2M"],
        ["snapshot", "-c", "s", "x"],
    ):
        ours, theirs = both(tmp_path, *args)
        assert ours.code == theirs.code == 1, ours.err + theirs.err
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
