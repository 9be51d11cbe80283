# SPDX-License-Identifier: BSD-2-Clause
"""
`info` beside qemu-img, on images that qemu-img and qemu-io wrote: every line and every member
the same.
"""

import subprocess

import pytest

from oracle import Result, EFI_IMG, assert_info_as_qemu


def qemu_img(folder, *args):
    done = Result(["qemu-img", *args], folder)
    assert done.code == 0, done.err


@pytest.fixture
def folder(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a.qcow2", "64M")
    return tmp_path


def poke(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def test_snapshots(folder):
    subprocess.run(
        ["qemu-io", "-c", "write 0 1M", "a.qcow2"], cwd=folder, check=True, capture_output=True
    )
    for name in ("one", "a much longer name than its column", "mit Umlaut: \u00e4"):
        qemu_img(folder, "snapshot", "-c", name, "a.qcow2")
    assert_info_as_qemu(folder, "a.qcow2")


@pytest.mark.parametrize("name", [b"", b"\0\0\0\0"])
def test_empty_backing_name(folder, name):
    """It is none: the image reads, and changes, like one without a backing file."""
    qemu_img(folder, "create", "-q", "-f", "qcow2", "base", "64M")
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "over.qcow2")
    at = int.from_bytes((folder / "over.qcow2").read_bytes()[8:16], "big")
    poke(folder / "over.qcow2", at, name)
    poke(folder / "over.qcow2", 16, len(name).to_bytes(4, "big"))
    assert_info_as_qemu(folder, "over.qcow2")
    assert_info_as_qemu(folder, "over.qcow2", "--backing-chain")
    for words in (
        ["convert", "-O", "qcow2", "over.qcow2", "t"],
        ["resize", "over.qcow2", "80M"],
        ["snapshot", "-c", "s", "over.qcow2"],
    ):
        done = Result([EFI_IMG, *words], folder)
        assert done.code == 0, done.err
    check = Result(["qemu-img", "check", "over.qcow2"], folder)
    assert check.code == 0, check.err


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_snapshot_dates_are_local(folder, monkeypatch, zone):
    qemu_img(folder, "snapshot", "-c", "s", "a.qcow2")
    monkeypatch.setenv("TZ", zone)
    assert_info_as_qemu(folder, "a.qcow2")


@pytest.mark.parametrize(
    "seconds", [0, 1, 951782399, 951782400, 1709164800, 4102444799, 4294967295]
)
def test_snapshot_date_and_clock(folder, seconds):
    """
    The table's fields at their edges: leap days, the end of 32 bits, clocks of many hours,
    sizes of VM state.
    """
    qemu_img(folder, "snapshot", "-c", "s", "a.qcow2")
    table = Result(["qemu-img", "info", "a.qcow2"], folder) and int.from_bytes(
        (folder / "a.qcow2").read_bytes()[64:72], "big"
    )
    poke(
        folder / "a.qcow2", table + 16, seconds.to_bytes(4, "big") + (999999999).to_bytes(4, "big")
    )
    poke(folder / "a.qcow2", table + 24, (seconds * 12345).to_bytes(8, "big"))
    poke(folder / "a.qcow2", table + 40, (seconds << 20).to_bytes(8, "big"))
    assert_info_as_qemu(folder, "a.qcow2")


def test_bitmaps(folder):
    for args in (("--add",), ("--add", "-g", "4096"), ("--add", "--disable")):
        qemu_img(folder, "bitmap", *args, "a.qcow2", f"bitmap {len(args)}{args[-1]}")
    assert_info_as_qemu(folder, "a.qcow2")


@pytest.mark.parametrize(
    "format, options",
    [
        ("luks", ""),
        (
            "luks",
            ",encrypt.cipher-alg=serpent-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv,"
            "encrypt.ivgen-hash-alg=sha256",
        ),
        ("luks", ",encrypt.cipher-alg=cast5-128,encrypt.cipher-mode=cbc,encrypt.hash-alg=sha1"),
        ("luks", ",encrypt.cipher-alg=twofish-256,encrypt.cipher-mode=ctr,encrypt.ivgen-alg=plain"),
        ("aes", ""),
        ("aes", ",compat=0.10"),
    ],
)
def test_encryption(tmp_path, format, options):
    if format == "luks":
        options += ",encrypt.iter-time=10"
    create = [
        "qemu-img",
        "create",
        "-q",
        "--object",
        "secret,id=s,data=secret",
        "-f",
        "qcow2",
        "-o",
        f"encrypt.format={format},encrypt.key-secret=s{options}",
        "a.qcow2",
        "1M",
    ]
    # It measures how fast it can derive keys, and gives up where a busy machine does not let it.
    assert any(Result(create, tmp_path).code == 0 for _ in range(10))
    assert_info_as_qemu(tmp_path, "a.qcow2")


@pytest.mark.parametrize(
    "options",
    [
        "compat=0.10",
        "lazy_refcounts=on",
        "extended_l2=on",
        "compression_type=zstd",
        "data_file=d",
        "data_file=d,data_file_raw=on",
        "refcount_bits=1",
        "cluster_size=512",
        "cluster_size=2M",
    ],
)
def test_features(tmp_path, options):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", options, "a.qcow2", "1M")
    assert_info_as_qemu(tmp_path, "a.qcow2")


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_dirty_and_corrupt(folder, bits):
    poke(folder / "a.qcow2", 79, bytes([bits]))
    assert_info_as_qemu(folder, "a.qcow2")


def test_backing_chain(folder):
    (folder / "sub").mkdir()
    qemu_img(
        folder, "create", "-q", "-f", "qcow2", "-b", "../a.qcow2", "-F", "qcow2", "sub/b.qcow2"
    )
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "sub/b.qcow2", "-F", "qcow2", "c.qcow2")
    qemu_img(
        folder,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        str(folder / "c.qcow2"),
        "-F",
        "qcow2",
        "sub/d.qcow2",
    )
    for name in ("sub/b.qcow2", "c.qcow2", "sub/d.qcow2"):
        assert_info_as_qemu(folder, name)
        assert_info_as_qemu(folder, name, "--backing-chain")


def test_backing_format_not_said(folder):
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "b.qcow2")
    data = bytearray((folder / "b.qcow2").read_bytes())
    at = data.index(bytes.fromhex("e2792aca"))
    data[at : at + 4] = bytes.fromhex("00aabbcc")  # now an extension that nobody knows
    (folder / "b.qcow2").write_bytes(data)
    assert_info_as_qemu(folder, "b.qcow2")
    assert_info_as_qemu(folder, "b.qcow2", "--backing-chain")


@pytest.mark.parametrize(
    "args",
    [
        ("--backing-chain", "loop.qcow2"),
        ("--backing-chain", "orphan.qcow2"),
        ("none",),
        (".",),
        ("-f", "qcow2", "r.raw"),
        ("-f", "foo", "a.qcow2"),
        ("--output=xml", "a.qcow2"),
        (),
        ("--foo", "a.qcow2"),
    ],
)
def test_refused(folder, args):
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "loop.qcow2")
    qemu_img(folder, "rebase", "-u", "-b", "loop.qcow2", "-F", "qcow2", "loop.qcow2")
    qemu_img(
        folder, "create", "-q", "-f", "qcow2", "-u", "-b", "none", "-F", "raw", "orphan.qcow2", "1M"
    )
    qemu_img(folder, "create", "-q", "r.raw", "1M")
    ours, theirs = Result([EFI_IMG, "info", *args], folder), Result(
        ["qemu-img", "info", *args], folder
    )
    assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: ") and ours.out == ""


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        511,
        512,
        513,
        1000,
        1 << 20,
        1023 << 10,
        1025 << 10,
        999 << 20,
        1000 << 20,
        10235,
        10240,
        102349,
        123456789,
    ],
)
def test_raw_sizes(tmp_path, size):
    """The way sizes are written: three digits, rounded, and when the next unit begins."""
    with open(tmp_path / "a.raw", "wb") as file:
        file.truncate(size)
    assert_info_as_qemu(tmp_path, "a.raw")
    assert_info_as_qemu(tmp_path, "a.raw", "-f", "raw")


POKES = {  # field: (offset, bytes of it, values that must be refused by both)
    "version": (4, 4, [0, 1, 4, 0xFFFFFFFF]),
    "backing file offset": (8, 8, [65537, 1 << 40]),
    "cluster bits": (20, 4, [0, 8, 22, 31, 64, 0xFFFFFFFF]),
    "size": (24, 8, [1 << 40, 1 << 62, (1 << 64) - 1]),
    "encryption": (32, 4, [3, 0xFFFFFFFF]),
    "L1 entries": (36, 4, [0, (1 << 22) + 1, 0xFFFFFFFF]),
    "L1 offset": (40, 8, [1, 513, (1 << 64) - 1]),
    "refcount table offset": (48, 8, [1, 65537, (1 << 64) - 1]),
    "refcount table clusters": (56, 4, [0, 129, 0xFFFFFFFF]),
    "snapshots": (60, 4, [65537, 0xFFFFFFFF]),
    "incompatible features": (72, 8, [1 << 5, 1 << 63, 8]),
    "refcount order": (96, 4, [7, 0xFFFFFFFF]),
    "header length": (100, 4, [0, 103, 65544, 0xFFFFFFFF]),
    "compression type": (104, 1, [1, 2, 255]),
}


@pytest.mark.parametrize("field", POKES)
def test_absurd_header_fields(folder, field):
    offset, width, values = POKES[field]
    for value in values:
        poke(folder / "a.qcow2", offset, value.to_bytes(width, "big"))
        ours, theirs = Result([EFI_IMG, "info", "-f", "qcow2", "a.qcow2"], folder), Result(
            ["qemu-img", "info", "-f", "qcow2", "a.qcow2"], folder
        )
        assert ours.code == theirs.code == 1, (value, ours.out, ours.err, theirs.err)
        assert ours.err.startswith("efi-img: a.qcow2: ") and ours.out == ""


def test_unknown_feature_is_named(folder):
    data = bytearray((folder / "a.qcow2").read_bytes())
    at = data.index(b"dirty bit") - 2
    data[at + 1] = 7
    data[79] = 128
    (folder / "a.qcow2").write_bytes(data)
    assert "dirty bit" in Result([EFI_IMG, "info", "a.qcow2"], folder).err
