# SPDX-License-Identifier: BSD-2-Clause
"""
Differences from qemu-img that docs/QEMU-IMG.md lists, and that the test of no command holds: what
efi-img does, and that qemu-img still does otherwise.
"""

import json
import os
import subprocess

import pytest

from faults import Image, l2_reserved
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Pair, Result
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def size_of(folder, name):
    return os.path.getsize(folder / name)


@pytest.fixture
def loop(tmp_path):
    """A block device of a MiB, which only root can have."""
    (tmp_path / "disk").write_bytes(bytes(MIB))
    made = subprocess.run(
        ["losetup", "--find", "--show", tmp_path / "disk"], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    yield made.stdout.strip()
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


def test_block_device_takes_its_size(pair, loop):
    ours, theirs = pair.run("info", "--output=json", "-f", "raw", loop)
    assert json.loads(ours.out)["actual-size"] == MIB
    assert json.loads(theirs.out)["actual-size"] == 0


@pytest.mark.parametrize("size, theirs", [(" 1M", MIB), ("+1M", MIB), ("0x10k", 16384)])
def test_sizes_that_are_refused(pair, size, theirs):
    """The last one by a newer qemu-img, too."""
    ours, other = pair.run("create", "-q", "-f", "raw", "x", size)
    assert ours.code == 1 and f'size: "{size}" is not a size' in ours.err
    if size != "0x10k" or not is_newer_than_7_2():
        assert other.code == 0 and size_of(pair.theirs, "x") == theirs
    assert not pair.files()


def test_size_with_many_digits(pair):
    """The last byte is a part of one, and the size is a whole number of sectors; 1G for 7.2."""
    pair.run("create", "-q", "-f", "raw", "x", "1.99999999999999999999G")
    assert size_of(pair.ours, "x") == 2048 * MIB
    assert size_of(pair.theirs, "x") == (2048 * MIB if is_newer_than_7_2() else 1024 * MIB)


@pytest.mark.parametrize(
    "option, words",
    [
        ("nolazy_refcounts", "did you mean lazy_refcounts?"),
        ("nocow=on", "it is for file systems of Linux"),
        ("extent_size_hint=1M", "it is for file systems of Linux"),
    ],
)
def test_options_of_create(pair, option, words):
    ours, theirs = pair.run("create", "-q", "-f", "qcow2", "-o", option, "x", "1M")
    assert ours.code == 1 and words in ours.err and theirs.code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("info", "--image-opts", "driver=qcow2,file.filename=x"),
        ("info", "--object", "secret,id=a,data=b", "x"),
    ],
)
def test_options_of_qemu(pair, words):
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "1M")
    ours, theirs = pair.run(*words)
    assert ours.code == 1 and f"no option {words[1]}" in ours.err and theirs.code == 0


@pytest.mark.parametrize("format", ["vpc", "vhdx", "vmdk", "vdi", "qed", "qcow", "parallels"])
def test_preallocation(pair, format):
    """qemu-img takes it and reserves nothing."""
    ours, theirs = pair.run("create", "-f", format, "-o", "preallocation=full", "x", "64M")
    assert ours.code == 1 and 'no option "preallocation"' in ours.err and not pair.files()
    assert theirs.code == 0 and (pair.theirs / "x").stat().st_blocks * 512 < 16 * MIB


@pytest.mark.parametrize(
    "words",
    [
        ("create", "-q", "-f", "raw", "there", "1M"),
        ("convert", "new", "there"),
        ("dd", "if=new", "of=there"),
    ],
)
def test_existing_file(pair, words):
    for folder in (pair.ours, pair.theirs):
        (folder / "there").write_bytes(b"somebody's")
        (folder / "new").write_bytes(bytes(MIB))
    ours, theirs = pair.run(*words)
    assert ours.code == 1 and "the file exists already; --force would replace it" in ours.err
    assert (pair.ours / "there").read_bytes() == b"somebody's"
    assert theirs.code == 0 and size_of(pair.theirs, "there") == MIB
    assert Result([EFI_IMG, words[0], "--force", *words[1:]], pair.ours).code == 0


@pytest.mark.parametrize(
    "format, options, file",
    [
        ("qcow2", ("-o", "data_file=there"), "there"),
        ("vmdk", ("-o", "subformat=monolithicFlat"), "new-flat"),
        ("raw", ("--split=1M",), "new.001"),
    ],
)
def test_existing_file_of_another_image(pair, format, options, file):
    """A data file, an extent and a part are replaced no more than the image itself."""
    (pair.ours / file).write_bytes(b"somebody's")
    words = ("-q", "-f", format, *options, "new", "2M")
    refused = Result([EFI_IMG, "create", *words], pair.ours)
    assert refused.code == 1 and f"{file}: the file exists already" in refused.err
    assert pair.files() == [file] and (pair.ours / file).read_bytes() == b"somebody's"
    assert Result([EFI_IMG, "create", "--force", *words], pair.ours).code == 0


def test_no_word_before_a_failure(pair):
    """What cannot be made is found before "Formatting ..." is printed."""
    words = ("-f", "qcow2", "-o", "data_file=none/d", "x", "1M")
    ours, theirs = pair.run("create", *words)
    assert (ours.code, theirs.code) == (1, 1)
    assert ours.out == "" and theirs.out.startswith("Formatting ") and not pair.files()


def test_sizes_at_a_snapshot(pair):
    """qemu-img takes the size that the disk has now."""
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "1M")
    pair.qemu_both("snapshot", "-c", "s", "x")
    pair.qemu_both("resize", "-q", "x", "3M")
    pair.run("convert", "-l", "s", "-O", "raw", "x", "y")
    assert (size_of(pair.ours, "y"), size_of(pair.theirs, "y")) == (MIB, 3 * MIB)
    ours, theirs = pair.run("measure", "--output=json", "-l", "s", "-O", "raw", "x")
    assert [done.json()["required"] for done in (ours, theirs)] == [MIB, 3 * MIB]


def test_backing_file_of_a_target_that_is_there(pair):
    for name in ("x", "y", "base"):
        pair.qemu_both("create", "-q", "-f", "qcow2", name, "1M")
    words = ("-n", "-B", "base", "-F", "qcow2", "-O", "qcow2", "x", "y")
    ours, theirs = pair.run("convert", *words)
    assert (ours.code, theirs.code) == (1, 0) and "-B are for a new target" in ours.err


@pytest.mark.parametrize("option", ["size=0", "data_file="])
def test_amend_to_nothing(pair, option):
    """qemu-img succeeds, and leaves the image as it is, or without a name of its data file."""
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "data_file=d", "x", "1M")
    before = (pair.ours / "x").read_bytes()
    ours, theirs = pair.run("amend", "-o", option, "x")
    assert (ours.code, theirs.code) == (1, 0), ours.err + theirs.err
    assert Result([EFI_IMG, "amend", "--force", "-o", option, "x"], pair.ours).code == 1
    assert (pair.ours / "x").read_bytes() == before


def test_amend_that_shrinks(pair):
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "2M")
    ours, theirs = pair.run("amend", "-o", "size=1M", "x")
    assert (ours.code, theirs.code) == (1, 0) and "--force" in ours.err


def test_what_was_cut_off_is_not_shown_again(pair):
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "64k")
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "x", "write -P 5 0 64k")
    pair.run("resize", "-q", "--shrink", "x", "4k")
    pair.run("resize", "-q", "x", "64k")
    qemu_io(pair.ours, "x", "read -P 5 0 4k", "read -P 0 4k 60k")
    qemu_io(pair.theirs, "x", "read -P 5 0 64k")


def test_bitmap_of_no_disk(pair):
    """qemu-img 7.2 says that it has added it, and loses it."""
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "0")
    ours, theirs = pair.run("bitmap", "--add", "x", "b")
    assert (ours.code, theirs.code) == (1, int(is_newer_than_7_2()))
    assert "bitmaps" not in Result(["qemu-img", "info", "x"], pair.theirs).out


def test_resize_beyond_a_bitmap(pair):
    """qemu-img resizes the disk, and then cannot write the bitmap, which stays in use."""
    pair.qemu_both("create", "-q", "-f", "qcow2", "x", "1M")
    pair.qemu_both("bitmap", "--add", "-g", "512", "x", "b")
    before = (pair.ours / "x").read_bytes()
    ours, theirs = pair.run("resize", "-q", "x", "3T")
    assert ours.code == 1 and "a larger granularity" in ours.err
    assert (pair.ours / "x").read_bytes() == before
    assert "Lost persistent bitmaps" in theirs.err


def test_check_without_the_data_file(pair):
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "data_file=d", "x", "1M")
    for folder in (pair.ours, pair.theirs):
        (folder / "d").unlink()
    ours, theirs = pair.run("check", "x")
    assert (ours.code, theirs.code) == (0, 1)


def test_thousand_problems_are_told(pair):
    """Of more than that, how many there are."""
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "x", "1M")
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "x", "write -P 1 0 1M")
        image = Image(folder / "x")
        n = 0
        for i in range(image.n_l1):
            table = image.offset_at(image.l1 + 8 * i)
            for at in range(table, table + 512, 8):
                image.put(at, image.get(at) & ((1 << 63) - 1))
                n += 1
        image.save()
    ours, theirs = pair.run("check", "x")
    assert ours.out == theirs.out and (ours.code, theirs.code) == (2, 2)
    assert n > 2000 and theirs.err.count("OFLAG_COPIED") == n
    assert ours.err.count("OFLAG_COPIED") == 1000


def test_entry_with_reserved_bits(pair):
    qemu_img(pair.ours, "create", "-q", "-f", "qcow2", "x", "1M")
    qemu_io(pair.ours, "x", "write -P 1 0 1M")
    image = Image(pair.ours / "x")
    l2_reserved(image)
    for folder in (pair.ours, pair.theirs):
        (folder / "x").write_bytes(image.bytes)
    ours, theirs = pair.run("convert", "-O", "raw", "x", "y")
    assert ours.code == 1 and "damaged" in ours.err and not (pair.ours / "y").exists()
    assert theirs.code == 0 and (pair.theirs / "y").read_bytes() == bytes([1]) * MIB
    assert [done.code for done in pair.run("check", "x")] == [2, 2]


def test_bitmaps_of_version_2(pair):
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "compat=0.10", "x", "1M")
    ours, theirs = pair.run("convert", "--bitmaps", "-O", "qcow2", "x", "y")
    assert (ours.code, theirs.code) == (0, 1) and "lacks bitmap support" in theirs.err


def test_parallels_that_nobody_opens(pair):
    """One cluster more than qemu-img opens."""
    ours, theirs = pair.run("create", "-f", "parallels", "x", "512T")
    assert ours.code == 1 and "there can be 536870911" in ours.err and not pair.files()
    opened = Result(["qemu-img", "info", "-f", "parallels", "x"], pair.theirs)
    assert theirs.code == 0 and opened.code == 1 and "too large" in opened.err


def test_vhdx_of_no_bytes(pair):
    ours, theirs = pair.run("create", "-f", "vhdx", "x", "0")
    assert (ours.code, theirs.code) == (0, 0)
    assert size_of(pair.ours, "x") < 5 * MIB and size_of(pair.theirs, "x") > 64 * MIB
    for folder in (pair.ours, pair.theirs):
        info = Result([EFI_IMG, "info", "--output=json", "x"], folder)
        assert info.code == 0 and info.json()["virtual-size"] == 0
    assert Result(["qemu-img", "info", "x"], pair.ours).code == 1


def test_measure_takes_what_create_takes(pair):
    ours, theirs = pair.run("measure", "--size=1M", "-O", "qcow2", "-o", "compat=v3")
    assert ours.code == 0 and "required size: 327680" in ours.out
    assert theirs.code == 1 and "Invalid compatibility level" in theirs.err


def test_values_that_are_given_twice(pair):
    words = ("create", "-q", "-f", "qcow2", "-o", "preallocation=,preallocation=off", "x", "1M")
    ours, theirs = pair.run(*words)
    assert ours.code == 1 and 'option preallocation: "" is none of its values' in ours.err
    assert theirs.code == 0 and not pair.files()


def test_compressed_over_data(pair):
    for folder in (pair.ours, pair.theirs):
        qemu_img(folder, "create", "-q", "-f", "qcow2", "x", "1M")
        qemu_io(folder, "x", "write -P 1 0 1M")
        (folder / "disk").write_bytes(b"x" * MIB)
    ours, theirs = pair.run("convert", "-c", "-n", "-O", "qcow2", "disk", "x")
    assert (ours.code, theirs.code) == (0, 1) and "Input/output error" in theirs.err
    same = Result(["qemu-img", "compare", "disk", "x"], pair.ours)
    assert same.code == 0, same.out


def test_rebase_to_another_format_of_the_same_file(pair):
    for folder in (pair.ours, pair.theirs):
        qemu_img(folder, "create", "-q", "-f", "qcow2", "base", "1M")
        qemu_io(folder, "base", "write -P 3 0 1M")
        qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "x")
    ours, theirs = pair.run("rebase", "-b", "base", "-F", "raw", "x")
    assert (ours.code, theirs.code) == (0, 0)
    contents = []
    for folder in (pair.ours, pair.theirs):
        qemu_img(folder, "convert", "-O", "raw", "x", "disk")
        contents.append((folder / "disk").read_bytes())
    assert contents[0] == bytes([3]) * MIB != contents[1]


def test_aes(pair):
    """Encrypted images are described and refused by name (`create` of them as well)."""
    secret = ("--object", "secret,id=a,data=b", "-o", "encrypt.format=aes,encrypt.key-secret=a")
    for format in ("qcow", "qcow2"):
        qemu_img(pair.ours, "create", "-q", "-f", format, *secret, format, "1M")
        info = Result([EFI_IMG, "info", format], pair.ours)
        assert info.code == 0 and "encrypted: yes" in info.out
        read = Result([EFI_IMG, "convert", format, "y"], pair.ours)
        assert read.code == 1 and "AES" in read.err and not (pair.ours / "y").exists()
        made = Result([EFI_IMG, "create", "-f", format, *secret[2:], "z", "1M"], pair.ours)
        assert made.code == 1 and "encrypt" in made.err
