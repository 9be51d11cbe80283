# SPDX-License-Identifier: BSD-2-Clause
"""
What core/blk/blk.h says, held against the files, disks and partitions of drivers/uefi/ in OVMF, by
the program of tests/contract/firmware.c. One boot.
"""

import pytest

from conftest import ROOT
from rig import disks
from rig.disks import KIB, MIB, Partition
from rig.machine import Drive, Machine
from rig.shell import Shell

SIZE = MIB + 256 * KIB  # as in tests/contract/contract.h
TESTS = ("properties", "reads", "extents", "read_only", "fixed_size", "growth", "changes")
KINDS = tuple(
    f"{blk}{how}"
    for blk in ("file", "disk", "disk of 4096", "partition")
    for how in ("", ", read-only")
)


@pytest.fixture(scope="module")
def lines(place, make_stick):
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "contract.efi", "/contract.efi")
    disk = disks.make_disk(place / "disk.img", SIZE)
    disk_4096 = disks.make_disk(place / "disk4096.img", SIZE)
    parted = disks.make_disk(place / "parted.img", 4 * MIB)
    disks.write_mbr(parted, [Partition(MIB, SIZE, 0xDA)])
    drives = [
        Drive("nvme", stick.image),
        Drive("ahci", disk, "DISK"),
        Drive("virtio-scsi", disk_4096, "DISK4096", block=4096),
        Drive("ahci", parted, "PARTED"),
    ]
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        printed = shell.run("contract.efi").strip().splitlines()
        shell.power_off()
    return printed


@pytest.mark.parametrize("kind", KINDS)
def test_contract(lines, kind):
    missing = [test for test in TESTS if f"{kind}: {test}" not in lines]
    assert not missing, lines[-1]


def test_ends(lines):
    assert lines[-1] == "contract done"
