# SPDX-License-Identifier: BSD-2-Clause
"""
Used and unused bytes of NTFS and exFAT (core/fs/), against their own tools.

The overwrite test: a file system is made and filled without mounting it, some files are deleted,
and then every byte that the map calls unused becomes 0xA5. Its own checker must find no fault, and
every file must be as it was. What is dirty, damaged, cut off or has an unknown feature must have no
map, and a reason.
"""

import random
import shutil
import struct
import subprocess

import pytest

from file_systems import (
    ENVIRONMENT,
    Map,
    blank,
    cut,
    files_of,
    names,
    overwrite,
    poke,
    refused,
    tool,
)
from images import MIB

# ---- NTFS ---------------------------------------------------------------------------------------


NTFS_FILES = 24  # each is a process


def ntfs_make(image, n_bytes, tree, *options):
    blank(image, n_bytes)
    tool("mkntfs", "-F", "-Q", "-q", "-L", "Wörk", *options, image)
    for name in files_of(tree)[:NTFS_FILES]:
        tool("ntfscp", "-q", image, tree / name, name.name)
    return image


def ntfs_check(image):
    tool("ntfsfix", "-n", image)


def ntfs_read(image, to):
    to.mkdir()
    for name in tool("ntfsls", image).split():
        with open(to / name, "wb") as f:
            words = ["ntfscat", str(image), name]
            subprocess.run(words, env=ENVIRONMENT, stdout=f, check=True)


NTFS = {
    "4k": ("-c", "4096"),
    "64k": ("-c", "65536"),
    "512": ("-c", "512"),
    "128k": ("-c", "131072"),
}


@pytest.mark.parametrize("options", NTFS.values(), ids=NTFS.keys())
def test_ntfs(options, tree, tmp_path):
    image = ntfs_make(tmp_path / "image", 256 * MIB + 4567 * 512, tree, *options)
    found = overwrite(image, ntfs_check, ntfs_read, tmp_path, 64 * MIB)
    assert (found.type, found.label, found.note) == ("NTFS", "Wörk", "")
    assert "alternate boot sector... OK" in tool("ntfsfix", "-n", image)
    assert names(image) == (found.label, found.uuid)


@pytest.fixture(scope="session")
def ntfs(tree, tmp_path_factory):
    return ntfs_make(tmp_path_factory.mktemp("ntfs") / "image", 16 * MIB, tree)


def ntfs_file(image, record, attribute=0x80):
    """Where the first run of a file of $MFT is, in bytes."""
    data = image.read_bytes()
    cluster = 512 * data[13]
    base = struct.unpack_from("<Q", data, 48)[0] * cluster + record * 1024
    at = base + struct.unpack_from("<H", data, base + 0x14)[0]
    while struct.unpack_from("<I", data, at)[0] != attribute:
        at += struct.unpack_from("<I", data, at + 4)[0]
    if not data[at + 8]:
        return at + struct.unpack_from("<H", data, at + 0x14)[0]
    run = at + struct.unpack_from("<H", data, at + 0x20)[0]
    n, m = data[run] & 15, data[run] >> 4
    return int.from_bytes(data[run + 1 + n : run + 1 + n + m], "little") * cluster


def restart_pages(image, version, client, flags, lsn=(5, 5), usn=b"\1\0"):
    """Both restart pages of $LogFile; the second one is sound and clean unless `lsn` is lower."""
    for i in range(2):
        page = bytearray(4096)
        struct.pack_into("<4sHHQIIHhH", page, 0, b"RSTR", 0x1E, 9, 0, 4096, 4096, 0x30, *version)
        page[0x1E:0x20] = b"\1\0"
        for end in range(510, 4096, 512):
            page[end : end + 2] = usn
        if i == 0:
            struct.pack_into("<QHHHH", page, 0x30, lsn[0], 1, 0xFFFF, client, flags)
        else:
            struct.pack_into("<QHHHH", page, 0x30, lsn[1], 1, 0xFFFF, 0xFFFF, 0)
        poke(image, ntfs_file(image, 2) + i * 4096, page)


def ntfs_clear_bit(image, cluster):
    at = ntfs_file(image, 6) + cluster // 8
    with open(image, "r+b") as f:
        f.seek(at)
        old = f.read(1)[0]
        f.seek(at)
        f.write(bytes([old & ~(1 << cluster % 8)]))


def ntfs_clean(image, cluster):
    """Says that Windows has unmounted it, and that the cluster is free."""
    restart_pages(image, (1, 1), 0xFFFF, 0)
    ntfs_clear_bit(image, cluster)


def ntfs_data(image):
    """A record of a file that has clusters."""
    data = image.read_bytes()
    for record in range(64, 64 + NTFS_FILES):
        at = mft(image) + record * 1024
        at += struct.unpack_from("<H", data, at + 0x14)[0]
        while struct.unpack_from("<I", data, at)[0] != 0x80:
            at += struct.unpack_from("<I", data, at + 4)[0]
        if data[at + 8]:
            return record
    raise AssertionError("there is none")


def ntfs_attribute(image, record, old, new):
    """Changes the type of an attribute."""
    data = image.read_bytes()
    at = mft(image) + record * 1024
    at += struct.unpack_from("<H", data, at + 0x14)[0]
    while struct.unpack_from("<I", data, at)[0] != old:
        at += struct.unpack_from("<I", data, at + 4)[0]
    poke(image, at, struct.pack("<I", new))


SHADOW = bytes.fromhex("6b87083876c1484eb7ae04046e6cc752")


def ntfs_shadows(image, *types, at=12 * MIB, magic=SHADOW, record=1, loop=False, storage=b"v"):
    """
    A catalog of shadow copies, with a block for each of the types of its last entries. The volume
    is "v", and `storage` where they are stored.
    """
    header = struct.pack("<16sIIQQQQ", SHADOW, 2, record, 0x1E00, 0x1E00, 0, at if types else 0)
    header += struct.pack("<Q16s16s", 0, b"v", storage)
    poke(image, 0x1E00, header)
    for i, kind in enumerate(types if at < 1 << 30 else ()):
        start = at + i * 16384
        following = start + 16384 if i + 1 < len(types) else at if loop else 0
        block = bytearray(16384)
        struct.pack_into("<16sIIQQQ", block, 0, magic, 1, 2, i * 16384, start, following)
        struct.pack_into("<Q", block, 128, 1)
        struct.pack_into("<Q", block, 16384 - 128, kind)
        poke(image, start, block)


@pytest.mark.parametrize("types", [(), (0,), (1, 0, 1)], ids=["no-catalog", "zeros", "unused"])
def test_ntfs_no_shadows(types, ntfs, tmp_path):
    """All shadow copies were deleted."""
    image = tmp_path / "image"
    shutil.copy(ntfs, image)
    ntfs_shadows(image, *types)
    assert Map(image).extents == Map(ntfs).extents


NTFS_REFUSED = {
    "dirty": (lambda i: tool("ntfsfix", i), "dirty"),
    "windows": (lambda i: restart_pages(i, (0, 2), 0, 0), "Windows was not shut down: choose"),
    "mounted": (lambda i: restart_pages(i, (1, 1), 0, 0), "unmounted"),
    "version": (lambda i: restart_pages(i, (2, 1), 0xFFFF, 0), "version"),
    "torn-journal": (lambda i: restart_pages(i, (1, 1), 0xFFFF, 0, usn=b"\2\0"), "damaged"),
    "half-a-journal": (lambda i: poke(i, ntfs_file(i, 2), b"RSTR"), "damaged"),
    "version-4": (lambda i: poke(i, ntfs_file(i, 3, 0x70) + 8, b"\4"), "NTFS 4.1"),
    "torn-record": (lambda i: poke(i, mft(i) + 6 * 1024 + 510, b"\x77\x77"), "damaged"),
    "free-record": (lambda i: poke(i, mft(i) + 6 * 1024 + 0x16, b"\0"), "damaged"),
    "boot-free": (lambda i: ntfs_clean(i, 0), "own tables unused"),
    "boot-end-free": (lambda i: ntfs_clean(i, 1), "own tables unused"),
    "mft-free": (lambda i: ntfs_clean(i, mft(i) // 4096 + 1), "own tables unused"),
    "mirror-free": (lambda i: ntfs_clean(i, ntfs_file(i, 1) // 4096), "own tables unused"),
    "bitmap-free": (lambda i: ntfs_clean(i, ntfs_file(i, 6) // 4096), "own tables unused"),
    # cut off under ntfs-3g
    "file-free": (
        lambda i: ntfs_clear_bit(i, ntfs_file(i, ntfs_data(i)) // 4096),
        "its journal is empty, as Linux leaves it, and its bitmap lacks what a file uses (record 6",
    ),
    "torn-file": (
        lambda i: poke(i, mft(i) + ntfs_data(i) * 1024 + 510, b"\x77\x77"),
        "bitmap lacks what a file uses",
    ),
    "mft-list": (lambda i: ntfs_attribute(i, 0, 0xB0, 0x20), "$MFT is in too many pieces"),
    "shadow-copy": (lambda i: ntfs_shadows(i, 2), "restore points"),
    "shadow-store": (lambda i: ntfs_shadows(i, 3), "restore points"),
    "shadow-second": (lambda i: ntfs_shadows(i, 1, 2), "restore points"),
    "shadow-loop": (lambda i: ntfs_shadows(i, 1, 1, loop=True), "restore points"),
    "shadow-catalog": (lambda i: ntfs_shadows(i, 0, magic=b"other"), "restore points"),
    "shadow-elsewhere": (lambda i: ntfs_shadows(i, 0, at=1 << 40), "restore points"),
    "shadow-storage": (lambda i: ntfs_shadows(i, storage=b"other"), "on another volume"),
    "shadow-version": (lambda i: ntfs_shadows(i, 0, record=9), "restore points"),
    "cut": (cut, "larger"),
}


def mft(image):
    return ntfs_file(image, 0)


@pytest.mark.parametrize("change, word", NTFS_REFUSED.values(), ids=NTFS_REFUSED.keys())
def test_ntfs_refused(change, word, ntfs, tmp_path):
    refused(ntfs, change, word, tmp_path)


@pytest.mark.parametrize(
    "client, flags, lsn", [(0xFFFF, 0, (5, 5)), (0, 2, (5, 5)), (0, 0, (5, 6))]
)
def test_ntfs_clean(client, flags, lsn, ntfs, tmp_path):
    """Windows before 8 unmounted it, or it was shut down with fast startup off."""
    image = tmp_path / "image"
    shutil.copy(ntfs, image)
    restart_pages(image, (1, 1), client, flags, lsn)
    assert Map(image).extents == Map(ntfs).extents


# ---- exFAT --------------------------------------------------------------------------------------


def exfat_make(image, n_bytes, *options):
    """
    An exFAT with files in its root directory, which nothing in Debian can make without mounting.
    Each third file is deleted again. A file lies in one piece if its number is even.
    """
    tool("mkfs.exfat", "-L", "Wörk", *options, blank(image, n_bytes))
    with open(image, "r+b") as f:
        boot = f.read(512)
        sector = 1 << boot[0x6C]
        cluster = sector << boot[0x6D]
        fat, _, heap, n_clusters, root = struct.unpack_from("<IIIII", boot, 0x50)

        def at(number):
            return heap * sector + (number - 2) * cluster

        def link(number, value):
            f.seek(fat * sector + number * 4)
            f.write(struct.pack("<I", value))

        f.seek(at(root))
        directory = bytearray(f.read(cluster))
        entries = [directory[i : i + 32] for i in range(0, cluster, 32)]
        used = next(i for i, entry in enumerate(entries) if entry[0] == 0)
        bitmap_at, bitmap_bytes = next(
            struct.unpack_from("<IQ", entry, 0x14) for entry in entries if entry[0] == 0x81
        )
        f.seek(at(bitmap_at))
        bitmap = bytearray(f.read(bitmap_bytes))
        free = next(n for n in range(n_clusters) if not bitmap[n // 8] >> n % 8 & 1)
        rng = random.Random(5)
        for i in range(40):
            length = rng.choice([1, 100, 5000, 70000, 300000])
            n, step = -(-length // cluster), 1 + i % 2
            chosen = range(free, free + n * step, step)
            free += n * step
            for number in chosen[: n * (step - 1)]:
                link(number + 2, number + 4 if number != chosen[-1] else 0xFFFFFFFF)
            contents = rng.randbytes(length)
            for k, number in enumerate(chosen):
                f.seek(at(number + 2))
                f.write(contents[k * cluster : (k + 1) * cluster])
            entry = exfat_entry(f"file{i}", chosen[0] + 2, length, not i % 2)
            if i % 3 == 1:
                for k in range(0, 96, 32):
                    entry[k] &= 0x7F
            else:
                for number in chosen:
                    bitmap[number // 8] |= 1 << number % 8
            directory[used * 32 : used * 32 + 96] = entry
            used += 3
        f.seek(at(root))
        f.write(directory)
        f.seek(at(bitmap_at))
        f.write(bitmap)
    return image


def exfat_entry(name, cluster, length, in_one_piece):
    """The three entries of a file (exFAT specification, 7.4, 7.6, 7.7)."""
    entry = bytearray(96)
    units = name.encode("utf-16-le")
    struct.pack_into("<BBHH", entry, 0, 0x85, 2, 0, 0x20)
    for k in (8, 12, 16):
        struct.pack_into("<I", entry, k, (46 << 25) | (1 << 21) | (1 << 16))
    total = 0
    for unit in struct.unpack(f"<{len(name)}H", name.upper().encode("utf-16-le")):
        for byte in (unit & 255, unit >> 8):
            total = ((total << 15 | total >> 1) + byte) & 0xFFFF
    struct.pack_into(
        "<BBBBHHQII",
        entry,
        32,
        0xC0,
        1 | 2 * in_one_piece,
        0,
        len(name),
        total,
        0,
        length,
        0,
        cluster,
    )
    struct.pack_into("<Q", entry, 56, length)
    struct.pack_into("<BB30s", entry, 64, 0xC1, 0, units)
    total = 0
    for k, byte in enumerate(entry):
        if k not in (2, 3):
            total = ((total << 15 | total >> 1) + byte) & 0xFFFF
    struct.pack_into("<H", entry, 2, total)
    return entry


def exfat_check(image):
    assert "clean" in tool("fsck.exfat", "-n", image)


def exfat_read(image, to):
    """By the directory and the FAT, without the bitmap."""
    to.mkdir()
    data = image.read_bytes()
    sector = 1 << data[0x6C]
    cluster = sector << data[0x6D]
    fat, _, heap, _, root = struct.unpack_from("<IIIII", data, 0x50)

    def at(number):
        return heap * sector + (number - 2) * cluster

    for k in range(at(root), at(root) + cluster, 32):
        if data[k] != 0x85:
            continue
        number, length = struct.unpack_from("<IQ", data, k + 32 + 20)
        contents = b""
        for _ in range(-(-length // cluster)):
            contents += data[at(number) : at(number) + cluster]
            following = struct.unpack_from("<I", data, fat * sector + number * 4)[0]
            number = number + 1 if data[k + 33] & 2 else following
        name = data[k + 66 : k + 66 + 2 * data[k + 35]].decode("utf-16-le")
        (to / name).write_bytes(contents[:length])


EXFAT = {
    "4k": (80 * MIB, "-c", "4k"),
    "64k": (128 * MIB + 777 * 512, "-c", "64k"),
    "32k": (40 * MIB, "-c", "32k"),
    "128k": (600 * MIB, "-c", "128k"),
}


@pytest.mark.parametrize("options", EXFAT.values(), ids=EXFAT.keys())
def test_exfat(options, tmp_path):
    image = exfat_make(tmp_path / "image", *options)
    found = overwrite(image, exfat_check, exfat_read, tmp_path, 20 * MIB)
    assert (found.type, found.label) == ("exFAT", "Wörk")
    assert names(image) == (found.label, found.uuid)


def exfat_seal(image, offset, value):
    """Changes the boot sector, and makes its checksum right."""
    poke(image, offset, value)
    data = image.read_bytes()[: 11 * 512]
    total = 0
    for k, byte in enumerate(data):
        if k not in (106, 107, 112):
            total = ((total << 31 | total >> 1) + byte) & 0xFFFFFFFF
    poke(image, 11 * 512, struct.pack("<I", total) * 128)


def exfat_root(image):
    data = image.read_bytes()[:512]
    _, _, heap, _, root = struct.unpack_from("<IIIII", data, 0x50)
    return heap * 512 + ((root - 2) * 512 << data[0x6D])


EXFAT_REFUSED = {
    "dirty": (lambda i: poke(i, 0x6A, b"\2"), "unmounted"),
    "media-failure": (lambda i: poke(i, 0x6A, b"\4"), "errors"),
    "flags": (lambda i: poke(i, 0x6A, b"\x10"), "does not know"),
    "version": (lambda i: exfat_seal(i, 0x69, b"\2"), "does not know"),
    "two-FATs": (lambda i: exfat_seal(i, 0x6E, b"\2"), "does not know"),
    "checksum": (lambda i: poke(i, 0x64, b"\x99\x98"), "checksum"),
    "root": (lambda i: exfat_seal(i, 0x60, b"\xff\xff\xff\x0f"), "damaged"),
    "clusters": (lambda i: exfat_seal(i, 0x5C, b"\xff\xff\xff"), "damaged"),
    "no-bitmap": (lambda i: poke(i, exfat_root(i), b"\1" * 96), "damaged"),
    "cut": (cut, "larger"),
}


@pytest.fixture(scope="session")
def exfat(tmp_path_factory):
    return exfat_make(tmp_path_factory.mktemp("exfat") / "image", 80 * MIB, "-c", "4k")


@pytest.mark.parametrize("change, word", EXFAT_REFUSED.values(), ids=EXFAT_REFUSED.keys())
def test_exfat_refused(change, word, exfat, tmp_path):
    refused(exfat, change, word, tmp_path)
