# SPDX-License-Identifier: BSD-2-Clause
"""qcow images (version 1) beside qemu-img; differences are those of docs/QEMU-IMG.md."""

import random
import shutil
import struct
import subprocess

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu
from pairs import copy_to_theirs, run_both

SIZE = 5 * MIB + 1536


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def random_writes(seed, size):
    """Data and zeros that begin and end inside clusters."""
    dice = random.Random(seed)
    for _ in range(15):
        offset = dice.randrange(size // 512) * 512
        length = min(dice.choice([512, 4096, 65536, 100352]), size - offset)
        yield f"write {dice.choice(['-P 1', '-P 7', '-z', '-P 0'])} {offset} {length}"


def contents(seed, size=SIZE):
    """Some that compresses well, some a little, some not, and holes."""
    dice = random.Random(seed)
    data = bytearray(size)
    for _ in range(20):
        at = dice.randrange(size)
        n = min(dice.randrange(300000), size - at)
        kind = dice.choice(["text", "letters", "random"])
        if kind == "text":
            data[at : at + n] = (b"hello world " * (n // 12 + 1))[:n]
        elif kind == "letters":
            data[at : at + n] = bytes(dice.choices(b"abcd", k=n))
        else:
            data[at : at + n] = dice.randbytes(n)
    return bytes(data)


def assert_same_disk(folder, name, flat):
    """Both programs read the same as in the raw file, and ours finds nothing wrong."""
    for program in ("qemu-img", EFI_IMG):
        same = Result([program, "compare", "-f", "qcow", "-F", "raw", name, flat], folder)
        assert (same.code, same.out) == (0, "Images are identical.\n"), same.out + same.err
    check = Result([EFI_IMG, "check", name], folder)
    assert check.code == 0 and "No errors were found" in check.out, check.out + check.err


def assert_same_map(folder, name):
    ours, theirs = (
        Result([program, "map", "--output=json", name], folder) for program in (EFI_IMG, "qemu-img")
    )
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err


@pytest.mark.parametrize("size", ["1", "1000", "64M", "3T"])
def test_create(pair, size):
    """The same line, the same bytes."""
    run_both(pair, "create", "-f", "qcow", "a", size)
    assert (pair.ours / "a").read_bytes() == (pair.theirs / "a").read_bytes()
    assert_info_as_qemu(pair.ours, "a")


@pytest.mark.parametrize("backing", ["raw", "qcow2", "qcow"])
@pytest.mark.parametrize("name", ["b", "a-longer-name", "x" * 200])
def test_create_with_backing(pair, backing, name):
    pair.qemu_both("create", "-q", "-f", backing, name, "3M")
    for words in (["a"], ["c", "5M"]):
        run_both(pair, "create", "-f", "qcow", "-b", name, "-F", backing, *words)
        assert (pair.ours / words[0]).read_bytes() == (pair.theirs / words[0]).read_bytes()
        assert_info_as_qemu(pair.ours, words[0])
        assert_info_as_qemu(pair.ours, words[0], "--backing-chain")


@pytest.mark.parametrize(
    "options", ["size=0", "encryption=on,size=1M", "encrypt.format=aes,size=1M", "compat=1,size=1M"]
)
def test_refused_options(pair, options):
    ours, theirs = pair.run("create", "-f", "qcow", "-o", options, "a")
    assert ours.code == theirs.code == 1
    assert ours.err.startswith("efi-img: ") and pair.files() == []
    assert "encrypt" not in options or "encrypt" in ours.err


def test_too_large(pair):
    """qemu-img makes an image that it cannot open."""
    ours, theirs = pair.run("create", "-f", "qcow", "a", "7E")
    assert (ours.code, theirs.code) == (1, 0)
    assert Result(["qemu-img", "info", "-f", "qcow", "a"], pair.theirs).code == 1


def test_encrypted(pair):
    secret = ["--object", "secret,id=s,data=123456"]
    options = ["-o", "encrypt.format=aes,encrypt.key-secret=s"]
    pair.qemu_both("create", "-q", *secret, "-f", "qcow", *options, "a", "1M")
    assert_info_as_qemu(pair.ours, "a")
    for command in ("convert -O raw a b", "compare a a", "map a", "bench -c 1 -w a"):
        refused = Result([EFI_IMG, *command.split()], pair.ours)
        assert refused.code != 0 and "it is encrypted (AES)" in refused.err, refused.err


def test_read(pair):
    """What qemu-img has written: info, map, contents, and where two disks differ."""
    qemu_img(pair.ours, "create", "-q", "-f", "qcow", "a", str(SIZE))
    qemu_io(pair.ours, "a", *random_writes(1, SIZE))
    qemu_img(pair.ours, "convert", "-O", "raw", "a", "flat")
    copy_to_theirs(pair)
    assert_info_as_qemu(pair.ours, "a")
    run_both(pair, "map", "a")
    run_both(pair, "map", "--output=json", "a")
    run_both(pair, "compare", "-s", "a", "a")
    assert_same_disk(pair.ours, "a", "flat")
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "flat", "write -P 99 3M 512", options=("-f", "raw"))
    ours, theirs = pair.run("compare", "-F", "raw", "a", "flat")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 1


def test_read_over_backing(pair):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow", "base", "3M")
    qemu_io(pair.ours, "base", *random_writes(2, 3 * MIB))
    qemu_img(pair.ours, "create", "-q", "-f", "qcow", "-b", "base", "-F", "qcow", "a", "4M")
    qemu_io(pair.ours, "a", "write -P 9 1000k 3k", "write -P 9 3000k 100k", "write -z 2M 1k")
    copy_to_theirs(pair)
    run_both(pair, "map", "--output=json", "a")
    qemu_img(pair.ours, "convert", "-O", "raw", "a", "flat")
    assert_same_disk(pair.ours, "a", "flat")


@pytest.mark.parametrize("seed", range(4))
def test_compressed(pair, seed):
    """
    qemu-img compresses all of it, too, and then fails without a word; what each makes, the other
    reads, and libqcow.
    """
    (pair.ours / "flat").write_bytes(contents(seed))
    copy_to_theirs(pair)
    ours, theirs = pair.run("convert", "-c", "-f", "raw", "-O", "qcow", "flat", "a")
    assert (ours.code, theirs.code) == (0, 1), ours.err
    for folder in (pair.ours, pair.theirs):
        assert_same_disk(folder, "a", "flat")
    size, their_size = ((f / "a").stat().st_size for f in (pair.ours, pair.theirs))
    assert size < their_size * 1.03
    shutil.copy(pair.theirs / "a", pair.ours / "theirs")
    shutil.copy(pair.theirs / "a", pair.theirs / "theirs")
    run_both(pair, "map", "--output=json", "theirs")
    ours, theirs = pair.run("map", "theirs")
    assert ours.code == theirs.code == 1 and "compressed" in ours.err
    if shutil.which("qcowinfo"):
        subprocess.run(["qcowinfo", "a"], cwd=pair.ours, check=True, capture_output=True)
    # over what is compressed, compressed again, and not
    (pair.ours / "flat").write_bytes(contents(seed + 100))
    for words in (["-c"], []):
        done = Result(
            [EFI_IMG, "convert", "-n", *words, "-f", "raw", "-O", "qcow", "flat", "a"], pair.ours
        )
        assert done.code == 0, done.err
        assert_same_disk(pair.ours, "a", "flat")


@pytest.mark.parametrize("seed", range(3))
def test_write(pair, seed):
    (pair.ours / "flat").write_bytes(contents(seed))
    copy_to_theirs(pair)
    run_both(pair, "convert", "-f", "raw", "-O", "qcow", "flat", "a")
    assert_same_map(pair.ours, "a")
    assert_same_disk(pair.ours, "a", "flat")
    if shutil.which("7z"):
        read = subprocess.run(["7z", "x", "-so", "a"], cwd=pair.ours, capture_output=True)
        assert read.stdout == contents(seed)
    qemu_io(pair.ours, "a", *random_writes(seed, SIZE))
    qemu_img(pair.ours, "convert", "-O", "raw", "a", "flat")
    assert_same_disk(pair.ours, "a", "flat")
    (pair.ours / "flat").write_bytes(contents(seed + 50))
    done = Result([EFI_IMG, "convert", "-n", "-f", "raw", "-O", "qcow", "flat", "a"], pair.ours)
    assert done.code == 0, done.err
    assert_same_disk(pair.ours, "a", "flat")


def test_dd_and_bench(pair):
    (pair.ours / "flat").write_bytes(contents(9))
    copy_to_theirs(pair)
    run_both(pair, "dd", "-f", "raw", "-O", "qcow", "bs=64k", "skip=3", "if=flat", "of=a")
    (pair.ours / "part").write_bytes(contents(9)[3 * 65536 :])
    assert_same_disk(pair.ours, "a", "part")
    words = "bench -w -d 1 -c 50 -s 3000 -S 41000 --pattern 65".split()
    for folder, program in ((pair.ours, EFI_IMG), (pair.theirs, "qemu-img")):
        done = Result([program, *words, "--flush-interval", "16", "a"], folder)
        assert done.code == 0, done.err
    qemu_img(pair.theirs, "convert", "-O", "raw", "a", "after")
    assert_same_disk(pair.ours, "a", pair.theirs / "after")


def test_commit(pair):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow", "base", "4M")
    qemu_io(pair.ours, "base", *random_writes(3, 4 * MIB))
    qemu_img(pair.ours, "create", "-q", "-f", "qcow", "-b", "base", "-F", "qcow", "a")
    qemu_io(pair.ours, "a", "write -P 9 1000k 3k", "write -P 9 3000k 100k")
    qemu_img(pair.ours, "convert", "-O", "raw", "a", "flat")
    copy_to_theirs(pair)
    run_both(pair, "commit", "a")
    for name in ("a", "base"):
        assert_same_disk(pair.ours, name, "flat")
    assert_same_map(pair.ours, "a")
    assert (pair.ours / "a").stat().st_size <= 512


@pytest.mark.parametrize("name", ["base", "b" * 100, "b" * 255])
def test_rebase(pair, name):
    """Which qemu-img cannot; its own commit must leave the image as it is thereafter."""
    (pair.ours / "flat").write_bytes(contents(5))
    (pair.ours / name).write_bytes(contents(6))
    qemu_img(pair.ours, "create", "-q", "-f", "raw", "first", str(SIZE))
    words = ["-O", "qcow", "-B", "first", "-F", "raw"]
    assert Result([EFI_IMG, "convert", *words, "flat", "a"], pair.ours).code == 0
    copy_to_theirs(pair)
    ours, theirs = pair.run("rebase", "-b", name, "-F", "raw", "a")
    assert (ours.code, theirs.code) == (0, 1), ours.err
    assert_same_disk(pair.ours, "a", "flat")
    assert_info_as_qemu(pair.ours, "a")
    qemu_img(pair.ours, "commit", "a")
    assert_info_as_qemu(pair.ours, "a")
    assert_same_disk(pair.ours, "a", "flat")
    assert Result([EFI_IMG, "rebase", "-b", "", "a"], pair.ours).code == 0
    assert_same_disk(pair.ours, "a", "flat")


def test_check(pair):
    """There is none in qemu-img."""
    (pair.ours / "flat").write_bytes(contents(1))
    copy_to_theirs(pair)
    run_both(pair, "convert", "-f", "raw", "-O", "qcow", "flat", "a")
    ours, theirs = pair.run("check", "a")
    assert (ours.code, theirs.code) == (0, 63)
    with open(pair.ours / "a", "r+b") as file:
        file.seek(48)
        (table,) = struct.unpack(">Q", file.read(8))
        file.seek(table + 511 * 8)
        file.write(struct.pack(">Q", table))
    ours = Result([EFI_IMG, "check", "a"], pair.ours)
    assert ours.code == 2 and "used for something else" in ours.err
    for command in ("bench -w -c 1 a", "check -r all a"):
        refused = Result([EFI_IMG, *command.split()], pair.ours)
        assert refused.code != 0 and refused.err.startswith("efi-img: "), refused.err


@pytest.mark.parametrize("cut", [512, 4096, 1 << 20])
def test_truncated(pair, cut):
    """qemu-img reads zeros where a cluster is missing."""
    (pair.ours / "flat").write_bytes(random.Random(1).randbytes(3 * MIB))
    qemu_img(pair.ours, "convert", "-f", "raw", "-O", "qcow", "flat", "a")
    with open(pair.ours / "a", "r+b") as file:
        file.truncate((pair.ours / "a").stat().st_size - cut)
    copy_to_theirs(pair)
    ours, theirs = pair.run("convert", "-O", "raw", "a", "b")
    assert ours.code == 1 and ours.err.startswith("efi-img: a: ")
    assert Result([EFI_IMG, "check", "a"], pair.ours).code == 2


def test_measure(pair):
    """For which qemu-img has no measure; nothing is larger than was measured."""
    (pair.ours / "flat").write_bytes(contents(4))
    ours = Result([EFI_IMG, "measure", "--output=json", "-O", "qcow", "flat"], pair.ours)
    assert Result([EFI_IMG, "convert", "-O", "qcow", "flat", "a"], pair.ours).code == 0
    size = (pair.ours / "a").stat().st_size
    assert size <= ours.json()["required"] <= ours.json()["fully-allocated"]


@pytest.mark.parametrize(
    "command", ["resize a +1M", "amend -o size=20M a", "snapshot -c s a", "bitmap --add a b"]
)
def test_what_qcow_cannot(pair, command):
    pair.qemu_both("create", "-q", "-f", "qcow", "a", "1M")
    before = (pair.ours / "a").read_bytes()
    ours, theirs = pair.run(*command.split())
    assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: ")
    assert (pair.ours / "a").read_bytes() == before
