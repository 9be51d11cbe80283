# SPDX-License-Identifier: BSD-2-Clause
"""
Disks of 8 TiB in every format that has them, with data near their end: sizes and offsets of 64
bits. `make test-unit-arch` runs these tests with the Linux program for ia32, whose pointers and
lengths of memory have 32.
"""

import json

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import Result, assert_as_qemu, efi_img

TIB = 1 << 40
SIZE = 8 * TIB
DATA = [(5 * TIB + MIB, 1), (SIZE - MIB, 2)]  # offset, byte: a MiB each
FORMATS = ["raw", "qcow2", "vhdx", "vmdk", "vdi", "qed", "parallels"]
CHECKED = ["qcow2", "vhdx", "vdi", "qed", "parallels"]  # the grain tables of a VMDK have 1 GiB
RESIZED = ["raw", "qcow2", "qed"]  # the tables of the others keep their size


def fill(folder, name, format):
    writes = [f"write -P {byte} {offset} 1M" for offset, byte in DATA]
    qemu_io(folder, name, *writes, options=("-f", format))


def assert_filled(folder, name, format, size=SIZE):
    """By qemu-img: the size, the data, and zeros beside it."""
    info = Result(["qemu-img", "info", "-f", format, "--output=json", name], folder)
    assert info.json()["virtual-size"] == size
    reads = [f"read -P {byte} {offset} 1M" for offset, byte in DATA]
    reads += [f"read -P 0 {offset - MIB} 1M" for offset, _ in DATA] + ["read -P 0 1T 1M"]
    qemu_io(folder, name, *reads, options=("-f", format))


@pytest.mark.parametrize("format", FORMATS)
def test_created(tmp_path, format):
    efi_img(tmp_path, "create", "-q", "-f", format, "t", "8T")
    fill(tmp_path, "t", format)
    assert_filled(tmp_path, "t", format)
    mapped = json.loads(efi_img(tmp_path, "map", "-f", format, "--output=json", "t").out)
    data = {(area["start"], area["length"]) for area in mapped if area["data"]}
    for offset, _ in DATA:
        assert any(at <= offset and offset + MIB <= at + length for at, length in data)
    assert mapped[-1]["start"] + mapped[-1]["length"] == SIZE
    assert sum(length for _, length in data) < 256 * MIB
    if format in CHECKED:
        efi_img(tmp_path, "check", "-f", format, "t")


@pytest.mark.parametrize("format", FORMATS)
def test_written(tmp_path, format):
    """The same data by efi-img. A new raw file would grow by 4 MiB at a time, which takes long."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "s", "8T")
    fill(tmp_path, "s", "qcow2")
    if format == "raw":
        efi_img(tmp_path, "create", "-q", "-f", "raw", "t", "8T")
    there = ["-n", "--target-is-zero"] if format == "raw" else []
    efi_img(tmp_path, "convert", *there, "-O", format, "s", "t")
    assert_filled(tmp_path, "t", format)


@pytest.mark.parametrize("format", RESIZED)
def test_resized(tmp_path, format):
    efi_img(tmp_path, "create", "-q", "-f", format, "t", "1G")
    efi_img(tmp_path, "resize", "-q", "-f", format, "t", "8T")
    fill(tmp_path, "t", format)
    efi_img(tmp_path, "resize", "-q", "-f", format, "t", "+1T")
    assert_filled(tmp_path, "t", format, 9 * TIB)


def test_measured(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "s", "8T")
    fill(tmp_path, "s", "qcow2")
    for format in ("qcow2", "raw"):
        assert_as_qemu(tmp_path, "measure", "-O", format, "s")
    for style in ("human", "json"):
        assert_as_qemu(tmp_path, "map", f"--output={style}", "s")
