# SPDX-License-Identifier: BSD-2-Clause
"""
VHD images beside qemu-img, 7-Zip and libvhdi, both ways; differences are those of
docs/QEMU-IMG.md.
"""

import random
import shutil
import subprocess

import pytest

import samples
import vhd
from images import MIB, qemu_img, qemu_io
from libyal import read_vhd
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu, efi_img
from pairs import copy_to_theirs, run_both
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path

DISK = 9 * MIB + 1536
KINDS = ("dynamic", "fixed")
SIZES = ["0", "512", "1000", "1M", "20M", "100M", "1G", "30G", "127G", "130G", "2040G"]


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def random_disk(seed, size=DISK):
    """Data, zeros, and blocks that are all zeros."""
    dice = random.Random(seed)
    disk = bytearray(size)
    for _ in range(12):
        at = dice.randrange(size)
        piece = dice.randbytes(dice.choice([1, 512, 5000, 300000]))[: size - at]
        disk[at : at + len(piece)] = piece
    disk[4 * MIB : 6 * MIB] = bytes(2 * MIB)
    return bytes(disk)


def random_writes(seed, size):
    dice = random.Random(seed)
    for _ in range(20):
        offset = dice.randrange(size // 512) * 512
        length = min(dice.choice([512, 4096, 65536, 200704, MIB]), size - offset)
        yield f"write {dice.choice(['-P 1', '-P 7', '-z', '-P 0'])} {offset} {length}"


def judge(folder, name, disk, fixed=False):
    """Every reader says that the image is whole, and has this disk, then perhaps zeros."""
    (folder / "expected").write_bytes(disk)
    words = ["-f", "vpc", "-F", "raw", name, "expected"]
    for program in ("qemu-img", EFI_IMG):
        result = Result([program, "compare", *words], folder)
        assert result.code == 0, result.out + result.err
    efi_img(folder, "check", name)
    options = ["-tVHD"] if fixed else []
    packed = subprocess.run(["7z", "x", *options, "-so", name], cwd=folder, capture_output=True)
    assert packed.returncode == 0, packed.stderr
    assert packed.stdout[: len(disk)] == disk and not any(packed.stdout[len(disk) :])
    theirs = read_vhd(folder / name)
    assert theirs[: len(disk)] == disk and not any(theirs[len(disk) :])


# ---- creating ----


def without_uuid_and_time(image, fixed):
    """The bytes of an image but for what differs between two of them."""
    data = bytearray(image)
    for at in {len(data) - 512, 0} if not fixed else {len(data) - 512}:
        data[at + 24 : at + 28] = bytes(4)
        data[at + 64 : at + 84] = bytes(20)
    return bytes(data)


@pytest.mark.parametrize("force", ["on", "off"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_create(pair, size, kind, force):
    """The same line, the same bytes, where the size is said."""
    if kind == "fixed" and size[-1] == "G":
        pytest.skip("too large to be compared")
    words = ["create", "-f", "vpc", "-o", f"subformat={kind},force_size={force}", "a.vhd", size]
    ours, theirs = pair.run(*words)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, theirs.out), ours.err
    made = [(folder / "a.vhd").read_bytes() for folder in (pair.ours, pair.theirs)]
    fixed = kind == "fixed"
    assert without_uuid_and_time(made[0], fixed) == without_uuid_and_time(made[1], fixed)
    if not fixed or size != "0":  # which qemu-img takes for a dynamic disk
        assert_info_as_qemu(pair.ours, "a.vhd", "-f", "vpc")
    efi_img(pair.ours, "check", "a.vhd")


@pytest.mark.parametrize("size, expected", [("20M", 20 * MIB), ("1000", 1024), ("30G", 30 << 30)])
def test_exact_by_default(tmp_path, size, expected):
    """force_size is on."""
    efi_img(tmp_path, "create", "-q", "-f", "vpc", "a.vhd", size)
    info = Result(["qemu-img", "info", "--output=json", "a.vhd"], tmp_path).json()
    assert info["virtual-size"] == expected


def test_fixed_is_ready_for_azure(tmp_path):
    """Whole MiB and a footer."""
    disk = random_disk(1)
    (tmp_path / "disk").write_bytes(disk)
    options = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed"]
    efi_img(tmp_path, "convert", *options, "disk", "a.vhd")
    assert (tmp_path / "a.vhd").stat().st_size == 10 * MIB + 512
    judge(tmp_path, "a.vhd", disk, True)


@pytest.mark.parametrize(
    "options", ["subformat=bla", "size=2041G", "block_size=1M", "force_size=x"]
)
def test_create_refuses(pair, options):
    ours, theirs = pair.run("create", "-f", "vpc", "-o", options, "a.vhd", "2041G")
    assert (ours.code, theirs.code) == (1, 1) and ours.err.startswith("efi-img: ")
    assert not pair.files()


def test_options(pair):
    ours, theirs = pair.run("create", "-f", "vpc", "-o", "help")
    names = [
        [line.split("=")[0].strip() for line in result.out.splitlines() if "=<" in line]
        for result in (ours, theirs)
    ]
    assert names[0] == names[1] == ["force_size", "size", "subformat"]


# ---- converting, mapping, measuring ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_convert_to(tmp_path, kind, seed):
    disk = random_disk(seed)
    (tmp_path / "disk").write_bytes(disk)
    options = ["-f", "raw", "-O", "vpc", "-o", f"subformat={kind},force_size=on"]
    efi_img(tmp_path, "convert", *options, "disk", "a.vhd")
    judge(tmp_path, "a.vhd", disk, kind == "fixed")


@pytest.mark.parametrize("force", ["on", "off"])
@pytest.mark.parametrize("kind", KINDS)
def test_convert_from(pair, kind, force):
    """What qemu-img has written is read, mapped, compared and hashed as it does."""
    size = 7 * MIB + 512
    options = f"subformat={kind},force_size={force}"
    qemu_img(pair.ours, "create", "-q", "-f", "vpc", "-o", options, "a.vhd", str(size))
    qemu_io(pair.ours, "a.vhd", *random_writes(1, size), options=("-f", "vpc"))
    for words in (
        ["info", "-f", "vpc", "a.vhd"],
        ["info", "-f", "vpc", "--output=json", "a.vhd"],
        ["map", "-f", "vpc", "a.vhd"],
        ["map", "-f", "vpc", "--output=json", "a.vhd"],
        ["convert", "--force", "-f", "vpc", "-O", "raw", "a.vhd", "flat"],
        ["compare", "-f", "vpc", "-F", "raw", "a.vhd", "flat"],
        ["compare", "-s", "-f", "vpc", "-F", "raw", "a.vhd", "flat"],
        ["measure", "-O", "qcow2", "-f", "vpc", "a.vhd"],
    ):
        ours = Result([EFI_IMG, *words], pair.ours)
        theirs = Result(["qemu-img", *(w for w in words if w != "--force")], pair.ours)
        assert (ours.code, ours.out) == (theirs.code, theirs.out), (words, ours.err)
    efi_img(pair.ours, "convert", "-f", "vpc", "-O", "raw", "a.vhd", "other")
    assert (pair.ours / "flat").read_bytes() == (pair.ours / "other").read_bytes()


def test_fixed_is_recognised(tmp_path):
    """Without -f, and in parts; qemu-img takes it for raw, with its footer."""
    qemu_img(tmp_path, "create", "-q", "-f", "vpc", "-o", "subformat=fixed", "a", "4M")
    assert "file format: vpc" in efi_img(tmp_path, "info", "a").out
    assert "file format: raw" in Result(["qemu-img", "info", "a"], tmp_path).out
    (tmp_path / "disk").write_bytes(random_disk(3))
    words = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed", "--split=4M", "disk", "b.vhd"]
    efi_img(tmp_path, "convert", *words)
    assert (tmp_path / "b.vhd.002").exists()
    assert "file format: vpc" in efi_img(tmp_path, "info", "b.vhd").out
    efi_img(tmp_path, "compare", "-F", "raw", "b.vhd", "disk")
    with open(tmp_path / "whole.vhd", "wb") as whole:
        for name in ("b.vhd", "b.vhd.001", "b.vhd.002"):
            whole.write((tmp_path / name).read_bytes())
    judge(tmp_path, "whole.vhd", random_disk(3), True)


def test_old_footer(tmp_path):
    """Virtual PC wrote one of 511 bytes before 2004; such an image is read."""
    disk = random_disk(4, 4 * MIB)
    image = disk + vhd.footer(len(disk), 2)
    (tmp_path / "a").write_bytes(image[:-1])
    assert "file format: vpc" in efi_img(tmp_path, "info", "a").out
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "compare", "-F", "raw", "a", "disk")
    result = efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vpc", "disk", "a", code=1)
    assert "511 bytes" in result.err


@pytest.mark.parametrize("kind, expected", [("dynamic", 9 * MIB), ("fixed", 9 * MIB)])
def test_measure(tmp_path, kind, expected):
    """qemu-img cannot; what efi-img says is what it then writes."""
    (tmp_path / "disk").write_bytes(random_disk(5, expected))
    options = ["-O", "vpc", "-o", f"subformat={kind}"]
    said = efi_img(tmp_path, "measure", "--output=json", "-f", "raw", *options, "disk").json()
    efi_img(tmp_path, "convert", "-f", "raw", "-S0", *options, "disk", "a.vhd")
    assert (tmp_path / "a.vhd").stat().st_size == said["fully-allocated"]


# ---- writing into ----


@pytest.mark.parametrize("kind", KINDS)
def test_write_into(tmp_path, kind):
    """convert -n, dd, bench -w and commit, into what qemu-img has made."""
    size = 12 * MIB
    options = f"subformat={kind},force_size=on"
    qemu_img(tmp_path, "create", "-q", "-f", "vpc", "-o", options, "a.vhd", str(size))
    disk = bytearray(random_disk(6, size))
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vpc", "disk", "a.vhd")
    judge(tmp_path, "a.vhd", bytes(disk), kind == "fixed")
    bench = ["-w", "--pattern=119", "-c", "3", "-s", "4096", "-S", str(MIB), "-o", str(5 * MIB)]
    efi_img(tmp_path, "bench", "-f", "vpc", *bench, "a.vhd")
    for i in range(3):
        disk[(5 + i) * MIB : (5 + i) * MIB + 4096] = b"w" * 4096
    judge(tmp_path, "a.vhd", bytes(disk), kind == "fixed")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.vhd", "-F", "vpc", "over.qcow2")
    qemu_io(tmp_path, "over.qcow2", "write -P 3 4M 70k", "write -P 4 11M 1M")
    disk[4 * MIB : 4 * MIB + 71680] = b"\3" * 71680
    disk[11 * MIB :] = b"\4" * MIB
    efi_img(tmp_path, "commit", "over.qcow2")
    judge(tmp_path, "a.vhd", bytes(disk), kind == "fixed")


def test_mixed_writers(tmp_path):
    """qemu-img and efi-img write in turn, and 7-Zip and libvhdi read it."""
    size, dice = 40 * MIB, random.Random(8)
    qemu_img(tmp_path, "create", "-q", "-f", "vpc", "-o", "force_size=on", "a.vhd", str(size))
    disk = bytearray(size)
    for step in range(10):
        at, n = dice.randrange(size // 512) * 512, dice.choice([512, 65536, 3 * MIB])
        n, value = min(n, size - at), step + 1
        disk[at : at + n] = bytes([value]) * n
        if step % 2:
            qemu_io(tmp_path, "a.vhd", f"write -P {value} {at} {n}")
        else:
            words = ["-c", "1", "-s", str(n), "-o", str(at), f"--pattern={value}"]
            efi_img(tmp_path, "bench", "-w", *words, "a.vhd")
    judge(tmp_path, "a.vhd", bytes(disk))


# ---- the size ----


@pytest.mark.parametrize("size", ["9M", "11M", "300M", "20G", "2040G"])
def test_grow(tmp_path, size):
    """qemu-img cannot; the BAT is moved where it has no room."""
    disk = random_disk(9)
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vpc", "disk", "a.vhd")
    efi_img(tmp_path, "resize", "--shrink", "a.vhd", size)
    wanted = int(size[:-1]) << {"M": 20, "G": 30}[size[-1]]
    info = Result(["qemu-img", "info", "--output=json", "a.vhd"], tmp_path).json()
    assert info["virtual-size"] == wanted
    said = subprocess.run(["vhdiinfo", "a.vhd"], cwd=tmp_path, capture_output=True).stdout
    assert f"({wanted} bytes)".encode() in said
    if wanted < 400 * MIB:
        judge(tmp_path, "a.vhd", disk[:wanted])
    if wanted > DISK:
        qemu_io(tmp_path, "a.vhd", f"read -P 0 {wanted - MIB} 512")
    qemu_io(tmp_path, "a.vhd", f"write -P 9 {wanted - 512} 512")
    efi_img(tmp_path, "check", "a.vhd")


def test_shrunk_and_grown_is_zeros(tmp_path):
    disk = random_disk(10, 10 * MIB)
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vpc", "-S0", "disk", "a.vhd")
    efi_img(tmp_path, "resize", "--shrink", "a.vhd", "3000k")
    assert (tmp_path / "a.vhd").stat().st_size < 5 * MIB
    efi_img(tmp_path, "resize", "a.vhd", "10M")
    judge(tmp_path, "a.vhd", disk[: 3000 << 10] + bytes((10 << 20) - (3000 << 10)))


def test_fixed_keeps_its_size(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "vpc", "-o", "subformat=fixed", "a.vhd", "4M")
    result = efi_img(tmp_path, "resize", "a.vhd", "8M", code=1)
    assert "a fixed VHD keeps its size" in result.err


# ---- what other programs have made ----


@pytest.mark.parametrize("name", samples.names("vpc"))
def test_sample(pair, name):
    """Of each, the size that its creator means, and the disk."""
    samples.unpack(name, pair.ours)
    assert_info_as_qemu(pair.ours, name)
    ours, theirs = (
        Result([program, "map", "--output=json", name], pair.ours)
        for program in (EFI_IMG, "qemu-img")
    )
    assert ours.out == theirs.out
    efi_img(pair.ours, "convert", "-O", "qcow2", name, "q")
    result = Result(["qemu-img", "compare", "-f", "vpc", "-F", "qcow2", name, "q"], pair.ours)
    assert result.code == 0, result.out + result.err
    efi_img(pair.ours, "check", name)


def test_fuzzed_sample(tmp_path):
    samples.unpack("afl5.img", tmp_path)
    result = efi_img(tmp_path, "info", "afl5.img", code=1)
    assert "past the end of the file (1028 bytes)" in result.err


@pytest.mark.parametrize(
    "creator, by_bytes",
    [
        (b"win ", True),
        (b"qem2", True),
        (b"d2v ", True),
        (b"tap\0", True),
        (b"CTXS", True),
        (b"vpc ", False),
        (b"qemu", False),
        (b"abcd", False),
        (b"vbox", True),  # whose disk qemu-img cuts off
    ],
)
def test_creators(pair, creator, by_bytes):
    """
    The size is that in bytes, or by the geometry, as in qemu-img 7.2. A newer one takes that in
    bytes for creators that it does not know.
    """
    tail = vhd.footer(8 * MIB, 3, creator=creator, chs=(240, 4, 17))
    image = bytearray(vhd.image(8 * MIB, {}))
    image[:512] = image[-512:] = tail
    (pair.ours / "a").write_bytes(image)
    copy_to_theirs(pair)
    ours, theirs = pair.run("info", "--output=json", "a")
    assert ours.json()["virtual-size"] == (8 * MIB if by_bytes else 240 * 4 * 17 * 512)
    if creator == b"abcd" and is_newer_than_7_2():
        assert theirs.json()["virtual-size"] == 8 * MIB
    elif creator != b"vbox":
        assert ours.out == theirs.out


def test_bitmaps_are_honoured(tmp_path):
    """
    QEMU reads what the bitmap says is not there, and 7-Zip nothing at all; libvhdi and efi-img read
    zeros. (Bytes that begin with a 1 are ones for libvhdi.)
    """
    data = random.Random(11).randbytes(2 * MIB)
    bits = b"\x0f" * 512
    (tmp_path / "a.vhd").write_bytes(vhd.image(4 * MIB, {1: (bits, data)}))
    expected = bytearray(4 * MIB)
    for at in range(0, 2 * MIB, 4096):
        expected[2 * MIB + at + 2048 : 2 * MIB + at + 4096] = data[at + 2048 : at + 4096]
    (tmp_path / "disk").write_bytes(expected)
    efi_img(tmp_path, "compare", "-F", "raw", "a.vhd", "disk")
    assert read_vhd(tmp_path / "a.vhd") == expected
    # what is written fills the block in its place, so that all agree
    efi_img(tmp_path, "bench", "-w", "-c", "1", "-s", "512", "-o", "3M", "--pattern=5", "a.vhd")
    expected[3 * MIB : 3 * MIB + 512] = b"\5" * 512
    judge(tmp_path, "a.vhd", bytes(expected))
    assert (tmp_path / "a.vhd").stat().st_size == len(vhd.image(4 * MIB, {1: (bits, data)}))


# ---- differencing disks ----


def make_family(folder, base="base.vhd", relative=".\\base.vhd", size=6 * MIB, block=2 * MIB):
    """A parent and a child; returns the child's disk."""
    dice = random.Random(12)
    parent_data, child_data = dice.randbytes(2 * MIB), dice.randbytes(2 * MIB)
    ones, mixed = b"\xff" * 512, b"\x0f" * 512
    (folder / base).parent.mkdir(exist_ok=True)
    blocks = {0: (ones, parent_data), 1: (ones, parent_data[::-1])}
    (folder / base).write_bytes(vhd.image(size, blocks, uuid=b"p" * 16))
    child = vhd.image(
        size,
        {2: (ones, child_data), 1: (mixed, child_data[::-1])},
        uuid=b"c" * 16,
        parent=(b"p" * 16, "base.vhd"),
        relative=relative,
    )
    (folder / "child.vhd").write_bytes(child)
    disk = bytearray(parent_data + parent_data[::-1] + child_data)
    for at in range(0, 2 * MIB, 4096):
        piece = child_data[::-1][at + 2048 : at + 4096]
        disk[2 * MIB + at + 2048 : 2 * MIB + at + 4096] = piece
    return bytes(disk)


def test_differencing(tmp_path):
    """The parent shows where bits are 0, as in libvhdi; QEMU would read zeros."""
    disk = make_family(tmp_path)
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "compare", "-F", "raw", "child.vhd", "disk")
    efi_img(tmp_path, "check", "child.vhd")
    out = efi_img(tmp_path, "info", "--backing-chain", "child.vhd").out
    assert "backing file: base.vhd\nbacking file format: vpc\n" in out
    efi_img(tmp_path, "convert", "-O", "qcow2", "child.vhd", "q")
    same = Result(["qemu-img", "compare", "-f", "qcow2", "-F", "raw", "q", "disk"], tmp_path)
    assert same.code == 0, same.out
    said = subprocess.run(["vhdiinfo", "child.vhd"], cwd=tmp_path, capture_output=True).stdout
    assert b"Differential" in said


def test_write_into_differencing(tmp_path):
    """Whole blocks become the child's; the parent is not changed."""
    disk = bytearray(make_family(tmp_path))
    base = (tmp_path / "base.vhd").read_bytes()
    for at, n in ((MIB, 512), (3 * MIB, 70000), (5 * MIB, 4096)):
        words = ["-c", "1", "-s", str(n), "-o", str(at), "--pattern=6"]
        efi_img(tmp_path, "bench", "-w", *words, "child.vhd")
        disk[at : at + n] = b"\6" * n
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "compare", "-F", "raw", "child.vhd", "disk")
    efi_img(tmp_path, "check", "child.vhd")
    assert (tmp_path / "base.vhd").read_bytes() == base
    efi_img(tmp_path, "commit", "child.vhd")
    efi_img(tmp_path, "compare", "-F", "raw", "base.vhd", "disk")
    efi_img(tmp_path, "compare", "-F", "raw", "child.vhd", "disk")
    judge(tmp_path, "base.vhd", bytes(disk))
    assert (tmp_path / "child.vhd").stat().st_size < 4096


@pytest.mark.parametrize(
    "base, relative",
    [
        ("base.vhd", None),
        ("base.vhd", "..\\elsewhere\\base.vhd"),  # both were copied into one folder
        ("sub/base.vhd", ".\\sub\\base.vhd"),
    ],
)
def test_parent_is_found(tmp_path, base, relative):
    disk = make_family(tmp_path, base, relative)
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "compare", "-F", "raw", "child.vhd", "disk")


def test_parent_is_missing_or_another(tmp_path):
    make_family(tmp_path)
    base = (tmp_path / "base.vhd").read_bytes()
    (tmp_path / "base.vhd").unlink()
    assert "base.vhd" in efi_img(tmp_path, "convert", "-O", "raw", "child.vhd", "t", code=1).err
    efi_img(tmp_path, "info", "child.vhd")
    efi_img(tmp_path, "check", "child.vhd")
    (tmp_path / "base.vhd").write_bytes(vhd.image(6 * MIB, {}, uuid=b"q" * 16))
    result = efi_img(tmp_path, "convert", "-O", "raw", "child.vhd", "t", code=1)
    assert "is not its parent, but another image of that name: the UUID differs" in result.err
    (tmp_path / "base.vhd").write_bytes(base)
    efi_img(tmp_path, "convert", "-O", "raw", "child.vhd", "t")


# ---- checking ----


def make_checked(folder):
    disk = random_disk(13)
    (folder / "disk").write_bytes(disk)
    efi_img(folder, "convert", "-f", "raw", "-O", "vpc", "disk", "a.vhd")
    return disk


def poke(folder, at, data):
    image = bytearray((folder / "a.vhd").read_bytes())
    at = at if at >= 0 else len(image) + at
    image[at : at + len(data)] = data
    (folder / "a.vhd").write_bytes(image)


@pytest.mark.parametrize(
    "at, data, code, repaired",
    [
        (0, b"x", 2, 0),  # the footer at the front
        (100, b"x", 2, 0),
        (-400, b"x", 2, 0),  # and at the end
        (-512, bytes(512), 3, 0),
        (512 + 64, b"x", 2, 2),  # the checksum of the header
        (1536, b"\0\0\0\1", 2, 2),  # a block over the header
        (1536, b"\0\1\0\0", 2, 2),  # one past the end
        (1540, b"\0\0\0\4", 2, 2),  # the place of another
    ],
)
def test_check(tmp_path, at, data, code, repaired):
    disk = make_checked(tmp_path)
    poke(tmp_path, at, data)
    damaged = (tmp_path / "a.vhd").read_bytes()
    result = efi_img(tmp_path, "check", "a.vhd", code=code)
    assert result.err.startswith(("corrupt: ", "leaked: "))
    efi_img(tmp_path, "check", "-r", "all", "a.vhd", code=repaired)
    if repaired != 0:
        assert (tmp_path / "a.vhd").read_bytes() == damaged
        return
    efi_img(tmp_path, "check", "a.vhd")
    judge(tmp_path, "a.vhd", disk)


def test_left_over(tmp_path):
    """Space after the last block is given back, by either repair."""
    disk = make_checked(tmp_path)
    image = (tmp_path / "a.vhd").read_bytes()
    for what in ("leaks", "all"):
        (tmp_path / "a.vhd").write_bytes(image[:-512] + bytes(3 * MIB) + image[-512:])
        assert "leaked" in efi_img(tmp_path, "check", "a.vhd", code=3).err
        efi_img(tmp_path, "check", "-r", what, "a.vhd")
        assert (tmp_path / "a.vhd").read_bytes() == image
    judge(tmp_path, "a.vhd", disk)


def test_cut_off(tmp_path):
    """A truncated image is not read as if it were whole."""
    make_checked(tmp_path)
    image = (tmp_path / "a.vhd").read_bytes()
    (tmp_path / "a.vhd").write_bytes(image[:-MIB])
    assert "past the end of the file" in efi_img(tmp_path, "check", "a.vhd", code=2).err
    efi_img(tmp_path, "convert", "-O", "raw", "a.vhd", "t", code=1)
    words = ["convert", "-n", "-f", "raw", "-O", "vpc", "disk", "a.vhd"]
    assert "past the end of the file" in efi_img(tmp_path, *words, code=1).err
    fixed = ["convert", "-f", "raw", "-O", "vpc", "-o", "subformat=fixed", "disk", "f.vhd"]
    efi_img(tmp_path, *fixed)
    image = (tmp_path / "f.vhd").read_bytes()
    (tmp_path / "f.vhd").write_bytes(image[MIB:])
    assert "is cut off" in efi_img(tmp_path, "info", "f.vhd", code=1).err


def test_vhd_in_a_fixed_vhd(tmp_path):
    """A fixed disk that begins with another VHD is the fixed one."""
    inner = vhd.image(4 * MIB, {})
    disk = inner.ljust(3 * MIB, b"\0")
    (tmp_path / "a.vhd").write_bytes(disk + vhd.footer(len(disk), 2))
    (tmp_path / "disk").write_bytes(disk)
    efi_img(tmp_path, "compare", "-F", "raw", "a.vhd", "disk")
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
