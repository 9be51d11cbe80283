# SPDX-License-Identifier: BSD-2-Clause
"""`map` beside qemu-img, on images that qemu-img and qemu-io wrote."""

import random

import pytest

from images import MIB, make_encrypted, make_orphan, qemu_img, qemu_io, random_writes
from oracle import Result, EFI_IMG


def assert_same_map(folder, name, *options):
    for style in ("json", "human"):
        command = ["map", f"--output={style}", *options, name]
        ours, theirs = Result([EFI_IMG, *command], folder), Result(["qemu-img", *command], folder)
        assert ours.code == theirs.code, ours.err + theirs.err
        if theirs.code == 0:
            assert ours.out == theirs.out, ours.err


LAYOUTS = [
    "",
    "cluster_size=4k",
    "cluster_size=2M",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k",
    "compat=0.10",
    "data_file=d",
    "compression_type=zstd",
    "refcount_bits=1",
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(3))
def test_one_image(tmp_path, layout, seed):
    size = 16 * MIB
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
    compressed = layout in ("", "compression_type=zstd")
    qemu_io(tmp_path, "a.qcow2", *random_writes(seed, size, compressed))
    assert_same_map(tmp_path, "a.qcow2")
    assert_same_map(tmp_path, "a.qcow2", "-s", "1M", "-l", "3M")
    assert_same_map(tmp_path, "a.qcow2", "-s", "20M")


@pytest.mark.parametrize("layout", ["cluster_size=2M", "cluster_size=2M,extended_l2=on"])
@pytest.mark.parametrize("n", [4096, 65536, 2 * MIB])
@pytest.mark.parametrize("clusters", range(1, 5))
def test_file_that_ends_in_a_cluster(tmp_path, layout, n, clusters):
    """
    Whether holes of the file are looked for depends on how many clusters it has,
    the last one counted.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", layout, "a.qcow2", "9M")
    qemu_io(tmp_path, "a.qcow2", *(f"write -P 164 {i * 2 * MIB} {n}" for i in range(clusters)))
    assert_same_map(tmp_path, "a.qcow2")


@pytest.mark.parametrize("seed", range(6))
def test_chain(tmp_path, seed):
    """Three images of different sizes behind each other, one of them raw."""
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
        dice.choice(["extended_l2=on", "cluster_size=4k"]),
        "c.qcow2",
        str(sizes[2]),
    )
    qemu_io(tmp_path, "b.qcow2", *random_writes(seed, sizes[1], False, freed=False))
    qemu_io(tmp_path, "c.qcow2", *random_writes(seed + 100, sizes[2], False, freed=False))
    for name in ("a.raw", "b.qcow2", "c.qcow2"):
        assert_same_map(tmp_path, name)


@pytest.mark.parametrize("mode", ["off", "metadata", "falloc", "full"])
@pytest.mark.parametrize("layout", ["", ",extended_l2=on", ",data_file=d"])
def test_preallocated(tmp_path, mode, layout):
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        f"preallocation={mode}{layout}",
        "a.qcow2",
        "3M",
    )
    assert_same_map(tmp_path, "a.qcow2")


@pytest.mark.parametrize("size", [0, 1, 512, 1000, 65536, MIB])
def test_small(tmp_path, size):
    with open(tmp_path / "a.raw", "wb") as file:
        file.write(b"x" * size)
    assert_same_map(tmp_path, "a.raw", "-f", "raw")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", str(size))
    assert_same_map(tmp_path, "a.qcow2")


@pytest.mark.parametrize(
    "layout,size",
    [
        (layout, size)
        for layout in ("", "extended_l2=on", "cluster_size=2M")
        for size in (3 << 30, 1 << 40, 16 << 40)
    ]
    + [("cluster_size=512", 40 << 30)],
)
def test_large(tmp_path, layout, size):
    """
    Runs around the borders of tables, of their parts, and of what qemu-img asks for at once (1
    GiB); with and without a backing file.
    """
    dice = random.Random(f"{layout} {size}")
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
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        *(["-o", layout] if layout else []),
        "-b",
        "a.qcow2",
        "-F",
        "qcow2",
        "b.qcow2",
    )
    borders = [
        n << shift
        for shift in (20, 25, 29, 30)
        for n in [dice.randrange(1, size >> shift) for _ in range(3)]
    ] + [size - 2 * MIB]
    for name in ("a.qcow2", "b.qcow2"):
        qemu_io(
            tmp_path,
            name,
            *(
                f"write {dice.choice(['-P 1', '-z', '-zu'])} {border + dice.choice([-MIB, 0])} "
                f"{dice.choice([512, 65536, 2 * MIB])}"
                for border in dice.sample(borders, 8)
            ),
        )
        assert_same_map(tmp_path, name)


@pytest.mark.parametrize(
    "args",
    [
        ("none",),
        (),
        ("a", "b"),
        ("-s", "x", "a.qcow2"),
        ("-f", "foo", "a.qcow2"),
        ("--output=xml", "a.qcow2"),
        ("orphan.qcow2",),
        ("aes.qcow2",),
    ],
)
def test_refused(tmp_path, args):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M")
    make_orphan(tmp_path, "orphan.qcow2")
    make_encrypted(tmp_path, "aes.qcow2")
    ours, theirs = Result([EFI_IMG, "map", *args], tmp_path), Result(
        ["qemu-img", "map", *args], tmp_path
    )
    assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: "), ours.err + theirs.err
