# SPDX-License-Identifier: BSD-2-Clause
"""
`check -r` beside qemu-img on images that are marked as dirty or corrupt; and such images that are
opened for reading and for writing.
"""

import subprocess

import pytest

from faults import Image, l2_outside, leaked, make, refcount_zero
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result
from repairs import assert_same_repair, contents, run


@pytest.mark.parametrize("marks", [1, 2, 3])
@pytest.mark.parametrize("what", ["leaks", "all"])
@pytest.mark.parametrize(
    "fault", [None, leaked, refcount_zero, l2_outside], ids=lambda f: f.__name__ if f else "sound"
)
def test_marks(tmp_path, marks, what, fault):
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    if fault is not None:
        fault(image)
    image.put(72, marks)
    image.save()
    ours = assert_same_repair(tmp_path, what, fault)
    after = Image(tmp_path / "a.qcow2")
    assert after.get(72) == (
        0 if ours.code == 0 else marks
    ), ours.err  # qemu-img clears the dirty bit in any case, when it closes the image


def stopped(folder, *options):
    """An image that a machine had open when it stopped; its refcounts were not written."""
    make(folder, ",".join(["lazy_refcounts=on", *options]), writes=[])
    subprocess.run(
        [
            "qemu-io",
            "-c",
            "write -P 1 0 1M",
            "-c",
            "write -P 2 3M 100k",
            "-c",
            "flush",
            "-c",
            "sigraise 9",
            "a.qcow2",
        ],
        cwd=folder,
        capture_output=True,
    )
    image = Image(folder / "a.qcow2")
    assert image.get(72) & 1
    return image


@pytest.mark.parametrize("what", ["leaks", "all"])
@pytest.mark.parametrize(
    "options", [(), ("cluster_size=512",), ("refcount_bits=1",), ("extended_l2=on",)], ids=",".join
)
def test_dirty(tmp_path, what, options):
    stopped(tmp_path, *options)
    assert_same_repair(tmp_path, what, None)


WRITERS = [
    ["resize", "a.qcow2", "+1M"],
    ["snapshot", "-c", "new", "a.qcow2"],
    ["convert", "-n", "-O", "qcow2", "small", "a.qcow2"],
    ["rebase", "-u", "-b", "", "a.qcow2"],
    ["commit", "top.qcow2"],
]


@pytest.mark.parametrize("words", WRITERS, ids=lambda w: w[0])
@pytest.mark.parametrize("cluster", ["cluster_size=512", "cluster_size=64k"])
def test_dirty_opened_for_writing(tmp_path, words, cluster):
    stopped(tmp_path, cluster)
    (tmp_path / "small").write_bytes(b"x" * 4 * MIB)
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "top.qcow2")
    qemu_io(tmp_path, "top.qcow2", "write -P 9 200k 100k")
    before = contents(tmp_path)[0]
    done = Result([EFI_IMG, *words], tmp_path)
    assert done.code == 0, done.err
    assert run("qemu-img", tmp_path, "a.qcow2").code == 0
    assert Image(tmp_path / "a.qcow2").get(72) == 0
    expected = {
        "resize": before + bytes(MIB),
        "convert": b"x" * 4 * MIB,
        "commit": before[: 200 << 10] + b"\x09" * (100 << 10) + before[300 << 10 :],
    }.get(words[0], before)
    assert contents(tmp_path)[0] == expected


@pytest.mark.parametrize(
    "words",
    [["info"], ["check"], ["map"], ["convert", "-O", "raw"], ["compare", "a.qcow2"]],
    ids=lambda w: w[0],
)
def test_dirty_opened_for_reading(tmp_path, words):
    image = stopped(tmp_path)
    done = Result(
        [EFI_IMG, *words, "a.qcow2", *(["out"] if words[0] == "convert" else [])], tmp_path
    )
    assert done.code == (2 if words[0] == "check" else 0), done.err
    assert (tmp_path / "a.qcow2").read_bytes() == image.bytes


def test_dirty_and_not_repairable(tmp_path):
    """qemu-img goes on all the same."""
    image = stopped(tmp_path)
    l2_outside(image)
    image.save()
    before = contents(tmp_path)
    done = Result([EFI_IMG, "resize", "a.qcow2", "+1M"], tmp_path)
    assert done.code == 1 and "not closed cleanly" in done.err and "cannot be repaired" in done.err
    assert contents(tmp_path) == before and Image(tmp_path / "a.qcow2").get(72) == 1


@pytest.mark.parametrize(
    "words",
    [["resize", "a.qcow2", "+1M"], ["snapshot", "-c", "new", "a.qcow2"]],
    ids=lambda w: w[0],
)
def test_marked_as_corrupt(tmp_path, words):
    make(tmp_path)
    image = Image(tmp_path / "a.qcow2")
    image.put(72, 3)
    image.save()
    ours, theirs = Result([EFI_IMG, *words], tmp_path), Result(["qemu-img", *words], tmp_path)
    assert ours.code == theirs.code == 1 and "check -r all" in ours.err
    assert (tmp_path / "a.qcow2").read_bytes() == image.bytes
