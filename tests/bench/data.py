# SPDX-License-Identifier: BSD-2-Clause
"""What is copied in the benchmarks, and where it lies."""

import shutil
import sys
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
PIECE_BYTES = 8 * MIB


def real_files():
    """Files of this machine, programs and texts by turns, always in the same order."""
    programs = sorted(
        path for path in Path("/usr/lib").rglob("*.so*") if path.is_file() and not path.is_symlink()
    )
    texts = sorted(
        path
        for folder in (
            "/usr/include",
            "/usr/share/perl",
            "/usr/lib/python3",
            ROOT / "build" / "sources",
        )
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    while programs or texts:
        for kind, n in ((programs, 1), (texts, 20)):
            yield from kind[:n]
            del kind[:n]


def make_disk(path, disk_bytes, data_bytes):
    """
    As on a disk in use: a boot sector, and files, each from a multiple of 4 KiB on, in pieces with
    holes of the same size between them. A disk that begins with a program is refused as a file that
    is none.
    """
    with open(path, "wb") as disk:
        disk.truncate(disk_bytes)
        written = 0
        boot_sector = bytes(510) + b"\x55\xaa"
        for content in chain([boot_sector], (name.read_bytes() for name in real_files())):
            content += bytes(-len(content) % 4096)
            while content and written < data_bytes:
                n = min(len(content), PIECE_BYTES - written % PIECE_BYTES)
                disk.seek(written // PIECE_BYTES * 2 * PIECE_BYTES + written % PIECE_BYTES)
                disk.write(content[:n])
                content, written = content[n:], written + n
    if written < data_bytes:
        sys.exit(
            f"There are only {written} bytes of files to make a disk of on this machine; "
            f"{data_bytes} are needed."
        )
    return path


def room(needed_bytes):
    """A directory for the images: in memory, if there is so much of it."""
    memory = Path("/dev/shm")
    if (
        memory.is_dir()
        and shutil.disk_usage(memory).free >= needed_bytes
        and available_bytes() >= 2 * needed_bytes
    ):
        return memory
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    return ROOT / "build" / "bench"


def available_bytes():
    """Memory that nobody needs."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * KIB
    return 0
