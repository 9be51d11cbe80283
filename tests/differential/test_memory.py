# SPDX-License-Identifier: BSD-2-Clause
"""
16 TiB in 64 MiB of memory besides buffers: caches are bounded, however many tables an image
has. Only `check`, which counts every cluster, needs more.
"""

import os
import resource
import struct
import subprocess

import pytest

from images import qemu_img
from oracle import EFI_IMG, HANG_SECONDS

SIZE = 16 << 40
BOUND = 64 << 20
BUFFERS = (
    4 * (2 + 2) << 20
)  # of two processors: four pieces on their way, of a cluster of 2 MiB and its compressed form


def make_tables(path, cluster, every):
    """
    One L2 table of every so many in a new image is there, and has one cluster of zeros: more of
    them than are kept in memory.
    """
    qemu_img(
        path.parent,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        f"cluster_size={cluster}",
        path.name,
        str(SIZE),
    )
    n_tables = SIZE // (cluster // 8 * cluster) // every
    with open(path, "r+b") as file:
        l1 = struct.unpack(">Q", file.read(48)[40:])[0]
        # The clusters of the file in order: what was there, tables, refcount blocks, refcount
        # table.
        first = -(-file.seek(0, 2) // cluster)
        per_block = cluster // 2
        n_blocks = 1
        while n_blocks * per_block < first + n_tables + n_blocks + -(-n_blocks * 8 // cluster):
            n_blocks += 1
        blocks, end = first + n_tables, first + n_tables + n_blocks + -(-n_blocks * 8 // cluster)
        for i in range(n_tables):
            file.seek(l1 + i * every * 8)
            file.write(struct.pack(">Q", 1 << 63 | (first + i) * cluster))
            file.seek((first + i) * cluster + i % (cluster // 8) * 8)
            file.write(struct.pack(">Q", 1))
        for i in range(n_blocks):
            file.seek((blocks + i) * cluster)
            file.write(b"\0\1" * min(per_block, end - i * per_block))
            file.seek((blocks + n_blocks) * cluster + i * 8)
            file.write(struct.pack(">Q", (blocks + i) * cluster))
        file.truncate(end * cluster)
        file.seek(48)
        file.write(struct.pack(">QI", (blocks + n_blocks) * cluster, -(-n_blocks * 8 // cluster)))


def limit(bound):
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def run_within(folder, bound, *args):
    """What a program allocates and maps for writing counts, used or not."""
    done = subprocess.run(
        [EFI_IMG, *args],
        cwd=folder,
        capture_output=True,
        timeout=HANG_SECONDS,
        preexec_fn=lambda: limit(bound),
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("cluster,every", [(65536, 16), (2 << 20, 1), (8192, 512)])
def test_many_tables(tmp_path, cluster, every):
    make_tables(tmp_path / "a.qcow2", cluster, every)
    layout = f"cluster_size={cluster}"
    for command in (
        ["info", "a.qcow2"],
        ["map", "--output=json", "a.qcow2"],
        ["measure", "-O", "qcow2", "a.qcow2"],
        ["compare", "a.qcow2", "a.qcow2"],
        ["convert", "-O", "qcow2", "-o", layout, "a.qcow2", "t"],
        ["compare", "a.qcow2", "t"],
        [
            "convert",
            "--force",
            "-c",
            "-O",
            "qcow2",
            "-o",
            f"{layout},compression_type=zstd",
            "a.qcow2",
            "t",
        ],
        ["create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "-o", layout, "o"],
        ["rebase", "-b", "", "o"],
        ["snapshot", "-c", "s", "a.qcow2"],
        ["snapshot", "-a", "s", "a.qcow2"],
        ["snapshot", "-d", "s", "a.qcow2"],
        ["resize", "a.qcow2", "+1T"],
        ["resize", "--shrink", "a.qcow2", "9T"],
    ):
        assert run_within(tmp_path, BOUND + BUFFERS, *command) == (0, ""), command
    assert run_within(tmp_path, 8 << 20, "map", "a.qcow2")[0] == 1  # the bound does count
    check = subprocess.run(["qemu-img", "check", "a.qcow2"], cwd=tmp_path, capture_output=True)
    assert check.returncode in (0, 3), check.stderr  # the first refcount structures are left over


@pytest.mark.parametrize(
    "options, size",
    [
        ("-f raw", SIZE - (1 << 20)),  # the largest file of ext4
        ("-f qcow", SIZE),
        ("-f qed", SIZE),
        ("-f vmdk", SIZE),
        ("-f vmdk -o subformat=twoGbMaxExtentSparse", 1 << 40),
        ("-f vmdk -o subformat=streamOptimized", SIZE),
        ("-f vpc", 2040 << 30),
    ],
)
def test_largest_disks(tmp_path, options, size):
    """
    Images of other formats; of these, those of parallels, vdi, vhdx and cloop have tests of their
    own. Data in 64 places of the disk, each with tables of its own.
    """
    words = options.split()
    step = str((1 << 31) - 4096)
    for command in (
        ["create", "-q", *words, "a", str(size)],
        ["bench", "-w", *words[:2], "-c", "64", "-d", "1", "-s", "4k", "-S", step, "a"],
        ["info", *words[:2], "a"],
        ["dd", *words[:2], "if=a", "of=t", "bs=1M", "count=1", "skip=500000"],
    ):
        assert run_within(tmp_path, BOUND, *command) == (0, ""), command


def test_much_written(tmp_path):
    """Every table of the new image is changed, in clusters of the largest size."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", "a.qcow2", str(SIZE))
    words = [word for i in range(32) for word in ("-c", f"write -P 1 {i << 39} 512")]
    assert (
        subprocess.run(["qemu-io", *words, "a.qcow2"], cwd=tmp_path, capture_output=True).returncode
        == 0
    )
    for options in ([], ["-c"], ["-c", "-o", "compression_type=zstd"]):
        command = [
            "convert",
            "--force",
            "-O",
            "qcow2",
            "-o",
            "cluster_size=2M",
            *options,
            "a.qcow2",
            "t",
        ]
        assert run_within(tmp_path, BOUND + BUFFERS, *command) == (0, ""), command
    assert (
        subprocess.run(["qemu-img", "check", "t"], cwd=tmp_path, capture_output=True).returncode
        == 0
    )
