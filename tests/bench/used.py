# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/used.py PROGRAM

What it saves to copy only what file systems use: a disk with one ext4 file system of which 6/64 are
files is captured, restored and cloned, as it is by default and with --all, in the same boot of
OVMF. bench-copy has the rows; alone, this prints them for PROGRAM: timed.efi, or the program for
Linux, which copies files that it takes for disks, and is quicker for large ones.

The rest of the disk is not empty: it has what was on it before, as on any disk in use, so that a
whole copy has to move it. A fifth of the files that were written have been deleted, so that what is
used is in pieces. Inode tables and the journal are used as well, beside the files. Compression and
hashes, whose time is in proportion to the data, would hide what comes on top of that: both are off.

USED_GIB=n is the size of the disk, at least 2; without it, 64. The machine's disks are in memory,
where each block is kept once (store.py): some GiB, since the old data repeats itself, and the files
do, too. The host's disk has the files twice, until they are in the file system. The program for
Linux has disks and images in files, which need three times as much room: without USED_GIB, its disk
has 64 GiB, or a half, a fourth ... of that, whatever fits.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

from data import GIB, MIB, ROOT, real_files, room

sys.path.insert(0, str(ROOT / "scripts"))

import report  # noqa: E402
from rig import disks  # noqa: E402
from rig.disks import LINUX, Partition, Volume  # noqa: E402
from rig.machine import Drive, Machine  # noqa: E402
from rig.shell import Shell  # noqa: E402
from store import BLOCK, Store, StoredDisk, StoreGate  # noqa: E402

START = MIB  # of the partition; its GPT also has the last MiB of the disk
SHARE = 6 / 64  # of the disk, in files
LIMIT = 0.15  # of the time of a whole copy
OLD_BYTES = 64 * MIB  # after so many, the old data begins again
FULL, LEAST = 64 * GIB, 2 * GIB  # what is fixed is too large a part of less
LARGE = 16 * GIB  # from here on, one round is enough, and is long

COPIES = ("capture", "restore", "clone")


# ---- the disk ----


def needed(disk_bytes, in_files):
    """Room for the files, before and after they are in the file system; and for what else is."""
    return int(disk_bytes * (3 * SHARE + (3 if in_files else 0))) + 2 * GIB


def choose_bytes(in_files):
    """Of the disk."""
    if "USED_GIB" in os.environ:
        return int(os.environ["USED_GIB"]) * GIB
    free = shutil.disk_usage(ROOT).free
    size = FULL
    while size > LEAST and needed(size, in_files) > free * 0.9:
        size //= 2
    return size


def old_data():
    """What was on the disk before: no block of it is zeros."""
    old, zeros = bytearray(), bytes(BLOCK)
    for name in cycle(list(real_files())):
        content = name.read_bytes()
        for at in range(0, len(content) - BLOCK + 1, BLOCK):
            block = content[at : at + BLOCK]
            if block != zeros:
                old += block
        if len(old) >= OLD_BYTES:
            return bytes(old[:OLD_BYTES])


def copy_files(top, n_bytes):
    """Copies files of this machine, again and again until there are enough; returns their names."""
    names, written = [], 0
    for name in cycle(list(real_files())):
        folder = f"d{len(names) // 500}"
        (top / folder).mkdir(exist_ok=True)
        names.append(f"{folder}/f{len(names)}")
        shutil.copyfile(name, top / names[-1])
        written += (name.stat().st_size + BLOCK - 1) // BLOCK * BLOCK
        if written >= n_bytes:
            return names


def make_source(place, store, disk_bytes):
    """The disk, and how many of its bytes the file system has in use."""
    file = disks.make_disk(place / "files.img", disk_bytes)
    size = disk_bytes - 2 * START
    disks.write_gpt(file, [Partition(START, size, LINUX, "root")])
    # Holes of the file become old data: what is to be zero is written.
    os.environ["UNIX_IO_NOZEROOUT"] = "1"
    with tempfile.TemporaryDirectory(dir=place) as top:
        names = copy_files(Path(top), disk_bytes * SHARE * 5 / 4)
        disks.run(
            *("/sbin/mkfs.ext4", "-q", "-F", "-b", BLOCK, "-d", top),
            *("-E", f"offset={START},nodiscard,lazy_itable_init=0,lazy_journal_init=0"),
            *(file, f"{size // 1024}k"),
        )
    (place / "deleted").write_text("".join(f"rm {name}\n" for name in names[::5]))
    volume = f"{file}?offset={START}"
    disks.run("/sbin/debugfs", "-w", "-f", place / "deleted", volume)
    facts = disks.run("/sbin/dumpe2fs", "-h", volume)
    blocks, free = (
        int(re.search(rf"^{word}: +(\d+)$", facts, re.M)[1])
        for word in ("Block count", "Free blocks")
    )
    disk = StoredDisk(store, disk_bytes, old_data()).load(file)
    file.unlink()
    return disk, (blocks - free) * BLOCK


# ---- the copies ----


def make_volume(place, timed, store, disk_bytes):
    """Where the program and the images are."""
    file = disks.make_disk(place / "volume.img", disk_bytes + disk_bytes // 4 + 2 * GIB)
    Volume(file).format(32, cluster=32768).put(timed, "/timed.efi")
    return StoredDisk(store, file.stat().st_size).load(file)


def in_firmware(place, timed, store, source, rounds):
    """[one_round()] of timed.efi."""
    volume = make_volume(place, timed, store, source.size)
    drives = [
        Drive("nvme", place / serial, serial, gate=StoreGate(disk))
        for serial, disk in (
            ("VOLUME", volume),
            ("SOURCE", source),
            ("TARGET", StoredDisk(store, source.size)),
        )
    ]
    deadline = 900 + 300 * rounds * source.size // GIB
    with Machine(place / "used", drives, deadline=deadline, memory=1024, processors=2) as machine:
        shell = Shell(machine)
        shell.run("fs0:")

        def run(line):
            text = shell.run(f"timed.efi {line}")
            code, ns = map(int, re.search(r"exit code (\d+) after (\d+) ns", text).groups())
            if code:
                raise machine.failure(f"{line}: exit code {code}")
            return ns / 1e9

        found = [one_round(run) for _ in range(rounds)]
        shell.power_off()
    return found


def in_linux(place, program, source, rounds):
    """The same of the program for Linux."""
    target = disks.make_disk(place / "target.img", source.size)
    disks_of = f"{source.save(place / 'source.img')},serial=SOURCE:{target},serial=TARGET"

    def run(line):
        start = time.monotonic()
        subprocess.run(
            [program.resolve(), *line.split()],
            cwd=place,
            env=dict(os.environ, EFI_IMG_DISKS=disks_of),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.monotonic() - start

    return [one_round(run) for _ in range(rounds)]


def one_round(run):
    """
    {what: (seconds for what is used, seconds for all)}. What is used comes first: all of the rest
    is on the target afterwards.
    """
    times = {}
    captured = [
        run(f"capture --no-compress --no-manifest {more} serial=SOURCE {name}.qcow2")
        for name, more in (("used", ""), ("whole", "--all"))
    ]
    times["capture"] = captured
    times["restore"] = [
        run(f"restore {name}.qcow2 serial=TARGET --erase=TARGET") for name in ("used", "whole")
    ]
    times["clone"] = [
        run(f"clone {more} serial=SOURCE serial=TARGET --erase=TARGET") for more in ("", "--all")
    ]
    for name in ("used", "whole"):
        run(f"remove {name}.qcow2")
    return times


def measure(place, program, disk_bytes, rounds):
    """Returns [one_round()], and the bytes in use."""
    store = Store()
    source, used_bytes = make_source(place, store, disk_bytes)
    if program.suffix == ".efi":
        return in_firmware(place, program, store, source, rounds), used_bytes
    return in_linux(place, program, source, rounds), used_bytes


def show_used(table, program):
    """Adds the rows to a table of report.py."""
    in_files = program.suffix != ".efi"
    disk_bytes = choose_bytes(in_files)
    rounds = 1 if disk_bytes >= LARGE else int(os.environ.get("ROUNDS", 3))
    with tempfile.TemporaryDirectory(dir=room(needed(disk_bytes, in_files))) as directory:
        found, used_bytes = measure(Path(directory), program, disk_bytes, rounds)
    title = f"{used_bytes / GIB:.3g} of {disk_bytes // GIB} GiB used : all"
    for name in COPIES:
        used, whole = (statistics.median(times[name][i] for times in found) for i in (0, 1))
        table.add(f"{name}, {title}", f"{used:.2f} : {whole:.2f} s", used / whole, most=LIMIT)


if __name__ == "__main__":
    show_used(report.Table("copy"), Path(sys.argv[1]))
