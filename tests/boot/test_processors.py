# SPDX-License-Identifier: BSD-2-Clause
"""
Mistakes on another processor, by the program of tests/contract/processors.c in OVMF: each is
reported at once, by efi-img and not by the firmware, ends the program, and leaves a processor that
works. One boot.
"""

import re

import pytest

from conftest import ROOT
from rig.machine import Drive, Machine
from rig.shell import Batch

REPORT = "efi-img: internal error, please report it: "
# The argument of the program, and what it prints then.
MISTAKES = {
    "address": r"exception 14 on processor 1 at efi-img\.efi \+ 0x[0-9a-f]+, "
    "address 0x400000000000",
    "instruction": r"exception 6 on processor 1 at efi-img\.efi \+ 0x[0-9a-f]+",
    "stack": r"drivers/uefi/processors\.c:\d+: guard_is_whole\(other->stack\)",
}
ABORTED = 0x15  # EFI_ABORTED, as the shell has it


@pytest.fixture(scope="module")
def steps(place, make_stick):
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "processors.efi", "/processors.efi")
    batch = Batch(stick)
    steps = {}
    for name in MISTAKES:
        steps[name] = batch.run(f"processors.efi {name}")
        steps[f"after {name}"] = batch.run("processors.efi")
    batch.boot(Machine(place / "machine", [Drive("nvme", stick.image)], processors=2))
    return steps


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_reported(steps, name):
    step = steps[name]
    assert re.fullmatch(REPORT + MISTAKES[name], step.err.strip()), step
    assert (step.out, step.status) == ("", ABORTED)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_processor_works_afterwards(steps, name):
    step = steps[f"after {name}"]
    assert (step.out, step.err, step.status) == ("processors done\n", "", 0)
