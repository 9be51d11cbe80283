# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/firmware.py PROGRAM BENCH

Boots BENCH (tests/bench/volume.c) beside PROGRAM on a FAT32 volume of each kind of disk, prints one
table of ratios, and writes it to build/bench.json. Ratios only: times of an emulated machine mean
nothing elsewhere.
"""

import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import report  # noqa: E402
from rig import disks  # noqa: E402
from rig.disks import MIB, Volume  # noqa: E402
from rig.machine import Drive, Machine  # noqa: E402
from rig.shell import Shell  # noqa: E402

BUSES = ("nvme", "ahci", "virtio-blk", "usb")
DIRECTORY = ROOT / "build" / "bench"
SIZE_LIMIT = 512 << 10


def measure(bus, program, bench):
    """The median ticks of everything that the bench measures, by its name."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    volume = Volume(disks.make_disk(DIRECTORY / "volume.img", 768 * MIB)).format(32, cluster=4096)
    volume.put(program, "/efi-img.efi")
    volume.put(bench, "/bench.efi")
    with Machine(
        DIRECTORY / "machine", [Drive(bus, volume.image)], memory=128, deadline=600
    ) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        text = shell.run("bench.efi")
        shell.power_off()
    if "bench done" not in text:
        raise machine.failure("the bench did not reach its end")
    ticks = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            ticks.setdefault(words[0], []).append(int(words[1]))
    return {name: statistics.median(values) for name, values in ticks.items()}


def main():
    program, bench = Path(sys.argv[1]), Path(sys.argv[2])
    size = program.stat().st_size
    results = {"program-bytes": size, "program-bytes-limit": SIZE_LIMIT, "buses": {}}
    print(f"program: {size} bytes, {size / SIZE_LIMIT:.2f} of the limit of {SIZE_LIMIT}")
    print(
        f"{'FAT32 on':12}{'raw: rate of bare writes':>28}"
        f"{'qcow2 50G: time of bare writes':>34}{'start: of raw 256M':>23}"
    )
    for bus in BUSES:
        ticks = measure(bus, program, bench)
        row = {
            "raw-rate": ticks["raw-bare"] / ticks["raw"],
            "qcow2-time": ticks["qcow2"] / ticks["qcow2-bare"],
            "start-of-raw": ticks["start"] / ticks["raw"],
        }
        results["buses"][bus] = row
        print(
            f"{bus:12}{row['raw-rate']:28.2f}{row['qcow2-time']:34.2f}{row['start-of-raw']:23.2f}"
        )
    report.save("firmware", results)


if __name__ == "__main__":
    main()
