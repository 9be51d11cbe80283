# SPDX-License-Identifier: BSD-2-Clause
"""Disks captured into VHD images and restored from them, also after an interruption."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from images import MIB
from oracle import EFI_IMG, Result

SIZE = 24 * MIB + 512 * 3
DISKS = "disk.img,serial=DISK:empty.img,serial=EMPTY"
STOPPED = 15
KINDS = ("dynamic", "fixed")


def efi_img(place, *words, code=0, **environment):
    before = dict(os.environ)
    os.environ.update(EFI_IMG_DISKS=DISKS, **environment)
    try:
        result = Result([EFI_IMG, *words], place)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert code is None or result.code == code, result.out + result.err
    return result


@pytest.fixture
def place(tmp_path):
    dice = random.Random(1)
    disk = bytearray(SIZE)
    for _ in range(30):
        at, n = dice.randrange(SIZE), dice.randrange(1, 400000)
        disk[at : at + n] = dice.randbytes(n)[: SIZE - at]
    (tmp_path / "disk.img").write_bytes(disk)
    (tmp_path / "empty.img").write_bytes(bytes(SIZE))
    return tmp_path


@pytest.fixture(scope="session")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return library


def assert_whole(place, kind):
    for program in ("qemu-img", EFI_IMG):
        words = ["compare", "-f", "vpc", "-F", "raw", "t.vhd", "disk.img"]
        result = Result([program, *words], place)
        assert result.code == 0, result.out + result.err
    words = ["7z", "t", "-tVHD", "t.vhd"]
    assert subprocess.run(words, cwd=place, capture_output=True).returncode == 0
    efi_img(place, "check", "t.vhd")
    if kind == "fixed":
        assert (place / "t.vhd").stat().st_size == 25 * MIB + 512


def assert_half(place):
    """No program takes it for a VHD."""
    assert efi_img(place, "info", "t.vhd", code=1).out.startswith("image: t.vhd\nfile format: unf")
    for words in (
        ["qemu-img", "info", "-f", "vpc", "t.vhd"],
        ["7z", "l", "-tVHD", "t.vhd"],
        ["vhdiinfo", "t.vhd"],
    ):
        assert subprocess.run(words, cwd=place, capture_output=True).returncode != 0, words


@pytest.mark.parametrize("kind", KINDS)
def test_capture_and_restore(place, kind):
    efi_img(place, "convert", "-O", "vpc", "-o", f"subformat={kind}", "serial=DISK", "t.vhd")
    assert_whole(place, kind)
    efi_img(place, "convert", "-n", "t.vhd", "serial=EMPTY", "--no-table")
    assert (place / "empty.img").read_bytes() == (place / "disk.img").read_bytes()


@pytest.mark.parametrize("how", ["STOP", "KILL"])
@pytest.mark.parametrize("write", [6, 10, 15, 23])
@pytest.mark.parametrize("kind", KINDS)
def test_capture_is_resumed(place, interrupter, kind, how, write):
    line = ("convert", "-O", "vpc", "-o", f"subformat={kind}", "serial=DISK", "t.vhd")
    efi_img(place, *line, code=None, LD_PRELOAD=str(interrupter), **{how: f"/t.vhd,{write}"})
    assert_half(place)
    resumed = efi_img(place, *line, "--resume", code=None)
    if resumed.code != 0:  # the journal had nothing yet
        assert "--resume" in resumed.err
        efi_img(place, *line, "--force")
    assert_whole(place, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_at_the_end(place, interrupter, kind):
    """When only the footer at the end, or the first sector, is missing."""
    line = ("convert", "-O", "vpc", "-o", f"subformat={kind}", "serial=DISK", "t.vhd")
    count, seen = 24, 0
    for count in range(20, 60):
        stop = {"KILL": f"/t.vhd,{count}", "LD_PRELOAD": str(interrupter)}
        if efi_img(place, *line, "--force", code=None, **stop).code == 0:
            break
        assert efi_img(place, "info", "t.vhd", code=1).out
        resumed = efi_img(place, *line, "--resume", code=None)
        if resumed.code == 0:
            assert_whole(place, kind)
            seen += 1
    assert count < 59 and seen > 0


def test_fixed_image_on_a_disk_is_refused(place):
    words = ("convert", "-O", "vpc", "-o", "subformat=fixed", "disk.img", "serial=EMPTY")
    result = efi_img(place, *words, "--erase=EMPTY", code=None)
    assert result.code != 0 and "recognised by the end of its file" in result.err
    assert not any((place / "empty.img").read_bytes())


def test_image_on_a_disk(place):
    """A dynamic one begins with its footer, and is read from there."""
    (place / "small.raw").write_bytes((place / "disk.img").read_bytes()[: 10 * MIB])
    words = ("convert", "-O", "vpc", "small.raw", "serial=EMPTY", "--erase=EMPTY")
    efi_img(place, *words)
    assert "file format: vpc" in efi_img(place, "info", "serial=EMPTY").out
    efi_img(place, "compare", "-F", "raw", "serial=EMPTY", "small.raw")
    efi_img(place, "check", "serial=EMPTY")
