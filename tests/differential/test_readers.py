# SPDX-License-Identifier: BSD-2-Clause
"""
Readers that have nothing to do with QEMU take our images as what they are. 7z reads whole disks,
but neither backing files nor zstd; libqcow's qcowinfo reads headers up to what it knows (no zstd,
no subclusters), and the disks would need a mount by FUSE.
"""

import random
import shutil
import subprocess

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, HANG_SECONDS, Result

LAYOUTS = [
    "",
    "compat=0.10",
    "cluster_size=512",
    "cluster_size=2M",
    "refcount_bits=1",
    "lazy_refcounts=on",
    "preallocation=metadata",
]


@pytest.fixture
def disk(tmp_path):
    """
    All kinds of data: what cannot be compressed, zeros, text, and a last cluster that is short.
    """
    dice = random.Random(1)
    parts = [dice.randbytes(300_000), bytes(400_000), b"efi-img " * 40_000, dice.randbytes(70_000)]
    data = b"".join(parts).ljust(3 * MIB + 512 * 7, b"\0")
    (tmp_path / "disk").write_bytes(data)
    return data


def ours(folder, *args):
    done = Result([EFI_IMG, *args], folder)
    assert done.code == 0, done.err


def assert_7z_reads(folder, name, data):
    done = subprocess.run(
        ["7z", "x", "-so", name], cwd=folder, capture_output=True, timeout=HANG_SECONDS
    )
    assert b"ERROR" not in done.stderr and done.stdout == data, done.stderr.decode()


def assert_qcowinfo_reads(folder, name, version, data, snapshots=0):
    done = Result(["qcowinfo", name], folder)
    fields = dict(line.strip().split(":", 1) for line in done.out.splitlines() if ":" in line)
    said = {key.strip(): value.strip() for key, value in fields.items()}
    assert done.code == 0, done.err
    assert said["Format version"] == str(version)
    assert said["Media size"].endswith(f"({len(data)} bytes)")
    assert said["Number of snapshots"] == str(snapshots)


# What is compressed has no place before.
@pytest.mark.parametrize(
    "layout, packed",
    [
        (layout, packed)
        for layout in LAYOUTS
        for packed in ([], ["-c"])
        if not (packed and layout == "preallocation=metadata")
    ],
)
def test_converted(tmp_path, disk, layout, packed):
    ours(
        tmp_path,
        "convert",
        *packed,
        "-O",
        "qcow2",
        *(["-o", layout] if layout else []),
        "disk",
        "image.qcow2",
    )
    assert_7z_reads(tmp_path, "image.qcow2", disk)
    assert_qcowinfo_reads(tmp_path, "image.qcow2", 2 if layout == "compat=0.10" else 3, disk)


def test_changed(tmp_path, disk):
    """Written by qemu-img, then changed by efi-img in every way that keeps the disk."""
    qemu_img(
        tmp_path,
        "convert",
        "-c",
        "-O",
        "qcow2",
        "-o",
        "cluster_size=4k,compat=0.10",
        "disk",
        "image.qcow2",
    )
    ours(tmp_path, "snapshot", "-c", "one", "image.qcow2")
    assert_7z_reads(tmp_path, "image.qcow2", disk)
    ours(tmp_path, "convert", "-n", "-c", "-O", "qcow2", "disk", "image.qcow2")
    ours(tmp_path, "amend", "-o", "compat=1.1,refcount_bits=64", "image.qcow2")
    ours(tmp_path, "bitmap", "--add", "image.qcow2", "noted")
    ours(tmp_path, "check", "-r", "all", "image.qcow2")
    assert_7z_reads(tmp_path, "image.qcow2", disk)
    assert_qcowinfo_reads(tmp_path, "image.qcow2", 3, disk, snapshots=1)


def test_flattened(tmp_path, disk):
    """What was behind an image is in it after a rebase onto nothing."""
    shutil.copy(tmp_path / "disk", tmp_path / "base")
    ours(tmp_path, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "image.qcow2")
    ours(tmp_path, "rebase", "-b", "", "image.qcow2")
    assert_7z_reads(tmp_path, "image.qcow2", disk)
