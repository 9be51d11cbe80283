# SPDX-License-Identifier: BSD-2-Clause
"""
Nothing that is read can be lost: what one command reads and what it writes, under every name that
leads to the same file.

Each file that a command can read (an image, a part of a split one, an extent, a data file, a
backing file, its data file) meets each way in which a command writes (as target, data file, part,
manifest, map, journal, in place), each spelling of a name, with --force and without: all of it is
refused before the first write, and every byte of every file is as before. The cases that were
found by trial are in test_access_trial.py.
"""

import itertools
import os
import random

import pytest

from access import age, contents, efi_img, untouched
from images import MIB, make_outside, qemu_img, qemu_io
from oracle import Result

TEN_KIB = 10240


# What a source consists of: its name, and the role of each of its files.
SOURCES = {
    "plain.raw": {"plain.raw": "image"},
    "split": {"split": "image", "split.001": "part", "split.002": "part"},
    "many.vmdk": {"many.vmdk": "image", "many-s001.vmdk": "extent"},
    "data.qcow2": {"data.qcow2": "image", "data.store": "data file"},
    "over.qcow2": {
        "over.qcow2": "image",
        "middle.qcow2": "backing file",
        "base.qcow2": "backing of backing",
        "base.store": "data of backing",
    },
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    place = tmp_path_factory.mktemp("zoo")
    noise = random.Random(18)
    (place / "plain.raw").write_bytes(noise.randbytes(64 << 10))
    (place / "sub").mkdir()
    (place / "long.raw").write_bytes(noise.randbytes(5 * MIB // 2))
    assert efi_img(place, "convert", "--split=1M", "long.raw", "split").code == 0
    (place / "long.raw").unlink()
    vmdk = ("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse")
    qemu_img(place, *vmdk, "plain.raw", "many.vmdk")
    make_outside(place, "data.qcow2", "data.store", "256k", "cluster_size=4k")
    qemu_io(place, "data.qcow2", "write -P 1 0 64k")
    make_outside(place, "base.qcow2", "base.store", "256k", "cluster_size=4k")
    qemu_io(place, "base.qcow2", "write -P 2 0 64k")
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "middle.qcow2"
    )
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", "over.qcow2"
    )
    # An existing target with a data file, whose name the cases put into its header.
    make_outside(place, "there.qcow2", "there.store", "4M")
    return place


ALIASES = {
    "same": lambda place, name: name,
    "dot": lambda place, name: f"./{name}",
    "up": lambda place, name: f"sub/../{name}",
    "absolute": lambda place, name: str(place / name),
    "hard link": lambda place, name: link(place, name, os.link),
    "symbolic link": lambda place, name: link(place, name, os.symlink),
}


def link(place, name, how):
    path = place / f"alias-{name}"
    if not path.exists():
        how(place / name if how is os.link else name, path)
    return path.name


def into_header(place, name):
    """Gives there.qcow2 a data file of that name."""
    done = Result(
        ["qemu-img", "amend", "-f", "qcow2", "-o", f"data_file={name}", "there.qcow2"], place
    )
    assert done.code == 0, done.err
    return "there.qcow2"


# How a command writes to the name `x`, while it reads `source`. None: there is no such command
# line.
WRITERS = {
    "target": lambda place, source, x, force: ["convert", *force, "-O", "qcow2", source, x],
    "raw target": lambda place, source, x, force: ["convert", *force, source, x],
    "compressed target": lambda place, source, x, force: [
        "convert",
        *force,
        "-c",
        "-O",
        "qcow2",
        source,
        x,
    ],
    "output of dd": lambda place, source, x, force: ["dd", *force, f"if={source}", f"of={x}"],
    "data file": lambda place, source, x, force: [
        "convert",
        *force,
        "-O",
        "qcow2",
        "-o",
        f"data_file={x}",
        source,
        "new",
    ],
    "manifest": lambda place, source, x, force: [
        "convert",
        *force,
        f"--manifest={x}",
        source,
        "new",
    ],
    "map": lambda place, source, x, force: ["convert", *force, f"--map={x}", source, "new"],
    "block map": lambda place, source, x, force: ["convert", *force, f"--bmap={x}", source, "new"],
    "new image": lambda place, source, x, force: [
        "create",
        *force,
        "-f",
        "qcow2",
        "-b",
        source,
        "-F",
        kind(source),
        x,
    ],
    "data file of a new image": lambda place, source, x, force: [
        "create",
        *force,
        "-f",
        "qcow2",
        "-b",
        source,
        "-F",
        kind(source),
        "-o",
        f"data_file={x}",
        "new",
    ],
    "existing target": lambda place, source, x, force: None
    if force
    else ["convert", "-n", "-O", kind(x), source, x],
    "data file of the target": lambda place, source, x, force: None
    if force
    else ["convert", "-n", "-O", "qcow2", source, into_header(place, x)],
}


def kind(name):
    suffix = os.path.splitext(name)[1]
    return suffix[1:] if suffix in (".qcow2", ".vmdk") else "raw"


def pairs():
    for source, files in SOURCES.items():
        for name in files:
            yield source, name


@pytest.mark.parametrize("writer", WRITERS)
def test_matrix(zoo, writer):
    n = 0
    bytes_before = contents(zoo)
    for (source, name), (alias, spell), force in itertools.product(
        pairs(), ALIASES.items(), ((), ("--force",))
    ):
        words = WRITERS[writer](zoo, source, spell(zoo, name), force)
        if words is None:
            continue
        before = age(zoo)
        done = efi_img(zoo, *words)
        assert done.code == 1, (source, name, alias, force, done.err)
        assert untouched(zoo) == before, (source, name, alias, force, done.err)
        if force:  # without it, that the file exists may be said first
            assert "is the same file as" in done.err or "not a qcow2" in done.err, (
                source,
                name,
                alias,
                done.err,
            )
        n += 1
    print(f"{writer}: {n} refused")
    assert n >= len(list(pairs())) * len(ALIASES)
    after = contents(zoo)
    changed = {name for name, content in bytes_before.items() if after[name] != content}
    assert changed <= {"there.qcow2"}  # by into_header()


def test_matrix_of_parts(zoo):
    """A split target takes all names of parts, whatever file has one of them."""
    for (source, name), number, force in itertools.product(
        pairs(), (1, 2, 7, 999), ((), ("--force",))
    ):
        part = zoo / f"parts.{number:03}"
        os.link(zoo / name, part)
        before = age(zoo)
        done = efi_img(zoo, "convert", *force, "--split=1M", source, "parts")
        assert done.code == 1 and untouched(zoo) == before, (source, name, number, force, done.err)
        part.unlink()


def test_words_for_what_is_read(zoo):
    """A file that an image names is called by what it is to a person, with the image."""
    for source, file, words in (
        ("many.vmdk", "many-s001.vmdk", "extent of many.vmdk"),
        ("data.qcow2", "data.store", "data file of data.qcow2"),
        ("over.qcow2", "base.store", "data file of base.qcow2"),
        ("over.qcow2", "base.qcow2", "backing file"),
        ("split", "split.001", "part"),
    ):
        done = efi_img(zoo, "convert", "--force", source, file)
        assert f"is the same file as {file} ({words}), which is read" in done.err, done.err
        plan = efi_img(zoo, "convert", "--dry-run", source, "new")
        assert f"read   {file} ({words})\n" in plan.out, plan.out
    plan = efi_img(
        zoo, "create", "--dry-run", "-f", "vmdk", "-o", "subformat=monolithicFlat", "new.vmdk", "1M"
    )
    assert "create new-flat.vmdk (extent of new.vmdk)\n" in plan.out, plan.out


def test_matrix_of_what_is_written(tmp_path):
    """
    Two files that one command writes are never the same, before either is there, and when both are.
    """
    (tmp_path / "s.raw").write_bytes(random.Random(1).randbytes(TEN_KIB))
    (tmp_path / "sub").mkdir()
    made = {
        "target": lambda x: ([], x),
        "data file": lambda x: (["-O", "qcow2", "-o", f"data_file={x}"], None),
        "manifest": lambda x: ([f"--manifest={x}"], None),
        "map": lambda x: ([f"--map={x}"], None),
    }
    n = 0
    for (a, b), (first, second), force in itertools.product(
        itertools.combinations(made, 2),
        (("x", "x"), ("x", "./x"), ("sub/../x", "x")),
        ((), ("--force",)),
    ):
        words, target = list(force), "new"
        for role, name in ((a, first), (b, second)):
            options, named = made[role](name)
            words += options
            target = named or target
        for there in (False, True):
            (tmp_path / "x").write_bytes(b"somebody's") if there else (tmp_path / "x").unlink(
                missing_ok=True
            )
            before = contents(tmp_path)
            done = efi_img(tmp_path, "convert", *words, "s.raw", target)
            assert done.code == 1 and contents(tmp_path) == before, (a, b, words, done.err)
            n += 1
    assert n == 72


def test_in_place(zoo):
    """Commands that change an image: what else it names is not itself."""
    os.link(zoo / "data.qcow2", zoo / "itself.store")
    (zoo / "self.qcow2").write_bytes((zoo / "data.qcow2").read_bytes())
    assert (
        Result(
            ["qemu-img", "amend", "-f", "qcow2", "-o", "data_file=self.link", "self.qcow2"], zoo
        ).code
        == 0
    )
    os.link(zoo / "self.qcow2", zoo / "self.link")
    for words in (
        ["bench", "-w", "-c", "1", "-s", "4k", "self.qcow2"],
        ["resize", "self.qcow2", "+1M"],
        ["commit", "self.qcow2"],
        ["bitmap", "--merge", "a", "-b", "./over.qcow2", "-F", "qcow2", "over.qcow2", "b"],
        ["rebase", "-b", "./over.qcow2", "-F", "qcow2", "over.qcow2"],
    ):
        before = contents(zoo)
        done = efi_img(zoo, *words)
        assert done.code == 1 and contents(zoo) == before, (words, done.err)
    for path in ("itself.store", "self.link", "self.qcow2"):
        (zoo / path).unlink()
