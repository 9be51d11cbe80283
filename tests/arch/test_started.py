# SPDX-License-Identifier: BSD-2-Clause
"""
A disk with Debian for arm64 goes into an image and from there onto a larger disk, by a script in
AAVMF, and that disk starts as the first one did: `make test-firmware`. tests/boot/test_debian.py
does it on x86-64, with more images and buses.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import oracle
import pytest
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from shared import from_smbios, sha256

LOGIN = "efi-img-debian login: "
JOB = """#efi-img job 1
on-success poweroff
on-failure poweroff
convert -O qcow2 serial=DEBIAN debian.qcow2
convert -n debian.qcow2 serial=TARGET --erase=serial=TARGET
"""


@pytest.fixture(scope="module")
def copied(request, board, place, program):
    """The disks and the image after the script."""
    source, target, stick = (place / f"{name}.img" for name in ("debian", "target", "stick"))
    disks.run("cp", "--sparse=always", Path(request.config.getoption("--debian")), source)
    disks.make_disk(target, source.stat().st_size + 100 * MIB)
    disks.run(ROOT / "scripts" / "make-usb", "-s", 512, program, stick)
    before = sha256(source)
    drives = [
        Drive(board.bus, stick, "STICK", first=True),
        Drive(board.bus, source, "DEBIAN"),
        Drive(board.bus, target, "TARGET"),
    ]
    with Machine(place / "machine", drives, board=board, more=from_smbios(JOB)) as machine:
        machine.expect("The script is done")
        machine.wait_off()
    volume = Volume(stick, MIB, stick.stat().st_size - 2 * MIB)
    image = volume.copy_out("/debian.qcow2", place / "debian.qcow2")
    return SimpleNamespace(source=source, target=target, image=image, before=before)


def test_the_image_is_the_disk(copied):
    oracle.check_image(copied.image, "qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", copied.source, copied.image)
    assert sha256(copied.source) == copied.before


def test_the_gpt_fits_the_larger_disk(copied):
    assert "No problems found" in disks.run("sgdisk", "--verify", copied.target)


def test_the_restored_disk_starts(board, place, copied):
    """Up to the login prompt, alone in its machine."""
    drives = [Drive(board.bus, copied.target, "TARGET", first=True)]
    with Machine(place / "start", drives, memory=512, board=board) as machine:
        machine.expect(re.escape(LOGIN))
