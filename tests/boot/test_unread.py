# SPDX-License-Identifier: BSD-2-Clause
"""
Firmware that reports success for a block that it has not read, and then has what was in the buffer
in a cache (unread.c): no later read takes that for the block, in the same program or in another.
"""

from pathlib import Path

import pytest

from rig.machine import Drive, Machine
from rig.shell import Batch

ROOT = Path(__file__).resolve().parent.parent.parent
DISK = "path=VenHw(6d2e1c35-9b0e-4d1c-a35c-1f0f0d0db10c)"
LINES = {
    "capture": f"convert -f raw -O qcow2 {DISK} one.qcow2",
    "hash": f"hash -f raw {DISK}",
    "hash once more": f"hash -f raw {DISK}",
    "capture once more": f"convert -f raw -O qcow2 {DISK} two.qcow2",
}


@pytest.fixture(scope="module")
def steps(place, make_stick):
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "unread.efi", "/unread.efi")
    batch = Batch(stick)
    batch.do("load unread.efi")
    made = {name: batch.run(f"efi-img {line}") for name, line in LINES.items()}
    batch.boot(Machine(place / "machine", [Drive("usb", stick.image, "STICK")]))
    return made


@pytest.mark.parametrize("name", LINES)
def test_what_was_not_read_is_an_error(steps, name):
    step = steps[name]
    assert (
        step.status != 0 and "the device reports an error" in step.err
    ), f"{step.status}: {step.out}{step.err}"
