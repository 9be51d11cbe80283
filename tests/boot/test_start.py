# SPDX-License-Identifier: BSD-2-Clause
"""
The ways to start it without the shell: as \\EFI\\BOOT\\BOOTX64.EFI from the stick of make usb,
and with load options.
"""

import re
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT, STICK
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import ENTER, Drive, Machine
from rig.shell import Shell


@pytest.fixture(scope="module")
def usb_image(place, program):
    """The image that make usb makes."""
    image = place / "usb.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image, *STICK)
    return image


def test_the_stick_is_well_made(usb_image, program):
    assert "No problems found" in disks.run("sgdisk", "-v", usb_image)
    layout = disks.run("sgdisk", "-i", "1", usb_image)
    assert "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in layout and "First sector: 2048 " in layout
    partition = Volume(
        usb_image, MIB, 512 * int(re.search(r"Partition size: (\d+) sectors", layout)[1])
    )
    assert partition.fat_bits() == 32
    assert partition.fsck() == ""
    assert (
        partition.get("/EFI/BOOT/BOOTX64.EFI")
        == partition.get("/efi-img.efi")
        == program.read_bytes()
    )
    assert [partition.get(f"/{path.name}") for path in STICK] == [
        path.read_bytes() for path in STICK
    ]


@pytest.fixture(scope="module")
def drives(place, usb_image):
    """The stick, and two more disks, so that there is something to list."""
    volume = Volume(disks.make_disk(place / "nvme.img", 64 * MIB)).format(
        16, cluster=4096, label="OTHER"
    )
    return [
        Drive("usb", usb_image, "the-stick"),
        Drive("nvme", volume.image, "nvme-serial"),
        Drive("ahci", disks.make_disk(place / "sata.img", 32 * MIB), "sata-serial"),
    ]


@pytest.fixture(scope="module")
def screen(place, drives):
    """
    What it shows where the firmware itself started it: the start of the menu, and
    the list of disks.
    """
    with Machine(place / "machine", drives) as machine:
        text = machine.see("Choose an action")
        machine.send("6")
        machine.see("List the disks")
        machine.send("1")
        text += "\n" + machine.see("Press Enter to continue")
        for keys, then in (
            (ENTER, "List the disks"),
            ("b", "Choose an action"),
            ("q", "Leave efi-img"),
            ("y", "Boot Manager"),
        ):
            machine.send(keys)
            machine.see(then)  # at last the firmware has the screen again
        return text


def test_the_watchdog_is_off(place, drives, screen):
    """
    It waits for a key for longer than the five minutes after which the firmware resets the
    machine under a program it started.
    """
    with Machine(place / "machine", drives[:1], skips_idle=True) as machine:
        machine.see("Choose an action")
        machine.let_guest_wait(6 * 60)


@pytest.fixture(scope="module")
def options_boot(place, drives, screen):
    r"""
    The same machine, where the stick has no \EFI\BOOT any more, so that the shell comes: what its
    map says, and what there is to see after a reset into a boot option that was made with bcfg.
    `screen` is over by then.
    """
    stick = Volume(drives[0].image, MIB, 126 * MIB)
    stick.remove("/EFI/BOOT/BOOTX64.EFI")
    stick.put(
        'create -f qcow2 -o cluster_size=128k "made at boot.qcow2" 3G'.encode("utf-16-le"),
        "/options.bin",
    )
    with Machine(place / "machine", drives, reboots=True) as machine:
        shell = Shell(machine)
        shell_map = shell.run("map")
        # Place 0 is the firmware's own menu, which is not started; and -opt cannot change the
        # options of place 0.
        shell.run(r'bcfg boot addp 1 fs0:\efi-img.efi "efi-img"')
        shell.run(r"bcfg boot -opt 1 fs0:\options.bin")
        shell.type("reset")
        machine.expect("(?i)press a key to stay")
        text = machine.console.before
        machine.send_at_once(ENTER)
        machine.expect("(?i)press any key to leave")
    return SimpleNamespace(stick=stick, map=shell_map, screen=text)


def test_started_by_the_firmware_it_shows_the_menu_with_the_list(screen):
    missing = [
        word
        for word in (
            "started from here",
            "the-stick",
            "nvme-serial",
            "sata-serial",
            "OTHER",
            "Create",
            "Capture",
            "help",
        )
        if word not in screen
    ]
    assert not missing, screen


def test_names_without_the_shell_are_those_that_it_would_give(screen, options_boot):
    buses = {"USB(": "USB", "NVMe(": "NVMe", "Sata(": "SATA", "HD(": "EFI system"}
    for names, path in re.findall(
        r"^ *(\S+: Alias\(s\):\S*)\n +(\S+)", options_boot.map, re.MULTILINE
    ):
        what = [text for part, text in buses.items() if part in path][-1]
        shown = " ".join(re.findall(r"(?:fs|blk)\d+:", names.lower()))
        assert re.search(
            rf"^(?: +\d )?{shown} .* {what} ", screen, re.MULTILINE
        ), f"{shown} is not the {what}:\n{screen}"


def test_started_with_load_options_it_does_what_they_say(place, options_boot):
    assert "Formatting 'made at boot.qcow2', fmt=qcow2" in options_boot.screen
    assert not re.search("^efi-img:", options_boot.screen, re.MULTILINE)
    image, reference = (
        options_boot.stick.copy_out("/made at boot.qcow2", place / "made.qcow2"),
        place / "reference.qcow2",
    )
    oracle.qemu_img("create", "-q", "-f", "qcow2", "-o", "cluster_size=128k", reference, "3G")
    oracle.check_same(image, reference, "qcow2")
    assert options_boot.stick.fsck() == ""
