# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/growth.py EFI_IMG MEASURE [GIB]

How time and memory of EFI_IMG, the Linux program with the core of efi-img, grow: with the size of a
disk that has little data, with the data (up to GIB, preset: 4), with the number of extents, and
with that of backing files. The ratio of a row is how much longer it took than the row before, by
how many times larger that was: 1 is a straight line, and less than 1 flatter than that. Prints one
table, and writes it to build/bench.json.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import report
from data import GIB, KIB, MIB, TIB, make_disk, room
from host import copy, run

RUNS = 3
SIZES = (GIB, 16 * GIB, 256 * GIB, 4 * TIB, 16 * TIB)
EXTENTS = (1 << 10, 1 << 13, 1 << 16)
CHAINS = (1, 10, 50)
PLACES = 64
STRAIGHT = 1.5  # times a straight line, for what takes long enough to be measured
SHORT_SECONDS = 0.02
MEMORY_MIB = 64
JOBS = {
    "convert": "convert -O qcow2 a new",
    "convert -c": "convert -c -O qcow2 -o compression_type=zstd a new",
    "check": "check a",
    "map": "map --output=json a",
    "snapshot -c": "snapshot -c one a",
}


# ---- images ----


def qemu(place, *words, lines=None):
    subprocess.run(
        [str(word) for word in words],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
        text=True,
        input=lines,
    )


def sparse(place, size):
    """Data of 1 MiB in some places from the beginning to the end."""
    qemu(place, "qemu-img", "create", "-f", "qcow2", "a", size)
    qemu(
        place,
        "qemu-io",
        "a",
        lines="".join(f"write -P 7 {i * (size // PLACES)} 1M\n" for i in range(PLACES)),
    )


def full(place, size):
    """Files without an end."""
    make_disk(place / "files", 256 * MIB, 128 * MIB)
    files = (place / "files").read_bytes()
    with open(place / "raw", "wb") as raw:
        for _ in range(size // (256 * MIB)):
            raw.write(files)
    (place / "files").unlink()
    qemu(place, "qemu-img", "convert", "-O", "qcow2", "raw", "a")
    (place / "raw").unlink()


def scattered(place, extents):
    """One cluster of data, one of nothing, and so on."""
    with open(place / "raw", "wb") as raw:
        for i in range(extents):
            raw.seek(i * 8 * KIB)
            raw.write(bytes([1 + i % 255]) * 4 * KIB)
        raw.truncate(extents * 8 * KIB)
    qemu(
        place,
        "qemu-img",
        "convert",
        "-O",
        "qcow2",
        "-o",
        "cluster_size=4096",
        "-S",
        "4k",
        "raw",
        "a",
    )
    (place / "raw").unlink()


def chain(place, n):
    """Images one behind the other, with data in each; all of it is 64 MiB on a disk of a GiB."""
    below = []
    for i in range(n):
        name = "a" if i == n - 1 else f"below{i}"
        qemu(place, "qemu-img", "create", "-f", "qcow2", *below, name, GIB)
        qemu(
            place,
            "qemu-io",
            name,
            lines="".join(
                f"write -P {i + 1} {at * (GIB // PLACES)} 1M\n" for at in range(i % n, PLACES, n)
            ),
        )
        below = ["-b", name, "-F", "qcow2"]


# ---- measuring ----


def measure_job(program, measure, place, words):
    """The medians of its seconds and MiB."""
    found = []
    copy(place / "a", place / "master")
    for _ in range(RUNS):
        if words[0] == "snapshot":
            copy(place / "master", place / "a")
        (place / "new").unlink(missing_ok=True)
        found.append(run(measure, program, words, place))
    copy(place / "master", place / "a")
    (place / "master").unlink()
    (place / "new").unlink(missing_ok=True)
    return tuple(statistics.median(part[key] for part in found) for key in ("wall", "memory"))


def text(number, unit):
    """For the name of a row."""
    if unit == "bytes":
        return f"{number // TIB} TiB" if number >= TIB else f"{number // GIB} GiB"
    return f"{number} {unit}"


def show_group(table, title, unit, steps, make, jobs, tools):
    before = {}
    for i, step in enumerate(steps):
        with tempfile.TemporaryDirectory(dir=room(3 * step if make is full else GIB)) as directory:
            place = Path(directory)
            make(place, step)
            for job in jobs:
                seconds, memory = measure_job(*tools, place, JOBS[job].split())
                times = step / steps[i - 1] if i > 0 else 1
                # What is over at once has only begun to grow.
                ratio = (
                    max(seconds, SHORT_SECONDS) / max(before[job], SHORT_SECONDS) / times
                    if i > 0
                    else 1
                )
                table.add(
                    f"{title}, {job}, {text(step, unit)}",
                    f"{seconds:.3f} s {memory:.1f} MiB",
                    ratio,
                    most=STRAIGHT if i > 0 else None,
                )
                before[job] = seconds
                if i == len(steps) - 1 and job != "check":  # which counts every cluster
                    table.add(
                        f"{title}, {job}: memory : 64 MiB",
                        f"{memory:.1f} MiB",
                        memory / MEMORY_MIB,
                        most=1,
                    )


def main():
    tools = (Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    table = report.Table("growth")
    show_group(table, "disk", "bytes", SIZES, sparse, JOBS, tools)
    show_group(
        table, "data", "bytes", [GIB << i for i in range(5) if 1 << i <= most], full, JOBS, tools
    )
    show_group(table, "extents", "extents", EXTENTS, scattered, JOBS, tools)
    show_group(table, "chain", "images", CHAINS, chain, ("convert", "map"), tools)
    table.save()


if __name__ == "__main__":
    main()
