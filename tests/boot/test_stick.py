# SPDX-License-Identifier: BSD-2-Clause
"""
The rest of the stick becomes a volume for images, on the running machine: by the command; and
the menu, which asks for it on its first page.
"""

import os

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import ENTER, ESCAPE, Drive, Machine
from rig.person import START, Person
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


QUESTION = r"Use the rest of this stick for images\?"
NO = "/efi-img/logs/no-volume.txt"


def test_the_menu_asks_until_it_is_answered(place, program):
    """
    A no is kept for that stick; one that is larger since is asked about again. A yes makes the
    volume, and the log beside it is written although its own volume is opened anew meanwhile.
    """
    image = place / "asked.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image)
    own = Volume(image, MIB, 126 * MIB)
    os.truncate(image, STICK_MIB * MIB)
    with Machine(place / "machine", [Drive("usb", image, "STICK")], reboots=True) as machine:
        person = Person(machine)
        question = machine.see(QUESTION)
        machine.see("to start")
        person.press(ESCAPE, START)
        person.press("6", "Choose a task")
        person.press("8", "Restart the machine\\? y = yes")
        machine.send("y")
        machine.expect("BdsDxe: starting")
        machine.see(START)  # at once
    assert "serial=STICK, the boot disk" in question, question
    assert b"serial=STICK" in own.get(NO)
    os.truncate(image, (STICK_MIB + 64) * MIB)
    with Machine(place / "machine", [Drive("usb", image, "STICK")]) as machine:
        person = Person(machine)
        machine.see(QUESTION)
        machine.see("to start")
        person.result("y" + ENTER, "made")
    assert "Exit code 0" in person.seen["made"], person.seen
    logs = [
        own.get(f"/efi-img/logs/{name}").decode()
        for name in own.names("/efi-img/logs")
        if name.endswith(".log")
    ]
    assert any("made on serial=STICK, the boot disk" in log for log in logs), logs
    images = Volume(image, IMAGES_AT, (STICK_MIB + 63) * MIB - IMAGES_AT)
    assert own.fsck() == "" and images.fsck() == ""
