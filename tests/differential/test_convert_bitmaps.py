# SPDX-License-Identifier: BSD-2-Clause
"""Bitmaps that are copied: `convert --bitmaps` beside qemu-img, compared bit by bit."""

import pytest

from bitmaps import bitmaps, dice_offset, mark_in_use
from images import qemu_img, qemu_io
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu
from pairs import assert_sound, copy_to_theirs, run_both


def prepare_source(pair, options=()):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", *options, "a", "4M")
    for args in (["one"], ["two", "-g", "512"], ["three", "-g", "4k", "--disable"], ["empty"]):
        qemu_img(pair.ours, "bitmap", "--add", "a", *args)
        qemu_io(pair.ours, "a", f"write {dice_offset(args[0])} 170k")
    qemu_img(pair.ours, "bitmap", "--clear", "a", "empty")
    qemu_img(pair.ours, "create", "-q", "-f", "raw", "raw", "4M")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-c"],
        ["-o", "cluster_size=512"],
        ["-o", "extended_l2=on"],
        ["-o", "data_file=d,data_file_raw=on"],
        ["-o", "compat=0.10"],
        ["-B", "raw", "-F", "raw"],
        ["-l", "s"],
        ["-o", "cluster_size=2M,refcount_bits=1"],
    ],
)
def test_convert(tmp_path, options):
    pair = Pair(tmp_path)
    prepare_source(pair)
    qemu_img(pair.ours, "snapshot", "-c", "s", "a")
    copy_to_theirs(pair)
    done = run_both(pair, "convert", "--bitmaps", "-O", "qcow2", *options, "a", "t")
    if done.code == 0:
        assert sorted(bitmaps(pair.ours / "t")) == sorted(bitmaps(pair.theirs / "t"))
        assert_sound(pair.ours, "t", "qcow2")
        assert_info_as_qemu(pair.ours, "t")
        assert_same_content(pair)
    else:
        assert not (pair.ours / "t").exists()


def assert_same_content(pair):
    flat = pair.theirs / "flat"
    qemu_img(pair.theirs, "convert", "-O", "raw", "t", flat)
    qemu_img(pair.ours, "compare", "-f", "qcow2", "-F", "raw", "t", flat)


@pytest.mark.parametrize(
    "args",
    [
        ["-O", "raw", "a", "t"],
        ["a", "t"],
        ["-O", "qcow2", "raw", "t"],
        ["-O", "qcow2", "a", "a", "t"],
    ],
)
def test_convert_refused(tmp_path, args):
    pair = Pair(tmp_path)
    prepare_source(pair)
    copy_to_theirs(pair)
    assert run_both(pair, "convert", "--bitmaps", *args).code == 1
    assert run_both(pair, "convert", "--skip-broken-bitmaps", "-O", "qcow2", "a", "t").code == 1
    assert not (pair.ours / "t").exists()


def test_convert_keeps_what_it_would_replace(tmp_path):
    pair = Pair(tmp_path)
    prepare_source(pair)
    (pair.ours / "t").write_bytes(b"mine")
    done = Result(
        [EFI_IMG, "convert", "--bitmaps", "--force", "-O", "qcow2", "-o", "compat=v2", "a", "t"],
        pair.ours,
    )
    assert done.code == 1 and (pair.ours / "t").read_bytes() == b"mine"


def test_convert_one_in_use(tmp_path):
    pair = Pair(tmp_path)
    prepare_source(pair)
    copy_to_theirs(pair)
    mark_in_use(pair, "two")
    assert run_both(pair, "convert", "--bitmaps", "-O", "qcow2", "a", "t").code == 1
    assert not (pair.ours / "t").exists()
    ours, theirs = pair.run(
        "convert", "--bitmaps", "--skip-broken-bitmaps", "-O", "qcow2", "a", "t"
    )
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, "") and "two" in ours.err
    assert sorted(bitmaps(pair.ours / "t")) == sorted(bitmaps(pair.theirs / "t"))


@pytest.mark.parametrize(
    "size, existing", [("4M", []), ("4M", ["other"]), ("4M", ["two"]), ("5M", [])]
)
def test_convert_into_existing(tmp_path, size, existing):
    """
    Where names or sizes do not fit, that is found before anything is written; qemu-img finds it
    afterwards.
    """
    pair = Pair(tmp_path)
    prepare_source(pair)
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "t", size)
    for name in existing:
        qemu_img(pair.ours, "bitmap", "--add", "t", name)
    copy_to_theirs(pair)
    before = (pair.ours / "t").read_bytes()
    if run_both(pair, "convert", "-n", "--bitmaps", "-O", "qcow2", "a", "t").code == 0:
        assert sorted(bitmaps(pair.ours / "t")) == sorted(bitmaps(pair.theirs / "t"))
        assert_sound(pair.ours, "t", "qcow2")
    else:
        assert (pair.ours / "t").read_bytes() == before
