# SPDX-License-Identifier: BSD-2-Clause
"""
The interface of image formats, proved by two formats that only tests have (tests/doubles/): one
whose images consist of many files, and one whose blocks of 32 MiB are larger than what is copied at
once. Raw files are what they are compared with.
"""

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from images import MIB
from oracle import EFI_IMG, ROOT, Result

DOUBLES = ROOT / "build" / "host" / "efi-img-doubles"
DISKS = "disk.img,serial=DISK:empty.img,serial=EMPTY:holder.img,serial=HOLDER,holds=held"
SIZE = 70 * MIB  # two blocks and a part of a third
STOPPED, REFUSED = 15, 12
KINDS = {"pieces": ("-O", "pieces"), "blocks": ("-O", "blocks")}

assert DOUBLES.exists(), f"{DOUBLES} is not there: run make build/host/efi-img-doubles first"


def efi_img(place, *words, code=0, **environment):
    before = dict(os.environ)
    os.environ.update(EFI_IMG_DISKS=DISKS, **environment)
    try:
        result = Result([DOUBLES, *words], place)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert code is None or result.code == code, result.out + result.err
    return result


def noise(seed, size=SIZE):
    """Data here and there, with zeros between them, across every border of 32 MiB."""
    dice = random.Random(seed)
    disk = bytearray(size)
    for at in (0, 32 * MIB - 3000, 64 * MIB - 512, size - 700):
        disk[at : at + 5000] = dice.randbytes(5000)
    for _ in range(60):
        at, n = dice.randrange(size), dice.randrange(1, 300000)
        disk[at : at + n] = dice.randbytes(n)
    return bytes(disk[:size])


@pytest.fixture
def place(tmp_path):
    (tmp_path / "disk.img").write_bytes(noise(1))
    for name in ("empty.img", "holder.img"):
        with open(tmp_path / name, "wb") as disk:
            disk.truncate(SIZE)
    (tmp_path / "held").mkdir()
    return tmp_path


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def content(place):
    return {
        path: hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def assert_disk(place, image, expected):
    efi_img(place, "convert", "--force", "-O", "raw", image, "back.raw")
    assert (place / "back.raw").read_bytes() == expected


# ---- contents ----


@pytest.mark.parametrize("words", [(), ("-S", "0"), ("-S", "64k")])
def test_convert_and_compare(place, kind, words):
    efi_img(place, "convert", *KINDS[kind], *words, "disk.img", "t")
    assert efi_img(place, "compare", "disk.img", "t").out == "Images are identical.\n"
    assert_disk(place, "t", (place / "disk.img").read_bytes())
    info = efi_img(place, "info", "--output=json", "t").json()
    assert info["format"] == kind and info["virtual-size"] == SIZE
    efi_img(place, "convert", "-f", kind, "-O", "qcow2", "-c", "t", "packed.qcow2")
    assert efi_img(place, "compare", "t", "packed.qcow2").code == 0
    efi_img(place, "convert", "--force", *KINDS[kind], "packed.qcow2", "t")
    assert_disk(place, "t", (place / "disk.img").read_bytes())


def test_difference_is_found(place, kind):
    efi_img(place, "convert", *KINDS[kind], "disk.img", "t")
    changed = bytearray((place / "disk.img").read_bytes())
    changed[64 * MIB + 12345] ^= 1
    (place / "other.raw").write_bytes(changed)
    assert efi_img(place, "compare", "other.raw", "t", code=1).out == (
        f"Content mismatch at offset {64 * MIB + 12345 // 512 * 512}!\n"
    )


def test_hash(place, kind):
    efi_img(place, "convert", *KINDS[kind], "disk.img", "t")
    digest = hashlib.sha256((place / "disk.img").read_bytes()).hexdigest()
    assert efi_img(place, "hash", "t").out.split()[0] == digest


def test_existing_image(place, kind):
    """Written over in place, all and in part."""
    efi_img(place, "convert", *KINDS[kind], "disk.img", "t")
    (place / "new.raw").write_bytes(noise(2))
    efi_img(place, "convert", "-n", *KINDS[kind], "new.raw", "t")
    assert_disk(place, "t", noise(2))


def test_map_names_the_file_of_each_extent(place):
    efi_img(place, "convert", *KINDS["pieces"], "-o", "piece=8M", "disk.img", "t")
    disk, seen = (place / "disk.img").read_bytes(), 0
    for line in efi_img(place, "map", "t").out.splitlines()[1:]:
        start, length, offset = (int(word, 16) for word in line.split()[:3])
        file = place / line.split()[3]
        assert file.name == f"t.{start // (8 * MIB)}"
        with open(file, "rb") as piece:
            piece.seek(offset)
            assert piece.read(length) == disk[start : start + length]
        seen += length
    assert seen > MIB


def test_map_of_large_blocks(place):
    efi_img(place, "convert", *KINDS["blocks"], "disk.img", "t")
    disk, image, at = (place / "disk.img").read_bytes(), (place / "t").read_bytes(), 0
    for entry in efi_img(place, "map", "--output=json", "t").json():
        assert entry["start"] == at
        expected = disk[at : at + entry["length"]]
        if entry["data"]:
            assert image[entry["offset"] : entry["offset"] + entry["length"]] == expected
        else:
            assert expected == bytes(len(expected))
        at += entry["length"]
    assert at == SIZE


def test_many_files(place):
    """As many as a VMDK of 1 TiB in extents of 2 GiB has."""
    n = 513
    (place / "small.raw").write_bytes(noise(3, n * 4096))
    efi_img(place, "convert", *KINDS["pieces"], "-o", "piece=4k", "small.raw", "t")
    assert len(list(place.glob("t.*"))) == n
    assert efi_img(place, "compare", "small.raw", "t").code == 0


# ---- disks ----


def test_capture_and_restore(place, kind):
    efi_img(place, "convert", *KINDS[kind], "serial=DISK", "t")
    efi_img(place, "convert", "-n", "t", "serial=EMPTY", "--no-table")
    assert (place / "empty.img").read_bytes() == (place / "disk.img").read_bytes()


@pytest.fixture(scope="session")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


@pytest.mark.parametrize("how", ["STOP", "KILL"])
@pytest.mark.parametrize("write", [3, 12, 30])
def test_capture_is_resumed(place, interrupter, how, write):
    """Into the image in one file, which an interrupted job leaves unfinished."""
    line = ("convert", *KINDS["blocks"], "serial=DISK", "t")
    efi_img(place, *line, code=None, LD_PRELOAD=str(interrupter), **{how: f"/t,{write}"})
    assert (place / "t").exists() and efi_img(place, "info", "t", code=None).code != 0
    resumed = efi_img(place, *line, "--resume", code=None)
    if resumed.code != 0:  # the journal had nothing yet
        assert "--resume" in resumed.err
        efi_img(place, *line, "--force")
    assert_disk(place, "t", (place / "disk.img").read_bytes())
    efi_img(place, "check", "t")


def test_restore_is_resumed(place, kind, interrupter):
    efi_img(place, "convert", *KINDS[kind], "serial=DISK", "t")
    line = ("convert", "-n", "t", "serial=EMPTY", "--no-table", "--erase=EMPTY")
    stop = {"LD_PRELOAD": str(interrupter), "STOP": "/empty.img,20"}
    efi_img(place, *line, code=STOPPED, **stop)
    efi_img(place, *line, "--resume")
    assert (place / "empty.img").read_bytes() == (place / "disk.img").read_bytes()


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_interrupted_image_of_many_files_is_removed(place, interrupter, words):
    stop = {"LD_PRELOAD": str(interrupter), "STOP": "/t.9,1"}
    efi_img(place, "convert", *KINDS["pieces"], *words, "disk.img", "t", code=1, **stop)
    assert not list(place.glob("t*"))


# ---- splitting ----


def test_split(place):
    line = ("convert", *KINDS["blocks"], "--split=16M", "disk.img", "t")
    efi_img(place, *line)
    parts = sorted(place.glob("t*"))
    assert len(parts) > 4 and max(part.stat().st_size for part in parts) <= 16 * MIB
    assert efi_img(place, "compare", "disk.img", "t").code == 0
    (place / "whole").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert efi_img(place, "compare", "disk.img", "whole").code == 0


# ---- changing ----


@pytest.mark.parametrize("target", ["middle", "shallow", None])
def test_rebase_and_commit(place, target):
    """Blocks of which one unit is the image's own, and the others show the backing file."""
    efi_img(place, "convert", *KINDS["blocks"], "disk.img", "base")
    (place / "shallow.raw").write_bytes(noise(4, 40 * MIB))
    efi_img(place, "convert", *KINDS["blocks"], "shallow.raw", "shallow")
    over = bytearray((place / "disk.img").read_bytes())
    for name, backing, at in (("middle", "base", 33 * MIB + 5), ("top", "middle", 31 * MIB + 99)):
        efi_img(place, "create", "-q", "-f", "blocks", "-b", backing, "-F", "blocks", name)
        over[at : at + 4 * MIB] = random.Random(at).randbytes(4 * MIB)
        (place / "over.raw").write_bytes(over)
        efi_img(
            place, "convert", "-n", *KINDS["blocks"], "-B", backing, "over.raw", name, code=None
        )
        write_over(place, name, bytes(over))
    words = ("-b", target, "-F", "blocks") if target else ("-b", "")
    efi_img(place, "rebase", "-f", "blocks", *words, "top")
    assert_disk(place, "top", bytes(over))
    if target == "middle":
        efi_img(place, "commit", "-f", "blocks", "top")
        assert_disk(place, "middle", bytes(over))


def write_over(place, name, disk):
    """Only where it differs, so that the rest stays the backing file's."""
    (place / "want.raw").write_bytes(disk)
    efi_img(place, "convert", "-n", *KINDS["blocks"], "want.raw", name)


def test_measure(place):
    out = efi_img(place, "measure", "-O", "blocks", "disk.img").out
    assert f"required size: {MIB + 3 * 32 * MIB}\n" in out


# ---- what a format does not have ----


@pytest.mark.parametrize(
    "line, code, words",
    [
        ("check t", 63, "This image format does not support checks (pieces)"),
        ("resize t 100M", 1, "disks in images of format pieces keep their size"),
        ("amend -o size=1M t", 1, "the options of images of format pieces cannot be changed"),
        ("rebase -b disk.img -F raw t", 1, "format pieces cannot get another backing file"),
        ("snapshot -c s t", 1, "pieces"),
        ("bitmap --add t b", 1, "pieces"),
        ("measure -O pieces disk.img", 1, "images of format pieces cannot be measured"),
        ("convert -c -O pieces disk.img x", 1, "images of format pieces cannot be compressed"),
        ("create -f pieces -b t -F pieces x", 1, "images of format pieces have no backing file"),
    ],
)
def test_not_supported(place, line, code, words):
    efi_img(place, "convert", *KINDS["pieces"], "disk.img", "t")
    before = content(place)
    result = efi_img(place, *line.split(), code=code)
    assert words in result.err, result.err
    assert content(place) == before


# ---- guards ----


def test_extent_on_the_disk_to_be_erased(place):
    """The image is elsewhere: only its extents are on the disk."""
    efi_img(place, "convert", *KINDS["pieces"], "-o", "folder=held", "disk.img", "t")
    assert len(list((place / "held").glob("t.*"))) == SIZE // MIB
    before = content(place)
    line = ("convert", "-n", "t", "serial=HOLDER", "--no-table", "--erase=HOLDER", "--force")
    result = efi_img(place, *line, code=REFUSED)
    assert "serial=HOLDER: the file held/t.0 is on it" in result.err
    assert content(place) == before


@pytest.mark.parametrize("words", [("t.7",), ("--force", "t.7"), ("--force", "./t.7")])
@pytest.mark.parametrize("format", ["raw", "qcow2", "pieces", "blocks"])
def test_target_is_an_extent_of_the_source(place, format, words):
    efi_img(place, "convert", *KINDS["pieces"], "disk.img", "t")
    before = content(place)
    result = efi_img(place, "convert", "-O", format, "t", *words, code=1)
    assert "the same file as t.7 (extent of t), which is read" in result.err
    assert content(place) == before


def test_extent_of_the_target_is_the_source(place):
    (place / "t.7").write_bytes((place / "disk.img").read_bytes())
    before = content(place)
    line = ("convert", *KINDS["pieces"], "--force", "t.7", "t")
    assert (
        "the extent of t would be replaced, but it is the same file"
        in efi_img(place, *line, code=1).err
    )
    assert content(place) == before


@pytest.mark.parametrize("name", ["t.0", "t.69"])
def test_extents_are_not_replaced_without_force(place, name):
    (place / name).write_bytes(b"somebody's")
    result = efi_img(place, "convert", *KINDS["pieces"], "disk.img", "t", code=1)
    assert f"{name}: the file exists already; --force would replace it" in result.err
    assert (place / name).read_bytes() == b"somebody's"


def test_missing_extent(place):
    efi_img(place, "convert", *KINDS["pieces"], "disk.img", "t")
    (place / "t.12").unlink()
    assert "t.12" in efi_img(place, "convert", "t", "x", code=1).err
    assert efi_img(place, "info", "t").code == 0


def test_dry_run_lists_all_files(place):
    line = ("convert", *KINDS["pieces"], "-o", "piece=16M", "disk.img", "t", "--dry-run")
    out = efi_img(place, *line).out
    for i in range(5):
        assert f"t.{i} (extent of t)" in out
    assert not list(place.glob("t*"))


def test_the_product_does_not_have_them(place):
    result = Result([EFI_IMG, "create", "-f", "pieces", "x", "1M"], place)
    known = result.err.partition("those that efi-img knows are: ")[2].split()
    assert result.code == 1 and {"qcow2", "raw"} <= set(known)
    assert not {"pieces", "blocks"} & set(known)
