# SPDX-License-Identifier: BSD-2-Clause
"""
Bitmaps beside qemu-img: made, changed and kept up to date by both, compared bit by bit.
"""

import random

import pytest

from bitmaps import EXTENSION, Qcow2, bits, bits_by_qemu, bitmaps, dice_offset, mark_in_use
from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu
from pairs import assert_same, assert_sound, copy_to_theirs, run_both

LAYOUTS = [
    "",
    "cluster_size=512",
    "cluster_size=4k",
    "cluster_size=2M",
    "refcount_bits=1,cluster_size=1k",
    "refcount_bits=64",
    "extended_l2=on",
    "compression_type=zstd",
    "data_file=data",
    "data_file=data,data_file_raw=on",
]


def make(pair, layout="", size="3M", name="a"):
    for folder in (pair.ours, pair.theirs):
        qemu_img(
            folder, "create", "-q", "-f", "qcow2", *(["-o", layout] if layout else []), name, size
        )


def assert_alike(pair, name="a"):
    ours, theirs = bitmaps(pair.ours / name), bitmaps(pair.theirs / name)
    assert ours == theirs
    assert_sound(pair.ours, name, "qcow2")
    assert_info_as_qemu(pair.ours, name)


def both(pair, *args):
    return run_both(pair, "bitmap", *args)


# ---- the command ----


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_programs(tmp_path, layout, seed):
    """Random actions, with the guest's writes by QEMU between them."""
    pair = Pair(tmp_path)
    dice = random.Random(f"{layout} {seed}")
    make(pair, layout)
    names = ["one", "two", "a longer name", "vier", "\u00fcnf"]
    for i in range(25):
        name = dice.choice(names)
        action = dice.choice(
            ["add", "add", "remove", "clear", "enable", "disable", "merge", "several", "write"]
        )
        if action == "add":
            granularity = dice.choice([[], ["-g", "512"], ["-g", "4k"], ["-g", "1M"], ["-g", "2G"]])
            both(pair, "--add", *granularity, *dice.choice([[], ["--disable"]]), "a", name)
        elif action == "merge":
            both(pair, "--merge", dice.choice(names), "a", name)
        elif action == "several":
            both(pair, "--disable", "--merge", dice.choice(names), "--enable", "a", name)
        elif action == "write":
            commands = list(random_writes(dice.randrange(1 << 30), 3 * MIB))[: dice.randrange(1, 6)]
            for folder in (pair.ours, pair.theirs):
                qemu_io(folder, "a", *commands)
        else:
            both(pair, f"--{action}", "a", name)
        if i % 8 == 7:
            assert_alike(pair)
    assert_alike(pair)
    for name in names:
        both(pair, "--remove", "a", name)
    assert_alike(pair)
    assert_same(pair, "a")


def test_qemu_reads_ours(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "9M")
    for args in (["-g", "512", "a", "fine"], ["-g", "64k", "a", "coarse"]):
        assert Result([EFI_IMG, "bitmap", "--add", *args], tmp_path).code == 0
    dice = random.Random(1)
    (tmp_path / "s").write_bytes(
        b"".join(dice.choice([bytes(512), dice.randbytes(512)]) for _ in range(9 * MIB // 512))
    )
    done = Result(
        [EFI_IMG, "convert", "-n", "--target-is-zero", "-S", "512", "-O", "qcow2", "s", "a"],
        tmp_path,
    )
    assert done.code == 0, done.err
    fine, coarse = bits(tmp_path / "a", "fine"), bits(tmp_path / "a", "coarse")
    assert fine == bits_by_qemu(tmp_path / "a", "fine", 512) and len(fine) > 5000
    assert coarse == bits_by_qemu(tmp_path / "a", "coarse", 65536) and len(coarse) == 144


@pytest.mark.parametrize(
    "args",
    [
        ["--add", "a", ""],
        ["--add", "a", "x" * 1023],
        ["--add", "a", "x" * 1024],
        ["--add", "-g", "256", "a", "b"],
        ["--add", "-g", "1000", "a", "b"],
        ["--add", "-g", "0", "a", "b"],
        ["--add", "-g", "4G", "a", "b"],
        ["--add", "-g", "x", "a", "b"],
        ["--add", "-g", "1k", "-g", "2k", "a", "b"],
        ["--add", "raw", "b"],
        ["--add", "-f", "raw", "a", "b"],
        ["--add", "v2", "b"],
        ["--add", "none", "b"],
        ["--add", "a"],
        ["--add"],
        ["a", "b0"],
        ["--add", "a", "b", "c"],
        ["--add", "--add", "a", "b"],
        ["-g", "1k", "--clear", "a", "b0"],
        ["-b", "o", "--clear", "a", "b0"],
        ["-F", "qcow2", "--merge", "b1", "a", "b0"],
        ["--merge", "b1", "-b", "o", "a", "b0"],
        ["--merge", "b1", "-b", "o", "-F", "qcow2", "a", "b0"],
        ["--merge", "no", "-b", "o", "a", "b0"],
        ["--merge", "b1", "-b", "o", "-F", "raw", "a", "b0"],
        ["--merge", "b1", "-b", "none", "a", "b0"],
        ["--merge", "b1", "-b", "raw", "a", "b0"],
        ["--merge", "b1", "-b", "larger", "a", "b0"],
        ["--merge", "b1", "-b", "o", "larger", "b1"],
        ["--merge", "b0", "a", "b0"],
        ["--merge", "b1", "--merge", "b2", "--disable", "a", "b0"],
        ["--merge", "b1", "--merge", "no", "a", "b0"],
        ["--clear", "a", "no"],
        ["--add", "--merge", "no", "a", "b"],
        ["--clear", "--remove", "--add", "a", "b0"],
        ["a", "b0", "--disable"],
        ["--rem", "a", "b1"],
        ["-b", "a", "--merge", "b1", "a", "b0"],
    ],
)
def test_command_lines(tmp_path, args):
    """Also what is left after a failure: the actions before it are done."""
    pair = Pair(tmp_path)
    for name, size in (("a", "3M"), ("o", "3M"), ("larger", "4M")):
        qemu_img(pair.ours, "create", "-q", "-f", "qcow2", name, size)
        for bitmap, granularity in (("b0", "64k"), ("b1", "512"), ("b2", "4k")):
            qemu_img(pair.ours, "bitmap", "--add", "-g", granularity, name, bitmap)
            qemu_io(pair.ours, name, f"write {dice_offset(name, bitmap)} 70k")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "v2", "3M")
    qemu_img(pair.ours, "create", "-q", "-f", "raw", "raw", "3M")
    copy_to_theirs(pair)
    both(pair, *args)
    assert_alike(pair)
    assert_alike(pair, "larger")


@pytest.mark.parametrize("layout", ["", "cluster_size=512", "cluster_size=2M", "cluster_size=16k"])
def test_preset_granularity(tmp_path, layout):
    pair = Pair(tmp_path)
    make(pair, layout)
    assert both(pair, "--add", "a", "b").code == 0
    assert_alike(pair)


def test_largest(tmp_path):
    pair = Pair(tmp_path)
    make(pair, size="2T")
    make(pair, size="2199023256064", name="larger")  # one sector more
    assert both(pair, "--add", "-g", "512", "a", "b").code == 0
    assert both(pair, "--add", "-g", "512", "larger", "b").code == 1
    # qemu-img says that it has done it, and loses the bitmap
    done = Result([EFI_IMG, "resize", "a", "+512"], pair.ours)
    assert done.code == 1 and "larger than 536870912 bytes" in done.err
    both(pair, "--merge", "b", "a", "b")
    assert_info_as_qemu(pair.ours, "a")


def test_no_disk(tmp_path):
    """qemu-img says that it has added it, and loses it."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "0")
    done = Result([EFI_IMG, "bitmap", "--add", "a", "b"], tmp_path)
    assert done.code == 1 and "disk of 0 bytes" in done.err


# ---- in use ----


@pytest.mark.parametrize(
    "args", [["--clear"], ["--enable"], ["--disable"], ["--merge", "good"], ["--add"], ["--remove"]]
)
def test_in_use(tmp_path, args):
    pair = Pair(tmp_path)
    make(pair)
    for name in ("bad", "good"):
        both(pair, "--add", "a", name)
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "a", "write 64k 128k")
    mark_in_use(pair, "bad")
    both(pair, *args, "a", "bad")
    assert_alike(pair)
    both(pair, "--merge", "bad", "a", "good")
    both(pair, "--merge", "bad", "-b", "a", "a", "good")
    # and it stays what it is when something is written
    (tmp_path / "s").write_bytes(b"x" * 3 * MIB)
    run_both(pair, "convert", "-n", "-f", "raw", "-O", "qcow2", "../s", "a")
    assert_alike(pair)


def test_resize_with_one_in_use(tmp_path):
    pair = Pair(tmp_path)
    make(pair)
    both(pair, "--add", "a", "b")
    mark_in_use(pair, "b")
    assert run_both(pair, "resize", "a", "5M").code == 1
    assert_alike(pair)


def test_not_marked_any_more(tmp_path):
    """What does not note anything is never marked as in use, and nothing is after a command."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "3M")
    (tmp_path / "s").write_bytes(b"x" * MIB)
    for args in (["--add", "a", "on"], ["--add", "--disable", "a", "off"]):
        assert Result([EFI_IMG, "bitmap", *args], tmp_path).code == 0
    assert (
        Result([EFI_IMG, "convert", "-n", "-f", "raw", "-O", "qcow2", "s", "a"], tmp_path).code == 0
    )
    assert [(name, flags) for name, flags, _, _ in bitmaps(tmp_path / "a")] == [
        ("on", 2),
        ("off", 0),
    ]


# ---- other commands on images that have bitmaps ----


@pytest.mark.parametrize("layout", LAYOUTS)
def test_written_to(tmp_path, layout):
    """
    All that is written is noted; by qemu-img at least as much, since it does not look at what
    is zeros already.
    """
    pair = Pair(tmp_path)
    make(pair, layout)
    dice = random.Random(layout)
    for granularity in ("512", "64k", "1M"):
        both(pair, "--add", "-g", granularity, "a", f"b{granularity}")
    both(pair, "--add", "--disable", "a", "off")
    before = bytes(3 * MIB)
    for i in range(3):
        content = b"".join(
            dice.choice([before[k : k + 8192], bytes(8192), dice.randbytes(8192)])
            for k in range(0, 3 * MIB, 8192)
        )
        for folder in (pair.ours, pair.theirs):
            (folder / "s").write_bytes(content)
        run_both(pair, "convert", "-n", "-f", "raw", "-O", "qcow2", "s", "a")
        for (name, flags, granularity, ours), (_, _, _, theirs) in zip(
            bitmaps(pair.ours / "a"), bitmaps(pair.theirs / "a")
        ):
            differ = {
                k // granularity
                for k in range(0, 3 * MIB, 512)
                if before[k : k + 512] != content[k : k + 512]
            }
            assert (ours == set()) if name == "off" else differ <= ours, name
            if granularity >= 65536:
                assert ours == theirs
        assert_sound(pair.ours, "a", "qcow2")
        both(pair, "--clear", "a", "b1M")
        before = content


def test_compressed(tmp_path):
    pair = Pair(tmp_path)
    make(pair)
    both(pair, "--add", "-g", "4k", "a", "b")
    for folder in (pair.ours, pair.theirs):
        (folder / "s").write_bytes(bytes(MIB) + b"xy" * (MIB // 2) + bytes(MIB))
    run_both(pair, "convert", "-c", "-n", "--target-is-zero", "-f", "raw", "-O", "qcow2", "s", "a")
    assert_alike(pair)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("layout", ["", "cluster_size=512", "cluster_size=4k", "extended_l2=on"])
def test_resized(tmp_path, layout, seed):
    """
    The disks themselves need not be the same: when it grows, qemu-img shows the rest of the
    last cluster again.
    """
    pair = Pair(tmp_path)
    dice = random.Random(f"{layout} {seed}")
    make(pair, layout, "8M")
    for granularity in ("512", "4k", "1M"):
        both(pair, "--add", "-g", granularity, "a", f"b{granularity}")
    for _ in range(8):
        size = dice.choice([1, 3, 8, 9, 40]) * MIB + dice.randrange(3) * 70 * 512
        run_both(pair, "resize", "--shrink", "a", str(size))
        assert_alike(pair)
        commands = list(random_writes(dice.randrange(1 << 30), size))[:4]
        for folder in (pair.ours, pair.theirs):
            qemu_io(folder, "a", *commands)


def test_grown_over_backing_file(tmp_path):
    """Zeros that hide the backing file are not what the guest writes."""
    pair = Pair(tmp_path)
    for folder in (pair.ours, pair.theirs):
        (folder / "base").write_bytes(b"x" * 4 * MIB)
        qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "a", "2M")
    both(pair, "--add", "a", "b")
    run_both(pair, "resize", "a", "6M")
    assert_alike(pair)
    assert_same(pair, "a")


def test_snapshots(tmp_path):
    pair = Pair(tmp_path)
    make(pair)
    both(pair, "--add", "a", "b")
    assert run_both(pair, "snapshot", "-c", "s", "a").code == 0
    assert run_both(pair, "snapshot", "-a", "s", "a").code == 1
    assert run_both(pair, "snapshot", "-d", "s", "a").code == 0
    assert_alike(pair)


def prepare_chain(pair):
    for name, size, options in (
        ("base", "4M", []),
        ("mid", "4M", ["-b", "base"]),
        ("top", "5M", ["-b", "mid"]),
        ("new", "4M", []),
    ):
        backing = [*options, "-F", "qcow2"] if options else []
        qemu_img(pair.ours, "create", "-q", "-f", "qcow2", *backing, name, size)
        qemu_io(pair.ours, name, f"write -P {len(name)} {dice_offset(name)} 300k")
        qemu_img(pair.ours, "bitmap", "--add", name, "on")
        qemu_img(pair.ours, "bitmap", "--add", "--disable", "-g", "512", name, "off")
        qemu_io(pair.ours, name, f"write -P {len(name) + 1} {dice_offset(name, 1)} 200k")
    copy_to_theirs(pair)


@pytest.mark.parametrize(
    "args",
    [
        ["commit", "top"],
        ["commit", "-d", "top"],
        ["commit", "-b", "base", "top"],
        ["rebase", "-b", "new", "-F", "qcow2", "top"],
        ["rebase", "-b", "", "top"],
        ["rebase", "-u", "-b", "new", "-F", "qcow2", "top"],
        ["rebase", "-u", "-b", "x" * 1000, "-F", "raw", "top"],
    ],
)
def test_chains(tmp_path, args):
    pair = Pair(tmp_path)
    prepare_chain(pair)
    run_both(pair, *args)
    for name in ("top", "mid", "base"):
        if "x" * 1000 not in args:
            assert_alike(pair, name)
        else:
            assert bitmaps(pair.ours / name) == bitmaps(pair.theirs / name)


# ---- the header ----


@pytest.mark.parametrize(
    "args", [["bitmap", "--add", "a", "new"], ["resize", "a", "4M"], ["snapshot", "-c", "s", "a"]]
)
def test_somebody_else_has_written(tmp_path, args):
    """
    Without the autoclear bit the bitmaps do not count, and are dropped when the
    image is written to.
    """
    pair = Pair(tmp_path)
    make(pair)
    both(pair, "--add", "a", "b")
    for folder in (pair.ours, pair.theirs):
        image = Qcow2(folder / "a")
        image.put(88, 0)
        image.save()
    assert_info = Result([EFI_IMG, "info", "--output=json", "a"], pair.ours).json()
    assert "bitmaps" not in assert_info["format-specific"]["data"]
    assert Qcow2(pair.ours / "a").extension(EXTENSION) is not None
    ours, theirs = pair.run(*args)
    assert ours.code == theirs.code == 0, ours.err
    assert (
        [b[0] for b in bitmaps(pair.ours / "a")]
        == [b[0] for b in bitmaps(pair.theirs / "a")]
        == (["new"] if "--add" in args else [])
    )
    assert ("--add" in args) == (Qcow2(pair.ours / "a").extension(EXTENSION) is not None)
    qemu_img(pair.ours, "check", "-r", "leaks", "a")


@pytest.mark.parametrize("layout", ["", "cluster_size=512", "data_file=data"])
def test_unknown_extensions_are_kept(tmp_path, layout):
    qemu_img(
        tmp_path, "create", "-q", "-f", "qcow2", *(["-o", layout] if layout else []), "a", "3M"
    )
    image = Qcow2(tmp_path / "a")
    known = [(kind, bytes(image.data[at : at + n])) for kind, at, n in image.extensions()]
    at = image.number(100, 4)
    for kind, data in [(0x12345678, b"unknown to all!"), *known]:
        padded = data.ljust((len(data) + 7) // 8 * 8, b"\0")
        image.data[at : at + 8 + len(padded)] = (
            kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + padded
        )
        at += 8 + len(padded)
    image.data[at : at + 8] = bytes(8)
    image.save()

    def unknown():
        now = Qcow2(tmp_path / "a")
        return [
            bytes(now.data[at : at + n]) for kind, at, n in now.extensions() if kind == 0x12345678
        ]

    assert unknown() == [b"unknown to all!"]
    for args in (
        ["bitmap", "--add", "a", "b"],
        ["bitmap", "--add", "a", "c"],
        ["bitmap", "--remove", "a", "b"],
        ["rebase", "-u", "-b", "x", "-F", "raw", "a"],
        ["rebase", "-u", "-b", "", "a"],
        ["bitmap", "--remove", "a", "c"],
    ):
        done = Result([EFI_IMG, *args], tmp_path)
        assert done.code == 0, done.err
        assert unknown() == [b"unknown to all!"]
    assert [kind for kind, _, _ in Qcow2(tmp_path / "a").extensions() if kind != 0x12345678] == [
        kind for kind, _ in known
    ]
    assert_sound(tmp_path, "a", "qcow2")


def test_name_of_backing_file_moves(tmp_path):
    """The header gets longer by the extension, wherever the name was."""
    for n in (1, 8, 9, 300, 1000):
        name = "b" * n
        qemu_img(tmp_path, "create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "raw", "a", "1M")
        for args in (
            ["--add", "a", "one"],
            ["--add", "a", "two"],
            ["--remove", "a", "one"],
            ["--remove", "a", "two"],
        ):
            done = Result([EFI_IMG, "bitmap", *args], tmp_path)
            assert done.code == 0, done.err
            info = Result(["qemu-img", "info", "--output=json", "a"], tmp_path).json()
            assert info["backing-filename"] == name and info["backing-filename-format"] == "raw"


# ---- damaged bitmaps ----


@pytest.mark.parametrize(
    "what",
    ["table unaligned", "table outside", "no entries", "too few", "extra data", "unknown flag"],
)
def test_damaged_directory(tmp_path, what):
    """QEMU does not open these; efi-img reads their disks, but does not write to them."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "9M")
    qemu_img(tmp_path, "bitmap", "--add", "-g", "512", "a", "b")
    image = Qcow2(tmp_path / "a")
    entry = image.entries()["b"]
    at, n, value = {
        "table unaligned": (entry, 8, image.number(entry) + 8),
        "table outside": (entry, 8, 1 << 40),
        "no entries": (entry + 8, 4, 0),
        "too few": (entry + 8, 4, 1),
        "extra data": (entry + 20, 4, 7),
        "unknown flag": (entry + 12, 4, 10),
    }[what]
    image.put(at, value, n)
    if what == "extra data":
        image.put(image.extension(EXTENSION) + 8, 64)
    image.save()
    before = (tmp_path / "a").read_bytes()
    (tmp_path / "s").write_bytes(b"x" * 9 * MIB)
    for args in (
        ["convert", "-n", "-O", "qcow2", "s", "a"],
        ["bitmap", "--add", "a", "c"],
        ["resize", "a", "10M"],
        ["convert", "--bitmaps", "-O", "qcow2", "a", "t"],
    ):
        done = Result([EFI_IMG, *args], tmp_path)
        assert done.code == 1 and "its bitmap" in done.err, done.err
    assert (tmp_path / "a").read_bytes() == before
    assert Result([EFI_IMG, "convert", "-O", "raw", "a", "t"], tmp_path).code == 0


@pytest.mark.parametrize("what", ["reserved", "unaligned", "outside", "shared", "data"])
@pytest.mark.parametrize(
    "args", [["--remove", "a", "b"], ["--clear", "a", "b"], ["--merge", "c", "a", "b"]]
)
def test_damaged_table(tmp_path, what, args):
    """A cluster that is somebody else's as well is neither written nor given up."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    for name in ("b", "c"):
        qemu_img(tmp_path, "bitmap", "--add", "a", name)
    qemu_io(tmp_path, "a", "write -P 7 0 1M")
    image = Qcow2(tmp_path / "a")
    at = image.number(image.entries()["b"])
    l2 = image.number(image.number(40)) & 0x00FFFFFFFFFFFE00
    image.put(
        at,
        {
            "reserved": image.number(at) | 2,
            "unaligned": image.number(at) + 512,
            "outside": 1 << 40,
            "shared": image.number(at),
            "data": image.number(l2) & 0x00FFFFFFFFFFFE00,
        }[what],
    )
    if what in ("shared", "data"):  # with the refcount that says so
        block = image.number(image.number(48))
        image.put(block + 2 * (image.number(at) >> 16), 2, 2)
    image.save()
    done = Result([EFI_IMG, "bitmap", *args], tmp_path)
    assert done.code == 1, done.err
    assert (
        Qcow2(tmp_path / "a").data[image.number(l2) & 0x00FFFFFFFFFFFE00 :][:65536]
    ) == b"\7" * 65536


def test_all_ones(tmp_path):
    """A table entry may say that all of its bits are set: what QEMU reads, but does not write."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "3M")
    qemu_img(tmp_path, "bitmap", "--add", "-g", "512", "a", "b")
    image = Qcow2(tmp_path / "a")
    table = image.number(image.entries()["b"])
    image.put(table, 1)
    image.put(table + 8, 1)
    image.save()
    everything = set(range(6144))
    assert bits(tmp_path / "a", "b") == everything
    (tmp_path / "s").write_bytes(b"x" * 4096)
    assert Result([EFI_IMG, "convert", "-n", "-O", "qcow2", "s", "a"], tmp_path).code == 0
    assert bits(tmp_path / "a", "b") == everything
    assert Result([EFI_IMG, "resize", "a", "4M"], tmp_path).code == 0
    assert bits(tmp_path / "a", "b") == everything == bits_by_qemu(tmp_path / "a", "b", 512)
    assert_sound(tmp_path, "a", "qcow2")
