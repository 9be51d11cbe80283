# SPDX-License-Identifier: BSD-2-Clause
"""
Random programs of operations on one image of each kind, each done by efi-img or by qemu-img as the
dice fall: what one of them writes, the other continues with. A raw disk has the same operations by
qemu-img alone, and after each the disks are equal and the image is sound.

A program is named by its kind and number: `pytest
'tests/differential/test_random_formats.py::test_program[vdi-3]'`. SEED is the number of the first
one and PROGRAMS says how many there are of all kinds together.
"""

import os
import random

import pytest

from format_kinds import MIB, kinds
from images import qemu_img, qemu_io
from oracle import EFI_IMG, Result

SEED = int(os.environ.get("SEED", "0"))
PROGRAMS = int(os.environ.get("PROGRAMS", "60"))
STEPS = 10
SIZES = [MIB, 3 * MIB, 5 * MIB - 70 * 512]
KINDS = [kind for kind in kinds() if not kind.once]


def efi_img(folder, *args, code=0):
    done = Result([EFI_IMG, *args], folder)
    assert code is None or done.code == code, (args, done.out + done.err)
    return done


class Program:
    def __init__(self, folder, kind, seed):
        self.folder = folder
        self.kind = kind
        self.dice = random.Random(f"{kind.name}-{seed}")
        self.log = []
        self.size = self.dice.choice(SIZES)

    def say(self, *words):
        self.log.append(" ".join(map(str, words)))

    def program(self):
        return self.dice.choice([str(EFI_IMG), "qemu-img"])

    def run(self, *args):
        self.say(*args)
        done = Result(args, self.folder)
        assert done.code == 0, done.err
        return done

    def make(self):
        """A raw disk with some data, and an image of it."""
        qemu_img(self.folder, "create", "-q", "-f", "raw", "r", str(self.size))
        for _ in range(self.dice.randrange(4)):
            self.write_raw(*self.place(), self.dice.randrange(1, 255))
        to = ["-f", "raw", "-O", self.kind.format, *self.kind.words]
        self.run(self.program(), "convert", *to, "r", "x")
        self.grow_raw()

    def grow_raw(self):
        """As large as the image is: a geometry makes it larger."""
        info = Result(
            ["qemu-img", "info", "-f", self.kind.format, "--output=json", "x"], self.folder
        )
        assert info.code == 0, info.err
        self.size = info.json()["virtual-size"]
        os.truncate(self.folder / "r", self.size)

    def place(self):
        length = self.dice.choice([512, 3072, 4096, 65536, 200704, MIB])
        offset = self.dice.randrange(self.size // 512) * 512
        return offset, min(length, self.size - offset)

    def write_raw(self, offset, length, pattern):
        qemu_io(self.folder, "r", f"write -P {pattern} {offset} {length}", options=("-f", "raw"))

    # ---- operations ----

    def write(self):
        offset, length = self.place()
        pattern = self.dice.randrange(256)
        self.write_raw(offset, length, pattern)
        if self.dice.randrange(2):
            command = f"write -P {pattern} {offset} {length}"
            self.say("qemu-io", command)
            qemu_io(self.folder, "x", command, options=("-f", self.kind.format))
        else:
            words = ["-c", "1", "-s", str(length), "-o", str(offset), f"--pattern={pattern}"]
            self.run(str(EFI_IMG), "bench", "-w", "-q", *words, "-f", self.kind.format, "x")

    def zero(self):
        offset, length = self.place()
        self.write_raw(offset, length, 0)
        if self.dice.randrange(2):
            command = f"write -z {offset} {length}"
            self.say("qemu-io", command)
            qemu_io(self.folder, "x", command, options=("-f", self.kind.format))
        else:
            self.copy()

    def copy(self):
        """All of the raw disk over the image."""
        words = ["-n", "-f", "raw", "-O", self.kind.format, "r", "x"]
        self.run(self.program(), "convert", *words)

    def resize(self):
        size = self.size + self.dice.choice([512, 70 * 512, MIB, 4 * MIB])
        if size > 20 * MIB:
            return
        words = ["resize", "-q", "-f", self.kind.format, "x", str(size)]
        self.say(*words)
        done = efi_img(self.folder, *words, code=None)
        if done.code == 0:
            self.grow_raw()

    def rewrite(self):
        """A new image of the image."""
        words = ["-f", self.kind.format, "-O", self.kind.format, *self.kind.words, "x", "y"]
        self.run(self.program(), "convert", *words)
        if self.kind.rounds or len(list(self.folder.glob("y*"))) > 1:
            qemu_img(self.folder, "compare", "-f", self.kind.format, "-F", "raw", "y", "r")
            for path in self.folder.glob("y*"):
                path.unlink()
        else:
            os.replace(self.folder / "y", self.folder / "x")

    def look(self):
        commands = [["map"], ["map", "--output=json"], ["info"], ["measure", "-O", "raw"]]
        self.run(str(EFI_IMG), *self.dice.choice(commands), "x")

    def step(self):
        self.dice.choice(
            [self.write] * 5 + [self.zero] * 3 + [self.copy, self.resize, self.rewrite, self.look]
        )()

    def assert_good(self):
        for program in (EFI_IMG, "qemu-img"):
            words = ["compare", "-f", self.kind.format, "-F", "raw", "x", "r"]
            same = Result([program, *words], self.folder)
            assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err
            check = Result([program, "check", "-f", self.kind.format, "x"], self.folder)
            assert check.code in (0, 63), (program, check.out + check.err)


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, PROGRAMS // max(1, len(KINDS)))))
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_program(tmp_path, kind, number):
    program = Program(tmp_path, kind, number)
    try:
        program.make()
        program.assert_good()
        for _ in range(STEPS):
            program.step()
            program.assert_good()
    except BaseException:
        print("\n".join(program.log))
        raise
