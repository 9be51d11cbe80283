# SPDX-License-Identifier: BSD-2-Clause
"""`measure` beside qemu-img."""

import itertools
import random

import pytest

from images import MIB, make_encrypted, make_orphan, qemu_img, qemu_io, random_writes
from oracle import Result, EFI_IMG

STYLES = ("human", "json")


def assert_same(folder, *args, styles=STYLES):
    for style in styles:
        command = ["measure", f"--output={style}", *args]
        ours, theirs = Result([EFI_IMG, *command], folder), Result(["qemu-img", *command], folder)
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
        assert (ours.err != "") == (theirs.err != "")


SIZES = ["0", "1", "513", "65536", "65537", "100M", "1000000000", "512G", "64T"]
TARGETS = [
    "",
    "cluster_size=512",
    "cluster_size=4k",
    "cluster_size=2M",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k",
    "refcount_bits=1",
    "refcount_bits=64",
    "refcount_bits=64,cluster_size=512",
    "compat=0.10",
    "compression_type=zstd",
    "data_file=d",
    "lazy_refcounts=on",
    "preallocation=metadata",
    "preallocation=falloc",
    "preallocation=full",
    "preallocation=full,cluster_size=512",
    "backing_file=b",
    "backing_file=b,backing_fmt=raw,preallocation=full",
    "size=3G",
    "size=3G,cluster_size=4k",
]


@pytest.mark.parametrize("target", TARGETS)
def test_empty_disk(tmp_path, target):
    options = ("-o", target) if target else ()
    for size in SIZES:
        assert_same(tmp_path, "-O", "qcow2", *options, "--size", size, styles=["human"])
    assert_same(tmp_path, "-O", "qcow2", *options, "--size", "1G", styles=["json"])


@pytest.mark.parametrize("size", ["0", "1", "512", "1000", "64T", "7E", "9223372036854775807"])
@pytest.mark.parametrize(
    "options", [(), ("-O", "raw"), ("-o", "preallocation=full"), ("-o", "size=1G")]
)
def test_empty_raw(tmp_path, size, options):
    assert_same(tmp_path, *options, "--size", size, styles=["human"])


@pytest.mark.parametrize("cluster", [512, 4096, 65536, 2 * MIB])
def test_limits(tmp_path, cluster):
    """The largest L1 table there can be, and a byte more."""
    most = 2**22 * (cluster // 8) * cluster
    for size in (most - 1, most, most + 1):
        if size < 2**62:
            assert_same(
                tmp_path,
                "-O",
                "qcow2",
                "-o",
                f"cluster_size={cluster}",
                "--size",
                str(size),
                styles=["human"],
            )
    assert_same(
        tmp_path, "-O", "qcow2", "-o", f"cluster_size={cluster}", "--size", "7E", styles=["human"]
    )


SOURCE_TARGETS = [
    (),
    ("-O", "raw"),
    ("-O", "qcow2"),
    ("-O", "qcow2", "-o", "cluster_size=512"),
    ("-O", "qcow2", "-o", "cluster_size=2M"),
    ("-O", "qcow2", "-o", "extended_l2=on,cluster_size=32k"),
    ("-O", "qcow2", "-o", "compat=0.10"),
    ("-O", "qcow2", "-o", "preallocation=falloc"),
    ("-O", "qcow2", "-o", "preallocation=metadata"),
    ("-O", "qcow2", "-o", "backing_file=b,backing_fmt=raw"),
    ("-O", "qcow2", "-o", "cluster_size=8k", "-o", "size=1G"),
]


@pytest.mark.parametrize(
    "layout",
    ["", "cluster_size=4k", "cluster_size=2M", "extended_l2=on", "compat=0.10", "data_file=d"],
)
@pytest.mark.parametrize("seed", range(2))
def test_image(tmp_path, layout, seed):
    size = 16 * MIB + 512
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        *(["-o", layout] if layout else []),
        "a.qcow2",
        str(size),
    )
    qemu_io(tmp_path, "a.qcow2", *random_writes(seed, size, layout == ""))
    qemu_img(tmp_path, "convert", "-O", "raw", "a.qcow2", "a.raw")
    for target in SOURCE_TARGETS:
        assert_same(tmp_path, *target, "a.qcow2", styles=["human"])
        assert_same(tmp_path, *target, "-f", "raw", "a.raw", styles=["json"])


@pytest.mark.parametrize("bytes", [0, 1, 512, 700, 65536, 65537])
def test_small_raw(tmp_path, bytes):
    (tmp_path / "a.raw").write_bytes(b"x" * bytes)
    for target in SOURCE_TARGETS:
        assert_same(tmp_path, *target, "a.raw", styles=["human"])


@pytest.mark.parametrize("seed", range(3))
def test_chain(tmp_path, seed):
    dice = random.Random(seed)
    sizes = [dice.choice([5, 8, 12]) * MIB for _ in range(3)]
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "a.raw", str(sizes[0]))
    qemu_io(tmp_path, "a.raw", "write -P 1 65536 1M", options=("-f", "raw"))
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "a.raw",
        "-F",
        "raw",
        "b.qcow2",
        str(sizes[1]),
    )
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "b.qcow2",
        "-F",
        "qcow2",
        "-o",
        "cluster_size=4k",
        "c.qcow2",
        str(sizes[2]),
    )
    qemu_io(tmp_path, "b.qcow2", *random_writes(seed, sizes[1], False, freed=False))
    qemu_io(tmp_path, "c.qcow2", *random_writes(seed + 100, sizes[2], False, freed=False))
    for name, target in itertools.product(("b.qcow2", "c.qcow2"), SOURCE_TARGETS):
        assert_same(tmp_path, *target, name, styles=["human"])


@pytest.mark.parametrize("size", [512, 3 * MIB, 100 << 30])
def test_bitmaps(tmp_path, size):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", str(size))
    qemu_img(
        tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "overlay.qcow2"
    )
    for name, granularity in (
        ("a", 512 if size < 1 << 30 else 65536),
        ("a long name that goes on and on", 65536),
        ("c" * 900, 1 << 30),
    ):
        qemu_img(tmp_path, "bitmap", "--add", "-g", str(granularity), "a.qcow2", name)
        for options in (
            (),
            ("-o", "cluster_size=512"),
            ("-o", "cluster_size=2M"),
            ("-o", "compat=0.10"),
        ):
            assert_same(tmp_path, "-O", "qcow2", *options, "a.qcow2")
    assert_same(tmp_path, "-O", "qcow2", "overlay.qcow2")
    image = bytearray((tmp_path / "a.qcow2").read_bytes())
    at = image.index(b"a long name that goes on and on") - 24
    image[at + 15] |= 1  # in use
    (tmp_path / "a.qcow2").write_bytes(image)
    assert_same(tmp_path, "-O", "qcow2", "a.qcow2")


REFUSED = [
    (),
    ("none",),
    ("a.qcow2", "a.qcow2"),
    ("--size", "1G", "a.qcow2"),
    ("--size", "x"),
    ("--size", "-1"),
    ("-f", "raw", "--size", "1G"),
    ("-O", "foo", "--size", "1G"),
    ("-f", "foo", "a.qcow2"),
    ("-f", "qcow2", "a.raw"),
    ("--output=xml", "a.qcow2"),
    ("-o", "help", "--size", "1G"),
    ("-o", "foo=1", "--size", "1G"),
    ("-o", "cluster_size=4k", "a.qcow2"),
    ("-O", "qcow2", "-o", "cluster_size=3000", "a.qcow2"),
    ("-O", "qcow2", "-o", "cluster_size=4M", "--size", "1G"),
    ("-O", "qcow2", "-o", "refcount_bits=3", "a.qcow2"),
    ("-O", "qcow2", "-o", "refcount_bits=8,compat=0.10", "a.qcow2"),
    ("-O", "qcow2", "-o", "preallocation=foo", "a.qcow2"),
    ("-O", "qcow2", "-o", "", "a.qcow2"),
    ("-O", "qcow2", "-o", "extended_l2=on,cluster_size=4k", "a.qcow2"),
    ("orphan.qcow2",),
    ("aes.qcow2",),
    ("-o", "size=1G"),
    ("-O", "qcow2", "-l", "none", "a.qcow2"),
    ("-O", "qcow2", "bad.qcow2"),
]


@pytest.mark.parametrize("args", REFUSED)
def test_refused(tmp_path, args):
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "a.raw", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M")
    make_orphan(tmp_path, "orphan.qcow2")
    make_encrypted(tmp_path, "aes.qcow2")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "bad.qcow2", "1M")
    qemu_io(tmp_path, "bad.qcow2", "write -P 1 0 64k")
    image = bytearray((tmp_path / "bad.qcow2").read_bytes())
    image[4 * 65536 + 6] |= 2  # a host offset that is not that of a cluster
    (tmp_path / "bad.qcow2").write_bytes(image)
    assert_same(tmp_path, *args)
    assert Result([EFI_IMG, "measure", *args], tmp_path).code == 1


@pytest.mark.parametrize(
    "options",
    ["compat=0.10,extended_l2=on", "compat=0.10,compression_type=zstd", "data_file_raw=on"],
)
def test_no_such_image(tmp_path, options):
    """What `create` refuses has no size; qemu-img measures it all the same."""
    args = ("-O", "qcow2", "-o", options, "--size", "1G")
    assert Result([EFI_IMG, "measure", *args], tmp_path).code == 1
    assert Result([EFI_IMG, "create", "-f", *args[1:4], "a.qcow2", "1G"], tmp_path).code == 1


@pytest.mark.parametrize(
    "target", ["", "cluster_size=4k", "preallocation=full", "extended_l2=on,cluster_size=16k"]
)
def test_true(tmp_path, target):
    """
    A converted image is as large as it was said to be, or smaller by tables that
    are not needed yet.
    """
    options = ["-o", target] if target else []
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", "8M")
    qemu_io(tmp_path, "a.qcow2", "write -P 1 1M 1M", "write -P 2 7M 100k")
    said = Result(
        [EFI_IMG, "measure", "--output=json", "-O", "qcow2", *options, "a.qcow2"], tmp_path
    ).json()
    qemu_img(tmp_path, "convert", "-O", "qcow2", *options, "a.qcow2", "b.qcow2")
    assert (
        said["required"] * 0.8
        <= (tmp_path / "b.qcow2").stat().st_size
        <= said["required"]
        <= said["fully-allocated"]
    )
