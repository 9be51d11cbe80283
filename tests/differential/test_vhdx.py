# SPDX-License-Identifier: BSD-2-Clause
"""vhdx: images of Hyper-V, beside qemu-img, and with 7z and libvhdi as judges."""

import random
import re
import shutil
import struct
import subprocess
import uuid
from pathlib import Path

import pytest

import samples
from checksums import crc32c
from images import qemu_img, qemu_io, random_writes
from libyal import read_vhd
from oracle import (
    EFI_IMG,
    HANG_SECONDS,
    Pair,
    Result,
    assert_as_qemu,
    assert_info_as_qemu,
    both,
    efi_img,
)
from test_memory import BOUND, BUFFERS, run_within

MIB = 1 << 20
KINDS = (
    "block_size=1M",
    "subformat=fixed",
    "block_state_zero=off,block_size=4M,log_size=3M",
    "subformat=fixed,block_size=2M",
)
HEADERS = (0x10000, 0x20000)


def assert_judged(folder, name, raw):
    """qemu-img and 7z read the same disk, and no check finds errors."""
    for program in ("qemu-img", EFI_IMG):
        check = Result([program, "check", "-f", "vhdx", name], folder)
        assert check.code == 0 and check.err == "", check.out + check.err
        same = Result([program, "compare", "-f", "vhdx", "-F", "raw", name, raw], folder)
        assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err
    if (folder / raw).stat().st_size % 1024 != 0:
        return  # which 7z cannot open
    seen = subprocess.run(
        ["7z", "x", "-so", "-tVHDX", name], cwd=folder, capture_output=True, check=True
    )
    assert seen.stdout == (folder / raw).read_bytes()


def make_disk(folder, name="disk", size=9 * MIB + 1024, seed=1):
    dice = random.Random(seed)
    with open(folder / name, "wb") as file:
        file.truncate(size)
        for _ in range(12):
            file.seek(dice.randrange(size - 70000))
            file.write(dice.randbytes(dice.choice([512, 4096, 70000])))


def get(path, at, n=8):
    with open(path, "rb") as file:
        file.seek(at)
        return int.from_bytes(file.read(n), "little")


def put(path, at, value, n=8):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(value.to_bytes(n, "little"))


def region(path, number):
    """Where a region of the table is: of ours 0 is the BAT; of qemu-img's as well."""
    return get(path, 0x30000 + 32 + 32 * number)


# ---- creating ----


@pytest.mark.parametrize("size", ["1", "512", "1M", "64M", "10000k", "1G", "1025M", "101G", "33T"])
@pytest.mark.parametrize("kind", ["", *KINDS])
def test_create(tmp_path, kind, size):
    if size[-1] in "GT" and kind != "":
        pytest.skip("as the smaller ones")
    pair = Pair(tmp_path)
    options = ("-o", kind) if kind else ()
    ours, theirs = pair.run("create", "-f", "vhdx", *options, "a.vhdx", size)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, ours.out)
    pair.assert_same_info("a.vhdx", allocated=False)
    if size not in ("33T", "101G"):
        assert_as_qemu(pair.ours, "check", "a.vhdx")
        assert_as_qemu(pair.ours, "check", "--output=json", "a.vhdx")
    if size == "64M":
        seen = subprocess.run(["vhdiinfo", "a.vhdx"], cwd=pair.ours, capture_output=True)
        assert b"64 MiB (67108864 bytes)" in seen.stdout
        assert (b"Fixed" if "fixed" in kind else b"Dynamic") in seen.stdout


def test_two_images_have_different_guids(tmp_path):
    seen = set()
    for name in ("a.vhdx", "b.vhdx"):
        efi_img(tmp_path, "create", "-q", "-f", "vhdx", name, "1M")
        head = (tmp_path / name).read_bytes()
        seen |= {head[0x10010:0x10020], head[0x10020:0x10030]}
        at = region(tmp_path / name, 1) + 0x10010
        seen |= {head[at : at + 16]}
        assert head[8:24] == "efi-img ".encode("utf-16-le")
    assert len(seen) == 6


def test_options_help(tmp_path):
    ours, theirs = both(tmp_path, "create", "-f", "vhdx", "-o", "help")
    names = [re.findall(r"^  (\w+)=<", done.out, re.M) for done in (ours, theirs)]
    names[1] = [n for n in names[1] if n not in ("extent_size_hint", "nocow", "preallocation")]
    assert names[0] == names[1] and ours.code == theirs.code == 0


@pytest.mark.parametrize(
    "options, code",
    [
        ("block_size=3M", 1),
        ("block_size=1000", 0),
        ("block_size=512k", 0),
        ("block_size=512M", 0),
        ("block_size=256M", 0),
        ("log_size=1000", 0),
        ("log_size=0", 1),
        ("log_size=1500k", 0),
        ("log_size=4095M", 0),
        ("log_size=4095.5M", 1),
        ("block_size=1500k", 0),
        ("block_size=2500k", 1),
        ("log_size=5G", 1),
        ("subformat=x", 1),
        ("block_state_zero=x", 1),
    ],
)
def test_option(tmp_path, options, code):
    pair = Pair(tmp_path)
    ours, theirs = pair.run("create", "-f", "vhdx", "-o", options, "a.vhdx", "20M")
    assert ours.code == theirs.code == code, ours.err
    if code == 0:
        assert ours.out == theirs.out
        pair.assert_same_info("a.vhdx", allocated=False)
        assert_as_qemu(pair.ours, "check", "a.vhdx")
    else:
        assert not (pair.ours / "a.vhdx").exists()


@pytest.mark.parametrize("size", ["65T", "72567767433216"])
def test_too_large(tmp_path, size):
    ours, theirs = both(tmp_path, "create", "-q", "-f", "vhdx", "a.vhdx", size)
    assert ours.code == theirs.code == 1


def test_largest(tmp_path):
    """64 TiB, with the smallest blocks: a BAT of 513 MiB, of which little is in memory."""
    options = ("-o", "block_size=1M,block_state_zero=off")
    efi_img(tmp_path, "create", "-q", "-f", "vhdx", *options, "a.vhdx", "64T")
    assert_info_as_qemu(tmp_path, "a.vhdx")
    for start in (5, 25, 45):
        bench = ("bench", "-w", "-q", "-c", "1", "-s", "4096", "-o", f"{start}T", "--pattern", "7")
        assert run_within(tmp_path, BOUND + BUFFERS, *bench, "a.vhdx") == (0, "")
    reads = [f"read -P 7 {5 + 20 * i}T 4096" for i in range(3)]
    qemu_io(tmp_path, "a.vhdx", *reads, options=("-f", "vhdx"))
    entries = efi_img(tmp_path, "map", "--output=json", "a.vhdx").json()
    assert [e["start"] >> 40 for e in entries if e["data"]] == [5, 25, 45]


# ---- copying ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [(), ("-S", "0")])
def test_convert_into(tmp_path, kind, extra):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", "-o", kind, *extra, "disk", "a.vhdx")
    (tmp_path / "flat").write_bytes((tmp_path / "disk").read_bytes())
    assert_judged(tmp_path, "a.vhdx", "flat")
    size = (tmp_path / "a.vhdx").stat().st_size
    assert size % MIB == 0
    if "fixed" in kind:  # every block has its place, and none moves when it is written to
        qemu_io(tmp_path, "a.vhdx", "write -P 7 0 9M", options=("-f", "vhdx"))
        assert (tmp_path / "a.vhdx").stat().st_size == size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_read_what_qemu_writes(tmp_path, kind, seed):
    size = 12 * MIB + 512
    qemu_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", kind, "a.vhdx", str(size))
    qemu_io(tmp_path, "a.vhdx", *random_writes(seed, size, freed=False), options=("-f", "vhdx"))
    assert_info_as_qemu(tmp_path, "a.vhdx")
    assert_as_qemu(tmp_path, "check", "a.vhdx")
    efi_img(tmp_path, "convert", "-f", "vhdx", "-O", "raw", "a.vhdx", "flat")
    assert_judged(tmp_path, "a.vhdx", "flat")
    with open(tmp_path / "flat", "r+b") as file:
        file.seek(5 * MIB + 700 * seed)
        file.write(b"different")
    assert assert_as_qemu(tmp_path, "compare", "-F", "raw", "a.vhdx", "flat").code == 1


def test_map_tells_blocks(tmp_path):
    """Where qemu-img calls all of the disk data without a place (docs/QEMU-IMG.md)."""
    qemu_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", "block_size=1M", "a.vhdx", "8M")
    qemu_io(tmp_path, "a.vhdx", "write -P 7 5M 512", options=("-f", "vhdx"))
    ours, theirs = both(tmp_path, "map", "--output=json", "a.vhdx")
    assert len(theirs.json()) == 1 and theirs.json()[0]["data"]
    stored = [entry for entry in ours.json() if entry["data"]]
    assert [(entry["start"], entry["length"]) for entry in stored] == [(5 * MIB, MIB)]
    assert get(tmp_path / "a.vhdx", stored[0]["offset"]) == 0x0707070707070707
    ours, theirs = both(tmp_path, "map", "a.vhdx")
    assert ours.code == 0 and theirs.code == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("maker", ["qemu-img", EFI_IMG])
def test_write_into(tmp_path, kind, maker):
    """convert -n, dd, bench -w and commit, into images of either program."""
    make_disk(tmp_path)
    made = Result([maker, "create", "-q", "-f", "vhdx", "-o", kind, "a.vhdx", "9438208"], tmp_path)
    assert made.code == 0, made.err
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vhdx", "disk", "a.vhdx")
    assert_judged(tmp_path, "a.vhdx", "disk")
    make_disk(tmp_path, "other", seed=2)
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vhdx", "other", "a.vhdx")
    assert_judged(tmp_path, "a.vhdx", "other")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.vhdx", "-F", "vhdx", "top")
    qemu_io(tmp_path, "top", "write -P 9 3000k 2M", "write -z 1M 70k")
    qemu_img(tmp_path, "convert", "-O", "raw", "top", "flat")
    efi_img(tmp_path, "commit", "top")
    assert_judged(tmp_path, "a.vhdx", "flat")
    before = (tmp_path / "a.vhdx").read_bytes()[0x10010:0x10030]
    bench = ("bench", "-w", "-q", "-c", "20", "-s", "4096", "-S", "524288", "--pattern", "7")
    efi_img(tmp_path, *bench, "-f", "vhdx", "a.vhdx")
    after = (tmp_path / "a.vhdx").read_bytes()[0x10010:0x10030]
    assert after[:16] != before[:16] and after[16:] != before[16:]
    efi_img(tmp_path, "convert", "--force", "-O", "raw", "a.vhdx", "flat")
    assert_judged(tmp_path, "a.vhdx", "flat")


def test_dd(tmp_path):
    make_disk(tmp_path)
    efi_img(tmp_path, "dd", "-f", "raw", "-O", "vhdx", "bs=64k", "if=disk", "of=a.vhdx")
    qemu_img(tmp_path, "convert", "-f", "vhdx", "-O", "raw", "a.vhdx", "flat")
    assert_judged(tmp_path, "a.vhdx", "flat")
    assert (tmp_path / "flat").read_bytes()[: 9 * MIB + 1024] == (tmp_path / "disk").read_bytes()


def test_both_write_in_turn(tmp_path):
    size = 12 * MIB + 512
    efi_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", "block_size=1M", "a.vhdx", str(size))
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "flat", str(size))
    for seed in range(3):
        commands = list(random_writes(seed, size, freed=False))
        qemu_io(tmp_path, "a.vhdx", *commands, options=("-f", "vhdx"))
        qemu_io(tmp_path, "flat", *commands, options=("-f", "raw"))
        where = ("-o", str(seed * 3000000), "-s", "20000", "-S", "1200000", "-c", "4")
        for name in ("a.vhdx", "flat"):
            efi_img(tmp_path, "bench", "-w", "-q", *where, "--pattern", str(seed + 40), name)
        assert_judged(tmp_path, "a.vhdx", "flat")


# ---- samples of other programs ----


def test_dirty_sample(tmp_path):
    """Read without a change as if its log had been replayed; replayed as by qemu-img."""
    name = "iotest-dirtylog-10G-4M.vhdx"
    path = samples.unpack(name, tmp_path)
    shutil.copy(path, tmp_path / "theirs")
    shutil.copy(path, tmp_path / "ours")
    assert Result(["qemu-img", "info", name], tmp_path).code == 1
    info = efi_img(tmp_path, "info", "--output=json", name).json()
    assert info["dirty-flag"] and info["virtual-size"] == 10 << 30
    ours = Result([EFI_IMG, "check", "-r", "all", "ours"], tmp_path)
    theirs = Result(["qemu-img", "check", "-r", "all", "theirs"], tmp_path)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 0
    for other in ("ours", "theirs"):
        assert "identical" in efi_img(tmp_path, "compare", name, other).out
    a, b = ((tmp_path / other).read_bytes() for other in ("ours", "theirs"))
    assert a[MIB:] == b[MIB:]  # but for the headers
    reads = ["read -P 0xa5 0 18M", "read -P 0 18M 100M"]
    qemu_io(tmp_path, "ours", *reads, options=("-f", "vhdx", "-r"))
    assert_info_as_qemu(tmp_path, "ours")
    efi_img(tmp_path, "bench", "-w", "-q", "-c", "1", name)  # which replays it as well
    assert efi_img(tmp_path, "check", name).err == ""


def test_sample_is_written(tmp_path):
    name = "iotest-dynamic-1G.vhdx"
    samples.unpack(name, tmp_path)
    efi_img(tmp_path, "bench", "-w", "-q", "-c", "2", "-o", "500M", "--pattern", "7", name)
    reads = ["read -P 0xa5 0 33M", "read -P 0x96 33M 33M", "read -P 7 500M 8k", "read -P 0 501M 1M"]
    qemu_io(tmp_path, name, *reads, options=("-f", "vhdx"))
    assert_as_qemu(tmp_path, "check", name)


# ---- checking ----


@pytest.mark.parametrize("less", [4096, MIB, 3 * MIB + 512])
def test_cut_short(tmp_path, less):
    qemu_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", "block_size=1M", "a.vhdx", "20M")
    qemu_io(tmp_path, "a.vhdx", "write -P 1 0 5M", options=("-f", "vhdx"))
    path = tmp_path / "a.vhdx"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - less)
    for style in ("human", "json"):
        ours = assert_as_qemu(tmp_path, "check", f"--output={style}", "a.vhdx")
        assert ours.code == 2 and "is past the end of the file" in ours.err
    assert Result(["qemu-img", "info", "a.vhdx"], tmp_path).code == 1
    efi_img(tmp_path, "info", "a.vhdx")
    refused = efi_img(tmp_path, "convert", "-O", "raw", "a.vhdx", "flat", code=1)
    assert "the file was cut short" in refused.err and not (tmp_path / "flat").exists()
    efi_img(tmp_path, "bench", "-w", "-c", "1", "a.vhdx", code=1)


def test_second_region_table(tmp_path):
    """qemu-img only looks at the first."""
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", "disk", "a.vhdx")
    put(tmp_path / "a.vhdx", 0x30000 + 5000, 1)
    assert Result(["qemu-img", "info", "a.vhdx"], tmp_path).code == 1
    efi_img(tmp_path, "compare", "-F", "raw", "a.vhdx", "disk")
    efi_img(tmp_path, "check", "a.vhdx", code=2)
    efi_img(tmp_path, "check", "-r", "all", "a.vhdx")
    (tmp_path / "flat").write_bytes((tmp_path / "disk").read_bytes())
    assert_judged(tmp_path, "a.vhdx", "flat")


@pytest.mark.parametrize("header", HEADERS)
def test_one_header(tmp_path, header):
    make_disk(tmp_path)
    for program, name in (("qemu-img", "a.vhdx"), (EFI_IMG, "b.vhdx")):
        made = Result([program, "convert", "-f", "raw", "-O", "vhdx", "disk", name], tmp_path)
        assert made.code == 0
        put(tmp_path / name, header + 100, 1)
        assert_info_as_qemu(tmp_path, name)
        assert_as_qemu(tmp_path, "compare", "-F", "raw", name, "disk")
        assert "note: the header at" in assert_as_qemu(tmp_path, "check", name).err


def test_doubled_block(tmp_path):
    """qemu-img does not see it."""
    qemu_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", "block_size=1M", "a.vhdx", "20M")
    qemu_io(tmp_path, "a.vhdx", "write -P 1 0 5M", options=("-f", "vhdx"))
    path = tmp_path / "a.vhdx"
    bat = region(path, 0)
    put(path, bat + 8, get(path, bat))
    ours, theirs = both(tmp_path, "check", "a.vhdx")
    assert (ours.code, theirs.code) == (2, 0) and "overlaps another one" in ours.err


# ---- what qemu-img cannot ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["10M", "9438208", "20000k", "300M"])
def test_resize(tmp_path, kind, size):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", "-o", kind, "disk", "a.vhdx")
    theirs = Result(["qemu-img", "resize", "-f", "vhdx", "a.vhdx", "300M"], tmp_path)
    assert theirs.code == 1
    efi_img(tmp_path, "resize", "a.vhdx", size)
    info = Result(["qemu-img", "info", "--output=json", "a.vhdx"], tmp_path).json()
    with open(tmp_path / "disk", "r+b") as file:
        file.truncate(info["virtual-size"])
    assert_judged(tmp_path, "a.vhdx", "disk")
    efi_img(tmp_path, "resize", "--shrink", "a.vhdx", "3M")
    with open(tmp_path / "disk", "r+b") as file:
        file.truncate(3 * MIB)
    assert_judged(tmp_path, "a.vhdx", "disk")


PARENT_ITEM = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")
PARENT_TYPE = bytes.fromhex("b7ef4ab09ed1814ab78925b8e9445913")


def make_child(folder, dice):
    """
    child.vhdx of parent.vhdx, by hand: blocks that are its own in part, the parent's, its own, and
    zeros. `want` is its disk.
    """
    want = bytearray((folder / "disk").read_bytes())
    options = ("-o", "block_size=1M,block_state_zero=off")
    efi_img(folder, "create", "-q", "-f", "vhdx", *options, "child.vhdx", str(len(want)))
    parent = (folder / "parent.vhdx").read_bytes()
    current = max(HEADERS, key=lambda at: struct.unpack_from("<Q", parent, at + 8)[0])
    linkage = uuid.UUID(bytes_le=parent[current + 32 : current + 48])
    image = bytearray((folder / "child.vhdx").read_bytes())
    bat, metadata = (region(folder / "child.vhdx", i) for i in range(2))
    texts = ["parent_linkage", "{%s}" % linkage, "relative_path", ".\\parent.vhdx"]
    texts = [text.encode("utf-16-le") for text in texts]
    at = [44 + sum(map(len, texts[:i])) for i in range(5)]
    locator = PARENT_TYPE + struct.pack("<HH", 0, 2)
    for i in (0, 2):
        locator += struct.pack("<IIHH", at[i], at[i + 1], len(texts[i]), len(texts[i + 1]))
    image[metadata + 0x11000 : metadata + 0x11000 + at[4]] = locator + b"".join(texts)
    (parameters,) = struct.unpack_from("<I", image, metadata + 48)
    image[metadata + parameters + 4] |= 2
    (n,) = struct.unpack_from("<H", image, metadata + 10)
    image[metadata + 10] = n + 1
    entry = PARENT_ITEM + struct.pack("<IIII", 0x11000, at[4], 4, 0)
    image[metadata + 32 * (n + 1) : metadata + 32 * (n + 2)] = entry
    places = [len(image) + i * MIB for i in range(3)]
    bits, partly, whole = bytearray(MIB), dice.randbytes(MIB), dice.randbytes(MIB)
    for sector in range(2048):
        if sector % 5 == 0 or 100 < sector < 333:
            bits[sector // 8] |= 1 << sector % 8
            own = slice(sector * 512, sector * 512 + 512)
            want[own] = partly[own]
    want[2 * MIB : 3 * MIB], want[3 * MIB :] = whole, bytes(MIB)
    struct.pack_into("<QQQQ", image, bat, places[0] | 7, 0, places[1] | 6, 2)
    struct.pack_into("<Q", image, bat + 4096 * 8, places[2] | 6)
    (folder / "child.vhdx").write_bytes(image + partly + whole + bits)
    (folder / "want").write_bytes(want)


def test_parent(tmp_path):
    """libvhdi reads the same, but for blocks of zeros, where it shows the parent."""
    dice = random.Random(5)
    (tmp_path / "disk").write_bytes(dice.randbytes(4 * MIB))
    options = ("-o", "block_size=1M")
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", *options, "disk", "parent.vhdx")
    make_child(tmp_path, dice)
    assert efi_img(tmp_path, "check", "child.vhdx").err == ""
    efi_img(tmp_path, "compare", "-F", "raw", "child.vhdx", "want")
    info = efi_img(tmp_path, "info", "--output=json", "child.vhdx").json()
    assert info["backing-filename"] == "parent.vhdx"
    efi_img(tmp_path, "convert", "-O", "vhdx", "child.vhdx", "flat.vhdx")
    assert_judged(tmp_path, "flat.vhdx", "want")
    seen = subprocess.run(["vhdiinfo", "child.vhdx"], cwd=tmp_path, capture_output=True)
    assert b"Differential" in seen.stdout
    theirs = read_vhd(tmp_path / "child.vhdx", parent=tmp_path / "parent.vhdx")
    assert theirs[: 3 * MIB] == (tmp_path / "want").read_bytes()[: 3 * MIB]
    efi_img(tmp_path, "bench", "-w", "-q", "-c", "1", "child.vhdx", code=1)
    efi_img(tmp_path, "bench", "-w", "-q", "-c", "1", "parent.vhdx")
    refused = efi_img(tmp_path, "map", "child.vhdx", code=1)
    assert "was changed since, or is another image" in refused.err


def test_measure(tmp_path):
    make_disk(tmp_path)
    options = ("-o", "block_size=1M")
    assert Result(["qemu-img", "measure", "-O", "vhdx", "disk"], tmp_path).code == 1
    said = efi_img(tmp_path, "measure", "--output=json", "-O", "vhdx", *options, "disk").json()
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", *options, "disk", "a.vhdx")
    assert said["required"] == (tmp_path / "a.vhdx").stat().st_size
    options = ("-o", "block_size=1M,subformat=fixed")
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", *options, "disk", "b.vhdx")
    assert said["fully-allocated"] == (tmp_path / "b.vhdx").stat().st_size
    again = efi_img(tmp_path, "measure", "--output=json", "-O", "qcow2", "a.vhdx").json()
    assert (
        again["required"]
        < Result(
            ["qemu-img", "measure", "--output=json", "-O", "qcow2", "a.vhdx"], tmp_path
        ).json()["required"]
    )


# ---- power cuts ----


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    library = tmp_path_factory.mktemp("kill") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def run_killed(folder, killer, n, *args):
    """Whether it was killed before its n-th write to the image."""
    done = subprocess.run(
        [EFI_IMG, *args],
        cwd=folder,
        capture_output=True,
        timeout=HANG_SECONDS,
        env={"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(killer), "KILL": f"/a.vhdx,{n}"},
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def blocks(path):
    data = path.read_bytes()
    return [data[at : at + 512] for at in range(0, len(data), 512)]


@pytest.mark.parametrize("kind", ["block_size=1M", "subformat=fixed,block_size=1M"])
@pytest.mark.parametrize("how", ["convert", "bench", "grow"])
def test_cut_at_every_write(tmp_path, killer, kind, how):
    """
    Whatever has been written when the program is killed: qemu-img and efi-img replay the log to the
    same image, and each sector of its disk is what it was, or what was to be written.
    """
    commands = {
        "convert": ("convert", "-n", "-f", "raw", "-O", "vhdx", "new", "a.vhdx"),
        "bench": ("bench", "-w", "-q", "-c", "9", "--flush-interval", "2", "-s", "8192", "-S")
        + ("600000", "--pattern", "7", "a.vhdx"),
        "grow": ("resize", "-q", "a.vhdx", "9M"),
    }
    make_disk(tmp_path, "disk", size=6 * MIB)
    make_disk(tmp_path, "new", size=6 * MIB, seed=7)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vhdx", "-o", kind, "disk", "first.vhdx")
    shutil.copy(tmp_path / "first.vhdx", tmp_path / "a.vhdx")
    efi_img(tmp_path, *commands[how])
    efi_img(tmp_path, "convert", "-O", "raw", "a.vhdx", "done")
    old, new = blocks(tmp_path / "disk"), blocks(tmp_path / "done")
    n = 0
    seen_logs = set()
    killed = True
    while killed:
        n += 1
        shutil.copy(tmp_path / "first.vhdx", tmp_path / "a.vhdx")
        killed = run_killed(tmp_path, killer, n, *commands[how])
        efi_img(tmp_path, "check", "a.vhdx")  # replayed in memory
        efi_img(tmp_path, "convert", "--force", "-O", "raw", "a.vhdx", "shown")
        shutil.copy(tmp_path / "a.vhdx", tmp_path / "theirs")
        seen_logs.add(Result(["qemu-img", "info", "a.vhdx"], tmp_path).code)
        theirs = Result(["qemu-img", "check", "-r", "all", "theirs"], tmp_path)
        ours = Result([EFI_IMG, "check", "-r", "all", "a.vhdx"], tmp_path)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 0, ours.err
        a, b = ((tmp_path / name).read_bytes() for name in ("a.vhdx", "theirs"))
        assert len(a) == len(b) and a[MIB:] == b[MIB:]
        same = Result(["qemu-img", "compare", "-F", "raw", "theirs", "shown"], tmp_path)
        assert same.code == 0, same.out
        now = blocks(tmp_path / "shown")
        assert len(now) in (len(old), len(new))
        for at, sector in enumerate(now):
            assert sector in (old[at] if at < len(old) else bytes(512), new[at]), at
    assert n > 5 and (seen_logs == {0, 1} or (how, kind[0]) != ("grow", "b"))


def test_qemu_crash_is_replayed(tmp_path):
    """qemu-io that is killed after a flush of its log leaves one that both replay to the same."""
    qemu_img(tmp_path, "create", "-q", "-f", "vhdx", "-o", "block_size=1M", "a.vhdx", "20M")
    qemu_io(tmp_path, "a.vhdx", "write -P 1 0 3M", options=("-f", "vhdx"))
    path = tmp_path / "a.vhdx"
    image = bytearray(path.read_bytes())
    # as it is before the entry of the BAT is in its place: the log has it, and the headers its GUID
    entry = image.index(b"loge", MIB, 2 * MIB)
    guid = image[entry + 32 : entry + 48]
    header = max(HEADERS, key=lambda at: struct.unpack_from("<Q", image, at + 8)[0])
    image[header + 48 : header + 64] = guid
    struct.pack_into("<I", image, header + 4, 0)
    struct.pack_into("<I", image, header + 4, crc32c(image[header : header + 4096]))
    path.write_bytes(image)
    shutil.copy(path, tmp_path / "theirs")
    efi_img(tmp_path, "convert", "-O", "raw", "a.vhdx", "flat")
    assert Result(["qemu-img", "check", "-r", "all", "theirs"], tmp_path).code == 0
    efi_img(tmp_path, "check", "-r", "all", "a.vhdx")
    for name in ("a.vhdx", "theirs"):
        same = Result(["qemu-img", "compare", "-F", "raw", name, "flat"], tmp_path)
        assert same.code == 0, same.out + same.err
