# SPDX-License-Identifier: BSD-2-Clause
"""
Disks that repeat themselves, in little memory: each block is kept once, however many disks have it
at however many places. A disk is a list of its blocks. QEMU reaches it as it reaches a Gate, and
the firmware sees an ordinary disk. Blocks that no disk has any longer stay, until all is gone.
"""

import os
import sys

from data import MIB, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from rig.gate import Gate  # noqa: E402

BLOCK = 4096


def data_ranges(file, size):
    """(first byte, end) of what is no hole in an open file."""
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError:
            return
        end = min(os.lseek(file, start, os.SEEK_HOLE), size)
        yield start, end


class Store:
    """The blocks, each once."""

    def __init__(self):
        self.blocks = {}

    def keep(self, data):
        """A list of the blocks of `data`, which is made of whole ones."""
        keep = self.blocks.setdefault
        parts = (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
        return [keep(part, part) for part in parts]


class StoredDisk:
    """A disk of a Store: `past`, bytes of whole blocks, again and again until it is full."""

    def __init__(self, store, size, past=bytes(BLOCK)):
        self.store, self.size = store, size
        blocks = store.keep(past)
        self.blocks = (blocks * (size // len(past) + 1))[: size // BLOCK]

    def load(self, path):
        """Writes what is no hole in a file to the same place here."""
        with open(path, "rb") as file:
            for start, end in data_ranges(file.fileno(), self.size):
                for at in range(start, end, MIB):
                    self.write(at, os.pread(file.fileno(), min(MIB, end - at), at))
        return self

    def save(self, path):
        """Makes it a file."""
        with open(path, "wb") as file:
            for at in range(0, self.size, MIB):
                file.write(self.read(at, min(MIB, self.size - at)))
        return path

    def read(self, offset, length):
        first, end = offset // BLOCK, (offset + length + BLOCK - 1) // BLOCK
        data = b"".join(self.blocks[first:end])
        skipped = offset - first * BLOCK
        return data if len(data) == length else data[skipped : skipped + length]

    def write(self, offset, data):
        before, after = offset % BLOCK, -(offset + len(data)) % BLOCK
        if before or after:
            end = offset + len(data)
            data = self.read(offset - before, before) + data + self.read(end, after)
        first = (offset - before) // BLOCK
        self.blocks[first : first + len(data) // BLOCK] = self.store.keep(data)

    def close(self):
        """For Gate: it stays."""


class StoreGate(Gate):
    """Serves a StoredDisk in place of an image file."""

    def __init__(self, disk):
        super().__init__()
        self.disk = disk

    def _open(self, image, read_only):
        return self.disk
