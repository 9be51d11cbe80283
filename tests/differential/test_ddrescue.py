# SPDX-License-Identifier: BSD-2-Clause
"""
Maps beside GNU ddrescue: each goes on from what the other has begun, and the disk is whole in
the end.
"""

import os
import random
import subprocess

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, HANG_SECONDS, Result

LOST, STOPPED, DEVICE_ERROR = 10, 15, 18
SIZE = 9 * MIB
BAD = "bad=5000+3"
CLEAN = "efi-img: serial=S: 0 writes to the source"


@pytest.fixture
def place(tmp_path):
    """A disk with some holes, and another one."""
    content = bytearray(random.Random(1).randbytes(SIZE))
    content[3 * MIB : 4 * MIB] = bytes(MIB)
    (tmp_path / "s.img").write_bytes(content)
    (tmp_path / "t.img").write_bytes(bytes(MIB) + b"\xee" * (SIZE - MIB))
    return tmp_path


def efi_img(place, *words, bad=BAD):
    environment = {
        **os.environ,
        "EFI_IMG_DISKS": f"s.img,serial=S{',' + bad if bad else ''}:t.img,serial=T",
    }
    done = subprocess.run(
        [EFI_IMG, *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


def ddrescue(place, *words):
    subprocess.run(["ddrescue", "-q", *words], cwd=place, check=True, timeout=HANG_SECONDS)


def ranges(place, name):
    lines = [
        line.split() for line in (place / name).read_text().splitlines() if not line.startswith("#")
    ]
    return [(int(offset, 0) // 512, int(n, 0) // 512, status) for offset, n, status in lines[1:]]


def whole(place, name):
    return (place / name).read_bytes() == (place / "s.img").read_bytes()


@pytest.mark.parametrize(
    "part",
    [("-s", "3Mi"), ("-i", "2Mi", "-s", "3Mi"), ("-i", "8703Ki"), ("-R", "-i", "1Mi", "-s", "5Mi")],
)
def test_we_go_on(place, part):
    """What ddrescue has is not read again: here it would differ."""
    ddrescue(place, *part, "s.img", "d.raw", "d.map")
    os.truncate(place / "d.raw", SIZE)
    mine = [found for found in ranges(place, "d.map") if found[2] == "+"]
    with open(place / "other.img", "wb") as other:
        content = bytearray((place / "s.img").read_bytes())
        for first, n, _ in mine:
            content[first * 512 : (first + n) * 512] = b"\x55" * (n * 512)
        other.write(content)
    result = Result(
        [EFI_IMG, "convert", "-n", "-f", "raw", "--map=d.map", "other.img", "d.raw"], place
    )
    assert (result.code, result.err) == (0, "") and whole(place, "d.raw")
    assert ranges(place, "d.map") == [(0, SIZE // 512, "+")]
    ddrescue(place, "s.img", "d.raw", "d.map")
    assert whole(place, "d.raw")


def test_ddrescue_goes_on(place):
    """From what could not be read, and from a job that ended there."""
    code, said = efi_img(place, "convert", "--salvage", "--map=m", "serial=S", "o.raw")
    assert code == LOST and "1536 bytes at offset 2560000 (LBA 5000, blocks of 512 bytes)" in said
    assert ranges(place, "m") == [(0, 5000, "+"), (5000, 3, "-"), (5003, SIZE // 512 - 5003, "+")]
    ddrescue(place, "-r1", "s.img", "o.raw", "m")
    assert whole(place, "o.raw") and ranges(place, "m") == [(0, SIZE // 512, "+")]
    qemu_img(place, "create", "-q", "-f", "raw", "p.raw", str(SIZE))
    code, said = efi_img(place, "convert", "-n", "--map=p", "serial=S", "p.raw")
    assert code == DEVICE_ERROR and "512 bytes at offset 2560000 (LBA 5000" in said
    assert (5000, 1, "-") in ranges(place, "p") and ranges(place, "p")[-1][2] == "?"
    ddrescue(place, "-r1", "s.img", "p.raw", "p")
    assert whole(place, "p.raw")


def test_disk_to_disk(place):
    """
    Each time a little more of it can be read; the beginning of the target is missing only as
    long as it is not whole.
    """
    words = ("convert", "-n", "--map=m", "serial=S", "serial=T", "--erase=T")
    code, said = efi_img(place, *words)
    assert (
        code == DEVICE_ERROR
        and "its first sector is zeros" in said
        and (place / "t.img").read_bytes()[:MIB] == bytes(MIB)
    )
    assert ranges(place, "m")[0] == (0, 2048, "?")
    for bad, left in (
        (BAD, [(5000, 3)]),
        ("bad=5001+1", [(5001, 1)]),
        ("bad=5001+1", [(5001, 1)]),
        ("", []),
    ):
        code, said = efi_img(place, *words, "--salvage", bad=bad)
        assert code == (LOST if left else 0), said
        assert [(first, n) for first, n, status in ranges(place, "m") if status != "+"] == left
        assert (place / "t.img").read_bytes()[:MIB] == (place / "s.img").read_bytes()[:MIB]
    assert whole(place, "t.img")
    code, said = efi_img(place, *words)
    assert (code, said.splitlines()[:1]) == (0, [CLEAN]) and whole(place, "t.img")


def test_image_of_another_size(place):
    ddrescue(place, "s.img", "d.raw", "d.map")
    with open(place / "s.img", "ab") as disk:
        disk.write(bytes(MIB))
    before = (place / "d.map").read_text()
    code, said = efi_img(place, "convert", "-n", "--map=d.map", "serial=S", "d.raw", bad="")
    assert (
        code == 1
        and "the map is of a disk of 9437184 bytes" in said
        and (place / "d.map").read_text() == before
    )


def test_parts_of_sectors(place):
    """ddrescue's M is 1000000 bytes."""
    ddrescue(place, "-s", "3M", "s.img", "d.raw", "d.map")
    os.truncate(place / "d.raw", SIZE)
    code, said = efi_img(place, "convert", "-n", "--map=d.map", "serial=S", "d.raw", bad="")
    assert code == 1 and "Mi 1048576" in said


def test_qcow2(place):
    """A map goes with images as well, and with clusters of which a part is there."""
    ddrescue(place, "-i", "1000s", "-s", "3003s", "s.img", "d.raw", "d.map")
    os.truncate(place / "d.raw", SIZE)
    qemu_img(place, "convert", "-O", "qcow2", "d.raw", "d.qcow2")
    code, said = efi_img(
        place,
        "convert",
        "-n",
        "-O",
        "qcow2",
        "--map=d.map",
        "serial=S",
        "d.qcow2",
        bad="bad=9000+1",
    )
    assert code == DEVICE_ERROR, said
    code, said = efi_img(
        place, "convert", "-n", "-O", "qcow2", "--map=d.map", "serial=S", "d.qcow2", bad=""
    )
    assert (code, said.splitlines()[:1]) == (0, [CLEAN]) and ranges(place, "d.map") == [
        (0, SIZE // 512, "+")
    ]
    qemu_img(place, "check", "d.qcow2")
    qemu_img(place, "compare", "-f", "qcow2", "-F", "raw", "d.qcow2", "s.img")


def test_map_is_the_target(tmp_path):
    """By another name, and before either file is there: refused before anything is written."""
    (tmp_path / "r").write_bytes(bytes(range(256)) * 400)
    done = Result([EFI_IMG, "convert", "-f", "raw", "--map=./u", "r", "u"], tmp_path)
    assert (
        done.code == 1
        and "u: the target would be replaced, but it is the same file as ./u (map)" in done.err
    ), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
