# SPDX-License-Identifier: BSD-2-Clause
"""Commands that take several images, and wildcards, which neither the UEFI shell expands."""

import json

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, Result

CORRUPT, FAILED, NO_CHECKS = 2, 1, 63


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("several")
    (place / "sub").mkdir()
    (place / "c.qcow2").mkdir()  # directories never match
    for name in ("b.qcow2", "A.QCOW2", "sub/long name.qcow2"):
        qemu_img(place, "create", "-q", "-f", "qcow2", name, "1M")
    bad = bytearray((place / "b.qcow2").read_bytes())
    bad[0x10007] = 9  # the reference of a cluster
    (place / "bad.qcow2").write_bytes(bad)
    (place / "x.raw").write_bytes(bytes(MIB))
    (place / "star*.raw").write_bytes(bytes(MIB))
    (place / "star2.raw").write_bytes(bytes(MIB))
    return place


def efi_img(place, *words):
    return Result([EFI_IMG, *words], place)


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("*.qcow2", ["A.QCOW2", "b.qcow2", "bad.qcow2"]),
        ("?.QCOW2", ["A.QCOW2", "b.qcow2"]),
        ("b*d*2", ["bad.qcow2"]),
        ("./b.q*", ["./b.qcow2"]),
        ("sub/* *", ["sub/long name.qcow2"]),
        ("star*.raw", ["star*.raw"]),  # a file of that name
    ],
)
def test_what_matches(place, pattern, found):
    done = efi_img(place, "info", "--output=json", pattern)
    images = json.loads(done.out)
    images = images if isinstance(images, list) else [images]
    assert [image["filename"] for image in images] == found and done.code == 0


def test_info(place):
    """As the same command for each, with an empty line between; a failure is told, and not more."""
    alone = [efi_img(place, "info", name).out for name in ("b.qcow2", "x.raw")]
    assert efi_img(place, "info", "b.qcow2", "x.raw").out == "\n".join(alone)
    done = efi_img(place, "info", "b.qcow2", "none", "x.raw")
    assert done.code == 1 and done.out == "\n".join(alone) and "none" in done.err
    done = efi_img(place, "info", "--output=json", "b.qcow2", "none", "x.raw")
    assert [image["filename"] for image in json.loads(done.out)] == ["b.qcow2", "x.raw"]
    assert efi_img(place, "info", "--output=json", "none").out == ""


def test_check(place):
    """The exit code is the worst, and only one image is repaired at a time."""
    alone = [efi_img(place, "check", name).out for name in ("A.QCOW2", "b.qcow2")]
    done = efi_img(place, "check", "?.qcow2")
    assert (done.code, done.out) == (0, f"A.QCOW2:\n{alone[0]}b.qcow2:\n{alone[1]}")
    for names, code in (
        (["b*.qcow2"], CORRUPT),
        (["x.raw", "b.qcow2"], NO_CHECKS),
        (["bad.qcow2", "x.raw"], CORRUPT),
        (["b.qcow2", "none", "bad.qcow2"], FAILED),
    ):
        assert efi_img(place, "check", *names).code == code
    found = json.loads(efi_img(place, "check", "--output=json", "*.qcow2").out)
    assert [image.get("corruptions", 0) > 0 for image in found] == [False, False, True]
    before = (place / "bad.qcow2").read_bytes()
    done = efi_img(place, "check", "-r", "all", "*.qcow2")
    assert done.code == 1 and "one image is repaired at a time" in done.err
    assert (place / "bad.qcow2").read_bytes() == before


def test_hash(place):
    done = efi_img(place, "hash", "*.raw")
    assert [line.split("  ")[1] for line in done.out.splitlines()] == [
        "star*.raw",
        "star2.raw",
        "x.raw",
    ]


def test_what_does_not_match(place):
    for command in ("info", "check", "hash"):
        for pattern in ("*.none", "none/*", "su?/*"):
            done = efi_img(place, command, pattern)
            assert (done.code, done.out) == (1, "") and pattern.split("/")[0] in done.err
    assert efi_img(place, "map", "*.qcow2").code == 1  # takes one image
