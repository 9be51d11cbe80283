# SPDX-License-Identifier: BSD-2-Clause
"""
bench beside qemu-img: exit codes, text but for the seconds, what is written; and the table of a
disk.
"""

import json
import re

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, Result
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path

LINES = [
    "-c 100",
    "-c 0",
    "-c 10 -s 64k",
    "-c 10 -s 1M -S 2M",
    "-c 10 -S 0",
    "-c 10 -o 1M",
    "-c 7 -q",
    "-c 100 -s 512k",
    "-c 5 -d 1",
    "-c 5 -t none -n",
    "-c 20 -w",
    "-c 20 -w --pattern=7 -s 100k",
    "-c 9 -w -d 1 --flush-interval=4",
    "-c 9 -w --pattern=255 -q",
    "-c 5 -U",
    "-c -1",
    "-c x",
    "--pattern=256 -w -c 1",
    "--pattern=x -w -c 1",
    "-t foo -c 1",
    "-o -1 -c 1",
    "--flush-interval=4 -c 9",
]


@pytest.mark.parametrize("form", ["raw", "qcow2"])
@pytest.mark.parametrize("line", LINES)
def test_lines(tmp_path, line, form):
    qemu_img(tmp_path, "create", "-q", "-f", form, "ours", str(4 * MIB))
    qemu_img(tmp_path, "create", "-q", "-f", form, "theirs", str(4 * MIB))
    ours = Result([EFI_IMG, "bench", *line.split(), "-f", form, "ours"], tmp_path)
    theirs = Result(["qemu-img", "bench", *line.split(), "-f", form, "theirs"], tmp_path)
    if line == "-c 0" and is_newer_than_7_2():  # which refuses it
        assert (ours.code, theirs.code) == (0, 1), (ours.err, theirs.err)
    else:
        assert ours.code == theirs.code, (ours.err, theirs.err)
    if ours.code == theirs.code == 0:
        plain = [
            re.sub(r"in [0-9]+\.[0-9]{3} seconds|[0-9]+ in parallel", "", result.out)
            for result in (ours, theirs)
        ]
        assert plain[0] == plain[1]
    assert (
        Result(["qemu-img", "compare", "-f", form, "-F", form, "ours", "theirs"], tmp_path).code
        == 0
    )
    if form == "qcow2":
        assert Result(["qemu-img", "check", "ours"], tmp_path).code == 0


def test_disk(tmp_path, monkeypatch):
    (tmp_path / "disk").write_bytes(bytes(6 * MIB))
    monkeypatch.setenv("EFI_IMG_DISKS", "disk,serial=S1")
    table = Result([EFI_IMG, "bench", "serial=S1"], tmp_path)
    rows = [line.split() for line in table.out.splitlines()]
    assert table.code == 0 and [row[:2] for row in rows] == [
        [str(size), "KiB"] for size in (4, 64, 256, 1024, 4096)
    ]
    assert all(row[3] == "MB/s" and row[5] == "requests/s" and int(row[2]) > 0 for row in rows)
    items = json.loads(Result([EFI_IMG, "bench", "--output=json", "serial=S1"], tmp_path).out)
    assert [item["request-bytes"] for item in items] == [4096, 65536, 262144, 1 << 20, 4 << 20]
    assert all(item["requests"] > 0 and item["microseconds"] >= 450000 for item in items)
    assert Result([EFI_IMG, "bench", "-c", "3", "serial=S1"], tmp_path).out.startswith(
        "Sending 3 read requests"
    )


@pytest.mark.parametrize(
    "words, code",
    [
        ((), 12),
        (("--erase=S2",), 12),
        (("--erase=S1", "-f", "qcow2"), 1),
        (("--erase=S1", "-s", "9M", "-c", "1"), 1),
        (("--erase=S1", "--pattern=300"), 1),
        (("--erase=S1", "--output=x"), 1),
        (("--erase=S1", "-c", "1", "x"), 1),
    ],
)
def test_disks_that_are_not_written_to(tmp_path, monkeypatch, words, code):
    (tmp_path / "disk").write_bytes(b"x" * MIB)
    monkeypatch.setenv("EFI_IMG_DISKS", "disk,serial=S1")
    result = Result([EFI_IMG, "bench", "-w", *words, "serial=S1"], tmp_path)
    assert result.code == code, result.err
    assert (tmp_path / "disk").read_bytes() == b"x" * MIB


@pytest.mark.parametrize("fact", ["started-from", "current", "read-only"])
def test_guards_of_convert(tmp_path, monkeypatch, fact):
    (tmp_path / "disk").write_bytes(b"x" * MIB)
    monkeypatch.setenv("EFI_IMG_DISKS", f"disk,serial=S1,{fact}")
    assert Result([EFI_IMG, "bench", "-w", "--erase=S1", "serial=S1"], tmp_path).code == 12
    assert (tmp_path / "disk").read_bytes() == b"x" * MIB


def test_disk_is_written(tmp_path, monkeypatch):
    """With requests of one's own, and as a table. Its beginning is gone in any case."""
    (tmp_path / "disk").write_bytes(b"x" * 3 * MIB)
    monkeypatch.setenv("EFI_IMG_DISKS", "disk,serial=S1")
    result = Result(
        [
            EFI_IMG,
            "bench",
            "-w",
            "--erase=S1",
            "-c",
            "3",
            "-o",
            "2M",
            "-s",
            "64k",
            "--pattern=7",
            "serial=S1",
        ],
        tmp_path,
    )
    assert result.code == 0 and result.out.startswith("Sending 3 write requests"), result.err
    assert (tmp_path / "disk").read_bytes() == bytes(
        MIB
    ) + b"x" * MIB + b"\7" * 3 * 65536 + b"x" * (MIB - 3 * 65536)
    table = Result(
        [EFI_IMG, "bench", "-w", "--erase=S1", "--output=json", "--pattern=9", "serial=S1"],
        tmp_path,
    )
    assert table.code == 0 and [item["request-bytes"] for item in table.json()] == [
        4096,
        65536,
        262144,
        1 << 20,
    ], table.err
    assert (tmp_path / "disk").read_bytes()[:MIB] == b"\x09" * MIB
    assert Result([EFI_IMG, "bench", "--erase=S1", "serial=S1"], tmp_path).code == 1


def test_larger_than_the_disk(tmp_path):
    (tmp_path / "disk").write_bytes(bytes(MIB))
    result = Result([EFI_IMG, "bench", "-c", "1", "-s", "2M", "disk"], tmp_path)
    assert result.code == 1 and "smaller than a request" in result.err
