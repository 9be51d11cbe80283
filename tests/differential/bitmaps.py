# SPDX-License-Identifier: BSD-2-Clause
"""Bitmaps as they are in a qcow2 file, read by the specification; and as QEMU reads them."""

import json
import random
import socket
import subprocess

from oracle import HANG_SECONDS

OFFSET = 0x00FFFFFFFFFFFE00
EXTENSION = 0x23852875


class Qcow2:
    def __init__(self, path):
        self.data = bytearray(path.read_bytes())
        self.path = path
        self.cluster = 1 << self.number(20, 4)
        self.size = self.number(24)

    def number(self, at, n=8):
        return int.from_bytes(self.data[at : at + n], "big")

    def put(self, at, value, n=8):
        self.data[at : at + n] = value.to_bytes(n, "big")

    def save(self):
        self.path.write_bytes(self.data)

    def extensions(self):
        """(type, where its data is, bytes) of each."""
        at = self.number(100, 4) if self.number(4, 4) >= 3 else 72
        while self.number(at, 4) != 0:
            yield self.number(at, 4), at + 8, self.number(at + 4, 4)
            at += 8 + (self.number(at + 4, 4) + 7) // 8 * 8

    def extension(self, wanted):
        return next((at for kind, at, _ in self.extensions() if kind == wanted), None)

    def entries(self):
        """Where in the file the directory has each bitmap, by name."""
        at = self.extension(EXTENSION)
        if at is None or self.number(88) & 1 == 0:
            return {}
        found, entry = {}, self.number(at + 16)
        for _ in range(self.number(at, 4)):
            extra, name = self.number(entry + 20, 4), self.number(entry + 18, 2)
            found[self.data[entry + 24 + extra : entry + 24 + extra + name].decode()] = entry
            entry += (24 + extra + name + 7) // 8 * 8
        return found

    def set_flags(self, name, flags):
        self.put(self.entries()[name] + 12, flags, 4)
        self.save()

    def bits(self, entry):
        granularity = 1 << self.data[entry + 17]
        n = -(-self.size // granularity)
        value = bytearray()
        for i in range(self.number(entry + 8, 4)):
            at = self.number(self.number(entry) + 8 * i)
            offset = at & OFFSET
            cluster = (
                self.data[offset : offset + self.cluster]
                if offset
                else (b"\xff" if at & 1 else b"\0") * self.cluster
            )
            value += cluster.ljust(self.cluster, b"\0")
        return {i for i in range(n) if value[i // 8] >> i % 8 & 1}

    def bitmaps(self):
        """Everything about each: (name, flags, granularity, bits)."""
        return [
            (name, self.number(entry + 12, 4), 1 << self.data[entry + 17], self.bits(entry))
            for name, entry in self.entries().items()
        ]


def bitmaps(path):
    return Qcow2(path).bitmaps()


def bits(path, name):
    image = Qcow2(path)
    return image.bits(image.entries()[name])


def wait_for_server(server, line):
    """Waits until connections to the Unix socket `line` are accepted."""
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(line)) == 0:
                return
        assert server.poll() is None


def bits_by_qemu(path, name, granularity):
    """The same, as QEMU exports it over NBD."""
    line = path.parent / "socket"
    server = subprocess.Popen(
        ["qemu-nbd", "-t", "-r", "-f", "qcow2", "-B", name, "-k", str(line), str(path)]
    )
    try:
        wait_for_server(server, line)
        done = subprocess.run(
            [
                "qemu-img",
                "map",
                "--output=json",
                "--image-opts",
                "driver=nbd,server.type=unix,"
                f"server.path={line},x-dirty-bitmap=qemu:dirty-bitmap:{name}",
            ],
            capture_output=True,
            timeout=HANG_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return {
            i
            for e in json.loads(done.stdout)
            if not e["data"]
            for i in range(e["start"] // granularity, -(-(e["start"] + e["length"]) // granularity))
        }
    finally:
        server.terminate()
        server.wait()
        line.unlink(missing_ok=True)


def dice_offset(*seed):
    return random.Random(str(seed)).randrange(5000) * 512


def mark_in_use(pair, bitmap, name="a"):
    for folder in (pair.ours, pair.theirs):
        image = Qcow2(folder / name)
        image.set_flags(bitmap, image.number(image.entries()[bitmap] + 12, 4) | 1)
