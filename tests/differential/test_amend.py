# SPDX-License-Identifier: BSD-2-Clause
"""`amend` beside qemu-img."""

import random
import re
import struct

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, progress, Result
from pairs import assert_same, assert_sound, copy_to_theirs, run_both

SIZE = 3 * MIB + 512


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def make(folder, layout, *args, seed=0, size=SIZE, compressed=False):
    qemu_img(
        folder,
        "create",
        "-q",
        "-f",
        "qcow2",
        *args,
        *(["-o", layout] if layout else []),
        "a",
        str(size),
    )
    qemu_io(folder, "a", *random_writes(seed, size, compressed=compressed))


def add_snapshots(folder):
    """Disks that share tables and clusters, zeros of all kinds among them."""
    for i, name in enumerate(("s0", "s1")):
        qemu_img(folder, "snapshot", "-c", name, "a")
        qemu_io(
            folder,
            "a",
            f"write -z {i * 512}k 64k",
            f"write -P {i + 20} 1M 192k",
            "write -z 1088k 64k",
        )


def snapshot_disks(folder):
    disks = []
    for name in ("s0", "s1"):
        qemu_img(folder, "convert", "-O", "raw", "-l", name, "a", "flat")
        disks.append((folder / "flat").read_bytes())
        (folder / "flat").unlink()
    return disks


STEPS = [
    "compat=0.10",
    "compat=v2,lazy_refcounts=off",
    "compat=1.1",
    "lazy_refcounts=on",
    "lazy_refcounts=off",
    "refcount_bits=16",
    "refcount_bits=1",
    "refcount_bits=8,lazy_refcounts=on",
    "refcount_bits=64",
    "refcount_bits=32,compat=v3",
    "size=1M",
    "size=20M",
    "size=1M,refcount_bits=4",
    "compat=0.10,size=4M",
    "refcount_bits=16,compat=0.10",
    "compression_type=zlib",
    "data_file_raw=off",
    "data_file_raw=on",
    "data_file=d",
]
LAYOUTS = [
    "",
    "cluster_size=512",
    "compat=0.10",
    "compat=0.10,cluster_size=4k",
    "cluster_size=4k,refcount_bits=1",
    "refcount_bits=64",
    "extended_l2=on,cluster_size=16k",
    "lazy_refcounts=on",
    "compression_type=zstd",
    "preallocation=metadata",
]


@pytest.mark.enumeration(4)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each(pair, layout, step):
    make(pair.ours, layout, compressed=layout in ("", "compression_type=zstd"))
    copy_to_theirs(pair)
    before = (pair.ours / "a").read_bytes()
    done = run_both(pair, "amend", *(["--force"] if "size" in step else []), "-o", step, "a")
    if done.code == 0:
        assert_same(pair, "a")
    else:  # of several options, qemu-img may have changed some
        assert (pair.ours / "a").read_bytes() == before
    qemu_io(pair.ours, "a", "write -P 3 0 1M", "write -z 100k 200k")
    assert_sound(pair.ours, "a", "qcow2")


@pytest.mark.parametrize("bits", ["1", "8", "64"])
def test_large_clusters(pair, bits):
    """On which qemu-img spends minutes."""
    make(pair.ours, "cluster_size=2M")
    qemu_img(pair.ours, "convert", "-O", "raw", "a", "flat")
    done = Result([EFI_IMG, "amend", "-o", f"refcount_bits={bits}", "a"], pair.ours)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert_sound(pair.ours, "a", "qcow2")
    qemu_img(pair.ours, "compare", "a", "flat")
    qemu_io(pair.ours, "a", "write -P 3 0 3M")
    assert_sound(pair.ours, "a", "qcow2")


@pytest.mark.enumeration(4)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "layout", ["", "compat=0.10", "cluster_size=512,refcount_bits=8", "refcount_bits=2"]
)
def test_with_snapshots(pair, layout, step):
    make(pair.ours, layout)
    add_snapshots(pair.ours)
    disks = snapshot_disks(pair.ours)
    copy_to_theirs(pair)
    before = (pair.ours / "a").read_bytes()
    if run_both(pair, "amend", "--force", "-o", step, "a").code != 0:
        assert (pair.ours / "a").read_bytes() == before
        return
    assert_same(pair, "a")
    if "size" not in step:  # qemu-img shows a snapshot as long as the disk is now
        assert snapshot_disks(pair.ours) == disks
    for action in (("-a", "s0"), ("-d", "s1"), ("-d", "s0")):
        run_both(pair, "snapshot", *action, "a")
        assert_sound(pair.ours, "a", "qcow2")


@pytest.mark.parametrize("name", ["base", "a-name-" * 20, "b" * 250])
@pytest.mark.parametrize("layout", ["", "cluster_size=4k", "cluster_size=512"])
def test_with_a_backing_file(pair, layout, name):
    """
    Zeros in front of other data, and headers that get longer and shorter; a name
    has a place in each.
    """
    name = name[:100] if layout == "cluster_size=512" else name
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", name, "4M")
    qemu_io(pair.ours, name, "write -P 9 0 4M")
    make(pair.ours, layout, "-b", name, "-F", "qcow2")
    add_snapshots(pair.ours)
    disks = snapshot_disks(pair.ours)
    copy_to_theirs(pair)
    for step in (
        "compat=0.10",
        "compat=1.1",
        "refcount_bits=32",
        "compat=0.10,refcount_bits=16",
        "compat=1.1,lazy_refcounts=on",
    ):
        run_both(pair, "amend", "-o", step, "a")
        assert_same(pair, "a")
        assert snapshot_disks(pair.ours) == disks


@pytest.mark.parametrize(
    "options",
    [
        "backing_file=base",
        "backing_fmt=qcow2",
        "backing_file=base,backing_fmt=qcow2",
        "backing_file=other",
        "backing_file=,backing_fmt=qcow2",
        "backing_file=base,backing_fmt=raw",
        "compat=1.1,backing_file=base,backing_fmt=qcow2",
    ],
)
@pytest.mark.parametrize("has_format", [True, False])
def test_backing_names(pair, options, has_format):
    for name in ("base", "other"):
        qemu_img(pair.ours, "create", "-q", "-f", "qcow2", name, "1M")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "a")
    if not has_format:
        qemu_img(pair.ours, "rebase", "-u", "-b", "", "a")
    copy_to_theirs(pair)
    run_both(pair, "amend", "-o", options, "a")
    assert_same(pair, "a")


@pytest.mark.parametrize(
    "options",
    [
        "data_file=e",
        "data_file_raw=off",
        "data_file=e,data_file_raw=off",
        "data_file_raw=on",
        "compat=0.10",
        "data_file=" + "f" * 200,
        "refcount_bits=4",
        "size=5M",
        "size=5M,data_file=e",
    ],
)
@pytest.mark.parametrize("raw", ["on", "off"])
def test_data_file(pair, options, raw):
    make(pair.ours, f"data_file=d,data_file_raw={raw}")
    copy_to_theirs(pair)
    run_both(pair, "amend", "-o", options, "a")
    for folder in (pair.ours, pair.theirs):
        for name in ("e", "f" * 200):
            if f"data_file={name}" in options:
                (folder / "d").rename(folder / name)
    assert_same(pair, "a")


def without_sizes(path):
    """The first snapshot table as old versions of QEMU wrote it."""
    image = bytearray(path.read_bytes())
    n, at = struct.unpack(">IQ", image[60:72])
    table, to = b"", at
    for _ in range(n):
        head, extra = (
            bytearray(image[at : at + 40]),
            struct.unpack(">I", image[at + 36 : at + 40])[0],
        )
        texts = sum(struct.unpack(">HH", head[12:16]))
        head[36:40] = bytes(4)
        entry = bytes(head) + image[at + 40 + extra : at + 40 + extra + texts]
        table += entry.ljust((len(entry) + 7) // 8 * 8, b"\0")
        at += (40 + extra + texts + 7) // 8 * 8
    image[to:at] = table.ljust(at - to, b"\0")
    path.write_bytes(image)


def test_old_snapshots_get_sizes(pair):
    make(pair.ours, "compat=0.10")
    add_snapshots(pair.ours)
    disks = snapshot_disks(pair.ours)
    without_sizes(pair.ours / "a")
    copy_to_theirs(pair)
    run_both(pair, "amend", "-o", "compat=1.1", "a")
    assert_same(pair, "a")
    assert snapshot_disks(pair.ours) == disks
    run_both(pair, "amend", "-o", "compat=0.10", "a")
    run_both(pair, "amend", "-o", "compat=1.1,size=8M", "a")
    assert_same(pair, "a")
    run_both(pair, "snapshot", "-a", "s0", "a")
    assert_same(pair, "a")


def test_zstd_without_compressed_clusters(pair):
    make(pair.ours, "compression_type=zstd")
    copy_to_theirs(pair)
    assert run_both(pair, "amend", "-o", "compat=0.10", "a").code == 0
    assert_same(pair, "a")
    qemu_io(pair.ours, "a", "write -c -P 1 0 64k")
    assert_sound(pair.ours, "a", "qcow2")


def test_shrinking_needs_force(pair):
    """qemu-img cuts the disk without being asked twice."""
    make(pair.ours, "")
    before = (pair.ours / "a").read_bytes()
    done = Result([EFI_IMG, "amend", "-o", "size=1M,compat=0.10", "a"], pair.ours)
    assert done.code == 1 and "--force" in done.err and (pair.ours / "a").read_bytes() == before


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("a",),
        ("-o", "help"),
        ("-o", "", "a"),
        ("-o", ",", "a"),
        ("-o", "compat=1.1"),
        ("-o", "compat=1.1", "a", "a"),
        ("-o", "compat=1.1", "none"),
        ("-f", "raw", "-o", "help"),
        ("-f", "raw", "-o", "size=2M", "a"),
        ("-o", "size=2M", "r"),
        ("-o", "help", "r"),
        ("-f", "foo", "-o", "compat=1.1", "a"),
        ("-o", "cluster_size=4k", "a"),
        ("-o", "nope=1", "a"),
        ("-o", "compat=0.9", "a"),
        ("-o", "refcount_bits=3", "a"),
        ("-o", "refcount_bits=0", "a"),
        ("-o", "refcount_bits=128", "a"),
        ("-o", "refcount_bits=x", "a"),
        ("-o", "preallocation=off", "a"),
        ("-o", "extended_l2=off", "a"),
        ("-o", "encrypt.format=luks", "a"),
        ("-o", "encrypt.state=active", "a"),
        ("-o", "encryption=on", "a"),
        ("-o", "lazy_refcounts=maybe", "a"),
        ("-o", "size=1000001", "a"),
        ("-o", "size=8E", "a"),
        ("-o", "compat=0.10,refcount_bits=8", "a"),
        ("-o", "compat=0.10,lazy_refcounts=on", "a"),
        ("-o", "lazy_refcounts=on", "old"),
        ("-o", "refcount_bits=32", "old"),
        ("-o", "size=2M", "old"),
        ("-o", "size=1M", "old"),
        ("-t", "foo", "-o", "compat=1.1", "a"),
        ("-o", "help", "none"),
        ("-T", "none", "-o", "compat=1.1", "a"),
        ("-U", "-o", "compat=1.1", "a"),
        ("-o", "refcount_bits=1", "shared"),
        ("-o", "refcount_bits=2,compat=0.10", "shared"),
        ("-o", "size", "a"),
        ("-o", "backing_file=x", "a"),
        ("-o", "compat=1.1", "orphan"),
        ("-o", "compat=0.10", "vm"),
    ],
)
def test_refused(pair, args):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "a", "1M")
    qemu_img(pair.ours, "create", "-q", "-f", "raw", "r", "1M")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "old", "1M")
    qemu_img(pair.ours, "snapshot", "-c", "s", "old")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "shared", "1M")
    qemu_io(pair.ours, "shared", "write 0 1M")
    qemu_img(pair.ours, "snapshot", "-c", "s", "shared")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "vm", "1M")
    qemu_img(pair.ours, "snapshot", "-c", "s", "vm")
    qemu_img(pair.ours, "resize", "-q", "vm", "2M")
    qemu_img(
        pair.ours, "create", "-q", "-f", "qcow2", "-u", "-b", "gone", "-F", "raw", "orphan", "1M"
    )
    copy_to_theirs(pair)
    assert run_both(pair, "amend", *args).code == 1
    for name in ("a", "r", "old", "shared", "vm", "orphan"):
        assert (pair.ours / name).read_bytes() == (pair.theirs / name).read_bytes()


@pytest.mark.parametrize(
    "args", [("-f", "qcow2", "-o", "help"), ("-o", "help", "a"), ("-o", "compat=1.1,?", "a")]
)
def test_help(pair, args):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "a", "1M")
    ours = Result([EFI_IMG, "amend", *args], pair.ours)
    theirs = Result(["qemu-img", "amend", *args], pair.ours)
    names = [
        [
            line.split("=")[0].strip()
            for line in each.out.splitlines()[1:]
            if re.match("  [a-z]", line) and "encrypt." not in line
        ]
        for each in (ours, theirs)
    ]
    assert ours.code == theirs.code == 0 and names[0] == names[1]
    assert ours.out.splitlines()[0] == theirs.out.splitlines()[0] == "Amend options for 'qcow2':"


@pytest.mark.parametrize(
    "args, text",
    [
        (("-p",), "    (0.00/100%)\r    (100.00/100%)\r\n"),
        (("-p", "-q"), ""),
        ((), ""),
        (("-t", "none"), ""),
    ],
)
def test_progress(pair, args, text):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "a", "1M")
    done = Result([EFI_IMG, "amend", *args, "-o", "compat=0.10", "a"], pair.ours)
    assert (done.code, done.out) == (0, text)


@pytest.mark.parametrize("options", ["refcount_bits=64", "compat=0.10,refcount_bits=16"])
def test_progress_of_what_takes_long(pair, options):
    """As qemu-img, more than that it begins and ends: each step of the tables."""
    made = ("cluster_size=512,refcount_bits=8", "a", "8M")
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-o", *made)
    qemu_io(pair.ours, "a", "write 0 4M", "write -z 4M 3M")
    copy_to_theirs(pair)
    ours, theirs = pair.run("amend", "-p", "-o", options, "a")
    assert (ours.code, theirs.code) == (0, 0), ours.err + theirs.err
    positions, _, rest = progress(ours.out)
    assert len(positions) > 20 and len(progress(theirs.out)[0]) > 20
    assert positions == sorted(positions) and (positions[0], positions[-1]) == (0, 10000)
    assert rest.strip() == "" and all(b - a < 1000 for a, b in zip(positions, positions[1:]))
    assert_same(pair, "a")


@pytest.mark.parametrize("seed", range(4))
def test_one_after_the_other(pair, seed):
    """Random changes of random images, with writes between them."""
    dice = random.Random(seed)
    make(pair.ours, f"cluster_size={dice.choice(['512', '4k', '64k'])}", seed=seed)
    copy_to_theirs(pair)
    for _ in range(8):
        before = (pair.theirs / "a").read_bytes()
        if (
            run_both(
                pair, "amend", "-o", dice.choice([s for s in STEPS if "size" not in s]), "a"
            ).code
            != 0
        ):
            (pair.theirs / "a").write_bytes(
                before
            )  # of several options, qemu-img may have changed some
        assert_same(pair, "a")
        writes = list(random_writes(dice.random(), SIZE))[:5]
        for folder in (pair.ours, pair.theirs):
            qemu_io(folder, "a", *writes)


def test_one_table_everywhere(pair):
    """
    An L1 table with more entries than the file has clusters is no reason to look at one L2
    table as often.
    """
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "64M")
    qemu_io(pair.ours, "a", "write -z 0 512")
    with open(pair.ours / "a", "r+b") as file:
        file.seek(36)
        entries, at = struct.unpack(">IQ", file.read(12))
        file.seek(at)
        first = file.read(8)
        file.seek(at)
        file.write(first * entries)
    before = (pair.ours / "a").read_bytes()
    assert entries > len(before) // 512
    result = Result([EFI_IMG, "amend", "-o", "compat=0.10", "a"], pair.ours)
    assert result.code == 1 and "check the image" in result.err
    assert (pair.ours / "a").read_bytes() == before
