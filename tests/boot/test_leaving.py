# SPDX-License-Identifier: BSD-2-Clause
"""
A device is unplugged while the list of devices is made, in the moment in which the one before it is
asked for its model (leaving.c): it is listed as it was, and nothing that was freed is read.
"""

import json
from pathlib import Path

from rig.machine import Drive, Machine
from rig.shell import Batch

ROOT = Path(__file__).resolve().parent.parent.parent
STAYS, LEAVES = 7777 * 512, 7778 * 512


def test_a_device_that_leaves(place, make_stick):
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "leaving.efi", "/leaving.efi")
    batch = Batch(stick)
    batch.do("load leaving.efi")
    during = batch.run("efi-img list --output=json")
    after = batch.run("efi-img list --output=json")
    batch.boot(Machine(place / "machine", [Drive("usb", stick.image, "STICK")]))
    sizes = [{device["size"] for device in json.loads(step.out)} for step in (during, after)]
    assert (during.status, during.err, after.status, after.err) == (0, "", 0, "")
    assert {STAYS, LEAVES} <= sizes[0]
    assert STAYS in sizes[1] and LEAVES not in sizes[1]
