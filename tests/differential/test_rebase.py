# SPDX-License-Identifier: BSD-2-Clause
"""`rebase` beside qemu-img."""

import random

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import Pair, Result, EFI_IMG
from pairs import assert_same, assert_sound, copy_to_theirs, run_both
from test_commit import LAYOUTS, flat, make


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def backing_of(pair, name):
    info = Result(["qemu-img", "info", "--output=json", "-U", name], pair.ours).json()
    return info.get("backing-filename"), info.get("backing-filename-format")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("new", ["raw", "qcow2", ""])
def test_safe(pair, layout, new):
    """The disk stays the same, whichever of the files is longer."""
    dice = random.Random(layout + new)
    sizes = [dice.choice([1, 2, 3]) * MIB + dice.choice([0, 512]) for _ in range(3)]
    make(pair, "old", "cluster_size=4k", 1, sizes[0])
    make(pair, "new", "raw" if new == "raw" else "", 2, sizes[1])
    make(pair, "o", layout, 3, sizes[2], "old")
    copy_to_theirs(pair)
    before = flat(pair, "o")
    run_both(pair, "rebase", *(["-b", "new", "-F", new] if new else ["-b", ""]), "o")
    assert_same(pair, "o")
    assert flat(pair, "o") == before
    assert backing_of(pair, "o") == (("new", new) if new else (None, None))


@pytest.mark.parametrize("layout", ["", "extended_l2=on", "cluster_size=1k"])
def test_first_backing_file(pair, layout):
    """An image that had none: what it has as nothing was zeros, and stays so."""
    make(pair, "new", "raw", 2, 3 * MIB)
    make(pair, "o", layout, 3, 2 * MIB)
    copy_to_theirs(pair)
    before = flat(pair, "o")
    run_both(pair, "rebase", "-b", "new", "-F", "raw", "o")
    assert_same(pair, "o")
    assert flat(pair, "o") == before


@pytest.mark.parametrize("seed", range(4))
def test_within_a_chain(pair, seed):
    """One image taken out of a chain, and put in again."""
    dice = random.Random(seed)
    sizes = [dice.choice([1, 2, 3]) * MIB for _ in range(3)]
    make(pair, "a", dice.choice(LAYOUTS), seed, sizes[0])
    make(pair, "b", dice.choice(LAYOUTS), seed + 10, sizes[1], "a")
    make(pair, "c", dice.choice(LAYOUTS), seed + 20, sizes[2], "b")
    copy_to_theirs(pair)
    before = flat(pair, "c")
    for name in ("a", "b"):
        run_both(pair, "rebase", "-b", name, "-F", "qcow2", "c")
        assert_same(pair, "c")
        assert flat(pair, "c") == before


@pytest.mark.parametrize("cluster", ["512", "1k", "4k", "64k"])
@pytest.mark.parametrize("version", ["0.10", "1.1"])
def test_names(pair, cluster, version):
    """
    Names of all lengths, written over each other many times: the header stays whole, and
    nothing of it moves further and further.
    """
    make(pair, "o", f"cluster_size={cluster},compat={version}", 1, MIB)
    longest = {"512": 300, "1k": 200, "4k": 1023, "64k": 1023}[cluster]
    dice = random.Random(cluster)
    names = [("n" * n, "raw") for n in (1, 5, longest, 20, longest, longest)] + [("", None)]
    names += [("x" * dice.randrange(1, longest), dice.choice(["raw", "qcow2"])) for _ in range(4)]
    for name, format in names:
        ours = Result(
            [EFI_IMG, "rebase", "-u", "-b", name, *(["-F", format] if format else []), "o"],
            pair.ours,
        )
        assert ours.code == 0, ours.err
        assert backing_of(pair, "o") == (name or None, format)
    Result([EFI_IMG, "rebase", "-u", "-b", "", "o"], pair.ours)
    assert_sound(pair.ours, "o", "qcow2")


def extensions(path):
    """
    The extensions of a header, without the backing format; and what is before them, without the
    place of the backing file's name.
    """
    header = path.read_bytes()[:65536]
    at = length = int.from_bytes(header[100:104], "big")
    found = []
    while True:
        kind, size = (int.from_bytes(header[at + i : at + i + 4], "big") for i in (0, 4))
        if kind == 0:
            return header[:8] + header[20:length], found
        if kind != 0xE2792ACA:
            found.append((kind, header[at + 8 : at + 8 + size]))
        at += 8 + (size + 7) // 8 * 8


def test_unknown_parts_of_the_header_stay(pair):
    """A longer header with bytes nobody knows, and an unknown extension."""
    make(pair, "o", "compression_type=zstd", 1, MIB)
    header = bytearray((pair.ours / "o").read_bytes())
    rest = bytes(header[112:512])
    header[112 : 112 + len(rest) + 8 + 24] = (
        b"unknown!"
        + (0x12345678).to_bytes(4, "big")
        + (11).to_bytes(4, "big")
        + b"hello there\0\0\0\0\0"
        + rest
    )
    header[100:104] = (120).to_bytes(4, "big")
    (pair.ours / "o").write_bytes(header)
    before = extensions(pair.ours / "o")
    assert len(before[1]) == 2
    for name in ("new", "", "a-longer-name" * 30, "x"):
        ours = Result([EFI_IMG, "rebase", "-u", "-b", name, "-F", "raw", "o"], pair.ours)
        assert ours.code == 0, ours.err
        assert extensions(pair.ours / "o") == before
        assert backing_of(pair, "o")[0] == (name or None)
    Result([EFI_IMG, "rebase", "-u", "-b", "", "o"], pair.ours)
    assert_sound(pair.ours, "o", "qcow2")


@pytest.mark.parametrize(
    "args",
    [
        ("-b", "zzz", "-F", "raw"),
        ("-b", ""),
        (),
        ("-p", "-b", "x", "-F", "qcow2"),
        ("-b", "zz"),
        ("-b", "zz", "-F", "foo"),
        ("-b", "zz", "-F", ""),
    ],
)
def test_unsafe(pair, args):
    make(pair, "a", "raw", 1, MIB)
    make(pair, "o", "", 1, MIB, "a", "raw")
    copy_to_theirs(pair)
    (pair.ours / "a").unlink()
    (pair.theirs / "a").unlink()
    ours, theirs = pair.run("rebase", "-u", *args, "o")
    assert ours.code == theirs.code, ours.err + theirs.err
    named = [
        Result(["qemu-img", "info", "--output=json", "o"], folder).json()
        for folder in (pair.ours, pair.theirs)
    ]
    assert named[0].get("backing-filename") == named[1].get("backing-filename")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("o",),
        ("-b", "none", "-F", "raw", "o"),
        ("-b", "new", "o"),
        ("-b", "o", "-F", "qcow2", "o"),
        ("-b", "o2", "-F", "qcow2", "o"),
        ("-b", "new", "-F", "raw", "new"),
        ("-b", "new", "-F", "foo", "o"),
        ("-b", "new", "-F", "raw", "o", "o"),
        ("-t", "xx", "-b", "new", "-F", "raw", "o"),
        ("-T", "xx", "-b", "new", "-F", "raw", "o"),
        ("-b", "new", "-F", "raw", "none"),
        ("-b", "new", "-F", "qcow2", "o"),
        ("-b", "new", "-F", "raw", "orphan"),
    ],
)
def test_refused(pair, args):
    make(pair, "a", "raw", 1, MIB)
    make(pair, "new", "raw", 2, MIB)
    make(pair, "o", "", 3, MIB, "a", "raw")
    make(pair, "o2", "", 3, MIB, "o")
    qemu_img(
        pair.ours, "create", "-q", "-u", "-f", "qcow2", "-b", "gone", "-F", "raw", "orphan", "1M"
    )
    copy_to_theirs(pair)
    before = {name: (pair.ours / name).read_bytes() for name in pair.files()}
    assert run_both(pair, "rebase", *args).code == 1
    assert before == {name: (pair.ours / name).read_bytes() for name in pair.files()}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("new", ["raw", ""])
def test_compressed(pair, layout, new):
    """
    -c, which qemu-img 7.2 does not have: the same disk in less space, or a refusal before
    anything is changed.
    """
    make(pair, "old", "cluster_size=4k", 1, 3 * MIB)
    make(pair, "new", "raw", 2, 2 * MIB + 512)
    qemu_io(pair.ours, "old", "write -P 3 1700k 1M")
    options = ["-o", layout.format("o")] if layout else []
    qemu_img(
        pair.ours,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "old",
        "-F",
        "qcow2",
        *options,
        "o",
        str(3 * MIB - 1024),
    )
    qemu_io(pair.ours, "o", "write -P 9 100k 20k", "write -z 300k 70k")
    before = flat(pair, "o")
    ours = Result(
        [EFI_IMG, "rebase", "-c", *(["-b", "new", "-F", new] if new else ["-b", ""]), "o"],
        pair.ours,
    )
    if "data_file" in layout:
        assert ours.code == 1 and "data file" in ours.err and backing_of(pair, "o")[0] == "old"
        return
    assert ours.code == 0 and ours.err == "", ours.err
    assert_sound(pair.ours, "o", "qcow2")
    assert flat(pair, "o") == before and backing_of(pair, "o") == (
        ("new", new) if new else (None, None)
    )
    assert Result(["qemu-img", "check", "--output=json", "o"], pair.ours).json()[
        "compressed-clusters"
    ] > (0 if "2M" in layout else 5)
