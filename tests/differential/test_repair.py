# SPDX-License-Identifier: BSD-2-Clause
"""`check -r` beside qemu-img, on images with one fault or many."""

import random

import pytest

from faults import (
    FAULTS,
    bitmap_extension,
    corrupt_bit,
    damage,
    extended_both,
    extended_compressed,
    extended_unallocated,
    Image,
    l1_twice,
    l1_unaligned,
    l2_just_outside,
    l2_outside,
    l2_unaligned,
    leaked,
    make,
    not_copied,
    refcount_high,
    refcount_of_l2,
    refcount_zero,
    reftable_empty,
    reftable_twice,
    shortened,
    snapshot_dropped,
    snapshot_incomplete,
    snapshot_long,
    snapshot_on_l2,
    snapshot_outside,
    snapshot_unaligned,
)
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result
from repairs import assert_repair, both, numbers, run


# ---- one fault ----


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("layout", ["", "cluster_size=512", "extended_l2=on", "refcount_bits=64"])
def test_all(tmp_path, fault, layout):
    make(tmp_path, layout)
    assert_repair(tmp_path, "all", fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("what", ["leaks", "all"])
def test_with_snapshots(tmp_path, fault, what):
    make(tmp_path, "compat=0.10", snapshot=True)
    assert_repair(tmp_path, what, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_leaks(tmp_path, fault):
    make(tmp_path)
    assert_repair(tmp_path, "leaks", fault)


@pytest.mark.parametrize(
    "fault",
    [
        snapshot_unaligned,
        snapshot_outside,
        snapshot_long,
        snapshot_on_l2,
        snapshot_dropped,
        snapshot_incomplete,
    ],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("what", ["leaks", "all"])
def test_faults_of_snapshots(tmp_path, fault, what):
    make(tmp_path, snapshot=True)
    ours = assert_repair(tmp_path, what, fault)
    if fault == snapshot_incomplete and what == "all":
        assert ours.code == 0
        assert Result([EFI_IMG, "snapshot", "-a", "s", "a.qcow2"], tmp_path).code == 0
        assert run("qemu-img", tmp_path, "a.qcow2").code == 0


@pytest.mark.parametrize(
    "fault", [extended_both, extended_unallocated, extended_compressed], ids=lambda f: f.__name__
)
def test_subclusters(tmp_path, fault):
    make(tmp_path, "extended_l2=on")
    assert_repair(tmp_path, "all", fault)


@pytest.mark.parametrize(
    "fault",
    [not_copied, refcount_of_l2, leaked, refcount_zero, reftable_twice],
    ids=lambda f: f.__name__,
)
def test_data_file(tmp_path, fault):
    make(tmp_path, "data_file=d")
    assert_repair(tmp_path, "all", fault if fault != refcount_zero else refcount_of_l2)


def zero_unaligned(image):
    """A place that is only reserved, for zeros, where there can be none."""
    step = 16 if image.extended else 8
    table = image.offset_at(image.l1_entry())
    for at in range(table, table + image.cluster, step):
        if image.extended and image.get(at) and not image.get(at + 8) & 0xFFFFFFFF:
            image.put(at, image.get(at) + 512)
            return
        if not image.extended and image.get(at) & 1 and image.offset_at(at):
            image.put(at, image.get(at) + 512)
            return
    raise AssertionError("no such entry")


@pytest.mark.parametrize("layout", ["", "extended_l2=on"])
@pytest.mark.parametrize("snapshot", [False, True])
def test_reserved_place(tmp_path, layout, snapshot):
    make(
        tmp_path,
        layout,
        writes=["write -P 1 0 1M", "write -z 128k 128k", "write -P 3 2M 100k"],
        snapshot=snapshot,
    )
    ours = assert_repair(tmp_path, "all", zero_unaligned)
    assert ours.code == 0


# ---- refcounts of every width ----


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("what", ["leaks", "all"])
@pytest.mark.parametrize("cluster", ["512", "64k"])
def test_random_refcounts(tmp_path, bits, what, cluster):
    make(tmp_path, f"refcount_bits={bits},cluster_size={cluster}", snapshot=bits > 1)
    dice = random.Random(bits)
    image = Image(tmp_path / "a.qcow2")
    block = image.offset_at(image.reftable)
    n = min(len(image.bytes) // image.cluster, image.cluster * 8 // bits) * bits // 8
    for _ in range(6):
        at = block + dice.randrange(n)
        image.put(
            at,
            image.get(at, 1) | (1 << dice.randrange(8)) if what == "leaks" else dice.randrange(256),
            1,
        )
    image.save()
    ours, theirs = both(tmp_path, what)
    assert ours.code == theirs.code, ours.err + theirs.err
    assert ours.code == 1 or numbers(ours) == numbers(theirs)


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_more_users_than_a_refcount_can_count(tmp_path, bits):
    make(tmp_path, f"refcount_bits={bits}", size="64M", writes=["write 0 40M"])
    image = Image(tmp_path / "a.qcow2")
    places = image.l2_entries()
    for at in places[:300]:
        image.put(at, image.get(places[0]))
    image.save()
    ours, theirs = both(tmp_path, "all")
    assert ours.code == theirs.code == 2 and "were kept" in ours.err


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "cluster_size=512",
        "cluster_size=2M",
        "compat=0.10",
        "refcount_bits=1",
        "refcount_bits=64,cluster_size=512",
    ],
)
def test_no_refcounts_at_all(tmp_path, layout):
    make(tmp_path, layout)
    image = Image(tmp_path / "a.qcow2")
    size = len(image.bytes)
    for at in range(image.reftable, image.reftable + image.get(56, 4) * image.cluster, 8):
        image.put(at, 0)
    image.save()
    ours, theirs = both(tmp_path, "all")
    assert ours.code == theirs.code == 0 and numbers(ours) == numbers(theirs), ours.err + theirs.err
    after = Image(tmp_path / "a.qcow2")
    assert after.reftable >= size and all(
        after.offset_at(after.reftable + 8 * i) >= size // image.cluster * image.cluster
        for i in range(2)
        if after.get(after.reftable + 8 * i)
    ), "it is not behind everything else"
    changed = [
        at for at in range(min(size, len(after.bytes))) if image.bytes[at] != after.bytes[at]
    ]
    assert all(48 <= at < 60 for at in changed), "something else has changed"


def test_no_room_for_new_refcounts(tmp_path):
    """An entry refers to where they would go: it must not begin to look as if it led to zeros."""
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    l2_just_outside(image)
    reftable_twice(image)
    image.save()
    ours, _ = both(tmp_path, "all")
    assert ours.code == 1 and "exceeding the end" in ours.err
    assert (tmp_path / "a.qcow2").read_bytes() == image.bytes


@pytest.mark.parametrize(
    "fault", [l2_outside, l1_unaligned, l2_unaligned], ids=lambda f: f.__name__
)
def test_rebuilt_with_something_lost(tmp_path, fault):
    make(tmp_path, "cluster_size=4k")
    image = Image(tmp_path / "a.qcow2")
    entry = image.offset_at(image.l2_entries()[0])
    fault(image)
    reftable_twice(image)
    image.save()
    ours, theirs = both(tmp_path, "all")
    assert ours.code == theirs.code == 2 and (
        fault == l2_unaligned or "were kept" in ours.err
    ), ours.err
    after = Image(tmp_path / "a.qcow2")
    at, n = after.refcount_place(entry // after.cluster)
    assert after.get(at, n) >= 1


# ---- bitmaps ----


@pytest.mark.parametrize(
    "fault",
    [leaked, refcount_zero, refcount_high, reftable_empty, not_copied],
    ids=lambda f: f.__name__,
)
def test_bitmaps(tmp_path, fault):
    make(tmp_path)
    qemu_img(tmp_path, "bitmap", "--add", "a.qcow2", "one")
    qemu_io(tmp_path, "a.qcow2", "write 0 100k")
    before = Image(tmp_path / "a.qcow2")
    assert bitmap_extension(before)
    described = Result(["qemu-img", "info", "--output=json", "a.qcow2"], tmp_path).json()[
        "format-specific"
    ]
    ours = assert_repair(tmp_path, "all", fault)
    assert ours.code == 0
    assert (
        Result(["qemu-img", "info", "--output=json", "a.qcow2"], tmp_path).json()["format-specific"]
        == described
    )


@pytest.mark.parametrize("fault", [leaked, refcount_zero, corrupt_bit], ids=lambda f: f.__name__)
def test_bitmaps_that_do_not_count(tmp_path, fault):
    """
    Somebody has written to the image who knows nothing of bitmaps: nobody needs their clusters
    any more.
    """
    make(tmp_path)
    qemu_img(tmp_path, "bitmap", "--add", "a.qcow2", "one")
    image = Image(tmp_path / "a.qcow2")
    image.put(88, 0)
    fault(image)
    image.save()
    ours = run(EFI_IMG, tmp_path, "-r", "all", "--output=json", "a.qcow2")
    assert ours.code == 0 and ours.json()["leaks-fixed"] >= 2, ours.err
    assert run("qemu-img", tmp_path, "a.qcow2").code == 0


def test_unknown_autoclear_bits(tmp_path):
    """
    What is not known may have clusters that look like leaks: it is given up with
    them, as by qemu-img.
    """
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    leaked(image)
    image.put(88, 1 << 40)
    image.save()
    ours, _ = both(tmp_path, "leaks")
    assert ours.code == 0 and Image(tmp_path / "a.qcow2").get(88) == 0


# ---- many faults ----


@pytest.mark.parametrize("part", range(4))
def test_random_bytes(tmp_path, part):
    """
    Whatever is wrong: nothing that could be read is lost, a second repair changes nothing, and
    what is called sound is so for qemu-img.
    """
    layout = ["", "cluster_size=4k", "extended_l2=on", "compat=0.10"][part]
    make(
        tmp_path,
        layout,
        writes=["write 0 100k", "write 300k 64k", "write -z 1M 64k"],
        snapshot=True,
    )
    sound = (tmp_path / "a.qcow2").read_bytes()
    codes = []
    for seed in range(part * 20, part * 20 + 20):
        (tmp_path / "a.qcow2").write_bytes(sound)
        image = Image(tmp_path / "a.qcow2")
        damage(image, random.Random(seed))
        image.save()
        ours, theirs = both(tmp_path, "all" if seed % 4 else "leaks")
        assert (
            ours.code <= theirs.code
            or "two different things" in ours.err
            or "exceeding the end" in ours.err
        ), (seed, ours.err, theirs.err)
        codes.append(ours.code)
    assert codes.count(0) >= 5


# ---- the command line ----


@pytest.mark.parametrize(
    "fault",
    [leaked, refcount_high, not_copied, l1_twice, snapshot_dropped, shortened],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("options", [(), ("-q",), ("-q", "--output=json")], ids=",".join)
def test_output(tmp_path, fault, options):
    make(tmp_path, snapshot=fault == snapshot_dropped)
    image = Image(tmp_path / "a.qcow2")
    fault(image)
    image.save()
    (tmp_path / "b.qcow2").write_bytes(image.bytes)
    ours, theirs = run(EFI_IMG, tmp_path, "-r", "all", *options, "a.qcow2"), run(
        "qemu-img", tmp_path, "-r", "all", *options, "b.qcow2"
    )
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err


@pytest.mark.parametrize(
    "args, code",
    [
        (("-r", "leaks", "a.raw"), 63),
        (("-r", "all", "none"), 1),
        (("-r", "some", "a.qcow2"), 1),
        (("-r", "", "a.qcow2"), 1),
        (("-r", "all", "a.qcow2"), 0),
        (("-r", "leaks", "-T", "none", "a.qcow2"), 0),
    ],
)
def test_command_line(tmp_path, args, code):
    make(tmp_path)
    before = (tmp_path / "a.qcow2").read_bytes()
    (tmp_path / "a.raw").write_bytes(bytes(MIB))
    ours, theirs = run(EFI_IMG, tmp_path, *args), run("qemu-img", tmp_path, *args)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == code, (
        ours.err + theirs.err
    )
    assert (tmp_path / "a.qcow2").read_bytes() == before


def test_encrypted(tmp_path):
    """Needs no key."""
    secret = ["--object", "secret,id=s,data=secret"]
    qemu_img(
        tmp_path,
        "create",
        "-q",
        *secret,
        "-f",
        "qcow2",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
        "a.qcow2",
        "4M",
    )
    image = Image(tmp_path / "a.qcow2")
    leaked(image)
    image.set_refcount(image.reftable, 0)
    image.save()
    assert run(EFI_IMG, tmp_path, "-r", "all", "a.qcow2").code == 0
    name = "driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename=a.qcow2"
    assert Result(["qemu-img", "check", *secret, "--image-opts", name], tmp_path).code == 0
