# SPDX-License-Identifier: BSD-2-Clause
"""
Block maps beside bmaptool: it verifies those that efi-img writes, and efi-img reads its. The disk
is that of test_used.py, with old data everywhere, so that whatever is not mapped is seen.
"""

import hashlib
import random
import re
import subprocess

import pytest

from images import MIB
from oracle import Result
from target_disks import efi_img
from test_unfinished import efi_img as unfinished, interrupted, interrupter  # noqa: F401
from test_used import (  # noqa: F401
    DISKS,
    EXT,
    GRANULE,
    SIZE,
    check_files,
    differences,
    made,
    ours,
    place,
    put,
    run,
)


def write(path, text):
    """A map with its checksum made right again."""
    text = re.sub(r"(?<=<BmapFileChecksum> )\w{64}", "0" * 64, text)
    digits = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(text.replace("0" * 64, digits, 1))


def mapped(text):
    """Whether each block of 4 KiB is mapped."""
    blocks = [False] * (SIZE * MIB // 4096)
    for first, last in re.findall(r"> (\d+)(?:-(\d+))? </Range>", text):
        for block in range(int(first), int(last or first) + 1):
            blocks[block] = True
    return blocks


@pytest.fixture
def captured(place):
    ours(place, "capture", "-q", "--bmap", "serial=SRC", "pc.raw")
    return place


def restore(place, *words):
    words = ("restore", *words, "pc.raw", "serial=TARGET", "--erase=TARGET")
    return efi_img(place, *words, disks=DISKS)


def test_written(captured, made):
    """bmaptool copies by the map, verifies image and restored disk, and finds a flipped bit."""
    text = (captured / "pc.raw.bmap").read_text()
    assert 0.3 < sum(mapped(text)) * 4096 / (SIZE * MIB) < 0.55
    run(captured, "bmaptool", "copy", "--bmap", "pc.raw.bmap", "pc.raw", "copy.img")
    check_files(captured, "copy.img", made[1])
    assert (captured / "copy.img").read_bytes() == (captured / "pc.raw").read_bytes()
    result = restore(captured)
    assert result.code == 0, result.err
    verify = ["bmaptool", "copy", "--bmap", "pc.raw.bmap", "target.img", "/dev/null"]
    run(captured, *verify)
    put(captured, "target.img", EXT[0] * MIB + 1024 + 0x78, b"x")
    assert subprocess.run(verify, cwd=captured, capture_output=True).returncode != 0


def test_written_by_convert(captured):
    """The same map, with a name of its own; of a disk of which all is copied, one range."""
    ours(captured, "convert", "--used", "--bmap=own", "serial=SRC", "b.raw")
    assert (captured / "own").read_text() == (captured / "pc.raw.bmap").read_text()
    ours(captured, "convert", "--bmap=all", "serial=SRC", "c.raw")
    digest = hashlib.sha256((captured / "src.img").read_bytes()).hexdigest()
    last = SIZE * MIB // 4096 - 1
    assert f'<Range chksum="{digest}"> 0-{last} </Range>' in (captured / "all").read_text()


def test_restored(captured, made):
    """What is not mapped is not read; it stays on the disk, or becomes zeros."""
    whole = bytearray((captured / "pc.raw").read_bytes())
    blocks = mapped((captured / "pc.raw.bmap").read_text())
    for block, used in enumerate(blocks):
        if not used:
            put(captured, "pc.raw", block * 4096, b"\xee" * 4096)
    plan = restore(captured, "--dry-run").out
    assert "read   pc.raw.bmap (block map)\n" in plan
    assert "were not in use when the image was made, and are not written\n" in plan
    result = restore(captured)
    assert result.code == 0 and "of the target stay as they were" in result.out, result.err
    target = (captured / "target.img").read_bytes()
    for block, used in enumerate(blocks):
        expected = whole[block * 4096 : (block + 1) * 4096] if used else b"\xa5" * 4096
        assert target[block * 4096 : (block + 1) * 4096] == expected, block
    check_files(captured, "target.img", made[1])
    for words in (["--erase-unused"], ["--erase-unused", "--bmap=pc.raw.bmap"]):
        (captured / "target.img").write_bytes(b"\xa5" * SIZE * MIB)
        assert restore(captured, *words).code == 0
        assert (captured / "target.img").read_bytes() == whole
    assert restore(captured, "--no-bmap").code == 0
    assert (captured / "target.img").read_bytes() == (captured / "pc.raw").read_bytes()
    assert restore(captured, "--no-bmap", "--bmap=x").code == 1


def test_map_of_bmaptool(captured):
    """What bmaptool leaves out are holes, which are zeros: they are written."""
    expected = (captured / "pc.raw").read_bytes()
    (captured / "pc.raw.bmap").unlink()
    made_by = ["bmaptool", "create", "-o", "pc.bmap", "pc.raw"]
    run(captured, *made_by)
    assert not all(mapped((captured / "pc.bmap").read_text()))
    plan = restore(captured, "--dry-run").out  # without the last ending, as bmaptool finds it
    assert "read   pc.bmap (block map)\n" in plan and "zeros are written there\n" in plan
    result = restore(captured)
    assert result.code == 0 and "MiB are zeros;" in result.out, result.err
    assert (captured / "target.img").read_bytes() == expected
    write(captured / "pc.bmap", (captured / "pc.bmap").read_text().replace('"2.0"', '"1.4"'))
    assert restore(captured).code == 0


@pytest.mark.parametrize(
    "field,old,new",
    [
        ("version", 'version="2.0"', 'version="1.3"'),
        ("version", 'version="2.0"', ""),
        ("ImageSize", r"<ImageSize> \d", "<ImageSize> 9"),
        ("ImageSize", r"<ImageSize> \d", "<ImageSize> -"),
        ("ImageSize", r"<ImageSize>.*</ImageSize>", ""),
        ("BlockSize", r"4096", "4095"),
        ("BlockSize", r"4096", "0"),
        ("BlocksCount", r"<BlocksCount> \d", "<BlocksCount> 8"),
        ("MappedBlocksCount", r"<MappedBlocksCount> \d", "<MappedBlocksCount> 8"),
        ("ChecksumType", "sha256", "sha1"),
        ("ChecksumType", r"<ChecksumType>.*</ChecksumType>", ""),
        ("BmapFileChecksum", r"(?<=BmapFileChecksum>).*(?=</Bmap)", ""),
        ("chksum", r'chksum="\w', 'chksum="'),
        ("chksum", r'chksum="\w+"', ""),
        ("Range", r"0-(\d+) </Range>", "0-99999999999999999999 </Range>"),
        ("Range", r"0-(\d+) </Range>", "0-18446744073709551615 </Range>"),
        ("Range", r"0-(\d+) </Range>", "0-9215 </Range>"),
        ("Range", r"(\d+) </Range>\s*</BlockMap>", "9216 </Range></BlockMap>"),
        ("Range", r"0-(\d+) </Range>", r"0+\1 </Range>"),
    ],
)
def test_wrong_field(captured, field, old, new):
    """Refused before the first write, with the field, even if the checksum of the map is right."""
    text = (captured / "pc.raw.bmap").read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    write(captured / "pc.raw.bmap", changed)
    result = restore(captured)
    assert result.code != 0 and (f'"{field}"' in result.err or field in result.err), result.err
    assert "pc.raw.bmap: " in result.err and "--no-bmap" in result.err, result.err
    assert (captured / "target.img").read_bytes() == b"\xa5" * SIZE * MIB


def test_damaged_map(captured):
    """A byte of the map that was changed is found by its own checksum."""
    text = (captured / "pc.raw.bmap").read_text()
    (captured / "pc.raw.bmap").write_text(text.replace("no file", "NO file"))
    result = restore(captured)
    assert result.code != 0 and '"BmapFileChecksum" is invalid' in result.err, result.err
    (captured / "pc.raw.bmap").write_bytes(random.Random(1).randbytes(5000))
    assert restore(captured).code != 0
    (captured / "pc.raw.bmap").write_bytes(b"")
    result = restore(captured)
    assert result.code != 0 and '"ImageSize" is invalid' in result.err, result.err


def test_damaged_image(captured):
    """Found while it is read: the disk has no beginning then."""
    put(captured, "pc.raw", EXT[0] * MIB + 1024 + 0x78, b"x")
    result = restore(captured)
    assert result.code != 0, result.err
    assert re.search(r'pc\.raw\.bmap: its field "Range" \d+ \(offset \d+, \d+ bytes\)', result.err)
    assert "its first sector is zeros" in result.err
    assert not any((captured / "target.img").read_bytes()[:MIB])
    assert restore(captured, "--no-bmap").code == 0


def test_refused(place):
    """What a map is not for; and a file that exists is not replaced."""
    for words in (
        ("capture", "--bmap", "serial=SRC", "pc.qcow2"),
        ("convert", "--bmap=x", "-O", "qcow2", "serial=SRC", "pc.qcow2"),
        ("convert", "--bmap=x", "--map=y", "serial=SRC", "pc.raw"),
        ("convert", "-n", "--bmap=x", "serial=SRC", "serial=TARGET", "--erase=TARGET"),
        ("restore", "--bmap=absent", "src.img", "serial=TARGET", "--erase=TARGET"),
    ):
        result = efi_img(place, *words, disks=DISKS)
        assert result.code == 1 and ("bmap" in result.err or "absent" in result.err), result.err
    (place / "pc.raw.bmap").write_bytes(b"mine")
    result = efi_img(place, "capture", "--bmap", "serial=SRC", "pc.raw", disks=DISKS)
    assert result.code != 0 and "the block map pc.raw.bmap exists" in result.err, result.err
    assert (place / "pc.raw.bmap").read_bytes() == b"mine" and not (place / "pc.raw").exists()


def test_removed(captured):
    assert "pc.raw.bmap" in efi_img(captured, "remove", "--dry-run", "pc.raw").out
    assert efi_img(captured, "remove", "pc.raw").code == 0
    assert not (captured / "pc.raw.bmap").exists()


def test_resume(place, made, interrupter):
    """An interrupted restore is continued by the same map alone."""
    ours(place, "capture", "-q", "--bmap", "serial=SRC", "pc.raw")
    (place / "disk.img").hardlink_to(place / "src.img")
    (place / "target.img").rename(place / "one.img")
    (place / "two.img").write_bytes(bytes(512))
    words = ("restore", "-q", "pc.raw", "serial=ONE", "--erase=ONE")
    stopped = interrupted(place, interrupter, *words, STOP="/one.img,12")
    assert stopped.code == 15 and "--resume continues" in stopped.err, stopped.err
    for more in (["--erase-unused"], ["--no-bmap"]):
        assert unfinished(place, *words, "--resume", *more).code != 0
    options = ("convert", "-q", "-n", "--resume", "--used", "--bmap", "pc.raw.bmap")
    resumed = unfinished(place, *options, "pc.raw", "serial=ONE", "--erase=ONE")
    assert resumed.code == 0, resumed.err
    check_files(place, "one.img", made[1])
    differences(place, "one.img", b"\xa5")


def test_resumed_capture(place, interrupter):
    """The map of an image that was made in two runs is that of all of it."""
    (place / "disk.img").hardlink_to(place / "src.img")
    for name in ("one.img", "two.img"):
        (place / name).write_bytes(bytes(512))
    words = ("capture", "-q", "--bmap", "serial=S", "pc.raw")
    assert interrupted(place, interrupter, *words, STOP="/pc.raw,9").code == 15
    assert not (place / "pc.raw.bmap").exists()
    resumed = unfinished(place, *words, "--resume")
    assert resumed.code == 0, resumed.err
    verify = ["bmaptool", "copy", "--bmap", "pc.raw.bmap", "pc.raw", "/dev/null"]
    assert Result(verify, place).code == 0


def test_renamed(captured):
    """With its image, also where that was interrupted after the image; no other map is replaced."""
    (captured / "new.raw.bmap").write_bytes(b"another's")
    refused = efi_img(captured, "rename", "pc.raw", "new.raw")
    assert refused.code == 1 and "new.raw.bmap exists already" in refused.err
    (captured / "new.raw.bmap").unlink()
    manifest = (captured / "pc.raw.manifest").read_bytes()
    efi_img(captured, "rename", "pc.raw", "new.raw")
    assert (captured / "new.raw.bmap").exists() and not (captured / "pc.raw.bmap").exists()
    (captured / "new.raw.bmap").rename(captured / "pc.raw.bmap")
    (captured / "pc.raw.manifest").write_bytes(manifest)
    done = efi_img(captured, "rename", "pc.raw", "new.raw")
    assert done.code == 0 and done.out.endswith(": 2 files\n"), (done.out, done.err)
    assert (captured / "new.raw.bmap").exists()
    map_of_another = (captured / "new.raw.bmap").read_text().replace("2.0", "2.1")
    (captured / "new.raw.bmap").unlink()
    (captured / "pc.raw.bmap").write_text(map_of_another)
    assert efi_img(captured, "rename", "pc.raw", "new.raw").code == 1
    assert (captured / "pc.raw.bmap").read_text() == map_of_another


@pytest.mark.parametrize(
    "words", [("capture", "--all"), ("convert", "-O", "raw"), ("convert", "-O", "raw", "src.img")]
)
def test_map_of_an_older_image(captured, words):
    """What it does not map would be left out of a restore of the new image."""
    map_before = (captured / "pc.raw.bmap").read_bytes()
    (captured / "pc.raw.manifest").unlink()
    source = () if "src.img" in words else ("serial=SRC",)
    for removed in (False, True):
        if removed:
            (captured / "pc.raw").unlink()
        result = efi_img(captured, *words, "--force", *source, "pc.raw", disks=DISKS)
        assert result.code == 1 and "pc.raw.bmap exists, and would be taken for" in result.err
        assert (captured / "pc.raw").exists() != removed
    assert (captured / "pc.raw.bmap").read_bytes() == map_before
    ours(captured, "capture", "--bmap", "--force", "serial=SRC", "pc.raw")
    assert restore(captured).code == 0
