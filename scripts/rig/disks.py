# SPDX-License-Identifier: BSD-2-Clause
"""What is on the disks of the machine: image files, FAT volumes and partition tables."""

import os
import re
import struct
import subprocess
import tempfile
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


def run(*command, **options):
    """
    Runs a host command and returns what it printed; a failure shows what it said. mtools needs
    a locale for long names.
    """
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        **options,
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(str(word) for word in command)}: exit {done.returncode}\n{text}"
        )
    return text


def make_disk(path, size):
    """An image file of `size` bytes, all of it a hole."""
    with open(path, "wb") as file:
        file.truncate(size)
    return Path(path)


class Volume:
    """
    A FAT file system in an image file, `offset` bytes from its start. Names are written with /.
    """

    def __init__(self, image, offset=0, size=None):
        self.image = Path(image)
        self.offset = offset
        self.size = size if size is not None else self.image.stat().st_size - offset
        self.drive = f"{self.image}@@{offset}" if offset else str(self.image)

    def format(self, fat=32, cluster=None, label=None, block=512, fill=None):
        """
        Makes it a FAT12, 16 or 32 volume with clusters of `cluster` bytes; every byte of its
        free space is `fill`, if given.
        """
        if fill is not None:
            with open(self.image, "r+b") as file:
                file.seek(self.offset)
                for position in range(0, self.size, MIB):
                    file.write(bytes([fill]) * min(MIB, self.size - position))
        words = ["mformat", "-i", self.drive, "-T", self.size // block, "-H", self.offset // block]
        if block != 512:
            words += ["-M", block]
        if fat == 32:
            words += ["-F"]
        if cluster:
            words += ["-c", cluster // block]
        if label:
            words += ["-v", label]
        run(*words, "::")
        if self.fat_bits() != fat:
            raise ValueError(
                f"{self.size} bytes in clusters of {cluster} are a FAT{self.fat_bits()} volume, "
                f"not FAT{fat}"
            )
        return self

    def _read(self, position, length):
        with open(self.image, "rb") as file:
            file.seek(self.offset + position)
            return file.read(length)

    def fat_bits(self):
        """12, 16 or 32, by the number of clusters: the one rule that decides it."""
        boot = self._read(0, 512)
        block, per_cluster, reserved, fats, root, blocks16 = struct.unpack_from("<HBHBHH", boot, 11)
        fat_blocks = struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]
        blocks = blocks16 or struct.unpack_from("<I", boot, 32)[0]
        data = blocks - reserved - fats * fat_blocks - (root * 32 + block - 1) // block
        clusters = data // per_cluster
        return 12 if clusters < 4085 else 16 if clusters < 65525 else 32

    def fake_free_clusters(self, count):
        """
        FAT32: writes another count of free clusters into the FSInfo sector, as a
        crashed system leaves it.
        """
        boot = self._read(0, 512)
        block, info = struct.unpack_from("<H", boot, 11)[0], struct.unpack_from("<H", boot, 48)[0]
        with open(self.image, "r+b") as file:
            file.seek(self.offset + info * block + 488)
            file.write(struct.pack("<I", count))

    def put(self, content, name):
        """Copies bytes, or a file of the host, to a name on the volume."""
        if isinstance(content, bytes):
            run("mcopy", "-o", "-i", self.drive, "-", f"::{name}", input=content)
        else:
            run("mcopy", "-o", "-i", self.drive, content, f"::{name}")

    def copy_out(self, name, target):
        """Copies a file, or a whole directory, of the volume to the host."""
        run("mcopy", "-n", "-s", "-i", self.drive, f"::{name}", target)
        return Path(target)

    def get(self, name):
        """The bytes of a file."""
        with tempfile.TemporaryDirectory(dir=self.image.parent) as directory:
            return self.copy_out(name, f"{directory}/file").read_bytes()

    def mkdir(self, name):
        run("mmd", "-i", self.drive, f"::{name}")

    def remove(self, name):
        run("mdel", "-i", self.drive, f"::{name}")

    def names(self, directory="/"):
        """The names of the files and directories in a directory."""
        text = run("mdir", "-b", "-i", self.drive, f"::{directory}")
        return [line.rstrip("/").rpartition("/")[2] for line in text.splitlines() if line]

    def free(self):
        """Free bytes, as mtools counts them."""
        text = run("mdir", "-i", self.drive, "::")
        return int(re.search(r"([\d ]+) bytes free", text).group(1).replace(" ", ""))

    def fsck(self):
        """What fsck.fat finds wrong: "" for a clean volume."""
        if self.offset == 0 and self.size == self.image.stat().st_size:
            return self._fsck(self.image)
        with tempfile.TemporaryDirectory(dir=self.image.parent) as directory:
            part = f"{directory}/volume"
            run(
                "dd",
                f"if={self.image}",
                f"of={part}",
                "bs=1M",
                "iflag=skip_bytes,count_bytes",
                f"skip={self.offset}",
                f"count={self.size}",
                "conv=sparse",
                "status=none",
            )
            os.truncate(part, self.size)
            return self._fsck(part)

    @staticmethod
    def _fsck(image):
        done = subprocess.run(["fsck.fat", "-n", image], capture_output=True, text=True)
        return done.stdout if done.returncode else ""


@dataclass
class Partition:
    """A partition to be made; start and size in bytes."""

    start: int
    size: int
    type: object = EFI_SYSTEM  # a UUID in a GPT, a number in an MBR
    label: str = ""
    guid: uuid.UUID = field(default_factory=uuid.uuid4)


def _write_at(path, position, content):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(content)


def _mbr_entry(kind, start, count):
    # The CHS fields say "beyond what CHS can address".
    return struct.pack(
        "<4sB3sII", b"\0\xfe\xff\xff", kind, b"\xfe\xff\xff", start, min(count, 0xFFFFFFFF)
    )


def write_mbr(path, partitions, block=512):
    """Writes a master boot record with up to four partitions."""
    table = b"".join(_mbr_entry(p.type, p.start // block, p.size // block) for p in partitions)
    _write_at(path, 440, os.urandom(4) + bytes(2) + table.ljust(64, b"\0") + b"\x55\xaa")


def write_gpt(path, partitions, block=512):
    """
    Writes both copies of a GPT for disks with blocks of `block` bytes (sgdisk writes 512 only
    into a file).
    """
    blocks = Path(path).stat().st_size // block
    entries = b"".join(
        p.type.bytes_le
        + p.guid.bytes_le
        + struct.pack("<QQQ", p.start // block, (p.start + p.size) // block - 1, 0)
        + p.label.encode("utf-16-le").ljust(72, b"\0")
        for p in partitions
    ).ljust(128 * 128, b"\0")
    entry_blocks = len(entries) // block
    disk = uuid.uuid4()

    def header(here, other, table):
        def pack(crc):
            return struct.pack(
                "<8sIIIIQQQQ16sQIII",
                b"EFI PART",
                0x10000,
                92,
                crc,
                0,
                here,
                other,
                2 + entry_blocks,
                blocks - entry_blocks - 2,
                disk.bytes_le,
                table,
                128,
                128,
                zlib.crc32(entries),
            )

        return pack(zlib.crc32(pack(0)))

    write_mbr(path, [Partition(block, (blocks - 1) * block, 0xEE)], block)
    _write_at(path, block, header(1, blocks - 1, 2))
    _write_at(path, 2 * block, entries)
    _write_at(path, (blocks - 1 - entry_blocks) * block, entries)
    _write_at(path, (blocks - 1) * block, header(blocks - 1, 1, blocks - 1 - entry_blocks))
    return disk
