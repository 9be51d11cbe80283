# SPDX-License-Identifier: BSD-2-Clause
"""bochs: images of a writer of ours, which qemu-img reads as well, and the sample of Bochs."""

import json

import pytest

import readonly
import samples
from oracle import EFI_IMG, Result, assert_info_as_qemu, both

KINDS = [  # version, bytes of an extent, sectors of the disk
    (1, 512, 100),
    (2, 4096, 1000),
    (2, 65536, 1001),
    (1, 1 << 20, 5003),
    (2, 8 << 20, 40000),
]


def make(folder, version, extent, sectors):
    contents = readonly.disk(extent, sectors)
    (folder / "x").write_bytes(readonly.bochs(contents, version, extent))
    (folder / "flat").write_bytes(contents)


@pytest.mark.parametrize("version, extent, sectors", KINDS)
def test_contents(tmp_path, version, extent, sectors):
    make(tmp_path, version, extent, sectors)
    assert_info_as_qemu(tmp_path, "x")
    for program in ("qemu-img", EFI_IMG):
        made = Result([program, "convert", "-O", "raw", "x", "t"], tmp_path)
        assert made.code == 0, made.err
        assert (tmp_path / "t").read_bytes() == (tmp_path / "flat").read_bytes()
        (tmp_path / "t").unlink()
    ours, theirs = both(tmp_path, "compare", "-f", "bochs", "-F", "raw", "x", "flat")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, "Images are identical.\n")
    a, b = (Result([EFI_IMG, "hash", name], tmp_path).out.split()[0] for name in ("x", "flat"))
    assert a == b


@pytest.mark.parametrize("version, extent, sectors", KINDS)
def test_difference_is_found_where_qemu_finds_it(tmp_path, version, extent, sectors):
    make(tmp_path, version, extent, sectors)
    contents = bytearray((tmp_path / "flat").read_bytes())
    contents[len(contents) * 2 // 3] ^= 1
    (tmp_path / "flat").write_bytes(contents)
    ours, theirs = both(tmp_path, "compare", "-F", "raw", "x", "flat")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 1


def test_map_tells_zeros_and_places(tmp_path):
    """Where qemu-img calls all of the disk data without a place (docs/QEMU-IMG.md)."""
    make(tmp_path, 2, 4096, 1000)
    ours, theirs = both(tmp_path, "map", "--output=json", "x")
    assert len(theirs.json()) == 1 and theirs.json()[0]["data"]
    image, flat = (tmp_path / "x").read_bytes(), (tmp_path / "flat").read_bytes()
    at = 0
    for entry in ours.json():
        assert entry["start"] == at
        at += entry["length"]
        piece = flat[entry["start"] : at]
        if entry["data"]:
            assert image[entry["offset"] :].startswith(piece)
        else:
            assert entry["zero"] and not entry["present"] and not any(piece)
    assert at == len(flat)
    ours, theirs = both(tmp_path, "map", "x")
    assert ours.code == 0 and theirs.code == 1


def test_measure_counts_data_only(tmp_path):
    make(tmp_path, 2, 65536, 4096)
    ours, theirs = both(tmp_path, "measure", "--output=json", "-O", "qcow2", "x")
    assert ours.json()["fully-allocated"] == theirs.json()["fully-allocated"]
    assert ours.json()["required"] <= theirs.json()["required"]


def test_what_cannot_be_done(tmp_path):
    samples.unpack("empty.bochs", tmp_path)
    for args, code in (
        (["check", "empty.bochs"], 63),
        (["create", "-f", "bochs", "t", "1M"], 1),
        (["convert", "-O", "bochs", "empty.bochs", "t"], 1),
        (["resize", "-f", "bochs", "empty.bochs", "2M"], 1),
        (["snapshot", "-c", "s", "empty.bochs"], 1),
        (["amend", "-o", "size=2M", "empty.bochs"], 1),
    ):
        ours, theirs = both(tmp_path, *args)
        assert ours.code == theirs.code == code, ours.err + theirs.err
        assert ours.err.startswith("efi-img: "), ours.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.bochs"]


def test_overlay_on_a_bochs_image(tmp_path):
    make(tmp_path, 2, 4096, 1000)
    for program, name in (("qemu-img", "a"), (EFI_IMG, "b")):
        made = Result([program, "create", "-f", "qcow2", "-b", "x", "-F", "bochs", name], tmp_path)
        assert made.code == 0, made.err
        same = Result([EFI_IMG, "compare", name, "flat"], tmp_path)
        assert same.code == 0, same.out + same.err


def test_largest_disk(tmp_path):
    """8 TiB in extents of 8 MiB, and a number of an extent at the end of a sparse file."""
    image = bytearray(readonly.bochs(b"", 2, 8 << 20)[:512])
    entries = 0x100000
    image[72:76] = entries.to_bytes(4, "little")
    image[88:96] = (entries * (8 << 20)).to_bytes(8, "little")
    stride = 2048 + (8 << 20)
    catalog = bytearray(b"\xff" * 4 * entries)
    catalog[-4:] = (1000).to_bytes(4, "little")
    with open(tmp_path / "x", "wb") as out:
        out.write(image + catalog)
        out.seek(512 + len(catalog) + 1000 * stride)
        out.write(b"\1".ljust(2048, b"\0") + b"\x5a" * 512)
        out.truncate(512 + len(catalog) + 1001 * stride)
    assert_info_as_qemu(tmp_path, "x")
    entries = json.loads(Result([EFI_IMG, "map", "--output=json", "x"], tmp_path).out)
    assert [e["length"] for e in entries if e["data"]] == [512]
    made = Result([EFI_IMG, "convert", "-O", "qcow2", "x", "t"], tmp_path)
    assert made.code == 0, made.err
    read = Result(
        ["qemu-io", "-f", "qcow2", "-c", f"read -P 0x5a {entries[-2]['start']} 512", "t"], tmp_path
    )
    assert "Pattern verification failed" not in read.out and read.code == 0
