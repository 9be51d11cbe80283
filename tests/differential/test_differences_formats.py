# SPDX-License-Identifier: BSD-2-Clause
"""
Differences from qemu-img that docs/QEMU-IMG.md lists of the formats other than raw and qcow2, and
that the test of no format holds: what efi-img does, and that qemu-img still does otherwise.
"""

import os
import random
import struct

import pytest

import samples
import vhd
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Pair, Result, both, efi_img
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path

MEASURED = ("parallels", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc")


def qemu(folder, *args, code=0):
    done = Result(["qemu-img", *args], folder)
    assert done.code == code, (args, done.out + done.err)
    return done


def read_by(program, folder, format, name):
    """The disk, as a program copies it."""
    done = Result([program, "convert", "-f", format, "-O", "raw", name, "read"], folder)
    assert done.code == 0, done.err
    disk = (folder / "read").read_bytes()
    (folder / "read").unlink()
    return disk


def poke(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize("format", MEASURED)
def test_measure(tmp_path, format):
    ours, theirs = both(tmp_path, "measure", "--size=1M", "-O", format)
    assert (ours.code, theirs.code) == (0, 1) and "required size: " in ours.out


# ---- qcow ----


def test_qcow_that_was_cut_off(tmp_path):
    (tmp_path / "disk").write_bytes(b"x" * MIB)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "qcow", "disk", "a")
    os.truncate(tmp_path / "a", (tmp_path / "a").stat().st_size - 100)
    assert read_by("qemu-img", tmp_path, "qcow", "a").endswith(b"x" + bytes(100))
    refused = efi_img(tmp_path, "convert", "-O", "raw", "a", "t", code=1)
    assert refused.err.startswith("efi-img: a: ")
    assert efi_img(tmp_path, "bench", "-w", "-c", "1", "a", code=1).err.startswith("efi-img: a: ")
    assert qemu(tmp_path, "bench", "-w", "-c", "1", "a").err == ""


# ---- vpc ----


def test_vpc_has_the_size_that_was_asked_for(tmp_path):
    pair = Pair(tmp_path)
    pair.run("create", "-q", "-f", "vpc", "a", "20M")
    sizes = [
        qemu(folder, "info", "--output=json", "a").json()["virtual-size"]
        for folder in (pair.ours, pair.theirs)
    ]
    assert sizes == [20 * MIB, 20994048]


def test_vpc_differencing(tmp_path):
    """qemu-img has zeros where the parent has data."""
    ones, data = b"\xff" * 512, random.Random(1).randbytes(2 * MIB)
    (tmp_path / "base.vhd").write_bytes(vhd.image(4 * MIB, {0: (ones, data)}, uuid=b"p" * 16))
    child = vhd.image(
        4 * MIB,
        {1: (ones, data)},
        uuid=b"c" * 16,
        parent=(b"p" * 16, "base.vhd"),
        relative=".\\base.vhd",
    )
    (tmp_path / "a").write_bytes(child)
    assert read_by(EFI_IMG, tmp_path, "vpc", "a") == data + data
    assert read_by("qemu-img", tmp_path, "vpc", "a") == bytes(2 * MIB) + data


def test_vpc_bitmap(tmp_path):
    """qemu-img reads what the file has in sectors that the bitmap leaves out."""
    data = random.Random(2).randbytes(2 * MIB)
    (tmp_path / "a").write_bytes(vhd.image(2 * MIB, {0: (b"\x0f" + bytes(511), data)}))
    ours = read_by(EFI_IMG, tmp_path, "vpc", "a")
    assert ours == bytes(2048) + data[2048:4096] + bytes(2 * MIB - 4096)
    assert read_by("qemu-img", tmp_path, "vpc", "a") == data


def test_vpc_of_virtualbox(tmp_path):
    """qemu-img cuts the end of the disk off."""
    image = bytearray(vhd.image(8 * MIB, {}))
    tail = vhd.footer(8 * MIB, 3, creator=b"vbox", chs=(240, 4, 17))
    image[:512] = image[-512:] = tail
    (tmp_path / "a").write_bytes(image)
    sizes = [done.json()["virtual-size"] for done in both(tmp_path, "info", "--output=json", "a")]
    assert sizes[0] == 8 * MIB
    assert sizes[1] == (8 * MIB if is_newer_than_7_2() else 240 * 4 * 17 * 512)


def test_vpc_that_is_damaged(tmp_path):
    """qemu-img opens neither an image without its first footer, nor one with blocks missing."""
    (tmp_path / "disk").write_bytes(b"x" * (6 * MIB))
    qemu_img(tmp_path, "convert", "-O", "vpc", "-o", "force_size=on", "disk", "a")
    whole = (tmp_path / "a").read_bytes()
    poke(tmp_path / "a", 100, b"damage")
    assert read_by(EFI_IMG, tmp_path, "vpc", "a") == b"x" * (6 * MIB)
    qemu(tmp_path, "info", "-f", "vpc", "a", code=1)
    (tmp_path / "a").write_bytes(whole[: 3 * MIB])
    qemu(tmp_path, "info", "a", code=1)
    efi_img(tmp_path, "info", "a")
    dd = ("dd", "bs=1M", "-O", "raw", "if=a")
    efi_img(tmp_path, *dd, "count=2", "of=b")
    assert (tmp_path / "b").read_bytes() == b"x" * (2 * MIB)
    efi_img(tmp_path, *dd, "of=c", code=1)


def test_vpc_commands(tmp_path):
    (tmp_path / "disk").write_bytes(b"x" * MIB)
    qemu_img(tmp_path, "convert", "-O", "vpc", "disk", "a")
    for words in (("check",), ("check", "-r", "all")):
        ours, theirs = both(tmp_path, *words, "a")
        assert (ours.code, theirs.code) == (0, 63)
    qemu(tmp_path, "resize", "a", "+1M", code=1)
    efi_img(tmp_path, "resize", "a", "+1M")


# ---- vhdx ----


def test_vhdx_fixed_has_its_length(tmp_path):
    """qemu-img gives a block another place when it is written to."""
    pair = Pair(tmp_path)
    pair.run("create", "-q", "-f", "vhdx", "-o", "subformat=fixed,block_size=1M", "a", "8M")
    sizes = [(folder / "a").stat().st_size for folder in (pair.ours, pair.theirs)]
    for folder, size, grown in ((pair.ours, sizes[0], 0), (pair.theirs, sizes[1], 8 * MIB)):
        qemu_io(folder, "a", "write -P 1 0 8M", options=("-f", "vhdx"))
        assert (folder / "a").stat().st_size - size == grown


def test_vhdx_without_data_is_small(tmp_path):
    pair = Pair(tmp_path)
    pair.run("create", "-q", "-f", "vhdx", "-o", "block_size=32M", "a", "1G")
    sizes = [(folder / "a").stat().st_size for folder in (pair.ours, pair.theirs)]
    assert sizes == [4 * MIB, 8 * MIB]


# ---- vmdk ----


def test_vmdk_descriptor_is_padded(tmp_path):
    """It fills a sector by empty lines; qemu-img's is as long as its text."""
    pair = Pair(tmp_path)
    pair.run("create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", "a.vmdk", "1M")
    ours, theirs = ((folder / "a.vmdk").read_bytes() for folder in (pair.ours, pair.theirs))
    assert len(ours) == 512 and ours.endswith(b"\n\n") and len(theirs) < 512


def test_vmdk_compression(tmp_path):
    """qemu-img takes -c, and compresses nothing."""
    pair = Pair(tmp_path)
    for folder in (pair.ours, pair.theirs):
        (folder / "disk").write_bytes(b"x" * MIB)
    ours, theirs = pair.run("convert", "-c", "-f", "raw", "-O", "vmdk", "disk", "a")
    assert (ours.code, theirs.code) == (1, 0) and "a" not in pair.files()
    assert (pair.theirs / "a").stat().st_size > MIB


def test_vmdk_check(tmp_path):
    """A grain past the end of the file: 1 is qemu-img's code, and it repairs nothing."""
    (tmp_path / "disk").write_bytes(b"x" * MIB)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vmdk", "disk", "a")
    os.truncate(tmp_path / "a", (tmp_path / "a").stat().st_size - 65536)
    ours, theirs = both(tmp_path, "check", "a")
    assert (ours.code, theirs.code) == (2, 1) and "errors were found" in ours.out
    qemu(tmp_path, "check", "-r", "all", "a", code=63)
    image = (tmp_path / "a").read_bytes()
    efi_img(tmp_path, "check", "-r", "all", "a", code=2)
    assert (tmp_path / "a").read_bytes() == image


def test_vmdk_of_no_bytes(tmp_path):
    pair = Pair(tmp_path)
    ours, theirs = pair.run("create", "-q", "-f", "vmdk", "a", "0")
    assert (ours.code, theirs.code) == (0, 0)
    assert efi_img(pair.ours, "info", "--output=json", "a").json()["virtual-size"] == 0
    qemu(pair.theirs, "info", "a", code=1)


def test_vmdk_commit_leaves_the_overlay(tmp_path):
    """qemu-img empties the overlay, which does not fit to its parent any more."""
    for name in ("ours", "theirs"):
        qemu_img(tmp_path, "create", "-q", "-f", "vmdk", f"{name}-p", "1M")
        words = ("-q", "-f", "vmdk", "-b", f"{name}-p", "-F", "vmdk")
        qemu_img(tmp_path, "create", *words, name)
        qemu_io(tmp_path, name, "write -P 5 0 64k", options=("-f", "vmdk"))
    assert "-d" in efi_img(tmp_path, "commit", "ours", code=1).err
    Result(["qemu-img", "commit", "theirs"], tmp_path)
    assert read_by(EFI_IMG, tmp_path, "vmdk", "ours")[:65536] == b"\5" * 65536


# ---- vdi and parallels ----


def test_vdi_is_aligned(tmp_path):
    """And has UUIDs of its own."""
    pair = Pair(tmp_path)
    pair.run("create", "-q", "-f", "vdi", "a.vdi", "64M")
    places = []
    for folder in (pair.ours, pair.theirs):
        head = (folder / "a.vdi").read_bytes()
        places.append(struct.unpack_from("<II", head, 340))
        assert any(head[392:408]) and any(head[408:424])
    assert places == [(MIB, 2 * MIB), (512, 1024)]
    assert 0 < (pair.ours / "a.vdi").stat().st_size - (pair.theirs / "a.vdi").stat().st_size
    assert (pair.ours / "a.vdi").stat().st_size <= 2 * MIB + 1024


def test_vdi_commands(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "vdi", "a", "1M")
    qemu(tmp_path, "check", "-r", "all", "a", code=63)
    efi_img(tmp_path, "check", "-r", "all", "a")


def test_parallels_that_was_cut_off(tmp_path):
    """qemu-img reads zeros."""
    (tmp_path / "disk").write_bytes(b"x" * (4 * MIB))
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "parallels", "disk", "a")
    os.truncate(tmp_path / "a", 3 * MIB)
    efi_img(tmp_path, "convert", "-O", "raw", "a", "t", code=1)
    if not is_newer_than_7_2():
        assert read_by("qemu-img", tmp_path, "parallels", "a") == b"x" * (2 * MIB) + bytes(2 * MIB)


def test_parallels_data_past_the_end(tmp_path):
    """qemu-img 7.2 makes the file grow up to where the data is said to begin."""
    qemu_img(tmp_path, "create", "-q", "-f", "parallels", "a", "4M")
    poke(tmp_path / "a", 48, struct.pack("<I", 512 * MIB // 512))
    size = (tmp_path / "a").stat().st_size
    efi_img(tmp_path, "check", "a", code=2)
    refused = efi_img(tmp_path, "bench", "-w", "-c", "1", "a", code=1)
    assert "its data begins at offset 0x20000000, past the end" in refused.err
    assert (tmp_path / "a").stat().st_size == size
    if not is_newer_than_7_2():
        qemu_io(tmp_path, "a", "write -P 1 0 64k", options=("-f", "parallels"))
        assert (tmp_path / "a").stat().st_size > 512 * MIB


# ---- formats that are only read ----


@pytest.mark.parametrize("name", ["simple-pattern.cloop", "simple-dmg.dmg"])
def test_check_of_what_is_only_read(tmp_path, name):
    samples.unpack(name, tmp_path)
    ours, theirs = both(tmp_path, "check", name)
    assert (ours.code, theirs.code) == (0, 63)
