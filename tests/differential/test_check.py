# SPDX-License-Identifier: BSD-2-Clause
"""
`check` beside qemu-img: on sound images of every layout, and on the same images with something
wrong in them.
"""

import random
import subprocess

import pytest

from faults import (
    COPIED,
    FAULTS,
    INCOMPLETE,
    QUIET,
    assert_same_check,
    bitmap_extension,
    both,
    damage,
    data_compressed,
    data_not_copied,
    extended_both,
    extended_compressed,
    extended_unallocated,
    Image,
    l1_not_copied,
    l1_outside,
    l2_unaligned,
    leaked,
    make,
    refcount_of_l2,
    snapshot_dropped,
    snapshot_incomplete,
    snapshot_long,
    snapshot_on_l2,
    snapshot_outside,
    snapshot_table_elsewhere,
    snapshot_unaligned,
)
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result

# ---- sound images ----


LAYOUTS = [
    "",
    "cluster_size=512",
    "cluster_size=4k",
    "cluster_size=2M",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k",
    "compat=0.10",
    "data_file=d",
    "data_file=d,data_file_raw=on",
    "compression_type=zstd",
    "lazy_refcounts=on",
    "preallocation=metadata",
    "preallocation=full",
    "preallocation=falloc,extended_l2=on",
] + [f"refcount_bits={n}" for n in (1, 2, 4, 8, 32, 64)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sound(tmp_path, layout):
    make(tmp_path, layout)
    assert_same_check(tmp_path, "a.qcow2", 0)


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "cluster_size=4k",
        "cluster_size=2M",
        "refcount_bits=8",
        "extended_l2=on",
        "compression_type=zstd",
        "refcount_bits=1",
    ],
)
def test_compressed(tmp_path, layout):
    (tmp_path / "a.raw").write_bytes(
        bytes(i // 1000 % 251 for i in range(4 * MIB)) + random.Random(1).randbytes(MIB)
    )
    qemu_img(
        tmp_path,
        "convert",
        "-c",
        "-O",
        "qcow2",
        *(["-o", layout] if layout else []),
        "a.raw",
        "a.qcow2",
    )
    assert_same_check(tmp_path, "a.qcow2", 0)


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "cluster_size=512",
        "compat=0.10",
        "extended_l2=on",
        "refcount_bits=4",
        "refcount_bits=64",
    ],
)
def test_snapshots(tmp_path, layout):
    make(tmp_path, layout)
    for i in range(4):
        qemu_img(tmp_path, "snapshot", "-c", f"s{i}", "a.qcow2")
        qemu_io(tmp_path, "a.qcow2", f"write -P 9 {i * 100}k 150k", "write -z 2M 64k")
    qemu_img(tmp_path, "snapshot", "-d", "s1", "a.qcow2")
    qemu_img(tmp_path, "snapshot", "-a", "s2", "a.qcow2")
    assert_same_check(tmp_path, "a.qcow2", 0)


@pytest.mark.parametrize("layout", ["", "cluster_size=512", "cluster_size=2M"])
def test_bitmaps(tmp_path, layout):
    make(tmp_path, layout)
    for name in ("one", "two"):
        qemu_img(tmp_path, "bitmap", "--add", "-g", "4k", "a.qcow2", name)
    qemu_io(tmp_path, "a.qcow2", "write -P 1 3M 10k")
    assert_same_check(tmp_path, "a.qcow2", 0)


def test_backing_file(tmp_path):
    make(tmp_path, name="base.qcow2")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "a.qcow2")
    qemu_io(tmp_path, "a.qcow2", "write 100k 1k")
    assert_same_check(tmp_path, "a.qcow2", 0)
    # The image alone says whether it is sound; qemu-img wants to open what is behind it as well.
    (tmp_path / "base.qcow2").unlink()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == 0 and theirs.code == 1


@pytest.mark.parametrize("size", ["0", "512", "1000", "64k", "100T"])
def test_size(tmp_path, size):
    make(tmp_path, size=size, writes=[])
    assert_same_check(tmp_path, "a.qcow2", 0)


@pytest.mark.parametrize("format", ["luks", "aes"])
def test_encrypted(tmp_path, format):
    """qemu-img checks encrypted images only when it has the key, though it does not need it."""
    secret = ["--object", "secret,id=s,data=secret"]
    options = f"encrypt.format={format},encrypt.key-secret=s" + (
        ",encrypt.iter-time=10" if format == "luks" else ""
    )
    qemu_img(tmp_path, "create", "-q", *secret, "-f", "qcow2", "-o", options, "a.qcow2", "4M")
    image = f"driver=qcow2,encrypt.format={format},encrypt.key-secret=s,file.filename=a.qcow2"
    qemu_io(tmp_path, image, "write 0 300k", options=(*secret, "--image-opts"))
    ours = Result([EFI_IMG, "check", "a.qcow2"], tmp_path)
    theirs = Result(["qemu-img", "check", *secret, "--image-opts", image], tmp_path)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 0, ours.err


def test_dirty(tmp_path):
    """A machine that stopped without closing its image: refcounts were not written yet."""
    make(tmp_path, "lazy_refcounts=on", writes=[])
    subprocess.run(
        ["qemu-io", "-c", "write 0 1M", "-c", "flush", "-c", "sigraise 9", "a.qcow2"],
        cwd=tmp_path,
        capture_output=True,
    )
    assert_same_check(tmp_path, "a.qcow2", 2)


@pytest.mark.parametrize("n", [1, 3, 7, 9, 21, 25, 63, 100, 101, 500, 700, 999, 1001])
def test_per_cent(tmp_path, n):
    """Per cents that lie right between two hundredths: 1/20000 is 0.005, 25/20000 is 0.125."""
    make(tmp_path, "cluster_size=512", size=str(20000 * 512), writes=[f"write 0 {n * 512}"])
    assert_same_check(tmp_path, "a.qcow2", 0)


# ---- one fault in an image that was sound ----


def assert_fault(folder, fault, name="a.qcow2"):
    image = Image(folder / name)
    fault(image)
    image.save()
    if fault in INCOMPLETE:
        ours, theirs = both(folder, name)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == (
            1 if image.cluster > 512 else 2
        ), (ours.err + theirs.err)
        return
    ours = assert_same_check(folder, name)
    assert ours.code != 0 or fault in QUIET, fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "layout", ["", "cluster_size=512", "compat=0.10", "extended_l2=on", "refcount_bits=64"]
)
def test_fault(tmp_path, fault, layout):
    make(tmp_path, layout)
    assert_fault(tmp_path, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_fault_with_snapshots(tmp_path, fault):
    make(tmp_path, snapshot=True)
    assert_fault(tmp_path, fault)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("byte", [0x00, 0x55, 0xFF, 0x93])
def test_narrow_refcounts(tmp_path, bits, byte):
    make(tmp_path, f"refcount_bits={bits}")
    image = Image(tmp_path / "a.qcow2")
    block = image.offset_at(image.reftable)
    image.put(block + 1, byte, 1)
    image.put(block + 3, byte, 1)
    image.save()
    assert_same_check(tmp_path, "a.qcow2")


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_more_users_than_a_refcount_can_count(tmp_path, bits):
    make(tmp_path, f"refcount_bits={bits}", size="64M", writes=["write 0 40M"])
    image = Image(tmp_path / "a.qcow2")
    places = image.l2_entries()
    for at in places[:300]:
        image.put(at, image.get(places[0]))
    image.save()
    assert_same_check(tmp_path, "a.qcow2", 2)


@pytest.mark.parametrize(
    "fault", [extended_both, extended_unallocated, extended_compressed], ids=lambda f: f.__name__
)
def test_fault_of_subclusters(tmp_path, fault):
    make(tmp_path, "extended_l2=on")
    assert_fault(tmp_path, fault)


@pytest.mark.parametrize(
    "fault",
    [
        data_not_copied,
        data_compressed,
        l2_unaligned,
        l1_outside,
        l1_not_copied,
        refcount_of_l2,
        leaked,
    ],
    ids=lambda f: f.__name__,
)
def test_fault_with_data_file(tmp_path, fault):
    make(tmp_path, "data_file=d")
    assert_fault(tmp_path, fault)


@pytest.mark.parametrize(
    "fault",
    [
        snapshot_unaligned,
        snapshot_outside,
        snapshot_long,
        snapshot_on_l2,
        snapshot_dropped,
        snapshot_table_elsewhere,
        snapshot_incomplete,
    ],
    ids=lambda f: f.__name__,
)
def test_fault_of_snapshot(tmp_path, fault):
    make(tmp_path, snapshot=True)
    assert_fault(tmp_path, fault)


# ---- what qemu-img does not see, or sees differently ----


@pytest.mark.parametrize(
    "where, value",
    [
        (0, None),
        (0, 0),
        (8, 0),
        ("flags", 1 << 20),
        ("entry", 1 << 60),
        ("entry", 0x10200),
        ("entry", 1 << 50),
    ],
)
def test_fault_of_bitmap(tmp_path, where, value):
    """
    Most of these keep qemu-img from opening the image (1), so that nobody learns what else is
    wrong. Here they are corruptions (2).
    """
    make(tmp_path)
    qemu_img(tmp_path, "bitmap", "--add", "a.qcow2", "one")
    qemu_io(tmp_path, "a.qcow2", "write 0 100k")
    image = Image(tmp_path / "a.qcow2")
    directory = bitmap_extension(image)
    if where == "entry":
        image.put(image.get(directory), value)
    elif where == "flags":
        image.put(directory + 12, value, 4)
    elif where == 8:
        image.put(directory + 8, value, 4)
    else:
        image.put(directory, image.get(directory) + 512 if value is None else value)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == 2 and theirs.code in (1, 2), ours.err + theirs.err


@pytest.mark.parametrize("bitmaps, longer", [(2, 0), (3, 0xFF00), (3, 8), (1, 0)])
def test_bitmap_directory_of_another_length(tmp_path, bitmaps, longer):
    """QEMU does not open an image with more than the header says; a repair must not free these."""
    make(tmp_path)
    for name in ("one", "two", "three"):
        qemu_img(tmp_path, "bitmap", "--add", "a.qcow2", name)
    image = Image(tmp_path / "a.qcow2")
    extension = image.bytes.index(bytes.fromhex("23852875")) + 8
    image.put(extension, bitmaps, 4)
    image.put(extension + 8, image.get(extension + 8) + longer)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == 2 and "bitmap directory" in ours.err
    assert theirs.code == 1 and "bitmap" in theirs.err
    for words in (
        ["check", "-r", "leaks", "a.qcow2"],
        ["check", "-r", "all", "a.qcow2"],
        ["snapshot", "-c", "s", "a.qcow2"],
    ):
        assert Result([EFI_IMG, *words], tmp_path).code in (1, 2)
    after = Image(tmp_path / "a.qcow2")
    after.put(extension, 3, 4)
    after.put(extension + 8, after.get(extension + 8) - longer)
    after.save()
    assert_same_check(tmp_path, "a.qcow2", 0)


@pytest.mark.parametrize(
    "options, index, entry",
    [
        ("", 1, COPIED | 0x20000),
        ("", 1, COPIED),
        ("", 0, COPIED | 0x10000),
        ("", 1, 1 << 62 | 0x10000),
        ("cluster_size=2M", 0, COPIED | 0x600000),
        ("extended_l2=on", 1, COPIED | 0x20000),
        ("data_file_raw=on", 1, COPIED | 0x20000),
        ("", 6, COPIED | 0x20001),
    ],
)
def test_cluster_elsewhere_in_data_file(tmp_path, options, index, entry):
    """
    There a cluster lies at its own offset: any other is an error, for reading and for writing.
    """
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        f"data_file=d,{options}".rstrip(","),
        "a.qcow2",
        "1M",
    )
    qemu_io(
        tmp_path,
        "a.qcow2",
        "write -P 1 0 64k",
        "write -P 2 64k 64k",
        "write -P 3 128k 64k",
        "write -z 384k 64k",
    )
    image = Image(tmp_path / "a.qcow2")
    step = 16 if image.extended else 8
    image.put(image.offset_at(image.l1_entry()) + index * step, entry)
    image.save()
    files = {name: (tmp_path / name).read_bytes() for name in ("a.qcow2", "d")}
    offset = index * image.cluster
    assert Result([EFI_IMG, "check", "a.qcow2"], tmp_path).code == 2
    for tool in (EFI_IMG, "qemu-img"):
        read = Result([tool, "convert", "-O", "raw", "a.qcow2", f"out-{tool == EFI_IMG}"], tmp_path)
        assert read.code == 1, read.err
    for size in (512, 65536):
        write = Result(
            [
                EFI_IMG,
                "bench",
                "-w",
                "-c",
                "1",
                "-s",
                str(size),
                "-o",
                str(offset),
                "--pattern",
                "85",
                "a.qcow2",
            ],
            tmp_path,
        )
        assert write.code == 1 and "damaged" in write.err, write.err
    assert {name: (tmp_path / name).read_bytes() for name in files} == files


def test_live_table_as_data(tmp_path):
    """A table that was handed out again, with a refcount that agrees: qemu-img is content."""
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    table, at = image.offset_at(image.l1_entry()), image.l2_entries()[0]
    image.set_refcount(image.offset_at(at), 0)
    image.put(at, table)
    image.put(image.l1_entry(), table)
    image.set_refcount(table, 2)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert theirs.code == 0, theirs.err
    assert ours.code == 2 and "two different things" in ours.err
    assert f"ERROR cluster {table // image.cluster} refcount=2 reference=2;" in ours.err


def test_data_taken_for_a_table(tmp_path):
    """
    An L1 table that goes on over data: the numbers differ, since qemu-img walks any number of
    L2 tables.
    """
    make(tmp_path)
    qemu_img(tmp_path, "snapshot", "-c", "s", "a.qcow2")
    image = Image(tmp_path / "a.qcow2")
    image.put(image.get(64) + 8, 0x6000, 4)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == theirs.code == 2, ours.err + theirs.err
    assert len(ours.err.splitlines()) == 1001 and "only counted" in ours.err


@pytest.mark.parametrize("layout", ["compat=0.10", "extended_l2=on"])
def test_zero_flag_where_it_is_reserved(tmp_path, layout):
    """
    "This is always 0", says the specification. In version 2 qemu-img cannot read such a
    cluster, but its check says nothing of it.
    """
    make(tmp_path, layout)
    image = Image(tmp_path / "a.qcow2")
    at = image.l2_entries()[0]
    image.put(at, image.get(at) | 1)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == 2 and "reserved" in ours.err
    assert theirs.code == 0
    assert Result(["qemu-img", "convert", "-O", "raw", "a.qcow2", "out"], tmp_path).code == (
        layout == "compat=0.10"
    )


def test_copied_without_table(tmp_path):
    """
    Corrupt for both. qemu-img takes the header for an L2 table and counts whatever that looks like.
    """
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    image.put(image.l1_entry(), COPIED)
    image.save()
    ours, theirs = both(tmp_path, "--output=json", "a.qcow2")
    assert ours.code == theirs.code == 2 and ours.json()["corruptions"] == 1, ours.err


@pytest.mark.parametrize(
    "field, value",
    [
        (64, 1 << 57),
        (64, 1 << 62),
        (64, 1 << 63),
        (64, 512),
        (40, 1 << 57),
        (40, 1 << 62),
        (40, 1 << 63),
        (48, 1 << 57),
        (48, 1 << 63),
    ],
)
@pytest.mark.parametrize("layout", ["", "compat=0.10"])
def test_table_far_away(tmp_path, layout, field, value):
    """
    Of snapshots (64; there are none), L1 (40), refcounts (48). Opened if qemu-img does, so that
    check says what is wrong.
    """
    make(tmp_path, layout)
    image = Image(tmp_path / "a.qcow2")
    image.put(field, value)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert ours.code == theirs.code and (ours.code == 1 or ours.out == theirs.out), (
        ours.err + theirs.err
    )
    described = [
        Result([program, "info", "a.qcow2"], tmp_path) for program in (EFI_IMG, "qemu-img")
    ]
    assert (
        described[0].code == described[1].code and described[0].out == described[1].out
    ), described[0].err
    if field == 40 or field == 48:  # but nothing is written to where no table can be
        assert Result([EFI_IMG, "resize", "a.qcow2", "+1M"], tmp_path).code == 1
        assert (tmp_path / "a.qcow2").read_bytes() == image.bytes


@pytest.mark.parametrize("length", [8, 1 << 16, 1 << 30, (1 << 32) - 1])
@pytest.mark.parametrize("layout", ["", "compat=0.10"])
def test_end_of_extensions_with_a_length(tmp_path, layout, length):
    make(tmp_path, layout)
    image = Image(tmp_path / "a.qcow2")
    image.put(image.get(100, 4) if image.version >= 3 else 72, length)
    image.save()
    ours, theirs = both(tmp_path, "a.qcow2")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == (
        0 if length == 8 else 1
    ), (ours.err + theirs.err)


# ---- random bytes of metadata ----


# What other tables or data look like when taken for tables: the verdict is the same, the number of
# corruptions is not. qemu-img takes the header for an L2 table if an L1 entry has no offset, and
# walks more L2 tables than the file has clusters.
ONLY_CODE = {24, 60, 78, 81, 108}


@pytest.mark.parametrize("part", range(4))
def test_random_bytes(tmp_path, part):
    layout = ["", "cluster_size=4k", "extended_l2=on", "compat=0.10"][part]
    make(
        tmp_path,
        layout,
        writes=["write 0 100k", "write 300k 64k", "write -z 1M 64k"],
        snapshot=True,
    )
    different = []
    for seed in range(part * 50, part * 50 + 50):
        image = Image(tmp_path / "a.qcow2")
        damage(image, random.Random(seed))
        (tmp_path / "b.qcow2").write_bytes(image.bytes)
        ours, theirs = both(tmp_path, "b.qcow2")
        if ours.code != theirs.code or (ours.out != theirs.out and seed not in ONLY_CODE):
            different.append((seed, ours.code, theirs.code, ours.err[:300], theirs.err[:300]))
    assert not different


# ---- the command line ----


@pytest.mark.parametrize(
    "args, code",
    [
        (("none",), 1),
        ((), 1),
        (("-f", "foo", "a.qcow2"), 1),
        (("--output=xml", "a.qcow2"), 1),
        (("a.raw",), 63),
        (("-q", "a.raw"), 63),
        (("-f", "raw", "a.qcow2"), 63),
        (("-f", "qcow2", "a.raw"), 1),
        (("-r", "some", "a.qcow2"), 1),
        (("-T", "some", "a.qcow2"), 1),
        (("-q", "a.qcow2"), 0),
        (("-q", "--output=json", "a.qcow2"), 0),
        (("-U", "-T", "none", "a.qcow2"), 0),
    ],
)
def test_command_line(tmp_path, args, code):
    make(tmp_path)
    (tmp_path / "a.raw").write_bytes(bytes(MIB))
    ours, theirs = both(tmp_path, *args)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == code, (
        ours.err + theirs.err
    )
    assert code == 0 or ours.err.startswith("efi-img: ")


def test_too_many_clusters(tmp_path):
    """How much memory counting takes is bounded; nothing of it is taken before."""
    qemu_img(tmp_path, "create", "-f", "qcow2", "-o", "cluster_size=512", "a.qcow2", "1M")
    with open(tmp_path / "a.qcow2", "r+b") as file:
        file.truncate(2**31 * 512)
    run = subprocess.run(
        [EFI_IMG, "check", "a.qcow2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert (
        "its file has 2147483648 clusters of 512 bytes; at most 2147483647 can be checked"
        in run.stderr
    )
