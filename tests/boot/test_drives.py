# SPDX-License-Identifier: BSD-2-Clause
"""
What drives say of themselves, in OVMF: the health log of NVMe, SMART and IDENTIFY DEVICE of SATA,
and a controller that OVMF has no driver for. One boot, from the shell.
"""

import json
from types import SimpleNamespace

import jsonschema
import pytest

from conftest import ROOT
from rig import disks
from rig.disks import MIB
from rig.machine import Drive, Machine
from rig.shell import Batch

SICK = "the drive warns: it has become unreliable, it has made itself read-only"  # bits 2 and 3


@pytest.fixture(scope="module")
def ran(place, make_stick):
    stick = make_stick()
    images = {
        name: disks.make_disk(place / f"{name}.img", 16 * MIB) for name in ("sick", "well", "sata")
    }
    batch = Batch(stick)
    as_json = batch.run("efi-img list --output=json")
    as_text = batch.run("efi-img list")
    plan = batch.run(r"efi-img capture --dry-run serial=SICK %stick%\x.qcow2")
    capture = batch.run(r"efi-img capture --no-manifest serial=SICK %stick%\x.qcow2")
    clean = batch.run(r"efi-img capture --no-manifest serial=WELL %stick%\y.qcow2")
    more = [
        *("-drive", f"if=none,id=sick,format=raw,file={images['sick']}"),
        *("-device", "nvme,addr=0x14,serial=SICK,drive=sick,smart_critical_warning=12"),
        *("-device", "megasas,addr=0x15"),
    ]
    drives = [
        Drive("usb", stick.image),
        Drive("nvme", images["well"], "WELL"),
        Drive("ahci", images["sata"], "SATA"),
    ]
    batch.boot(Machine(place / "machine", drives, more=more))
    return SimpleNamespace(
        json=as_json, text=as_text, plan=plan, capture=capture, clean=clean, stick=stick
    )


def test_listed(ran):
    """Only the drive that warns has a note; a drive that is well, or is not asked, has none."""
    assert ran.json.status == 0, ran.json.err
    listed = json.loads(ran.json.out)
    jsonschema.validate(listed, json.loads((ROOT / "tests" / "schema" / "list.json").read_text()))
    notes = {entry["serial"]: entry.get("drive-note") for entry in listed}
    assert notes["SICK"] == SICK
    assert notes["WELL"] is None and notes["SATA"] is None
    assert len(listed) == 4


def test_controller_without_a_driver(ran):
    text = " ".join(ran.text.out.split())
    assert (
        "! The firmware has no driver for the RAID controller PCI 1000:0060, so disks on it are "
        "not listed: switch it from RAID to AHCI in the firmware's settings" in text
    ), ran.text.out
    assert text.count("has no driver") == 1  # those of the other disks have one
    beside_json = " ".join(ran.json.err.split())
    assert "warning: the list may lack disks. The firmware has no driver for" in beside_json
    assert "has no driver" not in ran.json.out


def test_told_before_a_copy(ran):
    """In the plan, and as a warning of the copy; nothing of a drive that is well."""
    assert ran.plan.status == 0, ran.plan.err
    assert f"drive: serial=SICK: {SICK}" in " ".join(ran.plan.out.split())
    assert ran.capture.status == 0, ran.capture.err
    assert SICK in " ".join((ran.capture.err + ran.capture.out).split())
    assert ran.clean.status == 0 and "the drive" not in ran.clean.out + ran.clean.err
