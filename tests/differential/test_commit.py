# SPDX-License-Identifier: BSD-2-Clause
"""`commit` beside qemu-img."""

import random

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import Pair, Result, progress
from pairs import assert_same, copy_to_theirs, run_both

LAYOUTS = [
    "",
    "cluster_size=512",
    "cluster_size=4k,refcount_bits=1",
    "cluster_size=2M",
    "extended_l2=on,cluster_size=16k",
    "compat=0.10",
    "data_file=d{}",
    "refcount_bits=64",
    "compression_type=zstd",
]


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def make(pair, name, layout, seed, size, backing=None, format="qcow2"):
    if layout == "raw":
        (pair.ours / name).write_bytes(random.Random(seed).randbytes(size))
        return
    options = ["-o", layout.format(name)] if layout else []
    behind = ["-b", backing, "-F", format] if backing else []
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", *behind, *options, name, str(size))
    qemu_io(
        pair.ours,
        name,
        *random_writes(seed, size, compressed=layout in ("", "compression_type=zstd")),
    )


def flat(pair, name):
    qemu_img(pair.ours, "convert", "-O", "raw", name, "flat")
    return (pair.ours / "flat").read_bytes()


BASES = ["raw", "", "cluster_size=512", "extended_l2=on", "compat=0.10", "data_file=d{}"]


@pytest.mark.parametrize(
    "layout, base",
    [(layout, BASES[(i + j) % len(BASES)]) for i, layout in enumerate(LAYOUTS) for j in (0, 3)],
)
def test_one_overlay(pair, base, layout):
    """Sizes that differ both ways, and neither ends with a cluster."""
    dice = random.Random(base + layout)
    sizes = [dice.choice([MIB, 2 * MIB + 512, 3 * MIB + 70 * 512]) for _ in range(2)]
    format = "raw" if base == "raw" else "qcow2"
    make(pair, "a", base, 1, sizes[0])
    make(pair, "b", layout, 2, sizes[1], "a", format)
    copy_to_theirs(pair)
    before = flat(pair, "b")
    run_both(pair, "commit", "b")
    assert_same(pair, "a", format)
    assert_same(pair, "b")
    assert flat(pair, "b") == before and flat(pair, "a")[: len(before)] == before
    assert (
        Result(["qemu-img", "check", "--output=json", "b"], pair.ours)
        .json()
        .get("allocated-clusters", 0)
        == 0
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("args", [(), ("-d",), ("-b", "a"), ("-b", "b"), ("-q",)])
def test_chain_of_three(pair, args, seed):
    dice = random.Random(f"{seed} {args}")
    sizes = [dice.choice([1, 2, 3]) * MIB for _ in range(3)]
    base = dice.choice(["raw", "cluster_size=4k", "extended_l2=on"])
    make(pair, "a", base, seed, sizes[0])
    make(
        pair,
        "b",
        dice.choice(LAYOUTS),
        seed + 10,
        sizes[1],
        "a",
        "raw" if base == "raw" else "qcow2",
    )
    make(pair, "c", dice.choice(LAYOUTS), seed + 20, sizes[2], "b")
    copy_to_theirs(pair)
    before = flat(pair, "c")
    run_both(pair, "commit", *args, "c")
    for name in ("a", "b", "c"):
        assert_same(pair, name, "raw" if base == "raw" and name == "a" else "qcow2")
    assert flat(pair, "c") == before


def test_the_base_grows_over_its_own_longer_backing_file(pair):
    make(pair, "a", "raw", 1, 3 * MIB)
    make(pair, "b", "", 2, MIB, "a", "raw")
    make(pair, "c", "", 3, 2 * MIB, "b")
    copy_to_theirs(pair)
    before = flat(pair, "c")
    run_both(pair, "commit", "c")
    assert flat(pair, "b") == before
    assert_same(pair, "b")


def test_snapshots_stay(pair):
    make(pair, "a", "", 1, 2 * MIB)
    qemu_img(pair.ours, "snapshot", "-c", "s", "a")
    make(pair, "b", "", 2, 2 * MIB, "a")
    qemu_img(pair.ours, "snapshot", "-c", "s", "b")
    qemu_io(pair.ours, "b", "write -P 6 0 1M")
    copy_to_theirs(pair)
    for name in ("a", "b"):
        qemu_img(pair.ours, "convert", "-O", "raw", "-l", "s", name, f"{name}.before")
    run_both(pair, "commit", "b")
    assert_same(pair, "a")
    assert_same(pair, "b")
    qemu_img(pair.ours, "convert", "-O", "raw", "-l", "s", "a", "a.after")
    assert (pair.ours / "a.before").read_bytes() == (pair.ours / "a.after").read_bytes()


def test_progress(pair):
    make(pair, "a", "", 1, MIB)
    make(pair, "b", "", 2, MIB, "a")
    ours, _ = pair.run("commit", "-p", "b")
    shown, phases, rest = progress(ours.out)
    assert (
        ours.code == 0
        and (shown[0], shown[-1]) == (0, 10000)
        and phases == ["copying", "flushing"]
        and rest == "\nImage committed.\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("a",),
        ("none",),
        ("-b", "zz", "b"),
        ("-b", "b", "b"),
        ("-t", "xx", "b"),
        ("-f", "raw", "b"),
        ("b", "a"),
        ("-f", "foo", "b"),
    ],
)
def test_refused(pair, args):
    make(pair, "a", "", 1, MIB)
    make(pair, "b", "", 2, MIB, "a")
    copy_to_theirs(pair)
    before = {name: (pair.ours / name).read_bytes() for name in pair.files()}
    assert run_both(pair, "commit", *args).code == 1
    assert before == {name: (pair.ours / name).read_bytes() for name in pair.files()}
