# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/linux.py EFI_IMG LINUX

Lets EFI_IMG in OVMF, and a minimal Linux with qemu-img (LINUX: what scripts/make-linux has made),
started by the same firmware, do the same copies in the same machine, by turns. All times are from
outside: from power-on to when the serial line says that a command has begun or ended. Linux's end
when sync does: efi-img's are on the medium too. Prints one table of ratios, and writes it to
build/bench.json.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import copies
import report
from data import GIB, room
from rig.disks import Volume
from rig.machine import ENTER, Machine
from rig.shell import COUNTDOWN

ROUNDS = int(os.environ.get("ROUNDS", 3))
LINES = {  # name: (of both, Linux's line, efi-img's)
    "clone": (
        "NVMe -> NVMe, as it is",
        "qemu-img convert -n -f raw -O raw /dev/SOURCE /dev/TARGET",
        "convert -n --no-verify serial=SOURCE serial=TARGET --erase=TARGET",
    ),
    "capture": (
        "NVMe -> FAT32, qcow2",
        "qemu-img convert -f raw -O qcow2 /dev/SOURCE /volume/image",
        "convert -O qcow2 --no-verify serial=SOURCE image --force",
    ),
    "restore": (
        "FAT32, qcow2 -> NVMe",
        "qemu-img convert -n -f qcow2 -O raw /volume/image /dev/TARGET",
        "convert -n --no-verify image serial=TARGET --erase=TARGET",
    ),
    "zlib": (
        "NVMe -> FAT32, -c zlib (-W)",
        "qemu-img convert -c -W -f raw -O qcow2 /dev/SOURCE /volume/image",
        "convert -c -O qcow2 --no-verify serial=SOURCE image --force",
    ),
    "zstd": (
        "NVMe -> FAT32, -c zstd (-W)",
        "qemu-img convert -c -W -f raw -O qcow2 -o compression_type=zstd /dev/SOURCE /volume/image",
        "convert -c -O qcow2 -o compression_type=zstd --no-verify serial=SOURCE image --force",
    ),
}
PACKED = ("zlib", "zstd")
MACHINE = {"memory": 1024, "processors": 2, "deadline": 900}


def scripts(volume):
    """One for the UEFI shell, one for busybox."""
    shell, linux = ["@echo -off", "fs0:"], []
    for name, (_, theirs, ours) in LINES.items():
        shell += [f"echo begin {name}", f"efi-img.efi {ours}", f"echo end {name} %lasterror%"]
        shell += [
            f"echo begin {name}-verified",
            f"efi-img.efi {ours.replace('--no-verify ', '')}",
            f"echo end {name}-verified %lasterror%",
        ]
        linux += [f"echo begin {name}", f"{theirs} && sync; echo end {name} $?"]
    volume.put(
        "".join(f"{line}\r\n" for line in shell + ["reset -s"]).encode("utf-16"), "/startup.nsh"
    )
    volume.put("".join(f"{line}\n" for line in linux).encode(), "/script")


def watch(machine, names):
    """{what: seconds}: from power-on to the first command, and of each."""
    start = time.monotonic()
    times = {}
    with machine:
        if not machine.kernel:
            machine.expect(COUNTDOWN)
            machine.send(ENTER)
        for name in names:
            machine.expect(f"begin {name}\n")
            began = time.monotonic()
            times.setdefault("power-on", began - start)
            status = machine.expect(rf"end {name} (\w+)\n").group(1)
            times[name] = time.monotonic() - began
            if int(status, 16):
                raise machine.failure(f"{name}: exit code {status}")
        machine.wait_off()
    return times


def main():
    program, linux = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    kernel = (
        linux / "vmlinuz",
        linux / "initrd",
        "console=ttyS0 quiet no_timer_check rcupdate.rcu_cpu_stall_suppress=1 panic=1",
    )
    pairs = []
    with tempfile.TemporaryDirectory(dir=room(6 * GIB)) as directory:
        place = Path(directory)
        drives = copies.make_drives(place, program)
        volume = Volume(drives[0].image)
        volume.put(program, "/efi-img.efi")
        scripts(volume)
        for _ in range(ROUNDS):
            theirs = watch(
                Machine(
                    place / "machine", drives, kernel=[str(word) for word in kernel], **MACHINE
                ),
                LINES,
            )
            ours = watch(
                Machine(place / "machine", drives, **MACHINE),
                [part for name in LINES for part in (name, f"{name}-verified")],
            )
            pairs.append((theirs, ours))
    show(pairs)


def show(pairs):
    table = report.Table("linux")

    def add(title, theirs, ours, least=None):
        found = [(theirs(pair[0]), ours(pair[1])) for pair in pairs]
        table.add(
            f"{title}, Linux : efi-img",
            " : ".join(f"{statistics.median(side):.2f}" for side in zip(*found)) + " s",
            statistics.median(a / b for a, b in found),
            least=least,
        )

    add("power-on to the first command", lambda t: t["power-on"], lambda t: t["power-on"])
    for name, (title, _, _) in LINES.items():
        add(title, lambda t: t[name], lambda t: t[name], least=1 if name in PACKED else 5)
        add(
            f"{title}, verified by efi-img alone",
            lambda t: t[name],
            lambda t: t[f"{name}-verified"],
        )
        add(
            f"{title}, from power-on",
            lambda t: t["power-on"] + t[name],
            lambda t: t["power-on"] + t[name],
        )
    table.save()


if __name__ == "__main__":
    main()
