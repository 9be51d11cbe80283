# SPDX-License-Identifier: BSD-2-Clause
"""`dd` beside qemu-img."""

import random

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import Pair, Result, EFI_IMG
from pairs import assert_same, copy_to_theirs, run_both


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path)
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "s", str(3 * MIB + 512))
    qemu_io(pair.ours, "s", *random_writes(5, 3 * MIB, compressed=True))
    (pair.ours / "r").write_bytes(random.Random(1).randbytes(3000))
    copy_to_theirs(pair)
    return pair


@pytest.mark.parametrize("format", ["raw", "qcow2"])
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("bs=1M",),
        ("bs=1000", "count=7"),
        ("count=1",),
        ("bs=64k", "skip=3"),
        ("bs=1001", "skip=70"),
        ("bs=7", "count=101"),
        ("count=0",),
        ("bs=1M", "skip=3"),
        ("skip=6145",),
        ("skip=6146",),
        ("bs=2147483647",),
        ("bs=1k", "bs=1M", "count=1"),
        ("bs=2147483647", "count=8E"),
        ("bs=0x1000", "count=0x10"),
    ],
)
def test_parts(pair, format, words):
    ours, theirs = pair.run("dd", "-O", format, *words, "if=s", "of=t")
    assert (ours.code, ours.out, bool(ours.err)) == (theirs.code, theirs.out, bool(theirs.err)), (
        ours.err + theirs.err
    )
    if ours.code == 0:
        assert_same(pair, "t", format)


@pytest.mark.parametrize(
    "words",
    [
        ("bs=1", "skip=700"),
        ("bs=1000", "skip=1"),
        ("bs=1", "count=700"),
        ("skip=3000", "bs=1"),
        ("bs=3001", "skip=1"),
    ],
)
def test_raw_of_odd_size(pair, words):
    run_both(pair, "dd", "-f", "raw", *words, "if=r", "of=t")
    assert (pair.ours / "t").read_bytes() == (pair.theirs / "t").read_bytes()


@pytest.mark.parametrize(
    "bs, count, skip",
    [(MIB, 2, 1), (65536, 3, 5), (1000, 10, 3), (512, 1, 6144), (4096, 1000, 1000)],
)
def test_count_is_counted_after_skip(pair, bs, count, skip):
    """As the manual says; qemu-img 7.2 takes `skip` off `count`, and so has to be told more."""
    ours = Result(
        [EFI_IMG, "dd", f"bs={bs}", f"count={count}", f"skip={skip}", "if=s", "of=t"], pair.ours
    )
    theirs = Result(
        ["qemu-img", "dd", f"bs={bs}", f"count={count + skip}", f"skip={skip}", "if=s", "of=t"],
        pair.theirs,
    )
    assert ours.code == theirs.code == 0, ours.err
    assert_same(pair, "t", "raw")


def test_backing_chain(pair):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-b", "s", "-F", "qcow2", "o", "5M")
    qemu_io(pair.ours, "o", "write -P 4 2M 100k")
    copy_to_theirs(pair)
    run_both(pair, "dd", "-O", "qcow2", "bs=100k", "skip=19", "if=o", "of=t")
    assert_same(pair, "t")


def test_existing_output_needs_force(pair):
    before = (pair.ours / "r").read_bytes()
    assert (
        Result([EFI_IMG, "dd", "if=s", "of=r"], pair.ours).code == 1
        and (pair.ours / "r").read_bytes() == before
    )
    assert Result([EFI_IMG, "dd", "--force", "if=s", "of=./s"], pair.ours).code == 1
    assert (
        Result([EFI_IMG, "dd", "--force", "count=3", "if=s", "of=r"], pair.ours).code == 0
        and (pair.ours / "r").stat().st_size == 1536
    )


@pytest.mark.parametrize("word", ["none", "noxfer", "progress"])
def test_status(pair, word):
    """As dd(1) has it; qemu-img does not."""
    done = Result([EFI_IMG, "dd", f"status={word}", "if=s", "of=t"], pair.ours)
    assert done.code == 0 and (pair.ours / "t").exists(), done.err
    assert ("(100.00/100%)" in done.out + done.err) == (word == "progress"), done.out + done.err


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("if=s",),
        ("of=t",),
        ("s", "t"),
        ("if=s", "of=t", "bs=0"),
        ("if=s", "of=t", "bs=2G"),
        ("if=s", "of=t", "bs=x"),
        ("if=s", "of=t", "seek=1"),
        ("if=s", "of=t", "count=x"),
        ("if=s", "of=t", "status=all"),
        ("if=s", "of=t", "conv=fsync"),
        ("if=none", "of=t"),
        ("-O", "foo", "if=s", "of=t"),
        ("-f", "foo", "if=s", "of=t"),
        ("if=s", "of=none/t"),
        ("-n", "if=s", "of=t"),
    ],
)
def test_refused(pair, args):
    files = pair.files()
    assert run_both(pair, "dd", *args).code == 1 and pair.files() == files
