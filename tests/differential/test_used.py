# SPDX-License-Identifier: BSD-2-Clause
"""
Copies of what is in use: the disk has old data everywhere, so that whatever a copy leaves out is
seen. File systems are made by mkfs and judged by their checkers and the hashes of their files.
"""

import hashlib
import json
import os
import random
import re
import struct
import subprocess

import pytest

from images import MIB
from oracle import Result
from target_disks import efi_img
from test_unfinished import efi_img as unfinished, interrupted, interrupter  # noqa: F401

PATH = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
SIZE = 36
# MiB: partitions 1 to 4; the third has unknown contents
FAT, SWAP, REST, EXT = (1, 11), (11, 19), (19, 22), (22, 34)
GRANULE = 65536
BITMAP = f"efi-img.used.{SIZE * MIB}"
DISKS = "src.img,serial=SRC:target.img,serial=TARGET:small.img,serial=SMALL"


def run(place, *words):
    return subprocess.run(words, cwd=place, env=PATH, check=True, capture_output=True, text=True)


def put(place, name, offset, blob):
    with open(place / name, "r+b") as disk:
        disk.seek(offset)
        disk.write(blob)


def make_fat(place, seed):
    """A FAT with old data in its free clusters, and holes where files were removed."""
    noise = random.Random(seed)
    (place / "fat").write_bytes(noise.randbytes((FAT[1] - FAT[0]) * MIB))
    run(place, "mkfs.fat", "-F", "16", "-s", "1", "-n", "DATA", "fat")
    hashes = {}
    for number in range(40):
        (place / "file").write_bytes(noise.randbytes(noise.randrange(1, 80_000)))
        hashes[f"f{number}"] = hashlib.sha256((place / "file").read_bytes()).hexdigest()
        run(place, "mcopy", "-i", "fat", "file", f"::f{number}")
    for number in range(0, 40, 3):
        run(place, "mdel", "-i", "fat", f"::f{number}")
        del hashes[f"f{number}"]
    (place / "file").unlink()
    return hashes


def make_ext(place):
    """An ext4 with one file, in the place of old data."""
    noise = random.Random(3)
    (place / "ext").write_bytes(noise.randbytes((EXT[1] - EXT[0]) * MIB))
    (place / "folder").mkdir()
    (place / "folder" / "file").write_bytes(random.Random(4).randbytes(MIB))
    run(place, "mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard", "-d", "folder", "ext")
    return (place / "ext").read_bytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The source disk, and the hashes of the files in its FAT."""
    place = tmp_path_factory.mktemp("used")
    noise = random.Random(1)
    (place / "src.img").write_bytes(noise.randbytes(SIZE * MIB))
    run(place, "sgdisk", "-Z", "src.img")
    words = [
        f"-n{number}:{first * 2048}:{last * 2048 - 1}"
        for number, (first, last) in enumerate((FAT, SWAP, REST, EXT), 1)
    ]
    run(place, "sgdisk", *words, "-t1:ef00", "-t2:8200", "src.img")
    hashes = make_fat(place, 2)
    (place / "swap").write_bytes(noise.randbytes((SWAP[1] - SWAP[0]) * MIB))
    run(place, "mkswap", "swap")
    put(place, "src.img", FAT[0] * MIB, (place / "fat").read_bytes())
    put(place, "src.img", SWAP[0] * MIB, (place / "swap").read_bytes())
    put(place, "src.img", EXT[0] * MIB, make_ext(place))
    return place, hashes


@pytest.fixture
def place(made, tmp_path):
    run(tmp_path, "cp", "--sparse=always", str(made[0] / "src.img"), "src.img")
    (tmp_path / "target.img").write_bytes(b"\xa5" * SIZE * MIB)
    (tmp_path / "small.img").write_bytes(b"\xa5" * (SIZE - 1) * MIB)
    return tmp_path


def ours(place, *words):
    result = efi_img(place, *words, disks=DISKS)
    assert result.code == 0, result.err
    return result


def check_files(place, disk, hashes):
    """What the file systems' own checkers, and the files' hashes, say of a copy."""
    blob = (place / disk).read_bytes()
    (place / "part").write_bytes(blob[FAT[0] * MIB : FAT[1] * MIB])
    run(place, "fsck.vfat", "-n", "part")
    for name, expected in hashes.items():
        run(place, "mcopy", "-n", "-o", "-i", "part", f"::{name}", "file")
        assert hashlib.sha256((place / "file").read_bytes()).hexdigest() == expected, name
    (place / "part").write_bytes(blob[SWAP[0] * MIB : SWAP[1] * MIB])
    assert run(place, "blkid", "-p", "-s", "TYPE", "-o", "value", "part").stdout == "swap\n"
    (place / "part").write_bytes(blob[EXT[0] * MIB : EXT[1] * MIB])
    run(place, "e2fsck", "-fn", "part")
    run(place, "debugfs", "-R", "dump file out", "part")
    assert (place / "out").read_bytes() == random.Random(4).randbytes(MIB)
    source = (place / "src.img").read_bytes()
    for first, last in ((0, FAT[0]), REST, (EXT[1], SIZE)):  # tables, gaps, unknown contents
        assert blob[first * MIB : last * MIB] == source[first * MIB : last * MIB]


def differences(place, disk, kept):
    """How many bytes are not those of the source; each of those is zero, or in `kept` granules."""
    source, copy = (place / "src.img").read_bytes(), (place / disk).read_bytes()
    count = 0
    for at in range(0, SIZE * MIB, GRANULE):
        a, b = source[at : at + GRANULE], copy[at : at + GRANULE]
        if a == b:
            continue
        if b != kept * GRANULE:
            assert all(y in (x, 0) for x, y in zip(a, b)), at
        count += sum(x != y for x, y in zip(a, b))
    return count


def expected_unused(place):
    plan = json.loads(ours(place, "capture", "--dry-run", "--output=json", "serial=SRC", "x").out)
    assert plan["copied"] + plan["unused"] == SIZE * MIB
    assert [part["type"] for part in plan["parts"]] == ["FAT16", "Linux swap", "", "ext4"]
    assert sum(part["unused"] for part in plan["parts"]) == plan["unused"]
    return plan["unused"]


@pytest.mark.parametrize("name", ["pc.qcow2", "pc.raw", "pc.vmdk"])
def test_capture(place, made, name):
    """Identical to the source where what is unused is zero; a raw file has holes there."""
    unused = expected_unused(place)
    assert unused > 18 * MIB
    result = ours(place, "capture", "serial=SRC", name)
    assert re.search(r"except for what nothing on it uses: [\d.]+ MiB are zeros;", result.out)
    run(place, "qemu-img", "convert", "-O", "raw", name, "copy.img")
    check_files(place, "copy.img", made[1])
    # old data has a zero byte here and there as well
    count = differences(place, "copy.img", b"\0")
    assert unused * 0.99 < count <= unused
    checked = efi_img(place, "hash", f"--check={name}.manifest")
    assert (checked.code, checked.out) == (0, f"{name}: OK\n")
    manifest = json.loads((place / f"{name}.manifest").read_text())
    assert manifest["unused-bytes"] == unused
    copy = (place / "copy.img").read_bytes()
    for gap in manifest["unused"]:
        assert not any(copy[gap["offset"] : gap["offset"] + gap["length"]])
    assert unused * 0.85 < sum(gap["length"] for gap in manifest["unused"]) <= unused
    if name == "pc.raw":
        assert (place / name).stat().st_blocks * 512 < (SIZE - 18) * MIB
    if name == "pc.qcow2":
        bitmap = json.loads(run(place, "qemu-img", "info", "--output=json", name).stdout)
        assert bitmap["format-specific"]["data"]["bitmaps"] == [
            {"flags": ["auto"], "name": BITMAP, "granularity": GRANULE}
        ]
        run(place, "qemu-img", "check", name)


def test_all(place):
    """--all, and convert without --used, copy every byte."""
    for words in (("capture", "--all"), ("convert", "-O", "qcow2")):
        ours(place, *words, "serial=SRC", "pc.qcow2")
        assert "bitmaps" not in run(place, "qemu-img", "info", "pc.qcow2").stdout
        run(place, "qemu-img", "compare", "-f", "raw", "-F", "qcow2", "src.img", "pc.qcow2")
        (place / "pc.qcow2").unlink()
    ours(place, "convert", "--used", "-O", "qcow2", "serial=SRC", "a")
    ours(place, "capture", "--no-compress", "--no-manifest", "serial=SRC", "b")
    assert (place / "a").read_bytes() == (place / "b").read_bytes()
    ours(place, "clone", "--all", "serial=SRC", "serial=TARGET", "--erase=TARGET")
    assert (place / "target.img").read_bytes() == (place / "src.img").read_bytes()


def test_clone(place, made):
    """What is unused stays as it is on the target, and is not compared."""
    result = ours(place, "clone", "serial=SRC", "serial=TARGET", "--erase=TARGET")
    assert "of the target stay as they were" in result.out
    check_files(place, "target.img", made[1])
    differences(place, "target.img", b"\xa5")
    assert (place / "target.img").read_bytes().count(b"\xa5" * GRANULE) > 250


def test_old_signatures(place):
    """Those of the target's former contents are at the ends of partitions: they become zeros."""
    ours(place, "clone", "serial=SRC", "serial=TARGET", "--erase=TARGET")
    blob = (place / "target.img").read_bytes()
    first, last = SWAP[0] * MIB, SWAP[1] * MIB
    assert blob[first + GRANULE : first + MIB // 2] == bytes(MIB // 2 - GRANULE)
    assert blob[last - MIB // 2 : last] == bytes(MIB // 2)
    assert blob[first + MIB // 2 : last - MIB // 2] == b"\xa5" * (last - first - MIB)


def test_restore(place, made):
    """By the bitmap of the image; --erase-unused writes zeros, as does an image without one."""
    ours(place, "capture", "-q", "serial=SRC", "pc.qcow2")
    plan = ours(place, "restore", "--dry-run", "pc.qcow2", "serial=TARGET", "--erase=TARGET")
    assert "were not in use when the image was made, and are not written" in plan.out
    result = ours(place, "restore", "pc.qcow2", "serial=TARGET", "--erase=TARGET")
    assert "of the target stay as they were" in result.out
    check_files(place, "target.img", made[1])
    assert (place / "target.img").read_bytes().count(b"\xa5" * GRANULE) > 250
    run(place, "qemu-img", "convert", "-O", "raw", "pc.qcow2", "whole.img")
    for words, change in (
        (["--erase-unused"], []),
        ([], ["bitmap", "--disable", "pc.qcow2", BITMAP]),
        ([], ["bitmap", "--remove", "pc.qcow2", BITMAP]),
    ):
        (place / "target.img").write_bytes(b"\xa5" * SIZE * MIB)
        if change:
            run(place, "qemu-img", *change)
        result = ours(place, "restore", *words, "pc.qcow2", "serial=TARGET", "--erase=TARGET")
        assert ("is disabled" in result.err) == ("--disable" in change), result.err
        assert "keeps" not in result.out
        assert (place / "target.img").read_bytes() == (place / "whole.img").read_bytes()


def test_written_by_a_guest(place):
    """What QEMU writes to the image is in use from then on."""
    ours(place, "capture", "-q", "serial=SRC", "pc.qcow2")
    run(place, "qemu-io", "-c", f"write -P 0x77 {17 * MIB} 4k", "pc.qcow2")
    ours(place, "restore", "pc.qcow2", "serial=TARGET", "--erase=TARGET")
    blob = (place / "target.img").read_bytes()
    assert blob[17 * MIB : 17 * MIB + GRANULE] == b"\x77" * 4096 + bytes(GRANULE - 4096)
    assert blob[17 * MIB + GRANULE : 17 * MIB + 2 * GRANULE] == b"\xa5" * GRANULE


def test_image_that_has_grown(place):
    """Of a larger disk the bitmap does not know that its end reads as zeros."""
    ours(place, "capture", "-q", "serial=SRC", "pc.qcow2")
    run(place, "qemu-img", "resize", "pc.qcow2", f"{SIZE + 4}M")
    # as a GPT that is moved to the new end
    for write in ([], [f"write -P 0x77 {(SIZE + 4) * MIB - 512} 512"]):
        (place / "target.img").write_bytes(b"\xa5" * (SIZE + 4) * MIB)
        for command in write:
            run(place, "qemu-io", "-c", command, "pc.qcow2")
        result = ours(place, "restore", "--gpt=keep", "pc.qcow2", "serial=TARGET", "--erase=TARGET")
        assert "the disk has another size now" in result.err
        end = (place / "target.img").read_bytes()[SIZE * MIB :]
        assert end == bytes(4 * MIB - 512) + (b"\x77" if write else b"\0") * 512


@pytest.mark.parametrize(
    "change, reason",
    [
        (["--clear"], "it was cleared since"),
        (["--clear", "write"], "data is stored where it has none"),
        (["--remove", "--add", "write"], "data is stored where it has none"),
        (["--disable", "write", "--enable"], "data is stored where it has none"),
    ],
)
def test_bitmap_that_was_not_kept(place, change, reason):
    """Zeros that matter are among what its bits do not tell."""
    ours(place, "capture", "-q", "serial=SRC", "pc.qcow2")
    for step in change:
        if step == "write":
            commands = (f"write -P 1 {17 * MIB} 64k", f"write -P 1 {SIZE * MIB - 512} 512")
            run(place, "qemu-io", *(f"-c{command}" for command in commands), "pc.qcow2")
        else:
            words = ["-g", "64k"] if step == "--add" else []
            run(place, "qemu-img", "bitmap", step, *words, "pc.qcow2", BITMAP)
    result = ours(place, "restore", "--gpt=keep", "pc.qcow2", "serial=TARGET", "--erase=TARGET")
    assert reason in result.err and "keeps" not in result.out
    run(place, "qemu-img", "convert", "-O", "raw", "pc.qcow2", "whole.img")
    assert (place / "target.img").read_bytes() == (place / "whole.img").read_bytes()


def test_dirty(place):
    """
    All of a file system that is not clean is copied, and one line says why. Its system may be
    hibernated into a file of it, and then has pages in the swap area.
    """
    run(place, "debugfs", "-w", "-R", "feature needs_recovery", f"src.img?offset={EXT[0] * MIB}")
    result = ours(place, "capture", "serial=SRC", "pc.raw")
    lines = [line for line in result.err.splitlines() if "all of it is copied" in line]
    assert len(lines) == 2, result.err
    assert "partition 2: Linux swap: all of it is copied: a Linux that was not shut" in lines[0]
    assert "serial=SRC: partition 4: ext4: all of it is copied: " in lines[1]
    plan = ours(place, "capture", "--dry-run", "serial=SRC", "x")
    assert "used:    partition 4: ext4: all of it is copied: " in plan.out
    source, copy = (place / "src.img").read_bytes(), (place / "pc.raw").read_bytes()
    assert copy[SWAP[0] * MIB :] == source[SWAP[0] * MIB :]


@pytest.mark.parametrize("source", ["src.img", "target.img"], ids=["same", "other"])
def test_hibernated(source, place):
    """
    The memory in one swap area has the tables of all file systems, and pages in other swap areas of
    the machine.
    """
    (place / "swap").write_bytes(bytes((SWAP[1] - SWAP[0]) * MIB))
    run(place, "mkswap", "swap")
    sleeper = "src.img" if source == "target.img" else source
    put(place, sleeper, SWAP[0] * MIB, (place / "swap").read_bytes())
    put(place, sleeper, SWAP[0] * MIB + 4086, b"S1SUSPEND\0")
    if source == "target.img":
        (place / source).write_bytes((place / "swap").read_bytes())
    name = "SRC" if source == "src.img" else "TARGET"
    result = ours(place, "capture", f"serial={name}", "pc.raw")
    lines = [line for line in result.err.splitlines() if "all of it is copied" in line]
    where = "partition 2 (Linux swap)" if name == "SRC" else "Linux swap elsewhere in this machine"
    assert len(lines) == 1, result.err
    assert f"serial={name}: all of it is copied: {where}: Linux is hibernated: start" in lines[0]
    assert (place / "pc.raw").read_bytes() == (place / source).read_bytes()
    # one of its partitions alone
    result = ours(place, "capture", "serial=SRC:4", "p4.raw")
    assert "Linux swap elsewhere in this machine: Linux is hibernated" in result.err


def test_dynamic_disk(place):
    """Volumes of Windows' dynamic disks may be in several pieces."""
    run(place, "sgdisk", "-t1:af9b60a0-1431-4f62-bc68-3311714a69ad", "src.img")
    for words in (("serial=SRC", "pc.raw"), ("serial=SRC:1", "p1.raw")):
        result = ours(place, "capture", *words)
        assert 'its partition is of the type "Windows LDM data", whose volumes' in result.err
    first, last = FAT[0] * MIB, FAT[1] * MIB
    source, copy = (place / "src.img").read_bytes(), (place / "pc.raw").read_bytes()
    assert copy[first:last] == source[first:last]
    assert (place / "p1.raw").read_bytes() == source[first:last]


def test_smaller_target(place):
    """Unused blocks at the end of a file system need room as well."""
    with open(place / "src.img", "r+b") as disk:
        disk.truncate(0)
        disk.truncate(SIZE * MIB)
    table = struct.pack("<4B4BII", 0, 0, 0, 0, 0x82, 0, 0, 0, 2048, (SIZE - 1) * 2048)
    put(place, "src.img", 446, table + bytes(48) + b"\x55\xaa")
    (place / "swap").write_bytes(bytes((SIZE - 1) * MIB))
    run(place, "mkswap", "swap")
    put(place, "src.img", MIB, (place / "swap").read_bytes())
    for words in (("clone", "serial=SRC"), ("clone", "--all", "serial=SRC")):
        result = efi_img(place, *words, "serial=SMALL", "--erase=SMALL", disks=DISKS)
        assert result.code != 0 and "of the source end at offset 37748736" in result.err


def test_smaller_target_of_one_volume(place):
    """An image of a partition has no table; its file system must have room all the same."""
    for number, kind in ((1, "p1.qcow2"), (2, "p2.vdi"), (4, "p4.qcow2")):
        ours(place, "capture", f"serial=SRC:{number}", kind)
    ends = {"p1.qcow2": FAT[1] - FAT[0], "p2.vdi": SWAP[1] - SWAP[0], "p4.qcow2": EXT[1] - EXT[0]}
    for name, size in ends.items():
        with open(place / "small.img", "wb") as disk:
            disk.truncate((size - 1) * MIB)
        for words in (("restore",), ("restore", "--erase-unused"), ("convert", "-n")):
            result = efi_img(place, *words, name, "serial=SMALL", disks=DISKS)
            assert result.code == 13, (name, words, result.err)
            assert f"of the source end at offset {size * MIB}" in result.err
        assert (place / "small.img").read_bytes() == bytes((size - 1) * MIB)


def test_resume(place, made, interrupter):
    """A copy that was stopped is continued, if what is in use is still the same."""
    (place / "disk.img").hardlink_to(place / "src.img")
    (place / "target.img").rename(place / "one.img")
    (place / "two.img").write_bytes(bytes(512))
    stopped = interrupted(
        place, interrupter, "capture", "-q", "serial=S", "pc.qcow2", STOP="/pc.qcow2,9"
    )
    assert stopped.code == 15 and "--resume continues" in stopped.err, stopped.err
    said = unfinished(place, "info", "pc.qcow2").out
    line = re.search(r"^resume with: efi-img (.*)$", said, re.MULTILINE)[1]
    assert line.endswith(" --used serial=S pc.qcow2"), said
    words = ("capture", "-q", "--resume", "--all", "serial=S", "pc.qcow2")
    resumed = unfinished(place, *words)
    assert resumed.code != 0 and "with the options" in resumed.err, resumed.err
    resumed = unfinished(place, *line.split())  # as it is printed
    assert resumed.code == 0, resumed.err
    run(place, "qemu-img", "convert", "-O", "raw", "pc.qcow2", "copy.img")
    check_files(place, "copy.img", made[1])
    differences(place, "copy.img", b"\0")
    words = ("restore", "-q", "pc.qcow2", "serial=ONE", "--erase=ONE")
    stopped = interrupted(place, interrupter, *words, STOP="/one.img,12")
    assert stopped.code == 15 and "--resume continues" in stopped.err, stopped.err
    for more in (["--erase-unused"], []):
        resumed = unfinished(place, *words, "--resume", *more)
        assert (resumed.code != 0) == (more != []), resumed.err
    check_files(place, "one.img", made[1])
    differences(place, "one.img", b"\xa5")


def test_resume_after_a_change(place, interrupter):
    """A file was removed meanwhile: its clusters would be neither copied nor zeros."""
    (place / "disk.img").hardlink_to(place / "src.img")
    for name in ("one.img", "two.img"):
        (place / name).write_bytes(bytes(512))
    words = ("capture", "-q", "serial=S", "pc.qcow2")
    assert interrupted(place, interrupter, *words, STOP="/pc.qcow2,9").code == 15
    for number in (31, 32, 34, 35, 37, 38):  # neighbours, which the ends of the partition lack
        run(place, "mdel", "-i", f"src.img@@{FAT[0] * MIB}", f"::f{number}")
    resumed = unfinished(place, *words, "--resume")
    assert (
        resumed.code != 0 and "what is in use of the source has changed" in resumed.err
    ), resumed.err


def measured(place, *words):
    done = efi_img(place, "measure", "--output=json", *words, "serial=SRC", disks=DISKS)
    assert done.code == 0, done.err
    return done.json(), done.err


def test_measure_is_that_of_a_capture(place):
    """The size of the image without compression, but for what of it is zeros."""
    ours(place, "capture", "--no-compress", "serial=SRC", "pc.qcow2")
    size = (place / "pc.qcow2").stat().st_size
    found, said = measured(place, "-O", "qcow2")
    assert said == "" and set(found) == {"required", "fully-allocated", "bitmaps"}
    assert size <= found["required"] + found["bitmaps"] < size + 3 * MIB, (size, found)
    everything, _ = measured(place, "-O", "qcow2", "--all")
    assert set(everything) == {"required", "fully-allocated"}
    assert everything["required"] == everything["fully-allocated"] == found["fully-allocated"]
    assert SIZE * MIB < everything["required"]
    human = ours(place, "measure", "-O", "qcow2", "serial=SRC").out.splitlines()
    assert human[:3] == [
        f"required size: {found['required']}",
        f"fully allocated size: {found['fully-allocated']}",
        f"bitmaps size: {found['bitmaps']}",
    ]
    unused = expected_unused(place)
    assert human[3:] == [f"unused: {unused}, not counted, since capture leaves it out"]


@pytest.mark.parametrize("form", ["vdi", "vmdk", "qed", "qcow", "vpc", "parallels"])
def test_measure_for_other_formats(place, form):
    ours(place, "convert", "--used", "-O", form, "serial=SRC", f"pc.{form}")
    size = (place / f"pc.{form}").stat().st_size
    found, _ = measured(place, "-O", form)
    assert set(found) == {"required", "fully-allocated"}  # no bitmaps
    ends = 3 * MIB  # of three volumes, which become zeros
    assert size <= found["required"] < size + 3 * MIB + ends, (size, found)


def test_measure_of_a_partition_and_of_raw(place):
    """A raw image has the length of the disk; of a partition its own file system counts."""
    raw, _ = measured(place, "-O", "raw")
    assert raw == {"required": SIZE * MIB, "fully-allocated": SIZE * MIB}
    ours(place, "capture", "--no-compress", "serial=SRC:4", "part.qcow2")
    size = (place / "part.qcow2").stat().st_size
    part = ours(place, "measure", "--output=json", "-O", "qcow2", "serial=SRC:4").json()
    assert size <= part["required"] + part["bitmaps"] < size + 3 * MIB


def test_measure_tells_what_is_not_known_to_be_unused(place):
    put(place, "src.img", FAT[0] * MIB + 0x25, b"\x01")  # not unmounted
    found, said = measured(place, "-O", "qcow2")
    assert "partition 1: FAT16: all of it is copied: " in said
    assert found["required"] > (FAT[1] - FAT[0]) * MIB


def test_split_raw(place, made):
    """The holes in the parts of a raw image are no multiples of a sector in the image."""
    for words in ([], ["--all"]):
        ours(place, "capture", "--force", "--split=10M", *words, "serial=SRC", "pc.raw")
        assert (place / "pc.raw.003").exists()
        checked = efi_img(place, "hash", "--check=pc.raw.manifest")
        assert (checked.code, checked.out) == (0, "pc.raw: OK\n")
        ours(place, "restore", "pc.raw", "serial=TARGET", "--erase=TARGET")
        check_files(place, "target.img", made[1])
