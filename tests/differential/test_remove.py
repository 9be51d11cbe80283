# SPDX-License-Identifier: BSD-2-Clause
"""`remove`: all files of an image, and no other one."""

import pytest

from images import make_outside, qemu_img
from oracle import EFI_IMG, Result

OTHERS = {"a.txt", "base.qcow2", "a.qcow20", "b.qcow2.manifest", "sub", "a.qcow2.restore-x"}

RECORDS = {
    ".manifest": b'{\n    "manifest-version": 1\n}\n',
    ".bmap": b'<?xml version="1.0" ?>\n<!-- %s -->\n\n<bmap version="2.0">\n' % (b"x" * 900),
    ".resume": b'{\n    "journal-version": 2\n}\n',
    ".resume.new": b"",
    ".restore-0123abcd": b'{\n    "journal-version": 2\n}\n',
    ".restore-89ABCDEF.new": b"",
}


@pytest.fixture
def place(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in OTHERS - {"base.qcow2", "sub"}:
        (tmp_path / name).write_bytes(b"somebody's")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "base.qcow2", "1M")
    return tmp_path


def efi_img(place, *words):
    return Result([EFI_IMG, *words], place)


def names(place):
    return {path.name for path in place.iterdir()}


def make_plain(place):
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "a.qcow2")
    for ending, head in RECORDS.items():
        (place / f"a.qcow2{ending}").write_bytes(head)
    return "a.qcow2", {"a.qcow2"} | {f"a.qcow2{ending}" for ending in RECORDS}


def make_split(place):
    (place / "long").write_bytes(bytes(range(256)) * 4096 * 3)
    assert efi_img(place, "convert", "-f", "raw", "--split=1M", "long", "a").code == 0
    (place / "long").unlink()
    return "a", {"a", "a.001", "a.002", "a.003"}


def make_extents(place):
    options = ("-o", "subformat=twoGbMaxExtentSparse")
    qemu_img(place, "create", "-q", "-f", "vmdk", *options, "a.vmdk", "5G")
    return "a.vmdk", {"a.vmdk", "a-s001.vmdk", "a-s002.vmdk", "a-s003.vmdk"}


def make_data_file(place):
    make_outside(place, "a.qcow2", "a.raw", "1M")
    return "a.qcow2", {"a.qcow2", "a.raw"}


@pytest.mark.parametrize("make", [make_plain, make_split, make_extents, make_data_file])
def test_all_files_of_an_image(place, make):
    name, files = make(place)
    assert names(place) == OTHERS | files
    plan = efi_img(place, "remove", "--dry-run", name)
    assert plan.code == 0 and names(place) == OTHERS | files, plan.err
    assert all(f"remove {file} " in plan.out for file in files), plan.out
    done = efi_img(place, "remove", name)
    assert (done.code, done.err) == (0, "") and names(place) == OTHERS
    number = "1 file" if len(files) == 1 else f"{len(files)} files"
    assert done.out == f"{name} was removed: {number}\n"


@pytest.mark.parametrize("missing", ["a.001", "a.002", "a.003"])
def test_parts_of_which_one_is_missing(place, missing):
    """All of them go; what is too long to be a part, or has no such name, stays."""
    _, files = make_split(place)
    (place / missing).unlink()
    (place / "a.777").write_bytes(bytes((place / "a").stat().st_size + 1))
    (place / "a.bak").write_bytes(b"somebody's")
    done = efi_img(place, "remove", "a")
    assert done.code == 0 and names(place) == OTHERS | {"a.777", "a.bak"}
    assert done.out == "a was removed: 3 files\n" and "is missing" in done.err


def test_what_follows_a_complete_set(place):
    make_split(place)
    (place / "a.005").write_bytes(b"somebody's")
    done = efi_img(place, "remove", "a")
    assert (done.code, done.err) == (0, "") and names(place) == OTHERS | {"a.005"}


def remove_extent(place):
    name, files = make_extents(place)
    (place / "a-s002.vmdk").unlink()
    return name, files - {"a-s002.vmdk"}


def make_damaged(place):
    (place / "a.qcow2").write_bytes(b"QFI\xfb\0\0\0\3" + b"\xff" * 120)
    return "a.qcow2", {"a.qcow2"}


@pytest.mark.parametrize("make", [remove_extent, make_damaged])
def test_an_image_that_cannot_be_opened(place, make):
    """Which files it names is not known: they stay, and that is said."""
    name, files = make(place)
    for words in (["--dry-run"], []):
        done = efi_img(place, "remove", *words, name)
        assert done.code == 0, done.err
        assert done.err.endswith("; if it has extents or a data file, these stay\n"), done.err
    assert names(place) == OTHERS | files - {name}


def test_a_file_in_another_directory(place):
    make_outside(place, "a.qcow2", "sub/a.raw", "1M")
    done = efi_img(place, "remove", "a.qcow2")
    assert done.code == 1 and "sub/a.raw is in another directory" in done.err, done.err
    assert names(place) == OTHERS | {"a.qcow2"} and (place / "sub" / "a.raw").exists()


def test_files_that_are_no_records(place):
    """They have the names of records alone."""
    make_plain(place)
    for ending in RECORDS:
        (place / f"a.qcow2{ending}").write_bytes(b"precious")
    done = efi_img(place, "remove", "a.qcow2")
    assert (done.code, done.out) == (0, "a.qcow2 was removed: 1 file\n"), done.err
    assert names(place) == OTHERS | {f"a.qcow2{ending}" for ending in RECORDS}


@pytest.mark.parametrize(
    "make, name",
    [(make_split, "a.002"), (make_extents, "a-s002.vmdk"), (make_data_file, "a.raw")],
)
def test_a_piece_of_an_image(place, make, name):
    _, files = make(place)
    done = efi_img(place, "remove", name)
    assert done.code != 0 and f"{name} is a " in done.err, done.err
    assert names(place) == OTHERS | files


def test_a_data_file_of_two_images(place):
    make_data_file(place)
    make_outside(place, "b.qcow2", "b.raw", "1M")
    (place / "b.raw").unlink()
    (place / "b.raw").hardlink_to(place / "a.raw")
    done = efi_img(place, "remove", "a.qcow2")
    assert done.code != 0 and "a.raw is a file of the image b.qcow2" in done.err, done.err
    assert names(place) == OTHERS | {"a.qcow2", "a.raw", "b.qcow2", "b.raw"}


def test_from_another_directory(place):
    make_data_file(place)
    done = efi_img(place / "sub", "remove", "../a.qcow2")
    assert done.code == 0 and names(place) == OTHERS, done.err


@pytest.mark.parametrize(
    "words,said",
    [
        (["none.qcow2"], "none.qcow2: there is no such file"),
        (["serial=S"], "is a disk or a volume"),
        ([], "the name of one image is expected"),
        (["a.txt", "base.qcow2"], "the name of one image is expected"),
    ],
)
def test_what_is_refused(place, words, said):
    done = efi_img(place, "remove", *words)
    assert done.code != 0 and said in done.err, done.err
    assert names(place) == OTHERS
