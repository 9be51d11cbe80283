# SPDX-License-Identifier: BSD-2-Clause
"""Which zeros `convert` leaves out (-S), and which space it reserves, beside qemu-img."""


import pytest

from images import MIB, qemu_img
from oracle import Pair, Result

# Lengths of data in KiB, by where they begin: gaps of every length, in and between clusters.
DATA = {0: 4, 256: 64, 2048: 1, 2052: 4, 2064: 20, 3000: 4, 5000: 64, 5003: 4, 6001: 20, 7777: 64}


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path)
    disk = bytearray(8 * MIB)
    for at, length in DATA.items():
        disk[at << 10 : (at + length) << 10] = b"\7" * (length << 10)
    for folder in (pair.ours, pair.theirs):
        (folder / "full").write_bytes(disk)
        with open(folder / "holes", "wb") as file:
            for at, length in DATA.items():
                file.seek(at << 10)
                file.write(disk[at << 10 : (at + length) << 10])
            file.truncate(8 * MIB)
        qemu_img(folder, "convert", "-S", "0", "-O", "qcow2", "full", "full.qcow2")
    return pair


def stored(folder, name):
    """Where the target has data, and where zeros; the places of clusters do not count."""
    joined = []
    for entry in Result(["qemu-img", "map", "--output=json", name], folder).json():
        kind = (entry["zero"], entry["data"])
        if not joined or joined[-1][1] != kind:
            joined.append((entry["start"], kind))
    return joined


@pytest.mark.parametrize(
    "format", ["raw", "qcow2", "qcow2 cluster_size=4k", "qcow2 cluster_size=2M"]
)
@pytest.mark.parametrize(
    "sparse", ["0", "512", "4k", "12k", "64k", "96k", "128k", "1M", "2M", "4M", "16M"]
)
def test_zeros_left_out(pair, format, sparse):
    options = ["-O", format.split()[0], *(["-o", format.split()[1]] if " " in format else [])]
    for source in ("full", "holes", "full.qcow2"):
        ours, theirs = pair.run("convert", "-S", sparse, *options, source, f"{source}.out")
        assert (ours.code, theirs.code) == (0, 0), ours.err + theirs.err
        assert stored(pair.ours, f"{source}.out") == stored(pair.theirs, f"{source}.out"), source
        same = Result(["qemu-img", "compare", "full", f"{source}.out"], pair.ours)
        assert same.code == 0, same.out


@pytest.mark.parametrize("mode", ["off", "falloc", "full"])
def test_space_that_is_reserved(pair, mode):
    """Zeros of a raw target that is preallocated take their space, whatever the source is."""
    for source in ("full", "holes", "full.qcow2"):
        name = f"{source}.out"
        options = ["-O", "raw", "-o", f"preallocation={mode}"]
        ours, theirs = pair.run("convert", *options, source, name)
        assert (ours.code, theirs.code) == (0, 0), ours.err + theirs.err
        assert (pair.ours / name).read_bytes() == (pair.ours / "full").read_bytes()
        blocks = [(folder / name).stat().st_blocks for folder in (pair.ours, pair.theirs)]
        assert abs(blocks[0] - blocks[1]) <= 16, blocks  # extents that the file system describes
        assert (mode == "off") == (blocks[0] * 512 < 8 * MIB)
