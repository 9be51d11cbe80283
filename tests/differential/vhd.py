# SPDX-License-Identifier: BSD-2-Clause
"""
VHD images made by hand, from Microsoft's specification 1.0, for what qemu-img does not write:
differencing disks, bitmaps with holes, geometries and creators of other programs.
"""

import struct

SECTOR = 512
NONE = 0xFFFFFFFF


def seal(data, field):
    """Sets the checksum of a footer (field 64) or header (36)."""
    data[field : field + 4] = bytes(4)
    data[field : field + 4] = struct.pack(">I", ~sum(data) & 0xFFFFFFFF)
    return bytes(data)


def footer(size, kind=3, uuid=b"u" * 16, creator=b"win ", chs=(65535, 16, 255), **fields):
    offset = 0xFFFFFFFFFFFFFFFF if kind == 2 else 512
    data = bytearray(SECTOR)
    data[:64] = struct.pack(
        ">8sIIQI4sI4sQQHBBI",
        b"conectix",
        fields.get("features", 2),
        fields.get("version", 0x10000),
        fields.get("offset", offset),
        0,
        creator,
        0x50003,
        b"Wi2k",
        fields.get("original", size),
        size,
        *chs,
        kind,
    )
    data[68:84] = uuid
    data[84] = fields.get("saved", 0)
    return seal(data, 64)


def header(entries, block, bat=1536, parent=None, locators=(), **fields):
    """`parent`: (uuid, name); `locators`: (code, offset, length)."""
    data = bytearray(1024)
    version = fields.get("version", 0x10000)
    data[:36] = struct.pack(">8sQQIII", b"cxsparse", 2**64 - 1, bat, version, entries, block)
    if parent:
        data[40:56] = parent[0]
        name = parent[1].encode("utf-16-be")
        data[64 : 64 + len(name)] = name
    for i, (code, offset, length) in enumerate(locators):
        at = 576 + 24 * i
        data[at : at + 24] = struct.pack(">4sIIIQ", code, SECTOR, length, 0, offset)
    return seal(data, 36)


def image(size, blocks, block=2 << 20, uuid=b"u" * 16, parent=None, relative=None, kind=None):
    """
    A dynamic disk, or with a parent a differencing one. `blocks`: {index: (bits, data)} in the
    order in which they are in the file; of the bits, one for each sector, the first is the highest.
    `relative`: the path of the locator W2ru.
    """
    entries = -(-size // block)
    kind = kind or (4 if parent else 3)
    n_bitmap = -(-block // SECTOR // 8 // SECTOR) * SECTOR
    bat, at = [NONE] * entries, 1536 + -(-entries * 4 // SECTOR) * SECTOR
    path = (relative or "").encode("utf-16-le")
    locators = [(b"W2ru", at, len(path))] if relative else []
    after = path.ljust(SECTOR, b"\0") if relative else b""
    at += len(after)
    for index, (bits, data) in blocks.items():
        bat[index] = at // SECTOR
        after += bits.ljust(n_bitmap, b"\0") + data.ljust(block, b"\0")
        at += n_bitmap + block
    tail = footer(size, kind, uuid)
    table = struct.pack(f">{entries}I", *bat)
    table = table.ljust(-(-len(table) // SECTOR) * SECTOR, b"\xff")
    return tail + header(entries, block, 1536, parent, locators) + table + after + tail
