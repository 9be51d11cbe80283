# SPDX-License-Identifier: BSD-2-Clause
"""
The examples for the stick and the UEFI shell in README.md and docs/, as they are written there, in
one boot.
"""

import os
import re
import subprocess

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.readme import examples, lines_of, write_stick
from rig.shell import Shell

ROOT_AT = 3 * MIB  # the second partition of the disk
TYPED = [example for example in examples() if not example.host]


def make_stick(place):
    """Makes and writes the stick, which is a file here."""
    stick = disks.make_disk(place / "stick.img", 160 * MIB)
    write_stick(stick, place)
    subprocess.run(
        ["sh", "-eu"],
        input="\n".join(lines_of("Boot entries")),
        cwd=place,
        text=True,
        check=True,
    )
    volume = Volume(stick, MIB, 126 * MIB)
    volume.remove("/EFI/BOOT/BOOTX64.EFI")  # or the shell would not come
    volume.put(place / "options.txt", "/options.txt")
    disks.write_gpt(
        disks.make_disk(place / "debian.iso", 3 * MIB), [Partition(MIB, MIB, disks.LINUX)]
    )
    volume.put(place / "debian.iso", "/debian.iso")
    return volume


@pytest.fixture(scope="module")
def made(place):
    stick = make_stick(place)
    nvme = disks.make_disk(place / "nvme.img", 6 * MIB)
    disks.write_gpt(
        nvme,
        [
            Partition(MIB, MIB, disks.LINUX, "boot"),
            Partition(ROOT_AT, 2 * MIB, disks.LINUX, "root"),
        ],
    )
    with open(nvme, "r+b") as file:
        file.seek(ROOT_AT)
        file.write(os.urandom(MIB))
    before = nvme.read_bytes()
    drives = [
        Drive("usb", stick.image, "STICK-0001"),
        Drive("nvme", nvme, "NVME-0002"),
        Drive("nvme", disks.make_disk(place / "nvme5.img", 8 * MIB), "NVME-0005"),
        Drive("usb", disks.make_disk(place / "usb4.img", 4 * MIB), "USB-0004"),
    ]
    said = []
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for example in TYPED:
            for line in example.lines:
                said.append((line, shell.run(line), 0 if line == "fs0:" else shell.status()))
        shell.power_off()
    return {"said": said, "stick": stick, "before": before, "place": place}


def test_every_line_works(made):
    for line, text, status in made["said"]:
        assert status == 0 and not re.search(
            r"^efi-img: (?!serial=\S+: 0 writes|\S+: verified, identical to [^;\n]+;"
            r"|serial=NVME-0002(:2)?: same disk GUID as serial=NVME-0005:"
            r"|\S+: all data is written, but the firmware cannot make this drive flush)",
            text,
            re.MULTILINE,
        ), f"{line}\n{text}"


def test_the_images_are_what_was_captured(made):
    place, stick = made["place"], made["stick"]
    for name in ("pc.qcow2", "checked.qcow2", "mydisk.qcow2", "root.qcow2"):
        oracle.check_image(stick.copy_out(f"/{name}", place / name), "qcow2")
    (place / "before.raw").write_bytes(made["before"])
    for name in ("pc.qcow2", "checked.qcow2"):
        oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", place / "before.raw", place / name)
    assert (place / "nvme.img").read_bytes() == made["before"]
    assert (place / "nvme5.img").read_bytes()[ROOT_AT : ROOT_AT + 2 * MIB] == made["before"][
        ROOT_AT : ROOT_AT + 2 * MIB
    ]
    iso = (place / "debian.iso").read_bytes()
    assert (place / "usb4.img").read_bytes()[: len(iso)] == iso
    assert "virtual size: 50 GiB" in stick.get("/info.txt").decode("utf-16")
    assert stick.fsck() == ""
