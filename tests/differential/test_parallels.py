# SPDX-License-Identifier: BSD-2-Clause
"""parallels: beside qemu-img, whose images efi-img's are byte by byte, and samples of Parallels."""

import random
import shutil
import signal
import struct

import pytest

import samples
from images import qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, Result, assert_as_qemu, assert_info_as_qemu, both, efi_img
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path
from test_memory import BOUND, BUFFERS, SIZE, run_within

MIB = 1 << 20
CLUSTERS = ("1M", "64k", "4k", "98304", "1000")
SAMPLES = samples.names("parallels")


def assert_judged(folder, name, raw):
    check = Result(["qemu-img", "check", "-f", "parallels", name], folder)
    assert check.code == 0 and check.err == "", check.out + check.err
    same = Result(["qemu-img", "compare", "-f", "parallels", "-F", "raw", name, raw], folder)
    assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err


def make_disk(folder, name="disk", size=9 * MIB + 1536, seed=1):
    dice = random.Random(seed)
    with open(folder / name, "wb") as file:
        file.truncate(size)
        for _ in range(12):
            file.seek(dice.randrange(size - 70000))
            file.write(dice.randbytes(dice.choice([512, 4096, 70000])))


def poke(folder, name, at, value):
    with open(folder / name, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", value))


# ---- creating and copying ----


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("size", ["0", "1000", "64M", "10000k"])
def test_create(tmp_path, cluster, size):
    pair = Pair(tmp_path)
    ours, theirs = pair.run("create", "-f", "parallels", "-o", f"cluster_size={cluster}", "a", size)
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, ours.out)
    assert (pair.ours / "a").read_bytes() == (pair.theirs / "a").read_bytes()
    assert_info_as_qemu(pair.ours, "a")
    assert_as_qemu(pair.ours, "map", "--output=json", "a")
    efi_img(pair.ours, "check", "a")


@pytest.mark.parametrize(
    "args", [("cluster_size=0", "4M"), ("cluster_size=2G", "4M"), ("cluster_size=4k", "3T")]
)
def test_create_refused(tmp_path, args):
    ours, theirs = both(tmp_path, "create", "-q", "-f", "parallels", "-o", args[0], "a", args[1])
    assert ours.code == 1 and "cluster" in ours.err
    assert theirs.code == 1 or args[1] == "3T"  # whose image it does not open itself
    if theirs.code == 0:
        assert Result(["qemu-img", "info", "a"], tmp_path).code == 1


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("extra", [(), ("-S", "0")])
def test_convert_into(tmp_path, cluster, extra):
    make_disk(tmp_path)
    words = ("convert", "-f", "raw", "-O", "parallels", "-o", f"cluster_size={cluster}", *extra)
    efi_img(tmp_path, *words, "disk", "a")
    assert_judged(tmp_path, "a", "disk")
    efi_img(tmp_path, "compare", "-F", "raw", "a", "disk")
    qemu_img(tmp_path, *words, "disk", "b")
    if cluster != "1000" or extra != ():  # zeros are looked for in pieces of 4 KiB
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        assert_as_qemu(tmp_path, "compare", "-s", "a", "b")


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("seed", range(2))
def test_read_what_qemu_writes(tmp_path, cluster, seed):
    size = 12 * MIB + 512
    words = ("create", "-q", "-f", "parallels", "-o", f"cluster_size={cluster}")
    qemu_img(tmp_path, *words, "a", str(size))
    qemu_io(tmp_path, "a", *random_writes(seed, size, freed=False), options=("-f", "parallels"))
    assert_info_as_qemu(tmp_path, "a")
    assert_as_qemu(tmp_path, "check", "a")
    assert_as_qemu(tmp_path, "check", "--output=json", "a")
    assert_as_qemu(tmp_path, "map", "a")
    assert_as_qemu(tmp_path, "map", "--output=json", "a")
    efi_img(tmp_path, "convert", "-O", "raw", "a", "flat")
    assert_judged(tmp_path, "a", "flat")
    with open(tmp_path / "flat", "r+b") as file:
        file.seek(5 * MIB + 700 * seed)
        file.write(b"different")
    assert assert_as_qemu(tmp_path, "compare", "-F", "raw", "a", "flat").code == 1


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("maker", ["qemu-img", EFI_IMG])
def test_write_into(tmp_path, cluster, maker):
    """convert -n, dd, bench -w and commit, into images of either program."""
    make_disk(tmp_path)
    words = ("create", "-q", "-f", "parallels", "-o", f"cluster_size={cluster}", "a", "9438720")
    made = Result([maker, *words], tmp_path)
    assert made.code == 0, made.err
    for seed in (1, 2):
        make_disk(tmp_path, seed=seed)
        efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "parallels", "disk", "a")
        assert_judged(tmp_path, "a", "disk")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "a", "-F", "parallels", "top")
    qemu_io(tmp_path, "top", "write -P 9 3000k 2M", "write -z 1M 70k")
    qemu_img(tmp_path, "convert", "-O", "raw", "top", "flat")
    efi_img(tmp_path, "commit", "top")
    assert_judged(tmp_path, "a", "flat")
    bench = ("bench", "-w", "-q", "-c", "20", "-s", "4096", "-S", "524288", "--pattern", "7")
    efi_img(tmp_path, *bench, "-f", "parallels", "a")
    efi_img(tmp_path, "convert", "--force", "-O", "raw", "a", "flat")
    assert_judged(tmp_path, "a", "flat")
    efi_img(tmp_path, "dd", "-f", "raw", "-O", "parallels", "bs=64k", "if=disk", "of=d")
    qemu_img(tmp_path, "convert", "-f", "parallels", "-O", "raw", "d", "flat")
    assert_judged(tmp_path, "d", "flat")


def test_qemu_writes_into_ours(tmp_path):
    size = 12 * MIB + 512
    efi_img(tmp_path, "create", "-q", "-f", "parallels", "-o", "cluster_size=64k", "a", str(size))
    commands = list(random_writes(5, size, freed=False))
    qemu_io(tmp_path, "a", *commands, options=("-f", "parallels"))
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "flat", str(size))
    qemu_io(tmp_path, "flat", *commands, options=("-f", "raw"))
    assert_judged(tmp_path, "a", "flat")
    efi_img(tmp_path, "compare", "-F", "raw", "a", "flat")


# ---- samples ----


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(tmp_path, name):
    samples.unpack(name, tmp_path)
    assert_info_as_qemu(tmp_path, name)
    assert_as_qemu(tmp_path, "map", name)
    assert_as_qemu(tmp_path, "map", "--output=json", name)
    if name != "parallels-with-bitmap":
        assert_as_qemu(tmp_path, "check", name)
        efi_img(tmp_path, "convert", "-O", "raw", name, "flat")
        assert_judged(tmp_path, name, "flat")
        flat = (tmp_path / "flat").read_bytes()
        assert flat[: 64 << 10] == b"\x11" * (64 << 10) and not any(flat[256 << 10 :])


@pytest.mark.parametrize("name", ["parallels-v1", "parallels-v2"])
def test_write_into_sample(tmp_path, name):
    samples.unpack(name, tmp_path)
    make_disk(tmp_path, size=2 * MIB)
    efi_img(tmp_path, "convert", "-n", "-f", "raw", "-O", "parallels", "disk", name)
    assert_judged(tmp_path, name, "disk")


def test_extension(tmp_path):
    """Its bitmap is neither a leak nor cut off, and nobody writes past it."""
    name = "parallels-with-bitmap"
    path = samples.unpack(name, tmp_path)
    before = path.read_bytes()
    ours, theirs = both(tmp_path, "check", name)
    assert (ours.code, theirs.code) == (0, 0 if is_newer_than_7_2() else 3)
    efi_img(tmp_path, "check", "-r", "all", name)
    refused = efi_img(tmp_path, "bench", "-w", "-c", "1", name, code=1)
    assert "extension (in sector 4096) with a dirty bitmap" in refused.err
    assert path.read_bytes() == before


# ---- checking ----


@pytest.fixture
def image(tmp_path):
    make_disk(tmp_path)
    words = ("convert", "-f", "raw", "-O", "parallels", "-o", "cluster_size=64k", "-S", "0")
    qemu_img(tmp_path, *words, "disk", "a")
    return tmp_path


def assert_repaired(folder, raw="disk"):
    efi_img(folder, "check", "-r", "all", "a")
    assert_judged(folder, "a", raw)


def test_not_closed(image):
    poke(image, "a", 44, 0x746F6E59)
    assert assert_as_qemu(image, "check", "a").code == 2
    assert_as_qemu(image, "info", "a")
    shutil.copy(image / "a", image / "b")
    assert_repaired(image)
    # opened for writing, it is looked through, and closed by us
    efi_img(image, "bench", "-w", "-q", "-c", "1", "-n", "b")
    assert Result(["qemu-img", "check", "b"], image).code == 0


def test_leaks(image):
    with open(image / "a", "ab") as file:
        file.write(bytes(200000))
    assert assert_as_qemu(image, "check", "a").code == 3
    assert_as_qemu(image, "check", "--output=json", "a")
    shutil.copy(image / "a", image / "b")
    repaired = Result(["qemu-img", "check", "-r", "leaks", "b"], image)
    assert efi_img(image, "check", "-r", "leaks", "a").out == repaired.out
    assert (image / "a").read_bytes() == (image / "b").read_bytes()
    assert_judged(image, "a", "disk")


def test_past_end(image):
    poke(image, "a", 64 + 4 * 5, 0x1000)
    ours, theirs = both(image, "check", "--output=json", "a")
    assert ours.code == 2 and ours.json()["corruptions"] == 1
    if theirs.code != -signal.SIGABRT:  # by which qemu-img 10.0 ends: an assertion of it fails
        assert theirs.code == 2 and theirs.json()["corruptions"] == 1
    refused = efi_img(image, "convert", "-O", "raw", "a", "t", code=1)
    assert "past the end of the file" in refused.err
    with open(image / "disk", "r+b") as file:
        file.seek(5 * 65536)
        file.write(bytes(65536))
    assert_repaired(image)


def test_cut_short(image):
    with open(image / "a", "r+b") as file:
        file.truncate(5 * MIB + 1000)
    refused = efi_img(image, "convert", "-O", "raw", "a", "t", code=1)
    assert "it was cut short" in refused.err and not (image / "t").exists()
    assert efi_img(image, "check", "a", code=2).err.count("corrupt:") > 10


def test_doubled_cluster(image):
    """Which qemu-img 7.2 does not see."""
    poke(image, "a", 64 + 4 * 5, 1)
    ours, theirs = both(image, "check", "a")
    assert ours.code == 2 and theirs.code == (2 if is_newer_than_7_2() else 0)
    refused = efi_img(image, "bench", "-w", "-c", "1", "a", code=1)
    assert "check -r all" in refused.err
    efi_img(image, "convert", "-O", "raw", "a", "flat")
    assert_repaired(image, "flat")


def test_large_bat_is_no_leak(tmp_path):
    """qemu-img 7.2 calls the BAT of an empty image a leak, and -r leaks cuts it off."""
    qemu_img(tmp_path, "create", "-q", "-f", "parallels", "-o", "cluster_size=4k", "a", "64M")
    ours, theirs = both(tmp_path, "check", "a")
    assert (ours.code, theirs.code) == (0, 0 if is_newer_than_7_2() else 3)


def test_measure(tmp_path):
    make_disk(tmp_path)
    efi_img(tmp_path, "convert", "-f", "raw", "-O", "parallels", "disk", "a")
    assert Result(["qemu-img", "measure", "-O", "parallels", "disk"], tmp_path).code == 1
    said = efi_img(tmp_path, "measure", "--output=json", "-O", "parallels", "disk").json()
    assert said["required"] == (tmp_path / "a").stat().st_size


def test_resize_refused(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "parallels", "a", "4M")
    ours, theirs = both(tmp_path, "resize", "-f", "parallels", "a", "8M")
    assert ours.code == theirs.code == 1 and "keep their size" in ours.err


def test_memory(tmp_path):
    """A BAT of 64 MiB, with entries in all parts of it, is not in memory as a whole."""
    efi_img(tmp_path, "create", "-q", "-f", "parallels", "a", str(SIZE))
    n, step = 256, SIZE // MIB // 256
    first = (tmp_path / "a").stat().st_size // MIB
    for i in range(n):
        poke(tmp_path, "a", 64 + 4 * (i * step + i), first + i)
    with open(tmp_path / "a", "r+b") as file:
        file.truncate((first + n) * MIB)
    qemu_img(tmp_path, "check", "a")
    for command in (
        "info a",
        "check a",
        "map --output=json a",
        "compare a a",
        "bench -w -q -c 256 -s 4k -S 1G a",
        "convert -O parallels a t",
        "compare a t",
        "check -r all a",
    ):
        assert run_within(tmp_path, BOUND + BUFFERS, *command.split()) == (0, ""), command
    qemu_img(tmp_path, "check", "a")
    efi_img(tmp_path, "check", "t")
