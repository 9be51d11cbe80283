# SPDX-License-Identifier: BSD-2-Clause
"""
The prompt of U-Boot, at which efi-img is started with one command line after the other, in a boot.

U-Boot has no UEFI shell. `bootefi` hands the variable bootargs to a program as its load options,
and what is printed goes to the serial line. The program takes a boot entry for its starter, which
clears the screen when the program ends, so it waits for keys; and `bootefi` prints the exit code,
unless that is 0.
"""

import re

from .machine import ENTER
from .shell import Step

AUTOBOOT = "Hit any key to stop autoboot"
# They are there when U-Boot looks, however late this host would be with one; it drops the first of
# them when it resets the serial line.
KEYS_AHEAD = " " * 200
STAY, LEAVE = "Press a key to stay on this screen", "Press any key to leave"
STARTED = re.compile(r"Booting /\S*\n+")
FAILED = re.compile(r"## Application failed, r = (\d+)")
# Which disks U-Boot looks at, and what it calls the first of them, by the bus of the board.
DISKS = {"virtio-blk": ("virtio scan", "virtio 0:1"), "ahci": ("scsi scan", "scsi 0:1")}


class Prompt:
    """Somebody at the prompt. The program is in the root of the first disk's first partition."""

    PROMPT = r"(?:\A|\n)=> \Z"

    def __init__(self, machine):
        self.machine = machine
        machine.send(KEYS_AHEAD)
        machine.expect(AUTOBOOT)
        machine.expect("\n=> ")
        machine.send(ENTER)
        machine.expect(self.PROMPT)
        scan, volume = DISKS[machine.drives[0].bus]
        self.type(scan)
        # Once: after some thirty programs U-Boot 2023.01 takes the memory for reserved.
        self.type(f"load {volume} ${{kernel_addr_r}} efi-img.efi")

    def type(self, line):
        """Types a line, and returns what U-Boot prints until its next prompt."""
        self.machine.send(line + ENTER)
        self.machine.expect(self.PROMPT)
        return self.machine.console.before

    def run(self, line):
        """Runs `efi-img LINE`; returns the step, with all that was printed as `out`."""
        step = Step(line, True, err="")
        self.type(f"setenv bootargs '{line}'")
        self.machine.send("bootefi ${kernel_addr_r}" + ENTER)
        self.machine.expect(STAY)
        step.out = STARTED.split(self.machine.console.before)[-1]
        self.machine.send(ENTER)
        self.machine.expect(LEAVE)
        self.machine.send(ENTER)
        self.machine.expect(self.PROMPT)
        failed = FAILED.search(self.machine.console.before)
        step.status = int(failed[1]) if failed else 0
        return step
