# SPDX-License-Identifier: BSD-2-Clause
"""
Secure Boot, on the firmware of Debian 13 in build/firmware/trixie (scripts/fetch-firmware): the
three ways of docs/SECURE-BOOT.md, what the program does not do while it is on, and the short form
of all on firmware that enforces the permissions of memory (strictnx).
"""

import os
import random
import re
import subprocess
import uuid
from dataclasses import replace
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks, secure_boot
from rig.disks import MIB, Volume
from rig.boards import SECURE_PC
from rig.machine import DOWN, ENTER, Drive, Machine
from short_job import COLUMNS, EXIT, FIRST_LINE, ShortJob

RELEASE = ROOT / "build" / "firmware" / "trixie"
FILES = RELEASE / "usr" / "share" / "OVMF"
Y_OR_NOT = "Y = run this"

pytestmark = pytest.mark.skipif(
    not FILES.is_dir(), reason=f"{RELEASE} is empty: scripts/fetch-firmware could not fetch it"
)


def secure(variables, code="OVMF_CODE_4M.secboot.fd"):
    return replace(SECURE_PC, code=FILES / code, variables=variables)


@pytest.fixture(scope="module")
def keys(place):
    """What scripts/make-keys makes."""
    disks.run(ROOT / "scripts" / "make-keys", place / "keys")
    return place / "keys"


@pytest.fixture(scope="module")
def firmware(place, keys):
    """Makes firmware in which those keys are enrolled, with Secure Boot on or off."""

    def make(on):
        variables = place / f"variables-{on}.fd"
        values = {
            name: secure_boot.signature_list(uuid.UUID(int=1), keys / f"{name}.pem")
            for name in ("PK", "KEK", "db")
        }
        values["SecureBootEnable"] = bytes([on])
        secure_boot.write(FILES / "OVMF_VARS_4M.fd", variables, values)
        return secure(variables)

    return make


@pytest.fixture(scope="module")
def make_stick(place, program, keys):
    """
    Makes the stick of one of the ways ("": that of make usb, unsigned), with these files on it.
    """

    def make(way, **files):
        image = place / "stick.img"
        if way:
            disks.run(ROOT / "scripts" / "make-secure-usb", way, keys, RELEASE, program, image)
        else:
            disks.run(ROOT / "scripts" / "make-usb", program, image)
        stick = Volume(image, MIB, 126 * MIB)
        stick.mkdir("/efi-img")
        if way == "keys":  # its loader waits for a key as long as this takes
            stick.put(b"timeout menu-force\nsecure-boot-enroll manual\n", "/loader/loader.conf")
        for name, content in files.items():
            stick.put(content, {"job": "/efi-img/job.txt", "shell": "/shellx64.efi"}[name])
        return stick

    return make


def usb(stick):
    return Drive("usb", stick.image, "STICK")


def job(*lines):
    return "\n".join([FIRST_LINE, *lines, "exit-code"]).encode() + b"\n"


def text_log(stick):
    (name,) = [name for name in stick.names("/efi-img/logs") if name.endswith(".log")]
    return stick.get(f"/efi-img/logs/{name}").decode()


def test_unsigned_is_refused(place, firmware, make_stick):
    stick = make_stick("", job=job("create made.raw 1M"))
    with Machine(place / "machine", [usb(stick)], board=firmware(on=True)) as machine:
        machine.expect(r"failed to load Boot\d+ .*: Access Denied")
    assert "made.raw" not in stick.names()


# What a host or a stick asks for on the first machine, and what must be there of it.
OUTSIDE = [FIRST_LINE, "create outside.raw 1M"]
INSIDE = [
    "convert -O qcow2 serial=SOURCE captured.qcow2",
    "check captured.qcow2",
    "compare -f raw -F qcow2 serial=SOURCE captured.qcow2",
]


@pytest.fixture(scope="module")
def enrolled(place, make_stick):
    """
    A machine in setup mode: its keys are enrolled by systemd-boot from the stick, and after its
    reset the job on the stick is confirmed.
    """
    source = disks.make_disk(place / "source.img", 8 * MIB)
    source.write_bytes(random.Random(7).randbytes(4 * MIB) + bytes(4 * MIB))
    stick = make_stick("keys", job=job(*INSIDE))
    more = [word for line in OUTSIDE for word in ("-smbios", f"type=11,value=efi-img.job={line}")]
    with Machine(
        place / "machine",
        [usb(stick), Drive("nvme", source, "SOURCE")],
        board=secure(FILES / "OVMF_VARS_4M.fd"),
        reboots=True,
        more=(*EXIT, *more),
    ) as machine:
        machine.see("Enroll Secure Boot keys: own")
        machine.send(DOWN + DOWN + ENTER)
        machine.expect("successfully enrolled")
        machine.expect("Reboot Into Firmware Interface")
        machine.send(ENTER)
        machine.expect("Press any key to continue")
        machine.send("x")
        machine.expect(Y_OR_NOT)
        machine.send("Y")
        status = machine.wait_off(status=None)
        screen = (machine.directory / "screen.txt").read_text(encoding="utf-8")
    values = secure_boot.read(machine.directory / "variables.fd")
    return SimpleNamespace(
        stick=stick, source=source, status=status, screen=screen, variables=values
    )


def test_own_keys_are_enrolled(enrolled, keys):
    """With those of Microsoft, which the firmware of cards is signed with."""
    for name in ("PK", "KEK", "db"):
        assert (keys / f"{name}.cer").read_bytes() in enrolled.variables[name]
    assert b"Microsoft Corporation UEFI CA 2011" in enrolled.variables["db"]
    assert enrolled.variables["SecureBootEnable"] == b"\1"


def test_keys_for_the_setup_of_firmware_are_on_the_stick(enrolled, keys):
    for name in ("PK.cer", "KEK.cer", "db.cer", "PK.auth", "KEK.auth", "db.auth"):
        assert enrolled.stick.get(f"/keys/{name}") == (keys / name).read_bytes()


def test_only_own_keys(place, keys):
    disks.run(ROOT / "scripts" / "make-keys", "--only-own", place / "only")
    for name in ("KEK", "db"):
        assert b"Microsoft" in (keys / f"{name}.auth").read_bytes()
        assert b"Microsoft" not in (place / "only" / f"{name}.auth").read_bytes()


@pytest.mark.parametrize(
    "words, path, message",
    [
        ([], None, "exists"),
        (["new"], "/nowhere", "openssl, sbvarsign missing"),
        (["--name=a/CN=b", "new"], None, "--name has other characters"),
    ],
)
def test_keys_are_refused_before_a_folder_is_made(place, keys, words, path, message):
    command = ["/usr/bin/python3", ROOT / "scripts" / "make-keys", *(words or [keys])]
    env = {**os.environ, **({"PATH": path} if path else {})}
    done = subprocess.run(command, env=env, cwd=place, capture_output=True, text=True)
    assert done.returncode and message in done.stderr and "Traceback" not in done.stderr
    assert not (place / "new").exists()


def test_signed_with_them_it_captures(enrolled, place):
    assert enrolled.status == 33, enrolled.screen
    image = enrolled.stick.copy_out("/captured.qcow2", place / "captured.qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", enrolled.source, image)
    assert "\nSecure Boot: on\n" in text_log(enrolled.stick)


def test_a_script_of_the_host_is_ignored(enrolled):
    assert (
        "Secure Boot is on: the script from SMBIOS type 11 is ignored" in enrolled.screen
        and "outside.raw" not in enrolled.stick.names()
    )


def test_what_is_confirmed_was_shown(enrolled):
    asked = enrolled.screen[: enrolled.screen.index(Y_OR_NOT)]
    assert "is not signed" in asked and all(f"\n  {line}\n" in asked for line in INSIDE)


def test_shim(place, keys, make_stick, program):
    """
    shim of Debian, on a machine with Microsoft's keys: the certificate is enrolled by hand in
    MokManager. Then the program starts. It shows a job a screen at a time, and any key but Y keeps
    it from being done. A shell that is not signed is not started.
    """
    stick = make_stick("shim", job=job(*["version"] * 16, "create made.raw 1M"), shell=program)
    microsoft = secure(FILES / "OVMF_VARS_4M.ms.fd")
    with Machine(place / "machine", [usb(stick)], board=microsoft, reboots=True) as machine:
        for seen, keys_pressed in (
            ("Security Violation", ENTER),
            ("Press any key to perform MOK management", "x"),
            ("Enroll key from disk", DOWN + ENTER),
            ("EFI-IMG", ENTER),
            (r"efi-img\.cer", DOWN + DOWN + ENTER),
            ("View key 0", DOWN + ENTER),
            ("Enroll the key", DOWN + ENTER),
            ("Reboot", ENTER),
        ):
            machine.see(seen)
            (machine.send_at_once if keys_pressed == "x" else machine.send)(keys_pressed)
        machine.expect("job.txt is not signed")
        machine.expect("Press any key to see the rest")
        assert "create made.raw" not in machine.screen()
        machine.send("x")
        machine.expect("\n  create made.raw 1M\n")
        machine.expect(Y_OR_NOT)
        machine.send("n")
        assert "Secure Boot: on" in machine.see("Choose an action")
        machine.send("6")
        machine.send(re.search(r"(\d)  UEFI shell", machine.see("UEFI shell"))[1])
        machine.see("UEFI shell\\?")
        machine.send("y")
        machine.see("not signed")
    assert "made.raw" not in stick.names()


def test_a_boot_entry_is_confirmed(place, firmware, make_stick):
    """The command line that a boot manager hands over, here that of systemd-boot."""
    stick = make_stick("keys")
    stick.put(
        b"title efi-img\nefi /efi-img.efi\noptions create made.raw 1M\n",
        "/loader/entries/efi-img.conf",
    )
    with Machine(place / "machine", [usb(stick)], board=firmware(on=True)) as machine:
        machine.see("Reboot Into Firmware Interface")
        machine.send(ENTER)
        machine.expect("the command line of this boot entry is not signed")
        machine.expect("\n  create made.raw 1M\n")
        machine.expect(Y_OR_NOT)
        machine.send("x")
        machine.see("Choose an action")
    assert "made.raw" not in stick.names()


def test_a_boot_entry_runs_no_script(place, firmware, make_stick):
    """Its lines would not be shown."""
    stick = make_stick("keys")
    stick.put(job("create made.raw 1M"), "/hidden.txt")
    stick.put(
        b"title efi-img\nefi /efi-img.efi\noptions --plain run fs0:\\hidden.txt\n",
        "/loader/entries/efi-img.conf",
    )
    with Machine(place / "machine", [usb(stick)], board=firmware(on=True)) as machine:
        machine.see("Reboot Into Firmware Interface")
        machine.send(ENTER)
        machine.expect("Secure Boot is on: a boot entry runs no script")
        machine.see("Choose an action")
    assert "made.raw" not in stick.names()


def test_off(place, firmware, make_stick):
    """Keys are enrolled, but Secure Boot is switched off: an unsigned program does as usual."""
    stick = make_stick("", job=job("version"))
    with Machine(place / "machine", [usb(stick)], board=firmware(on=False), more=EXIT) as machine:
        machine.expect(r"begins in \d seconds")
        machine.wait_off(status=33)
    assert text_log(stick).count("\nSecure Boot: off\n") == 2


def test_strict_memory(place, program):
    """In setup mode, as the log says."""
    disks.run(ROOT / "scripts" / "make-usb", program, place / "plain.img")
    strict = secure(FILES / "OVMF_VARS_4M.fd", "OVMF_CODE_4M.secboot.strictnx.fd")
    short = ShortJob(place, place / "plain.img", strict)
    good, screen = short.run()
    assert good == COLUMNS[1:], screen
    assert "\nSecure Boot: setup mode\n" in text_log(short.stick)
