# SPDX-License-Identifier: BSD-2-Clause
"""Restore, clone, images directly on disks and dd onto disks."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import Result
from target_disks import DISKS, done, efi_img, files, make_disks, partition

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from rig import disks  # noqa: E402  (found through the line above)

MISMATCH, REFUSED, NO_SPACE = 11, 12, 13


@pytest.fixture
def place(tmp_path):
    return make_disks(tmp_path)


def same_beginning(place, image, disk, size, format="qcow2"):
    """The disk begins with the image, byte by byte."""
    with open(place / "raw", "wb") as raw:
        raw.write((place / disk).read_bytes()[:size])
    theirs = Result(["qemu-img", "compare", "-s", "-f", format, "-F", "raw", image, "raw"], place)
    (place / "raw").unlink()
    assert theirs.code == 0 or "status mismatch" in theirs.out, theirs.out + theirs.err


@pytest.mark.parametrize(
    "words", [("-n",), (), ("-n", "-O", "raw"), ("-n", "-S", "0"), ("-n", "-S", "64k")]
)
@pytest.mark.parametrize(
    "disk, serial",
    [("empty.img", "EMPTY"), ("large.img", "LARGE"), ("4k.img", "4K"), ("full.img", "FULL")],
)
def test_restore(place, words, disk, serial):
    """Everything of the image is there, its zeros too; behind its end the disk is as it was."""
    before = (place / disk).read_bytes()
    blank = not any(before[:MIB])
    assert done(
        efi_img(
            place,
            "convert",
            *words,
            "image.qcow2",
            f"serial={serial}",
            *([] if blank else [f"--erase={serial}"]),
        )
    ) == [f"serial={serial}"]
    same_beginning(place, "image.qcow2", disk, 6 * MIB + 512)
    assert (place / disk).read_bytes()[6 * MIB + 512 :] == before[6 * MIB + 512 :]


def test_restore_to_a_partition(place):
    before = (place / "full.img").read_bytes()
    qemu_img(place, "create", "-q", "-f", "qcow2", "part.qcow2", str(1500 * 1024))
    qemu_io(place, "part.qcow2", *random_writes(4, 1500 * 1024))
    done(efi_img(place, "convert", "-n", "part.qcow2", "serial=FULL:2", "--erase=FULL:2"))
    after = (place / "full.img").read_bytes()
    start = 6144 * 512
    assert (
        after[:start] == before[:start]
        and after[start + 1500 * 1024 :] == before[start + 1500 * 1024 :]
    )
    qemu_img(place, "convert", "-O", "raw", "part.qcow2", "part.raw")
    assert after[start : start + 1500 * 1024] == (place / "part.raw").read_bytes()


def test_target_is_zero(place):
    """Only then are zeros left out: what the disk has there shows."""
    (place / "zeros").write_bytes(bytes(2 * MIB) + b"x" * 512 + bytes(MIB))
    before = (place / "large.img").read_bytes()
    assert not done(
        efi_img(
            place,
            "convert",
            "-n",
            "--no-verify",
            "--target-is-zero",
            "-f",
            "raw",
            "--no-table",
            "zeros",
            "serial=LARGE",
            "--erase=LARGE",
        )
    )
    after = (place / "large.img").read_bytes()
    assert (
        after[:MIB] == bytes(MIB)
        and after[MIB : 2 * MIB] == before[MIB : 2 * MIB]
        and after[2 * MIB : 2 * MIB + 512] == b"x" * 512
    )


def test_what_is_said_to_be_zero_and_is_not(place):
    """Reading back finds it, and the disk gets no beginning."""
    (place / "zeros").write_bytes(b"y" * 512 + bytes(2 * MIB))
    result = efi_img(
        place,
        "convert",
        "-n",
        "--target-is-zero",
        "-f",
        "raw",
        "--no-table",
        "zeros",
        "serial=LARGE",
        "--erase=LARGE",
    )
    assert result.code == MISMATCH and "serial=LARGE: verification failed" in result.err
    assert not any((place / "large.img").read_bytes()[:MIB])


def sgdisk(place, *words):
    return subprocess.run(
        ["sgdisk", *words],
        cwd=place,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    ).stdout


def gpt_whole(place, name):
    verdict = sgdisk(place, "-v", name)
    assert (
        "No problems found" in verdict and "Warning" not in verdict and "Auto" not in verdict
    ), verdict


def test_clone(place):
    """
    Onto a larger disk: the backup of the GPT goes to the end, nothing else changes. -n and dd
    do the same.
    """
    full, before = (place / "full.img").read_bytes(), (place / "large.img").read_bytes()
    for words in (
        ("convert", "-n", "serial=FULL", "serial=LARGE"),
        ("dd", "bs=1M", "if=full.img", "of=serial=LARGE"),
    ):
        (place / "large.img").write_bytes(before)
        done(efi_img(place, *words, "--erase=large"))
        large = (place / "large.img").read_bytes()
        gpt_whole(place, "large.img")
        assert large[1024 : 8 * MIB - 512] == full[1024 : 8 * MIB - 512] and large[
            8 * MIB - 512 : 8 * MIB
        ] == bytes(512)
        assert large[8 * MIB : 12 * MIB - 33 * 512] == before[8 * MIB : 12 * MIB - 33 * 512]
        assert (
            sgdisk(place, "-p", "large.img").splitlines()[-2:]
            == sgdisk(place, "-p", "full.img").splitlines()[-2:]
        )
        assert "last usable sector is 24542" in sgdisk(place, "-p", "large.img")


@pytest.mark.parametrize("more", [1, 2, 31, 32, 33, 34, 35, 1000])
def test_gpt_on_a_disk_a_little_larger(place, more):
    """Where the new backup lies over the old one."""
    before = random.Random(more).randbytes(8 * MIB + more * 512)
    (place / "more.img").write_bytes(before)
    done(
        efi_img(
            place,
            "convert",
            "-n",
            "serial=FULL",
            "serial=MORE",
            "--erase=MORE",
            disks=DISKS + ":more.img,serial=MORE",
        )
    )
    gpt_whole(place, "more.img")
    full, after = (place / "full.img").read_bytes(), (place / "more.img").read_bytes()
    assert after[1024 : 10001 * 512] == full[1024 : 10001 * 512]


def test_gpt_of_4096_byte_sectors(place):
    """The same table as one that is made for the larger disk, by other code."""
    parts = [disks.Partition(MIB, 2 * MIB), disks.Partition(4 * MIB, 2 * MIB, disks.LINUX)]
    (place / "gpt4k.raw").write_bytes(bytes(7 * MIB))
    guid = disks.write_gpt(place / "gpt4k.raw", parts, 4096)
    done(efi_img(place, "convert", "-n", "gpt4k.raw", "serial=4K"))
    (place / "expected").write_bytes(bytes(8 * MIB))
    old = disks.write_gpt(place / "expected", parts, 4096)
    expected, after = (place / "expected").read_bytes(), (place / "4k.img").read_bytes()
    crcs = [at + field for at in (4096, 8 * MIB - 4096) for field in (16, 17, 18, 19)]
    expected = bytearray(expected.replace(old.bytes_le, guid.bytes_le))
    expected[451:454] = b"\xff\xff\xff"
    expected[440:444] = after[440:444]  # a random number
    for at in crcs:
        expected[at] = after[at]
    old_entries = 7 * MIB - 5 * 4096
    expected[old_entries : old_entries + 4 * 4096] = expected[8192 : 8192 + 4 * 4096]
    assert after == expected
    assert "made for" not in efi_img(place, "list").out


def test_gpt_is_kept(place):
    full, before = (place / "full.img").read_bytes(), (place / "large.img").read_bytes()
    done(
        efi_img(
            place, "convert", "-n", "--gpt=keep", "serial=FULL", "serial=LARGE", "--erase=LARGE"
        )
    )
    assert (place / "large.img").read_bytes() == full + before[len(full) :]


def test_gpt_is_refused(place):
    before = files(place)
    ours = efi_img(
        place, "convert", "-n", "--gpt=refuse", "serial=FULL", "serial=LARGE", "--erase=LARGE"
    )
    assert (
        ours.code == REFUSED
        and "its backup is at LBA 16383, and the disk ends at LBA 24575; --gpt=move" in ours.err
    )
    assert (
        efi_img(
            place,
            "convert",
            "-n",
            "--gpt=refuse",
            "small.img",
            "small.img",
            "serial=LARGE",
            "--erase=LARGE",
        ).code
        == 1
    )
    assert (
        efi_img(
            place, "convert", "-n", "--gpt=perhaps", "serial=FULL", "serial=LARGE", "--erase=LARGE"
        ).code
        == 1
    )
    assert efi_img(place, "convert", "--gpt=keep", "serial=FULL", "t").code == 1
    assert files(place) == before
    done(efi_img(place, "convert", "-n", "--gpt=refuse", "serial=FULL", "serial=EMPTY"))


ODD = {  # what is wrong with the source's GPT: (offset, bytes, the words)
    "backup": (-512, b"x", "there is no header at LBA 16383"),
    "primary": (512 + 60, b"\0\1\2\3", "the header's CRC is"),
    "entries": (1024 + 56, b"\0\1\2\3", "the entries' CRC is"),
    "mbr": (446 + 4, b"\x83", "its MBR is not a protective one"),
}


@pytest.mark.parametrize("disk, size", [("LARGE", 12), ("EXACT", 8)])
@pytest.mark.parametrize("odd", ODD)
def test_odd_gpt(place, odd, disk, size):
    """One that contradicts itself is copied as it is, and that is said; --gpt=refuse does not."""
    at, what, words = ODD[odd]
    full = bytearray((place / "full.img").read_bytes())
    at %= len(full)
    full[at : at + len(what)] = what
    (place / "odd.raw").write_bytes(full)
    (place / "exact.img").write_bytes(bytes(8 * MIB))
    names = DISKS + ":exact.img,serial=EXACT"
    before = (place / f"{disk.lower()}.img").read_bytes()
    refused = efi_img(
        place,
        "convert",
        "-n",
        "--gpt=refuse",
        "odd.raw",
        f"serial={disk}",
        f"--erase={disk}",
        disks=names,
    )
    assert (
        refused.code == REFUSED
        and words in refused.err
        and (place / f"{disk.lower()}.img").read_bytes() == before
    )
    ours = efi_img(
        place, "convert", "-n", "odd.raw", f"serial={disk}", f"--erase={disk}", disks=names
    )
    assert ours.code == 0 and words in ours.err and ours.err.count("\n") == 1
    assert (place / f"{disk.lower()}.img").read_bytes() == full + before[8 * MIB :]


def test_gpt_of_another_end(place):
    """A GPT whose disk is not as large as its image."""
    with open(place / "full.img", "r+b") as disk:
        disk.truncate(9 * MIB)
    ours = efi_img(place, "convert", "-n", "full.img", "serial=LARGE", "--erase=LARGE")
    assert ours.code == 0 and "its backup at LBA 16383, and its disk ends at LBA 18431" in ours.err
    assert (place / "large.img").read_bytes()[: 9 * MIB] == (place / "full.img").read_bytes()


def test_gpt_from_several_sources(place):
    full = (place / "full.img").read_bytes()
    (place / "a").write_bytes(full[: 5 * MIB])
    (place / "b").write_bytes(full[5 * MIB :])
    plan = efi_img(place, "convert", "-n", "a", "b", "serial=LARGE", "--erase=LARGE", "--dry-run")
    assert "\nGPT:     checked after it is written\n" in plan.out
    done(efi_img(place, "convert", "-n", "a", "b", "serial=LARGE", "--erase=LARGE"))
    gpt_whole(place, "large.img")


def test_gpt_in_a_dry_run(place):
    words = ("convert", "-n", "serial=FULL", "serial=LARGE", "--erase=LARGE", "--dry-run")
    assert (
        "\nGPT:     moved to the end of the target: its backup is at LBA 16383, and"
        in efi_img(place, *words).out
    )
    assert efi_img(place, *words, "--output=json").json()["gpt"] == "move"
    assert "\nGPT:     copied as it is: " in efi_img(place, *words, "--gpt=keep").out
    assert efi_img(place, *words, "--output=json", "--gpt=keep").json()["gpt"] == "keep"
    assert (
        efi_img(
            place, "convert", "-n", "serial=FULL", "serial=EMPTY", "--dry-run", "--output=json"
        ).json()["gpt"]
        == ""
    )


def test_gpt_on_a_partition_or_in_part(place):
    """There it is nothing that a machine looks at."""
    small = place / "small.img"
    small.write_bytes(bytes(MIB))
    partition(place, "small.img", (100, 200))
    done(efi_img(place, "convert", "-n", "small.img", "serial=FULL:1", "--erase=FULL:1"))
    assert (place / "full.img").read_bytes()[MIB : 2 * MIB] == small.read_bytes()
    done(
        efi_img(
            place, "dd", "bs=512", "count=2000", "if=small.img", "of=serial=LARGE", "--erase=LARGE"
        )
    )
    assert (place / "large.img").read_bytes()[: 2000 * 512] == small.read_bytes()[: 2000 * 512]


def test_capture_and_restore(place):
    """There and back again, by way of every format."""
    full = (place / "full.img").read_bytes()
    for words in (("-c", "-O", "qcow2"), ("-O", "qcow2"), ("-O", "raw")):
        with open(place / "empty.img", "wb") as disk:
            disk.truncate(8 * MIB)
        done(efi_img(place, "convert", *words, "serial=FULL", "captured", "--force"))
        done(efi_img(place, "convert", "-n", "captured", "serial=EMPTY"))
        assert (place / "empty.img").read_bytes() == full and (
            place / "full.img"
        ).read_bytes() == full


def test_several_sources_and_a_snapshot(place):
    qemu_img(place, "snapshot", "-c", "s", "image.qcow2")
    qemu_io(place, "image.qcow2", "write -P 9 0 1M")
    done(efi_img(place, "convert", "-n", "-l", "s", "image.qcow2", "serial=EMPTY"))
    qemu_img(place, "convert", "-O", "raw", "-l", "s", "image.qcow2", "s.raw")
    assert (place / "empty.img").read_bytes()[: 6 * MIB + 512] == (place / "s.raw").read_bytes()
    (place / "a").write_bytes(b"a" * 512)
    (place / "b").write_bytes(b"b" * 1536)
    done(efi_img(place, "convert", "-n", "-f", "raw", "--no-table", "a", "b", "serial=SMALL"))
    assert (place / "small.img").read_bytes()[:2049] == b"a" * 512 + b"b" * 1536 + b"\0"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-c",),
        ("-c", "-o", "compression_type=zstd"),
        ("-o", "cluster_size=4k,refcount_bits=1"),
        ("-o", "preallocation=metadata"),
        ("-o", "extended_l2=on"),
        ("-o", "data_file=d"),
    ],
)
@pytest.mark.parametrize(
    "target, disk, start",
    [
        ("serial=LARGE", "large.img", 0),
        ("serial=4K", "4k.img", 0),
        ("serial=FULL:1", "full.img", MIB),
    ],
)
def test_image_directly_on_a_disk(place, words, target, disk, start):
    source = "image.qcow2" if start == 0 else "part.qcow2"
    if start:
        qemu_img(place, "create", "-q", "-f", "qcow2", source, "1M")
        qemu_io(place, source, *random_writes(4, MIB))
    before = (place / disk).read_bytes()
    value = target.partition("=")[2]
    done(
        efi_img(
            place,
            "convert",
            "-O",
            "qcow2",
            *words,
            source,
            target,
            *([] if disk == "4k.img" else [f"--erase={value}"]),
        )
    )
    assert efi_img(place, "compare", source, target).code == 0
    assert efi_img(place, "check", target).code == 0
    after = (place / disk).read_bytes()
    (place / "out.qcow2").write_bytes(after[start : start + (2 * MIB if start else len(after))])
    assert Result(["qemu-img", "compare", source, "out.qcow2"], place).code == 0
    check = Result(["qemu-img", "check", "out.qcow2"], place)
    assert check.code == 0, check.out + check.err
    if start:
        assert after[:start] == before[:start] and after[6144 * 512 :] == before[6144 * 512 :]


def test_image_that_does_not_fit(place):
    """What is known before is refused; otherwise what is left does not look like anything."""
    ours = efi_img(place, "convert", "-O", "qcow2", "-S", "0", "image.qcow2", "serial=SMALL")
    assert ours.code == NO_SPACE and (place / "small.img").read_bytes() == bytes(4 * MIB)
    ours = efi_img(place, "convert", "-O", "qcow2", "serial=LARGE", "serial=EMPTY")
    assert (
        ours.code == NO_SPACE
        and "is incomplete now" in ours.err
        and not any((place / "empty.img").read_bytes()[:MIB])
    )


@pytest.mark.parametrize("bs, count, skip", [(512, 100, 7), (65536, 20, 3), (1000, 10, 3)])
def test_dd(place, bs, count, skip):
    before = (place / "large.img").read_bytes()
    qemu_img(place, "convert", "-O", "raw", "image.qcow2", "image.raw")
    expected = (place / "image.raw").read_bytes()[bs * skip : bs * (skip + count)]
    words = (
        "dd",
        f"bs={bs}",
        f"count={count}",
        f"skip={skip}",
        "if=image.qcow2",
        "of=serial=LARGE",
    )
    assert efi_img(place, *words).code == REFUSED and (place / "large.img").read_bytes() == before
    done(efi_img(place, *words, "--erase=LARGE"))
    after = (place / "large.img").read_bytes()
    assert (
        after[: len(expected)] == expected
        and after[MIB + len(expected) :] == before[MIB + len(expected) :]
    )


def test_larger_image_with_zeros_at_its_end(place):
    """What the target has no place for need not be written if it is zeros, stored or not."""
    (place / "s.raw").write_bytes(b"data" * 1000 + bytes(9 * MIB))
    qemu_img(place, "create", "-q", "-f", "qcow2", "s.qcow2", "100G")
    qemu_io(place, "s.qcow2", "write -P 5 3M 1M", "write -P 0 10M 1M")
    done(efi_img(place, "convert", "-n", "-f", "raw", "--no-table", "s.raw", "serial=EMPTY"))
    assert (place / "empty.img").read_bytes() == (b"data" * 1000).ljust(8 * MIB, b"\0")
    result = efi_img(place, "convert", "-n", "s.qcow2", "serial=EMPTY", "--erase=EMPTY")
    done(result)
    assert (
        "serial=EMPTY: verified, identical to s.qcow2 without the 100 GiB of zeros at its end, "
        "for which there is no room; 8 MiB of disk"
    ) in result.out
    assert (place / "empty.img").read_bytes() == bytes(3 * MIB) + b"\x05" * MIB + bytes(4 * MIB)
