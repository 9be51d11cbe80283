# SPDX-License-Identifier: BSD-2-Clause
"""vdi: images of VirtualBox, beside qemu-img, and with 7z as a judge of contents."""

import random
import re
import shutil
import struct
import subprocess

import pytest

from images import qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, Result, assert_as_qemu, assert_info_as_qemu, both, efi_img
from test_memory import BOUND, BUFFERS, SIZE, run_within

MIB = 1 << 20
KINDS = ("static=off", "static=on")
MAP_AT, DATA_AT, BLOCKS, ALLOCATED = 340, 344, 384, 388


def assert_judged(folder, name, raw):
    """qemu-img and 7z read the same disk, and qemu-img finds no errors."""
    check = Result(["qemu-img", "check", "-f", "vdi", name], folder)
    assert check.code == 0 and check.err == "", check.out + check.err
    same = Result(["qemu-img", "compare", "-f", "vdi", "-F", "raw", name, raw], folder)
    assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err
    shutil.copy(folder / name, folder / "judged.vdi")
    seen = subprocess.run(
        ["7z", "x", "-so", "-tVDI", "judged.vdi"], cwd=folder, capture_output=True, check=True
    )
    (folder / "judged.vdi").unlink()
    assert seen.stdout == (folder / raw).read_bytes()


def make_disk(folder, name="disk", size=9 * MIB + 1536, seed=1):
    dice = random.Random(seed)
    with open(folder / name, "wb") as file:
        file.truncate(size)
        for _ in range(12):
            file.seek(dice.randrange(size - 70000))
            file.write(dice.randbytes(dice.choice([512, 4096, 70000])))


def field(folder, name, at):
    with open(folder / name, "rb") as file:
        return struct.unpack_from("<I", file.read(512), at)[0]


def poke(folder, name, at, value):
    with open(folder / name, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", value))


def entry_at(folder, name, block):
    return field(folder, name, MAP_AT) + 4 * block


# ---- creating ----


@pytest.mark.parametrize("size", ["0", "512", "1M", "64M", "10000k", "1T"])
@pytest.mark.parametrize("kind", KINDS)
def test_create(tmp_path, kind, size):
    pair = Pair(tmp_path)
    ours, theirs = pair.run("create", "-f", "vdi", "-o", kind, "a.vdi", size)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, ours.out)
    pair.assert_same_info("a.vdi", allocated=False)
    if size != "1T":
        assert_as_qemu(pair.ours, "check", "a.vdi")
        assert_as_qemu(pair.ours, "check", "--output=json", "a.vdi")
        assert_as_qemu(pair.ours, "map", "--output=json", "a.vdi")
    # as VirtualBox, and unlike qemu-img
    assert field(pair.ours, "a.vdi", MAP_AT) == MIB
    assert field(pair.ours, "a.vdi", DATA_AT) % MIB == 0
    for at in (ALLOCATED, BLOCKS, 376, 76):
        assert field(pair.ours, "a.vdi", at) == field(pair.theirs, "a.vdi", at)


def test_two_images_have_different_uuids(tmp_path):
    seen = set()
    for name in ("a.vdi", "b.vdi"):
        efi_img(tmp_path, "create", "-q", "-f", "vdi", name, "1M")
        head = (tmp_path / name).read_bytes()[:512]
        seen |= {head[392:408], head[408:424]}
        assert head[399] >> 4 == 4 and head[400] >> 6 == 2
        assert head[424:456] == bytes(32)
    assert len(seen) == 4


def test_options_help(tmp_path):
    ours, theirs = both(tmp_path, "create", "-f", "vdi", "-o", "help")
    names = [re.findall(r"^  (\w+=<[^>]+>)", done.out, re.M) for done in (ours, theirs)]
    assert names[0] == names[1] and ours.code == theirs.code == 0


@pytest.mark.parametrize("args", [("x", "513T"), ("-o", "static=maybe", "x", "1M"), ("x",)])
def test_create_refused(tmp_path, args):
    ours, theirs = both(tmp_path, "create", "-q", "-f", "vdi", *args)
    assert ours.code == theirs.code == 1
    assert not (tmp_path / "x").exists() or theirs.code == 1


# ---- copying ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [(), ("-S", "0"), ("-S", "64k")])
def test_convert_into(tmp_path, kind, extra):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-o", kind, *extra, "disk", "a.vdi")
    assert_judged(tmp_path, "a.vdi", "disk")
    efi_img(tmp_path, "compare", "-f", "vdi", "-F", "raw", "a.vdi", "disk")
    if kind == "static=off" and extra == ():
        qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "disk", "b.vdi")
        assert_as_qemu(tmp_path, "compare", "-s", "a.vdi", "b.vdi")
        assert field(tmp_path, "a.vdi", ALLOCATED) == field(tmp_path, "b.vdi", ALLOCATED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_read_what_qemu_writes(tmp_path, kind, seed):
    size = 12 * MIB + 512
    qemu_img(tmp_path, "create", "-q", "-f", "vdi", "-o", kind, "a.vdi", str(size))
    qemu_io(tmp_path, "a.vdi", *random_writes(seed, size, freed=False), options=("-f", "vdi"))
    assert_info_as_qemu(tmp_path, "a.vdi")
    assert_as_qemu(tmp_path, "check", "a.vdi")
    assert_as_qemu(tmp_path, "map", "a.vdi")
    assert_as_qemu(tmp_path, "map", "--output=json", "a.vdi")
    efi_img(tmp_path, "convert", "-f", "vdi", "-O", "raw", "a.vdi", "flat")
    assert_as_qemu(tmp_path, "compare", "-F", "raw", "a.vdi", "flat")
    same = Result(["qemu-img", "compare", "-f", "vdi", "-F", "raw", "a.vdi", "flat"], tmp_path)
    assert same.code == 0, same.out
    with open(tmp_path / "flat", "r+b") as file:
        file.seek(5 * MIB + 700 * seed)
        file.write(b"different")
    assert assert_as_qemu(tmp_path, "compare", "-F", "raw", "a.vdi", "flat").code == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("maker", ["qemu-img", EFI_IMG])
def test_write_into(tmp_path, kind, maker):
    """convert -n, dd, bench -w and commit, into images of either program."""
    make_disk(tmp_path)
    made = Result([maker, "create", "-q", "-f", "vdi", "-o", kind, "a.vdi", "9438720"], tmp_path)
    assert made.code == 0, made.err
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vdi", "disk", "a.vdi")
    assert_judged(tmp_path, "a.vdi", "disk")
    make_disk(tmp_path, "other", seed=2)
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vdi", "other", "a.vdi")
    assert_judged(tmp_path, "a.vdi", "other")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a.vdi", "-F", "vdi", "top")
    qemu_io(tmp_path, "top", "write -P 9 3000k 2M", "write -z 1M 70k")
    qemu_img(tmp_path, "convert", "-O", "raw", "top", "flat")
    efi_img(tmp_path, "commit", "top")
    assert_judged(tmp_path, "a.vdi", "flat")
    before = field(tmp_path, "a.vdi", 408)
    bench = ("bench", "-w", "-q", "-c", "20", "-s", "4096", "-S", "524288", "--pattern", "7")
    efi_img(tmp_path, *bench, "-f", "vdi", "a.vdi")
    assert field(tmp_path, "a.vdi", 408) != before  # the UUID of this state
    efi_img(tmp_path, "convert", "--force", "-O", "raw", "a.vdi", "flat")
    assert_judged(tmp_path, "a.vdi", "flat")
    efi_img(tmp_path, "dd", "-f", "raw", "-O", "vdi", "bs=64k", "if=disk", "of=dd.vdi")
    qemu_img(tmp_path, "convert", "-f", "vdi", "-O", "raw", "dd.vdi", "flat")
    assert_judged(tmp_path, "dd.vdi", "flat")


def test_qemu_writes_into_ours(tmp_path):
    size = 12 * MIB + 512
    efi_img(tmp_path, "create", "-q", "-f", "vdi", "a.vdi", str(size))
    commands = list(random_writes(5, size, freed=False))
    qemu_io(tmp_path, "a.vdi", *commands, options=("-f", "vdi"))
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "flat", str(size))
    qemu_io(tmp_path, "flat", *commands, options=("-f", "raw"))
    assert_judged(tmp_path, "a.vdi", "flat")
    efi_img(tmp_path, "compare", "-F", "raw", "a.vdi", "flat")


# ---- what differs from qemu-img ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["10M", "9438720", "20000k", "300M"])
def test_resize(tmp_path, kind, size):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-o", kind, "disk", "a.vdi")
    theirs = Result(["qemu-img", "resize", "-f", "vdi", "a.vdi", "300M"], tmp_path)
    assert theirs.code == 1
    efi_img(tmp_path, "resize", "a.vdi", size)
    info = Result(["qemu-img", "info", "--output=json", "a.vdi"], tmp_path).json()
    with open(tmp_path / "disk", "r+b") as file:
        file.truncate(info["virtual-size"])
    assert_judged(tmp_path, "a.vdi", "disk")
    n = field(tmp_path, "a.vdi", BLOCKS)
    assert kind == "static=off" or field(tmp_path, "a.vdi", ALLOCATED) == n
    assert (tmp_path / "a.vdi").stat().st_size >= field(tmp_path, "a.vdi", DATA_AT)


def test_resize_refused(tmp_path):
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "disk", "a.vdi")
    before = (tmp_path / "a.vdi").read_bytes()
    refused = efi_img(tmp_path, "resize", "a.vdi", "200M", code=1)
    assert "room for a disk of 134217728 bytes" in refused.err  # 128 entries in a sector
    refused = efi_img(tmp_path, "resize", "--shrink", "a.vdi", "1M", code=1)
    assert "cannot be made smaller" in refused.err
    efi_img(tmp_path, "resize", "--preallocation=full", "a.vdi", "20M", code=1)
    assert (tmp_path / "a.vdi").read_bytes() == before
    efi_img(tmp_path, "resize", "a.vdi", "128M")


def test_measure(tmp_path):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "disk", "a.vdi")
    assert Result(["qemu-img", "measure", "-O", "vdi", "disk"], tmp_path).code == 1
    said = efi_img(tmp_path, "measure", "--output=json", "-O", "vdi", "disk").json()
    assert said["required"] == (tmp_path / "a.vdi").stat().st_size
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-o", "static=on", "disk", "b.vdi")
    assert said["fully-allocated"] == (tmp_path / "b.vdi").stat().st_size


def test_cut_short(tmp_path):
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-S", "0", "disk", "a.vdi")
    with open(tmp_path / "a.vdi", "r+b") as file:
        file.truncate(6 * MIB)
    assert_info_as_qemu(tmp_path, "a.vdi")
    ours, theirs = both(tmp_path, "check", "a.vdi")
    assert theirs.code == 0 and ours.code == 2 and "past the end of the file" in ours.err
    refused = efi_img(tmp_path, "convert", "-O", "raw", "a.vdi", "flat", code=1)
    assert "it was cut short" in refused.err and not (tmp_path / "flat").exists()
    efi_img(tmp_path, "check", "-r", "all", "a.vdi", code=2)


def test_doubled_block(tmp_path):
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-S", "0", "disk", "a.vdi")
    poke(tmp_path, "a.vdi", entry_at(tmp_path, "a.vdi", 3), 1)
    ours, theirs = both(tmp_path, "check", "--output=json", "a.vdi")
    assert ours.code == theirs.code == 2
    assert ours.json()["corruptions"] == theirs.json()["corruptions"] == 1
    refused = efi_img(tmp_path, "bench", "-w", "-c", "1", "a.vdi", code=1)
    assert "check -r all" in refused.err
    efi_img(tmp_path, "convert", "-O", "raw", "a.vdi", "flat")
    repaired = efi_img(tmp_path, "check", "-r", "all", "a.vdi")
    assert "1 corruptions" in repaired.out and "No errors were found" in repaired.out
    assert_judged(tmp_path, "a.vdi", "flat")


@pytest.mark.parametrize("said, theirs, ours", [(5, 2, 2), (20, 2, 2), (10, 0, 0)])
def test_number_of_blocks(tmp_path, said, theirs, ours):
    """Too many are a leak for us; more than there are, or too few, are corrupt for both."""
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-S", "0", "disk", "a.vdi")
    poke(tmp_path, "a.vdi", ALLOCATED, said)
    done = both(tmp_path, "check", "a.vdi")
    assert (done[0].code, done[1].code) == (ours, theirs)
    efi_img(tmp_path, "check", "-r", "all", "a.vdi")
    assert_judged(tmp_path, "a.vdi", "disk")


def test_leaked_block(tmp_path):
    make_disk(tmp_path)
    qemu_img(tmp_path, "convert", "-f", "raw", "-O", "vdi", "-S", "0", "disk", "a.vdi")
    poke(tmp_path, "a.vdi", entry_at(tmp_path, "a.vdi", 4), 0xFFFFFFFF)
    with open(tmp_path / "disk", "r+b") as file:
        file.seek(4 * MIB)
        file.write(bytes(MIB))
    ours, theirs = both(tmp_path, "check", "a.vdi")
    assert (ours.code, theirs.code) == (3, 2)
    shutil.copy(tmp_path / "a.vdi", tmp_path / "b.vdi")
    efi_img(tmp_path, "check", "-r", "leaks", "a.vdi")
    assert_judged(tmp_path, "a.vdi", "disk")
    # the next new block takes the place of the one that is lost
    efi_img(tmp_path, "bench", "-w", "-q", "-c", "1", "-o", "4M", "-s", "4k", "b.vdi")
    assert_judged(tmp_path, "b.vdi", "disk")


REFUSED = [  # field, value, our words; qemu-img refuses as well, or reads wrong bytes
    (68, 0x00000001, "version 0.1", True),
    (76, 3, "undo image", True),
    (76, 4, "differencing image", True),
    (424, 1, "differencing image", True),
    (440, 1, "differencing image", True),
    (380, 512, "512 extra bytes", False),
    (360, 4096, "sectors have 4096 bytes", True),
]


@pytest.mark.parametrize("at, value, words, refused", REFUSED)
def test_refused(tmp_path, at, value, words, refused):
    qemu_img(tmp_path, "create", "-q", "-f", "vdi", "a.vdi", "4M")
    poke(tmp_path, "a.vdi", at, value)
    ours, theirs = both(tmp_path, "convert", "-f", "vdi", "-O", "raw", "a.vdi", "t")
    assert ours.code == 1 and words in ours.err, ours.err
    assert (theirs.code == 1) == refused or at == 76


@pytest.mark.parametrize("block", [4096, 65536, 4 * MIB])
def test_other_blocks(tmp_path, block):
    """Of other sizes than qemu-img and 7z read: a reader of a few lines is the judge."""
    make_disk(tmp_path)
    disk = (tmp_path / "disk").read_bytes()
    n = -(-len(disk) // block)
    entries, data = [], b""
    for i in range(n):
        part = disk[i * block : (i + 1) * block].ljust(block, b"\0")
        entries.append(len(data) // block if any(part) else 0xFFFFFFFE + i % 2)
        data += part if any(part) else b""
    data_at = 512 + -(-4 * n // 512) * 512
    head = bytearray(512)
    struct.pack_into("<IIII", head, 64, 0xBEDA107F, 0x10001, 400, 1)
    struct.pack_into("<II", head, MAP_AT, 512, data_at)
    struct.pack_into("<IIQIIII", head, 360, 512, 0, len(disk), block, 0, n, len(data) // block)
    table = struct.pack(f"<{n}I", *entries).ljust(data_at - 512, b"\0")
    (tmp_path / "a.vdi").write_bytes(bytes(head) + table + data)
    efi_img(tmp_path, "check", "a.vdi")
    efi_img(tmp_path, "compare", "-F", "raw", "a.vdi", "disk")
    make_disk(tmp_path, "other", seed=3)
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "vdi", "other", "a.vdi")
    efi_img(tmp_path, "check", "a.vdi")
    image, other = (tmp_path / "a.vdi").read_bytes(), (tmp_path / "other").read_bytes()
    assert field(tmp_path, "a.vdi", DATA_AT) == data_at
    for i, entry in enumerate(struct.unpack_from(f"<{n}I", image, 512)):
        wanted = other[i * block : (i + 1) * block]
        at = data_at + entry * block
        assert image[at : at + len(wanted)] == wanted if entry < n else not any(wanted)


def test_memory(tmp_path):
    """A map of 64 MiB, with entries in all parts of it, is not in memory as a whole."""
    efi_img(tmp_path, "create", "-q", "-f", "vdi", "a.vdi", str(SIZE))
    n, step = 256, SIZE // MIB // 256
    for i in range(n):
        poke(tmp_path, "a.vdi", entry_at(tmp_path, "a.vdi", i * step + i), i)
    poke(tmp_path, "a.vdi", ALLOCATED, n)
    with open(tmp_path / "a.vdi", "r+b") as file:
        file.truncate(field(tmp_path, "a.vdi", DATA_AT) + n * MIB)
    qemu_img(tmp_path, "check", "a.vdi")
    for command in (
        "info a.vdi",
        "check a.vdi",
        "map --output=json a.vdi",
        "compare a.vdi a.vdi",
        "bench -w -q -c 256 -s 4k -S 1G a.vdi",
        "convert -O vdi a.vdi t",
        "compare a.vdi t",
        "resize a.vdi +128G",
        "check -r all a.vdi",
    ):
        assert run_within(tmp_path, BOUND + BUFFERS, *command.split()) == (0, ""), command
    qemu_img(tmp_path, "check", "a.vdi")
    qemu_img(tmp_path, "check", "t")
