# SPDX-License-Identifier: BSD-2-Clause
"""
The short form of a test of firmware: the menu, and a job on the stick that lists, creates, checks,
captures, restores and verifies. test_secure_boot.py runs it on one firmware, and
tests/firmware/matrix on all.
"""

import random
import shutil

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine

EXIT = ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")
FIRST_LINE = "#efi-img job 1"
# What a column of docs/FIRMWARE.md says, and the commands that must have ended well for it.
STEPS = {
    "list": ["list"],
    "create, check": ["create -f qcow2 made.qcow2 64M", "check made.qcow2"],
    "capture": ["convert -c -O qcow2 serial=SOURCE captured.qcow2"],
    "restore, verify": [
        "convert -n captured.qcow2 serial=TARGET",
        "compare -f qcow2 -F raw captured.qcow2 serial=TARGET",
    ],
}
COLUMNS = ["menu", *STEPS]
SIZE = 16 * MIB


class ShortJob:
    """A stick image of scripts/make-usb, which is copied, and two disks, in the folder `place`."""

    def __init__(self, place, stick, board, **options):
        self.place, self.board, self.options = place, board, options
        self.image = shutil.copyfile(stick, place / "short-stick.img")
        self.stick = Volume(self.image, MIB, self.image.stat().st_size - 2 * MIB)
        lines = [FIRST_LINE, "exit-code", *(line for step in STEPS.values() for line in step)]
        self.stick.mkdir("/efi-img")
        self.stick.put("\n".join(lines).encode() + b"\n", "/efi-img/job.txt")
        self.source, self.target = (
            disks.make_disk(place / f"short-{name}.img", SIZE) for name in ("source", "target")
        )
        self.content = random.Random(5).randbytes(SIZE // 2) + bytes(SIZE // 2)
        self.source.write_bytes(self.content)

    def machine(self):
        drives = [
            Drive("usb", self.image, "STICK"),
            Drive("nvme", self.source, "SOURCE"),
            Drive("ahci", self.target, "TARGET"),
        ]
        return Machine(self.place / "short", drives, board=self.board, more=EXIT, **self.options)

    def menu(self):
        """Starts it, and takes the menu instead of the job; returns the screen."""
        with self.machine() as machine:
            asked = machine.expect(r"Y = run this|begins in \d seconds")[0]
            # during the countdown the clocks of a slow machine must not run out
            (machine.send if asked.startswith("Y") else machine.send_at_once)("n")
            return machine.see("Choose an action")

    def run(self):
        """Has the job done. Returns the columns whose commands have ended well."""
        with self.machine() as machine:
            if machine.expect(r"Y = run this|begins in \d seconds")[0].startswith("Y"):
                machine.send("y")
            machine.wait_off(status=None)
            screen = (machine.directory / "screen.txt").read_text(encoding="utf-8")
        done = "The script is done." in screen
        good = []
        for name, lines in STEPS.items():
            begun = [screen.find(f"\n> {line}\n") for line in lines]
            after = screen.find("\n> ", begun[-1] + 1) >= 0 or done
            if -1 not in begun and after and self._holds(name):
                good.append(name)
        return good, screen

    def _holds(self, name):
        """What the machine has left on the disks, as other programs see it."""
        if name == "create, check":
            oracle.check_image(self._take("made"), "qcow2")
        elif name == "capture":
            oracle.qemu_img(
                *("compare", "-f", "raw", "-F", "qcow2", self.source, self._take("captured"))
            )
        elif name == "restore, verify":
            return self.target.read_bytes() == self.source.read_bytes() == self.content
        return True

    def _take(self, name):
        target = self.place / f"short-{name}.qcow2"
        target.unlink(missing_ok=True)
        return self.stick.copy_out(f"/{name}.qcow2", target)
