# SPDX-License-Identifier: BSD-2-Clause
"""QED images beside qemu-img, both ways; differences are those of docs/QEMU-IMG.md."""

import random
import struct

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu
from pairs import assert_same, assert_sound, copy_to_theirs, run_both

LAYOUTS = (
    "",
    "cluster_size=4k",
    "cluster_size=4k,table_size=16",
    "cluster_size=2M,table_size=2",
    "table_size=8",
)
SIZE = 9 * MIB + 1536


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def random_writes(seed, size):
    """Data, zeros and holes that begin and end inside clusters."""
    dice = random.Random(seed)
    for _ in range(25):
        offset = dice.randrange(size // 512) * 512
        length = min(dice.choice([512, 4096, 65536, 200704, MIB]), size - offset)
        yield f"write {dice.choice(['-P 1', '-P 7', '-z', '-P 0'])} {offset} {length}"


def make(pair, layout, seed=1, size=SIZE, *options):
    words = ["-o", layout] if layout else []
    qemu_img(pair.ours, "create", "-q", "-f", "qed", *options, *words, "a", str(size))
    qemu_io(pair.ours, "a", *random_writes(seed, size))
    copy_to_theirs(pair)


def poke(folder, name, *changes):
    """Fields of 8 bytes: (place, value)."""
    with open(folder / name, "r+b") as file:
        for place, value in changes:
            file.seek(place)
            file.write(struct.pack("<Q", value))


@pytest.mark.parametrize("size", ["0", "1000", "64M", "64T"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_create(pair, layout, size):
    """The same line, the same bytes."""
    words = ["-o", layout] if layout else []
    ours, theirs = pair.run("create", "-f", "qed", *words, "a", size)
    if theirs.code != 0:  # too large for these clusters
        assert ours.code == 1 and "more than a QED image can have" in ours.err
        return
    assert (ours.code, ours.out) == (0, theirs.out), ours.err
    assert (pair.ours / "a").read_bytes() == (pair.theirs / "a").read_bytes()
    assert_info_as_qemu(pair.ours, "a")


@pytest.mark.parametrize("backing", ["raw", "qcow2", "qed"])
def test_create_with_backing(pair, backing):
    pair.qemu_both("create", "-q", "-f", backing, "base", "3M")
    for words in (["a"], ["-o", "cluster_size=16k,table_size=2", "b", "5M"]):
        ours, theirs = pair.run("create", "-f", "qed", "-b", "base", "-F", backing, *words)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, theirs.out), ours.err
        name = "a" if words == ["a"] else "b"
        assert (pair.ours / name).read_bytes() == (pair.theirs / name).read_bytes()
        assert_info_as_qemu(pair.ours, name)
        assert_info_as_qemu(pair.ours, name, "--backing-chain")


@pytest.mark.parametrize(
    "options",
    [
        "cluster_size=2k",
        "cluster_size=5000",
        "cluster_size=128M",
        "cluster_size=64M",
        "table_size=0",
        "table_size=3",
        "table_size=32",
        "cluster_size=4k,table_size=2,size=5G",
        "size=65T",
        "compat=1.1",
    ],
)
def test_refused_options(pair, options):
    size = [] if "size=5G" in options or "size=65T" in options else ["1M"]
    ours, theirs = pair.run("create", "-f", "qed", "-o", options, "a", *size)
    assert ours.code == theirs.code == 1
    assert ours.err.startswith("efi-img: ") and pair.files() == []


def test_tables_of_one_cluster(pair):
    """qemu-img creates an image that it cannot open."""
    ours, theirs = pair.run("create", "-f", "qed", "-o", "table_size=1", "a", "1M")
    assert (ours.code, theirs.code) == (1, 0) and "QEMU cannot open" in ours.err
    assert Result(["qemu-img", "info", "a"], pair.theirs).code == 1
    assert Result([EFI_IMG, "check", "a"], pair.theirs).code == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_read(pair, layout):
    """What qemu-img has written: info, map, check, contents, and where two disks differ."""
    make(pair, layout)
    assert_info_as_qemu(pair.ours, "a")
    for words in (["map"], ["map", "--output=json"], ["check"], ["check", "--output=json"]):
        run_both(pair, *words, "a")
    for folder, program in ((pair.ours, EFI_IMG), (pair.theirs, "qemu-img")):
        done = Result([program, "convert", "-O", "raw", "a", "flat"], folder)
        assert done.code == 0, done.err
    assert (pair.ours / "flat").read_bytes() == (pair.theirs / "flat").read_bytes()
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "flat", "write -P 99 5M 512", options=("-f", "raw"))
    ours, theirs = pair.run("compare", "-F", "raw", "a", "flat")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 1
    run_both(pair, "compare", "-s", "a", "a")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_convert(pair, layout):
    """Into QED: what each makes, the other reads; and -n onto an image with other contents."""
    make(pair, "", seed=2)
    words = ["-o", layout] if layout else []
    run_both(pair, "convert", "-O", "qed", *words, "a", "b")
    pair.assert_good("b", "qed")
    run_both(pair, "check", "b")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "c", str(SIZE))
    qemu_io(pair.ours, "c", *random_writes(3, SIZE))
    copy_to_theirs(pair)
    run_both(pair, "convert", "-n", "-O", "qed", "c", "b")
    assert_same(pair, "b", "qed")
    run_both(pair, "dd", "-O", "qed", "bs=64k", "skip=3", "if=a", "of=d")
    assert_same(pair, "d", "qed")


def test_bench(pair):
    make(pair, "cluster_size=4k")
    words = "bench -w -d 1 -c 200 -s 3000 -S 41000 --pattern 65".split()
    for folder, program in ((pair.ours, EFI_IMG), (pair.theirs, "qemu-img")):
        done = Result([program, *words, "--flush-interval", "16", "a"], folder)
        assert done.code == 0, done.err
    assert_same(pair, "a", "qed")


def test_more_clusters_than_a_cluster_has_bytes(pair):
    """
    qemu-img 7.2 then counts clusters wrong, and finds leaks that there are not.
    """
    (pair.ours / "flat").write_bytes(bytes(range(1, 251)) * (20 * MIB // 250))
    copy_to_theirs(pair)
    run_both(pair, "convert", "-O", "qed", "-o", "cluster_size=4k", "flat", "a")
    assert Result([EFI_IMG, "compare", "a", "flat"], pair.theirs).code == 0
    for folder in (pair.ours, pair.theirs):
        assert Result(["qemu-img", "check", "a"], folder).code in (0, 3)
        assert Result([EFI_IMG, "check", "a"], folder).code == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rebase_and_commit(pair, layout):
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "base", "7M")
    qemu_io(pair.ours, "base", *random_writes(4, 7 * MIB))
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "other", "8M")
    qemu_io(pair.ours, "other", *random_writes(5, 8 * MIB))
    make(pair, layout, 6, SIZE, "-b", "base", "-F", "qed")
    run_both(pair, "map", "--output=json", "a")
    run_both(pair, "rebase", "-b", "other", "-F", "qcow2", "a")
    assert_same(pair, "a", "qed")
    run_both(pair, "rebase", "-b", "base", "-F", "qed", "a")
    assert_same(pair, "a", "qed")
    run_both(pair, "commit", "-d", "a")
    assert_same(pair, "base", "qed")
    run_both(pair, "commit", "a")
    assert_same(pair, "base", "qed")
    assert_same(pair, "a", "qed")
    run_both(pair, "rebase", "-b", "", "a")
    assert_same(pair, "a", "qed")
    run_both(pair, "rebase", "-u", "-b", "elsewhere", "-F", "raw", "a")
    for folder in (pair.ours, pair.theirs):
        assert_info_as_qemu(folder, "a")


def test_emptied_image_is_as_small_as_a_new_one(pair):
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "base", "7M")
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "-b", "base", "-F", "qed", "a")
    size = (pair.ours / "a").stat().st_size
    qemu_io(pair.ours, "a", *random_writes(7, 7 * MIB))
    assert Result([EFI_IMG, "commit", "a"], pair.ours).code == 0
    assert (pair.ours / "a").stat().st_size == size
    assert_sound(pair.ours, "a", "qed")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_resize(pair, layout):
    make(pair, layout)
    for size in ("+512", "20M", "33M"):
        run_both(pair, "resize", "a", size)
        assert_same(pair, "a", "qed")
    for words in (["a", "1M"], ["--shrink", "a", "1M"], ["--preallocation=full", "a", "40M"]):
        ours, theirs = pair.run("resize", *words)
        assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: ")
    assert_same(pair, "a", "qed")


def test_grow_over_a_longer_backing_file(pair):
    """Which qemu-img refuses."""
    qemu_img(pair.ours, "create", "-q", "-f", "raw", "base", "8M")
    qemu_io(pair.ours, "base", "write -P 5 0 8M", options=("-f", "raw"))
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "-b", "base", "-F", "raw", "a", "3M")
    copy_to_theirs(pair)
    ours, theirs = pair.run("resize", "a", "9M")
    assert (ours.code, theirs.code) == (0, 1)
    assert_sound(pair.ours, "a", "qed")
    (pair.ours / "flat").write_bytes(b"\5" * (3 * MIB) + bytes(6 * MIB))
    same = Result(["qemu-img", "compare", "-F", "raw", "a", "flat"], pair.ours)
    assert same.code == 0, same.out


# What is changed in an image of 1 MiB of data, with its L2 table at 0x150000.
DAMAGES = {
    "past-end": [(0x150008, 0x1000000)],
    "unaligned": [(0x150008, 0x50200)],
    "twice": [(0x150008, 0x50000)],
    "leak": [(0x150008, 0)],
    "in-header": [(0x150008, 0x8000)],
    "in-table": [(0x150008, 0x10000)],
    "l2-past-end": [(0x10000, 0x9990000)],
    "l2-is-l1": [(0x10000, 0x10000)],
    "l2-is-one": [(0x10000, 1)],
    "l2-twice": [(0x10008, 0x150000)],
    "two": [(0x150008, 0x1000000), (0x150010, 0x50000)],
    "need-check": [(16, 2)],
    "need-check-past-end": [(16, 2), (0x150008, 0x1000000)],
}


@pytest.mark.parametrize("style", ["human", "json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_check_and_repair(pair, damage, style):
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "a", "64M")
    qemu_io(pair.ours, "a", "write -P 0xaa 0 1M")
    poke(pair.ours, "a", *DAMAGES[damage])
    copy_to_theirs(pair)
    compare_check(pair, f"--output={style}")
    for _ in range(2):
        ours, theirs = pair.run("check", f"--output={style}", "-r", "all", "a")
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err
    assert (pair.ours / "a").read_bytes() == (pair.theirs / "a").read_bytes()


def compare_check(pair, *words):
    ours, theirs = pair.run("check", *words, "a")
    assert (ours.code, ours.out) == (theirs.code, theirs.out)
    assert (ours.err == "") == (ours.code != 2), ours.err


@pytest.mark.parametrize("end", [0x190000 - 512, 0x150000 + 0x20000, 0x90000])
def test_truncated(pair, end):
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "a", "64M")
    qemu_io(pair.ours, "a", "write -P 0xaa 0 1M")
    with open(pair.ours / "a", "r+b") as file:
        file.truncate(end)
    copy_to_theirs(pair)
    compare_check(pair)
    ours, theirs = pair.run("convert", "-O", "raw", "a", "flat")
    assert ours.code == theirs.code == 1


def test_leaks_alone_repair_no_corruption(pair):
    """qemu-img gives up what a corrupt entry leads to for `-r leaks` as well."""
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "a", "64M")
    qemu_io(pair.ours, "a", "write -P 0xaa 0 1M")
    poke(pair.ours, "a", (0x150008, 0x1000000))
    copy_to_theirs(pair)
    before = (pair.ours / "a").read_bytes()
    ours, theirs = pair.run("check", "-r", "leaks", "a")
    assert (ours.code, theirs.code) == (2, 3)
    assert (pair.ours / "a").read_bytes() == before


def test_what_is_corrupt_is_not_written_to(pair):
    """A new cluster could lie where the entry leads; qemu-img writes it there."""
    qemu_img(pair.ours, "create", "-q", "-f", "qed", "a", "64M")
    qemu_io(pair.ours, "a", "write -P 0xaa 0 1M")
    poke(pair.ours, "a", (0x150008, 0x190000))
    copy_to_theirs(pair)
    ours, theirs = pair.run("bench", "-w", "-c", "1", "-o", "10M", "a")
    assert (ours.code, theirs.code) == (1, 0) and "check -r all" in ours.err


def test_measure(pair):
    """For which qemu-img has no measure; nothing is larger than was measured."""
    make(pair, "cluster_size=4k", size=7 * MIB)
    ours, theirs = pair.run("measure", "--output=json", "-O", "qed", "-o", "cluster_size=4k", "a")
    assert theirs.code == 1 and ours.code == 0
    done = Result([EFI_IMG, "convert", "-O", "qed", "-o", "cluster_size=4k", "a", "b"], pair.ours)
    assert done.code == 0
    size = (pair.ours / "b").stat().st_size
    assert size <= ours.json()["required"] <= ours.json()["fully-allocated"]


@pytest.mark.parametrize(
    "command",
    ["convert -c -O qed a b", "amend -o size=20M a", "snapshot -c s a", "bitmap --add a b"],
)
def test_what_qed_cannot(pair, command):
    make(pair, "")
    before = (pair.ours / "a").read_bytes()
    ours, theirs = pair.run(*command.split())
    assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: ")
    assert (pair.ours / "a").read_bytes() == before and "b" not in pair.files()
