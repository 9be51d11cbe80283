# SPDX-License-Identifier: BSD-2-Clause
"""
Writers of image formats that efi-img and qemu-img only read: no program in Debian makes such images
of every kind.
"""

import bz2
import plistlib
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
    body = bytearray()
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


ZERO, RAW, IGNORE, ADC, ZLIB, BZIP2, LZFSE, LZMA = 0, 1, 2, *range(0x80000004, 0x80000009)
COMMENT, END = 0x7FFFFFFE, 0xFFFFFFFF
PACK = {RAW: bytes, ZLIB: zlib.compress, BZIP2: bz2.compress}


def checksum(crc):
    return struct.pack(">III", 2, 32, crc) + bytes(124)


def dmg_chunks(contents, kinds, sectors, dice):
    """
    [(type, sector, sectors, bytes)]: chunks of zeros have the type ZERO or IGNORE, the others one
    of kinds.
    """
    chunks = []
    for at in range(0, len(contents), sectors * SECTOR):
        data = contents[at : at + sectors * SECTOR]
        kind = dice.choice([ZERO, IGNORE]) if not any(data) else dice.choice(kinds)
        packed = PACK[kind](data) if kind in PACK else b"" if kind in (ZERO, IGNORE) else data
        chunks.append((kind, at // SECTOR, len(data) // SECTOR, packed))
    return chunks


def resource_fork(tables):
    data = b"".join(struct.pack(">I", len(table)) + table for table in tables)
    map_at = 256 + len(data)
    references, at = b"", 0
    for i, table in enumerate(tables):
        references += struct.pack(">HHII", i, 0xFFFF, at, 0)
        at += 4 + len(table)
    types = struct.pack(">H4sHH4sHH", 1, b"plst", 0, 18, b"blkx", len(tables) - 1, 18)
    map_bytes = 28 + len(types) + len(references)
    head = struct.pack(">IIII", 256, map_at, len(data), map_bytes)
    fork = head.ljust(256, b"\0") + data + head + bytes(8)
    return fork + struct.pack(">HH", 28, map_bytes) + types + references


def dmg(
    contents,
    kinds=(ZLIB,),
    sectors=512,
    seed=0,
    fork=False,
    parts=(0.1, 0.4, 0.8),
    shuffled=True,
    start=512,
    base=10,
):
    """
    A dmg image of macOS: one table of chunks for each of several parts of the disk. Chunks do not
    lie in the order of the disk, and with `shuffled` tables do not either; qemu-img wants these in
    order. The data fork begins at `start`, and offsets count from `base` of it; dmg2img wants both
    to be 0.
    """
    dice = random.Random(seed)
    total = len(contents) // SECTOR
    edges = sorted({0, *(int(total * part) for part in parts), total})
    data, tables, crcs = bytearray(b"some bytes that no chunk has"), [], []
    made = []
    for first, end in zip(edges, edges[1:]):
        part = contents[first * SECTOR : end * SECTOR]
        chunks = dmg_chunks(part, kinds, sectors, dice)
        crc = 0
        for kind, sector, n, _ in chunks:
            if kind != IGNORE:
                crc = zlib.crc32(part[sector * SECTOR : (sector + n) * SECTOR], crc)
        made.append((first, end - first, chunks, crc))
    order = [(i, k) for i, table in enumerate(made) for k in range(len(table[2]))]
    dice.shuffle(order)
    places = {}
    for i, k in order:
        places[i, k] = len(data)
        data += made[i][2][k][3]
    for i, (first, n, chunks, crc) in enumerate(made):
        entries = [struct.pack(">I4sQQQQ", COMMENT, b"+beg", 0, 0, 0, 0)]
        for k, (kind, sector, count, packed) in enumerate(chunks):
            entries.append(
                struct.pack(">IIQQQQ", kind, 0, sector, count, places[i, k] - base, len(packed))
            )
        entries.append(struct.pack(">IIQQQQ", END, 0, n, 0, 0, 0))
        table = struct.pack(">4sIQQQII", b"mish", 1, first, n, base, 2056, i) + bytes(24)
        table += checksum(crc) + struct.pack(">I", len(entries)) + b"".join(entries)
        tables.append(table)
        crcs.append(crc)
    mixed = list(zip(tables, crcs))
    if shuffled:
        dice.shuffle(mixed)
    master = zlib.crc32(b"".join(struct.pack(">I", crc) for _, crc in mixed))
    image = bytes(start) + data
    if fork:
        description = resource_fork([table for table, _ in mixed])
        places = (len(image), len(description), 0, 0)
    else:
        blkx = [
            {
                "Attributes": "0x0050",
                "CFName": f"part {i} & <more>",
                "Data": table,
                "ID": str(i),
                "Name": f"part {i}",
            }
            for i, (table, _) in enumerate(mixed)
        ]
        plst = [{"Attributes": "0x0050", "Data": bytes(1032), "ID": "0", "Name": ""}]
        description = plistlib.dumps({"resource-fork": {"blkx": blkx, "plst": plst}})
        places = (0, 0, len(image), len(description))
    trailer = struct.pack(">4sIII", b"koly", 4, 512, 1)
    trailer += struct.pack(">QQQQQ", 0, start, len(data), *places[:2])
    trailer += struct.pack(">II", 1, 1) + bytes(16) + checksum(zlib.crc32(data))
    trailer += struct.pack(">QQ", *places[2:]) + bytes(120) + checksum(master)
    trailer += struct.pack(">IQ", 1, total) + bytes(12)
    assert len(trailer) == 512
    return image + description + trailer
