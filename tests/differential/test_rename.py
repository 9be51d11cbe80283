# SPDX-License-Identifier: BSD-2-Clause
"""`rename`: an image with all files that have its name, and no other file touched."""

import json
import shlex

import pytest

from images import qemu_img
from oracle import EFI_IMG, Result


def efi_img(place, *words):
    return Result([EFI_IMG, *words], place)


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}


def make_raw(place):
    (place / "disk").write_bytes(bytes(range(256)) * 4096 * 3)


def make_plain(place):
    make_raw(place)
    words = ("convert", "-f", "raw", "-O", "qcow2", "--manifest=a.qcow2.manifest")
    assert efi_img(place, *words, "disk", "a.qcow2").code == 0
    return "a.qcow2", "neu é.qcow2", ["", ".manifest"]


def make_split(place):
    make_raw(place)
    words = ("convert", "-f", "raw", "--split=1M", "--manifest=a.manifest")
    assert efi_img(place, *words, "disk", "a").code == 0
    return "a", "b", ["", ".001", ".002", ".003", ".manifest"]


@pytest.mark.parametrize("make", [make_plain, make_split])
def test_all_files_of_an_image(tmp_path, make):
    name, new, endings = make(tmp_path)
    (tmp_path / f"{name}x").write_bytes(b"another")
    before = contents(tmp_path)
    plan = efi_img(tmp_path, "rename", "--dry-run", name, new)
    assert plan.code == 0 and contents(tmp_path) == before, plan.err
    assert all(f"renames: {name}{e} to {new}{e}" in plan.out for e in endings), plan.out
    done = efi_img(tmp_path, "rename", name, new)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{name} was renamed to {new}: {len(endings)} files\n"
    after = contents(tmp_path)
    for ending in endings:
        was, now = before.pop(name + ending), after.pop(new + ending)
        if ending == ".manifest":
            was, now = json.loads(was), json.loads(now)
            assert (was.pop("image"), now.pop("image")) == (name, new)
        assert was == now, ending
    assert after == before  # everything else
    assert efi_img(tmp_path, "hash", f"--check={new}.manifest").code == 0


def test_from_another_directory(tmp_path):
    make_split(tmp_path)
    (tmp_path / "sub").mkdir()
    done = efi_img(tmp_path / "sub", "rename", "../a", "b")
    assert done.code == 0 and (tmp_path / "b.003").exists(), done.err
    assert not list((tmp_path / "sub").iterdir())


@pytest.mark.parametrize("new, top", [("b", "top.qcow2"), ("a new one", "the top.qcow2")])
def test_images_that_need_it(tmp_path, new, top):
    """They are listed, and the line that is printed for each of them works."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", top)
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", top, "-F", "qcow2", "further")
    assert f"warning: {top}" in efi_img(tmp_path, "rename", "--dry-run", "a.qcow2", new).out
    done = efi_img(tmp_path, "rename", "a.qcow2", new)
    assert done.code == 0 and "further" not in done.err
    line = done.err.splitlines()[-1].rpartition(": ")[2]
    words = ["efi-img", "rebase", "-u", "-F", "qcow2", "-b", new, top]
    assert shlex.split(line) == words, done.err
    assert efi_img(tmp_path, *words[1:]).code == 0
    assert efi_img(tmp_path, "compare", new, "further").code == 0


def make_taken(place):
    name, new, _ = make_plain(place)
    (place / new).write_bytes(b"somebody's")
    return name, new, "exists already"


def make_manifest_taken(place):
    name, new, _ = make_plain(place)
    (place / f"{new}.manifest").write_bytes(b"somebody's")
    return name, new, "exists already"


def make_part_taken(place):
    name, new, _ = make_split(place)
    (place / f"{new}.002").write_bytes(b"somebody's")
    return name, new, "b.002 exists already"


def make_damaged_manifest(place):
    name, new, _ = make_plain(place)
    (place / f"{name}.manifest").write_text("{}")
    return name, new, 'field "manifest-version" is invalid'


def make_foreign_manifest(place):
    name, new, _ = make_plain(place)
    text = (place / f"{name}.manifest").read_text().replace('"a.qcow2"', '"c.qcow2"')
    (place / f"{name}.manifest").write_text(text)
    return name, new, "is the manifest of c.qcow2"


def make_extents(place):
    options = ("-o", "subformat=twoGbMaxExtentSparse")
    qemu_img(place, "create", "-q", "-f", "vmdk", *options, "a.vmdk", "5G")
    return "a.vmdk", "b.vmdk", "names its file a-s001.vmdk"


def make_extent(place):
    make_extents(place)
    return "a-s002.vmdk", "b.vmdk", "is a file of the image a.vmdk"


def make_data_file(place):
    qemu_img(place, "create", "-q", "-f", "qcow2", "-o", "data_file=a.raw", "a.qcow2", "1M")
    return "a.qcow2", "b.qcow2", "names its file a.raw"


def make_part(place):
    make_split(place)
    return "a.002", "b", "is a part of a; rename that"


def make_unfinished(place):
    name, new, _ = make_plain(place)
    (place / f"{name}.resume").write_bytes(b"")
    return name, new, "its capture is not finished"


def make_restoring(place):
    name, new, _ = make_plain(place)
    (place / f"{name}.restore-01234567").write_bytes(b"")
    return name, new, "a restore from it was interrupted"


def make_incomplete(place):
    make_split(place)
    (place / "a.002").unlink()
    return "a", "b", "part a.002 is missing"


def make_directory(place):
    return make_plain(place)[0], "sub/b.qcow2", "without a directory"


def make_nothing(place):
    return "none", "b", "none: there is no such file"


def make_disk(place):
    return "serial=S", "b", "is a disk or a volume"


@pytest.mark.parametrize(
    "make",
    [
        make_taken,
        make_manifest_taken,
        make_part_taken,
        make_damaged_manifest,
        make_foreign_manifest,
        make_extents,
        make_extent,
        make_data_file,
        make_part,
        make_unfinished,
        make_restoring,
        make_incomplete,
        make_directory,
        make_nothing,
        make_disk,
    ],
)
def test_what_is_refused(tmp_path, make):
    name, new, said = make(tmp_path)
    before = contents(tmp_path)
    for words in (["--dry-run"], []):
        done = efi_img(tmp_path, "rename", *words, name, new)
        assert done.code != 0 and said in done.err, done.err
        assert contents(tmp_path) == before
