"""hash: what sha256sum says of the disk as a raw file, for every format, and its output line by line."""

import hashlib
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
    parts = [bytes(70000), dice.randbytes(3 << 20), b"text " * 50000, bytes(5 << 20), dice.randbytes(1000)]
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
    assert (done.returncode, done.stdout, done.stderr) == (0, "".join(f"{digest}  {name}\n" for name in names), "")
    assert subprocess.run(["sha256sum", "-c", "-"], input=f"{digest}  disk.raw\n", text=True, cwd=place, capture_output=True).returncode == 0


def test_what_fails_is_named_and_the_rest_done(place):
    done = hash_with(place, "missing", "disk.raw")
    assert done.returncode == 1 and "missing" in done.stderr and done.stdout.endswith("  disk.raw\n")


def test_damaged_image(place):
    data = bytearray((place / "zlib").read_bytes())
    data[-2000:] = bytes(2000)
    (place / "damaged").write_bytes(data)
    done = hash_with(place, "damaged")
    assert done.returncode == 1 and done.stdout == "" and "damaged" in done.stderr
