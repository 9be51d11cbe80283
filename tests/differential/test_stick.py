# SPDX-License-Identifier: BSD-2-Clause
"""
`efi-img stick`: a volume for images in the rest of the stick, as sgdisk, fsck.fat and mtools see
it, whole or not at all wherever the power is cut.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from images import MIB
from oracle import EFI_IMG, HANG_SECONDS, ROOT, Result

sys.path.insert(0, str(ROOT / "scripts"))
from rig import disks  # noqa: E402  (found through the line above)

SMALL = 8 * MIB  # the image that was written to the stick
PART = (2048, 2048 + 6 * 2048 - 1)  # sectors of its only partition
TOOLS = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def tool(*words):
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        env=TOOLS,
        timeout=HANG_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What was written to the stick: smaller than that of make usb, for the sake of time."""
    image = disks.make_disk(tmp_path_factory.mktemp("stick") / "made.img", SMALL)
    disks.write_gpt(image, [disks.Partition(MIB, 6 * MIB)])
    disks.Volume(image, MIB, 6 * MIB).format(16, cluster=512, label="EFI-IMG")
    return image


@pytest.fixture
def stick(tmp_path, made):
    shutil.copyfile(made, tmp_path / "u.img")
    os.truncate(tmp_path / "u.img", 100 * MIB)
    return tmp_path / "u.img"


def efi_img(stick, *words, sector="", facts=",started-from", **environment):
    environment["EFI_IMG_DISKS"] = f"{stick.name}{sector},serial=U{facts}"
    os.environ.update(environment)
    try:
        return Result([EFI_IMG, *words], stick.parent)
    finally:
        for name in environment:
            del os.environ[name]


def first_partition(stick):
    with open(stick, "rb") as disk:
        disk.seek(MIB)
        return disk.read(6 * MIB)


def partitions(stick):
    """Their numbers, with first and last sector, of a GPT that sgdisk has nothing to say about."""
    code, said = tool("sgdisk", "-v", "-p", stick)
    assert code == 0 and "No problems found" in said and "Warning" not in said, said
    rows = [line.split() for line in said[said.index("Number") :].splitlines()[1:] if line.strip()]
    return {int(row[0]): (int(row[1]), int(row[2])) for row in rows}


def check_volume(stick, first, last, label):
    """Checks the volume in a partition, as fsck.fat and mtools see it."""
    part = stick.with_name("part")
    size = (last - first + 1) // 2048
    code, said = tool(
        *("dd", f"if={stick}", f"of={part}", "bs=1M", "conv=sparse"),
        *(f"skip={first // 2048}", f"count={size}", "status=none"),
    )
    os.truncate(part, (last - first + 1) * 512)
    code, said = tool("fsck.fat", "-n", "-v", part)
    assert code == 0 and "32 bit entries" in said and "warning" not in said.lower(), said
    code, said = tool("mdir", "-i", part, "::")
    assert code == 0 and f"is {label}" in said, said
    part.unlink()


@pytest.mark.parametrize("mib", [74, 138, 300, 1100])
def test_by_the_program(stick, made, mib):
    os.truncate(stick, mib * MIB + 512)  # nobody makes sticks in whole MiB
    listed = efi_img(stick, "list").out
    assert "smaller disk" not in listed and "partly unused" in listed, listed
    assert "smaller disk" in efi_img(stick, "list", facts="").out  # of another disk, it tells
    plan = efi_img(stick, "stick", "--dry-run")
    assert plan.code == 0 and "can be made on serial=U, the boot disk\n" in plan.out, plan.err
    with open(stick, "rb") as disk:
        assert disk.read(SMALL) == made.read_bytes()
    done = efi_img(stick, "stick")
    assert done.code == 0 and done.out.startswith("IMAGES: a volume of "), done.err
    parts = partitions(stick)
    assert parts[1] == PART and parts[2][0] == SMALL // 512
    assert parts[2][1] >= (mib - 2) * 2048
    check_volume(stick, *parts[2], "IMAGES")
    assert first_partition(stick) == first_partition(made)
    assert "partly unused" not in efi_img(stick, "list").out
    again = efi_img(stick, "stick")
    assert again.code == 1 and "no unused space" in again.err


def test_by_make_usb(tmp_path):
    program = tmp_path / "program.efi"
    program.write_bytes(
        b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0\x64\x86" + bytes(1000)
    )
    make, stick = ROOT / "scripts" / "make-usb", tmp_path / "u.img"
    code, said = tool(make, "-d", "200M", program, stick)
    assert code == 0, said
    parts = partitions(stick)
    assert len(parts) == 2
    check_volume(stick, *parts[1], "EFI-IMG")
    check_volume(stick, *parts[2], "IMAGES")
    listed = efi_img(stick, "list").out
    assert 'FAT32 "IMAGES"' in listed and "!" not in listed and "unused" not in listed
    assert efi_img(stick, "stick").code == 1
    code, said = tool(make, "-d", "150M", program, tmp_path / "x")
    assert code == 1 and "at least 193 MiB" in said


@pytest.fixture(scope="module")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_power_cut_at_each_write(stick, made, interrupter):
    """One copy of the GPT is valid; there is a second partition only with its volume."""
    n = with_volume = 0
    while True:
        n += 1
        shutil.copyfile(made, stick)
        os.truncate(stick, 100 * MIB)
        cut = efi_img(stick, "stick", LD_PRELOAD=str(interrupter), KILL=f"/u.img,{n}")
        assert first_partition(stick) == first_partition(made)
        if cut.code == 0:
            break
        listed = efi_img(stick, "list").out
        assert 'FAT16 "EFI-IMG"' in listed, (n, listed)
        has = 'FAT32 "IMAGES"' in listed
        assert has or "\n  2 " not in listed, (n, listed)
        with_volume += has
    assert n > 15 and with_volume > 0
    check_volume(stick, *partitions(stick)[2], "IMAGES")


def test_what_is_refused(stick):
    before = stick.read_bytes()
    for facts, spoil, said in (
        ("", None, "started from is unknown"),
        (",started-from", (512, b"NO PART"), "no valid GPT"),
        (",started-from", (SMALL - 512, b"NO PART"), "no valid GPT"),
        (",started-from,read-only", None, "write-protected"),
    ):
        spoiled = bytearray(before)
        if spoil:
            spoiled[spoil[0] : spoil[0] + len(spoil[1])] = spoil[1]
        stick.write_bytes(spoiled)
        done = efi_img(stick, "stick", facts=facts)
        assert done.code == 1 and said in done.err, (facts, done.err)
        assert stick.read_bytes() == spoiled
    stick.write_bytes(before)
    assert efi_img(stick, "stick", "x").code == 1 and stick.read_bytes() == before
    # It stays the boot disk for all other commands.
    done = efi_img(stick, "clone", "serial=U:1", "serial=U", "--erase=U")
    assert done.code != 0 and stick.read_bytes() == before


def test_sectors_of_4096_bytes(tmp_path):
    """sgdisk takes a file for a disk of 512: here the program's own reader looks at the table."""
    stick = disks.make_disk(tmp_path / "u.img", 16 * MIB)
    disks.write_gpt(stick, [disks.Partition(MIB, 2 * MIB)], 4096)
    os.truncate(stick, 300 * MIB)
    done = efi_img(stick, "stick", sector="@4096")
    assert done.code == 0, done.err
    listed = efi_img(stick, "list", sector="@4096").out
    assert 'FAT32 "IMAGES"' in listed and "!" not in listed
    check_volume(stick, 16 * 2048, 299 * 2048 - 1, "IMAGES")
