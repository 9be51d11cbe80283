# SPDX-License-Identifier: BSD-2-Clause
"""
Images that other programs have written (tests/samples/README.md says which), unpacked on demand.

    path = samples.unpack("parallels-v1", tmp_path)
"""

import bz2

from oracle import ROOT

FOLDER = ROOT / "tests" / "samples"
PIECE = 64 << 10  # bytes that are written or left out as one

FORMATS = {  # as qemu-img names them
    "afl5.img": "vpc",
    "afl9.vmdk": "vmdk",
    "d2v-zerofilled.vhd": "vpc",
    "empty.bochs": "bochs",
    "hyperv2012r2-dynamic.vhd": "vpc",
    "iotest-dirtylog-10G-4M.vhdx": "vhdx",
    "iotest-dynamic-1G.vhdx": "vhdx",
    "iotest-version3.vmdk": "vmdk",
    "parallels-v1": "parallels",
    "parallels-v2": "parallels",
    "parallels-with-bitmap": "parallels",
    "simple-dmg.dmg": "dmg",
    "simple-pattern.cloop": "cloop",
    "test-disk2vhd.vhdx": "vhdx",
    "virtualpc-dynamic.vhd": "vpc",
}
UNREPLAYED = ("iotest-dirtylog-10G-4M.vhdx",)  # which qemu-img only opens for writing
REFUSED = ("afl5.img", "afl9.vmdk")  # what no program can open


def names(format=None):
    """The samples of a format that can be opened; of all formats."""
    return [name for name, its in FORMATS.items() if format in (None, its) and name not in REFUSED]


def unpack(name, folder):
    """Unpacks one into the folder, with holes where it has zeros. Returns its path."""
    path = folder / name
    zeros = bytes(PIECE)
    with bz2.open(FOLDER / f"{name}.bz2") as packed, open(path, "wb") as out:
        size = 0
        while piece := packed.read(PIECE):
            if piece == zeros[: len(piece)]:
                out.seek(len(piece), 1)
            else:
                out.write(piece)
            size += len(piece)
        out.truncate(size)
    return path
