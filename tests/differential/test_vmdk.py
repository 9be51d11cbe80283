# SPDX-License-Identifier: BSD-2-Clause
"""vmdk: images of VMware, beside qemu-img, and with 7z and libvmdk as judges."""

import os
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

import samples
from images import qemu_img, qemu_io, random_writes
from libyal import read_vmdk
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu, efi_img
from pairs import run_both

MIB, GRAIN, SECTOR = 1 << 20, 64 << 10, 512
SPARSE, FLAT, STREAM = "monolithicSparse", "monolithicFlat", "streamOptimized"
SPLIT, SPLIT_FLAT = "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"
KINDS = (SPARSE, FLAT, SPLIT, SPLIT_FLAT, STREAM)
CHANGED = (SPARSE, FLAT, SPLIT, SPLIT_FLAT)


def assert_as_qemu(folder, *args):
    ours, theirs = Result([EFI_IMG, *args], folder), Result(["qemu-img", *args], folder)
    assert (ours.code, ours.out) == (theirs.code, theirs.out), (args, ours.err, theirs.err)
    return ours


def seven_zip(folder, name):
    words = ["7z", "x", "-so", "-tVMDK", name]
    return subprocess.run(words, cwd=folder, capture_output=True, check=True).stdout


def assert_judged(folder, name, raw, zeroed=False):
    """
    qemu-img, 7z and libvmdk read the same disk, and qemu-img finds no errors. libvmdk does not know
    the entries that mean zeros.
    """
    check = Result(["qemu-img", "check", "-f", "vmdk", name], folder)
    assert check.code == 0 and check.err == "", check.out + check.err
    same = Result(["qemu-img", "compare", "-f", "vmdk", "-F", "raw", name, raw], folder)
    assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err
    disk = (folder / raw).read_bytes()
    assert seven_zip(folder, name) == disk
    info = Result(["vmdkinfo", name], folder)
    assert info.code == 0 and f"({len(disk)} bytes)" in info.out, info.out + info.err
    if not zeroed:
        assert read_vmdk(folder / name) == disk


def make_disk(folder, name="disk", size=9 * MIB + 1536, seed=1):
    dice = random.Random(seed)
    with open(folder / name, "wb") as file:
        file.truncate(size)
        for i in range(12):
            file.seek(dice.randrange(size - 70000))
            n = dice.choice([512, 4096, 70000])
            file.write(dice.randbytes(n) if i % 2 else (b"words %d " % i * n)[:n])
        file.seek(size - 700)
        file.write(b"the end" * 100)


def files_of(folder, name="x"):
    return sorted(path for path in folder.iterdir() if path.name.startswith(name))


def normal(data):
    """Without what differs from image to image, or is only space."""
    if data.startswith(b"KDMV"):  # qemu-img leaves what its memory had after the descriptor
        data = data[: data.index(b"\0", SECTOR)] + data[21 * SECTOR :]
    data = re.sub(rb"\nCID=[0-9a-f]{1,8}\n", b"\nCID=\n", data, count=1)
    data = re.sub(rb"\nparentCID=[0-9a-f]{1,8}\n", b"\nparentCID=\n", data, count=1)
    return data.rstrip(b"\n")


# ---- creating ----


@pytest.mark.parametrize("size", ["512", "1M", "5G", "4194305k"])
@pytest.mark.parametrize("kind", (SPARSE, FLAT, SPLIT, SPLIT_FLAT))
def test_create(tmp_path, kind, size):
    """Byte by byte, but for the CID."""
    pair = Pair(tmp_path)
    run_both(pair, "create", "-f", "vmdk", "-o", f"subformat={kind}", "x.vmdk", size)
    mine, others = files_of(pair.ours), files_of(pair.theirs)
    assert [path.name for path in mine] == [path.name for path in others]
    for our_file, their_file in zip(mine, others):
        if their_file.stat().st_size > 64 * MIB:
            assert our_file.stat().st_size == their_file.stat().st_size
        else:
            assert normal(our_file.read_bytes()) == normal(their_file.read_bytes())
    assert_info_as_qemu(pair.ours, "x.vmdk")


@pytest.mark.parametrize(
    "options",
    [
        "adapter_type=lsilogic",
        "adapter_type=buslogic,toolsversion=12",
        "adapter_type=legacyESX,hwversion=10",
        "compat6=on",
        "zeroed_grain=on",
        "zeroed_grain=on,subformat=twoGbMaxExtentSparse,adapter_type=ide",
        "subformat=streamOptimized,hwversion=7",
    ],
)
def test_create_options(tmp_path, options):
    pair = Pair(tmp_path)
    run_both(pair, "create", "-f", "vmdk", "-o", options, "x.vmdk", "3G")
    if STREAM not in options:
        for our_file, their_file in zip(files_of(pair.ours), files_of(pair.theirs)):
            assert normal(our_file.read_bytes()) == normal(their_file.read_bytes())
    assert_info_as_qemu(pair.ours, "x.vmdk")


@pytest.mark.parametrize("name", ["x", "x.a.img", "x.vmdk"])
def test_names_of_extents(tmp_path, name):
    pair = Pair(tmp_path)
    for kind in (FLAT, SPLIT, SPLIT_FLAT):
        run_both(pair, "create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", f"{name}", "1M")
        names = [path.name for path in files_of(pair.ours)]
        assert names == [path.name for path in files_of(pair.theirs)]
        for path in files_of(pair.ours) + files_of(pair.theirs):
            path.unlink()


@pytest.mark.parametrize(
    "words, says",
    [
        ("-o subformat=bad x 1M", "subformat"),
        ("-o adapter_type=bad x 1M", "adapter_type"),
        ("-o compat6=on,hwversion=7 x 1M", "compat6"),
        ("-o subformat=monolithicFlat -b p -F vmdk x", "flat"),
        ("-b raw -F raw x", "must be a vmdk image"),
        ("-u -b p -F vmdk x 1M", "CID"),
        ("-b ../p -F vmdk x", "own directory"),
        ("-o zeroed_grain=on,subformat=monolithicFlat x 1M", "zeroed_grain"),
        ("-o subformat=monolithicFlat x 100T", "size"),
    ],
)
def test_create_refused(tmp_path, words, says):
    (tmp_path / "sub").mkdir()
    qemu_img(tmp_path, "create", "-q", "-f", "vmdk", "p", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "vmdk", "sub/p", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "sub/raw", "1M")
    refused = efi_img(tmp_path / "sub", "create", "-f", "vmdk", *words.split(), code=1)
    assert says in refused.err
    assert sorted(path.name for path in (tmp_path / "sub").iterdir()) == ["p", "raw"]


# ---- contents ----


@pytest.mark.parametrize("size", [9 * MIB + 1536, 64 * MIB, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_convert(tmp_path, kind, size):
    """Both ways; everything that describes the image is as qemu-img says it, of its own too."""
    make_disk(tmp_path, size=max(size, 70000 + SECTOR))
    os.truncate(tmp_path / "disk", size)
    for program, name in ((EFI_IMG, "ours.vmdk"), ("qemu-img", "theirs.vmdk")):
        words = ["convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={kind}", "disk", name]
        assert Result([program, *words], tmp_path).code == 0
        assert efi_img(tmp_path, "compare", name, "disk").out == "Images are identical.\n"
        assert_info_as_qemu(tmp_path, name)
        assert_as_qemu(tmp_path, "map", "--output=json", name)
        assert_as_qemu(tmp_path, "check", name)
        if kind != STREAM:
            assert_as_qemu(tmp_path, "map", name)
        efi_img(tmp_path, "convert", "--force", "-O", "raw", name, "back")
        assert (tmp_path / "back").read_bytes() == (tmp_path / "disk").read_bytes()
    assert_judged(tmp_path, "ours.vmdk", "disk")


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("seed", range(2))
def test_mixed_writes(tmp_path, kind, seed):
    """qemu-io writes to ours, efi-img to both; each reads what the other has written."""
    make_disk(tmp_path, size=24 * MIB, seed=seed)
    make_disk(tmp_path, "other", size=20 * MIB, seed=seed + 10)
    options = f"subformat={kind}" + (",zeroed_grain=on" if kind == SPLIT else "")
    efi_img(tmp_path, "convert", "-O", "vmdk", "-o", options, "disk", "x.vmdk")
    # discarding does nothing to a vmdk, and zeros to a raw file
    writes = [line for line in random_writes(seed, 24 * MIB) if line.startswith("write")]
    qemu_io(tmp_path, "x.vmdk", *writes)
    qemu_io(tmp_path, "disk", *writes, options=("-f", "raw"))
    assert efi_img(tmp_path, "compare", "x.vmdk", "disk").code == 0
    efi_img(tmp_path, "check", "x.vmdk")
    efi_img(tmp_path, "convert", "-n", "-O", "vmdk", "other", "x.vmdk")
    with open(tmp_path / "disk", "r+b") as file:
        file.write((tmp_path / "other").read_bytes())
    assert_judged(tmp_path, "x.vmdk", "disk", zeroed=kind == SPLIT)
    efi_img(tmp_path, "check", "x.vmdk")


def test_larger_than_an_extent(tmp_path):
    """Data across the border of two extents."""
    with open(tmp_path / "disk", "wb") as file:
        file.truncate((2 << 30) + 5 * MIB)
        file.seek((2 << 30) - 100000)
        file.write(random.Random(3).randbytes(300000))
    for kind in (SPLIT, SPLIT_FLAT):
        words = ("-O", "vmdk", "-o", f"subformat={kind}", "disk", f"{kind}.vmdk")
        efi_img(tmp_path, "convert", *words)
        qemu_img(tmp_path, "compare", "-F", "raw", f"{kind}.vmdk", "disk")
        assert_as_qemu(tmp_path, "map", f"{kind}.vmdk")
        assert efi_img(tmp_path, "compare", f"{kind}.vmdk", "disk").code == 0


# ---- streams ----


def parts_of(data):
    """The markers after the metadata, as (value, length, type)."""
    at = 128 * SECTOR
    while at < len(data):
        value, n, kind = struct.unpack_from("<QII", data, at)
        yield at, value, n, kind
        at += -(-(12 + n) // SECTOR) * SECTOR if n else SECTOR * (1 + value)


def test_stream_is_as_vmware_writes_it(tmp_path):
    make_disk(tmp_path, size=70 * MIB)
    words = ("-O", "vmdk", "-o", f"subformat={STREAM}", "disk", "x.vmdk")
    efi_img(tmp_path, "convert", *words)
    data = (tmp_path / "x.vmdk").read_bytes()
    magic, version, flags = struct.unpack_from("<4sII", data)
    assert (magic, version, flags) == (b"KDMV", 3, 0x30001)
    assert struct.unpack_from("<QQ", data, 48) == (0, (1 << 64) - 1)
    parts = list(parts_of(data))
    grains = [value for at, value, n, kind in parts if n]
    assert grains == sorted(set(grains)) and all(value % 128 == 0 for value in grains)
    assert [kind for at, value, n, kind in parts if not n][-3:] == [2, 3, 0]
    assert 1 <= sum(1 for at, value, n, kind in parts if not n and kind == 1) <= 3
    (footer,) = (at for at, value, n, kind in parts if not n and kind == 3)
    assert footer == len(data) - 3 * SECTOR and data[-SECTOR:] == bytes(SECTOR)
    (directory,) = (at for at, value, n, kind in parts if not n and kind == 2)
    assert struct.unpack_from("<Q", data, footer + SECTOR + 56)[0] == directory // SECTOR + 1
    hidden = bytearray(data[footer + SECTOR : footer + 2 * SECTOR])
    hidden[56:64] = b"\xff" * 8
    assert hidden == data[:SECTOR]


def test_stream_is_written_once(tmp_path):
    make_disk(tmp_path)
    efi_img(tmp_path, "create", "-q", "-f", "vmdk", "-o", f"subformat={STREAM}", "x.vmdk", "10M")
    efi_img(tmp_path, "convert", "-n", "-O", "vmdk", "disk", "x.vmdk")
    with open(tmp_path / "disk", "r+b") as file:
        file.truncate(10 * MIB)
    assert_judged(tmp_path, "x.vmdk", "disk")
    before = (tmp_path / "x.vmdk").read_bytes()
    refused = efi_img(tmp_path, "convert", "-n", "-O", "vmdk", "disk", "x.vmdk", code=1)
    assert "which is written once" in refused.err
    assert (tmp_path / "x.vmdk").read_bytes() == before


@pytest.mark.parametrize("cut", [1, 512, 1024, 1536, 70000])
def test_truncated_stream(tmp_path, cut):
    make_disk(tmp_path)
    words = ("-O", "vmdk", "-o", f"subformat={STREAM}", "disk", "x.vmdk")
    efi_img(tmp_path, "convert", *words)
    os.truncate(tmp_path / "x.vmdk", (tmp_path / "x.vmdk").stat().st_size - cut)
    assert "its footer is missing" in efi_img(tmp_path, "info", "x.vmdk", code=1).err


def test_damaged_stream(tmp_path):
    """A bit of a compressed grain: its checksum tells; its marker: the check does."""
    make_disk(tmp_path)
    words = ("-O", "vmdk", "-o", f"subformat={STREAM}", "disk", "x.vmdk")
    efi_img(tmp_path, "convert", *words)
    with open(tmp_path / "x.vmdk", "r+b") as file:
        file.seek(GRAIN + 40)
        byte = file.read(1)[0]
        file.seek(GRAIN + 40)
        file.write(bytes([byte ^ 4]))
    efi_img(tmp_path, "compare", "x.vmdk", "disk", code=4)
    with open(tmp_path / "x.vmdk", "r+b") as file:
        file.seek(GRAIN)
        file.write(struct.pack("<Q", 128 * 77))
    found = efi_img(tmp_path, "check", "x.vmdk", code=2)
    assert "the marker there is that of another grain" in found.out + found.err


# ---- parents ----


@pytest.mark.parametrize("kind", (SPARSE, SPLIT, STREAM))
def test_parents(tmp_path, kind):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-O", "vmdk", "disk", "p.vmdk")
    words = ("-q", "-f", "vmdk", "-o", f"subformat={kind}", "-b", "p.vmdk", "-F", "vmdk")
    efi_img(tmp_path, "create", *words, "c.vmdk")
    assert_info_as_qemu(tmp_path, "c.vmdk")
    assert efi_img(tmp_path, "compare", "c.vmdk", "disk").code == 0
    if kind != STREAM:
        qemu_io(tmp_path, "c.vmdk", "write -P 5 3k 100k", "write -P 6 2M 1M")
        qemu_io(tmp_path, "disk", "write -P 5 3k 100k", "write -P 6 2M 1M", options=("-f", "raw"))
    assert_as_qemu(tmp_path, "map", "--output=json", "c.vmdk")
    assert efi_img(tmp_path, "compare", "c.vmdk", "disk").code == 0
    qemu_img(tmp_path, "compare", "c.vmdk", "disk")
    words = ("-O", "vmdk", "-o", f"subformat={kind}", "-B", "p.vmdk", "-F", "vmdk")
    efi_img(tmp_path, "convert", *words, "disk", "d.vmdk")
    qemu_img(tmp_path, "compare", "d.vmdk", "disk")
    qemu_io(tmp_path, "p.vmdk", "write -P 7 0 512")
    refused = efi_img(tmp_path, "compare", "c.vmdk", "disk", code=2)
    assert "but parentCID is" in refused.err


def test_commit_into(tmp_path):
    """The base gets the data, and a new CID; what was made over it is given up (-d)."""
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-O", "vmdk", "disk", "p.vmdk")
    efi_img(tmp_path, "create", "-q", "-f", "vmdk", "-b", "p.vmdk", "-F", "vmdk", "c.vmdk")
    qemu_io(tmp_path, "c.vmdk", "write -P 5 3k 100k")
    qemu_io(tmp_path, "disk", "write -P 5 3k 100k", options=("-f", "raw"))
    assert "-d leaves it" in efi_img(tmp_path, "commit", "c.vmdk", code=1).err
    efi_img(tmp_path, "commit", "-d", "c.vmdk")
    assert_judged(tmp_path, "p.vmdk", "disk")


# ---- files of other programs ----


def test_sample(tmp_path):
    """The sector at 640 KiB * i + 512 * i has the bytes 0x30 + i % 10."""
    samples.unpack("iotest-version3.vmdk", tmp_path)
    assert_info_as_qemu(tmp_path, "iotest-version3.vmdk")
    assert_as_qemu(tmp_path, "map", "--output=json", "iotest-version3.vmdk")
    efi_img(tmp_path, "check", "iotest-version3.vmdk")
    efi_img(tmp_path, "convert", "-O", "raw", "iotest-version3.vmdk", "disk")
    with open(tmp_path / "disk", "rb") as file:
        for i in range(100):
            file.seek(i * (640 * 1024 + 512))
            assert file.read(512) == bytes([0x30 + i % 10]) * 512
    refused = efi_img(
        tmp_path, "convert", "-n", "-O", "vmdk", "disk", "iotest-version3.vmdk", code=1
    )
    assert "which is written once" in refused.err


def test_fuzzed_sample(tmp_path):
    samples.unpack("afl9.vmdk", tmp_path)
    assert "its header" in efi_img(tmp_path, "info", "afl9.vmdk", code=1).err


def test_unknown_lines_are_not_skipped(tmp_path):
    """qemu-img leaves extents out that it does not know, and shifts what follows."""
    (tmp_path / "f").write_bytes(b"1" * MIB)
    (tmp_path / "x").write_text(
        "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
        'createType="monolithicFlat"\nRW 2048 FLAT "f" 0\nRW 2048 ZERO\n'
        'RDONLY 2048 FLAT "f" 0\n'
    )
    theirs = Result(["qemu-img", "info", "--output=json", "x"], tmp_path).json()
    assert theirs["virtual-size"] == MIB
    ours = efi_img(tmp_path, "info", "--output=json", "x").json()
    assert ours["virtual-size"] == 3 * MIB and len(ours["format-specific"]["data"]["extents"]) == 3
    efi_img(tmp_path, "convert", "-O", "raw", "x", "disk")
    assert (tmp_path / "disk").read_bytes() == b"1" * MIB + bytes(MIB) + b"1" * MIB


@pytest.mark.parametrize(
    "lines, shared",
    [
        (("f 0 2048", "f 0 2048"), True),
        (("f 2048 2048", "f 1024 1025"), True),
        (("f 0 4096", "f 100 1"), True),
        (("f 2048 2048", "f 0 2048"), False),
        (("f 0 2048", "g 0 2048"), False),
        (("f 0 2048", "g 0 2048", "f 0 2048"), None),  # opened twice: the access set refuses it
    ],
)
def test_extents_that_share_bytes(tmp_path, lines, shared):
    """What is written to one place of the disk would be written to another one as well."""
    for name in "fg":
        (tmp_path / name).write_bytes(random.Random(name).randbytes(2 * MIB))
    before = [(tmp_path / name).read_bytes() for name in "fg"]
    text = '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n'
    text += 'createType="twoGbMaxExtentFlat"\n'
    for line in lines:
        name, offset, sectors = line.split()
        text += f'RW {sectors} FLAT "{name}" {offset}\n'
    (tmp_path / "x.vmdk").write_text(text)
    efi_img(tmp_path, "convert", "-O", "raw", "x.vmdk", "disk")
    check = efi_img(tmp_path, "check", "x.vmdk", code=2 if shared else 0)
    assert ("have the same bytes of it" in check.err) == bool(shared)
    bench = ("bench", "-w", "-q", "-c", "1", "-s", "512", "x.vmdk")
    refused = efi_img(tmp_path, *bench, code=0 if shared is False else 1)
    if shared is not False:
        assert ("the same bytes of a file" if shared else "same file") in refused.err
        assert [(tmp_path / name).read_bytes() for name in "fg"] == before


@pytest.mark.parametrize("program", [EFI_IMG, "qemu-img"])
def test_extent_alone(tmp_path, program):
    """A part of a split image, which may be unfinished, is no image."""
    for maker in (EFI_IMG, "qemu-img"):
        words = ["create", "-q", "-f", "vmdk", "-o", f"subformat={SPLIT}", "x.vmdk", "4G"]
        assert Result([maker, *words], tmp_path).code == 0
        alone = Result([program, "info", "x-s001.vmdk"], tmp_path)
        assert alone.code == 1 and (program != EFI_IMG or "without its descriptor" in alone.err)
        for path in files_of(tmp_path):
            path.unlink()


# ---- captures ----


@pytest.fixture(scope="module")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.parametrize("kind", KINDS)
def test_capture_is_resumed(tmp_path, monkeypatch, interrupter, kind):
    """An image in one file; of several files, and a stream, nothing is left, and it is refused."""
    make_disk(tmp_path, size=12 * MIB)
    monkeypatch.setenv("EFI_IMG_DISKS", "disk,serial=DISK")
    words = ("convert", "-O", "vmdk", "-o", f"subformat={kind}", "serial=DISK", "t.vmdk")
    name = {FLAT: "t-flat.vmdk", SPLIT: "t-s001.vmdk", SPLIT_FLAT: "t-f001.vmdk"}
    with monkeypatch.context() as stop:
        stop.setenv("LD_PRELOAD", str(interrupter))
        stop.setenv("STOP", f"/{name.get(kind, 't.vmdk')},6")
        stopped = Result([EFI_IMG, *words], tmp_path)
    assert stopped.code != 0 and Result([EFI_IMG, "info", "t.vmdk"], tmp_path).code == 1
    resumed = Result([EFI_IMG, *words, "--resume"], tmp_path)
    assert (resumed.code == 0) == (kind == SPARSE), resumed.err
    if kind != SPARSE:
        assert "not into an image of several files, or one that is written in" in resumed.err
        assert [path.name for path in files_of(tmp_path)] == []
        resumed = efi_img(tmp_path, *words)
    assert "verified, identical to serial=DISK" in resumed.out + resumed.err
    assert_judged(tmp_path, "t.vmdk", "disk")


# ---- differences, and limits ----


@pytest.mark.parametrize("kind", CHANGED)
def test_compression_is_for_streams(tmp_path, kind):
    make_disk(tmp_path)
    words = ("convert", "-c", "-O", "vmdk", "-o", f"subformat={kind}", "disk", "x.vmdk")
    refused = efi_img(tmp_path, *words, code=1)
    assert "only streamOptimized is compressed" in refused.err
    assert [path.name for path in files_of(tmp_path)] == []


def test_measure(tmp_path):
    make_disk(tmp_path, size=10 * MIB)
    for kind in CHANGED:
        words = ("-O", "vmdk", "-o", f"subformat={kind}", "disk")
        need = efi_img(tmp_path, "measure", "--output=json", *words).json()
        efi_img(tmp_path, "convert", *words, "x.vmdk")
        size = sum(path.stat().st_size for path in files_of(tmp_path))
        text = 0 if kind == SPARSE else (tmp_path / "x.vmdk").stat().st_size
        assert need["required"] == size - text
        for path in files_of(tmp_path):
            path.unlink()


def test_unclean(tmp_path):
    """An image of VMware that was not closed cleanly; qemu-img does not look at that."""
    efi_img(tmp_path, "create", "-q", "-f", "vmdk", "x.vmdk", "10M")
    with open(tmp_path / "x.vmdk", "r+b") as file:
        file.seek(72)
        file.write(b"\1")
    assert "cleanly shut down: no" in efi_img(tmp_path, "info", "x.vmdk").out
    efi_img(tmp_path, "check", "-r", "all", "x.vmdk")
    assert (tmp_path / "x.vmdk").read_bytes()[72] == 0


@pytest.mark.parametrize("kind", (SPARSE, STREAM))
def test_memory(tmp_path, kind):
    efi_img(tmp_path, "create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", "x.vmdk", "16T")
    for words in (("info",), ("map", "-l", "1T"), ("bench", "-c", "50", "-S", "1G", "-s", "4k")):
        done = subprocess.run(
            ["sh", "-c", 'ulimit -d 65536; "$@"', "sh", EFI_IMG, *words, "x.vmdk"],
            cwd=tmp_path,
            capture_output=True,
        )
        assert done.returncode == 0, (words, done.stderr)
