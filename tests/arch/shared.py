# SPDX-License-Identifier: BSD-2-Clause
"""The disk that every board copies, scripts for it, and what its firmware is known for."""

import hashlib
import random
import re

from rig import disks
from rig.disks import KIB, LINUX, MIB, Partition

SIZE, CHUNK = 16 * MIB, 256 * KIB
CUTS = "truncates a file after each write"  # how efi-img refuses to write an image by U-Boot


def make_source(path):
    """A disk with a partition table, and something in every eighth piece; its GUID."""
    content = random.Random(21)
    disks.make_disk(path, SIZE)
    with open(path, "r+b") as file:
        for position in range(MIB, SIZE - MIB, 8 * CHUNK):
            file.seek(position)
            file.write(content.randbytes(CHUNK))
    return disks.write_gpt(path, [Partition(MIB, SIZE - 2 * MIB, LINUX, "data")])


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def from_smbios(job):
    """QEMU's arguments that hand a script to the machine."""
    return [
        word
        for line in job.splitlines()
        for word in ("-smbios", f"type=11,value=efi-img.job={line.replace(',', ',,')}")
    ]


def faults_of(board, volume):
    """
    What fsck.fat finds wrong, "" if nothing. U-Boot leaves a wrong number of free clusters, which
    it does not believe itself.
    """
    faults = volume.fsck()
    if board.is_u_boot:
        faults = re.sub(r"Free cluster summary wrong .*\n +Auto-correcting.\n", "", faults)
        faults = re.sub(r"(fsck.fat|Leaving|/).*\n", "", faults).strip()
    return faults
