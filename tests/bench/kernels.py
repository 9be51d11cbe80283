# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/kernels.py KERNELS

Runs KERNELS (tests/bench/kernels.c) several times, and prints how much faster than plain C is what
is written for this machine's processor: medians. On other processors than this machine's they are
not run: an emulator's times tell what it is good at.
"""

import platform
import statistics
import subprocess
import sys

import report

RUNS = 9


def main():
    runs = {}
    for _ in range(RUNS):
        done = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, text=True, check=True)
        for line in done.stdout.splitlines():
            name, *numbers = line.split()
            runs.setdefault(name, []).append([int(number) for number in numbers])
    table = report.Table("kernels")
    for name, rows in runs.items():
        rate = statistics.median(n / ns for n, ns, _ in rows)
        ratio = statistics.median(generic / ns for _, ns, generic in rows)
        table.add(f"{name}: speed of plain C, {platform.machine()}", f"{rate:.2f} GB/s", ratio)
    if not runs:
        print(f"for {platform.machine()} all of it is plain C")
    table.save()


if __name__ == "__main__":
    main()
