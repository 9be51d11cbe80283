# SPDX-License-Identifier: BSD-2-Clause
"""
Names in QEMU's notation: "file:" and "json:", given to commands, and stored in images by QEMU and
libvirt as those of backing files.
"""

import json

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, Pair, Result
from pairs import assert_same, run_both


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def nested(name, format="raw", **more):
    return {"driver": format, "file": {"driver": "file", "filename": name, **more}}


# What QEMU and libvirt write, with {} for the name of the file.
BACKING = {
    "file": "file:{}",
    "nested": nested("{}"),
    "without driver": {"file": {"filename": "{}"}},
    "flat": {"driver": "raw", "file.driver": "file", "file.filename": "{}"},
    "no effect": {
        "read-only": True,
        "discard": "unmap",
        **nested("{}", locking="off", aio="io_uring"),
    },
    "cache": {"cache": {"direct": True, "no-flush": False}, **nested("{}")},
}


def stored(backing, name):
    text = backing if isinstance(backing, str) else "json:" + json.dumps(backing)
    return text.replace("{}", str(name))


def make(folder, name, format="raw"):
    (folder / "base.raw").write_bytes(b"base" * (MIB // 4))
    qemu_img(folder, "create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", format, "a", "1M")


@pytest.mark.parametrize("backing", BACKING)
@pytest.mark.parametrize("full", [False, True])
def test_backing_file(pair, backing, full):
    for folder in (pair.ours, pair.theirs):
        # the same length, so that the images differ in nothing but the name
        where = pair.ours.parent / "base.raw" if full else "base.raw"
        make(folder, stored(BACKING[backing], where))
    (pair.ours.parent / "base.raw").write_bytes(b"full" * (MIB // 4))
    for command in ("info --backing-chain", "info --backing-chain --output=json", "info", "map"):
        run_both(pair, *command.split(), "a")
    run_both(pair, "map", "--output=json", "a")
    run_both(pair, "check", "a")
    run_both(pair, "convert", "-O", "raw", "a", "out")
    assert (pair.ours / "out").read_bytes() == (b"full" if full else b"base") * (MIB // 4)
    for args in (("resize", "-q", "a", "2M"), ("commit", "-q", "a"), ("rebase", "-b", "", "a")):
        run_both(pair, *args)
        assert_same(pair, "a")


def test_relative_to_where_the_program_runs(pair):
    """A plain name is relative to the image; these are not, in QEMU."""
    for folder in (pair.ours, pair.theirs):
        (folder / "sub").mkdir()
        make(folder / "sub", "file:base.raw")
        (folder / "base.raw").write_bytes(b"here" * (MIB // 4))
    run_both(pair, "convert", "-O", "raw", "sub/a", "out")
    assert (pair.ours / "out").read_bytes() == b"here" * (MIB // 4)


def test_format_beside_the_name_counts(pair):
    for folder in (pair.ours, pair.theirs):
        qemu_img(folder, "create", "-q", "-f", "qcow2", "base.raw", "1M")
        for name, format in (("a", "raw"), ("b", "qcow2")):
            text = stored(nested("base.raw", "qcow2"), "")
            qemu_img(
                folder, "create", "-q", "-u", "-f", "qcow2", "-b", text, "-F", format, name, "1M"
            )
    for name in ("a", "b"):
        run_both(pair, "info", "--backing-chain", name)


@pytest.mark.parametrize(
    "name, words",
    [
        ('json:{"driver":"raw","offset":512,"file":{"driver":"file","filename":"a"}}', '"offset"'),
        ('json:{"driver":"raw","file":{"driver":"nbd","host":"h"}}', '"host"'),
        ('json:{"driver":"raw","file":{"driver":"host_device","filename":"a"}}', '"host_device"'),
        ('json:{"driver":"nosuch","file":{"driver":"file","filename":"a"}}', "nosuch"),
        ('json:{"driver":"raw"}', '"filename" is missing'),
        ('json:{"driver":"raw","file":{"filename":7}}', "not a string"),
        ('json:{"driver":"raw","file":"node"}', '"file"'),
        ("json:[]", "not a JSON object"),
        ('json:{"driver":"raw",', "not a JSON object"),
    ],
)
def test_without_a_meaning_here(tmp_path, name, words):
    """Never read as something else: an offset changes what is read."""
    (tmp_path / "a").write_bytes(bytes(MIB))
    qemu_img(tmp_path, "create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "raw", "o", "1M")
    for args in (
        ("info", name),
        ("convert", "-O", "raw", "o", "out"),
        ("info", "--backing-chain", "o"),
    ):
        refused = Result([EFI_IMG, *args], tmp_path)
        assert refused.code == 1 and words in refused.err and refused.out == ""
    assert Result([EFI_IMG, "info", "o"], tmp_path).code == 0


def test_operands(pair):
    for folder in (pair.ours, pair.theirs):
        (folder / "a.raw").write_bytes(b"data" * (MIB // 4))
    name = stored(nested("a", "qcow2"), "")
    run_both(pair, "convert", "-O", "qcow2", "file:a.raw", "file:a")
    run_both(pair, "compare", "file:a", "a.raw")
    run_both(pair, "compare", name, stored(nested("a.raw"), ""))
    for args in (
        ("info",),
        ("info", "--output=json"),
        ("check",),
        ("map",),
        ("measure", "-O", "raw"),
    ):
        run_both(pair, *args, "file:a")
        run_both(pair, *args, name)
    run_both(pair, "snapshot", "-c", "s", "file:a")
    run_both(pair, "resize", "-q", name, "2M")
    run_both(pair, "dd", "if=file:a", "of=file:out", "bs=64k")
    run_both(pair, "create", "-q", "-f", "qcow2", "-b", "file:a", "-F", "qcow2", "file:o")
    run_both(pair, "rebase", "-u", "-b", name, "-F", "qcow2", "file:o")
    run_both(pair, "convert", "-O", "raw", "o", "flat")
    assert (pair.ours / "flat").read_bytes() == (pair.ours / "out").read_bytes()
    assert pair.files() == ["a", "a.raw", "flat", "o", "out"]


def test_file_of_such_a_name(pair):
    """Only QEMU's own notation names it."""
    for folder in (pair.ours, pair.theirs):
        (folder / "file:a").write_bytes(b"data" * (MIB // 4))
    for name in ("./file:a", stored(nested("file:a"), "")):
        run_both(pair, "convert", "-f", "raw", "-O", "raw", name, "out")
        assert (pair.ours / "out").read_bytes() == (pair.ours / "file:a").read_bytes()
        (pair.ours / "out").unlink()
