# SPDX-License-Identifier: BSD-2-Clause
"""
Secure Boot in the setup of the firmware, by its keys: own certificates are enrolled from the stick
of `make usb-keys`, and Secure Boot is switched off (docs/SECURE-BOOT.md). The firmware is this
machine's, and with --whole also that of other releases (scripts/fetch-firmware).
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from conftest import ROOT
from rig import disks, secure_boot
from rig.boards import SECURE_PC
from rig.disks import MIB, Volume
from rig.firmware_setup import FirmwareSetup
from rig.machine import DOWN, ENTER, Drive, Machine

RELEASES = ROOT / "build" / "firmware"
LOADERS = RELEASES / "trixie"
OTHERS = [name for name in ("bookworm", "trixie", "sid") if (RELEASES / name / "versions").exists()]
NAMES = ("PK", "KEK", "db")
REFUSED = r"failed to load Boot\d+ .*: Access Denied"

pytestmark = pytest.mark.skipif(
    not (LOADERS / "versions").exists(),
    reason=f"{LOADERS} is empty: scripts/fetch-firmware could not fetch it",
)


def pytest_generate_tests(metafunc):
    if "board" in metafunc.fixturenames:
        others = OTHERS if metafunc.config.getoption("--whole") else []
        metafunc.parametrize("board", ["installed", *others], indirect=True, scope="module")


@pytest.fixture(scope="module")
def board(request):
    if request.param == "installed":
        return SECURE_PC
    files = RELEASES / request.param / "usr" / "share" / "OVMF"
    return replace(
        SECURE_PC,
        code=files / "OVMF_CODE_4M.secboot.fd",
        variables=files / "OVMF_VARS_4M.fd",
    )


@pytest.fixture(scope="module")
def sticks(place, program):
    """A signed one that starts a boot loader and has the certificates, and an unsigned one."""
    keys, signed, plain = place / "keys", place / "signed.img", place / "plain.img"
    disks.run(ROOT / "scripts" / "make-keys", keys)
    disks.run(ROOT / "scripts" / "make-secure-usb", "keys", keys, LOADERS, program, signed)
    disks.run(ROOT / "scripts" / "make-usb", program, plain)
    # The loader waits for a key as long as it takes.
    forced = b"timeout menu-force\nsecure-boot-enroll manual\n"
    Volume(signed, MIB, 126 * MIB).put(forced, "/loader/loader.conf")
    return SimpleNamespace(keys=keys, signed=signed, plain=plain)


@pytest.fixture(scope="module")
def enrolled(place, board, sticks):
    """In setup mode the keys are enrolled in the setup; then the signed program is started."""
    drives = [Drive("usb", sticks.signed, "STICK")]
    with Machine(place / "enrolled", drives, board=board, reboots=True) as machine:
        machine.see("Reboot Into Firmware Interface")
        machine.send(DOWN + ENTER)
        setup = FirmwareSetup(machine)
        setup.open_secure_boot()
        setup.enrol("EFI-IMG", "keys")
        setup.reset("Reboot Into Firmware Interface")
        machine.send(ENTER)
        started = machine.see("Choose an action")
    return SimpleNamespace(variables=machine.directory / "variables.fd", started=started)


def test_certificates_of_the_stick_are_enrolled(enrolled, sticks):
    values = secure_boot.read(enrolled.variables)
    for name in NAMES:
        assert (sticks.keys / f"{name}.cer").read_bytes() in values[name]
    assert values["SecureBootEnable"] == b"\1"


def test_signed_with_them_it_starts(enrolled):
    assert "Secure Boot: on" in enrolled.started


def test_unsigned_is_refused_until_switched_off(place, board, enrolled, sticks):
    after = replace(board, variables=enrolled.variables)
    drives = [Drive("usb", sticks.plain, "STICK")]
    with Machine(place / "off", drives, board=after, reboots=True) as machine:
        machine.expect(REFUSED)
        machine.see("Press any key to enter the Boot Manager Menu")
        machine.send(ENTER)
        setup = FirmwareSetup(machine)
        setup.open_secure_boot()
        setup.switch_off()
        setup.reset("Choose an action")
        assert "Secure Boot: off" in machine.screen()
