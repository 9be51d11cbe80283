# SPDX-License-Identifier: BSD-2-Clause
"""
hash: what sha256sum says of the disk as a raw file, for every format, and its output line by
line; manifests, made and checked.
"""

import hashlib
import json
import random
import subprocess

import pytest

from images import qemu_img
from oracle import EFI_IMG

IMAGES = {  # name: what qemu-img makes of disk.raw
    "raw": ["-O", "raw"],
    "qcow2": ["-O", "qcow2"],
    "zlib": ["-c", "-O", "qcow2"],
    "zstd": ["-c", "-O", "qcow2", "-o", "compression_type=zstd,cluster_size=2M"],
    "small": ["-O", "qcow2", "-o", "cluster_size=512"],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("hash")
    dice = random.Random(3)
    parts = [
        bytes(70000),
        dice.randbytes(3 << 20),
        b"text " * 50000,
        bytes(5 << 20),
        dice.randbytes(1000),
    ]
    data = b"".join(parts)
    (place / "disk.raw").write_bytes(data + bytes(-len(data) % 512))
    for name, words in IMAGES.items():
        qemu_img(place, "convert", *words, "disk.raw", name)
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "zlib", "-F", "qcow2", "over")
    return place


def hash_with(place, *words):
    return subprocess.run([EFI_IMG, "hash", *words], cwd=place, capture_output=True, text=True)


def test_every_format(place):
    names = ["disk.raw", *IMAGES, "over"]
    digest = hashlib.sha256((place / "disk.raw").read_bytes()).hexdigest()
    done = hash_with(place, *names)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "".join(f"{digest}  {name}\n" for name in names),
        "",
    )
    assert (
        subprocess.run(
            ["sha256sum", "-c", "-"],
            input=f"{digest}  disk.raw\n",
            text=True,
            cwd=place,
            capture_output=True,
        ).returncode
        == 0
    )


def test_what_fails_is_named_and_the_rest_done(place):
    done = hash_with(place, "missing", "disk.raw")
    assert (
        done.returncode == 1 and "missing" in done.stderr and done.stdout.endswith("  disk.raw\n")
    )


def test_damaged_image(place):
    data = bytearray((place / "zlib").read_bytes())
    data[-2000:] = bytes(2000)
    (place / "damaged").write_bytes(data)
    done = hash_with(place, "damaged")
    assert done.returncode == 1 and done.stdout == "" and "damaged" in done.stderr


# ---- manifests ----

RANGE = 64 << 20


@pytest.fixture
def copy(place, tmp_path):
    """
    An image of a disk of 150 MiB with three ranges, and its manifest, as convert has made them.
    """
    data = (place / "disk.raw").read_bytes()
    with open(tmp_path / "disk.raw", "wb") as disk:
        for at in (0, RANGE - 1000, 2 * RANGE + 4096):
            disk.seek(at)
            disk.write(data)
        disk.truncate(150 << 20)
    done = run(
        tmp_path, "convert", "-c", "-O", "qcow2", "--manifest=pc.json", "disk.raw", "pc.qcow2"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return tmp_path


def run(place, *words):
    return subprocess.run([EFI_IMG, *words], cwd=place, capture_output=True, text=True)


def check(place, *words):
    return run(place, "hash", "--check=pc.json", *words)


def test_manifest(copy):
    manifest = json.loads((copy / "pc.json").read_text())
    data = (copy / "disk.raw").read_bytes()
    assert list(manifest) == [
        "manifest-version",
        "program",
        "firmware",
        "image",
        "format",
        "sources",
        "virtual-size",
        "lost-bytes",
        "lost",
        "unused-bytes",
        "unused",
        "sha256",
        "range-size",
        "ranges",
    ]
    assert (manifest["manifest-version"], manifest["image"], manifest["format"]) == (
        1,
        "pc.qcow2",
        "qcow2",
    )
    assert (manifest["sources"], manifest["virtual-size"], manifest["lost"]) == (
        [{"name": "disk.raw"}],
        len(data),
        [],
    )
    assert (
        manifest["sha256"] == hashlib.sha256(data).hexdigest() and manifest["range-size"] == RANGE
    )
    assert manifest["ranges"] == [
        hashlib.sha256(data[at : at + RANGE]).hexdigest() for at in range(0, len(data), RANGE)
    ]
    assert (check(copy).returncode, check(copy).stdout) == (0, "pc.qcow2: OK\n")
    assert (check(copy, "disk.raw").returncode, check(copy, "-f", "raw", "disk.raw").stdout) == (
        0,
        "disk.raw: OK\n",
    )


def test_manifest_of_a_disk(place, tmp_path, monkeypatch):
    (tmp_path / "disk.raw").write_bytes((place / "disk.raw").read_bytes())
    monkeypatch.setenv("EFI_IMG_DISKS", "disk.raw,serial=S1,model=A model")
    assert (
        run(
            tmp_path, "convert", "-O", "qcow2", "--manifest=pc.json", "serial=S1", "pc.qcow2"
        ).returncode
        == 0
    )
    source = json.loads((tmp_path / "pc.json").read_text())["sources"][0]
    size = (tmp_path / "disk.raw").stat().st_size
    assert (
        source["name"],
        source["model"],
        source["serial"],
        source["size"],
        source["block-size"],
    ) == ("serial=S1", "A model", "S1", size, 512)
    assert check(tmp_path, "serial=S1").stdout == "serial=S1: OK\n"


def test_what_differs_is_said(copy):
    for at in (RANGE, 2 * RANGE + 5000):
        with open(copy / "disk.raw", "r+b") as disk:
            disk.seek(at)
            byte = disk.read(1)
            disk.seek(at)
            disk.write(bytes([byte[0] ^ 1]))
    done = check(copy, "disk.raw")
    assert (done.returncode, done.stdout) == (1, "disk.raw: FAILED\n")
    assert f"{(150 << 20) - RANGE} bytes at offset {RANGE} of the disk differ" in done.stderr


DAMAGE = {
    "no JSON": lambda text: text[:-5],
    "manifest-version": lambda text: text.replace(
        '"manifest-version": 1', '"manifest-version": "1"'
    ),
    "version 7": lambda text: text.replace('"manifest-version": 1', '"manifest-version": 7'),
    "image": lambda text: text.replace('"image": "pc.qcow2"', '"image": 5'),
    "virtual-size": lambda text: text.replace('"virtual-size": ', '"virtual-size": 99999999999999'),
    "sha256": lambda text: text.replace('"sha256": "', '"sha256": "0'),
    "range-size": lambda text: text.replace('"range-size": 67108864', '"range-size": 0'),
    "ranges": lambda text: text.replace('"ranges": [', '"ranges": [ "00",'),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_manifest(copy, what):
    (copy / "pc.json").write_text(DAMAGE[what]((copy / "pc.json").read_text()))
    done = check(copy)
    assert (done.returncode, done.stdout) == (1, "") and "pc.json" in done.stderr
    assert what == "no JSON" or what.removeprefix("version ") in done.stderr


def test_smaller_disk(copy):
    with open(copy / "disk.raw", "r+b") as disk:
        disk.truncate(100 << 20)
    assert check(copy, "disk.raw").returncode == 1 and "smaller" in check(copy, "disk.raw").stderr


def test_manifest_of_an_older_image(copy):
    """It would be taken for that of the new one."""
    words = ("convert", "-O", "qcow2", "disk.raw", "pc.qcow2")
    assert run(copy, *words, "--force").stderr == ""
    (copy / "pc.json").rename(copy / "pc.qcow2.manifest")
    for more in (["--dry-run"], []):
        done = run(copy, *words, "--force", *more)
        assert done.returncode == 0 and "pc.qcow2.manifest is about an older" in done.stderr
    done = run(copy, *words, "--force", "--manifest=pc.qcow2.manifest")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_is_lost(copy):
    before = (copy / "pc.json").read_bytes()
    refused = run(copy, "convert", "--manifest=pc.json", "disk.raw", "other")
    assert (
        refused.returncode == 1
        and "pc.json exists" in refused.stderr
        and not (copy / "other").exists()
    )
    refused = run(copy, "convert", "--manifest=./new", "disk.raw", "new")
    assert refused.returncode == 1 and "the same file" in refused.stderr
    assert not (copy / "new").exists() and (copy / "pc.json").read_bytes() == before
    (copy / "new").write_bytes((copy / "disk.raw").read_bytes())
    refused = run(copy, "convert", "--force", "--manifest=./new", "disk.raw", "new")
    assert (
        refused.returncode == 1 and (copy / "new").read_bytes() == (copy / "disk.raw").read_bytes()
    )
    assert (
        run(
            copy,
            "convert",
            "-B",
            "disk.raw",
            "-F",
            "raw",
            "-O",
            "qcow2",
            "--manifest=m",
            "pc.qcow2",
            "o",
        ).returncode
        == 1
    )
    assert (
        run(copy, "convert", "--force", "--manifest=pc.json", "disk.raw", "other").returncode == 0
    )
    assert check(copy).stdout == "other: OK\n"


def test_lost_ranges(place, tmp_path):
    data = bytearray((place / "zlib").read_bytes())
    data[-2000:] = bytes(2000)
    (tmp_path / "damaged").write_bytes(data)
    assert (
        run(tmp_path, "convert", "--salvage", "--manifest=pc.json", "damaged", "pc.raw").returncode
        == 10
    )
    manifest = json.loads((tmp_path / "pc.json").read_text())
    assert (
        manifest["lost-bytes"] > 0
        and sum(lost["length"] for lost in manifest["lost"]) == manifest["lost-bytes"]
    )
    assert check(tmp_path).stdout == "pc.raw: OK\n"
