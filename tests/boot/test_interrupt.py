"""Ctrl-C, and a stick that is pulled out, while a long image is being written."""

import re
import time

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

WRITE_RATE = 16 * MIB  # bytes per second: a slow stick


@pytest.fixture(scope="module")
def made(place, make_stick):
    """All of it, with the times it took. The volumes: fs0: the stick, fs1: a slow stick that is pulled out, fs2: a slow disk."""
    stick = make_stick()
    pulled = Volume(disks.make_disk(place / "pulled.img", 2048 * MIB)).format(32, cluster=4096)
    slow = Volume(disks.make_disk(place / "slow.img", 2048 * MIB)).format(32, cluster=4096)
    stick.put(b"efi-img create -f raw fs2:\\long.raw 1G\r\necho THE SCRIPT WENT ON\r\n", "/long.nsh")
    drives = [Drive("usb", stick.image), Drive("usb", pulled.image, slow=WRITE_RATE), Drive("nvme", slow.image, slow=WRITE_RATE)]
    result = {"slow": slow, "stick": stick}
    with Machine(place / "machine", drives, deadline=120) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        interrupt(machine, shell, result)
        remove(machine, shell, drives[1], result)
        result["after"] = shell.run(r"efi-img create -q -f qcow2 fs2:\after.qcow2 1G"), shell.status()
        shell.power_off()
    return result


def interrupt(machine, shell, result):
    shell.type("long.nsh")
    machine.expect("Formatting")
    time.sleep(2)  # it is in the middle of the gigabyte
    begin = time.monotonic()
    machine.send(CTRL_C)
    result["break"] = shell.prompt(timeout=15)
    result["break seconds"] = time.monotonic() - begin
    result["break status"] = shell.status()
    result["left"] = shell.run(r"ls fs2:\ ")


def remove(machine, shell, drive, result):
    shell.type(r"efi-img create -f raw fs1:\long.raw 1G")
    machine.expect("Formatting")
    time.sleep(2)
    machine.unplug(drive)
    begin = time.monotonic()
    result["removed"] = shell.prompt()
    result["removed seconds"] = time.monotonic() - begin
    result["removed status"] = shell.status()


def test_ctrl_c_stops_it_soon(made):
    assert made["break seconds"] < 2


def test_ctrl_c_stops_the_script(made):
    assert "THE SCRIPT WENT ON" not in made["break"]
    assert made["break status"] != 0


def test_ctrl_c_leaves_no_file(made):
    assert "long.raw" not in made["left"]
    assert made["slow"].names() == ["after.qcow2"]
    assert made["slow"].fsck() == ""


def test_a_removed_stick_ends_it_with_an_error(made):
    assert re.search(r"^efi-img: .*long\.raw", made["removed"], re.MULTILINE), made["removed"]
    assert made["removed status"] == 1
    # The firmware itself tries again and again: the shell's own cp takes 36 s to fail here.
    assert made["removed seconds"] < 60


def test_the_other_disks_still_work_afterwards(made):
    assert made["after"] == ("", 0)
