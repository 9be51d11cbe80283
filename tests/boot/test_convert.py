# SPDX-License-Identifier: BSD-2-Clause
"""
convert and map in the firmware: images made there are what they should be, on a volume full of
stale data, in 128 MiB, by one processor and by several.
"""

import hashlib
import json
import random
import subprocess

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SOURCE_BYTES = 6 * MIB + 512

CONVERSIONS = {  # name: (words before the source and target, source, format of the target)
    "qcow2": ("-O qcow2", "s.raw", "qcow2"),
    "deflate": ("-c -O qcow2", "s.raw", "qcow2"),
    "zstd": ("-c -O qcow2 -o compression_type=zstd", "s.raw", "qcow2"),
    "small": ("-O qcow2 -o cluster_size=512,refcount_bits=1", "s.raw", "qcow2"),
    "old": ("-O qcow2 -o compat=0.10", "s.qcow2", "qcow2"),
    "subclusters": ("-O qcow2 -o extended_l2=on", "s.qcow2", "qcow2"),
    "raw": ("-O raw", "s.qcow2", "raw"),
    "raw2": ("-O raw", "s.raw", "raw"),
    "overlay": ("-O qcow2 -B s.qcow2 -F qcow2", "over.qcow2", "qcow2"),
}


def make_sources(place, volume):
    """
    A raw image of text, noise and zeros; the same as qcow2 with compressed
    clusters; and an overlay.
    """
    dice = random.Random(5)
    pieces = [bytes(65536), dice.randbytes(65536), b"words of some text " * 3450]
    data = b"".join(
        dice.choice(pieces)[:65536].ljust(65536, b"\0") for _ in range(SOURCE_BYTES // 65536 + 1)
    )[:SOURCE_BYTES]
    (place / "s.raw").write_bytes(data)
    oracle.qemu_img("convert", "-c", "-O", "qcow2", "s.raw", "s.qcow2", cwd=place)
    oracle.qemu_img(
        "create", "-q", "-f", "qcow2", "-b", "s.qcow2", "-F", "qcow2", "over.qcow2", cwd=place
    )
    subprocess.run(
        ["qemu-io", "-c", "write -P 9 1M 300k", "-c", "write -z 3M 200k", "over.qcow2"],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for name in ("s.raw", "s.qcow2", "over.qcow2"):
        volume.put(place / name, f"/{name}")


@pytest.fixture(scope="module", params=[1, 3])
def boot(place, make_stick, request):
    stick = make_stick()
    volume = Volume(disks.make_disk(place / "volume.img", 200 * MIB)).format(
        32, cluster=512, label="WORK", fill=0xAA
    )
    make_sources(place, volume)
    batch = Batch(stick, work=volume)
    batch.do("%work%")
    steps = {
        name: batch.run(rf"%stick%\efi-img.efi convert {words} {source} {name}.out")
        for name, (words, source, _) in CONVERSIONS.items()
    }
    steps["map"] = batch.run(r"%stick%\efi-img.efi map --output=json over.qcow2")
    steps["exists"] = batch.run(r"%stick%\efi-img.efi convert -O qcow2 s.raw qcow2.out")
    steps["too-large"] = batch.run(r"%stick%\efi-img.efi convert -O raw -n s.raw zstd.out")
    steps["bench"] = batch.run(r"%stick%\efi-img.efi bench serial=nvme0")
    steps["hash"] = batch.run(r"%stick%\efi-img.efi hash s.raw deflate.out zstd.out")
    batch.boot(
        Machine(
            place / "machine",
            [Drive("usb", stick.image), Drive("nvme", volume.image)],
            memory=128,
            processors=request.param,
        )
    )
    return volume, steps


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversion(place, boot, name):
    volume, steps = boot
    assert (steps[name].status, steps[name].err) == (0, ""), steps[name].err
    image = volume.copy_out(f"/{name}.out", place / f"{name}.img")
    _, source, form = CONVERSIONS[name]
    oracle.check_image(image, form)
    oracle.qemu_img("compare", "-F", form, source, image.name, cwd=place)
    if form == "raw":
        assert image.stat().st_size == SOURCE_BYTES


def test_compression_pays(place, boot):
    sizes = {
        name: (place / f"{name}.img").stat().st_size
        for name in ("qcow2", "deflate", "zstd")
        if (place / f"{name}.img").exists()
    }
    assert sizes["deflate"] < sizes["qcow2"] and sizes["zstd"] < sizes["qcow2"]


def test_map_is_qemu_imgs(place, boot):
    step = boot[1]["map"]
    ours, theirs = json.loads(step.out), json.loads(
        oracle.qemu_img("map", "--output=json", "over.qcow2", cwd=place)
    )
    assert step.status == 0 and ours == theirs


def test_hash_is_the_same_for_every_format(place, boot):
    data = (place / "s.raw").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert [line.split() for line in boot[1]["hash"].out.splitlines()] == [
        [digest, name] for name in ("s.raw", "deflate.out", "zstd.out")
    ]


def test_bench_of_a_disk(boot):
    rows = [line.split() for line in boot[1]["bench"].out.splitlines()]
    assert boot[1]["bench"].status == 0 and [row[0] for row in rows] == [
        "4",
        "64",
        "256",
        "1024",
        "4096",
        "8192",
    ]
    assert all(int(row[2]) > 0 for row in rows[1:])


def test_an_existing_file_is_not_replaced(boot):
    step = boot[1]["exists"]
    assert step.status == 1 and "--force" in step.err


def test_the_volumes_are_sound(boot):
    assert boot[0].fsck() == ""
