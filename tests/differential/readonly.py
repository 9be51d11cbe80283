# SPDX-License-Identifier: BSD-2-Clause
"""
Writers of image formats that efi-img and qemu-img only read: no program in Debian makes such images
of every kind.
"""

import random
import struct
import zlib

SECTOR = 512


def disk(seed, sectors, runs=40):
    """A disk with runs of zeros, of noise, and of what compresses."""
    dice = random.Random(seed)
    out = bytearray()
    while len(out) < sectors * SECTOR:
        n = dice.randrange(1, 2 * sectors // runs + 2) * SECTOR
        kind = dice.randrange(3)
        if kind == 0:
            out += bytes(n)
        elif kind == 1:
            out += dice.randbytes(n)
        else:
            out += (b"of the disk %d " % dice.randrange(1000) * n)[:n]
    return bytes(out[: sectors * SECTOR])


def bochs(contents, version=2, extent=4096, seed=0):
    """A growing image of Bochs: extents without data are left out, the others are shuffled."""
    size = len(contents)
    extents = [contents[at : at + extent] for at in range(0, size, extent)]
    stored = [i for i, data in enumerate(extents) if any(data)]
    random.Random(seed).shuffle(stored)
    catalog = [0xFFFFFFFF] * (len(extents) + 3)
    bitmap_bytes = max(1, extent // SECTOR // 8)
    body = b""
    for number, index in enumerate(stored):
        catalog[index] = number
        data = extents[index].ljust(extent, b"\0")
        bits = 0
        for i in range(extent // SECTOR):
            bits |= any(data[i * SECTOR : (i + 1) * SECTOR]) << i
        bitmap = bits.to_bytes(bitmap_bytes, "little")
        body += bitmap + bytes(-bitmap_bytes % SECTOR) + data
    head = struct.pack(
        "<32s16s16sIIIII",
        b"Bochs Virtual HD Image",
        b"Redolog",
        b"Growing",
        version << 16,
        SECTOR,
        len(catalog),
        bitmap_bytes,
        extent,
    )
    head += struct.pack("<Q", size) if version == 1 else struct.pack("<IQ", 0, size)
    return head.ljust(SECTOR, b"\0") + struct.pack(f"<{len(catalog)}I", *catalog) + body


CLOOP_SCRIPT = (
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"
    b"exit $?\n"
)


def cloop(contents, block=65536, level=9):
    """A cloop image, version 2.0; the disk is padded to whole blocks."""
    blocks = [
        zlib.compress(contents[at : at + block].ljust(block, b"\0"), level)
        for at in range(0, len(contents), block)
    ]
    offsets = [136 + 8 * (len(blocks) + 1)]
    for packed in blocks:
        offsets.append(offsets[-1] + len(packed))
    head = CLOOP_SCRIPT.ljust(128, b"\0") + struct.pack(">II", block, len(blocks))
    return head + struct.pack(f">{len(offsets)}Q", *offsets) + b"".join(blocks)
