# SPDX-License-Identifier: BSD-2-Clause
"""The rest of the stick becomes a volume for images, on the running machine."""

import os

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Shell

STICK_MIB, IMAGES_AT = 512, 128 * MIB


def test_a_volume_for_images(place, program):
    image = place / "usb.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image)
    own = Volume(image, MIB, 126 * MIB)
    own.remove("/EFI/BOOT/BOOTX64.EFI")  # or the shell would not come
    os.truncate(image, STICK_MIB * MIB)  # what was written is smaller than the stick
    said = {}
    with Machine(place / "machine", [Drive("usb", image, "STICK")]) as machine:
        shell = Shell(machine)
        for line in (
            "fs0:",
            "efi-img list",
            "efi-img stick",
            "map -r",
            "fs0:",
            r"efi-img capture serial=STICK:1 fs1:\esp.qcow2",
            "efi-img list",
        ):
            said[line] = shell.run(line)
        shell.power_off()
    assert "made on serial=STICK, the boot disk" in said["efi-img stick"], said
    assert 'FAT32 "IMAGES"' in said["efi-img list"] and "!" not in said["efi-img list"], said
    assert "No problems found" in disks.run("sgdisk", "-v", image)
    images = Volume(image, IMAGES_AT, (STICK_MIB - 1) * MIB - IMAGES_AT)
    assert own.fsck() == "" and images.fsck() == ""
    oracle.check_image(images.copy_out("/esp.qcow2", place / "esp.qcow2"), "qcow2")
