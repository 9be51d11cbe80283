# SPDX-License-Identifier: BSD-2-Clause
"""
Random programs of operations, run by efi-img in one folder and by qemu-img in the other; now and
then the folders are exchanged, so that each goes on with what the other has written. A program is
named by its number: to run one again, `pytest
'tests/differential/test_random.py::test_program[17]'`. SEED is the number of the first one and
PROGRAMS says how many there are; `make soak` goes on with other seeds.
"""

import json
import os
import random
import shutil

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, Result
from pairs import assert_same, assert_sound, copy_to_theirs

SEED = int(os.environ.get("SEED", "0"))
PROGRAMS = int(os.environ.get("PROGRAMS", "200"))
STEPS = 8
LAYOUTS = [
    "",
    "",
    "cluster_size=512",
    "cluster_size=4k,refcount_bits=1",
    "cluster_size=2M",
    "refcount_bits=64",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k,refcount_bits=2",
    "compat=0.10",
    "lazy_refcounts=on",
    "compression_type=zstd",
    "preallocation=metadata",
    "cluster_size=1k,refcount_bits=8",
]
SIZES = [MIB, 2 * MIB, MIB + 512, 3 * MIB - 70 * 512]


class Program:
    """
    The images base, middle and front, each behind the next one; operations are on `front`
    unless they say otherwise.
    """

    def __init__(self, pair, seed):
        self.pair = pair
        self.dice = random.Random(seed)
        self.log = []
        self.was_larger = False  # the disk of `front`

    def options(self, layout):
        return ["-o", layout] if layout else []

    def make(self):
        names = ["base", "middle", "front"][-self.dice.choice([1, 1, 2, 3]) :]
        behind = None
        for name in names:
            layout = self.dice.choice(LAYOUTS)
            raw = name == "base" and self.dice.randrange(3) == 0
            if raw or (behind and "preallocation" in layout):
                layout = ""
            format = "raw" if raw else "qcow2"
            backing = ["-b", behind[0], "-F", behind[1]] if behind else []
            size = self.dice.choice(SIZES)
            self.log.append(f"create {name}: {format} {layout} {backing} {size}")
            qemu_img(
                self.pair.ours,
                "create",
                "-q",
                "-f",
                format,
                *backing,
                *self.options(layout),
                name,
                str(size),
            )
            compressed = layout in ("", "compression_type=zstd") and not raw
            qemu_io(
                self.pair.ours,
                name,
                *random_writes(self.dice.randrange(1 << 30), size, compressed),
                options=("-f", format),
            )
            behind = name, format
        copy_to_theirs(self.pair)
        self.names = names

    # ---- operations ----

    def both(self, *args, output=True):
        """
        The same command on both sides: the same exit code, and the same output
        unless it speaks of offsets.
        """
        self.log.append(" ".join(args))
        ours, theirs = self.pair.run(*args)
        assert ours.code == theirs.code, ours.err + theirs.err
        if output:
            assert ours.out == theirs.out
        return ours, theirs

    def size(self):
        return Result(["qemu-img", "info", "--output=json", "front"], self.pair.ours).json()[
            "virtual-size"
        ]

    def snapshots(self):
        return (
            Result(["qemu-img", "info", "--output=json", "front"], self.pair.ours)
            .json()
            .get("snapshots", [])
        )

    def exchange(self):
        self.log.append("exchange")
        self.pair.ours, self.pair.theirs = self.pair.theirs, self.pair.ours

    def write(self):
        commands = list(random_writes(self.dice.randrange(1 << 30), self.size()))[
            : self.dice.randrange(1, 8)
        ]
        self.log.append(f"qemu-io {commands}")
        for folder in (self.pair.ours, self.pair.theirs):
            qemu_io(folder, "front", *commands)

    def snapshot(self):
        names = [s["name"] for s in self.snapshots()]
        action = self.dice.choice(["-c", "-c", "-a", "-d"])
        name = self.dice.choice(["one", "two", "three"] if action == "-c" or not names else names)
        before = {
            folder: (folder / "front").read_bytes() for folder in (self.pair.ours, self.pair.theirs)
        }
        ours, _ = self.both("snapshot", action, name, "front")
        if (
            ours.code != 0
        ):  # nothing has changed; qemu-img may have changed something before it found that out
            for folder, content in before.items():
                (folder / "front").write_bytes(content)

    def resize(self):
        if self.snapshots():  # which of these can be resized differs, by version and direction
            return
        size, before = self.dice.choice(SIZES), self.size()
        if (
            self.was_larger and size > before
        ):  # there qemu-img shows what the rest of the last cluster had before
            return
        self.was_larger |= size < before
        self.both("resize", "-q", "--shrink", "front", str(size))

    def commit(self):
        if len(self.names) == 1 or self.snapshots():
            return
        behind, here = (
            Result(["qemu-img", "info", "--output=json", name], self.pair.ours).json()
            for name in self.names[-2:]
        )
        if here["virtual-size"] > behind["virtual-size"] and "0.10" in json.dumps(
            behind.get("format-specific", {})
        ):
            # What version 2 cannot hide behind its end with zero clusters, qemu-img does not write
            # there.
            return
        self.both("commit", "-q", *self.dice.choice([[], ["-d"]]), "front")

    def rebase(self):
        onto = self.dice.choice([n for n in ("base", "middle") if n in self.names] + [""])
        if onto == "" or self.names[0] == onto or self.dice.randrange(2):
            format = (
                "raw"
                if onto
                and Result(["qemu-img", "info", "--output=json", onto], self.pair.ours).json()[
                    "format"
                ]
                == "raw"
                else "qcow2"
            )
            self.both("rebase", "-b", onto, *(["-F", format] if onto else []), "front")
            if onto == "":
                self.names = ["front"]

    def convert(self):
        """The front image is replaced by what it is converted to."""
        layout = self.dice.choice(LAYOUTS)
        packed = (
            self.dice.choice([["-c"], []])
            if "extended" not in layout and "preallocation" not in layout
            else []
        )
        self.both("convert", *packed, "-O", "qcow2", *self.options(layout), "front", "new")
        for folder in (self.pair.ours, self.pair.theirs):
            assert_sound(folder, "new", "qcow2")
            shutil.move(folder / "new", folder / "front")
        self.names = ["front"]
        self.was_larger = False

    def look(self):
        """Both programs say the same of each of the two images."""
        command = self.dice.choice(
            [
                ["map", "--output=json"],
                ["map", "--output=json"],
                ["measure", "--output=json", "-O", "qcow2"],
                ["measure", "--output=json", "-O", "raw"],
                ["info", "--backing-chain", "--output=json"],
            ]
        )
        self.log.append(" ".join(command))
        for folder in (self.pair.ours, self.pair.theirs):
            ours, theirs = (
                Result([program, *command, "front"], folder) for program in (EFI_IMG, "qemu-img")
            )
            assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err

    def compare(self):
        if len(self.names) > 1:
            self.both("compare", self.names[0], "front")

    def dd(self):
        self.both(
            "dd",
            "-O",
            "raw",
            f"bs={self.dice.choice(['512', '4k', '1M'])}",
            "if=front",
            "of=copy",
            output=False,
        )
        copies = [(folder / "copy").read_bytes() for folder in (self.pair.ours, self.pair.theirs)]
        assert copies[0] == copies[1]
        for folder in (self.pair.ours, self.pair.theirs):
            (folder / "copy").unlink()

    def step(self):
        self.dice.choice(
            [
                self.write,
                self.write,
                self.write,
                self.snapshot,
                self.snapshot,
                self.resize,
                self.commit,
                self.rebase,
                self.convert,
                self.look,
                self.look,
                self.compare,
                self.dd,
                self.exchange,
                self.exchange,
            ]
        )()

    def assert_alike(self):
        for name in self.names:
            format = Result(["qemu-img", "info", "--output=json", name], self.pair.ours).json()[
                "format"
            ]
            assert_sound(self.pair.ours, name, format)
        snapshots = [
            [
                s["name"]
                for s in Result(["qemu-img", "info", "--output=json", "front"], f)
                .json()
                .get("snapshots", [])
            ]
            for f in (self.pair.ours, self.pair.theirs)
        ]
        assert snapshots[0] == snapshots[1]
        if not snapshots[0]:  # which have dates
            assert_same(self.pair, "front")
        else:
            contents = [self.content(folder) for folder in (self.pair.ours, self.pair.theirs)]
            assert contents[0] == contents[1]

    def content(self, folder):
        qemu_img(folder, "convert", "-O", "raw", "front", "flat")
        return (folder / "flat").read_bytes()


@pytest.mark.enumeration(3)
@pytest.mark.parametrize("number", range(SEED, SEED + PROGRAMS))
def test_program(tmp_path, number):
    program = Program(Pair(tmp_path), number)
    try:
        program.make()
        for _ in range(STEPS):
            program.step()
            program.assert_alike()
    except BaseException:
        print("\n".join(program.log))
        raise
