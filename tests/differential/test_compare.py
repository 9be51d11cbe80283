# SPDX-License-Identifier: BSD-2-Clause
"""`compare` beside qemu-img: exit codes, and what is said on standard output."""

import random
import shutil

import pytest

from images import MIB, make_encrypted, make_orphan, qemu_img, qemu_io, random_writes
from oracle import Result, EFI_IMG, progress

SIZE = 3 * MIB
LAYOUTS = [
    "",
    "cluster_size=4k",
    "cluster_size=2M",
    "extended_l2=on",
    "compat=0.10",
    "data_file=d",
    "compression_type=zstd",
]


def assert_same(folder, *args, code=None):
    command = ["compare", *args]
    ours, theirs = Result([EFI_IMG, *command], folder), Result(["qemu-img", *command], folder)
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    assert code is None or ours.code == code
    assert (ours.err != "") == (theirs.err != "")


def assert_same_all_ways(folder, a, b, *options, strict=True):
    for ways in ((), ("-s",), ("-q",)) if strict else ((), ("-q",)):
        assert_same(folder, *ways, *options, a, b)
        assert_same(folder, *ways, *options, b, a)


def create(folder, name, size=SIZE, options="", backing=None):
    back = ["-b", backing, "-F", backing.split(".")[1]] if backing else []
    qemu_img(
        folder,
        "create",
        "-q",
        "-f",
        name.split(".")[1],
        *back,
        *(["-o", options] if options else []),
        name,
        str(size),
    )


def patch(path, offset, byte):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes([byte]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(2))
def test_all_kinds_of_clusters(tmp_path, layout, seed):
    """
    An image, its contents as raw and in another layout, and what differs in one byte somewhere.
    """
    dice = random.Random(seed)
    size = 8 * MIB
    create(tmp_path, "a.qcow2", size, layout)
    qemu_io(
        tmp_path, "a.qcow2", *random_writes(seed, size, layout in ("", "compression_type=zstd"))
    )
    qemu_img(tmp_path, "convert", "-O", "raw", "a.qcow2", "a.raw")
    qemu_img(
        tmp_path, "convert", "-c", "-O", "qcow2", "-o", "cluster_size=8k", "a.qcow2", "b.qcow2"
    )
    assert_same(tmp_path, "a.qcow2", "a.raw", code=0)
    assert_same(tmp_path, "b.qcow2", "a.qcow2", code=0)
    assert_same(tmp_path, "-s", "a.qcow2", "b.qcow2")
    assert_same(tmp_path, "-s", "a.raw", "a.qcow2")
    for _ in range(2):
        offset = dice.randrange(size)
        shutil.copy(tmp_path / "a.raw", tmp_path / "c.raw")
        patch(tmp_path / "c.raw", offset, 0xEE)
        assert_same(tmp_path, "a.qcow2", "c.raw", code=1)
        assert_same(tmp_path, "-q", "c.raw", "b.qcow2", code=1)


EDGES = [
    0,
    1,
    511,
    512,
    513,
    1000,
    65535,
    65536,
    65537,
    MIB - 1,
    MIB,
    MIB + 512,
    2 * MIB - 1,
    2 * MIB,
    SIZE - 512,
    SIZE - 1,
]


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_one_byte(tmp_path, format):
    data = random.Random(1).randbytes(SIZE)
    (tmp_path / "a.raw").write_bytes(data)
    for offset in EDGES:
        (tmp_path / "b.raw").write_bytes(data)
        patch(tmp_path / "b.raw", offset, data[offset] ^ 1)
        if format == "qcow2":
            qemu_img(tmp_path, "convert", "-O", "qcow2", "b.raw", "b.qcow2")
        assert_same(tmp_path, "-f", "raw", "-F", format, "a.raw", f"b.{format}", code=1)
        assert (
            f"offset {offset // 512 * 512}!"
            in Result([EFI_IMG, "compare", "a.raw", f"b.{format}"], tmp_path).out
        )


def test_zeros(tmp_path):
    """
    Nothing, zero clusters of both kinds, preallocated and written zeros, raw holes and raw
    zeros: the same, but not in strict mode.
    """
    names = [
        "none.qcow2",
        "zero.qcow2",
        "zalloc.qcow2",
        "prealloc.qcow2",
        "full.qcow2",
        "written.qcow2",
        "hole.raw",
        "full.raw",
    ]
    for name in names[:6]:
        create(
            tmp_path,
            name,
            MIB,
            {"prealloc.qcow2": "preallocation=metadata", "full.qcow2": "preallocation=full"}.get(
                name, ""
            ),
        )
    create(tmp_path, "hole.raw", MIB)
    (tmp_path / "full.raw").write_bytes(bytes(MIB))
    qemu_io(tmp_path, "zero.qcow2", "write -zu 0 1M")
    qemu_io(tmp_path, "zalloc.qcow2", "write -P 1 0 1M", "write -z 0 1M")
    qemu_io(tmp_path, "written.qcow2", "write -P 0 0 1M")
    for i, a in enumerate(names):
        for b in names[i:]:
            assert_same(tmp_path, a, b, code=0)
            assert_same(tmp_path, "-s", a, b)


@pytest.mark.parametrize(
    "sizes", [(MIB, 2 * MIB), (512, 1024), (0, MIB), (0, 0), (MIB - 512, MIB), (65536, 64 * MIB)]
)
@pytest.mark.parametrize("formats", [("raw", "raw"), ("qcow2", "raw"), ("qcow2", "qcow2")])
def test_different_sizes(tmp_path, sizes, formats):
    a, b = (f"{name}.{format}" for name, format in zip("ab", formats))
    create(tmp_path, a, sizes[0])
    create(tmp_path, b, sizes[1])
    options = ("-f", formats[0], "-F", formats[1])
    backwards = ("-f", formats[1], "-F", formats[0])

    def all_ways(code):
        for ways in ((), ("-s",), ("-q",)):
            expected = code if ways != ("-s",) or sizes[0] == sizes[1] else 1
            assert_same(tmp_path, *ways, *options, a, b, code=expected)
            assert_same(tmp_path, *ways, *backwards, b, a, code=expected)

    all_ways(0)
    if sizes[1] > sizes[0]:
        qemu_io(tmp_path, b, f"write -P 0 {sizes[0]} 512", options=("-f", formats[1]))
        all_ways(0)
        qemu_io(tmp_path, b, f"write -P 1 {sizes[1] - 512} 512", options=("-f", formats[1]))
        all_ways(1)


@pytest.mark.parametrize("bytes", [1, 511, 700, 4097])
def test_partial_sector(tmp_path, bytes):
    (tmp_path / "a.raw").write_bytes(b"x" * bytes)
    padded = (bytes + 511) // 512 * 512
    (tmp_path / "b.raw").write_bytes(b"x" * bytes + b"\0" * (padded - bytes))
    assert_same(tmp_path, "a.raw", "b.raw", code=0)
    (tmp_path / "c.raw").write_bytes(b"x" * bytes + b"\0" * (padded - bytes - 1) + b"y")
    ours = Result([EFI_IMG, "compare", "a.raw", "c.raw"], tmp_path)
    assert (ours.code, ours.out) == (1, f"Content mismatch at offset {padded - 512}!\n")


@pytest.mark.parametrize("seed", range(6))
def test_chain(tmp_path, seed):
    dice = random.Random(seed)
    sizes = [dice.choice([1, 2, 3]) * MIB for _ in range(3)]
    create(tmp_path, "a.raw", sizes[0])
    qemu_io(tmp_path, "a.raw", "write -P 1 65536 512k", options=("-f", "raw"))
    create(tmp_path, "b.qcow2", sizes[1], backing="a.raw")
    create(
        tmp_path,
        "c.qcow2",
        sizes[2],
        dice.choice(["extended_l2=on", "cluster_size=4k"]),
        backing="b.qcow2",
    )
    qemu_io(tmp_path, "b.qcow2", *random_writes(seed, sizes[1], False, freed=False))
    qemu_io(
        tmp_path,
        "c.qcow2",
        f"write -P 9 {dice.randrange(sizes[2] // 512) * 512} 512",
        f"write -z {dice.randrange(sizes[2] // 512) * 512} 512",
    )
    qemu_img(tmp_path, "convert", "-O", "raw", "c.qcow2", "c.raw")
    assert_same(tmp_path, "c.qcow2", "c.raw", code=0)
    for a, b in (("a.raw", "b.qcow2"), ("b.qcow2", "c.qcow2"), ("a.raw", "c.qcow2")):
        assert_same(tmp_path, a, b)
        assert_same(tmp_path, b, a)
        assert_same(tmp_path, "-s", b, a)
    create(tmp_path, "overlay.qcow2", sizes[2], backing="c.qcow2")
    assert_same(tmp_path, "overlay.qcow2", "c.qcow2", code=0)


def test_strict_behind_a_short_backing_file(tmp_path):
    """Zeros past the end of a backing file are zeros of it."""
    create(tmp_path, "base.qcow2", MIB)
    create(tmp_path, "a.qcow2", 2 * MIB, backing="base.qcow2")
    create(tmp_path, "b.qcow2", 2 * MIB)
    assert_same_all_ways(tmp_path, "a.qcow2", "b.qcow2")
    qemu_io(tmp_path, "b.qcow2", "write -zu 1M 1M")
    assert_same_all_ways(tmp_path, "a.qcow2", "b.qcow2")


def test_strict_and_fragments(tmp_path):
    """
    In qemu-img's eyes it matters whether the clusters up to the end of the disk lie behind each
    other, and only there.
    """
    for name, *order in (
        ("a.qcow2", 0, 1, 2),
        ("b.qcow2", 0, 2, 1),
        ("c.qcow2", 1, 0, 2),
        ("d.qcow2", 2, 1, 0),
    ):
        create(tmp_path, name, 192 * 1024)
        qemu_io(tmp_path, name, *(f"write -P 1 {cluster * 64}k 64k" for cluster in order))
    for a in "abcd":
        for b in "abcd":
            assert_same(tmp_path, "-s", f"{a}.qcow2", f"{b}.qcow2")


@pytest.mark.parametrize("changed", [None, 0, SIZE * 8 - 512])
@pytest.mark.parametrize("options", [("-p",), ("-p", "-q"), ("-p", "-s")])
def test_progress(tmp_path, changed, options):
    (tmp_path / "a.raw").write_bytes(b"x" * SIZE * 8)
    shutil.copy(tmp_path / "a.raw", tmp_path / "b.raw")
    if changed is not None:
        patch(tmp_path / "b.raw", changed, 1)
    command = ["compare", *options, "a.raw", "b.raw"]
    ours, theirs = Result([EFI_IMG, *command], tmp_path), Result(["qemu-img", *command], tmp_path)
    shown, phases, rest = progress(ours.out)
    assert (ours.code, rest) == (theirs.code, progress(theirs.out)[2])
    if "-q" in options:
        assert ours.out == ""
        return
    assert shown[0] == 0 and (shown[-1] == 10000) == (changed is None)
    assert all(a + 100 <= b for a, b in zip(shown[:-1], shown[1:-1]))
    assert phases == ["comparing"] and (len(shown) > 10 or changed == 0)


@pytest.mark.parametrize(
    "cache", ["none", "off", "writeback", "writethrough", "directsync", "unsafe", "foo", ""]
)
def test_cache(tmp_path, cache):
    create(tmp_path, "a.qcow2")
    create(tmp_path, "b.raw")
    args = ("compare", "-T", cache, "-U", "a.qcow2", "b.raw")
    ours, theirs = Result([EFI_IMG, *args], tmp_path), Result(["qemu-img", *args], tmp_path)
    if cache in ("none", "directsync") and theirs.code == 2:  # a file system without O_DIRECT
        assert ours.code == 0
    else:
        assert (ours.code, ours.out) == (theirs.code, theirs.out)


REFUSED = [
    ((), 1),
    (("a.qcow2",), 1),
    (("a.qcow2", "b.qcow2", "a.qcow2"), 1),
    (("--output=json", "a.qcow2", "b.qcow2"), 1),
    (("-T", "foo", "a.qcow2"), 1),
    (("none", "a.qcow2"), 2),
    (("a.qcow2", "none"), 2),
    (("-f", "foo", "a.qcow2", "b.qcow2"), 2),
    (("-F", "foo", "a.qcow2", "b.qcow2"), 2),
    (("-f", "qcow2", "a.raw", "b.qcow2"), 2),
    (("aes.qcow2", "b.qcow2"), 2),
    (("a.qcow2", "aes.qcow2"), 2),
    (("orphan.qcow2", "a.qcow2"), 2),
    (("-q", "none", "a.qcow2"), 2),
]


@pytest.mark.parametrize("args,code", REFUSED)
def test_refused(tmp_path, args, code):
    create(tmp_path, "a.raw", MIB)
    create(tmp_path, "a.qcow2", MIB)
    create(tmp_path, "b.qcow2", MIB)
    make_orphan(tmp_path, "orphan.qcow2")
    make_encrypted(tmp_path, "aes.qcow2")
    assert_same(tmp_path, *args, code=code)


def test_strict_and_preallocated(tmp_path):
    create(tmp_path, "a.qcow2", MIB, "preallocation=metadata")
    create(tmp_path, "b.qcow2", MIB)
    create(tmp_path, "c.qcow2", MIB, "preallocation=full")
    for name in ("a.qcow2", "b.qcow2", "c.qcow2"):
        qemu_io(tmp_path, name, "write -P 1 0 64k")
    for a, b in (("a.qcow2", "b.qcow2"), ("a.qcow2", "c.qcow2"), ("b.qcow2", "c.qcow2")):
        assert_same(tmp_path, "-s", a, b, code=1)


def test_damaged(tmp_path):
    """A table that contradicts itself: 3. A compressed cluster that cannot be unpacked: 4."""
    create(tmp_path, "a.qcow2", MIB)
    create(tmp_path, "c.qcow2", MIB)
    qemu_io(tmp_path, "a.qcow2", "write -P 1 0 64k")
    qemu_io(tmp_path, "c.qcow2", "write -c -P 1 64k 64k")
    create(tmp_path, "b.raw", MIB)
    l2 = 4 * 65536
    image = bytearray((tmp_path / "a.qcow2").read_bytes())
    image[l2 + 6] |= 2  # a host offset that is not that of a cluster
    (tmp_path / "bad.qcow2").write_bytes(image)
    image = bytearray((tmp_path / "c.qcow2").read_bytes())
    image[5 * 65536 : 5 * 65536 + 64] = b"\xff" * 64
    (tmp_path / "packed.qcow2").write_bytes(image)
    assert_same(tmp_path, "bad.qcow2", "b.raw", code=3)
    assert_same(tmp_path, "b.raw", "bad.qcow2", code=3)
    assert_same(tmp_path, "packed.qcow2", "b.raw", code=4)
    assert_same(tmp_path, "b.raw", "packed.qcow2", code=4)
    (tmp_path / "short.raw").write_bytes(b"")
    assert_same(tmp_path, "short.raw", "bad.qcow2", code=3)
    assert_same(tmp_path, "packed.qcow2", "short.raw", code=4)


@pytest.mark.enumeration(3)
@pytest.mark.parametrize(
    "size,layout",
    [
        (256 << 30, ""),
        ((256 << 30) + 65536, ""),
        (300 << 30, ""),
        (300 << 30, "extended_l2=on"),
        (200 << 30, "extended_l2=on"),
        (20 << 30, "cluster_size=8k"),
        (3 << 40, "cluster_size=512k"),
        (9 << 40, "cluster_size=2M"),
    ],
)
def test_strict_on_large_disks(tmp_path, size, layout):
    """
    Where it matters whether clusters lie behind each other up to the end, qemu-img sees a disk
    in slices, whose size depends on that of the disk.
    """
    names = []
    for backing in (None, "base.qcow2"):
        if backing:
            create(tmp_path, backing, size, layout)
            qemu_io(tmp_path, backing, f"write -P 1 {size - 40 * MIB} 40M")
        for cut in (0, 4, 20, 32):
            name = f"{'over' if backing else 'alone'}{cut}.qcow2"
            create(tmp_path, name, size, layout, backing)
            first, second = (
                f"write -P 1 {size - 40 * MIB} {40 - cut}M",
                f"write -P 1 {size - cut * MIB} {cut}M",
            )
            qemu_io(tmp_path, name, *([second] if cut else []), *([first] if not backing else []))
            names.append(name)
    for a in names:
        for b in names:
            if a < b:
                assert_same(tmp_path, "-s", a, b)
