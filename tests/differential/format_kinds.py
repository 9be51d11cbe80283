# SPDX-License-Identifier: BSD-2-Clause
"""
The image formats that this efi-img has, by its own `help`, and the kinds of images of each: what
tests of all formats are parametrised with. A new format is among them without a row here; rows are
for options that make images of another kind.
"""

import functools

from oracle import EFI_IMG, Result

MIB = 1 << 20

# Options of create, by format and kind; the first kind, "", has none if there is no row for it.
KINDS = {
    "parallels": {"small": "cluster_size=64k"},
    "qcow2": {"small": "cluster_size=4k"},
    "qed": {"small": "cluster_size=4k"},
    "vdi": {"static": "static=on"},
    "vhdx": {"small": "block_size=1M", "fixed": "subformat=fixed"},
    "vmdk": {
        "zeroed": "zeroed_grain=on",
        "flat": "subformat=monolithicFlat",
        "split": "subformat=twoGbMaxExtentSparse",
        "split-flat": "subformat=twoGbMaxExtentFlat",
        "stream": "subformat=streamOptimized",
    },
    "vpc": {  # the default of force_size differs
        "": "force_size=off",
        "exact": "force_size=on",
        "fixed": "subformat=fixed,force_size=off",
        "fixed-exact": "subformat=fixed,force_size=on",
    },
}


class Kind:
    """One kind of images of a format; its name is that of the test's parameter."""

    def __init__(self, format, name="", options=""):
        self.format = format
        self.name = f"{format}-{name}" if name else format
        self.options = options
        self.words = ["-o", options] if options else []
        # VMware's streams are written once; nothing changes them.
        self.once = "streamOptimized" in options
        # qemu-img takes a VHD without a header for a raw disk.
        self.given = ["-f", format] if format == "vpc" and "fixed" in options else []
        # The size is rounded up to a number of cylinders.
        self.rounds = "force_size=off" in options

    def __repr__(self):
        return self.name


def run(*args):
    return Result([EFI_IMG, *args], None)


@functools.cache
def readable():
    """The names of all formats."""
    lines = run("help", "all").out.partition("Image formats:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in lines.splitlines()]


@functools.cache
def writable():
    """Of these, the ones whose images can be created."""
    return [format for format in readable() if run("create", "-f", format, "-o", "help").code == 0]


def kinds(*, raw=False):
    """Every kind of every format that can be created; raw is none unless it is asked for."""
    return [
        kind
        for format in writable()
        if raw or format != "raw"
        for kind in [
            Kind(format, name, options)
            for name, options in {"": "", **KINDS.get(format, {})}.items()
        ]
    ]


def by_name(kinds):
    """The arguments of pytest.mark.parametrize."""
    return {"argvalues": kinds, "ids": [kind.name for kind in kinds]}
