# SPDX-License-Identifier: BSD-2-Clause
"""
Images and command lines at the ends of what there can be: what efi-img refuses, it refuses with
a reason, and leaves every byte as it was.
"""

import random
import struct

import pytest

from faults import Image, bitmap_extension
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result
from pairs import assert_sound


def prepared(change, *commands):
    """Data in all of the disk, then more commands of qemu-img, before the image is changed."""

    def fault(path):
        qemu_io(path.parent, path.name, "write -P 1 0 1M")
        for command in commands:
            qemu_img(path.parent, *command)
        header(change)(path)

    return fault


def tail(clusters):
    """The file is as long as if that many clusters were in use."""

    def fault(path):
        with path.open("r+b") as file:
            file.truncate(clusters * Image(path).cluster)

    return fault


def header(change):
    def fault(path):
        image = Image(path)
        change(image)
        image.save()

    return fault


def snapshot_table(n, entry):
    """A table with that many entries, each with its first bytes and its length."""

    def fault(path):
        image = Image(path)
        at = (len(image.bytes) + image.cluster - 1) // image.cluster * image.cluster
        image.put(60, n, 4)
        image.put(64, at)
        image.save()
        with path.open("r+b") as file:
            for i in range(n):
                head, length = entry(i)
                file.seek(at)
                file.write(head)
                at += length
            file.truncate(max(at, len(image.bytes)))

    return fault


def one_snapshot(identifier):
    return (
        struct.pack(">QIHHIIQII", 0, 0, len(identifier), 1, 0, 0, 0, 0, 16)
        + bytes(16)
        + identifier
        + b"s"
    )


def long_snapshot(i):
    """
    Of 132128 bytes: what an entry can have. 508 of them are longer than a table; the last of
    those then fills it.
    """
    name = 65535 if i < 507 or i > 507 else 53369
    return (
        struct.pack(">QIHHIIQII", 0, 0, 65535, name, 0, 0, 0, 0, 1016),
        (40 + 1016 + 65535 + name + 7) // 8 * 8,
    )


def bare_snapshot(i):
    """
    An entry that lacks the size of the disk: 511 of them fill the table, and with
    it they do not fit.
    """
    name = 65535 if i < 511 else 45057
    return (
        struct.pack(">QIHHIIQII", 0, 0, 65535, name, 0, 0, 0, 0, 0),
        (40 + 65535 + name + 7) // 8 * 8,
    )


def bare_snapshots(path):
    snapshot_table(512, bare_snapshot)(path)
    image = Image(path)
    for at in range(image.get(64), len(image.bytes), image.cluster):
        image.set_refcount(at, 1)
    image.save()


def short_snapshot(i):
    entry = one_snapshot(b"%05d" % i)
    return entry + bytes(-len(entry) % 8), (len(entry) + 7) // 8 * 8


def used_far_behind(image):
    """A block counts a cluster more than a million behind the end of the file."""
    at = len(image.bytes) // image.cluster * image.cluster
    image.put(at + image.cluster - 1, 1, 1)
    image.put(image.reftable + 8 * 40, at)


def zeros_with_few_users(image):
    """A table of two users, with a cluster of one that is reserved for zeros."""
    at = image.l2_entries()[0]
    image.set_refcount(image.offset_at(at), 1)
    image.put(at, image.get(at) | 1)


def long_table(image):
    """
    Where a table of nothing can be, and how many entries it has if two of the kind are longer
    than the file.
    """
    at = -len(image.bytes) // image.cluster * -image.cluster
    n = at * 2 // 8
    image.put(at, 0, n * 8)
    return at, n


def long_snapshot_tables(image):
    at, (table, n) = image.get(64), long_table(image)
    for _ in range(image.get(60, 4)):
        image.put(at, table)
        image.put(at + 8, n, 4)
        at += (
            (40 + image.get(at + 36, 4) + image.get(at + 12, 2) + image.get(at + 14, 2) + 7)
            // 8
            * 8
        )


def long_bitmap_tables(image):
    at, (table, n) = bitmap_extension(image), long_table(image)
    for _ in range(3):
        image.put(at, table)
        image.put(at + 8, n, 4)
        at += (24 + image.get(at + 18, 2) + 7) // 8 * 8


def two_of_a_name(image):
    """The second bitmap is named as the first."""
    image.put(bitmap_extension(image) + 32 + 24, ord("b"), 1)


def many_bitmaps(image):
    """65535 of them, with one table."""
    at = image.bytes.index(bytes.fromhex("23852875")) + 8
    table = image.get(image.get(at + 16))
    entries = b"".join(
        struct.pack(">QIIBBHI5s3x", table, 1, 2, 1, 16, 5, 0, b"%05d" % i) for i in range(65535)
    )
    image.put(at, 65535, 4)
    image.put(at + 8, len(entries))
    image.put(at + 16, (len(image.bytes) + image.cluster - 1) // image.cluster * image.cluster)
    image.put(image.get(at + 16), int.from_bytes(entries, "big"), len(entries))


CASES = {
    # the table of refcounts
    "refcounts-reach-no-further": (
        "cluster_size=512,refcount_bits=64",
        "1M",
        tail(80 << 20),
        ["snapshot", "-c", "s", "a"],
        "too large",
    ),
    "wider-refcounts-do-not-fit": (
        "cluster_size=512",
        "1M",
        tail(80 << 20),
        ["amend", "-o", "refcount_bits=64", "a"],
        "the refcount table would be longer than 8388608 bytes",
    ),
    "used-far-behind-the-end": (
        "",
        "1M",
        header(used_far_behind),
        ["amend", "-o", "refcount_bits=64", "a"],
        "is said to be in use, far past the end",
    ),
    # snapshots
    "snapshot-table-too-long": (
        "",
        "1M",
        snapshot_table(510, long_snapshot),
        ["snapshot", "-l", "a"],
        "longer than 67108864 bytes",
    ),
    "snapshot-table-full": (
        "",
        "1M",
        snapshot_table(508, long_snapshot),
        ["snapshot", "-c", "n", "a"],
        "can have no more snapshots",
    ),
    "snapshot-table-full-when-complete": (
        "cluster_size=2M",
        "1M",
        bare_snapshots,
        ["check", "-r", "all", "a"],
        "completing the snapshots",
    ),
    "snapshots-all-there-can-be": (
        "",
        "1M",
        snapshot_table(65536, short_snapshot),
        ["snapshot", "-c", "s", "a"],
        "it has 65536 snapshots, and can have no more",
    ),
    "snapshots-one-too-many": (
        "",
        "1M",
        snapshot_table(65537, short_snapshot),
        ["snapshot", "-l", "a"],
        "65537 snapshots are more than",
    ),
    "snapshot-last-id": (
        "",
        "1M",
        snapshot_table(1, lambda i: (one_snapshot(b"18446744073709551615"), 80)),
        ["snapshot", "-c", "t", "a"],
        "no id is left for it",
    ),
    "snapshot-id-too-large": (
        "",
        "1M",
        snapshot_table(1, lambda i: (one_snapshot(b"99999999999999999999"), 80)),
        ["snapshot", "-c", "t", "a"],
        "no id is left for it",
    ),
    "zeros-with-few-users": (
        "",
        "1M",
        prepared(zeros_with_few_users, ("snapshot", "-c", "s", "a")),
        ["amend", "-o", "compat=0.10", "a"],
        "not there, or not in use",
    ),
    "snapshots-longer-than-the-file": (
        "",
        "1M",
        prepared(long_snapshot_tables, *[("snapshot", "-c", "s", "a")] * 4),
        ["check", "a"],
        "is not looked at: together they are longer than the file",
    ),
    "bitmaps-longer-than-the-file": (
        "",
        "1M",
        prepared(long_bitmap_tables, *[("bitmap", "--add", "a", name) for name in "bcd"]),
        ["check", "a"],
        "is not looked at: together they are longer than the file",
    ),
    "bitmaps-of-one-name": (
        "",
        "1M",
        prepared(two_of_a_name, *[("bitmap", "--add", "a", name) for name in "bc"]),
        ["convert", "--bitmaps", "-O", "qcow2", "a", "new"],
        "a: it has two bitmaps with the name \"b\"",
    ),
    "bitmaps-all-there-can-be": (
        "",
        "1M",
        prepared(many_bitmaps, ("bitmap", "--add", "a", "b")),
        ["bitmap", "--add", "a", "c"],
        "it has 65535 bitmaps, and can have no more",
    ),
    # names and the header
    "names-do-not-fit": (
        "cluster_size=512",
        "1M",
        None,
        ["rebase", "-u", "-b", "b" * 500, "-F", "raw", "a"],
        "has no room for the names",
    ),
    "name-too-long": (
        "",
        "1M",
        None,
        ["rebase", "-u", "-b", "b" * 1024, "-F", "raw", "a"],
        "can have 1023 bytes",
    ),
    "raw-data-and-backing": (
        "data_file=d,data_file_raw=on",
        "1M",
        None,
        ["rebase", "-u", "-b", "b", "-F", "raw", "a"],
        "cannot have a backing file",
    ),
    # options
    "create-no-data-file": (
        "",
        "1M",
        None,
        ["create", "-f", "qcow2", "-o", "data_file=", "new", "1M"],
        "option data_file: the name is empty",
    ),
    "sources-too-large": (
        "cluster_size=2M",
        "2E",
        None,
        ["convert", "-O", "qcow2", "a", "a", "a", "a", "new"],
        "together the sources are larger than any disk",
    ),
    "create-too-large": (
        "",
        "1M",
        None,
        [
            "create",
            "-f",
            "qcow2",
            "-o",
            "cluster_size=512,refcount_bits=64,preallocation=metadata",
            "new",
            "40G",
        ],
        "is more than a qcow2 image can have",
    ),
    "amend-no-data-file": (
        "data_file=d",
        "1M",
        None,
        ["amend", "-o", "data_file=", "a"],
        "option data_file: the name is empty",
    ),
    "amend-no-size": (
        "",
        "1M",
        None,
        ["amend", "--force", "-o", "size=0", "a"],
        "nothing would be left of the disk",
    ),
}


def contents(folder):
    """Of each file its length and its beginning, which has all that is not zeros."""
    found = {}
    for path in folder.iterdir():
        with path.open("rb") as file:
            found[path.name] = path.stat().st_size, file.read(80 * MIB)
    return found


@pytest.mark.parametrize("name", CASES)
def test_refused(tmp_path, name):
    options, size, fault, words, reason = CASES[name]
    qemu_img(
        tmp_path, "create", "-q", "-f", "qcow2", *(["-o", options] if options else []), "a", size
    )
    if fault is not None:
        fault(tmp_path / "a")
    before = contents(tmp_path)
    done = Result([EFI_IMG, *words], tmp_path)
    assert done.code == (2 if words == ["check", "a"] else 1) and reason in done.err, done.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("missing", range(8))
def test_refcount_table_moves_twice(tmp_path, missing):
    """
    It grows to end with the last cluster that is taken; then the clusters for the table itself
    do not fit any more.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "64k")
    qemu_io(tmp_path, "a", "write -P 1 0 64k")
    tail(128 * 256 - missing)(tmp_path / "a")
    assert Result([EFI_IMG, "snapshot", "-c", "s", "a"], tmp_path).code == 0
    assert_sound(tmp_path, "a", "qcow2")
    qemu_io(tmp_path, "a", "read -P 1 0 64k")


@pytest.mark.parametrize(
    "layout",
    [
        "cluster_size=512,refcount_bits=64",
        "cluster_size=512,refcount_bits=32",
        "cluster_size=1k,refcount_bits=64",
    ],
)
def test_compressed_clusters_between_refcount_blocks(tmp_path, layout):
    """A stream goes on in the next cluster only if no refcount block has taken it."""
    dice = random.Random(layout)
    (tmp_path / "r").write_bytes(b"".join(dice.randbytes(256) + bytes(256) for _ in range(4096)))
    done = Result(
        [EFI_IMG, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", layout, "r", "a"], tmp_path
    )
    assert done.code == 0, done.err
    assert_sound(tmp_path, "a", "qcow2")
    assert Result(["qemu-img", "compare", "-F", "raw", "a", "r"], tmp_path).code == 0


def test_refcounts_for_what_is_not_there(tmp_path):
    """
    The old refcount table has to become a thousand times longer, to count the new one, which is
    as long.
    """
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "cluster_size=512,refcount_bits=64",
        "a",
        "64k",
    )
    qemu_io(tmp_path, "a", "write -P 1 0 64k")
    tail(34 << 19)(tmp_path / "a")
    done = Result([EFI_IMG, "amend", "-o", "refcount_bits=1", "a"], tmp_path)
    assert done.code == 0, done.err
    assert_sound(tmp_path, "a", "qcow2")


def test_snapshot_of_nothing(tmp_path):
    """A disk of 0 bytes has no L1 table that a snapshot could have."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "0")
    assert Result([EFI_IMG, "snapshot", "-c", "s", "a"], tmp_path).code == 0
    assert_sound(tmp_path, "a", "qcow2")
    assert Result(["qemu-img", "snapshot", "-a", "s", "a"], tmp_path).code == 0


def test_bitmap_table_of_two(tmp_path):
    """What it says is not believed before all of it is known, and its table is not written to."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    qemu_img(tmp_path, "bitmap", "--add", "a", "b")
    image = Image(tmp_path / "a")
    table = image.get(bitmap_extension(image))
    image.set_refcount(table, 2)
    image.save()
    (tmp_path / "r").write_bytes(b"x" * MIB)
    done = Result([EFI_IMG, "convert", "-n", "-f", "raw", "-O", "qcow2", "r", "a"], tmp_path)
    assert done.code == 1 and "the contents are damaged" in done.err, done.err
    assert Image(tmp_path / "a").get(table) == 0


def test_zeros_in_a_cluster_of_others(tmp_path):
    """
    A cluster reserved for the disk's zeros that is data of a snapshot: it stays that, and the
    disk gets another one, or none.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    qemu_io(tmp_path, "a", "write -P 1 0 1M")
    qemu_img(tmp_path, "snapshot", "-c", "s", "a")
    qemu_io(tmp_path, "a", "write -P 2 512k 64k")
    image = Image(tmp_path / "a")
    at = image.l2_entries()[0]
    image.put(at, image.get(at) | 1)
    image.save()
    done = Result([EFI_IMG, "amend", "-o", "compat=0.10", "a"], tmp_path)
    assert done.code == 0, done.err
    assert_sound(tmp_path, "a", "qcow2")
    qemu_io(tmp_path, "a", "read -P 0 0 64k", "read -P 1 64k 448k")
    qemu_img(tmp_path, "snapshot", "-a", "s", "a")
    qemu_io(tmp_path, "a", "read -P 1 0 1M")


def test_chain_too_long(tmp_path):
    for i in range(257):
        backing = ["-u", "-b", f"{i - 1}", "-F", "qcow2"] if i else []
        if i < 2:
            qemu_img(tmp_path, "create", "-q", "-f", "qcow2", *backing, f"{i}", "1M")
        else:  # as the one before, over that
            image = Image(tmp_path / "1")
            name = f"{i - 1}".encode()
            place = image.get(8)
            image.bytes[place : place + len(name)] = name
            image.put(16, len(name), 4)
            (tmp_path / f"{i}").write_bytes(image.bytes)
    assert Result([EFI_IMG, "convert", "-O", "raw", "255", "flat"], tmp_path).code == 0
    done = Result([EFI_IMG, "convert", "-O", "raw", "256", "flat"], tmp_path)
    assert done.code == 1 and "has more than 256 files" in done.err, done.err
