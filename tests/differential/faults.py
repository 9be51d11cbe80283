# SPDX-License-Identifier: BSD-2-Clause
"""
qcow2 images that are sound, and what can be wrong in them: for the tests of check and of its
repairs.
"""

from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result

COPIED = 1 << 63
COMPRESSED = 1 << 62


def both(folder, *args):
    return Result([EFI_IMG, "check", *args], folder), Result(["qemu-img", "check", *args], folder)


def assert_same_check(folder, name, expected=None):
    """
    Equal exit codes, equal summary, equal JSON; *expected* is the exit code that makes the test
    worth its name.
    """
    for style in ("human", "json"):
        ours, theirs = both(folder, f"--output={style}", name)
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + "\n---\n" + theirs.err
        assert expected is None or ours.code == expected, ours.err
        assert (ours.err == "") == (ours.code == 0), ours.err
    return ours


class Image:
    """A qcow2 file whose fields are read and changed, byte by byte."""

    def __init__(self, path):
        self.path = path
        self.bytes = bytearray(path.read_bytes())
        self.cluster = 1 << self.get(20, 4)
        self.version = self.get(4, 4)
        self.extended = self.version >= 3 and self.get(72) & 16
        self.refcount_bits = 1 << self.get(96, 4) if self.version >= 3 else 16
        self.l1 = self.get(40)
        self.n_l1 = self.get(36, 4)
        self.reftable = self.get(48)

    def get(self, at, n=8):
        return int.from_bytes(self.bytes[at : at + n], "big")

    def put(self, at, value, n=8):
        if len(self.bytes) < at + n:
            self.bytes += bytes(at + n - len(self.bytes))
        self.bytes[at : at + n] = value.to_bytes(n, "big")

    def save(self):
        self.path.write_bytes(self.bytes)

    def offset_at(self, at):
        return self.get(at) & 0x00FFFFFFFFFFFE00

    def l1_entry(self):
        """Of the first L2 table."""
        return next(self.l1 + 8 * i for i in range(self.n_l1) if self.get(self.l1 + 8 * i))

    def l2_entries(self, compressed=False):
        """Where the L2 entries with data are, in the first table."""
        table, step = self.offset_at(self.l1_entry()), 16 if self.extended else 8
        places = range(table, table + self.cluster, step)
        return [
            at for at in places if self.get(at) and bool(self.get(at) & COMPRESSED) == compressed
        ]

    def refcount_place(self, cluster):
        """Byte and number of the refcount in the file; only for those of whole bytes."""
        per_block = self.cluster * 8 // self.refcount_bits
        block = self.offset_at(self.reftable + cluster // per_block * 8)
        return block + cluster % per_block * self.refcount_bits // 8, self.refcount_bits // 8

    def set_refcount(self, offset, value):
        at, n = self.refcount_place(offset // self.cluster)
        self.put(at, value, n)


WRITES = [
    "write -P 1 0 200k",
    "write -P 2 300k 64k",
    "write -z 400k 128k",
    "write -zu 64k 64k",
    "write -P 3 1000k 1000k",
]


MADE = {}  # the files of images that several tests start from


def make(folder, options="", size="4M", writes=tuple(WRITES), name="a.qcow2", snapshot=False):
    key = (options, size, tuple(writes), name, snapshot)
    if key not in MADE:
        qemu_img(
            folder, "create", "-q", "-f", "qcow2", *(["-o", options] if options else []), name, size
        )
        if writes:
            qemu_io(folder, name, *writes)
        if snapshot:
            qemu_img(folder, "snapshot", "-c", "s", name)
            qemu_io(folder, name, "write 0 100k")
        if sum(path.stat().st_size for path in folder.iterdir()) < 8 * MIB:
            MADE[key] = {path.name: path.read_bytes() for path in folder.iterdir()}
    else:
        for file, contents in MADE[key].items():
            (folder / file).write_bytes(contents)


# ---- one fault in an image that was sound ----


def leaked(image):
    end = -len(image.bytes) // image.cluster * -image.cluster
    image.set_refcount(end, 1)
    image.put(end, 0, 1)


def unused_but_counted(image):
    for at in image.l2_entries()[:2]:
        image.put(at, 0)


def refcount_zero(image):
    image.set_refcount(image.offset_at(image.l2_entries()[1]), 0)


def refcount_high(image):
    image.set_refcount(image.offset_at(image.l2_entries()[1]), 2)


def refcount_of_header(image):
    image.set_refcount(0, 0)


def refcount_of_l2(image):
    image.set_refcount(image.offset_at(image.l1_entry()), 3)


def not_copied(image):
    for at in image.l2_entries()[:3]:
        image.put(at, image.get(at) & ~COPIED)


def l1_not_copied(image):
    image.put(image.l1_entry(), image.get(image.l1_entry()) & ~COPIED)


def l2_shared_by_two(image):
    a, b = image.l2_entries()[:2]
    image.put(a, image.get(b))


def l2_unaligned(image):
    image.put(image.l2_entries()[0], image.get(image.l2_entries()[0]) + 512)


def l2_last_unaligned(image):
    last = max(image.l2_entries(), key=image.offset_at)
    image.put(last, image.get(last) + 512)


def l2_outside(image):
    image.put(image.l2_entries()[0], 1 << 50 | COPIED)


def l2_just_outside(image):
    image.put(
        image.l2_entries()[0],
        len(image.bytes) // image.cluster * image.cluster + image.cluster | COPIED,
    )


def l2_reserved(image):
    image.put(image.l2_entries()[0], image.get(image.l2_entries()[0]) | 1 << 60)


def l1_unaligned(image):
    image.put(image.l1_entry(), image.get(image.l1_entry()) + 512)


def l1_outside(image):
    image.put(image.l1_entry(), 1 << 50 | COPIED)


def l1_reserved(image):
    image.put(image.l1_entry(), image.get(image.l1_entry()) | 1 << 57 | 1)


def l1_twice(image):
    image.put(36, max(2, image.n_l1), 4)
    image.put(image.l1 + 8, image.get(image.l1_entry()))


def l2_is_data(image):
    image.put(image.l2_entries()[0], image.get(image.l1_entry()))


def l2_is_header_of_refcounts(image):
    image.put(image.l2_entries()[0], image.reftable | COPIED)


def reftable_unaligned(image):
    image.put(image.reftable, image.get(image.reftable) + (512 if image.cluster > 512 else 1 << 40))


def reftable_outside(image):
    image.put(image.reftable, 1 << 50)


def reftable_far_outside(image):
    image.put(image.reftable + 8, (1 << 64) - image.cluster)


def reftable_reserved(image):
    image.put(image.reftable, image.get(image.reftable) | 5)


def reftable_twice(image):
    image.put(image.reftable + 8, image.get(image.reftable))


def reftable_empty(image):
    image.put(image.reftable, 0)


def compressed_from_nowhere(image):
    image.put(image.l2_entries()[0], COMPRESSED | 1 << 50)


def compressed_copied(image):
    at = image.l2_entries()[0]
    image.put(at, COMPRESSED | COPIED | image.offset_at(at))


def shortened(image):
    del image.bytes[len(image.bytes) - 3 * image.cluster // 2 :]


def lengthened(image):
    image.put(len(image.bytes) + 5 * image.cluster, 1)


def corrupt_bit(image):
    if image.version >= 3:
        image.put(72, image.get(72) | 2)


FAULTS = [
    leaked,
    unused_but_counted,
    refcount_zero,
    refcount_high,
    refcount_of_header,
    refcount_of_l2,
    not_copied,
    l1_not_copied,
    l2_shared_by_two,
    l2_unaligned,
    l2_last_unaligned,
    l2_outside,
    l2_just_outside,
    l2_reserved,
    l1_unaligned,
    l1_outside,
    l1_reserved,
    l1_twice,
    l2_is_data,
    l2_is_header_of_refcounts,
    reftable_unaligned,
    reftable_outside,
    reftable_far_outside,
    reftable_reserved,
    reftable_twice,
    reftable_empty,
    compressed_from_nowhere,
    compressed_copied,
    shortened,
    lengthened,
    corrupt_bit,
]
QUIET = (lengthened, corrupt_bit, reftable_far_outside)  # these need not show
# What cannot be checked completely: qemu-img's JSON then does not say the format, so that only the
# text is compared.
INCOMPLETE = (reftable_unaligned,)


def metadata(image):
    """Ranges of bytes that describe where data is."""
    ranges = [(0, 112), (image.l1, image.n_l1 * 8), (image.reftable, 16)]
    block = image.offset_at(image.reftable)
    ranges += [(block, len(image.bytes) // image.cluster * 2)]
    for i in range(image.n_l1):
        if image.get(image.l1 + 8 * i):
            ranges.append((image.offset_at(image.l1 + 8 * i), min(image.cluster, 512)))
    if image.get(60, 4):
        ranges.append((image.get(64), 64))
        snapshot_l1 = image.get(image.get(64))
        ranges.append((snapshot_l1, 64))
    return ranges


def damage(image, dice):
    ranges = metadata(image)
    for _ in range(dice.choice([1, 1, 2, 4])):
        start, length = dice.choice(ranges)
        image.bytes[
            min(start + dice.randrange(length), len(image.bytes) - 1)
        ] ^= 1 << dice.randrange(8)


def extended_both(image):
    image.put(image.l2_entries()[0] + 8, 1 << 40 | 1 << 8)


def extended_unallocated(image):
    table = image.offset_at(image.l1_entry())
    image.put(table + image.cluster - 8, 7)


def extended_compressed(image):
    at = image.l2_entries()[0]
    image.put(at, COMPRESSED | image.offset_at(at))


def data_not_copied(image):
    image.put(image.l2_entries()[-1], image.get(image.l2_entries()[-1]) & ~COPIED)


def data_compressed(image):
    image.put(image.l2_entries()[0], COMPRESSED | image.cluster * 5)


def snapshot_unaligned(image):
    image.put(image.get(64), image.get(image.get(64)) + 512)


def snapshot_outside(image):
    image.put(image.get(64), image.cluster << 30)


def snapshot_long(image):
    image.put(image.get(64) + 8, 0x00400001, 4)


def snapshot_on_l2(image):
    image.put(image.get(64), image.offset_at(image.l1_entry()))


def snapshot_dropped(image):
    image.put(60, 0, 4)


def snapshot_table_elsewhere(image):
    image.put(64, len(image.bytes) // image.cluster * image.cluster + 8 * image.cluster)


def snapshot_incomplete(image):
    entry = image.get(64)
    name = image.bytes[entry + 64 : entry + 80]
    image.put(entry + 36, 8, 4)
    image.bytes[entry + 48 : entry + 64] = name


def bitmap_extension(image):
    at = image.bytes.index(bytes.fromhex("23852875")) + 8
    return image.get(at + 16)  # the directory
