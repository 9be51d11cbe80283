# SPDX-License-Identifier: BSD-2-Clause
"""
dmg: images of a writer of ours, with chunks of every kind in any order, which qemu-img (zlib), 7z
and dmg2img read as well, and the sample of macOS.
"""

import subprocess

import pytest

import readonly
import samples
from oracle import EFI_IMG, Result, assert_info_as_qemu, both
from readonly import ADC, BZIP2, LZFSE, LZMA, RAW, ZLIB

KINDS = [  # kinds of chunks, sectors of a chunk, sectors of the disk
    ((ZLIB,), 512, 20000),
    ((RAW,), 512, 5000),
    ((ZLIB, RAW), 1, 300),
    ((ZLIB, RAW), 2048, 30001),
    ((BZIP2,), 512, 10000),
    ((ZLIB, RAW, BZIP2), 2048, 30001),
    ((ZLIB, BZIP2), 32768, 50000),
]


def make(folder, kinds, sectors, total, **options):
    contents = readonly.disk(total, total)
    (folder / "x.dmg").write_bytes(readonly.dmg(contents, kinds, sectors, total, **options))
    (folder / "flat").write_bytes(contents)
    return contents


def assert_contents(folder, contents):
    made = Result([EFI_IMG, "convert", "-O", "raw", "x.dmg", "t"], folder)
    assert made.code == 0, made.err
    assert (folder / "t").read_bytes() == contents
    same = Result([EFI_IMG, "compare", "x.dmg", "flat"], folder)
    assert same.code == 0 and same.out == "Images are identical.\n"
    a, b = (Result([EFI_IMG, "hash", name], folder).out.split()[0] for name in ("x.dmg", "flat"))
    assert a == b
    check = Result([EFI_IMG, "check", "x.dmg"], folder)
    assert (check.code, check.out) == (0, "No errors were found on the image.\n"), check.err


@pytest.mark.parametrize("fork", [False, True])
@pytest.mark.parametrize("kinds, sectors, total", KINDS)
def test_contents(tmp_path, kinds, sectors, total, fork):
    contents = make(tmp_path, kinds, sectors, total, fork=fork, shuffled=fork)
    assert_info_as_qemu(tmp_path, "x.dmg")
    assert_contents(tmp_path, contents)
    # Debian's qemu-img has no bzip2, and cannot read tables that are not in order.
    if BZIP2 not in kinds and not fork:
        made = Result(["qemu-img", "convert", "-O", "raw", "x.dmg", "u"], tmp_path)
        assert made.code == 0, made.err
        assert (tmp_path / "u").read_bytes() == contents
        ours, theirs = both(tmp_path, "compare", "x.dmg", "flat")
        assert (ours.code, ours.out) == (theirs.code, theirs.out)


@pytest.mark.parametrize("kinds, sectors, total", KINDS)
def test_other_readers_agree(tmp_path, kinds, sectors, total):
    """On what our writer makes: one table for the whole disk, where they want it."""
    contents = make(tmp_path, kinds, sectors, total, parts=(), start=0, base=0)
    assert_contents(tmp_path, contents)
    done = subprocess.run(["dmg2img", "x.dmg", "u"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "u").read_bytes().ljust(len(contents), b"\0") == contents
    done = subprocess.run(
        ["7z", "e", "-so", "x.dmg"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.returncode == 0 and done.stdout == contents, done.stderr


def test_recognised_by_content(tmp_path):
    """qemu-img goes by the name, and takes a dmg of another name for raw."""
    contents = make(tmp_path, (ZLIB,), 512, 3000)
    (tmp_path / "x.dmg").rename(tmp_path / "x.img")
    info = Result([EFI_IMG, "info", "x.img"], tmp_path)
    assert "file format: dmg\n" in info.out
    (tmp_path / "y.dmg").write_bytes(contents)
    ours, theirs = both(tmp_path, "info", "y.dmg")
    assert "file format: raw\n" in ours.out and theirs.code == 1
    # up to 511 bytes may follow
    (tmp_path / "z.dmg").write_bytes((tmp_path / "x.img").read_bytes() + b"\n" * 511)
    same = Result([EFI_IMG, "compare", "z.dmg", "y.dmg"], tmp_path)
    assert same.code == 0, same.err


@pytest.mark.parametrize("kind, name", [(ADC, "ADC"), (LZFSE, "LZFSE"), (LZMA, "LZMA")])
def test_refused_by_name(tmp_path, kind, name):
    make(tmp_path, (ZLIB, kind), 64, 3000)
    info = Result([EFI_IMG, "info", "x.dmg"], tmp_path)
    assert info.code == 0 and "virtual size: 1.46 MiB" in info.out
    made = Result([EFI_IMG, "convert", "-O", "raw", "x.dmg", "t"], tmp_path)
    assert made.code == 1 and f"its chunks are compressed by {name}, which" in made.err
    assert not (tmp_path / "t").exists()
    check = Result([EFI_IMG, "check", "x.dmg"], tmp_path)
    assert check.code == 1 and f"not checked: the chunk at sector" in check.err
    assert f": {name}\n" in check.err


@pytest.mark.parametrize("kinds", [(ZLIB,), (BZIP2,), (RAW,)])
def test_damaged_chunk(tmp_path, kinds):
    """A changed bit in a chunk is found by check; what is compressed fails a copy, too."""
    make(tmp_path, kinds, 512, 8000)
    image = bytearray((tmp_path / "x.dmg").read_bytes())
    image[len(image) // 3] ^= 1
    (tmp_path / "x.dmg").write_bytes(image)
    check = Result([EFI_IMG, "check", "x.dmg"], tmp_path)
    assert check.code == 2 and "corrupt: the data fork at 512: the CRC-32 is 0x" in check.err
    assert ("cannot be decompressed" if RAW not in kinds else "corrupt: table ") in check.err
    made = Result([EFI_IMG, "convert", "-O", "raw", "x.dmg", "t"], tmp_path)
    assert made.code == (0 if RAW in kinds else 1)
    if RAW in kinds:
        return
    saved = Result([EFI_IMG, "convert", "--salvage", "-O", "raw", "x.dmg", "u"], tmp_path)
    assert saved.code == 10
    a, b = (tmp_path / "u").read_bytes(), (tmp_path / "flat").read_bytes()
    differ = [i // 512 for i in range(0, len(a), 512) if a[i : i + 512] != b[i : i + 512]]
    assert len(a) == len(b) and 0 < len(differ) <= 512 and differ[-1] - differ[0] < 512


def test_wrong_checksum(tmp_path):
    """The data are good, and a checksum of the trailer is not: check says so."""
    make(tmp_path, (ZLIB,), 512, 3000)
    image = bytearray((tmp_path / "x.dmg").read_bytes())
    for at, words in ((88, "the data fork at 512"), (360, "the checksums of all tables, up to 4")):
        bad = bytearray(image)
        bad[len(bad) - 512 + at + 3] ^= 1
        (tmp_path / "x.dmg").write_bytes(bad)
        check = Result([EFI_IMG, "check", "x.dmg"], tmp_path)
        assert check.code == 2 and f"corrupt: {words}: the CRC-32 is 0x" in check.err
        assert "\n1 errors were found on the image.\n" in check.out


def test_sample(tmp_path):
    samples.unpack("simple-dmg.dmg", tmp_path).rename(tmp_path / "x.dmg")
    made = Result(["qemu-img", "convert", "-O", "raw", "x.dmg", "flat"], tmp_path)
    assert made.code == 0, made.err
    assert_info_as_qemu(tmp_path, "x.dmg")
    assert_contents(tmp_path, (tmp_path / "flat").read_bytes())


def test_map_tells_zeros(tmp_path):
    """Where qemu-img calls all of the disk data without a place (docs/QEMU-IMG.md)."""
    contents = make(tmp_path, (ZLIB, RAW), 64, 5000)
    image = (tmp_path / "x.dmg").read_bytes()
    ours, theirs = both(tmp_path, "map", "--output=json", "x.dmg")
    assert len(theirs.json()) == 1 and theirs.json()[0]["data"]
    at = 0
    for entry in ours.json():
        assert entry["start"] == at and entry["present"]
        at += entry["length"]
        piece = contents[entry["start"] : at]
        assert entry["zero"] != entry["data"]
        assert not entry["zero"] or not any(piece)
        assert "offset" not in entry or image[entry["offset"] :].startswith(piece)
    assert at == len(contents) and any("offset" in entry for entry in ours.json())
    ours, theirs = both(tmp_path, "measure", "--output=json", "-O", "qcow2", "x.dmg")
    assert ours.json()["required"] < theirs.json()["required"]
    assert ours.json()["fully-allocated"] == theirs.json()["fully-allocated"]


def test_what_cannot_be_done(tmp_path):
    samples.unpack("simple-dmg.dmg", tmp_path).rename(tmp_path / "x.dmg")
    for args in (
        ["create", "-f", "dmg", "t", "1M"],
        ["convert", "-O", "dmg", "x.dmg", "t"],
        ["resize", "-f", "dmg", "x.dmg", "2M"],
        ["snapshot", "-c", "s", "x.dmg"],
    ):
        ours, theirs = both(tmp_path, *args)
        assert ours.code == theirs.code == 1, ours.err + theirs.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.dmg"]
