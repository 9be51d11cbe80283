# SPDX-License-Identifier: BSD-2-Clause
"""
A disk whose free space is full of old data is captured, restored and cloned without it, and once
with it.
"""

import hashlib
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SIZE, START, LENGTH = 32 * MIB, MIB, 24 * MIB
FILES = {"/a.bin": 3 * MIB + 17, "/b.bin": 5, "/c.bin": 700 * 1024}
OTHER = 0xA5  # what the targets have


@pytest.fixture(scope="module")
def made(place, make_stick):
    noise = random.Random(23)
    contents = {name: noise.randbytes(length) for name, length in FILES.items()}
    source = disks.make_disk(place / "source.img", SIZE)
    source.write_bytes(noise.randbytes(SIZE))
    disks.write_gpt(source, [Partition(START, LENGTH, disks.LINUX, "data")])
    volume = Volume(source, START, LENGTH).format(16, cluster=2048)
    for name, content in contents.items():
        volume.put(content, name)
    targets = {}
    for name in ("RESTORED", "CLONED"):
        targets[name] = disks.make_disk(place / f"{name}.img", SIZE)
        targets[name].write_bytes(bytes([OTHER]) * SIZE)
    before = hashlib.sha256(source.read_bytes()).digest()
    stick = make_stick()
    batch = Batch(stick)
    steps = {
        name: batch.run(f"efi-img {line}")
        for name, line in {
            "capture": "capture serial=SOURCE pc.qcow2",
            "all": "capture --all serial=SOURCE all.qcow2",
            "restore": "restore pc.qcow2 serial=RESTORED --erase=RESTORED",
            "clone": "clone serial=SOURCE serial=CLONED --erase=CLONED",
        }.items()
    }
    drives = [Drive("usb", stick.image, "STICK"), Drive("nvme", source, "SOURCE")]
    drives += [Drive("ahci", image, name) for name, image in targets.items()]
    batch.boot(Machine(place / "machine", drives))
    assert hashlib.sha256(source.read_bytes()).digest() == before
    return SimpleNamespace(
        steps=steps, stick=stick, source=source, targets=targets, contents=contents
    )


@pytest.mark.parametrize("name", ["capture", "all", "restore", "clone"])
def test_it_succeeds_and_says_what_was_left_out(made, name):
    step = made.steps[name]
    assert step.status == 0, step.out + step.err
    assert "verified" in step.out
    assert ("what nothing on it uses" in step.out) == (name != "all"), step.out


def test_free_space_is_not_in_the_image(made, place):
    images = {
        name: made.stick.copy_out(f"/{name}.qcow2", place / f"{name}.qcow2")
        for name in ("pc", "all")
    }
    for image in images.values():
        oracle.check_image(image, "qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", made.source, images["all"])
    used = SIZE - LENGTH + sum(FILES.values())  # outside of the partition all is in use
    assert images["pc"].stat().st_size < used + 2 * MIB < images["all"].stat().st_size


@pytest.mark.parametrize("name", ["RESTORED", "CLONED"])
def test_all_files_are_on_the_target(made, name):
    image = made.targets[name]
    volume = Volume(image, START, LENGTH)
    assert volume.fsck() == ""
    assert {name: volume.get(name) for name in FILES} == made.contents
    source, target = made.source.read_bytes(), image.read_bytes()
    assert target[:START] == source[:START]
    assert target[START + LENGTH :] == source[START + LENGTH :]
    assert target.count(bytes([OTHER]) * MIB) > 10  # it keeps what it had
