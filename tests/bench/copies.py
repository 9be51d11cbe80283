# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/copies.py TIMED

Boots TIMED (tests/bench/timed.c) in OVMF, and has it capture and restore a disk: what that takes
beside what efi-img's own `bench` finds, in the same boot and by turns, that the disks need for the
bytes that are moved; compressed with one processor beside two; into a file in many pieces; with 256
MiB of memory; what file systems use beside all of a disk (used.py). Prints one table of ratios, and
writes it to build/bench.json.
"""

import os
import re
import statistics
import struct
import sys
import tempfile
from pathlib import Path

from data import GIB, MIB, ROOT, make_disk, room

sys.path.insert(0, str(ROOT / "scripts"))

import report  # noqa: E402
from rig import disks  # noqa: E402
from rig.disks import Volume  # noqa: E402
from rig.machine import Drive, Machine  # noqa: E402
from rig.shell import Shell  # noqa: E402
from used import show_used  # noqa: E402

ROUNDS, PAIRS = int(os.environ.get("ROUNDS", 5)), int(os.environ.get("PAIRS", 3))
DISK_BYTES, DATA_BYTES, VOLUME_BYTES, FILE_BYTES = GIB, 384 * MIB, 2 * GIB, 192 * MIB
CLUSTER = 64 << 10
LIMIT = 1.25  # of what the disks themselves need
CODECS = ("zlib", "zstd")

CAPTURE = "convert -O qcow2 serial=SOURCE image.qcow2 --force"
RESTORE = "convert -n image.qcow2 serial=TARGET --erase=TARGET"
LINES = {
    "read": f"bench -c {DISK_BYTES // MIB} -s 1M serial=SOURCE",
    "write": f"bench -w -c {DISK_BYTES // MIB} -s 1M --pattern=85 serial=TARGET --erase=TARGET",
    "back": f"bench -c {DISK_BYTES // MIB} -s 1M serial=TARGET",
    "file-write": f"bench -w -f raw -c {FILE_BYTES // MIB} -s 1M --pattern=85 bare.raw",
    "file-read": f"bench -f raw -c {FILE_BYTES // MIB} -s 1M bare.raw",
    "clone": "convert -n serial=SOURCE serial=TARGET --erase=TARGET",
    "to-disk": "convert -O qcow2 serial=SOURCE serial=TARGET --erase=TARGET",
    "capture": CAPTURE,
    "restore": RESTORE,
}
COPIES = (
    {  # name: what it reads and writes of the devices, times the disk's bytes or those of its data
        "clone": ("disk", "disk", "disk"),
        "to-disk": ("disk", "data", "data"),
        "capture": ("disk", "data", "data"),
        "restore": ("data", "disk", "disk"),
    }
)
TITLES = {
    "clone": "NVMe -> NVMe, as it is",
    "to-disk": "NVMe -> NVMe, as qcow2",
    "capture": "NVMe -> FAT32, qcow2",
    "restore": "FAT32, qcow2 -> NVMe",
}


# ---- the machine ----


def data_bytes(path):
    """Of the clusters of a disk that are not all zeros."""
    zeros = bytes(CLUSTER)
    with open(path, "rb") as disk:
        return sum(CLUSTER for cluster in iter(lambda: disk.read(CLUSTER), b"") if cluster != zeros)


def break_up(volume, run_clusters):
    """
    Marks one cluster behind every so many as bad, in both FATs: no file gets more than so many
    in a row.
    """
    with open(volume.image, "r+b") as file:
        boot = file.read(512)
        block, reserved, fats = (
            struct.unpack_from("<H", boot, 11)[0],
            struct.unpack_from("<H", boot, 14)[0],
            boot[16],
        )
        fat_bytes = struct.unpack_from("<I", boot, 36)[0] * block
        file.seek(reserved * block)
        table = bytearray(file.read(fat_bytes))
        for entry in range(2 + run_clusters, fat_bytes // 4, run_clusters + 1):
            if table[4 * entry : 4 * entry + 4] == bytes(4):
                struct.pack_into("<I", table, 4 * entry, 0x0FFFFFF7)
        for number in range(fats):
            file.seek(reserved * block + number * fat_bytes)
            file.write(table)


def make_drives(place, timed):
    """The volume with the program, two disks, and a volume of many pieces."""
    source = make_disk(place / "source.img", DISK_BYTES, DATA_BYTES)
    volume = Volume(disks.make_disk(place / "volume.img", VOLUME_BYTES)).format(32, cluster=4096)
    volume.put(timed, "/timed.efi")
    pieces = Volume(disks.make_disk(place / "pieces.img", VOLUME_BYTES)).format(32, cluster=4096)
    break_up(pieces, 16)
    target = disks.make_disk(place / "target.img", DISK_BYTES)
    return [
        Drive("nvme", image, serial, keeps_zeros=True)
        for image, serial in (
            (volume.image, "VOLUME"),
            (pieces.image, "PIECES"),
            (source, "SOURCE"),
            (target, "TARGET"),
        )
    ]


class Guest:
    """The machine, booted to its shell."""

    def __init__(self, machine):
        self.machine = machine
        self.shell = Shell(machine)
        self.shell.run("fs0:")

    def run(self, line):
        """
        Seconds that a command took: for a bench, its requests alone, and
        self.opening is the rest of it.
        """
        text = self.shell.run(f"timed.efi {line}")
        code, ns = map(int, re.search(r"exit code (\d+) after (\d+) ns", text).groups())
        if code:
            raise self.machine.failure(f"{line}: exit code {code}")
        requests = re.search(r"Run completed in ([\d.]+) seconds", text)
        if not requests:
            return ns / 1e9
        self.opening = ns / 1e9 - float(requests.group(1))
        return float(requests.group(1))

    def writes(self, number):
        """Requests to write, and bytes, that a drive has had so far."""
        stats = self.machine.qmp("query-blockstats")
        stats = next(item["stats"] for item in stats if item.get("device") == f"disk{number}-image")
        return stats["wr_operations"], stats["wr_bytes"]


def boot(place, drives, use, **options):
    """What use(guest) returns."""
    with Machine(
        place / "machine", drives, deadline=900, **{"memory": 1024, "processors": 2, **options}
    ) as machine:
        guest = Guest(machine)
        result = use(guest)
        guest.shell.power_off()
        return result


# ---- beside the devices ----


def rounds(guest):
    """[{what: seconds}], one for each round."""
    guest.run(f"create -f raw bare.raw {FILE_BYTES}")
    found = []
    for _ in range(ROUNDS + 1):
        times = {}
        for name, line in LINES.items():
            if name in COPIES:
                times[f"{name}-bare"] = guest.run(f"{line} --no-verify")
            times[name] = guest.run(line)
            if name == "read":
                times["opening"] = guest.opening
        times["pieces"] = guest.run(CAPTURE.replace("image", r"fs1:\image") + " --no-verify")
        found.append(times)
    return found[1:]  # the first has warmed up


def devices(name, times, verified, disk_bytes, used_bytes):
    """The seconds that the disks themselves need for the bytes of a copy."""
    share = {"disk": 1, "data": used_bytes / disk_bytes}
    read, written, back = (share[part] for part in COPIES[name])
    return (
        read * times["read"] + written * times["write"] + (back * times["back"] if verified else 0)
    )


def median_of(found, value):
    return statistics.median(value(times) for times in found)


def show_copies(table, found, used_bytes):
    """
    Finding the disks takes its time once for each command, however large they are: that is a
    row of its own.
    """
    table.add(
        "finding the disks : the devices' time for all of one",
        f"{median_of(found, lambda t: t['opening']):.2f} s",
        median_of(found, lambda t: t["opening"] / (t["read"] + t["write"])),
    )
    for name in COPIES:
        for verified in (False, True):
            key = name if verified else f"{name}-bare"

            def limit(times, name=name, verified=verified):
                return devices(name, times, verified, DISK_BYTES, used_bytes)

            table.add(
                f"{TITLES[name]}{', verified' if verified else ''} : devices",
                f"{median_of(found, lambda t: t[key] - t['opening']):.2f} : "
                f"{median_of(found, limit):.2f} s",
                median_of(found, lambda t: (t[key] - t["opening"]) / limit(t)),
                most=LIMIT,
            )
    table.add(
        "FAT32 file : device, write",
        "",
        median_of(found, lambda t: t["file-write"] / t["write"] * DISK_BYTES / FILE_BYTES),
    )
    table.add(
        "FAT32 file : device, read",
        "",
        median_of(found, lambda t: t["file-read"] / t["read"] * DISK_BYTES / FILE_BYTES),
    )
    table.add(
        "NVMe -> FAT32 in pieces of 64 KiB : in one",
        "",
        median_of(found, lambda t: t["pieces"] / t["capture-bare"]),
    )


# ---- beside one processor, and with little memory ----


def pack(guest):
    return {
        kind: guest.run(
            f"convert -c -O qcow2 -o compression_type={kind} serial=SOURCE image.qcow2 "
            "--force --no-verify"
        )
        for kind in CODECS
    }


def show_processors(table, place, drives):
    pairs = [[boot(place, drives, pack, processors=n) for n in (1, 2)] for _ in range(PAIRS)]
    for kind in CODECS:
        one, two = ([pair[i][kind] for pair in pairs] for i in (0, 1))
        table.add(
            f"NVMe -> FAT32, -c {kind}, 1 : 2 processors",
            f"{statistics.median(one):.1f} : {statistics.median(two):.1f} s",
            statistics.median(a / b for a, b in zip(one, two)),
            least=1.7,
        )


def little(guest):
    return {"capture": guest.run(CAPTURE), "restore": guest.run(RESTORE)}


def show_memory(table, place, drives, found):
    few = boot(place, drives, little, memory=256)
    for name, seconds in few.items():
        table.add(
            f"{TITLES[name]}, verified, 256 : 1024 MiB",
            f"{seconds:.2f} s",
            seconds / median_of(found, lambda t: t[name]),
        )


def count_writes(guest):
    """Bytes beside the data that a capture writes, to a disk and to the volume."""
    before = guest.writes(0)
    guest.run(f"{CAPTURE} --no-verify")
    after = guest.writes(0)
    return [b - a for a, b in zip(before, after)]


def main():
    timed = Path(sys.argv[1])
    table = report.Table("copy")
    with tempfile.TemporaryDirectory(dir=room(6 * GIB)) as directory:
        place = Path(directory)
        drives = make_drives(place, timed)
        used = data_bytes(drives[2].image)
        found = boot(place, drives, rounds)
        show_copies(table, found, used)
        show_memory(table, place, drives, found)
        requests, written = boot(place, drives, count_writes)
        table.add("NVMe -> FAT32: bytes written : data", f"{requests} requests", written / used)
        show_processors(table, place, drives)
    show_used(table, timed)
    table.save()


if __name__ == "__main__":
    main()
