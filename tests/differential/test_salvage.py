# SPDX-License-Identifier: BSD-2-Clause
"""
`convert --salvage` beside qemu-img, on images that are damaged inside. Disks that cannot be
read: tests/unit/test_salvage.c.
"""

import re

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import Result, EFI_IMG


@pytest.fixture(
    params=["", "cluster_size=4k", "cluster_size=2M", "compression_type=zstd", "extended_l2=on"]
)
def source(tmp_path, request):
    """All of the disk is data, the third and fifth cluster compressed."""
    qemu_img(
        tmp_path,
        "create",
        "-q",
        "-f",
        "qcow2",
        *(["-o", request.param] if request.param else []),
        "s.qcow2",
        "9M",
    )
    size = int(
        Result(["qemu-img", "info", "--output=json", "s.qcow2"], tmp_path).json()["cluster-size"]
    )
    packed = [cluster for cluster in (2, 4) if (cluster + 1) * size <= 9 * MIB]
    qemu_io(
        tmp_path,
        "s.qcow2",
        *(f"write -c -P {cluster + 50} {cluster * size} {size}" for cluster in packed),
    )
    qemu_io(
        tmp_path,
        "s.qcow2",
        *(
            f"write -P {cluster + 1} {cluster * size} {min(size, 9 * MIB - cluster * size)}"
            for cluster in range(8)
            if cluster not in packed and cluster * size < 9 * MIB
        ),
    )
    qemu_io(tmp_path, "s.qcow2", f"write -P 99 {8 * MIB} 1M")
    return tmp_path, size, [cluster * size for cluster in packed]


def entry_at(folder, offset, size):
    image = bytearray((folder / "s.qcow2").read_bytes())
    l1 = int.from_bytes(image[40:48], "big")
    entry_bytes = 16 if image[79] & 16 else 8
    l2 = int.from_bytes(image[l1 : l1 + 8], "big") & (2**56 - 512)
    return image, l2 + offset // size * entry_bytes


def salvage(folder, lost, format):
    """The same disk as qemu-img's, and words and an exit code of our own."""
    assert (
        Result([EFI_IMG, "convert", "-O", format, "s.qcow2", "ours"], folder).code == 1
        and not (folder / "ours").exists()
    )
    ours = Result([EFI_IMG, "convert", "--salvage", "-O", format, "s.qcow2", "ours"], folder)
    theirs = Result(["qemu-img", "convert", "--salvage", "-O", format, "s.qcow2", "theirs"], folder)
    assert (ours.code, theirs.code) == (10, 0), ours.err + theirs.err
    said = [
        (int(offset), int(n))
        for n, offset in re.findall(r"lost: (\d+) bytes at offset (\d+) ", ours.err)
    ]
    assert said == lost and f"ours: {sum(n for _, n in lost)} bytes of it are zeros" in ours.err
    assert (
        Result(["qemu-img", "compare", "-f", format, "-F", format, "ours", "theirs"], folder).code
        == 0
    )
    if format == "qcow2":
        check = Result(["qemu-img", "check", "ours"], folder)
        assert check.code == 0 and check.err == "", check.out + check.err


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_compressed_cluster(source, format):
    folder, size, packed = source
    for offset in packed:
        image, at = entry_at(folder, offset, size)
        bits = 62 - (size.bit_length() - 1 - 8)
        stream = int.from_bytes(image[at : at + 8], "big") & (2**bits - 1)
        image[stream : stream + 4] = b"\xff" * 4
        (folder / "s.qcow2").write_bytes(image)
    salvage(folder, [(offset, size) for offset in packed], format)


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_entry(source, format):
    folder, size, _ = source
    image, at = entry_at(folder, size, size)
    image[at + 6] |= 2
    (folder / "s.qcow2").write_bytes(image)
    salvage(folder, [(size, size)], format)


def test_nothing_lost(source):
    folder, _, _ = source
    ours = Result([EFI_IMG, "convert", "--salvage", "-O", "qcow2", "s.qcow2", "ours"], folder)
    assert (ours.code, ours.out, ours.err) == (0, "", "")
    assert Result(["qemu-img", "compare", "s.qcow2", "ours"], folder).code == 0


def test_data_that_is_cut_off(source):
    """
    What lies behind the end of the file is zeros, in qemu-img's eyes as well; it is not damage
    that could be seen.
    """
    folder, _, _ = source
    with open(folder / "s.qcow2", "r+b") as file:
        file.truncate((folder / "s.qcow2").stat().st_size - 512 * 1024)
    ours = Result([EFI_IMG, "convert", "--salvage", "s.qcow2", "ours"], folder)
    theirs = Result(["qemu-img", "convert", "--salvage", "s.qcow2", "theirs"], folder)
    assert theirs.code == 0 and ours.code in (0, 10)
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()
