# SPDX-License-Identifier: BSD-2-Clause
"""`convert` beside qemu-img: what efi-img writes is the same disk, and a sound image."""

import os
import random

import pytest

from images import MIB, make_encrypted, qemu_img, qemu_io, random_writes
from oracle import Result, EFI_IMG, progress

SIZE = 12 * MIB
TARGETS = [
    ("raw", ""),
    ("qcow2", ""),
    ("qcow2", "cluster_size=512"),
    ("qcow2", "cluster_size=4k,refcount_bits=1"),
    ("qcow2", "cluster_size=2M"),
    ("qcow2", "extended_l2=on"),
    ("qcow2", "extended_l2=on,cluster_size=16k,refcount_bits=64"),
    ("qcow2", "compat=0.10"),
    ("qcow2", "data_file=d"),
    ("qcow2", "data_file=d,data_file_raw=on"),
    ("qcow2", "lazy_refcounts=on"),
    ("qcow2", "preallocation=metadata"),
    ("qcow2", "preallocation=full,cluster_size=512,refcount_bits=2"),
    ("raw", "preallocation=full"),
]


def efi_img(folder, *args):
    return Result([EFI_IMG, *args], folder)


def assert_converted(folder, source, target, format, *args, source_args=()):
    """Converts, and has qemu-img compare and check the result."""
    ours = efi_img(folder, "convert", "-O", format, *args, source, target)
    assert (ours.code, ours.out, ours.err) == (0, "", ""), ours.err
    same = Result(["qemu-img", "compare", *source_args, "-F", format, source, target], folder)
    assert same.code == 0, same.out + same.err
    if format != "raw":
        check = Result(["qemu-img", "check", target], folder)
        assert check.code == 0 and check.err == "", check.out + check.err


@pytest.fixture(params=range(2))
def source(tmp_path, request):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "s.qcow2", str(SIZE))
    qemu_io(tmp_path, "s.qcow2", *random_writes(request.param, SIZE, compressed=True))
    return tmp_path


@pytest.mark.parametrize("format, options", TARGETS)
def test_targets(source, format, options):
    assert_converted(source, "s.qcow2", "t", format, *(["-o", options] if options else []))


@pytest.mark.parametrize(
    "options",
    [
        "",
        "compression_type=zstd",
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=1",
        "cluster_size=2M",
        "extended_l2=on",
        "compat=0.10",
        "refcount_bits=64,cluster_size=8k",
    ],
)
def test_compressed(tmp_path, options):
    """Data that gets smaller, data that does not, and a last cluster that is cut short."""
    dice = random.Random(1)
    with open(tmp_path / "s.raw", "wb") as file:
        for i in range(40):
            kind = i % 4
            file.write(
                b"\0" * 65536
                if kind == 0
                else dice.randbytes(65536)
                if kind == 1
                else (b"some words of text %d " % i) * 3000
                if kind == 2
                else dice.randbytes(100) + b"\0" * 65436
            )
        file.write(b"the end" * 1000)
        file.truncate((file.tell() + 511) // 512 * 512)
    assert_converted(tmp_path, "s.raw", "t", "qcow2", "-c", *(["-o", options] if options else []))
    again = efi_img(tmp_path, "convert", "-O", "raw", "t", "back.raw")
    assert (
        again.code == 0
        and (tmp_path / "back.raw").read_bytes() == (tmp_path / "s.raw").read_bytes()
    ), again.err
    theirs = Result(
        [
            "qemu-img",
            "convert",
            "-c",
            "-O",
            "qcow2",
            *(["-o", options] if options else []),
            "s.raw",
            "q",
        ],
        tmp_path,
    )
    assert (
        theirs.code == 0
        and os.stat(tmp_path / "t").st_size <= os.stat(tmp_path / "q").st_size * 1.02 + 4096
    )
    back = efi_img(tmp_path, "convert", "-O", "raw", "q", "back2.raw")  # theirs, read by us
    assert (
        back.code == 0
        and (tmp_path / "back2.raw").read_bytes() == (tmp_path / "s.raw").read_bytes()
    ), back.err


@pytest.mark.parametrize("size", [0, 1, 512, 700, 65536, 65537, 3 * MIB + 512])
@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_sizes(tmp_path, size, format):
    (tmp_path / "s.raw").write_bytes(b"x" * size)
    assert_converted(tmp_path, "s.raw", "t", format, "-f", "raw", source_args=("-f", "raw"))
    ours, theirs = (
        Result(["qemu-img", "info", "--output=json", name], tmp_path).json()["virtual-size"]
        for name in ("t", "s.raw")
    )
    assert ours == theirs


def test_backing_chain_is_flattened(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "a.raw", "5M")
    qemu_io(tmp_path, "a.raw", "write -P 1 65536 1M", options=("-f", "raw"))
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.raw", "-F", "raw", "b.qcow2", "8M")
    qemu_io(tmp_path, "b.qcow2", *random_writes(3, 8 * MIB))
    assert_converted(tmp_path, "b.qcow2", "t", "qcow2")
    assert (
        "backing-filename"
        not in Result(["qemu-img", "info", "--output=json", "t"], tmp_path).json()
    )


@pytest.mark.parametrize("layout", ["", "extended_l2=on", "cluster_size=4k", "compat=0.10"])
def test_target_with_backing_file(tmp_path, layout):
    """Only what the overlay has is copied, zeros over data of the backing file among it."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "base.qcow2", "8M")
    qemu_io(tmp_path, "base.qcow2", "write -P 9 0 8M")
    qemu_img(
        tmp_path, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "over.qcow2"
    )
    qemu_io(tmp_path, "over.qcow2", *random_writes(4, 8 * MIB))
    assert_converted(
        tmp_path,
        "over.qcow2",
        "t",
        "qcow2",
        "-B",
        "base.qcow2",
        "-F",
        "qcow2",
        *(["-o", layout] if layout else []),
    )


@pytest.mark.parametrize(
    "args",
    [
        ("-B", "base"),
        ("-o", "backing_file=base"),
        ("-c", "-B", "base"),
        ("-S", "0", "-B", "base"),
        ("-B", "base", "-o", "cluster_size=512"),
        ("-B", "base", "-o", "extended_l2=on"),
    ],
)
def test_backing_file_for_a_source_without_one(tmp_path, args):
    """
    What the source has not allocated reads as zeros there, and must not show the
    target's backing file.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "base", "3M")
    qemu_io(tmp_path, "base", "write -P 0xaa 0 3M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "alone", "2M")
    qemu_io(tmp_path, "alone", "write -P 0x55 64k 64k", "write -z 512k 64k", "write -P 7 1M 1536")
    assert_converted(tmp_path, "alone", "t", "qcow2", *args, "-F", "qcow2")
    theirs = Result(
        ["qemu-img", "convert", "-O", "qcow2", *args, "-F", "qcow2", "alone", "q"], tmp_path
    )
    assert theirs.code == 0 and Result(["qemu-img", "compare", "t", "q"], tmp_path).code == 0


@pytest.mark.parametrize("size", ["512k", "1M", "3M"])
@pytest.mark.parametrize("args", [(), ("-c",), ("-S", "0")])
def test_backing_file_of_another_length(tmp_path, args, size):
    """
    The source has two images below it, the first of them shorter or longer; the target gets a
    full base of its length.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "deep", "3M")
    qemu_io(tmp_path, "deep", "write -P 0x11 0 3M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "deep", "-F", "qcow2", "below", size)
    qemu_io(tmp_path, "below", "write -P 0x22 128k 64k")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "below", "-F", "qcow2", "over", "2M")
    qemu_io(tmp_path, "over", "write -P 0x33 256k 64k", "write -z 384k 64k")
    qemu_img(tmp_path, "convert", "-O", "qcow2", "below", "base")
    qemu_img(tmp_path, "resize", "-q", "base", "3M") if size != "3M" else None
    qemu_io(tmp_path, "base", *([] if size == "3M" else [f"write -P 0x44 {size} 1M"]))
    assert_converted(tmp_path, "over", "t", "qcow2", *args, "-B", "base", "-F", "qcow2")
    assert_converted(tmp_path, "over", "u", "qcow2", *args, "-B", "below", "-F", "qcow2")
    assert not any(
        e["data"] and e["depth"] == 0 and e["start"] < 65536
        for e in Result(["qemu-img", "map", "--output=json", "u"], tmp_path).json()
    )


def test_several_sources(tmp_path):
    for i, size in enumerate((MIB + 512, 512, 3 * MIB)):
        (tmp_path / f"{i}.raw").write_bytes(bytes([i + 1]) * size)
    ours = efi_img(tmp_path, "convert", "-f", "raw", "-O", "qcow2", "0.raw", "1.raw", "2.raw", "t")
    theirs = Result(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "0.raw", "1.raw", "2.raw", "q"],
        tmp_path,
    )
    assert ours.code == theirs.code == 0, ours.err
    assert Result(["qemu-img", "compare", "-s", "t", "q"], tmp_path).code == 0


@pytest.mark.parametrize("sparse", ["0", "512", "4k", "64k", "16M"])
@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_sparse_sizes(source, format, sparse):
    assert_converted(source, "s.qcow2", "t", format, "-S", sparse)


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "cluster_size=4k",
        "extended_l2=on",
        "compat=0.10",
        "data_file=d",
        "preallocation=metadata",
    ],
)
def test_existing_target(source, layout):
    """
    Everything of it is replaced, what the source has as zeros too; and a second
    time changes nothing.
    """
    for what in ("random", "full"):
        qemu_img(
            source,
            "create",
            "-q",
            "-f",
            "qcow2",
            *(["-o", layout] if layout else []),
            f"{what}.qcow2",
            str(SIZE),
        )
        qemu_io(
            source,
            f"{what}.qcow2",
            *(random_writes(77, SIZE) if what == "random" else [f"write -P 85 0 {SIZE}"]),
        )
        for _ in range(2):
            assert_converted(source, "s.qcow2", f"{what}.qcow2", "qcow2", "-n")


def test_existing_target_with_snapshot(source):
    """What a snapshot shares with the disk is not touched: the snapshot still reads as before."""
    qemu_img(source, "create", "-q", "-f", "qcow2", "t.qcow2", str(SIZE))
    qemu_io(source, "t.qcow2", f"write -P 85 0 {SIZE}")
    qemu_img(source, "snapshot", "-c", "before", "t.qcow2")
    assert_converted(source, "s.qcow2", "t.qcow2", "qcow2", "-n")
    qemu_img(source, "convert", "-O", "raw", "-l", "before", "t.qcow2", "before.raw")
    assert (source / "before.raw").read_bytes() == bytes([85]) * SIZE


def test_unknown_autoclear_bits_are_cleared_by_writing(source):
    qemu_img(source, "create", "-q", "-f", "qcow2", "t.qcow2", str(SIZE))
    with open(source / "t.qcow2", "r+b") as file:
        file.seek(88)
        file.write(b"\xff" * 7 + b"\xfc")
    assert_converted(source, "s.qcow2", "t.qcow2", "qcow2", "-n")
    assert (source / "t.qcow2").read_bytes()[88:96] == bytes(8)


def test_damaged_target_is_refused(source):
    qemu_img(source, "create", "-q", "-f", "qcow2", "t.qcow2", str(SIZE))
    with open(source / "t.qcow2", "r+b") as file:
        file.seek(79)
        file.write(b"\2")
    before = (source / "t.qcow2").read_bytes()
    ours = efi_img(source, "convert", "-n", "-O", "qcow2", "s.qcow2", "t.qcow2")
    assert ours.code == 1 and "repaired" in ours.err and (source / "t.qcow2").read_bytes() == before


def test_existing_raw_target(source):
    (source / "t.raw").write_bytes(b"\x55" * SIZE)
    assert_converted(source, "s.qcow2", "t.raw", "raw", "-n")


def test_large_sparse_disk(tmp_path):
    """16 TiB with little data: nothing in it depends on the size of the disk."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "s.qcow2", "16T")
    qemu_io(tmp_path, "s.qcow2", "write -P 1 0 64k", "write -P 2 5T 1M", "write -P 3 16383G 64k")
    ours = efi_img(tmp_path, "convert", "-O", "qcow2", "s.qcow2", "t")
    assert ours.code == 0, ours.err
    assert Result(["qemu-img", "compare", "s.qcow2", "t"], tmp_path).code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("s.qcow2",),
        (),
        ("none", "t"),
        ("-O", "foo", "s.qcow2", "t"),
        ("-f", "raw", "-O", "qcow2", "-c", "s.qcow2", "dir/t"),
        ("-c", "s.qcow2", "t"),
        ("-S", "1000", "s.qcow2", "t"),
        ("-S", "17M", "s.qcow2", "t"),
        ("--target-is-zero", "s.qcow2", "t"),
        ("-n", "s.qcow2", "t"),
        ("-O", "qcow2", "-o", "cluster_size=3k", "s.qcow2", "t"),
        ("-n", "-O", "qcow2", "s.qcow2", "small.qcow2"),
        ("-O", "qcow2", "-B", "none", "-F", "raw", "s.qcow2", "t"),
        ("-O", "qcow2", "-B", "s.qcow2", "s.qcow2", "t"),
        ("aes.qcow2", "t"),
    ],
)
def test_refused(tmp_path, args):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "s.qcow2", "5M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "small.qcow2", "4M")
    make_encrypted(tmp_path, "aes.qcow2")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    ours = efi_img(tmp_path, "convert", *args)
    assert ours.code == 1 and ours.err.startswith("efi-img: ") and ours.out == ""
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert Result(["qemu-img", "convert", *args], tmp_path).code == 1


def test_progress(source):
    for quiet in ((), ("-q",)):
        ours = efi_img(source, "convert", "-p", *quiet, "-O", "qcow2", "s.qcow2", f"t{len(quiet)}")
        shown, phases, rest = progress(ours.out)
        assert ours.code == 0 and (
            ours.out == ""
            if quiet
            else rest == "\n"
            and (shown[0], shown[-1]) == (0, 10000)
            and shown == sorted(shown)
            and phases == ["copying", "flushing", "finishing"]
        )


def test_never_over_its_own_source(source):
    before = (source / "s.qcow2").read_bytes()
    for args in (("--force",), ("-n",)):
        assert efi_img(source, "convert", *args, "-O", "qcow2", "s.qcow2", "./s.qcow2").code == 1
    assert (source / "s.qcow2").read_bytes() == before


@pytest.mark.parametrize(
    "args",
    [
        ["-O", "qcow2", "-o", "help"],
        ["-o", "?"],
        ["-O", "qcow2", "-o", "cluster_size=4k", "-o", "help", "a", "b"],
    ],
)
def test_options_are_explained(tmp_path, args):
    """The list that `create -o help` prints, whether files are named or not; nothing is written."""
    format = "qcow2" if "qcow2" in args else "raw"
    ours, created = (
        Result([EFI_IMG, *words], tmp_path)
        for words in (["convert", *args], ["create", "-f", format, "-o", "help"])
    )
    assert (ours.code, ours.out, ours.err) == (0, created.out, "") and created.out.startswith(
        "Supported "
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind, most", [("zlib", 9), ("zstd", 19)])
def test_compression_levels(tmp_path, kind, most):
    """More effort makes no more bytes; the level is nothing that the image has."""
    text = "".join(f"{i * i} {i % 97} lines of a text\n" for i in range(60000)).encode()
    (tmp_path / "s").write_bytes(text + bytes(-len(text) % 512))
    sizes = []
    for level in (1, most):
        target = f"{level}.qcow2"
        assert_converted(
            tmp_path,
            "s",
            target,
            "qcow2",
            "-c",
            "-o",
            f"compression_type={kind},compression_level={level}",
            source_args=("-f", "raw"),
        )
        sizes.append((tmp_path / target).stat().st_size)
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    "args, word",
    [
        (["convert", "-c", "-O", "qcow2", "-o", "compression_level=0", "s", "t"], "1 to 9"),
        (["convert", "-c", "-O", "qcow2", "-o", "compression_level=10", "s", "t"], "1 to 9"),
        (
            [
                "convert",
                "-c",
                "-O",
                "qcow2",
                "-o",
                "compression_type=zstd,compression_level=20",
                "s",
                "t",
            ],
            "1 to 19",
        ),
        (
            ["convert", "-c", "-O", "qcow2", "-o", "compression_level=fast", "s", "t"],
            "not a number",
        ),
        (["convert", "-O", "qcow2", "-o", "compression_level=1", "s", "t"], "convert -c"),
        (["create", "-f", "qcow2", "-o", "compression_level=1", "t", "1M"], "convert -c"),
        (["amend", "-f", "qcow2", "-o", "compression_level=1", "s"], "compression_level"),
    ],
)
def test_no_such_compression_level(tmp_path, args, word):
    assert efi_img(tmp_path, "create", "-q", "-f", "qcow2", "s", "1M").code == 0
    refused = efi_img(tmp_path, *args)
    assert refused.code == 1 and word in refused.err and "compression_level" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
