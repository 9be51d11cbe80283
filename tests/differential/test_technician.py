# SPDX-License-Identifier: BSD-2-Clause
"""
capture, restore, clone and write: the copies of convert under the names and with the options that
somebody with a machine to save looks for.
"""

import hashlib
import random

import pytest

from images import MIB, qemu_img
from oracle import Result
from target_disks import done, efi_img, files, make_disks

BAD, REFUSED = 1, 12


@pytest.fixture
def place(tmp_path):
    return make_disks(tmp_path)


@pytest.mark.parametrize(
    "name, options, format",
    [
        ("pc.qcow2", (), "qcow2"),
        ("pc", (), "qcow2"),
        ("PC.VHD", (), "vpc"),
        ("pc.vhdx", (), "vhdx"),
        ("pc.vdi", (), "vdi"),
        ("pc.vmdk", (), "vmdk"),
        ("pc.img", (), "raw"),
        ("pc.raw", (), "raw"),
        ("pc.raw", ("--format=qcow2", "--no-compress"), "qcow2"),
    ],
)
def test_capture(place, name, options, format):
    """In the format of the ending, compressed, read back, with a manifest that holds."""
    assert done(efi_img(place, "capture", "-q", *options, "serial=FULL", name)) == []
    theirs = Result(["qemu-img", "compare", "-f", "raw", "-F", format, "full.img", name], place)
    assert theirs.code == 0, theirs.out + theirs.err
    checked = efi_img(place, "hash", f"--check={name}.manifest")
    assert (checked.code, checked.out) == (0, f"{name}: OK\n")
    compressed = Result(["qemu-img", "check", "-f", format, name], place).out
    assert (" 0.00% compressed" not in compressed and "compressed" in compressed) == (
        format == "qcow2" and not options
    )


def test_capture_is_convert(place):
    """The same bytes; test_unfinished.py has each continue what the other has begun."""
    efi_img(place, "capture", "-q", "--no-manifest", "--split=1M", "serial=FULL", "a")
    efi_img(place, "convert", "-c", "-O", "qcow2", "--split=1M", "serial=FULL", "b")
    for part in ("", ".001"):
        assert (place / f"a{part}").read_bytes() == (place / f"b{part}").read_bytes()
    assert not (place / "a.manifest").exists()


def test_progress_is_shown_unless_quiet(place):
    assert "copying" in efi_img(place, "capture", "serial=FULL", "a").out
    quiet = efi_img(place, "capture", "-q", "--force", "serial=FULL", "a")
    assert (quiet.out, quiet.err) == ("", "")


def test_restore_clone_write(place):
    """restore moves the backup of a GPT to the end of a larger disk; write changes nothing."""
    full, before = (place / "full.img").read_bytes(), (place / "large.img").read_bytes()
    qemu_img(place, "convert", "-f", "raw", "-O", "vmdk", "full.img", "pc.vmdk")
    for words, moves in (
        (("restore", "pc.vmdk"), True),
        (("clone", "serial=FULL"), True),
        (("restore", "--gpt=keep", "pc.vmdk"), False),
        (("write", "full.img"), False),
    ):
        (place / "large.img").write_bytes(before)
        result = efi_img(place, *words, "-q", "serial=LARGE", "--erase=LARGE")
        assert (result.code, result.out) == (0, ""), result.err
        large = (place / "large.img").read_bytes()
        end = 8 * MIB - (512 if moves else 0)
        assert large[1024:end] == full[1024:end], words
        assert (large[512:1024] == full[512:1024]) != moves
        assert (large[8 * MIB :] == before[8 * MIB :]) != moves


def test_write_is_for_files_that_are_disks(place):
    (place / "notes.txt").write_bytes(b"not a disk" * 1000)
    (place / "iso.gz").write_bytes(b"\x1f\x8b\x08" + bytes(5000))
    before = files(place)
    for name, words in (
        ("image.qcow2", "is a qcow2 image, whose bytes are not those of a disk; restore writes"),
        ("notes.txt", "--no-table"),
        ("iso.gz", "gzip"),
    ):
        result = efi_img(place, "write", name, "serial=EMPTY")
        assert result.code != 0 and words in result.err, result.err
    assert files(place) == before


MISUSED = [
    (("capture", "serial=FULL"), "a source and of a target"),
    (("capture", "serial=FULL", "serial=EMPTY"), "clone copies a disk onto another one"),
    (("capture", "image.qcow2", "x"), "convert copies an image into another"),
    (("capture", "image.qcow2", "serial=EMPTY"), "restore and write copy a file onto a disk"),
    (("capture", "serial=FULL", "serial=EMPTY", "x"), "one source and one target"),
    (("capture", "--format=bochs", "serial=FULL", "x"), "but not created"),
    (("capture", "--format=foo", "serial=FULL", "x"), "--format foo"),
    (("capture", "serial=FULL", "image.qcow2"), "--force would replace it"),
    (("capture", "/dev/sda", "x"), "/dev/sda: disks are named serial=..., guid=..."),
    (("capture", "serial=FULL", "/dev/sdz"), "efi-img list shows their names"),
    (("restore", "serial=FULL", "x"), "capture copies a disk into an image"),
    (("restore", "image.qcow2", "x"), "convert copies an image into another"),
    (("restore", "image.qcow2", r"\\.\PhysicalDrive0"), "PhysicalDrive0: disks are named"),
    (("clone", "serial=FULL", "x"), "capture copies a disk into an image"),
    (("write", "serial=FULL", "serial=EMPTY"), "clone copies"),
    (("clone", "--gpt=foo", "serial=FULL", "serial=EMPTY"), "none of move, keep, refuse"),
    (("info", "/dev/sdzz"), "disks are named"),
    (("convert", "image.qcow2", "/dev/sdzz"), "disks are named"),
    (("create", "/dev/nvme9n1", "1M"), "disks are named"),
]


def test_misused(place):
    before = files(place)
    for words, said in MISUSED:
        for dry in ((), ("--dry-run",)) if words[0] != "info" else ((),):
            result = efi_img(place, *words, *dry)
            assert result.code == BAD and said in result.err, (words, result.err)
            assert files(place) == before


def test_nothing_that_is_read_is_written(place):
    """A file on the captured disk is not made there, and a manifest is in the set as well."""
    before = files(place)
    disks = "large.img,serial=L,holds=vol/:empty.img,serial=E"
    (place / "vol").mkdir()
    for words, code, said in (
        (("capture", "serial=L", "vol/pc.qcow2"), REFUSED, "it would be on serial=L"),
        (("clone", "--map=vol/m", "serial=E", "serial=L", "--erase=L"), REFUSED, "is on it"),
    ):
        result = efi_img(place, *words, disks=disks)
        assert result.code == code and said in result.err, result.err
    (place / "vol").rmdir()
    plan = efi_img(place, "capture", "--dry-run", "serial=FULL", "x")
    assert "create x.manifest (manifest)" in plan.out and "create x (target)" in plan.out
    assert files(place) == before


def test_in_a_script(place):
    """Checked before the first line runs, like all others."""
    (place / "job.txt").write_text(
        "#efi-img job 1\ncapture serial=FULL pc.qcow2\nrestore pc.qcow2 serial=EMPTY\n"
        "clone serial=EMPTY serial=LARGE --erase=LARGE\nwrite full.img serial=LARGE --erase=LARGE\n"
    )
    assert "4 commands, no mistakes" in efi_img(place, "run", "--check", "job.txt").out
    assert efi_img(place, "run", "job.txt").code == 0
    full = hashlib.sha256((place / "full.img").read_bytes())
    for disk in ("empty.img", "large.img"):
        copy = hashlib.sha256((place / disk).read_bytes()[: 8 * MIB])
        assert copy.digest() == full.digest(), disk
