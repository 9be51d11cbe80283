# SPDX-License-Identifier: BSD-2-Clause
"""
The output of qemu-img 10, which a build with QEMU_IMG_VERSION=1000 has (core/base/qemu_img.h), byte
for byte beside that program: build/qemu-img-10/qemu-img (scripts/fetch-qemu-img). All else is the
same in both builds, and compared in the other tests.
"""

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import ROOT, Result

EFI_IMG_10 = ROOT / "build" / "host-10" / "efi-img"
QEMU_IMG_10 = ROOT / "build" / "qemu-img-10" / "qemu-img"

pytestmark = pytest.mark.skipif(not QEMU_IMG_10.exists(), reason="there is no qemu-img 10 here")


def assert_same_output(folder, *args, code=0):
    ours, theirs = (Result([tool, *args], folder) for tool in (EFI_IMG_10, QEMU_IMG_10))
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    assert ours.code == code


def describe(folder, name):
    for style in ("human", "json"):
        for more in ((), ("--backing-chain",)):
            assert_same_output(folder, "info", f"--output={style}", *more, name)
        assert_same_output(folder, "map", f"--output={style}", name)


IMAGES = {
    "default": (),
    "version 2": ("-o", "compat=0.10"),
    "extended": ("-o", "extended_l2=on"),
    "data file": ("-o", "data_file=data"),
    "preallocated": ("-o", "preallocation=metadata"),
}


@pytest.mark.parametrize("image", IMAGES)
def test_describe(tmp_path, image):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", *IMAGES[image], "a", "4M")
    qemu_io(tmp_path, "a", "write 100k 300k", "write -z 1M 200k")
    describe(tmp_path, "a")


def test_compressed(tmp_path):
    (tmp_path / "raw").write_bytes(b"compressible" * (MIB // 12) + bytes(MIB))
    qemu_img(tmp_path, "convert", "-c", "-O", "qcow2", "raw", "a")
    qemu_io(tmp_path, "a", "write 128k 64k")
    for style in ("info", "info --output=json", "map --output=json"):
        assert_same_output(tmp_path, *style.split(), "a")
    # the places of compressed clusters: neither has a column for them
    assert_same_output(tmp_path, "map", "a", code=1)


@pytest.mark.parametrize("size", [0, 512, 1000, 3 * MIB])
def test_raw(tmp_path, size):
    """The length of the file is that of its sectors."""
    (tmp_path / "a").write_bytes(b"x" * size)
    for style in ("info -f raw", "info -f raw --output=json", "map -f raw --output=json"):
        assert_same_output(tmp_path, *style.split(), "a")


def test_chain(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "base", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "middle")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "file:middle", "-F", "qcow2", "a", "2M")
    qemu_io(tmp_path, "base", "write 0 100k")
    qemu_io(tmp_path, "middle", "write 200k 100k")
    describe(tmp_path, "a")


def test_snapshots(tmp_path):
    """Names, clocks and counts that are wider than their columns, and a count that is not known."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    for name in ("one", "a name that is longer than its column", "three", "ä"):
        qemu_img(tmp_path, "snapshot", "-c", name, "a")
    bytes = bytearray((tmp_path / "a").read_bytes())
    at = int.from_bytes(bytes[64:72], "big")
    for clock, icount in ((0, 2**64 - 1), (123_456_789, 5), (400_000_000, 10**12)):
        bytes[at + 24 : at + 32] = (clock * 10**9 // 10).to_bytes(8, "big")
        extra = int.from_bytes(bytes[at + 36 : at + 40], "big")
        assert extra == 24
        bytes[at + 56 : at + 64] = icount.to_bytes(8, "big")
        sizes = [int.from_bytes(bytes[at + n : at + n + 2], "big") for n in (12, 14)]
        at += -(-(40 + extra + sum(sizes)) // 8) * 8
    (tmp_path / "a").write_bytes(bytes)
    assert_same_output(tmp_path, "snapshot", "-l", "a")
    describe(tmp_path, "a")


def test_bitmaps(tmp_path):
    """Copied as by that version, with what it refuses."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    qemu_img(tmp_path, "bitmap", "--add", "a", "one")
    qemu_img(tmp_path, "bitmap", "--add", "--disable", "-g", "128k", "a", "two")
    qemu_io(tmp_path, "a", "write 0 100k")
    for tool, name in ((EFI_IMG_10, "ours"), (QEMU_IMG_10, "theirs")):
        made = Result([tool, "convert", "--bitmaps", "-O", "qcow2", "a", name], tmp_path)
        assert made.code == 0, made.err
    infos = [Result([QEMU_IMG_10, "info", name], tmp_path).out for name in ("ours", "theirs")]
    described = [info[info.index("Format specific") : info.index("Child node")] for info in infos]
    assert described[0] == described[1] and "name: two" in described[1]
    describe(tmp_path, "ours")
    assert_same_output(tmp_path, "measure", "--output=json", "-O", "qcow2", "a")


@pytest.mark.parametrize(
    "options, code",
    [
        (("--output-format=qcow2",), 0),
        (("--target-is-zero",), 1),
        (("-n", "--target-is-zero", "-O", "qcow2"), 0),
    ],
)
def test_convert(tmp_path, options, code):
    (tmp_path / "a").write_bytes(b"data" * (MIB // 4) + bytes(MIB))
    for tool, name in ((EFI_IMG_10, "ours"), (QEMU_IMG_10, "theirs")):
        if "-n" in options:
            qemu_img(tmp_path, "create", "-q", "-f", "qcow2", name, "2M")
        made = Result([tool, "convert", "-f", "raw", *options, "a", name], tmp_path)
        assert made.code == code, made.err
    if code == 0:
        for name in ("ours", "theirs"):
            same = Result([QEMU_IMG_10, "compare", "-F", "qcow2", "a", name], tmp_path)
            assert same.code == 0, same.out
        maps = [Result([QEMU_IMG_10, "map", name], tmp_path).out for name in ("ours", "theirs")]
        assert maps[0].replace("ours", "theirs") == maps[1]


def test_default_is_7_2(tmp_path):
    """One constant says it; no option and no variable of the environment chooses."""
    (tmp_path / "a").write_bytes(bytes(MIB))
    older = Result([ROOT / "build" / "host" / "efi-img", "info", "-f", "raw", "a"], tmp_path)
    newer = Result([EFI_IMG_10, "info", "-f", "raw", "a"], tmp_path)
    assert newer.out.startswith(older.out) and "Child node" not in older.out
