# SPDX-License-Identifier: BSD-2-Clause
"""
Command lines that once read and overwrote the same file, by the numbers of the review that found
them: each is refused, and leaves every byte. test_access.py has all combinations.
"""

import os
import random
import subprocess

import pytest

from access import efi_img, refused
from images import MIB, make_outside, qemu_img, qemu_io
from oracle import EFI_IMG

REFUSED = 12


@pytest.fixture
def place(tmp_path):
    (tmp_path / "orig.raw").write_bytes(random.Random(1).randbytes(3 * MIB))
    return tmp_path


def test_adversary_1_data_file_is_the_source(place):
    refused(
        place,
        "convert",
        "--force",
        "-O",
        "qcow2",
        "-o",
        "data_file=orig.raw",
        "orig.raw",
        "out.qcow2",
    )


def test_adversary_1_target_is_the_data_file(place):
    make_outside(place, "s.qcow2", "d.raw", "3M", "data_file_raw=on")
    refused(place, "convert", "--force", "s.qcow2", "d.raw")
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "s.qcow2", "-F", "qcow2", "o.qcow2")
    refused(place, "dd", "--force", "if=o.qcow2", "of=d.raw")


def test_adversary_1_manifest_is_the_source(place):
    refused(place, "convert", "--force", "--manifest=orig.raw", "orig.raw", "o.raw")


def test_adversary_1_source_is_called_like_a_part(place):
    (place / "orig.raw").rename(place / "x.001")
    refused(place, "convert", "--force", "--split=2M", "x.001", "x")
    refused(
        place,
        "create",
        "--force",
        "-f",
        "qcow2",
        "-b",
        "x.001",
        "-F",
        "raw",
        "--split=1M",
        "x",
        "3M",
    )


def test_adversary_1_target_is_a_part(place):
    assert efi_img(place, "convert", "--split=1M", "orig.raw", "y").code == 0
    refused(place, "convert", "--force", "-O", "qcow2", "y", "y.001")


def test_adversary_2_data_file_of_an_existing_target(place):
    (place / "x.raw").write_bytes(random.Random(2).randbytes(3 * MIB))
    keep = (place / "x.raw").read_bytes()
    make_outside(place, "t.qcow2", "x.raw", "6M")
    (place / "x.raw").write_bytes(keep)
    refused(place, "convert", "-n", "-O", "qcow2", "orig.raw", "x.raw", "t.qcow2")


def test_adversary_6_stale_part(place):
    (place / "x.002").write_bytes(b"somebody's")
    assert "x.002" in refused(
        place, "convert", "--split=1M", "serial=S", "x", disks="orig.raw,serial=S"
    )
    assert "x.002" in refused(place, "create", "--split=1M", "x", "3M")
    assert (
        efi_img(
            place, "convert", "--force", "--split=1M", "serial=S", "x", disks="orig.raw,serial=S"
        ).code
        == 0
    )
    whole = efi_img(place, "hash", "x", "orig.raw").out.split()
    assert whole[0] == whole[2] and efi_img(place, "info", "x").code == 0


def test_adversary_7_backing_file_further_down(place):
    (place / "vol").mkdir()
    (place / "vol" / "base.raw").write_bytes(bytes(MIB))
    with open(place / "t.img", "wb") as disk:
        disk.truncate(16 * MIB)
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "vol/base.raw", "-F", "raw", "over.qcow2")
    make_outside(place, "stored.qcow2", "vol/store.raw", "1M")
    disks = "t.img,serial=T,holds=vol/"
    for backing, form in (
        ("vol/base.raw", "raw"),
        ("over.qcow2", "qcow2"),
        ("stored.qcow2", "qcow2"),
    ):
        said = refused(
            place,
            "convert",
            "-O",
            "qcow2",
            "-B",
            backing,
            "-F",
            form,
            "orig.raw",
            "serial=T",
            disks=disks,
            code=REFUSED,
        )
        assert "is on it" in said


def test_adversary_10_manifest_on_the_target(place):
    (place / "vol").mkdir()
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    for option in ("--manifest=vol/m.txt", "--map=vol/m.map"):
        said = refused(
            place,
            "convert",
            "-n",
            "--no-table",
            option,
            "orig.raw",
            "serial=T",
            disks="disk.img,serial=T,holds=vol/",
            code=REFUSED,
        )
        assert "is on it" in said


def test_adversary_13_manifest_in_another_directory(place):
    (place / "img").mkdir()
    assert efi_img(place, "convert", "--manifest=img/m.json", "orig.raw", "img/out.raw").code == 0
    assert efi_img(place, "convert", "--manifest=img/n.json", "orig.raw", "out.raw").code == 0
    for folder, manifest in (
        (place, "img/m.json"),
        (place / "img", "m.json"),
        (place.parent, f"{place}/img/m.json"),
        (place, "img/n.json"),
        (place / "img", "n.json"),
        (place.parent, f"{place}/img/n.json"),
    ):
        done = efi_img(folder, "hash", f"--check={manifest}")
        assert done.code == 0 and done.out.endswith("out.raw: OK\n"), (done.out, done.err)
    (place / "img" / "out.raw").write_bytes((place / "orig.raw").read_bytes() + bytes(512))
    done = efi_img(place, "hash", "--check=img/m.json")
    assert (done.code, done.out) == (1, "img/out.raw: FAILED\n")
    assert (
        efi_img(place, "hash", "--check=img/n.json").code == 0
    )  # not the file of that name beside the manifest


def test_adversary_14_manifest_over_what_was_made(place):
    refused(
        place,
        "convert",
        "--force",
        "-O",
        "qcow2",
        "-o",
        "data_file=dd.raw",
        "--manifest=dd.raw",
        "orig.raw",
        "o.qcow2",
    )
    refused(place, "convert", "--force", "--split=1M", "--manifest=o.raw.001", "orig.raw", "o.raw")


def test_adversary_15_too_many_parts(place):
    with open(place / "big", "wb") as disk:
        disk.truncate(2 << 30)
    said = refused(place, "convert", "--split=1M", "serial=S", "x", disks="big,serial=S", code=13)
    assert "more than 1000 files" in said
    refused(
        place, "convert", "--dry-run", "--split=1M", "serial=S", "x", disks="big,serial=S", code=13
    )
    refused(place, "create", "--split=1M", "x", "2G")


def test_adversary_16_image_that_is_its_data_file(place):
    make_outside(place, "self.qcow2", "d.raw", "4M")
    qemu_io(place, "self.qcow2", "write 0 2M")
    (place / "d.raw").unlink()
    os.link(place / "self.qcow2", place / "d.raw")
    refused(place, "bench", "-w", "-c", "1", "-s", "64k", "--pattern", "9", "self.qcow2")


def test_adversary_17_output_on_the_target(place):
    (place / "vol").mkdir()
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    with open(place / "vol" / "log.txt", "wb") as log:
        done = subprocess.run(
            [EFI_IMG, "convert", "-n", "--no-table", "orig.raw", "serial=T"],
            cwd=place,
            stdout=log,
            env={**os.environ, "EFI_IMG_DISKS": f"disk.img,serial=T,holds={place}/vol/"},
            stderr=subprocess.PIPE,
        )
    assert done.returncode == REFUSED and b"the output is redirected to log.txt" in done.stderr
    assert (place / "disk.img").read_bytes() == bytes(8 * MIB)


def test_adversary_5_dd_is_read_back(place):
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    disks = "disk.img,serial=T"
    assert (
        "verified"
        in efi_img(place, "dd", "--no-table", "if=orig.raw", "of=serial=T", disks=disks).out
    )
    assert "verified" in efi_img(place, "dd", "if=serial=T", "of=back.raw", disks=disks).out
    done = efi_img(place, "dd", "--no-verify", "if=serial=T", "of=again.raw", disks=disks)
    assert done.code == 0 and "not verified" in done.out


def test_dry_run_prints_the_set(place):
    done = efi_img(
        place,
        "convert",
        "--dry-run",
        "--output=json",
        "-O",
        "qcow2",
        "--manifest=m.json",
        "--split=1M",
        "serial=S",
        "x",
        disks="orig.raw,serial=S",
    )
    assert done.code == 0, done.err
    found = {
        (entry["name"], entry["role"], entry["use"], entry["parts"])
        for entry in done.json()["access"]
        if entry["role"] != "output"
    }
    assert found == {
        ("serial=S", "image", "read", False),
        ("x", "target", "create", True),
        ("m.json", "manifest", "create", False),
        ("x.resume", "journal", "create", False),
        ("x.resume.new", "journal", "create", False),
    }
    text = efi_img(
        place, "convert", "--dry-run", "-O", "qcow2", "serial=S", "x", disks="orig.raw,serial=S"
    ).out
    assert "touches: read   serial=S (image)\n" in text and "         create x (target)\n" in text
    assert sorted(path.name for path in place.iterdir()) == ["orig.raw"]
